"""Statistics of the draws, each with its Monte Carlo error.

A statistic is taken over all draws together. Its error is the standard deviation of the same
statistic over the replicates, divided by the square root of their number; NaN with one replicate,
and where a replicate gives no finite number. Tables hold arrays with the names of their axes, ready
to be an `xarray.Dataset`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.decisions.model.accounting import ACCOUNTINGS
from softseg.families.base import Array

PROBABILITIES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""At which quantiles are stated."""

ADJUSTED: Final = (False, True)
ROUNDING: Final = 1e-9
"""Relative difference below which two numbers count as the same."""

type Statistic = Callable[..., Any]
"""From arrays (draw, …) to an array without the draws."""
type Table = dict[str, tuple[tuple[str, ...], Array]]
"""Arrays by name, each with the names of its axes."""


class Estimate(NamedTuple):
    """A statistic of all draws and its Monte Carlo error, of the same shape."""

    value: Array
    error: Array


def estimate(statistic: Statistic, *draws: NDArray[Any]) -> Estimate:
    """Return a statistic of arrays (replicate, draw, …), with its error.

    Parameters
    ----------
    statistic
        Takes as many arrays (draw, …) as there are `draws`.
    draws
        Arrays (replicate, draw, …).
    """
    together = [array.reshape(-1, *array.shape[2:]) for array in draws]
    value = np.asarray(statistic(*together), dtype=float)
    if len(draws[0]) < 2:
        return Estimate(value, np.full_like(value, np.nan))
    single = np.stack([np.asarray(statistic(*parts)) for parts in zip(*draws, strict=True)])
    finite = np.isfinite(single).all(axis=0)
    spread = np.where(finite, single, 0.0).std(axis=0, ddof=1) / np.sqrt(len(single))
    return Estimate(value, np.where(finite, spread, np.nan))


def mean(draws: NDArray[Any]) -> Array:
    """Return the mean over the draws, also of truth values."""
    return draws.mean(axis=0)


def quantiles(probabilities: Sequence[float] = PROBABILITIES) -> Statistic:
    """Return the statistic "quantiles", interpolated linearly, (…, quantile).

    Draws that are NaN (ratios to no cost) are left out, from arrays (draw,) only.
    """

    def found(draws: Array) -> Array:
        if draws.ndim == 1:
            draws = draws[~np.isnan(draws)]
        if len(draws) == 0:
            return np.full(len(probabilities), np.nan)
        return np.moveaxis(np.quantile(draws, probabilities, axis=0), 0, -1)

    return found


def atomic_quantiles(probabilities: Sequence[float] = PROBABILITIES) -> Statistic:
    """Return the statistic "quantiles" of draws (draw,) that may be infinite, (quantile,).

    They are the smallest draws that at least the share p of all draws does not exceed, so that
    nothing is interpolated towards infinity or away from an atom. NaN without draws.
    """

    def found(draws: Array) -> Array:
        n = len(draws)
        if n == 0:
            return np.full(len(probabilities), np.nan)
        ranks = [max(int(np.ceil(n * p * (1.0 - ROUNDING))) - 1, 0) for p in probabilities]
        return np.partition(draws, ranks)[ranks]

    return found


def tail_mean(share: float, *, best: bool = False) -> Statistic:
    """Return the statistic "mean of the worst (or best) share of draws (draw,)", NaN left out.

    Where the share is no whole number of draws, the draw at the boundary counts in part
    (Rockafellar and Uryasev 2002, Journal of Banking & Finance 26, 1443–1471).
    """

    def found(draws: Array) -> Array:
        known = draws[~np.isnan(draws)]
        if len(known) == 0:
            return np.asarray(np.nan)
        signed = -known if best else known
        size = share * len(signed)
        whole = min(int(np.floor(size)), len(signed) - 1)
        ordered = np.partition(signed, whole)
        total = ordered[:whole].sum() + (size - whole) * ordered[whole]
        return np.asarray(-total / size if best else total / size)

    return found


def ratio_of_means(above: Array, below: Array) -> Array:
    """Return the mean of one array over the mean of another; NaN where that is not positive."""
    divisor = below.mean(axis=0)
    paid = divisor > 0.0
    return np.where(paid, above.mean(axis=0) / np.where(paid, divisor, 1.0), np.nan)


def columns(name: str, found: Estimate, *dims: str) -> Table:
    """Return a table of an estimate and its error under one name."""
    return {name: (dims, found.value), f"{name}_error": (dims, found.error)}


def stack(dim: str, parts: Sequence[Table]) -> Table:
    """Return tables of the same columns as one, with an axis more in front."""
    return {
        name: ((dim, *dims), np.stack([part[name][1] for part in parts]))
        for name, (dims, _) in parts[0].items()
    }


def by_accounting(answer: Callable[[str, bool], Table]) -> Table:
    """Return the answers of every accounting, with and without the adjustment for success."""
    return stack(
        "accounting",
        [stack("adjusted", [answer(name, adjusted) for adjusted in ADJUSTED])
         for name in ACCOUNTINGS],
    )  # fmt: skip


def dataset(table: Table, **coordinates: Any) -> xr.Dataset:
    """Return a table as a Dataset; accounting, adjusted and quantile have their coordinates."""
    usual = {"accounting": list(ACCOUNTINGS), "adjusted": list(ADJUSTED),
             "quantile": list(PROBABILITIES)}  # fmt: skip
    dims = {dim for names, _ in table.values() for dim in names}
    known: Mapping[str, Any] = {dim: values for dim, values in usual.items() if dim in dims}
    return xr.Dataset(table, {**known, **coordinates})
