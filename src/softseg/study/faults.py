"""Faults of a study file: each one sentence, with the entry and the line where it stands."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel

from softseg.decisions.inputs.faults import Fault, Place, model_faults, place_of, short
from softseg.decisions.inputs.schema import Profile
from softseg.decisions.segments.moving import Inflow
from softseg.decisions.segments.programme import Programme, SegmentInput, SegmentProgramme
from softseg.errors import SchemaError
from softseg.study.file import (
    Checklist,
    Fitting,
    LedgerTotal,
    Migrating,
    Segments,
    Simulating,
    Study,
)
from softseg.wording import number, say

type Path = tuple[str, ...]

_INFLOW: Final = ("migration", "inflow", "*")
_MODELS: Final[dict[Path, type[BaseModel]]] = {
    (): Study,
    ("segments",): Segments,
    ("ledger",): LedgerTotal,
    ("programme",): Programme,
    ("programme", "segments", "*"): SegmentProgramme,
    ("programme", "segments", "*", "inputs", "*"): SegmentInput,
    ("programme", "segments", "*", "inputs", "*", "profile"): Profile,
    ("checklist",): Checklist,
    ("fit",): Fitting,
    ("simulate",): Simulating,
    ("migration",): Migrating,
    _INFLOW: Inflow,
}


def fault(key: str, *path: str, **values: Any) -> Fault:
    """Return a fault of an entry, which is given by its keys from the top of the file."""
    return Fault(key, values, None, ".".join(path) or None)


def study_faults(errors: Sequence[Any]) -> list[Fault]:
    """Return the faults that pydantic found, from what `ValidationError.errors` returns."""
    found: dict[tuple[str | None, str], Fault] = {}
    for error in errors:
        one = _model_fault(error)
        found.setdefault((one.field, one.key), one)
    return list(found.values())


def _model_fault(error: Any) -> Fault:
    path = tuple(str(part) for part in error["loc"] if part != "[key]")
    if path[:2] == ("segments", "number") and error["type"] != "missing":
        return fault("study_file.number", *path[:2], got=short(error["input"]))
    number_alone = len(path) == len(_INFLOW) and error["type"] in ("model_type", "dict_type")
    if path[:2] == _INFLOW[:2] and (error["type"] == "value_error" or number_alone):
        return fault("segments.inflow", *path)
    if error["type"] == "extra_forbidden":
        return _unknown_key(path)
    if error["type"] == "string_pattern_mismatch":
        return fault("assumption.id", *path, got=short(error["input"]))
    return model_faults([error])[0]


def _unknown_key(path: Path) -> Fault:
    inner = path[:-1]
    model = next((m for shape, m in _MODELS.items() if _fits(inner, shape)), Study)
    known = [field.alias or name for name, field in model.model_fields.items()]
    close = get_close_matches(path[-1], known, n=1)
    if close:
        return fault("assumption.unknown_key_close", *path, got=short(path[-1]), close=close[0])
    return fault("assumption.unknown_key", *path, got=short(path[-1]), known=", ".join(known))


def _fits(path: Path, shape: Path) -> bool:
    return len(path) == len(shape) and all(s in ("*", p) for p, s in zip(path, shape, strict=True))


def study_refusal(
    faults: Iterable[Fault],
    others: Sequence[str],
    data: Mapping[str, Any],
    places: Mapping[Path, Place],
    language: str,
) -> SchemaError:
    """Return the error that lists the faults in the order of the file, and then those of others.

    Parameters
    ----------
    faults
        Faults of the study file.
    others
        Sentences about the files that it names.
    data
        The file's content, for the names of the segments.
    places
        Where its entries stand.
    """
    found: list[tuple[tuple[int, ...], str]] = []
    for one in faults:
        place = one.place or place_of(one.path, places)
        where = "" if place is None else say(place.key, language, **place.values)
        head = ", ".join(part for part in (_entry(one.path, data), where) if part)
        said = Fault(one.key, one.values).text(language)
        order = place.order if place else ()
        found.append((order, f"{head}: {said}" if head else said))
    found.sort(key=lambda pair: pair[0])
    sentences = list(dict.fromkeys([*(text for _, text in found), *others]))
    head = say("study_file.mend", language, count=number(len(sentences), language))
    return SchemaError("\n".join([head, *(f"- {sentence}" for sentence in sentences)]))


def _entry(path: Path, data: Mapping[str, Any]) -> str:
    """Return an entry as people find it: the segments of the programme by their names."""
    if path[:2] != ("programme", "segments") or len(path) < 3:
        return ".".join(path)
    entries = data.get("programme", {}).get("segments", [])
    name = f"{int(path[2]) + 1}"
    with contextlib.suppress(LookupError, TypeError):
        name = short(entries[int(path[2])]["segment"])
    rest = path[3:]
    return ", ".join(part for part in ("programme", name, ".".join(rest)) if part)
