"""How unusual a customer is under the model: `tail_probability`.

    P( log p(x_new | θ) ≤ log p(x | θ) | data ),    θ from the posterior, x_new from the model

with the customer's own gaps and exposures. Under a right model it is about uniform over
customers; below 1 % the customer fits none of the segments. Equal densities, which discrete
indicators produce, count half (mid-p). Customers of one pattern have the same probability.
"""

from collections.abc import Iterator

import numpy as np

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
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values
from softseg.tables.table import Table

N_DRAWS = 100
"""Posterior draws that are looked at."""
N_NEW = 300
"""New customers simulated per draw where they serve all rows with the same gaps."""
N_LEAST = 100
MOST_NUMBERS = 2_000_000
"""Log densities that are held at once."""
DOUBTFUL = 0.05
"""Rows at or below this are looked at again with `REPEATS` times as many replicates."""
REPEATS = 10
MANY_ROWS = 20_000
N_FIRST = 30
"""With more than `MANY_ROWS` patterns the first look takes so many draws."""
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
    Without exposures the same simulated customers serve every row with the same gaps: at least
    10,000 of them. With exposures that differ each row is compared with its own `n_draws`
    replicates (30 in a large table), and with 10 · `n_draws` others where the first answer is 5 %
    or less: the resolution is 0.1 % where it matters.
    """
    cells = pattern_cells(statistics, table)
    draws = [values.at(i) for i in spaced(len(values.share), n_draws)]
    alike = all(np.ptp(exposure) == 0 for exposure in cells.exposures.values())
    compare = _common if alike else _own
    tail = compare(statistics, cells, mixture, draws, rng)
    return np.clip(tail, 0.0, 1.0)[statistics.pattern_of_row]


def _observed(statistics: Statistics, draws: list[Values]) -> Iterator[Array]:
    """Yield the log densities of the patterns under each draw, (pattern,)."""
    for values in draws:
        weights = statistics.layout.weights(values.indicators, NUMPY)
        yield memberships(statistics, weights, values.share)[1]


def _common(
    statistics: Statistics,
    cells: Cells,
    mixture: Mixture,
    draws: list[Values],
    rng: np.random.Generator,
) -> Array:
    """Compare each pattern with new customers that serve all patterns with its gaps."""
    present, group = np.unique(cells.present(), axis=0, return_inverse=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    edges = np.searchsorted(group.reshape(-1)[order], np.arange(len(present) + 1))
    n_segments = mixture.n_segments
    n_new = int(np.clip(MOST_NUMBERS // (len(present) * n_segments), N_LEAST, N_NEW))
    like = _full(cells, n_new)
    below = np.zeros(cells.n_rows)
    for values, log_p in zip(draws, _observed(statistics, draws), strict=True):
        new = simulate(rng, mixture, values, draw_segments(rng, values.share, n_new), like)
        terms = np.stack([t.T for t in log_density_terms(mixture, values, new).values()])
        start = np.log(np.maximum(values.share, TINY))[:, None]
        size = max(1, MOST_NUMBERS // (n_new * n_segments))
        for first in range(0, len(present), size):
            some = present[first : first + size].astype(float)
            joint = (some @ terms.reshape(len(terms), -1)).reshape(len(some), n_segments, n_new)
            reference = np.sort(log_sum(np.moveaxis(joint + start, 1, 0)), axis=1)
            for g, sorted_new in enumerate(reference, start=first):
                rows = order[edges[g] : edges[g + 1]]
                below[rows] += _rank(sorted_new, log_p[rows])
    return below / (len(draws) * n_new)


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


def _rank(sorted_new: Array, log_p: Array) -> Array:
    """Return how many new ones lie below, ties counting half."""
    slack = TIE * (1.0 + np.abs(log_p))
    lower = np.searchsorted(sorted_new, log_p - slack, side="left")
    upper = np.searchsorted(sorted_new, log_p + slack, side="right")
    return np.asarray(0.5 * (lower + upper), dtype=np.float64)


def _full(cells: Cells, n: int) -> Cells:
    """Return n rows without gaps, with the exposures that all rows share."""
    return Cells(
        {name: np.zeros(n) for name in cells.columns},
        {name: np.full(n, exposure[0]) for name, exposure in cells.exposures.items()},
    )
