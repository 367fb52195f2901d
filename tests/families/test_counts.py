"""Poisson and negative binomial: exposure, boundaries, the Poisson limit, speed."""

from time import perf_counter

import numpy as np
import pytest
from scipy import optimize, stats

from families.cases import (
    default_priors,
    drawn,
    family_log_density,
    frozen,
    oracle,
    sums_of,
    truth,
)
from softseg.families import family
from softseg.families.base import Observed

POISSON, NEGATIVE_BINOMIAL = family("poisson"), family("negative_binomial")


def start(rate=1.0, shape=1.0):
    return {"rate": np.array([rate]), "shape": np.array([shape])}


def test_rates_are_events_over_exposure():
    observed = frozen(POISSON, Observed(np.array([0.0, 3.0, 9.0]), np.array([1.0, 2.0, 3.0])))
    sums = sums_of(POISSON.encode(observed), np.ones((3, 1)))
    assert POISSON.maximise(sums, start(), None, observed.coding)["rate"][0] == pytest.approx(2.0)
    assert POISSON.default_priors(observed)["rate"].parameters == {"alpha": 1.0, "beta": 0.5}


@pytest.mark.parametrize("member", [POISSON, NEGATIVE_BINOMIAL])
def test_a_segment_without_events_has_a_finite_density(member):
    observed = frozen(member, Observed(np.array([0.0, 0.0, 4.0])))
    weights = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    sums = sums_of(member.encode(observed), weights)
    first = {p.name: np.array([1.0, 1.0]) for p in member.parameters}
    found = member.maximise(sums, first, None, observed.coding)
    density = family_log_density(member, observed, found)
    assert density[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert np.all(np.isfinite(density))
    assert density[2, 0] < -1000.0


def test_maximum_likelihood_is_that_of_a_general_optimiser(rng):
    observed, _ = drawn("negative_binomial", rng, 400)
    sums = sums_of(NEGATIVE_BINOMIAL.encode(observed), np.ones((400, 1)))
    found = NEGATIVE_BINOMIAL.maximise(sums, start(50.0, 30.0), None, observed.coding)

    def loss(u):
        parameters = {"rate": np.exp(u[:1]), "shape": np.exp(u[1:])}
        return -oracle("negative_binomial", observed, parameters).sum()

    best = optimize.minimize(
        loss,
        np.zeros(2),
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 2000},
    )
    np.testing.assert_allclose([found["rate"][0], found["shape"][0]], np.exp(best.x), rtol=1e-4)


@pytest.mark.parametrize("spread", ["poisson", "less than poisson"])
def test_counts_without_overdispersion_end_at_the_ceiling(rng, spread):
    values = rng.poisson(4.0, size=300).astype(float)
    if spread == "less than poisson":
        values = np.repeat([3.0, 4.0, 5.0], 100)
    observed = frozen(NEGATIVE_BINOMIAL, Observed(values))
    sums = sums_of(NEGATIVE_BINOMIAL.encode(observed), np.ones((len(values), 1)))
    found = NEGATIVE_BINOMIAL.maximise(sums, start(), None, observed.coding)
    assert found["rate"][0] == pytest.approx(values.mean(), rel=1e-5)
    likelihood = family_log_density(NEGATIVE_BINOMIAL, observed, found)[:, 0].sum()
    poisson = stats.poisson.logpmf(values, values.mean()).sum()
    assert likelihood >= poisson - 1e-3
    if spread == "less than poisson":
        assert found["shape"][0] == pytest.approx(1e6)


def test_a_huge_shape_is_poisson():
    values = np.arange(0.0, 60.0)
    observed = frozen(NEGATIVE_BINOMIAL, Observed(values))
    density = family_log_density(
        NEGATIVE_BINOMIAL, observed, {"rate": np.full(2, 20.0), "shape": np.full(2, 1e9)}
    )
    exact = stats.poisson.logpmf(values, 20.0)
    np.testing.assert_allclose(density[:, 0], exact, rtol=1e-5, atol=1e-5)


def test_cells_are_the_distinct_pairs():
    values = np.array([2.0, np.nan, 0.0, 2.0, 2.0])
    exposure = np.array([1.0, 1.0, 0.5, 3.0, 1.0])
    block = NEGATIVE_BINOMIAL.encode(Observed(values, exposure))
    assert block.cells.tolist() == [[0.0, 0.5], [2.0, 1.0], [2.0, 3.0]]
    assert block.codes is not None
    assert block.codes.tolist() == [1, -1, 0, 2, 1]


def test_all_missing_has_no_cells(rng):
    observed = frozen(NEGATIVE_BINOMIAL, Observed(np.full(3, np.nan)))
    block = NEGATIVE_BINOMIAL.encode(observed)
    assert block.cells.shape == (0, 2)
    priors = default_priors("negative_binomial", observed, 2)
    sums = sums_of(block, np.ones((3, 2)))
    state = NEGATIVE_BINOMIAL.update(rng, sums, truth("negative_binomial"), priors, observed.coding)
    assert all(np.isfinite(value).all() for value in state.values())


def test_the_step_is_quick(rng):
    """Several thousand sweeps with a count column must fit into a few seconds."""
    observed, segment = drawn("negative_binomial", rng, 20_000)
    weights = (segment[:, None] == np.arange(2)).astype(float)
    sums = sums_of(NEGATIVE_BINOMIAL.encode(observed), weights)
    priors = default_priors("negative_binomial", observed, 2)
    state = truth("negative_binomial")
    best = np.inf
    for _ in range(20):
        began = perf_counter()
        state = NEGATIVE_BINOMIAL.update(rng, sums, state, priors, observed.coding)
        best = min(best, perf_counter() - began)
    assert best < 0.01
