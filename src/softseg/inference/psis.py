"""Pareto-smoothed importance sampling for many sets of weights at once: `smooth`.

Vehtari, Simpson, Gelman, Yao and Gabry (2024), "Pareto smoothed importance sampling"; the
generalised Pareto fit is the one of Zhang and Stephens (2009) with the weak prior on k that the
paper adds. ArviZ does the same one set at a time, which is too slow for one set per customer.
"""

import numpy as np
from scipy.special import logsumexp

from softseg.families.base import Array

PRIOR_SHAPE, PRIOR_WEIGHT = 0.5, 10.0
GRID_SCALE = 3.0
LEAST_TAIL = 5


def smooth(log_ratios: Array, efficiency: float = 1.0) -> tuple[Array, Array]:
    """Return smoothed, normalised log weights and the shape k̂ of their tails.

    Parameters
    ----------
    log_ratios
        Log importance ratios (not their negatives, which ArviZ takes), shape (set, sample).
    efficiency
        Effective sample size of the draws divided by their number.

    Returns
    -------
    tuple
        Log weights (set, sample), each row summing to 1 on the natural scale, and k̂ (set,): −∞
        where the ratios are constant, NaN where the tail cannot be fitted.
    """
    ratios = np.asarray(log_ratios, dtype=float)
    largest = ratios.max(axis=1, keepdims=True)
    weights = ratios - largest
    n_sets, n = weights.shape
    shape = np.full(n_sets, np.nan)
    n_tail = _tail_size(n, efficiency)
    constant = np.ptp(weights, axis=1) < 1e-10
    shape[constant] = -np.inf
    rows = np.flatnonzero(~constant & np.isfinite(largest[:, 0]))
    if len(rows) and n_tail >= LEAST_TAIL and n_tail < n:
        order = np.argpartition(weights[rows], n - n_tail - 1, axis=1)[:, n - n_tail - 1 :]
        top = np.take_along_axis(weights[rows], order, axis=1)
        inner = np.argsort(top, axis=1, kind="stable")
        order, top = np.take_along_axis(order, inner, 1), np.take_along_axis(top, inner, 1)
        cutoff = np.exp(top[:, :1])
        k, sigma = _pareto(np.exp(top[:, 1:]) - cutoff)
        smoothed = np.log(_quantiles(n_tail, k, sigma) + cutoff)
        smoothed = np.minimum(smoothed, top[:, -1:])
        fitted = np.isfinite(k)
        places = order[:, 1:]
        kept = np.where(fitted[:, None], smoothed, top[:, 1:])
        weights[rows[:, None], places] = kept
        shape[rows] = k
    return weights - logsumexp(weights, axis=1, keepdims=True), shape


def _tail_size(n: int, efficiency: float) -> int:
    if n * efficiency > 225:
        return int(3.0 * np.sqrt(n / efficiency))
    return n // 5


def _pareto(excess: Array) -> tuple[Array, Array]:
    """Return shape and scale of the generalised Pareto tails, NaN where there is no tail.

    `excess` is sorted along its last axis, shape (set, tail).
    """
    n_sets, n = excess.shape
    n_grid = 30 + int(np.sqrt(n))
    quartile = excess[:, int(n / 4 + 0.5) - 1]
    good = quartile > excess[:, 0]
    k, sigma = np.full(n_sets, np.nan), np.full(n_sets, np.nan)
    x = excess[good]
    grid = 1.0 - np.sqrt(n_grid / (np.arange(1, n_grid + 1) - 0.5))
    theta = grid / (GRID_SCALE * quartile[good, None]) + 1.0 / x[:, -1:]
    shapes = np.stack([np.log1p(-t[:, None] * x).mean(axis=1) for t in theta.T], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = n * (np.log(-theta / shapes) - shapes - 1.0)
        weight = np.exp(profile - logsumexp(profile, axis=1, keepdims=True))
        weight = np.where(weight >= 10 * np.finfo(float).eps, weight, 0.0)
        weight /= weight.sum(axis=1, keepdims=True)
        mean = (weight * theta).sum(axis=1)
        raw = np.log1p(-mean[:, None] * x).mean(axis=1)
        sigma[good] = -raw / mean
    k[good] = (n * raw + PRIOR_WEIGHT * PRIOR_SHAPE) / (n + PRIOR_WEIGHT)
    return k, sigma


def _quantiles(n: int, k: Array, sigma: Array) -> Array:
    """Return the expected order statistics of the fitted tails, (set, tail)."""
    log_left = np.log1p(-(np.arange(n) + 0.5) / n)
    small = np.abs(k) < 1e-10
    safe = np.where(small, 1.0, k)[:, None]
    curved = np.expm1(-safe * log_left) / safe
    return sigma[:, None] * np.where(small[:, None], -log_left, curved)
