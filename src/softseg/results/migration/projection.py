"""Customers and money over a horizon, the fan split into its two sources.

Given the parameters of a draw a finite number of customers still moves by chance (process); the
parameters themselves are not known (parameter). By the law of total variance

    Var = E[Var(· | draw)] + Var(E[· | draw]),

the first being the Poisson-binomial variance of `present`, the second the variance over draws of
what is expected. New customers arrive by a Poisson law around the inflow of the draw, so that the
number of them in a state is Poisson too, and its variance is its mean. The level of a new customer
is not known; it counts as 1.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import xarray as xr

from softseg.errors import UsageError
from softseg.names import HORIZON, SAMPLE, STATE, STATE_TO
from softseg.results.migration.chain import (
    aligned,
    at_horizon,
    bands,
    check_transition,
    has_churned,
    moved,
    state_names,
    steps,
    unlabelled,
)
from softseg.results.migration.futures import grouped
from softseg.results.migration.present import known

SUMS: Final = ("customers", "levels", "level_squares")


def projection(
    transition: xr.DataArray,
    present: xr.Dataset | xr.DataArray,
    *,
    horizon: int,
    rng: np.random.Generator,
    value: xr.DataArray | None = None,
    inflow: xr.DataArray | None = None,
    futures: xr.Dataset | None = None,
) -> xr.Dataset:
    """Return customers and money per state over a horizon, with fans split by source.

    Without inflow the cohort is closed: the customers of today and nobody else.

    Parameters
    ----------
    transition
        Shape (sample, state, state_to), or with a dim ``horizon``, 1 … H, where it changes.
    present
        Customers whose states are known, (sample, state) or (state); or the sums of `present` over
        all blocks, whose states are probabilities.
    horizon
        How many periods to look ahead, ≥ 0.
    rng
        Draws the futures.
    value
        Money per customer of level 1 and period, (sample, state) or (state); attribute ``unit``.
    inflow
        Expected new customers of each later period, (sample, state) or (sample, horizon, state).
    futures
        The sums of `futures` over the same blocks and levels; needed where `present` is a sum over
        blocks.

    Returns
    -------
    xarray.Dataset
        ``customers`` (horizon, state) and ``active``, those not churned, (horizon); with a value
        ``money`` (horizon, state) and ``money_total`` (horizon). Each with the endings ``_mean``;
        ``_lower`` and ``_upper``, the fan of both sources; ``_parameter_lower`` and
        ``_parameter_upper``, that of the expectation; ``_parameter_variance`` and
        ``_process_variance``, which add up to the variance of the fan. Attributes ``cohort``
        (``closed`` or ``open``) and ``unit``, that of money.

    Raises
    ------
    UsageError
        Where the matrix is none, the horizon is not covered, or futures are missing or are not
        those of the same customers.
    """
    check_transition(transition)
    transition = unlabelled(transition)
    n, unit = transition.sizes.get(SAMPLE, 1), ""
    blocks = isinstance(present, xr.Dataset)
    start = _start(present, transition, n)
    if value is not None:
        unit = str(value.attrs.get("unit", ""))
        value = aligned(value, transition, "the value")
    if inflow is not None:
        inflow = aligned(inflow, transition, "the inflow")
    expectations = _expectations(transition, start, horizon, inflow)
    simulated = _simulated(transition, start, horizon, inflow, futures, rng, blocks=blocks)
    found: dict[str, xr.DataArray] = {}
    for name, weights, by_level in _measures(transition, value):
        mean, variance = _moments(expectations, weights, by_level)
        drawn = xr.dot(simulated["levels" if by_level else "customers"], weights, dim=STATE)
        if "measure" in weights.dims:
            mean, variance, drawn = (x.rename(measure=STATE) for x in (mean, variance, drawn))
        found |= _fan(name, mean, variance, drawn)
    cohort = "closed" if inflow is None else "open"
    return xr.Dataset(found, attrs={"cohort": cohort, "unit": unit})


def _start(
    present: xr.Dataset | xr.DataArray, transition: xr.DataArray, n_draws: int
) -> xr.Dataset:
    """Return the sums of every draw, also where they are the same in all of them."""
    if isinstance(present, xr.DataArray):
        present = known(aligned(present, transition, "the present customers"))
    sums = xr.Dataset({
        name: aligned(entry, transition, "the present customers").drop_vars(
            STATE_TO, errors="ignore")
        for name, entry in present.items()
    })  # fmt: skip
    return sums if SAMPLE in sums.dims else sums.expand_dims({SAMPLE: n_draws})


def _expectations(
    transition: xr.DataArray, start: xr.Dataset, horizon: int, inflow: xr.DataArray | None
) -> xr.Dataset:
    """Return the sums of `present` at every horizon, and ``new``, the expected newcomers."""
    now = start.assign(new=xr.zeros_like(start["customers"]))
    found = [now]
    for h, step in enumerate(steps(transition, horizon), 1):
        after = {name: moved(now[name], step) for name in (*SUMS, "new")}
        if inflow is not None:
            after["new"] = after["new"] + at_horizon(inflow, h, "the inflow")
        for name in ("pairs", "level_pairs"):
            after[name] = _both_moved(now[name], step)
        now = xr.Dataset(after)
        found.append(now)
    return xr.concat(found, dim=HORIZON).assign_coords({HORIZON: np.arange(horizon + 1)})


def _both_moved(pairs: xr.DataArray, step: xr.DataArray) -> xr.DataArray:
    """Return Aᵀ S A per draw."""
    s = pairs.transpose(SAMPLE, STATE, STATE_TO)
    a = step.transpose(..., STATE, STATE_TO).values
    return s.copy(data=np.swapaxes(a, -1, -2) @ s.values @ a)


def _simulated(
    transition: xr.DataArray,
    start: xr.Dataset,
    horizon: int,
    inflow: xr.DataArray | None,
    futures: xr.Dataset | None,
    rng: np.random.Generator,
    *,
    blocks: bool,
) -> xr.Dataset:
    """Return one simulated future per draw, ``customers`` and ``levels``, newcomers included."""
    now = start["customers"].transpose(SAMPLE, STATE)
    entering = np.zeros((now.sizes[SAMPLE], horizon + 1, now.sizes[STATE]))
    if inflow is not None:
        for h in range(1, horizon + 1):
            new = at_horizon(inflow, h, "the inflow").transpose(..., STATE).values
            entering[:, h] = rng.poisson(np.broadcast_to(new, entering[:, h].shape))
    if blocks:
        _check_futures(futures, now, horizon)
    else:
        entering[:, 0] = now.values
    walked = xr.DataArray(
        grouped(entering, transition, horizon, rng), dims=(SAMPLE, HORIZON, STATE)
    )
    both = {"customers": walked, "levels": walked}
    if futures is not None and blocks:
        both = {name: walked + futures[name].drop_vars(futures.coords) for name in both}
    return xr.Dataset(both).assign_coords({STATE: state_names(transition)})


def _check_futures(futures: xr.Dataset | None, now: xr.DataArray, horizon: int) -> None:
    if futures is None:
        raise UsageError(
            "Give the futures of the same blocks of customers: expected the sum of `futures` over "
            "them, got none. States that are probabilities have to be drawn customer by customer."
        )
    expected = {SAMPLE: now.sizes[SAMPLE], HORIZON: horizon + 1, STATE: now.sizes[STATE]}
    got = {dim: futures.sizes.get(dim, 0) for dim in expected}
    counted = float(futures["customers"].isel({SAMPLE: 0, HORIZON: 0}).sum())
    total = float(now.isel({SAMPLE: 0}).sum())
    if got != expected or abs(counted - total) > 0.5:
        raise UsageError(
            f"Give the futures of the same customers: expected {expected} with {total:.0f} "
            f"customers, got {got} with {counted:.0f}."
        )


def _measures(
    transition: xr.DataArray, value: xr.DataArray | None
) -> Iterator[tuple[str, xr.DataArray, bool]]:
    """Yield names, weights of the states, and whether levels count. One measure per state: eye."""
    names = state_names(transition)
    eye = xr.DataArray(
        np.eye(len(names)), dims=("measure", STATE), coords={"measure": names, STATE: names}
    )
    inside = xr.DataArray(np.ones(len(names)), dims=STATE, coords={STATE: names})
    if has_churned(transition):
        inside[-1] = 0.0
    yield "customers", eye, False
    yield "active", inside, False
    if value is not None:
        yield "money", eye * value, True
        yield "money_total", inside * value, True


def _moments(
    now: xr.Dataset, weights: xr.DataArray, by_level: bool
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return expectation and variance given the draw, of a weighted sum over the states."""
    first, second, pairs = (
        ("levels", "level_squares", "level_pairs") if by_level else ("customers", "customers",
                                                                     "pairs")
    )  # fmt: skip
    mean = xr.dot(now[first] + now["new"], weights, dim=STATE)
    other = weights.rename({STATE: STATE_TO})
    chosen = xr.dot(xr.dot(now[pairs], weights, dim=STATE), other, dim=STATE_TO)
    variance = xr.dot(now[second] + now["new"], weights**2, dim=STATE) - chosen
    return mean, variance.clip(min=0.0)  # rounding may leave a tiny negative


def _fan(
    name: str, mean: xr.DataArray, variance: xr.DataArray, drawn: xr.DataArray
) -> dict[str, xr.DataArray]:
    both, expected = bands(drawn, name), bands(mean, f"{name}_parameter")
    # The expectation itself is known without the noise of the simulation.
    both[f"{name}_mean"] = expected.pop(f"{name}_parameter_mean")
    return both | expected | {
        f"{name}_parameter_variance": mean.var(SAMPLE),
        f"{name}_process_variance": variance.mean(SAMPLE),
    }  # fmt: skip
