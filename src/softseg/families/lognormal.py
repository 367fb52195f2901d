"""Log-normal: log f(x) = −log x − ½ log 2π − log σ − (log x − μ)²/(2σ²).

For positive, right-skewed amounts such as order values. Parameters: ``log_mean`` μ and ``log_sd``
σ of the natural logarithm. Default priors: μ Normal, σ² inverse-Gamma, independent.
"""

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import (
    LARGEST_EXPONENT,
    Array,
    Coding,
    Measure,
    Parameter,
    Parameters,
)
from softseg.families.normal import NormalOnScale


class LogNormal(NormalOnScale):
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

    def transform(self, x: Array, coding: Coding) -> Array:
        """Logarithm."""
        return np.log(x)

    def inverse(self, t: Array, coding: Coding) -> Array:
        """Exponential."""
        return np.exp(np.clip(t, -LARGEST_EXPONENT, LARGEST_EXPONENT))

    def log_slope(self, x: Array, coding: Coding) -> Array:
        """−log x."""
        return -np.log(x)

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Median and mean, compared as ratios; sd of the logarithm."""
        mean, sd = np.asarray(parameters["log_mean"]), np.asarray(parameters["log_sd"])
        return [
            Measure("median", np.exp(np.minimum(mean, LARGEST_EXPONENT)), "ratio"),
            Measure("mean", np.exp(np.minimum(mean + 0.5 * sd**2, LARGEST_EXPONENT)), "ratio"),
            Measure("log_sd", sd, "none"),
        ]


FAMILY = LogNormal()
