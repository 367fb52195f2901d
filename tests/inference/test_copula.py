"""The proposal: its density is that of its draws, and its marginals are exact where they can be."""

import numpy as np
import pytest
from scipy import integrate, stats

from builders import mixed_table
from inference.test_space import space_of
from models.test_graph import mixed_table as small_table
from oracles.small_tables import table_of
from softseg.inference.copula import BETA, KNOTS, Proposal, powers
from softseg.inference.curvature import Summit, summit
from softseg.inference.modes import find_modes


@pytest.fixture
def rng():
    return np.random.default_rng(51)


@pytest.fixture(scope="module")
def fitted():
    table, _ = mixed_table(200, seed=2)
    space = space_of(table, 2)
    modes = find_modes(space.statistics, space.mixture, rng=np.random.default_rng(1))
    top = summit(space, space.point(space.inside(modes.best.values)))
    return space, top, Proposal.at(space, top)


def test_density_is_that_of_the_draws(fitted, rng):
    """E_q[p/q] = 1 for a normal p inside q, whatever the marginal maps are."""
    _, top, proposal = fitted
    points, density = proposal.draw(rng, 20_000)
    inner = stats.multivariate_normal(top.point, 0.7 * top.covariance)
    ratio = np.exp(inner.logpdf(points) - density)
    error = ratio.std() / np.sqrt(len(ratio))
    assert ratio.mean() == pytest.approx(1.0, abs=5.0 * error)
    assert error < 0.05


def test_latent_numbers_come_back(fitted, rng):
    _, _, proposal = fitted
    z = 3.0 * rng.standard_normal((200, len(proposal.factor)))
    z[0], z[1] = 12.0, -12.0
    points, slope = proposal._mapped(z)
    assert np.all(slope > 0)
    np.testing.assert_allclose(proposal._latent(points), z, atol=1e-9)
    points, density = proposal.draw(rng, 100)
    np.testing.assert_allclose(proposal.log_density(points), density, atol=1e-8)


def test_every_marginal_integrates_to_one():
    """One coordinate of each kind, by quadrature."""
    for power in (BETA, 1.0, -0.5, np.nan):
        proposal = one_dimensional(power, point=0.7, variance=0.2)
        mass, _ = integrate.quad(
            lambda u, p=proposal: float(np.exp(p.log_density(np.array([[u]])))[0]),
            -12.0, 12.0, limit=400, points=[0.7],
        )  # fmt: skip
        assert mass == pytest.approx(1.0, abs=1e-6)


def one_dimensional(power, point, variance):
    from softseg.inference.copula import _maps

    values, slopes = _maps(np.array([power]), np.array([point]), np.array([variance]))
    assert values.shape == (1, KNOTS)
    return Proposal(values, slopes, np.eye(1), 0.0)


def test_conjugate_posteriors_are_met_exactly(rng):
    """One segment: the posterior of probabilities and rates is Beta and Gamma, and so are we."""
    n = 80
    columns = {
        "won": rng.binomial(1, 0.2, n).astype(float),
        "region": rng.integers(3, size=n).astype(float),
        "events": rng.poisson(2.0, n).astype(float),
    }
    indicators = {
        "won": {"family": "bernoulli", "levels": ["no", "yes"]},
        "region": {"family": "categorical", "levels": ["north", "south", "west"]},
        "events": {"family": "poisson"},
    }
    space = space_of(table_of(indicators, columns), 1)
    top = summit(space, np.zeros(space.size))
    proposal = Proposal.at(space, top)
    narrow = Proposal(proposal.values, proposal.slopes, proposal.factor / 1.05, 0.0)
    points, density = narrow.draw(rng, 500)
    ratio = space.log_densities(points)[0] - density
    assert np.ptp(ratio) < 1e-3


def test_kinds_of_marginals_follow_the_parameters(rng):
    space = space_of(small_table(rng), 2)
    found = powers(space)
    assert np.isinf(found[0])  # the share
    kinds = {"mean": np.nan, "sd": -0.5, "rate": 1.0, "probability": np.inf}
    columns = ["mean", "sd", "rate", "probability", "probability", "probability", "probability"]
    for row in space.coordinate:
        for at, name in zip(row, columns, strict=True):
            if at >= 0:
                np.testing.assert_equal(found[at], kinds[name])


def test_flat_directions_fall_back_to_normal_marginals():
    flat = one_dimensional(BETA, point=0.0, variance=1e6)
    normal = one_dimensional(np.nan, point=0.0, variance=1e6)
    np.testing.assert_array_equal(flat.values, normal.values)


def test_mass_is_laplaces():
    top = Summit(np.zeros(3), -5.0, 2.0 * np.eye(3), 3.0 * np.log(2.0), True)
    expected = -5.0 + 1.5 * np.log(2.0 * np.pi * 2.0)
    assert top.log_mass == pytest.approx(expected)
