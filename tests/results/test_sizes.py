from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from results.test_evaluate import kernel_memberships
from results.worlds import World, world
from softseg.likelihood.statistics import reduce
from softseg.results.sizes import TOPS, gini, sizes


def customers_memberships(world: World) -> np.ndarray:
    return kernel_memberships(world)[world.statistics.pattern_of_row]


def assert_width(lower, upper, per_draw: np.ndarray, by_lot: np.ndarray) -> None:
    """Intervals hold the draws' spread and, in each draw, that of the customers' lots."""
    sd = np.sqrt(per_draw.var(axis=1) + by_lot.mean(axis=1))
    np.testing.assert_allclose(upper - lower, 2 * 1.645 * sd, rtol=0.3)


def test_sizes_hold_the_parameters_and_the_lots(mixed: World):
    found = mixed.tree["sizes"].to_dataset()
    per_draw = customers_memberships(mixed).sum(axis=0)
    np.testing.assert_allclose(found["customers_mean"], per_draw.mean(axis=1), atol=1e-9)
    members = customers_memberships(mixed)
    by_lot = (members * (1 - members)).sum(axis=0)
    lower, upper = found["customers_lower"].values, found["customers_upper"].values
    assert_width(lower, upper, per_draw, by_lot)
    np.testing.assert_allclose(found["share_upper"], upper / 80)
    assert float(found["customers_mean"].sum()) == pytest.approx(80)


def test_value_of_segments_adds_up_to_the_table(mixed: World):
    found = mixed.tree["sizes"].to_dataset()
    members = customers_memberships(mixed)
    for column in ("profit", "revenue"):
        value = mixed.frame[column].to_numpy()
        per_draw = np.einsum("i,iks->ks", np.nan_to_num(value), members)
        one = found.sel(value=column)
        np.testing.assert_allclose(one["value_mean"], per_draw.mean(axis=1), rtol=1e-9)
        by_lot = np.einsum("i,iks->ks", np.nan_to_num(value) ** 2, members * (1 - members))
        assert_width(one["value_lower"].values, one["value_upper"].values, per_draw, by_lot)
        assert float(one["value_mean"].sum()) == pytest.approx(np.nansum(value))
        assert float(one["value_total"]) == pytest.approx(np.nansum(value))
        assert float(one["value_share_mean"].sum()) == pytest.approx(1.0)
        assert float(one["value_known"]) == pytest.approx(1 - np.isnan(value).mean())


def test_concentration_is_that_of_the_sorted_customers(mixed: World):
    found = mixed.tree["sizes"].to_dataset().sel(value="profit")
    value = np.sort(mixed.frame["profit"].to_numpy())[::-1]
    for top in (0.05, 0.1, 0.15, 0.2, 0.5):
        expected = value[: round(80 * top)].sum() / value.sum()
        assert float(found["concentration"].sel(top=top)) == pytest.approx(expected)
    assert float(found["concentration"].sel(top=1.0)) == pytest.approx(1.0)
    assert float(found["gini"]) == pytest.approx(gini(mixed.frame["profit"].to_numpy()))


def test_which_segments_hold_the_value_of_the_top(mixed: World):
    found = mixed.tree["sizes"].to_dataset().sel(value="profit", top=0.2)
    value = mixed.frame["profit"].to_numpy()
    top = np.argsort(-value)[:16]
    held = np.einsum("i,iks->ks", value[top], customers_memberships(mixed)[top])
    expected = (held / held.sum(axis=0)).mean(axis=1)
    np.testing.assert_allclose(found["concentration_segment_mean"], expected, atol=1e-9)
    whole = mixed.tree["sizes"].to_dataset().sel(value="profit", top=1.0)
    np.testing.assert_allclose(whole["concentration_segment_mean"], whole["value_share_mean"])


def test_shuffled_rows_and_counts_change_no_size(mixed: World):
    order = np.random.default_rng(1).permutation(80)
    rows = np.repeat(order, 2)
    table = replace(
        mixed.table,
        columns={name: column[rows] for name, column in mixed.table.columns.items()},
        exposures={name: column[rows] for name, column in mixed.table.exposures.items()},
        values={name: column[rows] for name, column in mixed.table.values.items()},
        count=np.ones(160),
        rows=np.arange(160),
    )
    counted = replace(mixed.table, count=np.full(80, 2.0))
    first, second = (
        sizes(t, reduce(t), mixed.values, np.random.default_rng(1)) for t in (table, counted)
    )
    for name in first.data_vars:
        by_lot = str(name).endswith(("_lower", "_upper"))
        tolerance = {"rtol": 0.1, "atol": 1.5} if by_lot else {"rtol": 1e-9}
        np.testing.assert_allclose(first[name], second[name], err_msg=name, **tolerance)


def test_without_value_columns_there_are_customers_only():
    plain = world({"amount": "gaussian"}, n=15)
    table = replace(plain.table, values={})
    found = sizes(table, plain.statistics, plain.values, np.random.default_rng(1))
    assert set(found.dims) == {"segment"}
    assert "customers_mean" in found


def test_a_total_of_zero_has_no_shares():
    plain = world({"amount": "gaussian"}, n=15)
    table = replace(plain.table, values={"profit": np.zeros(15), "none": np.full(15, np.nan)})
    found = sizes(table, plain.statistics, plain.values, np.random.default_rng(1))
    assert bool(found["value_share_mean"].isnull().all())
    assert bool(found["concentration"].isnull().all())
    assert bool(found["gini"].isnull().all())
    np.testing.assert_array_equal(found["value_known"], [1.0, 0.0])


def test_ties_at_the_edge_of_the_top_are_shared_evenly():
    plain = world({"amount": "gaussian"}, n=10, missing=0.0)
    table = replace(plain.table, values={"profit": np.ones(10)})
    found = sizes(table, plain.statistics, plain.values, np.random.default_rng(1))
    np.testing.assert_allclose(found["concentration"][0], TOPS)
    for top in TOPS:
        part = found.sel(top=top)
        np.testing.assert_allclose(part["concentration_segment_mean"][0], found["share_mean"])


def test_gini_of_known_cases():
    assert gini(np.ones(7)) == pytest.approx(0.0)
    assert gini(np.array([0.0, 0.0, 0.0, 1.0])) == pytest.approx(0.75)
    assert gini(np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(0.25)
    assert gini(np.array([1.0, 3.0, np.nan]), np.array([2.0, 1.0, 5.0])) == pytest.approx(
        gini(np.array([1.0, 1.0, 3.0]))
    )
    assert np.isnan(gini(np.array([])))


@given(arrays.arrays(float, st.integers(2, 30), elements=st.floats(0.01, 1e6)))
@settings(max_examples=60)
def test_gini_is_half_the_relative_mean_difference(values: np.ndarray):
    difference = np.abs(values[:, None] - values).mean()
    assert gini(values) == pytest.approx(difference / (2 * values.mean()), abs=1e-9)
