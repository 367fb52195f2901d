"""Criteria for the number of segments from one mode: BIC, ICL and the entropy R²."""

import numpy as np

from softseg.families.base import Array


def entropy(membership: Array, count: Array) -> float:
    """Return the entropy of all memberships, −Σ count · Σ_k p log p, in nats.

    Parameters
    ----------
    membership
        Shape (pattern, segment); a membership of 0 contributes 0.
    count
        Customers of each pattern, (pattern,).
    """
    p = np.asarray(membership, dtype=float)
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)
    return float(max(-(np.asarray(count) @ terms.sum(axis=1)), 0.0))


def entropy_r2(membership: Array, count: Array) -> float:
    """Return 1 − entropy/(N log K): 1 where every customer is certain; NaN for one segment.

    It says how well the segments are told apart, not how many there are (Celeux and Soromenho
    1996). Shapes as in `entropy`.
    """
    n_segments = np.asarray(membership).shape[1]
    if n_segments == 1:
        return float("nan")
    most = float(np.sum(count)) * np.log(n_segments)
    return 1.0 - entropy(membership, count) / most


def bic(log_likelihood: float, n_parameters: int, n_customers: float) -> float:
    """Return −2 log-likelihood + d log N, smaller is better (Schwarz 1978).

    N is the number of customers, not of patterns.
    """
    return -2.0 * log_likelihood + n_parameters * float(np.log(n_customers))


def icl(log_likelihood: float, n_parameters: int, membership: Array, count: Array) -> float:
    """Return BIC + 2 · entropy, smaller is better (Biernacki, Celeux and Govaert 2000).

    Shapes as in `entropy`.
    """
    n_customers = float(np.sum(count))
    return bic(log_likelihood, n_parameters, n_customers) + 2.0 * entropy(membership, count)
