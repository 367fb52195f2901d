"""The best set of segments to treat, and what it is worth to know something before choosing it.

Rows of net present values: the uniform programme (0 where there is none), what belongs to no
segment, one for each segment.
"""

from collections.abc import Mapping

import numpy as np

from softseg.decisions.answers.estimates import estimate, mean
from softseg.decisions.answers.information import Value, resampled
from softseg.decisions.answers.regression import regress
from softseg.families.base import Array


def best_worth(net: Array) -> Array:
    """Return what the best decision brings, from expectations (row, …)."""
    treated = net[1] + np.maximum(net[2:], 0.0).sum(axis=0)
    return np.maximum(np.maximum(net[0], treated), 0.0)


def chosen(net: Array) -> Array:
    """Return which rows the best decision takes, 1 or 0, from expectations (row,)."""
    if best_worth(net) <= 0.0:
        return np.zeros(len(net))
    if net[0] >= best_worth(net):
        return np.eye(len(net))[0]
    return np.array([0.0, 1.0, *(net[2:] > 0.0)])


def gained(net: Array) -> Array:
    """Return by how much the best decision in each draw beats the best one on average, (…,).

    Its mean is never below 0, and exactly 0 where no draw changes the decision.
    """
    uniform, shared, *treated = chosen(net.reshape(len(net), -1).mean(axis=1))
    taken = np.array(treated).reshape(-1, *(1,) * (net.ndim - 1))
    # summed as in `best_worth`, so that the same decision gives the same number
    plan = shared * net[1] + (taken * net[2:]).sum(axis=0)
    return best_worth(net) - (uniform * net[0] + plan)


def regressed(
    net: Array, rows: list[int], x: Mapping[str, Array] | Array, rng: np.random.Generator
) -> Value:
    """Return the value of knowing one thing or several, by regression of some rows on them.

    Parameters
    ----------
    net
        Net present values, (row, replicate, draw).
    rows
        Those that it can say something about; the others keep their mean.
    x
        What is known, (replicate, draw), or several by name.
    rng
        Draws coefficients for the error.
    """
    flat = net.reshape(len(net), -1)
    means = flat.mean(axis=1)
    several = x if isinstance(x, Mapping) else {"x": x}
    fit = regress(flat[rows].T, {name: np.ravel(one) for name, one in several.items()})

    def won(fitted: Array) -> Array:
        expected = np.repeat(means[:, None], len(fitted), axis=1)
        expected[rows] = fitted.T
        return gained(expected)

    found = won(fit.fitted)
    away, noise = resampled(fit, lambda many: np.array([won(one).mean() for one in many]), rng)
    # No part is worth more than the whole: what lies above it is the misfit of the regression.
    bias = max(noise, float((found - gained(flat)).mean()))
    sampled = float(estimate(mean, found.reshape(net.shape[1:])).error)
    return Value(float(found.mean()), float(np.sqrt(sampled**2 + away**2 + bias**2)), bias)
