"""A study file, read: its own faults, those of the files it names, and those between them."""

import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from softseg.decisions.inputs.check import own_faults
from softseg.decisions.inputs.faults import Fault, Place
from softseg.decisions.inputs.lines import toml_lines
from softseg.decisions.inputs.read import LISTS, read_assumptions
from softseg.decisions.inputs.schema import TRANSITION
from softseg.decisions.segments.expand import expand, move_faults, segment_number
from softseg.errors import FileError, SchemaError
from softseg.study.faults import fault, study_faults, study_refusal
from softseg.study.file import CHOOSE, SEVERAL, Study
from softseg.tables.document import read_toml
from softseg.tables.schema import Schema
from softseg.wording import LANGUAGES, say

if TYPE_CHECKING:
    from softseg.decisions.inputs.schema import Assumptions


def read_study[S: Study](model: type[S], path: Path, language: str | None = None) -> S:
    """Return the study of a file, after checking it with everything that it names.

    Raises
    ------
    FileError
        Where the study file cannot be read.
    SchemaError
        Where there are faults; all of them are listed.
    """
    if not path.is_file():
        raise FileError(say("study_file.no_file", language or "en", name=path.name))
    try:
        data = _normalised(read_toml(path))
    except RecursionError:
        raise SchemaError(say("assumption.nested", language or "en")) from None
    spoken = language or (data.get("language") if data.get("language") in LANGUAGES else "en")
    found = _validated(model, data)
    if isinstance(found, Study):
        study = found.at(path)
        wrong, others = between(study, spoken)
    else:
        study, wrong, others = None, found, []
    if study is None or wrong or others:
        lines = toml_lines(path.read_text(encoding="utf-8-sig"))
        places = {key: Place.line(line) for key, line in lines.items()}
        raise study_refusal(wrong, others, data, places, spoken)
    return study


def between(study: Study, language: str) -> tuple[list[Fault], list[str]]:
    """Return the faults between the parts of a study, and sentences about the files it names."""
    faults = [*_segment_faults(study), *_programme_faults(study)]
    others: list[str] = []
    schema = _read_schema(study, faults, others)
    assumptions = _read_assumptions(study, faults, others, language)
    if not study.table_path.is_file():
        faults.append(fault("study_file.no_path", "table", name=study.table))
    if schema is not None:
        faults += _ledger_faults(study, schema, assumptions)
        faults += _panel_faults(study, schema)
    levers = list(_lever_faults(study, assumptions))
    faults += levers
    names = _known_names(study)
    if assumptions is not None and names and not faults:
        try:
            expand(assumptions, study.programme, names)
        except SchemaError as error:
            others += _sentences(error)
    return faults, others


def _segment_faults(study: Study) -> Iterator[Fault]:
    """Find numbers and names that contradict each other."""
    given = study.segments
    if isinstance(given.number, str) and given.number not in (CHOOSE, SEVERAL):
        yield fault("study_file.number", "segments", "number", got=given.number)
    elif isinstance(given.number, int) and given.number < 2:
        yield fault("study_file.one_segment", "segments", "number", got=given.number)
    if given.number == SEVERAL:
        yield from _several_faults(study)
    elif given.several or given.reference is not None:
        yield fault("study_file.several_unused", "segments", "several")
    if len(set(given.names)) < len(given.names):
        yield fault("study_file.names_twice", "segments", "names", got=", ".join(given.names))
    if given.names and given.fixed and given.fixed > 1 and len(given.names) != given.fixed:
        values = {"expected": given.fixed, "got": len(given.names)}
        yield fault("study_file.names", "segments", "names", **values)


def _several_faults(study: Study) -> Iterator[Fault]:
    given = study.segments
    if len(set(given.several)) < 2 or min(given.several, default=0) < 2:
        got = ", ".join(str(k) for k in given.several) or "–"
        yield fault("study_file.several", "segments", "several", got=got)
    if given.reference is None:
        yield fault("study_file.reference", "segments", "reference")
    elif given.several and given.reference not in given.several:
        values = {"got": given.reference, "known": ", ".join(str(k) for k in given.several)}
        yield fault("study_file.reference_other", "segments", "reference", **values)
    if given.compare:
        yield fault("study_file.compare", "segments", "compare")


def _programme_faults(study: Study) -> Iterator[Fault]:
    """Find programmes for segments that there are not, or for one segment twice."""
    entries, names = study.programme.segments, _known_names(study)
    if not entries:
        yield fault("study_file.no_programme", "programme")
    seen: set[int] = set()
    for i, entry in enumerate(entries):
        path = ("programme", "segments", str(i), "segment")
        if not names:
            if study.segments.number == CHOOSE and not _is_number(entry.segment):
                yield fault("study_file.segment_open", *path, got=entry.segment)
            continue
        k = segment_number(entry.segment, names)
        if k is None:
            values = {"got": entry.segment, "known": ", ".join(names)}
            yield fault("study_file.segment", *path, **values)
        elif k in seen:
            yield fault("study_file.segment_twice", *path, got=entry.segment)
        seen |= {k or 0}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) > 0


def _known_names(study: Study) -> tuple[str, ...]:
    """Return the names of the segments, empty where their number is not known yet."""
    if study.segments.names:
        return study.segments.names
    fixed = study.segments.fixed
    return tuple(str(k) for k in range(1, fixed + 1)) if fixed and fixed > 1 else ()


def _read_schema(study: Study, faults: list[Fault], others: list[str]) -> Schema | None:
    if not study.schema_path.is_file():
        faults.append(fault("study_file.no_path", "schema", name=study.schema_file))
        return None
    try:
        return Schema.from_toml(study.schema_path)
    except (SchemaError, FileError) as error:
        others.append(f"{study.schema_file}: {error}")
        return None


def _read_assumptions(
    study: Study, faults: list[Fault], others: list[str], language: str
) -> "Assumptions | None":
    if not study.assumptions_path.is_file():
        faults.append(fault("study_file.no_path", "assumptions", name=study.assumptions))
        return None
    try:
        found = read_assumptions(study.assumptions_path, language)
    except (SchemaError, FileError) as error:
        others += [f"{study.assumptions}: {line}" for line in _sentences(error)]
        return None
    return found.model_copy(update={"language": language})


def _sentences(error: Exception) -> list[str]:
    """Return what an error that lists faults says of each, or all that it says."""
    first, *rest = str(error).splitlines()
    return [line.removeprefix("- ") for line in rest] or [first]


def _ledger_faults(
    study: Study, schema: Schema, assumptions: "Assumptions | None"
) -> Iterator[Fault]:
    name, known = study.ledger.value, ", ".join(schema.value) or "–"
    if name not in schema.value:
        yield fault("study_file.value", "ledger", "value", got=name, known=known)
        return
    currency = schema.value[name].currency
    if assumptions is not None and currency and currency != assumptions.currency:
        values = {"got": currency, "expected": assumptions.currency}
        yield fault("study_file.currency", "ledger", "value", **values)


def _panel_faults(study: Study, schema: Schema) -> Iterator[Fault]:
    """Find what a study with a panel does not take, and what needs one."""
    given, names = study.segments, _known_names(study)
    if schema.migration is None:
        if study.migration.inflow:
            yield fault("study_file.no_panel", "migration", "inflow")
        for i, entry in enumerate(study.programme.segments):
            for name, lever in entry.inputs.items():
                if lever.effect == TRANSITION:
                    path = ("programme", "segments", str(i), "inputs", name, "effect")
                    yield fault("study_file.no_panel", *path)
        return
    if given.fixed is None or given.number == SEVERAL:
        yield fault("study_file.panel_number", "segments", "number", got=given.number)
    if given.compare:
        yield fault("study_file.panel_compare", "segments", "compare")
    for name in study.migration.inflow:
        if names and segment_number(name, names) is None:
            values = {"got": name, "known": ", ".join(names)}
            yield fault("study_file.segment", "migration", "inflow", name, **values)


def _lever_faults(study: Study, assumptions: "Assumptions | None") -> Iterator[Fault]:
    """Find what is wrong with a lever by itself: its unit, effect, range, where customers go."""
    currency = None if assumptions is None else assumptions.currency
    segments = _known_names(study)
    for i, entry in enumerate(study.programme.segments):
        for name, lever in entry.inputs.items():
            moves = move_faults(entry, name, lever, segments) if segments else ()
            for one in (*own_faults(name, lever, currency), *moves):
                field = one.field.split(".") if one.field else []
                path = ("programme", "segments", str(i), "inputs", name, *field)
                yield Fault(one.key, one.values, None, ".".join(path))


def _validated[S: Study](model: type[S], data: dict[str, Any]) -> S | list[Fault]:
    # As JSON, because there a list is a tuple and a text a date even where types are strict.
    try:
        return model.model_validate_json(json.dumps(data, default=_as_text), strict=True)
    except ValidationError as error:
        return study_faults(error.errors())


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


def _normalised(data: Any) -> Any:
    """Return the tables with ids given as text in lists, and numbers of segments as text."""
    programme = data.get("programme")
    entries = programme.get("segments") if isinstance(programme, Mapping) else None
    if not isinstance(programme, Mapping) or not isinstance(entries, list):
        return data
    changed = [_entry(entry) if isinstance(entry, Mapping) else entry for entry in entries]
    return {**data, "programme": {**programme, "segments": changed}}


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(entry)
    if type(found.get("segment")) is int:
        found["segment"] = str(found["segment"])
    inputs = found.get("inputs")
    if isinstance(inputs, Mapping):
        found["inputs"] = {name: _lists(lever) for name, lever in inputs.items()}
    return found


def _lists(lever: Any) -> Any:
    if not isinstance(lever, Mapping):
        return lever
    single = (*LISTS, "to")
    return {**lever, **{key: [lever[key]] for key in single if isinstance(lever.get(key), str)}}
