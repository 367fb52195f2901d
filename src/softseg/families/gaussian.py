"""Gaussian: log f(x) = −½ log 2π − log σ − (x − μ)²/(2σ²).

For signed, roughly symmetric amounts. Parameters: ``mean`` μ and ``sd`` σ in the unit of the
data. Default priors: μ Normal, σ² inverse-Gamma, independent.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg.families import normal
from softseg.families.base import (
    Array,
    Block,
    Coding,
    Family,
    Measure,
    Namespace,
    Observed,
    Parameter,
    Parameters,
    Priors,
    Sums,
)
from softseg.priors import Prior

NAMES = ("mean", "sd")
NO_CELLS = np.empty((0, 1))


class Gaussian(Family):
    """Normal distribution of the values themselves."""

    name = "gaussian"
    parameters = (
        Parameter("mean", "real", updates=("Normal",)),
        Parameter("sd", "positive", updates=("SqrtInverseGamma",)),
    )
    domain = "domain.number"

    def legal(self, values: Array) -> NDArray[np.bool_]:
        """Every finite number."""
        return np.isfinite(values)

    def coding(self, observed: Observed) -> Coding:
        """Centre and scale are mean and sd of the training rows."""
        centre, scale = normal.centre_and_scale(observed.values)
        return Coding(centre=centre, scale=scale)

    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """Wide on the scale of the whole table."""
        return normal.default_priors(observed.coding, *NAMES)

    def encode(self, observed: Observed) -> Block:
        """T = (z, z²) of the standardised values."""
        coding, measure = observed.coding, observed.measure()
        z = (observed.values - coding.centre) / coding.scale
        log_base = -measure * (normal.LOG_ROOT_2PI + np.log(coding.scale))
        return Block(normal.statistics(z, observed), measure, None, NO_CELLS, log_base)

    def natural(self, parameters: Parameters, coding: Coding, xp: Namespace) -> list[Any]:
        """η = (μ/σ², −1/(2σ²))."""
        return normal.natural(parameters["mean"], parameters["sd"], coding)

    def log_partition(self, parameters: Parameters, coding: Coding, xp: Namespace) -> Any:
        """A = μ²/(2σ²) + log σ."""
        return normal.log_partition(parameters["mean"], parameters["sd"], coding, xp)

    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Moments, or their posterior mode."""
        return normal.maximise(sums, parameters, priors, coding, NAMES)

    def update(
        self,
        rng: np.random.Generator,
        sums: Sums,
        parameters: Parameters,
        priors: Priors,
        coding: Coding,
    ) -> dict[str, Array]:
        """Mean given sd, then sd given mean."""
        return normal.update(rng, sums, parameters, priors, coding, NAMES)

    def draw(
        self,
        rng: np.random.Generator,
        parameters: Parameters,
        segment: NDArray[np.intp],
        exposure: Array | None,
        coding: Coding,
    ) -> Array:
        """Normal draws."""
        mean, sd = np.asarray(parameters["mean"]), np.asarray(parameters["sd"])
        return mean[segment] + sd[segment] * rng.standard_normal(len(segment))

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Mean, compared with the base in sd of the base; sd."""
        return [
            Measure("mean", np.asarray(parameters["mean"]), "difference"),
            Measure("sd", np.asarray(parameters["sd"]), "none"),
        ]


FAMILY = Gaussian()
