"""Log-normal: log f(x) = −log x − ½ log 2π − log σ − (log x − μ)²/(2σ²).

For positive, right-skewed amounts such as order values. Parameters: ``log_mean`` μ and ``log_sd``
σ of the natural logarithm. Default priors: μ Normal, σ² inverse-Gamma, independent.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg.families import normal
from softseg.families.base import (
    LARGEST_EXPONENT,
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

NAMES = ("log_mean", "log_sd")
NO_CELLS = np.empty((0, 1))


class LogNormal(Family):
    """Normal distribution of the logarithm."""

    name = "lognormal"
    parameters = (
        Parameter("log_mean", "real", updates=("Normal",)),
        Parameter("log_sd", "positive", updates=("SqrtInverseGamma",)),
    )
    domain = "domain.positive"

    def legal(self, values: Array) -> NDArray[np.bool_]:
        """Positive numbers."""
        return np.isfinite(values) & (values > 0)

    def coding(self, observed: Observed) -> Coding:
        """Centre and scale are mean and sd of the logarithms of the training rows."""
        centre, scale = normal.centre_and_scale(np.log(observed.values))
        return Coding(centre=centre, scale=scale)

    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """Wide on the log scale of the whole table."""
        return normal.default_priors(observed.coding, *NAMES)

    def encode(self, observed: Observed) -> Block:
        """T = (z, z²) of the standardised logarithms."""
        coding, measure = observed.coding, observed.measure()
        logs = np.log(observed.values)
        log_base = -np.where(
            observed.present, logs + normal.LOG_ROOT_2PI + np.log(coding.scale), 0.0
        )
        z = (logs - coding.centre) / coding.scale
        return Block(normal.statistics(z, observed), measure, None, NO_CELLS, log_base)

    def natural(self, parameters: Parameters, coding: Coding, xp: Namespace) -> list[Any]:
        """η = (μ/σ², −1/(2σ²))."""
        return normal.natural(parameters["log_mean"], parameters["log_sd"], coding)

    def log_partition(self, parameters: Parameters, coding: Coding, xp: Namespace) -> Any:
        """A = μ²/(2σ²) + log σ."""
        return normal.log_partition(parameters["log_mean"], parameters["log_sd"], coding, xp)

    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Moments of the logarithms, or their posterior mode."""
        return normal.maximise(sums, parameters, priors, coding, NAMES)

    def update(
        self,
        rng: np.random.Generator,
        sums: Sums,
        parameters: Parameters,
        priors: Priors,
        coding: Coding,
    ) -> dict[str, Array]:
        """Location given spread, then spread given location."""
        return normal.update(rng, sums, parameters, priors, coding, NAMES)

    def draw(
        self,
        rng: np.random.Generator,
        parameters: Parameters,
        segment: NDArray[np.intp],
        exposure: Array | None,
        coding: Coding,
    ) -> Array:
        """Exponentials of normal draws."""
        mean, sd = np.asarray(parameters["log_mean"]), np.asarray(parameters["log_sd"])
        logs = mean[segment] + sd[segment] * rng.standard_normal(len(segment))
        return np.exp(np.clip(logs, -LARGEST_EXPONENT, LARGEST_EXPONENT))

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Median and mean, compared as ratios; sd of the logarithm."""
        mean, sd = np.asarray(parameters["log_mean"]), np.asarray(parameters["log_sd"])
        return [
            Measure("median", np.exp(np.minimum(mean, LARGEST_EXPONENT)), "ratio"),
            Measure("mean", np.exp(np.minimum(mean + 0.5 * sd**2, LARGEST_EXPONENT)), "ratio"),
            Measure("log_sd", sd, "none"),
        ]


FAMILY = LogNormal()
