"""Occupied segments against enumeration and against published posteriors."""

from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln, logsumexp

from builders import schema_of
from oracles.small_tables import table_of
from softseg.errors import UsageError
from softseg.families.namespace import NUMPY
from softseg.inference.partition_prior import (
    DYNAMIC,
    Concentration,
    beta_negative_binomial,
    exactly,
    log_partition,
    static,
    uniform,
)
from softseg.inference.telescoping import Telescope, check_telescoping, telescope
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify
from softseg.priors import Prior
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, Override, PriorSchema, Schema

ROWS = ["111", "112", "111", "222", "221", "222", "121", "212", "111", "222"]


def ten_rows(n=10):
    """The table of ten rows with three answers whose posterior is enumerated, or its first rows."""
    cells = np.array([[int(c) - 1.0 for c in row] for row in ROWS[:n]])
    entry = {"family": "bernoulli", "levels": ["1", "2"]}
    return table_of(dict.fromkeys("abc", entry), {n: cells[:, j] for j, n in enumerate("abc")})


def mixtures(schema):
    return cache(lambda k: specify(schema, k))


def run(table, log_prior, concentration, *, n_draws=4000, n_chains=2, seed=1, **options):
    return telescope(
        reduce(table), mixtures(table.schema), log_prior=log_prior, concentration=concentration,
        n_draws=n_draws, n_tune=200, rngs=np.random.default_rng(seed).spawn(n_chains), **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("k", "e0", "expected", "pairs"),
    [
        (2, 1.0, (0.049354, 0.950646), (0.707634, 0.262962)),
        (3, 1.0, (0.007808, 0.300773, 0.691420), (0.548100, 0.158134)),
        (3, 0.1, (0.283533, 0.591566, 0.124901), (0.758283, 0.471504)),
    ],
)
def test_enumerated_posteriors_of_ten_rows(k, e0, expected, pairs):
    """Reference values: enumeration of all K^10 partitions, Dirichlet(1) cells."""
    table = ten_rows()
    found = run(table, exactly(k), static(e0), keep_values=True)
    error = np.maximum(found.standard_error(k), 1e-3)
    np.testing.assert_array_less(np.abs(found.probability(k) - expected), 4 * error)
    assert error.max() < 0.02
    assert found.values is not None
    statistics, values = reduce(table), found.values.flattened()
    first, second, fourth = (statistics.pattern_of_row[row] for row in (0, 1, 3))
    draws = np.empty((len(values.share), 2))
    for s in range(len(values.share)):
        one = values.at(s)
        weights = statistics.layout.weights(one.indicators, NUMPY)
        r, _ = memberships(statistics, weights, one.share)
        draws[s] = r[first] @ r[second], r[first] @ r[fourth]
    blocks = draws.reshape(20, -1, 2).mean(axis=1)
    np.testing.assert_array_less(
        np.abs(draws.mean(axis=0) - pairs), 4 * blocks.std(axis=0, ddof=1) / np.sqrt(20)
    )


def enumerate_occupied(n, log_prior, concentration_of):
    """P(K₊) of the first n rows by a sum over all partitions, for a prior of K."""
    cells = np.array([[int(c) - 1 for c in row] for row in ROWS[:n]])
    most = len(log_prior)
    log_p = np.full(most + 1, -np.inf)
    for labels in _partitions(n, most):
        k_plus = max(labels) + 1
        groups = [cells[np.array(labels) == g] for g in range(k_plus)]
        sizes = np.array([float(len(g)) for g in groups])
        ones = np.array([g.sum(axis=0) for g in groups])
        likelihood = (
            gammaln(ones + 1) + gammaln(sizes[:, None] - ones + 1) - gammaln(sizes[:, None] + 2)
        ).sum()
        k = np.arange(k_plus, most + 1)
        prior = log_prior[k_plus - 1 :] + log_partition(sizes, k, concentration_of(k))
        log_p[k_plus] = np.logaddexp(log_p[k_plus], likelihood + logsumexp(prior))
    return np.exp(log_p - logsumexp(log_p))[1:]


def _partitions(n, most):
    def grow(labels, used):
        if len(labels) == n:
            yield labels
            return
        for g in range(min(used + 1, most)):
            yield from grow([*labels, g], max(used, g + 1))

    yield from grow([], 0)


@pytest.mark.parametrize("concentration", [static(0.5), Concentration(True, 1.5)])
def test_unknown_number_of_segments_against_enumeration(concentration):
    log_prior = np.log([0.4, 0.3, 0.2, 0.1])
    expected = enumerate_occupied(
        8, log_prior, lambda k: concentration.at(concentration.start, k.astype(float))
    )
    found = run(ten_rows(8), log_prior, concentration)
    error = np.maximum(found.standard_error(4), 1e-3)
    np.testing.assert_array_less(np.abs(found.probability(4) - expected), 4 * error)


def test_partition_probabilities_add_up_to_one():
    k, e = np.array([5]), np.array([0.7])
    total = sum(
        np.exp(log_partition(np.bincount(labels).astype(float), k, e)[0])
        for labels in _partitions(5, 5)
    )
    assert total == pytest.approx(1.0)


def test_partition_probability_is_that_of_labelled_draws():
    """K = 2, three customers: sum over labellings of the Dirichlet-multinomial."""
    e = 0.3

    def labelled(z):
        n = np.bincount(z, minlength=2)
        return np.exp(gammaln(2 * e) - gammaln(3 + 2 * e) + (gammaln(n + e) - gammaln(e)).sum())

    same = sum(labelled(z) for z in product(range(2), repeat=3) if z[0] == z[1] != z[2])
    found = np.exp(log_partition(np.array([2.0, 1.0]), np.array([2]), np.array([e]))[0])
    assert found == pytest.approx(same)


def test_priors_of_the_number():
    p = np.exp(beta_negative_binomial(4000))
    assert p[0] == pytest.approx(4 / 7)
    assert p.sum() == pytest.approx(1.0, abs=1e-6)
    assert p @ np.arange(4000) == pytest.approx(1.0, abs=0.01)
    assert np.isneginf(exactly(3)[:2]).all()


def test_chains_repeat_and_do_not_depend_on_each_other():
    one = run(ten_rows(), uniform(5), DYNAMIC, n_draws=50)
    two = run(ten_rows(), uniform(5), DYNAMIC, n_draws=50, n_chains=3, cores=2)
    np.testing.assert_array_equal(one.occupied, two.occupied[:2])
    np.testing.assert_array_equal(one.concentration, two.concentration[:2])
    assert one.values is None
    assert np.isfinite(one.rhat)


def test_priors_without_update_are_refused():
    prior = PriorSchema.of(Prior("HalfNormal", sigma=1.0))
    entry = IndicatorSchema(family="gaussian", priors={"sd": prior})
    table = prepare(pd.DataFrame({"x": np.arange(1.0, 31.0)}), Schema(indicators={"x": entry}))
    with pytest.raises(UsageError, match="Use priors with an update"):
        run(table, uniform(3), DYNAMIC)


def test_segments_with_priors_of_their_own_are_refused():
    priors = [PriorSchema.of(Prior("Normal", mu=mu, sigma=1.0)) for mu in (0.0, 9.0)]
    entry = IndicatorSchema(family="gaussian", priors={"mean": priors})
    table = prepare(pd.DataFrame({"x": np.arange(1.0, 31.0)}), Schema(indicators={"x": entry}))
    with pytest.raises(UsageError, match="Give all segments the same priors"):
        check_telescoping(specify(table.schema, 2))


def test_a_prior_that_ends_too_early_is_refused():
    table = ten_rows()
    chain = Telescope(
        reduce(table), mixtures(table.schema), uniform(4), static(1.0), np.random.default_rng(1)
    )
    chain.log_prior = uniform(1)
    sweeps = (chain.log_likelihood_and_sweep() for _ in range(20))
    with pytest.raises(UsageError, match="Allow more segments"):
        list(sweeps)


@pytest.mark.slow
def test_galaxies_with_a_hierarchical_prior(reference_data):
    """Richardson and Green's prior, K ~ U{1, …, 30}, e₀ = 1: bands of the telescope vignette.

    Reference: P(K) and P(K₊) of long chains of telescope 0.2-0, their spread is their error.
    """
    y = pd.read_csv(reference_data("galaxies2.csv"))["velocity_telescope_kkm_s"].to_numpy()
    width, middle = np.ptp(y), (y.max() + y.min()) / 2

    def schema_with(c0):
        priors: dict[str, Override] = {
            "mean": PriorSchema.of(Prior("Normal", mu=middle, sigma=width)),
            "sd": PriorSchema.of(Prior("SqrtInverseGamma", alpha=2.0, beta=c0)),
        }
        return Schema(indicators={"v": IndicatorSchema(family="gaussian", priors=priors)})

    table = prepare(pd.DataFrame({"v": y}), schema_with(1.0))

    def mixture_with(c0):
        entry = table.schema.indicators["v"].model_copy(
            update={"priors": schema_with(c0).indicators["v"].priors}
        )
        return mixtures(table.schema.model_copy(update={"indicators": {"v": entry}}))

    occupied = []
    for rng in np.random.default_rng(5).spawn(4):
        chain = Telescope(reduce(table), mixture_with(1.0), uniform(30), static(1.0), rng)
        for sweep in range(6000):
            chain.log_likelihood_and_sweep()
            sd = chain.values.indicators["v"]["sd"]
            c0 = rng.gamma(0.2 + 2.0 * len(sd), 1.0 / (10.0 / width**2 + (sd**-2.0).sum()))
            chain.mixture_of = mixture_with(c0)
            if sweep >= 1000:
                occupied.append(chain.n_occupied)
    found = np.bincount(occupied, minlength=31)[1:] / len(occupied)
    expected = np.zeros(30)
    expected[2:9] = (0.072, 0.145, 0.239, 0.238, 0.159, 0.085, 0.037)
    assert np.abs(found - expected).max() < 0.06
    assert found.argmax() + 1 in (5, 6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Look at the column")
def test_thyroid_has_three_occupied_segments(reference_data):
    """The telescope vignette finds K₊ = 3 in 314 of 500 draws, quartiles 3, 3, 4.

    Its segments have covariances, ours are locally independent: the number is what both share.
    """
    frame = pd.read_csv(reference_data("thyroid.csv")).drop(columns="Diagnosis")
    table = prepare(frame, schema_of(dict.fromkeys(frame, "gaussian")))
    found = telescope(
        reduce(table), mixtures(table.schema), n_draws=800, n_tune=400,
        rngs=np.random.default_rng(2).spawn(2),
    )  # fmt: skip
    quartiles = np.quantile(found.occupied, (0.25, 0.5, 0.75))
    assert found.mode == 3
    np.testing.assert_array_less(np.abs(quartiles - (3, 3, 4)), 1.01)
