"""Single cells of a workbook: what they hold, and what their column makes of it.

A number is a number only if Excel says so: text that looks like one is refused, for ``1.234`` can
be read in two ways. A cell that is shown as per cent holds its hundredth; what people see counts,
so that 8 % is 8 with the unit ``%``, 0.08 with ``share``, and 8 points with ``pp``.
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from softseg.decisions.inputs.columns import CHOICES, choice, code_of, unit_code
from softseg.decisions.inputs.faults import figure, short

PERCENT_UNITS: Final = {"%": 100.0, "pp": 100.0, "share": 1.0}
"""What a cell shown as per cent is multiplied by."""
_NUMBER: Final = re.compile(r"([-+−]?)(\d[\d.,'’\s]*?)\s*(%|€|[A-Z]{3})?")
_DIGITS: Final = re.compile(r"(\d+)(?:([.,])(\d+))?")
_GROUPED: Final = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_RANGE: Final = re.compile(r"(.*\d.*?)\s*(?:bis|to|-|–|—)\s*(.*\d.*)")
_GERMAN_DATE: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_LITERAL: Final = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_SHARE: Final = re.compile(r"^-?\d+(?:[.,]\d+)?$")


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    value
        What it holds: None, text, a number, a truth value, or a date.
    percent
        Whether it is shown as per cent.
    state
        ``error`` where a formula failed, ``uncomputed`` where it has no result yet, else empty.
    """

    value: Any = None
    percent: bool = False
    state: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing stands in it."""
        blank = isinstance(self.value, str) and not self.value.strip()
        return not self.state and (self.value is None or blank)


class CellFault(Exception):  # a message to the reader of the sheet, never shown as it is
    """A cell that its column cannot hold."""

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(key)
        self.key: str = key
        self.values: Mapping[str, Any] = values


def is_percent(number_format: str | None) -> bool:
    """Return whether a number format multiplies by 100; a quoted sign only stands there."""
    return "%" in _LITERAL.sub("", number_format or "")


def parse(cell: Cell, kind: str, unit: str, language: str) -> Any:
    """Return what a cell that is not empty means in a column of some kind.

    Parameters
    ----------
    cell, kind
        The cell, and the kind of its column, see `Column`.
    unit
        Unit of the row, for kind ``quantity``.
    language
        Of the words in a fault.

    Raises
    ------
    CellFault
        Where the cell does not fit.
    """
    if cell.state:
        key = "sheet.broken" if cell.state == "error" else "sheet.uncomputed"
        raise CellFault(key, got=short(cell.value))
    if kind in CHOICES:
        return _choice(cell, kind, language)
    if kind in ("quantity", "number", "share", "whole"):
        return _number(cell, kind, unit, language)
    if kind == "shares":
        return _shares(cell)
    text = as_text(cell.value)
    if kind == "ids":
        return [part for part in re.split(r"[,;\s]+", text) if part]
    if kind == "pairs":
        return _pairs(text)
    if kind == "unit":
        return unit_code(text)
    if kind == "date":
        return _date(cell.value)
    return text.strip() if kind == "id" else text


def as_text(value: Any) -> str:
    """Return a value as the text that somebody meant: 2024, not 2024.0."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value)


def _number(cell: Cell, kind: str, unit: str, language: str) -> float:
    value = cell.value
    if isinstance(value, str):
        raise _text_for_number(value, unit if kind == "quantity" else "", language)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CellFault("sheet.no_number", got=short(as_text(value)))
    if kind == "whole" and not float(value).is_integer():
        raise CellFault("sheet.no_whole", got=value)
    if not cell.percent or kind == "share":
        return int(value) if kind == "whole" else value
    shown = f"{figure(100.0 * value, language)} %"
    if kind != "quantity":
        raise CellFault("sheet.percent_plain", got=shown)
    if unit not in PERCENT_UNITS:
        raise CellFault("sheet.percent_unit", got=shown, unit=unit)
    # 0.07 times 100 is 7.000000000000001, but 7 stands in the cell.
    return float(f"{value * PERCENT_UNITS[unit]:.15g}")


def _text_for_number(text: str, unit: str, language: str) -> CellFault:
    """Return the fault of a text in place of a number, with the numbers that may be meant."""
    text = text.strip()
    got, found = short(text), _readings(text, unit)
    shown = [figure(x, language) for x in found]
    if len(found) == 1:
        return CellFault("sheet.text_number", number=shown[0], got=got)
    if found:
        return CellFault("sheet.text_either", first=shown[0], second=shown[1], got=got)
    ends = _RANGE.fullmatch(text)
    if ends is not None:
        low, high = ends.groups()
        low += " %" if "%" in high and "%" not in low else ""
        both = [_readings(end, unit) for end in (low, high)]
        if [len(one) for one in both] == [1, 1]:
            said = [figure(one[0], language) for one in both]
            return CellFault("sheet.text_range", low=said[0], high=said[1], got=got)
    return CellFault("sheet.no_number", got=got)


def _readings(text: str, unit: str) -> list[float]:
    """Return the numbers that a text may mean in a unit: ``1.234`` may be two, a word is none."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return []
    minus, digits, mark = found.groups()
    scale = 0.01 if mark == "%" and unit not in ("%", "pp") else 1.0
    scale = -scale if minus and minus != "+" else scale
    return [float(f"{scale * x:.15g}") for x in _unsigned(re.sub(r"['’\s]", "", digits))]


def _unsigned(digits: str) -> list[float]:
    """Return what digits with points and commas may mean: groups of thousands, decimals."""
    whole = _GROUPED.fullmatch(digits)
    found = [float(re.sub("[.,]", "", digits))] if whole and not digits.startswith("0") else []
    plain = _DIGITS.fullmatch(digits)
    if plain is not None:
        return [*found, float(f"{plain.group(1)}.{plain.group(3) or '0'}")]
    head, mark, tail = digits[::-1].partition("." if digits.rfind(".") > digits.rfind(",") else ",")
    grouped = _GROUPED.fullmatch(tail[::-1])
    if grouped is not None and grouped.group(1) != mark and head.isdecimal():
        return [float(f"{re.sub('[.,]', '', tail[::-1])}.{head[::-1]}")]
    return found


def _choice(cell: Cell, kind: str, language: str) -> Any:
    if kind == "flag" and isinstance(cell.value, bool):
        return cell.value
    text = as_text(cell.value)
    code = code_of(kind, text, CHOICES[kind])
    if code is None:
        known = ", ".join(choice(kind, code, language) for code in CHOICES[kind])
        raise CellFault("sheet.no_choice", known=known, got=short(text))
    return code == "yes" if kind == "flag" else code


def _shares(cell: Cell) -> list[float]:
    if isinstance(cell.value, int | float) and not isinstance(cell.value, bool):
        return [cell.value]
    parts = [part.strip() for part in as_text(cell.value).split(";") if part.strip()]
    if not all(_SHARE.match(part) for part in parts):
        raise CellFault("sheet.no_shares", got=short(as_text(cell.value)))
    return [float(part.replace(",", ".")) for part in parts]


def _pairs(text: str) -> list[list[str]]:
    pairs = [re.split(r"[,\s]+", part.strip()) for part in text.split(";") if part.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise CellFault("sheet.no_pairs", got=short(text))
    return pairs


def _date(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    text = as_text(value).strip()
    if found := _GERMAN_DATE.fullmatch(text):  # with points it is the day that comes first
        day, month, year = found.groups()
        return f"{year}-{int(month):02d}-{int(day):02d}"
    return text
