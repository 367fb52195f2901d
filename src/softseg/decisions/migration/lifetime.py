"""What customers are worth over their life: per segment, per customer, all of today's together.

A customer of segment k is worth Σ_h (1 + d)^(−h) E[contribution in period h], the present period
included, for each draw by itself. Money that is revenue becomes contribution by its margin. What a
customer costs to win counts for new ones alone: today's have been paid for.
"""

import xarray as xr

from softseg.errors import UsageError
from softseg.names import CHURNED, CUSTOMER, SAMPLE, STATE, STATE_TO
from softseg.results.migration.absorbing import lifetime_value
from softseg.results.migration.chain import (
    aligned,
    bands,
    check_transition,
    has_churned,
    unlabelled,
)
from softseg.results.migration.present import check_filtered, levels_of


def lifetime(
    transition: xr.DataArray,
    value: xr.DataArray,
    *,
    discount: float,
    horizon: int | None = None,
    margin: float | xr.DataArray = 1.0,
    acquisition_cost: float | xr.DataArray = 0.0,
    present: xr.DataArray | None = None,
) -> xr.Dataset:
    """Return the lifetime value of a customer by segment, with intervals.

    Parameters
    ----------
    transition, value, discount, horizon, margin
        As in `lifetime_draws`.
    acquisition_cost
        What it costs to win a customer, in the unit of `value`; a number, (sample) or
        (sample, state).
    present
        Customers of today, (sample, state) or (state); their sum of levels where these weigh.

    Returns
    -------
    xarray.Dataset
        With the endings ``_mean``, ``_lower``, ``_upper``: ``value`` (state) of a customer of
        today, ``new`` (state) of one to be won, acquisition cost taken off, and, with `present`,
        ``portfolio``, all customers of today together. Attribute ``unit``.

    Raises
    ------
    UsageError
        As `lifetime_draws`.
    """
    draws = lifetime_draws(transition, value, discount=discount, horizon=horizon, margin=margin)
    cost = acquisition_cost
    if isinstance(cost, xr.DataArray):
        cost = unlabelled(cost)
    found = bands(draws, "value") | bands(draws - cost, "new")
    if present is not None:
        now = aligned(present, transition, "the present customers")
        active = now.isel({STATE: slice(0, draws.sizes[STATE])})
        found |= bands(xr.dot(active, draws, dim=STATE), "portfolio")
    return xr.Dataset(found, attrs={"unit": draws.attrs["unit"]})


def lifetime_draws(
    transition: xr.DataArray,
    value: xr.DataArray,
    *,
    discount: float,
    horizon: int | None = None,
    margin: float | xr.DataArray = 1.0,
) -> xr.DataArray:
    """Return the lifetime value of a customer by present segment, of every draw.

    Parameters
    ----------
    transition
        Shape (sample, state, state_to).
    value
        Money per customer and period, (sample, state) or (state), 0 for churned; attribute
        ``unit``.
    discount
        Rate per period, ≥ 0.
    horizon
        Number of periods counted, the present one included; None for all of them.
    margin
        Share of the money that is contribution: a number, (sample) or (sample, state).

    Returns
    -------
    xarray.DataArray
        Shape (sample, state), churned left out; attribute ``unit``.

    Raises
    ------
    UsageError
        Where the sum is infinite, churned has a value, or what is given does not fit.
    """
    check_transition(transition)
    chain = unlabelled(transition)
    worth = aligned(value, chain, "the value")
    share = margin
    if isinstance(margin, xr.DataArray):
        share = aligned(margin, chain, "the margin") if STATE in margin.dims else unlabelled(margin)
    contribution = worth * share
    if not has_churned(chain):
        if horizon is None and discount == 0.0:
            raise UsageError(
                "Give a horizon or a discount rate: in a model without churn customers stay for "
                "ever, so that the sum over all periods is infinite."
            )
        chain, contribution = _with_churned(chain, contribution)
    found = lifetime_value(chain, contribution, discount=discount, horizon=horizon)
    active = found.isel({STATE: slice(None, -1)})
    return active.assign_attrs(unit=str(value.attrs.get("unit", "")))


def customer_lifetime(
    filtered: xr.DataArray, draws: xr.DataArray, level: xr.DataArray | None = None
) -> xr.Dataset:
    """Return the lifetime value of every customer of a block, with intervals.

    Parameters
    ----------
    filtered
        Probability of each customer's present state, (sample, customer, state).
    draws
        From `lifetime_draws`, (sample, state).
    level
        What the customer brings relative to the mean of its state, (customer) or
        (sample, customer); 1 by default.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``lower``, ``upper`` (customer), in the unit of the draws.

    Raises
    ------
    UsageError
        Where probabilities, levels, states or draws do not fit.
    """
    check_filtered(filtered)
    names = [str(x) for x in draws[STATE].values]
    given = [str(x) for x in filtered[STATE].values] if STATE in filtered.coords else names
    if [name for name in given if name != CHURNED] != names:
        raise UsageError(f"Give probabilities of the states {names} (and churned), got {given}.")
    if filtered.sizes.get(SAMPLE) != draws.sizes.get(SAMPLE):
        raise UsageError(
            f"Give probabilities and lifetime values of the same draws: expected "
            f"{draws.sizes.get(SAMPLE)}, got {filtered.sizes.get(SAMPLE)}."
        )
    inside = unlabelled(filtered).assign_coords({STATE: given}).sel({STATE: names})
    found = xr.dot(inside, unlabelled(draws).assign_coords({STATE: names}), dim=STATE)
    found = found.transpose(..., CUSTOMER) * levels_of(filtered, level)
    return xr.Dataset(bands(found), attrs={"unit": str(draws.attrs.get("unit", ""))})


def _with_churned(
    chain: xr.DataArray, contribution: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return a chain with a churned state that nobody reaches, and its value 0."""
    names = [*[str(x) for x in contribution[STATE].values], CHURNED]
    bare = chain.drop_vars([STATE, STATE_TO], errors="ignore")
    wider = bare.pad({STATE: (0, 1), STATE_TO: (0, 1)}, constant_values=0.0).copy(deep=True)
    wider = wider.transpose(..., STATE, STATE_TO)
    wider.values[..., -1, -1] = 1.0
    more = contribution.drop_vars(STATE).pad({STATE: (0, 1)}, constant_values=0.0)
    return wider.assign_coords({STATE: names, STATE_TO: names}), more.assign_coords({STATE: names})
