"""Gaussian: log f(x) = −½ log 2π − log σ − (x − μ)²/(2σ²).

For signed, roughly symmetric amounts. Parameters: ``mean`` μ and ``sd`` σ in the unit of the
data. Default priors: μ Normal, σ² inverse-Gamma, independent.
"""

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array, Coding, Measure, Parameter, Parameters
from softseg.families.normal import NormalOnScale


class Gaussian(NormalOnScale):
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

    def transform(self, x: Array, coding: Coding) -> Array:
        """The value itself."""
        return x

    def inverse(self, t: Array, coding: Coding) -> Array:
        """The place itself."""
        return t

    def log_slope(self, x: Array, coding: Coding) -> Array:
        """Zero."""
        return np.zeros_like(x)

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Mean, compared with the base in sd of the base; sd."""
        return [
            Measure("mean", np.asarray(parameters["mean"]), "difference"),
            Measure("sd", np.asarray(parameters["sd"]), "none"),
        ]


FAMILY = Gaussian()
