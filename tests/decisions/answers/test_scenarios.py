"""Scenarios and tails, and that they are two things."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from roi_builders import assumptions, company, effect
from softseg.decisions.answers.estimates import PROBABILITIES
from softseg.decisions.answers.headline import headline
from softseg.decisions.answers.scenarios import (
    centre,
    deterministic,
    quantile,
    scenario_values,
    scenarios,
    tails,
    values_of,
)
from softseg.decisions.model.simulate import RoiModel, Simulation
from softseg.errors import UsageError

SAVED = {"role": "saving", "unit": "kEUR/year", "low": 100.0, "high": 300.0, "family": "normal"}
PAID = {"role": "running_cost", "unit": "EUR/year", "value": 50e3}
SD = 200e3 / (2.0 * norm.ppf(0.95))


def simulate(inputs: dict[str, Any], n_draws: int = 1024, **settings: Any) -> Simulation:
    model = RoiModel(assumptions(inputs, horizon=1, **settings))
    return model.simulate(n_replicates=8, n_draws=n_draws)


@pytest.fixture(scope="module")
def found():
    """A normal saving, with a scenario one standard deviation above the centre."""
    high = (200e3 + SD) / 1e3
    inputs = {
        "saved": SAVED,
        "paid": PAID,
        "extra": {**SAVED, "low": -100.0, "high": 100.0},
        "no_effect": {"role": "no_effect", "unit": "%", "value": 20.0},
        "realisation": {"role": "realisation", "unit": "share", "low": 0.25, "high": 0.75},
    }
    named = {"high": {"saved": high}, "middle": {"saved": 200.0}, "cost": {"paid": 60e3}}
    return scenarios(simulate(inputs, scenarios=named))


def test_the_deterministic_scenario_has_all_else_at_its_centre(found) -> None:
    high = found.sel(scenario="high", accounting="as_published")
    assert high.npv.sel(adjusted=False) == pytest.approx(150e3 + SD)
    assert high.roi.sel(adjusted=False) == pytest.approx((200e3 + SD) / 50e3 - 1.0)
    assert high.npv.sel(adjusted=True) == pytest.approx(0.5 * (200e3 + SD) - 50e3)


def test_its_rank_is_its_place_in_the_whole(found) -> None:
    ranks = found.sel(accounting="as_published", adjusted=False)
    for name, wanted in (("high", norm.cdf(1.0 / np.sqrt(2.0))), ("middle", 0.5)):
        one = ranks.sel(scenario=name)
        for rank in ("rank", "rank_npv"):
            assert abs(one[rank] - wanted) <= 5.0 * one[f"{rank}_error"] + 1e-4


def test_pinned_leaves_the_rest_random_and_failure_inside(found) -> None:
    whole = found.sel(scenario="high", accounting="as_published")
    free = whole.pinned_npv.sel(adjusted=False)
    np.testing.assert_allclose(free, 150e3 + SD + SD * norm.ppf(PROBABILITIES), rtol=5e-3)
    adjusted = whole.sel(adjusted=True)
    assert adjusted.pinned_npv.sel(quantile=0.05) == -50e3
    assert adjusted.pinned_roi.sel(quantile=0.05) == -1.0
    assert adjusted.pinned_p_npv_positive < 0.8


def test_how_extreme_a_scenario_is(found) -> None:
    extreme = found.p_at_least_as_extreme
    assert extreme.sel(scenario="high") == pytest.approx(norm.sf(1.0), abs=2e-3)
    assert extreme.sel(scenario="middle") == 1.0
    assert np.isnan(extreme.sel(scenario="cost"))
    assert found.p_effects_at_least_as_extreme.isnull().all()


def two_effects(rank: float) -> dict[str, Any]:
    pair = {"between": ["volume", "price"], "rank": rank}
    inputs = company(
        volume=effect("volume", low=0.01, high=0.04),
        price=effect("price", low=0.02, high=0.05),
        copy=effect("volume", same_as="volume", programme="uniform"),
    )
    return {"inputs": inputs, "dependence": {"correlations": [pair]}}


def test_best_and_worst_are_made_where_they_are_missing() -> None:
    settings = two_effects(0.0)
    simulation = simulate(settings.pop("inputs"), 4096, **settings)
    named = scenario_values(simulation)
    assert named["best"] == pytest.approx({"volume": 0.04, "price": 0.05})
    assert named["worst"] == pytest.approx({"volume": 0.01, "price": 0.02})
    found = scenarios(simulation)
    assert found.scenario.values.tolist() == ["best", "worst"]
    for extreme in (found.p_at_least_as_extreme, found.p_effects_at_least_as_extreme):
        np.testing.assert_allclose(extreme, 0.05**2, atol=5e-4)


def test_stacked_extremes_depend_on_the_correlation() -> None:
    settings = two_effects(6.0 / np.pi * np.arcsin(0.25))
    found = scenarios(simulate(settings.pop("inputs"), 4096, **settings))
    np.testing.assert_allclose(found.p_at_least_as_extreme, 0.0122, atol=1e-3)


def test_nothing_is_made_without_uncertain_effects() -> None:
    simulation = simulate({"saved": SAVED, "paid": PAID})
    assert scenario_values(simulation) == {}
    assert scenarios(simulation).sizes["scenario"] == 0
    with pytest.raises(UsageError, match="Choose a scenario out of"):
        values_of(simulation, "best")


def test_the_tails_are_the_ends_of_the_whole() -> None:
    simulation = simulate({"saved": SAVED, "paid": PAID}, 4096)
    found = tails(simulation).sel(accounting="as_published", adjusted=False)
    depth = norm.pdf(norm.ppf(0.05)) / 0.05
    for side, sign in (("worst", -1.0), ("best", 1.0)):
        one = found.sel(side=side)
        assert one.mean_npv == pytest.approx(150e3 + sign * SD * depth, rel=2e-3)
        assert one.mean_roi == pytest.approx(3.0 + sign * SD * depth / 50e3, rel=2e-3)
        middle = 150e3 + sign * SD * norm.ppf(0.975)
        assert one.npv.sel(quantile=0.5) == pytest.approx(middle, rel=5e-3)
    whole = headline(simulation).sel(accounting="as_published", adjusted=False)
    assert found.mean_npv.sel(side="worst") == pytest.approx(float(whole.tail_npv))


def test_centres_are_as_stated() -> None:
    triple = {**SAVED, "low": 100.0, "likely": 120.0, "high": 300.0, "family": "pert"}
    simulation = simulate({"three": triple, "range": SAVED, "paid": PAID})
    assert centre(simulation, "three") == pytest.approx(120e3)
    assert centre(simulation, "range") == pytest.approx(200e3)
    assert centre(simulation, "paid") == 50e3
    assert quantile(simulation, "range", 0.95) == pytest.approx(300e3)
    assert quantile(simulation, "paid", 0.95) == 50e3


def test_draws_of_a_fitted_model_and_pinned_ones_speak_for_themselves() -> None:
    rows = np.linspace(700e3, 900e3, 101)
    model = RoiModel(assumptions({"saved": SAVED, "paid": PAID}))
    fitted = model.simulate(4, 256, posterior={"saved": rows})
    assert centre(fitted, "saved") == pytest.approx(800e3, rel=5e-3)
    assert quantile(fitted, "saved", 0.95) == pytest.approx(890e3, rel=5e-3)
    pinned = model.simulate(4, 256).pinned({"saved": 123.0})
    assert centre(pinned, "saved") == 123.0
    assert deterministic(pinned, {}).outcome("as_published", False).npv.item() < 0.0


def test_the_chance_of_no_effect_can_be_part_of_a_scenario() -> None:
    inputs = {"saved": SAVED, "paid": PAID,
              "no_effect": {"role": "no_effect", "unit": "%", "value": 10.0}}  # fmt: skip
    named = {f"risk_{p}": {"no_effect": float(p)} for p in (0, 40, 100)}
    found = scenarios(simulate(inputs, scenarios=named)).sel(accounting="as_published")
    chances = found.pinned_p_npv_positive.sel(adjusted=True)
    positive = norm.cdf(150e3 / SD)
    np.testing.assert_allclose(chances, [positive, 0.6 * positive, 0.0], atol=2e-3)
    assert found.npv.sel(adjusted=True).values == pytest.approx([150e3] * 3)
