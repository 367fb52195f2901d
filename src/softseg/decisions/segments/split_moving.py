"""Where the width of the band comes from in a study with a panel: migration is a source too.

Beside the parameters θ of the segments, the segment z of each customer today and the judgement e
there are the transitions A, which are parameters that are not known exactly, and what chance p
makes of them: a finite number of customers moves, and a few of them bring most of the value. A
source's part is, as in `softseg.decisions.segments.split`, the mean of what it adds over all orders
in which the sources can become known. z and A are questions only given θ, and p only given z and A;
e can come at any place. That leaves ten orders.

The net present value N is no longer affine in all sources, for a lever on moves meets the
transitions of its draw. Variances therefore come from pairs of draws that share some sources, the
others being drawn anew by a permutation (pick and freeze; Sobol 1993, Janon et al. 2014):

    Var E[N | u] = Cov(N(u, others), N(u, other others)).

Chance and, given θ, the segments of customers need no second draw: N is affine in both, so that
their means take their place. With A drawn anew the transitions of another posterior draw meet the
segments of this one; what both say of each other is then left to the transitions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.decisions.model.moving import Moving
from softseg.decisions.model.sampling import Draws
from softseg.decisions.segments.split import Index, Rows, known_rows, with_error
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError
from softseg.families.base import Array

MIGRATION: Final = ("parameters", "membership", "migration", "chance", "judgement")
"""Sources of variance, those of a panel among them."""
BEFORE: Final = {
    "membership": {"parameters"},
    "migration": {"parameters"},
    "chance": {"parameters", "membership", "migration"},
}
"""What has to be known before a source is a question."""
SEED: Final = 17

type Coalition = frozenset[str]


def orders() -> list[tuple[str, ...]]:
    """Return the orders in which the sources can become known."""
    return [
        order
        for order in permutations(MIGRATION)
        if all(BEFORE.get(name, set()) <= set(order[:i]) for i, name in enumerate(order))
    ]


def coalitions() -> list[Coalition]:
    """Return the sets of sources that are known at some place of an order, small ones first."""
    found = {frozenset(order[:i]) for order in orders() for i in range(1, len(MIGRATION) + 1)}
    return sorted(found, key=lambda one: (len(one), sorted(one)))


def split_moving(sim: SegmentSimulation, accounting: str, adjusted: bool) -> xr.Dataset:
    """Return how much of the variance of the net present value comes from which source.

    Parameters
    ----------
    sim
        The draws of a study with a panel.
    accounting, adjusted
        As in `Simulation.outcome`.

    Returns
    -------
    xarray.Dataset
        As `softseg.decisions.segments.split.split`. The blocks are ``parameters`` (of the
        segments), ``membership``, ``migration`` (transitions that are not known exactly),
        ``chance`` (what a finite number of customers makes of them) and ``judgement``; coalitions
        are named by their sources, joined by ``+``. ``added`` is ``total``. A part that is small
        beside its error may come out below 0.

    Raises
    ------
    UsageError
        Where the draws hold no migration.
    """
    game = _Game.of(sim, accounting, adjusted)
    found = with_error(game.values, sim.whole.shape, sim.whole.draws.sample)
    n, names = len(MIGRATION), ["+".join(b for b in MIGRATION if b in one) for one in coalitions()]
    data: dict[str, tuple[tuple[str, ...], Array]] = {}
    for suffix, numbers in (("", found.value), ("_error", found.error)):
        data[f"total{suffix}"] = (), numbers[0]
        data[f"added{suffix}"] = (), numbers[0]
        data[f"variance{suffix}"] = ("block",), numbers[1 : 1 + n]
        data[f"share{suffix}"] = ("block",), numbers[1 + n : 1 + 2 * n]
        data[f"known{suffix}"] = ("coalition",), numbers[1 + 2 * n :]
    attributes = {"accounting": accounting, "adjusted": int(adjusted)}
    return xr.Dataset(data, {"block": list(MIGRATION), "coalition": names}, attributes)


@dataclass(frozen=True)
class _Game:
    """Two net present values for each coalition, which share it and nothing else; (draw,) each."""

    pairs: dict[Coalition, tuple[Array, Array]]

    @classmethod
    def of(cls, sim: SegmentSimulation, accounting: str, adjusted: bool) -> "_Game":
        moving = sim.whole.draws.moving
        if moving is None:
            raise UsageError("Give the study a panel: these draws hold no migration.")
        world = _World.of(sim, moving)

        def npv(known: Iterable[str], shared: Iterable[str]) -> Array:
            drawn = world.drawn(frozenset(known), frozenset(shared))
            return np.ravel(drawn.whole.outcome(accounting, adjusted).npv)

        pairs: dict[Coalition, tuple[Array, Array]] = {}
        cache: dict[tuple[Coalition, Coalition], Array] = {}
        for one in coalitions():
            # the means of all other sources take their place in both
            level = one | {"parameters", "migration", "judgement"}
            for shared in (frozenset(MIGRATION), one):
                if (level, shared & level) not in cache:
                    cache[level, shared & level] = npv(level, shared)
            pairs[one] = cache[level, level], cache[level, one & level]
        return cls(pairs)

    def values(self, which: Index) -> Array:
        """Return total, blocks, their shares, and coalitions, of some draws."""
        known = {one: _covariance(a[which], b[which]) for one, (a, b) in self.pairs.items()}
        total = known[frozenset(MIGRATION)]
        added = [
            np.mean([
                known[frozenset(order[: i + 1])] - known.get(frozenset(order[:i]), 0.0)
                for order in orders() for i, name in enumerate(order) if name == block
            ])
            for block in MIGRATION
        ]  # fmt: skip
        blocks = np.array(added)
        share = blocks / total if total > 0.0 else np.full(len(blocks), np.nan)
        return np.concatenate([[total], blocks, share, [known[one] for one in coalitions()]])


@dataclass(frozen=True)
class _World:
    """The draws, and how each source is drawn anew."""

    sim: SegmentSimulation
    moving: Moving
    lots: Rows
    given: Rows
    sample: Index
    other: Index
    turned: NDArray[np.intp]
    turn: NDArray[np.intp]

    @classmethod
    def of(cls, sim: SegmentSimulation, moving: Moving) -> "_World":
        rng = np.random.default_rng(SEED)
        shape, sample = sim.whole.shape, sim.whole.draws.sample
        n = len(moving.customers)
        if sample is None:  # bases that are the same in every draw; transitions are not
            sample = rng.integers(0, n, shape)
        other = np.stack([rng.permutation(row) for row in sample])
        turn = np.stack([rng.permutation(shape[1]) for _ in sample])
        lots, given = known_rows(sim)
        return cls(sim, moving, lots, given, sample, other, rng.permutation(n), turn)

    def drawn(self, known: Coalition, shared: Coalition) -> SegmentSimulation:
        """Return the draws with the means of what is not known, and anew what is not shared."""
        sample = self.sample if "parameters" in shared else self.other
        rows = self.lots if "membership" in known else self.given
        moving = self.moving if "chance" in known else self.moving.without_chance()
        if "parameters" in shared and "migration" not in shared:
            moving = replace(moving, transition=moving.transition[self.turned])
        whole = self.sim.whole
        values = {id: row[sample] for id, row in rows.items() if id in whole.draws.values}
        found = whole.pinned(values)
        draws = replace(found.draws, sample=sample, moving=moving)
        found = replace(found, draws=draws)
        if "judgement" not in shared:
            found = replace(found, draws=self._judged_anew(draws, {*values}))
        return replace(self.sim, whole=found)

    def _judged_anew(self, draws: Draws, bases: set[str]) -> Draws:
        """Return the draws with the judgement of another draw of the same replicate."""

        def anew(array: Array) -> Array:
            if array.size == 1:
                return array
            whole = np.broadcast_to(array, self.turn.shape)
            return np.take_along_axis(whole, self.turn, axis=1)

        values = {id: v if id in bases else anew(v) for id, v in draws.values.items()}
        return replace(draws, values=values, works=anew(draws.works))


def _covariance(one: Array, other: Array) -> float:
    """Return the covariance of two arrays of the same law (Janon et al. 2014)."""
    mean = 0.5 * (one.mean() + other.mean())
    return float(np.mean((one - mean) * (other - mean)))
