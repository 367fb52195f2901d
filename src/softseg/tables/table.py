"""A checked, typed customer table: what every later step reads instead of a frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array, Observed
from softseg.tables.schema import Schema


@dataclass(frozen=True)
class Table:
    """Customers with their indicators as numbers, consenting customers only.

    Attributes
    ----------
    schema
        The schema with levels, codings and default priors frozen.
    columns
        Indicator by name: values, or codes of levels, NaN where not observed; (customer,).
    exposures
        Exposure of the indicators that have one, by indicator; (customer,).
    count
        How many customers a row stands for (or its survey weight); (customer,).
    values
        Value columns by name, NaN where not observed; (customer,).
    rows
        Number of each row among the consenting ones, 1 for the first below the header, so that
        rows left out leave no trace; (customer,). Faults count the rows of the file.
    customers
        Ids as text, None without an id column. They go nowhere but into `memberships.parquet`.
    dropped
        Indicators that were left out because they are the same for every customer.
    distinct
        Whether these are the distinct rows of a file, each with its count, and not its rows.
    n_opted_out
        How many rows were dropped because the customer objects. Written to no output, so that
        these rows leave no trace.
    """

    schema: Schema
    columns: Mapping[str, Array]
    exposures: Mapping[str, Array]
    count: Array
    values: Mapping[str, Array] = field(default_factory=dict)
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    customers: tuple[str, ...] | None = None
    n_opted_out: int = 0
    dropped: tuple[str, ...] = ()
    distinct: bool = False

    @property
    def n_customers(self) -> int:
        """Number of rows."""
        return len(self.count)

    def observed(self, indicator: str) -> Observed:
        """Return one indicator's cells as its family reads them."""
        coding = self.schema.indicators[indicator].coding()
        return Observed(self.columns[indicator], self.exposures.get(indicator), coding)
