"""New customers per period and state, with their own uncertainty: `inflow`."""

import numpy as np
import xarray as xr

from softseg.names import PERIOD, SAMPLE, STATE

HALF = 0.5
"""Jeffreys' prior of a Poisson rate."""


def inflow(over: xr.Dataset, n_draws: int, rng: np.random.Generator) -> xr.DataArray:
    """Return draws of the expected number of new customers per period, (sample, state).

    New customers of state k in a period are Poisson with a rate λ_k, the same in all periods after
    the first; the rate has Jeffreys' prior, so that λ_k ~ Gamma(E_k + ½, number of periods), E_k
    being the new customers that a draw of the parameters puts into state k.

    Parameters
    ----------
    over
        From `States.over_periods`, with ``entered`` (sample, period, state).
    n_draws
        Number of draws; those of `over` are repeated where they are fewer.
    """
    entered = over["entered"].isel({PERIOD: slice(1, None)})
    periods = max(entered.sizes[PERIOD], 1)
    sums = entered.sum(PERIOD).transpose(SAMPLE, STATE)
    which = np.arange(n_draws) * sums.sizes[SAMPLE] // n_draws
    shape = sums.values[which] + HALF * (sums.values.sum(axis=0) > 0.0)
    drawn = rng.standard_gamma(shape) / periods
    return xr.DataArray(drawn, dims=(SAMPLE, STATE), coords={STATE: sums[STATE].values})
