"""All draws of a mixture over the patterns of a table: log densities and memberships by block.

What the draws weigh is laid out once, so that `softseg.likelihood.sweep` runs through all draws of
one pattern after the other.
"""

import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array, Integers
from softseg.families.namespace import NUMPY
from softseg.likelihood.kernel import start_of
from softseg.likelihood.parts import compact, has_large_tables
from softseg.likelihood.statistics import Layout, Statistics
from softseg.likelihood.sweep import joint_kernel, members_kernel
from softseg.models.mixture import Values

BLOCK_CELLS: Final = 2_000_000
"""Numbers held per block and array: 16 MB."""

MOST_KEPT: Final = 32
"""Layouts whose weights are kept: each combination of gaps has one."""

type Patterns = slice | NDArray[np.intp]


def spread(n_draws: int, n_used: int) -> NDArray[np.intp]:
    """Return the positions of `n_used` evenly spaced draws out of `n_draws`."""
    n_used = max(1, min(n_used, n_draws))
    return np.floor((np.arange(n_used) + 0.5) * n_draws / n_used).astype(np.intp)


def thinned(values: Values, n_used: int) -> Values:
    """Return `n_used` evenly spaced draws of stacked values; leading axis (sample)."""
    n_draws = len(values.share)
    return values if n_used >= n_draws else values.at(spread(n_draws, n_used))


class LaidOut:
    """Draws as `softseg.likelihood.sweep` reads them, kept from one table of a schema to the next.

    Parameters
    ----------
    values
        Draws with one leading axis (sample).
    """

    def __init__(self, values: Values) -> None:
        self.values = values
        self._kept: dict[Hashable, tuple[Array, Array, Array]] = {}

    def under(self, layout: Layout) -> tuple[Array, Array, Array]:
        """Return start (1, ·), dense (column, ·) and table (cell, ·), · = segment × sample."""
        found = self._kept.get(layout.key)
        if found is None:
            weights = layout.weights(self.values.indicators, NUMPY)
            start = start_of(weights, self.values.share)[..., None]
            found = _by_column(start), _by_column(weights.dense), _by_column(weights.table)
            if len(self._kept) < MOST_KEPT:
                self._kept[layout.key] = found
        return found


class Evaluator:
    """Log densities per pattern, segment and draw, for a stack of draws.

    Parameters
    ----------
    statistics
        The patterns.
    values
        Draws with one leading axis (sample); laid out already where several tables are read.
    """

    def __init__(self, statistics: Statistics, values: Values | LaidOut) -> None:
        self._statistics = statistics
        self._draws = values if isinstance(values, LaidOut) else LaidOut(values)
        self.n_draws, self.n_segments = self._draws.values.share.shape
        by_block = has_large_tables(statistics.layout)
        self._weights = None if by_block else self._draws.under(statistics.layout)

    def log_joint(self, patterns: Patterns) -> Array:
        """Return log share + log density without base measure: (pattern, segment, sample)."""
        joint = joint_kernel(*self.block(patterns))
        return joint.reshape(-1, self.n_segments, self.n_draws)

    def memberships(self, patterns: Patterns) -> Array:
        """Return the memberships of some patterns: (pattern, segment, sample)."""
        members = members_kernel(*self.block(patterns), self.n_draws)
        return members.reshape(-1, self.n_segments, self.n_draws)

    def block(self, patterns: Patterns) -> tuple[Array, Integers, Array, Array, Array]:
        """Return some patterns and the weights of all draws as `sweep` reads them.

        That is (pattern, column), (pattern, table column), start (·,), weights (column, ·) and
        table (cell, ·), · = segment · sample.
        """
        part = self._statistics
        if self._weights is None:
            part = compact(part, patterns)
            weights = LaidOut(self._draws.values).under(part.layout)
            patterns = slice(0, part.n_patterns)
        else:
            weights = self._weights
        start, dense, table = weights
        x = np.ascontiguousarray(part.dense[:, patterns].T)
        codes = np.ascontiguousarray(part.codes[:, patterns].T)
        return x, codes, start[0], dense, table

    def blocks(self) -> Iterator[slice]:
        """Yield slices of patterns that keep a block within `BLOCK_CELLS` numbers."""
        step = max(1, BLOCK_CELLS // max(1, self.n_segments * self.n_draws))
        for start in range(0, self._statistics.n_patterns, step):
            yield slice(start, min(start + step, self._statistics.n_patterns))


def _by_column(values: Array) -> Array:
    """Return (sample, segment, column) as (column, segment · sample)."""
    n_draws, n_segments, n_columns = values.shape
    flat = np.ascontiguousarray(values.transpose(2, 1, 0))
    return flat.reshape(n_columns, n_segments * n_draws)


def in_threads[J, R](work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[R]:
    """Yield the results of jobs, in their order, so that sums of them are repeatable."""
    if len(jobs) == 1:  # a pool costs more than a small job
        yield work(jobs[0])
        return
    with ThreadPoolExecutor(max_workers=threads()) as pool:
        yield from pool.map(work, jobs)


def threads() -> int:
    """Return how many threads evaluate blocks of patterns."""
    return max(1, min(4, os.cpu_count() or 1))
