"""One positive parameter per segment without a closed form: slice steps and Newton steps.

The conditional of a Gamma's shape and of a negative binomial's rate and shape have no closed form.
They are sampled by stepping out and shrinkage on the log scale (Neal 2003, "Slice sampling", Annals
of Statistics 31, figures 3 and 5), and maximised by Newton steps on the log scale that never go
down. Both are compiled, since they run in every sweep for every segment. Densities, up to a
constant:

- ``GAMMA_SHAPE``: n (a log a − a − log Γ(a)) + a s, with s = Σ (log(x/m) − x/m + 1) ≤ 0.
- ``GAMMA_MEAN``: −n log m − s/m. ``POISSON_RATE``: n log λ − s λ.
- ``NEGATIVE_BINOMIAL_RATE`` λ and ``…_SHAPE`` r: Σ C (log Γ(x + r) − log Γ(r)) + X log(λ/r)
  − Σ X_e log(1 + λe/r) − Σ N_e r log(1 + λe/r), with C customers at a value x, N_e customers and
  X_e events at an exposure e, X events in all.
"""

from dataclasses import dataclass, field
from math import lgamma
from typing import Any, Final

import numpy as np
from numba import njit

from softseg.compiled import CACHED
from softseg.families.base import Array
from softseg.priors import SegmentPrior

GAMMA_SHAPE: Final = 0
NEGATIVE_BINOMIAL_RATE: Final = 1
NEGATIVE_BINOMIAL_SHAPE: Final = 2
GAMMA_MEAN: Final = 3
POISSON_RATE: Final = 4

FLAT: Final = 0
PRIOR_CODES: Final = {
    "Gamma": 1,
    "InverseGamma": 2,
    "LogNormal": 3,
    "HalfNormal": 4,
    "Exponential": 5,
    "SqrtInverseGamma": 6,
}
HELD: Final = -1
NORMAL_PRIOR: Final = 7
BETA_PRIOR: Final = 8
DIRICHLET_PRIOR: Final = 9
"""Codes of what is fixed, and of priors of parameters that are not positive, for compiled code."""

LARGEST_LOG, SMALLEST_LOG = 690.0, -690.0

MAX_STEPS = 64
"""Most widths an interval grows to; the split between left and right is random (Neal's m)."""
MAX_SHRINKS = 200
"""After so many halvings the interval is the starting point itself, to the last digit."""
NEWTON_STEPS = 40
LONGEST_STEP = 2.0
HALVINGS = 12
DIFFERENCE = 1e-3
TOLERANCE = 1e-8
STIRLING_FROM = 1e4

COMPILED = CACHED
EMPTY = np.empty((0, 0))


@dataclass(frozen=True)
class Conditional:
    """The log density of one positive parameter in every segment, without its prior.

    Attributes
    ----------
    kind
        One of the constants above.
    n, s
        As in the formulas; s is X for the negative binomial, which has no n. Shape (segment,).
    other
        The parameter of the negative binomial that is held, shape (segment,).
    values, at_value
        Distinct positive values and the customers there, (value,) and (segment, value).
    exposures, customers, events
        Distinct exposures, customers and events there, (exposure,) and (segment, exposure).
    """

    kind: int
    n: Array
    s: Array
    other: Array = field(default_factory=lambda: np.empty(0))
    values: Array = field(default_factory=lambda: np.empty(0))
    at_value: Array = field(default_factory=lambda: EMPTY)
    exposures: Array = field(default_factory=lambda: np.empty(0))
    customers: Array = field(default_factory=lambda: EMPTY)
    events: Array = field(default_factory=lambda: EMPTY)

    def data(self) -> tuple[Any, ...]:
        """Return everything as the compiled functions take it."""
        return (
            self.kind, self.n, self.s, self.other, self.values, self.at_value,
            self.exposures, self.customers, self.events,
        )  # fmt: skip

    def at(self, x: Array) -> Array:
        """Return the log density at one value per segment, shape (segment,)."""
        return density_kernel(np.asarray(x, dtype=float), self.data())


def slice_positive(
    rng: np.random.Generator,
    conditional: Conditional,
    start: Array,
    width: Array,
    prior: SegmentPrior,
) -> Array:
    """Return the next state of a chain on the positive numbers for every segment that is free.

    `width` guesses the breadth of the density of the logarithm; it must not depend on `start`,
    and changes the speed, not the target. Shapes (segment,).
    """
    start, width = (np.ascontiguousarray(x, dtype=float) for x in (start, width))
    data = conditional.data()
    return prior.hold(slice_kernel(rng, start, width, prior.free, prior_data(prior), data))


def climb_positive(
    conditional: Conditional,
    start: Array,
    prior: SegmentPrior | None,
    lower: float | Array = 1e-12,
    upper: float | Array = 1e12,
) -> Array:
    """Return where each segment's density is largest, at least as high as at `start`.

    A start outside the bounds is moved to the bound first, the one case in which the density may
    fall. Shapes (segment,).
    """
    k = len(start)
    flat = np.zeros(k, dtype=np.int64), np.zeros(k), np.zeros(k)
    coded = flat if prior is None else prior_data(prior)
    low, high = (np.broadcast_to(np.asarray(x, dtype=float), k).copy() for x in (lower, upper))
    begin = np.ascontiguousarray(start, dtype=float)
    found = climb_kernel(begin, low, high, coded, conditional.data())
    return found if prior is None else prior.hold(found)


def prior_data(prior: SegmentPrior) -> tuple[Any, Array, Array]:
    """Return each segment's prior as a code and two numbers; flat where it is fixed."""
    cached = prior.__dict__.get("_coded")
    if cached is None:
        codes = np.array([PRIOR_CODES.get(p.name, FLAT) for p in prior.priors], dtype=np.int64)
        numbers = [[*p.parameters.values(), 0.0, 0.0][:2] for p in prior.priors]
        pairs = [n if c else [0.0, 0.0] for n, c in zip(numbers, codes, strict=True)]
        table = np.array(pairs, dtype=float)
        cached = codes, np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])
        prior.__dict__["_coded"] = cached
    return cached


@njit(**COMPILED)
def log_prior(code, a, b, x):  # pragma: no cover
    """Log density of a positive number under one of the coded priors, up to a constant."""
    if code == 1:
        return (a - 1.0) * np.log(x) - b * x
    if code == 2:
        return -(a + 1.0) * np.log(x) - b / x
    if code == 3:
        return -0.5 * ((np.log(x) - a) / b) ** 2 - np.log(x)
    if code == 4:
        return -0.5 * (x / a) ** 2
    if code == 5:
        return -a * x
    if code == 6:
        return -(2.0 * a + 1.0) * np.log(x) - b / (x * x)
    return 0.0


@njit(**COMPILED)
def log_density(x, k, data):  # pragma: no cover
    """Log density of segment k's parameter at x."""
    kind, n, s, other, values, at_value, exposures, customers, events = data
    if kind == 0:
        if x > STIRLING_FROM:
            return n[k] * (0.5 * np.log(x / (2.0 * np.pi)) - 1.0 / (12.0 * x)) + x * s[k]
        return n[k] * (x * np.log(x) - x - lgamma(x)) + x * s[k]
    if kind == 3:
        return -n[k] * np.log(x) - s[k] / x
    if kind == 4:
        return n[k] * np.log(x) - s[k] * x
    rate, shape = (x, other[k]) if kind == 1 else (other[k], x)
    ratio = rate / shape
    total = s[k] * np.log(ratio)
    for e in range(len(exposures)):
        if customers[k, e] != 0.0:
            weight = customers[k, e] * shape + events[k, e]
            total -= weight * np.log1p(ratio * exposures[e])
    if kind == 2:
        base = lgamma(shape)
        for v in range(len(values)):
            if at_value[k, v] != 0.0:
                total += at_value[k, v] * (lgamma(values[v] + shape) - base)
    return total


@njit(**COMPILED)
def density_kernel(x, data):  # pragma: no cover
    """Log density of every segment, without prior."""
    out = np.empty(len(x))
    for k in range(len(x)):
        out[k] = log_density(x[k], k, data)
    return out


@njit(**COMPILED)
def height(u, jacobian, k, prior, data):  # pragma: no cover
    """Log density plus prior of segment k at e to the power of u, plus jacobian times u."""
    if u > LARGEST_LOG or u < SMALLEST_LOG:
        return -np.inf
    x = np.exp(u)
    codes, first, second = prior
    found = log_density(x, k, data) + log_prior(codes[k], first[k], second[k], x) + jacobian * u
    return -np.inf if np.isnan(found) else found


@njit(**COMPILED)
def slice_kernel(rng, start, width, free, prior, data):  # pragma: no cover
    """One slice step per free segment."""
    out = start.copy()
    for k in range(len(start)):
        if not free[k]:
            continue
        u = np.log(start[k])
        level = height(u, 1.0, k, prior, data) - rng.standard_exponential()
        left = u - width[k] * rng.random()
        right = left + width[k]
        to_left = int(MAX_STEPS * rng.random())
        to_right = MAX_STEPS - 1 - to_left
        while to_left > 0 and level < height(left, 1.0, k, prior, data):
            left -= width[k]
            to_left -= 1
        while to_right > 0 and level < height(right, 1.0, k, prior, data):
            right += width[k]
            to_right -= 1
        for _ in range(MAX_SHRINKS):
            proposal = left + (right - left) * rng.random()
            if level < height(proposal, 1.0, k, prior, data):
                out[k] = np.exp(proposal)
                break
            if proposal < u:
                left = proposal
            else:
                right = proposal
    return out


@njit(**COMPILED)
def climb_kernel(start, lower, upper, prior, data):  # pragma: no cover
    """Newton steps with central differences, halved until they go up."""
    out = start.copy()
    for k in range(len(start)):
        low, high = np.log(lower[k]), np.log(upper[k])
        u = min(max(np.log(start[k]), low), high)
        here = height(u, 0.0, k, prior, data)
        for _ in range(NEWTON_STEPS):
            above = height(u + DIFFERENCE, 0.0, k, prior, data)
            below = height(u - DIFFERENCE, 0.0, k, prior, data)
            slope = (above - below) / (2.0 * DIFFERENCE)
            curvature = (above - 2.0 * here + below) / DIFFERENCE**2
            step = -slope / curvature if curvature < 0.0 else LONGEST_STEP * np.sign(slope)
            step = min(max(step, -LONGEST_STEP), LONGEST_STEP)
            moved = 0.0
            for _ in range(HALVINGS):
                trial = min(max(u + step, low), high)
                if abs(trial - u) <= TOLERANCE:
                    break
                there = height(trial, 0.0, k, prior, data)
                if there > here:
                    moved = abs(trial - u)
                    u, here = trial, there
                    break
                step *= 0.5
            if moved <= TOLERANCE:
                break
        out[k] = np.exp(u)
    return out
