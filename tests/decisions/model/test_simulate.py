"""What follows from the draws: outcomes by year, before and after tax."""

import numpy as np
import pytest

from roi_builders import assumptions, company, effect
from softseg.decisions.model import simulate
from softseg.decisions.model.accounting import ACCOUNTINGS
from softseg.decisions.model.simulate import RoiModel, Simulation

TAX = {"role": "tax_rate", "unit": "%", "value": 25.0}
HALF = {"role": "realisation", "unit": "share", "value": 0.5}
ONCE = {"role": "one_off_cost", "unit": "EUR", "value": 40.0}
SAVED = {"role": "saving", "unit": "EUR/year", "value": 20.0}


def simulated(*, counterfactual: str = "nothing", **inputs) -> Simulation:
    settings = {"horizon": 3, "counterfactual": counterfactual}
    file = assumptions(company(**inputs), **settings)
    return RoiModel(file).simulate(n_replicates=2, n_draws=64)


def test_profit_is_before_tax_and_net_after_it() -> None:
    found = simulated(saved=SAVED, once=ONCE, tax=TAX, realisation=HALF).outcome()
    before = np.array([10.0 - 40.0, 10.0, 10.0])
    np.testing.assert_allclose(found.profit, np.broadcast_to(before, (2, 64, 3)))
    np.testing.assert_allclose(found.net, np.broadcast_to(0.75 * before, (2, 64, 3)))
    np.testing.assert_allclose(found.npv, 0.75 * -10.0)
    np.testing.assert_allclose(found.cost, 0.75 * 40.0)


def test_the_published_way_has_no_tax() -> None:
    found = simulated(saved=SAVED, once=ONCE, tax=TAX, realisation=HALF).outcome("as_published")
    np.testing.assert_array_equal(found.profit, found.net)


def test_profit_beyond_a_uniform_programme_is_before_tax() -> None:
    found = simulated(
        counterfactual="uniform",
        saved=SAVED,
        less={**SAVED, "value": 8.0, "programme": "uniform"},
        once=ONCE,
        tax={**TAX, "value": 100.0},
    ).outcome()
    np.testing.assert_allclose(found.profit[0, 0], [12.0 - 40.0, 12.0, 12.0])
    np.testing.assert_array_equal(found.npv, 0.0)


def test_an_uncertain_tax_rate_takes_its_share_of_every_draw() -> None:
    simulation = simulated(saved=SAVED, tax={**TAX, "value": None, "low": 20.0, "high": 40.0})
    kept = 1.0 - simulation.draws.values["tax"]
    found = simulation.outcome()
    assert np.ptp(kept) > 0.1
    np.testing.assert_allclose(found.net_undiscounted, kept[..., None] * found.profit)
    np.testing.assert_allclose(found.profit, 20.0)


@pytest.mark.parametrize("accounting", list(ACCOUNTINGS))
def test_blocks_of_draws_change_nothing(monkeypatch: pytest.MonkeyPatch, accounting: str) -> None:
    def outcome():
        return simulated(
            volume=effect("volume", low=0.01, high=0.1),
            churn={"role": "base", "unit": "share", "low": 0.1, "high": 0.2},
            kept=effect("churn", value=0.5, rate="churn"),
            late={"role": "delay", "unit": "years", "low": 0.1, "high": 1.5},
            rate={"role": "discount_rate", "unit": "%", "low": 4.0, "high": 9.0},
            once=ONCE,
            tax=TAX,
        ).outcome(accounting)

    whole = outcome()
    monkeypatch.setattr(simulate, "BLOCK", 24)  # the last block is shorter
    parts = outcome()
    for name in ("npv", "profit", "net", "revenue"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-14)
