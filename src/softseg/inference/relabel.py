"""Align the labels of all draws, once, right after sampling: `align`.

The pivot is a mode: every customer's top segment there. For each draw the customers of each
segment are cross-counted with the pivot's, and the assignment of segments that keeps most
customers together is taken (equivalence classes representatives, ECR; Papastamoulis and Iliopoulos
2010, with memberships in the place of drawn segments; Hungarian algorithm). Then the segments are
numbered by mean expected size, the largest first. Parameters, shares and everything derived from
them move along.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.likelihood.block import BLOCK, COMPILED, U, fill, normalise, ready, room
from softseg.likelihood.kernel import memberships, start_of
from softseg.likelihood.statistics import Statistics, Weights
from softseg.models.mixture import Values

MOST_PATTERNS = 4000
"""Labels are aligned on so many patterns at the most, evenly spaced in their sorted order."""

MOST_NUMBERS = 8_000_000
"""Weights and tables of so many numbers are held at once."""


@dataclass(frozen=True)
class Aligned:
    """Draws with aligned labels, and how well that went.

    Attributes
    ----------
    values
        Leading axes (chain, draw).
    order
        Entry k says which segment of the sampler became segment k, (chain, draw, segment).
    mean_sizes
        Mean expected customers of each segment, (segment,).
    not_permutations
        Share of draws whose segments do not correspond to the pivot's one to one.
    chain_memberships
        Mean membership per chain on the aligning patterns, (chain, pattern, segment); None unless
        it was asked for.
    count
        Customers of these patterns, (pattern,).
    """

    values: Values
    order: NDArray[np.intp]
    mean_sizes: Array
    not_permutations: float
    chain_memberships: Array | None
    count: Array


def align(
    statistics: Statistics,
    values: Values,
    pivot: Values,
    *,
    relabel: bool = True,
    shares: bool = True,
    by_chain: bool = True,
) -> Aligned:
    """Return the draws with the labels of the pivot, numbered by mean expected size.

    Parameters
    ----------
    values
        Draws with leading axes (chain, draw).
    pivot
        Parameters of a mode, shape (segment[, level]).
    relabel
        False where segments have priors of their own, so that labels carry meaning: then nothing
        moves, and only the agreement is measured.
    shares
        False where the shares are not those of the rows: then memberships are taken as if all
        segments were alike frequent, and segments keep the numbers of the pivot.
    by_chain
        Whether chains are to be compared: independent draws have none.
    """
    n_chains, n_draws, k = values.share.shape
    given = values
    if not shares:
        values, pivot = _even(values), _even(pivot)
    sample = _sample(statistics)
    scale = statistics.n_customers / sample.n_customers
    weights = sample.layout.weights(pivot.indicators, NUMPY)
    membership, _ = memberships(sample, weights, pivot.share)
    top = membership.argmax(axis=1)
    cross = np.empty((n_chains, n_draws, k, k))
    for chain in range(n_chains):
        cross[chain] = _cross(sample, values.at(chain), top, k)
    order = np.broadcast_to(np.arange(k), values.share.shape).copy()
    if relabel:
        for index in np.ndindex(n_chains, n_draws):
            order[index] = linear_sum_assignment(cross[index], maximize=True)[1]
    most = cross.argmax(axis=3)
    one_to_one = (np.sort(most, axis=2) == np.arange(k)).all(axis=2)
    filled = cross.sum(axis=(0, 1, 3)) > 0
    lost = 1.0 - float(one_to_one.mean()) if filled.all() else 1.0
    sizes = np.take_along_axis(cross.sum(axis=2), order, axis=2).mean(axis=(0, 1)) * scale
    if relabel and shares:
        by_size = np.argsort(-sizes, kind="stable")
        order, sizes = order[..., by_size], sizes[by_size]
    moved = values.permuted(order)
    means = None
    if by_chain:
        means = np.stack([_mean_membership(sample, moved.at(chain)) for chain in range(n_chains)])
    moved = moved if shares else given.permuted(order)
    return Aligned(moved, order, sizes, lost, means, sample.count)


def _even(values: Values) -> Values:
    return replace(values, share=np.full_like(values.share, 1.0 / values.share.shape[-1]))


def _sample(statistics: Statistics) -> Statistics:
    n = statistics.n_patterns
    if n <= MOST_PATTERNS:
        return statistics
    return statistics.take(np.linspace(0, n - 1, MOST_PATTERNS).round().astype(np.intp))


def _ready(statistics: Statistics, values: Values) -> tuple[Array, Array, Array]:
    weights: Weights = statistics.layout.weights(values.indicators, NUMPY)
    start = start_of(weights, values.share)
    return start, np.ascontiguousarray(weights.dense), np.ascontiguousarray(weights.table)


def _parts(statistics: Statistics, values: Values) -> Iterator[Values]:
    """Return the draws in parts whose weights and tables fit into memory together."""
    width = values.share.shape[-1] * (statistics.layout.n_cells + statistics.layout.n_columns + 2)
    size = max(1, MOST_NUMBERS // width)
    for first in range(0, len(values.share), size):
        yield values.at(slice(first, first + size))


def _cross(statistics: Statistics, values: Values, top: NDArray[np.intp], k: int) -> Array:
    """Return the customers of pivot segment a in a draw's segment b, (draw, a, b)."""
    s = statistics
    parts = [
        cross_kernel(s.dense, s.joined, s.count, *_ready(s, part), top, k)
        for part in _parts(s, values)
    ]
    return np.concatenate(parts)


def _mean_membership(statistics: Statistics, values: Values) -> Array:
    """Return the memberships averaged over draws, (pattern, segment)."""
    s = statistics
    total = np.zeros((s.n_patterns, values.share.shape[-1]))
    for part in _parts(s, values):
        total += mean_kernel(s.dense, s.joined, *_ready(s, part)).T * len(part.share)
    return total / len(values.share)


@njit(**COMPILED)
def cross_kernel(dense, joined, count, starts, weights, tables, top, n_groups):  # pragma: no cover
    """Sum the memberships of each draw over the patterns of each pivot segment."""
    n_draws, n_segments = starts.shape
    n_patterns = len(count)
    joint, largest, total = room(n_segments)
    cross = np.zeros((n_draws, n_groups, n_segments))
    for draw in range(n_draws):
        out = cross[draw]
        start, weight, table = ready(joined, starts[draw], weights[draw], tables[draw])
        for first in range(0, n_patterns, BLOCK):
            n = min(BLOCK, n_patterns - first)
            fill(dense, joined.codes, start, weight, table, first, n, joint)
            normalise(n_segments, n, joint, largest, total)
            for i in range(n):
                each = count[first + i] / total[i]
                for k in range(n_segments):
                    out[top[first + i], k] += joint[k * BLOCK + i] * each
    return cross


@njit(**COMPILED)
def mean_kernel(dense, joined, starts, weights, tables):  # pragma: no cover
    """Average the memberships over draws, (segment, pattern)."""
    n_draws, n_segments = starts.shape
    n_patterns = joined.codes.shape[1]
    joint, largest, total = room(n_segments)
    mean = np.zeros((n_segments, n_patterns))
    for draw in range(n_draws):
        start, weight, table = ready(joined, starts[draw], weights[draw], tables[draw])
        for first in range(0, n_patterns, BLOCK):
            n = min(BLOCK, n_patterns - first)
            fill(dense, joined.codes, start, weight, table, first, n, joint)
            normalise(n_segments, n, joint, largest, total)
            for k in range(n_segments):
                out, row = mean[k, first : first + n], U(k * BLOCK)
                for i in range(U(n)):
                    out[i] += joint[row + i] / (total[i] * n_draws)
    return mean
