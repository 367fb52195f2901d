"""Functions of independent inputs whose Sobol indices are known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from scipy.special import ndtri

from softseg.families.base import Array

A: Final = 7.0
B: Final = 0.1
ANNUITY: Final = 4.1
Z_90: Final = 1.6448536269514722
RANGES: Final = {
    # 90 % ranges and what one unit adds to the net present value, in thousand EUR
    "volume": (0.5, 2.0, 0.35 * 500 * ANNUITY),
    "price": (0.1, 0.6, 500 * ANNUITY),
    "margin": (0.05, 0.3, 500 * ANNUITY),
    "service_saving": (50.0, 150.0, ANNUITY),
    "cross_selling": (0.2, 1.0, 0.35 * 100 * ANNUITY),
    "project": (200.0, 500.0, -1.0),
    "training": (40.0, 90.0, -1.0),
    "licence": (30.0, 60.0, -ANNUITY),
    "data_team": (80.0, 200.0, -ANNUITY),
    "support": (10.0, 40.0, -ANNUITY),
}


@dataclass(frozen=True)
class Known:
    """A function with its indices; `law` and `bounds` of the inputs as SALib has them."""

    function: Callable[[Mapping[str, Array]], Array]
    law: str
    bounds: dict[str, tuple[float, float]]
    first: Array
    total: Array

    @property
    def quantiles(self) -> dict[str, Callable[[Array], Array]]:
        """Return the inverse distribution function of each input."""
        of_law = _uniform if self.law == "unif" else _lognormal
        return {name: partial(of_law, *pair) for name, pair in self.bounds.items()}


def ishigami() -> Known:
    """Return the function of Ishigami and Homma (1990) with a = 7, b = 0.1."""

    def function(x: Mapping[str, Array]) -> Array:
        return np.sin(x["x1"]) * (1.0 + B * x["x3"] ** 4) + A * np.sin(x["x2"]) ** 2

    one = 0.5 * (1.0 + B * np.pi**4 / 5.0) ** 2
    two = A**2 / 8.0
    both = B**2 * np.pi**8 * 8.0 / 225.0
    parts = np.array([one, two, 0.0]), np.array([one + both, two, both])
    bounds = {f"x{i}": (-np.pi, np.pi) for i in (1, 2, 3)}
    first, total = (part / (one + two + both) for part in parts)
    return Known(function, "unif", bounds, first, total)


def linear_roi() -> Known:
    """Return a net present value that is linear in ten lognormal inputs, given by 90 % ranges."""
    bounds, variances = {}, []
    for name, (low, high, weight) in RANGES.items():
        mu, sigma = 0.5 * np.log(low * high), 0.5 * np.log(high / low) / Z_90
        bounds[name] = float(mu), float(sigma)
        variances.append(weight**2 * np.expm1(sigma**2) * np.exp(2.0 * mu + sigma**2))

    def function(x: Mapping[str, Array]) -> Array:
        total = np.zeros_like(x["volume"])
        for name, (_, _, weight) in RANGES.items():
            total += weight * x[name]
        return total

    share = np.array(variances) / np.sum(variances)
    return Known(function, "lognorm", bounds, share, share)


def _uniform(low: float, high: float, u: Array) -> Array:
    return low + (high - low) * u


def _lognormal(mu: float, sigma: float, u: Array) -> Array:
    return np.exp(mu + sigma * ndtri(u))
