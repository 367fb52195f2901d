"""Labels of periods as numbers on a grid without holes."""

import datetime
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from softseg.tables.columns import read_levels
from softseg.tables.schema import ReadingSchema

type Kind = Literal["number", "quarter", "month", "date"]
type Parsed = tuple[Kind, int]

MOST_PERIODS: Final = 2000
"""Periods of a grid from which on numbers are taken for something else."""

_NUMBER = re.compile(r"^-?\d{1,9}$")
_PACKED = re.compile(r"^(19|20)\d{2}(0[1-9]|1[0-2])(\d{2})?$")
"""Year and month, or a whole date, without signs between them: as numbers they have holes."""
_QUARTER = re.compile(r"^(\d{4})-?[Qq]([1-4])$")
_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")
_DATE = re.compile(r"^(\d{4}-\d{2}-\d{2})([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?$")


@dataclass(frozen=True)
class Periods:
    """A column of periods as read.

    Attributes
    ----------
    number
        Number of the period on the grid, −1 where it could not be read; (row,).
    labels
        The grid, first period to last, without any where it would be longer than `MOST_PERIODS`;
        (period,).
    ends
        Label of the first and of the last period.
    length
        How many periods the grid has.
    first, step
        The first period and the distance between two, in the unit of the labels: years or
        whatever is counted, quarters, months.
    kind
        How the labels are written.
    unreadable
        Rows without a period that can be read; (row,).
    mixed
        Rows whose period is written in another way than most; (row,).
    between
        Rows whose period lies between two of a grid whose step was given; (row,).
    """

    number: NDArray[np.int64]
    labels: tuple[str, ...]
    ends: tuple[str, str]
    length: int
    first: int
    step: int
    kind: Kind
    unreadable: NDArray[np.bool_]
    mixed: NDArray[np.bool_]
    between: NDArray[np.bool_]

    @property
    def usable(self) -> bool:
        """Whether there is a grid."""
        return len(self.labels) > 0


def read_periods(column: Any, reading: ReadingSchema, step: int | None = None) -> Periods:
    """Return a column of periods as numbers on a dense grid.

    Labels are whole numbers such as years, quarters, months or dates, which become months. The
    grid's step is the largest one that meets every label, so that the first days of quarters
    give quarters.

    Parameters
    ----------
    column
        A pandas column; (row,).
    reading
        Which cells count as empty.
    step
        Distance between two periods where it is known already.
    """
    read = read_levels(column, reading)
    parsed = [parse_period(level) for level in read.levels]
    kind = _most_frequent(parsed, read.codes)
    used = [found[1] for found in parsed if found is not None and found[0] == kind]
    first, last = (min(used), max(used)) if used else (0, -1)
    step = step or math.gcd(*(value - first for value in used)) or 1
    grid = range(first, last + 1, step)
    place = [(v[1] - first) // step if v is not None and v[0] == kind else -1 for v in parsed]
    mixed = [found is not None and found[0] != kind for found in parsed]
    between = [v is not None and v[0] == kind and (v[1] - first) % step > 0 for v in parsed]
    return Periods(
        number=np.array([*place, -1], dtype=np.int64)[read.codes],
        labels=tuple(_label(v, kind) for v in grid) if len(grid) <= MOST_PERIODS else (),
        ends=(_label(first, kind), _label(last, kind)) if used else ("", ""),
        length=len(grid),
        first=first,
        step=step,
        kind=kind,
        unreadable=np.array([*(found is None for found in parsed), True])[read.codes],
        mixed=np.array([*mixed, False])[read.codes],
        between=np.array([*between, False])[read.codes],
    )


def parse_period(text: str) -> Parsed | None:
    """Return how a label is written and its place in the unit of its kind, None for no label."""
    if _PACKED.match(text):
        return None
    if _NUMBER.match(text):
        return "number", int(text)
    if quarter := _QUARTER.match(text):
        return "quarter", int(quarter[1]) * 4 + int(quarter[2]) - 1
    if month := _MONTH.match(text):
        return "month", int(month[1]) * 12 + int(month[2]) - 1
    if date := _DATE.match(text):
        try:
            day = datetime.date.fromisoformat(date[1])
        except ValueError:
            return None
        return "date", day.year * 12 + day.month - 1
    return None


def _most_frequent(parsed: Sequence[Parsed | None], codes: NDArray[np.intp]) -> Kind:
    times = np.bincount(codes[codes >= 0], minlength=len(parsed))
    tally: Counter[Kind] = Counter()
    for found, n in zip(parsed, times, strict=True):
        if found is not None:
            tally[found[0]] += int(n)
    return max(tally, key=lambda kind: (tally[kind], kind)) if tally else "number"


def _label(value: int, kind: Kind) -> str:
    if kind == "number":
        return str(value)
    if kind == "quarter":
        return f"{value // 4:04d}-Q{value % 4 + 1}"
    return f"{value // 12:04d}-{value % 12 + 1:02d}"
