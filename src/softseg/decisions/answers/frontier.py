"""Break-even over two effects: which pairs pay with which probability."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from softseg.decisions.answers.breakeven import N_DRAWS, scale_of, solve
from softseg.decisions.answers.estimates import (
    Table,
    atomic_quantiles,
    columns,
    dataset,
    estimate,
    stack,
)
from softseg.decisions.answers.scenarios import (
    deterministic,
    quantile,
    scenario_values,
)
from softseg.decisions.inputs.schema import BENEFITS
from softseg.decisions.model.accounting import Switches
from softseg.decisions.model.simulate import Simulation
from softseg.errors import UsageError
from softseg.families.base import Array


def frontier(
    simulation: Simulation,
    x: str,
    y: str,
    levels: Sequence[float] = (0.5, 0.8, 0.95),
    n_points: int = 25,
    *,
    accounting: str | Switches = "contribution_margin",
    adjusted: bool = False,
    n_draws: int = N_DRAWS,
) -> xr.Dataset:
    """Return the pairs of two effects at which the programme pays with given probabilities.

    For every x it is the smallest y ≥ 0 at which the net present value is not negative in the
    share `level` of the draws of all other inputs.

    Parameters
    ----------
    simulation
        The draws.
    x, y
        Ids of two effects or savings.
    levels
        Probabilities.
    n_points
        Values of x, evenly from 0 to where it is enough alone, at most to its 99 % quantile or
        the largest value in a scenario.
    accounting, adjusted
        As for `Simulation.outcome`. Adjusted, a level above the probability that the programme
        works is out of reach.
    n_draws
        How many draws of each replicate to use.

    Returns
    -------
    xarray.Dataset
        ``x`` (point) and ``y`` (level, point) in base units, y with its Monte Carlo error
        ``y_error``: 0 where x alone is enough, +inf where 64 times the centre of y is not.
        ``y_centre`` (point), the line with all other inputs at their centre and success sure.
        Attributes ``x`` and ``y``: the ids.

    Raises
    ------
    UsageError
        Where the inputs are no effects, or the same, or a level is no probability.
    """
    _check(simulation, x, y, levels)
    net = _Net(simulation, x, y, accounting, adjusted)
    first = simulation.first(n_draws)
    grid = np.linspace(0.0, _largest(net, first, max(levels)), n_points)
    parts: list[Table] = []
    for value in grid:
        needed = net.needed(first.pinned({x: value}), y)
        parts.append(columns("y", estimate(atomic_quantiles(levels), needed), "level"))
    table: Table = {}
    for name, (_, found) in stack("point", parts).items():
        table[name] = (("level", "point"), found.T)
    table["x"] = (("point",), grid)
    fixed = deterministic(simulation, {x: grid[None]}, n_points)
    table["y_centre"] = (("point",), net.needed(fixed, y)[0])
    return dataset(table, level=list(levels)).assign_attrs(x=x, y=y)


@dataclass(frozen=True)
class _Net:
    simulation: Simulation
    x: str
    y: str
    accounting: str | Switches
    adjusted: bool

    def needed(self, simulation: Simulation, name: str) -> Array:
        """Return the smallest value of an effect that pays in draws where all others are set."""
        scale = scale_of(self.simulation, name)
        return scale * solve(simulation, {name: scale}, self.accounting, self.adjusted)


def _largest(net: _Net, first: Simulation, level: float) -> float:
    """Return where x ends: there it is enough alone, or beyond what anybody expects of it."""
    fixed = deterministic(net.simulation, {net.y: 0.0})
    alone = net.needed(first.pinned({net.y: 0.0}), net.x).reshape(-1)
    enough = max(atomic_quantiles((level,))(alone)[0], net.needed(fixed, net.x).item())
    named = [v[net.x] for v in scenario_values(net.simulation).values() if net.x in v]
    expected = [quantile(net.simulation, net.x, 0.99), *named, scale_of(net.simulation, net.x)]
    return min(enough, max(expected)) if enough > 0.0 else max(expected)


def _check(simulation: Simulation, x: str, y: str, levels: Sequence[float]) -> None:
    inputs = simulation.assumptions.inputs
    known = [n for n, entry in inputs.items() if entry.role in BENEFITS and not entry.same_as]
    for name in (x, y):
        if name not in known:
            raise UsageError(f"Choose effects out of {known} for a frontier, got {name!r}.")
    if x == y:
        raise UsageError(f"Choose two different effects for a frontier, got {x!r} twice.")
    if not all(0.0 < level <= 1.0 for level in levels):
        raise UsageError(f"Give levels above 0 up to 1, got {list(levels)}.")
