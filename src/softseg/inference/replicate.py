"""Replicates of a table: what the model would have produced in the place of the observed cells.

A replicate keeps the customers' exposures and gaps; its cells are drawn from the families, given
the segments. Gaps are taken as given.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import TINY, Array, Coding, Family, Observed, Parameters
from softseg.families.namespace import NUMPY
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values
from softseg.tables.table import Table

Segments = NDArray[np.intp]


@dataclass(frozen=True)
class Cells:
    """The indicators of some customers.

    Attributes
    ----------
    columns
        Values, or codes of levels, by indicator, NaN where not observed; (row,).
    exposures
        Of the indicators that have one; (row,).
    """

    columns: Mapping[str, Array]
    exposures: Mapping[str, Array]

    @property
    def n_rows(self) -> int:
        """Number of customers."""
        return len(next(iter(self.columns.values())))

    def take(self, rows: NDArray[np.intp]) -> "Cells":
        """Return some of the customers, or some of them several times."""
        return Cells(
            {name: column[rows] for name, column in self.columns.items()},
            {name: exposure[rows] for name, exposure in self.exposures.items()},
        )

    def present(self) -> NDArray[np.bool_]:
        """Return which cells are observed, (row, indicator)."""
        return np.stack([~np.isnan(column) for column in self.columns.values()], axis=1)


def pattern_cells(statistics: Statistics, table: Table) -> Cells:
    """Return the cells of every pattern, in the order of the statistics.

    They do not depend on the order of the rows of the table, nor does anything made from them.
    """
    first = np.zeros(statistics.n_patterns, dtype=np.intp)
    rows = np.arange(len(statistics.pattern_of_row))
    first[statistics.pattern_of_row[::-1]] = rows[::-1]
    names = table.schema.indicators
    return Cells({name: table.columns[name] for name in names}, dict(table.exposures)).take(first)


def spaced(n_samples: int, n: int) -> NDArray[np.intp]:
    """Return n evenly spaced draws out of n_samples, some of them twice where there are fewer."""
    return np.linspace(0, n_samples - 1, n).round().astype(np.intp)


def draw_segments(rng: np.random.Generator, probability: Array, n_rows: int) -> Segments:
    """Return one segment per row from shares (segment,) or memberships (row, segment)."""
    edges = np.cumsum(probability, axis=-1)
    edges[..., -1] = np.inf
    uniform = rng.random(n_rows)
    if edges.ndim == 1:
        return np.searchsorted(edges, uniform, side="right")
    return (uniform[:, None] >= edges).sum(axis=1)


def simulate(
    rng: np.random.Generator, mixture: Mixture, values: Values, segment: Segments, like: Cells
) -> Cells:
    """Return cells drawn from the given segments, with the gaps and exposures of `like`."""
    codings = mixture.codings
    columns = {}
    for name, family in mixture.families.items():
        exposure = like.exposures.get(name)
        if exposure is not None:
            exposure = np.where(exposure > 0, exposure, 1.0)
        drawn = family.draw(rng, values.indicators[name], segment, exposure, codings[name])
        columns[name] = np.where(np.isnan(like.columns[name]), np.nan, drawn)
    return Cells(columns, like.exposures)


def log_density_terms(mixture: Mixture, values: Values, cells: Cells) -> dict[str, Array]:
    """Return each indicator's log density in every segment, 0 where missing; (row, segment)."""
    codings = mixture.codings
    return {
        name: _term(
            family,
            values.indicators[name],
            Observed(cells.columns[name], cells.exposures.get(name), codings[name]),
            codings[name],
        )
        for name, family in mixture.families.items()
    }


def log_density(mixture: Mixture, values: Values, cells: Cells) -> Array:
    """Return the log density of each customer, the segment summed out; (row,)."""
    start = np.log(np.maximum(values.share, TINY))
    joint = np.broadcast_to(start, (cells.n_rows, len(start)))
    for term in log_density_terms(mixture, values, cells).values():
        joint = joint + term
    return log_sum(joint.T)


def log_sum(joint: Array) -> Array:
    """Return the log of the sum of exponentials over the first axis."""
    largest = joint.max(axis=0)
    return largest + np.log(np.exp(joint - largest).sum(axis=0))


def _term(family: Family, parameters: Parameters, observed: Observed, coding: Coding) -> Array:
    block = family.encode(observed)
    term = block.log_base[:, None]
    if block.measure is not None:
        natural = np.stack(family.natural(parameters, coding, NUMPY))
        partition = np.asarray(family.log_partition(parameters, coding, NUMPY))
        term = term + block.statistics.T @ natural - block.measure[:, None] * partition
    if block.codes is not None:
        table = np.asarray(family.log_table(parameters, block.cells, coding, NUMPY))
        padded = np.concatenate([table, np.zeros((len(table), 1))], axis=1)
        term = term + padded.T[block.codes]
    return term
