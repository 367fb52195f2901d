"""Asinh-normal: log f(x) = −½ log(x² + w²) − ½ log 2π − log σ − (asinh(x/w) − μ)²/(2σ²).

For signed and skewed amounts such as contribution: linear within the width w around zero,
logarithmic in both directions beyond it. Parameters: ``location`` μ and ``spread`` σ of
asinh(x/w). The width is the median |x| of the nonzero training values, then frozen. Default
priors: μ Normal, σ² inverse-Gamma, independent. (Johnson's S_U distribution: Johnson 1949,
Biometrika 36.)
"""

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import (
    LARGEST_EXPONENT,
    Array,
    Coding,
    Measure,
    Observed,
    Parameter,
    Parameters,
    rounded,
)
from softseg.families.normal import NormalOnScale, centre_and_scale

STEEPEST = 0.25 * LARGEST_EXPONENT
"""Bound on the asinh scale, so that widths, squares and doubled arguments stay finite."""


class AsinhNormal(NormalOnScale):
    """Normal distribution of asinh(x/width)."""

    name = "asinh_normal"
    parameters = (
        Parameter("location", "real", updates=("Normal",)),
        Parameter("spread", "positive", updates=("SqrtInverseGamma",)),
    )
    domain = "domain.number"

    def legal(self, values: Array) -> NDArray[np.bool_]:
        """Every finite number."""
        return np.isfinite(values)

    def coding(self, observed: Observed) -> Coding:
        """Width from the size of the nonzero values; centre and scale on the asinh scale."""
        width = _width(observed.values)
        centre, scale = centre_and_scale(np.arcsinh(observed.values / width))
        return Coding(centre=centre, scale=scale, width=width)

    def transform(self, x: Array, coding: Coding) -> Array:
        """asinh(x/w)."""
        return np.arcsinh(x / coding.width)

    def inverse(self, t: Array, coding: Coding) -> Array:
        """Width times sinh t."""
        return coding.width * np.sinh(np.clip(t, -STEEPEST, STEEPEST))

    def log_slope(self, x: Array, coding: Coding) -> Array:
        """−½ log(x² + w²)."""
        return -np.log(np.hypot(x, coding.width))

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Median and mean, compared as differences; sd; all in the unit of the data."""
        location, spread = np.asarray(parameters["location"]), np.asarray(parameters["spread"])
        location = np.clip(location, -STEEPEST, STEEPEST)
        variance = np.minimum(spread**2, STEEPEST)
        sinh, growth = np.sinh(location), np.exp(variance)
        spread_in_data = 0.5 * np.expm1(variance) * (growth * np.cosh(2.0 * location) + 1.0)
        return [
            Measure("median", coding.width * sinh, "difference"),
            Measure("mean", coding.width * np.sqrt(growth) * sinh, "difference"),
            Measure("sd", coding.width * np.sqrt(spread_in_data), "none"),
        ]


def _width(values: Array) -> float:
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    return rounded(np.median(size)) if len(size) else 1.0


FAMILY = AsinhNormal()
