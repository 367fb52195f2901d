"""Slice and Newton steps of one positive parameter: against SciPy, whatever width and start."""

import numpy as np
import pytest
from scipy import special, stats

from softseg.families.positive import (
    GAMMA_MEAN,
    GAMMA_SHAPE,
    NEGATIVE_BINOMIAL_RATE,
    NEGATIVE_BINOMIAL_SHAPE,
    PRIOR_CODES,
    Conditional,
    climb_positive,
    log_prior,
    prior_data,
    slice_positive,
)
from softseg.priors import DISTRIBUTIONS, Prior, for_segments

CHAINS = 300

PRIORS = {
    "Gamma": (Prior("Gamma", alpha=3.0, beta=2.0), stats.gamma(3.0, scale=0.5).cdf),
    "InverseGamma": (Prior("InverseGamma", alpha=4.0, beta=3.0), stats.invgamma(4, scale=3).cdf),
    "LogNormal": (Prior("LogNormal", mu=2.0, sigma=0.7), stats.lognorm(0.7, scale=np.e**2).cdf),
    "HalfNormal": (Prior("HalfNormal", sigma=2.0), stats.halfnorm(scale=2.0).cdf),
    "Exponential": (Prior("Exponential", lam=0.5), stats.expon(scale=2.0).cdf),
    "SqrtInverseGamma": (
        Prior("SqrtInverseGamma", alpha=3.0, beta=2.0),
        lambda x: stats.invgamma(3.0, scale=2.0).cdf(x**2),
    ),
}


def nothing(k: int) -> Conditional:
    """No customers: what is left is the prior."""
    return Conditional(GAMMA_SHAPE, np.zeros(k), np.zeros(k))


def long_run(step, start, sweeps=120, burn=30):
    state, kept = start, []
    for sweep in range(sweeps):
        state = step(state)
        if sweep >= burn:
            kept.append(state)
    return np.stack(kept)


def assert_follows(draws, cdf, n_chains):
    edges = np.linspace(0.1, 0.9, 9)
    by_chain = (cdf(draws)[:, :, None] < edges).mean(0)
    error = by_chain.std(0, ddof=1) / np.sqrt(n_chains)
    assert np.all(np.abs(by_chain.mean(0) - edges) < 4.5 * error)


def test_every_positive_prior_has_a_code():
    positive = {name for name, d in DISTRIBUTIONS.items() if d.support == "positive"}
    assert set(PRIOR_CODES) == positive == set(PRIORS)


@pytest.mark.parametrize("name", sorted(PRIORS))
def test_coded_priors_are_the_priors_up_to_a_constant(name):
    prior = for_segments(PRIORS[name][0], 1)
    codes, first, second = prior_data(prior)
    x = np.array([0.3, 1.0, 2.5, 40.0])
    ours = np.array([log_prior(codes[0], first[0], second[0], value) for value in x])
    theirs = DISTRIBUTIONS[name].log_density(x, **PRIORS[name][0].parameters)
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], atol=1e-12)


@pytest.mark.parametrize("width", [0.2, 2.0, 50.0])
@pytest.mark.parametrize("name", sorted(PRIORS))
def test_long_runs_follow_the_prior_whatever_the_width(rng, name, width):
    prior = for_segments(PRIORS[name][0], CHAINS)
    widths = np.full(CHAINS, width)
    draws = long_run(
        lambda x: slice_positive(rng, nothing(CHAINS), x, widths, prior), np.ones(CHAINS)
    )
    assert_follows(draws, PRIORS[name][1], CHAINS)


def test_an_interval_that_may_not_grow_enough_keeps_the_density(rng):
    """Far narrower than the density: the limit of the growth is shared at random."""
    n = 4000
    prior = for_segments(Prior("LogNormal", mu=0.0, sigma=1.0), n)
    start = np.exp(rng.standard_normal(n))
    draws = long_run(
        lambda x: slice_positive(rng, nothing(n), x, np.full(n, 0.004), prior), start, 12, 8
    )
    logs = np.log(draws)
    error = logs.mean(0).std(ddof=1) / np.sqrt(n)
    assert abs(logs.mean()) < 4.0 * error
    assert np.square(logs).mean() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("width", [0.3, 0.8])
def test_the_interval_lies_at_random_around_the_start(rng, width):
    """Steps out of a steep density are reversible only if the interval is placed at random."""
    n = 3000
    prior = for_segments(Prior("Gamma", alpha=0.3, beta=1.0), n)
    start = np.maximum(rng.gamma(0.3, 1.0, n), 1e-200)
    draws = long_run(
        lambda x: slice_positive(rng, nothing(n), x, np.full(n, width), prior), start, 12, 6
    )
    assert_follows(draws, stats.gamma(0.3).cdf, n)


def test_fixed_segments_stay_and_do_not_disturb(rng):
    priors = [Prior("Fixed", value=5.0), PRIORS["Gamma"][0]]
    prior = for_segments(priors, 2)
    draws = long_run(
        lambda x: slice_positive(rng, nothing(2), x, np.ones(2), prior), np.array([5.0, 1.0]), 800
    )
    assert np.all(draws[:, 0] == 5.0)
    assert draws[:, 1].mean() == pytest.approx(1.5, abs=0.25)


def test_same_generator_same_step():
    prior = for_segments(PRIORS["Gamma"][0], 4)
    first, second = (
        slice_positive(np.random.default_rng(3), nothing(4), np.ones(4), np.ones(4), prior)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_gamma_densities_are_scipys():
    x = np.random.default_rng(1).gamma(3.0, 2.0, 50)
    mean, shapes = 5.0, np.array([0.2, 3.0, 2e4])
    s = (np.log(x / mean) - x / mean + 1.0).sum()
    ours = Conditional(GAMMA_SHAPE, np.full(3, 50.0), np.full(3, s)).at(shapes)
    theirs = np.array([stats.gamma(a, scale=mean / a).logpdf(x).sum() for a in shapes])
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=1e-9)
    means = np.array([2.0, 5.0, 9.0])
    ours = Conditional(GAMMA_MEAN, np.full(3, 3.0 * 50), np.full(3, 3.0 * x.sum())).at(means)
    theirs = np.array([stats.gamma(3.0, scale=m / 3.0).logpdf(x).sum() for m in means])
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=1e-9)


def test_negative_binomial_densities_are_scipys():
    rng = np.random.default_rng(2)
    x, e = rng.poisson(4.0, 40), rng.choice([0.5, 1.0, 2.0], 40)
    values, exposures = np.unique(x[x > 0]), np.unique(e)

    def conditional(kind, other):
        k = len(other)
        return Conditional(
            kind,
            np.zeros(k),
            np.full(k, float(x.sum())),
            other,
            values.astype(float),
            np.tile([(x == v).sum() for v in values], (k, 1)).astype(float),
            exposures,
            np.tile([(e == v).sum() for v in exposures], (k, 1)).astype(float),
            np.tile([x[e == v].sum() for v in exposures], (k, 1)).astype(float),
        )

    def scipys(rate, shape):
        return stats.nbinom(shape, shape / (shape + rate * e)).logpmf(x).sum()

    at = np.array([0.5, 3.0, 20.0])
    ours = conditional(NEGATIVE_BINOMIAL_RATE, np.full(3, 2.0)).at(at)
    theirs = np.array([scipys(r, 2.0) for r in at])
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=1e-10)
    ours = conditional(NEGATIVE_BINOMIAL_SHAPE, np.full(3, 4.0)).at(at)
    theirs = np.array([scipys(4.0, r) for r in at])
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=1e-10)


@pytest.mark.parametrize("start", [1e-6, 1.0, 1e6])
def test_climbs_to_the_top_from_far_away(start):
    prior = for_segments([Prior("Gamma", alpha=3.0, beta=2.0), PRIORS["LogNormal"][0]], 2)
    found = climb_positive(nothing(2), np.full(2, start), prior)
    np.testing.assert_allclose(found, [1.0, np.exp(2.0 - 0.49)], rtol=1e-4)


def test_climbs_to_the_maximum_likelihood_shape():
    """At the maximum log a − ψ(a) = −s/n."""
    n, s = np.array([10.0, 500.0]), np.array([-2.0, -3.0])
    shape = climb_positive(Conditional(GAMMA_SHAPE, n, s), np.ones(2), None)
    np.testing.assert_allclose(np.log(shape) - special.digamma(shape), -s / n, rtol=1e-4)


def test_stops_at_its_bounds_and_never_goes_down(rng):
    conditional = Conditional(GAMMA_SHAPE, np.full(3, 10.0), np.full(3, -1e-6))
    found = climb_positive(conditional, np.ones(3), None, 1e-12, np.array([5.0, 50.0, 1e3]))
    np.testing.assert_allclose(found, [5.0, 50.0, 1e3], rtol=1e-12)
    start = rng.lognormal(0.0, 3.0, 200)
    many = Conditional(GAMMA_SHAPE, rng.gamma(1.0, 50.0, 200), -rng.gamma(1.0, 20.0, 200))
    assert np.all(many.at(climb_positive(many, start, None)) >= many.at(start) - 1e-9)
