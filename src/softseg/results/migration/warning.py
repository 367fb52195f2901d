"""Who is about to leave or to fall: the early-warning list, the most endangered first.

The score of a customer is the probability of the event within h periods, averaged over the draws
of parameters and of its present state: Σ_j f_ij b_j, with b_j the probability of the event from
state j. Churn within h periods is to be churned h periods ahead, since nobody comes back.
Downgrade is to be, h periods ahead, in a lower segment than today; who has churned by then is
counted as churn alone. The list holds row numbers, no ids.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import xarray as xr

from softseg.checks import one_of, whole_number
from softseg.errors import UsageError
from softseg.names import CUSTOMER, SAMPLE, STATE, STATE_TO
from softseg.results.migration.chain import (
    aligned,
    bands,
    grades,
    has_churned,
    need_churned,
    powers,
    state_names,
    unlabelled,
    weighed,
)
from softseg.results.migration.present import check_filtered

EVENTS: Final = ("churn", "downgrade")


def warning(
    blocks: Iterable[xr.DataArray],
    transition: xr.DataArray,
    *,
    horizon: int,
    of: str = "churn",
    order: Sequence[str] | None = None,
    most: int | None = None,
) -> xr.Dataset:
    """Return the customers by their probability of an event within h periods, highest first.

    Parameters
    ----------
    blocks
        Probabilities of the customers' present states, (sample, customer, state), block by block;
        the label of a customer is its row, from 0, and is counted on where there are no labels.
    transition
        Shape (sample, state, state_to), or with a dim ``horizon``, 1 … H.
    horizon
        Periods ahead, ≥ 1.
    of
        ``churn`` or ``downgrade``.
    order
        All segments, the lowest first; for ``downgrade``.
    most
        Length of the list; all customers by default.

    Returns
    -------
    xarray.Dataset
        Over (customer), the position in the list: ``row``, counted from 1; ``mean``, ``lower``,
        ``upper``, the probability of the event, for churn that of being here today and gone then;
        ``state``, the most probable present state;
        ``churned``, the probability of having churned unseen by today (0 where churn is seen).
        Attributes ``of``, ``horizon``, ``customers``, how many were looked at, and ``left``, how
        many of them have churned for certain and are left out.

    Raises
    ------
    UsageError
        Where the model does not know the event, or what is given does not fit.
    """
    whole_number(horizon, "the horizon", 1)
    chance = event(transition, horizon=horizon, of=of, order=order)
    if of == "churn":
        here = xr.DataArray(np.arange(chance.sizes[STATE]) < chance.sizes[STATE] - 1, dims=STATE)
        chance = chance.where(here, 0.0)
    found: list[xr.Dataset] = []
    seen = 0
    for block in blocks:
        scored = _scored(block, chance, seen, transition)
        seen += scored.sizes[CUSTOMER]
        found.append(scored.isel({CUSTOMER: np.flatnonzero(scored["churned"].values < 1.0)}))
    if not found:
        raise UsageError("Give at least one block of customers, got none.")
    together = xr.concat(found, dim=CUSTOMER)
    by_score = np.lexsort((together["row"].values, -together["mean"].values))[:most]
    listed = together.isel({CUSTOMER: by_score})
    left = seen - together.sizes[CUSTOMER]
    return listed.assign_attrs(of=of, horizon=horizon, customers=seen, left=left)


def event(
    transition: xr.DataArray,
    *,
    horizon: int,
    of: str = "churn",
    order: Sequence[str] | None = None,
) -> xr.DataArray:
    """Return the probability of the event within h periods by present state, (sample, state).

    Raises
    ------
    UsageError
        Where the event is none, the model has no churn, or no order of segments is given.
    """
    one_of(of, "the event", EVENTS)
    ahead = powers(unlabelled(transition), horizon).isel(horizon=-1, drop=True)
    if of == "churn":
        need_churned(transition, "a warning of churn")
        return ahead.isel({STATE_TO: -1}, drop=True)
    if order is None:
        raise UsageError(
            "Give the order of all segments, the lowest first, for a warning of downgrade; "
            "expected one, got none."
        )
    grade = grades(transition, list(order))
    lower = (grade[None, :] < grade[:, None]) & (grade[None, :] >= 0.0)
    falls = xr.DataArray(lower.astype(float), dims=(STATE, STATE_TO))
    return (ahead * falls).sum(STATE_TO)


def _scored(
    block: xr.DataArray, chance: xr.DataArray, seen: int, transition: xr.DataArray
) -> xr.Dataset:
    now = aligned(block, transition, "the filtered probabilities").transpose(
        ..., CUSTOMER, STATE
    )  # fmt: skip
    check_filtered(now)
    n = now.sizes[CUSTOMER]
    row = now[CUSTOMER].values if CUSTOMER in now.coords else np.arange(seen, seen + n)
    now = now.drop_vars(CUSTOMER, errors="ignore")
    draws = weighed(now, chance)
    mean = now.mean([d for d in now.dims if d == SAMPLE])
    top = np.array(state_names(transition))[mean.values.argmax(axis=-1)]
    gone = (
        mean.isel({STATE: -1}, drop=True) if has_churned(transition) else 0.0 * draws.mean(SAMPLE)
    )
    return xr.Dataset(
        {"row": (CUSTOMER, np.asarray(row, dtype=np.int64) + 1), **bands(draws),
         "state": (CUSTOMER, top), "churned": gone}
    )  # fmt: skip
