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
from softseg.families.kinds import COMPILED
from softseg.inference.coordinates import (
    NORMAL_PRIOR,
    back,
    place,
    place_kernel,
    point_kernel,
    prior_kernel,
)
from softseg.likelihood.kernel import expected_kernel, likelihood_kernel
from softseg.likelihood.statistics import Statistics
from softseg.models.edges import inside
from softseg.models.mixture import Mixture, Values
from softseg.models.plan import (
    HELD,
    POSITIVE,
    REAL,
    SIMPLEX,
    Integers,
    Plan,
    plan_of,
    slopes_of,
    theta_of,
    values_of,
    weights_of,
)

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
        return cls(mixture, statistics, plan, *coordinates_of(plan))

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
        """Return the parameters moved off the edges, which points do not have."""
        return inside(self.mixture, values, self.statistics.n_customers)

    def log_posterior(self, point: Array) -> tuple[float, Array]:
        """Return the log density of a point and its gradient (coordinate,)."""
        s, gradient = self.statistics, np.empty(self.size)
        density = posterior_kernel(
            np.ascontiguousarray(point, dtype=float), gradient, self.plan, self.coordinate,
            s.dense, s.joined, s.count,
        )  # fmt: skip
        return float(density) + self.constant, gradient

    def hessian(self, point: Array, cores: int = 1) -> Array | None:
        """Return the Hessian where the space has a way of its own to it."""
        return None

    def log_densities(self, points: Array, cores: int = 1) -> tuple[Array, Array]:
        """Return log posterior density and log-likelihood of points (sample, coordinate).

        Both have the shape (sample,); points are shared out to threads, which changes no digit.
        """
        s = self.statistics
        points = np.ascontiguousarray(points, dtype=float)
        parts = [points[i : i + AT_ONCE] for i in range(0, len(points), AT_ONCE)]
        with ThreadPoolExecutor(max_workers=max(cores, 1)) as pool:
            found = list(pool.map(self._densities, parts))
        density = np.concatenate([one for one, _ in found])
        likelihood = np.concatenate([one for _, one in found])
        return density + self.constant, likelihood + float(s.count @ s.log_base)

    def _densities(self, points: Array) -> tuple[Array, Array]:
        s = self.statistics
        return densities_kernel(points, self.plan, self.coordinate, s.dense, s.joined, s.count)


def coordinates_of(plan: Plan) -> tuple[Integers, int]:
    """Return which coordinate each column of each segment has, and how many there are.

    The shares have the first ones.
    """
    coordinate = np.full(plan.fixed.shape, -1, dtype=np.int64)
    at = len(plan.share_alpha) - 1 if np.isnan(plan.share_fixed[0]) else 0
    for k, c in np.ndindex(coordinate.shape):
        last_level = plan.support[c] == SIMPLEX and _ends(plan, c)
        if plan.prior[k, c] != HELD and not last_level:
            coordinate[k, c] = at
            at += 1
    return coordinate, at


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
        elif support == POSITIVE:
            rows = zip(plan.prior[:, c], plan.prior_a[:, c], plan.prior_b[:, c], strict=True)
            theta[:, c] = [_amid(*row) for row in rows]
        else:
            theta[:, c] = 0.5
    return theta


def _amid(code: int, a: float, b: float) -> float:
    """Return a positive number on the scale of a prior: far off it the constant has no digits."""
    match code:
        case 1:
            return a / b
        case 2:
            return b / a
        case 3:
            return float(np.exp(a))
        case 4:
            return a
        case 5:
            return 1.0 / a
        case 6:
            return float(np.sqrt(b / a))
        case _:
            return 1.0


@njit(**COMPILED)
def posterior_kernel(point, gradient, plan, coordinate, dense, joined, count):  # pragma: no cover
    """Write the gradient of a point and return its log density, up to `Space.constant`."""
    n_segments = len(plan.share_alpha)
    share, theta = np.empty(n_segments), np.empty(plan.fixed.shape)
    log_jacobian = place(plan, coordinate, point, share, theta)
    start = np.empty(n_segments)
    weights = np.empty((n_segments, dense.shape[0]))
    table = np.empty((n_segments, plan.cells.shape[0]))
    weights_of(plan, share, theta, start, weights, table)
    log_lik, by_dense, by_table, sizes = expected_kernel(
        dense, joined, count, start, weights, table
    )
    slopes = np.zeros(theta.shape)
    slopes_of(plan, theta, sizes, by_dense, by_table, slopes)
    density = log_lik + prior_kernel(plan, share, theta) + log_jacobian
    back(plan, coordinate, share, theta, sizes, slopes, gradient)
    return density


@njit(**COMPILED)
def densities_kernel(points, plan, coordinate, dense, joined, count):  # pragma: no cover
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
        likelihood[i] = likelihood_kernel(dense, joined, count, start, weights, table)
        density[i] = likelihood[i] + prior_kernel(plan, share, theta) + log_jacobian
    return density, likelihood
