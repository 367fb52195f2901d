"""Labels as the statistics of a table: one categorical indicator whose patterns are its levels."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from softseg.families import family
from softseg.families.base import Array, Coding
from softseg.likelihood.statistics import Layout, Slot, Statistics
from softseg.names import ASSIGNED

NO_ROWS: Final = np.empty(0, dtype=np.intp)


def label_names(n_labels: int) -> list[str]:
    """Return the levels of the indicator ``assigned``: segments from 1, as text."""
    return [str(i + 1) for i in range(n_labels)]


def labels_as_statistics(count: Array, label_of_row: NDArray[np.intp] = NO_ROWS) -> Statistics:
    """Return labels as statistics: pattern w is the label w, whether a row has it or not.

    Parameters
    ----------
    count
        Customers and periods with each label, (assigned,).
    label_of_row
        Label of each row of a panel, from 0; (row,). Left out where no row is asked for.
    """
    n = len(count)
    slot = Slot(
        ASSIGNED, family("categorical"), Coding(tuple(label_names(n)), 0.0, 1.0, 1.0),
        statistics=slice(0, 0), exposure=None, observed=None, table=slice(0, n),
        cells=np.arange(n, dtype=float)[:, None],
    )  # fmt: skip
    layout = Layout((slot,), np.empty((1, 0)), slice(n, n), 0, n)
    codes = np.arange(n, dtype=np.int32)[None]
    count = np.asarray(count, dtype=float)
    return Statistics(layout, np.empty((0, n)), codes, np.zeros(n), count, label_of_row)
