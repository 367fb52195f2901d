"""The break-even frontier against closed forms."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from roi_builders import assumptions, company, effect
from softseg.decisions.answers.frontier import frontier
from softseg.decisions.inputs.schema import Dependence
from softseg.decisions.model.simulate import RoiModel, Simulation
from softseg.errors import UsageError

SD = np.log(4.0) / (2.0 * norm.ppf(0.95))
COST = {"role": "running_cost", "unit": "EUR/year", "low": 0.5, "high": 2.0}


def simulate(n_draws: int = 1024, **inputs: Any) -> Simulation:
    model = RoiModel(assumptions(company(**inputs), horizon=1))
    return model.simulate(n_replicates=8, n_draws=n_draws)


@pytest.fixture(scope="module")
def two() -> Simulation:
    """Uplift and margin points against a lognormal cost; nothing works in 30 % of the draws."""
    return simulate(
        4096,
        uplift=effect("volume", low=0.01, high=0.04),
        points=effect("margin", low=0.5, high=2.0),
        cost=COST,
        no_effect={"role": "no_effect", "unit": "%", "value": 30.0},
    )


def test_the_frontier_of_the_article_is_a_straight_line() -> None:
    example = RoiModel.example().assumptions
    fixed = {"project_cost": 120e3, "running_cost_first": 25e3, "savings": 0.0}
    inputs = {
        name: entry.model_copy(update={"value": fixed[name], "low": None, "high": None})
        if name in fixed else entry
        for name, entry in example.inputs.items()
    }  # fmt: skip
    changed = {"horizon": 1, "inputs": inputs, "dependence": Dependence()}
    one_year = example.model_copy(update=changed)
    simulation = RoiModel(one_year).simulate(n_replicates=2, n_draws=64)
    found = frontier(simulation, "revenue_uplift", "margin_uplift", accounting="as_published")
    assert found.sizes == {"level": 3, "point": 25}
    for line in (*found.y, found.y_centre):
        np.testing.assert_allclose(line + found.x, 0.0029, rtol=1e-12)
    assert found.x[0] == 0.0
    assert found.x[-1] == pytest.approx(0.0029)
    assert found.attrs == {"x": "revenue_uplift", "y": "margin_uplift"}


def test_the_frontier_has_its_closed_form(two: Simulation) -> None:
    found = frontier(two, "uplift", "points", n_points=5, n_draws=4096)
    # 100 (0.4 x + y (1 + x)) = cost
    for level in (0.5, 0.8, 0.95):
        cost = np.exp(SD * norm.ppf(level)) / 100.0
        wanted = np.maximum(cost - 0.4 * found.x, 0.0) / (1.0 + found.x)
        one = found.sel(level=level)
        assert (np.abs(one.y - wanted) <= 5.0 * one.y_error + 3e-3 * cost).all()
    np.testing.assert_allclose(
        found.y_centre, np.maximum(0.01 - 0.4 * found.x, 0.0) / (1.0 + found.x), rtol=1e-9
    )
    assert (found.y.diff("point") <= 0.0).all()
    assert (found.y.diff("level") >= 0.0).all()
    assert found.x[-1] == pytest.approx(np.exp(SD * norm.ppf(0.95)) / 40.0, rel=5e-3)


def test_a_level_above_the_chance_of_success_is_out_of_reach(two: Simulation) -> None:
    found = frontier(two, "uplift", "points", n_points=3, adjusted=True)
    assert np.isfinite(found.y.sel(level=0.5)).all()
    assert np.isinf(found.y.sel(level=0.8)).all()
    assert found.y_error.sel(level=0.8).isnull().all()
    assert np.isfinite(found.y_centre).all()


def test_what_pays_anyway_needs_nothing() -> None:
    simulation = simulate(
        64,
        uplift=effect("volume", value=0.02),
        points=effect("margin", low=0.5, high=2.0),
        none=effect("price", value=0.0),
    )
    found = frontier(simulation, "uplift", "points", n_points=3)
    assert (found.y == 0.0).all()
    assert found.x.values.tolist() == pytest.approx([0.0, 0.01, 0.02])


@pytest.mark.parametrize(
    ("x", "y", "levels", "message"),
    [
        ("cost", "points", (0.5,), r"Choose effects out of \['uplift', 'points'\].*got 'cost'"),
        ("uplift", "uplift", (0.5,), "Choose two different effects .* got 'uplift' twice"),
        ("uplift", "points", (0.5, 1.5), r"Give levels above 0 up to 1, got \[0.5, 1.5\]"),
    ],
)
def test_faults_are_named(two: Simulation, x, y, levels, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        frontier(two, x, y, levels)
