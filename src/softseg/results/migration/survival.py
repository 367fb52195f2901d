"""How long customers stay: survival per segment, time to churn, the mix of those who stay."""

import numpy as np
import xarray as xr

from softseg.families.base import Array
from softseg.names import HORIZON, STATE
from softseg.results.migration.absorbing import periods_to_churn, quasi_stationary
from softseg.results.migration.chain import bands, need_churned, powers, state_names

QUANTILES = {"lower": 0.05, "median": 0.5, "upper": 0.95}


def survival(transition: xr.DataArray, *, horizon: int) -> xr.Dataset:
    """Return how long customers stay, by their present segment.

    Parameters
    ----------
    transition
        Draws, (sample, state, state_to); the last state is churned.
    horizon
        How many periods to look ahead, ≥ 0.

    Returns
    -------
    xarray.Dataset
        With the endings ``_mean``, ``_lower``, ``_upper``: ``survival`` (horizon, state), the
        probability of not having churned; ``leaves`` (horizon, state), the probability of churning
        in just this period; ``periods`` (state), the expected number of periods until churn, the
        present one included; ``mix`` (state), the quasi-stationary mix, and ``stays``, the share of
        all that stays each period in that mix. Without endings ``time_lower``, ``time_median``,
        ``time_upper`` (state): the first horizon by which 5, 50 and 95 % of the customers of a
        segment have churned, all draws together; NaN where it lies beyond the horizon.

    Raises
    ------
    UsageError
        Where the model has no churn, a state never leads to it, or the horizon is none.
    """
    need_churned(transition, "survival")
    active = {STATE: slice(None, -1)}
    gone = powers(transition, horizon).isel(state_to=-1, drop=True).isel(active)
    stays = 1.0 - gone
    leaves = gone - gone.shift({HORIZON: 1}, fill_value=0.0)
    mix, decay = quasi_stationary(transition)
    found: dict[str, xr.DataArray] = {}
    for name, draws in (
        ("survival", stays), ("leaves", leaves), ("mix", mix.isel(active)), ("stays", decay),
        ("periods", periods_to_churn(transition).isel(active)),
    ):  # fmt: skip
        found |= bands(draws, name)
    churned = 1.0 - found["survival_mean"]
    by_time = churned.transpose(HORIZON, STATE).values
    for name, p in QUANTILES.items():
        found[f"time_{name}"] = xr.DataArray(_first(by_time, p), dims=STATE)
    return xr.Dataset(found).assign_coords({STATE: state_names(transition)[:-1]})


def _first(churned: Array, p: float) -> Array:
    """Return the first horizon by which at least p have churned, NaN where none is."""
    reached = churned >= p - 1e-12
    return np.where(reached.any(axis=0), reached.argmax(axis=0).astype(float), np.nan)
