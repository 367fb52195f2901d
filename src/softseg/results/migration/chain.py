"""What every answer on migration needs: states, checks, steps and powers, bands of draws.

Everything is computed for every draw by itself. The matrix of a period may differ from that of
the next (a ramp, a season): then it has a dim `horizon` with labels 1 … H, the step to horizon h
being that of label h.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import xarray as xr

from softseg.checks import whole_number
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import (
    CHURNED,
    CUSTOMER,
    HORIZON,
    LOWER_PROBABILITY,
    SAMPLE,
    STATE,
    STATE_TO,
    UPPER_PROBABILITY,
)

ROWS_SUM: Final = 1e-8
"""How far a row of a transition matrix may be off 1."""


def check_transition(transition: xr.DataArray) -> None:
    """Refuse what is no transition matrix.

    Raises
    ------
    UsageError
        Where dims are missing, the matrix is not square, a row is none of probabilities, the two
        axes name different states, or churned is not last or is left again.
    """
    if not {STATE, STATE_TO} <= set(transition.dims):
        raise UsageError(
            f"Give the transition matrix the dims {STATE!r} and {STATE_TO!r}, "
            f"got {list(transition.dims)}."
        )
    matrix = transition.transpose(..., STATE, STATE_TO).values
    if matrix.shape[-1] != matrix.shape[-2]:
        raise UsageError(
            f"Give a square transition matrix: expected as many {STATE_TO} as {STATE}, "
            f"got {matrix.shape[-1]} and {matrix.shape[-2]}."
        )
    wrong = ~(matrix >= 0.0) | (np.abs(matrix.sum(axis=-1, keepdims=True) - 1.0) > ROWS_SUM)
    if np.any(wrong):
        raise UsageError("Give rows of probabilities: no entry below 0, every row summing to 1.")
    _check_labels(transition, matrix)


def _check_labels(transition: xr.DataArray, matrix: Array) -> None:
    names = state_names(transition)
    if STATE_TO in transition.coords and [str(x) for x in transition[STATE_TO].values] != names:
        raise UsageError(
            f"Give {STATE_TO} the same labels in the same order as {STATE}: expected {names}, "
            f"got {[str(x) for x in transition[STATE_TO].values]}."
        )
    if CHURNED in names[:-1]:
        raise UsageError(f"Put churned last: expected it after all segments, got {names}.")
    if names[-1] == CHURNED and np.any(matrix[..., -1, -1] < 1.0 - ROWS_SUM):
        raise UsageError(
            "Give churned a row that is never left: expected the probability 1 to stay churned. "
            "Customers who come back belong in a dormant state."
        )


def state_names(states: xr.DataArray) -> list[str]:
    """Return the names of the states; their numbers from 1 where they have none."""
    if STATE in states.coords:
        return [str(x) for x in states[STATE].values]
    return [str(k + 1) for k in range(states.sizes[STATE])]


def unlabelled(given: xr.DataArray) -> xr.DataArray:
    """Return it without labels of its draws: what belongs to a draw is told by position."""
    return given.drop_vars([name for name in given.coords if SAMPLE in given[name].dims])


def aligned(given: xr.DataArray, transition: xr.DataArray, name: str) -> xr.DataArray:
    """Return what goes with a transition matrix, after checking that it does.

    Raises
    ------
    UsageError
        Where the draws or the states are not those of the matrix.
    """
    n, expected = transition.sizes.get(SAMPLE), state_names(transition)
    if n is not None and given.sizes.get(SAMPLE, n) != n:
        raise UsageError(
            f"Give {name} and transitions of the same draws: expected {n}, "
            f"got {given.sizes[SAMPLE]}."
        )
    labels = state_names(given) if STATE in given.coords else expected
    if given.sizes.get(STATE) != len(expected) or labels != expected:
        raise UsageError(
            f"Give {name} the states of the transition matrix: expected {expected}, "
            f"got {labels if STATE in given.coords else given.sizes.get(STATE, 0)}."
        )
    return unlabelled(given).assign_coords({STATE: expected})


def has_churned(states: xr.DataArray) -> bool:
    """Return whether the last state is churned, which its label tells."""
    return state_names(states)[-1] == CHURNED


def need_churned(transition: xr.DataArray, answer: str) -> None:
    """Refuse a question on churn to a model without it.

    Raises
    ------
    UsageError
        Where the last state is not labelled churned.
    """
    if not has_churned(transition):
        raise UsageError(
            f"Fit a model with churn to ask for {answer}: expected {CHURNED!r} as the last label "
            f"of {STATE!r}, got {state_names(transition)}. In a model without churn nobody leaves."
        )


def state_at(transition: xr.DataArray, name: str) -> int:
    """Return the position of a state.

    Raises
    ------
    UsageError
        Where there is no state of this name.
    """
    names = state_names(transition)
    if name not in names:
        raise UsageError(f"Name a state out of {names}, got {name!r}.")
    return names.index(name)


def grades(transition: xr.DataArray, order: list[str] | tuple[str, ...]) -> Array:
    """Return the grade of each state, 0 for the lowest; churned lies below all, at −1.

    Raises
    ------
    UsageError
        Where the order does not name every segment once.
    """
    names = state_names(transition)
    active = [name for name in names if name != CHURNED]
    if sorted(order) != sorted(active):
        raise UsageError(
            f"Give the order of all segments, the lowest first: expected each of {active} once, "
            f"got {list(order)}."
        )
    return np.array([-1.0 if name == CHURNED else float(order.index(name)) for name in names])


def steps(transition: xr.DataArray, horizon: int) -> Iterator[xr.DataArray]:
    """Yield the matrix of each step from the present on, (…, state, state_to).

    Raises
    ------
    UsageError
        Where the matrix is none, the horizon is none, or its labels do not cover 1 … horizon.
    """
    check_transition(transition)
    whole_number(horizon, "the horizon")
    for h in range(1, horizon + 1):
        yield at_horizon(transition, h, "the transition matrix")


def at_horizon(given: xr.DataArray, h: int, name: str) -> xr.DataArray:
    """Return what holds at a horizon: the entry of that label, or the one that holds at all.

    Raises
    ------
    UsageError
        Where there are entries by horizon, but none of this label.
    """
    if HORIZON not in given.dims:
        return given
    labels = given[HORIZON].values if HORIZON in given.coords else np.array([])
    if h not in labels:
        raise UsageError(
            f"Give {name} for every horizon from 1 on: expected the label {h}, got {list(labels)}."
        )
    return given.sel({HORIZON: h}, drop=True)


def moved(share: xr.DataArray, step: xr.DataArray) -> xr.DataArray:
    """Return (…, state) one step later: share · step, per draw."""
    bare = share.drop_vars(STATE, errors="ignore")
    named = step.drop_vars([STATE, STATE_TO], errors="ignore")
    # Customers are a core dim, so that each draw is one product of two matrices.
    inside = [CUSTOMER, STATE] if CUSTOMER in share.dims else [STATE]
    found = xr.apply_ufunc(
        _product, bare, named, input_core_dims=[inside, [STATE, STATE_TO]],
        output_core_dims=[[*inside[:-1], STATE]], kwargs={"vector": len(inside) == 1},
    )  # fmt: skip
    found = found.transpose(*[d for d in share.dims if d != STATE], ..., STATE)
    return found.assign_coords({STATE: share[STATE]}) if STATE in share.coords else found


def _product(share: Array, step: Array, *, vector: bool) -> Array:
    return (share[..., None, :] @ step)[..., 0, :] if vector else share @ step


def weighed(share: xr.DataArray, weight: xr.DataArray) -> xr.DataArray:
    """Return Σ over the states of share · weight, per draw and customer, (…, customer)."""
    return xr.apply_ufunc(
        lambda f, w: (f @ w[..., None])[..., 0],
        share.drop_vars(STATE, errors="ignore"), weight.drop_vars(STATE, errors="ignore"),
        input_core_dims=[[CUSTOMER, STATE], [STATE]], output_core_dims=[[CUSTOMER]],
    )  # fmt: skip


def powers(transition: xr.DataArray, horizon: int) -> xr.DataArray:
    """Return the transitions over h periods, (horizon, …, state, state_to), 0 being the identity.

    Parameters
    ----------
    transition
        Shape (…, state, state_to), or (…, horizon, state, state_to).
    horizon
        Number of periods H ≥ 0.

    Raises
    ------
    UsageError
        As `steps`.
    """
    matrices = [step.transpose(..., STATE, STATE_TO) for step in steps(transition, horizon)]
    first = matrices[0] if matrices else transition.transpose(..., STATE, STATE_TO)
    if not matrices and HORIZON in first.dims:
        first = first.isel({HORIZON: 0}, drop=True)
    found = [xr.zeros_like(first) + np.eye(first.sizes[STATE])]
    for matrix in matrices:
        found.append(matrix.copy(data=found[-1].values @ matrix.values))
    together = xr.concat(found, dim=HORIZON)
    return together.assign_coords({HORIZON: np.arange(horizon + 1)})


def bands(draws: xr.DataArray, name: str = "") -> dict[str, xr.DataArray]:
    """Return mean, lower and upper of draws over `sample`, their names beginning with `name`."""
    prefix = f"{name}_" if name else ""
    found = dict.fromkeys(("mean", "lower", "upper"), draws)
    if SAMPLE in draws.dims:
        found["mean"] = draws.mean(SAMPLE)
        rows = draws.transpose(..., SAMPLE).values
        low, high = np.quantile(rows, (LOWER_PROBABILITY, UPPER_PROBABILITY), axis=-1)
        found["lower"] = found["mean"].copy(data=low)
        found["upper"] = found["mean"].copy(data=high)
    return {prefix + ending: entry for ending, entry in found.items()}
