"""The bridge from the published to the full calculation, and the article's ladder."""

from typing import Any

import numpy as np
import pytest

from roi_builders import assumptions, company, effect
from softseg.decisions.answers.bridge import LADDER, bridge, ladder
from softseg.decisions.answers.payback import discounted_cost
from softseg.decisions.answers.scenarios import deterministic, values_of
from softseg.decisions.model.accounting import CONTRIBUTION_MARGIN, STEPS, Switches
from softseg.decisions.model.simulate import RoiModel, Simulation
from softseg.errors import UsageError

MARGIN = {"contribution_margin": 0.35}
NO_LEARNING = {**MARGIN, "learning": 0.0}
UPPER = {**NO_LEARNING, "project_cost": 250e3, "running_cost": 57e3, "running_cost_first": 57e3}
CAPACITY = {**UPPER, "sales_force_cost": 2e6, "sales_capacity": 0.05}
EXACT = Switches(margin_on_volume=True, exact_margin=True, savings_once=True)
DISCOUNTED = Switches(True, True, True, discounting=True)
RAMPED = Switches(True, True, True, timing=True, discounting=True)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return RoiModel.example().simulate(n_replicates=4, n_draws=256)


def test_changes_add_up_to_the_headline(simulation: Simulation) -> None:
    found = bridge(simulation)
    assert found.step.values.tolist() == list(LADDER)
    np.testing.assert_allclose(np.cumsum(found.change), found["value"])
    assert found.change[0] == found["value"][0]
    assert found["value"][-1] == pytest.approx(simulation.outcome().npv.mean())
    assert found.median_roi[-1] == pytest.approx(np.median(simulation.outcome().roi))
    published = simulation.outcome("as_published", adjusted=False)
    assert found["value"][0] == pytest.approx(published.net_undiscounted.sum(axis=-1).mean())
    full = simulation.outcome(adjusted=False)
    assert found["value"].sel(step="tax") == pytest.approx(full.npv.mean())


def test_changes_are_paired(simulation: Simulation) -> None:
    found = bridge(simulation)
    before, after = (
        simulation.outcome(switches, adjusted=False).npv.mean(axis=1)
        for switches in (EXACT, Switches(True, True, True, timing=True))
    )
    change = after - before
    step = found.sel(step="timing")
    assert step.change == pytest.approx(change.mean())
    assert step.change_error == pytest.approx(change.std(ddof=1) / 2.0)
    assert found.change.sel(step="tax") == 0.0
    assert found.change_error.sel(step="tax") == 0.0


def test_success_comes_last_and_in_two_steps() -> None:
    inputs = company(
        saved={"role": "saving", "unit": "EUR/year", "value": 100.0},
        paid={"role": "running_cost", "unit": "EUR/year", "value": 20.0},
        no_effect={"role": "no_effect", "unit": "%", "value": 25.0},
        realisation={"role": "realisation", "unit": "share", "value": 0.5},
    )
    model = RoiModel(assumptions(inputs, horizon=1, scenarios={"base": {"saved": 200.0}}))
    simulation = model.simulate(n_replicates=4, n_draws=64)
    values = bridge(simulation)["value"]
    assert values.sel(step=["tax", "realisation"]).values.tolist() == [80.0, 30.0]
    assert values.sel(step="no_effect") == pytest.approx(0.75 * 50.0 - 20.0, abs=0.5)
    found = ladder(simulation, "base")
    assert found["value"].values[-3:].tolist() == [180.0, 80.0, 55.0]
    assert found.change.values[-2:].tolist() == [-100.0, -25.0]
    assert found.roi.values[-1] == pytest.approx(55.0 / 20.0)


@pytest.mark.parametrize(
    ("scenario", "roi"),
    [("base", 31.923), ("best", 57.915), ("worst", 17.194), ("break_even_point", 5.931)],
)
def test_the_ladder_starts_where_the_article_does(simulation, scenario: str, roi: float) -> None:
    found = ladder(simulation, scenario)
    assert found.roi[0] == pytest.approx(roi, abs=5e-4)
    np.testing.assert_allclose(np.cumsum(found.change), found["value"])


@pytest.mark.parametrize(
    ("switches", "more", "base", "best", "worst", "point"),
    [
        (EXACT, MARGIN, 20.92, 36.26, 11.63, 4.25),
        (EXACT, NO_LEARNING, 18.46, 32.08, 10.22, 3.66),
        (DISCOUNTED, NO_LEARNING, 17.55, 30.53, 9.69, 3.44),
        (RAMPED, NO_LEARNING, 11.26, 19.83, 6.06, 1.93),
        (RAMPED, UPPER, 6.27, 11.36, 3.19, 0.74),
        (CONTRIBUTION_MARGIN, CAPACITY, 2.89, 5.61, 1.24, -0.07),
    ],
)
def test_the_ladder_of_the_reference(
    simulation: Simulation, switches: Switches, more: dict[str, float], base: float, best: float,
    worst: float, point: float,
) -> None:  # fmt: skip
    found = [
        deterministic(simulation, values_of(simulation, name) | more)
        .outcome(switches, adjusted=False)
        .roi.item()
        for name in ("base", "best", "worst", "break_even_point")
    ]
    assert found[0] == pytest.approx(base, abs=0.015)
    # The reference ramps the whole profit. Here the uplift and the points ramp up each, and so in
    # the half year does their product twice: 0.25 · 4 % · 2.5 points of the revenue in `best`.
    assert found == pytest.approx([base, best, worst, point], abs=0.04)


def test_single_years_of_the_article() -> None:
    model = RoiModel.example()
    simulation = model.simulate(n_replicates=1, n_draws=8)
    five = deterministic(simulation, values_of(simulation, "base"))
    outcome = five.outcome("as_published", adjusted=False)
    cost = discounted_cost(outcome)[0, 0]
    net = outcome.net[0, 0]
    assert net[0] / cost[0] == pytest.approx(12.1034, abs=5e-5)
    assert net[1:].sum() / cost[1:].sum() == pytest.approx(47.889, abs=5e-4)
    one = RoiModel(model.assumptions.model_copy(update={"horizon": 1}))
    assert ladder(one.simulate(1, 8), "base").roi[0] == pytest.approx(12.1034, abs=5e-5)


def test_every_switch_is_a_step_in_order() -> None:
    assert list(LADDER[1:-2]) == list(STEPS)


def test_a_bridge_without_cost_has_values_and_no_ratios() -> None:
    model = RoiModel(assumptions(company(price=effect("price", low=0.01, high=0.03))))
    found = bridge(model.simulate(n_replicates=2, n_draws=64))
    assert found.median_roi.isnull().all()
    assert found["value"].notnull().all()


def test_unknown_scenarios_are_refused(simulation: Simulation) -> None:
    with pytest.raises(UsageError, match=r"Choose a scenario out of .*'base'.* got 'middle'"):
        ladder(simulation, "middle")


def test_the_uniform_programme_is_taken_off_at_every_step() -> None:
    inputs: dict[str, Any] = company(
        volume=effect("volume", low=0.02, high=0.06),
        everywhere=effect("volume", low=0.01, high=0.02, programme="uniform"),
        paid={"role": "running_cost", "unit": "EUR/year", "value": 1.0},
    )
    model = RoiModel(assumptions(inputs, counterfactual="uniform"))
    simulation = model.simulate(n_replicates=2, n_draws=64)
    found = bridge(simulation)
    assert found["value"][-1] == pytest.approx(simulation.outcome().npv.mean())
