"""Customers who move between segments and leave, as the cash flow sees them: year by year.

With A the transitions of one period of a draw and p periods a year, the customers of the end of
year h are n_h = n_{h−1} A^p, plus those who have come in; those of the year are the mean of its
beginning and its end, as for the revenue kept by less churn. What rests on the value or on the
number of a segment's customers changes with them: its base of today is multiplied by n_kh / n_k0.
The revenue of the company follows the value of all segments together.

A programme that changes moves out of a segment k has transitions A′ of its own, which differ in
row k alone. With w the value of a customer by segment the revenue that it keeps,

    Σ_l w_l (n′_lh − n_lh),   relative to  w_k n_kh,

is additional volume on the base of segment k, earned like that of less churn; customers that are
kept are paid for too, where a cost arises for each of them. Every segment's programme is compared
with the baseline by itself, so that the value of the whole stays the sum of its parts. Baseline and
programme have the same draw of everything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array

type Index = NDArray[np.intp]
type Freed = Literal["stay", "proportional"]

KEPT: Final = 4
"""Results that are kept, of the latest draws of levers."""
BLOCK: Final = 8_192
"""Draws whose transitions are raised to powers together."""


@dataclass(frozen=True)
class Move:
    """A lever that changes where the customers of a segment go.

    Attributes
    ----------
    segment
        Position of the segment that they leave.
    to
        Positions of the states that they go to.
    rises
        Whether they go there more often; less often otherwise.
    freed
        Where the freed mass goes, or the missing comes from: to staying, or to all other
        transitions of the row in proportion.
    weights
        Share of the change that is there in each year, (year,).
    """

    segment: int
    to: tuple[int, ...]
    rises: bool
    freed: Freed
    weights: Array


@dataclass(frozen=True)
class Moved:
    """What moves do to the cash flow of some draws.

    Attributes
    ----------
    paths
        Bases of each year relative to today, by id, (year, draw).
    more
        Additional volume by each lever, by id, relative to its base of the year, (year, draw).
    at_once
        The same in the way of counting without timing: what the full lever keeps in one year,
        relative to the base of today, (1, draw).
    """

    paths: Mapping[str, Array]
    more: Mapping[str, Array]
    at_once: Mapping[str, Array]

    def of(self, draws: Any) -> "Moved":
        """Return the same for some of the draws."""
        return Moved(*({name: a[:, draws] if a.shape[1] > 1 else a for name, a in part.items()}
                       for part in (self.paths, self.more, self.at_once)))  # fmt: skip


@dataclass(frozen=True)
class Moving:
    """Where customers go, by draw of the fitted model.

    Attributes
    ----------
    transition
        Of one period, (sample, state, state); churned, where there is such a state, is the last.
    customers
        Customers of today by state, (sample, state).
    worth
        What a customer brings a year, by state, (sample, state).
    per_year
        Periods of a year.
    years
        Years to look ahead.
    inflow
        New customers of a year by state, (sample, state); zeros: the cohort is closed.
    chance
        What a finite number of customers makes of the expectation, as a factor on the value of
        each segment and year, and the same for numbers, (2, sample, year, state).
    bases
        Which id is the value, and which the number, of a segment's customers: position of the
        segment, and whether it counts customers.
    company
        Id of the company's revenue, which follows the value of all segments.
    moves
        Levers by id.
    """

    transition: Array
    customers: Array
    worth: Array
    per_year: int
    years: int
    inflow: Array
    chance: Array
    bases: Mapping[str, tuple[int, bool]]
    company: str | None = None
    moves: Mapping[str, Move] = field(default_factory=dict)
    _known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def yearly(self) -> Array:
        """Transitions of one year, (sample, state, state)."""
        return np.linalg.matrix_power(self.transition, self.per_year)

    @cached_property
    def expected(self) -> Array:
        """Expected customers at the end of each year, 0 being today, (sample, year, state)."""
        return stocks(self.customers, lambda _: self.yearly, self.inflow, self.years)

    @cached_property
    def averaged(self) -> "Moving":
        """The same with one draw, the mean of all: for what is calculated at central values."""
        return replace(
            self,
            transition=self.transition.mean(axis=0, keepdims=True),
            customers=self.customers.mean(axis=0, keepdims=True),
            worth=self.worth.mean(axis=0, keepdims=True),
            inflow=self.inflow.mean(axis=0, keepdims=True),
            chance=np.ones_like(self.chance[:, :1]),
        )

    @cached_property
    def held(self) -> "Moving":
        """The same draws, all with the mean of what is known of moves."""
        mean, n = self.averaged, len(self.customers)
        return replace(
            self,
            transition=np.repeat(mean.transition, n, axis=0),
            customers=np.repeat(mean.customers, n, axis=0),
            worth=np.repeat(mean.worth, n, axis=0),
            inflow=np.repeat(mean.inflow, n, axis=0),
            chance=np.ones_like(self.chance),
        )

    def without_chance(self) -> "Moving":
        """Return the same with what is expected in the place of what chance makes of it."""
        return self.with_chance(np.ones_like(self.chance))

    def with_chance(self, chance: Array) -> "Moving":
        """Return the same with another factor of chance, (2, sample, year, state)."""
        return replace(self, chance=chance)

    def at(self, values: Mapping[str, Array], sample: Index | None, n_draws: int) -> Moved:
        """Return what moves do to the cash flow of each draw.

        Parameters
        ----------
        values
            Draws of the levers by id, in a row; (1, …) where they have no spread.
        sample
            Draw of the fitted model in each draw, in a row; None: the mean of all.
        n_draws
            How many draws there are.
        """
        if sample is None:
            return self.averaged.at(values, np.zeros(n_draws, dtype=np.intp), n_draws)
        changes = {id: values[id] for id in self.moves}
        key = (*(id(change) for change in changes.values()), id(sample), n_draws)
        if key not in self._known:
            while len(self._known) >= KEPT:
                self._known.pop(next(iter(self._known)))
            found = self._at({name: np.ravel(c) for name, c in changes.items()}, sample.ravel())
            self._known[key] = found, changes, sample  # kept alive, so that their ids are theirs
        return self._known[key][0]

    @cached_property
    def relative(self) -> Array:
        """Customers of each year relative to today, by kind, (2, sample, year, state)."""
        during = _during(self.expected)
        now = np.broadcast_to(self.customers[:, None], during.shape)
        return self.chance * _over(during, now)

    def _at(self, changes: Mapping[str, Array], sample: Index) -> Moved:
        paths = {
            name: self.relative[int(counts), :, :, k].T[:, sample]
            for name, (k, counts) in self.bases.items()
        }
        if self.company is not None:
            paths[self.company] = self._company()[:, sample]
        more: dict[str, Array] = {}
        once: dict[str, Array] = {}
        for segment in dict.fromkeys(move.segment for move in self.moves.values()):
            ours = {name: m for name, m in self.moves.items() if m.segment == segment}
            kept, heads, at_once = self._kept(segment, ours, changes, sample)
            first, *others = ours
            more[first], once[first] = kept, at_once
            for name in others:  # the levers of a segment bring what they bring together
                more[name], once[name] = np.zeros_like(kept), np.zeros_like(at_once)
            for name, (k, counts) in self.bases.items():
                if counts and k == segment:
                    paths[name] = paths[name] * (1.0 + heads)
        return Moved(paths, more, once)

    def _company(self) -> Array:
        """Return the value of all segments in each year relative to today, (year, sample)."""
        now = self.customers * self.worth
        total = now.sum(axis=-1)
        then = (self.relative[0] * now[:, None]).sum(axis=-1)
        return _over(then, np.broadcast_to(total[:, None], then.shape)).T

    def _kept(
        self, segment: int, moves: Mapping[str, Move], changes: Mapping[str, Array], sample: Index
    ) -> tuple[Array, Array, Array]:
        """Return value and customers kept, (year, draw), and value kept at once, (1, draw)."""
        n = len(sample)
        kept, heads = np.empty((self.years, n)), np.empty((self.years, n))
        once = np.empty((1, n))
        for first in range(0, n, BLOCK):
            cut = slice(first, first + BLOCK)
            some = {name: c[cut] if len(c) > 1 else c for name, c in changes.items()}
            kept[:, cut], heads[:, cut], once[:, cut] = self._some(
                segment, moves, some, sample[cut]
            )
        return kept, heads, once

    def _some(
        self, segment: int, moves: Mapping[str, Move], changes: Mapping[str, Array], sample: Index
    ) -> tuple[Array, Array, Array]:
        now, worth = self.customers[sample], self.worth[sample]
        yearly: dict[tuple[float, ...], Array] = {}

        def programme(share: tuple[float, ...]) -> Array:
            if share not in yearly:
                parts = [(m, changes[name] * s)
                         for (name, m), s in zip(moves.items(), share, strict=True)]  # fmt: skip
                changed = shifted(self.transition[sample], segment, parts)
                yearly[share] = np.linalg.matrix_power(changed, self.per_year)
            return yearly[share]

        def in_year(year: int) -> Array:
            return programme(tuple(float(m.weights[year]) for m in moves.values()))

        before = _during(self.expected)[sample]  # (draw, year, state)
        after = _during(stocks(now, in_year, self.inflow[sample], self.years))
        gained = ((after - before) * worth[:, None]).sum(axis=-1)
        base = before[..., segment] * worth[:, None, segment]
        heads = _gain(after[..., segment] - before[..., segment], before[..., segment])
        full = programme((1.0,) * len(moves))[:, segment] - self.yearly[sample, segment]
        once = _gain((full * worth).sum(axis=-1), worth[:, segment])
        return _gain(gained, base).T, heads.T, once[None]


def stocks(now: Array, yearly: Any, inflow: Array, years: int) -> Array:
    """Return customers at the end of each year, 0 being today, (…, year, state).

    Parameters
    ----------
    now
        Customers of today, (…, state).
    yearly
        From the position of a year to its transitions, (…, state, state).
    inflow
        Who comes in within a year, (…, state).
    """
    found = [now]
    for year in range(years):
        found.append(np.matmul(found[-1][..., None, :], yearly(year))[..., 0, :] + inflow)
    return np.stack(found, axis=-2)


def shifted(transition: Array, segment: int, moves: list[tuple[Move, Array]]) -> Array:
    """Return transitions with one row changed, (draw, state, state).

    A change never takes more than a row has: what is raised beyond that is cut.

    Parameters
    ----------
    transition
        Of the baseline, (draw, state, state).
    segment
        The row.
    moves
        Levers with the share by which each changes its transitions, (draw,).
    """
    found = transition.copy()
    old, row = transition[:, segment], found[:, segment]
    change = np.zeros_like(old)
    for move, share in moves:
        targets = list(move.to)
        change[:, targets] += (1.0 if move.rises else -1.0) * old[:, targets] * share[:, None]
    change = np.maximum(change, -old)
    named = sorted({k for move, _ in moves for k in move.to})
    others = [k for k in range(old.shape[1]) if k not in named]
    rest = [segment] if moves[0][0].freed == "stay" else others
    left, taken = old[:, rest].sum(axis=1), change.sum(axis=1)
    change *= np.where(taken > left, _gain(left, taken), 1.0)[:, None]
    taken = np.minimum(taken, left)
    row += change
    # from nothing there is no proportion: what is freed then goes to all of them alike
    alike = np.where((left == 0.0) & (taken != 0.0), (left - taken) / len(rest), 0.0)
    row[:, rest] *= np.where(taken == 0.0, 1.0, _over(left - taken, left))[:, None]
    row[:, rest] += alike[:, None]
    return found


def process(
    now: Array, effective: Array, yearly: Array, years: int, rng: np.random.Generator
) -> Array:
    """Return what a finite number of customers makes of the expectation, (2, sample, year, state).

    One future per draw: customers part by a multinomial law. Where a few bring most of the value,
    the value of a segment is as uncertain as that of fewer customers of equal value, and is
    simulated with so many.

    Parameters
    ----------
    now, effective
        Customers of today, and how many of equal value stand for them, (sample, state).
    yearly
        Transitions of a year, (sample, state, state).
    """
    rows = yearly / yearly.sum(axis=-1, keepdims=True)
    found = []
    for heads in (effective, now):
        floor = np.floor(heads)
        begin = floor + (rng.random(heads.shape) < heads - floor)
        drawn = [begin]
        for _ in range(years):
            parted = rng.multinomial(drawn[-1].astype(np.int64), rows)
            drawn.append(parted.sum(axis=1).astype(float))
        simulated = _during(np.stack(drawn, axis=1))
        nobody = np.zeros(heads.shape[-1])
        expected = _during(stocks(begin, lambda _: yearly, nobody, years))
        found.append(_over(simulated, expected))
    return np.stack(found)


def _during(stock: Array) -> Array:
    """Return the customers of each year: the mean of its beginning and its end."""
    return 0.5 * (stock[..., :-1, :] + stock[..., 1:, :])


def _over(part: Array, whole: Array) -> Array:
    """Return a quotient, 1 where nothing is divided by nothing."""
    return np.divide(part, whole, out=np.ones_like(part), where=whole > 0.0)


def _gain(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0.0)
