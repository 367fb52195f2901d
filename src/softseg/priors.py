"""Priors as plain specifications: a name and numbers, nothing that samples by itself.

The conjugate updates, the EM steps and the PyMC graph all read the same `Prior`. The names and
parametrisations are those of PyMC, with two of our own: ``SqrtInverseGamma`` (the distribution of
a standard deviation whose square is inverse-Gamma) and ``Fixed`` (a value that is not estimated).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, xlog1py, xlogy

from softseg.errors import SchemaError

Array = NDArray[np.float64]

FIXED: Final = "Fixed"
LOG_ROOT_2PI: Final = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True)
class Distribution:
    """One distribution a prior may name: its parameters, log density and generator.

    `log_density(x, **parameters)` and `draw(rng, size, **parameters)` broadcast as NumPy does;
    for the Dirichlet the last axis runs over the levels.
    """

    parameters: tuple[str, ...]
    support: str
    log_density: Callable[..., Array]
    draw: Callable[..., Array]


def _dirichlet_log_density(x: Array, alpha: Array) -> Array:
    x, alpha = np.broadcast_arrays(x, alpha)
    normaliser = gammaln(alpha.sum(-1)) - gammaln(alpha).sum(-1)
    powers = np.where(alpha == 1.0, 0.0, (alpha - 1.0) * np.log(np.maximum(x, 1e-300)))
    return normaliser + powers.sum(-1)


def _inverse_gamma_log_density(x: Array, alpha: Array, beta: Array) -> Array:
    return alpha * np.log(beta) - gammaln(alpha) - (alpha + 1.0) * np.log(x) - beta / x


def _dirichlet_draw(rng: np.random.Generator, size: tuple[int, ...], alpha: Array) -> Array:
    heights = rng.standard_gamma(np.broadcast_to(alpha, size))
    heights = np.maximum(heights, 1e-300)
    return heights / heights.sum(-1, keepdims=True)


DISTRIBUTIONS: Final[Mapping[str, Distribution]] = {
    "Normal": Distribution(
        ("mu", "sigma"),
        "real",
        lambda x, mu, sigma: -0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma) - LOG_ROOT_2PI,
        lambda rng, size, mu, sigma: rng.normal(mu, sigma, size),
    ),
    "HalfNormal": Distribution(
        ("sigma",),
        "positive",
        lambda x, sigma: np.log(2.0) - 0.5 * (x / sigma) ** 2 - np.log(sigma) - LOG_ROOT_2PI,
        lambda rng, size, sigma: np.abs(rng.normal(0.0, sigma, size)),
    ),
    "LogNormal": Distribution(
        ("mu", "sigma"),
        "positive",
        lambda x, mu, sigma: (
            -0.5 * ((np.log(x) - mu) / sigma) ** 2 - np.log(sigma) - LOG_ROOT_2PI - np.log(x)
        ),
        lambda rng, size, mu, sigma: rng.lognormal(mu, sigma, size),
    ),
    "Gamma": Distribution(
        ("alpha", "beta"),
        "positive",
        lambda x, alpha, beta: (
            alpha * np.log(beta) - gammaln(alpha) + xlogy(alpha - 1.0, x) - beta * x
        ),
        lambda rng, size, alpha, beta: rng.gamma(alpha, 1.0 / np.asarray(beta), size),
    ),
    "InverseGamma": Distribution(
        ("alpha", "beta"),
        "positive",
        _inverse_gamma_log_density,
        lambda rng, size, alpha, beta: beta / rng.gamma(alpha, 1.0, size),
    ),
    "SqrtInverseGamma": Distribution(
        ("alpha", "beta"),
        "positive",
        lambda x, alpha, beta: (
            _inverse_gamma_log_density(np.square(x), alpha, beta) + np.log(2.0 * x)
        ),
        lambda rng, size, alpha, beta: np.sqrt(beta / rng.gamma(alpha, 1.0, size)),
    ),
    "Exponential": Distribution(
        ("lam",),
        "positive",
        lambda x, lam: np.log(lam) - lam * x,
        lambda rng, size, lam: rng.exponential(1.0 / np.asarray(lam), size),
    ),
    "Beta": Distribution(
        ("alpha", "beta"),
        "unit",
        lambda x, alpha, beta: (
            xlogy(alpha - 1.0, x) + xlog1py(beta - 1.0, -x) - betaln(alpha, beta)
        ),
        lambda rng, size, alpha, beta: rng.beta(alpha, beta, size),
    ),
    "Dirichlet": Distribution(("alpha",), "simplex", _dirichlet_log_density, _dirichlet_draw),
}


@dataclass(frozen=True)
class Prior:
    """One prior: the name of a distribution and its numbers, the same for every segment.

    Parameters
    ----------
    name
        A name in `DISTRIBUTIONS`, or ``"Fixed"``.
    **parameters
        The distribution's parameters under PyMC's names; ``value`` for ``"Fixed"``. A sequence is
        read over the levels of a categorical indicator.

    Examples
    --------
    >>> Prior("Normal", mu=0.0, sigma=2.0)
    Prior("Normal", mu=0.0, sigma=2.0)
    """

    name: str
    parameters: Mapping[str, float | tuple[float, ...]]

    def __init__(self, name: str, **parameters: float | Sequence[float]) -> None:
        expected = ("value",) if name == FIXED else _distribution(name).parameters
        if set(parameters) != set(expected):
            raise SchemaError(
                f"Give the prior {name!r} exactly the parameters {list(expected)}, "
                f"got {sorted(parameters)}."
            )
        frozen = {key: _number(value) for key, value in parameters.items()}
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "parameters", frozen)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{key}={value!r}" for key, value in self.parameters.items())
        return f'Prior("{self.name}", {numbers})'


@dataclass(frozen=True, eq=False)
class SegmentPrior:
    """The prior of one parameter, spelled out for every segment.

    Attributes
    ----------
    name
        Distribution of the segments that are not fixed; ``"Fixed"`` where all are,
        ``"Mixed"`` where segments name different distributions.
    parameters
        The distribution's numbers, each of shape (segment,) or (segment, level); NaN where a
        segment is fixed.
    fixed
        The fixed values, NaN where a segment is free; shape (segment,) or (segment, level).
    priors
        The priors as given, one per segment.
    """

    name: str
    parameters: Mapping[str, Array]
    fixed: Array
    priors: tuple[Prior, ...]

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Which segments are estimated, shape (segment,)."""
        values = self.fixed if self.fixed.ndim == 1 else self.fixed[:, 0]
        return np.isnan(values)

    @property
    def exchangeable(self) -> bool:
        """Whether every segment has the same prior, so that labels carry no meaning."""
        return all(prior == self.priors[0] for prior in self.priors[1:])

    @cached_property
    def all_free(self) -> bool:
        """Whether no segment is fixed."""
        return bool(np.isnan(self.fixed).all())

    def hold(self, values: Array) -> Array:
        """Return the values with the fixed ones put in their places."""
        if self.all_free:
            return values
        return np.where(np.isnan(self.fixed), values, self.fixed)

    def log_density(self, values: Array) -> Array:
        """Return the log density of each segment's value, 0 where it is fixed; (segment,)."""
        if self.name == FIXED:
            return np.zeros(len(self.priors))
        if self.name == "Mixed":
            pairs = zip(self.priors, values, strict=True)
            return np.array([log_density(prior, value) for prior, value in pairs])
        density = DISTRIBUTIONS[self.name].log_density(values, **self.parameters)
        return density if self.all_free else np.where(self.free, density, 0.0)

    def draw(self, rng: np.random.Generator) -> Array:
        """Return one draw for every segment, shape (segment,) or (segment, level)."""
        rows = [_draw_one(prior, rng, self.fixed.shape[1:]) for prior in self.priors]
        return np.stack(rows)


def for_segments(
    priors: Prior | Sequence[Prior], n_segments: int, n_levels: int | None = None
) -> SegmentPrior:
    """Return the prior of one parameter spelled out for every segment.

    Parameters
    ----------
    priors
        One prior for all segments, or one per segment.
    n_segments
        Number of segments.
    n_levels
        Number of levels where the parameter runs over levels, None where it does not.

    Raises
    ------
    SchemaError
        Where the number of priors is not the number of segments.
    """
    given = (priors,) * n_segments if isinstance(priors, Prior) else tuple(priors)
    if len(given) != n_segments:
        raise SchemaError(
            f"Give one prior for all segments or one per segment: expected {n_segments}, "
            f"got {len(given)}."
        )
    shape = () if n_levels is None else (n_levels,)
    names = {prior.name for prior in given if prior.name != FIXED}
    name = FIXED if not names else names.pop() if len(names) == 1 else "Mixed"
    fixed = np.stack([_spread(p.parameters.get("value", np.nan), shape) for p in given])
    keys = () if name in (FIXED, "Mixed") else DISTRIBUTIONS[name].parameters
    wide = shape if name == "Dirichlet" else ()
    parameters = {
        key: np.stack([_spread(p.parameters.get(key, np.nan), wide) for p in given]) for key in keys
    }
    return SegmentPrior(name, parameters, fixed, given)


def log_density(prior: Prior, value: Any) -> float:
    """Return the log density of one value under one prior, 0 under ``"Fixed"``."""
    if prior.name == FIXED:
        return 0.0
    parameters = {key: np.asarray(number) for key, number in prior.parameters.items()}
    return float(DISTRIBUTIONS[prior.name].log_density(np.asarray(value), **parameters))


def _draw_one(prior: Prior, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    if prior.name == FIXED:
        return _spread(prior.parameters["value"], shape)
    parameters = {key: np.asarray(number) for key, number in prior.parameters.items()}
    return np.asarray(DISTRIBUTIONS[prior.name].draw(rng, shape, **parameters))


def _distribution(name: str) -> Distribution:
    if name not in DISTRIBUTIONS:
        known = [*sorted(DISTRIBUTIONS), FIXED]
        raise SchemaError(f"Choose a prior distribution out of {known}, got {name!r}.")
    return DISTRIBUTIONS[name]


def _number(value: float | Sequence[float]) -> float | tuple[float, ...]:
    if isinstance(value, int | float | np.floating | np.integer):
        return float(value)
    return tuple(float(number) for number in value)


def _spread(value: Any, shape: tuple[int, ...]) -> Array:
    return np.broadcast_to(np.asarray(value, dtype=float), shape).copy()
