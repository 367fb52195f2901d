"""How unusual a customer is under the model: `tail_probability`.

    P( log p(x_new | θ) ≤ log p(x | θ) | data ),    θ from the posterior, x_new from the model

with the customer's own gaps and exposures. Under a right model it is about uniform over
customers; below 1 % the customer fits none of the segments. Equal densities, which discrete
indicators produce, count half (mid-p). Customers of one pattern have the same probability.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from softseg.families.base import TINY, Array
from softseg.families.namespace import NUMPY
from softseg.inference.replicate import (
    Cells,
    draw_segments,
    log_density,
    log_density_terms,
    log_sum,
    pattern_cells,
    simulate,
    spaced,
)
from softseg.likelihood.kernel import COMPILED, memberships
from softseg.likelihood.patterns import distinct
from softseg.likelihood.statistics import Statistics
from softseg.likelihood.sweep import fill_draws, normalise_draws
from softseg.models.evaluator import Evaluator, LaidOut, in_threads
from softseg.models.mixture import Mixture, Values
from softseg.tables.table import Table

N_DRAWS = 100
"""Posterior draws that are looked at."""
N_NEW = 300
"""New customers simulated per draw where they serve all rows with the same gaps."""
MOST_KEPT = 100
"""Groups of gaps whose new customers are kept, sorted, for the next rows: 24 MB."""
ROWS_AT_ONCE = 4096
"""Patterns with the same gaps that one thread looks at."""
MOST_NUMBERS = 2_000_000
"""Log densities of new customers that one group of gaps has at the most."""
DOUBTFUL = 0.05
"""Rows at or below this are looked at again with `REPEATS` times as many replicates."""
REPEATS = 10
MANY_ROWS = 20_000
N_FIRST = 30
"""The first look takes about so many draws; with exposures, above `MANY_ROWS` patterns only."""
TIE = 1e-9
"""Two log densities closer than this share of their size are the same number."""


def tail_probability(
    statistics: Statistics,
    table: Table,
    mixture: Mixture,
    values: Values,
    rng: np.random.Generator,
    n_draws: int = N_DRAWS,
) -> Array:
    """Return the predictive tail probability of each row of the table, (customer,).

    Parameters
    ----------
    statistics
        Of this table, from `reduce`.
    values
        Posterior draws (sample, …), of which `n_draws` evenly spaced ones are used.

    Notes
    -----
    Without exposures the same simulated customers serve every row with the same gaps: 30,000 of
    them where the answer of the first 10,000 is 5 % or less, so that what a row gets does not
    depend on the rows beside it. With exposures that
    differ each row is compared with its own `n_draws` replicates (30 in a large table), and with
    10 · `n_draws` others where the first answer is 5 % or less: the resolution is 0.1 % where it
    matters.
    """
    return TailProbability(mixture, values, rng, n_draws).of(statistics, table)


class TailProbability:
    """`tail_probability` for one table after the other, the simulated customers made once.

    Parameters
    ----------
    rng
        A generator, for one table; or a seed, with which the same row gets the same number in
        every table.
    """

    def __init__(
        self,
        mixture: Mixture,
        values: Values,
        rng: np.random.Generator | Sequence[int],
        n_draws: int = N_DRAWS,
    ) -> None:
        self._mixture, self._rng, self._n_draws = mixture, rng, n_draws
        self._values = values.at(spaced(len(values.share), n_draws))
        self._new: NewCustomers | None = None

    def of(self, statistics: Statistics, table: Table) -> Array:
        """Return the predictive tail probability of each row of a table, (customer,)."""
        cells = pattern_cells(statistics, table)
        if all(np.ptp(exposure) == 0 for exposure in cells.exposures.values()):
            exposures = {name: float(exposure[0]) for name, exposure in cells.exposures.items()}
            if self._new is None or self._new.exposures != exposures:
                rng = np.random.default_rng(self._rng)
                self._new = NewCustomers(self._mixture, self._values, exposures, rng)
            tail = self._new.tail(statistics, cells)
        else:
            draws = [self._values.at(i) for i in range(self._n_draws)]
            rng = np.random.default_rng(self._rng)
            tail = np.clip(_own(statistics, cells, self._mixture, draws, rng), 0.0, 1.0)
        return tail[statistics.pattern_of_row]


def _observed(statistics: Statistics, draws: list[Values]) -> Iterator[Array]:
    """Yield the log densities of the patterns under each draw, (pattern,)."""
    for values in draws:
        weights = statistics.layout.weights(values.indicators, NUMPY)
        yield memberships(statistics, weights, values.share)[1]


@dataclass(frozen=True)
class _Look:
    """The draws by which rows are looked at."""

    draws: slice
    laid_out: LaidOut

    @classmethod
    def at(cls, values: Values, draws: slice) -> "_Look":
        return cls(draws, LaidOut(values.at(draws)))


class NewCustomers:
    """Customers simulated without gaps, with whom every pattern is compared.

    Parameters
    ----------
    values
        Draws (sample, …); `N_NEW` customers are simulated for each.
    exposures
        Exposure of every customer, by indicator.
    """

    def __init__(
        self,
        mixture: Mixture,
        values: Values,
        exposures: Mapping[str, float],
        rng: np.random.Generator,
    ) -> None:
        self.values, self.exposures = values, dict(exposures)
        few = slice(None, None, max(1, len(values.share) // N_FIRST))
        self._first, self._second = _Look.at(values, few), _Look.at(values, slice(None))
        self._sorted: dict[bytes, Array] = {}
        n_draws = len(values.share)
        n_new = int(np.clip(MOST_NUMBERS // (n_draws * mixture.n_segments), 1, N_NEW))
        like = Cells(
            {name: np.zeros(n_new) for name in mixture.families},
            {name: np.full(n_new, exposure) for name, exposure in exposures.items()},
        )
        start = np.log(np.maximum(values.share, TINY))
        joint = []
        for i in range(n_draws):
            one = values.at(i)
            new = simulate(rng, mixture, one, draw_segments(rng, one.share, n_new), like)
            terms = np.stack([t.T for t in log_density_terms(mixture, one, new).values()])
            joint.append(terms)
        # (indicator, segment, draw, customer), so that sums run over the first axes
        self._terms = np.ascontiguousarray(np.stack(joint, axis=2))
        self._start = np.ascontiguousarray(start.T)[:, :, None]

    def densities(self, present: NDArray[np.bool_]) -> Array:
        """Return sorted log densities with only these indicators shown, (sample, customer)."""
        key = present.tobytes()
        found = self._sorted.get(key)
        if found is None:
            joint = self._start + np.tensordot(present.astype(float), self._terms, axes=1)
            found = np.sort(log_sum(joint), axis=1)
            if len(self._sorted) < MOST_KEPT:
                self._sorted[key] = found
        return found

    def tail(self, statistics: Statistics, cells: Cells) -> Array:
        """Return the share of new customers with a smaller density, ties half; (pattern,)."""
        shown = cells.present()
        combinations = distinct(list(shown.T.astype(float)))
        present, group = shown[combinations.row], combinations.pattern_of_row
        every = np.arange(statistics.n_patterns)
        tail = self._ranks(statistics, every, present, group, self._first)
        doubtful = np.flatnonzero(tail <= DOUBTFUL)
        if len(doubtful):
            tail[doubtful] = self._ranks(statistics, doubtful, present, group, self._second)
        return tail

    def _ranks(
        self,
        statistics: Statistics,
        patterns: NDArray[np.intp],
        present: NDArray[np.bool_],
        group: NDArray[np.intp],
        look: "_Look",
    ) -> Array:
        """Return the answer for some patterns by some of the draws, in the order of `patterns`."""
        order = np.argsort(group[patterns], kind="stable")
        edges = np.searchsorted(group[patterns][order], np.arange(len(present) + 1))
        evaluator = Evaluator(statistics, look.laid_out)
        tail = np.empty(len(patterns))

        def work(job: tuple[int, int]) -> None:
            g, first = job
            places = order[first : min(first + ROWS_AT_ONCE, edges[g + 1])]
            rows = patterns[places]
            new = np.ascontiguousarray(self.densities(present[g])[look.draws])
            tail[places] = rank_kernel(*evaluator.block(rows), statistics.log_base[rows], new)

        jobs = [
            (g, first)
            for g in range(len(present))
            for first in range(edges[g], edges[g + 1], ROWS_AT_ONCE)
        ]
        for _ in in_threads(work, jobs):
            pass
        return tail


@njit(**COMPILED)
def rank_kernel(dense, codes, start, weights, table, log_base, sorted_new):  # pragma: no cover
    """Return the share of sorted new customers below each pattern, ties half, over all draws."""
    n_draws, n_new = sorted_new.shape
    row = np.empty(len(start))
    largest, best, total = np.empty(n_draws), np.empty(n_draws), np.empty(n_draws)
    share = np.empty(len(dense))
    for p in range(len(dense)):
        fill_draws(dense[p], codes[p], start, weights, table, row)
        normalise_draws(row, n_draws, largest, best, total)
        below = 0.0
        for s in range(n_draws):
            log_p = largest[s] - np.log(total[s]) + log_base[p]
            slack = TIE * (1.0 + abs(log_p))
            new = sorted_new[s]
            lower, length = 0, n_new
            while length > 0:
                half = length // 2
                smaller = new[lower + half] < log_p - slack
                lower = lower + half + 1 if smaller else lower
                length = length - half - 1 if smaller else half
            upper = lower
            while upper < n_new and new[upper] <= log_p + slack:
                upper += 1
            below += 0.5 * (lower + upper)
        share[p] = below / (n_draws * n_new)
    return share


def _own(
    statistics: Statistics,
    cells: Cells,
    mixture: Mixture,
    draws: list[Values],
    rng: np.random.Generator,
) -> Array:
    """Compare each pattern with replicates of its own, more of them where it looks unusual."""
    few = draws if cells.n_rows <= MANY_ROWS else draws[:: max(1, len(draws) // N_FIRST)]
    tail = np.zeros(cells.n_rows)
    for values, log_p in zip(few, _observed(statistics, few), strict=True):
        tail += _share_below(rng, mixture, values, cells, log_p) / len(few)
    rows = np.flatnonzero(tail <= DOUBTFUL)
    if len(rows):
        copies = cells.take(np.tile(rows, REPEATS))
        again = np.zeros(len(rows))
        for values, log_p in zip(draws, _observed(statistics.take(rows), draws), strict=True):
            hits = _share_below(rng, mixture, values, copies, np.tile(log_p, REPEATS))
            again += hits.reshape(REPEATS, -1).mean(axis=0)
        tail[rows] = again / len(draws)
    return tail


def _share_below(
    rng: np.random.Generator, mixture: Mixture, values: Values, cells: Cells, log_p: Array
) -> Array:
    segment = draw_segments(rng, values.share, cells.n_rows)
    log_new = log_density(mixture, values, simulate(rng, mixture, values, segment, cells))
    slack = TIE * (1.0 + np.abs(log_p))
    return np.where(log_new < log_p - slack, 1.0, np.where(log_new <= log_p + slack, 0.5, 0.0))
