"""Sobol indices: how much of the variance independent inputs explain, alone and in total.

They need the model at points of which one input is exchanged (pick-freeze). With A and B two
independent samples and A_i the sample A with input i of B, the first-order index is
E[Y_B (Y_Ai − Y_A)] / Var Y and the total index E[(Y_A − Y_Ai)²] / (2 Var Y) (Saltelli et al. 2010,
Computer Physics Communications 181, 259–270; Jansen 1999, ibid. 117, 35–43).

Exchanging one input alone has no meaning where it moves together with others: for those the indices
are NaN, and Shapley effects answer the question (`softseg.decisions.answers.shapley`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from scipy.stats import qmc, rankdata

from softseg import checks
from softseg.decisions.answers.information import variables
from softseg.decisions.answers.regression import ROUNDING
from softseg.decisions.inputs.dependence import correlation_matrix, related
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import WORKS, Simulation
from softseg.decisions.model.timing import Array
from softseg.errors import UsageError

VISIBLE: Final = 5.0
"""Rank correlations of so many standard errors count as dependence."""


@dataclass(frozen=True)
class Indices:
    """First-order and total Sobol indices with standard errors, (input,) each."""

    names: tuple[str, ...]
    first: Array
    first_error: Array
    total: Array
    total_error: Array


def sobol_indices(
    function: Callable[[Mapping[str, Array]], Array],
    quantiles: Mapping[str, Callable[[Array], Array]],
    n: int,
    rng: np.random.Generator,
    n_replicates: int = 16,
) -> Indices:
    """Return the Sobol indices of a function of independent inputs.

    Parameters
    ----------
    function
        From inputs by name, (draw,) each, to the outcome, (draw,).
    quantiles
        Inverse distribution function of each input.
    n
        Points of each replicate, a power of two.
    rng
        Scrambles the Sobol points.
    n_replicates
        Independent scramblings, whose spread gives the errors.

    Raises
    ------
    UsageError
        Where `n` is no power of two.
    """
    n = checks.whole_number(n, "n", 2)
    if n & (n - 1):
        raise UsageError(f"Give n as a power of two, got {n}.")
    names = list(quantiles)
    before, exchanged, other = [], [], []
    for _ in range(n_replicates):
        points = qmc.Sobol(2 * len(names), rng=rng).random(n).T
        a = {name: quantiles[name](u) for name, u in zip(names, points, strict=False)}
        b = {name: quantiles[name](u) for name, u in zip(names, points[len(names) :], strict=True)}
        before.append(function(a))
        other.append(function(b))
        exchanged.append([function(a | {name: b[name]}) for name in names])
    changed = np.moveaxis(np.array(exchanged), 1, 0)
    return _indices(tuple(names), np.array(before), np.array(other), changed)


def sobol(
    simulation: Simulation,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
    n_draws: int = 1024,
    seed: int = 1,
) -> xr.Dataset:
    """Return the Sobol indices of the net present value.

    Each replicate is exchanged with one of the other half of the replicates. Their draws are
    paired at random: two scramblings of the same Sobol points fall into the same or into opposite
    halves of the range at every draw, so that draws of the same number are not independent.

    Parameters
    ----------
    simulation
        The draws; an even number of replicates.
    accounting, adjusted
        As in `Simulation.outcome`.
    n_draws
        Draws of each replicate that are used.
    seed
        Of the pairing.

    Returns
    -------
    xarray.Dataset
        ``first_order``, ``total`` with ``_error`` (input), shares of the variance; NaN for inputs
        that move together with others, whose names are in the attribute ``dependent``.

    Raises
    ------
    UsageError
        Where the number of replicates is odd.
    """
    used = simulation.first(n_draws)
    n_replicates = used.shape[0]
    if n_replicates % 2:
        raise UsageError(f"Simulate an even number of replicates, got {n_replicates}.")
    x = variables(used, adjusted)
    tied = dependent(used, x)
    rng = np.random.default_rng(seed)
    partner = np.roll(np.arange(n_replicates), n_replicates // 2)[:, None]
    paired = rng.permuted(np.tile(np.arange(used.shape[1]), (n_replicates, 1)), axis=1)
    before = used.outcome(accounting, adjusted).npv
    free = tuple(name for name in x if name not in tied)
    exchanged = [
        used.pinned({name: x[name].reshape(used.shape)[partner, paired]})
        .outcome(accounting, adjusted)
        .npv
        for name in free
    ]
    changed = np.array(exchanged).reshape(len(free), *used.shape)
    found = _indices(free, before, before[partner, paired], changed, n_replicates // 2)
    blank = np.full(len(x), np.nan)
    data = {}
    for key in ("first", "first_error", "total", "total_error"):
        column = blank.copy()
        column[[list(x).index(name) for name in free]] = getattr(found, key)
        data[key.replace("first", "first_order")] = ("input", column)
    attributes = {"accounting": accounting, "adjusted": int(adjusted), "dependent": " ".join(tied)}
    return xr.Dataset(data, {"input": list(x)}, attributes)


def dependent(simulation: Simulation, x: Mapping[str, Array]) -> tuple[str, ...]:
    """Return the inputs that move together with others, declared or visible in the draws.

    Parameters
    ----------
    simulation
        Its assumptions declare factors, correlations and sets of samples.
    x
        Draws by id, (sample,).
    """
    found = _declared(simulation.assumptions, list(x))
    if len(x) > 1:
        ranks = np.corrcoef([rankdata(value) for value in x.values()])
        np.fill_diagonal(ranks, 0.0)
        limit = VISIBLE / np.sqrt(simulation.draws.works.size)
        found |= {name for name, row in zip(x, ranks, strict=True) if np.abs(row).max() > limit}
    return tuple(name for name in x if name in found)


def _declared(assumptions: Assumptions, names: list[str]) -> set[str]:
    joined = [name for name in related(assumptions) if name in names]
    matrix = correlation_matrix(assumptions, joined).matrix
    together = np.abs(matrix - np.eye(len(joined))).max(axis=1, initial=0.0) > 0.0
    # A t copula makes inputs extreme together even where they are not correlated.
    if assumptions.dependence.copula == "t" and len(joined) > 1:
        together = np.ones(len(joined), dtype=bool)
    found = {name for name, tied in zip(joined, together, strict=True) if tied}
    sets = [assumptions.inputs[name].sample_set for name in names if name != WORKS]
    shared = {one for one in sets if one is not None and sets.count(one) > 1}
    found |= {
        name for name in names if name != WORKS and assumptions.inputs[name].sample_set in shared
    }
    no_effect = assumptions.only("no_effect")
    return found | ({no_effect, WORKS} if no_effect in names else set())


def _indices(
    names: tuple[str, ...], before: Array, other: Array, changed: Array, n_parts: int | None = None
) -> Indices:
    """Return the indices from outcomes (replicate, draw), and (input, replicate, draw) exchanged.

    Replicates whose number differs by `n_parts` share their draws, and count once for the error.
    """
    centre, variance = before.mean(), before.var()
    scale = variance if variance > (ROUNDING * np.abs(before).max()) ** 2 else np.nan
    first = ((other - centre) * (changed - before)).mean(axis=-1) / scale
    total = 0.5 * ((before - changed) ** 2).mean(axis=-1) / scale
    parts = before.shape[0] if n_parts is None else n_parts

    def error(values: Array) -> Array:
        each = values.reshape(len(names), -1, parts).mean(axis=1)
        if parts < 2:
            return np.full(len(names), np.nan)
        return each.std(axis=-1, ddof=1) / np.sqrt(parts)

    return Indices(names, first.mean(axis=-1), error(first), total.mean(axis=-1), error(total))
