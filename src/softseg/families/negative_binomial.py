"""Negative binomial (NB2): a count x over an exposure e with mean m = λe, variance m + m²/r.

    log f(x) = log Γ(x + r) − log Γ(r) − log x! − r log(1 + m/r) + x log(m/(r + m))

For counts whose customers differ within a segment, such as orders a year. Parameters: ``rate`` λ
per unit of exposure (per customer without one) and ``shape`` r; r → ∞ is Poisson. Not an
exponential family in r: the density goes through the table of distinct (value, exposure) pairs.

Default priors: rate log-normal around the whole table's, shape log-normal around 1. Both are
updated by slice steps (they are orthogonal in the Fisher information, so that taking them in turns
mixes well); every prior serves.
"""

from dataclasses import dataclass, field
from functools import lru_cache
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
from softseg.families.kinds import NEGATIVE_BINOMIAL
from softseg.families.poisson import LARGEST_MEAN, overall_rate
from softseg.families.positive import (
    NEGATIVE_BINOMIAL_RATE,
    NEGATIVE_BINOMIAL_SHAPE,
    Conditional,
    climb_positive,
    slice_positive,
)
from softseg.priors import Prior

NO_STATISTICS = 0
SHAPE_CEILING = 1e6
"""Largest shape without a prior: Poisson-like counts have their maximum at infinity."""
ROUNDS = 20
TOLERANCE = 1e-8


class NegativeBinomial(Family):
    """Counts with more variance than Poisson."""

    name = "negative_binomial"
    parameters = (Parameter("rate", "positive"), Parameter("shape", "positive"))
    domain = "domain.count"
    kinds = (NEGATIVE_BINOMIAL,)
    takes_exposure = True
    discrete = True

    def legal(self, values: Array) -> NDArray[np.bool_]:
        """Whole numbers from 0."""
        return np.isfinite(values) & (values >= 0) & (values == np.floor(values))

    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """Within a factor of about 12 of the table's rate, and of shape 1, with 90 %."""
        rate = rounded(np.log(overall_rate(observed)))
        return {
            "rate": Prior("LogNormal", mu=rate, sigma=1.5),
            "shape": Prior("LogNormal", mu=0.0, sigma=1.5),
        }

    def encode(self, observed: Observed) -> Block:
        """One cell per distinct pair of value and exposure, sorted."""
        present = observed.present
        pairs = np.stack([observed.values, observed.measure()], axis=1)[present]
        cells, which = np.unique(pairs, axis=0, return_inverse=True)
        codes = np.full(len(present), -1, dtype=np.int32)
        codes[present] = which.reshape(-1)
        return Block(
            np.empty((NO_STATISTICS, len(present))),
            None,
            codes,
            cells.reshape(-1, 2),
            np.zeros(len(present)),
        )

    def log_table(self, parameters: Parameters, cells: Array, coding: Coding, xp: Namespace) -> Any:
        """Log density of each pair of value and exposure."""
        x, exposure = cells.T
        shape = parameters["shape"][..., None]
        mean = xp.maximum(parameters["rate"][..., None] * exposure, TINY)
        factorials = xp.gammaln(x + shape) - xp.gammaln(shape) - gammaln(x + 1.0)
        powers = x * (xp.log(mean) - xp.log(shape + mean)) - shape * xp.log1p(mean / shape)
        return factorials + powers

    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Rate and shape in turns, each by Newton steps on the log scale."""
        counted = _count(sums)
        rate, shape = np.asarray(parameters["rate"]), np.asarray(parameters["shape"])
        start = shape
        if priors is None:
            rate = _start(counted, rate, shape)
        for _ in range(ROUNDS):
            before = np.stack([rate, shape])
            prior = None if priors is None else priors["rate"]
            rate = climb_positive(counted.of_rate(shape), rate, prior, TINY, LARGEST_MEAN)
            prior = None if priors is None else priors["shape"]
            ceiling = np.maximum(SHAPE_CEILING, shape)
            shape = climb_positive(counted.of_shape(rate), shape, prior, 1e-12, ceiling)
            moved = np.abs(np.stack([rate, shape]) - before)
            if np.all(moved <= TOLERANCE * before):
                break
        if priors is None:
            eventless = counted.total <= 0.0
            rate = np.where(counted.seen & eventless, TINY, rate)
            shape = np.where(eventless, start, shape)
        return {"rate": rate, "shape": shape}

    def update(
        self,
        rng: np.random.Generator,
        sums: Sums,
        parameters: Parameters,
        priors: Priors,
        coding: Coding,
    ) -> dict[str, Array]:
        """Rate given shape, then shape given rate, by slice steps on the log scale."""
        counted = _count(sums)
        rate, shape = np.asarray(parameters["rate"]), np.asarray(parameters["shape"])
        customers = 1.0 + counted.customers.sum(-1)
        width = np.minimum(
            2.0, 4.0 * np.sqrt(1.0 / (1.0 + counted.total) + 1.0 / (customers * shape))
        )
        rate = slice_positive(rng, counted.of_rate(shape), rate, width, priors["rate"])
        width = np.minimum(2.0, 20.0 / np.sqrt(customers))
        shape = slice_positive(rng, counted.of_shape(rate), shape, width, priors["shape"])
        return {"rate": rate, "shape": shape}

    def draw(
        self,
        rng: np.random.Generator,
        parameters: Parameters,
        segment: NDArray[np.intp],
        exposure: Array | None,
        coding: Coding,
    ) -> Array:
        """Poisson draws whose means are Gamma draws."""
        rate, shape = np.asarray(parameters["rate"]), np.asarray(parameters["shape"])
        mean = rate[segment] * (1.0 if exposure is None else exposure)
        mean = mean * rng.standard_gamma(shape[segment]) / shape[segment]
        return rng.poisson(np.minimum(mean, LARGEST_MEAN)).astype(float)

    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Events per unit of exposure, and the sd of the events over one unit."""
        rate, shape = np.asarray(parameters["rate"]), np.asarray(parameters["shape"])
        return [
            Measure("rate", rate, "ratio"),
            Measure("sd", np.sqrt(rate + rate**2 / shape), "none"),
        ]


@dataclass(frozen=True)
class _Counted:
    """The sums that the log-likelihood needs: it is additive in values and in exposures.

    With C customers at a value, N customers and X events at an exposure it is, up to a constant,
    Σ C (log Γ(x + r) − log Γ(r)) + Σ X log(λ/r) − Σ (X + N r) log(1 + λe/r),
    so that its cost grows with the distinct values plus the distinct exposures, not their pairs.
    """

    values: Array
    at_value: Array
    exposures: Array
    customers: Array
    events: Array
    total: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.events.sum(-1))

    @property
    def seen(self) -> NDArray[np.bool_]:
        return self.customers.sum(-1) > 0.0

    def of_rate(self, shape: Array) -> Conditional:
        """Return the conditional of the rate."""
        return self._conditional(NEGATIVE_BINOMIAL_RATE, shape)

    def of_shape(self, rate: Array) -> Conditional:
        """Return the conditional of the shape."""
        return self._conditional(NEGATIVE_BINOMIAL_SHAPE, rate)

    def _conditional(self, kind: int, other: Array) -> Conditional:
        return Conditional(
            kind, self.total, self.total, np.ascontiguousarray(other, dtype=float),
            self.values, self.at_value, self.exposures, self.customers, self.events,
        )  # fmt: skip


def _count(sums: Sums) -> _Counted:
    values, value_of, exposures, exposure_of = _grouped(sums.cells.tobytes())
    at_value = _gather(sums.counts, value_of, len(values) + 1)[:, 1:]
    customers = _gather(sums.counts, exposure_of, len(exposures))
    events = _gather(sums.counts * sums.cells[:, 0], exposure_of, len(exposures))
    return _Counted(values, np.ascontiguousarray(at_value), exposures, customers, events)


@lru_cache(maxsize=32)
def _grouped(cells: bytes) -> tuple[Array, NDArray[np.intp], Array, NDArray[np.intp]]:
    """Return distinct positive values and exposures, and which of them each cell has.

    A cell's value is numbered from 1, 0 standing for the value 0, which adds nothing. The cells
    stay the same through a fit, so that this is done once.
    """
    x, exposure = np.frombuffer(cells).reshape(-1, 2).T
    values, value_of = np.unique(np.append(x, 0.0), return_inverse=True)
    exposures, exposure_of = np.unique(exposure, return_inverse=True)
    return values[1:].copy(), value_of[:-1], exposures, exposure_of


def _gather(counts: Array, group: NDArray[np.intp], n_groups: int) -> Array:
    rows = [np.bincount(group, weights=row, minlength=n_groups) for row in counts]
    return np.stack(rows)


def _start(counted: _Counted, rate: Array, shape: Array) -> Array:
    """Return events over exposure, the maximum at equal exposures, where it beats `rate`."""
    exposure = counted.customers @ counted.exposures
    known = (counted.total > 0.0) & (exposure > 0.0)
    other = np.where(known, counted.total / np.where(known, exposure, 1.0), rate)
    density = counted.of_rate(shape)
    return np.where(density.at(other) > density.at(rate), other, rate)


FAMILY = NegativeBinomial()
