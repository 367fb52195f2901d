"""Memberships of every draw, evaluated by pattern in blocks and summarised at once.

A membership per draw and customer is never stored: with 4,000 draws, 4 segments and a million
customers it would fill 128 GB. One pass over the patterns yields all that later steps need of it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics
from softseg.models.evaluator import (
    Evaluator,
    LaidOut,
    in_threads,
    spread,
    thinned,
    threads,
)
from softseg.models.mixture import Values
from softseg.names import LOWER_PROBABILITY, UPPER_PROBABILITY
from softseg.results.lots import Rows, by_segment
from softseg.results.order import aims
from softseg.results.summary import summary_kernel

__all__ = [
    "Evaluator",
    "LaidOut",
    "Summary",
    "draws_to_use",
    "spread",
    "summarise",
    "thinned",
    "threads",
]

CELLS_SMALL: Final = 10_000_000
"""Up to this many patterns × draws every draw is used."""

CELLS_LARGE: Final = 100_000_000
"""Up to so many with `DRAWS_LARGE` draws these are used, and `DRAWS_LEAST` in larger tables."""

DRAWS_LARGE: Final = 1_000
"""Draws used above `CELLS_SMALL`: what lies below their 5 % quantile is 5 % with a Monte Carlo
error of 0.7 points, far below what a membership is read at."""

DRAWS_LEAST: Final = 200
"""Draws used above `CELLS_LARGE`: an error of 1.5 points, for memberships of a large table, whose
parameters are known so well that the two bounds of most customers are the same number."""


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
    if n_patterns * n_draws <= CELLS_SMALL:
        return n_draws
    large = n_patterns * DRAWS_LARGE > CELLS_LARGE
    return min(n_draws, DRAWS_LEAST if large else DRAWS_LARGE)


def summarise(
    statistics: Statistics,
    values: Values | LaidOut,
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
    weights = _per_pattern(rows)
    blocks = list(evaluator.blocks())
    rngs = [np.random.default_rng(0)] * len(blocks) if rng is None else rng.spawn(len(blocks))
    shape = (4, statistics.n_patterns, evaluator.n_segments)
    by_pattern = np.empty(shape)
    both_bounds = aims((LOWER_PROBABILITY, UPPER_PROBABILITY), evaluator.n_draws)

    def work(job: tuple[slice, np.random.Generator]) -> Array:
        block, generator = job
        by_pattern[:, block], sums = summary_kernel(
            *evaluator.block(block),
            evaluator.n_draws,
            both_bounds,
            weights[block],
            rows.first[block.start : block.stop + 1],
            rows.weights,
            rows.count,
            rng is not None,
            generator,
        )
        return sums

    both = np.zeros((2, weights.shape[1], evaluator.n_segments, evaluator.n_draws))
    for sums in in_threads(work, list(zip(blocks, rngs, strict=True))):
        both += sums
    mean, lower, upper, wins = by_pattern
    lots = both[0] if rng is None else by_segment(both[1])
    totals, lots = np.moveaxis(both[0], -1, 0), np.moveaxis(lots, -1, 0)
    return Summary(mean, lower, upper, wins, totals, lots)


def _per_pattern(rows: Rows) -> Array:
    """Return the weights of the totals summed over the rows of each pattern."""
    if len(rows.weights) == len(rows.first) - 1:
        return rows.weights
    return np.add.reduceat(rows.weights, rows.first[:-1], axis=0)
