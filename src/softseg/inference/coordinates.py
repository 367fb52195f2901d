"""From points to parameters and back, compiled: transforms, Jacobians, priors.

The coordinates are those of `Space`. The priors stand here in the form that compiled code reads,
as codes and numbers of a `Plan`, with their derivatives.
"""

import numpy as np
from numba import njit

from softseg.families.kinds import COMPILED, TINY
from softseg.families.positive import BETA_PRIOR, DIRICHLET_PRIOR, HELD, NORMAL_PRIOR
from softseg.families.positive import log_prior as positive_log_prior
from softseg.models.plan import POSITIVE, REAL, SIMPLEX, UNIT

FURTHEST = 690.0
"""Coordinates beyond it stand for a parameter that is 0 or infinite to the last digit."""


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
def split(u):  # pragma: no cover
    """The inverse logit v of u, 1 − v, and the logs of both, none of them rounded to 0 or 1."""
    far = min(abs(u), FURTHEST)
    power = np.exp(-far)
    log_more = -np.log1p(power)
    more = 1.0 / (1.0 + power)
    less, log_less = power * more, log_more - far
    if u >= 0.0:
        return more, less, log_more, log_less
    return less, more, log_less, log_more


@njit(**COMPILED)
def break_sticks(sticks, simplex):  # pragma: no cover
    """Write the simplex of stick logits (stick,); return the log Jacobian."""
    log_jacobian, left = 0.0, 1.0
    n = len(sticks)
    for m in range(n):
        v, rest, log_v, log_rest = split(sticks[m])
        simplex[m] = max(left * v, TINY)
        left *= rest
        log_jacobian += log_v + (n - m) * log_rest
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
                v, _, log_v, log_rest = split(point[at])
                theta[k, c] = min(max(v, TINY), 1.0 - 1e-16)
                log_jacobian += log_v + log_rest
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
