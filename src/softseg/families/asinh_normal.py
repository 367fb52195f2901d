"""Asinh-normal: log f(x) = −½ log(x² + w²) − ½ log 2π − log σ − (asinh(x/w) − μ)²/(2σ²).

For signed and skewed amounts such as contribution: linear within the width w around zero,
logarithmic in both directions beyond it. Parameters: ``location`` μ and ``spread`` σ of
asinh(x/w). The width is the median |x| of the nonzero training values, then frozen. Default
priors: μ Normal, σ² inverse-Gamma, independent. (Johnson's S_U distribution: Johnson 1949,
Biometrika 36.)
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
    rounded,
)
from softseg.priors import Prior

NAMES = ("location", "spread")
NO_CELLS = np.empty((0, 1))
STEEPEST = 0.25 * LARGEST_EXPONENT
"""Bound on the asinh scale, so that widths, squares and doubled arguments stay finite."""


class AsinhNormal(Family):
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
        centre, scale = normal.centre_and_scale(np.arcsinh(observed.values / width))
        return Coding(centre=centre, scale=scale, width=width)

    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """Wide on the asinh scale of the whole table."""
        return normal.default_priors(observed.coding, *NAMES)

    def encode(self, observed: Observed) -> Block:
        """T = (z, z²) of the standardised asinh(x/w)."""
        coding, measure = observed.coding, observed.measure()
        jacobian = np.log(np.hypot(observed.values, coding.width))
        log_base = -np.where(
            observed.present, jacobian + normal.LOG_ROOT_2PI + np.log(coding.scale), 0.0
        )
        z = (np.arcsinh(observed.values / coding.width) - coding.centre) / coding.scale
        return Block(normal.statistics(z, observed), measure, None, NO_CELLS, log_base)

    def natural(self, parameters: Parameters, coding: Coding, xp: Namespace) -> list[Any]:
        """η = (μ/σ², −1/(2σ²))."""
        return normal.natural(parameters["location"], parameters["spread"], coding)

    def log_partition(self, parameters: Parameters, coding: Coding, xp: Namespace) -> Any:
        """A = μ²/(2σ²) + log σ."""
        return normal.log_partition(parameters["location"], parameters["spread"], coding, xp)

    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Moments on the asinh scale, or their posterior mode."""
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
        """Width times sinh of normal draws."""
        location, spread = np.asarray(parameters["location"]), np.asarray(parameters["spread"])
        t = location[segment] + spread[segment] * rng.standard_normal(len(segment))
        return coding.width * np.sinh(np.clip(t, -STEEPEST, STEEPEST))

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
