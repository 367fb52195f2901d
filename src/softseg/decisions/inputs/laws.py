"""The distributions an input can have: quantiles, probabilities, normal scores, mean and sd.

All are plain formulas on SciPy's special functions. `from_score(z)` is the quantile at Φ(z); it
keeps both tails, which the quantile at a probability close to 1 cannot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np
from scipy.special import betainc, betaincinv, gammainc, gammaincinv, ndtr, ndtri

from softseg.decisions.inputs.scores import beta_from_score, gamma_from_score
from softseg.families.base import Array


class Law(Protocol):
    """What every distribution can tell; arrays in, arrays of the same shape out."""

    def quantile(self, p: Array) -> Array:
        """Return the values below which the truth lies with probability p."""
        ...

    def cdf(self, x: Array) -> Array:
        """Return the probabilities of values up to x."""
        ...

    def from_score(self, z: Array) -> Array:
        """Return the quantiles at Φ(z)."""
        ...

    def mean(self) -> float:
        """Return the mean."""
        ...

    def sd(self) -> float:
        """Return the standard deviation."""
        ...


@dataclass(frozen=True)
class Point:
    """One value, without spread."""

    value: float

    def quantile(self, p: Array) -> Array:
        """Return the value."""
        return np.full(np.shape(p), self.value)

    def cdf(self, x: Array) -> Array:
        """Return 0 below the value and 1 from it on."""
        return np.where(np.asarray(x) >= self.value, 1.0, 0.0)

    def from_score(self, z: Array) -> Array:
        """Return the value."""
        return self.quantile(z)

    def mean(self) -> float:
        """Return the value."""
        return self.value

    def sd(self) -> float:
        """Return 0."""
        return 0.0


@dataclass(frozen=True)
class Normal:
    """Mean and standard deviation."""

    mu: float
    sigma: float

    def quantile(self, p: Array) -> Array:
        """Return μ + σ Φ⁻¹(p)."""
        return self.mu + self.sigma * ndtri(p)

    def cdf(self, x: Array) -> Array:
        """Return Φ((x − μ) / σ)."""
        return ndtr((x - self.mu) / self.sigma)

    def from_score(self, z: Array) -> Array:
        """Return μ + σ z."""
        return self.mu + self.sigma * z

    def mean(self) -> float:
        """Return μ."""
        return self.mu

    def sd(self) -> float:
        """Return σ."""
        return self.sigma


@dataclass(frozen=True)
class Lognormal:
    """Mean and standard deviation of the logarithm."""

    mu: float
    sigma: float

    def quantile(self, p: Array) -> Array:
        """Return exp(μ + σ Φ⁻¹(p))."""
        return np.exp(self.mu + self.sigma * ndtri(p))

    def cdf(self, x: Array) -> Array:
        """Return Φ((log x − μ) / σ), 0 for x ≤ 0."""
        positive = np.where(np.asarray(x) > 0.0, x, 1.0)
        return np.where(np.asarray(x) > 0.0, ndtr((np.log(positive) - self.mu) / self.sigma), 0.0)

    def from_score(self, z: Array) -> Array:
        """Return exp(μ + σ z)."""
        return np.exp(self.mu + self.sigma * z)

    def mean(self) -> float:
        """Return exp(μ + σ² / 2)."""
        return float(np.exp(self.mu + 0.5 * self.sigma**2))

    def sd(self) -> float:
        """Return mean · √(exp(σ²) − 1)."""
        return self.mean() * float(np.sqrt(np.expm1(self.sigma**2)))


@dataclass(frozen=True)
class Uniform:
    """The limits."""

    low: float
    high: float

    def quantile(self, p: Array) -> Array:
        """Return low + p (high − low)."""
        return self.low + np.asarray(p) * (self.high - self.low)

    def cdf(self, x: Array) -> Array:
        """Return (x − low) / (high − low) within the limits."""
        return np.clip((np.asarray(x) - self.low) / (self.high - self.low), 0.0, 1.0)

    def from_score(self, z: Array) -> Array:
        """Return low + Φ(z) (high − low)."""
        return self.quantile(ndtr(z))

    def mean(self) -> float:
        """Return the middle."""
        return 0.5 * (self.low + self.high)

    def sd(self) -> float:
        """Return (high − low) / √12."""
        return (self.high - self.low) / float(np.sqrt(12.0))


@dataclass(frozen=True)
class Gamma:
    """Shape and scale."""

    shape: float
    scale: float

    def quantile(self, p: Array) -> Array:
        """Return the inverse of the regularised incomplete Gamma function, scaled."""
        return self.scale * gammaincinv(self.shape, p)

    def cdf(self, x: Array) -> Array:
        """Return the regularised incomplete Gamma function."""
        return gammainc(self.shape, np.maximum(x, 0.0) / self.scale)

    def from_score(self, z: Array) -> Array:
        """Return the quantile at Φ(z) from a table."""
        return self.scale * gamma_from_score(self.shape, z)

    def mean(self) -> float:
        """Return shape · scale."""
        return self.shape * self.scale

    def sd(self) -> float:
        """Return √shape · scale."""
        return float(np.sqrt(self.shape)) * self.scale


@dataclass(frozen=True)
class Beta:
    """α and β between two limits, 0 and 1 unless given."""

    alpha: float
    beta: float
    low: float = 0.0
    width: float = 1.0

    def quantile(self, p: Array) -> Array:
        """Return the inverse of the regularised incomplete Beta function, scaled."""
        return self.low + self.width * betaincinv(self.alpha, self.beta, p)

    def cdf(self, x: Array) -> Array:
        """Return the regularised incomplete Beta function."""
        place = np.clip((np.asarray(x) - self.low) / self.width, 0.0, 1.0)
        return betainc(self.alpha, self.beta, place)

    def from_score(self, z: Array) -> Array:
        """Return the quantile at Φ(z) from a table."""
        return self.low + self.width * beta_from_score(self.alpha, self.beta, z)

    def mean(self) -> float:
        """Return α / (α + β), scaled."""
        return self.low + self.width * self.alpha / (self.alpha + self.beta)

    def sd(self) -> float:
        """Return √(α β / (α + β + 1)) / (α + β), scaled."""
        both = self.alpha + self.beta
        return self.width * float(np.sqrt(self.alpha * self.beta / (both + 1.0))) / both


def pert(low: float, likely: float, high: float) -> Beta:
    """Return the Beta distribution between limits whose mean is (low + 4 likely + high) / 6."""
    mode = (likely - low) / (high - low)
    return Beta(1.0 + 4.0 * mode, 5.0 - 4.0 * mode, low, high - low)


@dataclass(frozen=True)
class Triangular:
    """The limits and the mode."""

    low: float
    likely: float
    high: float

    def quantile(self, p: Array) -> Array:
        """Return the inverse of `cdf`."""
        p = np.asarray(p)
        return self._between(p, 1.0 - p)

    def cdf(self, x: Array) -> Array:
        """Return the squared distance from the nearer limit, scaled, from that limit's side."""
        x = np.clip(x, self.low, self.high)
        width = self.high - self.low
        left = (x - self.low) ** 2 / (width * max(self.likely - self.low, np.finfo(float).tiny))
        right = (self.high - x) ** 2 / (width * max(self.high - self.likely, np.finfo(float).tiny))
        return np.where(x < self.likely, left, 1.0 - right)

    def from_score(self, z: Array) -> Array:
        """Return the quantile at Φ(z)."""
        z = np.asarray(z)
        return self._between(ndtr(z), ndtr(-z))

    def _between(self, below: Array, above: Array) -> Array:
        width, left = self.high - self.low, self.likely - self.low
        lower = self.low + np.sqrt(below * width * left)
        upper = self.high - np.sqrt(above * width * (width - left))
        return np.where(below * width < left, lower, upper)

    def mean(self) -> float:
        """Return (low + likely + high) / 3."""
        return (self.low + self.likely + self.high) / 3.0

    def sd(self) -> float:
        """Return √((left² + right² + width²) / 36), the distances between the three points."""
        left, right = self.likely - self.low, self.high - self.likely
        return float(np.sqrt((left**2 + right**2 + (left + right) ** 2) / 36.0))


@dataclass(frozen=True, eq=False)
class Samples:
    """Equally likely values."""

    values: Array

    @cached_property
    def ordered(self) -> Array:
        """The values in order."""
        return np.sort(self.values)

    def quantile(self, p: Array) -> Array:
        """Return the value at rank ⌊p n⌋, counted from 0."""
        n = len(self.ordered)
        return self.ordered[np.clip((np.asarray(p) * n).astype(np.intp), 0, n - 1)]

    def cdf(self, x: Array) -> Array:
        """Return the share of values up to x."""
        return np.searchsorted(self.ordered, x, side="right") / len(self.ordered)

    def from_score(self, z: Array) -> Array:
        """Return the quantile at Φ(z)."""
        return self.quantile(ndtr(z))

    def mean(self) -> float:
        """Return the mean of the values."""
        return float(np.mean(self.values))

    def sd(self) -> float:
        """Return their standard deviation, dividing by their number."""
        return float(np.std(self.values))


def law(family: str, parameters: Mapping[str, float]) -> Law:
    """Return the distribution of a family with parameters by name."""
    return LAWS[family](**parameters)


LAWS: Final = {
    "point": Point,
    "normal": Normal,
    "lognormal": Lognormal,
    "uniform": Uniform,
    "gamma": Gamma,
    "beta": Beta,
    "pert": pert,
    "triangular": Triangular,
}
