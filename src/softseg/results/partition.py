"""One partition of the customers that stands for all draws, and how far the draws lie around it.

Every draw of the posterior is a partition: each customer gets a segment by lot with its
membership. The best single answer is the partition with the least expected variation of
information from them (Wade and Ghahramani 2018); the credible ball around it holds 90 % of the
draws, and its bounds are the partitions in it that lie farthest off. Labels play no part, so that
draws need not be aligned and may have different numbers of segments.

With c the candidate, n_a its sizes and n_ab its cross table with a draw, the expected variation of
information is, but for a constant and 1/N,

    Σ_a φ(n_a) − 2 · mean over draws of Σ_ab φ(n_ab),   φ(x) = x log x,

so that one cross table per draw is all that is held: never a matrix of all pairs of customers.
Patterns are moved from group to group while that falls (as in SALSO; Dahl, Johnson and Müller
2022), customers of one pattern together: nothing tells them apart. On large tables the search runs
on evenly spaced patterns, and the others join the group to which they add least.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Values
from softseg.results.evaluate import Evaluator, spread, thinned
from softseg.results.indices import variation_of_information

PARTITION_DRAWS: Final = 200
MOST_PATTERNS: Final = 1_500
"""The search runs on so many patterns at the most, evenly spaced in their sorted order."""
N_STARTS: Final = 3
MOST_SWEEPS: Final = 30
BALL: Final = 0.9
"""Share of the draws in the credible ball: as much as in every interval of the package."""


@dataclass(frozen=True)
class Bound:
    """One partition on the edge of the credible ball.

    Attributes
    ----------
    vi
        Its variation of information from the best partition, in bits.
    n_groups
        Number of its groups.
    cross
        Customers by group of the best partition and group of this one, (group, group).
    """

    vi: float
    n_groups: int
    cross: Array


@dataclass(frozen=True)
class Partition:
    """The best partition and the credible ball around it.

    Attributes
    ----------
    label
        Group of each pattern, 1 for the largest, (pattern,).
    sizes
        Customers of each group, (group,).
    expected_vi
        Mean variation of information from the draws, in bits.
    radius
        Variation of information, in bits, within which `BALL` of the draws lie.
    farthest
        The draw in the ball that lies farthest from the best partition.
    coarsest, finest
        The draws in the ball with the fewest and with the most groups, the farthest of them.
    n_groups
        Number of groups of each draw, (sample,).
    """

    label: NDArray[np.int64]
    sizes: Array
    expected_vi: float
    radius: float
    farthest: Bound
    coarsest: Bound
    finest: Bound
    n_groups: NDArray[np.int64]


def best_partition(
    statistics: Statistics,
    values: Values,
    rng: np.random.Generator,
    *,
    n_draws: int = PARTITION_DRAWS,
) -> Partition:
    """Return the partition with the least expected variation of information.

    Parameters
    ----------
    statistics
        The patterns of the table; those of `results.membership` are in the same order.
    values
        Draws with one leading axis (sample); segments of share 0 count for nothing.
    rng
        For the lots.
    n_draws
        So many evenly spaced draws are used.
    """
    used = thinned(values, n_draws)
    n = statistics.n_patterns
    taken = spread(n, min(n, MOST_PATTERNS))
    sample = statistics if len(taken) == n else statistics.take(taken)
    draws = _drawn(sample, used, rng)
    label = _searched(draws, sample.count)
    tables = _tables(label, draws)
    if len(taken) < n:
        label = _joined(statistics, used, tables)
    order, label = _by_size(label, statistics.count)
    tables = tables[:, order]
    distance = variation_of_information(tables)
    n_groups = (tables.sum(axis=1) > 0).sum(axis=1)
    radius = float(np.quantile(distance, BALL, method="higher"))
    inside = np.flatnonzero(distance <= radius)

    def bound(candidates: NDArray[np.intp]) -> Bound:
        draw = candidates[distance[candidates].argmax()]
        table = tables[draw]
        return Bound(float(distance[draw]), int(n_groups[draw]), table[:, table.sum(axis=0) > 0])

    groups = n_groups[inside]
    return Partition(
        label + 1,
        np.bincount(label, weights=statistics.count),
        float(distance.mean()),
        radius,
        bound(inside),
        bound(inside[groups == groups.min()]),
        bound(inside[groups == groups.max()]),
        n_groups,
    )


def _drawn(statistics: Statistics, values: Values, rng: np.random.Generator) -> Array:
    """Return how many customers of a pattern each draw puts into a segment by lot.

    Shape (pattern, sample, segment). Expected numbers where counts are no whole numbers.
    """
    evaluator = Evaluator(statistics, values)
    parts = []
    for block in evaluator.blocks():
        members = evaluator.memberships(block).swapaxes(1, 2)
        count = statistics.count[block, None]
        if np.any(count != np.floor(count)):
            parts.append(members * count[..., None])
        else:
            parts.append(rng.multinomial(count.astype(np.int64), members).astype(float))
    return np.concatenate(parts)


def _tables(label: NDArray[np.intp], draws: Array, n_groups: int | None = None) -> Array:
    """Return the cross table of a partition with each draw, (sample, group, segment)."""
    n_patterns, n_draws, k = draws.shape
    n_groups = n_groups or int(label.max()) + 1
    member = np.zeros((n_groups, n_patterns))
    member[label, np.arange(n_patterns)] = 1.0
    flat = member @ draws.reshape(n_patterns, -1)
    return flat.reshape(n_groups, n_draws, k).swapaxes(0, 1)


def _objective(label: NDArray[np.intp], draws: Array, count: Array) -> float:
    sizes = np.bincount(label, weights=count)
    tables = _tables(label, draws)
    return float(_phi(sizes).sum() - 2.0 * _phi(tables).sum() / len(tables))


def _searched(draws: Array, count: Array) -> NDArray[np.intp]:
    """Return the best of several descents, from the draws that start best and from one group."""
    starts = [np.unique(one, return_inverse=True)[1] for one in draws.argmax(axis=2).T]
    start_at = np.array([_objective(label, draws, count) for label in starts])
    chosen = [starts[i] for i in np.argsort(start_at, kind="stable")[:N_STARTS]]
    chosen.append(np.zeros(len(count), dtype=np.intp))
    ends = [_descended(label, draws, count) for label in chosen]
    return min(ends, key=lambda label: _objective(label, draws, count))


def _descended(label: NDArray[np.intp], draws: Array, count: Array) -> NDArray[np.intp]:
    """Move patterns one by one while the objective falls; there is always one empty group."""
    n_patterns, n_draws, _ = draws.shape
    flat = draws.reshape(n_patterns, -1)
    places = [np.flatnonzero(row) for row in flat]
    label = label.copy()
    n_groups = int(label.max()) + 2
    cross = _tables(label, draws, n_groups).swapaxes(0, 1).reshape(n_groups, -1).copy()
    sizes = np.bincount(label, weights=count, minlength=n_groups)
    for _ in range(MOST_SWEEPS):
        moved = False
        for p in range(n_patterns):
            at, c, old = places[p], count[p], label[p]
            mine = flat[p, at]
            sizes[old] -= c
            cross[old, at] -= mine
            there = cross[:, at]
            gain = _phi(sizes + c) - _phi(sizes)
            gain -= 2.0 / n_draws * (_phi(there + mine) - _phi(there)).sum(axis=1)
            new = int(gain.argmin())
            if gain[new] > gain[old] - 1e-9:
                new = old
            sizes[new] += c
            cross[new, at] += mine
            if new != old:
                label[p], moved = new, True
                if np.all(sizes > 0):
                    sizes = np.append(sizes, 0.0)
                    cross = np.vstack([cross, np.zeros(cross.shape[1])])
        if not moved:
            break
    return np.unique(label, return_inverse=True)[1]


def _joined(statistics: Statistics, values: Values, tables: Array) -> NDArray[np.intp]:
    """Return the group of every pattern, given the cross tables of the sample's groups.

    One customer more is little in a large table, so that the objective moves by its slope:
    log n_a − 2 · mean over draws of Σ_b r_b log n_ab.
    """
    sizes = tables[0].sum(axis=1)
    slope = -2.0 / len(tables) * np.log(np.maximum(tables, 0.5))
    wide = slope.transpose(2, 0, 1).reshape(-1, len(sizes))
    evaluator = Evaluator(statistics, values)
    label = np.empty(statistics.n_patterns, dtype=np.intp)
    for block in evaluator.blocks():
        members = evaluator.memberships(block)
        score = members.reshape(len(members), -1) @ wide + np.log(sizes)
        label[block] = score.argmin(axis=1)
    return label


def _by_size(label: NDArray[np.intp], count: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the groups from the largest on, and the labels renumbered so."""
    order = np.argsort(-np.bincount(label, weights=count), kind="stable")
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return order, place[label]


def _phi(x: Array) -> Array:
    return xlogy(x, np.maximum(x, 1e-300))
