"""Where each customer will be: the states h periods ahead, from what is known today."""

import xarray as xr

from softseg.names import STATE
from softseg.results.migration.chain import aligned, bands, moved, powers, unlabelled
from softseg.results.migration.present import check_filtered


def outlook(filtered: xr.DataArray, transition: xr.DataArray, *, horizon: int) -> xr.Dataset:
    """Return the probability of each state h periods ahead for a block of customers.

    Parameters
    ----------
    filtered
        Probability of each customer's state in the last period given all up to it,
        (sample, customer, state). Not the smoothed ones of earlier periods: those have seen what
        came later.
    transition
        Shape (sample, state, state_to), or with a dim ``horizon``, 1 … H.
    horizon
        Periods ahead, ≥ 0; 0 gives the present.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``lower``, ``upper`` (customer, state).

    Raises
    ------
    UsageError
        Where probabilities, matrix or horizon are none, or are not of the same draws.
    """
    ahead = powers(unlabelled(transition), horizon).isel(horizon=-1, drop=True)
    now = aligned(filtered, transition, "the filtered probabilities")
    check_filtered(now)
    return xr.Dataset(bands(moved(now, ahead))).transpose(..., STATE)
