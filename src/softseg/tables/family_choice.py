"""Which family suits a column of numbers, and why, from its values and its name.

The choice looks at the whole column, the model at each segment: a mixture of symmetric segments
can be skewed as a whole. It is a start to judge, and the schema says how it came about.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.special import gammaln

from softseg.families.base import Array
from softseg.tables.bases import names

VERY_FEW_LEVELS: Final = 5
"""Distinct numbers up to which they are read as levels, whatever they are: a density would look
for segments of no width."""
FEW_LEVELS: Final = 10
"""Largest of whole numbers from 0 or 1 that are read as scores."""
NEAR_POISSON: Final = 1.5
"""Ratio of variance to mean up to which counts are read as Poisson."""
SKEWED: Final = 0.75
AMOUNT: Final = 100.0
"""Median from which on whole numbers with zeros are read as amounts and not as counts."""


@dataclass(frozen=True)
class Choice:
    """A family and the reason for it: a key ``propose.<reason>`` of the catalogue with values."""

    family: str
    reason: str
    values: dict[str, float] = field(default_factory=dict)


def choose_family(values: Array, column: str) -> Choice:
    """Return the family for numbers without gaps, at least three of them distinct."""
    values = np.sort(values)
    distinct = np.unique(values)
    if _are_scores(values, distinct, column):
        return Choice("categorical", "scores", {"levels": len(distinct)})
    whole = bool(np.all(distinct == np.floor(distinct)))
    if whole and distinct[0] >= 0 and _are_counts(values, column):
        return _count(values)
    return _amount(values)


def _are_scores(values: Array, distinct: Array, column: str) -> bool:
    if len(values) < 4 * len(distinct) or names(column, "count"):
        return False
    if len(distinct) <= VERY_FEW_LEVELS:
        return True
    small = distinct[0] >= 0 and distinct[-1] <= FEW_LEVELS and len(distinct) <= FEW_LEVELS + 1
    if not small or np.any(distinct != np.floor(distinct)):
        return False
    most_at_zero = distinct[0] == 0 and np.mean(values == 0) >= 0.3
    return not most_at_zero


def _are_counts(values: Array, column: str) -> bool:
    positive = values[values > 0]
    if values[0] == 0 and np.median(positive) > AMOUNT:
        return False
    return bool(values[0] == 0 or names(column, "count") or values.mean() <= 20.0)


def _count(values: Array) -> Choice:
    dispersion = float(values.var() / values.mean())
    said = {"dispersion": dispersion}
    if dispersion <= NEAR_POISSON:
        return Choice("poisson", "near_poisson", said)
    return Choice("negative_binomial", "overdispersed", said)


def _amount(values: Array) -> Choice:
    skew = skewness(values)
    if values[0] < 0:
        tails = float(np.mean(_standardised(values) ** 4)) - 3.0
        if abs(skew) > SKEWED or tails > 3.0:
            return Choice("asinh_normal", "signed_skewed", {"skewness": skew})
        return Choice("gaussian", "symmetric", {"skewness": skew})
    zeros = float(np.mean(values == 0))
    if zeros > 0:
        if zeros < 0.02 and abs(skew) <= SKEWED:
            return Choice("gaussian", "symmetric", {"skewness": skew})
        return Choice("hurdle_lognormal", "zeros", {"share": zeros})
    if skew <= SKEWED:
        reason = "symmetric" if skew >= -SKEWED else "left_skewed"
        return Choice("gaussian", reason, {"skewness": skew})
    lognormal, gamma = _fits(values)
    if lognormal >= gamma:
        return Choice("lognormal", "skewed_lognormal", {"skewness": skew})
    return Choice("gamma", "skewed_gamma", {"skewness": skew})


def skewness(values: Array) -> float:
    """Return the skewness of values, 0 where they are all the same."""
    return float(np.mean(_standardised(values) ** 3))


def _standardised(values: Array) -> Array:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros(len(values))


def _fits(values: Array) -> tuple[float, float]:
    """Return the mean log likelihood of a log-normal and of a Gamma at their best.

    The Gamma's shape is Minka's closed approximation (Minka 2002, "Estimating a Gamma
    distribution", eq. 5 as its start), good to 1.5 %.
    """
    logs = np.log(values)
    lognormal = -logs.mean() - 0.5 * np.log(2.0 * np.pi * logs.var()) - 0.5
    mean, gap = values.mean(), np.log(values.mean()) - logs.mean()
    shape = (3.0 - gap + np.sqrt((gap - 3.0) ** 2 + 24.0 * gap)) / (12.0 * gap)
    gamma = shape * np.log(shape / mean) - gammaln(shape) + (shape - 1.0) * logs.mean() - shape
    return float(lognormal), float(gamma)
