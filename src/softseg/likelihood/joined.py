"""Several columns of codes read as one: `join`.

A pattern's cells in three columns of 2, 3 and 4 levels are one of 24 combinations. The joint table
of the combinations is the sum of the single tables, and the customers of a level are the sum of
those of its combinations. Both are exact and done once per pass, while the look-ups, which are done
for every pattern, become fewer.

Tables of a pass are held cell by cell, the segments of a cell side by side, so that one look-up
reads them all at once.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from softseg.compiled import CACHED
from softseg.families.base import Integers

LEAST_CELLS, MOST_CELLS = 64, 512
"""Bounds of a joint table's size: it is worth its making, and stays in the nearest caches."""
PATTERNS_PER_CELL = 16
"""A joint table has no more cells than the patterns pay for."""

OFFSET: Final = 0
BEFORE: Final = 1
LEVELS: Final = 2
FIRST: Final = 3
CELLS: Final = 4
"""Columns of `Joined.parts`; see there."""

COMPILED = CACHED


class Joined(NamedTuple):
    """The columns of codes of a `Statistics` as fewer ones.

    Attributes
    ----------
    codes
        Cells of the joint tables, which lie one after the other, shape (joint column, pattern).
    parts
        One row for each column of the statistics, in the order in which they were joined: where
        its joint table begins, the combinations of the columns joined before it, its levels
        ("missing" is one where it occurs), and its first cell and number of cells in the single
        tables.
    """

    codes: Integers
    parts: NDArray[np.int64]


def join(codes: Integers, spans: Sequence[slice], missing: int) -> Joined:
    """Return the columns of codes joined, those with most levels first.

    Parameters
    ----------
    codes
        Shape (column, pattern).
    spans
        The cells of each column.
    missing
        The cell that stands for "missing" in every column.
    """
    n_patterns = codes.shape[1]
    most = min(max(n_patterns // PATTERNS_PER_CELL, LEAST_CELLS), MOST_CELLS)
    local = [
        np.where(code == missing, span.stop, code) - span.start
        for code, span in zip(codes, spans, strict=True)
    ]
    cells = [span.stop - span.start for span in spans]
    levels = [n + bool((one == n).any()) for n, one in zip(cells, local, strict=True)]
    joined: list[Any] = []
    parts: list[tuple[int, ...]] = []
    offset = 0
    for group in _groups(levels, most):
        code, before = np.zeros(n_patterns, dtype=np.int64), 1
        for d in group:
            code = code * levels[d] + local[d]
            parts.append((offset, before, levels[d], spans[d].start, cells[d]))
            before *= levels[d]
        joined.append((code + offset).astype(np.int32))
        offset += before
    stacked = np.stack(joined) if joined else np.empty((0, n_patterns), dtype=np.int32)
    return Joined(stacked, np.array(parts, dtype=np.int64).reshape(-1, 5))


def _groups(levels: Sequence[int], most: int) -> list[list[int]]:
    """Return which columns are joined: each, by falling levels, into the first group with room."""
    groups: list[list[int]] = []
    sizes: list[int] = []
    for d in sorted(range(len(levels)), key=lambda d: -levels[d]):
        fits = [g for g, size in enumerate(sizes) if size * levels[d] <= most]
        if fits:
            groups[fits[0]].append(d)
            sizes[fits[0]] *= levels[d]
        else:
            groups.append([d])
            sizes.append(levels[d])
    return groups


@njit(**COMPILED)
def joint_tables(parts, table, width):  # pragma: no cover
    """Sums of the single tables (segment, cell) for all combinations, (joint cell, width).

    The columns beyond the segments are 0. Combinations of the first columns are at hand when the
    next column comes; going from the last to the first, none is overwritten before it is used.
    """
    n_segments, missing = table.shape[0], table.shape[1] - 1
    n_parts = parts.shape[0]
    n_cells = 0
    if n_parts > 0:
        n_cells = parts[-1, OFFSET] + parts[-1, BEFORE] * parts[-1, LEVELS]
    joint = np.zeros((n_cells, width))
    for d in range(n_parts):
        offset, levels, first = parts[d, OFFSET], parts[d, LEVELS], parts[d, FIRST]
        for combination in range(parts[d, BEFORE] - 1, -1, -1):
            known = joint[offset + combination]
            for level in range(levels - 1, -1, -1):
                cell = first + level if level < parts[d, CELLS] else missing
                row = joint[offset + combination * levels + level]
                for k in range(n_segments):
                    row[k] = known[k] + table[k, cell]
    return joint


@njit(**COMPILED)
def single_tables(parts, joint, table):  # pragma: no cover
    """Add the sums over combinations (joint cell, width) to the single tables (segment, cell).

    The last column of each group is taken out first; what is summed over it takes its place.
    """
    n_segments, missing = table.shape[0], table.shape[1] - 1
    for d in range(parts.shape[0] - 1, -1, -1):
        offset, levels, first = parts[d, OFFSET], parts[d, LEVELS], parts[d, FIRST]
        for combination in range(parts[d, BEFORE]):
            for k in range(n_segments):
                left = 0.0
                for level in range(levels):
                    cell = first + level if level < parts[d, CELLS] else missing
                    value = joint[offset + combination * levels + level, k]
                    table[k, cell] += value
                    left += value
                joint[offset + combination, k] = left
