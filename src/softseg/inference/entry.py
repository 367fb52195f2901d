"""NUTS at the speed of the kernel: a mixture's log posterior as one C function for any table.

The function and what it calls are compiled once and kept on disk. Schema, priors and patterns
reach it as arrays (`softseg.models.plan`) through the table of pointers of
`softseg.inference.native`, so that no data set costs a compilation, and no step costs Python.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numba import carray, cfunc, njit  # pyright: ignore[reportPrivateImportUsage]
from threadpoolctl import threadpool_limits

from softseg.compiled import CACHED, ENTRY
from softseg.families.base import Array
from softseg.inference.curvature import summit
from softseg.inference.native import (
    CENTRE,
    DENSITY,
    FACTOR,
    FINE,
    FIRST,
    POINT,
    Affine,
    Density,
    begin,
    evaluate,
    judged,
    model_of,
    moved,
    obstacle,
    shape_at,
    turned,
)
from softseg.inference.space import Space, posterior_kernel
from softseg.likelihood.joined import Joined
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values
from softseg.models.plan import Plan, compilable

PARTS, CODING, CELLS, VALUE_OF, EXPOSURE_OF, VALUES, EXPOSURES, OBSERVED, OBSERVED_TABLE = range(
    FIRST, FIRST + 9
)
SUPPORT, WIDTH, SHIFT, UNIT, PRIOR, PRIOR_A, PRIOR_B, FIXED, SHARE_ALPHA, SHARE_FIXED = range(
    FIRST + 9, FIRST + 19
)
COORDINATE, DENSE, CODES, CODE_PARTS, COUNT = range(FIRST + 19, FIRST + 24)
"""Places in the table of pointers: the fields of a `Plan` in their order, then the patterns."""


CLOSE: Final = 1e-9
"""Relative difference at most between the C function and the space it stands for."""


class NotNative(Exception):
    """The native entry cannot be used, for the reason in words."""


@dataclass(frozen=True)
class Native:
    """A mixture's posterior behind nutpie's native entry."""

    space: Space
    density: Density
    reason: str = ""

    name = "native"

    def point(self, values: Values) -> Array:
        """Return the point of parameters inside their ranges, (coordinate,)."""
        return self.space.point(values)

    def begin(
        self, first: Array, seed: int, settings: Mapping[str, Any], note: Callable[[Any], None]
    ) -> Any:
        """Return a running chain, in coordinates that are round at the mode near its start."""
        # one thread: the last digits of the metric must not depend on the number of cores
        with threadpool_limits(1, user_api="blas"):
            top = summit(self.space, first)
            affine = Affine.at(top.point, top.covariance)
        return begin(self.density, affine, first, seed=seed, settings=settings, note=note)

    def read(self, draws: dict[str, Array], cores: int) -> tuple[Values, Array]:
        """Return values and log-likelihood (draw,) of one chain's draws."""
        _, likelihood = self.space.log_densities(draws[POINT], cores)
        return self.space.values(draws[POINT]), likelihood


def refusal(mixture: Mixture) -> str:
    """Return why the native entry does not serve a mixture, an empty text where it does."""
    if problem := obstacle():
        return problem
    if not compilable(mixture):
        slow = [name for name, member in mixture.families.items() if not member.kinds]
        return f"the families of {', '.join(slow)} have no compiled form"
    return ""


def native_of(statistics: Statistics, mixture: Mixture, start: Values) -> Native:
    """Return a mixture's posterior behind the native entry, tried at a start.

    Parameters
    ----------
    start
        Parameters inside their ranges. The C function must agree there with `Space`.

    Raises
    ------
    NotNative
        Where nutpie is not the version that is known, a family has no compiled form, or anything
        turns out otherwise than this file expects.
    """
    if problem := refusal(mixture):
        raise NotNative(problem)
    try:
        space = Space.of(mixture, statistics)
        point = space.point(start)
        density, affine = density_of(space), Affine.identity(space.size)
        model_of(density, affine, point)
        value, gradient, status = evaluate(density, affine, point)
    except Exception as error:
        raise NotNative(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}") from error
    known, slope = space.log_posterior(point)
    apart = abs(value + space.constant - known) / (1.0 + abs(known))
    apart = max(apart, float(np.max(np.abs(gradient - slope) / (1.0 + np.abs(slope)))))
    if status != FINE or not apart < CLOSE:
        raise NotNative(f"the C function differs from the density by {apart:.2g} of its size")
    return Native(space, density)


def density_of(space: Space) -> Density:
    """Return the density of a mixture in the coordinates of its space, up to `Space.constant`.

    The first call in a process loads the machine code, and makes it where none is kept.
    """
    s = space.statistics
    arrays = (*space.plan, space.coordinate, s.dense, *s.joined, s.count)
    return Density(entry(), tuple(np.atleast_1d(array) for array in arrays), space.size)


@cache
def entry() -> Any:
    """Return the C function of `density`."""
    return cfunc(DENSITY, **ENTRY)(density)


@njit(**CACHED)
def reals(table, place):  # pragma: no cover
    """The vector of floats at a place."""
    return carray(table[place], (shape_at(table, place)[0],), np.float64)


@njit(**CACHED)
def real_matrix(table, place):  # pragma: no cover
    """The matrix of floats at a place."""
    return carray(table[place], shape_at(table, place), np.float64)


@njit(**CACHED)
def integers(table, place):  # pragma: no cover
    """The vector of integers at a place."""
    return carray(table[place], (shape_at(table, place)[0],), np.int64)


@njit(**CACHED)
def integer_matrix(table, place):  # pragma: no cover
    """The matrix of integers at a place."""
    return carray(table[place], shape_at(table, place), np.int64)


@njit(**CACHED)
def plan_at(table):  # pragma: no cover
    """The plan."""
    return Plan(
        integer_matrix(table, PARTS),
        real_matrix(table, CODING),
        real_matrix(table, CELLS),
        integers(table, VALUE_OF),
        integers(table, EXPOSURE_OF),
        reals(table, VALUES),
        reals(table, EXPOSURES),
        real_matrix(table, OBSERVED),
        integers(table, OBSERVED_TABLE)[0],
        integers(table, SUPPORT),
        integers(table, WIDTH),
        reals(table, SHIFT),
        reals(table, UNIT),
        integer_matrix(table, PRIOR),
        real_matrix(table, PRIOR_A),
        real_matrix(table, PRIOR_B),
        real_matrix(table, FIXED),
        reals(table, SHARE_ALPHA),
        reals(table, SHARE_FIXED),
    )


def density(size, position, gradient, value, table):  # pragma: no cover
    """Write the log density at a position y and its gradient; return the status."""
    n = np.int64(size)
    centre = reals(table, CENTRE)
    factor = real_matrix(table, FACTOR)
    whole: Any = (n,)
    point, slope, out = np.empty(n), np.empty(n), carray(gradient, whole)
    moved(carray(position, whole), centre, factor, point)
    codes = carray(table[CODES], shape_at(table, CODES), np.int32)
    value[0] = posterior_kernel(
        point,
        slope,
        plan_at(table),
        integer_matrix(table, COORDINATE),
        real_matrix(table, DENSE),
        Joined(codes, integer_matrix(table, CODE_PARTS)),
        reals(table, COUNT),
    )
    turned(slope, factor, out)
    return judged(value[0], out)
