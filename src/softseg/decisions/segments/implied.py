"""What the effects of the segments add up to for the company: `implied_uplift`."""

from dataclasses import replace
from math import isfinite
from typing import Final

import numpy as np
import xarray as xr

from softseg.decisions.answers.estimates import (
    ADJUSTED,
    Estimate,
    Table,
    columns,
    dataset,
    estimate,
    mean,
    quantiles,
    stack,
)
from softseg.decisions.model.accounting import CONTRIBUTION_MARGIN
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import SEGMENT, SEGMENT_NAME

FULL_EFFECT: Final = replace(CONTRIBUTION_MARGIN, timing=False)
"""No ramp, no fading, no growth of the base: every effect in full from its first year on."""


def implied_uplift(sim: SegmentSimulation, ledger_total: float | None = None) -> xr.Dataset:
    """Return the growth of the company's revenue that the segments' effects add up to.

    Effects on revenue (price, volume, churn and so on, with the loss of volume by higher prices)
    count in full, after every ramp and without learning, in the year of the programme in which
    they are largest, as a share of the revenue of today. Effects that belong to no segment are not
    among them. Churn counts with its first year.

    Parameters
    ----------
    sim
        The draws.
    ledger_total
        Revenue of the company, in whole currency a year. None: the total of the table.

    Returns
    -------
    xarray.Dataset
        Shares, over (adjusted): once as if the programme surely worked and all of it arrived, once
        with the probability of no effect and the realisation factor. ``uplift`` (quantile),
        ``mean_uplift``, ``segment_uplift`` (segment), the mean of each segment, and
        ``p_at_most_stated``, the probability that it is not above ``stated_uplift``; both NaN
        where nobody states one. Each estimate with its Monte Carlo error in ``…_error``.

    Raises
    ------
    UsageError
        Where the total is not above 0.
    """
    total = float(sim.value.attrs["value_total"]) if ledger_total is None else ledger_total
    if not (isfinite(total) and total > 0.0):
        raise UsageError(f"Give a revenue of the company above 0, got {total}.")
    stated = sim.programme.stated_uplift
    segments = list(sim.names)
    found = dataset(
        stack("adjusted", [_numbers(sim, adjusted, total, stated) for adjusted in ADJUSTED]),
        **{
            SEGMENT: segments,
            SEGMENT_NAME: (SEGMENT, np.array([sim.names[k] for k in segments], dtype=np.str_)),
        },
    )
    found = found.assign(stated_uplift=np.nan if stated is None else stated)
    return found.assign_attrs(total=total)


def _numbers(sim: SegmentSimulation, adjusted: bool, total: float, stated: float | None) -> Table:
    shape = sim.whole.shape
    paths = [_revenue(sim, k, adjusted) / total for k in sim.names]
    together = sum(paths, np.zeros((*shape, 1)))  # (replicate, draw, year)
    year = int(np.abs(together.mean(axis=(0, 1))).argmax())
    uplift = together[..., year]
    each = [estimate(mean, path[..., year]) for path in paths]
    by_segment = Estimate(np.array([e.value for e in each]), np.array([e.error for e in each]))
    at_most = np.full(shape, np.nan) if stated is None else uplift <= stated
    return {
        **columns("uplift", estimate(quantiles(), uplift), "quantile"),
        **columns("mean_uplift", estimate(mean, uplift)),
        **columns("segment_uplift", by_segment, SEGMENT),
        **columns("p_at_most_stated", estimate(mean, at_most)),
    }


def _revenue(sim: SegmentSimulation, segment: int, adjusted: bool) -> Array:
    """Return the additional revenue of a segment in full effect, (replicate, draw, year)."""
    part = sim.part(segment)
    learning = part.assumptions.only("learning")
    still = part if learning is None else part.pinned({learning: 0.0})
    return still.outcome(FULL_EFFECT, adjusted, "segmented").revenue
