"""What happens year by year."""

import numpy as np
import xarray as xr

from softseg.decisions.answers.estimates import (
    Table,
    by_accounting,
    columns,
    dataset,
    estimate,
    mean,
    quantiles,
)
from softseg.decisions.inputs.schema import Programme
from softseg.decisions.model.accounting import ACCOUNTINGS, Switches
from softseg.decisions.model.simulate import Simulation
from softseg.families.base import Array


def yearly(simulation: Simulation) -> xr.Dataset:
    """Return the flows of every year, in both accountings.

    Returns
    -------
    xarray.Dataset
        Over (accounting, adjusted, year, quantile): ``cumulative`` (cumulative discounted net
        flow), ``net`` (net flow, not discounted), ``profit`` (change of the operating profit
        before tax), ``revenue`` (change of revenue), and ``ebit_margin_change`` as a share where
        the EBIT margin of today is an input. Each also as its mean over (accounting, adjusted,
        year) in ``…_mean``, and each with its Monte Carlo error in ``…_error``.
    """

    def answer(accounting: str, adjusted: bool) -> Table:
        outcome = simulation.outcome(accounting, adjusted)
        paths = {
            "cumulative": np.cumsum(outcome.net, axis=-1),
            "net": outcome.net_undiscounted,
            "profit": outcome.profit,
            "revenue": outcome.revenue,
        }
        if _has_margin(simulation):
            paths["ebit_margin_change"] = ebit_margin_change(simulation, accounting, adjusted)
        table: Table = {}
        for name, path in paths.items():
            table |= columns(name, estimate(quantiles(), path), "year", "quantile")
            table |= columns(f"{name}_mean", estimate(mean, path), "year")
        return table

    years = np.arange(1, simulation.assumptions.horizon + 1)
    return dataset(by_accounting(answer), year=years)


def ebit_margin_change(simulation: Simulation, accounting: str, adjusted: bool = True) -> Array:
    """Return by how much the EBIT margin is higher, as a share, (replicate, draw, year).

    It is compared with the margin of today, or with that under the uniform programme where the
    assumptions name it as the counterfactual. NaN where there would be no revenue at all.
    """
    reached = _ebit_margin(simulation, accounting, adjusted, "segmented")
    if simulation.assumptions.counterfactual == "uniform":
        return reached - _ebit_margin(simulation, accounting, adjusted, "uniform")
    return reached - _of(simulation, "ebit_margin")[..., None]


def _ebit_margin(
    simulation: Simulation, accounting: str, adjusted: bool, programme: Programme
) -> Array:
    outcome = simulation.outcome(accounting, adjusted, programme)
    revenue = _revenue(simulation, ACCOUNTINGS[accounting])
    profit = _of(simulation, "ebit_margin")[..., None] * revenue + outcome.profit
    turnover = revenue + outcome.revenue
    some = turnover > 0.0
    return np.where(some, profit / np.where(some, turnover, 1.0), np.nan)


def _revenue(simulation: Simulation, switches: Switches) -> Array:
    """Return the revenue of each year without any programme, (replicate, draw, year)."""
    today = _of(simulation, "revenue")[..., None]
    since = np.arange(simulation.assumptions.horizon)
    if simulation.assumptions.only("baseline_growth") is None or not switches.timing:
        return today * np.ones(len(since))
    return today * (1.0 + _of(simulation, "baseline_growth")[..., None]) ** since


def _has_margin(simulation: Simulation) -> bool:
    known = simulation.assumptions
    return known.only("ebit_margin") is not None and known.only("revenue") is not None


def _of(simulation: Simulation, role: str) -> Array:
    """Return the draws of the one input with a role, (replicate or 1, draw or 1)."""
    return simulation.draws.values[str(simulation.assumptions.only(role))]
