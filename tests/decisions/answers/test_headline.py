"""The headline numbers against closed forms."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from roi_builders import assumptions, company, effect
from softseg.decisions.answers.bridge import bridge
from softseg.decisions.answers.estimates import PROBABILITIES
from softseg.decisions.answers.headline import headline
from softseg.decisions.answers.yearly import yearly
from softseg.decisions.model.simulate import RoiModel, Simulation

AMOUNT = {"unit": "EUR/year"}
SCORES = norm.ppf(PROBABILITIES)
WIDTH = 2.0 * norm.ppf(0.95)


def simulate(inputs: dict[str, Any], n_draws: int = 1024, **settings: Any) -> Simulation:
    model = RoiModel(assumptions(inputs, **settings))
    return model.simulate(n_replicates=8, n_draws=n_draws, seed=3)


def close(found: Any, name: str, wanted: Any, relative: float = 0.0) -> None:
    """Check an answer against the truth, within five Monte Carlo errors."""
    error = np.nan_to_num(found[f"{name}_error"].values)
    distance = np.abs(found[name].values - wanted)
    assert (distance <= 5.0 * error + relative * np.abs(wanted) + 1e-9).all()


@pytest.fixture(scope="module")
def lognormal():
    """A saving and a cost of one year, both lognormal and independent."""
    inputs = {
        "saved": {"role": "saving", "low": 100.0, "high": 400.0, "family": "lognormal", **AMOUNT},
        "paid": {"role": "running_cost", "low": 80.0, "high": 160.0, "family": "lognormal",
                 **AMOUNT},
    }  # fmt: skip
    found = headline(simulate(inputs, 4096, horizon=1, hurdle=0.5))
    return found.sel(accounting="contribution_margin", adjusted=True)


def test_lognormal_ratios_have_their_closed_forms(lognormal) -> None:
    middle = 0.5 * np.log(100.0 * 400.0 / (80.0 * 160.0))
    sds = np.array([np.log(4.0), np.log(2.0)]) / WIDTH
    spread = np.hypot(*sds)
    close(lognormal, "bcr", np.exp(middle + spread * SCORES), 1e-3)
    close(lognormal, "roi", np.exp(middle + spread * SCORES) - 1.0, 2e-3)
    close(lognormal, "p_npv_positive", norm.cdf(middle / spread))
    close(lognormal, "p_roi_above_hurdle", norm.cdf((middle - np.log(1.5)) / spread))
    means = np.exp(0.5 * np.log([100.0 * 400.0, 80.0 * 160.0]) + 0.5 * sds**2)
    close(lognormal, "mean_benefit", means[0], 1e-5)
    close(lognormal, "mean_cost", means[1], 1e-5)
    close(lognormal, "mean_npv", means[0] - means[1], 1e-5)
    close(lognormal, "expected_roi", means[0] / means[1] - 1.0, 1e-4)


def test_the_expected_roi_is_not_the_mean_of_the_ratio(lognormal) -> None:
    sds = np.array([np.log(4.0), np.log(2.0)]) / WIDTH
    middle = 0.5 * np.log(100.0 * 400.0 / (80.0 * 160.0))
    mean_of_ratio = np.exp(middle + 0.5 * (sds**2).sum()) - 1.0
    assert mean_of_ratio > float(lognormal.expected_roi) + 20.0 * float(
        lognormal.expected_roi_error
    )


def test_payback_is_cost_over_benefit_with_its_atom(lognormal) -> None:
    middle = 0.5 * np.log(80.0 * 160.0 / (100.0 * 400.0))
    spread = np.hypot(np.log(4.0), np.log(2.0)) / WIDTH
    times = np.exp(middle + spread * SCORES)
    wanted = np.where(times <= 1.0, times, np.inf)
    np.testing.assert_allclose(lognormal.payback, wanted, rtol=3e-3)
    close(lognormal, "p_no_payback", norm.sf(-middle / spread))
    reached = norm.ppf(np.array(PROBABILITIES) * norm.cdf(-middle / spread))
    close(lognormal, "payback_if_reached", np.exp(middle + spread * reached), 3e-3)
    below = np.exp(middle + 0.5 * spread**2) * norm.cdf(-middle / spread - spread)
    close(lognormal, "restricted_mean_payback", below + norm.sf(-middle / spread), 1e-4)


def test_normal_values_have_their_tail_expectation() -> None:
    inputs = {
        "saved": {"role": "saving", "low": -100.0, "high": 300.0, "family": "normal", **AMOUNT},
        "paid": {"role": "running_cost", "value": 50.0, **AMOUNT},
    }
    found = headline(simulate(inputs, 4096, horizon=1)).sel(accounting="as_published")
    middle, sd = 50.0, 400.0 / WIDTH
    for adjusted in (False, True):
        one = found.sel(adjusted=adjusted)
        close(one, "npv", middle + sd * SCORES, 2e-3)
        close(one, "tail_npv", middle - sd * norm.pdf(norm.ppf(0.05)) / 0.05, 2e-3)


def test_no_effect_is_an_atom() -> None:
    inputs = {
        "saved": {"role": "saving", "value": 300.0, **AMOUNT},
        "paid": {"role": "running_cost", "value": 100.0, **AMOUNT},
        "no_effect": {"role": "no_effect", "unit": "%", "value": 30.0},
        "realisation": {"role": "realisation", "unit": "share", "value": 0.5},
    }
    found = headline(simulate(inputs, horizon=1)).sel(accounting="as_published")
    with_it, without = found.sel(adjusted=True), found.sel(adjusted=False)
    assert without.npv.values.tolist() == [200.0] * 5
    assert with_it.npv.values.tolist() == [-100.0, -100.0, 50.0, 50.0, 50.0]
    assert with_it.roi.values.tolist() == [-1.0, -1.0, 0.5, 0.5, 0.5]
    assert with_it.p_npv_positive == pytest.approx(0.7, abs=2e-3)
    assert with_it.tail_npv == -100.0
    assert with_it.p_no_payback == pytest.approx(0.3, abs=2e-3)


def test_zero_effect_and_zero_cost_give_exactly_zero() -> None:
    inputs = company(
        uplift=effect("volume", value=0.0),
        margin=effect("margin", value=0.0),
        saved={"role": "saving", "value": 0.0, **AMOUNT},
        paid={"role": "one_off_cost", "unit": "EUR", "value": 0.0},
        discount={"role": "discount_rate", "unit": "%", "low": 4.0, "high": 12.0},
        realisation={"role": "realisation", "unit": "share", "low": 0.2, "high": 0.8},
        no_effect={"role": "no_effect", "unit": "%", "value": 25.0},
    )
    simulation = simulate(inputs, 64)
    found = headline(simulation)
    ratios = {"roi", "bcr", "expected_roi"}
    for name in set(found.data_vars):
        exact = name.removesuffix("_error") not in ratios
        assert (found[name] == 0.0).all() if exact else found[name].isnull().all(), name
    for data in (bridge(simulation), yearly(simulation)):
        for name in data.data_vars:
            if not str(name).startswith("median_roi"):
                assert (data[name] == 0.0).all(), name


def differentiated() -> dict[str, Any]:
    return company(
        saved={"role": "saving", "low": 100.0, "high": 400.0, "programme": "both", **AMOUNT},
        targeted={"role": "saving", "low": 20.0, "high": 60.0, **AMOUNT},
        broad={"role": "saving", "low": 10.0, "high": 30.0, "programme": "uniform", **AMOUNT},
        paid={"role": "running_cost", "value": 50.0, "programme": "both", **AMOUNT},
    )


def test_paired_differences_vary_less_than_unpaired_ones() -> None:
    inputs = differentiated()
    simulation = simulate(inputs, 256, counterfactual="uniform")
    paired = simulation.outcome().npv
    single = [simulation.outcome(programme=one).npv for one in ("segmented", "uniform")]
    np.testing.assert_allclose(paired, single[0] - single[1], atol=1e-9)
    unpaired = single[0] - np.roll(single[1], 1, axis=0)
    assert paired.var() < 0.1 * unpaired.var()
    found = headline(simulation).sel(accounting="as_published", adjusted=True)
    parts = [headline(simulation, programme=one) for one in ("segmented", "uniform")]
    means = [one.mean_npv.sel(accounting="as_published", adjusted=True) for one in parts]
    assert found.mean_npv == pytest.approx(float(means[0] - means[1]))


def test_the_order_of_the_inputs_changes_nothing() -> None:
    inputs = differentiated()
    backwards = dict(reversed(inputs.items()))
    one, other = (headline(simulate(x, 2048)).sel(adjusted=True) for x in (inputs, backwards))
    distance = np.abs(one.npv - other.npv)
    assert (distance <= 5.0 * np.hypot(one.npv_error, other.npv_error)).all()


def test_one_replicate_gives_no_errors() -> None:
    model = RoiModel(assumptions(differentiated()))
    found = headline(model.simulate(n_replicates=1, n_draws=64))
    assert all(found[name].isnull().all() for name in found if str(name).endswith("_error"))
    assert not found.npv.isnull().any()
