"""What happened to the customers that a warning spoke of, origin by origin.

An origin is the last period that the warning has seen; its window are the h periods after. Only
customers whose whole window was watched are judged. To keep those of a window cut short whose
event came before the cut would count events and not their absence: the share of events would come
out too high.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import xarray as xr

from softseg.checks import whole_number
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import CUSTOMER

ORIGIN: Final = "origin"


def outcomes(
    event_period: xr.DataArray,
    seen_until: xr.DataArray,
    *,
    origins: Sequence[int],
    horizon: int,
    seen_from: xr.DataArray | None = None,
) -> xr.Dataset:
    """Return for each origin which customers had the event within the horizon.

    Parameters
    ----------
    event_period
        Period of each customer's first event, (customer); NaN where there was none.
    seen_until
        Last period in which the customer was watched, (customer): the end of the window, or
        earlier where watching ended for another reason than the event.
    origins
        The last periods that the warnings have seen.
    horizon
        Periods h ≥ 1 that a warning looks ahead.
    seen_from
        First period of the customer, (customer); before all origins by default.

    Returns
    -------
    xarray.Dataset
        ``outcome`` (origin, customer): 1 with the event in the h periods after the origin, 0
        without, NaN where the customer is not judged; (origin) ``judged``, ``censored``, customers
        at risk whose window was not watched to its end, and ``not_at_risk``, those not yet there
        or already gone at the origin.

    Raises
    ------
    UsageError
        Where there is no origin, the horizon is none or customers do not fit.
    """
    whole_number(horizon, "the horizon", 1)
    if len(origins) == 0:
        raise UsageError("Give at least one origin, the last period that a warning has seen.")
    if event_period.sizes.get(CUSTOMER) != seen_until.sizes.get(CUSTOMER):
        raise UsageError(
            f"Give both periods for the same customers: expected {event_period.sizes}, "
            f"got {seen_until.sizes}."
        )
    origin = xr.DataArray(np.asarray(origins, dtype=float), dims=ORIGIN)
    there = seen_from <= origin if seen_from is not None else True
    at_risk = ~(event_period <= origin) & (seen_until >= origin) & there
    whole = seen_until >= origin + horizon
    happened = (event_period <= origin + horizon).astype(float)
    judged = at_risk & whole
    return xr.Dataset({
        "outcome": happened.where(judged).transpose(ORIGIN, CUSTOMER),
        "judged": judged.sum(CUSTOMER),
        "censored": (at_risk & ~whole).sum(CUSTOMER),
        "not_at_risk": (~at_risk).sum(CUSTOMER),
    }).assign_coords({ORIGIN: list(origins)})  # fmt: skip


def judged(predicted: xr.DataArray, outcome: xr.DataArray) -> xr.Dataset:
    """Return predictions and outcomes of the judged as ``predicted``, ``outcome``, ``customer``.

    One entry per judged customer and origin, in one dim ``case``.

    Raises
    ------
    UsageError
        Where dims differ, outcomes are not 0, 1 or NaN, a judged customer has no probability, or
        nobody is judged.
    """
    if set(predicted.dims) != set(outcome.dims) or any(
        predicted.sizes[d] != outcome.sizes[d] for d in outcome.dims
    ):
        raise UsageError(
            f"Give one prediction per outcome: expected {dict(outcome.sizes)}, "
            f"got {dict(predicted.sizes)}."
        )
    p = predicted.transpose(*outcome.dims).values.ravel().astype(float)
    y = outcome.values.ravel().astype(float)
    keep = ~np.isnan(y)
    if not keep.any():
        raise UsageError(
            "Choose earlier origins or a shorter horizon: the window cuts off the outcome of every "
            "customer, nobody can be judged."
        )
    if not np.all(np.isin(y[keep], (0.0, 1.0))):
        raise UsageError("Give outcomes as 1, 0, or NaN where the customer is not judged.")
    if not np.all((p[keep] >= 0.0) & (p[keep] <= 1.0)):
        raise UsageError("Give a probability from 0 to 1 for every customer who is judged.")
    at = [np.arange(n) for n in outcome.shape]
    grid = np.meshgrid(*at, indexing="ij")
    who = (
        grid[outcome.dims.index(CUSTOMER)].ravel() if CUSTOMER in outcome.dims else grid[0].ravel()
    )
    data = {"predicted": p[keep], "outcome": y[keep], "customer": who[keep]}
    return xr.Dataset({name: ("case", x) for name, x in data.items()})


def clustered_error(x: Array, who: Array) -> float:
    """Return the standard error of a mean whose terms belong to customers, one cluster each."""
    clusters = np.unique(who, return_inverse=True)[1].reshape(-1)
    return float(np.sqrt((np.bincount(clusters, x - x.mean()) ** 2).sum()) / len(x))
