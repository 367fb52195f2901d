"""One slice step for many segments at once, for conditionals without a closed form.

Stepping out and shrinkage of Neal (2003), "Slice sampling", Annals of Statistics 31, figures 3
and 5. Every segment has its own univariate density; they advance together, because one call of
the log density serves them all.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_STEPS = 64
"""Most widths an interval grows to; the split between left and right is random (Neal's m)."""
MAX_SHRINKS = 200
"""After so many halvings the interval is the starting point itself, to the last digit."""


def slice_step(
    rng: np.random.Generator,
    log_density: Callable[[Array], Array],
    start: Array,
    width: Array | float = 1.0,
    active: NDArray[np.bool_] | None = None,
) -> Array:
    """Return the next state of a chain on the whole real line for every segment.

    Parameters
    ----------
    rng
        Source of randomness; the same state gives the same step.
    log_density
        Maps states of shape (segment,) to log densities of shape (segment,), up to a constant.
    start
        Present states, shape (segment,), with a finite log density.
    width
        Guess of the density's breadth; must not depend on `start`. It changes speed, not the
        target.
    active
        Segments that move; the others stay at `start`.
    """
    start = np.asarray(start, dtype=float)
    n = len(start)
    moving = np.ones(n, dtype=bool) if active is None else active
    if not moving.any():
        return start.copy()
    level = log_density(start) - rng.standard_exponential(n)
    left = start - width * rng.random(n)
    right = left + width
    steps_left = np.floor(MAX_STEPS * rng.random(n))
    steps_right = MAX_STEPS - 1.0 - steps_left
    left = _step_out(log_density, left, -width, steps_left, level, moving)
    right = _step_out(log_density, right, width, steps_right, level, moving)
    return _shrink(rng, log_density, start, left, right, level, moving)


def positive_slice_step(
    rng: np.random.Generator,
    log_density: Callable[[Array], Array],
    start: Array,
    width: Array | float = 1.0,
    active: NDArray[np.bool_] | None = None,
) -> Array:
    """Return the next state of a chain on the positive numbers for every segment.

    `log_density` is the density of the positive quantity itself; the step is taken on its
    logarithm, Jacobian included, and `width` is measured there. Shapes as in `slice_step`.
    """

    def on_log_scale(u: Array) -> Array:
        return log_density(np.exp(u)) + u

    return np.exp(slice_step(rng, on_log_scale, np.log(start), width, active))


def _step_out(
    log_density: Callable[[Array], Array],
    edge: Array,
    step: Array | float,
    budget: Array,
    level: Array,
    moving: NDArray[np.bool_],
) -> Array:
    while True:
        grows = moving & (budget > 0) & (log_density(edge) > level)
        if not grows.any():
            return edge
        edge = np.where(grows, edge + step, edge)
        budget = budget - grows


def _shrink(
    rng: np.random.Generator,
    log_density: Callable[[Array], Array],
    start: Array,
    left: Array,
    right: Array,
    level: Array,
    moving: NDArray[np.bool_],
) -> Array:
    state, waiting = start.copy(), moving.copy()
    for _ in range(MAX_SHRINKS):
        proposal = np.where(waiting, left + (right - left) * rng.random(len(start)), state)
        accepted = waiting & (log_density(proposal) > level)
        state = np.where(accepted, proposal, state)
        waiting &= ~accepted
        if not waiting.any():
            break
        left = np.where(waiting & (proposal < start), proposal, left)
        right = np.where(waiting & (proposal >= start), proposal, right)
    return state
