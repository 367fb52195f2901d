"""Sizes with the customers' own uncertainty: every customer's segment drawn by lot.

Given the parameters a membership of 0.6 means that the customer belongs to the segment or does
not. The true size of a segment in this table is a sum of such lots, so that its interval must hold
them: the parameters alone leave out about √Σ r(1 − r) customers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array

MOST_NUMBERS = 1_000_000
"""Lots (row, sample) held at once."""


@dataclass(frozen=True)
class Rows:
    """The rows of a table in the order of their patterns.

    Attributes
    ----------
    weights
        What a row adds to each total, shape (row, weight).
    count
        Customers that a row stands for, shape (row,).
    first
        First row of each pattern and, last, the number of rows, shape (pattern + 1,).
    """

    weights: Array
    count: Array
    first: NDArray[np.intp]


def rows_of(
    pattern_of_row: NDArray[np.intp], weights: Array, count: Array, n_patterns: int
) -> Rows:
    """Return rows sorted by pattern and then by weight, so that their order in the file is lost."""
    order = np.lexsort([weights.sum(axis=1), count, pattern_of_row])
    first = np.searchsorted(pattern_of_row[order], np.arange(n_patterns + 1))
    return Rows(weights[order], count[order], first)


def draw_totals(members: Array, rows: Rows, patterns: slice, rng: np.random.Generator) -> Array:
    """Return the totals of one lot per customer and draw, shape (weight, segment, sample).

    Parameters
    ----------
    members
        Memberships of a block of patterns, shape (pattern, segment, sample).
    patterns
        Which patterns these are.
    """
    n_segments, n_samples = members.shape[1:]
    totals = np.zeros((rows.weights.shape[1], n_segments, n_samples))
    edges = np.cumsum(members, axis=1)
    begin, end = int(rows.first[patterns.start]), int(rows.first[patterns.stop])
    owner = np.searchsorted(rows.first, np.arange(begin, end), side="right") - 1 - patterns.start
    step = max(1, MOST_NUMBERS // n_samples)
    for start in range(begin, end, step):
        stop = min(start + step, end)
        own = owner[start - begin : stop - begin]
        lots, count = _lots_per_row(rows.count[start:stop])
        scaled = rows.weights[start:stop] / count[:, None]
        for turn in range(int(lots.max(initial=0))):
            taking = np.flatnonzero(lots > turn)
            weight = scaled[taking].T
            u = rng.random((len(taking), n_samples))
            below = np.zeros((len(rows.weights.T), n_samples))
            for k in range(n_segments - 1):
                reached = weight @ (u < edges[own[taking], k])
                totals[:, k] += reached - below
                below = reached
            totals[:, -1] += weight.sum(axis=1)[:, None] - below
    return totals


def _lots_per_row(count: Array) -> tuple[NDArray[np.intp], Array]:
    """Return how many lots a row draws, and by what its weight is divided for each.

    A weight that is no whole number draws its nearest whole number of lots, at least one.
    """
    lots = np.maximum(np.round(count), 1.0).astype(np.intp)
    return lots, lots.astype(float)
