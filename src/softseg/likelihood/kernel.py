"""The numeric heart: one pass over the patterns gives the likelihood and all expected statistics.

    L[p, k]  = start[k] + Σ_c dense[c, p] · weights[k, c] + Σ_d table[k, codes[d, p]]
    log_lik  = Σ_p count[p] · logsumexp_k L[p, k]
    R[p, k]  = softmax_k L[p, k]
    expected = Σ_p count[p] · R[p, k] · (1, dense[·, p], one-hot of codes[·, p])

By Fisher's identity the expected statistics are also the gradient of the log-likelihood with
respect to `start`, `weights` and `table`, so that EM, Gibbs, NUTS and scoring all stand on this
file. The patterns are read once, in blocks that stay in the cache (`block`). Sums run in a fixed
order in one thread: the result does not depend on the number of cores.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from softseg.families.base import TINY, Array
from softseg.likelihood.block import (
    BLOCK,
    COMPILED,
    fill,
    gather,
    log_densities,
    normalise,
    nothing,
    ready,
    room,
    share_out,
    unpadded,
)
from softseg.likelihood.statistics import Statistics, Weights

U = np.uint64


@dataclass(frozen=True)
class Expected:
    """What one pass returns.

    Attributes
    ----------
    log_likelihood
        Σ count · log f, the base measure included.
    dense
        Shape (segment, column).
    table
        Shape (segment, cell).
    sizes
        Expected customers, shape (segment,).
    """

    log_likelihood: float
    dense: Array
    table: Array
    sizes: Array


def start_of(weights: Weights, share: Array) -> Array:
    """Return log share plus the constant part, shape (…, segment)."""
    return np.log(np.maximum(share, TINY)) + weights.constant


def expected_statistics(statistics: Statistics, weights: Weights, share: Array) -> Expected:
    """Return the log-likelihood and the expected statistics under the memberships."""
    s = statistics
    log_lik, dense, table, sizes = expected_kernel(
        s.dense, s.joined, s.count, start_of(weights, share), *_arrays(weights)
    )
    return Expected(log_lik + _base(statistics), dense, table, sizes)


def sampled_statistics(
    statistics: Statistics, weights: Weights, share: Array, rng: np.random.Generator
) -> Expected:
    """Return the log-likelihood and the statistics of one draw of every customer's segment.

    Counts must be whole numbers: a pattern's customers are drawn one by one, or by a chain of
    binomials where they are many.
    """
    s = statistics
    log_lik, dense, table, sizes = sampled_kernel(
        s.dense, s.joined, s.count, start_of(weights, share), *_arrays(weights), rng
    )
    return Expected(log_lik + _base(statistics), dense, table, sizes)


def memberships(statistics: Statistics, weights: Weights, share: Array) -> tuple[Array, Array]:
    """Return memberships (pattern, segment) and log densities (pattern,), base included."""
    s = statistics
    membership, log_density = membership_kernel(
        s.dense, s.joined, start_of(weights, share), *_arrays(weights)
    )
    return membership.T, log_density + s.log_base


def _arrays(weights: Weights) -> tuple[Array, Array]:
    return np.ascontiguousarray(weights.dense), np.ascontiguousarray(weights.table)


def _base(statistics: Statistics) -> float:
    return float(statistics.count @ statistics.log_base)


@njit(**COMPILED)
def expected_kernel(dense, joined, count, start, weights, table):  # pragma: no cover
    """One pass: log-likelihood without base, expected dense, table and sizes."""
    n_segments, n_patterns, codes = len(start), len(count), joined.codes
    start, weights, tables = ready(joined, start, weights, table)
    joint, largest, total = room(n_segments)
    sums = nothing(weights, tables)
    log_lik = 0.0
    for first in range(0, n_patterns, BLOCK):
        n = min(BLOCK, n_patterns - first)
        fill(dense, codes, start, weights, tables, first, n, joint)
        normalise(n_segments, n, joint, largest, total)
        log_lik += log_densities(count, first, n, largest, total)
        for i in range(U(n)):
            total[i] = count[U(first) + i] / total[i]
        for k in range(n_segments):
            row = U(k * BLOCK)
            for i in range(U(n)):
                joint[row + i] *= total[i]
        gather(dense, codes, n_segments, first, n, joint, sums)
    by_dense, by_table, sizes = unpadded(joined, sums, table)
    return log_lik, by_dense, by_table, sizes


@njit(**COMPILED)
def likelihood_kernel(dense, joined, count, start, weights, table):  # pragma: no cover
    """Log-likelihood without base, in one pass without the expected statistics."""
    n_segments, n_patterns = len(start), len(count)
    start, weights, tables = ready(joined, start, weights, table)
    joint, largest, total = room(n_segments)
    log_lik = 0.0
    for first in range(0, n_patterns, BLOCK):
        n = min(BLOCK, n_patterns - first)
        fill(dense, joined.codes, start, weights, tables, first, n, joint)
        normalise(n_segments, n, joint, largest, total)
        log_lik += log_densities(count, first, n, largest, total)
    return log_lik


@njit(**COMPILED)
def membership_kernel(dense, joined, start, weights, table):  # pragma: no cover
    """Memberships (segment, pattern) and log densities without base (pattern,)."""
    n_segments, n_patterns = len(start), joined.codes.shape[1]
    start, weights, tables = ready(joined, start, weights, table)
    joint, largest, total = room(n_segments)
    membership = np.empty((n_segments, n_patterns))
    log_density = np.empty(n_patterns)
    once = np.ones(BLOCK)
    for first in range(0, n_patterns, BLOCK):
        n = min(BLOCK, n_patterns - first)
        fill(dense, joined.codes, start, weights, tables, first, n, joint)
        normalise(n_segments, n, joint, largest, total)
        log_densities(once, 0, n, largest, total)
        for i in range(n):
            log_density[first + i] = largest[i]
        for k in range(n_segments):
            row, out = U(k * BLOCK), membership[k, first : first + n]
            for i in range(U(n)):
                out[i] = joint[row + i] / total[i]
    return membership, log_density


@njit(**COMPILED)
def sampled_kernel(dense, joined, count, start, weights, table, rng):  # pragma: no cover
    """As `expected_kernel`, with every customer's segment drawn from its membership."""
    n_segments, n_patterns, codes = len(start), len(count), joined.codes
    start, weights, tables = ready(joined, start, weights, table)
    joint, largest, total = room(n_segments)
    sums = nothing(weights, tables)
    log_lik = 0.0
    for first in range(0, n_patterns, BLOCK):
        n = min(BLOCK, n_patterns - first)
        fill(dense, codes, start, weights, tables, first, n, joint)
        normalise(n_segments, n, joint, largest, total)
        log_lik += log_densities(count, first, n, largest, total)
        share_out(n_segments, count, first, n, joint, rng)
        gather(dense, codes, n_segments, first, n, joint, sums)
    by_dense, by_table, sizes = unpadded(joined, sums, table)
    return log_lik, by_dense, by_table, sizes
