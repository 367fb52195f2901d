"""Joined columns against the single ones they were made of."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from softseg.likelihood.joined import (
    BEFORE,
    LEVELS,
    MOST_CELLS,
    OFFSET,
    join,
    joint_tables,
    single_tables,
)

MOST_LEVELS = 700


def columns(levels, n, gaps, seed):
    """Codes of columns with these levels, their spans, and the cell "missing"."""
    rng = np.random.default_rng(seed)
    ends = np.cumsum(levels, dtype=int)
    spans = [slice(int(end - n), int(end)) for end, n in zip(ends, levels, strict=True)]
    missing = int(ends[-1]) if len(ends) else 0
    codes = np.empty((len(levels), n), dtype=np.int32)
    for code, span in zip(codes, spans, strict=True):
        code[:] = rng.integers(span.start, span.stop, size=n)
        if gaps:
            code[rng.random(n) < 0.3] = missing
    return codes, spans, missing


levels = st.lists(st.integers(1, 9) | st.just(MOST_LEVELS), max_size=8)


@settings(max_examples=60, deadline=None)
@given(levels, st.integers(1, 3000), st.booleans(), st.integers(1, 6))
def test_joint_tables_hold_the_sums_of_the_single_ones(levels, n, gaps, n_segments):
    codes, spans, missing = columns(levels, n, gaps, 3)
    table = np.random.default_rng(1).normal(size=(n_segments, missing + 1))
    joined = join(codes, spans, missing)
    width = n_segments + 2

    tables = joint_tables(joined.parts, table, width)

    found = tables[joined.codes].sum(axis=0)
    np.testing.assert_allclose(found[:, :n_segments], table[:, codes].sum(axis=1).T, atol=1e-12)
    np.testing.assert_array_equal(tables[:, n_segments:], 0.0)


@settings(max_examples=60, deadline=None)
@given(levels, st.integers(1, 3000), st.booleans(), st.integers(1, 6))
def test_taken_apart_the_sums_are_those_of_the_single_columns(levels, n, gaps, n_segments):
    codes, spans, missing = columns(levels, n, gaps, 4)
    joined = join(codes, spans, missing)
    weight = np.random.default_rng(2).random((n, n_segments))
    sums = np.zeros_like(joint_tables(joined.parts, np.zeros((n_segments, missing + 1)), 8))
    for code in joined.codes:
        np.add.at(sums[:, :n_segments], code, weight)

    table = np.zeros((n_segments, missing + 1))
    single_tables(joined.parts, sums, table)

    expected = np.zeros((missing + 1, n_segments))
    for code in codes:
        np.add.at(expected, code, weight)
    np.testing.assert_allclose(table, expected.T, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(levels, st.integers(1, 20_000))
def test_no_joint_table_is_larger_than_allowed_unless_one_column_is(levels, n):
    joined = join(*columns(levels, n, False, 5))
    cells = joined.parts[:, BEFORE] * joined.parts[:, LEVELS]
    several = joined.parts[:, BEFORE] > 1
    assert np.all(cells[several] <= MOST_CELLS)
    assert len(joined.codes) == len(np.unique(joined.parts[:, OFFSET]))


def test_few_columns_remain_of_many():
    joined = join(*columns([2, 2, 3, 3, 3, 3, 4, 4, 4, 5], 6000, False, 6))
    assert joined.codes.shape == (2, 6000)
    small = join(*columns([2, 2, 3, 3, 3, 3, 4, 4, 4, 5], 900, False, 6))
    assert small.codes.shape == (3, 900)
