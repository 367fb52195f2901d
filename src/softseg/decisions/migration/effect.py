"""What a programme changes: customers and money beside the baseline, on the same draws.

The difference is taken in every draw before anything is averaged: what both have in common, the
uncertainty about the transitions above all, leaves it.
"""

import numpy as np
import xarray as xr

from softseg.errors import UsageError
from softseg.names import BASELINE, HORIZON, PROGRAMME, STATE
from softseg.results.migration.chain import aligned, bands
from softseg.results.migration.expected import expected


def effect(
    transition: xr.DataArray,
    present: xr.DataArray | xr.Dataset,
    *,
    value: xr.DataArray,
    discount: float = 0.0,
    inflow: xr.DataArray | None = None,
) -> xr.Dataset:
    """Return what a programme changes, with intervals.

    Parameters
    ----------
    transition, present, value, discount, inflow
        As in `effect_draws`.

    Returns
    -------
    xarray.Dataset
        The variables of `effect_draws` with the endings ``_mean``, ``_lower``, ``_upper``: those of
        the parameters; expectations given the draw, no chance of single customers. Attribute
        ``unit``, that of money.

    Raises
    ------
    UsageError
        As `effect_draws`.
    """
    draws = effect_draws(
        transition, present, value=value, discount=discount, inflow=inflow
    )  # fmt: skip
    found: dict[str, xr.DataArray] = {}
    for name, entry in draws.items():
        found |= bands(entry, str(name))
    return xr.Dataset(found, attrs=draws.attrs)


def effect_draws(
    transition: xr.DataArray,
    present: xr.DataArray | xr.Dataset,
    *,
    value: xr.DataArray,
    discount: float = 0.0,
    inflow: xr.DataArray | None = None,
) -> xr.Dataset:
    """Return what a programme changes, of every draw.

    Parameters
    ----------
    transition
        From `programme`, (programme, sample, horizon, state, state_to).
    present
        Customers of today, (sample, state) or (state), or the sums of `present` over blocks, whose
        levels then weigh the money.
    value
        Money per customer and period, (sample, state) or (state); attribute ``unit``.
    discount
        Rate per period, ≥ 0, to the present.
    inflow
        New customers, the same in both, (sample, state) or (sample, horizon, state).

    Returns
    -------
    xarray.Dataset
        ``customers`` (programme, sample, horizon, state), ``money`` (programme, sample, horizon);
        ``customers_gained`` and ``money_gained``, programme less baseline; ``total_gained``
        (sample), the discounted sum over all horizons.

    Raises
    ------
    UsageError
        Where transitions are not those of a programme, the rate is negative, or draws, states and
        horizons do not fit.
    """
    if PROGRAMME not in transition.dims or HORIZON not in transition.dims:
        raise UsageError(
            f"Give the transitions that `programme` returns: expected the dims {PROGRAMME!r} and "
            f"{HORIZON!r}, got {list(transition.dims)}."
        )
    if not discount >= 0.0:
        raise UsageError(f"Give a discount rate of at least 0 per period, got {discount}.")
    horizon = int(transition.sizes[HORIZON])
    number = present if isinstance(present, xr.DataArray) else present["customers"]
    number = aligned(number, transition, "the present customers")
    weight = number
    if isinstance(present, xr.Dataset):
        weight = aligned(present["levels"], transition, "the present customers")
    worth = aligned(value, transition, "the value")
    new = None if inflow is None else aligned(inflow, transition, "the inflow")
    customers = expected(transition, number, horizon=horizon, inflow=new)
    weighted = expected(transition, weight, horizon=horizon, inflow=new)
    money = xr.dot(weighted, worth, dim=STATE)
    found = xr.Dataset({"customers": customers, "money": money})
    gained = found.sel({PROGRAMME: PROGRAMME}, drop=True) - found.sel(
        {PROGRAMME: BASELINE}, drop=True
    )  # fmt: skip
    rate = (1.0 + discount) ** -xr.DataArray(np.arange(horizon + 1.0), dims=HORIZON)
    found = found.assign(
        customers_gained=gained["customers"],
        money_gained=gained["money"],
        total_gained=(gained["money"] * rate).sum(HORIZON),
    )
    return found.transpose(PROGRAMME, ..., HORIZON, STATE).assign_attrs(
        unit=str(value.attrs.get("unit", ""))
    )
