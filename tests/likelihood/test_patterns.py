"""Distinct rows against sorting by all columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softseg.likelihood import patterns
from softseg.likelihood.patterns import distinct


def sorted_by_all(columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row of each distinct pattern, sorted, and the pattern of each row."""
    keys = np.stack([np.where(np.isnan(column), np.inf, column) for column in columns], axis=1)
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return first, which.reshape(-1)


def column(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    made = {
        "levels": lambda: rng.integers(0, 3, n).astype(float),
        "counts": lambda: rng.poisson(4.0, n).astype(float),
        "signed": lambda: rng.integers(-3, 3, n).astype(float),
        "huge": lambda: rng.integers(0, 2, n) * 2.0**40,
        "amounts": lambda: rng.normal(size=n),
        "rounded": lambda: np.round(rng.normal(size=n), 1),
        "empty": lambda: np.full(n, np.nan),
        "late": lambda: np.where(np.arange(n) == n - 1, 0.5, rng.integers(0, 2, n)),
    }[kind]()
    return np.where(rng.random(n) < 0.2, np.nan, made)


KINDS = ["levels", "counts", "signed", "huge", "amounts", "rounded", "empty", "late"]


@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5), st.integers(1, 80))
def test_patterns_are_those_of_sorting_by_all_columns(kinds: list[str], n: int):
    rng = np.random.default_rng(n)
    columns = [column(kind, n, rng) for kind in kinds]
    found = distinct(columns)
    first, which = sorted_by_all(columns)
    np.testing.assert_array_equal(found.row, first)
    np.testing.assert_array_equal(found.pattern_of_row, which)


@pytest.mark.parametrize("limit", [1, 50, 1 << 20])
def test_how_they_are_found_changes_nothing(limit: int, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(3)
    columns = [column(kind, 300, rng) for kind in ("levels", "counts", "rounded", "levels")]
    first, which = sorted_by_all(columns)
    monkeypatch.setattr(patterns, "COUNTED", limit)
    monkeypatch.setattr(patterns, "MOST_CODES", max(limit, 10))
    found = distinct(columns)
    np.testing.assert_array_equal(found.row, first)
    np.testing.assert_array_equal(found.pattern_of_row, which)


def test_many_levels_outgrow_one_number():
    rng = np.random.default_rng(4)
    columns = [rng.integers(0, 100_000, 500).astype(float) for _ in range(5)]
    columns = [np.concatenate([c, c[:100]]) for c in columns]
    first, which = sorted_by_all(columns)
    found = distinct(columns)
    np.testing.assert_array_equal(found.row, first)
    np.testing.assert_array_equal(found.pattern_of_row, which)


def test_no_rows_have_no_patterns():
    found = distinct([np.empty(0), np.empty(0)])
    assert len(found.row) == len(found.pattern_of_row) == 0
