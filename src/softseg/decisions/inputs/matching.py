"""Parameters of distributions whose quantiles are the given ones, exactly.

A range says F(low) = t and F(high) = 1 − t with the tail t = (1 − sure) / 2. Three points say in
addition where the mode is. Each solver returns the parameters by name, in the units of the range:

- Normal, lognormal, uniform: closed forms.
- Gamma: the ratio of the two quantiles does not depend on the scale and falls with the shape, so
  that the shape is one root.
- Beta: two equations, solved by Newton's method for the location (log odds) and the logarithm of
  α + β; the equations are written as normal scores, in which they are nearly linear.
- Triangular and PERT: with the mode at the share μ of the way from the lower to the upper limit,
  (mode − low) / (high − low) depends on μ alone, which is one root; the width follows. PERT is the
  Beta distribution with α = 1 + 4 μ, β = 5 − 4 μ between the limits, whose mean is
  (lower limit + 4 · mode + upper limit) / 6.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from scipy.optimize import brentq
from scipy.special import betainc, betaincc, betaincinv, expit, ndtri

from softseg.decisions.inputs.scores import log_gamma_quantile
from softseg.families.base import Array

CLOSE: Final = 1e-12
"""Newton's method stops when both normal scores are met as well as this."""
GOOD: Final = 1e-8
"""With more than this left, it starts again from the best of a grid."""
STEPS: Final = 100
LOG_SHAPES: Final = (-14.0, 36.0)
"""Where the logarithm of a Gamma shape is looked for."""
LOG_GRID: Final = np.linspace(-12.0, 12.0, 49)
XTOL, RTOL = 1e-15, 4.0 * np.finfo(float).eps


def match(
    family: str, low: float, high: float, sure: float, likely: float | None = None
) -> dict[str, float]:
    """Return the parameters of the family with these quantiles.

    Parameters
    ----------
    family
        A key of `RANGES`, or of `POINTS`, which need `likely`.
    low, high
        The quantiles at (1 − sure) / 2 and (1 + sure) / 2.
    sure
        Probability between them; 1 makes them the limits of families that have limits.
    likely
        The mode.

    Raises
    ------
    ArithmeticError
        Where no parameters within the reach of floating point do.
    """
    tail = 0.5 * (1.0 - sure)
    if family not in POINTS:
        return RANGES[family](low, high, tail)
    if likely is None:
        raise ArithmeticError("Give the mode of a distribution of three points.")
    if tail == 0.0:
        return {"low": low, "likely": likely, "high": high}
    return _limits(POINTS[family], low, likely, high, tail)


def normal(low: float, high: float, tail: float) -> dict[str, float]:
    """Return mean and standard deviation."""
    return {"mu": 0.5 * (low + high), "sigma": 0.5 * (high - low) / _score(tail)}


def lognormal(low: float, high: float, tail: float) -> dict[str, float]:
    """Return mean and standard deviation of the logarithm."""
    width = np.log1p((high - low) / low)
    return {"mu": float(np.log(low) + 0.5 * width), "sigma": float(0.5 * width / _score(tail))}


def uniform(low: float, high: float, tail: float) -> dict[str, float]:
    """Return the limits."""
    beyond = tail * (high - low) / (1.0 - 2.0 * tail)
    return {"low": low - beyond, "high": high + beyond}


def gamma(low: float, high: float, tail: float) -> dict[str, float]:
    """Return shape and scale."""
    scores = np.array([-1.0, 1.0]) * _score(tail)
    ratio = np.log1p((high - low) / low)

    def gap(log_shape: float) -> float:
        lower, upper = log_gamma_quantile(np.exp(log_shape), scores)
        return upper - lower - ratio

    shape = float(np.exp(_root(gap, *LOG_SHAPES)))
    lower, upper = log_gamma_quantile(shape, scores)
    log_scale = 0.5 * (np.log(low) + np.log(high) - lower - upper)
    return {"shape": shape, "scale": float(np.exp(log_scale))}


def beta(low: float, high: float, tail: float) -> dict[str, float]:
    """Return α and β on (0, 1)."""
    score = _score(tail)

    def gap(a: Array, b: Array) -> Array:
        lower, upper = ndtri(betainc(a, b, low)), -ndtri(betaincc(a, b, high))
        return np.stack([lower + score, upper - score], axis=-1)

    below, above = np.log(low / (1.0 - low)), np.log(high / (1.0 - high))
    centre, spread = 0.5 * (below + above), 0.5 * (above - below) / score
    # as if the log odds were normal: 1/α + 1/β is their variance
    log_sum = -np.log(spread**2 * expit(centre) * expit(-centre))

    def shapes(place: Array) -> tuple[Array, Array]:
        odds, both = spread * place[..., 0], np.exp(place[..., 1])
        return both * expit(odds), both * expit(-odds)

    place, error = _newton(lambda x: gap(*shapes(x)), np.array([centre / spread, log_sum]))
    a, b = shapes(place)
    if not error < GOOD:
        a, b = _beta_from_grid(gap)
    return {"alpha": float(a), "beta": float(b)}


def _beta_from_grid(gap: Callable[[Array, Array], Array]) -> tuple[Array, Array]:
    """Return shapes for very wide and lopsided ranges, starting from the best of a grid."""
    logs = np.stack(np.meshgrid(LOG_GRID, LOG_GRID), axis=-1).reshape(-1, 2)
    with np.errstate(all="ignore"):
        errors = np.max(np.abs(gap(*np.exp(logs.T))), axis=1)
    best = logs[np.nanargmin(errors)]
    place, _ = _newton(lambda x: gap(np.exp(x[..., 0]), np.exp(x[..., 1])), best)
    return np.exp(place[0]), np.exp(place[1])


def _score(tail: float) -> float:
    return -float(ndtri(tail))


def _root(gap: Callable[[float], float], low: float, high: float) -> float:
    ends = gap(low), gap(high)
    if not (np.isfinite(ends).all() and ends[0] * ends[1] <= 0.0):
        raise ArithmeticError("Widen the bracket: the function has one sign at both ends.")
    return float(brentq(gap, low, high, xtol=XTOL, rtol=RTOL))  # pyright: ignore[reportArgumentType]


STENCIL: Final = 1e-4 * np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
LARGEST_STEP: Final = np.array([4.0, 2.0])
SMALLEST_STEP: Final = 1e-11


def _newton(gap: Callable[[Array], Array], place: Array) -> tuple[Array, float]:
    """Return a zero of two functions by damped Newton steps, and the largest value left."""
    with np.errstate(all="ignore"):
        here, step = _step(gap, place)
        for _ in range(STEPS):
            if here < CLOSE or not np.max(np.abs(step)) > SMALLEST_STEP:
                break
            there, next_step = _step(gap, place + step)
            if there < here:
                place, here, step = place + step, there, next_step
            else:
                step = 0.5 * step
    return place, here


def _step(gap: Callable[[Array], Array], place: Array) -> tuple[float, Array]:
    """Return the largest value of two functions and the Newton step, by central differences."""
    (f, g), (f1, g1), (f2, g2), (f3, g3), (f4, g4) = gap(place + STENCIL).tolist()
    f_x, f_y, g_x, g_y = f1 - f2, f3 - f4, g1 - g2, g3 - g4
    determinant = (f_x * g_y - f_y * g_x) / (2.0 * STENCIL[1, 0])
    if not (abs(determinant) > 0.0 and np.isfinite(determinant)):
        return float("inf"), np.zeros(2)
    step = np.array([f_y * g - g_y * f, g_x * f - f_x * g]) / determinant
    return max(abs(f), abs(g)), step / max(1.0, np.max(np.abs(step) / LARGEST_STEP))


type Standard = Callable[[float, float], tuple[float, float]]
"""From mode and tail to the two quantiles of the distribution between 0 and 1."""


def _triangular(mode: float, tail: float) -> tuple[float, float]:
    # the branches on which the mode lies between the two quantiles, which is where it is
    return np.sqrt(tail * mode), 1.0 - np.sqrt(tail * (1.0 - mode))


def _pert(mode: float, tail: float) -> tuple[float, float]:
    a, b = 1.0 + 4.0 * mode, 5.0 - 4.0 * mode
    return float(betaincinv(a, b, tail)), 1.0 - float(betaincinv(b, a, tail))


def _limits(
    standard: Standard, low: float, likely: float, high: float, tail: float
) -> dict[str, float]:
    share = (likely - low) / (high - low)

    def gap(mode: float) -> float:
        lower, upper = standard(mode, tail)
        return (mode - lower) - share * (upper - lower)

    # _triangular holds for modes from `tail` to 1 − `tail`, where the gap changes its sign
    mode = _root(gap, *((tail, 1.0 - tail) if standard is _triangular else (0.0, 1.0)))
    lower, upper = standard(mode, tail)
    width = (high - low) / (upper - lower)
    return {
        "low": low - lower * width,
        "likely": likely,
        "high": high + (1.0 - upper) * width,
    }


RANGES: Final[Mapping[str, Callable[[float, float, float], dict[str, float]]]] = {
    "normal": normal,
    "lognormal": lognormal,
    "uniform": uniform,
    "gamma": gamma,
    "beta": beta,
}
POINTS: Final[Mapping[str, Standard]] = {"triangular": _triangular, "pert": _pert}
