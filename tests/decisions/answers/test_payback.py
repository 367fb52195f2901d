"""Payback times by hand."""

import numpy as np
import pytest

from roi_builders import assumptions
from softseg.decisions.answers.payback import crossings, discounted_cost, payback
from softseg.decisions.answers.scenarios import deterministic, values_of
from softseg.decisions.model.simulate import RoiModel


def times(benefit: list[float], cost: list[float]) -> tuple[float, float]:
    paid = np.array(cost)
    first, last = crossings(np.array(benefit) - paid, paid)
    return float(first), float(last)


@pytest.mark.parametrize(
    ("benefit", "cost", "first", "last"),
    [
        ([1900.0], [145.0], 145.0 / 1900.0, 145.0 / 1900.0),
        ([100.0, 100.0, 100.0], [150.0, 0.0, 0.0], 1.5, 1.5),
        ([100.0, 100.0, 100.0], [150.0, 20.0, 20.0], 1.7, 1.7),
        ([50.0, 50.0], [100.0, 0.0], 2.0, 2.0),
        ([50.0, 49.0], [100.0, 0.0], np.inf, np.inf),
        ([0.0, 0.0], [0.0, 0.0], 0.0, 0.0),
        ([10.0, 10.0], [0.0, 0.0], 0.0, 0.0),
        ([0.0, 0.0, 80.0], [0.0, 40.0, 0.0], 2.5, 2.5),
        ([0.0, 0.0], [0.0, 5.0], np.inf, np.inf),
        # twice: a second investment, and one that is not earned back
        ([200.0, 0.0, 0.0, 100.0], [100.0, 150.0, 0.0, 0.0], 0.5, 3.5),
        ([200.0, 0.0, 0.0], [100.0, 150.0, 0.0], 0.5, np.inf),
        # a payment received at the beginning of a year ends the debt at once
        ([0.0, 0.0], [10.0, -20.0], 1.0, 1.0),
        # a running cost that is earned back within its year is no second payback
        ([100.0, 100.0], [95.0, 50.0], 0.95, 0.95),
    ],
)
def test_payback_by_hand(benefit, cost, first, last) -> None:
    assert times(benefit, cost) == pytest.approx((first, last))


def test_the_article_pays_back_after_less_than_a_month() -> None:
    example = RoiModel.example().assumptions.model_copy(update={"horizon": 1})
    simulation = RoiModel(example).simulate(n_replicates=1, n_draws=8)
    found = deterministic(simulation, values_of(simulation, "base"))
    first, last = payback(found.outcome("as_published", adjusted=False))
    assert first.item() == pytest.approx(145.0 / 1900.0)
    assert 12.0 * first.item() == pytest.approx(0.92, abs=5e-3)
    assert last == first


def test_costs_are_those_of_the_net_present_value() -> None:
    model = RoiModel(
        assumptions(
            {
                "once": {"role": "one_off_cost", "unit": "EUR", "low": 50.0, "high": 150.0},
                "each": {"role": "running_cost", "unit": "EUR/year", "value": 10.0},
                "rate": {"role": "discount_rate", "unit": "%", "value": 8.0},
            }
        )
    )
    outcome = model.simulate(n_replicates=2, n_draws=16).outcome()
    cost = discounted_cost(outcome)
    assert cost.shape == (2, 16, 5)
    np.testing.assert_allclose(cost.sum(axis=-1), outcome.cost)
