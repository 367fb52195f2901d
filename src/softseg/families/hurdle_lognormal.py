"""Hurdle log-normal: log f(0) = log(1 − p); log f(x) = log p + log-normal density for x > 0.

For spend with zeros. Parameters: ``probability`` p of a positive value, ``log_mean`` μ and
``log_sd`` σ of the natural logarithm of the positive values. A table of two cells (zero,
positive), and T = (z, z²) of the standardised logarithms with the log-partition counted for
positive values only. Default priors: p Beta(1, 1), μ Normal, σ² inverse-Gamma, independent.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import (
    LARGEST_EXPONENT,
    Array,
    Block,
    Coding,
    Family,
    Measure,
    Namespace,
    Observed,
    Parameters,
    Priors,
    Sums,
)
from softseg.families.bernoulli import FAMILY as HURDLE
from softseg.families.lognormal import FAMILY as AMOUNT
from softseg.priors import Prior

ZERO_AND_POSITIVE = np.array([[0.0], [1.0]])


class HurdleLogNormal(Family):
    """Zero, or a log-normal amount."""

    name = "hurdle_lognormal"
    parameters = (*HURDLE.parameters, *AMOUNT.parameters)
    domain = "domain.non_negative"
    kinds = (*HURDLE.kinds, *AMOUNT.kinds)

    def legal(self, values: Array) -> NDArray[np.bool_]:
        """Zero and positive numbers."""
        return np.isfinite(values) & (values >= 0)

    def coding(self, observed: Observed) -> Coding:
        """Centre and scale are mean and sd of the logarithms of the positive training rows."""
        return AMOUNT.coding(_positive(observed))

    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """Uniform probability; wide on the log scale of the positive values."""
        return {**HURDLE.default_priors(observed), **AMOUNT.default_priors(observed)}

    def encode(self, observed: Observed) -> Block:
        """Zero or positive as cells, statistics of the positive values."""
        amount = AMOUNT.encode(_positive(observed))
        codes = np.where(observed.present, observed.values > 0, -1).astype(np.int32)
        return Block(amount.statistics, amount.measure, codes, ZERO_AND_POSITIVE, amount.log_base)

    def natural(self, parameters: Parameters, coding: Coding, xp: Namespace) -> list[Any]:
        """η = (μ/σ², −1/(2σ²))."""
        return AMOUNT.natural(parameters, coding, xp)

    def log_partition(self, parameters: Parameters, coding: Coding, xp: Namespace) -> Any:
        """A = μ²/(2σ²) + log σ."""
        return AMOUNT.log_partition(parameters, coding, xp)

    def log_table(self, parameters: Parameters, cells: Array, coding: Coding, xp: Namespace) -> Any:
        """(log(1 − p), log p), floored."""
        return HURDLE.log_table(parameters, cells, coding, xp)

    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Share of positive values; moments of their logarithms."""
        return {
            **HURDLE.maximise(sums, parameters, priors, coding),
            **AMOUNT.maximise(sums, parameters, priors, coding),
        }

    def update(
        self,
        rng: np.random.Generator,
        sums: Sums,
        parameters: Parameters,
        priors: Priors,
        coding: Coding,
    ) -> dict[str, Array]:
        """Beta for the probability, then the log-normal's updates; the two are independent."""
        return {
            **HURDLE.update(rng, sums, parameters, priors, coding),
            **AMOUNT.update(rng, sums, parameters, priors, coding),
        }

    def draw(
        self,
        rng: np.random.Generator,
        parameters: Parameters,
        segment: NDArray[np.intp],
        exposure: Array | None,
        coding: Coding,
    ) -> Array:
        """Log-normal draws where the hurdle is passed, else 0."""
        passed = HURDLE.draw(rng, parameters, segment, exposure, coding)
        return passed * AMOUNT.draw(rng, parameters, segment, exposure, coding)

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Share with a positive value, median of the positive values, mean over all customers."""
        p, mean = np.asarray(parameters["probability"]), np.asarray(parameters["log_mean"])
        half_variance = 0.5 * np.asarray(parameters["log_sd"]) ** 2
        return [
            Measure("share_positive", p, "ratio"),
            Measure("median_positive", np.exp(np.minimum(mean, LARGEST_EXPONENT)), "ratio"),
            Measure(
                "mean", p * np.exp(np.minimum(mean + half_variance, LARGEST_EXPONENT)), "ratio"
            ),
        ]


def _positive(observed: Observed) -> Observed:
    """Return the indicator with its zeros taken out."""
    values = np.where(observed.values > 0, observed.values, np.nan)
    return Observed(values, None, observed.coding)


FAMILY = HurdleLogNormal()
