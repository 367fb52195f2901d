"""How large an effect has to be, how large a cost may be.

For every draw the break-even is the smallest multiple s of the central effects at which the net
present value is not negative, all other inputs as drawn. It is 0 where the programme pays without
the effects, and +inf where it does not pay at 64 times the centre; where the programme has no
effect it never pays by effects. Roots are found for all draws at once: where the net present value
is linear in the effects the secant hits it at once, else the Illinois method closes in on it
(Dowell and Jarratt 1971, BIT 11, 168–174).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.decisions.answers.estimates import (
    Table,
    atomic_quantiles,
    columns,
    dataset,
    estimate,
    mean,
    stack,
)
from softseg.decisions.answers.scenarios import centre, quantile, ray
from softseg.decisions.inputs.schema import COSTS, Input
from softseg.decisions.model.accounting import ACCOUNTINGS, Switches
from softseg.decisions.model.simulate import Simulation
from softseg.errors import UsageError
from softseg.families.base import Array

MOST: Final = 64.0
"""Multiple of the centre beyond which an effect counts as out of reach."""

PRECISION: Final = 1e-10
"""Relative error at which a root is taken, one digit below the 1e-9 that is promised."""

N_DRAWS: Final = 1024
"""Draws of each replicate that break-even is computed for; each needs several calculations."""

MOST_STEPS: Final = 100

type Mask = NDArray[np.bool_]
type Net = Callable[[Array], Array]


def multiplier(
    simulation: Simulation,
    accounting: str | Switches = "contribution_margin",
    adjusted: bool = True,
    ids: Sequence[str] | None = None,
    n_draws: int = N_DRAWS,
) -> xr.Dataset:
    """Return by what all effects must be multiplied for the programme to pay.

    Parameters
    ----------
    simulation, accounting, adjusted, ids, n_draws
        As for `multipliers`.

    Returns
    -------
    xarray.Dataset
        Over (quantile): ``multiplier``. Single numbers: ``p_zero`` (pays without the effects),
        ``p_never`` (does not pay at 64 times the centre), ``p_at_centre`` (pays at the central
        effects or less). Each with its Monte Carlo error in ``…_error``. The attribute ``ids``
        names the effects.
    """
    names = ray(simulation.assumptions) if ids is None else tuple(ids)
    found = multipliers(simulation, accounting, adjusted, names, n_draws)
    table = {
        **columns("multiplier", estimate(atomic_quantiles(), found), "quantile"),
        **columns("p_zero", estimate(mean, found == 0.0)),
        **columns("p_never", estimate(mean, np.isinf(found))),
        **columns("p_at_centre", estimate(mean, found <= 1.0)),
    }
    return dataset(table).assign_attrs(ids=",".join(names))


def multipliers(
    simulation: Simulation,
    accounting: str | Switches = "contribution_margin",
    adjusted: bool = True,
    ids: Sequence[str] | None = None,
    n_draws: int = N_DRAWS,
) -> Array:
    """Return the break-even multiple of the central effects of every draw, (replicate, draw).

    Parameters
    ----------
    simulation
        The draws.
    accounting, adjusted
        As for `Simulation.outcome`.
    ids
        The effects that are multiplied. None: all revenue effects of the segmented programme.
    n_draws
        How many draws of each replicate to use.

    Raises
    ------
    UsageError
        Where there is no effect to multiply.
    """
    names = ray(simulation.assumptions) if ids is None else tuple(ids)
    if not names:
        raise UsageError("Give at least one revenue effect to multiply, got none.")
    direction = {name: centre(simulation, name) for name in names}
    first = simulation.first(n_draws)
    return solve(first, direction, accounting, adjusted)


def per_input(
    simulation: Simulation,
    accounting: str | Switches = "contribution_margin",
    adjusted: bool = True,
    ids: Sequence[str] | None = None,
    n_draws: int = N_DRAWS,
) -> xr.Dataset:
    """Return the break-even value of single inputs, all others random.

    Effects and savings must reach it (direction ``at_least``). Costs must not exceed it
    (``at_most``): it is 0 where the programme does not even pay without the cost, and +inf where
    it still pays at 64 times the centre.

    Parameters
    ----------
    simulation, accounting, adjusted, n_draws
        As for `multipliers`.
    ids
        Inputs; None for all revenue effects, savings and costs of the segmented programme that
        the accounting counts.

    Returns
    -------
    xarray.Dataset
        Over (input, quantile): ``value`` in base units. Over (input): ``central``, the centre;
        ``p_zero``, the programme pays whatever the input is; ``p_never``, it pays at no value;
        ``p_below_central``, it pays with the input at its centre. Each estimate with its Monte
        Carlo error in ``…_error``. Coordinates ``input`` and ``direction`` (input).
    """
    switches = ACCOUNTINGS[accounting] if isinstance(accounting, str) else accounting
    names = tuple(_counted(simulation, switches)) if ids is None else tuple(ids)
    first = simulation.first(n_draws)
    parts = []
    for name in names:
        middle = centre(simulation, name)
        scale = scale_of(simulation, name)
        net = net_along(first, {name: scale}, accounting, adjusted)
        if _is_cost(simulation, name):
            found, free = smallest(lambda s, net=net: -net(s), first.shape), np.zeros(first.shape)
            whatever, never = np.isinf(found), net(free) < 0.0
        else:
            found = solve(first, {name: scale}, accounting, adjusted)
            whatever, never = found == 0.0, np.isinf(found)
        pays = net(np.full(first.shape, middle / scale)) >= 0.0
        parts.append(_one_input(scale * found, middle, whatever, never, pays))
    if not parts:
        return xr.Dataset(coords={"input": np.array([], dtype=np.str_)})
    directions = ["at_most" if _is_cost(simulation, name) else "at_least" for name in names]
    found = dataset(stack("input", parts), input=list(names))
    return found.assign_coords(direction=("input", directions))


def _one_input(found: Array, middle: float, whatever: Mask, never: Mask, pays: Mask) -> Table:
    return {
        **columns("value", estimate(atomic_quantiles(), found), "quantile"),
        "central": ((), np.asarray(middle)),
        **columns("p_zero", estimate(mean, whatever)),
        **columns("p_never", estimate(mean, never)),
        **columns("p_below_central", estimate(mean, pays)),
    }


def scale_of(simulation: Simulation, name: str) -> float:
    """Return by what the values of an input are measured: its centre, unless that is 0."""
    return abs(centre(simulation, name)) or abs(quantile(simulation, name, 0.95)) or 1.0


def solve(
    simulation: Simulation,
    direction: Mapping[str, float],
    accounting: str | Switches,
    adjusted: bool,
) -> Array:
    """Return the smallest multiple of some effects that pays, (replicate, draw).

    Parameters
    ----------
    simulation, accounting, adjusted
        As for `multipliers`.
    direction
        The effects at the multiple 1 by id, in base units.
    """
    hopeless = simulation.success(adjusted) == 0.0
    net = net_along(simulation, direction, accounting, adjusted)
    return smallest(net, simulation.shape, hopeless)


def net_along(
    simulation: Simulation,
    direction: Mapping[str, float],
    accounting: str | Switches,
    adjusted: bool,
) -> Net:
    """Return the net present value as a function of a multiple of some inputs.

    Both the multiple and the value are (replicate, draw); `direction` holds the inputs at the
    multiple 1, in base units.
    """
    row = _as_one_replicate(simulation)

    def net(multiple: Array) -> Array:
        steps = multiple.reshape(1, -1)
        values = {name: steps * value for name, value in direction.items()}
        found = row.pinned(values).outcome(accounting, adjusted).npv
        return found.reshape(simulation.shape)

    return net


def _as_one_replicate(simulation: Simulation) -> Simulation:
    """Return the same draws in one row: many small calculations become one large one."""
    known = simulation.draws
    values = {n: v if v.size == 1 else v.reshape(1, -1) for n, v in known.values.items()}
    draws = replace(known, values=values, works=known.works.reshape(1, -1))
    return Simulation(simulation.assumptions, draws, simulation.cores)


def smallest(net: Net, shape: tuple[int, ...], hopeless: Mask | None = None) -> Array:
    """Return for every draw the smallest s ≥ 0 with net(s) ≥ 0, to a relative error of 1e-9.

    Where the net value crosses 0 more than once, the first crossing between the points 0, 1, 2,
    4, …, 64 is found.

    Parameters
    ----------
    net
        Continuous function of an array of `shape`, element by element.
    shape
        Of the draws.
    hopeless
        Where no s can help, so that none is looked for.

    Returns
    -------
    Array
        0 where net(0) ≥ 0, +inf where net(s) < 0 up to 64.
    """
    low, high = np.zeros(shape), np.ones(shape)
    below, above = net(low), net(high)
    negative = below < 0.0
    hopeful = negative if hopeless is None else negative & ~hopeless
    reach = 1.0
    while (missing := hopeful & (above < 0.0)).any() and reach < MOST:
        reach *= 2.0
        low, below = np.where(missing, high, low), np.where(missing, above, below)
        high = np.where(missing, reach, high)
        above = np.where(missing, net(high), above)
    bracketed = hopeful & (above >= 0.0)
    root = _illinois(net, bracketed, low, high, below, above)
    return np.where(negative, np.where(bracketed, root, np.inf), 0.0)


def _illinois(net: Net, open_: Mask, low: Array, high: Array, below: Array, above: Array) -> Array:
    """Return the roots in brackets with below < 0 ≤ above, where `open_`."""
    root, side = high, np.zeros(open_.shape)
    held_below, held_above = below, above
    for _ in range(MOST_STEPS):
        if not open_.any():
            break
        part = -held_below / np.where(open_, held_above - held_below, 1.0)
        tried = np.where(open_, low + np.clip(part, 0.0, 1.0) * (high - low), root)
        value = net(tried)
        root = np.where(open_, tried, root)
        # The flatter side of the bracket says how far the root can be away at most.
        flattest = np.minimum(_slope(low, tried, below, value), _slope(tried, high, value, above))
        close = np.abs(value) <= PRECISION * flattest * tried
        open_ = open_ & ~close & (high - low > PRECISION * high)
        up = value >= 0.0
        # An end that stays twice in a row holds the secant back; half its value lets go.
        held_below = np.where(up, np.where(side > 0, 0.5 * held_below, held_below), value)
        held_above = np.where(up, value, np.where(side < 0, 0.5 * held_above, held_above))
        low, below = np.where(up, low, tried), np.where(up, below, value)
        high, above = np.where(up, tried, high), np.where(up, value, above)
        side = np.where(up, 1.0, -1.0)
    return root


def _slope(left: Array, right: Array, at_left: Array, at_right: Array) -> Array:
    """Return the slopes between points, +inf where they are one."""
    apart = right > left
    return np.where(apart, (at_right - at_left) / np.where(apart, right - left, 1.0), np.inf)


def _is_cost(simulation: Simulation, name: str) -> bool:
    return simulation.assumptions.inputs[name].role in COSTS


def _counted(simulation: Simulation, switches: Switches) -> list[str]:
    """Return the ids of the effects, savings and costs that an accounting counts, no copies."""

    def counts(entry: Input) -> bool:
        if entry.role not in ("revenue_effect", "saving", *COSTS) or entry.same_as:
            return False
        if entry.programme == "uniform" or not (entry.published or switches.all_costs):
            return False
        return not (entry.role == "saving" and entry.in_margin and switches.savings_once)

    return [name for name, entry in simulation.assumptions.inputs.items() if counts(entry)]
