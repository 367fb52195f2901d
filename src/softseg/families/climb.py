"""One maximisation per segment, all segments at once: Newton steps that never go down.

For the M step of parameters without a closed form. Derivatives are central differences, so that
any prior can be added to the objective.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DIFFERENCE = 1e-3
LONGEST_STEP = 2.0
HALVINGS = 12
STEPS = 40
TOLERANCE = 1e-8


def climb(
    objective: Callable[[Array], Array], start: Array, lower: float | Array, upper: float | Array
) -> Array:
    """Return where each segment's objective is largest, at least as high as at `start`.

    Parameters
    ----------
    objective
        Maps shape (segment,) to shape (segment,).
    start
        Starting points, shape (segment,).
    lower, upper
        Bounds of the search; a start outside is moved to the bound first, which is the one case
        in which the objective may fall.
    """
    u = np.clip(np.asarray(start, dtype=float), lower, upper)
    height = objective(u)
    for _ in range(STEPS):
        step = _newton_step(objective, u, height)
        u_new, height_new = _backtrack(objective, u, height, step, lower, upper)
        moved = np.abs(u_new - u)
        u, height = u_new, height_new
        if not (moved > TOLERANCE).any():
            break
    return u


def climb_positive(
    objective: Callable[[Array], Array],
    start: Array,
    lower: float | Array = 1e-12,
    upper: float | Array = 1e12,
) -> Array:
    """Return `climb` of a positive quantity, steps taken on its logarithm (no Jacobian)."""
    u = climb(lambda u: objective(np.exp(u)), np.log(start), np.log(lower), np.log(upper))
    return np.exp(u)


def _newton_step(objective: Callable[[Array], Array], u: Array, height: Array) -> Array:
    above, below = objective(u + DIFFERENCE), objective(u - DIFFERENCE)
    slope = (above - below) / (2.0 * DIFFERENCE)
    curvature = (above - 2.0 * height + below) / DIFFERENCE**2
    concave = curvature < 0.0
    step = np.where(
        concave, -slope / np.where(concave, curvature, -1.0), LONGEST_STEP * np.sign(slope)
    )
    return np.clip(step, -LONGEST_STEP, LONGEST_STEP)


def _backtrack(
    objective: Callable[[Array], Array],
    u: Array,
    height: Array,
    step: Array,
    lower: float | Array,
    upper: float | Array,
) -> tuple[Array, Array]:
    best, best_height = u, height
    open_ = np.abs(step) > TOLERANCE
    for _ in range(HALVINGS):
        if not open_.any():
            break
        trial = np.where(open_, np.clip(u + step, lower, upper), best)
        trial_height = objective(trial)
        better = open_ & (trial_height > best_height)
        best = np.where(better, trial, best)
        best_height = np.where(better, trial_height, best_height)
        open_ &= ~better
        step = 0.5 * step
    return best, best_height
