"""The expected number of customers in every state, horizon by horizon, of every draw."""

import numpy as np
import xarray as xr

from softseg.names import HORIZON, STATE
from softseg.results.migration.chain import at_horizon, moved, steps


def expected(
    transition: xr.DataArray,
    customers: xr.DataArray,
    *,
    horizon: int,
    inflow: xr.DataArray | None = None,
) -> xr.DataArray:
    """Return the expected number of customers in every state, period after period.

    n_h = n_{h−1} A_h + inflow_h, for each draw by itself.

    Parameters
    ----------
    transition
        Shape (…, state, state_to), or with a dim ``horizon``, 1 … H, where it changes.
    customers
        Customers of the present period, (…, state). They may be weighted: money, for instance.
    horizon
        How many periods to look ahead, ≥ 0; 0 gives the present ones only.
    inflow
        New customers of every later period, (…, state), or (…, horizon, state) for 1 … H; they
        move from the period after their first one on.

    Returns
    -------
    xarray.DataArray
        Shape (…, horizon, state), the present period being 0.

    Raises
    ------
    UsageError
        Where the matrix is none, or the horizon is negative or not covered.
    """
    found = [customers]
    for h, step in enumerate(steps(transition, horizon), 1):
        after = moved(found[-1], step)
        found.append(after if inflow is None else after + at_horizon(inflow, h, "the inflow"))
    together = xr.concat(xr.broadcast(*found), dim=HORIZON)
    return together.assign_coords({HORIZON: np.arange(horizon + 1)}).transpose(..., HORIZON, STATE)
