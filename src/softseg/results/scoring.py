"""Scoring: the memberships of new rows under a stored posterior, nothing fitted again."""

import json
from typing import Any, Final, Literal

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from softseg.families.base import Array
from softseg.inference.tail import tail_probability
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import specify
from softseg.names import MEMBERSHIP
from softseg.results.evaluate import Evaluator, draws_to_use, thinned
from softseg.results.membership import empty, membership
from softseg.results.tree import schema_from_tree, segment_names, values_from_tree
from softseg.tables.prepare import prepare_new
from softseg.tables.table import Table

TAIL_STREAM: Final = 1
"""Stream of random numbers for scoring, apart from those of the fit."""


def score(
    tree: xr.DataTree, frame: Any, *, unseen: Literal["error", "missing"] = "error"
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
    table, counts = prepare_new(frame, schema_from_tree(tree), unseen)
    result = score_table(tree, table)
    result.attrs["unseen"] = json.dumps(counts, sort_keys=True)
    return result


def score_table(tree: xr.DataTree, table: Table) -> xr.Dataset:
    """Return the memberships of the rows of a prepared table.

    The tail probability is simulated from the seed of the fit: the same rows get the same number
    again, other rows beside them change it within its Monte Carlo error.
    """
    values, names = values_from_tree(tree), segment_names(tree)
    n_used, n_segments = draws_of_fit(tree, len(values.share)), values.share.shape[-1]
    if table.n_customers == 0:
        return empty(n_segments, n_used=n_used, segment_names=names)
    statistics = reduce(table)
    rng = np.random.default_rng([int(tree.attrs.get("seed", 0)), TAIL_STREAM])
    tail = tail_probability(statistics, table, specify(table.schema, n_segments), values, rng)
    return membership(
        statistics,
        values,
        tail_probability=tail,
        rows=table.rows,
        segment_names=names,
        n_used=n_used,
    )


def draws_of_fit(tree: xr.DataTree, n_draws: int) -> int:
    """Return how many draws the memberships of the fit were computed from."""
    if MEMBERSHIP in tree.children:
        return int(tree[MEMBERSHIP].attrs["n_draws"])
    return draws_to_use(1, n_draws)


def log_predictive_density(tree: xr.DataTree, statistics: Statistics) -> Array:
    """Return log p(row | training table) = log mean over draws of Σ_k π_k f_k; (customer,).

    The densities carry the units of the data; an all-missing row has 0.
    """
    values = values_from_tree(tree)
    evaluator = Evaluator(statistics, thinned(values, draws_of_fit(tree, len(values.share))))
    density = np.empty(statistics.n_patterns)
    for block in evaluator.blocks():
        by_draw = logsumexp(evaluator.log_joint(block), axis=1)
        density[block] = logsumexp(by_draw, axis=1) - np.log(evaluator.n_draws)
    return (density + statistics.log_base)[statistics.pattern_of_row]
