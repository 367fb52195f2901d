"""Hard clusterings of the same customers: k-means and Ward, as an analyst would run them.

Both need columns that can be measured against each other and have no gaps, which the mixture does
not. What is done about it is the usual and stated here: a count is divided by its exposure; a
column with a skewness beyond ±1 goes to the log scale (positive), log(1 + x/median) (with zeros) or
asinh (signed); numbers are standardised; an indicator with levels becomes one column per level,
scaled together to the variance 1, so that it counts as much as a number whatever the number of its
levels; gaps are filled with the median or the most frequent level.

k-means: Lloyd 1982, scikit-learn, 10 starts. Ward: Ward 1963, SciPy, on a sample where there are
many customers, for its memory grows with their square.
"""

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.tables.table import Table

KMEANS_STARTS: Final = 10
MANY_ROWS: Final = 20_000
"""Below it threads of k-means wait for each other longer than they work."""
WARD_CUSTOMERS: Final = 5_000
"""Ward looks at this many customers at most."""
SKEWED: Final = 1.0


@dataclass(frozen=True)
class Ward:
    """A Ward clustering of a sample of the customers.

    Attributes
    ----------
    labels
        Cluster of each customer of the sample, 1 … K, the largest first.
    rows
        Positions of these customers in the table, ascending.
    linkage
        SciPy's linkage matrix, for a dendrogram.
    """

    labels: NDArray[np.int64]
    rows: NDArray[np.intp]
    linkage: Array


def features(table: Table) -> Array:
    """Return the indicators as columns for hard clustering, shape (customer, column)."""
    blocks = []
    for name in table.schema.indicators:
        observed = table.observed(name)
        if observed.coding.levels:
            blocks.append(_level_columns(observed.values, len(observed.coding.levels), table.count))
        else:
            values = observed.values
            if observed.exposure is not None:
                values = values / observed.exposure
            blocks.append(_number_column(values))
    return np.concatenate(blocks, axis=1)


def kmeans(
    columns: Array, n_segments: int, seed: int, count: Array | None = None
) -> NDArray[np.int64]:
    """Return the k-means cluster of each customer, 1 … K, the largest first."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    _check(columns, n_segments)
    machine = KMeans(n_segments, n_init=KMEANS_STARTS, random_state=seed)  # pyright: ignore
    threads = 1 if len(columns) < MANY_ROWS else None
    with warnings.catch_warnings(), threadpool_limits(threads):
        # Fewer distinct rows than clusters is legal here: it leaves a cluster empty.
        warnings.filterwarnings("ignore", message="Number of distinct clusters")
        found = machine.fit(columns, sample_weight=count)
    return by_size(np.asarray(found.labels_), count)


def ward(
    columns: Array, n_segments: int, rng: np.random.Generator, count: Array | None = None
) -> Ward:
    """Return Ward's clusters of all customers, or of `WARD_CUSTOMERS` drawn at random.

    Rows that stand for several customers are drawn by their count, and count once in a cluster.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    _check(columns, n_segments)
    rows = np.arange(len(columns))
    if len(columns) > WARD_CUSTOMERS:
        chances = None if count is None else count / count.sum()
        chosen = rng.choice(len(columns), WARD_CUSTOMERS, replace=False, p=chances)
        rows = np.sort(chosen)
    tree = linkage(columns[rows], method="ward")
    labels = fcluster(tree, n_segments, criterion="maxclust")
    return Ward(by_size(labels, None if count is None else count[rows]), rows, tree)


def by_size(labels: NDArray[np.integer], count: Array | None = None) -> NDArray[np.int64]:
    """Return the labels numbered from 1, the largest group first."""
    _, which = np.unique(labels, return_inverse=True)
    sizes = np.bincount(which.reshape(-1), weights=count)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(1, len(sizes) + 1)
    return rank[which.reshape(-1)]


def _check(columns: Array, n_segments: int) -> None:
    if not 1 <= n_segments <= len(columns):
        raise UsageError(
            f"Give a number of segments between 1 and the {len(columns)} customers, "
            f"got {n_segments}."
        )


def _number_column(values: Array) -> Array:
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return np.zeros((len(values), 1))
    filled = np.where(np.isfinite(values), values, np.median(known))
    scaled = _unskewed(filled, known)
    spread = scaled.std()
    return ((scaled - scaled.mean()) / (spread if spread > 0 else 1.0))[:, None]


def _unskewed(values: Array, known: Array) -> Array:
    from scipy.stats import skew

    if np.ptp(known) == 0 or abs(float(skew(known))) <= SKEWED:
        return values
    size = np.abs(known[known != 0])
    unit = float(np.median(size))
    if known.min() > 0:
        return np.log(values)
    return np.log1p(values / unit) if known.min() >= 0 else np.arcsinh(values / unit)


def _level_columns(codes: Array, n_levels: int, count: Array) -> Array:
    known = ~np.isnan(codes)
    whole = np.where(known, codes, 0.0).astype(np.intp)
    frequency = np.bincount(whole[known], weights=count[known], minlength=n_levels)
    whole[~known] = int(frequency.argmax())
    columns = np.zeros((len(codes), n_levels))
    columns[np.arange(len(codes)), whole] = 1.0
    variance = float(columns.var(axis=0).sum())
    return (columns - columns.mean(axis=0)) / np.sqrt(variance if variance > 0 else 1.0)
