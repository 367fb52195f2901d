"""What a programme brings, in the numbers that decide about it.

Ratios are stated by quantiles and as a ratio of expectations, never as a mean of ratios, which
explodes where the cost can come near 0. The probability of exceeding a hurdle h is that of
B − (1 + h) K > 0, for the same reason.
"""

from typing import Final

import xarray as xr

from softseg.decisions.answers.estimates import (
    Estimate,
    Table,
    by_accounting,
    columns,
    dataset,
    estimate,
    mean,
    quantiles,
    ratio_of_means,
    tail_mean,
)
from softseg.decisions.answers.payback import payback_table
from softseg.decisions.inputs.schema import Programme
from softseg.decisions.model.simulate import Outcome, Simulation

TAIL: Final = 0.05
"""Share of the worst draws of which the tail expectation is the mean."""


def headline(simulation: Simulation, programme: Programme | None = None) -> xr.Dataset:
    """Return the headline numbers of both accountings, with and without the adjustment.

    Parameters
    ----------
    simulation
        The draws.
    programme
        One programme against doing nothing. None: the one that is valued, against what the
        assumptions name as the counterfactual.

    Returns
    -------
    xarray.Dataset
        Over (accounting, adjusted, quantile): ``npv``, ``roi``, ``bcr``, ``payback``,
        ``last_payback``, ``payback_if_reached`` in years. Over (accounting, adjusted):
        ``mean_npv``, ``mean_benefit``, ``mean_cost``, ``expected_roi`` = E[B]/E[K] − 1,
        ``p_npv_positive``, ``p_roi_above_hurdle``, ``p_cost_positive``, ``tail_npv`` (mean of the
        worst 5 %), ``p_no_payback``, ``p_payback_lost``, ``restricted_mean_payback``. Each with
        its Monte Carlo error in ``…_error``. Ratios are those of the draws with a positive cost.
    """
    hurdle = simulation.assumptions.hurdle

    def answer(accounting: str, adjusted: bool) -> Table:
        outcome = simulation.outcome(accounting, adjusted, programme)
        return _numbers(outcome, hurdle) | payback_table(outcome)

    return dataset(by_accounting(answer))


def _numbers(outcome: Outcome, hurdle: float) -> Table:
    npv, benefit, cost = outcome.npv, outcome.benefit, outcome.cost
    roi = estimate(quantiles(), outcome.roi)
    expected = estimate(ratio_of_means, benefit, cost)
    spread = {
        "npv": estimate(quantiles(), npv),
        "roi": roi,
        "bcr": Estimate(roi.value + 1.0, roi.error),
    }
    single = {
        "mean_npv": estimate(mean, npv),
        "mean_benefit": estimate(mean, benefit),
        "mean_cost": estimate(mean, cost),
        "expected_roi": Estimate(expected.value - 1.0, expected.error),
        "p_npv_positive": estimate(mean, npv > 0.0),
        "p_roi_above_hurdle": estimate(mean, benefit - (1.0 + hurdle) * cost > 0.0),
        "p_cost_positive": estimate(mean, cost > 0.0),
        "tail_npv": estimate(tail_mean(TAIL), npv),
    }
    table: Table = {}
    for name, found in spread.items():
        table |= columns(name, found, "quantile")
    for name, found in single.items():
        table |= columns(name, found)
    return table
