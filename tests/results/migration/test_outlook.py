"""Per customer: outlook and update against a brute-force forward pass over all paths."""

from itertools import product

import numpy as np
import pytest
import xarray as xr

from migration_chains import CHAIN, drawn, filtered, matrix
from softseg.errors import UsageError
from softseg.results.migration.advance import advance
from softseg.results.migration.outlook import outlook


def rng(seed=1):
    return np.random.default_rng(seed)


def by_paths(start, matrices, log_densities):
    """Return the filtered probabilities of the last period by summing over every path of states."""
    found = np.zeros(4)
    for path in product(range(4), repeat=len(log_densities)):
        weight = start[path[0]] * np.exp(log_densities[0][path[0]])
        for t in range(1, len(path)):
            weight *= matrices[path[t - 1], path[t]] * np.exp(log_densities[t][path[t]])
        found[path[-1]] += weight
    return found / found.sum(), np.log(found.sum())


def test_one_step_after_the_other_is_the_whole_history_at_once():
    draws = drawn(rng(), 3)
    dims = ("sample", "customer", "state")
    seen = rng(2).normal(size=(5, 3, 1, 4)) * 3.0
    start = np.array([0.5, 0.3, 0.2, 0.0])
    first = start * np.exp(seen[0])
    now = xr.DataArray(first / first.sum(-1, keepdims=True), dims=dims)
    log_density = np.log(first.sum(-1))[:, 0]
    for t in range(1, 5):
        step = advance(now, draws, xr.DataArray(seen[t], dims=dims))
        now = step["filtered"]
        log_density = log_density + step["log_density"].values[:, 0]
    for s in range(3):
        expected, total = by_paths(start, draws.values[s], seen[:, s, 0])
        np.testing.assert_allclose(now.values[s, 0], expected, rtol=1e-12)
        assert log_density[s] == pytest.approx(total, rel=1e-12)


def test_a_period_without_observation_is_a_step_ahead():
    members, draws = filtered(rng(), 6, 4), drawn(rng(2), 6)
    nothing = xr.zeros_like(members)
    step = advance(members, draws, nothing)
    np.testing.assert_allclose(
        step["filtered"].mean("sample"), outlook(members, draws, horizon=1)["mean"]
    )
    np.testing.assert_allclose(step["log_density"], 0.0, atol=1e-12)


def test_densities_far_below_the_smallest_number_are_fine():
    members, draws = filtered(rng(), 2, 3), drawn(rng(2), 2)
    far = xr.zeros_like(members) - 5000.0
    far[..., 3] = -np.inf
    step = advance(members, draws, far)
    np.testing.assert_allclose(step["filtered"].sum("state"), 1.0)
    assert float(step["filtered"][..., 3].max()) == 0.0


def test_no_period_ahead_is_today():
    members = filtered(rng(), 6, 4)
    found = outlook(members, drawn(rng(2), 6), horizon=0)
    np.testing.assert_allclose(found["mean"], members.mean("sample"))
    assert found["mean"].dims == ("customer", "state")


def test_the_outlook_is_that_of_every_draw():
    members, draws = filtered(rng(), 40, 4), drawn(rng(2), 40, 20)
    found = outlook(members, draws, horizon=3)
    by_draw = np.stack([f @ np.linalg.matrix_power(a, 3)
                        for f, a in zip(members.values, draws.values, strict=True)])  # fmt: skip
    np.testing.assert_allclose(found["mean"], by_draw.mean(axis=0))
    np.testing.assert_allclose(found["upper"], np.quantile(by_draw, 0.95, axis=0))
    np.testing.assert_allclose(found["mean"].sum("state"), 1.0)


def test_what_does_not_fit_is_refused_in_words():
    members, draws = filtered(rng(), 6, 4), drawn(rng(2), 6)
    with pytest.raises(UsageError, match="Give probabilities of the states"):
        outlook(members * 2.0, draws, horizon=1)
    with pytest.raises(UsageError, match="Give a log density for every state"):
        advance(members, draws, members * np.nan)
    seen_again = xr.zeros_like(members) - np.inf
    seen_again[..., 0] = 0.0
    churned = xr.zeros_like(members)
    churned[..., 3] = 1.0
    with pytest.raises(UsageError, match="Check the new period"):
        advance(churned, draws, seen_again)
    with pytest.raises(UsageError, match="of the same draws"):
        outlook(members, matrix(CHAIN[None], "sample"), horizon=1)
