"""How large the segments are, in customers and in value, and how concentrated the value is.

The size of a segment is the number of customers of the table that belong to it; in a value column
it is the sum of their values. The mean is Σ count_i · r_ik over the draws. The interval holds both
what is not known: the parameters, which differ from draw to draw, and each customer's segment given
the parameters, drawn by lot in every draw (`lots`).

Concentration is that of the customers, whatever their segment: the share of the value held by the
top 5, 10, … % of customers, the Gini coefficient, and which segments hold the value of the top.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Values
from softseg.names import LOWER_PROBABILITY, SEGMENT, UPPER_PROBABILITY
from softseg.results.evaluate import Summary, draws_to_use, summarise, thinned
from softseg.results.lots import Rows, rows_of
from softseg.results.membership import segment_coordinates
from softseg.tables.table import Table

VALUE: Final = "value"
TOP: Final = "top"
TOPS: Final = (0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of customers, the most valuable first, at which concentration is stated."""


@dataclass(frozen=True)
class _Curve:
    """Customers of one value column by value, equal values together.

    `position` says of each row which distinct value it has, −1 where it has none; `value` and
    `customers` describe the distinct values, the largest first.
    """

    position: NDArray[np.intp]
    value: Array
    customers: Array

    def inside(self, top: float) -> Array:
        """Return which part of each distinct value's customers is in the top group."""
        before = np.cumsum(self.customers) - self.customers
        reach = top * self.customers.sum()
        return np.clip((reach - before) / self.customers, 0.0, 1.0)


def sizes(
    table: Table,
    statistics: Statistics,
    values: Values,
    rng: np.random.Generator,
    *,
    segment_names: Sequence[str] = (),
) -> xr.Dataset:
    """Return the sizes of the segments in customers and in the value columns.

    Parameters
    ----------
    table, statistics
        The table and its patterns.
    values
        Draws with one leading axis (sample).
    rng
        Draws the customers' segments.
    segment_names
        Names given by the user.

    Returns
    -------
    xarray.Dataset
        As `sizes_dataset` says.
    """
    used = thinned(values, draws_to_use(statistics.n_patterns, len(values.share)))
    summary = summarise(statistics, used, size_rows(table, statistics), rng)
    return sizes_dataset(table, summary, segment_names=segment_names)


def size_rows(table: Table, statistics: Statistics) -> Rows:
    """Return the rows with the weights whose totals `sizes_dataset` reads."""
    weights = size_weights(table)
    return rows_of(statistics.pattern_of_row, weights, table.count, statistics.n_patterns)


def size_weights(table: Table) -> Array:
    """Return what a row adds to the totals that `sizes_dataset` reads, (row, weight).

    First the customers, then for each value column its total and the totals of its top groups.
    """
    rows = [table.count]
    for column in table.values.values():
        curve = _curve(column, table.count)
        amount = np.where(np.isnan(column), 0.0, column) * table.count
        rows.append(amount)
        for top in TOPS:
            part = np.append(curve.inside(top), 0.0)
            rows.append(amount * part[curve.position])
    return np.stack(rows, axis=1)


def sizes_dataset(
    table: Table, summary: Summary, *, segment_names: Sequence[str] = ()
) -> xr.Dataset:
    """Return the sizes: means from the totals, intervals from the lots.

    Returns
    -------
    xarray.Dataset
        ``customers_mean, _lower, _upper`` and ``share_…`` (segment). With value columns:
        ``value_…`` and ``value_share_…`` (value, segment), the shares NaN where the total is 0;
        ``value_total`` (value); ``value_known`` (value), share of customers whose value is known,
        the others standing in no total; ``concentration`` (value, top), share of the value held
        by the top customers; ``concentration_segment_…`` (value, top, segment), which segments
        hold it; ``gini`` (value), above 1 where many values are negative.
    """
    both = np.stack([summary.totals, summary.lots])
    n_segments = both.shape[-1]
    customers = both[:, :, 0]
    data = {**_band("customers", customers, (SEGMENT,))}
    data |= _band("share", customers / customers.sum(axis=-1, keepdims=True), (SEGMENT,))
    coordinates: dict[str, Any] = segment_coordinates(n_segments, segment_names)
    if table.values:
        data |= _value(table, both[:, :, 1:])
        coordinates[VALUE] = np.array(list(table.values), dtype=np.str_)
        coordinates[TOP] = np.array(TOPS)
    return xr.Dataset(data, coordinates)


def _value(table: Table, both: Array) -> dict[str, Any]:
    """Return what the value columns say, from totals and lots (2, sample, weight, segment)."""
    n_draws, _, n_segments = both.shape[1:]
    cut = both.reshape(2, n_draws, len(table.values), 1 + len(TOPS), n_segments)
    by_segment, by_top = cut[:, :, :, 0], cut[:, :, :, 1:]
    data = _band("value", by_segment, (VALUE, SEGMENT))
    data |= _band("value_share", _shares(by_segment), (VALUE, SEGMENT))
    data |= _band("concentration_segment", _shares(by_top), (VALUE, TOP, SEGMENT))
    counts = table.count
    curves = [_curve(column, counts) for column in table.values.values()]
    amounts = [curve.value * curve.customers for curve in curves]
    held = [
        [_ratio(float(amount @ curve.inside(top)), float(amount.sum())) for top in TOPS]
        for curve, amount in zip(curves, amounts, strict=True)
    ]
    known = [curve.customers.sum() / counts.sum() for curve in curves]
    data["value_total"] = (VALUE, np.array([amount.sum() for amount in amounts]))
    data["value_known"] = (VALUE, np.array(known))
    data["concentration"] = ((VALUE, TOP), np.array(held))
    data["gini"] = (VALUE, np.array([_gini(curve) for curve in curves]))
    return data


def gini(values: Array, count: Array | None = None) -> float:
    """Return the Gini coefficient of values, 0 = all the same; NaN are left out.

    It is 1 minus twice the area under the Lorenz curve. With negative values it may exceed 1; it
    is NaN where the total is not positive.
    """
    return _gini(_curve(values, np.ones(len(values)) if count is None else count))


def _gini(curve: _Curve) -> float:
    amount = curve.value * curve.customers
    total = amount.sum()
    if len(amount) == 0 or total <= 0:
        return float("nan")
    # The curve runs from the largest value down, so that the area lies above the diagonal.
    reached = np.concatenate([[0.0], np.cumsum(amount)]) / total
    steps = curve.customers / curve.customers.sum()
    return float((steps * (reached[1:] + reached[:-1])).sum() - 1.0)


def _curve(column: Array, count: Array) -> _Curve:
    known = ~np.isnan(column) & (count > 0)
    distinct, which = np.unique(-column[known], return_inverse=True)
    position = np.full(len(column), -1, dtype=np.intp)
    position[known] = which.reshape(-1)
    customers = np.bincount(which.reshape(-1), weights=count[known], minlength=len(distinct))
    return _Curve(position, -distinct, customers)


def _band(name: str, both: Array, dims: tuple[str, ...]) -> dict[str, Any]:
    """Return the mean of the totals and the interval of the lots over samples."""
    totals, lots = both
    lower, upper = np.quantile(lots, (LOWER_PROBABILITY, UPPER_PROBABILITY), axis=0)
    return {
        f"{name}_mean": (dims, totals.mean(axis=0)),
        f"{name}_lower": (dims, lower),
        f"{name}_upper": (dims, upper),
    }


def _shares(totals: Array) -> Array:
    whole = totals.sum(axis=-1, keepdims=True)
    return np.divide(totals, whole, out=np.full_like(totals, np.nan), where=whole != 0)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole != 0 else float("nan")
