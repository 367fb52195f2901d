"""Skewed, heavy- or light-tailed marginals for proposals: sinh-arcsinh normals.

z = δ · asinh((u − ξ)/η) − ε is standard normal (Jones and Pewsey 2009): ε gives the skewness, δ the
weight of the tails. Fitted to draws by maximum likelihood, coordinate by coordinate.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from softseg.families.base import Array

MOST_FITTED = 1000
"""Draws that a marginal is fitted to, evenly spaced."""


@dataclass(frozen=True)
class SkewNormals:
    """One sinh-arcsinh normal for each coordinate; all arrays (coordinate,)."""

    place: Array
    scale: Array
    skew: Array
    tail: Array

    @classmethod
    def of(cls, points: Array) -> "SkewNormals":
        """Return the marginals that fit points (sample, coordinate) best."""
        step = max(1, len(points) // MOST_FITTED)
        fitted = np.array([_fit(column) for column in points[::step].T])
        return cls(*fitted.T)

    def scores(self, points: Array) -> tuple[Array, Array]:
        """Return normal scores (sample, coordinate) and their log slopes, summed, (sample,)."""
        x = (points - self.place) / self.scale
        slope = np.log(self.tail) - np.log(self.scale) - 0.5 * np.log1p(np.square(x))
        return self.tail * np.arcsinh(x) - self.skew, slope.sum(axis=1)

    def points(self, scores: Array) -> Array:
        """Return the points that have these scores."""
        return self.place + self.scale * np.sinh((scores + self.skew) / self.tail)


def _fit(column: Array) -> Array:
    """Return place, scale, skew and tail for one coordinate's draws."""
    centre, spread = float(np.mean(column)), float(np.std(column))
    if spread == 0.0:
        return np.array([centre, 1e-9, 0.0, 1.0])
    x = (column - centre) / spread

    def loss(parameters: Array) -> tuple[float, Array]:
        place, log_scale, skew, log_tail = parameters
        scale, tail = np.exp(log_scale), np.exp(log_tail)
        y = (x - place) / scale
        root = np.sqrt(1.0 + y * y)
        angle = np.arcsinh(y)
        z = tail * angle - skew
        value = 0.5 * z @ z - len(x) * (log_tail - log_scale) + np.log(root).sum()
        by_y = z * tail / root + y / (root * root)
        gradient = np.array(
            [-by_y.sum() / scale, -(by_y @ y) + len(x), -z.sum(), tail * (z @ angle) - len(x)]
        )
        return value / len(x), gradient / len(x)

    start = np.array([0.0, np.log(2.0), 0.0, np.log(2.0)])
    bounds = [(-5.0, 5.0), (-2.0, 3.0), (-5.0, 5.0), (-1.2, 3.0)]
    place, log_scale, skew, log_tail = minimize(
        loss, start, jac=True, bounds=bounds, method="L-BFGS-B"
    ).x
    return np.array([centre + spread * place, spread * np.exp(log_scale), skew, np.exp(log_tail)])
