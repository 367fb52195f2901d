"""Covariates of a panel: columns read, carried forward over gaps, standardised and frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.tables.columns import read_levels, read_numbers
from softseg.tables.examine import Examined, report_unreadable
from softseg.tables.panel.histories import Rows, Spans, Steps, latest_rows
from softseg.tables.panel.migration import PERIOD, TENURE, FrozenCovariate
from softseg.tables.panel.periods import Periods
from softseg.tables.schema import ReadingSchema
from softseg.tables.text import shortened

MOST_LEVELS: Final = 15
"""Levels from which on a covariate is refused."""


@dataclass(frozen=True)
class Covariate:
    """A column that explains where customers go.

    Attributes
    ----------
    values
        Numbers, or codes of `levels`, NaN where there is none; (row,).
    levels
        Its levels, empty for numbers; the first is the reference.
    """

    values: Array
    levels: tuple[str, ...] = ()


def read_covariate(
    column: Any,
    name: str,
    reading: ReadingSchema,
    frozen: FrozenCovariate | None,
    found: Examined,
) -> Covariate:
    """Return a column as numbers where most of its cells are some, as levels otherwise."""
    numbers = read_numbers(column, reading)
    levels = read_levels(column, reading)
    present = levels.codes >= 0
    readable = present & ~(numbers.bad & ~numbers.comma)
    as_numbers = 2 * readable.sum() > present.sum() if frozen is None else not frozen.levels
    if as_numbers:
        report_unreadable(column, name, numbers, found)
        return Covariate(np.where(np.isfinite(numbers.values), numbers.values, np.nan))
    known = levels.levels if frozen is None else tuple(frozen.levels)
    unknown = [level for level in levels.levels if level not in known]
    outside = np.isin(levels.codes, [levels.levels.index(level) for level in unknown])
    examples = [shortened(level) for level in unknown[:3]]
    found.add("unknown_level", name, outside, examples=examples)
    if len(known) > MOST_LEVELS:
        found.fault("panel_covariate_levels", name, levels=len(known), most=MOST_LEVELS)
    place = {level: float(code) for code, level in enumerate(known)}
    lookup = np.array([*(place.get(level, np.nan) for level in levels.levels), np.nan])
    return Covariate(lookup[levels.codes], known)


def spread(
    name: str,
    covariates: Mapping[str, Covariate],
    rows: Rows,
    spans: Spans,
    steps: Steps,
    periods: Periods,
) -> Array:
    """Return a covariate's values or codes, the last known ones where there is no cell; (step,)."""
    if name == TENURE:
        return (steps.period - spans.first[steps.history]).astype(float)
    if name == PERIOD:
        return (periods.first / periods.step) + steps.period.astype(float)
    carried = _carried(covariates[name].values, rows.customer)
    return carried[latest_rows(rows, spans.customer[steps.history], steps.period)]


def _carried(values: Array, customer: NDArray[np.int64]) -> Array:
    """Return each customer's last known value up to each row; (row,)."""
    place = np.where(np.isnan(values), -1, np.arange(len(values)))
    place = np.maximum.accumulate(place) if len(place) else place
    same = (place >= 0) & (customer[place] == customer)
    return np.where(same, values[place], np.nan)


def freeze_covariate(values: Array, levels: Sequence[str]) -> FrozenCovariate:
    """Return what standardises a covariate: mean and standard deviation, or its levels.

    Parameters
    ----------
    values
        Numbers or codes of levels; (step,).
    levels
        Levels of a covariate that has some.
    """
    if levels:
        times = np.bincount(values.astype(np.intp), minlength=len(levels))
        return FrozenCovariate(levels=list(levels), shares=(times / len(values)).tolist())
    return FrozenCovariate(centre=float(values.mean()), scale=float(values.std()) or 1.0)


def means(names: Sequence[str], frozen: Mapping[str, FrozenCovariate]) -> Array:
    """Return the means over the training panel of the numbers that `coded` returns; (number,)."""
    parts = [frozen[name].shares[1:] if frozen[name].levels else [0.0] for name in names]
    return np.array([number for part in parts for number in part])


def coded(name: str, values: Array, frozen: FrozenCovariate) -> tuple[Array, tuple[str, ...]]:
    """Return the numbers that stand for a covariate, and their names; (step, number)."""
    if frozen.levels:
        others = np.arange(1, len(frozen.levels))
        names = tuple(f"{name}={level}" for level in frozen.levels[1:])
        return (values[:, None] == others).astype(float), names
    return ((values - frozen.centre) / frozen.scale)[:, None], (name,)
