"""A new period has arrived: the present state of customers, one step of the forward recursion."""

import numpy as np
import xarray as xr

from softseg.errors import UsageError
from softseg.names import STATE
from softseg.results.migration.chain import aligned, check_transition, moved, unlabelled
from softseg.results.migration.present import check_filtered


def advance(
    filtered: xr.DataArray, transition: xr.DataArray, log_density: xr.DataArray
) -> xr.Dataset:
    """Return the customers' states in the new period, given all that is known now.

    For each draw f'_k ∝ Σ_j f_j A_jk · exp(log_density_k): exactly what filtering the whole history
    again gives. The draws of the parameters stay what they were; the new period's own
    `log_density` below says how likely each draw holds it, should they be weighted by it.

    Parameters
    ----------
    filtered
        Probabilities of the states in the period before, (sample, customer, state); one customer
        is a block of one.
    transition
        Of the step into the new period, (sample, state, state_to).
    log_density
        Log density of what was seen in the new period, (sample, customer, state); 0 in all states
        where nothing was looked at, −∞ where a state is impossible.

    Returns
    -------
    xarray.Dataset
        ``filtered`` (sample, customer, state); ``log_density`` (sample, customer), that of the new
        period given the past.

    Raises
    ------
    UsageError
        Where what is given does not fit, or what was seen is impossible in every state.
    """
    check_transition(transition)
    before = aligned(filtered, transition, "the filtered probabilities")
    check_filtered(before)
    seen = aligned(log_density, transition, "the log density")
    if np.any(np.isnan(seen.values)) or np.any(np.isposinf(seen.values)):
        raise UsageError("Give a log density for every state: expected no NaN and no +∞.")
    prior = moved(before, unlabelled(transition))
    highest = seen.where(prior > 0.0, -np.inf).max(STATE)
    if np.any(np.isneginf(highest.values)):
        raise UsageError(
            "Check the new period: for at least one customer it is impossible in every state that "
            "can be reached. A customer who has churned and is seen again is such a case."
        )
    # Scaled by the highest density that can be reached: neither an overflow nor 0/0.
    joint = prior * np.exp((seen - highest).clip(max=0.0))
    total = joint.sum(STATE)
    return xr.Dataset({
        "filtered": (joint / total).transpose(*before.dims),
        "log_density": np.log(total) + highest,
    })  # fmt: skip
