"""Parts of the statistics: fewer patterns with only the cells they need, or one indicator alone."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array, Integers
from softseg.likelihood.statistics import Layout, Slot, Statistics

MANY_CELLS: Final = 64
"""A table with more cells than this is cut down to the cells in use."""


def has_large_tables(layout: Layout) -> bool:
    """Return whether `compact` would leave out cells, so that it pays to work by blocks."""
    return any(_cut_down(slot) for slot in layout.slots) or _many(layout.observed_table)


def compact(statistics: Statistics, patterns: slice | NDArray[np.intp]) -> Statistics:
    """Return some patterns, their tables cut down to the cells that these patterns have.

    A table of counts with exposures has a cell for every distinct pair: for many customers and
    many draws at once it would not fit into memory.
    """
    layout, codes = statistics.layout, statistics.codes[:, patterns]
    used = np.zeros(layout.n_cells + 1, dtype=bool)
    used[codes.ravel()] = True
    to_new = np.zeros(layout.n_cells + 1, dtype=np.int32)
    slots, n_cells = [], 0
    for slot in layout.slots:
        kept = _kept(used, slot.table, _cut_down(slot))
        to_new[slot.table.start + kept] = n_cells + np.arange(len(kept))
        table = slice(n_cells, n_cells + len(kept))
        slots.append(replace(slot, table=table, cells=slot.cells[kept]))
        n_cells = table.stop
    observed, observed_table = layout.observed, slice(n_cells, n_cells)
    if layout.observed_table.stop > layout.observed_table.start:
        kept = _kept(used, layout.observed_table, _many(layout.observed_table))
        to_new[layout.observed_table.start + kept] = n_cells + np.arange(len(kept))
        observed, observed_table = observed[kept], slice(n_cells, n_cells + len(kept))
        n_cells = observed_table.stop
    to_new[-1] = n_cells
    return Statistics(
        Layout(tuple(slots), observed, observed_table, layout.n_columns, n_cells),
        statistics.dense[:, patterns],
        to_new[codes],
        statistics.log_base[patterns],
        statistics.count[patterns],
        np.empty(0, dtype=np.intp),
    )


def single(
    statistics: Statistics, indicator: str, patterns: NDArray[np.intp]
) -> tuple[Statistics, NDArray[np.bool_]]:
    """Return some patterns as if there was one indicator only, and which of them have it.

    Only the observed ones are in the result, so that it has as many patterns as the second array
    has truths. Base measures are left out.
    """
    layout = statistics.layout
    slot = next(s for s in layout.slots if s.indicator == indicator)
    cells = _cells_of(statistics, slot, patterns)
    present = _present(statistics, slot, cells, patterns)
    patterns, cells = patterns[present], None if cells is None else cells[present]
    rows = list(range(slot.statistics.start, slot.statistics.stop))
    rows += [] if slot.exposure is None else [slot.exposure]
    alone, n_statistics = [], slot.statistics.stop - slot.statistics.start
    observed = np.empty((1, 0))
    if slot.observed is not None:
        observed = np.array([[0.0], [1.0]])
        alone = [_measure(statistics, slot, patterns).astype(np.int32)]
    n_table = slot.table.stop - slot.table.start
    codes: list[Integers] = [] if cells is None else [(cells - slot.table.start).astype(np.int32)]
    codes += [column + n_table for column in alone]
    observed_table = slice(n_table, n_table + 2 * len(alone))
    kept = replace(
        slot,
        statistics=slice(0, n_statistics),
        exposure=None if slot.exposure is None else n_statistics,
        observed=None if slot.observed is None else 0,
        table=slice(0, n_table),
    )
    stacked = np.stack(codes) if codes else np.empty((0, len(patterns)), dtype=np.int32)
    new = Layout((kept,), observed, observed_table, len(rows), observed_table.stop)
    dense = statistics.dense[np.ix_(np.array(rows, dtype=np.intp), patterns)]
    count = statistics.count[patterns]
    nothing = np.empty(0, dtype=np.intp)
    return Statistics(new, dense, stacked, np.zeros(len(count)), count, nothing), present


def _cut_down(slot: Slot) -> bool:
    return not slot.family.levelled and _many(slot.table)


def _many(cells: slice) -> bool:
    return cells.stop - cells.start > MANY_CELLS


def _kept(used: NDArray[np.bool_], cells: slice, cut_down: bool) -> NDArray[np.intp]:
    """Return which cells of a table to keep: all, or those in use and at least two."""
    if not cut_down:
        return np.arange(cells.stop - cells.start)
    kept = used[cells].copy()
    kept[:2] = True
    return np.flatnonzero(kept)


def _cells_of(
    statistics: Statistics, slot: Slot, patterns: NDArray[np.intp]
) -> NDArray[np.int32] | None:
    """Return the cells of one indicator's table, None where it has no table."""
    for column in statistics.codes:
        inside = (column >= slot.table.start) & (column < slot.table.stop)
        if inside.any():
            return column[patterns]
    return None


def _measure(statistics: Statistics, slot: Slot, patterns: NDArray[np.intp]) -> Array:
    """Return whether the log-partition of one indicator counts, 0 or 1; shape (pattern,)."""
    layout = statistics.layout
    if layout.observed_table.stop == layout.observed_table.start:
        return np.full(len(patterns), layout.observed[0, slot.observed])
    which = statistics.codes[-1, patterns] - layout.observed_table.start
    return layout.observed[which, slot.observed]


def _present(
    statistics: Statistics,
    slot: Slot,
    cells: NDArray[np.int32] | None,
    patterns: NDArray[np.intp],
) -> NDArray[np.bool_]:
    """Return in which patterns the indicator is observed."""
    if cells is not None:
        return cells < slot.table.stop
    if slot.exposure is not None:
        return statistics.dense[slot.exposure, patterns] > 0
    if slot.observed is not None:
        return _measure(statistics, slot, patterns) > 0
    return np.zeros(len(patterns), dtype=bool)
