"""Priors of a chain: `RowPrior` for rows of transitions, `LogitPrior` for logit coefficients."""

from dataclasses import dataclass

import numpy as np

from softseg.families.base import Array
from softseg.models.plan import CODES
from softseg.priors import DISTRIBUTIONS, FIXED


@dataclass(frozen=True, eq=False)
class RowPrior:
    """Dirichlet rows, or fixed ones.

    Attributes
    ----------
    alpha
        Concentrations, (segment, state).
    fixed
        Fixed rows, NaN where estimated, (segment, state).
    """

    alpha: Array
    fixed: Array

    def codes(self) -> tuple[Array, Array, Array]:
        """Return name codes and the two numbers of each column's prior, (segment, column)."""
        held = ~np.isnan(self.fixed)
        return (
            np.where(held, float(CODES[FIXED]), float(CODES["Dirichlet"])),
            self.alpha,
            np.zeros_like(self.alpha),
        )

    def log_density(self, values: Array) -> Array:
        """Return the log density of each segment's row, 0 where it is fixed; (segment,)."""
        density = DISTRIBUTIONS["Dirichlet"].log_density(values, alpha=self.alpha)
        return np.where(np.isnan(self.fixed[:, 0]), density, 0.0)

    def draw(self, rng: np.random.Generator) -> Array:
        """Return one draw, (segment, state)."""
        drawn = DISTRIBUTIONS["Dirichlet"].draw(rng, self.alpha.shape, alpha=self.alpha)
        return np.where(np.isnan(self.fixed), drawn, self.fixed)

    def bounded(self) -> "RowPrior":
        """Return the prior with concentrations of at least 1; itself if all are."""
        if np.all(self.alpha >= 1.0):
            return self
        return RowPrior(np.maximum(self.alpha, 1.0), self.fixed)


@dataclass(frozen=True, eq=False)
class LogitPrior:
    """Normal coefficients of multinomial logits, 0 for the reference.

    Attributes
    ----------
    mean, sd
        Shape (segment, column).
    fixed
        NaN where estimated, (segment, column).
    """

    mean: Array
    sd: float
    fixed: Array

    def codes(self) -> tuple[Array, Array, Array]:
        """Return name codes and the two numbers of each column's prior, (segment, column)."""
        held = ~np.isnan(self.fixed)
        codes = np.where(held, float(CODES[FIXED]), float(CODES["Normal"]))
        return codes, self.mean, np.full_like(self.mean, self.sd)

    def log_density(self, values: Array) -> Array:
        """Return the log density of each segment's coefficients, (segment,)."""
        density = DISTRIBUTIONS["Normal"].log_density(values, mu=self.mean, sigma=self.sd)
        return np.where(np.isnan(self.fixed), density, 0.0).sum(axis=1)

    def draw(self, rng: np.random.Generator) -> Array:
        """Return one draw, (segment, column)."""
        return np.where(np.isnan(self.fixed), rng.normal(self.mean, self.sd), self.fixed)

    def bounded(self) -> "LogitPrior":
        """Return the prior itself: a normal density has a maximum."""
        return self
