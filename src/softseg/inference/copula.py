"""A proposal built at one posterior mode: `Proposal`.

Every coordinate has the marginal that its parameter has where the data are simple, matched to the
mode and the curvature there: for the logit of a probability or of a stick the law of the logit of a
Beta variable, for the logarithm of a rate, of a spread, and of a Gamma's mean that of a power of a
Gamma variable, a normal one for everything else. They are joined by a Gaussian copula with the
Laplace correlation, its latent scale a little wider than 1.

Each marginal is a map from a standard normal number to the coordinate. It is tabulated once, exact
in value and slope at equally spaced numbers and cubic in between, so that a draw costs a look-up.
The density is that of the tabulated map, so that importance weights are exact.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import betaincinv, betaln, gammainccinv, gammaincinv, gammaln, ndtr

from softseg.families.base import Array
from softseg.families.kinds import COMPILED, GAMMA, NORMAL, POISSON, TINY
from softseg.inference.curvature import Summit
from softseg.inference.space import Space
from softseg.models.plan import COLUMN, KIND, SIMPLEX, UNIT

WIDER = 1.05
"""Factor on the latent scale: a proposal must not have the lighter tails."""
FURTHEST, KNOTS = 7.0, 71
LOG_ROOT_2PI = 0.5 * np.log(2.0 * np.pi)
BETA = np.inf
HALF = 1.0 - 1e-16
LEAST_SHAPE = 0.05
"""Shapes of marginals are not let below it: a flat direction is no Beta or Gamma."""


@dataclass(frozen=True)
class Proposal:
    """A distribution of points around one mode.

    Attributes
    ----------
    values, slopes
        The marginal maps at the knots, (coordinate, knot).
    factor
        Lower Cholesky factor of the latent covariance, (coordinate, coordinate).
    log_mass
        Laplace's log posterior mass of the mode, up to the evidence.
    """

    values: Array
    slopes: Array
    factor: Array
    log_mass: float

    @classmethod
    def at(cls, space: Space, top: Summit) -> "Proposal":
        """Return the proposal of a mode."""
        variance = np.diag(top.covariance)
        correlation = top.covariance / np.sqrt(np.outer(variance, variance))
        np.fill_diagonal(correlation, 1.0)
        factor = WIDER * cholesky(correlation, lower=True)
        values, slopes = _maps(powers(space), top.point, variance)
        return cls(values, slopes, factor, top.log_mass)

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Return points (sample, coordinate) and their log density (sample,)."""
        white = rng.standard_normal((n, len(self.factor)))
        points, slope = self._mapped(white @ self.factor.T)
        return points, self._density(white, slope)

    def log_density(self, points: Array) -> Array:
        """Return the log density of any points, (sample,)."""
        z = self._latent(points)
        white = solve_triangular(self.factor, z.T, lower=True).T
        return self._density(white, self._mapped(z)[1])

    def _density(self, white: Array, slope: Array) -> Array:
        inner = -0.5 * np.sum(white**2, axis=1) - len(self.factor) * LOG_ROOT_2PI
        return inner - np.log(np.diag(self.factor)).sum() - np.log(slope).sum(axis=1)

    def _mapped(self, z: Array) -> tuple[Array, Array]:
        """Return coordinates and their derivatives at latent numbers, (sample, coordinate)."""
        return mapped_kernel(self.values, self.slopes, np.ascontiguousarray(z))

    def _latent(self, points: Array) -> Array:
        """Return the latent numbers of points, by Newton steps kept between knots."""
        width = 2.0 * FURTHEST / (KNOTS - 1)
        low, high = np.full(points.shape, -np.inf), np.full(points.shape, np.inf)
        z = np.empty(points.shape)
        for j, column in enumerate(points.T):
            knot = np.searchsorted(self.values[j], column)
            inside = (knot > 0) & (knot < KNOTS)
            below = width * (knot - 1) - FURTHEST
            low[inside, j], high[inside, j] = below[inside], below[inside] + width
            edge = np.where(knot == 0, 0, KNOTS - 1)
            beyond = (column - self.values[j, edge]) / self.slopes[j, edge]
            z[:, j] = np.where(
                inside, below + 0.5 * width, (2 * (knot > 0) - 1) * FURTHEST + beyond
            )
        for _ in range(60):
            value, slope = self._mapped(z)
            high = np.where(value >= points, z, high)
            low = np.where(value <= points, z, low)
            step = (points - value) / slope
            moved = z + step
            middle = 0.5 * (low + high)
            outside = np.isfinite(middle) & ((moved < low) | (moved > high))
            z = np.where(outside, middle, moved)
            if np.max(np.abs(step), initial=0.0) < 1e-13 * FURTHEST:
                break
        return z


@njit(**COMPILED)
def mapped_kernel(values, slopes, z):  # pragma: no cover
    """Coordinates and slopes of the tabulated maps at latent numbers, (sample, coordinate)."""
    n, size = z.shape
    value, slope = np.empty((n, size)), np.empty((n, size))
    width = 2.0 * FURTHEST / (KNOTS - 1)
    for i in range(n):
        for j in range(size):
            inner = min(max(z[i, j], -FURTHEST), FURTHEST)
            at = max(min(int((inner + FURTHEST) / width), KNOTS - 2), 0)
            t = (inner + FURTHEST) / width - at
            d0, d1 = width * slopes[j, at], width * slopes[j, at + 1]
            rise = values[j, at + 1] - values[j, at]
            a, b = d0 - rise, rise - d1
            bend = a * (1.0 - t) + b * t
            inside = values[j, at] + t * (rise + (1.0 - t) * bend)
            slope[i, j] = (rise + (1.0 - 2.0 * t) * bend + t * (1.0 - t) * (b - a)) / width
            value[i, j] = inside + (z[i, j] - inner) * slope[i, j]
    return value, slope


def powers(space: Space) -> Array:
    """Return what kind of marginal each coordinate has, (coordinate,).

    ∞ stands for a Beta variable; a number c for log θ = c log τ with a Gamma variable τ; NaN for a
    normal marginal.
    """
    plan = space.plan
    by_column = np.full(len(plan.support), np.nan)
    by_column[(plan.support == SIMPLEX) | (plan.support == UNIT)] = BETA
    for part in plan.parts:
        if part[KIND] == NORMAL:
            by_column[part[COLUMN] + 1] = -0.5
        elif part[KIND] == GAMMA:
            by_column[part[COLUMN]] = -1.0
        elif part[KIND] == POISSON:
            by_column[part[COLUMN]] = 1.0
    found = np.full(space.size, BETA)
    for row in space.coordinate:
        found[row[row >= 0]] = by_column[row >= 0]
    return found


def _maps(powers: Array, point: Array, variance: Array) -> tuple[Array, Array]:
    """Return value and slope of the marginal maps at the knots, (coordinate, knot)."""
    z = np.linspace(-FURTHEST, FURTHEST, KNOTS)
    values = point[:, None] + np.sqrt(variance)[:, None] * z
    slopes = np.broadcast_to(np.sqrt(variance)[:, None], values.shape).copy()
    log_phi = -0.5 * z**2 - LOG_ROOT_2PI
    beta = np.flatnonzero(powers == BETA)
    if len(beta):
        u = point[beta]
        v, rest = 1.0 / (1.0 + np.exp(-u)), 1.0 / (1.0 + np.exp(u))
        a, b = 1.0 / (variance[beta] * rest), 1.0 / (variance[beta] * v)
        fits = (np.minimum(a, b) > LEAST_SHAPE) & np.isfinite(a) & np.isfinite(b)
        _put_beta(values, slopes, beta[fits], a[fits], b[fits], z, log_phi)
    gamma = np.flatnonzero(np.isfinite(powers))
    if len(gamma):
        c = powers[gamma]
        a = c**2 / variance[gamma]
        fits = (a > LEAST_SHAPE) & np.isfinite(a)
        _put_gamma(values, slopes, gamma[fits], a[fits], c[fits], point, z, log_phi)
    return values, slopes


def _put_beta(
    values: Array,
    slopes: Array,
    rows: NDArray[np.intp],
    a: Array,
    b: Array,
    z: Array,
    log_phi: Array,
) -> None:
    """Write the maps to the logit of a Beta(a, b), each tail from its own side."""
    if len(rows) == 0:
        return
    a, b = a[:, None], b[:, None]
    left, right = z[z <= 0.0], z[z > 0.0]
    lower, upper = betaincinv(a, b, ndtr(left)), betaincinv(b, a, ndtr(-right))
    logs = [(np.log(np.maximum(p, TINY)), np.log1p(-np.minimum(p, HALF))) for p in (lower, upper)]
    log_v = np.concatenate([logs[0][0], logs[1][1]], axis=1)
    log_rest = np.concatenate([logs[0][1], logs[1][0]], axis=1)
    values[rows] = log_v - log_rest
    slopes[rows] = np.exp(log_phi + betaln(a, b) - a * log_v - b * log_rest)


def _put_gamma(
    values: Array,
    slopes: Array,
    rows: NDArray[np.intp],
    a: Array,
    c: Array,
    point: Array,
    z: Array,
    log_phi: Array,
) -> None:
    """Write the maps to c log τ with τ ~ Gamma(a), its mode on the log scale at the point."""
    if len(rows) == 0:
        return
    a, c = a[:, None], c[:, None]
    side = np.sign(c) * z
    tau = np.where(side <= 0.0, gammaincinv(a, ndtr(side)), gammainccinv(a, ndtr(-side)))
    log_tau = np.log(np.maximum(tau, TINY))
    values[rows] = point[rows][:, None] + c * (log_tau - np.log(a))
    slopes[rows] = np.abs(c) * np.exp(log_phi + gammaln(a) - a * log_tau + tau)
