"""What each segment brings: year by year, and in the numbers that decide about it: `by_segment`."""

from typing import Final

import numpy as np
import xarray as xr

from softseg.decisions.answers.breakeven import multipliers
from softseg.decisions.answers.estimates import (
    PROBABILITIES,
    Estimate,
    Table,
    atomic_quantiles,
    columns,
    dataset,
    estimate,
    mean,
    quantiles,
    ratio_of_means,
    stack,
)
from softseg.decisions.answers.payback import payback
from softseg.decisions.answers.scenarios import ray
from softseg.decisions.model.simulate import Outcome, Simulation
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.names import SEGMENT, SEGMENT_NAME

SHARED: Final = "shared"
WHOLE: Final = "whole"


def by_segment(
    sim: SegmentSimulation, accounting: str = "contribution_margin", adjusted: bool = True
) -> xr.Dataset:
    """Return what each segment brings, what belongs to no segment, and the whole.

    The net present values, revenues and profits of the whole are the sums of those of the segments
    and of the shared part in every draw, and so are the means here; quantiles do not add up.

    Parameters
    ----------
    sim
        The draws.
    accounting, adjusted
        As in `Simulation.outcome`.

    Returns
    -------
    xarray.Dataset
        Over (segment, year, quantile): ``profit``, the change of the operating profit before tax
        (EBIT), and ``revenue``, both in whole currency and not discounted; their means over
        (segment, year) in ``…_mean``. Over (segment, quantile): ``npv``, ``roi``, ``payback`` in
        years (+inf where it is not reached) and ``multiplier``, by which all effects on revenue of
        the segment must be multiplied for the segment to pay. Over (segment): ``mean_npv``,
        ``expected_roi``, ``p_npv_positive``, ``p_no_payback``, ``p_at_centre`` (a multiplier of at
        most 1). ROI is NaN where a segment has no cost of its own, the multiplier where it has no
        effect on revenue. Each with its Monte Carlo error in ``…_error``. The same names with
        ``shared_`` and ``whole_`` in front, without the segment: what belongs to no segment, such
        as the cost of the project, and all together; where the assumptions compare with the
        uniform programme, both less that programme.
    """
    segments = list(sim.names)
    parts = [_numbers(sim.part(k), accounting, adjusted) for k in segments]
    table: Table = stack(SEGMENT, parts) if parts else {}
    for name, simulation in ((SHARED, sim.part(None)), (WHOLE, sim.whole)):
        found = _numbers(simulation, accounting, adjusted)
        table |= {f"{name}_{key}": column for key, column in found.items()}
    coordinates = {
        SEGMENT: np.array(segments, dtype=np.int64),
        SEGMENT_NAME: (SEGMENT, np.array([sim.names[k] for k in segments], dtype=np.str_)),
        "year": np.arange(1, sim.whole.assumptions.horizon + 1),
    }
    found = dataset(table, **coordinates)
    return found.assign_attrs(accounting=accounting, adjusted=int(adjusted))


def _numbers(simulation: Simulation, accounting: str, adjusted: bool) -> Table:
    outcome = simulation.outcome(accounting, adjusted)
    table: Table = {}
    for name, path in (("profit", outcome.profit), ("revenue", outcome.revenue)):
        table |= columns(name, estimate(quantiles(), path), "year", "quantile")
        table |= columns(f"{name}_mean", estimate(mean, path), "year")
    return table | _worth(outcome) | _needed(simulation, accounting, adjusted)


def _worth(outcome: Outcome) -> Table:
    first = payback(outcome).first
    expected = estimate(ratio_of_means, outcome.benefit, outcome.cost)
    return {
        **columns("npv", estimate(quantiles(), outcome.npv), "quantile"),
        **columns("roi", estimate(quantiles(), outcome.roi), "quantile"),
        **columns("payback", estimate(atomic_quantiles(), first), "quantile"),
        **columns("mean_npv", estimate(mean, outcome.npv)),
        **columns("expected_roi", Estimate(expected.value - 1.0, expected.error)),
        **columns("p_npv_positive", estimate(mean, outcome.npv > 0.0)),
        **columns("p_no_payback", estimate(mean, np.isinf(first))),
    }


def _needed(simulation: Simulation, accounting: str, adjusted: bool) -> Table:
    """Return how large the effects on revenue must be, NaN where there is none."""
    if not ray(simulation.assumptions):
        none = np.full(len(PROBABILITIES), np.nan)
        unknown = Estimate(np.array(np.nan), np.array(np.nan))
        return {
            **columns("multiplier", Estimate(none, none), "quantile"),
            **columns("p_at_centre", unknown),
        }
    found = multipliers(simulation, accounting, adjusted)
    return {
        **columns("multiplier", estimate(atomic_quantiles(), found), "quantile"),
        **columns("p_at_centre", estimate(mean, found <= 1.0)),
    }
