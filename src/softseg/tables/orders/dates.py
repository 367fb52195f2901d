"""Days out of cells: ISO, German, and the two readings of 03/04/2011."""

import datetime
import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from softseg.tables.columns import read_levels
from softseg.tables.schema import ReadingSchema

type DayOrder = Literal["day-first", "month-first"]
type Mask = NDArray[np.bool_]
type Days = NDArray[np.datetime64]

_TIME = r"(?:[T ](\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)\s?(Z|[+-]\d{2}:?\d{2})?)?"
_ISO = re.compile(rf"^(\d{{4}})[-/](\d{{1,2}})[-/](\d{{1,2}}){_TIME}$")
_PACKED = re.compile(r"^((?:19|20)\d{2})(\d{2})(\d{2})$")
_GERMAN = re.compile(rf"^(\d{{1,2}})\.(\d{{1,2}})\.(\d{{4}}){_TIME}$")
_SLASHED = re.compile(rf"^(\d{{1,2}})/(\d{{1,2}})/(\d{{4}}){_TIME}$")
NOTHING: Final = np.datetime64("NaT", "D")


@dataclass(frozen=True)
class Dates:
    """A column read as days.

    Attributes
    ----------
    days
        Not a time where missing or not readable; (row,).
    missing
        Rows with an empty cell; (row,).
    bad
        Cells that are no dates; (row,).
    ambiguous
        Cells such as "03/04/2011" where nothing says which of the two readings is meant; (row,).
    mixed
        Cells written in another way than most; (row,).
    zones
        Cells of another time zone than most, or without one; (row,).
    zone
        The time zone that all cells state, "" where none does.
    """

    days: Days
    missing: Mask
    bad: Mask
    ambiguous: Mask
    mixed: Mask
    zones: Mask
    zone: str = ""


@dataclass(frozen=True)
class _Cell:
    kind: str
    parts: tuple[int, int, int]
    time: str = ""
    zone: str = ""


def read_dates(
    column: Any,
    reading: ReadingSchema,
    order: DayOrder | None = None,
    time_zone: str | None = None,
) -> Dates:
    """Return a pandas column as days.

    Parameters
    ----------
    column
        The column; (row,).
    reading
        Which cells count as empty.
    order
        Which part of 03/04/2011 comes first; found where another cell settles it.
    time_zone
        Zone whose days count, for cells that state theirs.
    """
    if getattr(column.dtype, "tz", None) is not None and time_zone is not None:
        column = column.dt.tz_convert(time_zone)
    if column.dtype.kind == "M":
        days = column.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
        none = np.zeros(len(days), dtype=bool)
        return Dates(days, np.isnat(days), none, none, none, none)
    read = read_levels(column, reading)
    cells = [_cell(level) for level in read.levels]
    times = np.bincount(read.codes[read.codes >= 0], minlength=len(cells))
    kind = _most(cells, times, lambda cell: cell.kind)
    zone = _most(cells, times, lambda cell: cell.zone)
    settled = order or _settled([cell.parts for cell in cells if cell and cell.kind == "slashed"])
    days = np.full(len(cells) + 1, NOTHING)
    masks = {name: np.zeros(len(cells) + 1, dtype=bool) for name in ("bad", "amb", "mix", "zone")}
    for place, cell in enumerate(cells):
        if cell is None:
            masks["bad"][place] = True
        elif cell.kind != kind:
            masks["mix"][place] = True
        elif (cell.zone != zone) if time_zone is None else (cell.time and not cell.zone):
            masks["zone"][place] = True
        elif cell.kind == "slashed" and settled is None:
            masks["amb"][place] = True
        else:
            day = _day(cell, settled, time_zone)
            days[place] = NOTHING if day is None else np.datetime64(day, "D")
            masks["bad"][place] = day is None
    bad, ambiguous, mixed, zones = (mask[read.codes] for mask in masks.values())
    said = "" if time_zone is not None else zone
    return Dates(days[read.codes], read.codes < 0, bad, ambiguous, mixed, zones, said)


def _cell(text: str) -> _Cell | None:
    for kind, pattern, places in (
        ("iso", _ISO, (0, 1, 2)),
        ("packed", _PACKED, (0, 1, 2)),
        ("german", _GERMAN, (2, 1, 0)),
        ("slashed", _SLASHED, (2, 1, 0)),
    ):
        found = pattern.match(text)
        if found:
            parts = [int(part) for part in found.groups()[:3]]
            time, zone = (*found.groups()[3:], None, None)[:2]
            year, month, day = (parts[place] for place in places)
            return _Cell(kind, (year, month, day), time or "", (zone or "").replace("Z", "+00:00"))
    return None


def _most(cells: list[_Cell | None], times: NDArray[np.intp], key: Any) -> str:
    tally: dict[str, int] = {}
    for cell, n in zip(cells, times, strict=True):
        if cell is not None:
            tally[key(cell)] = tally.get(key(cell), 0) + int(n)
    return max(tally, key=lambda name: (tally[name], name)) if tally else ""


def _settled(parts: list[tuple[int, int, int]]) -> DayOrder | None:
    """Return the order that the cells agree on: read with the day first, some cannot be months."""
    first_is_day = any(day > 12 for _, _, day in parts)
    second_is_day = any(month > 12 for _, month, _ in parts)
    if first_is_day == second_is_day:
        return None
    return "day-first" if first_is_day else "month-first"


def _day(cell: _Cell, order: DayOrder | None, time_zone: str | None) -> datetime.date | None:
    year, month, day = cell.parts
    if cell.kind == "slashed" and order == "month-first":
        month, day = day, month
    try:
        found = datetime.date(year, month, day)
        if not cell.time:
            return found
        hour, minute = (int(part) for part in cell.time.split(":")[:2])
        moment = datetime.datetime(year, month, day, hour, minute)
        if time_zone is None or not cell.zone:
            return found
        shift = datetime.datetime.strptime(cell.zone.replace(":", ""), "%z").tzinfo
        return moment.replace(tzinfo=shift).astimezone(ZoneInfo(time_zone)).date()
    except ValueError:
        return None
