"""The transition matrix as a table: who stays, rises, falls, leaves, with intervals."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from softseg.names import STATE, STATE_TO
from softseg.results.migration.absorbing import periods_to_churn
from softseg.results.migration.chain import bands, check_transition, grades, has_churned
from softseg.wording import say


def transitions(
    transition: xr.DataArray, *, order: Sequence[str] | None = None, language: str = "en"
) -> xr.Dataset:
    """Return the transition probabilities and what they say of each state, with intervals.

    Parameters
    ----------
    transition
        Draws, (sample, …, state, state_to), per period; a leading ``period`` or
        ``covariate_profile`` stays.
    order
        All segments, the lowest first; without it nothing is called up or down.
    language
        Of the note, ``en`` or ``de``.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``lower``, ``upper`` (…, state, state_to); with the same endings over (…, state):
        ``stay``; ``up`` and ``down``, the probability of a higher and of a lower segment in the
        next period, given an order; ``churn`` and ``periods``, the expected number of periods
        until churn, the present one included, where the model has churn. With an order stay, up,
        down and churn sum to 1. Attribute ``note`` says in words what is missing and why.

    Raises
    ------
    UsageError
        Where the matrix is none, a state never leads to churn, or the order is not one.
    """
    check_transition(transition)
    found = bands(transition)
    found |= bands(_stay(transition), "stay")
    if order is not None:
        grade = grades(transition, list(order))
        higher = grade[None, :] > grade[:, None]
        lower = (grade[None, :] < grade[:, None]) & (grade[None, :] >= 0.0)
        higher[grade < 0.0] = False  # from churned nobody goes anywhere
        found |= bands(_towards(transition, higher), "up")
        found |= bands(_towards(transition, lower), "down")
    note = ""
    if has_churned(transition):
        found |= bands(transition.isel({STATE_TO: -1}, drop=True), "churn")
        found |= bands(periods_to_churn(transition), "periods")
    else:
        note = say("migration.no_churn", language)
    return xr.Dataset(found, attrs={"note": note})


def _stay(transition: xr.DataArray) -> xr.DataArray:
    matrix = transition.transpose(..., STATE, STATE_TO)
    diagonal = np.diagonal(matrix.values, axis1=-2, axis2=-1)
    return matrix.isel({STATE_TO: 0}, drop=True).copy(data=diagonal)


def _towards(transition: xr.DataArray, which: np.ndarray) -> xr.DataArray:
    """Return the probability of going to the marked states."""
    return (transition * xr.DataArray(which.astype(float), dims=(STATE, STATE_TO))).sum(STATE_TO)
