from dataclasses import replace

import numpy as np
import pytest

from results.worlds import World, world
from softseg.errors import UsageError
from softseg.likelihood.statistics import reduce
from softseg.results.evaluate import Summary
from softseg.results.membership import (
    empty,
    entropy,
    membership,
    membership_dataset,
)
from softseg.tables.table import Table

NUMBERS = ("mean", "lower", "upper", "p_top", "entropy")


def rows_of(table: Table, rows: np.ndarray) -> Table:
    return replace(
        table,
        columns={name: column[rows] for name, column in table.columns.items()},
        exposures={name: column[rows] for name, column in table.exposures.items()},
        values={name: column[rows] for name, column in table.values.items()},
        count=table.count[rows],
        rows=table.rows[rows],
    )


def test_layout_is_as_agreed(mixed: World):
    found = mixed.tree["membership"].to_dataset()
    assert found["mean"].dims == ("customer", "segment")
    np.testing.assert_array_equal(found["customer"], np.arange(80))
    np.testing.assert_array_equal(found["row"], np.arange(1, 81))
    np.testing.assert_allclose(found["mean"].sum("segment"), 1.0, atol=1e-12)
    assert bool((found["lower"] <= found["upper"]).all())
    assert set(np.unique(found["verdict"])) <= {"clear", "ambiguous"}
    assert found.attrs["n_draws"] == 60
    top = found["top"].values
    np.testing.assert_array_equal(top, found["mean"].values.argmax(axis=1) + 1)
    assert bool((found["second"] != found["top"]).all())
    second = np.sort(found["mean"].values, axis=1)[:, -2]
    np.testing.assert_array_equal(
        found["mean"].values[np.arange(80), found["second"].values - 1], second
    )


def test_verdicts_follow_the_bound_of_the_top_and_the_tail():
    mean = np.array([[0.95, 0.05], [0.9, 0.1], [0.4, 0.6], [0.99, 0.01]])
    lower = np.array([[0.80, 0.0], [0.79, 0.0], [0.1, 0.3], [0.9, 0.0]])
    summary = Summary(mean, lower, mean, mean, np.empty((1, 0, 2)), np.empty((1, 0, 2)))
    tail = np.array([0.5, 0.5, np.nan, 0.009])
    found = membership_dataset(summary, np.arange(4), n_used=1, tail_probability=tail)
    expected = ["clear", "ambiguous", "ambiguous", "fits none"]
    assert list(found["verdict"].values) == expected
    assert list(found["top"].values) == [1, 1, 2, 1]


def test_p_top_is_not_the_mean_membership(mixed: World):
    found = mixed.tree["membership"].to_dataset()
    mean_of_top = found["mean"].max("segment")
    assert float(abs(found["p_top"] - mean_of_top).max()) > 0.01
    assert bool(((found["p_top"] >= 0) & (found["p_top"] <= 1)).all())


def test_entropy_runs_from_certainty_to_not_knowing():
    assert entropy(np.array([[1.0, 0.0, 0.0], [1 / 3] * 3])) == pytest.approx([0.0, 1.0])
    assert entropy(np.array([[0.5, 0.5, 0.0]])) == pytest.approx([np.log(2) / np.log(3)])
    assert entropy(np.ones((4, 1))).tolist() == [0.0] * 4


def test_one_segment_is_certain(one_segment: World):
    found = one_segment.tree["membership"].to_dataset()
    assert set(found["verdict"].values) == {"clear"}
    assert set(found["top"].values) == {1}
    assert set(found["second"].values) == {0}
    assert float(found["entropy"].max()) == 0.0
    np.testing.assert_array_equal(found["mean"], 1.0)
    np.testing.assert_array_equal(found["p_top"], 1.0)


def test_a_row_without_any_value_gets_the_shares(mixed: World):
    blank = rows_of(mixed.table, np.array([0, 1]))
    gaps = {name: np.array([np.nan, column[1]]) for name, column in blank.columns.items()}
    found = membership(reduce(replace(blank, columns=gaps)), mixed.values)
    share = mixed.values.share
    np.testing.assert_allclose(found["mean"][0], share.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found["lower"][0], np.quantile(share, 0.05, axis=0), atol=1e-12)


def test_shuffled_rows_keep_their_memberships(mixed: World):
    order = np.random.default_rng(0).permutation(80)
    found = membership(reduce(rows_of(mixed.table, order)), mixed.values)
    for name in NUMBERS:
        expected = mixed.tree["membership"][name].values[order]
        np.testing.assert_allclose(found[name], expected, atol=1e-10)


def test_a_row_twice_and_a_count_of_two_are_the_same(mixed: World):
    twice = membership(reduce(rows_of(mixed.table, np.repeat(np.arange(80), 2))), mixed.values)
    counted = replace(mixed.table, count=np.full(80, 2.0))
    once = membership(reduce(counted), mixed.values)
    np.testing.assert_allclose(twice["mean"].values[::2], once["mean"], atol=1e-12)


def test_permuted_segments_only_change_their_labels(mixed: World):
    order = np.array([2, 0, 1])
    found = membership(mixed.statistics, mixed.values.permuted(order))
    before = mixed.tree["membership"].to_dataset()
    np.testing.assert_allclose(found["mean"], before["mean"].values[:, order], atol=1e-11)
    for name in ("p_top", "entropy"):
        np.testing.assert_allclose(found[name], before[name], atol=1e-11)
    np.testing.assert_array_equal(found["verdict"], before["verdict"])


def test_shuffled_columns_change_nothing(mixed: World):
    names = list(mixed.schema.indicators)[::-1]
    schema = mixed.schema.model_copy(
        update={"indicators": {name: mixed.schema.indicators[name] for name in names}}
    )
    found = membership(reduce(replace(mixed.table, schema=schema)), mixed.values)
    np.testing.assert_allclose(found["mean"], mixed.tree["membership"]["mean"], atol=1e-10)


def test_an_indicator_that_is_equal_everywhere_changes_no_membership(mixed: World):
    inside = dict(mixed.values.indicators)
    inside["amount"] = {
        name: np.repeat(array[:, :1], 3, axis=1) for name, array in inside["amount"].items()
    }
    equal = replace(mixed.values, indicators=inside)
    gaps = dict(mixed.table.columns) | {"amount": np.full(80, np.nan)}
    with_it = membership(mixed.statistics, equal)
    without = membership(reduce(replace(mixed.table, columns=gaps)), equal)
    np.testing.assert_allclose(with_it["mean"], without["mean"], atol=1e-10)


def test_extreme_rows_have_finite_memberships():
    far = world({"amount": "gaussian"}, n=20)
    table = replace(far.table, columns={"amount": np.array([1e12, -1e12, 0.0] + [1.0] * 17)})
    found = membership(reduce(table), far.values)
    assert bool(np.isfinite(found["mean"]).all())
    np.testing.assert_allclose(found["mean"].sum("segment"), 1.0, atol=1e-12)


def test_no_customers_give_an_empty_result_of_the_same_types(mixed: World):
    none = empty(3, n_used=60, segment_names=("a", "b", "c"))
    some = mixed.tree["membership"].to_dataset()
    assert none.sizes == {"customer": 0, "segment": 3}
    for name in some.data_vars:
        assert none[name].dtype == some[name].dtype, name


def test_a_wrong_number_of_tail_probabilities_is_refused(mixed: World):
    with pytest.raises(UsageError, match="Give one tail probability per customer: expected 80"):
        membership(mixed.statistics, mixed.values, tail_probability=np.ones(3))
