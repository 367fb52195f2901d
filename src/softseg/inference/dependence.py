"""What the segments leave unexplained: dependence of indicators inside a segment.

Local independence is the assumption of the model. With segments drawn from the memberships, the
dependence of two indicators inside segment k is measured by

    φ²_k = ‖ mean of s_a s_bᵀ over the segment's customers ‖²

where the scores s are standardised mid-ranks for a number and centred dummies divided by the root
of the level's share for a category. That is the squared rank correlation for two numbers, the
correlation ratio η² for a number and a category, Pearson's χ²/n for two categories. Its sum over
customers, D = Σ_k n_k φ²_k, is compared with replicates: bivariate residuals have no χ²
distribution of their own in mixtures (Vermunt and Magidson 2016; Oberski, van Kollenburg and
Vermunt 2013), and the replicate knows about gaps, exposures and uncertain segments.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.inference.replicate import Segments

LEAST = 10
"""A segment with fewer customers that show both indicators is left out of a pair."""


@dataclass(frozen=True)
class Ranked:
    """One indicator's cells as ranks of distinct values, or codes of levels.

    Attributes
    ----------
    codes
        0 … n_codes − 1, and n_codes where missing; (row,).
    distinct
        The value that each code stands for, ascending; codes themselves for levels; (code,).
    categorical
        Whether the codes have no order.
    """

    codes: NDArray[np.intp]
    distinct: Array
    categorical: bool

    @property
    def n_codes(self) -> int:
        """Number of distinct values, or of levels."""
        return len(self.distinct)


def ranked(values: Array, n_levels: int) -> Ranked:
    """Return cells as codes; `n_levels` is 0 for a number, and two levels have an order."""
    present = ~np.isnan(values)
    codes = np.empty(len(values), dtype=np.intp)
    if n_levels:
        distinct = np.arange(n_levels, dtype=float)
        codes[present] = values[present].astype(np.intp)
    else:
        distinct, codes[present] = np.unique(values[present], return_inverse=True)
    codes[~present] = len(distinct)
    return Ranked(codes, distinct, n_levels > 2)


@dataclass(frozen=True)
class Pairs:
    """Which pairs of indicators there are, and where their scores lie.

    Attributes
    ----------
    first, second
        Positions of the indicators, (pair,).
    edges
        First column of each indicator's scores, and the end, (indicator + 1,).
    width
        Largest φ² a pair can have: 1, or levels − 1 of the smaller of two categories, (pair,).
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    edges: NDArray[np.intp]
    width: Array


def pairs_of(n_levels: list[int]) -> Pairs:
    """Return the pairs of indicators, given the number of levels of each (0 for a number)."""
    columns = np.array([n if n > 2 else 1 for n in n_levels])
    first, second = np.triu_indices(len(columns), 1)
    edges = np.concatenate([[0], np.cumsum(columns)])
    width = np.minimum(columns[first], columns[second]) - 1.0
    return Pairs(first, second, edges, np.maximum(width, 1.0))


def dependence(
    tables: list[list[Ranked]], segment: Segments, n_segments: int, pairs: Pairs
) -> tuple[Array, Array]:
    """Return φ² (table, segment, pair) and the customers it stands on (segment, pair).

    Parameters
    ----------
    tables
        Tables with the same gaps; each one `Ranked` per indicator.
    segment
        Segment of each row, from 0.

    Notes
    -----
    Both are 0 where fewer than `LEAST` customers of the segment show both indicators.
    """
    # Sorted by segment, a segment's customers are one slice, and one product of matrices gives
    # all its pairs.
    order = np.argsort(segment.astype(np.uint8 if n_segments < 256 else np.intp), kind="stable")
    segment = segment[order]
    slices = list(pairwise(np.searchsorted(segment, np.arange(n_segments + 1))))
    shown = np.stack([one.codes[order] < one.n_codes for one in tables[0]], axis=1).astype(float)
    both = np.stack([shown[low:high].T @ shown[low:high] for low, high in slices])
    n = both[:, pairs.first, pairs.second]
    n = np.where(n >= LEAST, n, 0.0)
    phi2 = np.zeros((len(tables), n_segments, len(pairs.first)))
    starts = pairs.edges[:-1]
    for t, indicators in enumerate(tables):
        columns = [_scores(one, one.codes[order], segment, n_segments) for one in indicators]
        scores = np.concatenate(columns, axis=1)
        for k, (low, high) in enumerate(slices):
            products = np.square(scores[low:high].T @ scores[low:high])
            sums = np.add.reduceat(np.add.reduceat(products, starts, axis=0), starts, axis=1)
            squares = sums[pairs.first, pairs.second] / np.square(np.maximum(n[k], 1.0))
            phi2[t, k] = np.where(n[k] > 0, squares, 0.0)
    return phi2, n


def _scores(one: Ranked, codes: NDArray[np.intp], segment: Segments, n_segments: int) -> Array:
    """Return scores with mean 0 and variance 1 inside each segment, 0 where missing."""
    m = one.n_codes + 1
    table = np.bincount(segment * m + codes, minlength=n_segments * m).reshape(n_segments, m)
    table = table[:, :-1].astype(float)
    n = np.maximum(table.sum(axis=1, keepdims=True), 1.0)
    missing = codes == one.n_codes
    if one.categorical:
        share = table / n
        root = np.sqrt(np.where(share > 0, share, 1.0))
        hit = codes[:, None] == np.arange(one.n_codes)
        scores = (hit - share[segment]) / root[segment]
        return np.where(missing[:, None], 0.0, scores)
    rank = np.cumsum(table, axis=1) - 0.5 * table - 0.5 * n
    variance = (table * rank**2).sum(axis=1, keepdims=True) / n
    rank = rank / np.sqrt(np.where(variance > 0, variance, 1.0))
    rank = np.concatenate([rank, np.zeros((n_segments, 1))], axis=1)
    return rank[segment, codes][:, None]
