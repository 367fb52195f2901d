"""One block of patterns: from weights to L, memberships, drawn customers and summed statistics.

What makes it fast, each measured in docs/benchmarks/kernel.md:

- A block is held segment-major, so that every inner loop runs over contiguous patterns.
- Segments are taken four at a time, padded with empty ones: a column is loaded once for four, and a
  cell's four numbers lie side by side.
- Columns of codes are read several at once (`joined`).
- Positions are unsigned and count from one flat array. Then the compiler need not ask whether an
  index is negative, nor whether two rows overlap, and makes vector instructions of the loops.
"""

from typing import Any, Final

import numpy as np
from numba import njit

from softseg.compiled import CACHED, FAST
from softseg.likelihood.elementary import LOWEST, exponential, logarithm
from softseg.likelihood.joined import joint_tables, single_tables

BLOCK = 256
TILE = 4
"""Segments that are taken together: what the code of `fill` and `gather` spells out."""

COMPILED = FAST
IN_ORDER: Final[dict[str, Any]] = CACHED | {"fastmath": {"contract", "nsz"}}
"""For the loops over columns of codes. Of a sum in any order the compiler would make a vector of
columns, but there are only two or three."""

U = np.uint64
ROW_1, ROW_2, ROW_3 = U(BLOCK), U(2 * BLOCK), U(3 * BLOCK)


@njit(**COMPILED)
def room(n_segments):  # pragma: no cover
    """Room for one block: L or memberships, flat (segment · BLOCK + pattern), and two rows."""
    width = (n_segments + TILE - 1) // TILE * TILE
    return np.empty(width * BLOCK), np.empty(BLOCK), np.empty(BLOCK)


@njit(**COMPILED)
def ready(joined, start, weights, table):  # pragma: no cover
    """Start, weights and joint tables as `fill` reads them: padded with segments of zeros."""
    n_segments = len(start)
    width = (n_segments + TILE - 1) // TILE * TILE
    padded_start, padded_weights = np.zeros(width), np.zeros((width, weights.shape[1]))
    for k in range(n_segments):  # no slices: their errors about shapes take seconds to compile
        padded_start[k] = start[k]
        for c in range(weights.shape[1]):
            padded_weights[k, c] = weights[k, c]
    return padded_start, padded_weights, joint_tables(joined.parts, table, width)


@njit(**COMPILED)
def fill(dense, codes, start, weights, tables, first, n, joint):  # pragma: no cover
    """Write L of n patterns from `first` on into the block; padding segments get 0."""
    fill_codes(codes, start, tables, first, n, joint)
    n_columns, n_patterns = dense.shape
    column = dense.ravel()
    for k in range(0, len(start), TILE):
        row = U(k * BLOCK)
        for c in range(0, n_columns, 2):
            d = min(c + 1, n_columns - 1)
            on = float(d - c)
            at_c, at_d = U(c * n_patterns + first), U(d * n_patterns + first)
            w0, v0 = weights[k, c], weights[k, d] * on
            w1, v1 = weights[k + 1, c], weights[k + 1, d] * on
            w2, v2 = weights[k + 2, c], weights[k + 2, d] * on
            w3, v3 = weights[k + 3, c], weights[k + 3, d] * on
            for i in range(U(n)):
                x, y, at = column[at_c + i], column[at_d + i], row + i
                joint[at] += w0 * x + v0 * y
                joint[at + ROW_1] += w1 * x + v1 * y
                joint[at + ROW_2] += w2 * x + v2 * y
                joint[at + ROW_3] += w3 * x + v3 * y


@njit(**IN_ORDER)
def fill_codes(codes, start, tables, first, n, joint):  # pragma: no cover
    """Write start and the sums of the tables into the block."""
    n_columns, n_patterns = codes.shape
    code, number, width = codes.ravel(), tables.ravel(), U(len(start))
    for k in range(0, len(start), TILE):
        row, k0, k1, k2, k3 = U(k * BLOCK), U(k), U(k + 1), U(k + 2), U(k + 3)
        start_0, start_1, start_2, start_3 = start[k], start[k + 1], start[k + 2], start[k + 3]
        for i in range(U(n)):
            l0, l1, l2, l3 = start_0, start_1, start_2, start_3
            pattern = U(first) + i
            for _ in range(n_columns):
                cell = U(code[pattern]) * width
                l0 += number[cell + k0]
                l1 += number[cell + k1]
                l2 += number[cell + k2]
                l3 += number[cell + k3]
                pattern += U(n_patterns)
            at = row + i
            joint[at] = l0
            joint[at + ROW_1] = l1
            joint[at + ROW_2] = l2
            joint[at + ROW_3] = l3


@njit(**COMPILED)
def normalise(n_segments, n, joint, largest, total):  # pragma: no cover
    """Turn L into unnormalised memberships, their sum, and the largest L, per pattern."""
    for i in range(U(n)):
        largest[i] = joint[i]
        total[i] = 0.0
    for k in range(1, n_segments):
        row = U(k * BLOCK)
        for i in range(U(n)):
            largest[i] = max(largest[i], joint[row + i])
    for k in range(n_segments):
        row = U(k * BLOCK)
        for i in range(U(n)):
            part = exponential(max(joint[row + i] - largest[i], LOWEST))
            joint[row + i] = part
            total[i] += part


@njit(**COMPILED)
def log_densities(count, first, n, largest, total):  # pragma: no cover
    """Turn the largest L into log densities; returns their sum, each times its count."""
    log_lik = 0.0
    for i in range(U(n)):
        largest[i] += logarithm(total[i])
        log_lik += count[U(first) + i] * largest[i]
    return log_lik


@njit(**COMPILED)
def gather(dense, codes, n_segments, first, n, joint, sums):  # pragma: no cover
    """Add the block's weighted statistics to the sums: dense, tables, sizes, all padded."""
    by_dense, by_table, sizes = sums
    gather_codes(codes, first, n, joint, by_table)
    for k in range(n_segments):
        row, size = U(k * BLOCK), 0.0
        for i in range(U(n)):
            size += joint[row + i]
        sizes[k] += size
    n_columns, n_patterns = dense.shape
    column = dense.ravel()
    for k in range(0, len(sizes), TILE):
        row = U(k * BLOCK)
        for c in range(0, n_columns, 2):
            d = min(c + 1, n_columns - 1)
            at_c, at_d = U(c * n_patterns + first), U(d * n_patterns + first)
            x0, x1, x2, x3 = 0.0, 0.0, 0.0, 0.0
            y0, y1, y2, y3 = 0.0, 0.0, 0.0, 0.0
            for i in range(U(n)):
                x, y, at = column[at_c + i], column[at_d + i], row + i
                r0, r1 = joint[at], joint[at + ROW_1]
                r2, r3 = joint[at + ROW_2], joint[at + ROW_3]
                x0 += r0 * x
                x1 += r1 * x
                x2 += r2 * x
                x3 += r3 * x
                y0 += r0 * y
                y1 += r1 * y
                y2 += r2 * y
                y3 += r3 * y
            add_tile(by_dense, k, c, x0, x1, x2, x3)
            if d > c:
                add_tile(by_dense, k, d, y0, y1, y2, y3)


@njit(**COMPILED)
def add_tile(by_dense, k, c, x0, x1, x2, x3):  # pragma: no cover
    """Add to the sums of one column in four segments."""
    by_dense[k, c] += x0
    by_dense[k + 1, c] += x1
    by_dense[k + 2, c] += x2
    by_dense[k + 3, c] += x3


@njit(**IN_ORDER)
def gather_codes(codes, first, n, joint, by_table):  # pragma: no cover
    """Add the block's memberships to the joint tables."""
    n_columns, n_patterns = codes.shape
    code, number = codes.ravel(), by_table.ravel()
    width = U(by_table.shape[1])
    for k in range(0, by_table.shape[1], TILE):
        row, k0, k1, k2, k3 = U(k * BLOCK), U(k), U(k + 1), U(k + 2), U(k + 3)
        for i in range(U(n)):
            at, pattern = row + i, U(first) + i
            r0, r1, r2, r3 = joint[at], joint[at + ROW_1], joint[at + ROW_2], joint[at + ROW_3]
            for _ in range(n_columns):
                cell = U(code[pattern]) * width
                r0_, r1_ = r0 + number[cell + k0], r1 + number[cell + k1]
                r2_, r3_ = r2 + number[cell + k2], r3 + number[cell + k3]
                number[cell + k0], number[cell + k1] = r0_, r1_
                number[cell + k2], number[cell + k3] = r2_, r3_
                pattern += U(n_patterns)


@njit(**COMPILED)
def nothing(weights, tables):  # pragma: no cover
    """Sums of no patterns yet, as `gather` takes them."""
    return np.zeros(weights.shape), np.zeros(tables.shape), np.zeros(len(weights))


@njit(**COMPILED)
def unpadded(joined, sums, table):  # pragma: no cover
    """Sums of the real segments: dense, table, sizes; joint tables taken apart."""
    by_dense, by_table, sizes = sums
    n_segments = len(table)
    out_table = np.zeros(table.shape)
    single_tables(joined.parts, by_table, out_table)
    return by_dense[:n_segments].copy(), out_table, sizes[:n_segments].copy()


MANY = 8.0
"""From so many customers of one pattern on, binomials are quicker than single draws."""


@njit(**IN_ORDER)
def share_out(n_segments, count, first, n, joint, rng):  # pragma: no cover
    """Turn the block's weights into customers, drawn segment by segment.

    A customer falls into the segment in whose stretch of the total a uniform number lies. The ends
    of the stretches are held pattern by pattern, as they are read.
    """
    last = U(n_segments - 1)
    ends = np.empty(n * n_segments)
    for i in range(U(n)):
        end, at = 0.0, i * U(n_segments)
        for k in range(U(n_segments)):
            end += joint[k * ROW_1 + i]
            ends[at + k] = end
            joint[k * ROW_1 + i] = 0.0
    for i in range(U(n)):
        at, customers = i * U(n_segments), count[U(first) + i]
        if customers <= MANY:
            for _ in range(int(customers)):
                u, segment = rng.random() * ends[at + last], U(0)
                for k in range(last):
                    segment += U(u >= ends[at + k])
                joint[segment * ROW_1 + i] += 1.0
        else:
            draw_many(int(customers), ends[at : at + last + U(1)], joint[i:], rng)


@njit(**COMPILED)
def draw_many(left, ends, joint, rng):  # pragma: no cover
    """Draw how many of a pattern's customers fall into each segment, by a chain of binomials."""
    last, below = len(ends) - 1, 0.0
    for k in range(last):
        rest = ends[last] - below
        if left == 0 or rest <= 0.0:
            break
        taken = rng.binomial(left, min((ends[k] - below) / rest, 1.0))
        joint[k * BLOCK] = taken
        left -= taken
        below = ends[k]
    joint[last * BLOCK] = left
