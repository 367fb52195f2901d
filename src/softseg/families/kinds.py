"""The densities of the families once more, as compiled functions of one segment.

A family is one *kind*, or, for a hurdle, two. Of every kind stand here, compiled and without
Python in between, what the fast paths need:

- `push` writes the natural parameters and the table of the named parameters, and returns the
  log-partition A;
- `pull` takes summed statistics back through it: the gradient of Σ T·η − M A + Σ C·table with
  respect to the named parameters. By Fisher's identity this is the gradient of the log-likelihood
  when the sums are expected under the memberships.

The formulas are those of `Family.natural`, `log_partition` and `log_table`, which stay their
definition; the contract tests hold both together, and the gradient against finite differences. A
family without a kind is served by the general, slower paths.
"""

from math import lgamma
from typing import Final

import numpy as np
from numba import njit

from softseg.compiled import CACHED

NORMAL: Final = 0
GAMMA: Final = 1
BERNOULLI: Final = 2
CATEGORICAL: Final = 3
POISSON: Final = 4
NEGATIVE_BINOMIAL: Final = 5

N_PARAMETERS: Final = {
    NORMAL: 2,
    GAMMA: 2,
    BERNOULLI: 1,
    CATEGORICAL: None,
    POISSON: 1,
    NEGATIVE_BINOMIAL: 2,
}
"""Parameters of each kind; a categorical one has as many as there are levels."""

TINY = 1e-300
ASYMPTOTIC_FROM = 10.0

COMPILED = CACHED


@njit(**COMPILED)
def digamma(x):  # pragma: no cover
    """Derivative of log Γ for x > 0, to full precision by recurrence and asymptotic series."""
    total = 0.0
    while x < ASYMPTOTIC_FROM:
        total -= 1.0 / x
        x += 1.0
    r = 1.0 / (x * x)
    series = r * (
        1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132 - r * 691 / 32760))))
    )
    return total + np.log(x) - 0.5 / x - series


@njit(**COMPILED)
def push(kind, theta, centre, scale, cells, natural, table):  # pragma: no cover
    """Write natural parameters (statistic,) and table (cell,); return the log-partition."""
    if kind == NORMAL:
        m, s = (theta[0] - centre) / scale, theta[1] / scale
        natural[0] = m / (s * s)
        natural[1] = -0.5 / (s * s)
        return 0.5 * (m / s) ** 2 + np.log(s)
    if kind == GAMMA:
        mean, shape = theta[0], theta[1]
        tilt = (mean - centre) / mean
        natural[0] = shape
        natural[1] = shape * tilt
        return lgamma(shape) - shape * np.log(shape) + shape * (1.0 + np.log(mean / centre) - tilt)
    if kind == BERNOULLI:
        table[0] = np.log(max(1.0 - theta[0], TINY))
        table[1] = np.log(max(theta[0], TINY))
        return 0.0
    if kind == CATEGORICAL:
        for level in range(len(table)):
            table[level] = np.log(max(theta[level], TINY))
        return 0.0
    if kind == POISSON:
        natural[0] = np.log(max(theta[0], TINY))
        return theta[0]
    rate, shape = theta[0], theta[1]
    base = lgamma(shape)
    for cell in range(len(table)):
        x, mean = cells[cell, 0], max(rate * cells[cell, 1], TINY)
        powers = x * (np.log(mean) - np.log(shape + mean)) - shape * np.log1p(mean / shape)
        table[cell] = lgamma(x + shape) - base - lgamma(x + 1.0) + powers
    return 0.0


@njit(**COMPILED)
def pull(kind, theta, centre, scale, cells, sums, measure, counts, slope):  # pragma: no cover
    """Write the gradient with respect to the named parameters (parameter,).

    `sums` (statistic,), `measure` and `counts` (cell,) are the segment's summed statistics.
    """
    if kind == NORMAL:
        m, s = (theta[0] - centre) / scale, theta[1] / scale
        w = 1.0 / (s * s)
        slope[0] = w * (sums[0] - measure * m) / scale
        slope[1] = (w * (sums[1] - 2.0 * m * sums[0] + measure * m * m) - measure) / (s * scale)
    elif kind == GAMMA:
        mean, shape = theta[0], theta[1]
        tilt = (mean - centre) / mean
        bend = np.log(mean / centre) - tilt
        slope[0] = shape * (sums[1] * centre - measure * (mean - centre)) / (mean * mean)
        slope[1] = sums[0] + sums[1] * tilt - measure * (digamma(shape) - np.log(shape) + bend)
    elif kind == BERNOULLI:
        slope[0] = counts[1] / max(theta[0], TINY) - counts[0] / max(1.0 - theta[0], TINY)
    elif kind == CATEGORICAL:
        for level in range(len(counts)):
            slope[level] = counts[level] / max(theta[level], TINY)
    elif kind == POISSON:
        slope[0] = sums[0] / max(theta[0], TINY) - measure
    else:
        rate, shape = theta[0], theta[1]
        base = digamma(shape)
        slope[0], slope[1] = 0.0, 0.0
        for cell in range(len(counts)):
            n = counts[cell]
            if n == 0.0:
                continue
            x, mean = cells[cell, 0], max(rate * cells[cell, 1], TINY)
            beyond = (x - mean) / (shape + mean)
            slope[0] += n * beyond * shape / rate
            slope[1] += n * (digamma(x + shape) - base - np.log1p(mean / shape) - beyond)
