"""The fit beside k-means and Ward at the same number of segments: `compare`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.comparison.agreement import Agreement, agreement, band
from softseg.comparison.hard import Ward, features, kmeans, ward
from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics
from softseg.names import CUSTOMER, SEGMENT
from softseg.results.tree import values_from_tree
from softseg.tables.table import Table

KMEANS, WARD = "kmeans", "ward"


@dataclass(frozen=True)
class Comparison:
    """What hard clusterings would have said.

    Attributes
    ----------
    agreements
        By method, ``kmeans`` and ``ward``.
    labels
        Cluster of each customer by method, 1 …, 0 for a customer that Ward did not look at.
    ward
        Ward's sample and tree.
    top
        Top segment of each customer, shape (customer,).
    count
        Customers each row stands for.
    """

    agreements: Mapping[str, Agreement]
    labels: Mapping[str, NDArray[np.int64]]
    ward: Ward
    top: NDArray[np.int64]
    count: Array

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return the figures for a report, by method.

        ``ari``, ``vi`` (bits), ``binder`` and ``torn_pairs`` as mean and interval; ``torn``,
        customers in a cluster that is matched with another segment than their top one, and
        ``forced``, customers without a clear segment that got a hard label, both in customers;
        ``customers``, how many have a label at all.
        """
        return {
            method: {name: band(draws) for name, draws in found.draws.items()}
            | {
                "torn": float(self.count[found.torn].sum()),
                "forced": float(self.count[found.forced].sum()),
                "customers": float(self.count[found.clustered].sum()),
            }
            for method, found in self.agreements.items()
        }

    def dendrogram(self) -> tuple[Array, NDArray[np.int64]]:
        """Return Ward's linkage and the top segments of the customers in it."""
        return self.ward.linkage, self.top[self.ward.rows]

    def dataset(self) -> xr.Dataset:
        """Return labels and agreement for the posterior tree, as ``/comparison``.

        ``label, torn, forced`` (method, customer); ``cross`` (method, cluster, segment);
        ``segment_of_cluster`` (method, cluster); ``ari_mean, _lower, _upper``, … (method).
        """
        methods = list(self.agreements)
        found = list(self.agreements.values())
        wide = ("method", CUSTOMER)
        data: dict[str, Any] = {
            "label": (wide, np.stack([self.labels[method] for method in methods])),
            "torn": (wide, np.stack([one.torn for one in found])),
            "forced": (wide, np.stack([one.forced for one in found])),
            "cross": (("method", "cluster", SEGMENT), _padded([one.cross for one in found])),
            "segment_of_cluster": (
                ("method", "cluster"),
                _padded([one.segment_of_cluster for one in found]),
            ),
        }
        summary = self.summary()
        for name in found[0].draws:
            for part in ("mean", "lower", "upper"):
                numbers = [summary[method][name][part] for method in methods]
                data[f"{name}_{part}"] = ("method", np.array(numbers))
        return xr.Dataset(data, {"method": np.array(methods, dtype=np.str_)})


def compare(
    tree: xr.DataTree, table: Table, statistics: Statistics, rng: np.random.Generator
) -> Comparison:
    """Cluster the customers of a fit by k-means and Ward, and compare.

    Parameters
    ----------
    tree
        The posterior tree with ``/membership``.
    table, statistics
        The training table and its patterns.
    rng
        For the starts of k-means, Ward's sample and the lots.
    """
    values, membership = values_from_tree(tree), tree["membership"].to_dataset()
    n_segments = min(values.share.shape[-1], table.n_customers)
    columns = features(table)
    seed = int(rng.integers(2**31))
    flat = kmeans(columns, n_segments, seed, table.count)
    grown = ward(columns, n_segments, rng, table.count)
    ward_labels = np.zeros(table.n_customers, dtype=np.int64)
    ward_labels[grown.rows] = grown.labels
    agreements = {
        KMEANS: agreement(statistics, values, membership, flat, rng, count=table.count),
        WARD: agreement(
            statistics, values, membership, grown.labels, rng, rows=grown.rows, count=table.count
        ),
    }
    labels = {KMEANS: flat, WARD: ward_labels}
    return Comparison(agreements, labels, grown, membership["top"].values, table.count)


def _padded(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays stacked, the shorter ones filled with zeros."""
    longest = max(len(array) for array in arrays)
    return np.stack(
        [
            np.pad(array, [(0, longest - len(array))] + [(0, 0)] * (array.ndim - 1))
            for array in arrays
        ]
    )
