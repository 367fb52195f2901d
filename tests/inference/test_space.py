"""The unconstrained coordinates: same density as the specification, gradient, there and back."""

import numpy as np
import pytest
from scipy import optimize

from models.test_graph import POSITIVE, REAL, SIMPLEX, UNIT, fixed, log_density, mixed_table
from oracles.small_tables import family_table, table_of
from softseg.families import families
from softseg.inference.space import Space
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import Values, specify

PRIORS = [
    {"margin, EUR": {"mean": prior, "sd": positive}} for prior in REAL for positive in POSITIVE
]
PRIORS += [{"events": {"rate": positive}} for positive in POSITIVE]
PRIORS += [
    {"won": {"probability": UNIT}, "region": {"probability": SIMPLEX}},
    {"won": {"probability": fixed(0.4)}, "region": {"probability": fixed([0.2, 0.3, 0.5])}},
    {"margin, EUR": {"mean": [fixed(1.0), REAL[0]]}},
    {"margin, EUR": {"sd": [POSITIVE[0], POSITIVE[1]]}},
]


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def space_of(table, n_segments):
    statistics, mixture = reduce(table), specify(table.schema, n_segments)
    return Space.of(mixture, statistics)


def jacobian_by_differences(space, point):
    """Log |d free parameters / d point|: the last level of a simplex is not free."""

    def free(u):
        values = space.values(u)
        parts = [values.share[:-1] if space.mixture.fixed_share is None else []]
        for name, priors in space.mixture.priors.items():
            for key, prior in priors.items():
                array = np.asarray(values.indicators[name][key])[prior.free]
                parts.append(array[:, :-1].ravel() if array.ndim == 2 else array)
        return np.concatenate(parts)

    matrix = np.empty((space.size, space.size))
    for j in range(space.size):
        h = 1e-6 * np.eye(space.size)[j]
        matrix[:, j] = (free(point + h) - free(point - h)) / 2e-6
    return np.linalg.slogdet(matrix)[1]


def check(space, rng, tolerance=1e-8):
    point = rng.normal(0.0, 0.7, space.size)
    density, gradient = space.log_posterior(point)
    values = space.values(point)
    expected = log_density(space.mixture, space.statistics, values)
    expected += jacobian_by_differences(space, point)
    assert density == pytest.approx(expected, rel=1e-7, abs=1e-5)
    np.testing.assert_allclose(space.point(values), point, rtol=1e-9, atol=1e-9)
    slope = optimize.approx_fprime(point, lambda u: space.log_posterior(u)[0], 1e-6)
    scale = 1.0 + np.abs(gradient).max()
    np.testing.assert_allclose(gradient / scale, slope / scale, atol=1e-4)
    central = [
        (space.log_posterior(point + h)[0] - space.log_posterior(point - h)[0]) / 2e-4
        for h in 1e-4 * np.eye(space.size)
    ]
    np.testing.assert_allclose(gradient / scale, np.array(central) / scale, atol=1e-6)


@pytest.mark.parametrize("name", list(families()))
@pytest.mark.parametrize("n_segments", [1, 3])
def test_density_and_gradient_of_every_family(name, n_segments, rng):
    check(space_of(family_table(name, rng), n_segments), rng)


@pytest.mark.parametrize("priors", PRIORS, ids=str)
def test_density_and_gradient_under_every_prior(priors, rng):
    check(space_of(mixed_table(rng, priors), 2), rng)


def test_fixed_shares_have_no_coordinates(rng):
    table = mixed_table(rng, share=fixed([0.3, 0.7]))
    free = space_of(mixed_table(rng), 2)
    space = space_of(table, 2)
    assert space.size == free.size - 1
    np.testing.assert_allclose(space.values(np.zeros(space.size)).share, [0.3, 0.7])
    check(space, rng)


def test_size_is_the_number_of_free_parameters(rng):
    space = space_of(mixed_table(rng), 3)
    assert space.size == space.mixture.n_parameters


def test_many_points_at_once_whatever_the_number_of_threads(rng):
    space = space_of(mixed_table(rng), 2)
    points = rng.normal(0.0, 0.5, (150, space.size))
    density, likelihood = space.log_densities(points, cores=1)
    again, _ = space.log_densities(points, cores=2)
    np.testing.assert_array_equal(density, again)
    each = [space.log_posterior(point)[0] for point in points]
    np.testing.assert_allclose(density, each, rtol=1e-12)
    values = space.values(points).at(7)
    expected = log_density(space.mixture, space.statistics, values)
    expected -= space.mixture.log_prior(values)
    assert likelihood[7] == pytest.approx(expected, rel=1e-12)


def test_far_away_points_stay_finite_in_their_parameters(rng):
    space = space_of(mixed_table(rng), 2)
    for far in (-1e4, 1e4):
        share = space.values(np.full(space.size, far)).share
        assert np.all(np.isfinite(share))
        assert share.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("unit", [1e-8, 1e8, 1e12])
@pytest.mark.parametrize("name", ["gaussian", "gamma"])
def test_the_density_follows_the_unit_of_the_data(name, unit, rng):
    """x → unit · x takes N log unit off the log density, to the last digits, at the same point."""
    x = np.concatenate([rng.gamma(9.0, 0.2, 60), rng.gamma(9.0, 1.0, 60)])
    plain, scaled = (
        space_of(table_of({"x": {"family": name}}, {"x": c * x}), 2) for c in (1, unit)
    )
    values = plain.values(rng.normal(0.0, 0.3, plain.size))
    moved = {
        key: array if key == "shape" else unit * array
        for key, array in values.indicators["x"].items()
    }
    there = scaled.point(Values(values.share, {"x": moved}))
    expected = plain.log_posterior(plain.point(values))[0] - len(x) * np.log(unit)
    assert scaled.log_posterior(there)[0] == pytest.approx(expected, abs=2e-3)
