"""Where EM runs and Markov chains begin: at random, in one of four ways.

Seeds far apart (k-means++; Arthur and Vassilvitskii 2007) on standardised scores, every pattern
given to its nearest seed; slices across a random direction of the scores; random memberships; a
draw of the parameters from their prior. Each finds modes that the others miss: separated segments,
segments along a continuum, segments that only the dependence between answers shows.
"""

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.inference.em import maximise
from softseg.likelihood.kernel import Expected
from softseg.likelihood.statistics import Statistics
from softseg.models.edges import bounded
from softseg.models.mixture import Mixture, Values

MOST_PATTERNS = 5000
"""Seeds are drawn among so many patterns at the most."""


def random_start(statistics: Statistics, mixture: Mixture, rng: np.random.Generator) -> Values:
    """Return random first parameters."""
    n, k = statistics.n_patterns, mixture.n_segments
    kind = rng.integers(4)
    if kind == 0:
        return mixture.draw_prior(rng)
    if kind == 1 or n <= k:
        membership = rng.dirichlet(np.full(k, 0.5), size=n).T
    elif kind == 2:
        membership = _sliced(statistics, k, rng)
    else:
        membership = _nearest_seed(statistics, k, rng)
    return fitted_to(statistics, mixture, membership, rng)


def fitted_to(
    statistics: Statistics, mixture: Mixture, membership: Array, rng: np.random.Generator
) -> Values:
    """Return the parameters that fit given memberships (segment, pattern) best.

    What the memberships leave open (an empty segment) is drawn from the prior.
    """
    weighted = membership * statistics.count
    expected = summed(statistics, weighted)
    return maximise(statistics, bounded(mixture), mixture.draw_prior(rng), expected, True)


def summed(statistics: Statistics, weighted: Array) -> Expected:
    """Return the statistics summed with weights (segment, pattern)."""
    n_cells = statistics.layout.n_cells + 1
    table = np.zeros((len(weighted), n_cells))
    for code in statistics.codes:
        for k, weight in enumerate(weighted):
            table[k] += np.bincount(code, weights=weight, minlength=n_cells)
    return Expected(np.nan, weighted @ statistics.dense.T, table, weighted.sum(axis=1))


def scores(statistics: Statistics) -> Array:
    """Return standardised scores of the patterns for distances, shape (pattern, score)."""
    columns = []
    for slot in statistics.layout.slots:
        if slot.statistics.stop > slot.statistics.start:
            column = statistics.dense[slot.statistics.start]
            columns.append(np.clip(_standardised(column), -3.0, 3.0)[:, None])
    offset = 0
    for slot in statistics.layout.slots:
        n_cells = slot.table.stop - slot.table.start
        if n_cells == 0:
            continue
        code = statistics.codes[offset] - slot.table.start
        offset += 1
        if n_cells > 30:
            columns.append(_ranked(code, slot.cells)[:, None])
        else:
            hot = (code[:, None] == np.arange(n_cells)).astype(float)
            columns.append((hot - hot.mean(axis=0)) / np.sqrt(2.0))
    return np.concatenate(columns, axis=1)


def _standardised(column: Array) -> Array:
    spread = column.std()
    return (column - column.mean()) / (spread if spread > 0 else 1.0)


def _ranked(code: Array, cells: Array) -> Array:
    """Return the value behind many cells (a count) as a score on its rank."""
    value = np.append(cells[:, 0], np.median(cells[:, 0]))[np.minimum(code, len(cells))]
    return _standardised(np.argsort(np.argsort(value, kind="stable"), kind="stable").astype(float))


def _nearest_seed(statistics: Statistics, n_segments: int, rng: np.random.Generator) -> Array:
    points = scores(statistics)
    n = len(points)
    pool = np.arange(n) if n <= MOST_PATTERNS else rng.choice(n, MOST_PATTERNS, replace=False)
    candidates = points[pool]
    seeds = [candidates[rng.integers(len(candidates))]]
    for _ in range(n_segments - 1):
        distance = np.min([((candidates - seed) ** 2).sum(axis=1) for seed in seeds], axis=0)
        total = distance.sum()
        chosen = rng.random() * total
        index = int(np.searchsorted(np.cumsum(distance), chosen)) if total > 0 else 0
        seeds.append(candidates[min(index, len(candidates) - 1)])
    distances = np.stack([((points - seed) ** 2).sum(axis=1) for seed in seeds])
    nearest = distances.argmin(axis=0)
    return _softened(nearest, n_segments)


def _sliced(statistics: Statistics, n_segments: int, rng: np.random.Generator) -> Array:
    points = scores(statistics)
    place = points @ rng.standard_normal(points.shape[1])
    edges = np.quantile(place, np.sort(rng.random(n_segments - 1)))
    return _softened(np.searchsorted(edges, place), n_segments)


def _softened(segment: NDArray[np.intp], n_segments: int) -> Array:
    hard = (segment == np.arange(n_segments)[:, None]).astype(float)
    return 0.9 * hard + 0.1 / n_segments
