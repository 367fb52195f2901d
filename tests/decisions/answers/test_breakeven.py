"""Break-even against closed forms, and its duality with the distribution."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from roi_builders import assumptions, company, effect
from softseg.decisions.answers.breakeven import (
    multiplier,
    multipliers,
    per_input,
    smallest,
)
from softseg.decisions.answers.estimates import PROBABILITIES
from softseg.decisions.inputs.ranges import marginal
from softseg.decisions.model.accounting import Switches
from softseg.decisions.model.simulate import RoiModel, Simulation
from softseg.errors import UsageError

COST = {"role": "running_cost", "unit": "EUR/year", "low": 0.5, "high": 2.0}
SD = np.log(4.0) / (2.0 * norm.ppf(0.95))
VOLUME = effect("volume", value=0.02)


def simulate(n_draws: int = 1024, horizon: int = 1, **inputs: Any) -> Simulation:
    model = RoiModel(assumptions(company(**inputs), horizon=horizon))
    return model.simulate(n_replicates=8, n_draws=n_draws)


def test_roots_of_many_functions_at_once() -> None:
    slope = np.array([[3.0, 0.05, 1.0, -1.0, 0.01, 0.0]])
    start = np.array([[-1.5, -1.0, 0.0, -1.0, -1.0, 2.0]])
    found = smallest(lambda s: start + slope * s, (1, 6))
    assert found[0, :2] == pytest.approx([0.5, 20.0], rel=1e-12)
    assert found[0, 2:].tolist() == [0.0, np.inf, np.inf, 0.0]


def test_straight_lines_need_one_secant() -> None:
    calls = []
    start, slope = np.random.default_rng(1).uniform(1.0, 2.0, size=(2, 1, 1000))

    def net(s):
        calls.append(s)
        return 3.0 * slope * s - start

    np.testing.assert_allclose(smallest(net, start.shape), start / slope / 3.0, rtol=1e-12)
    assert len(calls) == 3


def test_curved_roots_to_nine_digits() -> None:
    wanted = np.geomspace(1e-6, 63.0, 500)[None]
    for curve in (lambda s: s**3 + 0.1 * s, np.log1p, lambda s: np.expm1(np.minimum(s, 70.0))):
        found = smallest(lambda s, f=curve: f(s) - f(wanted), wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_only_where_there_is_hope() -> None:
    hopeless = np.array([[True, False, True]])
    found = smallest(lambda s: s - np.array([[0.5, 0.5, -0.5]]), (1, 3), hopeless)
    assert found.tolist() == [[np.inf, 0.5, 0.0]]


def test_the_linear_multiplier_has_its_closed_form() -> None:
    simulation = simulate(4096, volume=VOLUME, cost=COST,
                          saved={"role": "saving", "unit": "EUR/year", "value": 0.8})  # fmt: skip
    cost = np.exp(SD * norm.ppf(PROBABILITIES))
    wanted = np.maximum((cost - 0.8) / (0.4 * 2.0), 0.0)
    found = multiplier(simulation, n_draws=4096)
    np.testing.assert_allclose(found.multiplier, wanted, rtol=3e-3)
    assert found.p_zero == pytest.approx(norm.cdf(np.log(0.8) / SD), abs=1e-3)
    assert found.p_never == 0.0
    assert found.p_at_centre == pytest.approx(norm.cdf(np.log(1.6) / SD), abs=1e-3)
    assert found.attrs["ids"] == "volume"


def test_two_effects_on_one_base_are_a_quadratic() -> None:
    simulation = simulate(volume=VOLUME, price=effect("price", value=0.01), cost=COST)
    cost = simulation.draws.values["cost"]
    # 100 (0.4 · 0.02 s + 0.01 s (1 + 0.02 s)) = cost
    wanted = (-1.8 + np.sqrt(1.8**2 + 4.0 * 0.02 * cost)) / (2.0 * 0.02)
    np.testing.assert_allclose(multipliers(simulation), wanted, rtol=1e-9)


def test_churn_over_years_breaks_even_where_the_value_is_zero() -> None:
    churn = effect("churn", low=0.05, high=0.15, rate="leaving")
    leaving = {"role": "base", "unit": "%", "low": 8.0, "high": 16.0}
    simulation = simulate(64, 5, churn=churn, leaving=leaving, cost=COST)
    needed = multipliers(simulation)
    assert np.isfinite(needed).all()
    middle = float(marginal(simulation.assumptions.inputs["churn"]).central)
    at_root = simulation.pinned({"churn": needed * middle}).outcome()
    np.testing.assert_allclose(at_root.npv, 0.0, atol=1e-7)


def test_no_effect_never_pays() -> None:
    simulation = simulate(volume=effect("volume", low=0.01, high=0.04), cost=COST,
                          no_effect={"role": "no_effect", "unit": "%", "value": 30.0})  # fmt: skip
    found = multiplier(simulation)
    assert found.p_never == pytest.approx(0.3, abs=2e-3)
    assert found.multiplier.sel(quantile=0.75) == np.inf
    assert multiplier(simulation, adjusted=False).p_never == 0.0


@pytest.mark.parametrize("adjusted", [False, True])
def test_duality(adjusted: bool) -> None:
    """P(N ≥ 0) is E[1 − F_S(S*−)] where the effect is S times its centre, S independent."""
    uplift = effect("volume", low=0.005, high=0.06)
    simulation = simulate(
        4096,
        5,
        volume=uplift,
        price=effect("price", same_as="volume"),
        cost=COST,
        rate={"role": "discount_rate", "unit": "%", "low": 4.0, "high": 12.0},
        no_effect={"role": "no_effect", "unit": "%", "value": 25.0},
        realisation={"role": "realisation", "unit": "share", "low": 0.2, "high": 0.8},
    )
    law = marginal(simulation.assumptions.inputs["volume"])
    direct = (simulation.outcome(adjusted=adjusted).npv >= 0.0).mean(axis=1)
    needed = multipliers(simulation, adjusted=adjusted, n_draws=4096)
    dual = 1.0 - law.cdf(needed * law.central).mean(axis=1)
    error = np.hypot(direct.std(ddof=1), dual.std(ddof=1)) / np.sqrt(8.0)
    assert abs(direct.mean() - dual.mean()) < 5.0 * error + 1e-6
    assert 0.05 < direct.mean() < 0.95


@pytest.mark.parametrize(
    ("switches", "cost"),
    [(Switches(), 250e3), (Switches(margin_on_volume=True), 145e3)],
)
def test_both_readings_of_the_published_break_even(switches: Switches, cost: float) -> None:
    inputs = {
        "revenue": {"role": "revenue", "unit": "EUR/year", "value": 50e6},
        "contribution_margin": {"role": "contribution_margin", "unit": "%", "value": 30.0},
        "uplift": effect("volume", value=0.003),
        "points": effect("margin", value=0.2),
        "cost": {"role": "one_off_cost", "unit": "EUR", "value": cost},
    }
    simulation = RoiModel(assumptions(inputs, horizon=1)).simulate(1, 8)
    np.testing.assert_allclose(multipliers(simulation, switches), 1.0, rtol=1e-12)


def test_single_inputs_have_their_closed_forms() -> None:
    volume = effect("volume", low=0.01, high=0.04)
    simulation = simulate(4096, volume=volume, cost=COST,
                          saved={"role": "saving", "unit": "EUR/year", "value": 0.5})  # fmt: skip
    found = per_input(simulation, n_draws=4096)
    assert found.input.values.tolist() == ["volume", "cost", "saved"]
    assert found.direction.values.tolist() == ["at_least", "at_most", "at_least"]
    cost = np.exp(SD * norm.ppf(PROBABILITIES))
    needed = np.maximum(cost - 0.5, 0.0) / 40.0
    np.testing.assert_allclose(found["value"].sel(input="volume"), needed, rtol=3e-3, atol=1e-5)
    effects = found.sel(input="volume")
    assert effects.central == pytest.approx(0.02)
    assert effects.p_zero == pytest.approx(norm.cdf(np.log(0.5) / SD), abs=1e-3)
    assert effects.p_below_central == pytest.approx(norm.cdf(np.log(1.3) / SD), abs=1e-3)
    afforded = 0.5 + 0.8 * np.exp(SD * norm.ppf(PROBABILITIES))
    np.testing.assert_allclose(found["value"].sel(input="cost"), afforded, rtol=3e-3)
    costs = found.sel(input="cost")
    assert costs.p_zero == costs.p_never == 0.0
    assert costs.p_below_central == pytest.approx(norm.sf(np.log(0.5 / 0.8) / SD), abs=1e-3)


def test_atoms_of_a_cost() -> None:
    small = {"role": "running_cost", "unit": "EUR/year", "value": 0.001}
    simulation = simulate(volume=VOLUME, small=small, cost=COST)
    found = per_input(simulation, ids=["small"]).isel(input=0)
    lost = norm.sf(np.log(0.8) / SD)
    assert found.p_never == pytest.approx(lost, abs=2e-3)
    assert found.p_zero == pytest.approx(1.0 - norm.sf(np.log(0.8 - 0.064) / SD), abs=2e-3)
    assert found["value"].sel(quantile=0.95) == np.inf
    assert found["value"].sel(quantile=0.05) == 0.0


def test_what_the_accounting_leaves_out_is_left_out() -> None:
    simulation = simulate(
        64,
        margin=effect("margin", value=1.0),
        inside={"role": "saving", "unit": "EUR/year", "value": 1.0, "in_margin": True},
        hidden={**COST, "published": False},
        everywhere={**COST, "programme": "uniform"},
        twice=effect("margin", same_as="margin"),
    )
    assert per_input(simulation).input.values.tolist() == ["margin", "hidden"]
    published = per_input(simulation, accounting="as_published")
    assert published.input.values.tolist() == ["margin", "inside"]
    assert per_input(simulation, ids=[]).sizes["input"] == 0


def test_a_programme_without_effects_has_no_multiplier() -> None:
    with pytest.raises(UsageError, match="Give at least one revenue effect to multiply"):
        multiplier(simulate(64, cost=COST))


def test_zero_centres_are_measured_otherwise() -> None:
    volume = effect("volume", low=-0.02, high=0.02)
    simulation = simulate(256, volume=volume, none=effect("price", value=0.0), cost=COST)
    found = per_input(simulation, ids=["volume", "none"])
    np.testing.assert_allclose(
        found["value"].sel(input="volume"), np.exp(SD * norm.ppf(PROBABILITIES)) / 40.0, rtol=0.02
    )
    assert found["value"].sel(input="none", quantile=0.95) > 0.0
