"""Where the width of the band comes from: parameters, memberships, judgement.

The net present value N has three sources of chance: the parameters θ of the segments, the segment
z of each customer given the parameters, and the judgement e, which is everything else (effects,
costs, success). With v(u) the variance that is known with the sources u, a source's part is the
mean of what it adds over all orders in which the sources can become known: the Shapley value with
precedence (Faigle & Kern 1992, International Journal of Game Theory 21, 249–266). Parameters come
before memberships, because z is a question only given θ. That leaves the orders θze, θez and eθz.

Given e, N is affine in the values B(θ, z) that the programme reaches, N = a(e) + Σ_k c_k(e) B_k,
and e is drawn independently of (θ, z). So every v follows from a, c, B and E[B | θ], which the
table of values holds (Σ_i r_ik v_i); nothing is simulated inside a simulation:

    v(θ) = Var Σ c̄_k E[B_k | θ]         v(θ, z) − v(θ)    = E (Σ c̄_k D_k)²
    v(e) = Var (a + Σ c_k E[B_k])       v(θ, z, e) − v(θ, e) = E (Σ c_k D_k)²
    v(θ, e) = Var (a + Σ c_k E[B_k | θ])     with D = B − E[B | θ] and c̄ = E c.

The right column rests on E[D | θ] = 0, so that no noise enters by products that are 0 in truth.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.decisions.answers.estimates import Estimate
from softseg.decisions.inputs.schema import Programme
from softseg.decisions.model.simulate import Simulation
from softseg.decisions.segments.expand import base_rows
from softseg.decisions.segments.worth import FLOWS, SegmentSimulation
from softseg.errors import UsageError
from softseg.families.base import Array

BLOCKS: Final = ("parameters", "membership", "judgement")
COALITIONS: Final = (
    "parameters",
    "parameters+membership",
    "judgement",
    "parameters+judgement",
    "all",
)
PARTS_OF_SAMPLE: Final = 16
"""Runs of consecutive posterior draws, each of which is left out once for the error."""

ROUNDING: Final = 1e-9

type Rows = Mapping[str, Array]
"""Values of the bases by id."""
type Index = NDArray[np.intp]
type Statistic = Callable[[Index], Array]
"""From positions among all draws, in a row, to an array."""


@dataclass(frozen=True)
class Affine:
    """The net present value of a part as a function of the segments' values, by draw.

    Attributes
    ----------
    constant
        Where all values that vary are 0, (replicate, draw).
    slopes
        What one unit of each adds, by id, (replicate, draw). Values that never vary have none.
    """

    constant: Array
    slopes: Mapping[str, Array]

    def at(self, bases: Mapping[str, Array | float]) -> Array:
        """Return the net present value at given bases, (replicate, draw)."""
        return sum((slope * bases[id] for id, slope in self.slopes.items()), self.constant)


def affine(
    sim: SegmentSimulation,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
    programme: Programme | None = None,
) -> list[Affine]:
    """Return how the net present value of each part depends on what the fitted model knows.

    Parameters
    ----------
    sim
        The draws.
    accounting, adjusted, programme
        As in `Simulation.outcome`: by default what belongs to no segment is less the uniform
        programme where the assumptions name that as the counterfactual.

    Returns
    -------
    list of Affine
        First what belongs to no segment, then the segments of the programme in their order.

    Raises
    ------
    UsageError
        Where a lever rests on the product of two bases.
    """
    moving = _moving(sim)

    def of(part: Simulation) -> Affine:
        return _affine(part, moving, lambda one: one.outcome(accounting, adjusted, programme).npv)

    return [of(sim.part(k)) for k in (None, *sim.names)]


def known_rows(sim: SegmentSimulation) -> tuple[Rows, Rows]:
    """Return the bases by lot and given the parameters, (sample,) each, by id."""
    args = (sim.expanded, sim.value, sim.programme, sim.rule)
    return base_rows(*args, kind="lots"), base_rows(*args, kind="expected")


def refuse_plug_in(sim: SegmentSimulation) -> None:
    """Refuse draws that leave out what is not known about the segments.

    Raises
    ------
    UsageError
        Where the fitted model entered with its means only.
    """
    if sim.plug_in:
        raise UsageError(
            "Simulate with the draws of the fitted model: these hold its means only, so that "
            "nothing can be said about what is not known of the segments."
        )


def with_error(
    statistic: Statistic, shape: tuple[int, int], sample: NDArray[np.intp] | None
) -> Estimate:
    """Return a statistic of the draws with its Monte Carlo error.

    The error has two parts: what the replicates differ, and what leaving out runs of posterior
    draws changes (the delete-a-group jackknife), because all replicates share the posterior draws.

    Parameters
    ----------
    statistic
        Takes positions among all draws.
    shape
        Number of replicates and of draws in each.
    sample
        Posterior draw of each draw, (replicate, draw).
    """
    everything = np.arange(shape[0] * shape[1])
    value = statistic(everything)
    if shape[0] < 2:
        return Estimate(value, np.full_like(value, np.nan))
    each = np.stack([statistic(row) for row in everything.reshape(shape)])
    variance = each.var(axis=0, ddof=1) / shape[0]
    if sample is not None:
        run = np.ravel(sample) * PARTS_OF_SAMPLE // (int(sample.max()) + 1)
        runs = np.unique(run)
        if len(runs) > 1:
            without = np.stack([statistic(np.flatnonzero(run != one)) for one in runs])
            variance = variance + (len(runs) - 1) * without.var(axis=0)
    return Estimate(value, np.sqrt(variance))


def split(
    sim: SegmentSimulation, accounting: str = "contribution_margin", adjusted: bool = True
) -> xr.Dataset:
    """Return how much of the variance of the net present value comes from which source.

    Parameters
    ----------
    sim
        The draws.
    accounting, adjusted
        As in `Simulation.outcome`.

    Returns
    -------
    xarray.Dataset
        Over (block): ``variance`` in squared currency, which adds up to ``total`` exactly, and
        ``share``, which adds up to 1 (NaN where nothing varies). Single numbers: ``total``, the
        variance of the draws, and ``added``, what the blocks add up to before they are scaled to
        it; both agree within their errors. Over (coalition): ``known``, the variance that is known
        with some sources, scaled in the same way. Each with its Monte Carlo error in ``…_error``.
        With a panel as `softseg.decisions.segments.split_moving.split_moving` says.

    Raises
    ------
    UsageError
        Where the fitted model entered with its means only, or a lever rests on the product of two
        bases.
    """
    refuse_plug_in(sim)
    if sim.whole.draws.moving is not None:
        from softseg.decisions.segments.split_moving import split_moving

        return split_moving(sim, accounting, adjusted)
    game = _Game.of(sim, accounting, adjusted)
    found = with_error(game.values, sim.whole.shape, sim.whole.draws.sample)
    data: dict[str, tuple[tuple[str, ...], Array]] = {}
    for suffix, numbers in (("", found.value), ("_error", found.error)):
        data[f"total{suffix}"] = (), numbers[0]
        data[f"added{suffix}"] = (), numbers[1]
        data[f"variance{suffix}"] = ("block",), numbers[2:5]
        data[f"share{suffix}"] = ("block",), numbers[5:8]
        data[f"known{suffix}"] = ("coalition",), numbers[8:]
    attributes = {"accounting": accounting, "adjusted": int(adjusted)}
    return xr.Dataset(data, {"block": list(BLOCKS), "coalition": list(COALITIONS)}, attributes)


@dataclass(frozen=True)
class _Game:
    """All that the variances follow from, the draws in one row.

    `constant` (draw,), `slopes` (base, draw), `expected` and `apart` = B − E[B | θ] (base, draw).
    """

    constant: Array
    slopes: Array
    expected: Array
    apart: Array

    @classmethod
    def of(cls, sim: SegmentSimulation, accounting: str, adjusted: bool) -> "_Game":
        parts = affine(sim, accounting, adjusted)
        constant = sum((part.constant for part in parts), np.zeros(sim.whole.shape))
        slopes: dict[str, Array] = {}
        for part in parts:
            for id, slope in part.slopes.items():
                slopes[id] = slopes.get(id, 0.0) + slope
        sample = sim.whole.draws.sample
        if sample is None or not slopes:
            nothing = np.empty((0, constant.size))
            return cls(np.ravel(constant), nothing, nothing, nothing)
        lots, expected = known_rows(sim)
        given = np.stack([expected[id][sample.ravel()] for id in slopes])
        apart = np.stack([lots[id][sample.ravel()] for id in slopes]) - given
        return cls(np.ravel(constant), np.stack([*map(np.ravel, slopes.values())]), given, apart)

    def values(self, which: Index) -> Array:
        """Return total, sum of the blocks, blocks, their shares, and coalitions, of some draws."""
        constant, slopes = self.constant[which], self.slopes[:, which]
        given, apart = self.expected[:, which], self.apart[:, which]
        flat = slopes.mean(axis=1)
        together = constant + _dot(slopes, given)
        parameters = np.var(flat @ given)
        judgement = np.var(constant + _dot(slopes, given.mean(axis=1)[:, None]))
        both = np.var(together)
        lots = np.mean((flat @ apart) ** 2), np.mean(_dot(slopes, apart) ** 2)
        added = both + lots[1]
        blocks = _shapley(parameters, parameters + lots[0], judgement, both, added)
        total = np.var(together + _dot(slopes, apart))
        share = blocks / added if added > 0.0 else np.full(len(blocks), np.nan)
        scale = total / added if added > 0.0 else 0.0
        known = np.array([parameters, parameters + lots[0], judgement, both, added])
        return np.concatenate([[total, added], scale * blocks, share, scale * known])


def _shapley(
    parameters: float, fitted: float, judgement: float, without_lots: float, everything: float
) -> Array:
    """Return what parameters, membership and judgement add, over the orders θze, θez and eθz."""
    orders = np.array(
        [
            [parameters, fitted - parameters, everything - fitted],
            [parameters, everything - without_lots, without_lots - parameters],
            [without_lots - judgement, everything - without_lots, judgement],
        ]
    )
    return orders.mean(axis=0)


def _dot(slopes: Array, bases: Array) -> Array:
    """Return Σ c_k B_k of every draw."""
    return (slopes * bases).sum(axis=0)


def _affine(
    part: Simulation, moving: Mapping[str, float], npv: Callable[[Simulation], Array]
) -> Affine:
    """Return a part as a function of its bases, from its value at 0 and at their sizes."""
    entries = part.assumptions.inputs.values()
    used = {id for entry in entries if entry.role in FLOWS for id in entry.base}
    sizes = {id: size for id, size in moving.items() if id in used}
    zero = dict.fromkeys(sizes, 0.0)
    constant = npv(part.pinned(zero))
    slopes = {
        id: (npv(part.pinned(zero | {id: size})) - constant) / size for id, size in sizes.items()
    }
    found = Affine(constant, slopes)
    drawn = npv(part)
    away = np.abs(found.at(part.draws.values) - drawn).max(initial=0.0)
    if away > ROUNDING * max(np.abs(drawn).max(initial=0.0), np.abs(constant).max(initial=0.0)):
        raise UsageError(
            "Let each lever of a segment rest on the value or on the number of its customers: "
            f"a product of the two cannot be split by source, got one of {sorted(sizes)}."
        )
    return found


def _moving(sim: SegmentSimulation) -> dict[str, float]:
    """Return a typical size of each base that varies between the draws of the fitted model."""
    if sim.whole.draws.sample is None:
        return {}
    lots, expected = known_rows(sim)
    return {
        id: float(np.abs(row).mean() + np.abs(expected[id]).mean())
        for id, row in lots.items()
        if np.ptp(row) > 0.0 or np.ptp(expected[id]) > 0.0
    }
