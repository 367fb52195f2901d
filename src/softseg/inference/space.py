"""The unconstrained coordinates of a mixture, and its log posterior density there: `Space`.

A point holds, for the shares and for every estimated parameter of every segment, one number on the
whole line: (θ − centre)/unit for a real parameter, log θ for a positive one, logit p for a
probability, and for a simplex the logits of its sticks, v₁ = p₁, v₂ = p₂/(1 − p₁), … The density of
a point is the posterior density of the parameters times the Jacobian of the way back.

Everything that depends on data or schema is handed in as arrays, so that the compiled functions
serve every table. `log_posterior` has the gradient from the same pass over the patterns (Fisher's
identity).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from softseg.families.base import Array
from softseg.families.kinds import COMPILED, TINY
from softseg.families.positive import log_prior as positive_log_prior
from softseg.likelihood.kernel import BLOCK, expected_kernel, fill, normalise
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values
from softseg.models.plan import (
    HELD,
    POSITIVE,
    REAL,
    SIMPLEX,
    UNIT,
    Integers,
    Plan,
    plan_of,
    slopes_of,
    theta_of,
    values_of,
    weights_of,
)

NORMAL_PRIOR, BETA_PRIOR, DIRICHLET_PRIOR = 7, 8, 9
FURTHEST = 690.0
"""Coordinates beyond it stand for a parameter that is 0 or infinite to the last digit."""
LEAST_PROBABILITY = 1e-3
AT_ONCE = 64
"""Points that one task of a thread evaluates."""


@dataclass(frozen=True)
class Space:
    """The unconstrained coordinates of one mixture on one table.

    Attributes
    ----------
    plan
        The mixture as arrays.
    coordinate
        Which coordinate of the point each column of each segment has, (segment, column); −1 for
        what is fixed, and for the last level of a simplex. The shares have the first ones.
    size
        Number of coordinates.
    """

    mixture: Mixture
    statistics: Statistics
    plan: Plan
    coordinate: Integers
    size: int

    @classmethod
    def of(cls, mixture: Mixture, statistics: Statistics) -> "Space":
        """Return the space of a mixture on these patterns."""
        plan = plan_of(mixture, statistics.layout)
        coordinate = np.full(plan.fixed.shape, -1, dtype=np.int64)
        at = mixture.n_segments - 1 if mixture.fixed_share is None else 0
        for k, c in np.ndindex(coordinate.shape):
            last_level = plan.support[c] == SIMPLEX and _ends(plan, c)
            if plan.prior[k, c] != HELD and not last_level:
                coordinate[k, c] = at
                at += 1
        return cls(mixture, statistics, plan, coordinate, at)

    @cached_property
    def constant(self) -> float:
        """What the compiled density leaves out: base measure and normalisers of the priors."""
        s, plan = self.statistics, self.plan
        theta = np.where(np.isnan(plan.fixed), _anywhere(plan), plan.fixed)
        share = self.mixture.fixed_share
        if share is None:
            share = np.full(self.mixture.n_segments, 1.0 / self.mixture.n_segments)
        values = values_of(self.mixture, share, theta)
        normalisers = self.mixture.log_prior(values) - prior_kernel(plan, share, theta)
        return float(normalisers + s.count @ s.log_base)

    def values(self, points: Array) -> Values:
        """Return the parameters of points (…, coordinate), with the same leading axes."""
        points = np.asarray(points, dtype=float)
        flat = np.ascontiguousarray(points.reshape(-1, self.size))
        share, theta, _ = place_kernel(self.plan, self.coordinate, flat)
        lead = points.shape[:-1]
        return values_of(
            self.mixture,
            share.reshape(*lead, *share.shape[1:]),
            theta.reshape(*lead, *theta.shape[1:]),
        )

    def point(self, values: Values) -> Array:
        """Return the point (coordinate,) of parameters inside their ranges."""
        theta = theta_of(self.mixture, values)
        return point_kernel(self.plan, self.coordinate, np.asarray(values.share, float), theta)

    def inside(self, values: Values) -> Values:
        """Return the parameters with probabilities moved off 0 and 1.

        A mode may lie on the edge, which the unconstrained space does not have. What is moved is
        less than half a customer's worth.
        """
        edge = min(LEAST_PROBABILITY, 0.5 / (1.0 + self.statistics.n_customers))

        def simplex(p: Array) -> Array:
            p = np.maximum(p, edge)
            return p / p.sum(axis=-1, keepdims=True)

        moved = {"simplex": simplex, "unit": lambda p: np.clip(p, edge, 1.0 - edge)}
        indicators = {
            name: {
                p.name: moved.get(p.support, np.asarray)(values.indicators[name][p.name])
                for p in member.parameters
            }
            for name, member in self.mixture.families.items()
        }
        return Values(simplex(values.share), indicators)

    def log_posterior(self, point: Array) -> tuple[float, Array]:
        """Return the log density of a point and its gradient (coordinate,)."""
        s, gradient = self.statistics, np.empty(self.size)
        density = posterior_kernel(
            np.ascontiguousarray(point, dtype=float), gradient, self.plan, self.coordinate,
            s.dense, s.codes, s.count,
        )  # fmt: skip
        return float(density) + self.constant, gradient

    def log_densities(self, points: Array, cores: int = 1) -> tuple[Array, Array]:
        """Return log posterior density and log-likelihood of points (sample, coordinate).

        Both have the shape (sample,); points are shared out to threads, which changes no digit.
        """
        s = self.statistics
        points = np.ascontiguousarray(points, dtype=float)
        parts = [points[i : i + AT_ONCE] for i in range(0, len(points), AT_ONCE)]

        def evaluate(part: Array) -> tuple[Array, Array]:
            return densities_kernel(part, self.plan, self.coordinate, s.dense, s.codes, s.count)

        with ThreadPoolExecutor(max_workers=max(cores, 1)) as pool:
            found = list(pool.map(evaluate, parts))
        density = np.concatenate([one for one, _ in found])
        likelihood = np.concatenate([one for _, one in found])
        return density + self.constant, likelihood + float(s.count @ s.log_base)


def _ends(plan: Plan, column: int) -> bool:
    """Return whether a column is the last level of its simplex."""
    return column + 1 == len(plan.width) or plan.width[column + 1] > 0


def _anywhere(plan: Plan) -> Array:
    """Return parameters in the midst of their ranges, (segment, column)."""
    theta = np.empty(plan.fixed.shape)
    for c, support in enumerate(plan.support):
        if support == REAL:
            known = plan.prior[:, c] == NORMAL_PRIOR
            theta[:, c] = np.where(known, plan.prior_a[:, c], plan.shift[c])
        elif support == SIMPLEX:
            first = max(i for i in range(c + 1) if plan.width[i] > 0)
            theta[:, c] = 1.0 / plan.width[first]
        else:
            theta[:, c] = 1.0 if support == POSITIVE else 0.5
    return theta


@njit(**COMPILED)
def log_prior(code, a, b, x):  # pragma: no cover
    """Log density of one number under a coded prior, up to a constant."""
    if code == NORMAL_PRIOR:
        return -0.5 * ((x - a) / b) ** 2
    if code == BETA_PRIOR:
        low = (a - 1.0) * np.log(x) if a != 1.0 else 0.0
        return low + ((b - 1.0) * np.log1p(-x) if b != 1.0 else 0.0)
    if code == DIRICHLET_PRIOR:
        return (a - 1.0) * np.log(max(x, TINY)) if a != 1.0 else 0.0
    return positive_log_prior(code, a, b, x)


@njit(**COMPILED)
def prior_slope(code, a, b, x):  # pragma: no cover
    """Derivative of `log_prior` with respect to x."""
    if code == 1:
        return (a - 1.0) / x - b
    if code == 2:
        return -(a + 1.0) / x + b / (x * x)
    if code == 3:
        return -((np.log(x) - a) / (b * b) + 1.0) / x
    if code == 4:
        return -x / (a * a)
    if code == 5:
        return -a
    if code == 6:
        return (-(2.0 * a + 1.0) + 2.0 * b / (x * x)) / x
    if code == NORMAL_PRIOR:
        return -(x - a) / (b * b)
    if code == BETA_PRIOR:
        return (a - 1.0) / x - (b - 1.0) / (1.0 - x)
    if code == DIRICHLET_PRIOR:
        return (a - 1.0) / x
    return 0.0


@njit(**COMPILED)
def prior_kernel(plan, share, theta):  # pragma: no cover
    """Log prior density of shares and theta, up to a constant."""
    total = 0.0
    for k in range(len(share)):
        if np.isnan(plan.share_fixed[k]):
            total += log_prior(DIRICHLET_PRIOR, plan.share_alpha[k], 0.0, share[k])
        for c in range(theta.shape[1]):
            if plan.prior[k, c] != HELD:
                a, b = plan.prior_a[k, c], plan.prior_b[k, c]
                total += log_prior(plan.prior[k, c], a, b, theta[k, c])
    return total


@njit(**COMPILED)
def sigmoid(u):  # pragma: no cover
    """1/(1 + e^−u) without overflow."""
    if u >= 0.0:
        return 1.0 / (1.0 + np.exp(-min(u, FURTHEST)))
    power = np.exp(max(u, -FURTHEST))
    return power / (1.0 + power)


@njit(**COMPILED)
def break_sticks(sticks, simplex):  # pragma: no cover
    """Write the simplex of stick logits (stick,); return the log Jacobian."""
    log_jacobian, left = 0.0, 1.0
    n = len(sticks)
    for m in range(n):
        v, rest = sigmoid(sticks[m]), sigmoid(-sticks[m])
        simplex[m] = max(left * v, TINY)
        left *= rest
        log_jacobian += np.log(v) + (n - m) * np.log(rest)
    simplex[n] = max(left, TINY)
    return log_jacobian


@njit(**COMPILED)
def stick_slopes(simplex, slopes, gradient):  # pragma: no cover
    """Write the gradient by stick logits, Jacobian included, from that by the simplex."""
    n = len(simplex) - 1
    left, below = simplex[n], simplex[n] * slopes[n]
    for m in range(n - 1, -1, -1):
        v = simplex[m] / (simplex[m] + left)
        own = simplex[m] * slopes[m]
        gradient[m] = (1.0 - v) * (own + 1.0) - v * (below + (n - m))
        left += simplex[m]
        below += own


@njit(**COMPILED)
def place(plan, coordinate, point, share, theta):  # pragma: no cover
    """Write shares and theta of a point; return the log Jacobian."""
    n_segments = len(share)
    log_jacobian = 0.0
    if np.isnan(plan.share_fixed[0]):
        if n_segments > 1:
            log_jacobian += break_sticks(point[: n_segments - 1], share)
        else:
            share[0] = 1.0
    else:
        share[:] = plan.share_fixed
    for k in range(n_segments):
        for c in range(theta.shape[1]):
            at = coordinate[k, c]
            if plan.prior[k, c] == HELD:
                theta[k, c] = plan.fixed[k, c]
            elif plan.support[c] == REAL:
                theta[k, c] = plan.shift[c] + plan.unit[c] * point[at]
                log_jacobian += np.log(plan.unit[c])
            elif plan.support[c] == POSITIVE:
                u = min(max(point[at], -FURTHEST), FURTHEST)
                theta[k, c] = np.exp(u)
                log_jacobian += u
            elif plan.support[c] == UNIT:
                theta[k, c] = min(max(sigmoid(point[at]), TINY), 1.0 - 1e-16)
                log_jacobian += np.log(sigmoid(point[at])) + np.log(sigmoid(-point[at]))
            elif plan.width[c] > 0:
                width = plan.width[c]
                log_jacobian += break_sticks(point[at : at + width - 1], theta[k, c : c + width])
    return log_jacobian


@njit(**COMPILED)
def back(plan, coordinate, share, theta, sizes, slopes, gradient):  # pragma: no cover
    """Write the gradient by the point, priors and Jacobian included.

    `slopes` (segment, column) and `sizes` (segment,) hold the gradient of the log-likelihood by
    theta and by the log shares; `slopes` is used up.
    """
    n_segments = len(share)
    if np.isnan(plan.share_fixed[0]) and n_segments > 1:
        by_share = np.empty(n_segments)
        for k in range(n_segments):
            by_share[k] = (sizes[k] + plan.share_alpha[k] - 1.0) / share[k]
        stick_slopes(share, by_share, gradient[: n_segments - 1])
    for k in range(n_segments):
        for c in range(theta.shape[1]):
            if plan.prior[k, c] == HELD:
                continue
            x = theta[k, c]
            slopes[k, c] += prior_slope(plan.prior[k, c], plan.prior_a[k, c], plan.prior_b[k, c], x)
            at = coordinate[k, c]
            if plan.support[c] == REAL:
                gradient[at] = slopes[k, c] * plan.unit[c]
            elif plan.support[c] == POSITIVE:
                gradient[at] = slopes[k, c] * x + 1.0
            elif plan.support[c] == UNIT:
                gradient[at] = slopes[k, c] * x * (1.0 - x) + 1.0 - 2.0 * x
        for c in range(theta.shape[1]):
            if plan.support[c] == SIMPLEX and plan.width[c] > 0 and plan.prior[k, c] != HELD:
                at, width = coordinate[k, c], plan.width[c]
                stick_slopes(
                    theta[k, c : c + width], slopes[k, c : c + width],
                    gradient[at : at + width - 1],
                )  # fmt: skip


@njit(**COMPILED)
def posterior_kernel(point, gradient, plan, coordinate, dense, codes, count):  # pragma: no cover
    """Write the gradient of a point and return its log density, up to `Space.constant`."""
    n_segments = len(plan.share_alpha)
    share, theta = np.empty(n_segments), np.empty(plan.fixed.shape)
    log_jacobian = place(plan, coordinate, point, share, theta)
    start = np.empty(n_segments)
    weights = np.empty((n_segments, dense.shape[0]))
    table = np.empty((n_segments, plan.cells.shape[0]))
    weights_of(plan, share, theta, start, weights, table)
    log_lik, by_dense, by_table, sizes = expected_kernel(dense, codes, count, start, weights, table)
    slopes = np.zeros(theta.shape)
    slopes_of(plan, theta, sizes, by_dense, by_table, slopes)
    density = log_lik + prior_kernel(plan, share, theta) + log_jacobian
    back(plan, coordinate, share, theta, sizes, slopes, gradient)
    return density


@njit(**COMPILED)
def likelihood_kernel(dense, codes, count, start, weights, table):  # pragma: no cover
    """Log-likelihood without base, in one pass without the expected statistics."""
    n_segments, n_patterns = len(start), len(count)
    joint = np.empty((n_segments, BLOCK))
    largest, total = np.empty(BLOCK), np.empty(BLOCK)
    powers = np.empty(BLOCK, dtype=np.int64)
    log_lik = 0.0
    for first in range(0, n_patterns, BLOCK):
        last = min(first + BLOCK, n_patterns)
        fill(dense, codes, start, weights, table, first, last, joint)
        normalise(joint, last - first, largest, total, powers)
        for i in range(last - first):
            log_lik += count[first + i] * (largest[i] + np.log(total[i]))
    return log_lik


@njit(**COMPILED)
def densities_kernel(points, plan, coordinate, dense, codes, count):  # pragma: no cover
    """Log densities up to `Space.constant`, and log-likelihoods without base, (sample,)."""
    n, n_segments = len(points), len(plan.share_alpha)
    share, theta = np.empty(n_segments), np.empty(plan.fixed.shape)
    start = np.empty(n_segments)
    weights = np.empty((n_segments, dense.shape[0]))
    table = np.empty((n_segments, plan.cells.shape[0]))
    density, likelihood = np.empty(n), np.empty(n)
    for i in range(n):
        log_jacobian = place(plan, coordinate, points[i], share, theta)
        weights_of(plan, share, theta, start, weights, table)
        likelihood[i] = likelihood_kernel(dense, codes, count, start, weights, table)
        density[i] = likelihood[i] + prior_kernel(plan, share, theta) + log_jacobian
    return density, likelihood


@njit(**COMPILED)
def place_kernel(plan, coordinate, points):  # pragma: no cover
    """Shares (sample, segment), theta (sample, segment, column), log Jacobians (sample,)."""
    n, n_segments = len(points), len(plan.share_alpha)
    share = np.empty((n, n_segments))
    theta = np.empty((n, n_segments, plan.fixed.shape[1]))
    log_jacobian = np.empty(n)
    for i in range(n):
        log_jacobian[i] = place(plan, coordinate, points[i], share[i], theta[i])
    return share, theta, log_jacobian


@njit(**COMPILED)
def stick_logits(simplex, sticks):  # pragma: no cover
    """Write the stick logits of a simplex."""
    n = len(simplex) - 1
    left = simplex[n]
    for m in range(n - 1, -1, -1):
        sticks[m] = np.log(simplex[m]) - np.log(left)
        left += simplex[m]


@njit(**COMPILED)
def point_kernel(plan, coordinate, share, theta):  # pragma: no cover
    """The point of shares and theta: `place` backwards."""
    n_segments = len(share)
    size = n_segments - 1 if np.isnan(plan.share_fixed[0]) else 0
    for k in range(n_segments):
        for c in range(theta.shape[1]):
            size += coordinate[k, c] >= 0
    point = np.empty(size)
    if np.isnan(plan.share_fixed[0]) and n_segments > 1:
        stick_logits(share, point[: n_segments - 1])
    for k in range(n_segments):
        for c in range(theta.shape[1]):
            at, x = coordinate[k, c], theta[k, c]
            if at < 0:
                continue
            if plan.support[c] == REAL:
                point[at] = (x - plan.shift[c]) / plan.unit[c]
            elif plan.support[c] == POSITIVE:
                point[at] = np.log(x)
            elif plan.support[c] == UNIT:
                point[at] = np.log(x) - np.log1p(-x)
            elif plan.width[c] > 0:
                width = plan.width[c]
                stick_logits(theta[k, c : c + width], point[at : at + width - 1])
    return point
