"""The curvature is that of the density, and Newton ends where the gradient is 0."""

import numpy as np
import pytest

from inference.test_space import space_of
from models.test_graph import fixed, mixed_table
from oracles.small_tables import family_table
from softseg.families import families
from softseg.inference.curvature import curvature, summit
from softseg.inference.modes import find_modes


@pytest.fixture
def rng():
    return np.random.default_rng(41)


def by_differences(space, point, h=1e-5):
    columns = [
        (space.log_posterior(point + step)[1] - space.log_posterior(point - step)[1]) / (2.0 * h)
        for step in h * np.eye(space.size)
    ]
    return np.stack(columns)


def check(space, rng):
    point = rng.normal(0.0, 0.6, space.size)
    expected = by_differences(space, point)
    scale = 1.0 + np.abs(expected).max()
    np.testing.assert_allclose(curvature(space, point) / scale, expected / scale, atol=1e-6)


@pytest.mark.parametrize("name", list(families()))
@pytest.mark.parametrize("n_segments", [1, 3])
def test_curvature_of_every_family(name, n_segments, rng):
    check(space_of(family_table(name, rng), n_segments), rng)


@pytest.mark.parametrize(
    "schema",
    [{}, {"share": fixed([0.3, 0.7])}],
    ids=["free shares", "fixed shares"],
)
def test_curvature_of_mixed_families_with_gaps(schema, rng):
    check(space_of(mixed_table(rng, n=60, **schema), 2), rng)


def test_curvature_with_fixed_parameters(rng):
    held = {"won": {"probability": fixed(0.4)}, "events": {"rate": [fixed(1.0), fixed(2.0)]}}
    check(space_of(mixed_table(rng, held), 2), rng)


def test_curvature_does_not_depend_on_the_number_of_threads(rng):
    space = space_of(mixed_table(rng, n=2500), 2)
    point = rng.normal(0.0, 0.3, space.size)
    np.testing.assert_array_equal(curvature(space, point, 1), curvature(space, point, 2))


def test_newton_finishes_what_em_began(rng):
    space = space_of(mixed_table(rng, n=300), 2)
    modes = find_modes(space.statistics, space.mixture, rng=rng)
    top = summit(space, space.point(modes.best.values))
    assert top.regular
    height, gradient = space.log_posterior(top.point)
    assert height == pytest.approx(top.height)
    assert gradient @ top.covariance @ gradient < 2e-6
    np.testing.assert_allclose(
        top.covariance @ -by_differences(space, top.point), np.eye(space.size), atol=1e-4
    )


def test_a_saddle_is_no_regular_mode(rng):
    """Two equal segments are a stationary point, but not a maximum."""
    space = space_of(mixed_table(rng, n=300), 2)
    values = space.values(np.zeros(space.size))
    same = values.map(lambda x: np.broadcast_to(x.mean(axis=0), x.shape).copy())
    top = summit(space, space.point(same))
    assert not top.regular or top.height > space.log_posterior(space.point(same))[0]
