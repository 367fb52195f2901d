"""Whether the model fits the table: `check_fit`.

A converged fit can be a wrong model, so this verdict stands apart from the gate. Posterior
predictive checks (Gelman, Meng and Stern 1996) compare the table with replicates of it: statistics
of each indicator that are not fitted by construction, and the dependence of each pair of
indicators inside the segments, which the model says is none.

Many things are looked at, so a finding has to pass two hurdles. Sure: the largest standardised
deviation among all of its kind reaches that far in at most 2 % of the replicates (Westfall and
Young 1993), so that a right model gets a bad verdict in at most about 5 % of tables. Large enough
to matter: `MATTERS` and `discrepancy.RELEVANT`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.inference.dependence import Pairs, Ranked, dependence, pairs_of, ranked
from softseg.inference.discrepancy import RELEVANT, Yardstick, statistics_of, yardstick
from softseg.inference.fit_verdict import FitVerdict, IndicatorCheck, PairCheck, status_of
from softseg.inference.replicate import (
    Cells,
    draw_segments,
    pattern_cells,
    simulate,
    spaced,
)
from softseg.inference.tail import tail_probability
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values
from softseg.names import LOWER_PROBABILITY, UPPER_PROBABILITY
from softseg.tables.table import Table

__all__ = ["FitVerdict", "IndicatorCheck", "PairCheck", "check_fit", "tail_probability"]

MOST_CUSTOMERS: Final = 5000
"""Indicators and pairs are checked on so many customers at the most, drawn at random."""
MATTERS: Final = 0.1
"""Least dependence inside a segment, as a correlation, that counts."""
SURE: Final = 0.02
"""Largest adjusted p of a finding, for indicators and for pairs."""
UNUSUAL: Final = 0.01
"""A customer with a smaller tail probability fits none of the segments."""
MOST_UNUSUAL: Final = 0.03
"""From this share of such customers on it is said; a right model has about 1 %."""


def check_fit(
    statistics: Statistics,
    table: Table,
    mixture: Mixture,
    values: Values,
    rng: np.random.Generator,
    n_replicates: int = 200,
) -> tuple[FitVerdict, Array]:
    """Return the fit verdict and the tail probability of each row (customer,).

    Parameters
    ----------
    statistics
        Of this table, from `reduce`.
    values
        Posterior draws (sample, …), labels aligned.
    rng
        Nothing depends on the order of the rows: replicates are made for sorted patterns.
    n_replicates
        Evenly spaced draws, with one replicate each.

    Notes
    -----
    In a table of more than 5,000 customers indicators and pairs are checked on a random 5,000 of
    them; the verdict says how many.
    """
    rng_rows, rng_replicates, rng_tail = rng.spawn(3)
    tail = tail_probability(statistics, table, mixture, values, rng_tail)
    patterns = _some_customers(statistics, rng_rows)
    cells = pattern_cells(statistics, table).take(patterns)
    draws = [values.at(i) for i in spaced(len(values.share), n_replicates)]
    run = _Replication(statistics, patterns, cells, mixture, rng_replicates)
    run.go(draws)
    indicators = run.indicator_checks()
    pairs = run.pair_checks()
    weight = np.asarray(table.count, dtype=float)
    unusual = float(weight @ (tail < UNUSUAL) / weight.sum())
    limit = max(MOST_UNUSUAL, UNUSUAL + 4.0 * np.sqrt(UNUSUAL / weight.sum()))
    verdict = FitVerdict(
        status=status_of(indicators, pairs, len(mixture.families), unusual > limit),
        indicators=tuple(indicators),
        pairs=tuple(pairs),
        unusual=unusual,
        many_unusual=bool(unusual > limit),
        n_replicates=n_replicates,
        n_checked=len(patterns),
        n_customers=float(weight.sum()),
    )
    return verdict, tail


def _some_customers(statistics: Statistics, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the pattern of each customer that is looked at, ascending."""
    total = max(int(statistics.count.sum()), 1)
    chosen = np.arange(total)
    if total > MOST_CUSTOMERS:
        chosen = np.sort(rng.choice(total, MOST_CUSTOMERS, replace=False))
    ends = np.cumsum(statistics.count)
    return np.minimum(np.searchsorted(ends, chosen, side="right"), statistics.n_patterns - 1)


class _Replication:
    """Runs the replicates and keeps what is compared, never a replicate itself.

    A replicate has the customers' drawn segments, its cells are new: (θ, z) from the posterior,
    x_new | z, θ. So gaps that depend on the segment stay with it.
    """

    def __init__(
        self,
        statistics: Statistics,
        patterns: NDArray[np.intp],
        cells: Cells,
        mixture: Mixture,
        rng: np.random.Generator,
    ) -> None:
        distinct, self.pattern = np.unique(patterns, return_inverse=True)
        self.statistics = statistics.take(distinct)
        self.cells, self.mixture, self.rng = cells, mixture, rng
        self.names = list(mixture.families)
        codings = mixture.codings
        self.n_levels = [
            len(codings[name].levels) if family.levelled else 0
            for name, family in mixture.families.items()
        ]
        self.pairs: Pairs = pairs_of(self.n_levels)

    def go(self, draws: list[Values]) -> None:
        """Make one replicate per draw."""
        self.sticks = self._yardsticks(draws[len(draws) // 2])
        ranks = self._ranks(self.cells)
        observed_rates = self._rate_ranks(self.cells, ranks)
        self.seen = self._statistics(self.cells, ranks)
        self.replicated = []
        dependences = []
        for values in draws:
            segment = self._segments(values)
            replicate = simulate(self.rng, self.mixture, values, segment, self.cells)
            ranks = self._ranks(replicate)
            self.replicated.append(self._statistics(replicate, ranks))
            rates = self._rate_ranks(replicate, ranks)
            k = self.mixture.n_segments
            dependences.append(dependence([observed_rates, rates], segment, k, self.pairs))
        self.phi2 = np.array([phi2 for phi2, _ in dependences])
        self.n = np.array([n for _, n in dependences])

    def _segments(self, values: Values) -> NDArray[np.intp]:
        """Draw the segments of the observed customers from their memberships."""
        weights = self.statistics.layout.weights(values.indicators, NUMPY)
        membership, _ = memberships(self.statistics, weights, values.share)
        return draw_segments(self.rng, membership[self.pattern], len(self.pattern))

    def _yardsticks(self, values: Values) -> list[Yardstick]:
        segment = self._segments(values)
        expected = simulate(self.rng, self.mixture, values, segment, self.cells)
        families = self.mixture.families.items()
        return [yardstick(family, expected.columns[name]) for name, family in families]

    def _ranks(self, cells: Cells) -> list[Ranked]:
        levels = zip(self.names, self.n_levels, strict=True)
        return [ranked(cells.columns[name], n) for name, n in levels]

    def _rate_ranks(self, cells: Cells, ranks: list[Ranked]) -> list[Ranked]:
        """Return ranks of values per exposure, so that a shared exposure links no two counts."""
        return [
            ranked(cells.columns[name] / cells.exposures[name], 0)
            if name in cells.exposures
            else rank
            for name, rank in zip(self.names, ranks, strict=True)
        ]

    def _statistics(self, cells: Cells, ranks: list[Ranked]) -> list[tuple[Array, Array]]:
        parts = zip(self.sticks, self.names, ranks, strict=True)
        return [statistics_of(stick, cells.columns[name], rank) for stick, name, rank in parts]

    def indicator_checks(self) -> list[IndicatorCheck]:
        """Compare the statistics of every indicator with the replicates'."""
        compared = self._compared()
        if not compared:
            return []
        deviations, replicates = zip(*(_deviation(entry) for entry in compared), strict=True)
        largest = np.asarray(replicates, dtype=float).max(axis=0)
        adjusted = _upper(np.array(deviations), largest[:, None])
        return [_judged(entry, float(p)) for entry, p in zip(compared, adjusted, strict=True)]

    def _compared(self) -> list["_Compared"]:
        entries = []
        for j, (name, stick) in enumerate(zip(self.names, self.sticks, strict=True)):
            shares, others = self.seen[j]
            if np.isnan(shares).any() or np.isnan(others).any():
                continue
            all_shares = np.stack([one[j][0] for one in self.replicated])
            all_others = np.stack([one[j][1] for one in self.replicated])
            expected = np.vstack([all_shares, shares]).mean(axis=0)
            gap = float(np.abs(shares - expected).max(initial=0.0))
            gaps = np.abs(all_shares - expected).max(axis=1, initial=0.0)
            entries.append(_Compared(name, "distribution", gap, gaps, stick))
            for i, statistic in enumerate(stick.names[1:]):
                entry = _Compared(name, statistic, float(others[i]), all_others[:, i], stick)
                entries.append(entry)
        return entries

    def pair_checks(self) -> list[PairCheck]:
        """Compare the dependence of every pair with the replicates'."""
        if len(self.pairs.first) == 0:
            return []
        real, new = self.phi2[:, 0] * self.n, self.phi2[:, 1] * self.n
        pooled, pooled_new = real.sum(axis=1), new.sum(axis=1)
        middle = np.median(pooled_new, axis=0)
        unit = np.quantile(pooled_new, UPPER_PROBABILITY, axis=0) - middle
        unit = np.where(unit > 0, unit, 1.0)
        largest = ((pooled_new - middle) / unit).max(axis=1)
        p_all = _upper((pooled - middle) / unit, largest[:, None])
        p = _upper(pooled, pooled_new)
        strength = self._strength(pooled, pooled_new, self.n.sum(axis=1))
        p_inside = _upper(real, new)
        inside = self._strength(real, new, self.n)
        checks: list[PairCheck] = []
        for i, (a, b) in enumerate(zip(self.pairs.first, self.pairs.second, strict=True)):
            first, second = self.names[a], self.names[b]
            sure_inside = (p_inside[:, i] <= SURE) & (inside[:, i] >= MATTERS)
            matters = strength[i] >= MATTERS or bool(sure_inside.any())
            found = bool(p_all[i] <= SURE and matters)
            numbers = float(strength[i]), float(p[i]), float(p_all[i])
            checks.append(PairCheck(first, second, 0, *numbers, found))
            for k in np.flatnonzero(sure_inside) if found else []:
                numbers = float(inside[k, i]), float(p_inside[k, i]), float(p_all[i])
                checks.append(PairCheck(first, second, int(k) + 1, *numbers, True))
        return checks

    def _strength(self, real: Array, new: Array, n: Array) -> Array:
        """Return the dependence beyond what replicates have by chance, as a correlation."""
        total = n.sum(axis=0)
        excess = (real - new).sum(axis=0) / np.where(total > 0, total, 1.0)
        return np.sqrt(np.clip(excess / self.pairs.width, 0.0, 1.0))


@dataclass(frozen=True)
class _Compared:
    """One statistic of one indicator: observed, and of every replicate."""

    indicator: str
    statistic: str
    observed: float
    replicates: Array
    stick: Yardstick

    def scaled(self) -> tuple[float, Array]:
        """Return both on the scale on which deviations are judged."""
        if self.statistic not in ("smallest", "largest"):
            return self.observed, self.replicates
        stretched = self.stick.stretch(np.append(self.replicates, self.observed))
        return float(stretched[-1]), stretched[:-1]

    def least_unit(self, middle: float) -> float:
        """Return a floor for the unit of deviations, for what replicates (nearly) agree on."""
        if self.statistic == "dispersion":
            return max(0.1 * abs(middle), 1e-12)
        return RELEVANT[self.statistic] / 3.0 or 0.1

    def matters(self) -> bool:
        """Return whether it lies far enough from the replicates to matter."""
        middle = float(np.median(self.replicates))
        distance = abs(self.observed - middle)
        if self.statistic == "dispersion":
            distance /= max(abs(middle), 1e-12)
        least = RELEVANT[self.statistic]
        if least > 0.0:
            return distance >= least
        return not self.replicates.min() <= self.observed <= self.replicates.max()


def _judged(entry: _Compared, p_all: float) -> IndicatorCheck:
    lower, upper = np.quantile(entry.replicates, [LOWER_PROBABILITY, UPPER_PROBABILITY])
    observed = np.array(entry.observed)
    high = float(_upper(observed, entry.replicates))
    low = float(_upper(-observed, -entry.replicates))
    p = high if entry.statistic == "distribution" else min(1.0, 2.0 * min(high, low))
    return IndicatorCheck(
        entry.indicator,
        entry.statistic,
        entry.observed,
        float(lower),
        float(upper),
        p,
        p_all,
        p_all <= SURE and entry.matters(),
    )


def _deviation(entry: _Compared) -> tuple[float, Array]:
    """Return deviations from the median in units of the upper and lower spread.

    The observed one counts among the replicates there, as under a right model it is one of them:
    otherwise it would be judged more harshly than they are.
    """
    observed, replicates = entry.scaled()
    together = np.append(replicates, observed)
    quantiles = [LOWER_PROBABILITY, 0.5, UPPER_PROBABILITY]
    low, middle, high = (float(x) for x in np.quantile(together, quantiles))
    least = entry.least_unit(middle)
    up, down = max(high - middle, least), max(middle - low, least)

    def units(x: Array) -> Array:
        above = np.maximum(x - middle, 0.0) / up
        below = np.maximum(middle - x, 0.0) / down
        return above if entry.statistic == "distribution" else np.maximum(above, below)

    return float(units(np.array(observed))), units(replicates)


def _upper(real: Array, new: Array) -> Array:
    """Return P(replicate ≥ real), replicates along the first axis, never 0; ties count half."""
    hits = (new > real).sum(axis=0) + 0.5 * (new == real).sum(axis=0)
    return (hits + 0.5) / (len(new) + 1.0)
