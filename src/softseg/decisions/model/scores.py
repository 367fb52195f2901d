"""Quasi-random points, and the normal scores that a copula makes of them.

The points are Sobol points with a random linear matrix scramble and a digital shift (Matoušek
1998, Journal of Complexity 14, 527–556): each replicate is an equally spread lattice of its own,
so that the spread over replicates measures the Monte Carlo error. All n = 2^k first points are
used; leaving the first one out would spoil their balance (Owen 2020, arXiv:2008.08051).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.special import gammaincinv, gammaln, ndtri, stdtr
from scipy.stats import qmc

from softseg.decisions.inputs.scores import gamma_from_score
from softseg.families.base import Array

BITS: Final = 30
"""Binary digits of a coordinate. Fixed, so that fewer points are the first ones of more."""

HALF_STEP: Final = 2.0 ** -(BITS + 1)
"""Puts the points into the middle of their cells: no coordinate is 0 or 1."""

LARGEST_SCORE: Final = 9.0
KNOTS: Final = 4096


def scrambled(n_coordinates: int, seed: np.random.SeedSequence) -> qmc.Sobol:
    """Return a scrambling of the Sobol points that no other seed shares."""
    return qmc.Sobol(n_coordinates, scramble=True, bits=BITS, rng=np.random.default_rng(seed))


def points(engine: qmc.Sobol, n_draws: int) -> Array:
    """Return the first points of a scrambling, (coordinate, draw), all between 0 and 1."""
    found = np.ascontiguousarray(engine.random(n_draws).T)
    found += HALF_STEP
    return found


@dataclass(frozen=True)
class Copula:
    """What turns independent normal scores into dependent ones.

    Attributes
    ----------
    rows
        Rows of the dependent inputs among all scores.
    factor
        Lower triangular Cholesky factor of their correlation matrix.
    degrees
        Degrees of freedom of a t copula, None for the Gaussian one.
    """

    rows: tuple[int, ...]
    factor: Array
    degrees: float | None = None

    def couple(self, scores: Array, chance: Array) -> None:
        """Make independent normal scores dependent, in place.

        The scores of a t copula are t = z √(ν / W) with one W ~ χ²(ν) for all inputs, brought back
        to normal ones by Φ⁻¹(T_ν(t)) (Demarta and McNeil 2005). Sums run in a fixed order in plain
        loops over inputs, since a matrix product may round differently with more threads.

        Parameters
        ----------
        scores
            Independent normal scores, (input, draw).
        chance
            Coordinate of the χ² variable, (draw,); the Gaussian copula does not use it.
        """
        part = np.empty(scores.shape[1])
        for i in range(len(self.rows) - 1, -1, -1):  # from below: what stands above is still free
            row = scores[self.rows[i]]
            row *= self.factor[i, i]
            for j in np.flatnonzero(self.factor[i, :i]):
                row += np.multiply(scores[self.rows[j]], self.factor[i, j], out=part)
        if self.degrees is not None:
            # χ²(ν) is twice a gamma variable of shape ν / 2
            half = 0.5 * self.degrees
            spread = np.sqrt(half / gamma_from_score(half, ndtri(chance)))
            for row in self.rows:
                scores[row] = self.normal(scores[row] * spread)

    def normal(self, t: Array) -> Array:
        """Return Φ⁻¹(T_ν(t)), exact to 1e-9, by cubic pieces over arcsinh |t|."""
        step, pieces = self._pieces
        at = np.arcsinh(np.abs(t))
        which = np.minimum((at / step).astype(np.intp), pieces.shape[1] - 1)
        at -= which * step
        cubic, square, slope, level = pieces
        found = ((cubic[which] * at + square[which]) * at + slope[which]) * at + level[which]
        return np.copysign(found, t)

    @cached_property
    def _pieces(self) -> tuple[float, Array]:
        """Return the distance of the knots and the coefficients, (power, piece)."""
        degrees = float(self.degrees or 0.0)
        smallest = 2.0 * float(gammaincinv(0.5 * degrees, HALF_STEP))
        last = float(np.arcsinh(LARGEST_SCORE * np.sqrt(degrees / smallest)))
        knots = np.linspace(0.0, last, KNOTS)
        t = np.sinh(knots)
        score = -ndtri(stdtr(degrees, -t))
        # d score / d t is the ratio of the two densities, formed as logarithms
        density = _log_t_density(t, degrees) + 0.5 * (score**2 + np.log(2.0 * np.pi))
        spline = CubicHermiteSpline(knots, score, np.exp(density) * np.cosh(knots))
        return float(knots[1]), spline.c


def _log_t_density(t: Array, degrees: float) -> Array:
    constant = gammaln(0.5 * (degrees + 1.0)) - gammaln(0.5 * degrees)
    power = -0.5 * (degrees + 1.0) * np.log1p(t**2 / degrees)
    return constant - 0.5 * np.log(degrees * np.pi) + power
