"""Shared by the families that are Gaussian on some scale: Gaussian, log-normal, asinh-normal.

A value x has the place t(x) on the family's scale, and t is Gaussian with location μ and spread σ:
log f(x) = log |t'(x)| − ½ log 2π − log σ − (t − μ)²/(2σ²). With z = (t − centre)/scale the
statistics are T = (z, z²) with η = (μ/σ², −1/(2σ²)), A = μ²/(2σ²) + log σ. Priors: μ Normal, σ²
inverse-Gamma, independent (semi-conjugate: each is conjugate given the other; Gelman et al. 2013,
BDA3, section 3.4).
"""

from abc import abstractmethod
from functools import lru_cache
from math import floor, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import (
    SCALE_FLOOR,
    Array,
    Block,
    Coding,
    Family,
    Namespace,
    Observed,
    Parameters,
    Priors,
    Sums,
    rounded,
)
from softseg.families.kinds import NORMAL
from softseg.priors import Prior

LOG_ROOT_2PI = 0.5 * np.log(2.0 * np.pi)
ECM_STEPS = 5
LEAST_SCALE = 1e-70
"""Below it a table counts as constant: the square of its spread would be lost."""
NO_CELLS = np.empty((0, 1))


def centre_and_scale(t: Array) -> tuple[float, float]:
    """Return mean and sd of the transformed values, the same for every order of the rows."""
    t = np.sort(t[np.isfinite(t)])
    if len(t) == 0:
        return 0.0, 1.0
    # from the smallest value on, so that equal values have exactly no spread
    mean, scale = float(t[0] + (t - t[0]).mean()), float((t - t[0]).std())
    scale = rounded(scale) if scale > LEAST_SCALE else 1.0
    # six digits of the scale, not of the mean: 1e9 ± 1 must stay within 1 of its centre
    return round(mean, 5 - floor(log10(scale))), scale


class NormalOnScale(Family):
    """A family that is Gaussian on its own scale; its two parameters are location and spread."""

    kinds = (NORMAL,)

    @abstractmethod
    def transform(self, x: Array, coding: Coding) -> Array:
        """Return t(x), shape (row,)."""

    @abstractmethod
    def inverse(self, t: Array, coding: Coding) -> Array:
        """Return the x of a t, shape (row,)."""

    @abstractmethod
    def log_slope(self, x: Array, coding: Coding) -> Array:
        """Return log |t'(x)|, shape (row,)."""

    @property
    def names(self) -> tuple[str, str]:
        """Names of location and spread."""
        location, spread = self.parameters
        return location.name, spread.name

    def coding(self, observed: Observed) -> Coding:
        """Centre and scale are mean and sd of the training rows on the family's scale."""
        centre, scale = centre_and_scale(self.transform(observed.values, observed.coding))
        return Coding(centre=centre, scale=scale)

    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """Wide on the data's own scale.

        The location lies within two sd of the whole table around its mean; the variance within a
        segment has a prior mean of half the whole table's variance and a heavy upper tail.
        """
        location, scale = self.names
        centre, spread = observed.coding.centre, observed.coding.scale
        return {
            location: Prior("Normal", mu=centre, sigma=rounded(2.0 * spread)),
            scale: Prior("SqrtInverseGamma", alpha=2.5, beta=rounded(0.75 * spread**2)),
        }

    def encode(self, observed: Observed) -> Block:
        """T = (z, z²) of the standardised places."""
        coding, present = observed.coding, observed.present
        t = self.transform(observed.values, coding)
        z = np.where(present, (t - coding.centre) / coding.scale, 0.0)
        slope = self.log_slope(observed.values, coding)
        log_base = np.where(present, slope - LOG_ROOT_2PI - np.log(coding.scale), 0.0)
        return Block(np.stack([z, z * z]), observed.measure(), None, NO_CELLS, log_base)

    def natural(self, parameters: Parameters, coding: Coding, xp: Namespace) -> list[Any]:
        """η = (μ/σ², −1/(2σ²))."""
        m, s = self._on_z(parameters, coding)
        return [m / s**2, -0.5 / s**2]

    def log_partition(self, parameters: Parameters, coding: Coding, xp: Namespace) -> Any:
        """A = μ²/(2σ²) + log σ."""
        m, s = self._on_z(parameters, coding)
        return 0.5 * (m / s) ** 2 + xp.log(s)

    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Moments, or their posterior mode by turns (ECM)."""
        location, scale = self.names
        n, (zsum, zz) = sums.measure, sums.statistics.T
        seen = n > 0
        safe = np.maximum(n, 1e-12)
        if priors is None:
            m = zsum / safe
            variance = np.maximum(zz / safe - m * m, SCALE_FLOOR**2)
            s = np.sqrt(variance)
        else:
            mu0, w0, a, b = _standardised(priors[location], priors[scale], coding)
            s = np.asarray(parameters[scale]) / coding.scale
            m = np.asarray(parameters[location]) / coding.scale
            for _ in range(ECM_STEPS):
                m = (mu0 * w0 + zsum / s**2) / (w0 + n / s**2)
                m = _hold(priors[location], m, coding.centre, coding.scale)
                residual = np.maximum(zz - 2.0 * m * zsum + n * m * m, 0.0)
                s = np.sqrt((residual + 2.0 * b) / (n + 2.0 * a + 1.0))
                s = _hold(priors[scale], s, 0.0, coding.scale)
            seen = np.ones_like(seen)
        return {
            location: np.where(seen, coding.centre + coding.scale * m, parameters[location]),
            scale: np.where(seen, coding.scale * s, parameters[scale]),
        }

    def update(
        self,
        rng: np.random.Generator,
        sums: Sums,
        parameters: Parameters,
        priors: Priors,
        coding: Coding,
    ) -> dict[str, Array]:
        """Location given spread, then spread given location."""
        location, scale = self.names
        n, (zsum, zz) = sums.measure, sums.statistics.T
        mu0, w0, a, b = _standardised(priors[location], priors[scale], coding)
        precision = (coding.scale / np.asarray(parameters[scale])) ** 2
        weight = w0 + n * precision
        m = (mu0 * w0 + zsum * precision) / weight
        m = m + rng.standard_normal(len(n)) / np.sqrt(weight)
        m = _hold(priors[location], m, coding.centre, coding.scale)
        residual = np.maximum(zz - 2.0 * m * zsum + n * m * m, 0.0)
        s = np.sqrt((b + 0.5 * residual) / rng.standard_gamma(a + 0.5 * n))
        s = _hold(priors[scale], s, 0.0, coding.scale)
        return {location: coding.centre + coding.scale * m, scale: coding.scale * s}

    def draw(
        self,
        rng: np.random.Generator,
        parameters: Parameters,
        segment: NDArray[np.intp],
        exposure: Array | None,
        coding: Coding,
    ) -> Array:
        """Normal draws, taken back from the family's scale."""
        location, spread = (np.asarray(parameters[name])[segment] for name in self.names)
        return self.inverse(location + spread * rng.standard_normal(len(segment)), coding)

    def _on_z(self, parameters: Parameters, coding: Coding) -> tuple[Any, Any]:
        location, spread = (parameters[name] for name in self.names)
        return (location - coding.centre) / coding.scale, spread / coding.scale


@lru_cache(maxsize=256)
def _standardised(location: Any, scale: Any, coding: Coding) -> tuple[Array, Array, Array, Array]:
    """Return prior mean, prior precision, IG shape and IG rate on the standardised scale.

    Found once a fit: priors and coding are frozen. A prior outside the conjugate class (whose mode
    only serves as a start) reads as flat.
    """
    n = len(location.priors)
    flat, floor = np.zeros(n), np.full(n, 0.5 * SCALE_FLOOR**2)
    mu0, w0, a, b = flat, flat + 1e-12, flat, floor
    if location.name == "Normal":
        mu0 = (location.parameters["mu"] - coding.centre) / coding.scale
        w0 = (coding.scale / location.parameters["sigma"]) ** 2
        if not location.all_free:
            mu0, w0 = np.where(location.free, mu0, 0.0), np.where(location.free, w0, 1.0)
    if scale.name == "SqrtInverseGamma":
        a, b = scale.parameters["alpha"], scale.parameters["beta"] / coding.scale**2
        if not scale.all_free:
            a, b = np.where(scale.free, a, 1.0), np.where(scale.free, b, 1.0)
    return mu0, w0, a, b


def _hold(prior: Any, z: Array, centre: float, scale: float) -> Array:
    return z if prior.all_free else (prior.hold(centre + scale * z) - centre) / scale
