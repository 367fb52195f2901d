"""Lots: their means are the expected totals, their spread that of independent customers."""

import numpy as np
import pytest

from softseg.results.lots import draw_totals, rows_of

PATTERN = np.array([1, 0, 2, 1, 1, 0])
WEIGHTS = np.column_stack([np.ones(6), [5.0, -1.0, 2.0, 7.0, 0.0, 3.0]])
MEMBERS = np.array([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [1.0, 0.0, 0.0]])
N = 40_000


def totals(count: np.ndarray, weights: np.ndarray = WEIGHTS, seed: int = 1) -> np.ndarray:
    rows = rows_of(PATTERN, weights, count, 3)
    members = np.repeat(MEMBERS[:, :, None], N, axis=2)
    return draw_totals(members, rows, slice(0, 3), np.random.default_rng(seed))


def moments(weights: np.ndarray, lots_per_row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r = MEMBERS[PATTERN]
    mean = weights.T @ r
    variance = (weights**2 / lots_per_row[:, None]).T @ (r * (1.0 - r))
    return mean, variance


@pytest.mark.parametrize("count", [np.ones(6), np.array([1.0, 3.0, 1.0, 2.0, 1.0, 4.0])])
def test_mean_and_variance_are_those_of_independent_customers(count):
    weights = WEIGHTS * count[:, None]
    found = totals(count, weights)
    mean, variance = moments(weights, count)
    np.testing.assert_allclose(found.mean(-1), mean, atol=4.5 * np.sqrt(variance.max() / N))
    np.testing.assert_allclose(found.var(-1), variance, rtol=0.06, atol=1e-12)


def test_every_draw_shares_out_everything():
    found = totals(np.ones(6))
    np.testing.assert_allclose(found.sum(axis=1), WEIGHTS.sum(0)[:, None] * np.ones(N))


def test_certain_customers_leave_no_doubt():
    members = np.zeros((3, 2, 10))
    members[:, 1] = 1.0
    rows = rows_of(PATTERN, WEIGHTS, np.ones(6), 3)
    found = draw_totals(members, rows, slice(0, 3), np.random.default_rng(1))
    np.testing.assert_array_equal(found[:, 0], 0.0)


def test_the_order_of_the_rows_is_lost():
    order = np.array([3, 5, 0, 1, 4, 2])
    first = rows_of(PATTERN, WEIGHTS, np.ones(6), 3)
    second = rows_of(PATTERN[order], WEIGHTS[order], np.ones(6), 3)
    np.testing.assert_array_equal(first.weights, second.weights)
    np.testing.assert_array_equal(first.first, second.first)


def test_many_customers_of_one_row_are_shared_out_by_binomials():
    count = np.array([1.0, 40.0, 9.0, 8.0, 300.0, 2.0])
    weights = WEIGHTS * count[:, None]
    found = totals(count, weights, seed=2)
    mean, variance = moments(weights, count)
    np.testing.assert_allclose(found.mean(-1), mean, atol=4.5 * np.sqrt(variance.max() / N))
    np.testing.assert_allclose(found.var(-1), variance, rtol=0.06, atol=1e-12)


def test_customers_alone_are_counted_by_pattern():
    count = np.array([1.0, 3.0, 1.0, 2.0, 1.0, 4.0])
    rows = rows_of(PATTERN, count[:, None], count, 3)
    twice = rows_of(np.repeat(PATTERN, count.astype(int)), np.ones((12, 1)), np.ones(12), 3)
    np.testing.assert_array_equal(rows.count, [7.0, 4.0, 1.0])
    for name in ("weights", "count", "first"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(twice, name))
    found = totals(count, count[:, None], seed=3)
    mean, variance = moments(count[:, None], count)
    np.testing.assert_allclose(found.mean(-1), mean, atol=4.5 * np.sqrt(variance.max() / N))
    np.testing.assert_allclose(found.var(-1), variance, rtol=0.06, atol=1e-12)
