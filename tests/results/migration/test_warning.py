"""The early-warning list: sorted, block by block, its scores those of the enumeration."""

import numpy as np
import pytest
import xarray as xr

from migration_chains import CHAIN, NAMES, ORDER, drawn, filtered, matrix
from softseg.errors import UsageError
from softseg.results.migration.warning import event, warning


def rng(seed=1):
    return np.random.default_rng(seed)


def test_scores_are_those_of_the_outlook_and_sorted():
    members, draws = filtered(rng(), 50, 9), drawn(rng(2), 50, 30)
    found = warning([members], draws, horizon=4)
    by_draw = np.stack([f[:, :3] @ np.linalg.matrix_power(a, 4)[:3, 3]
                        for f, a in zip(members.values, draws.values, strict=True)])  # fmt: skip
    order = np.argsort(-by_draw.mean(axis=0))
    np.testing.assert_array_equal(found["row"], order + 1)
    np.testing.assert_allclose(found["mean"], by_draw.mean(axis=0)[order])
    np.testing.assert_allclose(found["lower"], np.quantile(by_draw, 0.05, axis=0)[order])
    assert found.attrs == {"of": "churn", "horizon": 4, "customers": 9, "left": 0}


def test_blocks_make_one_list():
    members, draws = filtered(rng(), 20, 9), drawn(rng(2), 20)
    parts = [members.isel(customer=slice(0, 4)), members.isel(customer=slice(4, 9))]
    whole = warning([members], draws, horizon=2)
    xr.testing.assert_allclose(warning(parts, draws, horizon=2), whole)
    bare = [part.drop_vars("customer") for part in parts]
    xr.testing.assert_allclose(warning(iter(bare), draws, horizon=2), whole)
    short = warning(parts, draws, horizon=2, most=3)
    xr.testing.assert_identical(short, whole.isel(customer=slice(0, 3)))


def test_downgrade_and_churn_are_told_apart():
    one = matrix(CHAIN[None], "sample")
    falls = event(one, horizon=1, of="downgrade", order=ORDER)
    np.testing.assert_allclose(falls[0], [0.08, 0.05, 0.0, 0.0])
    np.testing.assert_allclose(event(one, horizon=1)[0], CHAIN[:, 3])
    twice = CHAIN @ CHAIN
    falls = event(one, horizon=2, of="downgrade", order=ORDER)
    np.testing.assert_allclose(falls[0], [twice[0, 1] + twice[0, 2], twice[1, 2], 0.0, 0.0])


def test_who_has_churned_for_certain_is_left_out():
    members, draws = filtered(rng(), 20, 4), drawn(rng(2), 20)
    members[:, 2] = [0.0, 0.0, 0.0, 1.0]
    members[:, 3] = [0.1, 0.1, 0.1, 0.7]  # silent: perhaps gone already
    found = warning([members], draws, horizon=2)
    assert 3 not in found["row"]
    assert found.attrs["left"] == 1
    last = found.isel(customer=-1)  # least of all is to be won by going there
    assert int(last["row"]) == 4
    assert float(last["churned"]) == pytest.approx(0.7)
    assert str(last["state"].values) == "churned"
    assert float(last["mean"]) < 0.3


def test_a_model_without_churn_still_warns_of_downgrade():
    rows = CHAIN[:3, :3] / CHAIN[:3, :3].sum(axis=1, keepdims=True)
    draws = drawn(rng(2), 20, rows=rows)
    members = filtered(rng(), 20, 4).isel(state=slice(0, 3))
    found = warning([members], draws, horizon=2, of="downgrade", order=ORDER)
    np.testing.assert_array_equal(found["churned"], 0.0)
    assert set(found["state"].values) <= set(NAMES[:3])
    with pytest.raises(UsageError, match="Fit a model with churn to ask for a warning of churn"):
        warning([members], draws, horizon=2)


def test_what_does_not_fit_is_refused_in_words():
    members, draws = filtered(rng(), 20, 4), drawn(rng(2), 20)
    with pytest.raises(UsageError, match="Give the order of all segments"):
        warning([members], draws, horizon=2, of="downgrade")
    with pytest.raises(UsageError, match="Choose the event out of"):
        warning([members], draws, horizon=2, of="upgrade")
    with pytest.raises(UsageError, match="Give the horizon as a whole number of at least 1"):
        warning([members], draws, horizon=0)
    with pytest.raises(UsageError, match="Give at least one block of customers"):
        warning([], draws, horizon=2)
