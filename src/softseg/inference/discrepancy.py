"""Statistics of one indicator that a mixture does not fit by construction.

Means and variances are fitted, so they say nothing. These do: how values spread out over the range
the model expects, the extremes, the weight of one single value, and for counts the zeros and the
ratio of variance to mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from softseg.families.base import Array, Family
from softseg.inference.dependence import Ranked

N_BINS = 20

RELEVANT: Final[Mapping[str, float]] = {
    "distribution": 0.03,
    "repeated": 0.10,
    "zeros": 0.02,
    "dispersion": 0.25,
    "smallest": 0.0,
    "largest": 0.0,
}
"""How far from the replicates' median a statistic must lie to matter, however sure that is.

Shares in points; for ``dispersion`` relative to the median; for the extremes any distance outside
the replicates counts.
"""


@dataclass(frozen=True)
class Yardstick:
    """What one indicator's statistics need besides its values.

    Attributes
    ----------
    names
        The statistics, in order.
    edges
        Inner bounds of the bins in which the distribution is compared.
    centre, scale
        Of the scale on which extremes are compared: asinh((x − centre)/scale).
    """

    names: tuple[str, ...]
    edges: Array
    centre: float
    scale: float

    def stretch(self, x: Array) -> Array:
        """Return extremes on a scale on which heavy tails are tame."""
        return np.arcsinh((x - self.centre) / self.scale)


def yardstick(family: Family, expected: Array) -> Yardstick:
    """Return the yardstick of an indicator, from values that the model expects.

    `expected` comes from a replicate, so that neither the observed values nor those they are
    compared with have made the bins.
    """
    x = np.sort(expected[~np.isnan(expected)])
    if family.levelled:
        return Yardstick(("distribution",), np.unique(x)[:-1], 0.0, 1.0)
    names = ("distribution", "smallest", "largest", "repeated")
    if family.discrete:
        names = ("distribution", "largest", "zeros", "dispersion")
    if len(x) == 0:
        return Yardstick(names, np.empty(0), 0.0, 1.0)
    edges = np.unique(np.quantile(x, np.arange(1, N_BINS) / N_BINS, method="inverted_cdf"))
    low, centre, high = np.quantile(x, [0.25, 0.5, 0.75])
    spread = float(high - low) or float(np.std(x)) or 1.0
    return Yardstick(names, edges, float(centre), spread)


def statistics_of(stick: Yardstick, values: Array, ranks: Ranked) -> tuple[Array, Array]:
    """Return the shares at or below each edge, and the other statistics in order.

    `ranks` are those of the values. NaN where nothing is observed.
    """
    x = values[~np.isnan(values)]
    if len(x) == 0:
        return np.full(len(stick.edges), np.nan), np.full(len(stick.names) - 1, np.nan)
    counts = np.bincount(ranks.codes, minlength=ranks.n_codes + 1)[: ranks.n_codes]
    below = np.concatenate([[0.0], np.cumsum(counts) / len(x)])
    shares = below[np.searchsorted(ranks.distinct, stick.edges, side="right")]
    mean = float(x.mean())
    made = {
        "smallest": ranks.distinct[0],
        "largest": ranks.distinct[-1],
        "repeated": float(counts.max()) / len(x),
        "zeros": float(np.mean(x == 0)),
        "dispersion": float(x.var()) / mean if mean > 0 else 0.0,
    }
    return shares, np.array([made[name] for name in stick.names[1:]])
