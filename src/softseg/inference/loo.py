"""Leave-one-out prediction of a customer: `loo`.

The unit is the customer, its density the marginal one with the segment summed out (densities
given the drawn segment are far too good). Leaving out a customer is done by importance sampling
with smoothed weights 1/p(x | θ) (Vehtari, Gelman and Gabry 2017). Customers of one pattern have
the same density and so the same weights: one of them is left out, and the pattern counts as often
as it has customers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.inference.diagnose import mixing
from softseg.inference.draws import Draws
from softseg.inference.psis import smooth
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Values

BAD_SHAPE = 0.7
"""Above this k̂ the importance weights of a pattern cannot be trusted."""

MOST_NUMBERS = 2_000_000
"""Log densities of so many draws × patterns are held at once."""

Densities = Callable[[slice], Array]
"""Returns log densities (sample, pattern) for a slice of the patterns."""


@dataclass(frozen=True)
class LooResult:
    """Expected log density of a new customer.

    Attributes
    ----------
    elpd
        Summed over customers; larger is better.
    se
        Its standard error over customers.
    p_loo
        Effective number of parameters.
    k_hat
        Shape of the weights' tail, (pattern,).
    n_bad
        Customers whose k̂ is above 0.7 or cannot be told.
    pointwise
        Log density of one customer of each pattern, left out, (pattern,).
    count
        Customers of each pattern, (pattern,).
    """

    elpd: float
    se: float
    p_loo: float
    k_hat: Array
    n_bad: float
    pointwise: Array
    count: Array


def loo(log_density: Array | Densities, count: Array, efficiency: float = 1.0) -> LooResult:
    """Return the leave-one-out log density of the customers.

    Parameters
    ----------
    log_density
        Log density of each pattern under each draw, shape (sample, pattern), or a function that
        returns it for a slice of the patterns (see `densities`), so that not all of it is held.
    count
        Customers of each pattern, (pattern,).
    efficiency
        Effective sample size of the draws divided by their number.

    Raises
    ------
    UsageError
        Where densities and counts differ in length.
    """
    count = np.asarray(count, dtype=float)
    n_patterns = len(count)
    part = log_density if callable(log_density) else _columns(log_density, n_patterns)
    pointwise, full, k_hat = np.empty(n_patterns), np.empty(n_patterns), np.empty(n_patterns)
    first = 0
    size = 1
    while first < n_patterns:
        block = slice(first, min(first + size, n_patterns))
        rows = np.ascontiguousarray(part(block).T)
        weights, k_hat[block] = smooth(-rows, efficiency)
        pointwise[block] = logsumexp(weights + rows, axis=1)
        full[block] = logsumexp(rows, axis=1) - np.log(rows.shape[1])
        first = block.stop
        size = max(1, MOST_NUMBERS // rows.shape[1])
    bad = ~(k_hat <= BAD_SHAPE)
    total, se = total_and_error(pointwise, count)
    p_loo = float(count @ (full - pointwise))
    return LooResult(total, se, p_loo, k_hat, float(count[bad].sum()), pointwise, count)


def efficiency_of(draws: Draws, n_used: int) -> float:
    """Return the effective sample size of evenly spaced draws divided by their number.

    The mean correlation of two draws, (1/ESS − 1/n) n/(n − 1), is that of all draws: for weighted
    draws from their copies, else from the log-likelihood of the chains. 1 where it cannot be told.
    """
    n = draws.log_likelihood.size
    shared = draws.copies
    if shared == 0.0:
        ess = float(mixing(draws.log_likelihood[..., None])["ess_bulk"][0])
        shared = max(0.0, 1.0 / ess - 1.0 / n) if ess > 0.0 else 0.0
    return 1.0 / (1.0 + (n_used - 1.0) * shared)


def difference(first: LooResult, second: LooResult) -> tuple[float, float]:
    """Return elpd of the first minus the second, and its standard error, paired by customer.

    Raises
    ------
    UsageError
        Where the two do not stand on the same patterns.
    """
    if not np.array_equal(first.count, second.count):
        raise UsageError(
            f"Compare fits of the same table: got {len(first.count)} and {len(second.count)} "
            "patterns, or other counts."
        )
    return total_and_error(first.pointwise - second.pointwise, first.count)


def total_and_error(pointwise: Array, count: Array) -> tuple[float, float]:
    """Return Σ over customers and √(N · variance over customers)."""
    n = float(count.sum())
    mean = float(count @ pointwise) / n
    variance = float(count @ np.square(pointwise - mean)) / max(n - 1.0, 1.0)
    return n * mean, float(np.sqrt(n * variance))


def densities(statistics: Statistics, values: Values) -> Densities:
    """Return the function that evaluates log densities under draws (sample, …) on demand."""
    n_samples = len(values.share)

    def part(block: slice) -> Array:
        some = statistics.take(np.arange(block.start, block.stop))
        out = np.empty((n_samples, some.n_patterns))
        for sample in range(n_samples):
            one = values.at(sample)
            weights = some.layout.weights(one.indicators, NUMPY)
            _, out[sample] = memberships(some, weights, one.share)
        return out

    return part


def _columns(log_density: Array, n_patterns: int) -> Densities:
    values = np.asarray(log_density, dtype=float)
    if values.ndim != 2 or values.shape[1] != n_patterns:
        raise UsageError(
            f"Give one log density per draw and pattern: expected (sample, {n_patterns}), "
            f"got {values.shape}."
        )
    return lambda block: values[:, block]
