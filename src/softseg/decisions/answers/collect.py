"""All answers of a simulation in one place, for the page, the workbook and the run folder."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from softseg.decisions.answers.breakeven import multiplier, multipliers, per_input
from softseg.decisions.answers.bridge import bridge
from softseg.decisions.answers.drivers import evidence_share, tornado, what_drives
from softseg.decisions.answers.estimates import Table, columns, dataset, estimate, mean, stack
from softseg.decisions.answers.frontier import frontier
from softseg.decisions.answers.headline import headline
from softseg.decisions.answers.indices import sobol
from softseg.decisions.answers.information import information
from softseg.decisions.answers.scenarios import ray, scenarios, tails
from softseg.decisions.answers.yearly import yearly
from softseg.decisions.inputs.schema import Assumptions, Programme
from softseg.decisions.model.simulate import WORKS, Simulation

POINTS: Final = ("margin", "mix")
MULTIPLES: Final = np.linspace(0.0, 2.0, 81)
"""Of the central effects, at which the chance that the programme pays is stated."""

TOGETHER: Final = "together"
PROGRAMMES: Final[tuple[Programme, ...]] = ("segmented", "uniform")


@dataclass(frozen=True)
class Answers:
    """What a simulation answers; each Dataset is that of the function it is named after.

    Attributes
    ----------
    headline, yearly, bridge, scenarios, tails, per_input, tornado, information
        See the functions of these names.
    shapley
        See `what_drives`.
    evidence
        See `evidence_share`.
    multiplier, chances
        See `multiplier` and `chances`; None where there is no revenue effect.
    frontier
        See `frontier`, over the inputs of `frontier_axes`, provided that the programme works;
        None where there are not two such inputs.
    sobol
        See `sobol`; None where the number of replicates is odd or nothing is uncertain.
    programmes
        Headline of the segmented and of the uniform programme, each against doing nothing; empty
        where the counterfactual is nothing.
    """

    headline: xr.Dataset
    yearly: xr.Dataset
    bridge: xr.Dataset
    scenarios: xr.Dataset
    tails: xr.Dataset
    per_input: xr.Dataset
    tornado: xr.Dataset
    shapley: xr.Dataset
    evidence: xr.Dataset
    information: xr.Dataset
    multiplier: xr.Dataset | None
    chances: xr.Dataset | None
    frontier: xr.Dataset | None
    sobol: xr.Dataset | None
    programmes: Mapping[str, xr.Dataset]

    def datasets(self) -> dict[str, xr.Dataset]:
        """Return every Dataset that there is, by name, for storage."""
        found: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        programmes = found.pop("programmes")
        found |= {f"headline_{name}": data for name, data in programmes.items()}
        return {name: data for name, data in found.items() if data is not None}


def collect(simulation: Simulation) -> Answers:
    """Return all answers of a simulation, in the full accounting unless they hold both.

    Linear algebra runs in one thread: its thousands of small solves would wait for each
    other, and the last digits of sums would depend on their number.
    """
    with threadpool_limits(1, user_api="blas"):
        return _collected(simulation)


def _collected(simulation: Simulation) -> Answers:
    known = simulation.assumptions
    axes = frontier_axes(known)
    uniform = known.counterfactual == "uniform"
    varies = _varies(simulation)
    working = simulation.pinned({WORKS: 1.0})
    return Answers(
        headline=headline(simulation),
        yearly=yearly(simulation),
        bridge=bridge(simulation),
        scenarios=scenarios(simulation),
        tails=tails(simulation),
        per_input=per_input(simulation),
        tornado=tornado(simulation),
        shapley=what_drives(simulation),
        evidence=evidence_share(simulation),
        information=information(simulation),
        multiplier=multiplier(simulation) if ray(known) else None,
        chances=chances(simulation) if ray(known) else None,
        frontier=None if axes is None else frontier(working, *axes, adjusted=True),
        sobol=sobol(simulation) if varies and simulation.shape[0] % 2 == 0 else None,
        programmes={p: headline(simulation, p) for p in PROGRAMMES} if uniform else {},
    )


def chances(simulation: Simulation) -> xr.Dataset:
    """Return the chance that the programme pays, by how much of the central effects there is.

    Returns
    -------
    xarray.Dataset
        ``p`` and ``p_error`` over (effect, multiple): the probability that the net present value
        is not negative, all other inputs as drawn. The effects are ``together``, all revenue
        effects at once, and then each of them alone, the others as drawn.
    """
    names = ray(simulation.assumptions)
    sets = {TOGETHER: names, **{name: (name,) for name in names if len(names) > 1}}
    parts: list[Table] = []
    for ids in sets.values():
        enough = multipliers(simulation, ids=ids)[..., None] <= MULTIPLES
        parts.append(columns("p", estimate(mean, enough), "multiple"))
    return dataset(stack("effect", parts), effect=list(sets), multiple=MULTIPLES)


def frontier_axes(assumptions: Assumptions) -> tuple[str, str] | None:
    """Return the two inputs of the break-even frontier, None where there are not two.

    They are the first effect on revenue and the first one on the margin; without such a pair the
    first two revenue effects.
    """
    effects = ray(assumptions)
    points = [name for name in effects if assumptions.inputs[name].effect in POINTS]
    others = [name for name in effects if name not in points]
    pair = [*others[:1], *points[:1]] if others and points else list(effects)[:2]
    return (pair[0], pair[1]) if len(pair) == 2 else None


def _varies(simulation: Simulation) -> bool:
    works = simulation.draws.works
    return bool(simulation.draws.uncertain) or bool(works.min() != works.max())
