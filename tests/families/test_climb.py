import numpy as np
import pytest
from scipy import optimize

from softseg.families.climb import climb, climb_positive


def test_finds_the_top_of_every_segment():
    top = np.array([-3.0, 0.0, 40.0])
    steep = np.array([0.01, 1.0, 1e6])
    found = climb(lambda u: -steep * np.log(np.cosh(u - top)), np.zeros(3), -100.0, 100.0)
    np.testing.assert_allclose(found, top, atol=1e-5)


@pytest.mark.parametrize("start", [1e-6, 1.0, 1e6])
def test_agrees_with_scipy_from_far_away(start):
    """A density that is convex in its tails, so that Newton alone would run off."""

    def objective(x):
        return 3.0 * np.log(x) - 8.0 * np.log1p(x / 2.0)

    best = optimize.minimize_scalar(lambda x: -objective(x), bounds=(1e-3, 10), method="bounded")
    found = climb_positive(objective, np.array([start]))
    assert found[0] == pytest.approx(best.x, rel=1e-4)


def test_never_goes_down(rng):
    def rugged(u):
        return np.sin(5.0 * u) - 0.1 * u**2

    start = rng.normal(scale=4.0, size=200)
    found = climb(rugged, start, -20.0, 20.0)
    assert np.all(rugged(found) >= rugged(start))


def test_stops_at_its_bounds():
    found = climb(lambda u: u, np.array([0.0, 3.0]), -5.0, np.array([5.0, 2.0]))
    np.testing.assert_array_equal(found, [5.0, 2.0])


def test_stays_where_nothing_is_gained():
    start = np.array([0.3, -2.0])
    np.testing.assert_array_equal(climb(np.zeros_like, start, -5.0, 5.0), start)
