"""How far hard labels agree with the soft segments, and which customers they tear apart.

Two partitions of n customers with the cross table n_ab are compared by the
indices of `softseg.results.indices`.

The soft side is not one partition but a distribution over partitions. In each draw every customer
gets a segment by lot with its membership; the indices are computed for that partition; their
5–95 % interval says how well the agreement is known. Labels of the model's own top segments take no
part: they would flatter the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Values
from softseg.names import LOWER_PROBABILITY, UPPER_PROBABILITY
from softseg.results.evaluate import Evaluator, thinned
from softseg.results.indices import (
    adjusted_rand_index,
    binder_pairs,
    pairs_of,
    variation_of_information,
)

AGREEMENT_DRAWS: Final = 200
AGREEMENT_CUSTOMERS: Final = 20_000
"""At most this many evenly spaced customers are compared."""


@dataclass(frozen=True)
class Agreement:
    """How one hard clustering agrees with the soft segments.

    Attributes
    ----------
    draws
        ``ari``; ``vi`` in bits; ``binder``, share of all pairs; ``torn_pairs``, share of the pairs
        of one segment whose customers lie in different clusters; each of shape (sample,).
    cross
        Expected customers by cluster and segment, shape (cluster, segment).
    segment_of_cluster
        Segment, 1 … K, that each cluster is matched with so that most customers agree (Hungarian
        method); 0 where there are more clusters than segments. Shape (cluster,).
    clustered
        Which customers have a label, shape (customer,): all, unless Ward took a sample.
    torn
        Which of them lie in a cluster that is matched with another segment than their top one,
        shape (customer,).
    forced
        Which of them are not clear members of any segment, yet got a label as certain as
        everybody else's, shape (customer,).
    """

    draws: Mapping[str, Array]
    cross: Array
    segment_of_cluster: NDArray[np.int64]
    clustered: NDArray[np.bool_]
    torn: NDArray[np.bool_]
    forced: NDArray[np.bool_]


def agreement(
    statistics: Statistics,
    values: Values,
    membership: xr.Dataset,
    labels: NDArray[np.integer],
    rng: np.random.Generator,
    *,
    rows: NDArray[np.intp] | None = None,
    count: Array | None = None,
) -> Agreement:
    """Compare hard labels with the soft segments, draw by draw.

    Parameters
    ----------
    statistics
        The patterns of the table.
    values
        Draws with one leading axis (sample).
    membership
        The memberships of the table, from `softseg.results.membership`.
    labels
        Cluster of each customer, 1 …, shape (customer,), or of those at `rows`.
    rng
        For the lots.
    rows
        Positions of the labelled customers, all by default.
    count
        Customers each row of the table stands for, 1 by default.
    """
    n_customers = len(statistics.pattern_of_row)
    rows = np.arange(n_customers) if rows is None else rows
    if len(labels) != len(rows):
        raise UsageError(f"Give one label per customer: expected {len(rows)}, got {len(labels)}.")
    count = np.ones(n_customers) if count is None else count
    labels = np.asarray(labels, dtype=np.intp) - 1
    cross = _expected_cross(membership["mean"].values[rows], labels, count[rows])
    partner = _partners(cross)
    torn, clustered = np.zeros(n_customers, dtype=bool), np.zeros(n_customers, dtype=bool)
    torn[rows] = partner[labels] != membership["top"].values[rows]
    clustered[rows] = True
    forced = clustered & (membership["verdict"].values != "clear")
    tables = _drawn_cross(statistics, thinned(values, AGREEMENT_DRAWS), labels, rows, count, rng)
    return Agreement(_indices(tables), cross, partner, clustered, torn, forced)


def band(draws: Array) -> dict[str, float]:
    """Return mean and interval of draws."""
    lower, upper = np.quantile(draws, (LOWER_PROBABILITY, UPPER_PROBABILITY))
    return {"mean": float(draws.mean()), "lower": float(lower), "upper": float(upper)}


def _indices(tables: Array) -> dict[str, Array]:
    both, one, _, pairs = pairs_of(np.swapaxes(tables, -1, -2))
    return {
        "ari": adjusted_rand_index(tables),
        "vi": variation_of_information(tables),
        "binder": binder_pairs(tables) / np.maximum(pairs, 1e-300),
        "torn_pairs": 1.0 - both / np.maximum(one, 1e-300),
    }


def _expected_cross(mean: Array, labels: NDArray[np.intp], count: Array) -> Array:
    n_clusters = int(labels.max(initial=0)) + 1
    weighted = mean * count[:, None]
    columns = [np.bincount(labels, weights=column, minlength=n_clusters) for column in weighted.T]
    return np.stack(columns, axis=1)


def _partners(cross: Array) -> NDArray[np.int64]:
    clusters, segments = linear_sum_assignment(cross, maximize=True)
    partner = np.zeros(len(cross), dtype=np.int64)
    partner[clusters] = segments + 1
    return partner


def _drawn_cross(
    statistics: Statistics,
    values: Values,
    labels: NDArray[np.intp],
    rows: NDArray[np.intp],
    count: Array,
    rng: np.random.Generator,
) -> Array:
    """Return the cross table of each draw's lots, shape (sample, cluster, segment).

    Customers are taken in the order of their patterns, so that patterns are evaluated once and in
    blocks.
    """
    if len(rows) > AGREEMENT_CUSTOMERS:
        step = np.linspace(0, len(rows) - 1, AGREEMENT_CUSTOMERS).astype(np.intp)
        rows, labels = rows[step], labels[step]
    patterns, which = np.unique(statistics.pattern_of_row[rows], return_inverse=True)
    evaluator = Evaluator(statistics.take(patterns), values)
    n_draws, n_segments = values.share.shape
    n_clusters = int(labels.max(initial=0)) + 1
    tables = np.zeros((n_draws, n_clusters * n_segments))
    offset = np.arange(n_draws)[:, None] * (n_clusters * n_segments)
    order = np.argsort(which.reshape(-1), kind="stable")
    edges = np.searchsorted(which.reshape(-1)[order], np.arange(len(patterns) + 1))
    for block in evaluator.blocks():
        edge = np.cumsum(evaluator.memberships(block), axis=1)
        inside = order[edges[block.start] : edges[block.stop]]
        local = which.reshape(-1)[inside] - block.start
        lots = rng.random((len(inside), n_draws))
        segment = np.zeros((len(inside), n_draws), dtype=np.intp)
        for k in range(n_segments - 1):
            segment += lots >= edge[local, k]
        cells = (offset + (labels[inside] * n_segments) + segment.T).reshape(-1)
        weights = np.tile(count[rows[inside]], n_draws)
        tables += np.bincount(cells, weights, tables.size).reshape(tables.shape)
    return tables.reshape(n_draws, n_clusters, n_segments)
