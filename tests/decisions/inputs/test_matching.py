"""Ranges are matched at both tails, whatever the family, checked with SciPy's distributions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from softseg.decisions.inputs import matching
from softseg.decisions.inputs.matching import POINTS, RANGES, match

N = 1500
"""Ranges of each family; with seven families more than 10,000."""
SURE = (0.5, 0.8, 0.9, 0.95, 0.99, 0.01, 0.9999)

type Row = tuple[float, float, float, float | None]


def positive(rng: np.random.Generator) -> Row:
    low = 10.0 ** rng.uniform(-9, 9)
    return low, low * (1.0 + 10.0 ** rng.uniform(-4, 3)), rng.choice(SURE[:5]), None


def anywhere(rng: np.random.Generator) -> Row:
    low, high = np.sort(rng.normal(0.0, 10.0 ** rng.uniform(-3, 8), 2))
    return low, high, rng.choice(SURE), None


def share(rng: np.random.Generator) -> Row:
    kind = rng.integers(4)
    if kind == 0:  # ordinary
        low, high = np.sort(rng.uniform(0.001, 0.999, 2))
    elif kind == 1:  # near 0 or 1
        low, high = np.sort(1.0 / (1.0 + np.exp(-rng.normal(0.0, 6.0, 2))))
    elif kind == 2:  # narrow
        centre = rng.uniform(0.001, 0.999)
        half = 10.0 ** rng.uniform(-5, -1) * min(centre, 1.0 - centre)
        low, high = centre - half, centre + half
    else:  # wide
        low, high = 10.0 ** rng.uniform(-9, -1), 1.0 - 10.0 ** rng.uniform(-9, -1)
    return low, high, rng.choice(SURE), None


def three_points(rng: np.random.Generator) -> Row:
    low, likely, high = np.sort(rng.normal(0.0, 10.0 ** rng.uniform(-3, 8), 3))
    likely = (low, high, likely, likely, likely, likely)[rng.integers(6)]
    return low, high, rng.choice(SURE), likely


def between(limits: dict[str, Any]) -> tuple[Any, Any, Any]:
    width = limits["high"] - limits["low"]
    return (limits["likely"] - limits["low"]) / width, limits["low"], width


def scipy_pert(p: dict[str, Any]) -> Any:
    mode, low, width = between(p)
    return stats.beta(1.0 + 4.0 * mode, 5.0 - 4.0 * mode, low, width)


CASES: dict[str, tuple[Callable[[np.random.Generator], Row], Callable[[dict[str, Any]], Any]]] = {
    "normal": (anywhere, lambda p: stats.norm(p["mu"], p["sigma"])),
    "lognormal": (positive, lambda p: stats.lognorm(p["sigma"], scale=np.exp(p["mu"]))),
    "uniform": (anywhere, lambda p: stats.uniform(p["low"], p["high"] - p["low"])),
    "gamma": (positive, lambda p: stats.gamma(p["shape"], scale=p["scale"])),
    "beta": (share, lambda p: stats.beta(p["alpha"], p["beta"])),
    "triangular": (three_points, lambda p: stats.triang(*between(p))),
    "pert": (three_points, scipy_pert),
}


def test_every_family_is_tested():
    assert CASES.keys() == RANGES.keys() | POINTS.keys()


@pytest.mark.parametrize("family", CASES)
def test_random_ranges_are_matched_at_both_tails(family: str):
    make, oracle = CASES[family]
    rng = np.random.default_rng(20_240_607)
    rows = [make(rng) for _ in range(N)]
    found = [match(family, *map(float, row[:3]), likely=row[3]) for row in rows]
    parameters = {name: np.array([each[name] for each in found]) for name in found[0]}
    low, high, sure = np.array([row[:3] for row in rows], dtype=float).T
    distribution = oracle(parameters)
    tail = 0.5 * (1.0 - sure)
    np.testing.assert_allclose(distribution.cdf(low), tail, rtol=0, atol=1e-9)
    np.testing.assert_allclose(distribution.sf(high), tail, rtol=0, atol=1e-9)


@pytest.mark.parametrize("family", ["triangular", "pert"])
def test_the_mode_is_where_it_was_said_to_be(family: str):
    found = match(family, 10.0, 40.0, 0.9, likely=15.0)
    assert found["likely"] == 15.0
    assert found["low"] < 10.0 < 40.0 < found["high"]


@pytest.mark.parametrize("family", ["triangular", "pert"])
def test_certain_ends_are_the_limits(family: str):
    assert match(family, 1.0, 4.0, 1.0, likely=2.0) == {"low": 1.0, "likely": 2.0, "high": 4.0}
    assert match("uniform", 1.0, 4.0, 1.0) == {"low": 1.0, "high": 4.0}


@pytest.mark.parametrize(
    ("low", "high", "alpha", "beta"),
    [
        (0.25, 0.40, 33.66, 70.53),
        (0.15, 0.30, 18.03, 63.51),
        (0.10, 0.20, 19.68, 114.2),
        (0.05, 0.15, 8.56, 81.67),
        (0.30, 0.50, 25.45, 38.47),
        (0.20, 0.35, 25.64, 68.54),
    ],
)
def test_beta_as_printed(low: float, high: float, alpha: float, beta: float):
    found = match("beta", low, high, 0.9)
    assert found["alpha"] == pytest.approx(alpha, rel=5e-4)
    assert found["beta"] == pytest.approx(beta, rel=5e-4)


@pytest.mark.parametrize(
    ("family", "low", "high", "mu", "sigma"),
    [
        ("lognormal", 50_000, 150_000, 11.3691, 0.334),
        ("lognormal", 10_000, 25_000, 9.6685, 0.2785),
        ("lognormal", 20_000, 40_000, 10.2501, 0.2107),
        ("lognormal", 15_000, 35_000, 10.0395, 0.2576),
        ("lognormal", 15_000, 30_000, 9.9624, 0.2107),
        ("lognormal", 5_000, 12_000, 8.9549, 0.2661),
        ("lognormal", 8_000, 15_000, 9.3015, 0.1911),
        ("lognormal", 0.02, 0.05, -3.4539, 0.2785),
        ("lognormal", 0.08, 0.15, -2.2114, 0.1911),
        ("lognormal", 0.12, 0.25, -1.7533, 0.2231),
        ("lognormal", 0.2, 0.35, -1.3296, 0.1701),
        ("lognormal", 0.3, 0.5, -0.9486, 0.1553),
        ("lognormal", 0.25, 0.45, -1.0924, 0.1787),
        ("lognormal", 0.18, 0.28, -1.4939, 0.1343),
        ("lognormal", 2, 5, 1.1513, 0.2785),
        ("lognormal", 0.25, 0.4, -1.1513, 0.1429),
        ("lognormal", 0.01, 0.04, -3.912, 0.4214),
        ("lognormal", 0.008, 0.025, -4.2586, 0.3464),
        ("normal", 20, 35, 27.5, 4.5597),
    ],
)
def test_normal_and_lognormal_as_printed(
    family: str, low: float, high: float, mu: float, sigma: float
):
    found = match(family, low, high, 0.9)
    assert found["mu"] == pytest.approx(mu, abs=6e-5)
    assert found["sigma"] == pytest.approx(sigma, abs=6e-5)


def test_three_points_need_the_mode():
    with pytest.raises(ArithmeticError, match="Give the mode"):
        match("pert", 1.0, 2.0, 0.9)


def test_a_range_too_narrow_for_floating_point_is_refused():
    with pytest.raises(ArithmeticError, match="Widen the bracket"):
        match("gamma", 1.0, 1.0 + 1e-9, 0.9)


def test_newton_gives_up_where_the_slopes_vanish():
    place, error = matching._newton(lambda x: np.zeros_like(x) + 1.0, np.zeros(2))
    assert error == np.inf
    np.testing.assert_array_equal(place, np.zeros(2))
