"""Posterior modes in unconstrained coordinates, and the curvature there: `summit`.

EM ends near a mode of the density of the named parameters; the mode of the density of a point,
Jacobian included, lies a little beside it and always inside. Newton steps reach it.

The curvature is exact up to rounding (Louis 1982, Journal of the Royal Statistical Society B 44,
226–233). With the score s_k of a customer's density in segment k and its mean s̄ under the
memberships r, the Hessian of the log-likelihood is

    Σ count · (Σ_k r_k (∂²L_k + s_k s_kᵀ) − s̄ s̄ᵀ).

The first part needs only the expected statistics; it is taken together with prior and Jacobian by
central differences of the gradient at fixed statistics, which costs no pass over the patterns. The
scores are linear in a pattern's statistics, so that the rest is matrix products over blocks.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.families.kinds import COMPILED
from softseg.inference.coordinates import back, place
from softseg.inference.space import Space
from softseg.likelihood.kernel import expected_kernel, membership_kernel
from softseg.models.plan import Integers, slopes_of, weights_of

DIFFERENCE = 1e-5
"""Step of the central differences; coordinates are of order 1."""
BLOCK = 1024
"""Patterns whose scores are held at once."""
NEWTON_STEPS = 30
REUSED = 3
"""Steps taken with one Hessian as long as they go well: a pass over the patterns is cheaper."""
HALVINGS = 20
CLOSE = 1e-6
"""Newton stops where half the squared length of its step, in units of the curvature, is less."""


@dataclass(frozen=True)
class Summit:
    """A posterior mode in unconstrained coordinates.

    Attributes
    ----------
    point
        Shape (coordinate,).
    height
        Log posterior density there, Jacobian and normalisers included.
    covariance
        Inverse of the negative Hessian, (coordinate, coordinate).
    log_determinant
        Of the covariance.
    regular
        Whether Newton settled and the curvature is that of a maximum in every direction.
    """

    point: Array
    height: float
    covariance: Array
    log_determinant: float
    regular: bool

    @property
    def log_mass(self) -> float:
        """Laplace's approximation of the log of the mode's posterior mass times the evidence."""
        return self.height + 0.5 * (len(self.point) * np.log(2.0 * np.pi) + self.log_determinant)


def summit(space: Space, point: Array, cores: int = 1) -> Summit:
    """Return the mode that Newton steps reach from a point, with its curvature.

    Parameters
    ----------
    point
        Near a mode: where EM ended, inside the ranges.
    cores
        Threads over blocks of patterns; sums are added in a fixed order.
    """
    height, gradient = space.log_posterior(point)
    covariance, sure = _inverse(curvature(space, point, cores))
    age, settled = 0, False
    for _ in range(NEWTON_STEPS):
        step = covariance @ gradient
        gain = 0.5 * float(step @ gradient)
        if gain < CLOSE:
            settled = True
            if age == 0:
                break
        found = None if settled else _uphill(space, point, height, step)
        if found is not None:
            point, height, gradient = found
            age += 1
        elif age == 0 and not settled:
            break
        if settled or found is None or age >= REUSED:
            covariance, sure = _inverse(curvature(space, point, cores))
            age, settled = 0, False
    return Summit(
        point, height, covariance, float(np.linalg.slogdet(covariance)[1]), settled and sure
    )


def _uphill(
    space: Space, point: Array, height: float, step: Array
) -> tuple[Array, float, Array] | None:
    """Return the first point along the step, halved as needed, that is higher."""
    for _ in range(HALVINGS):
        trial = point + step
        there, gradient = space.log_posterior(trial)
        if np.isfinite(there) and there > height:
            return trial, there, gradient
        step = 0.5 * step
    return None


def _inverse(hessian: Array) -> tuple[Array, bool]:
    """Return the inverse of the negative Hessian, and whether it was positive definite.

    Where it is not, the directions that bend upwards are taken as if they bent down.
    """
    values, vectors = np.linalg.eigh(-hessian)
    least = 1e-10 * max(float(np.abs(values).max()), 1e-300)
    sure = bool(values[0] > least) if len(values) else True
    safe = np.maximum(np.abs(values), least)
    return (vectors / safe) @ vectors.T, sure


def curvature(space: Space, point: Array, cores: int = 1) -> Array:
    """Return the Hessian of the log posterior density, (coordinate, coordinate)."""
    own = space.hessian(point, cores)
    if own is not None:
        return own
    s = space.statistics
    point = np.ascontiguousarray(point, dtype=float)
    owner, rank = _owners(space)
    parts, hessian, scores, by_share = complete_kernel(
        point, space.plan, space.coordinate, owner, rank, s.dense, s.joined, s.count, DIFFERENCE
    )
    membership, _ = membership_kernel(s.dense, s.joined, *parts)
    bears = _bearing(space, scores)
    of_share = np.flatnonzero(owner < 0)
    own = [np.flatnonzero(owner == k) for k in range(space.mixture.n_segments)]

    def block(first: int) -> Array:
        last = min(first + BLOCK, s.n_patterns)
        score, mean = score_kernel(
            s.dense, s.codes, membership, scores, by_share, bears, owner, first, last
        )
        weight = membership[:, first:last] * s.count[first:last]
        part = -(mean * s.count[first:last]) @ mean.T
        for k, mine in enumerate(own):
            weighted = score[mine] * weight[k]
            cross = np.outer(by_share[k], weighted.sum(axis=1))
            part[np.ix_(mine, mine)] += weighted @ score[mine].T
            part[np.ix_(of_share, mine)] += cross
            part[np.ix_(mine, of_share)] += cross.T
            part[np.ix_(of_share, of_share)] += weight[k].sum() * np.outer(by_share[k], by_share[k])
        return part

    firsts = range(0, s.n_patterns, BLOCK)
    with ThreadPoolExecutor(max_workers=max(cores, 1)) as pool:
        for part in pool.map(block, firsts) if len(firsts) > 1 else map(block, firsts):
            hessian += part
    return 0.5 * (hessian + hessian.T)


def _owners(space: Space) -> tuple[Integers, Integers]:
    """Return the segment of each coordinate (−1 for the shares), and its number there."""
    owner = np.full(space.size, -1, dtype=np.int64)
    rank = np.arange(space.size, dtype=np.int64)
    for k, row in enumerate(space.coordinate):
        own = row[row >= 0]
        owner[own], rank[own] = k, np.arange(len(own))
    return owner, rank


def _bearing(space: Space, scores: Array) -> NDArray[np.bool_]:
    """Return on which coordinates each row of codes bears, (table column, coordinate)."""
    layout = space.statistics.layout
    spans = [slot.table for slot in layout.slots if slot.table.stop > slot.table.start]
    if layout.observed_table.stop > layout.observed_table.start:
        spans.append(layout.observed_table)
    table = scores[1 + layout.n_columns :]
    bears = [np.any(table[span] != 0.0, axis=0) for span in spans]
    return np.stack(bears) if bears else np.zeros((0, space.size), dtype=bool)


@njit(**COMPILED)
def complete_kernel(
    point, plan, coordinate, owner, rank, dense, joined, count, difference
):  # pragma: no cover
    """What the Hessian needs at a point besides the scores of the patterns.

    Returns start, weights and table; the Hessian at fixed expected statistics, priors and Jacobian
    included; the derivatives of constant, dense weights and table by the coordinates of their
    segment, (1 + column + cell, coordinate); those of the log shares, (segment, stick).
    """
    n_segments, n_columns, n_cells = len(plan.share_alpha), dense.shape[0], plan.cells.shape[0]
    share, theta = np.empty(n_segments), np.empty(plan.fixed.shape)
    place(plan, coordinate, point, share, theta)
    start, table = np.empty(n_segments), np.empty((n_segments, n_cells))
    weights = np.empty((n_segments, n_columns))
    weights_of(plan, share, theta, start, weights, table)
    _, by_dense, by_table, sizes = expected_kernel(dense, joined, count, start, weights, table)
    hessian = fixed_hessian(
        point, plan, coordinate, owner, rank, by_dense, by_table, sizes, difference
    )
    scores = linear_scores(plan, coordinate, owner, share, theta, n_columns, n_cells)
    n_sticks = n_segments - 1 if np.isnan(plan.share_fixed[0]) else 0
    return (start, weights, table), hessian, scores, share_scores(share, n_sticks)


@njit(**COMPILED)
def fixed_hessian(
    point, plan, coordinate, owner, rank, by_dense, by_table, sizes, difference
):  # pragma: no cover
    """Differences of the gradient at fixed expected statistics, (coordinate, coordinate).

    Coordinates of one rank belong to different segments and are moved together.
    """
    size = len(point)
    share, theta = np.empty(len(sizes)), np.empty(plan.fixed.shape)
    slopes, sides = np.empty(theta.shape), np.empty((2, size))
    hessian = np.zeros((size, size))
    n_ranks = 0
    for a in range(size):
        n_ranks = max(n_ranks, rank[a] + 1)
    for r in range(n_ranks):
        for side in range(2):
            moved = point.copy()
            for a in range(size):
                if rank[a] == r:
                    moved[a] += difference * (1.0 - 2.0 * side)
            place(plan, coordinate, moved, share, theta)
            slopes[:] = 0.0
            slopes_of(plan, theta, sizes, by_dense, by_table, slopes)
            back(plan, coordinate, share, theta, sizes, slopes, sides[side])
        for b in range(size):
            if rank[b] == r:
                for a in range(size):
                    if owner[a] == owner[b]:
                        hessian[a, b] = (sides[0, a] - sides[1, a]) / (2.0 * difference)
    return hessian


@njit(**COMPILED)
def linear_scores(plan, coordinate, owner, share, theta, n_columns, n_cells):  # pragma: no cover
    """Derivatives of constant, dense weights and table, (1 + column + cell, coordinate)."""
    n_segments, size = len(share), len(owner)
    scores = np.zeros((1 + n_columns + n_cells, size))
    nothing, ones = np.zeros(n_segments), np.ones(n_segments)
    by_dense, by_table = np.zeros((n_segments, n_columns)), np.zeros((n_segments, n_cells))
    base, found, slopes = np.empty(size), np.empty(size), np.zeros(theta.shape)
    back(plan, coordinate, share, theta, nothing, slopes, base)
    for t in range(1 + n_columns + n_cells):
        if 1 <= t <= n_columns:
            by_dense[:, t - 1] = 1.0
        elif t > n_columns:
            by_table[:, t - 1 - n_columns] = 1.0
        slopes[:] = 0.0
        slopes_of(plan, theta, ones if t == 0 else nothing, by_dense, by_table, slopes)
        back(plan, coordinate, share, theta, nothing, slopes, found)
        for a in range(size):
            if owner[a] >= 0:
                scores[t, a] = found[a] - base[a]
        if 1 <= t <= n_columns:
            by_dense[:, t - 1] = 0.0
        elif t > n_columns:
            by_table[:, t - 1 - n_columns] = 0.0
    return scores


@njit(**COMPILED)
def share_scores(share, n_sticks):  # pragma: no cover
    """Derivatives of the log shares by the sticks, (segment, stick)."""
    by_share = np.zeros((len(share), n_sticks))
    left = 1.0
    for m in range(n_sticks):
        v = share[m] / left
        by_share[m, m] = 1.0 - v
        by_share[m + 1 :, m] = -v
        left -= share[m]
    return by_share


@njit(**COMPILED)
def score_kernel(
    dense, codes, membership, scores, by_share, bears, owner, first, last
):  # pragma: no cover
    """Scores of the patterns first … last − 1, each coordinate's in its own segment.

    Returns scores and their means under the memberships, both (coordinate, pattern).
    """
    n_segments, n, size = len(membership), last - first, len(owner)
    score, mean = np.empty((size, n)), np.zeros((size, n))
    n_columns = dense.shape[0]
    for a in range(size):
        row = score[a]
        k = owner[a]
        if k < 0:
            row[:] = 0.0
            for segment in range(n_segments):
                for i in range(n):
                    mean[a, i] += by_share[segment, a] * membership[segment, first + i]
            continue
        row[:] = scores[0, a]
        for c in range(n_columns):
            slope = scores[1 + c, a]
            if slope != 0.0:
                for i in range(n):
                    row[i] += slope * dense[c, first + i]
        for d in range(codes.shape[0]):
            if bears[d, a]:
                for i in range(n):
                    row[i] += scores[1 + n_columns + codes[d, first + i], a]
        for i in range(n):
            mean[a, i] = membership[k, first + i] * row[i]
    return score, mean
