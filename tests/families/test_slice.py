import numpy as np
import pytest
from scipy import stats

from softseg.families.slice import positive_slice_step, slice_step

CHAINS = 300


def long_run(step, start, sweeps=120, burn=30):
    state, kept = start, []
    for sweep in range(sweeps):
        state = step(state)
        if sweep >= burn:
            kept.append(state)
    return np.stack(kept)


@pytest.mark.parametrize("width", [0.3, 2.0, 50.0])
@pytest.mark.parametrize("target", ["normal", "skewed", "two bumps"])
def test_long_run_draws_follow_the_density(rng, target, width):
    """Whatever the width: it changes the speed only."""
    density, cdf = {
        "normal": (lambda u: stats.norm.logpdf(u, 3.0, 0.5), stats.norm(3.0, 0.5).cdf),
        "skewed": (lambda u: 2.0 * u - np.exp(u), lambda u: stats.gamma(2.0).cdf(np.exp(u))),
        "two bumps": (
            lambda u: np.logaddexp(stats.norm.logpdf(u, -1.0), stats.norm.logpdf(u, 1.0)),
            lambda u: 0.5 * (stats.norm.cdf(u + 1.0) + stats.norm.cdf(u - 1.0)),
        ),
    }[target]
    start = rng.normal(size=CHAINS) + (3.0 if target == "normal" else 0.0)
    draws = long_run(lambda u: slice_step(rng, density, u, width), start)
    edges = np.linspace(0.1, 0.9, 9)
    by_chain = (cdf(draws)[:, :, None] < edges).mean(0)
    error = by_chain.std(0, ddof=1) / np.sqrt(CHAINS)
    assert np.all(np.abs(by_chain.mean(0) - edges) < 4.5 * error)


def test_positive_step_counts_the_jacobian(rng):
    shapes = np.repeat([0.5, 4.0], CHAINS)
    draws = long_run(
        lambda x: positive_slice_step(rng, lambda x: stats.gamma.logpdf(x, shapes), x, 2.0),
        np.ones(2 * CHAINS),
    )
    by_chain = draws.mean(0).reshape(2, CHAINS)
    error = by_chain.std(1, ddof=1) / np.sqrt(CHAINS)
    assert np.all(np.abs(by_chain.mean(1) - [0.5, 4.0]) < 4.5 * error)


def test_segments_do_not_disturb_each_other(rng):
    """Each has its own density; an inactive one stays where it is."""
    mean = np.array([-100.0, 0.0, 100.0])
    active = np.array([True, True, False])
    start = np.array([-100.0, 0.0, 55.0])
    draws = long_run(
        lambda u: slice_step(rng, lambda u: stats.norm.logpdf(u, mean), u, 1.0, active),
        start,
        sweeps=400,
    )
    assert np.all(draws[:, 2] == 55.0)
    np.testing.assert_allclose(draws.mean(0)[:2], mean[:2], atol=0.3)
    np.testing.assert_allclose(draws.std(0)[:2], 1.0, atol=0.2)


def test_nothing_active_returns_the_start(rng):
    start = np.array([1.0, 2.0])
    state = rng.bit_generator.state
    found = slice_step(rng, lambda u: -u * u, start, 1.0, np.zeros(2, dtype=bool))
    np.testing.assert_array_equal(found, start)
    assert rng.bit_generator.state == state


def test_same_generator_same_step():
    first, second = (
        slice_step(np.random.default_rng(3), lambda u: -u * u, np.zeros(4)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_a_wall_of_zero_density_is_not_crossed(rng):
    def wall(u):
        return np.where(u > 0.0, -u, -np.inf)

    draws = long_run(lambda u: slice_step(rng, wall, u, 5.0), np.ones(50))
    assert draws.min() > 0.0
