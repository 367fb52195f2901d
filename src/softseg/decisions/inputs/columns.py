"""What the workbook of assumptions consists of: sheets, columns, settings, and their words.

Headings and choices are written in one language and recognised in both, as are the codes of the
TOML file.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, get_args

from softseg.decisions.inputs.schema import (
    EFFECTS,
    EVIDENCE,
    FAMILIES,
    ROLES,
    Convention,
    Programme,
)
from softseg.wording import LANGUAGES, has, say

SHEETS: Final = ("settings", "inputs", "dependence", "scenarios", "samples", "help")
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "role": ROLES,
    "effect": EFFECTS,
    "family": FAMILIES,
    "evidence": EVIDENCE,
    "programme": get_args(Programme.__value__),
    "counterfactual": ("nothing", "uniform"),
    "convention": get_args(Convention.__value__),
    "language": LANGUAGES,
    "flag": ("yes", "no"),
    "kind": ("correlation", "loading", "factors", "copula"),
}
"""Codes by the name of their list; the catalogue has their words under ``sheet.<list>``."""


@dataclass(frozen=True)
class Column:
    """A column of a sheet, or a row of the settings.

    Attributes
    ----------
    code
        Its name; in the sheet of inputs the path of the entry, such as ``profile.start``.
    kind
        What its cells hold: ``text``, ``id``, ``ids``, ``pairs``, ``quantity`` (in the unit of
        the input), ``number``, ``share``, ``whole``, ``shares``, ``date``, ``unit``, or the name
        of a list in `CHOICES`.
    width
        In characters.
    """

    code: str
    kind: str
    width: int = 12


INPUTS: Final = (
    Column("id", "id", 24),
    Column("label", "text", 44),
    Column("role", "role", 26),
    Column("effect", "effect", 18),
    Column("base", "ids", 22),
    Column("unit", "unit", 14),
    Column("value", "quantity"),
    Column("low", "quantity"),
    Column("likely", "quantity", 15),
    Column("high", "quantity"),
    Column("sure", "share", 10),
    Column("family", "family", 18),
    Column("profile.start", "whole", 8),
    Column("profile.ramp", "shares", 16),
    Column("profile.half_life", "number", 15),
    Column("profile.last", "whole", 12),
    Column("rate", "id", 16),
    Column("margin", "id", 18),
    Column("in_margin", "flag", 16),
    Column("published", "flag", 15),
    Column("programme", "programme", 14),
    Column("same_as", "id", 18),
    Column("overlaps", "ids", 22),
    Column("evidence", "evidence", 20),
    Column("source", "text", 40),
    Column("owner", "text", 16),
    Column("date", "date"),
    Column("note", "text", 60),
    Column("sample_set", "text", 18),
)
SETTINGS: Final = (
    Column("title", "text"),
    Column("currency", "text"),
    Column("language", "language"),
    Column("horizon", "whole"),
    Column("first_year", "whole"),
    Column("counterfactual", "counterfactual"),
    Column("convention", "convention"),
    Column("ramp", "shares"),
    Column("hurdle", "share"),
    Column("accepted_overlaps", "pairs"),
)
DEPENDENCE: Final = (
    Column("kind", "kind", 16),
    Column("first", "text", 26),
    Column("second", "text", 26),
    Column("number", "number"),
    Column("factor_label", "text", 44),
)
SCENARIOS: Final = (
    Column("scenario", "text", 26),
    Column("pinned", "id", 26),
    Column("pinned_value", "quantity", 16),
)
_PLAIN_UNITS: Final = {
    "share": "share",
    "%": "percent",
    "pp": "pp",
    "years": "years",
    "count": "count",
    "count/year": "count_year",
    "points": "points",
    "factor": "factor",
}
_GERMAN_AMOUNT: Final = re.compile(
    r"^(T|Tsd\.? ?|Mio\.? ?|k|M)?([A-Z]{3})(/Jahr|/year|/a| p\. ?a\.| (?:pro|je|im) Jahr)?$"
)
_GERMAN_PREFIX: Final = {"": "", "T": "k", "Tsd": "k", "k": "k", "M": "M", "Mio": "M"}


def heading(code: str, language: str) -> str:
    """Return the heading of a column."""
    return say(f"sheet.column.{code}", language)


def sheet_name(sheet: str, language: str) -> str:
    """Return the name of a sheet."""
    return say(f"sheet.name.{sheet}", language)


def choice(of: str, code: str, language: str) -> str:
    """Return the words of a code of a list in `CHOICES`."""
    return say(f"sheet.{of}.{code}", language)


def code_of(of: str, text: str, codes: Iterable[str]) -> str | None:
    """Return the code that a text says, in any language or as it is; None where it says none.

    Parameters
    ----------
    of
        Where the catalogue has the words, for instance ``"column"`` or ``"role"``.
    text
        What a cell holds; capitals and blanks do not matter.
    codes
        The codes to choose from.
    """
    said = _plain(text)
    for code in codes:
        key = f"sheet.{of}.{code}"
        words = [say(key, language) for language in LANGUAGES] if has(key) else []
        if said in (_plain(code), *map(_plain, words)):
            return code
    return None


def unit_label(unit: str, language: str) -> str:
    """Return a unit as people of a language write it: ``kEUR/year`` is ``TEUR/Jahr``."""
    if unit in _PLAIN_UNITS:
        return say(f"sheet.unit.{_PLAIN_UNITS[unit]}", language)
    found = re.match(r"^([kM]?)([A-Z]{3})(/year)?$", unit)
    if language != "de" or found is None:
        return unit
    prefix = {"": "", "k": "T", "M": "Mio. "}[found.group(1)]
    return f"{prefix}{found.group(2)}{'/Jahr' if found.group(3) else ''}"


def unit_code(text: str) -> str:
    """Return the unit that a text names, in any language; the text itself where it names none."""
    text = " ".join(text.split())
    for unit, code in _PLAIN_UNITS.items():
        if code_of("unit", text, [code]) or text.casefold() == unit:
            return unit
    found = _GERMAN_AMOUNT.match(text.replace("€", "EUR"))
    if found is None:
        return text
    prefix = _GERMAN_PREFIX[(found.group(1) or "").rstrip(" .")]
    return f"{prefix}{found.group(2)}{'/year' if found.group(3) else ''}"


def units(currency: str) -> list[str]:
    """Return the units that a menu offers."""
    amounts = [f"{prefix}{currency}" for prefix in ("", "k", "M")]
    return [*_PLAIN_UNITS, *amounts, *(f"{amount}/year" for amount in amounts)]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
