"""A checked panel: what the migration model reads instead of a frame."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.tables.schema import Schema
from softseg.tables.table import Table
from softseg.wording import number, say

ACTIVE: Final = 0
"""The customer is in a segment."""
ANY: Final = 1
"""The customer is in a segment or has left."""
CHURNED: Final = 2
"""The customer has left."""


@dataclass(frozen=True)
class Notes:
    """What a panel holds, as counts.

    Attributes
    ----------
    customers, histories, periods, steps
        How many there are.
    gaps
        Steps that nothing was observed in, other than those in which a customer has left.
    late_entries
        Histories that begin after the panel's first period: those that `joined` and those that
        `returned`.
    joined
        Late entries of customers who were not there before.
    returned
        Histories of customers who had left.
    churned
        Histories that end because the customer has left.
    right_censored
        Histories that end without it: what became of the customer is not known.
    inactive_at_end
        Right-censored histories that are without activity in the panel's last period.
    left_out
        Customers without any history: never active, or gone before their first row.
    """

    customers: int
    histories: int
    periods: int
    steps: int
    gaps: int
    late_entries: int
    joined: int
    returned: int
    churned: int
    right_censored: int
    inactive_at_end: int
    left_out: int

    def lines(self, language: str = "en") -> list[str]:
        """Return what there is to say about the panel, one sentence per line."""
        counts = {part.name: getattr(self, part.name) for part in fields(self)}
        said = {name: number(count, language) for name, count in counts.items()}
        always = ("size", "ends")
        chosen = ("gaps", "late_entries", "returned", "inactive_at_end", "left_out")
        keys = [*always, *(name for name in chosen if counts[name])]
        return [say(f"panel.{key}", language, **said) for key in keys]


@dataclass(frozen=True)
class Panel:
    """Customers over time: histories of steps, and a table with what was observed in them.

    A history is one stay of one customer; its steps are consecutive periods. Steps stand in the
    order of history, then period.

    Attributes
    ----------
    table
        One row per customer and period in which something was observed, in the order of the steps,
        the schema frozen.
    customer
        Number of the customer; (history,).
    start
        Where the steps of a history begin, and where the last one ends; (history + 1,).
    row
        Row of `table`, −1 where nothing was observed; (step,).
    may
        What the customer may be: `ACTIVE`, `ANY` or `CHURNED`; (step,).
    period
        Number of the period; (step,).
    covariates
        Covariates of the transition into a step, known in this step's period, carried forward
        where there is no cell; (step, covariate).
    covariate_names
        Their names, ``column=level`` for levels; (covariate,).
    initial
        Covariates of a history's first segment; (history, initial covariate).
    initial_names
        Their names; (initial covariate,).
    periods
        Labels of the periods, none left out; (period,).
    customers
        Ids as text, in sorted order; (customer,). They go into no log, figure or page.
    notes
        Counts for the user.
    """

    table: Table
    customer: NDArray[np.int64]
    start: NDArray[np.int64]
    row: NDArray[np.int64]
    may: NDArray[np.int8]
    period: NDArray[np.int64]
    covariates: Array
    covariate_names: tuple[str, ...]
    initial: Array
    initial_names: tuple[str, ...]
    periods: tuple[str, ...]
    customers: tuple[str, ...] | None
    notes: Notes

    @property
    def schema(self) -> Schema:
        """The frozen schema."""
        return self.table.schema

    @property
    def n_histories(self) -> int:
        """Number of histories."""
        return len(self.customer)

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.row)
