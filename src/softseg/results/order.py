"""Order statistics of a short row of numbers, without sorting it and without a branch per number.

A quantile over draws is wanted for every customer and segment: millions of rows of a few hundred
numbers. Sorting mispredicts a branch at every other comparison. Counting how many numbers lie at
or below a threshold is a handful of vector instructions; so thresholds are tried until one has as
many numbers at or below it as are wanted. Numbers from 0 on have the order of their bits, in which
both a membership of 1e-9 and one of 0.5 are looked for in a few steps.
"""

from functools import lru_cache

import numpy as np
from numba import njit
from scipy.stats import norm

from softseg.families.base import Array
from softseg.likelihood.kernel import COMPILED

GUESSES = 6
"""Thresholds guessed from the density of the numbers, before the bracket is halved."""


@lru_cache(maxsize=64)
def aims(probabilities: tuple[float, ...], n: int) -> Array:
    """Return what `quantile` needs to know of quantiles of n numbers, (quantile, 4).

    Place among the order statistics, from 0; where a normal distribution has it, in standard
    deviations; how far one number is from the next there; the largest place.
    """
    rows = []
    for probability in probabilities:
        z = norm.ppf(np.clip(probability, 0.5 / n, 1.0 - 0.5 / n))
        rows.append((probability * (n - 1), z, 1.0 / (n * norm.pdf(z)), n - 1))
    return np.array(rows, dtype=float)


@njit(**COMPILED)
def moments(bits):  # pragma: no cover
    """Return the least and largest of whole numbers, their mean and standard deviation."""
    n, first = len(bits), bits[0]
    low, high, total, squares = first, first, 0.0, 0.0
    for i in range(n):
        low, high = min(low, bits[i]), max(high, bits[i])
        distance = float(bits[i] - first)
        total += distance
        squares += distance * distance
    mean = total / n
    return low, high, first + mean, np.sqrt(max(squares / n - mean * mean, 0.0))


@njit(**COMPILED)
def quantile(values, bits, aim, low, high, middle, spread):  # pragma: no cover
    """Return a quantile of numbers, linear between order statistics (NumPy's default).

    Parameters
    ----------
    values, bits
        The numbers, none negative, and the same memory as `numpy.int64`.
    aim
        From `aims`.
    low, high, middle, spread
        From `moments`.
    """
    if low == high:
        return values[0]
    rank = int(aim[0])
    threshold, count = split(bits, rank, aim, low, high, middle, spread)
    below, above = 0.0, np.inf
    for i in range(len(values)):
        inside = bits[i] <= threshold
        below = max(below, values[i] if inside else 0.0)
        above = min(above, np.inf if inside else values[i])
    if count > rank + 1 or aim[0] >= aim[3]:
        return below
    return below + (above - below) * (aim[0] - rank)


@njit(**COMPILED)
def split(bits, rank, aim, low, high, middle, spread):  # pragma: no cover
    """Return a threshold with rank + 1 numbers at or below it, and how many there are.

    Where equal numbers leave no such threshold it is the order statistic itself, with more.
    """
    n = len(bits)
    low, n_high = low - 1, n
    guess, step = middle + aim[1] * spread, aim[2] * spread
    turn = 0
    while n_high > rank + 1 and high - low > 1:
        threshold = low + (high - low) // 2
        if turn < GUESSES and low < guess < high:
            threshold = min(max(np.int64(guess), low + 1), high - 1)
        count = 0
        for i in range(n):
            count += bits[i] <= threshold
        if count > rank:
            high, n_high = threshold, count
        else:
            low = threshold
        guess = threshold + step * (rank + 0.75 - count)
        turn += 1
    return high, n_high
