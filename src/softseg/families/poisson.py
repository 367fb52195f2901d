"""Poisson: log f(x) = x log(λe) − λe − log x! for a count x seen over an exposure e.

For rare events that come independently, such as complaints a year. Parameter: ``rate`` λ per unit
of exposure (per customer without one). T = x, η = log λ, A = λ counted by the exposure,
h = x log e − log x!. Default prior: Gamma with the mean of the whole table's rate, conjugate.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

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
    rounded,
)
from softseg.families.kinds import POISSON
from softseg.families.positive import POISSON_RATE, Conditional, climb_positive
from softseg.priors import Prior

NO_CELLS = np.empty((0, 1))
LARGEST_MEAN = 1e15
"""Above it the generator of counts gives up; such means come from absurd priors only."""


class Poisson(Family):
    """Poisson counts."""

    name = "poisson"
    parameters = (Parameter("rate", "positive", updates=("Gamma",)),)
    domain = "domain.count"
    kinds = (POISSON,)
    takes_exposure = True
    discrete = True

    def legal(self, values: Array) -> NDArray[np.bool_]:
        """Whole numbers from 0."""
        return np.isfinite(values) & (values >= 0) & (values == np.floor(values))

    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """As if one event had been seen over the exposure in which the table sees one."""
        return {"rate": Prior("Gamma", alpha=1.0, beta=rounded(1.0 / overall_rate(observed)))}

    def encode(self, observed: Observed) -> Block:
        """T = x, measured by the exposure."""
        x = np.where(observed.present, observed.values, 0.0)
        measure = observed.measure()
        log_exposure = np.log(np.where(observed.present, measure, 1.0))
        log_base = x * log_exposure - gammaln(x + 1.0)
        return Block(x[None, :], measure, None, NO_CELLS, log_base)

    def natural(self, parameters: Parameters, coding: Coding, xp: Namespace) -> list[Any]:
        """η = log λ, floored."""
        return [xp.log(xp.maximum(parameters["rate"], TINY))]

    def log_partition(self, parameters: Parameters, coding: Coding, xp: Namespace) -> Any:
        """A = λ."""
        return parameters["rate"]

    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Events over exposure, with the prior's pseudo-events."""
        events, exposure = sums.statistics[:, 0], sums.measure
        rate = np.asarray(parameters["rate"])
        if priors is None:
            seen = exposure > 0
            found = np.maximum(events / np.where(seen, exposure, 1.0), TINY)
            return {"rate": np.where(seen, found, rate)}
        prior = priors["rate"]
        if prior.name in ("Gamma", "Fixed"):
            alpha, beta = _gamma(priors)
            rate = np.maximum((events + alpha - 1.0) / (exposure + beta), TINY)
            return {"rate": prior.hold(rate)}

        return {"rate": climb_positive(Conditional(POISSON_RATE, events, exposure), rate, prior)}

    def update(
        self,
        rng: np.random.Generator,
        sums: Sums,
        parameters: Parameters,
        priors: Priors,
        coding: Coding,
    ) -> dict[str, Array]:
        """Gamma with events and exposure added."""
        alpha, beta = _gamma(priors)
        heights = rng.standard_gamma(alpha + sums.statistics[:, 0])
        return {"rate": priors["rate"].hold(np.maximum(heights / (beta + sums.measure), TINY))}

    def draw(
        self,
        rng: np.random.Generator,
        parameters: Parameters,
        segment: NDArray[np.intp],
        exposure: Array | None,
        coding: Coding,
    ) -> Array:
        """Poisson draws over each entry's exposure."""
        mean = np.asarray(parameters["rate"])[segment] * (1.0 if exposure is None else exposure)
        return rng.poisson(np.minimum(mean, LARGEST_MEAN)).astype(float)

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Events per unit of exposure."""
        return [Measure("rate", np.asarray(parameters["rate"]), "ratio")]


def overall_rate(observed: Observed) -> float:
    """Return events over exposure of all rows; half an event where there is none.

    Sums over sorted numbers do not depend on the order of the rows.
    """
    exposure = float(np.sort(observed.measure()).sum())
    if exposure <= 0.0:
        return 1.0
    events = float(np.sort(observed.values[observed.present]).sum())
    return max(events, 0.5) / exposure


def _gamma(priors: Priors) -> tuple[Array, Array]:
    prior = priors["rate"]
    ones = np.ones(len(prior.priors))
    if prior.name != "Gamma":
        return ones, ones
    alpha = np.where(prior.free, prior.parameters["alpha"], 1.0)
    return alpha, np.where(prior.free, prior.parameters["beta"], 1.0)


FAMILY = Poisson()
