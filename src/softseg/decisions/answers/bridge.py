"""From the published calculation to the full one, step by step.

Each step turns on one switch of the accounting, in the order of `STEPS`; then the published effects
are reduced to the share that arrives, and last the programme may have no effect at all. The value
is the sum of the net flows over the horizon, which from the step "discounting" on is the net
present value.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr

from softseg.decisions.answers.estimates import (
    Table,
    columns,
    dataset,
    estimate,
    mean,
    quantiles,
)
from softseg.decisions.answers.scenarios import centre, deterministic, values_of
from softseg.decisions.model.accounting import STEPS, Switches
from softseg.decisions.model.simulate import WORKS, Outcome, Simulation
from softseg.families.base import Array

LADDER: Final = ("as_published", *STEPS, "realisation", "no_effect")
"""The steps of the bridge; the first one is where it starts."""


def bridge(simulation: Simulation) -> xr.Dataset:
    """Return the value after each step, on the same draws.

    Returns
    -------
    xarray.Dataset
        Over (step): ``value``, the mean net value; ``change``, by how much the step changes it,
        that of the first step being the value it starts from, so that all changes add up to the
        last value; ``median_roi`` after the step. Each with its Monte Carlo error in ``…_error``.
        A step whose switch does nothing here has the change 0.
    """
    values, columns_by_step = [], []
    for outcome in _outcomes(simulation):
        values.append(outcome.npv)
        roi = estimate(lambda x: quantiles((0.5,))(x)[0], outcome.roi)
        columns_by_step.append(columns("median_roi", roi))
    table: Table = {}
    for name, paths in (("value", np.stack(values)), ("change", _changes(values))):
        table |= columns(name, estimate(mean, np.moveaxis(paths, 0, -1)), "step")
    for name in columns_by_step[0]:
        found = np.array([step[name][1] for step in columns_by_step])
        table[name] = (("step",), found)
    return dataset(table, step=list(LADDER))


def ladder(simulation: Simulation, scenario: str) -> xr.Dataset:
    """Return the same steps for one named scenario, all other inputs at their centre.

    Returns
    -------
    xarray.Dataset
        Over (step): ``value``, ``change`` and ``roi``, without Monte Carlo error, for nothing is
        drawn. In the last step the benefit counts with the probability that there is one.

    Raises
    ------
    UsageError
        Where there is no such scenario.
    """
    values = values_of(simulation, scenario)
    no_effect = simulation.assumptions.only("no_effect")
    risk = 0.0
    if no_effect is not None:
        risk = values.get(no_effect, centre(simulation, no_effect))
    fixed = deterministic(simulation, values).pinned({WORKS: 1.0 - risk})
    points = list(_outcomes(fixed))
    npv = [outcome.npv for outcome in points]
    table: Table = {
        "value": (("step",), np.array([value.item() for value in npv])),
        "change": (("step",), _changes(npv).reshape(-1)),
        "roi": (("step",), np.array([outcome.roi.item() for outcome in points])),
    }
    return dataset(table, step=list(LADDER))


def _outcomes(simulation: Simulation) -> Iterator[Outcome]:
    """Go through the outcomes after each step."""
    outcome = simulation.outcome(Switches(), adjusted=False)
    yield outcome
    for n_on in range(1, len(STEPS) + 1):
        switches = Switches(**dict.fromkeys(STEPS[:n_on], True))
        outcome = simulation.outcome(switches, adjusted=False)
        yield outcome
    arrived = simulation.pinned({WORKS: 1.0}).success()
    yield replace(outcome, success=arrived)
    yield replace(outcome, success=simulation.success())


def _changes(values: list[Array]) -> Array:
    """Return the change of every step, (step, …), the first one from 0."""
    return np.diff(np.stack(values), axis=0, prepend=0.0)
