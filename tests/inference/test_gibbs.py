"""Gibbs sampling: reproducible, right on exact posteriors, order-free."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln, logsumexp

from builders import mixed_table, schema_of
from softseg.inference.gibbs import gibbs
from softseg.inference.modes import find_modes
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify
from softseg.tables.prepare import prepare


def chains(table, k, *, seed=1, n_draws=200, n_tune=50, n_chains=2, cores=1, thin=1):
    statistics, mixture = reduce(table), specify(table.schema, k)
    start = mixture.draw_prior(np.random.default_rng(0))
    rngs = np.random.default_rng(seed).spawn(n_chains)
    draws, ends = gibbs(
        statistics,
        mixture,
        [start] * n_chains,
        n_draws=n_draws,
        n_tune=n_tune,
        rngs=rngs,
        cores=cores,
        thin=thin,
    )
    return draws, ends, statistics, mixture, rngs


def assert_same(first, second):
    np.testing.assert_array_equal(first.log_likelihood, second.log_likelihood)
    np.testing.assert_array_equal(first.values.share, second.values.share)
    for name, parameters in first.values.indicators.items():
        for key, values in parameters.items():
            np.testing.assert_array_equal(values, second.values.indicators[name][key])


def test_same_seed_same_draws_whatever_the_cores_and_chains(monkeypatch):
    from softseg.inference import draws as module

    monkeypatch.setattr(module, "WORTH_THREADS", 0)
    table, _ = mixed_table(80)
    one = chains(table, 3, cores=1)[0]
    two = chains(table, 3, cores=2)[0]
    assert_same(one, two)
    more = chains(table, 3, n_chains=3)[0]
    np.testing.assert_array_equal(more.log_likelihood[:2], one.log_likelihood)


def test_shuffled_rows_give_identical_draws():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=60).round(3),
            "n": rng.poisson(3.0, 60),
            "c": rng.choice(list("ab"), 60),
        }
    )
    schema = schema_of({"x": "gaussian", "n": "negative_binomial", "c": "bernoulli"})
    shuffled = frame.sample(frac=1.0, random_state=3)
    first = chains(prepare(frame, schema), 2)[0]
    second = chains(prepare(shuffled, schema), 2)[0]
    assert_same(first, second)


def test_going_on_from_the_ends_equals_one_long_run():
    table, _ = mixed_table(80)
    long = chains(table, 2, n_draws=40, n_tune=0)[0]
    short, ends, statistics, mixture, rngs = chains(table, 2, n_draws=25, n_tune=0)
    rest, _ = gibbs(statistics, mixture, ends, n_draws=15, n_tune=0, rngs=rngs)
    np.testing.assert_array_equal(
        np.concatenate([short.log_likelihood, rest.log_likelihood], axis=1), long.log_likelihood
    )


def test_thinning_keeps_every_so_manyth_draw():
    table, _ = mixed_table(80)
    every = chains(table, 2, n_draws=30, n_tune=0)[0]
    third = chains(table, 2, n_draws=10, n_tune=0, thin=3)[0]
    np.testing.assert_array_equal(third.log_likelihood, every.log_likelihood[:, ::3])


def test_log_likelihood_belongs_to_its_draw():
    from softseg.families.namespace import NUMPY
    from softseg.likelihood.kernel import expected_statistics

    table, _ = mixed_table(60)
    draws, _, statistics, _, _ = chains(table, 2, n_draws=5, n_tune=3)
    for index in np.ndindex(2, 5):
        values = draws.values.at(index)
        weights = statistics.layout.weights(values.indicators, NUMPY)
        expected = expected_statistics(statistics, weights, values.share).log_likelihood
        assert draws.log_likelihood[index] == pytest.approx(expected, rel=1e-12)


# ten rows of three answers, Dirichlet(1) on shares and answers (posterior by enumeration)
ROWS = ["111", "112", "111", "222", "221", "222", "121", "212", "111", "222"]


def exact_occupied(e0: float, k: int) -> tuple[np.ndarray, float, np.ndarray]:
    """Enumerate all assignments: P(number of occupied segments), log evidence, similarity."""
    y = np.array([[int(c) - 1 for c in row] for row in ROWS])
    logs, occupied, together = [], [], []
    for z in product(range(k), repeat=10):
        z = np.array(z)
        n = np.bincount(z, minlength=k)
        lp = gammaln(k * e0) - gammaln(k * e0 + 10) + (gammaln(n + e0) - gammaln(e0)).sum()
        for j in range(3):
            ones = np.bincount(z, weights=y[:, j], minlength=k)
            lp += (gammaln(1 + ones) + gammaln(1 + n - ones) - gammaln(2 + n)).sum()
        logs.append(lp)
        occupied.append((n > 0).sum())
        together.append(z[0] == z[1])
    weight = np.exp(np.array(logs) - logsumexp(logs))
    by_number = np.bincount(occupied, weights=weight, minlength=k + 1)[1:]
    return by_number, float(logsumexp(logs)), float(weight @ np.array(together))


def test_enumeration_meets_the_reference_numbers():
    """Numbers of the reference for K = 2 and e0 = 1: log evidence and P(K+)."""
    by_number, evidence, together = exact_occupied(1.0, 2)
    assert evidence == pytest.approx(-22.477990, abs=1e-6)
    np.testing.assert_allclose(by_number, [0.049354, 0.950646], atol=1e-6)
    assert together == pytest.approx(0.707634, abs=1e-6)


def test_gibbs_meets_the_exact_posterior_of_a_tiny_table():
    """Customers 1 and 2 share a segment with the probability that enumeration gives."""
    from softseg.families.namespace import NUMPY
    from softseg.likelihood.kernel import memberships
    from softseg.tables.schema import PriorSchema

    frame = pd.DataFrame([list(row) for row in ROWS], columns=["a", "b", "c"])
    schema = schema_of(
        dict.fromkeys("abc", "categorical"),
        share=PriorSchema(distribution="Dirichlet", alpha=1.0),
    )
    table = prepare(frame, schema)
    draws, _, statistics, _, _ = chains(table, 2, n_draws=6000, n_tune=200, n_chains=2, seed=4)
    flat = draws.values.flattened()
    together = []
    for i in range(0, len(flat.share), 4):
        one = flat.at(i)
        r, _ = memberships(statistics, statistics.layout.weights(one.indicators, NUMPY), one.share)
        rows = r[statistics.pattern_of_row]
        together.append((rows[0] * rows[1]).sum())
    _, _, exact = exact_occupied(1.0, 2)
    error = np.std(together) / np.sqrt(len(together) / 20)
    assert np.mean(together) == pytest.approx(exact, abs=4 * error)
    assert error < 0.02


def test_one_segment_is_the_closed_form_posterior():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"n": rng.poisson(4.0, 50), "c": rng.choice(list("ab"), 50)})
    table = prepare(frame, schema_of({"n": "poisson", "c": "bernoulli"}))
    draws, *_ = chains(table, 1, n_draws=3000, n_tune=10)
    prior = table.schema.indicators["n"].prior_mapping()["rate"].parameters
    alpha, beta = prior["alpha"] + frame["n"].sum(), prior["beta"] + 50
    rate = draws.values.indicators["n"]["rate"].ravel()
    assert rate.mean() == pytest.approx(alpha / beta, rel=0.01)
    assert rate.std() == pytest.approx(np.sqrt(alpha) / beta, rel=0.05)
    np.testing.assert_array_equal(draws.values.share, 1.0)


def test_fixed_values_stay_where_they_are():
    from softseg.tables.schema import IndicatorSchema, PriorSchema, Schema

    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"x": np.concatenate([rng.normal(-3, 1, 40), rng.normal(3, 1, 40)])})
    fixed = PriorSchema(distribution="Fixed", value=1.0)
    free = PriorSchema(distribution="Normal", mu=3.0, sigma=1.0)
    at = PriorSchema(distribution="Fixed", value=-3.0)
    schema = Schema(
        indicators={
            "x": IndicatorSchema(family="gaussian", priors={"sd": fixed, "mean": [at, free]})
        }
    )
    draws, *_ = chains(prepare(frame, schema), 2)
    np.testing.assert_array_equal(draws.values.indicators["x"]["sd"], 1.0)
    np.testing.assert_array_equal(draws.values.indicators["x"]["mean"][..., 0], -3.0)
    assert draws.values.indicators["x"]["mean"][..., 1].mean() == pytest.approx(3.0, abs=0.5)


def test_starting_at_the_mode_stays_near_it():
    table, segment = mixed_table(200)
    statistics, mixture = reduce(table), specify(table.schema, 3)
    modes = find_modes(statistics, mixture, rng=np.random.default_rng(1), n_starts=5)
    draws, _ = gibbs(
        statistics,
        mixture,
        [modes.best.values],
        n_draws=200,
        n_tune=50,
        rngs=np.random.default_rng(1).spawn(1),
    )
    sizes = np.sort(np.bincount(segment))
    np.testing.assert_allclose(np.sort(200 * draws.values.share.mean((0, 1))), sizes, atol=12)
