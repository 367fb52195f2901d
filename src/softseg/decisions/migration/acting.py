"""What it is worth to act on a warning: contact the endangered, at a cost, with some success.

A contact costs c; of a customer who would have left it keeps the value v with probability u (the
uplift). It pays where p v u > c, that is from the threshold p = c / (v u) on. What acting brought
in the back-test is Σ over those contacted of (y v u − c), with y whether the customer would have
left; beside it stand contacting all and contacting none (Vickers and Elkin 2006, Medical Decision
Making 26, 565–574). The uplift is an assumption: a back-test cannot tell it.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from softseg.checks import probability
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.results.migration.backtest.outcomes import clustered_error, judged

COST = "contact_cost"


def acting(
    predicted: xr.DataArray,
    outcome: xr.DataArray,
    *,
    contact_costs: Sequence[float],
    value_saved: float | xr.DataArray,
    uplift: float,
) -> xr.Dataset:
    """Return what acting on a warning would have brought, by the cost of a contact.

    Parameters
    ----------
    predicted
        Probability of the event, (customer) or (origin, customer).
    outcome
        1, 0, or NaN where the customer is not judged, of the same dims.
    contact_costs
        Costs of a contact, > 0, in the unit of `value_saved`.
    value_saved
        What a customer is worth who is kept, ≥ 0: a number, or one per prediction.
    uplift
        Probability that a contact keeps a customer who would have left.

    Returns
    -------
    xarray.Dataset
        Over (contact_cost): ``threshold``, the mean over customers of c / (v u), above 1 where no
        warning is strong enough; ``contacted``, the share of customers above theirs; money per
        customer judged: ``warning``, ``everybody``, ``nobody`` (0), ``foresight`` (contacting just
        those with the event, where it pays); ``advantage``, of the warning over the better of
        everybody and nobody, and ``advantage_error``, its standard error, a customer judged at
        several origins being one cluster. Attributes ``judged`` and ``not_judged``.

    Raises
    ------
    UsageError
        Where costs, value or uplift are out of range, or outcomes do not fit.
    """
    probability(uplift, "the uplift")
    costs = np.asarray(contact_costs, dtype=float)
    if costs.ndim != 1 or not costs.size or not np.all((costs > 0.0) & np.isfinite(costs)):
        raise UsageError("Give the costs of a contact as numbers above 0, at least one.")
    cases = judged(predicted, outcome)
    p, y, who = (cases[name].values for name in ("predicted", "outcome", "customer"))
    worth = _worth(value_saved, outcome) * uplift
    rows = []
    for cost in costs:
        contact = p * worth > cost
        gain = y * worth - cost
        best = gain if gain.mean() > 0.0 else np.zeros(len(gain))
        warned = np.where(contact, gain, 0.0)
        with np.errstate(divide="ignore"):
            threshold = np.mean(cost / worth)
        rows.append((threshold, contact.mean(), warned.mean(), gain.mean(), 0.0,
                     np.maximum(gain, 0.0).mean(), (warned - best).mean(),
                     clustered_error(warned - best, who)))  # fmt: skip
    names = ("threshold", "contacted", "warning", "everybody", "nobody", "foresight", "advantage",
             "advantage_error")  # fmt: skip
    columns = np.array(rows, dtype=float).T
    data = {name: (COST, column) for name, column in zip(names, columns, strict=True)}
    attributes = {"judged": len(p), "not_judged": int(outcome.size - len(p))}
    return xr.Dataset(data, {COST: costs}, attributes)


def _worth(value_saved: float | xr.DataArray, outcome: xr.DataArray) -> Array:
    """Return the value of each judged customer, in the order of `judged`."""
    given = xr.DataArray(value_saved)
    if any(d not in outcome.dims or given.sizes[d] != outcome.sizes[d] for d in given.dims):
        raise UsageError(
            "Give the value saved as a number or one per customer: expected "
            f"{dict(outcome.sizes)}, got {dict(given.sizes)}."
        )
    bare = outcome.drop_vars(outcome.coords)
    every = given.drop_vars(given.coords).broadcast_like(bare).transpose(*outcome.dims)
    values = every.values.ravel()[~np.isnan(outcome.values.ravel())].astype(float)
    if not np.all((values >= 0.0) & np.isfinite(values)):
        raise UsageError("Give the value saved as finite numbers of at least 0.")
    return values
