"""Numbers of section 7.3 and 5.5, enumeration of every future, the law of total variance."""

from itertools import product

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_chains import CHAIN, NAMES, drawn, filtered, matrix, vector
from softseg.errors import UsageError
from softseg.results.migration.expected import expected
from softseg.results.migration.futures import futures
from softseg.results.migration.present import known, present
from softseg.results.migration.projection import projection

NOW = vector([300.0, 500.0, 200.0, 0.0])
VALUE = vector([1000.0, 400.0, 100.0, 0.0])


def rng(seed=1):
    return np.random.default_rng(seed)


def repeated(n, rows=CHAIN):
    return matrix(np.broadcast_to(rows, (n, *np.shape(rows))), "sample")


def test_closed_and_open_cohorts():
    alone = expected(matrix(CHAIN), NOW, horizon=5)
    np.testing.assert_allclose(alone[-1], [328.25, 296.52, 151.89, 223.34], atol=5e-3)
    np.testing.assert_allclose(alone.sum("state"), 1000.0)
    np.testing.assert_array_equal(alone.sel(horizon=0), NOW)
    new = vector([10.0, 40.0, 20.0, 0.0])
    found = expected(matrix(CHAIN), NOW, horizon=5, inflow=new)
    np.testing.assert_allclose(found[-1], [399.51, 453.29, 235.46, 261.74], atol=5e-3)
    by_horizon = new.expand_dims(horizon=np.arange(1, 6))
    np.testing.assert_allclose(
        expected(matrix(CHAIN), NOW, horizon=5, inflow=by_horizon), found
    )  # fmt: skip


def test_the_present_is_exact():
    found = projection(drawn(rng(), 50), NOW, horizon=0, rng=rng(2), value=VALUE)
    for name in ("mean", "lower", "upper", "parameter_lower", "parameter_upper"):
        np.testing.assert_array_equal(found[f"customers_{name}"][0], NOW)
    assert float(found["money_total_process_variance"][0]) == 0.0
    np.testing.assert_array_equal(found["money_mean"][0], NOW * VALUE)


def test_process_variance_is_multinomial_where_states_are_known():
    """Plug-in: the sum of three binomials; with the 1,200 customers of section 5.5 about 13.9."""
    now = vector([300.0, 500.0, 400.0, 0.0])
    found = projection(repeated(4000), now, horizon=5, rng=rng(), value=VALUE)
    p = np.linalg.matrix_power(CHAIN, 5)[:3, 0]
    variance = (now.values[:3] * p * (1 - p)).sum()
    premium = found.isel(horizon=5, state=0)
    assert float(premium["customers_process_variance"]) == pytest.approx(variance)
    assert np.sqrt(variance) == pytest.approx(13.9, abs=0.3)
    assert float(premium["customers_parameter_variance"]) == pytest.approx(0.0, abs=1e-12)
    half = 1.645 * np.sqrt(variance)
    assert float(premium["customers_upper"] - premium["customers_lower"]) == pytest.approx(
        2 * half, rel=0.06
    )


@pytest.mark.parametrize(
    ("concentration", "parameter", "both"),
    [(20, 117.6, 118.3), (200, 40.2, 43.0), (2000, 13.4, 19.6)],
)
def test_the_published_split(concentration, parameter, both):
    """Section 5.5, sd of the premium count after five periods; Monte Carlo error about 2 %."""
    now = vector([300.0, 500.0, 400.0, 0.0])
    draws = drawn(rng(), 4000, concentration)
    found = projection(draws, now, horizon=5, rng=rng(2)).isel(horizon=5, state=0)
    split = [float(found[f"customers_{n}_variance"]) for n in ("parameter", "process")]
    assert np.sqrt(split[0]) == pytest.approx(parameter, rel=0.05)
    assert np.sqrt(sum(split)) == pytest.approx(both, rel=0.05)


def test_enumeration_of_three_customers_with_unknown_states():
    """Every future of three customers of different size: mean, variance, distribution."""
    members = filtered(rng(3), 1, 3)
    level = xr.DataArray([5.0, 1.0, 0.5], dims="customer")
    path = members.values[0] @ np.linalg.matrix_power(CHAIN, 2)
    outcomes, weights = [], []
    for states in product(range(4), repeat=3):
        outcomes.append((level.values * VALUE.values[list(states)]).sum())
        weights.append(np.prod([path[i, k] for i, k in enumerate(states)]))
    outcomes, weights = np.array(outcomes), np.array(weights)
    mean = (weights * outcomes).sum()
    variance = (weights * (outcomes - mean) ** 2).sum()
    n = 40_000
    many = members.isel(sample=np.zeros(n, dtype=int))
    walked = futures(many, repeated(n), horizon=2, rng=rng(4), level=level)
    found = projection(
        repeated(n), present(many, level), horizon=2, rng=rng(5), value=VALUE, futures=walked
    ).isel(horizon=2)
    assert float(found["money_total_mean"]) == pytest.approx(mean, rel=1e-10)
    assert float(found["money_total_process_variance"]) == pytest.approx(variance, rel=1e-10)
    order = np.argsort(outcomes)
    cumulated = np.cumsum(weights[order])
    upper = outcomes[order][np.searchsorted(cumulated, 0.95)]
    assert float(found["money_total_upper"]) == pytest.approx(upper, rel=0.02)
    simulated = (walked["levels"].isel(horizon=2) * VALUE.values).sum("state")
    assert float(simulated.mean()) == pytest.approx(mean, abs=4 * np.sqrt(variance / n))


def test_blocks_add_up():
    members, draws = filtered(rng(3), 20, 7), drawn(rng(4), 20)
    level = xr.DataArray(np.arange(7.0), dims="customer")
    parts = [slice(0, 3), slice(3, 7)]
    whole = present(members, level)
    first, second = (present(members.isel(customer=p), level.isel(customer=p)) for p in parts)
    xr.testing.assert_allclose(first + second, whole)
    a, b = (futures(members.isel(customer=p), draws, horizon=3, rng=rng(5)) for p in parts)
    np.testing.assert_array_equal((a + b)["customers"].sum("state"), 7.0)
    found = projection(draws, first + second, horizon=3, rng=rng(6), futures=a + b)
    np.testing.assert_allclose(found["customers_mean"].sum("state"), 7.0)


def test_the_law_of_total_variance():
    draws = drawn(rng(), 6000, 60)
    inflow = vector([10.0, 40.0, 20.0, 0.0])
    found = projection(draws, NOW, horizon=4, rng=rng(2), inflow=inflow, value=VALUE)
    assert found.attrs["cohort"] == "open"
    again = expected(draws, NOW, horizon=4, inflow=inflow)
    np.testing.assert_allclose(found["customers_mean"], again.mean("sample"))
    for name in ("customers", "money", "active", "money_total"):
        variance = found[f"{name}_parameter_variance"] + found[f"{name}_process_variance"]
        width = found[f"{name}_upper"] - found[f"{name}_lower"]
        np.testing.assert_allclose(
            width[1:], 2 * 1.645 * np.sqrt(variance)[1:], rtol=0.08, atol=1e-9
        )


def test_arrivals_are_poisson():
    found = projection(repeated(10), 0.0 * NOW, horizon=3, rng=rng(), inflow=NOW / 100)
    np.testing.assert_allclose(found["customers_process_variance"], found["customers_mean"])


def test_a_few_big_customers_widen_the_fan_of_money():
    """One customer with half of all levels: the variance is several times that of equal ones."""
    members, draws = filtered(rng(3), 400, 30), drawn(rng(4), 400, 2000)
    even, uneven = np.ones(30), np.full(30, 15 / 29)
    uneven[0] = 15.0
    widths = []
    for numbers in (even, uneven):
        level = xr.DataArray(numbers, dims="customer")
        walked = futures(members, draws, horizon=3, rng=rng(5), level=level)
        found = projection(draws, present(members, level), horizon=3, rng=rng(6), value=VALUE,
                           futures=walked)  # fmt: skip
        widths.append(float(found["money_total_process_variance"][3]))
    assert widths[1] > 4 * widths[0]


def test_without_churn_nobody_leaves():
    rows = CHAIN[:3, :3] / CHAIN[:3, :3].sum(axis=1, keepdims=True)
    found = projection(drawn(rng(), 30, rows=rows), NOW[:3], horizon=6, rng=rng(2))
    np.testing.assert_allclose(found["active_mean"], 1000.0)
    np.testing.assert_allclose(found["active_process_variance"], 0.0, atol=1e-8)
    np.testing.assert_array_equal(found["active_upper"], 1000.0)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_states_only_change_places_and_nobody_gets_lost(seed, horizon):
    draws, order = drawn(rng(seed), 8, 10.0), [1, 2, 0, 3]
    found = projection(draws, NOW, horizon=horizon, rng=rng(1), value=VALUE)
    np.testing.assert_allclose(found["customers_mean"].sum("state"), 1000.0)
    again = projection(
        draws.isel(state=order, state_to=order), NOW[order], horizon=horizon, rng=rng(1),
        value=VALUE[order],
    )  # fmt: skip
    assert list(again["state"].values) == [NAMES[k] for k in order]
    for name in ("customers_mean", "customers_process_variance", "money_parameter_variance"):
        np.testing.assert_allclose(again[name], found[name].isel(state=order), atol=1e-6)


def test_what_does_not_fit_is_refused_in_words():
    members, draws = filtered(rng(3), 20, 7), drawn(rng(4), 20)
    with pytest.raises(UsageError, match="Give the futures of the same blocks"):
        projection(draws, present(members), horizon=2, rng=rng())
    few = futures(members.isel(customer=slice(0, 5)), draws, horizon=2, rng=rng())
    with pytest.raises(UsageError, match="Give the futures of the same customers"):
        projection(draws, present(members), horizon=2, rng=rng(), futures=few)
    with pytest.raises(UsageError, match="Give probabilities of the states"):
        present(members * 0.9)
    with pytest.raises(UsageError, match="Give one level of at least 0 per customer"):
        present(members, xr.DataArray([1.0], dims="customer"))
    with pytest.raises(UsageError, match="of the same draws"):
        projection(draws, NOW.expand_dims(sample=3), horizon=2, rng=rng())
    alone = xr.DataArray(np.ones((2, 3, 1)), dims=("sample", "customer", "state"))
    with pytest.raises(UsageError, match="Give transitions between at least two states"):
        futures(alone, matrix([[1.0]], names=["one"]), horizon=1, rng=rng())
    assert known(NOW)["pairs"].sizes == {"state": 4, "state_to": 4}
