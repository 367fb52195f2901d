"""The article under strict assumptions: what it is worth to find out first.

Full accounting, a ramp, no learning, sales capacity, half of the effect arriving on average, and a
probability of no effect; the numbers are those of an independent simulation of the same ranges.
"""

import numpy as np
import pytest
from scipy import stats

from article_ranges import dependent
from softseg.decisions.answers.information import information
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import RoiModel, Simulation


def strict(no_effect: float) -> Simulation:
    data = dependent().assumptions.model_dump()
    inputs, dependence = data["inputs"], data["dependence"]
    del inputs["learning"]
    dependence["correlations"] = [
        one for one in dependence["correlations"] if "learning" not in one["between"]
    ]
    middles = (np.arange(1024) + 0.5) / 1024
    arrives = tuple(stats.beta(4.0, 4.0).ppf(middles).tolist())
    inputs["realisation"] = {"role": "realisation", "unit": "share", "samples": arrives}
    inputs["no_effect"] = {"role": "no_effect", "unit": "share", "value": no_effect}
    inputs["capacity"] = {"role": "running_cost", "unit": "EUR/year", "low": 30e3, "high": 125e3}
    # The reference discounts the first year not at all.
    data |= {"ramp": (0.0, 0.5, 1.0), "convention": "year_start"}
    return RoiModel(Assumptions.model_validate(data)).simulate(8, 2048)


def test_a_programme_that_may_fail() -> None:
    simulation = strict(0.25)
    outcome = simulation.outcome()
    roi, npv = outcome.roi.ravel(), outcome.npv.ravel()
    assert np.quantile(roi, [0.05, 0.5, 0.95]) == pytest.approx([-1.0, 1.2, 4.9], abs=0.05)
    assert (npv < 0.0).mean() == pytest.approx(0.28, abs=5e-3)
    assert npv.mean() == pytest.approx(778e3, rel=0.01)
    assert outcome.benefit.mean() / outcome.cost.mean() - 1.0 == pytest.approx(1.24, abs=0.01)


@pytest.mark.parametrize(
    ("uplift", "margin", "median"), [(0.04, 0.025, 3.1), (0.01, 0.008, 0.4), (0.003, 0.002, -0.43)]
)
def test_scenarios_with_all_else_open(uplift: float, margin: float, median: float) -> None:
    outcome = strict(0.25).pinned({"uplift": uplift, "margin": margin}).outcome()
    assert np.median(outcome.roi) == pytest.approx(median, abs=0.05)
    if median < 0.0:
        assert (outcome.npv < 0.0).mean() == pytest.approx(0.84, abs=5e-3)


@pytest.mark.parametrize(
    ("no_effect", "everything", "worth"),
    [
        (0.25, 163e3, {"works": 157e3, "realisation": 7e3}),
        (0.7, 376e3, {"works": 374e3, "realisation": 48e3, "margin": 39e3, "uplift": 31e3,
                      "capacity": 19e3}),
    ],
)  # fmt: skip
def test_buy_a_pilot_and_no_better_cost_estimates(
    no_effect: float, everything: float, worth: dict[str, float]
) -> None:
    found = information(strict(no_effect))
    assert float(found.evpi) == pytest.approx(everything, rel=0.01)
    for name, expected in worth.items():
        assert float(found.evppi.sel(input=name)) == pytest.approx(expected, rel=0.02, abs=500.0)
    if no_effect < 0.5:
        others = [name for name in found.input.values if name not in worth]
        assert float(found.evppi.sel(input=others).max()) < 400.0
