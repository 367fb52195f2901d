"""What is believed of the number of segments and of their shares before the data.

The prior of K, the Dirichlet concentration of the shares given K, and the probability that both
give to a partition of the customers when the shares are summed out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from softseg.families.base import Array

MOST_SEGMENTS: Final = 50


@dataclass(frozen=True)
class Concentration:
    """The Dirichlet concentration of each share, given K.

    Attributes
    ----------
    dynamic
        Whether it is α/K, so that more segments share the same mass, or the same e₀ for every K.
    start
        α or e₀, where it begins or where it stays.
    log_prior
        Log density of α or e₀, without constant; None where it is known.
    """

    dynamic: bool
    start: float
    log_prior: Callable[[float], float] | None = None

    def at(self, value: float, n_segments: NDArray[Any]) -> Array:
        """Return e for numbers of segments."""
        return value / n_segments if self.dynamic else np.full(n_segments.shape, value)


def _log_f_6_3(alpha: float) -> float:
    """F(6, 3): heavy upper tail, nothing at 0."""
    return 2.0 * np.log(alpha) - 4.5 * np.log1p(2.0 * alpha)


DYNAMIC: Final = Concentration(True, 1.0, _log_f_6_3)
"""α ~ F(6, 3), as recommended by Frühwirth-Schnatter, Malsiner-Walli and Grün (2021, section 4)."""


def static(e0: float) -> Concentration:
    """Return a concentration that is known and the same for every K."""
    return Concentration(False, e0)


def beta_negative_binomial(most: int = MOST_SEGMENTS) -> Array:
    """Return log P(K), K = 1 … most, for K − 1 ~ BNB(1, 4, 3): mean 2, P(K = 1) = 4/7.

    Weakly informative (Frühwirth-Schnatter, Malsiner-Walli and Grün 2021, section 4.1).
    """
    k = np.arange(1, most + 1)
    return betaln(5.0, k + 2.0) - betaln(4.0, 3.0)


def uniform(most: int) -> Array:
    """Return log P(K) without constant for every K up to the most alike."""
    return np.zeros(most)


def exactly(n_segments: int) -> Array:
    """Return log P(K) for a K that is known: the sparse finite mixture."""
    known = np.full(n_segments, -np.inf)
    known[-1] = 0.0
    return known


def log_partition(sizes: Array, n_segments: NDArray[np.integer], e: Array) -> Array:
    """Return the log probability of a partition given K, shares summed out; one per K.

    Labels of the segments are summed over (Frühwirth-Schnatter, Malsiner-Walli and Grün 2021,
    equation 2.6).

    Parameters
    ----------
    sizes
        Customers of each occupied segment, all above 0.
    n_segments
        K, at least as many as there are sizes.
    e
        Concentration for each K.
    """
    total = e * n_segments
    labels = gammaln(n_segments + 1.0) - gammaln(n_segments - len(sizes) + 1.0)
    shares = gammaln(total) - gammaln(sizes.sum() + total)
    return labels + shares + (gammaln(sizes + e[:, None]) - gammaln(e)[:, None]).sum(axis=1)
