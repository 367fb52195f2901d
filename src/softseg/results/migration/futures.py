"""One simulated future per draw, customer by customer: what a finite number of them does.

Expectation and variance need no simulation (`present`). Quantiles do: where a few customers carry
most of the money its distribution is skewed, and no variance says how.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import CUSTOMER, HORIZON, SAMPLE, STATE, STATE_TO
from softseg.results.migration.chain import steps
from softseg.results.migration.present import check_filtered, levels_of


def futures(
    filtered: xr.DataArray,
    transition: xr.DataArray,
    *,
    horizon: int,
    rng: np.random.Generator,
    level: xr.DataArray | None = None,
) -> xr.Dataset:
    """Return one simulated future of a block of customers for every draw; blocks add up.

    Every customer gets a present state by lot with its probabilities and walks from there.

    Parameters
    ----------
    filtered
        Probability of each customer's state in the last period, (sample, customer, state).
    transition
        Shape (sample, state, state_to), or with a dim ``horizon``, 1 … H.
    horizon
        How many periods to look ahead, ≥ 0.
    rng
        Draws the states.
    level
        What the customer brings relative to the mean of its state, (customer) or
        (sample, customer); 1 by default.

    Returns
    -------
    xarray.Dataset
        ``customers``, numbers, and ``levels``, sums of levels, (sample, horizon, state).

    Raises
    ------
    UsageError
        Where probabilities, matrix, horizon or levels are none.
    """
    f = filtered.transpose(SAMPLE, CUSTOMER, STATE)
    check_filtered(f)
    m = levels_of(f, level).broadcast_like(f.isel({STATE: 0}, drop=True))
    m = m.transpose(SAMPLE, CUSTOMER).values
    n_states = f.sizes[STATE]
    first = np.cumsum(f.values, axis=-1)
    state = _lots([first[..., k] for k in range(n_states - 1)], rng)
    found = [_counted(state, m, n_states)]
    for step in steps(transition, horizon):
        edges = np.cumsum(_per_draw(step, len(state)), axis=-1).reshape(-1, n_states)
        row = np.arange(len(state))[:, None] * n_states + state
        state = _lots([edges[:, k].take(row) for k in range(n_states - 1)], rng)
        found.append(_counted(state, m, n_states))
    numbers, sums = (np.stack([pair[i] for pair in found], axis=1) for i in (0, 1))
    dims = (SAMPLE, HORIZON, STATE)
    coordinates = {HORIZON: np.arange(horizon + 1)}
    data = {"customers": (dims, numbers), "levels": (dims, sums)}
    return xr.Dataset(data, coordinates).assign_coords(
        {name: f[name] for name in (SAMPLE, STATE) if name in f.coords}
    )


def grouped(
    customers: Array, transition: xr.DataArray, horizon: int, rng: np.random.Generator
) -> Array:
    """Return simulated numbers of customers whose states are known, (sample, horizon, state).

    The customers of a state part by a multinomial law. `customers` (sample, horizon, state) are
    those who enter at each horizon; numbers that are not whole are rounded up or down by lot.
    """
    whole = np.floor(customers)
    entering = (whole + (rng.random(customers.shape) < customers - whole)).astype(np.int64)
    found = [entering[:, 0]]
    for h, step in enumerate(steps(transition, horizon), 1):
        rows = _per_draw(step, len(customers))
        after = rng.multinomial(found[-1], rows / rows.sum(axis=-1, keepdims=True)).sum(axis=1)
        found.append(after + entering[:, h])
    return np.stack(found, axis=1).astype(float)


def _per_draw(step: xr.DataArray, n_draws: int) -> Array:
    rows = step.transpose(..., STATE, STATE_TO).values
    return np.broadcast_to(rows, (n_draws, *rows.shape[-2:]))


def _lots(edges: list[Array], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return states by lot, given all cumulated probabilities but the last, (sample, customer)."""
    if not edges:
        raise UsageError("Give transitions between at least two states, got one.")
    lot = rng.random(edges[0].shape)
    state = np.zeros(lot.shape, dtype=np.int64)
    for edge in edges:  # a lot beyond a sum just below 1 gets the last state
        state += lot >= edge
    return state


def _counted(state: NDArray[np.int64], level: Array, n_states: int) -> tuple[Array, Array]:
    cell = (np.arange(len(state))[:, None] * n_states + state).ravel()
    shape = (len(state), n_states)
    numbers = np.bincount(cell, minlength=len(state) * n_states).astype(float)
    sums = np.bincount(cell, level.ravel(), len(state) * n_states).astype(float)
    return numbers.reshape(shape), sums.reshape(shape)
