"""What it is worth to know more before deciding which segments to treat: `resolve`.

The decisions are every set of segments, with what belongs to no segment, or the uniform programme,
or nothing. Because the net present value is a sum over segments, the best of them is found segment
by segment: with expectations n_0 of the shared part, n_k of segment k and u of the uniform
programme it brings

    max(0, u, n_0 + Σ_k max(0, n_k)).

The expected value of partial information on x is the mean of this at n = E[N | x], less its value
at n = E[N] (see `softseg.decisions.answers.information`). E[N | x] is exact, without regression,
for the parameters, Σ c̄_k E[B_k | θ], for every customer's segment, Σ c̄_k B_k, which says as much
about the value as parameters and memberships together, and for all judgement, Σ c_k E[B_k] (for
the symbols see `softseg.decisions.segments.split`). For single inputs it is a regression.

With a panel each of these is known while the transitions A are held at their mean Ā; what it is
worth to know A is a block of its own. Expected net present values given A are those at Ā plus a
regression of N(A) − N(Ā), with the same judgement in both, on what A alone does to each decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from softseg.decisions.answers.information import Value, averaged, net_benefits, variables
from softseg.decisions.inputs.dependence import related
from softseg.decisions.model.simulate import WORKS
from softseg.decisions.segments.best import best_worth, gained, regressed
from softseg.decisions.segments.expand import base_rows
from softseg.decisions.segments.migrated import held, with_moving
from softseg.decisions.segments.split import (
    BLOCKS,
    Index,
    Rows,
    affine,
    known_rows,
    refuse_plug_in,
    with_error,
)
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.families.base import Array
from softseg.wording import has, money, say

N_DRAWS: Final = 1024
"""Draws of each replicate that single inputs are regressed on."""

MIGRATION: Final = "migration"

CLEAR: Final = 2.0
"""Errors that a value must lie above 0 to be recommended."""


def resolve(
    sim: SegmentSimulation,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
    n_draws: int = N_DRAWS,
    seed: int = 1,
) -> xr.Dataset:
    """Return what it is worth to know a source before deciding which segments to treat.

    Parameters
    ----------
    sim
        The draws.
    accounting, adjusted
        As in `Simulation.outcome`.
    n_draws
        Draws of each replicate that single inputs are regressed on.
    seed
        Of the errors of the regressions.

    Returns
    -------
    xarray.Dataset
        In whole currency. Over (block): ``evppi`` with ``evppi_error``, which includes
        ``evppi_bias``, and ``share`` of EVPI, NaN where that is 0. The blocks are ``parameters``,
        ``membership`` (every customer's segment, which leaves no question about the parameters
        that money depends on), ``judgement`` (all of it at once), with a panel ``migration`` (how
        often customers move and leave, not who of them will), and then each uncertain input,
        ``works`` last; ``label`` (block) is what the assumptions call an input. Single numbers:
        ``evpi``, of knowing everything; ``now``, the expected value of the best decision today;
        ``targeting``, what knowing every customer's segment brings in addition because then the
        members themselves can be treated, and not those who seem to be members; 0 where the
        programme finds its members by itself. Each with its Monte Carlo error in ``…_error``.

    Raises
    ------
    UsageError
        Where the fitted model entered with its means only, or a lever rests on the product of two
        bases.
    """
    refuse_plug_in(sim)
    moves, sim = _Moves.of(sim, accounting, adjusted), held(sim)
    steady = replace(sim, whole=averaged(sim.whole))
    known = _Sources.of(sim, steady, accounting, adjusted, moves)
    exact = with_error(known.worth, sim.whole.shape, sim.whole.draws.sample)
    with threadpool_limits(1, user_api="blas"):  # many small solves, see `collect`
        rng = np.random.default_rng(seed)
        single = known.inputs(sim, adjusted, n_draws, rng)
        if moves is not None:
            single = {MIGRATION: known.transitions(sim, moves, n_draws, rng)} | single
    names = [*BLOCKS, *single]
    evpi = exact.value[4]
    blocks = [Value(v, e) for v, e in zip(exact.value[1:4], exact.error[1:4], strict=True)]
    worth, error, bias = np.array([*blocks, *single.values()]).T
    data: dict[str, Any] = {
        "evppi": ("block", worth),
        "evppi_error": ("block", error),
        "evppi_bias": ("block", bias),
        "share": ("block", worth / evpi if evpi > 0.0 else np.full(len(worth), np.nan)),
    }
    for position, name in ((0, "now"), (4, "evpi"), (5, "targeting")):
        data |= {name: exact.value[position], f"{name}_error": exact.error[position]}
    inputs = sim.whole.assumptions.inputs
    labels = [(inputs[name].label or name) if name in inputs else "" for name in names]
    attributes = {
        "accounting": accounting,
        "adjusted": int(adjusted),
        "currency": sim.whole.assumptions.currency,
    }
    coordinates = {"block": names, "label": ("block", np.array(labels, dtype=np.str_))}
    return xr.Dataset(data, coordinates, attributes)


def sentence(found: xr.Dataset, language: str) -> str:
    """Return the one sentence that says what to find out first, and what that is worth.

    Parameters
    ----------
    found
        As `resolve` returns it. All judgement at once is no one thing, and is left out.
    language
        ``en`` or ``de``.
    """
    worth, error = found["evppi"].copy(), found["evppi_error"].copy()
    at = {"block": "membership"}
    worth.loc[at] += found["targeting"]
    error.loc[at] = np.hypot(error.loc[at], found["targeting_error"])
    one_thing = found["block"] != "judgement"
    clear = one_thing & (worth > 0.0) & ~(worth <= CLEAR * error)
    if not clear.any():
        return say("split.resolve_nothing", language)
    best = worth.where(clear).idxmax("block").item()
    return say(
        "split.resolve",
        language,
        thing=block_label(found, best, language),
        amount=money(worth.sel(block=best).item(), found.attrs["currency"], language),
    )


def block_label(found: xr.Dataset, block: str, language: str) -> str:
    """Return how readers know a block: an input by its label, the others from the catalogue."""
    key = f"split.block.{block}"
    own = str(found["label"].sel(block=block).item())
    return say(key, language) if not own and has(key) else own or block


@dataclass(frozen=True)
class _Net:
    """Net present values of the rows of `best_worth` as functions of the segments' values.

    `constant` (row, draw), the draws in one row; `slopes` (draw,) by row and id of the base.
    """

    constant: Array
    slopes: Mapping[tuple[int, str], Array]

    @classmethod
    def of(cls, sim: SegmentSimulation, accounting: str, adjusted: bool) -> "_Net":
        parts = affine(sim, accounting, adjusted, "segmented")
        decisions = net_benefits(sim.part(None), accounting, adjusted)
        uniform = decisions.get("uniform", np.zeros(sim.whole.shape))
        constant = np.stack([uniform.ravel(), *(part.constant.ravel() for part in parts)])
        slopes = {
            (row, id): slope.ravel()
            for row, part in enumerate(parts, start=1)
            for id, slope in part.slopes.items()
        }
        return cls(constant, slopes)

    def drawn(self, bases: Rows, which: Index) -> Array:
        """Return the rows with the judgement of each draw, (row, draw)."""
        net = self.constant[:, which]
        for (row, id), slope in self.slopes.items():
            net[row] += slope[which] * bases[id][which]
        return net

    def expected(self, bases: Rows, which: Index) -> Array:
        """Return the rows averaged over the judgement, (row, draw)."""
        net = np.repeat(self.constant[:, which].mean(axis=1)[:, None], len(which), axis=1)
        for (row, id), slope in self.slopes.items():
            net[row] += slope[which].mean() * bases[id][which]
        return net


@dataclass(frozen=True)
class _Moves:
    """Net present values with the transitions of each draw, and what chance does left out.

    In `steady` whether the programme works is averaged over. `alone` (row, draw) is what the
    transitions do where all else is at its mean.
    """

    net: _Net
    steady: _Net
    alone: Array

    @classmethod
    def of(cls, sim: SegmentSimulation, accounting: str, adjusted: bool) -> "_Moves | None":
        moving = sim.whole.draws.moving
        if moving is None:
            return None
        sim = with_moving(sim, moving.without_chance())
        steady = replace(sim, whole=averaged(sim.whole))
        drawn = {**steady.whole.draws.values, WORKS: steady.whole.draws.works}
        means = {id: float(draws.mean()) for id, draws in drawn.items()}
        central = replace(steady, whole=steady.whole.pinned(means))
        parts = [central.part(k) for k in (None, *sim.names)]
        uniform = net_benefits(parts[0], accounting, adjusted).get("uniform")
        rows = [part.outcome(accounting, adjusted, "segmented").npv for part in parts]
        alone = np.stack([rows[0] * 0.0 if uniform is None else uniform, *rows])
        net, usual = (_Net.of(one, accounting, adjusted) for one in (sim, steady))
        return cls(net, usual, alone.reshape(len(alone), -1))


@dataclass(frozen=True)
class _Sources:
    """What is known with each source: rows of net present values, and bases by draw (draw,).

    In `steady` and `members` whether the programme works is averaged over. `everything` is `net`
    with the transitions of each draw. `members` is that of a programme that reaches the members
    themselves, on bases of its own; None where it does.
    """

    net: _Net
    everything: _Net
    steady: _Net
    lots: Rows
    given: Rows
    members: tuple[_Net, Rows] | None

    @classmethod
    def of(
        cls,
        sim: SegmentSimulation,
        steady: SegmentSimulation,
        accounting: str,
        adjusted: bool,
        moves: _Moves | None,
    ) -> "_Sources":
        lots, given = (_by_draw(sim, rows) for rows in known_rows(sim))
        found = _with_members(steady)
        members = None
        if found is not None:
            members = _Net.of(found, accounting, adjusted), _by_draw(sim, known_rows(found)[0])
        net, usual = (_Net.of(one, accounting, adjusted) for one in (sim, steady))
        return cls(net, net if moves is None else moves.net, usual, lots, given, members)

    def worth(self, which: Index) -> Array:
        """Return what is best now, and what more it brings to know, of some draws.

        In this order: now; parameters, membership, judgement, everything; targeting.
        """
        parameters = self.steady.expected(self.given, which)
        membership = self.steady.expected(self.lots, which)
        sources = (
            parameters,
            membership,
            self.net.drawn(self._means(which), which),
            self.everything.drawn(self.lots, which),
        )
        now = best_worth(parameters.mean(axis=1))
        targeting = 0.0
        if self.members is not None:
            net, bases = self.members
            assigned, found = best_worth(membership), best_worth(net.expected(bases, which))
            targeting = np.maximum(found - assigned, 0.0).mean()
        return np.array([now, *(gained(rows).mean() for rows in sources), targeting])

    def inputs(
        self, sim: SegmentSimulation, adjusted: bool, n_draws: int, rng: np.random.Generator
    ) -> dict[str, Value]:
        """Return the value of knowing each uncertain input of the judgement, by id."""
        steady, net = self._at_means(sim, n_draws, self.steady, self.net)
        found = variables(sim.whole, adjusted)
        return {
            name: regressed(
                net if name == WORKS else steady,
                _rows_of(sim, name, len(net)),
                x.reshape(sim.whole.shape)[:, :n_draws],
                rng,
            )
            for name, x in found.items()
            if name not in self.given
        }

    def transitions(
        self, sim: SegmentSimulation, moves: _Moves, n_draws: int, rng: np.random.Generator
    ) -> Value:
        """Return the value of knowing how often customers move and leave."""
        held, moved = self._at_means(sim, n_draws, self.steady, moves.steady)
        alone = _few(moves.alone, sim.whole.shape, n_draws)
        net = moved - held + held.mean(axis=(1, 2), keepdims=True)
        known = {str(row): what for row, what in enumerate(alone)}
        return regressed(net, list(range(len(net))), known, rng)

    def _at_means(self, sim: SegmentSimulation, n_draws: int, *nets: _Net) -> list[Array]:
        """Return rows with the bases at their means, (row, replicate, draw), of the first draws."""
        which = np.arange(sim.whole.draws.works.size)
        # over all posterior draws, of which the replicates hold some
        means = {id: np.full(len(which), row.mean()) for id, row in known_rows(sim)[1].items()}
        return [_few(net.drawn(means, which), sim.whole.shape, n_draws) for net in nets]

    def _means(self, which: Index) -> Rows:
        """Return the bases at their means over some draws, for all draws."""
        return {id: np.full(row.shape, row[which].mean()) for id, row in self.given.items()}


def _few(draws: Array, shape: tuple[int, int], n_draws: int) -> Array:
    """Return the first draws of each replicate, (…, replicate, draw), of all in a row."""
    return draws.reshape(*draws.shape[:-1], *shape)[..., :n_draws]


def _by_draw(sim: SegmentSimulation, rows: Rows) -> Rows:
    """Return the bases by draw, all draws in one row."""
    sample = sim.whole.draws.sample
    if sample is None:  # nothing about the segments is uncertain
        return {id: np.full(sim.whole.draws.works.size, row[0]) for id, row in rows.items()}
    return {id: row[sample.ravel()] for id, row in rows.items()}


def _with_members(sim: SegmentSimulation) -> SegmentSimulation | None:
    """Return the study with a programme that treats the members of each segment, if others do."""
    if sim.programme.reach == "members" or sim.whole.draws.sample is None:
        return None
    exact = sim.programme.model_copy(update={"reach": "members", "off_target": 0.0})
    rows = base_rows(sim.expanded, sim.value, exact, sim.rule)
    return replace(sim.with_bases(rows), programme=exact)


def _rows_of(sim: SegmentSimulation, name: str, n_rows: int) -> list[int]:
    """Return the rows that an input can say something about.

    An input of one segment says nothing about the others where it is drawn by itself and no input
    of theirs refers to it.
    """
    owners, inputs = sim.expanded.owner, sim.whole.assumptions.inputs
    everything = list(range(n_rows))
    if name not in owners:  # `works` among them, which is no input
        return everything
    users = {
        owners.get(other)
        for other, entry in inputs.items()
        if name in (other, *entry.base, entry.rate, entry.margin, entry.same_as)
    }
    tied = name in related(sim.whole.assumptions) or inputs[name].sample_set is not None
    alone = users == {owners[name]} and not tied
    return [2 + list(sim.names).index(owners[name])] if alone else everything
