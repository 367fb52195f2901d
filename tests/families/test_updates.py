"""The Gibbs step of every family draws from the right conditional.

Many segments hold the same customers, so that they are independent chains: the standard error of
a long-run mean is read from the scatter between them, and one call moves them all.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from families.cases import (
    CASES,
    N_SEGMENTS,
    NAMES,
    WIDTH,
    default_priors,
    drawn,
    from_line,
    no_customers,
    oracle,
    prior_density,
    sums_of,
    to_line,
    truth,
)
from softseg.families import family
from softseg.families.base import Observed
from softseg.priors import Prior, for_segments

CHAINS, SWEEPS, BURN = 120, 90, 25
SIGMAS = 4.5

each_family = pytest.mark.parametrize("name", NAMES)


def chains(name, sums, priors, coding, rng, sweeps=SWEEPS):
    """Return draws on unbounded scales, shape (sweep, chain, coordinate)."""
    member = family(name)
    state = {key: prior.draw(rng) for key, prior in priors.items()}
    kept = []
    for sweep in range(BURN + sweeps):
        state = member.update(rng, sums, state, priors, coding)
        if sweep >= BURN:
            kept.append(to_line(member, state))
    return np.stack(kept)


def assert_moments(draws, mean, sd):
    """Compare the first two moments of (sweep, chain, coordinate) with exact ones."""
    for power, exact in ((1, np.zeros_like(mean)), (2, sd**2)):
        by_chain = ((draws - mean) ** power).mean(0)
        error = by_chain.std(0, ddof=1) / np.sqrt(by_chain.shape[0])
        assert np.all(np.abs(by_chain.mean(0) - exact) < SIGMAS * error + 1e-12)


def on_grid(name, observed, priors, draws):
    """Return the exact posterior mean and sd of each coordinate by summing over a grid."""
    member = family(name)
    flat = draws.reshape(-1, draws.shape[-1])
    n_points = {1: 400, 2: 80, 3: 30}[flat.shape[1]]
    centre, spread = flat.mean(0), flat.std(0)
    axes = [
        np.linspace(min(c - 5.0 * s, low - s), max(c + 5.0 * s, high + s), n_points)
        for c, s, low, high in zip(centre, spread, flat.min(0), flat.max(0), strict=True)
    ]
    u = np.array(list(itertools.product(*axes)))
    parameters, log_jacobian = from_line(member, u, len(CASES[name].levels))
    log_weight = log_jacobian + prior_density(priors, parameters)
    log_weight = log_weight + oracle(name, observed, parameters).sum(0)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    box = weight.reshape([n_points] * flat.shape[1])
    for axis in range(box.ndim):
        marginal = np.moveaxis(box, axis, 0).reshape(n_points, -1).sum(1)
        assert max(marginal[0], marginal[-1]) < 1e-4, "the grid is too small"
    mean = weight @ u
    return mean, np.sqrt(weight @ (u - mean) ** 2)


@pytest.mark.parametrize(
    ("name", "which"),
    [(name, "default") for name in NAMES]
    + [(name, "other") for name in NAMES if CASES[name].other],
)
def test_update_targets_the_conditional(name, which, rng):
    member = family(name)
    observed, segment = drawn(name, rng, 24)
    keep = np.flatnonzero(segment == 1)[:9]
    exposure = None if observed.exposure is None else observed.exposure[keep]
    observed = Observed(observed.values[keep], exposure, observed.coding)
    changed = CASES[name].other if which == "other" else {}
    priors = default_priors(name, observed, CHAINS, **changed)
    sums = sums_of(member.encode(observed), np.ones((len(keep), CHAINS)))
    draws = chains(name, sums, priors, observed.coding, rng)
    mean, sd = on_grid(name, observed, default_priors(name, observed, 1, **changed), draws)
    assert_moments(draws, mean, sd)


@each_family
def test_segments_without_customers_draw_from_the_prior(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 40)
    priors = default_priors(name, observed, CHAINS)
    sums = no_customers(member.encode(observed), CHAINS)
    draws = chains(name, sums, priors, observed.coding, rng)
    reference = to_line(
        member,
        {
            key: np.concatenate([prior.draw(rng) for _ in range(400)])
            for key, prior in priors.items()
        },
    )
    assert_moments(draws, reference.mean(0), reference.std(0))


@each_family
def test_the_posterior_recovers_the_truth(name, rng):
    member = family(name)
    observed, segment = drawn(name, rng, 6000)
    observed = replace(observed, coding=replace(observed.coding, width=WIDTH))
    priors = default_priors(name, observed, N_SEGMENTS)
    weights = (segment[:, None] == np.arange(N_SEGMENTS)).astype(float)
    sums = sums_of(member.encode(observed), weights)
    draws = chains(name, sums, priors, observed.coding, rng, sweeps=200)
    mean, sd = draws.mean(0), draws.std(0)
    assert np.all(sd < 0.2)
    assert np.all(np.abs(mean - to_line(member, truth(name))) < 4.5 * sd)


@each_family
def test_same_generator_same_draw(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 50)
    priors = default_priors(name, observed, N_SEGMENTS)
    sums = sums_of(member.encode(observed), np.full((50, N_SEGMENTS), 0.5))
    first, second = (
        member.update(np.random.default_rng(7), sums, truth(name), priors, observed.coding)
        for _ in range(2)
    )
    for key in first:
        np.testing.assert_array_equal(first[key], second[key])


@each_family
def test_each_segment_has_its_own_prior(name, rng):
    """Narrow priors at different places, no customers: draws stand where each prior stands."""
    member = family(name)
    observed, _ = drawn(name, rng, 30)
    narrow = {}
    for p in member.parameters:
        kind = p.updates[0] if p.updates else "LogNormal"
        places = truth(name)[p.name]
        given = [_narrow(kind, place) for place in places]
        narrow[p.name] = for_segments(
            given, N_SEGMENTS, len(CASES[name].levels) if p.per_level else None
        )
        assert not narrow[p.name].exchangeable
    sums = no_customers(member.encode(observed), N_SEGMENTS)
    state = member.update(rng, sums, truth(name), narrow, observed.coding)
    mode = member.maximise(sums, truth(name), narrow, observed.coding)
    for key, place in truth(name).items():
        np.testing.assert_allclose(state[key], place, rtol=0.05)
        np.testing.assert_allclose(mode[key], place, rtol=0.01)


def _narrow(kind, place):
    many = 1e5
    return {
        "Normal": lambda: Prior("Normal", mu=place, sigma=1e-3),
        "SqrtInverseGamma": lambda: Prior("SqrtInverseGamma", alpha=many, beta=many * place**2),
        "InverseGamma": lambda: Prior("InverseGamma", alpha=many, beta=many * place),
        "Gamma": lambda: Prior("Gamma", alpha=many, beta=many / place),
        "LogNormal": lambda: Prior("LogNormal", mu=np.log(place), sigma=1e-3),
        "Beta": lambda: Prior("Beta", alpha=many * place, beta=many * (1.0 - place)),
        "Dirichlet": lambda: Prior("Dirichlet", alpha=tuple(many * place)),
    }[kind]()
