"""Which segments to treat: `choices`."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.decisions.answers.estimates import (
    Estimate,
    atomic_quantiles,
    columns,
    dataset,
    estimate,
    mean,
    quantiles,
)
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import SEGMENT, SEGMENT_NAME


def choices(
    simulation: SegmentSimulation,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
) -> xr.Dataset:
    """Return what treating each segment is worth, how they rank, and which to treat.

    Parameters
    ----------
    simulation
        The draws of the study.
    accounting, adjusted
        As `Simulation.outcome` takes them.

    Returns
    -------
    xarray.Dataset
        In whole currency, each with its Monte Carlo error in ``…_error``. By segment of the
        programme: ``npv`` (quantile), ``mean_npv``, ``p_npv_positive``; ``p_rank`` (rank_number),
        the share of draws in which it comes 1st, 2nd, … (equals share the better rank),
        ``mean_rank`` and ``rank`` (quantile); ``treat``, whether its expected net value is
        positive. Of the best set, which is all these segments and what belongs to no segment:
        ``best_npv`` (quantile), ``best_mean_npv``, ``best_p_npv_positive``, and ``p_best_set``, the
        share of draws in which just these segments are worth treating; ``pays``, whether the
        expected net value of the best set is positive. ``shared_mean_npv``: of what belongs to no
        segment; ``whole_mean_npv``: of the programme as it is planned. Where the uniform programme
        is the counterfactual, what belongs to no segment is less by it, as in the headline.

    Raises
    ------
    UsageError
        Where the programme has no segment.
    """
    segments = sorted(simulation.names)
    if not segments:
        raise UsageError("Give the programme at least one segment to choose from, got none.")
    parts = [simulation.part(k).outcome(accounting, adjusted, "segmented").npv for k in segments]
    # less the uniform programme where that is the counterfactual
    parts.append(simulation.part(None).outcome(accounting, adjusted).npv)
    together = np.stack(parts, axis=-1)
    npv, shared = together[..., :-1], together[..., -1]  # (replicate, draw, segment)
    treat = npv.mean(axis=(0, 1)) > 0.0
    best = shared + npv[..., treat].sum(axis=-1)
    best_mean = estimate(mean, best)
    rank = ranks(npv)
    at_rank = rank[..., None] == np.arange(1, len(segments) + 1)
    single = {
        "best_mean_npv": best_mean,
        "best_p_npv_positive": estimate(mean, best > 0.0),
        "p_best_set": estimate(mean, ((npv > 0.0) == treat).all(axis=-1)),
        "shared_mean_npv": estimate(mean, shared),
        "whole_mean_npv": estimate(mean, shared + npv.sum(axis=-1)),
    }
    table = columns("npv", estimate(quantiles(), npv), SEGMENT, "quantile")
    table |= columns("mean_npv", estimate(mean, npv), SEGMENT)
    table |= columns("p_npv_positive", estimate(mean, npv > 0.0), SEGMENT)
    table |= columns("p_rank", estimate(mean, at_rank), SEGMENT, "rank_number")
    table |= columns("mean_rank", estimate(mean, rank), SEGMENT)
    table |= columns("rank", _rank_quantiles(rank), SEGMENT, "quantile")
    table |= columns("best_npv", estimate(quantiles(), best), "quantile")
    for name, found in single.items():
        table |= columns(name, found)
    names = np.array([simulation.names[k] for k in segments], dtype=np.str_)
    coordinates = {
        SEGMENT: segments,
        SEGMENT_NAME: (SEGMENT, names),
        "rank_number": np.arange(1, len(segments) + 1),
    }
    decided = {"treat": (SEGMENT, treat), "pays": bool(best_mean.value > 0.0)}
    return dataset(table, **coordinates).assign(decided)


def ranks(npv: Array) -> NDArray[np.int64]:
    """Return the rank of each entry of the last axis, 1 the largest; equals share the better."""
    larger = npv[..., None, :] > npv[..., :, None]
    return 1 + larger.sum(axis=-1)


def _rank_quantiles(rank: NDArray[np.int64]) -> Estimate:
    found = [estimate(atomic_quantiles(), rank[..., k]) for k in range(rank.shape[-1])]
    width = len(atomic_quantiles()(np.zeros(1)))
    shape = (len(found), width)
    return Estimate(
        np.array([one.value for one in found]).reshape(shape),
        np.array([one.error for one in found]).reshape(shape),
    )
