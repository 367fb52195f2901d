"""How many customers go from which state to which, step by step."""

import numpy as np
import xarray as xr

from softseg.checks import whole_number
from softseg.names import HORIZON, STATE, STATE_TO
from softseg.results.migration.chain import aligned, bands, moved, state_names, steps, unlabelled


def flows(transition: xr.DataArray, customers: xr.DataArray, *, horizon: int) -> xr.Dataset:
    """Return the expected moves of each step of a closed cohort, with intervals.

    n_jh A_jk for each draw, without the chance of single customers.

    Parameters
    ----------
    transition
        Shape (sample, state, state_to), or with a dim ``horizon``, 1 … H.
    customers
        Customers of the present, (sample, state) or (state).
    horizon
        Number of steps H ≥ 1.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``lower``, ``upper`` (horizon, state, state_to); the step to horizon h is h.

    Raises
    ------
    UsageError
        Where the matrix or the horizon is none, or customers do not fit.
    """
    whole_number(horizon, "the horizon", 1)
    transition = unlabelled(transition)
    now = aligned(customers, transition, "the present customers")
    names = state_names(transition)
    found = []
    for step in steps(transition, horizon):
        labelled = step.assign_coords({STATE: names, STATE_TO: names})
        found.append(labelled * now)
        now = moved(now, step)
    together = xr.concat(found, dim=HORIZON).assign_coords({HORIZON: np.arange(1, horizon + 1)})
    return xr.Dataset(bands(together)).transpose(HORIZON, STATE, STATE_TO)
