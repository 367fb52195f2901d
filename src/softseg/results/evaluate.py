"""Memberships of every draw, evaluated by pattern in blocks and summarised at once.

A membership per draw and customer is never stored: with 4,000 draws, 4 segments and a million
customers it would fill 128 GB. One pass over the patterns yields all that later steps need of it.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.likelihood.kernel import start_of
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Values
from softseg.names import LOWER_PROBABILITY, UPPER_PROBABILITY
from softseg.results.lots import Rows, draw_totals
from softseg.results.parts import compact, has_large_tables

DRAWS_LARGE: Final = 1_000
"""Draws used where there are many patterns; a 5 % quantile of 1,000 draws has a Monte Carlo error
of 0.7 percentage points of probability, far below what a membership is read at."""

CELLS_SMALL: Final = 10_000_000
"""Up to this many patterns × draws every draw is used, above it `DRAWS_LARGE` of them."""

BLOCK_CELLS: Final = 2_000_000
"""Numbers held per block and array: 16 MB."""


@dataclass(frozen=True)
class Summary:
    """What one pass over the draws leaves of the memberships.

    Attributes
    ----------
    mean, lower, upper
        Shape (pattern, segment).
    wins
        Share of draws in which the segment is the most probable one, shape (pattern, segment).
    totals
        Σ over rows of weight × membership, shape (sample, weight, segment).
    lots
        The same with every customer's segment drawn by lot, shape (sample, weight, segment).
    """

    mean: Array
    lower: Array
    upper: Array
    wins: Array
    totals: Array
    lots: Array


def draws_to_use(n_patterns: int, n_draws: int) -> int:
    """Return how many draws the memberships of a table of this size are computed from.

    The number is found once, on the training table, stored with the result and used for every
    later scoring, so that a row gets the same membership alone and within the table.
    """
    return n_draws if n_patterns * n_draws <= CELLS_SMALL else min(n_draws, DRAWS_LARGE)


def spread(n_draws: int, n_used: int) -> NDArray[np.intp]:
    """Return the positions of `n_used` evenly spaced draws out of `n_draws`."""
    n_used = max(1, min(n_used, n_draws))
    return np.floor((np.arange(n_used) + 0.5) * n_draws / n_used).astype(np.intp)


def thinned(values: Values, n_used: int) -> Values:
    """Return `n_used` evenly spaced draws of stacked values; leading axis (sample)."""
    n_draws = len(values.share)
    return values if n_used >= n_draws else values.at(spread(n_draws, n_used))


class Evaluator:
    """Log densities per pattern, segment and draw, for a stack of draws.

    Parameters
    ----------
    statistics
        The patterns.
    values
        Draws with one leading axis (sample).
    """

    def __init__(self, statistics: Statistics, values: Values) -> None:
        self._statistics, self._values = statistics, values
        self.n_draws, self.n_segments = values.share.shape
        self._by_block = has_large_tables(statistics.layout)
        self._weights = None if self._by_block else self._flatten(statistics)

    def log_joint(self, patterns: slice) -> Array:
        """Return log share + log density without base measure: (pattern, segment, sample)."""
        part = self._statistics
        if self._weights is None:
            part = compact(part, patterns)
            start, dense, table = self._flatten(part)
            patterns = slice(0, part.n_patterns)
        else:
            start, dense, table = self._weights
        joint = part.dense[:, patterns].T @ dense
        joint += start
        for column in part.codes[:, patterns]:
            joint += table[column]
        return joint.reshape(-1, self.n_segments, self.n_draws)

    def memberships(self, patterns: slice) -> Array:
        """Return the memberships of some patterns: (pattern, segment, sample)."""
        joint = self.log_joint(patterns)
        joint -= joint.max(axis=1, keepdims=True)
        np.exp(joint, out=joint)
        joint /= joint.sum(axis=1, keepdims=True)
        return joint

    def blocks(self) -> Iterator[slice]:
        """Yield slices of patterns that keep a block within `BLOCK_CELLS` numbers."""
        step = max(1, BLOCK_CELLS // max(1, self.n_segments * self.n_draws))
        for start in range(0, self._statistics.n_patterns, step):
            yield slice(start, min(start + step, self._statistics.n_patterns))

    def _flatten(self, statistics: Statistics) -> tuple[Array, Array, Array]:
        """Return start (1, ·), dense (column, ·) and table (cell, ·), · = segment × sample."""
        weights = statistics.layout.weights(self._values.indicators, NUMPY)
        start = start_of(weights, self._values.share)
        return _by_column(start[..., None]), _by_column(weights.dense), _by_column(weights.table)


def summarise(
    statistics: Statistics,
    values: Values,
    rows: Rows | None = None,
    rng: np.random.Generator | None = None,
) -> Summary:
    """Return mean, interval and wins of the memberships, and weighted totals per draw.

    Parameters
    ----------
    statistics
        The patterns.
    values
        Draws with one leading axis (sample), already thinned.
    rows
        Weights of the totals, row by row; none by default.
    rng
        Draws the lots; without it there are none.
    """
    evaluator = Evaluator(statistics, values)
    if rows is None:
        nothing = np.empty((statistics.n_patterns, 0))
        rows = Rows(nothing, statistics.count, np.arange(statistics.n_patterns + 1))
    weights = np.add.reduceat(rows.weights, rows.first[:-1], axis=0)
    blocks = list(evaluator.blocks())
    rngs = [None] * len(blocks) if rng is None else rng.spawn(len(blocks))
    shape = (statistics.n_patterns, evaluator.n_segments)
    mean, lower, upper, wins = (np.empty(shape) for _ in range(4))

    def work(block: slice, rng: np.random.Generator | None) -> tuple[Array, Array]:
        members = evaluator.memberships(block)
        mean[block] = members.mean(axis=-1)
        wins[block] = _wins(members)
        n_weights = weights.shape[1]
        flat = members.reshape(len(members), -1)
        totals = (weights[block].T @ flat).reshape(n_weights, *members.shape[1:])
        lots = totals if rng is None else draw_totals(members, rows, block, rng)
        quantiles = np.quantile(
            members, (LOWER_PROBABILITY, UPPER_PROBABILITY), axis=-1, overwrite_input=True
        )
        lower[block], upper[block] = quantiles
        return totals, lots

    both = np.zeros((2, weights.shape[1], evaluator.n_segments, evaluator.n_draws))
    with ThreadPoolExecutor(max_workers=threads()) as pool:
        for parts in pool.map(work, blocks, rngs):  # in order, so that sums are repeatable
            both += parts
    totals, lots = np.moveaxis(both, -1, 1)
    return Summary(mean, lower, upper, wins, totals, lots)


def _wins(members: Array) -> Array:
    """Return the share of draws in which each segment is the first one to be the largest."""
    open_, peak = np.ones((len(members), members.shape[2]), dtype=bool), members.max(axis=1)
    wins = np.empty(members.shape[:2])
    for k in range(members.shape[1]):
        won = (members[:, k] == peak) & open_
        wins[:, k] = won.mean(axis=-1)
        open_ &= ~won
    return wins


def _by_column(values: Array) -> Array:
    """Return (sample, segment, column) as (column, segment · sample)."""
    n_draws, n_segments, n_columns = values.shape
    flat = np.ascontiguousarray(values.transpose(2, 1, 0))
    return flat.reshape(n_columns, n_segments * n_draws)


def threads() -> int:
    """Return how many threads evaluate blocks of patterns."""
    return max(1, min(4, os.cpu_count() or 1))
