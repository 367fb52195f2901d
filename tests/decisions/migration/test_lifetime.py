"""Lifetime values: section 7.3 and 5.4, margins, costs, customers, models without churn."""

import numpy as np
import pytest
import xarray as xr

from migration_chains import CHAIN, drawn, filtered, matrix, vector
from softseg.decisions.migration.lifetime import customer_lifetime, lifetime, lifetime_draws
from softseg.errors import UsageError

VALUE = vector([1000.0, 400.0, 100.0, 0.0]).assign_attrs(unit="EUR a year")


def rng(seed=1):
    return np.random.default_rng(seed)


def one():
    return matrix(CHAIN[None], "sample")


def test_section_7_3():
    found = lifetime(one(), VALUE, discount=0.1)
    np.testing.assert_allclose(found["value_mean"], [6860.18, 3881.18, 1958.29], atol=5e-3)
    five = lifetime(one(), VALUE, discount=0.1, horizon=5)
    np.testing.assert_allclose(five["value_mean"], [3670.61, 1725.14, 645.26], atol=5e-3)
    assert found.attrs["unit"] == "EUR a year"


def test_the_mean_over_draws_is_above_the_plug_in():
    """Section 5.4, rows Dirichlet(20 x row): 7,281 / 4,053 / 2,010, best state 4,712 to 9,844."""
    found = lifetime(drawn(rng(), 20_000, 20), VALUE, discount=0.1)
    np.testing.assert_allclose(found["value_mean"], [7281, 4053, 2010], rtol=0.02)
    assert float(found["value_lower"][0]) == pytest.approx(4712, rel=0.02)
    assert float(found["value_upper"][0]) == pytest.approx(9844, rel=0.02)


def test_margin_and_acquisition_cost():
    draws = drawn(rng(), 20)
    whole = lifetime(draws, VALUE, discount=0.1)
    part = lifetime(draws, VALUE, discount=0.1, margin=0.35, acquisition_cost=500.0)
    np.testing.assert_allclose(part["value_mean"], 0.35 * whole["value_mean"])
    np.testing.assert_allclose(part["new_mean"], 0.35 * whole["value_mean"] - 500.0)
    by_draw = xr.DataArray(np.full(20, 0.35), dims="sample")
    cost = xr.DataArray(np.full(20, 500.0), dims="sample")
    again = lifetime(draws, VALUE, discount=0.1, margin=by_draw, acquisition_cost=cost)
    xr.testing.assert_allclose(again, part)
    by_state = vector([0.35, 0.35, 0.35, 0.0])
    xr.testing.assert_allclose(
        lifetime(draws, VALUE, discount=0.1, margin=by_state, acquisition_cost=500.0), part
    )


def test_customers_add_up_to_the_portfolio():
    draws, members = drawn(rng(), 40), filtered(rng(2), 40, 6)
    level = xr.DataArray(np.arange(6.0), dims="customer")
    worth = lifetime_draws(draws, VALUE, discount=0.1)
    each = customer_lifetime(members, worth, level)
    now = (members * level).sum("customer")
    whole = lifetime(draws, VALUE, discount=0.1, present=now)
    assert float(each["mean"].sum()) == pytest.approx(float(whole["portfolio_mean"]))
    assert each["mean"].dims == ("customer",)
    assert float(each["mean"][0]) == 0.0
    without = customer_lifetime(members.isel(state=slice(0, 3)), worth, level)
    xr.testing.assert_allclose(without, each)


def test_without_churn_the_sum_needs_an_end():
    rows = CHAIN[:3, :3] / CHAIN[:3, :3].sum(axis=1, keepdims=True)
    draws = drawn(rng(), 5, rows=rows)
    same = vector([100.0] * 3, names=None)
    found = lifetime_draws(draws, same, discount=0.25)
    np.testing.assert_allclose(found, 500.0)
    assert found.sizes == {"sample": 5, "state": 3}
    np.testing.assert_allclose(lifetime_draws(draws, same, discount=0.0, horizon=7), 700.0)
    with pytest.raises(UsageError, match="Give a horizon or a discount rate: in a model without"):
        lifetime_draws(draws, same, discount=0.0)


def test_what_does_not_fit_is_refused_in_words():
    draws, members = drawn(rng(), 4), filtered(rng(2), 4, 6)
    worth = lifetime_draws(draws, VALUE, discount=0.1)
    with pytest.raises(UsageError, match="Give churned customers, the last state, the value 0"):
        lifetime(draws, VALUE + 1.0, discount=0.1)
    with pytest.raises(UsageError, match="Give probabilities of the states"):
        customer_lifetime(members.assign_coords(state=list("abcd")), worth)
    with pytest.raises(UsageError, match="Give probabilities and lifetime values of the same"):
        customer_lifetime(members.isel(sample=slice(0, 2)), worth)
