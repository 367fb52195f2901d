"""Named scenarios, and the tails of the whole, which are something else.

A scenario sets some inputs. Its *deterministic* value has all other inputs at their centre and the
programme working; its *pinned* distribution leaves all others random, failure included, and keeps
their draws: the inputs are set, not conditioned on. A *tail* is the worst or best 5 % of the whole
distribution, whatever the inputs are there. "Worst" without saying which is two things.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.decisions.answers.estimates import (
    PROBABILITIES,
    ROUNDING,
    Table,
    by_accounting,
    columns,
    dataset,
    estimate,
    mean,
    quantiles,
    stack,
    tail_mean,
)
from softseg.decisions.inputs.dependence import original
from softseg.decisions.inputs.ranges import Marginal, marginal
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.inputs.units import read_unit
from softseg.decisions.model.simulate import WORKS, Simulation
from softseg.errors import UsageError
from softseg.families.base import Array

TAIL: Final = 0.05
MADE: Final = {"best": 0.95, "worst": 0.05}
"""Scenarios that are made where they are missing: all revenue effects at this quantile."""

SIDES: Final = ("worst", "best")
SAME_LAW: Final = 0.02
"""By how much the probability of the draws' median may differ from ½ under the input's range."""

GOLDEN: Final = 0.5 * (5.0**0.5 - 1.0)

type Mask = NDArray[np.bool_]


def scenarios(simulation: Simulation) -> xr.Dataset:
    """Return what the named scenarios bring.

    Returns
    -------
    xarray.Dataset
        Over (scenario, accounting, adjusted): ``roi`` and ``npv`` of the deterministic scenario;
        ``rank`` and ``rank_npv``, the probability that the whole does not exceed them;
        ``pinned_p_npv_positive``. Over (scenario, accounting, adjusted, quantile): ``pinned_roi``
        and ``pinned_npv``. Over (scenario): ``p_at_least_as_extreme``, the probability that all
        uncertain inputs that the scenario sets are at least as far from their centres on the same
        side, and ``p_effects_at_least_as_extreme``, the same of its revenue effects only; NaN
        where it sets none. Each estimate with its Monte Carlo error in ``…_error``.
    """
    named = scenario_values(simulation)
    parts = [_scenario(simulation, values) for values in named.values()]
    if not parts:
        return xr.Dataset(coords={"scenario": np.array([], dtype=np.str_)})
    return dataset(stack("scenario", parts), scenario=list(named))


def tails(simulation: Simulation) -> xr.Dataset:
    """Return what the worst and the best 5 % of all draws bring, by NPV and by ROI.

    Returns
    -------
    xarray.Dataset
        Over (side, accounting, adjusted): ``mean_npv`` and ``mean_roi`` within the tail. The mean
        of a ratio stands beside its quantiles and not for itself. Over (…, quantile): ``npv``,
        ``roi``, quantiles within the tail. Each with its Monte Carlo error in ``…_error``.
    """

    def answer(side: str, accounting: str, adjusted: bool) -> Table:
        outcome = simulation.outcome(accounting, adjusted)
        best = side == "best"
        inside = [1.0 - TAIL * (1.0 - p) if best else TAIL * p for p in PROBABILITIES]
        table: Table = {}
        for name, draws in (("npv", outcome.npv), ("roi", outcome.roi)):
            table |= columns(name, estimate(quantiles(inside), draws), "quantile")
            table |= columns(f"mean_{name}", estimate(tail_mean(TAIL, best=best), draws))
        return table

    parts = [by_accounting(lambda a, b, side=side: answer(side, a, b)) for side in SIDES]
    return dataset(stack("side", parts), side=list(SIDES))


def scenario_values(simulation: Simulation) -> dict[str, dict[str, float]]:
    """Return the inputs that each scenario sets, in base units, by scenario and id.

    ``best`` and ``worst`` are made of the revenue effects' 95 % and 5 % quantiles where the
    assumptions do not name them.
    """
    assumptions = simulation.assumptions
    named = {
        scenario: {
            name: value * read_unit(assumptions.inputs[name].unit).scale
            for name, value in pinned.items()
            if name in simulation.draws.values
        }
        for scenario, pinned in assumptions.scenarios.items()
    }
    effects = [name for name in ray(assumptions) if name in simulation.draws.uncertain]
    for scenario, probability in MADE.items():
        if effects and scenario not in named:
            named[scenario] = {name: quantile(simulation, name, probability) for name in effects}
    return named


def values_of(simulation: Simulation, scenario: str) -> dict[str, float]:
    """Return the inputs that a scenario sets, in base units.

    Raises
    ------
    UsageError
        Where there is no such scenario.
    """
    named = scenario_values(simulation)
    if scenario not in named:
        raise UsageError(f"Choose a scenario out of {sorted(named)}, got {scenario!r}.")
    return named[scenario]


def ray(assumptions: Assumptions) -> tuple[str, ...]:
    """Return the ids of the revenue effects of the segmented programme, without copies."""
    return tuple(
        name
        for name, entry in assumptions.inputs.items()
        if entry.role == "revenue_effect" and entry.programme != "uniform" and not entry.same_as
    )


def deterministic(
    simulation: Simulation, values: Mapping[str, float | Array], n_points: int = 1
) -> Simulation:
    """Return a simulation of one draw: some inputs set, all others at their centre, success sure.

    Parameters
    ----------
    simulation
        Where the centres come from.
    values
        By id, in base units: numbers, or one for each point, (1, point).
    n_points
        Draws, all alike but for `values`.
    """
    centres = {name: np.array([[centre(simulation, name)]]) for name in simulation.draws.values}
    works = np.ones((1, n_points))
    draws = replace(simulation.draws, values=centres, works=works, uncertain=())
    return Simulation(simulation.assumptions, draws, simulation.cores).pinned(values)


def centre(simulation: Simulation, name: str) -> float:
    """Return the central value of an input in base units: likeliest as stated, else the median."""
    law = _law(simulation, name)
    return float(np.median(simulation.draws.values[name])) if law is None else float(law.central)


def quantile(simulation: Simulation, name: str, probability: float) -> float:
    """Return a quantile of an input in base units."""
    law = _law(simulation, name)
    if law is None:
        return float(np.quantile(simulation.draws.values[name], probability))
    return float(law.quantile(probability))


def _law(simulation: Simulation, name: str) -> Marginal | None:
    """Return the distribution an input was drawn from; None where its draws come from elsewhere.

    They do where a fitted model or the caller set them; the draws then speak for themselves.
    """
    source = original(simulation.assumptions, name)
    if source not in simulation.draws.uncertain:
        return None
    law = marginal(simulation.assumptions.inputs[source])
    middle = float(law.cdf(np.median(simulation.draws.values[name])))
    return law if abs(middle - 0.5) < SAME_LAW else None


def _scenario(simulation: Simulation, values: Mapping[str, float]) -> Table:
    pinned = _pinned(simulation, values)
    fixed = deterministic(simulation, values)

    def answer(accounting: str, adjusted: bool) -> Table:
        whole = simulation.outcome(accounting, adjusted)
        found = pinned.outcome(accounting, adjusted)
        point = fixed.outcome(accounting, adjusted)
        roi, npv = point.roi.item(), point.npv.item()
        return {
            "roi": ((), np.asarray(roi)),
            "npv": ((), np.asarray(npv)),
            **columns("rank", estimate(mean, _reaches(roi, whole.roi))),
            **columns("rank_npv", estimate(mean, _reaches(npv, whole.npv))),
            **columns("pinned_roi", estimate(quantiles(), found.roi), "quantile"),
            **columns("pinned_npv", estimate(quantiles(), found.npv), "quantile"),
            **columns("pinned_p_npv_positive", estimate(mean, found.npv > 0.0)),
        }

    inputs = simulation.assumptions.inputs
    effects = {n: v for n, v in values.items() if inputs[n].role == "revenue_effect"}
    return {
        **by_accounting(answer),
        **_extremeness("p_at_least_as_extreme", simulation, values),
        **_extremeness("p_effects_at_least_as_extreme", simulation, effects),
    }


def _pinned(simulation: Simulation, values: Mapping[str, float]) -> Simulation:
    """Return the simulation with the scenario's inputs set, the chance of no effect among them."""
    risk = values.get(str(simulation.assumptions.only("no_effect")))
    if risk is None:
        return simulation.pinned(values)
    # Which draws fail under another chance is not stored. Multiples of the golden ratio are as
    # evenly spread as the draws and independent of them.
    spread = (np.arange(simulation.shape[1]) + 0.5) * GOLDEN % 1.0
    works = np.broadcast_to(np.where(spread > risk, 1.0, 0.0), simulation.shape)
    return simulation.pinned({**values, WORKS: works})


def _reaches(value: float, draws: Array) -> Mask:
    """Return where draws do not exceed a value, equal up to rounding included."""
    return draws <= value + ROUNDING * abs(value)


def _extremeness(name: str, simulation: Simulation, values: Mapping[str, float]) -> Table:
    beyond = np.ones(simulation.shape, dtype=bool)
    inputs = {original(simulation.assumptions, one): value for one, value in values.items()}
    uncertain = [one for one in inputs if one in simulation.draws.uncertain]
    for one in uncertain:
        side = np.sign(inputs[one] - centre(simulation, one))
        beyond &= side * (simulation.draws.values[one] - inputs[one]) >= 0.0
    found = estimate(mean, beyond if uncertain else np.full(simulation.shape, np.nan))
    return columns(name, found)
