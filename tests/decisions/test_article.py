"""The source article's worked example and practice case, audited; see docs/article.md."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from article_ranges import dependent, ranges
from roi_builders import assumptions, company, effect
from softseg.decisions.model.accounting import AS_PUBLISHED, CONTRIBUTION_MARGIN, Switches
from softseg.decisions.model.cashflow import discount_factors, flows

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "article.md").read_text(encoding="utf-8")

BASE = {"uplift": 0.02, "margin": 0.015}
BEST = {"uplift": 0.04, "margin": 0.025}
WORST = {"uplift": 0.01, "margin": 0.008}
BREAK_EVEN = {"uplift": 0.003, "margin": 0.002}
LADDER = (BASE, BEST, WORST, BREAK_EVEN)
MULTIPLICATIVE = 2.2 / 1.9 - 1.0
TO_MARGIN = Switches(margin_on_volume=True, exact_margin=True, savings_once=True)
DISCOUNTED = Switches(True, True, True, discounting=True)
RAMPED = Switches(True, True, True, timing=True, discounting=True)


def example(horizon: int = 5, **settings: Any) -> Any:
    inputs = {
        "revenue": {"role": "revenue", "unit": "EUR/year", "value": 50e6},
        "contribution_margin": {"role": "contribution_margin", "unit": "share", "value": 0.35},
        "discount_rate": {"role": "discount_rate", "unit": "share", "value": 0.08},
        "project": {"role": "one_off_cost", "unit": "EUR", "value": 120e3},
        "first": {"role": "running_cost", "unit": "EUR/year", "value": 25e3,
                  "profile": {"last": 1}},
        "later": {"role": "running_cost", "unit": "EUR/year", "value": 45e3,
                  "profile": {"start": 2}},
        "capacity": {"role": "running_cost", "unit": "EUR/year", "value": 0.0,
                     "published": False},
        "uplift": effect("volume", value=0.02),
        "margin": effect("margin", value=1.5),
        "savings": {"role": "saving", "unit": "EUR/year", "value": 150e3},
        "learning": {"role": "learning", "unit": "share", "value": 0.0,
                     "profile": {"start": 2, "ramp": [1.0]}},
        "more": {"role": "saving", "unit": "EUR/year", "value": 0.0,
                 "profile": {"start": 2, "ramp": [1.0]}},
    }  # fmt: skip
    return assumptions(inputs, horizon=horizon, **settings)


def roi(switches: Switches, horizon: int = 5, ramp: tuple = (1.0,), **values: float) -> float:
    """Return NPV over cost with some inputs set."""
    file = example(horizon, ramp=ramp)
    numbers: dict[str, Any] = {n: e.value for n, e in file.inputs.items()} | BASE | values
    found = flows(file, numbers, switches)
    factors = discount_factors(file, numbers, switches)
    benefit, cost = ((factors * x).sum() for x in (found.benefit, found.cost))
    return float(benefit / cost - 1.0)


@pytest.mark.parametrize(
    ("learning", "base", "best", "worst", "point"),
    [
        ({"more": 300e3}, 31.923, 55.000, 18.846, 8.846),
        ({"learning": MULTIPLICATIVE}, 31.923, 57.915, 17.194, 5.931),
    ],
)
def test_five_years_as_published(learning, base, best, worst, point) -> None:
    found = [roi(AS_PUBLISHED, **learning, **scenario) for scenario in LADDER]
    assert found == pytest.approx([base, best, worst, point], abs=5e-4)
    for number in found[:3]:
        assert f"{number:.1f}" in PAGE


def test_single_years_as_published() -> None:
    assert roi(AS_PUBLISHED, horizon=1) == pytest.approx(12.1034, abs=5e-5)
    later = roi(AS_PUBLISHED, horizon=1, project=0.0, first=45e3, savings=450e3)
    assert later == pytest.approx(47.889, abs=5e-4)
    assert later + 1.0 == pytest.approx(48.889, abs=5e-4)
    assert "47.9" in PAGE
    assert "48.9" in PAGE


@pytest.mark.parametrize(
    ("switches", "settings", "expected"),
    [
        (TO_MARGIN, {"learning": MULTIPLICATIVE}, (20.92, 36.26, 11.63, 4.25)),
        (TO_MARGIN, {"learning": MULTIPLICATIVE, "contribution_margin": 0.3},
         (20.05, 34.52, 11.20, 4.12)),
        (TO_MARGIN, {}, (18.46, 32.08, 10.22, 3.66)),
        (TO_MARGIN, {"savings": 0.0}, (16.15, 29.77, 7.91, 1.35)),
        (DISCOUNTED, {}, (17.55, 30.53, 9.69, 3.44)),
    ],
)  # fmt: skip
def test_ladder_to_the_contribution_margin(switches, settings, expected) -> None:
    found = [roi(switches, **settings, **scenario) for scenario in LADDER]
    assert found == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (11.26, 19.83, 6.06, 1.93)),
        ({"project": 250e3, "first": 57e3, "later": 57e3}, (6.27, 11.36, 3.19, 0.74)),
        ({"project": 250e3, "first": 57e3, "later": 57e3, "capacity": 100e3},
         (2.89, 5.61, 1.24, -0.07)),
    ],
)  # fmt: skip
def test_ladder_with_a_ramp(settings, expected) -> None:
    # The reference scales the finished benefit by the ramp; here the effects themselves ramp, so
    # that half a volume meets half a margin change: 0.3 % less in the year of the half.
    switches = CONTRIBUTION_MARGIN if "capacity" in settings else RAMPED
    found = [roi(switches, ramp=(0.0, 0.5, 1.0), **settings, **scenario) for scenario in LADDER]
    assert found == pytest.approx(expected, rel=4e-3, abs=6e-3)


def test_no_weights_of_the_uplifts_print_all_three_headlines() -> None:
    # Benefit = a · revenue + b · margin + c in million EUR, at a cost of 0.325 million.
    uplifts = np.array([[1.0, 0.75, 1.0], [2.0, 1.25, 1.0], [0.5, 0.4, 1.0]])
    printed = np.array([31.9, 52.8, 18.4])
    low, high = (0.325 * (printed + 1.0 + half) for half in (-0.05, 0.05))
    reach = []
    for which in range(3):
        for sign in (1.0, -1.0):
            aim = sign * np.eye(3)[which]
            limits = {"A_ub": np.vstack([uplifts, -uplifts]), "b_ub": np.append(high, -low)}
            found = linprog(aim, **limits, bounds=[(None, None)] * 3)
            reach.append(found.x[which])
    assert reach == pytest.approx([1.56, 2.11, 9.43, 10.40, 1.35, 1.49], abs=5e-3)
    assert "1.56" in PAGE
    assert "10.4" in PAGE


def test_break_even_has_two_exact_readings() -> None:
    file = example(1)
    numbers: dict[str, Any] = {n: e.value for n, e in file.inputs.items()} | BREAK_EVEN
    numbers |= {"savings": 0.0, "contribution_margin": 0.3}
    whole = flows(file, numbers, AS_PUBLISHED)
    at_margin = flows(file, numbers, Switches(margin_on_volume=True))
    upper_sum_of_one_off_costs = 150e3 + 25e3 + 40e3 + 35e3
    assert whole.benefit.sum() == pytest.approx(upper_sum_of_one_off_costs)
    assert at_margin.benefit.sum() == pytest.approx(at_margin.cost.sum())


def practice_case(premium: float, margin: float, service: float, ebit: float = 0.06) -> float:
    """Return the change of the EBIT margin when revenue is 1, in shares."""
    inputs = company(
        premium={"role": "base", "unit": "EUR/year", "value": premium},
        p=effect("price", value=0.08) | {"base": "premium"},
        v=effect("volume", value=1.28 / 1.08 - 1.0) | {"base": "premium"},
        service={"role": "base", "unit": "EUR/year", "value": service},
        s={"role": "saving", "unit": "share", "value": 0.15, "base": "service"},
    )
    inputs["revenue"]["value"] = 1.0
    inputs["contribution_margin"]["value"] = margin
    file = assumptions(inputs, horizon=1)
    found = flows(file, {n: e.value for n, e in file.inputs.items()})
    profit, revenue = (float(np.ravel(x)[0]) for x in (found.benefit, found.revenue))
    return (ebit + profit) / (1.0 + revenue) - ebit


@pytest.mark.parametrize(
    ("premium", "margin", "service", "points"),
    [(0.2, 0.25, 0.0, 2.35), (0.3, 0.35, 0.0, 3.95), (0.5, 0.35, 0.05, 6.92)],
)
def test_practice_case_adds_up_to_more_than_it_reports(premium, margin, service, points) -> None:
    assert 100.0 * practice_case(premium, margin, service) == pytest.approx(points, abs=5e-3)
    assert f"{points:.1f}" in PAGE


def test_three_point_two_points_need_a_small_premium_segment() -> None:
    shares = np.linspace(0.05, 0.8, 751)
    gains = np.array([practice_case(share, 0.35, 0.0) for share in shares])
    assert shares[np.argmin(np.abs(gains - 0.032))] == pytest.approx(0.238, abs=2e-3)
    assert "24 %" in PAGE


def test_published_ranges_as_a_distribution_against_plain_draws() -> None:
    simulation = ranges().simulate(4, 4096)
    ratio = simulation.outcome("as_published", adjusted=False).roi.ravel()
    rng = np.random.default_rng(11)

    def lognormal(low: float, high: float) -> np.ndarray:
        spread = np.log(high / low) / 3.2897072539029435
        return np.sqrt(low * high) * np.exp(spread * rng.standard_normal(400_000))

    first = 50e6 * (lognormal(0.01, 0.04) + lognormal(0.008, 0.025)) + lognormal(75e3, 300e3)
    benefit = first * (5.0 + 4.0 * lognormal(0.05, 0.3))
    plain = benefit / (lognormal(95e3, 250e3) + 5.0 * lognormal(28e3, 57e3)) - 1.0
    levels = [0.01, 0.05, 0.5, 0.95, 0.99]
    assert np.quantile(ratio, levels) == pytest.approx(np.quantile(plain, levels), rel=0.01)


def test_published_ranges_with_dependence() -> None:
    simulation = dependent().simulate(8, 2048)
    # The reference counts the margin change on the old revenue in both accountings.
    on_old = Switches(margin_on_volume=True, savings_once=True, discounting=True)
    for accounting, quantiles, tail, above in (
        ("as_published", [14.2, 28.5, 57.2], 12.1, [0.85, 0.39, 0.071]),
        (on_old, [8.5, 16.9, 33.2], 7.1, [0.42, 0.06, 0.003]),
    ):
        ratio = simulation.outcome(accounting, adjusted=False).roi.ravel()
        assert np.quantile(ratio, [0.05, 0.5, 0.95]) == pytest.approx(quantiles, rel=0.01)
        assert ratio[ratio <= np.quantile(ratio, 0.05)].mean() == pytest.approx(tail, rel=0.01)
        chances = [(ratio > printed).mean() for printed in (18.4, 31.9, 52.8)]
        assert chances == pytest.approx(above, abs=6e-3)
    exact = simulation.outcome(DISCOUNTED, adjusted=False).roi.ravel()
    assert np.median(exact) == pytest.approx(1.012 * 16.9, rel=0.005)
    uplift, margin = (simulation.draws.values[name] for name in ("uplift", "margin"))
    both = (uplift >= 0.04) & (margin >= 0.025)
    assert both.mean() == pytest.approx(0.012, abs=0.002)
