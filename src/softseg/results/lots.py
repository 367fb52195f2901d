"""Sizes with the customers' own uncertainty: every customer's segment drawn by lot.

Given the parameters a membership of 0.6 means that the customer belongs to the segment or does
not. The true size of a segment in this table is a sum of such lots, so that its interval must hold
them: the parameters alone leave out about √Σ r(1 − r) customers.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.likelihood.block import COMPILED, MANY


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
    """Return rows sorted by pattern and then by weight, so that their order in the file is lost.

    Where nothing but the customers themselves is totalled, the rows of a pattern are one row: a
    row with the count 2 is the row twice, and a large table needs few lots.
    """
    plain = weights.shape[1] == 1 and np.array_equal(weights[:, 0], count)
    if plain and np.array_equal(count, np.floor(count)):
        total = np.bincount(pattern_of_row, weights=count, minlength=n_patterns)
        return Rows(total[:, None], total, np.arange(n_patterns + 1))
    keys = [weights.sum(axis=1), count]
    differing = [key for key in keys if len(key) and np.any(key != key[0])]
    if differing:
        order = np.lexsort([*differing, pattern_of_row])
    else:
        order = np.argsort(pattern_of_row, kind="stable")
    first = np.zeros(n_patterns + 1, dtype=np.intp)
    np.cumsum(np.bincount(pattern_of_row, minlength=n_patterns), out=first[1:])
    return Rows(weights[order], count[order], first)


def draw_totals(members: Array, rows: Rows, patterns: slice, rng: np.random.Generator) -> Array:
    """Return the totals of one lot per customer and draw, shape (weight, segment, sample).

    A weight that is no whole number draws its nearest whole number of lots, at least one.

    Parameters
    ----------
    members
        Memberships of a block of patterns, shape (pattern, segment, sample).
    patterns
        Which patterns these are.
    """
    n_segments, n_samples = members.shape[1:]
    cumulated = np.zeros((rows.weights.shape[1], n_segments, n_samples))
    first = rows.first[patterns.start : patterns.stop + 1]
    flat = members.reshape(len(members), n_segments * n_samples)
    _add_all(flat, first, rows.weights, rows.count, cumulated, rng)
    return by_segment(cumulated)


def by_segment(cumulated: Array) -> Array:
    """Return totals per segment from those of a segment and all before it, along axis 1."""
    return np.diff(cumulated, axis=1, prepend=0.0)


@njit(**COMPILED)
def _add_all(members, first, weights, count, cumulated, rng):  # pragma: no cover
    n_samples = cumulated.shape[2]
    edges, uniform = np.empty(members.shape[1]), np.empty(n_samples)
    for p in range(len(members)):
        edges[:] = members[p]
        cumulate(edges, n_samples)
        for i in range(first[p], first[p + 1]):
            add_lots(edges, weights[i], count[i], uniform, cumulated, rng)


@njit(**COMPILED)
def cumulate(row, n_draws):  # pragma: no cover
    """Turn memberships (segment · sample) into those of a segment and all before it, in place."""
    for i in range(n_draws, len(row)):
        row[i] += row[i - n_draws]


@njit(**COMPILED)
def add_lots(edges, weight, count, uniform, cumulated, rng):  # pragma: no cover
    """Draw the segments of one row's customers and add its weights.

    Parameters
    ----------
    edges
        Cumulated memberships, (segment · sample).
    weight
        What the row adds to each total, (weight,).
    uniform
        Scratch, (sample,).
    cumulated
        Totals of a segment and all before it, (weight, segment, sample).
    """
    n_weights, n_segments, n_draws = cumulated.shape
    lots = max(np.rint(count), 1.0)
    if lots <= MANY:
        for _ in range(int(lots)):
            for s in range(n_draws):
                uniform[s] = rng.random()
            for w in range(n_weights):
                part = weight[w] / lots
                for k in range(n_segments - 1):
                    edge, out = edges[k * n_draws : (k + 1) * n_draws], cumulated[w, k]
                    for s in range(n_draws):
                        out[s] += part if uniform[s] < edge[s] else 0.0
    else:
        for s in range(n_draws):
            drawn, reached = 0, 0.0
            for k in range(n_segments - 1):
                edge = edges[k * n_draws + s]
                rest = 1.0 - reached
                p = (edge - reached) / rest if rest > 0.0 else 1.0
                left = int(lots) - drawn
                if left > 0:
                    drawn += rng.binomial(left, min(max(p, 0.0), 1.0))
                for w in range(n_weights):
                    cumulated[w, k, s] += weight[w] / lots * drawn
                reached = edge
    for w in range(n_weights):
        out = cumulated[w, n_segments - 1]
        for s in range(n_draws):
            out[s] += weight[w]
