"""Prior densities against SciPy, draws against their densities, segments spelled out."""

import numpy as np
import pytest
from scipy import stats

from softseg.errors import SchemaError
from softseg.priors import DISTRIBUTIONS, Prior, for_segments, log_density

ORACLES = {
    "Normal": (dict(mu=1.0, sigma=2.0), lambda: stats.norm(1.0, 2.0)),
    "HalfNormal": (dict(sigma=2.0), lambda: stats.halfnorm(scale=2.0)),
    "LogNormal": (dict(mu=0.3, sigma=0.5), lambda: stats.lognorm(0.5, scale=np.exp(0.3))),
    "Gamma": (dict(alpha=2.5, beta=3.0), lambda: stats.gamma(2.5, scale=1 / 3.0)),
    "InverseGamma": (dict(alpha=4.0, beta=3.0), lambda: stats.invgamma(4.0, scale=3.0)),
    "Exponential": (dict(lam=2.0), lambda: stats.expon(scale=0.5)),
    "Beta": (dict(alpha=2.0, beta=1.0), lambda: stats.beta(2.0, 1.0)),
}


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_log_density_and_draws_equal_scipys(name: str):
    parameters, oracle = ORACLES[name]
    distribution = oracle()
    draws = DISTRIBUTIONS[name].draw(np.random.default_rng(1), (4000,), **parameters)
    assert stats.kstest(draws, distribution.cdf).pvalue > 1e-3
    density = DISTRIBUTIONS[name].log_density(draws[:50], **parameters)
    np.testing.assert_allclose(density, distribution.logpdf(draws[:50]), rtol=1e-10)


def test_sqrt_inverse_gamma_is_the_root_of_an_inverse_gamma():
    parameters = dict(alpha=3.0, beta=2.0)
    draws = DISTRIBUTIONS["SqrtInverseGamma"].draw(np.random.default_rng(1), (4000,), **parameters)
    assert stats.kstest(draws**2, stats.invgamma(3.0, scale=2.0).cdf).pvalue > 1e-3
    x = np.linspace(0.2, 4.0, 2001)
    density = np.exp(DISTRIBUTIONS["SqrtInverseGamma"].log_density(x, **parameters))
    mass = stats.invgamma(3.0, scale=2.0).cdf(x[[0, -1]] ** 2)
    assert np.trapezoid(density, x) == pytest.approx(mass[1] - mass[0], abs=1e-4)


def test_dirichlet_density_and_draws():
    alpha = np.array([1.0, 2.5, 4.0])
    draws = DISTRIBUTIONS["Dirichlet"].draw(np.random.default_rng(1), (3000, 3), alpha=alpha)
    np.testing.assert_allclose(draws.sum(1), 1.0)
    np.testing.assert_allclose(draws.mean(0), alpha / alpha.sum(), atol=0.01)
    expected = [stats.dirichlet(alpha).logpdf(d) for d in draws[:20]]
    np.testing.assert_allclose(
        DISTRIBUTIONS["Dirichlet"].log_density(draws[:20], alpha=alpha), expected
    )


def test_every_distribution_has_an_oracle():
    assert set(DISTRIBUTIONS) == set(ORACLES) | {"SqrtInverseGamma", "Dirichlet"}


def test_one_prior_serves_all_segments():
    spread = for_segments(Prior("Normal", mu=1.0, sigma=2.0), 3)
    assert spread.exchangeable
    assert spread.all_free
    np.testing.assert_array_equal(spread.parameters["mu"], [1.0, 1.0, 1.0])


def test_some_segments_can_be_fixed():
    priors = [Prior("Fixed", value=5.0), Prior("Normal", mu=1.0, sigma=2.0)]
    spread = for_segments(priors, 2)
    assert spread.name == "Normal"
    assert not spread.exchangeable
    np.testing.assert_array_equal(spread.free, [False, True])
    np.testing.assert_array_equal(spread.hold(np.array([9.0, 9.0])), [5.0, 9.0])
    density = spread.log_density(np.array([5.0, 0.0]))
    np.testing.assert_allclose(density, [0.0, stats.norm(1.0, 2.0).logpdf(0.0)])


def test_segments_may_name_different_distributions():
    priors = [Prior("Gamma", alpha=2.0, beta=1.0), Prior("LogNormal", mu=0.0, sigma=1.0)]
    spread = for_segments(priors, 2)
    assert spread.name == "Mixed"
    values = spread.draw(np.random.default_rng(1))
    expected = [log_density(p, v) for p, v in zip(priors, values, strict=True)]
    np.testing.assert_allclose(spread.log_density(values), expected)


def test_fixed_probabilities_run_over_the_levels():
    spread = for_segments(Prior("Fixed", value=(0.2, 0.8)), 2, n_levels=2)
    assert spread.name == "Fixed"
    np.testing.assert_array_equal(spread.draw(np.random.default_rng(1)), [[0.2, 0.8]] * 2)
    np.testing.assert_array_equal(spread.log_density(np.full((2, 2), 0.5)), [0.0, 0.0])


def test_an_unknown_distribution_names_the_known_ones():
    with pytest.raises(
        SchemaError, match=r"Choose a prior distribution out of .*'Normal'.*'Cauchy'"
    ):
        Prior("Cauchy", alpha=0.0, beta=1.0)


def test_wrong_parameters_name_the_right_ones():
    with pytest.raises(
        SchemaError, match=r"exactly the parameters \['mu', 'sigma'\], got \['sd'\]"
    ):
        Prior("Normal", sd=1.0)


def test_the_number_of_priors_must_be_the_number_of_segments():
    with pytest.raises(SchemaError, match=r"one per segment: expected 3, got 2"):
        for_segments([Prior("Normal", mu=0, sigma=1)] * 2, 3)


def test_priors_read_like_their_code():
    assert repr(Prior("Normal", mu=0, sigma=2)) == 'Prior("Normal", mu=0.0, sigma=2.0)'
