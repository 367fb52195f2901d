"""What a customer brings per period in each state: `value_by_state`."""

from typing import Final

import numpy as np
import xarray as xr

from softseg.families.base import Array
from softseg.names import SAMPLE, STATE
from softseg.results.migration.states import States

MOST_DRAWS: Final = 200
"""Memberships of rows are evaluated for so many draws at the most; the others take turns."""


def value_by_state(states: States, values: Array, rng: np.random.Generator) -> xr.DataArray:
    """Return draws of the mean value of a customer and period by state, (sample, state).

    Within a draw of the parameters the mean of a segment is that of all rows, weighted with their
    smoothed memberships; rows without a value are left out. What few customers with large values
    do to a mean is carried by the Bayesian bootstrap over customers (Rubin 1981, Annals of
    Statistics 9, 130–134): each draw gives every customer a weight of its own.

    Parameters
    ----------
    values
        Value of each row of the panel's table, NaN where there is none, (row,).
    rng
        Draws the customers' weights.

    Returns
    -------
    xarray.DataArray
        Money per customer and period, in the unit of `values`; 0 for churned, NaN for a segment
        in which no row has a value.
    """
    n, k = states.n_draws, states.model.n_segments
    panel = states.panel
    history = np.repeat(np.arange(panel.n_histories), np.diff(panel.start))
    seen = panel.row >= 0
    customer_of_row = np.empty(len(values), dtype=np.intp)
    customer_of_row[panel.row[seen]] = panel.customer[history[seen]]
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    found = np.zeros((n, k + states.model.churns))
    every = max(1, n // MOST_DRAWS)
    members: Array = np.empty((0, k))
    for i in range(n):
        if i % every == 0:
            members = states.memberships_of_rows(i) * known[:, None]
        weight = rng.standard_exponential(int(panel.customer.max()) + 1)[customer_of_row]
        with np.errstate(invalid="ignore"):
            found[i, :k] = (weight * filled) @ members / (weight @ members)
    return xr.DataArray(found, dims=(SAMPLE, STATE), coords={STATE: list(states.names)})
