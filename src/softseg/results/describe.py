"""Everything the results say about a fitted table, put into its posterior tree at once."""

from typing import Final

import numpy as np
import xarray as xr

from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics
from softseg.names import CUSTOMER, MEMBERSHIP, PROFILE, SIZES
from softseg.results.evaluate import draws_to_use, summarise, thinned
from softseg.results.membership import membership_dataset
from softseg.results.profile import profile
from softseg.results.sizes import size_rows, sizes_dataset
from softseg.results.tree import add_group, schema_from_tree, segment_names, values_from_tree
from softseg.tables.table import Table

LOTS_STREAM: Final = 2
"""Stream of random numbers for the sizes, apart from those of the fit and of scoring."""


def describe(
    tree: xr.DataTree,
    table: Table,
    statistics: Statistics,
    *,
    tail_probability: Array | None = None,
) -> None:
    """Add ``/membership``, ``/sizes`` and ``/profile`` to a posterior tree.

    Memberships and sizes come from one pass over patterns and draws. Where the table's rows are the
    distinct rows of a file, ``/membership`` has one entry for each of them, and ``count`` says how
    many customers it stands for.

    Parameters
    ----------
    tree
        The tree of `posterior_tree`.
    table, statistics
        The training table and its patterns.
    tail_probability
        Predictive tail probability of each customer, shape (customer,), if known.
    """
    values, names = values_from_tree(tree), segment_names(tree)
    n_used = draws_to_use(statistics.n_patterns, len(values.share))
    rng = np.random.default_rng([int(tree.attrs["seed"]), LOTS_STREAM])
    rows = size_rows(table, statistics)
    summary = summarise(statistics, thinned(values, n_used), rows, rng)
    members = membership_dataset(
        summary,
        statistics.pattern_of_row,
        n_used=n_used,
        tail_probability=tail_probability,
        rows=table.rows if len(table.rows) else np.arange(1, table.n_customers + 1),
        segment_names=names,
    )
    if table.distinct:
        members["count"] = (CUSTOMER, table.count)
    add_group(tree, MEMBERSHIP, members)
    add_group(tree, SIZES, sizes_dataset(table, summary, segment_names=names))
    schema = schema_from_tree(tree)
    add_group(tree, PROFILE, profile(statistics, values, schema, segment_names=names))
