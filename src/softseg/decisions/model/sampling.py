"""The draws of the inputs: quasi-random points, dependence, and each input's distribution.

Coordinates of the points, in this order: one per uncertain input, in the file's order; one per set
of samples and one for the draws of a fitted model, each choosing a row, so that what stands in a
row stays together; one for whether the programme works at all; with a t copula one for its
χ² variable.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from softseg import checks
from softseg.decisions.inputs.dependence import (
    Matrix,
    correlation_matrix,
    dependence_faults,
    original,
    related,
)
from softseg.decisions.inputs.ranges import Marginal, marginal
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.inputs.units import read_unit
from softseg.decisions.model.moving import Moving
from softseg.decisions.model.scores import BITS, Copula, points, scrambled
from softseg.errors import SchemaError, UsageError
from softseg.families.base import Array
from softseg.wording import say

POSTERIOR_SET: Final = ""
"""Name of the set of samples that a fitted model gives; no set of the file is without a name."""

type Changes = tuple[tuple[str, str, float, float], ...]


@dataclass(frozen=True)
class Draws:
    """The inputs by draw.

    Attributes
    ----------
    values
        By id, (replicate, draw), in base units; inputs without spread (1, 1). Metrics are there
        only where another input refers to them. An input and its copies share one array.
    works
        1 where the programme has an effect, else 0, (replicate, draw).
    uncertain
        Ids of the inputs with spread, in the file's order, without copies.
    changes
        Pairs whose rank correlation had to change: ids, asked, got.
    sample
        Which draw of the fitted model stands in each draw, (replicate, draw); None without one.
    moving
        Where the customers go; None where they stay where they are.
    """

    values: dict[str, Array]
    works: Array
    uncertain: tuple[str, ...]
    changes: Changes
    sample: NDArray[np.intp] | None = None
    moving: Moving | None = None


@dataclass(frozen=True)
class _Plan:
    """What is drawn how: by a coordinate of its own, by sets of paired rows, or not at all."""

    single: dict[str, Marginal]
    sets: dict[str, dict[str, Array]]
    points: dict[str, float]
    copula: Copula | None
    changes: Changes

    @property
    def works(self) -> int:
        """Coordinate of whether the programme works; that of χ² comes after it."""
        return len(self.single) + len(self.sets)

    @property
    def n_coordinates(self) -> int:
        needs_spread = self.copula is not None and self.copula.degrees is not None
        return self.works + 1 + needs_spread


def draw(
    assumptions: Assumptions,
    n_replicates: int = 16,
    n_draws: int = 4096,
    seed: int = 1,
    posterior: Mapping[str, Array] | None = None,
    cores: int | None = None,
) -> Draws:
    """Return the draws of all inputs.

    Parameters
    ----------
    assumptions
        What is drawn.
    n_replicates
        Independent scramblings of the points. More of them do not change the first ones.
    n_draws
        Draws of each, a power of two. More of them do not change the first ones.
    seed
        Fixes every draw.
    posterior
        Draws of a fitted model by id, each (row,), in base units. They take the place of the
        inputs' distributions and of their correlations; a row is drawn as a whole.
    cores
        Threads, None for as many as the machine has. They change no number.

    Raises
    ------
    UsageError
        Where an argument does not fit.
    SchemaError
        Where the dependence of the inputs has faults, or samples cannot be paired.
    """
    n_replicates = checks.whole_number(n_replicates, "n_replicates", 1)
    n_draws = _power_of_two(n_draws)
    seed = checks.whole_number(seed, "seed")
    threads = os.cpu_count() or 1 if cores is None else checks.whole_number(cores, "cores", 1)
    plan = _plan(assumptions, _checked(assumptions, posterior or {}))
    # One after another: SciPy loads its tables with the first, which is not safe in threads.
    seeds = np.random.SeedSequence(seed).spawn(n_replicates)
    engines = [scrambled(plan.n_coordinates, child) for child in seeds]
    shape = (n_replicates, n_draws)
    uncertain = set(plan.single).union(*plan.sets.values())
    drawn = {name: np.empty(shape) for name in assumptions.inputs if name in uncertain}
    fixed = {name: np.array([[value]]) for name, value in plan.points.items()}
    values = _with_copies(assumptions, drawn | fixed)
    works = np.ones(shape)
    fitted = plan.sets.get(POSTERIOR_SET)
    sample = None if fitted is None else np.empty(shape, dtype=np.intp)
    no_effect = assumptions.only("no_effect")

    def fill(replicate: int) -> None:
        chances = points(engines[replicate], n_draws)
        chosen = _fill(plan, chances, {name: array[replicate] for name, array in drawn.items()})
        if sample is not None:
            sample[replicate] = chosen[POSTERIOR_SET]
        if no_effect is not None:
            p_no_effect = values[no_effect]
            risk = p_no_effect[replicate % len(p_no_effect)]
            np.greater(chances[plan.works], risk, out=works[replicate])

    with ThreadPoolExecutor(max_workers=threads) as pool:
        list(pool.map(fill, range(n_replicates)))
    return Draws(values, works, tuple(drawn), plan.changes, sample)


def _power_of_two(n_draws: int) -> int:
    n_draws = checks.whole_number(n_draws, "n_draws", 1, 2**BITS)
    if n_draws & (n_draws - 1):
        near = 2 ** round(np.log2(n_draws))
        raise UsageError(f"Give n_draws as a power of two such as {near}, got {n_draws}.")
    return n_draws


def _fill(plan: _Plan, chances: Array, out: dict[str, Array]) -> dict[str, NDArray[np.intp]]:
    """Turn the points of one replicate, (coordinate, draw), into values of the inputs.

    Returns the row of each set that stands in each draw.
    """
    n_single = len(plan.single)
    scores = chances[:n_single]
    ndtri(scores, out=scores)
    if plan.copula is not None:
        plan.copula.couple(scores, chances[-1])
    for score, (name, distribution) in zip(scores, plan.single.items(), strict=True):
        out[name][:] = distribution.from_score(score)
    chosen: dict[str, NDArray[np.intp]] = {}
    for chance, (key, samples) in zip(
        chances[n_single : plan.works], plan.sets.items(), strict=True
    ):
        n_rows = len(next(iter(samples.values())))
        chosen[key] = (chance * n_rows).astype(np.intp)
        for name, rows in samples.items():
            out[name][:] = rows[chosen[key]]
    return chosen


def _plan(assumptions: Assumptions, posterior: dict[str, Array]) -> _Plan:
    faults = dependence_faults(assumptions)
    if faults:
        texts = [say(key, assumptions.language, **values) for key, values, *_ in faults]
        raise SchemaError("\n".join(texts))
    single: dict[str, Marginal] = {}
    sets: dict[str, dict[str, Array]] = {}
    fixed: dict[str, float] = {}
    for name in _used(assumptions):
        entry = assumptions.inputs[name]
        if entry.same_as is not None:
            continue
        paired = posterior.get(name)
        if paired is None and entry.sample_set and entry.samples:
            paired = np.array(entry.samples) * read_unit(entry.unit).scale
        if paired is None:
            distribution = marginal(entry)
            if distribution.is_point:
                fixed[name] = distribution.central
            else:
                single[name] = distribution
        elif np.ptp(paired) > 0.0:
            key = POSTERIOR_SET if name in posterior else str(entry.sample_set)
            sets.setdefault(key, {})[name] = paired
            _check_paired(key, sets[key])
        else:
            fixed[name] = float(paired[0])
    names = [name for name in related(assumptions) if name in single]
    found = correlation_matrix(assumptions, names)
    return _Plan(single, sets, fixed, _copula(assumptions, found, list(single)), found.changes)


def _check_paired(name: str, samples: dict[str, Array]) -> None:
    lengths = {entry: len(rows) for entry, rows in samples.items()}
    if len(set(lengths.values())) > 1:
        raise SchemaError(f"Give equally many samples in the set {name!r}, got {lengths}.")


def _copula(assumptions: Assumptions, found: Matrix, single: list[str]) -> Copula | None:
    if len(found.names) < 2:
        return None
    dependence = assumptions.dependence
    degrees = dependence.degrees_of_freedom if dependence.copula == "t" else None
    rows = tuple(single.index(name) for name in found.names)
    return Copula(rows, np.linalg.cholesky(found.matrix), degrees)


def _used(assumptions: Assumptions) -> tuple[str, ...]:
    """Return the ids of all inputs but the metrics that no input in use refers to."""
    inputs = assumptions.inputs
    used: set[str] = set()
    waiting = [name for name, entry in inputs.items() if entry.role != "metric"]
    while waiting:
        name = waiting.pop()
        if name in inputs and name not in used:
            used.add(name)
            entry = inputs[name]
            others = (*entry.base, entry.rate, entry.margin, entry.same_as)
            waiting += [other for other in others if other is not None]
    return tuple(name for name in inputs if name in used)


def _with_copies(assumptions: Assumptions, known: dict[str, Array]) -> dict[str, Array]:
    """Return the values of all inputs in use, copies with the array of their original."""
    return {name: known[original(assumptions, name)] for name in _used(assumptions)}


def _checked(assumptions: Assumptions, posterior: Mapping[str, Array]) -> dict[str, Array]:
    """Return the draws of a fitted model, all of one length, of inputs that are no copies."""
    found = {name: np.asarray(rows, dtype=float) for name, rows in posterior.items()}
    for name, rows in found.items():
        if name not in assumptions.inputs:
            known = list(assumptions.inputs)
            raise UsageError(f"Give posterior draws of inputs out of {known}, got {name!r}.")
        source = original(assumptions, name)
        if source != name:
            raise UsageError(f"Give posterior draws of {source!r}: {name!r} is a copy of it.")
        if rows.ndim != 1 or len(rows) == 0 or not np.isfinite(rows).all():
            raise UsageError(
                f"Give the posterior draws of {name!r} as finite numbers in one dimension, "
                f"got shape {rows.shape} with {np.sum(~np.isfinite(rows))} not finite."
            )
    lengths = {name: len(rows) for name, rows in found.items()}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"Give equally many posterior draws of every input, got {lengths}.")
    return found
