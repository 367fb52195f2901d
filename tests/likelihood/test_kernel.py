"""The kernel against brute force: enumeration of all segments, SciPy, and finite differences."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.special import logsumexp

from builders import ALL_FAMILIES, mixed_table, truth
from softseg.families import family
from softseg.families.namespace import NUMPY
from softseg.likelihood import kernel
from softseg.likelihood.block import BLOCK
from softseg.likelihood.joined import join
from softseg.likelihood.kernel import expected_statistics, memberships, sampled_statistics
from softseg.likelihood.statistics import reduce

VALUES = truth(ALL_FAMILIES, (0.5, 0.3, 0.2))


def log_joint(table, values) -> np.ndarray:
    """Log share plus log density of each row and segment, indicator by indicator."""
    n, k = table.n_customers, len(values.share)
    joint = np.tile(np.log(values.share), (n, 1))
    for name in table.columns:
        observed = table.observed(name)
        entry = family(table.schema.indicators[name].family)
        block = entry.encode(observed)
        for segment in range(k):
            one = {key: v[segment : segment + 1] for key, v in values.indicators[name].items()}
            density = block.log_base.copy()
            if block.measure is not None:
                eta = np.stack(entry.natural(one, observed.coding, NUMPY))[:, 0]
                density += block.statistics.T @ eta
                density -= block.measure * entry.log_partition(one, observed.coding, NUMPY)[0]
            if block.codes is not None:
                logs = entry.log_table(one, block.cells, observed.coding, NUMPY)[0]
                density += np.where(block.codes >= 0, logs[block.codes], 0.0)
            joint[:, segment] += density
    return joint


@pytest.fixture(scope="module")
def case():
    table, _ = mixed_table(700, seed=4)
    statistics = reduce(table)
    weights = statistics.layout.weights(VALUES.indicators, NUMPY)
    return table, statistics, weights, log_joint(table, VALUES)


def test_memberships_and_densities_equal_bayes_rule(case):
    _, statistics, weights, joint = case
    membership, log_density = memberships(statistics, weights, VALUES.share)
    rows = statistics.pattern_of_row
    np.testing.assert_allclose(log_density[rows], logsumexp(joint, axis=1), atol=1e-10)
    expected = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    np.testing.assert_allclose(membership[rows], expected, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_likelihood_equals_the_sum_over_all_assignments(n: int):
    table, _ = mixed_table(60, seed=9)
    few = reduce(table).take(np.arange(n))
    weights = few.layout.weights(VALUES.indicators, NUMPY)
    membership, log_density = memberships(few, weights, VALUES.share)
    joint = np.log(np.maximum(membership, 1e-300)) + log_density[:, None]
    total = logsumexp(
        [sum(joint[i, z] for i, z in enumerate(zs)) for zs in product(range(3), repeat=n)]
    )
    result = expected_statistics(few, weights, VALUES.share)
    assert result.log_likelihood == pytest.approx(total, abs=1e-9)


def test_expected_statistics_are_membership_weighted_sums(case):
    _, statistics, weights, _ = case
    membership, log_density = memberships(statistics, weights, VALUES.share)
    result = expected_statistics(statistics, weights, VALUES.share)
    weighted = membership * statistics.count[:, None]
    np.testing.assert_allclose(result.dense, weighted.T @ statistics.dense.T, rtol=1e-10)
    np.testing.assert_allclose(result.sizes, weighted.sum(0), rtol=1e-12)
    table = np.zeros_like(result.table)
    for code in statistics.codes:
        for k in range(3):
            np.add.at(table[k], code, weighted[:, k])
    np.testing.assert_allclose(result.table, table, atol=1e-9)
    assert result.log_likelihood == pytest.approx(statistics.count @ log_density)


def test_expected_statistics_are_the_gradient(case):
    _, statistics, weights, _ = case
    result = expected_statistics(statistics, weights, VALUES.share)
    rng = np.random.default_rng(2)
    start = kernel.start_of(weights, VALUES.share)
    d_start = rng.normal(size=start.shape)
    d_dense = rng.normal(size=weights.dense.shape)
    d_table = rng.normal(size=weights.table.shape)
    h = 1e-6

    def at(step: float) -> float:
        arrays = (start + step * d_start, weights.dense + step * d_dense)
        s = statistics
        return kernel.expected_kernel(
            s.dense, s.joined, s.count, *arrays, weights.table + step * d_table
        )[0]

    slope = (at(h) - at(-h)) / (2.0 * h)
    expected = (
        (result.sizes * d_start).sum()
        + (result.dense * d_dense).sum()
        + (result.table * d_table).sum()
    )
    assert slope == pytest.approx(expected, rel=1e-6)


def test_counts_multiply_like_repeated_rows(case):
    _, statistics, weights, _ = case
    once = expected_statistics(statistics, weights, VALUES.share)
    doubled = type(statistics)(
        statistics.layout,
        statistics.dense,
        statistics.codes,
        statistics.log_base,
        2.0 * statistics.count,
        statistics.pattern_of_row,
    )
    twice = expected_statistics(doubled, weights, VALUES.share)
    assert twice.log_likelihood == pytest.approx(2.0 * once.log_likelihood, rel=1e-13)
    np.testing.assert_allclose(twice.dense, 2.0 * once.dense, rtol=1e-13)


@pytest.mark.parametrize("count", [1.0, 3.0, 8.0, 9.0, 400.0])
def test_sampled_segments_have_the_memberships_as_their_means(case, count: float):
    _, statistics, weights, _ = case
    few = statistics.take(np.arange(40))
    few = type(few)(
        few.layout, few.dense, few.codes, few.log_base, np.full(40, count), few.pattern_of_row
    )
    rng = np.random.default_rng(7)
    draws = [sampled_statistics(few, weights, VALUES.share, rng) for _ in range(400)]
    sizes = np.array([draw.sizes for draw in draws])
    membership, _ = memberships(few, weights, VALUES.share)
    variance = count * (membership * (1.0 - membership)).sum(0)
    error = np.abs(sizes.mean(0) - count * membership.sum(0))
    assert np.all(sizes.sum(1) == count * 40)
    assert np.all(error <= 4.5 * np.sqrt(variance / 400.0) + 1e-9)
    np.testing.assert_allclose(sizes.var(0), variance, rtol=0.35, atol=1e-3)


def test_segments_far_away_get_zero_and_no_nan():
    table, _ = mixed_table(30)
    statistics = reduce(table)
    far = {
        name: {key: v * (1e4 if key == "mean" else 1.0) for key, v in p.items()}
        for name, p in VALUES.indicators.items()
    }
    membership, log_density = memberships(
        statistics, statistics.layout.weights(far, NUMPY), VALUES.share
    )
    assert np.isfinite(membership).all()
    assert np.isfinite(log_density).all()
    np.testing.assert_allclose(membership.sum(1), 1.0)


def test_a_column_equal_in_all_segments_changes_no_membership(case):
    table, statistics, _, _ = case
    same = {
        name: (
            {key: np.repeat(v[:1], 3, axis=0) for key, v in p.items()} if name == "amount" else p
        )
        for name, p in VALUES.indicators.items()
    }
    with_column, _ = memberships(statistics, statistics.layout.weights(same, NUMPY), VALUES.share)
    joint = log_joint(table, type(VALUES)(VALUES.share, same))
    amount_free = table.columns["amount"].copy()
    amount_free[:] = np.nan
    without = replace(table, columns={**table.columns, "amount": amount_free})
    joint_without = log_joint(without, type(VALUES)(VALUES.share, same))
    expected = np.exp(joint_without - logsumexp(joint_without, axis=1, keepdims=True))
    np.testing.assert_allclose(with_column[statistics.pattern_of_row], expected, atol=1e-10)
    assert not np.allclose(joint, joint_without)


@pytest.mark.parametrize("n_segments", range(1, 10))
@pytest.mark.parametrize(("n_columns", "n_tables"), [(0, 3), (3, 0), (1, 1), (4, 5)])
def test_every_number_of_segments_and_columns_is_served(n_segments, n_columns, n_tables):
    rng = np.random.default_rng(n_segments)
    n = 2 * BLOCK + 3
    spans = [slice(4 * d, 4 * d + 4) for d in range(n_tables)]
    missing = 4 * n_tables
    codes = np.array([rng.integers(s.start, s.stop, size=n) for s in spans], dtype=np.int32)
    codes = codes.reshape(n_tables, n)
    codes[rng.random(codes.shape) < 0.2] = missing
    dense, count = rng.normal(size=(n_columns, n)), rng.integers(1, 4, size=n).astype(float)
    start, weights = rng.normal(size=n_segments), rng.normal(size=(n_segments, n_columns))
    table = rng.normal(size=(n_segments, missing + 1))
    joined = join(codes, spans, missing)

    log_lik, by_dense, by_table, sizes = kernel.expected_kernel(
        dense, joined, count, start, weights, table
    )
    membership, log_density = kernel.membership_kernel(dense, joined, start, weights, table)

    joint = start[:, None] + weights @ dense + table[:, codes].sum(axis=1)
    total = logsumexp(joint, axis=0)
    customers = count * np.exp(joint - total)
    cells = np.zeros_like(table)
    for code in codes:
        np.add.at(cells.T, code, customers.T)
    close = {"rtol": 1e-11, "atol": 1e-11}
    np.testing.assert_allclose(log_lik, count @ total, **close)
    np.testing.assert_allclose(sizes, customers.sum(axis=1), **close)
    np.testing.assert_allclose(by_dense, customers @ dense.T, **close)
    np.testing.assert_allclose(by_table, cells, **close)
    np.testing.assert_allclose(log_density, total, **close)
    np.testing.assert_allclose(membership, np.exp(joint - total), **close)
    likelihood = kernel.likelihood_kernel(dense, joined, count, start, weights, table)
    assert likelihood == log_lik


@pytest.mark.parametrize("count", [1.0, 3.0, 20.0])
def test_drawn_customers_are_whole_and_complete_in_every_column(case, count):
    _, statistics, weights, _ = case
    drawn = replace(statistics, count=np.full(statistics.n_patterns, count))
    result = sampled_statistics(drawn, weights, VALUES.share, np.random.default_rng(3))
    assert np.all(result.table == np.rint(result.table))
    assert result.sizes.sum() == drawn.n_customers
    cells = np.zeros(result.table.shape[1])
    for code in drawn.codes:
        np.add.at(cells, code, count)
    np.testing.assert_array_equal(result.table.sum(axis=0), cells)
    np.testing.assert_allclose(result.dense.sum(axis=0), drawn.dense @ drawn.count, atol=1e-8)


def test_a_pattern_without_customers_draws_none(case):
    _, statistics, weights, _ = case
    count = np.zeros(statistics.n_patterns)
    count[::5] = 1.0
    some = replace(statistics, count=count)
    result = sampled_statistics(some, weights, VALUES.share, np.random.default_rng(4))
    assert result.sizes.sum() == count.sum()
