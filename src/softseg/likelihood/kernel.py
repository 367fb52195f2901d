"""The numeric heart: one pass over the patterns gives the likelihood and all expected statistics.

    L[p, k]  = start[k] + Σ_c dense[c, p] · weights[k, c] + Σ_d table[k, codes[d, p]]
    log_lik  = Σ_p count[p] · logsumexp_k L[p, k]
    R[p, k]  = softmax_k L[p, k]
    expected = Σ_p count[p] · R[p, k] · (1, dense[·, p], one-hot of codes[·, p])

By Fisher's identity the expected statistics are also the gradient of the log-likelihood with
respect to `start`, `weights` and `table`, so that EM, Gibbs, NUTS and scoring all stand on this
file. The patterns are read once, in blocks that stay in the cache and are held segment-major, so
that every inner loop runs over contiguous patterns and is vectorised by the compiler. Sums run in
a fixed order in one thread: the result does not depend on the number of cores.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from softseg.compiled import FAST
from softseg.families.base import TINY, Array
from softseg.likelihood.statistics import Statistics, Weights

BLOCK = 256
LOWEST = -708.0
"""Least argument of the exponential: below it the result is no normal number, and is 0 to us."""

COMPILED = FAST

LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
ONE_OVER_FACTORIAL = tuple(1.0 / float(np.prod(np.arange(1.0, n + 1.0))) for n in range(14))


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
        s.dense, s.codes, s.count, start_of(weights, share), *_arrays(weights)
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
        s.dense, s.codes, s.count, start_of(weights, share), *_arrays(weights), rng
    )
    return Expected(log_lik + _base(statistics), dense, table, sizes)


def memberships(statistics: Statistics, weights: Weights, share: Array) -> tuple[Array, Array]:
    """Return memberships (pattern, segment) and log densities (pattern,), base included."""
    s = statistics
    membership, log_density = membership_kernel(
        s.dense, s.codes, start_of(weights, share), *_arrays(weights)
    )
    return membership.T, log_density + s.log_base


def _arrays(weights: Weights) -> tuple[Array, Array]:
    return np.ascontiguousarray(weights.dense), np.ascontiguousarray(weights.table)


def _base(statistics: Statistics) -> float:
    return float(statistics.count @ statistics.log_base)


@njit(**COMPILED)
def fill(dense, codes, start, weights, table, first, last, joint):  # pragma: no cover
    """Write L of the patterns first … last − 1 into joint (segment, pattern of the block)."""
    n_segments, n = len(start), last - first
    for k in range(n_segments):
        row = joint[k]
        for i in range(n):
            row[i] = start[k]
        for c in range(dense.shape[0]):
            weight, column = weights[k, c], dense[c]
            for i in range(n):
                row[i] += weight * column[first + i]
        values = table[k]
        for d in range(codes.shape[0]):
            code = codes[d]
            for i in range(n):
                row[i] += values[code[first + i]]


@njit(**COMPILED)
def normalise(joint, n, largest, total, powers):  # pragma: no cover
    """Turn L into unnormalised memberships, their sum, and the largest L, per pattern.

    The exponential is a polynomial after reduction by ln 2, with a relative error below 1e-13;
    unlike the library's it is vectorised. `powers` is scratch for the power of two.
    """
    floats = powers.view(np.float64)
    n_segments = joint.shape[0]
    for i in range(n):
        largest[i] = joint[0, i]
        total[i] = 0.0
    for k in range(1, n_segments):
        row = joint[k]
        for i in range(n):
            largest[i] = max(largest[i], row[i])
    for k in range(n_segments):
        row = joint[k]
        for i in range(n):
            x = max(row[i] - largest[i], LOWEST)
            whole = np.floor(x * LOG2_E + 0.5)
            r = (x - whole * LN2_HIGH) - whole * LN2_LOW
            p = ONE_OVER_FACTORIAL[13]
            p = p * r + ONE_OVER_FACTORIAL[12]
            p = p * r + ONE_OVER_FACTORIAL[11]
            p = p * r + ONE_OVER_FACTORIAL[10]
            p = p * r + ONE_OVER_FACTORIAL[9]
            p = p * r + ONE_OVER_FACTORIAL[8]
            p = p * r + ONE_OVER_FACTORIAL[7]
            p = p * r + ONE_OVER_FACTORIAL[6]
            p = p * r + ONE_OVER_FACTORIAL[5]
            p = p * r + ONE_OVER_FACTORIAL[4]
            p = p * r + ONE_OVER_FACTORIAL[3]
            p = p * r + ONE_OVER_FACTORIAL[2]
            p = p * r + 1.0
            row[i] = p * r + 1.0
            powers[i] = (np.int64(whole) + 1023) << 52
        for i in range(n):
            row[i] *= floats[i]
            total[i] += row[i]


@njit(**COMPILED)
def gather(dense, codes, joint, first, n, out_dense, out_table, out_sizes):  # pragma: no cover
    """Add the block's weighted statistics to the sums."""
    for k in range(joint.shape[0]):
        row = joint[k]
        size = 0.0
        for i in range(n):
            size += row[i]
        out_sizes[k] += size
        for c in range(dense.shape[0]):
            column = dense[c]
            value = 0.0
            for i in range(n):
                value += row[i] * column[first + i]
            out_dense[k, c] += value
        cells = out_table[k]
        for d in range(codes.shape[0]):
            code = codes[d]
            for i in range(n):
                cells[code[first + i]] += row[i]


@njit(**COMPILED)
def expected_kernel(dense, codes, count, start, weights, table):  # pragma: no cover
    """One pass: log-likelihood without base, expected dense, table and sizes."""
    n_segments, n_patterns = len(start), len(count)
    joint = np.empty((n_segments, BLOCK))
    largest, total = np.empty(BLOCK), np.empty(BLOCK)
    powers = np.empty(BLOCK, dtype=np.int64)
    out_dense = np.zeros(weights.shape)
    out_table = np.zeros(table.shape)
    out_sizes = np.zeros(n_segments)
    log_lik = 0.0
    for first in range(0, n_patterns, BLOCK):
        last = min(first + BLOCK, n_patterns)
        n = last - first
        fill(dense, codes, start, weights, table, first, last, joint)
        normalise(joint, n, largest, total, powers)
        for i in range(n):
            weight = count[first + i]
            log_lik += weight * (largest[i] + np.log(total[i]))
            total[i] = weight / total[i]
        for k in range(n_segments):
            row = joint[k]
            for i in range(n):
                row[i] *= total[i]
        gather(dense, codes, joint, first, n, out_dense, out_table, out_sizes)
    return log_lik, out_dense, out_table, out_sizes


@njit(**COMPILED)
def membership_kernel(dense, codes, start, weights, table):  # pragma: no cover
    """Memberships (segment, pattern) and log densities without base (pattern,)."""
    n_segments = len(start)
    n_patterns = dense.shape[1] if dense.shape[0] > 0 else codes.shape[1]
    joint = np.empty((n_segments, BLOCK))
    largest, total = np.empty(BLOCK), np.empty(BLOCK)
    powers = np.empty(BLOCK, dtype=np.int64)
    membership = np.empty((n_segments, n_patterns))
    log_density = np.empty(n_patterns)
    for first in range(0, n_patterns, BLOCK):
        last = min(first + BLOCK, n_patterns)
        n = last - first
        fill(dense, codes, start, weights, table, first, last, joint)
        normalise(joint, n, largest, total, powers)
        for i in range(n):
            log_density[first + i] = largest[i] + np.log(total[i])
        for k in range(n_segments):
            for i in range(n):
                membership[k, first + i] = joint[k, i] / total[i]
    return membership, log_density


@njit(**COMPILED)
def sampled_kernel(dense, codes, count, start, weights, table, rng):  # pragma: no cover
    """As `expected_kernel`, with every customer's segment drawn from its membership."""
    n_segments, n_patterns = len(start), len(count)
    joint = np.empty((n_segments, BLOCK))
    largest, total = np.empty(BLOCK), np.empty(BLOCK)
    powers = np.empty(BLOCK, dtype=np.int64)
    out_dense = np.zeros(weights.shape)
    out_table = np.zeros(table.shape)
    out_sizes = np.zeros(n_segments)
    drawn = np.empty(n_segments)
    log_lik = 0.0
    for first in range(0, n_patterns, BLOCK):
        last = min(first + BLOCK, n_patterns)
        n = last - first
        fill(dense, codes, start, weights, table, first, last, joint)
        normalise(joint, n, largest, total, powers)
        for i in range(n):
            log_lik += count[first + i] * (largest[i] + np.log(total[i]))
            share_out(joint[:, i], total[i], count[first + i], drawn, rng)
            for k in range(n_segments):
                joint[k, i] = drawn[k]
        gather(dense, codes, joint, first, n, out_dense, out_table, out_sizes)
    return log_lik, out_dense, out_table, out_sizes


MANY = 8.0
"""From so many customers of one pattern on, binomials are quicker than single draws."""


@njit(**COMPILED)
def share_out(weight, total, count, drawn, rng):  # pragma: no cover
    """Draw how many of a pattern's customers fall into each segment."""
    n_segments = len(weight)
    drawn[:] = 0.0
    if count <= MANY:
        for _ in range(int(count)):
            u = rng.random() * total
            k = 0
            while k < n_segments - 1 and u >= weight[k]:
                u -= weight[k]
                k += 1
            drawn[k] += 1.0
        return
    left, rest = int(count), total
    for k in range(n_segments - 1):
        if left == 0 or rest <= 0.0:
            break
        p = min(max(weight[k] / rest, 0.0), 1.0)
        taken = rng.binomial(left, p)
        drawn[k] = taken
        left -= taken
        rest -= weight[k]
    drawn[n_segments - 1] += left
