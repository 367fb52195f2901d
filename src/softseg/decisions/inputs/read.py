"""Assumptions from a TOML file or a workbook: every fault at once, each with its line or cell."""

import datetime
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import ValidationError

from softseg.decisions.inputs.check import faults, own_faults
from softseg.decisions.inputs.faults import Fault, Path, Place, model_faults, refusal, short
from softseg.decisions.inputs.lines import toml_lines
from softseg.decisions.inputs.schema import TRANSITION, Assumptions, Input
from softseg.decisions.inputs.sheet import read_sheets
from softseg.errors import FileError, SchemaError
from softseg.results.files import read_file
from softseg.wording import LANGUAGES, say

TOML: Final = ".toml"
WORKBOOKS: Final = (".xlsx", ".xlsm")
LISTS: Final = ("base", "overlaps")
"""Lists of ids of which one may be given as text."""
_AT: Final = re.compile(r" \(at [^()]*\)$")
_AT_LINE: Final = re.compile(r" \(at line (\d+)[^()]*\)$")
_SAID_LANGUAGE: Final = re.compile(r"^language\s*=\s*[\"'](en|de)[\"']", re.MULTILINE)


def read_assumptions(path: FilePath | str, language: str | None = None) -> Assumptions:
    """Return the assumptions of a TOML file or a workbook.

    Parameters
    ----------
    path
        A name that ends in ``.toml`` or ``.xlsx``.
    language
        Of the messages; the file's own if None.

    Raises
    ------
    FileError
        Where the file cannot be read.
    SchemaError
        Where something is wrong: one sentence for each fault, with its line or cell.
    """
    path = FilePath(path)
    suffix = path.suffix.lower()
    if suffix not in (TOML, *WORKBOOKS):
        raise FileError(say("assumption.suffix", language or "en", name=path.name))
    if not path.is_file():
        raise FileError(say("assumption.no_file", language or "en", name=path.name))
    if suffix == TOML:
        try:
            return _read_text(path, language)
        except RecursionError:
            raise SchemaError(say("assumption.nested", language or "en")) from None
    book = read_sheets(path, language)
    book.data.setdefault("language", book.language)
    said = language or _language(book.data, book.language)
    return _checked(book.data, book.places, said, book.faults, workbook=True)


def _read_text(path: FilePath, language: str | None) -> Assumptions:
    data, text = _parsed(path, language)
    lines = toml_lines(text)
    places = {key: Place.line(line) for key, line in lines.items()}
    return _checked(data, places, language or _language(data, "en"), [])


def _parsed(path: FilePath, language: str | None) -> tuple[dict[str, Any], str]:
    """Return the tables of a TOML file, and its text."""
    try:
        text = read_file(path, language or "en").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(say("assumption.utf8", language or "en", name=path.name)) from None
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        raise SchemaError(_toml_fault(path.name, text, str(error), language)) from None


def _toml_fault(name: str, text: str, reason: str, language: str | None) -> str:
    """Return what to do about a text that is no TOML.

    Python says the reason in English, with the line in brackets at its end.
    """
    said = _SAID_LANGUAGE.search(text)
    spoken = language or (said.group(1) if said else "en")
    lines = text.splitlines() or [""]
    at = _AT_LINE.search(reason)
    line = min(int(at.group(1)), len(lines)) if at else len(lines)
    values = {"line": line, "text": short(lines[line - 1].strip()) or "–"}
    return say("assumption.toml", spoken, name=name, reason=_AT.sub("", reason), **values)


def _language(data: Mapping[str, Any], default: str) -> str:
    found = data.get("language")
    return found if found in LANGUAGES else default


def _checked(
    data: dict[str, Any],
    places: Mapping[Path, Place],
    language: str,
    before: list[Fault],
    workbook: bool = False,
) -> Assumptions:
    """Return nested tables as assumptions, unless they or the file have faults."""
    data = _normalised(data)
    found = _validated(data)
    if isinstance(found, Assumptions):
        # Some sentences are made in the file's own language.
        wrong = faults(found.model_copy(update={"language": language}))
        wrong += [
            Fault("assumption.transition_alone", {}, name, "effect")
            for name, entry in found.inputs.items()
            if entry.effect == TRANSITION
        ]
    else:
        wrong = [*found, *_others(data, found)]
    wrong = [*before, *(fault for fault in wrong if not _follows(fault, before))]
    if wrong or not isinstance(found, Assumptions):
        raise refusal(wrong, places, language, workbook)
    return found


def _follows(fault: Fault, before: list[Fault]) -> bool:
    """Return whether a fault is there only because a cell of the same input could not be read."""
    if fault.input is not None:
        return any(other.input == fault.input for other in before)
    return any(other.path == fault.path for other in before)


def _validated(data: Any) -> Assumptions | list[Fault]:
    try:
        return _strictly(Assumptions, data)
    except ValidationError as error:
        return model_faults(error.errors())


def _strictly[T: (Assumptions, Input)](model: type[T], data: Any) -> T:
    """Return data as a model, without taking text for numbers.

    As JSON, because there a list is a tuple and a text is a date even where types are strict.
    """
    return model.model_validate_json(json.dumps(data, default=_as_text), strict=True)


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


def _normalised(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables with lists where one id was given as text."""
    inputs = data.get("inputs")
    if not isinstance(inputs, Mapping):
        return dict(data)
    return {**data, "inputs": {name: _lists(entry) for name, entry in inputs.items()}}


def _lists(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    texts = {key: [entry[key]] for key in LISTS if isinstance(entry.get(key), str)}
    return {**entry, **texts}


def _others(data: Mapping[str, Any], known: list[Fault]) -> list[Fault]:
    """Return the faults of the inputs that can be read, where another part of the file cannot."""
    inputs = data.get("inputs")
    if any(fault.path == () for fault in known):  # nothing of the file can be read
        return []
    faulty = {fault.input for fault in known}
    unclear = any(fault.path == ("currency",) for fault in known)
    currency = None if unclear else data.get("currency", "EUR")
    found = []
    for name, data_of in inputs.items() if isinstance(inputs, Mapping) else ():
        if name not in faulty:
            found += own_faults(name, _strictly(Input, data_of), currency)
    return found
