"""The probability that a customer of a segment buys, from an indicator of purchases."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import xarray as xr

from softseg.checks import one_of
from softseg.errors import UsageError


def bought(
    family: str,
    parameters: Mapping[str, xr.DataArray],
    *,
    exposure: float = 1.0,
    nothing: str | int | None = None,
) -> xr.DataArray:
    """Return the probability of buying, (sample, segment), from draws of a profile.

    Parameters
    ----------
    family
        ``bernoulli`` or ``hurdle_lognormal``: the probability itself; ``poisson`` or
        ``negative_binomial``: that of a count above 0; ``categorical``: that of any level but
        `nothing`.
    parameters
        Draws of the family's parameters by name, (sample, segment) or, for a categorical
        indicator, with one dim more for the levels.
    exposure
        Of a count, in the unit of its rate.
    nothing
        Label of the level that stands for no purchase.

    Raises
    ------
    UsageError
        Where the family has no such probability or the level is not one of its own.
    """
    one_of(family, "the family of the indicator", (*_WAYS, "categorical"))
    if family != "categorical":
        return _WAYS[family](parameters, exposure)
    p = parameters["probability"]
    dims = [d for d in p.dims if str(d).endswith("_level")]
    levels = list(p[dims[0]].values) if dims else []
    if nothing not in levels:
        raise UsageError(
            f"Name the level that stands for no purchase out of {levels}, got {nothing!r}."
        )
    return 1.0 - p.sel({dims[0]: nothing}, drop=True)


def _share(parameters: Mapping[str, xr.DataArray], _: float) -> xr.DataArray:
    return parameters["probability"]


def _poisson(parameters: Mapping[str, xr.DataArray], exposure: float) -> xr.DataArray:
    return _above_zero(parameters["rate"] * exposure)


def _negative_binomial(parameters: Mapping[str, xr.DataArray], exposure: float) -> xr.DataArray:
    mean, shape = parameters["rate"] * exposure, parameters["shape"]
    return _above_zero(shape * xr.apply_ufunc(np.log1p, mean / shape))


def _above_zero(x: xr.DataArray) -> xr.DataArray:
    return xr.apply_ufunc(lambda y: -np.expm1(-y), x)


_WAYS: Final[Mapping[str, Callable[[Mapping[str, xr.DataArray], float], xr.DataArray]]] = {
    "bernoulli": _share,
    "hurdle_lognormal": _share,
    "poisson": _poisson,
    "negative_binomial": _negative_binomial,
}
