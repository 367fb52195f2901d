"""Faults of assumptions: what is wrong, of which input, and where it stands in the file.

The catalogue has the words of a fault under its key. A fault never guesses: it says what to do,
what was expected, and what was found.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel

from softseg.decisions.inputs.columns import choice, unit_label
from softseg.decisions.inputs.schema import (
    FAMILIES,
    Assumptions,
    Correlation,
    Dependence,
    Factor,
    Input,
    Profile,
)
from softseg.errors import SchemaError
from softseg.wording import has, number, say

type Path = tuple[str, ...]
"""Keys from the top of the file to an entry, for instance ``("inputs", "price", "low")``."""


@dataclass(frozen=True)
class Place:
    """Where an entry stands: a line of a text, or a cell of a sheet.

    Attributes
    ----------
    order
        Sorts places as people read them.
    key, values
        Its words in the catalogue.
    """

    order: tuple[int, ...]
    key: str
    values: Mapping[str, str]

    @classmethod
    def line(cls, line: int) -> "Place":
        """Return the place of a line, the first one being 1."""
        return cls((line,), "assumption.line", {"line": str(line)})

    @classmethod
    def cell(cls, cell: str, sheet: str, order: tuple[int, ...]) -> "Place":
        """Return the place of a cell such as ``D7``."""
        return cls(order, "assumption.cell", {"cell": cell, "sheet": sheet})


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    key
        The catalogue's key of its words.
    values
        What the words say: text, numbers, keys of the catalogue, or what depends on the kind of
        What the words say: text, numbers, keys of the catalogue, or what is said in the words of
        the file, such as `Quantity` and `Entry`.
    input
        Id of the input, None where none is meant.
    field
        The entry of the input, or of the file where `input` is None; dots lead into tables.
    place
        Where it stands, None where that follows from the entry.
    """

    key: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    input: str | None = None
    field: str | None = None
    place: Place | None = None

    @property
    def path(self) -> Path:
        """Keys from the top of the file to the entry."""
        own = tuple(self.field.split(".")) if self.field else ()
        return own if self.input is None else ("inputs", self.input, *own)

    def text(self, language: str = "en", place: str = "", workbook: bool = False) -> str:
        """Return the fault as a sentence, after the entry and the place where it stands.

        Entries and families have the words of the file: codes in TOML, headings in a workbook.
        """
        entry = ".".join(part for part in (self.input, self.field) if part)
        head = ", ".join(part for part in (entry, place) if part)
        words = _WORKBOOK_WORDS if workbook else _TOML_WORDS
        values = {key: _said(v, language, workbook) for key, v in {**words, **self.values}.items()}
        key = f"{self.key}.workbook"
        said = say(key if workbook and has(key) else self.key, language, **values)
        return f"{head}: {said}" if head else said


@dataclass(frozen=True)
class Quantity:
    """A number of an input, in a unit."""

    number: float
    unit: str = ""

    def said(self, language: str, workbook: bool) -> str:
        """Return it as people of a language write it; the unit as the file does."""
        text = figure(self.number, language)
        if self.unit in UNSAID:
            return text
        return f"{text} {unit_label(self.unit, language) if workbook else self.unit}"


@dataclass(frozen=True)
class Typed:
    """A number as it is to be typed into the file: TOML knows no decimal comma."""

    number: float

    def said(self, language: str, workbook: bool) -> str:
        """Return it as the file takes it."""
        return figure(self.number, language if workbook else "en")


@dataclass(frozen=True)
class Entry:
    """An entry of an input, with its number where that is part of the sentence."""

    code: str
    quantity: Quantity | None = None

    def said(self, language: str, workbook: bool) -> str:
        """Return its code in TOML, its heading in a workbook."""
        keys = [f"sheet.{kind}.{self.code}" for kind in ("column", "setting", "name")]
        known = [say(key, language) for key in keys if workbook and has(key)]
        name = known[0] if known else self.code
        return f"{name} = {self.quantity.said(language, workbook)}" if self.quantity else name


@dataclass(frozen=True)
class Word:
    """A code of a list of choices, in quotes where it is to be typed into TOML."""

    of: str
    code: str
    typed: bool = False

    def said(self, language: str, workbook: bool) -> str:
        """Return the code in TOML, the words of the menu in a workbook."""
        if workbook:
            return choice(self.of, self.code, language)
        return f'"{self.code}"' if self.typed else self.code


UNSAID: Final = ("", "share", "factor", "count", "count/year", "points")
"""Units that are not put behind a number."""
_ENTRIES: Final = ("value", "low", "likely", "high", "sure", "family", "samples")
_TOML_WORDS: Final[dict[str, Any]] = {
    **{code.upper(): Entry(code) for code in _ENTRIES},
    **{code.upper(): Word("family", code, typed=True) for code in FAMILIES},
    "CERTAIN": "1",
    "NEARLY": "0.9",
}
"""What the words of every fault may say, by placeholder."""
_WORKBOOK_WORDS: Final = {**_TOML_WORDS, "CERTAIN": "100 %", "NEARLY": "90 %"}


def refusal(
    faults: Iterable[Fault],
    places: Mapping[Path, Place] | None = None,
    language: str = "en",
    workbook: bool = False,
) -> SchemaError:
    """Return the error that lists faults, a sentence each, in the order of the file.

    Parameters
    ----------
    faults
        At least one.
    places
        Where the entries of the file stand.
    language
        Of the sentences.
    workbook
        Whether the file is a workbook, whose headings people know.
    """
    found = []
    for fault in faults:
        place = fault.place or place_of(fault.path, places or {})
        text = "" if place is None else say(place.key, language, **place.values)
        found.append(((place.order if place else ()), fault.text(language, text, workbook)))
    sentences = list(dict.fromkeys(text for _, text in sorted(found, key=lambda pair: pair[0])))
    head = say("assumption.mend", language, count=number(len(sentences), language))
    return SchemaError("\n".join([head, *(f"- {sentence}" for sentence in sentences)]))


def place_of(path: Path, places: Mapping[Path, Place]) -> Place | None:
    """Return the place of an entry, or of the nearest table around it."""
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            return places[path[:length]]
    return None


def unknown(name: str, known: Iterable[str], input: str | None, field: str) -> Fault:
    """Return the fault that an id is unknown, with the id that may be meant."""
    names = list(known)
    close = get_close_matches(name, names, n=1)
    if close:
        return Fault("assumption.unknown_close", {"id": name, "close": close[0]}, input, field)
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return Fault("assumption.unknown", {"id": name, "known": listed or "–"}, input, field)


_LIMITS: Final = {
    "greater_than_equal": ("assumption.at_least", "ge"),
    "greater_than": ("assumption.above", "gt"),
    "less_than_equal": ("assumption.at_most", "le"),
}
_EXPECTED: Final = {
    "float_type": "number",
    "finite_number": "finite",
    "int_type": "whole",
    "int_from_float": "whole",
    "bool_type": "flag",
    "string_type": "text",
    "tuple_type": "list",
    "list_type": "list",
    "dict_type": "table",
    "model_type": "table",
    "model_attributes_type": "table",
}
_MODELS: Final[dict[Path, type[BaseModel]]] = {
    (): Assumptions,
    ("inputs", "*"): Input,
    ("inputs", "*", "profile"): Profile,
    ("dependence",): Dependence,
    ("dependence", "factors", "*"): Factor,
    ("dependence", "correlations", "*"): Correlation,
}


def model_faults(errors: Sequence[Any]) -> list[Fault]:
    """Return the faults that pydantic found, from what `ValidationError.errors` returns."""
    return [_model_fault(error) for error in errors]


def _model_fault(error: Any) -> Fault:
    kind, context = error["type"], error.get("ctx", {})
    path = tuple(str(part) for part in error["loc"] if part != "[key]")
    got = short(error["input"])
    if kind == "json_invalid":  # pydantic reads no more than 200 levels
        return Fault("assumption.nested")
    if kind in _LIMITS:
        key, limit = _LIMITS[kind]
        given = error["input"]
        number = isinstance(given, int | float)
        return _at(path, key, {"limit": context[limit], "got": given if number else got})
    if kind == "missing":
        return _at(path, "assumption.missing", {"entry": Entry(path[-1])})
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "literal_error":
        return _unknown_choice(path, context, got)
    if kind == "string_pattern_mismatch":
        key = "assumption.id" if path[0] == "inputs" else "assumption.currency"
        return _at(path, key, {"got": got})
    if kind.startswith("date"):
        return _at(path, "assumption.date", {"got": got})
    expected = f"assumption.expected.{_EXPECTED.get(kind, 'other')}"
    return _at(path, "assumption.expected", {"expected": expected, "got": got})


def _at(path: Path, key: str, values: Mapping[str, Any]) -> Fault:
    if path[0] == "inputs" and len(path) > 1:
        return Fault(key, values, path[1], ".".join(path[2:]) or None)
    return Fault(key, values, None, ".".join(path))


def _unknown_key(path: Path) -> Fault:
    inner = path[:-1]
    model = next((m for shape, m in _MODELS.items() if _fits(inner, shape)), Assumptions)
    known = list(model.model_fields)
    close = get_close_matches(path[-1], known, n=1)
    if close:
        return _at(path, "assumption.unknown_key_close", {"got": path[-1], "close": close[0]})
    return _at(path, "assumption.unknown_key", {"got": path[-1], "known": ", ".join(known)})


def _fits(path: Path, shape: Path) -> bool:
    return len(path) == len(shape) and all(s in ("*", p) for p, s in zip(path, shape, strict=True))


def _unknown_choice(path: Path, context: Mapping[str, Any], got: str) -> Fault:
    known = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
    close = get_close_matches(got, known, n=1)
    if close:
        return _at(path, "assumption.choice_close", {"got": got, "close": close[0]})
    return _at(path, "assumption.choice", {"known": ", ".join(known), "got": got})


def short(value: Any) -> str:
    """Return a value as text of at most 40 characters."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def figure(x: float, language: str) -> str:
    """Return a number as people type it: no trailing zeros, no separators of thousands."""
    text = f"{x:.12g}"
    if 1e-9 <= abs(x) < 1e18:  # others would be long rows of zeros
        text = format(Decimal(text).normalize(), "f")
    return text.replace(".", ",") if language == "de" else text


def _said(value: Any, language: str, workbook: bool) -> str:
    if isinstance(value, str):
        return say(value, language) if has(value) else value
    if isinstance(value, tuple):
        return ", ".join(_said(part, language, workbook) for part in value)
    if isinstance(value, int | float):
        return figure(value, language)
    return value.said(language, workbook)
