"""From a table to the statistics of its distinct patterns: `reduce`.

Rows with the same cells are one pattern with a count, which is exact. Patterns are sorted, so
that the order of the rows of the table changes nothing downstream, bit for bit.

The log density of pattern p in segment k, log share included, is

    L[p, k] = start[k] + Σ_c dense[c, p] · weights[k, c] + Σ_d table[k, codes[d, p]]

`Layout` says which rows of `dense` and which cells of `table` belong to which indicator, turns
named parameters into (constant, weights, table), and cuts summed statistics up again.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg.families import Family, family
from softseg.families.base import Array, Block, Coding, Integers, Namespace, Parameters, Sums
from softseg.likelihood.joined import Joined, join
from softseg.likelihood.patterns import distinct
from softseg.tables.table import Table


@dataclass(frozen=True)
class Slot:
    """Where one indicator's parts lie.

    Attributes
    ----------
    statistics
        Its rows of `dense`.
    exposure
        Its exposure's row of `dense`, None where the log-partition is counted by `observed`.
    observed
        Its column of `Layout.observed`, None without statistics or with exposure.
    table
        Its cells of the joint table.
    cells
        What these cells stand for.
    """

    indicator: str
    family: Family
    coding: Coding
    statistics: slice
    exposure: int | None
    observed: int | None
    table: slice
    cells: Array


@dataclass(frozen=True)
class Weights:
    """Named parameters as the kernel reads them.

    Attributes
    ----------
    constant
        Shape (…, segment); goes to every pattern.
    dense
        Shape (…, segment, column).
    table
        Shape (…, segment, cell); the last cell stands for "missing" and holds 0.
    """

    constant: Any
    dense: Any
    table: Any


@dataclass(frozen=True)
class Layout:
    """How the columns of a `Statistics` belong to the indicators.

    Attributes
    ----------
    slots
        One per indicator.
    observed
        Distinct combinations of observed indicators, shape (combination, indicator with
        statistics); each is a cell of the joint table when there are several.
    observed_table
        Cells of these combinations; empty when there is one combination only.
    n_cells
        Cells of the joint table without the last one, "missing".
    """

    slots: tuple[Slot, ...]
    observed: Array
    observed_table: slice
    n_columns: int
    n_cells: int

    @cached_property
    def key(self) -> Hashable:
        """What tells this layout from others of the same schema."""
        cells = [(slot.exposure is None, slot.cells.tobytes()) for slot in self.slots]
        return self.observed.shape, self.observed.tobytes(), *cells

    def weights(self, parameters: Mapping[str, Parameters], xp: Namespace) -> Weights:
        """Return the named parameters as constant, dense weights and table."""
        partitions = {
            s.indicator: s.family.log_partition(parameters[s.indicator], s.coding, xp)
            for s in self.slots
            if s.statistics.stop > s.statistics.start
        }
        counted = [partitions[s.indicator] for s in self.slots if s.observed is not None]
        zero = _zero(parameters[self.slots[0].indicator], self.slots[0].family)
        constant, observed_table = zero, []
        if len(self.observed) > 1 and counted:
            terms = [p[..., None] * self.observed[:, j] for j, p in enumerate(counted)]
            observed_table = [-_total(terms)]
        elif counted:
            constant = zero - _total([p * self.observed[0, j] for j, p in enumerate(counted)])
        columns: list[Any] = []
        tables: list[Any] = []
        for s in self.slots:
            if s.indicator in partitions:
                columns.extend(s.family.natural(parameters[s.indicator], s.coding, xp))
            if s.exposure is not None:
                columns.append(-partitions[s.indicator])
            if s.table.stop > s.table.start:
                values = parameters[s.indicator]
                tables.append(s.family.log_table(values, s.cells, s.coding, xp))
        missing = zero[..., None]
        dense = xp.stack([zero + c for c in columns]) if columns else missing[..., :0]
        return Weights(constant, dense, xp.concatenate([*tables, *observed_table, missing]))

    def split(self, dense: Array, table: Array, sizes: Array) -> dict[str, Sums]:
        """Return summed statistics by indicator.

        `dense` (segment, column) and `table` (segment, cell) are sums over patterns weighted by
        the customers of each segment, `sizes` (segment,) those customers.
        """
        combinations = table[:, self.observed_table]
        if combinations.shape[1] == 0:
            combinations = sizes[:, None]
        present = combinations @ self.observed
        sums = {}
        for s in self.slots:
            measure = np.zeros(len(sizes))
            if s.exposure is not None:
                measure = dense[:, s.exposure]
            elif s.observed is not None:
                measure = present[:, s.observed]
            sums[s.indicator] = Sums(dense[:, s.statistics], measure, table[:, s.table], s.cells)
        return sums


@dataclass(frozen=True)
class Statistics:
    """The distinct patterns of a table in the form the kernel reads.

    Attributes
    ----------
    dense
        Shape (column, pattern).
    codes
        Cells of the joint table, shape (table column, pattern).
    log_base
        Σ h(x) over the indicators, shape (pattern,).
    count
        Customers of each pattern, shape (pattern,).
    pattern_of_row
        Pattern of each row of the table, shape (customer,).
    """

    layout: Layout
    dense: Array
    codes: Integers
    log_base: Array
    count: Array
    pattern_of_row: NDArray[np.intp]

    @property
    def n_patterns(self) -> int:
        """Number of distinct patterns."""
        return len(self.count)

    @property
    def n_customers(self) -> float:
        """Number of customers, counts included."""
        return float(self.count.sum())

    @cached_property
    def joined(self) -> Joined:
        """The codes as the kernel reads them: several columns as one."""
        layout = self.layout
        spans = [s.table for s in layout.slots if s.table.stop > s.table.start]
        if len(self.codes) > len(spans):
            spans.append(layout.observed_table)
        return join(self.codes, spans, layout.n_cells)

    def take(self, patterns: NDArray[np.intp]) -> "Statistics":
        """Return some of the patterns, for instance to align labels on a sample of them."""
        return Statistics(
            self.layout,
            np.ascontiguousarray(self.dense[:, patterns]),
            np.ascontiguousarray(self.codes[:, patterns]),
            self.log_base[patterns],
            self.count[patterns],
            np.empty(0, dtype=np.intp),
        )


def reduce(table: Table) -> Statistics:
    """Return the statistics of the distinct patterns of a table, sorted, with counts."""
    names = list(table.schema.indicators)
    cells = [table.columns[name] for name in names]
    cells += [table.exposures[name] for name in names if name in table.exposures]
    found = distinct(cells)
    first, pattern_of_row = found.row, found.pattern_of_row
    count = np.bincount(pattern_of_row, weights=table.count, minlength=len(first))
    blocks = {}
    for name in names:
        observed = table.observed(name)
        exposure = None if observed.exposure is None else observed.exposure[first]
        kept = type(observed)(observed.values[first], exposure, observed.coding)
        blocks[name] = table.schema.indicators[name].member().encode(kept)
    return _assemble(table, blocks, count, pattern_of_row)


def _assemble(
    table: Table, blocks: Mapping[str, Block], count: Array, pattern_of_row: NDArray[np.intp]
) -> Statistics:
    rows: list[Array] = []
    codes: list[Integers] = []
    slots: list[Slot] = []
    present: list[Array] = []
    n_cells = 0
    n_patterns = len(count)
    missing: list[tuple[int, NDArray[np.bool_]]] = []
    for name, block in blocks.items():
        schema = table.schema.indicators[name]
        start = len(rows)
        rows.extend(block.statistics)
        statistics = slice(start, len(rows))
        exposure = observed = None
        if block.measure is not None and name in table.exposures:
            exposure = len(rows)
            rows.append(block.measure)
        elif block.measure is not None:
            observed = len(present)
            present.append(block.measure)
        cells = slice(n_cells, n_cells + (0 if block.codes is None else len(block.cells)))
        if block.codes is not None:
            missing.append((len(codes), block.codes < 0))
            codes.append((block.codes + n_cells).astype(np.int32))
            n_cells = cells.stop
        member = family(schema.family)
        slots.append(
            Slot(name, member, schema.coding(), statistics, exposure, observed, cells, block.cells)
        )
    combinations, which = _combinations(present, n_patterns)
    observed_table = slice(n_cells, n_cells)
    if len(combinations) > 1:
        observed_table = slice(n_cells, n_cells + len(combinations))
        codes.append((which + n_cells).astype(np.int32))
        n_cells = observed_table.stop
    for column, gaps in missing:
        codes[column][gaps] = n_cells
    layout = Layout(tuple(slots), combinations, observed_table, len(rows), n_cells)
    dense = np.stack(rows) if rows else np.empty((0, n_patterns))
    stacked = np.stack(codes) if codes else np.empty((0, n_patterns), dtype=np.int32)
    log_base = np.sum([block.log_base for block in blocks.values()], axis=0)
    return Statistics(layout, dense, stacked, log_base, count, pattern_of_row)


def _combinations(present: Sequence[Array], n_patterns: int) -> tuple[Array, NDArray[np.intp]]:
    """Return the distinct combinations of observed indicators and each pattern's one."""
    if not present:
        return np.empty((1, 0)), np.zeros(n_patterns, dtype=np.intp)
    found = distinct(present)
    return np.stack([column[found.row] for column in present], axis=1), found.pattern_of_row


def _total(terms: Sequence[Any]) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _zero(parameters: Parameters, member: Family) -> Any:
    """Return zeros of shape (…, segment), in whichever namespace the parameters live."""
    first = member.parameters[0]
    values = parameters[first.name]
    return 0.0 * (values[..., 0] if first.per_level else values)
