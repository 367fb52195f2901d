"""What migration does to a study: where customers go, how many there are, what it is worth."""

from dataclasses import replace

import numpy as np
import xarray as xr

from softseg.decisions.answers.estimates import columns, dataset, estimate, mean, quantiles
from softseg.decisions.model.moving import Moving
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import (
    BASELINE,
    LOWER_PROBABILITY,
    PROGRAMME,
    SEGMENT,
    SEGMENT_NAME,
    STATE,
    STATE_TO,
    TRANSITION,
    UPPER_PROBABILITY,
)

LEVELS = (LOWER_PROBABILITY, UPPER_PROBABILITY)


def migrated(
    sim: SegmentSimulation, accounting: str = "contribution_margin", adjusted: bool = True
) -> xr.Dataset:
    """Return where customers go within a year, how many there are, and what that is worth.

    Parameters
    ----------
    sim
        The draws of a study with a panel.
    accounting, adjusted
        As in `Simulation.outcome`.

    Returns
    -------
    xarray.Dataset
        ``transition_mean``, ``_lower``, ``_upper`` (state, state_to), probabilities of a year.
        ``customers_mean``, ``_lower``, ``_upper`` (programme, year, segment), customers of each
        year, year 0 being today, with chance, and ``customers_parameter_lower``, ``…_upper``
        without; a segment's programme is that for itself alone. In whole currency, by quantile and
        as ``mean_…``, each with its Monte Carlo error in ``…_error`` and on the same draws:
        ``without``, the net present value if nobody moved; ``base``, what it changes that
        customers move and leave; ``levers``, what levers on their moves bring in addition; they
        add up to ``whole``, the net present value.

    Raises
    ------
    UsageError
        Where the draws hold no migration.
    """
    moving = sim.whole.draws.moving
    if moving is None:
        raise UsageError("Give the study a panel: these draws hold no migration.")
    names = [str(name) for name in sim.value[STATE].values]
    n_segments = sim.value.sizes[SEGMENT]
    data: dict[str, tuple[tuple[str, ...], Array]] = {}
    for name, array in _bands(TRANSITION, moving.yearly).items():
        data[name] = ((STATE, STATE_TO), array)
    dims = (PROGRAMME, "year", SEGMENT)
    for name, array in _customers(sim, moving, n_segments).items():
        data[name] = (dims, array)
    coordinates = {
        STATE: np.array(names, dtype=np.str_),
        STATE_TO: np.array(names, dtype=np.str_),
        PROGRAMME: [BASELINE, PROGRAMME],
        "year": np.arange(moving.years + 1),
        SEGMENT: np.arange(1, n_segments + 1),
        SEGMENT_NAME: (SEGMENT, np.array(names[:n_segments], dtype=np.str_)),
    }
    found = dataset(_money(sim, moving, accounting, adjusted)).assign_coords(coordinates)
    return found.assign(data).assign_attrs(
        accounting=accounting,
        adjusted=int(adjusted),
        per_year=moving.per_year,
        cohort="open" if moving.inflow.any() else "closed",
        currency=sim.whole.assumptions.currency,
    )


def held(sim: SegmentSimulation) -> SegmentSimulation:
    """Return the draws with the transitions at their mean, unchanged where there are none."""
    moving = sim.whole.draws.moving
    if moving is None:
        return sim
    return with_moving(sim, moving.held)


def with_moving(sim: SegmentSimulation, moving: Moving) -> SegmentSimulation:
    """Return the draws with other moves of the customers."""
    draws = replace(sim.whole.draws, moving=moving)
    return replace(sim, whole=replace(sim.whole, draws=draws))


def _money(
    sim: SegmentSimulation, moving: Moving, accounting: str, adjusted: bool
) -> dict[str, tuple[tuple[str, ...], Array]]:
    stay = np.broadcast_to(np.eye(moving.customers.shape[1]), moving.transition.shape)
    nobody = replace(
        moving,
        transition=stay,
        inflow=np.zeros_like(moving.inflow),
        chance=np.ones_like(moving.chance),
    )
    whole = sim.whole.outcome(accounting, adjusted).npv
    still = with_moving(sim, nobody).whole.outcome(accounting, adjusted).npv
    untouched = sim.whole.pinned(dict.fromkeys(moving.moves, 0.0))
    base = untouched.outcome(accounting, adjusted).npv if moving.moves else whole
    found: dict[str, tuple[tuple[str, ...], Array]] = {}
    for name, npv in (
        ("without", still), ("base", base - still), ("levers", whole - base), ("whole", whole)
    ):  # fmt: skip
        found |= columns(name, estimate(quantiles(), npv), "quantile")
        found |= columns(f"mean_{name}", estimate(mean, npv))
    return found


def _customers(sim: SegmentSimulation, moving: Moving, n_segments: int) -> dict[str, Array]:
    """Return bands of the customers of each year, (programme, year, segment)."""
    sample = sim.whole.draws.sample
    every = np.arange(len(moving.customers)) if sample is None else sample.ravel()
    parts: dict[str, list[Array]] = {}
    for chance, name in ((True, "customers"), (False, "customers_parameter")):
        used = moving if chance else moving.without_chance()
        base = used.relative[1, :, :, :n_segments] * moving.customers[:, None, :n_segments]
        today = moving.customers[:, None, :n_segments]
        paths = np.concatenate([today, base], axis=1)[every]  # (draw, year, segment)
        planned = paths.copy()
        if moving.moves and sample is not None:
            moved = used.at(sim.whole.draws.values, sample, sample.size)
            for k, id in sim.expanded.customers.items():
                planned[:, 1:, k - 1] = moved.paths[id].T * paths[:, :1, k - 1]
        for programme in (paths, planned):
            for key, band in _bands(name, programme).items():
                parts.setdefault(key, []).append(band)
    del parts["customers_parameter_mean"]  # chance has the same mean
    return {name: np.stack(both) for name, both in parts.items()}


def _bands(name: str, draws: Array) -> dict[str, Array]:
    low, high = np.quantile(draws, LEVELS, axis=0)
    return {f"{name}_mean": draws.mean(axis=0), f"{name}_lower": low, f"{name}_upper": high}
