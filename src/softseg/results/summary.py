"""The summary of the memberships of a block of patterns, compiled."""

import numpy as np
from numba import njit

from softseg.likelihood.kernel import COMPILED
from softseg.likelihood.sweep import fill_draws, normalise_draws
from softseg.results.lots import add_lots, cumulate
from softseg.results.order import moments, quantile


@njit(**COMPILED)
def summary_kernel(
    dense, codes, start, weights, table, n_draws, aims, pattern_weights, first, row_weights,
    row_count, by_lot, rng,
):  # pragma: no cover  # fmt: skip
    """Summarise the memberships of a block of patterns.

    Parameters
    ----------
    aims
        Of the two quantiles, from `softseg.results.order.aims`.
    pattern_weights
        Weights of the totals, (pattern, weight).
    first, row_weights, row_count
        The block's rows, as in `Rows`.
    by_lot
        Whether lots are drawn.

    Returns
    -------
    tuple
        Mean, lower, upper, wins (4, pattern, segment); totals and cumulated lots
        (2, weight, segment, sample).
    """
    n_patterns, n_segments = len(dense), len(start) // n_draws
    n_weights = pattern_weights.shape[1]
    found = np.zeros((4, n_patterns, n_segments))
    sums = np.zeros((2, n_weights, n_segments, n_draws))
    row, uniform = np.empty(len(start)), np.empty(n_draws)
    largest, best, total = np.empty(n_draws), np.empty(n_draws), np.empty(n_draws)
    bits = row.view(np.int64)
    for p in range(n_patterns):
        fill_draws(dense[p], codes[p], start, weights, table, row)
        normalise_draws(row, n_draws, largest, best, total)
        for k in range(n_segments):
            part = row[k * n_draws : (k + 1) * n_draws]
            mean, wins = 0.0, 0.0
            for s in range(n_draws):
                mean += part[s]
                wins += 1.0 if best[s] == k else 0.0
            found[0, p, k], found[3, p, k] = mean / n_draws, wins / n_draws
            for w in range(n_weights):
                weight, out = pattern_weights[p, w], sums[0, w, k]
                for s in range(n_draws):
                    out[s] += weight * part[s]
            own = bits[k * n_draws : (k + 1) * n_draws]
            low, high, middle, spread = moments(own)
            for j in range(2):
                found[1 + j, p, k] = quantile(part, own, aims[j], low, high, middle, spread)
        if by_lot:
            cumulate(row, n_draws)
            for i in range(first[p], first[p + 1]):
                add_lots(row, row_weights[i], row_count[i], uniform, sums[1], rng)
    return found, sums
