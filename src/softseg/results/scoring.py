"""Scoring: the memberships of new rows under a stored posterior, nothing fitted again."""

import json
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import xarray as xr

from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import Values
from softseg.names import MEMBERSHIP, SEGMENT
from softseg.results.evaluate import draws_to_use
from softseg.results.membership import empty, membership
from softseg.results.tree import (
    posterior_of,
    schema_from_tree,
    segment_names,
    values_from_tree,
)
from softseg.tables.prepare import prepare_new
from softseg.tables.table import Table

TailProbability = Callable[[Statistics, Values, Table], Array]


def score(
    tree: xr.DataTree,
    frame: Any,
    *,
    unseen: Literal["error", "missing"] = "error",
    tail_probability: TailProbability | None = None,
) -> xr.Dataset:
    """Return the memberships of new rows, with the same intervals as in the fit.

    Parameters
    ----------
    tree
        A posterior tree, fresh or loaded.
    frame
        Rows with the columns of the schema, gaps allowed.
    unseen
        What a category that the training table did not have is: an error, or a missing cell that
        is counted.
    tail_probability
        Says how unusual the rows are under the model; without it no row "fits none".

    Returns
    -------
    xarray.Dataset
        As `softseg.results.membership` returns it; the attribute ``unseen`` is a JSON object with
        the number of unseen cells per indicator. Rows of customers who opted out are left out:
        ``row`` says which rows are there. No rows give an empty result of the same dtypes.

    Raises
    ------
    DataError
        Where the rows have faults, all of them listed.
    """
    table, counts = prepare_new(frame, schema_from_tree(tree), unseen=unseen)
    result = score_table(tree, table, tail_probability=tail_probability)
    result.attrs["unseen"] = json.dumps({name: int(count) for name, count in counts.items()})
    return result


def score_table(
    tree: xr.DataTree, table: Table, *, tail_probability: TailProbability | None = None
) -> xr.Dataset:
    """Return the memberships of the rows of a prepared table."""
    values, names = values_from_tree(tree), segment_names(tree)
    n_used = draws_of_fit(tree, len(values.share))
    if table.n_customers == 0:
        n_segments = posterior_of(tree).sizes[SEGMENT]
        return empty(n_segments, n_used=n_used, segment_names=names)
    statistics = reduce(table)
    tail = None if tail_probability is None else tail_probability(statistics, values, table)
    rows = table.rows if len(table.rows) else np.arange(1, table.n_customers + 1)
    return membership(
        statistics,
        values,
        tail_probability=tail,
        rows=rows,
        segment_names=names,
        n_used=n_used,
    )


def draws_of_fit(tree: xr.DataTree, n_draws: int) -> int:
    """Return how many draws the memberships of the fit were computed from."""
    if MEMBERSHIP in tree.children:
        return int(tree[MEMBERSHIP].attrs["n_draws"])
    return draws_to_use(1, n_draws)

