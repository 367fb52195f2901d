"""Categorical: log f(x) = log p_x over the levels of the indicator.

For answers without order. Parameter: ``probability`` per level, summing to 1. Default prior:
Dirichlet(1) over the levels, conjugate.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import (
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
)
from softseg.families.kinds import CATEGORICAL
from softseg.priors import Prior

NO_STATISTICS = 0


class Categorical(Family):
    """One of several levels."""

    name = "categorical"
    parameters = (Parameter("probability", "simplex", updates=("Dirichlet",), per_level=True),)
    domain = "domain.level"
    kinds = (CATEGORICAL,)
    levelled = True
    discrete = True

    def legal(self, values: Array) -> NDArray[np.bool_]:
        """Codes of levels are whole numbers from 0."""
        return (values >= 0) & (values == np.floor(values))

    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """Uniform over the simplex."""
        return {"probability": Prior("Dirichlet", alpha=(1.0,) * len(observed.coding.levels))}

    def encode(self, observed: Observed) -> Block:
        """One cell per level."""
        n_rows, n_levels = len(observed.values), len(observed.coding.levels)
        codes = np.where(observed.present, observed.values, -1.0).astype(np.int32)
        cells = np.arange(n_levels, dtype=float)[:, None]
        return Block(np.empty((NO_STATISTICS, n_rows)), None, codes, cells, np.zeros(n_rows))

    def log_table(self, parameters: Parameters, cells: Array, coding: Coding, xp: Namespace) -> Any:
        """Log probabilities, floored."""
        return xp.log(xp.maximum(parameters["probability"], TINY))

    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Shares of the levels, with the prior's pseudo-customers."""
        counts = sums.counts
        if priors is not None:
            counts = np.maximum(counts + _alpha(priors, counts) - 1.0, 0.0)
        total = counts.sum(-1, keepdims=True)
        probability = counts / np.where(total > 0, total, 1.0)
        probability = np.where(total > 0, probability, parameters["probability"])
        return {"probability": _hold(priors, probability)}

    def update(
        self,
        rng: np.random.Generator,
        sums: Sums,
        parameters: Parameters,
        priors: Priors,
        coding: Coding,
    ) -> dict[str, Array]:
        """Dirichlet with the counts added."""
        heights = rng.standard_gamma(sums.counts + _alpha(priors, sums.counts))
        heights = np.maximum(heights, TINY)
        return {"probability": _hold(priors, heights / heights.sum(-1, keepdims=True))}

    def draw(
        self,
        rng: np.random.Generator,
        parameters: Parameters,
        segment: NDArray[np.intp],
        exposure: Array | None,
        coding: Coding,
    ) -> Array:
        """Codes of levels, by inversion."""
        edges = np.cumsum(np.asarray(parameters["probability"]), axis=-1)
        edges[:, -1] = 1.0
        uniform = rng.random(len(segment))
        return (uniform[:, None] >= edges[segment]).sum(-1).astype(float)

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Share of each level."""
        return [Measure("share", np.asarray(parameters["probability"]), "ratio")]


def _alpha(priors: Priors, counts: Array) -> Array:
    prior = priors["probability"]
    if prior.name != "Dirichlet":
        return np.ones_like(counts)
    return np.where(prior.free[:, None], prior.parameters["alpha"], 1.0)


def _hold(priors: Priors | None, probability: Array) -> Array:
    return probability if priors is None else priors["probability"].hold(probability)


FAMILY = Categorical()
