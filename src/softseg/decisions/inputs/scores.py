"""Inverse distribution functions as functions of the normal score, by tables.

A draw of the copula is a normal score z; the value is the quantile at Φ(z). Where that has no
closed form (Gamma, Beta), the logarithm of the standard Gamma quantile and the log odds of the
standard Beta quantile are smooth in z. Both are tabulated on a uniform grid with their exact
slopes dl/dz = φ(z) / (density of l) and joined by cubic Hermite polynomials. The grid is refined
until the values midway agree, so that the relative error stays below `TOLERANCE`. Both tails are
computed from their own side, and below `UNDERFLOW` by the leading power of the series, so that
nothing is lost near 0 and 1.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from numba import njit
from scipy.special import (
    betainccinv,
    betaincinv,
    betaln,
    expit,
    gammainccinv,
    gammaincinv,
    gammaln,
    log_ndtr,
    ndtr,
)

from softseg.compiled import FAST
from softseg.families.base import Array

SPAN: Final = 8.5
"""Scores beyond it, of probability 2e-17, are moved to it."""
COARSEST: Final = 32
"""Intervals of the first grid on one unit of z."""
FINEST: Final = 2048
TOLERANCE: Final = 1e-9
UNDERFLOW: Final = 1e-20
LARGE_SHAPE: Final = 1e6
"""From here on SciPy's incomplete Gamma function loses its far tails, and an expansion is exact."""
LOG_SQRT_2PI: Final = 0.9189385332046727

COMPILED: Final = FAST

type Curve = Callable[[Array], tuple[Array, Array]]
"""From scores to transformed quantiles and their slopes."""


def gamma_from_score(shape: float, z: Array) -> Array:
    """Return quantiles of the Gamma distribution of scale 1 at Φ(z), in the shape of z."""
    return evaluate(_gamma_table(shape), np.asarray(z, dtype=float), logistic=False)


def beta_from_score(alpha: float, beta: float, z: Array) -> Array:
    """Return quantiles of the Beta distribution on (0, 1) at Φ(z), in the shape of z."""
    return evaluate(_beta_table(alpha, beta), np.asarray(z, dtype=float), logistic=True)


def log_gamma_quantile(shape: float, z: Array) -> Array:
    """Return the logarithm of the quantile of the Gamma distribution of scale 1 at Φ(z)."""
    z = np.asarray(z, dtype=float)
    if shape > LARGE_SHAPE:
        return _log_large_gamma_quantile(shape, z)
    tail = ndtr(-np.abs(z))
    x = np.where(z < 0.0, gammaincinv(shape, tail), gammainccinv(shape, tail))
    # P(shape, x) = x^shape / Γ(shape + 1) · (1 − O(x))
    power = (log_ndtr(z) + gammaln(shape + 1.0)) / shape
    return np.where(x > UNDERFLOW, np.log(np.maximum(x, UNDERFLOW)), power)


def _log_large_gamma_quantile(shape: float, z: Array) -> Array:
    """Return the Cornish-Fisher expansion (Goldberg and Levine 1946, for χ²)."""
    root = np.sqrt(shape)
    terms = (
        z
        + (z * z - 1.0) / (3.0 * root)
        + z * (z * z - 7.0) / (36.0 * shape)
        - (3.0 * z**4 + 7.0 * z * z - 16.0) / (810.0 * shape * root)
        + z * (9.0 * z**4 + 256.0 * z * z - 433.0) / (38880.0 * shape**2)
    )
    return np.log(shape) + np.log1p(terms / root)


def log_beta_quantile(alpha: float, beta: float, z: Array) -> tuple[Array, Array]:
    """Return the logarithms of x and of 1 − x, x being the Beta quantile at Φ(z)."""
    z = np.asarray(z, dtype=float)
    low = _log_small_quantile(alpha, beta, z)
    high = _log_small_quantile(beta, alpha, -z)
    left, smaller = low < high, np.minimum(low, high)
    other = np.log1p(-np.exp(smaller))
    return np.where(left, smaller, other), np.where(left, other, smaller)


def _log_small_quantile(alpha: float, beta: float, z: Array) -> Array:
    tail = ndtr(-np.abs(z))
    x = np.where(z < 0.0, betaincinv(alpha, beta, tail), betainccinv(alpha, beta, tail))
    # I_x(α, β) = x^α / (α B(α, β)) · (1 − O(x))
    power = (log_ndtr(z) + np.log(alpha) + betaln(alpha, beta)) / alpha
    return np.where(x > UNDERFLOW, np.log(np.clip(x, UNDERFLOW, 1.0)), np.minimum(power, 0.0))


@lru_cache(maxsize=512)
def _gamma_table(shape: float) -> Array:
    def curve(z: Array) -> tuple[Array, Array]:
        log_x = log_gamma_quantile(shape, z)
        log_density = shape * log_x - np.exp(log_x) - gammaln(shape)
        return log_x, _slope(z, log_density)

    return _table(curve, np.exp)


@lru_cache(maxsize=512)
def _beta_table(alpha: float, beta: float) -> Array:
    def curve(z: Array) -> tuple[Array, Array]:
        log_x, log_y = log_beta_quantile(alpha, beta, z)
        log_density = alpha * log_x + beta * log_y - betaln(alpha, beta)
        return log_x - log_y, _slope(z, log_density)

    return _table(curve, expit)


def _slope(z: Array, log_density: Array) -> Array:
    return np.exp(-0.5 * z * z - LOG_SQRT_2PI - log_density)


def _table(curve: Curve, back: Callable[[Array], Array]) -> Array:
    """Return polynomial coefficients (interval, power) of a curve that is good to `TOLERANCE`."""
    per_unit = COARSEST
    z = _grid(per_unit)
    value, slope = curve(z)
    while True:
        middle = 0.5 * (z[1:] + z[:-1])
        exact, slope_there = curve(middle)
        step = z[1] - z[0]
        guess = 0.5 * (value[1:] + value[:-1]) + 0.125 * step * (slope[:-1] - slope[1:])
        truth = back(exact)
        error = np.abs(back(guess) - truth) / np.where(truth > 0.0, truth, 1.0)
        per_unit *= 2
        z = _grid(per_unit)
        value, slope = _merged(value, exact), _merged(slope, slope_there)
        # halving the step divides the error by 16
        if np.max(error) < 8.0 * TOLERANCE or per_unit >= FINEST:
            return _coefficients(value, slope, z[1] - z[0])


def _grid(per_unit: int) -> Array:
    return np.linspace(-SPAN, SPAN, round(2 * SPAN * per_unit) + 1)


def _merged(nodes: Array, middles: Array) -> Array:
    both = np.empty(len(nodes) + len(middles))
    both[::2], both[1::2] = nodes, middles
    return both


def _coefficients(value: Array, slope: Array, step: float) -> Array:
    rise = np.diff(value)
    first, last = step * slope[:-1], step * slope[1:]
    return np.stack(
        [value[:-1], first, 3.0 * rise - 2.0 * first - last, first + last - 2.0 * rise], axis=1
    )


def evaluate(table: Array, z: Array, *, logistic: bool) -> Array:
    """Return the tabulated quantiles at scores of any shape; NaN stays NaN."""
    out = np.empty(z.size)
    _evaluate(table, np.ascontiguousarray(z).reshape(-1), SPAN, logistic, out)
    return out.reshape(z.shape)


@njit(**COMPILED)
def _evaluate(table, z, span, logistic, out):  # pragma: no cover
    """Write exp(l(z)), or 1 / (1 + exp(−l(z))), into out."""
    n = table.shape[0]
    per_step = n / (2.0 * span)
    for i in range(z.size):
        x = z[i]
        if np.isnan(x):
            out[i] = x
            continue
        place = (min(max(x, -span), span) + span) * per_step
        k = min(int(place), n - 1)
        t = place - k
        log = table[k, 0] + t * (table[k, 1] + t * (table[k, 2] + t * table[k, 3]))
        out[i] = 1.0 / (1.0 + np.exp(-log)) if logistic else np.exp(log)
