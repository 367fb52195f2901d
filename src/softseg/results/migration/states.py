"""Where every customer is: states now and over the periods, evaluated draw by draw in blocks.

As with memberships, the probabilities of all customers in all draws are never held at once. What
later steps need of them (expected customers per state, their interval, one customer's outlook) is
summed up block by block.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.inference.markov.fit import Layout
from softseg.inference.markov.space import MarkovSpace, emissions
from softseg.likelihood.histories import CHURNED, Histories, histories_of
from softseg.likelihood.markov import (
    Sequences,
    expected_of,
    filtered_of,
    sequences_of,
    smoothed_of,
)
from softseg.likelihood.statistics import Statistics
from softseg.models.evaluator import thinned, threads
from softseg.models.latent_markov import LatentMarkov, chain_of
from softseg.models.mixture import Values
from softseg.models.plan import theta_of
from softseg.names import CUSTOMER, PERIOD, SAMPLE, STATE, STATE_TO
from softseg.tables.panel.covariates import means
from softseg.tables.panel.examine import migration_of
from softseg.tables.panel.panel import Panel

NUMBERS: Final = 20_000_000
"""So many probabilities are held at once."""
MOST_DRAWS, LEAST_DRAWS = 1000, 200
MANY: Final = 50_000_000
"""From so many numbers (history × state × draw) on the fewest draws are used."""
FEW_DRAWS, LARGE_PANEL = 50, 500_000
"""Customers by period come from few draws in panels of so many steps: they are known well there."""


def draws_for(n_histories: int, n_states: int, n_draws: int) -> int:
    """Return how many draws the states of so many histories are computed from."""
    if n_histories * n_states * min(n_draws, MOST_DRAWS) <= MANY:
        return min(n_draws, MOST_DRAWS)
    return min(n_draws, LEAST_DRAWS)


@dataclass(frozen=True)
class States:
    """The customers' states under posterior draws.

    Attributes
    ----------
    model, layout, panel
        What is evaluated.
    values
        Draws with one leading axis (sample), already thinned.
    names
        Labels of the states.
    """

    model: LatentMarkov
    layout: Layout
    panel: Panel
    values: Values
    names: tuple[str, ...]

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.values.share)

    def transition(self) -> xr.DataArray:
        """Return the transitions that answers look ahead with, (sample, state, state_to).

        With a matrix per period it is their mean within each draw; with covariates that of a
        customer whose covariates are the means of the panel.
        """
        model = self.model
        if model.design.shape[1] > 0:
            entry = migration_of(self.panel.schema)
            mean = np.append(1.0, means(entry.transition, entry.frozen))
            model = replace(model, design=mean[None], profiles=("means",))
        return self._matrices(model).mean(PERIOD)

    def matrices(self) -> xr.DataArray:
        """Return all transition matrices, (sample, period, state, state_to).

        They are one per period or covariate profile, or a single one for all.
        """
        return self._matrices(self.model)

    def _matrices(self, model: LatentMarkov) -> xr.DataArray:
        theta = np.ascontiguousarray(theta_of(model, self.values))
        chain = model.chain(theta.shape[2] - sum(e.prior.fixed.shape[1] for e in model.extras))
        pairs = zip(self.values.share, theta, strict=True)
        found = np.stack([chain_of(chain, share, each)[1] for share, each in pairs])
        names = list(self.names)
        return xr.DataArray(
            found,
            dims=(SAMPLE, PERIOD, STATE, STATE_TO),
            coords={STATE: names, STATE_TO: names},
        )

    def now(self) -> Iterator[xr.DataArray]:
        """Yield the states in the last period, (sample, customer, state), block by block.

        Filtered probabilities: they know nothing but what was observed up to then. A customer who
        was last seen earlier has moved on since by the model's own transitions: those of the
        periods that have passed, or of the last covariates that are known. Customers are
        numbered as in the panel; those without a history, who are left out of it, are left out.
        """
        customers, last = self._last_histories()
        step = max(1, NUMBERS // max(1, self.n_draws * len(self.names)))
        for first in range(0, len(last), step):
            yield self._now(customers[first : first + step], last[first : first + step])

    def over_periods(self) -> xr.Dataset:
        """Return expected customers per state in every period, their moves, and who enters.

        Smoothed: every customer's whole history is taken into account. Customers who have been
        seen to churn stay in the last state until they return, if they do; those lost from sight
        are no longer counted.

        Returns
        -------
        xarray.Dataset
            ``customers`` and ``entered`` (sample, period, state), ``moves`` into each period
            (sample, period, state, state_to), 0 in the first.
        """
        panel, n = self.panel, len(self.panel.periods)
        every = max(1, self.n_draws // self._draws_over_periods())
        counted = _ByPeriod.of(panel, self.layout)
        space = self._space(self.layout.histories, self.layout.statistics)
        told_apart = sequences_of(self.layout.statistics, counted.histories)

        def one(i: int) -> tuple[Array, Array, Array]:
            density, begin, moves = _prepared(space, self.values, i, told_apart)
            begin, moves = begin[counted.begin_of], moves[counted.profile_of]
            _, _, begun, crossed = expected_of(told_apart.steps, density, begin, moves)
            moved = np.zeros((n, *moves.shape[1:]))
            np.add.at(moved, counted.period_of, crossed * moves)
            entered = np.zeros((n, moves.shape[1]))
            np.add.at(entered, counted.entry_of, begun)
            customers = moved.sum(axis=1) + entered
            customers[:, -1] += counted.gone * self.model.churns
            return customers, entered, moved

        with ThreadPoolExecutor(max_workers=threads()) as pool:
            found = [np.stack(part) for part in zip(
                *pool.map(one, range(0, self.n_draws, every)), strict=True
            )]  # fmt: skip
        dims = (SAMPLE, PERIOD, STATE)
        return xr.Dataset(
            {
                "customers": (dims, found[0]),
                "entered": (dims, found[1]),
                "moves": ((*dims, STATE_TO), found[2]),
            },
            {PERIOD: list(panel.periods), STATE: list(self.names), STATE_TO: list(self.names)},
        )

    def memberships_of_rows(self, i: int) -> Array:
        """Return the states of the rows of the panel's table under one draw, (row, segment).

        Smoothed, given the customer's whole history.
        """
        space = self._space(self.layout.histories, self.layout.statistics)
        smoothed = smoothed_of(space.sequences, *_prepared(space, self.values, i))
        places = _places(self.panel, self.layout.histories)
        seen = self.panel.row >= 0
        found = np.empty((int(seen.sum()), self.model.n_segments))
        found[self.panel.row[seen]] = smoothed[places[seen], : self.model.n_segments]
        return found

    def _draws_over_periods(self) -> int:
        return FEW_DRAWS if self.panel.n_steps > LARGE_PANEL else LEAST_DRAWS

    def _now(self, customers: NDArray[np.int64], own: NDArray[np.intp]) -> xr.DataArray:
        """Return the states at the end of some customers' histories, moved on to the present."""
        distinct, place = np.unique(self.layout.histories.history_of[own], return_inverse=True)
        histories, statistics = self.layout.histories.take(distinct, self.layout.statistics)
        space = self._space(histories, statistics)
        order = histories.history_of[place]
        ends = self.panel.start[own + 1] - 1
        unseen = len(self.panel.periods) - 1 - self.panel.period[ends]
        onward = self._onward(ends, unseen)

        def one(i: int) -> Array:
            density, begin, moves = _prepared(space, self.values, i)
            filtered, _ = filtered_of(space.sequences, density, begin, moves)
            found = filtered[order]
            for passed, which in enumerate(onward):
                later = unseen > passed
                found[later] = (found[later][:, None] @ moves[which[later]])[:, 0]
            return found

        with ThreadPoolExecutor(max_workers=threads()) as pool:
            found = np.stack(list(pool.map(one, range(self.n_draws))))
        return xr.DataArray(
            found,
            dims=(SAMPLE, CUSTOMER, STATE),
            coords={CUSTOMER: customers, STATE: list(self.names)},
        )

    def _onward(self, ends: NDArray[np.int64], unseen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which matrix leads into each period after the last step of customers' histories.

        Shape (passed, customer); `ends` are the last steps, `unseen` the periods after them.
        """
        passed = np.arange(int(unseen.max(initial=0)))[:, None]
        last = len(self.model.profiles) - 1
        if len(passed) and self.model.design.shape[1] > 0:
            _, profile = np.unique(self.panel.covariates, axis=0, return_inverse=True)
            return profile.ravel()[ends] + 0 * passed
        return np.minimum(self.panel.period[ends] + passed, last)

    def _last_histories(self) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
        """Return the customers with a history, and the latest one of each, (customer,)."""
        customer = self.panel.customer
        last = np.flatnonzero(np.append(np.diff(customer) != 0, True)[: len(customer)])
        return customer[last], last

    def _space(self, histories: Histories, statistics: Statistics) -> MarkovSpace:
        return MarkovSpace.on(self.model, statistics, histories)


def states_of(
    model: LatentMarkov, layout: Layout, panel: Panel, values: Values, names: Sequence[str]
) -> States:
    """Return the customers' states under as many of the draws as are needed.

    Parameters
    ----------
    values
        Draws with one leading axis (sample).
    names
        Labels of the states, churned last where customers churn.
    """
    n = draws_for(panel.n_histories, model.n_states, len(values.share))
    return States(model, layout, panel, thinned(values, n), tuple(names))


def _places(panel: Panel, histories: Histories) -> NDArray[np.int64]:
    """Return where each step of the panel stands among those of the distinct histories, (step,)."""
    whole = np.repeat(np.arange(panel.n_histories), np.diff(panel.start))
    within = np.arange(panel.n_steps) - panel.start[whole]
    return histories.places()[histories.history_of[whole], within]


def _prepared(
    space: MarkovSpace, values: Values, i: int, sequences: Sequences | None = None
) -> tuple[Array, Array, Array]:
    """Return densities of codes, initial shares and matrices of one draw.

    The codes are those of `sequences`, the space's own where none are given.
    """
    sequences = sequences or space.sequences
    draw = values.at(i)
    theta = np.ascontiguousarray(theta_of(space.model, draw))
    density, _, _, _ = emissions(space.plan, theta, sequences, space.model.n_states)
    return density, *chain_of(space.chain, draw.share, theta)


@dataclass(frozen=True)
class _ByPeriod:
    """Histories that tell periods apart, so that customers and moves are counted by period.

    Attributes
    ----------
    histories
        With a profile for every combination of matrix and period, and a beginning for every
        combination of initial shares and period of entry.
    profile_of, period_of
        Matrix and period of each of these profiles.
    begin_of, entry_of
        Initial shares and period of entry of each of these beginnings.
    gone
        Customers seen to churn before each period who have not returned by then, (period,).
    """

    histories: Histories
    profile_of: NDArray[np.intp]
    period_of: NDArray[np.intp]
    begin_of: NDArray[np.intp]
    entry_of: NDArray[np.intp]
    gone: Array

    @classmethod
    def of(cls, panel: Panel, layout: Layout) -> "_ByPeriod":
        place = _places(panel, layout.histories)
        steps = layout.histories.steps
        pairs, profile = np.unique(
            np.stack([steps.profiles[place], panel.period], axis=1), axis=0, return_inverse=True
        )
        first = panel.start[:-1]
        begins = steps.begins[layout.histories.history_of]
        entries, begin = np.unique(
            np.stack([begins, panel.period[first]], axis=1), axis=0, return_inverse=True
        )
        histories = histories_of(
            layout.statistics,
            row=panel.row,
            sign=panel.may.astype(np.int64),
            start=panel.start,
            churns=bool(layout.histories.n_churns),
            profile=profile.ravel(),
            begin=begin.ravel(),
        )
        last, n = panel.start[1:] - 1, len(panel.periods)
        seen = np.bincount(panel.period[last][panel.may[last] == CHURNED], minlength=n)
        again = np.append(False, np.diff(panel.customer) == 0)[: len(first)]
        back = np.bincount(panel.period[first][again], minlength=n)
        gone = (np.append(0, np.cumsum(seen)[:-1]) - np.cumsum(back)).astype(float)
        profile_of, period_of = pairs.T.astype(np.intp)
        begin_of, entry_of = entries.T.astype(np.intp)
        return cls(histories, profile_of, period_of, begin_of, entry_of, gone)
