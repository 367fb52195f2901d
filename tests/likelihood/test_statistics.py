"""Patterns, counts and layout against plain sums over rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import ALL_FAMILIES, EXPOSURES, mixed_table, schema_of, truth
from softseg.families.namespace import NUMPY
from softseg.likelihood.kernel import expected_statistics, memberships
from softseg.likelihood.statistics import reduce
from softseg.tables.prepare import prepare

VALUES = truth(ALL_FAMILIES, (0.5, 0.3, 0.2))


def _frame(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "answer": rng.choice(["x", "y", "z"], rows),
            "orders": rng.poisson(2.0, rows).astype(float),
            "flag": rng.choice(["no", "yes"], rows),
        }
    )


SCHEMA = schema_of({"answer": "categorical", "orders": "poisson", "flag": "bernoulli"})


def test_equal_rows_become_one_pattern_with_a_count():
    frame = _frame(400, 1)
    statistics = reduce(prepare(frame, SCHEMA))
    expected = frame.value_counts()
    assert statistics.n_patterns == len(expected)
    np.testing.assert_array_equal(np.sort(statistics.count), np.sort(expected.to_numpy()))
    assert statistics.n_customers == 400


def test_every_row_finds_its_own_pattern():
    table, _ = mixed_table(80)
    statistics = reduce(table)
    amount = table.observed("amount")
    own = statistics.dense[0, statistics.pattern_of_row]
    z = (amount.values - amount.coding.centre) / amount.coding.scale
    np.testing.assert_allclose(own, np.where(np.isnan(z), 0.0, z))


@given(seed=st.integers(0, 50))
def test_the_order_of_the_rows_changes_nothing_bit_for_bit(seed: int):
    frame = _frame(60, 3)
    shuffled = frame.sample(frac=1.0, random_state=seed)
    first, second = (reduce(prepare(f, SCHEMA)) for f in (frame, shuffled))
    np.testing.assert_array_equal(first.dense, second.dense)
    np.testing.assert_array_equal(first.codes, second.codes)
    np.testing.assert_array_equal(first.count, second.count)
    np.testing.assert_array_equal(first.log_base, second.log_base)


def test_splitting_gives_back_plain_sums_for_every_indicator():
    table, _ = mixed_table(150)
    statistics = reduce(table)
    layout = statistics.layout
    weights = layout.weights(VALUES.indicators, NUMPY)
    expected = expected_statistics(statistics, weights, VALUES.share)
    sums = layout.split(expected.dense, expected.table, expected.sizes)
    membership, _ = memberships(statistics, weights, VALUES.share)
    rows = membership[statistics.pattern_of_row]
    amount = table.columns["amount"]
    seen = ~np.isnan(amount)
    np.testing.assert_allclose(sums["amount"].measure, rows[seen].sum(0))
    coding = table.observed("amount").coding
    z = (amount[seen] - coding.centre) / coding.scale
    np.testing.assert_allclose(sums["amount"].statistics[:, 0], rows[seen].T @ z)
    orders, years = table.columns["orders"], table.exposures["orders"]
    seen = ~np.isnan(orders)
    np.testing.assert_allclose(sums["orders"].statistics[:, 0], rows[seen].T @ orders[seen])
    np.testing.assert_allclose(sums["orders"].measure, rows[seen].T @ years[seen])
    industry = table.columns["industry"]
    for level in range(3):
        np.testing.assert_allclose(
            sums["industry"].counts[:, level], rows[industry == level].sum(0)
        )


def test_an_all_missing_row_gets_the_shares():
    table, _ = mixed_table(50, missing=0.0)
    frame = pd.DataFrame({name: [np.nan] for name in table.columns} | {"years": [1.0]})
    from softseg.tables.prepare import prepare_new

    statistics = reduce(prepare_new(frame, table.schema)[0])
    weights = statistics.layout.weights(VALUES.indicators, NUMPY)
    membership, log_density = memberships(statistics, weights, VALUES.share)
    np.testing.assert_allclose(membership[0], VALUES.share, atol=1e-12)
    assert log_density[0] == pytest.approx(0.0, abs=1e-12)


def test_weights_take_leading_axes_of_draws():
    table, _ = mixed_table(60)
    layout = reduce(table).layout
    stacked = VALUES.map(lambda values: np.stack([values, values * 1.01]))
    one, two = layout.weights(VALUES.indicators, NUMPY), layout.weights(stacked.indicators, NUMPY)
    np.testing.assert_allclose(two.dense[0], one.dense)
    np.testing.assert_allclose(two.table[0], one.table)
    np.testing.assert_allclose(two.constant[0], one.constant)


def test_exposures_of_the_builders_are_read():
    table, _ = mixed_table(20)
    assert set(table.exposures) == set(EXPOSURES)
