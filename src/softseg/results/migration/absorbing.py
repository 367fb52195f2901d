"""Customers who move between states and leave: what they are worth and how long they stay.

Generative model. A customer in state s in one period is in state s' in the next with probability
P[s, s'], independently of the past (a Markov chain); churned is the last state and is never left.
At the start of every period, the present one included, a customer in state s brings v[s];
churned customers bring nothing.

Everything is computed for every draw of P and v by itself: the mean over draws of a power of P is
not the power of the mean. Time runs in periods; money is in the unit of v, discounted to the
present period at a rate per period.
"""

import numpy as np
import xarray as xr

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import CHURNED, HORIZON, STATE, STATE_TO
from softseg.results.migration.chain import ROWS_SUM, check_transition

FOR_EVER = 1e-12
"""A share of customers that stays, less than so much below 1, stays for ever."""


def lifetime_value(
    transition: xr.DataArray,
    value: xr.DataArray,
    *,
    discount: float,
    horizon: int | None = None,
) -> xr.DataArray:
    """Return the expected discounted value of a customer by present state.

    Pfeifer and Carraway (2000), Journal of Interactive Marketing 14(2), 43–55: Σ_t (P/(1 + d))^t v.

    Parameters
    ----------
    transition
        Shape (…, state, state_to); the last state is churned.
    value
        What a customer brings per period, (…, state); money, 0 for churned.
    discount
        Rate d per period, ≥ 0.
    horizon
        Number of periods counted, the present one included; None for all of them.

    Returns
    -------
    xarray.DataArray
        Shape (…, state), in the unit of `value`; 0 for churned.

    Raises
    ------
    UsageError
        Where the matrix is none of an absorbing chain, churned has a value, the rate is negative,
        the horizon is less than 1, or the sum over all periods is infinite.
    """
    _check(transition)
    if np.any(value.isel({STATE: -1}).values != 0.0):
        raise UsageError("Give churned customers, the last state, the value 0.")
    if not discount >= 0.0:
        raise UsageError(f"Give a discount rate of at least 0 per period, got {discount}.")
    if horizon is not None and horizon < 1:
        raise UsageError(f"Give a horizon of at least 1 period, or none, got {horizon}.")

    def worth(p: Array, v: Array) -> Array:
        step, present = p[..., :-1, :-1] / (1.0 + discount), v[..., :-1, None]
        if horizon is None:
            if np.any(np.abs(np.linalg.eigvals(step)) > 1.0 - FOR_EVER):
                raise UsageError(
                    "Give a horizon or a discount rate, or every active state a way to churn: from "
                    "some of them nobody ever leaves, so that the sum over all periods is infinite."
                )
            found = np.linalg.solve(np.eye(step.shape[-1]) - step, present)
        else:
            found = power = present + 0.0 * step[..., :1]
            for _ in range(horizon - 1):
                power = step @ power
                found = found + power
        return np.concatenate([found[..., 0], 0.0 * found[..., :1, 0]], axis=-1)

    return xr.apply_ufunc(
        worth, transition, value, input_core_dims=[[STATE, STATE_TO], [STATE]],
        output_core_dims=[[STATE]],
    )  # fmt: skip


def with_churned(
    transition: xr.DataArray, value: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return transitions and values of a model without churn with a churned state nobody reaches.

    Where churned is there already, they are returned as they are.
    """
    if CHURNED in transition[STATE].values:
        return transition, value
    states = [*transition[STATE].values, CHURNED]
    value = value.reindex({STATE: states}).fillna(0.0)
    transition = transition.reindex({STATE: states, STATE_TO: states}).fillna(0.0)
    stays = (transition[STATE] == CHURNED) & (transition[STATE_TO] == CHURNED)
    return transition.where(~stays, 1.0), value


def periods_to_churn(transition: xr.DataArray) -> xr.DataArray:
    """Return the expected number of periods until a customer has churned, by present state.

    Parameters
    ----------
    transition
        Shape (…, state, state_to); the last state is churned.

    Returns
    -------
    xarray.DataArray
        Shape (…, state), the present period included; 0 for churned.

    Raises
    ------
    UsageError
        Where the matrix is none of an absorbing chain, or a state is never left.
    """
    _check(transition)
    states = transition[STATE]
    present = xr.DataArray(
        np.append(np.ones(len(states) - 1), 0.0), dims=STATE, coords={STATE: states}
    )
    return lifetime_value(transition, present, discount=0.0)


def quasi_stationary(transition: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the mix of states that those who stay settle into, and its decay per period.

    The mix of all customers ends as churned. Among the active ones it tends to the left Perron
    vector of the matrix without churned; its eigenvalue is the share that stays each period.

    Parameters
    ----------
    transition
        Shape (…, state, state_to); the last state is churned.

    Returns
    -------
    tuple
        The mix, (…, state), summing to 1 with 0 for churned, and the share that stays, (…).

    Raises
    ------
    UsageError
        Where the matrix is none of an absorbing chain.
    """
    _check(transition)

    def settle(p: Array) -> tuple[Array, Array]:
        values, vectors = np.linalg.eig(np.swapaxes(p[..., :-1, :-1], -1, -2))
        top = np.argmax(values.real, axis=-1)[..., None]
        mix = np.abs(np.take_along_axis(vectors.real, top[..., None, :], axis=-1)[..., 0])
        mix = np.concatenate([mix / mix.sum(axis=-1, keepdims=True), 0.0 * mix[..., :1]], axis=-1)
        return mix, np.take_along_axis(values.real, top, axis=-1)[..., 0]

    return xr.apply_ufunc(
        settle, transition, input_core_dims=[[STATE, STATE_TO]], output_core_dims=[[STATE], []]
    )


def _check(transition: xr.DataArray) -> None:
    """Refuse what is no transition matrix whose last state absorbs."""
    check_transition(transition)
    if HORIZON in transition.dims:
        raise UsageError(
            f"Give one transition matrix for all periods, without the dim {HORIZON!r}: what goes "
            "on for ever has no answer where the matrix of a period is known up to a horizon only."
        )
    if np.any(transition.transpose(..., STATE, STATE_TO).values[..., -1, -1] < 1.0 - ROWS_SUM):
        raise UsageError("Put churned last: expected a last state that is never left.")
