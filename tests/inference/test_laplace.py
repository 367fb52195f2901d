"""Importance sampling at the modes: same posterior as Gibbs, exact evidence, verdicts."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import gammaln

from builders import mixed_table
from inference.test_space import space_of
from oracles.small_tables import table_of
from softseg.inference.diagnose import mixing, quantities
from softseg.inference.laplace import (
    Importance,
    laplace,
    resampled,
    sample_importance,
    summits,
    systematic,
)
from softseg.inference.sample import sample


@pytest.fixture
def rng():
    return np.random.default_rng(61)


def test_same_posterior_as_gibbs():
    table, _ = mixed_table(300, seed=4)
    space = space_of(table, 2)
    s, mixture = space.statistics, space.mixture
    ours = sample(s, mixture, method="laplace", rng=np.random.default_rng(1))
    theirs = sample(s, mixture, method="gibbs", n_draws=2000, rng=np.random.default_rng(2))
    assert ours.diagnosis.status == theirs.diagnosis.status == "good"
    names, mine = quantities(ours.draws.values, ours.draws.log_likelihood)
    _, other = quantities(theirs.draws.values, theirs.draws.log_likelihood)
    ess = np.minimum(mixing(other)["ess_bulk"], 1e9)
    importance = ours.draws.sample_stats["importance_ess"][0, 0]
    for j, name in enumerate(names):
        one, two = mine[..., j].ravel(), other[..., j].ravel()
        error = two.std() * np.sqrt(1.0 / ess[j] + 1.0 / importance)
        assert abs(one.mean() - two.mean()) < 4.5 * error, name
        assert one.std() == pytest.approx(two.std(), rel=0.15), name


def test_evidence_of_one_segment_is_the_closed_form(rng):
    """Dirichlet-multinomial: log B(α + n) − log B(α), column by column."""
    levels = ("a", "b", "c")
    columns = {f"q{j}": rng.integers(3, size=60).astype(float) for j in range(4)}
    indicators = {name: {"family": "categorical", "levels": levels} for name in columns}
    space = space_of(table_of(indicators, columns), 1)
    tops = summits(space, [space.values(np.zeros(space.size))])
    found = sample_importance(space, tops, rng=rng)
    exact = 0.0
    for column in columns.values():
        n = np.bincount(column.astype(int), minlength=3)
        exact += gammaln(3.0) + gammaln(1.0 + n).sum() - gammaln(3.0 + n.sum())
    assert found.log_evidence == pytest.approx(exact, abs=4.0 * found.log_evidence_error + 1e-6)
    assert found.log_evidence_error < 0.02
    assert found.stands


def test_draws_do_not_depend_on_threads_and_follow_the_seed(rng):
    table, _ = mixed_table(120, seed=3)
    space = space_of(table, 2)
    start = [space.values(np.zeros(space.size))]
    runs = [
        laplace(space, start, n_draws=50, n_chains=2, rng=np.random.default_rng(9), cores=cores)[0]
        for cores in (1, 2)
    ]
    np.testing.assert_array_equal(runs[0].values.share, runs[1].values.share)
    assert runs[0].values.share.shape == (2, 50, 2)
    assert runs[0].method == "laplace"


def test_the_same_mode_twice_is_one(rng):
    table, _ = mixed_table(200, seed=2)
    space = space_of(table, 2)
    values = space.values(rng.normal(0.0, 0.1, space.size))
    assert len(summits(space, [values, values])) == 1


def test_more_draws_are_made_only_where_fewer_do_not_pass(rng):
    table, _ = mixed_table(300, seed=4)
    space = space_of(table, 2)
    starts = [space.values(np.zeros(space.size))]
    tops = summits(space, starts)
    few = sample_importance(space, tops, rng=np.random.default_rng(1), batches=(1000, 4000))
    assert len(few.points) == (1000 if few.stands else 4000)
    all_ = sample_importance(space, tops, rng=np.random.default_rng(1), batches=(4000,))
    assert len(all_.points) == 4000


def test_a_bad_proposal_does_not_stand(rng):
    """A proposal a tenth as wide as the posterior must be told by its weights."""
    table, _ = mixed_table(200, seed=2)
    space = space_of(table, 2)
    top = summits(space, [space.values(np.zeros(space.size))])[0]
    narrow = type(top)(top.point, top.height, 0.01 * top.covariance, 0.0, True)
    found = sample_importance(space, [narrow], rng=rng)
    assert not found.stands


def test_systematic_resampling_takes_each_in_proportion(rng):
    weights = rng.dirichlet(np.ones(50))
    taken = np.bincount(systematic(rng, weights, 1000), minlength=50)
    assert np.all(np.abs(taken - 1000.0 * weights) < 1.0)


@pytest.mark.parametrize("n", [300, 1000])
def test_the_worth_of_plain_draws_is_that_of_their_means(rng, n):
    """Weights times values that do not depend on them: the mean's variance is 1/worth.

    Both losses are in it, the weights' and that of taking; 1/(1/ess + 1/n) is too pessimistic.
    """
    weights = rng.gamma(2.0, size=1000)
    weights /= weights.sum()
    values = rng.standard_normal((4000, 1000))
    means = np.array([row[systematic(rng, weights, n)].mean() for row in values])
    ess = 1.0 / np.square(weights).sum()
    log_weights, nothing = np.log(weights), np.empty(0)
    found = Importance(values.T, log_weights, nothing, 0.2, nothing, ess, 0.0, 0.1)
    assert found.worth(n) == pytest.approx(1.0 / means.var(), rel=0.1)
    assert found.worth(n) > 1.1 / (1.0 / ess + 1.0 / n)
    assert found.worth(n) <= min(ess, n) * (1.0 + 1e-9)


def test_resampled_draws_know_their_copies(rng):
    table, _ = mixed_table(200, seed=2)
    space = space_of(table, 2)
    tops = summits(space, [space.values(np.zeros(space.size))])
    found = sample_importance(space, tops, rng=rng)
    draws = resampled(space, found, rng, 4, 1000)
    times = np.unique(draws.log_likelihood, return_counts=True)[1]
    ess = 4000.0**2 / np.square(times).sum()
    assert draws.sample_stats["importance_ess"] == pytest.approx(ess)
    assert ess == pytest.approx(found.worth(4000), rel=0.02)
    assert draws.copies == pytest.approx(1.0 / ess - 1.0 / 4000.0)


def test_resampled_draws_keep_their_log_likelihood(rng):
    table, _ = mixed_table(200, seed=2)
    space = space_of(table, 2)
    tops = summits(space, [space.values(np.zeros(space.size))])
    found = sample_importance(space, tops, rng=rng)
    draws = resampled(space, found, rng, 2, 10)
    point = space.point(draws.values.at((1, 7)))
    _, likelihood = space.log_densities(point[None, :])
    assert draws.log_likelihood[1, 7] == pytest.approx(likelihood[0], rel=1e-9)


def test_an_irregular_mode_pushes_no_regular_one_out(rng, monkeypatch):
    """Where a direction is flat the determinant is arbitrary, and with it the mass."""
    table, _ = mixed_table(200, seed=2)
    space = space_of(table, 2)
    top = summits(space, [space.values(np.zeros(space.size))])[0]
    top = replace(top, regular=True)
    flat = replace(top, point=top.point + 5.0, log_determinant=1e3, regular=False)
    found = iter([top, flat])
    monkeypatch.setattr("softseg.inference.laplace.summit", lambda *_: next(found))
    kept = summits(space, [space.values(np.zeros(space.size))] * 2)
    assert len(kept) == 2
    assert kept[0].regular
    assert kept[1].log_mass == pytest.approx(top.log_mass)


@pytest.mark.parametrize(("whole", "parts"), [(0.2, [0.1, np.nan]), (np.nan, [0.1, 0.2])])
def test_a_tail_that_cannot_be_fitted_does_not_stand(whole, parts):
    nothing = np.empty(0)
    found = Importance(nothing, nothing, nothing, whole, np.array(parts), 4000.0, 0.0, 0.1)
    assert np.isnan(found.tail)
    assert not found.stands
