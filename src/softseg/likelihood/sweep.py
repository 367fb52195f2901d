"""Every draw of a pattern at once, compiled: log densities and memberships.

The kernel of the likelihood holds one draw and many patterns. Here it is one pattern and many
draws: what a column adds to the log density of all draws and segments is one row of numbers, so
that a table look-up is a sum of vectors. Nothing of a pattern depends on what stands beside it.

`weights` (column, segment · sample) and `table` (cell, segment · sample) are laid out by
`softseg.models.evaluator`, as are `dense` (pattern, column) and `codes` (pattern, table column).
"""

import numpy as np
from numba import njit

from softseg.likelihood.elementary import LOWEST, exponential
from softseg.likelihood.kernel import COMPILED

TILE = 4
"""Columns that are added together, so that the sum stays in a register."""


@njit(**COMPILED)
def fill_draws(x, codes, start, weights, table, row):  # pragma: no cover
    """Write log share plus log density of one pattern into row (segment · sample)."""
    n, n_columns = len(start), len(x)
    for i in range(n):
        row[i] = start[i]
    whole = n_columns - n_columns % TILE
    for c in range(0, whole, TILE):
        x0, x1, x2, x3 = x[c], x[c + 1], x[c + 2], x[c + 3]
        w0, w1, w2, w3 = weights[c], weights[c + 1], weights[c + 2], weights[c + 3]
        for i in range(n):
            row[i] += x0 * w0[i] + x1 * w1[i] + (x2 * w2[i] + x3 * w3[i])
    for c in range(whole, n_columns):
        x0, w0 = x[c], weights[c]
        for i in range(n):
            row[i] += x0 * w0[i]
    n_tables = len(codes)
    whole = n_tables - n_tables % TILE
    for d in range(0, whole, TILE):
        w0, w1 = table[codes[d]], table[codes[d + 1]]
        w2, w3 = table[codes[d + 2]], table[codes[d + 3]]
        for i in range(n):
            row[i] += (w0[i] + w1[i]) + (w2[i] + w3[i])
    for d in range(whole, n_tables):
        w0 = table[codes[d]]
        for i in range(n):
            row[i] += w0[i]


@njit(**COMPILED)
def normalise_draws(row, n_draws, largest, best, total):  # pragma: no cover
    """Turn log densities into memberships in place; best[s] is the first largest segment."""
    n_segments = len(row) // n_draws
    for s in range(n_draws):
        largest[s], best[s], total[s] = row[s], 0.0, 0.0
    for k in range(1, n_segments):
        part = row[k * n_draws : (k + 1) * n_draws]
        for s in range(n_draws):
            better = part[s] > largest[s]
            largest[s] = part[s] if better else largest[s]
            best[s] = k if better else best[s]
    for k in range(n_segments):
        part = row[k * n_draws : (k + 1) * n_draws]
        for s in range(n_draws):
            part[s] = exponential(max(part[s] - largest[s], LOWEST))
            total[s] += part[s]
    for s in range(n_draws):
        total[s] = 1.0 / total[s]
    for k in range(n_segments):
        part = row[k * n_draws : (k + 1) * n_draws]
        for s in range(n_draws):
            part[s] *= total[s]


@njit(**COMPILED)
def joint_kernel(dense, codes, start, weights, table):  # pragma: no cover
    """Return log shares plus log densities (pattern, segment · sample)."""
    joint = np.empty((len(dense), len(start)))
    for p in range(len(dense)):
        fill_draws(dense[p], codes[p], start, weights, table, joint[p])
    return joint


@njit(**COMPILED)
def members_kernel(dense, codes, start, weights, table, n_draws):  # pragma: no cover
    """Return the memberships (pattern, segment · sample)."""
    members = np.empty((len(dense), len(start)))
    largest, best, total = np.empty(n_draws), np.empty(n_draws), np.empty(n_draws)
    for p in range(len(dense)):
        fill_draws(dense[p], codes[p], start, weights, table, members[p])
        normalise_draws(members[p], n_draws, largest, best, total)
    return members
