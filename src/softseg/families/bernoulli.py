"""Bernoulli: log f(x) = x log p + (1 − x) log(1 − p) for an indicator with two values.

The schema names the two values and which of them is the success (the second level). Parameter:
``probability`` p of the success. Default prior: Beta(1, 1), conjugate.
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
from softseg.families.kinds import BERNOULLI
from softseg.priors import Prior


class Bernoulli(Family):
    """One of two values."""

    name = "bernoulli"
    parameters = (Parameter("probability", "unit", updates=("Beta",)),)
    domain = "domain.level"
    kinds = (BERNOULLI,)
    levelled = True
    discrete = True

    def legal(self, values: Array) -> NDArray[np.bool_]:
        """Codes 0 and 1."""
        return (values == 0) | (values == 1)

    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """Uniform."""
        return {"probability": Prior("Beta", alpha=1.0, beta=1.0)}

    def encode(self, observed: Observed) -> Block:
        """Two cells: failure and success."""
        n_rows = len(observed.values)
        codes = np.where(observed.present, observed.values, -1.0).astype(np.int32)
        return Block(np.empty((0, n_rows)), None, codes, np.array([[0.0], [1.0]]), np.zeros(n_rows))

    def log_table(self, parameters: Parameters, cells: Array, coding: Coding, xp: Namespace) -> Any:
        """(log(1 − p), log p), floored."""
        p = parameters["probability"]
        return xp.stack([xp.log(xp.maximum(1.0 - p, TINY)), xp.log(xp.maximum(p, TINY))])

    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Share of successes, with the prior's pseudo-customers."""
        failures, successes = sums.counts.T
        if priors is not None:
            alpha, beta = _beta(priors, len(failures))
            successes = np.maximum(successes + alpha - 1.0, 0.0)
            failures = np.maximum(failures + beta - 1.0, 0.0)
        total = successes + failures
        p = np.where(
            total > 0, successes / np.where(total > 0, total, 1.0), parameters["probability"]
        )
        return {"probability": p if priors is None else priors["probability"].hold(p)}

    def update(
        self,
        rng: np.random.Generator,
        sums: Sums,
        parameters: Parameters,
        priors: Priors,
        coding: Coding,
    ) -> dict[str, Array]:
        """Beta with the counts added."""
        failures, successes = sums.counts.T
        alpha, beta = _beta(priors, len(failures))
        p = rng.beta(successes + alpha, failures + beta)
        return {"probability": priors["probability"].hold(p)}

    def draw(
        self,
        rng: np.random.Generator,
        parameters: Parameters,
        segment: NDArray[np.intp],
        exposure: Array | None,
        coding: Coding,
    ) -> Array:
        """Codes 0 and 1."""
        p = np.asarray(parameters["probability"])[segment]
        return (rng.random(len(segment)) < p).astype(float)

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Share of successes."""
        return [Measure("share", np.asarray(parameters["probability"]), "ratio")]


def _beta(priors: Priors, n_segments: int) -> tuple[Array, Array]:
    prior = priors["probability"]
    if prior.name != "Beta":
        return np.ones(n_segments), np.ones(n_segments)
    alpha = np.where(prior.free, prior.parameters["alpha"], 1.0)
    return alpha, np.where(prior.free, prior.parameters["beta"], 1.0)


FAMILY = Bernoulli()
