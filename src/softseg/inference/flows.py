"""Which segments survive when one more is allowed: customers by segment of K and of K + 1."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array

STABLE: Final = 0.75
"""Jaccard index from which a segment counts as the same one (Hennig 2007)."""


def flow(first: NDArray[np.intp], second: NDArray[np.intp], count: Array) -> Array:
    """Return the customers by group of the first and of the second, labels from 0.

    Parameters
    ----------
    first, second
        Group of each pattern, (pattern,).
    count
        Customers of each pattern, (pattern,).
    """
    height, width = int(first.max()) + 1, int(second.max()) + 1
    flat = np.bincount(first * width + second, weights=count, minlength=height * width)
    return flat.reshape(height, width)


def jaccard(table: Array) -> Array:
    """Return the Jaccard index of each pair of groups of a cross table (first, second)."""
    union = table.sum(axis=1)[:, None] + table.sum(axis=0)[None, :] - table
    return table / np.maximum(union, 1e-300)


def survivors(table: Array) -> list[int]:
    """Return the groups of the first, from 0, that are one group of the second still."""
    return [int(a) for a in np.flatnonzero(jaccard(table).max(axis=1) >= STABLE)]


def ranked(membership: Array, count: Array) -> NDArray[np.intp]:
    """Return the most probable segment of each pattern, 0 for the largest segment.

    `membership` has the shape (pattern, segment). A segment that is nowhere the most probable one
    keeps its number and has no customers.
    """
    order = np.argsort(-(count @ membership), kind="stable")
    return membership[:, order].argmax(axis=1)
