"""How far two partitions of the customers agree, from their cross table.

With n_ab customers in group a of the first and group b of the second:

- the adjusted Rand index (Hubert and Arabie 1985): 1 is the same, 0 what chance would give;
- the variation of information (Meilă 2007) in bits, H(A | B) + H(B | A): 0 is the same;
- Binder's loss: pairs of customers that are together in one partition and apart in the other.
"""

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array


def cross_table(
    first: NDArray[np.integer], second: NDArray[np.integer], count: Array | None = None
) -> Array:
    """Return the customers by group of the first and group of the second, labels from 0."""
    width = int(second.max(initial=-1)) + 1
    height = int(first.max(initial=-1)) + 1
    flat = np.bincount(first * width + second, weights=count, minlength=height * width)
    return flat.reshape(height, width).astype(float)


def adjusted_rand_index(cross: Array) -> Array:
    """Return the adjusted Rand index of cross tables, shape (…, first, second)."""
    both, one, other, pairs = pairs_of(cross)
    expected = one * other / np.maximum(pairs, 1e-300)
    most = 0.5 * (one + other)
    same = np.abs(most - expected) <= 1e-12 * np.maximum(most, 1.0)
    return np.where(same, 1.0, (both - expected) / np.where(same, 1.0, most - expected))


def variation_of_information(cross: Array) -> Array:
    """Return the variation of information of cross tables in bits, shape (…, first, second)."""
    n = cross.sum(axis=(-2, -1))
    joint = _entropy(cross.reshape(*cross.shape[:-2], -1), n)
    return np.maximum(
        2.0 * joint - _entropy(cross.sum(axis=-1), n) - _entropy(cross.sum(axis=-2), n), 0.0
    )


def binder_pairs(cross: Array) -> Array:
    """Return how many pairs are together in one partition and apart in the other."""
    both, one, other, _ = pairs_of(cross)
    return one + other - 2.0 * both


def pairs_of(cross: Array) -> tuple[Array, Array, Array, Array]:
    """Return pairs together in both, in the first, in the second, and all pairs."""
    n = cross.sum(axis=(-2, -1))
    both = 0.5 * ((cross**2).sum(axis=(-2, -1)) - n)
    one = 0.5 * ((cross.sum(axis=-1) ** 2).sum(axis=-1) - n)
    other = 0.5 * ((cross.sum(axis=-2) ** 2).sum(axis=-1) - n)
    return both, one, other, 0.5 * n * (n - 1.0)


def _entropy(groups: Array, n: Array) -> Array:
    share = groups / np.maximum(n, 1e-300)[..., None]
    return -(share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=-1)
