"""Gamma by mean and shape: log f(x) = a log(a/m) − log Γ(a) + (a − 1) log x − a x/m.

For positive amounts and durations with a moderate tail. Parameters: ``mean`` m in the unit of the
data and ``shape`` a (coefficient of variation 1/√a). With z = x/c, c the mean of the whole table,
and n = m/c the statistics are T = (log z − z + 1, z − 1) with η = (a, a(1 − 1/n)) and
A = log Γ(a) − a log a + a + a(log n + 1/n − 1), which lose no digits where z is near 1.

Default priors: mean inverse-Gamma (conjugate given the shape), shape log-normal around twice the
shape of the whole table. The shape is updated by a slice step on the sums; every prior serves.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import (
    SCALE_FLOOR,
    TINY,
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
from softseg.families.kinds import GAMMA
from softseg.families.positive import (
    GAMMA_MEAN,
    GAMMA_SHAPE,
    Conditional,
    climb_positive,
    slice_positive,
)
from softseg.priors import Prior

NO_CELLS = np.empty((0, 1))
ROUNDS = 20
TOLERANCE = 1e-8
SEEN = 1e-9
"""Fewest expected customers from which a maximum is read without a prior."""


class Gamma(Family):
    """Gamma distribution by mean and shape."""

    name = "gamma"
    parameters = (
        Parameter("mean", "positive", updates=("InverseGamma",)),
        Parameter("shape", "positive"),
    )
    domain = "domain.positive"
    kinds = (GAMMA,)

    def legal(self, values: Array) -> NDArray[np.bool_]:
        """Positive numbers."""
        return np.isfinite(values) & (values > 0)

    def coding(self, observed: Observed) -> Coding:
        """Centre, the unit of the statistics, and scale are mean and sd of the training rows."""
        values = np.sort(observed.values[observed.present])
        mean = rounded(values.mean()) if len(values) else 1.0
        sd = float(values.std()) if len(values) else 0.0
        return Coding(centre=mean, scale=rounded(sd if sd > 1e-6 * mean else mean))

    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """Mean as if two customers of the table's mean had been seen, shape within a segment.

        A segment is more homogeneous than the table: its shape lies around twice the table's.
        """
        coding = observed.coding
        shape = np.clip(2.0 * (coding.centre / coding.scale) ** 2, 0.2, 1e6)
        return {
            "mean": Prior("InverseGamma", alpha=2.0, beta=coding.centre),
            "shape": Prior("LogNormal", mu=rounded(np.log(shape)), sigma=1.0),
        }

    def encode(self, observed: Observed) -> Block:
        """T = (log z − z + 1, z − 1), h = −log x."""
        present = observed.present
        values = np.where(present, observed.values, observed.coding.centre)
        excess = (values - observed.coding.centre) / observed.coding.centre
        bend = np.where(present, np.log(values / observed.coding.centre) - excess, 0.0)
        small = np.abs(excess) < 0.5
        bend = np.where(small, np.log1p(np.where(small, excess, 0.0)) - excess, bend)
        log_base = np.where(present, -np.log(values), 0.0)
        return Block(np.stack([bend, excess]), observed.measure(), None, NO_CELLS, log_base)

    def natural(self, parameters: Parameters, coding: Coding, xp: Namespace) -> list[Any]:
        """η = (a, a(1 − 1/n))."""
        mean, shape = parameters["mean"], parameters["shape"]
        return [shape, shape * (mean - coding.centre) / mean]

    def log_partition(self, parameters: Parameters, coding: Coding, xp: Namespace) -> Any:
        """A = log Γ(a) − a log a + a + a(log n + 1/n − 1)."""
        mean, shape = parameters["mean"], parameters["shape"]
        bend = xp.log(mean / coding.centre) - (mean - coding.centre) / mean
        return xp.gammaln(shape) - shape * xp.log(shape) + shape * (1.0 + bend)

    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Mean in closed form, shape by Newton steps, in turns where a prior ties them."""
        mean, shape = np.asarray(parameters["mean"]), np.asarray(parameters["shape"])
        if priors is None:
            return _most_likely(sums, mean, shape, coding)
        for _ in range(ROUNDS):
            before = shape
            mean = priors["mean"].hold(_mean_mode(sums, mean, shape, priors, coding))
            shape = climb_positive(_given_mean(sums, mean, coding), shape, priors["shape"])
            if np.all(np.abs(shape - before) <= TOLERANCE * shape):
                break
        return {"mean": mean, "shape": shape}

    def update(
        self,
        rng: np.random.Generator,
        sums: Sums,
        parameters: Parameters,
        priors: Priors,
        coding: Coding,
    ) -> dict[str, Array]:
        """Mean given shape (inverse-Gamma), then shape given mean (slice step)."""
        shape, prior = np.asarray(parameters["shape"]), priors["mean"]
        alpha, beta = _inverse_gamma(priors)
        rate = beta + shape * _total(sums, coding)
        mean = prior.hold(rate / rng.standard_gamma(alpha + shape * sums.measure))
        width = np.minimum(2.0, 6.0 / np.sqrt(1.0 + sums.measure))
        conditional = _given_mean(sums, mean, coding)
        return {
            "mean": mean,
            "shape": slice_positive(rng, conditional, shape, width, priors["shape"]),
        }

    def draw(
        self,
        rng: np.random.Generator,
        parameters: Parameters,
        segment: NDArray[np.intp],
        exposure: Array | None,
        coding: Coding,
    ) -> Array:
        """Gamma draws, kept above zero."""
        mean, shape = np.asarray(parameters["mean"]), np.asarray(parameters["shape"])
        heights = rng.standard_gamma(shape[segment])
        return np.maximum(heights * mean[segment] / shape[segment], TINY)

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Mean, compared as a ratio; sd."""
        mean, shape = np.asarray(parameters["mean"]), np.asarray(parameters["shape"])
        return [
            Measure("mean", mean, "ratio"),
            Measure("sd", mean / np.sqrt(shape), "none"),
        ]


def _total(sums: Sums, coding: Coding) -> Array:
    """Return Σ x, shape (segment,); extrapolated sums may stray below 0."""
    return np.maximum(coding.centre * (sums.measure + sums.statistics[:, 1]), 0.0)


def _deviance(sums: Sums, mean: Array, coding: Coding) -> Array:
    """Return Σ (log(x/m) − x/m + 1) ≤ 0, shape (segment,)."""
    bend, excess = sums.statistics.T
    tilt = (mean - coding.centre) / mean
    return np.minimum(
        bend + excess * tilt + sums.measure * (tilt - np.log(mean / coding.centre)), 0.0
    )


def _given_mean(sums: Sums, mean: Array, coding: Coding) -> Conditional:
    """Return the conditional of the shape."""
    return Conditional(GAMMA_SHAPE, sums.measure, _deviance(sums, mean, coding))


def _most_likely(sums: Sums, mean: Array, shape: Array, coding: Coding) -> dict[str, Array]:
    seen = sums.measure > SEEN
    safe, least = np.where(seen, sums.measure, 1.0), 1e-12 * coding.centre
    mean = np.where(seen, np.maximum(_total(sums, coding) / safe, least), mean)
    ceiling = np.maximum((mean / (SCALE_FLOOR * coding.scale)) ** 2, 1e-6)
    share = Sums(sums.statistics / safe[:, None], sums.measure / safe, sums.counts, sums.cells)
    lower, start = np.minimum(1e-12, ceiling), np.where(seen, shape, 1.0)
    found = climb_positive(_given_mean(share, mean, coding), start, None, lower, ceiling)
    return {"mean": mean, "shape": np.where(seen, found, shape)}


def _inverse_gamma(priors: Priors) -> tuple[Array, Array]:
    prior = priors["mean"]
    ones = np.ones(len(prior.priors))
    if prior.name != "InverseGamma":
        return ones, ones
    alpha = np.where(prior.free, prior.parameters["alpha"], 1.0)
    return alpha, np.where(prior.free, prior.parameters["beta"], 1.0)


def _mean_mode(sums: Sums, mean: Array, shape: Array, priors: Priors, coding: Coding) -> Array:
    weight, total = shape * sums.measure, shape * _total(sums, coding)
    if priors["mean"].name in ("InverseGamma", "Fixed"):
        alpha, beta = _inverse_gamma(priors)
        return (beta + total) / (weight + alpha + 1.0)

    conditional = Conditional(GAMMA_MEAN, weight, total)
    lower, upper = 1e-12 * coding.centre, 1e12 * coding.centre
    return climb_positive(conditional, mean, priors["mean"], lower, upper)


FAMILY = Gamma()
