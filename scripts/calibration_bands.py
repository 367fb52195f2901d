"""Whether ranks are uniform: simultaneous bands for their distribution, and their pictures.

The empirical distribution of N ranks is compared with the uniform one at every rank at once. The
band is as wide as makes a given share of uniform samples stay inside everywhere (Säilynoja, Bürkner
and Vehtari 2022, with the pointwise level found by simulation); the p value of a sample is the
share of uniform samples that come closer to the edge of such a band than it does.
"""

import re
from collections.abc import Mapping
from functools import cache

import numpy as np
from scipy.stats import binom

N_RANKS = 100
INSIDE = 0.99
N_NULL = 20_000
SHOWN = ("log_likelihood", "membership")
"""Quantities that depend on the data, which stand out in the pictures."""


def p_values(ranks: np.ndarray) -> np.ndarray:
    """Return for ranks (simulation, quantity) the p value of each quantity, (quantity,)."""
    n = len(ranks)
    closest = np.array([_closest(_counts(column), n) for column in ranks.T])
    null = _null(n)
    return (1.0 + np.searchsorted(null, closest * (1 + 1e-9), side="right")) / (1.0 + len(null))


def band(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper bound of the share of ranks below 1, 2, … of n ranks, (rank − 1,)."""
    level = np.quantile(_null(n), 1.0 - INSIDE)
    places = np.arange(1, N_RANKS) / N_RANKS
    return binom.ppf(level / 2, n, places) / n, binom.ppf(1 - level / 2, n, places) / n


def shares(ranks: np.ndarray) -> np.ndarray:
    """Return the share of ranks (simulation,) below 1, 2, … N_RANKS − 1, (rank − 1,)."""
    return _counts(ranks) / len(ranks)


def _counts(ranks: np.ndarray) -> np.ndarray:
    return np.cumsum(np.bincount(ranks, minlength=N_RANKS))[:-1]


@cache
def _pointwise(n: int) -> np.ndarray:
    """Return the two-sided probability of every count at every place, (rank − 1, count)."""
    places = (np.arange(1, N_RANKS) / N_RANKS)[:, None]
    counts = np.arange(n + 1)
    below, above = binom.cdf(counts, n, places), binom.sf(counts - 1, n, places)
    return 2.0 * np.minimum(below, above)


def _closest(counts: np.ndarray, n: int) -> np.ndarray:
    """Return the smallest pointwise probability of cumulated counts (…, rank − 1)."""
    return _pointwise(n)[np.arange(N_RANKS - 1), counts].min(axis=-1)


@cache
def _null(n: int) -> np.ndarray:
    """Return the smallest pointwise probabilities of uniform samples, sorted."""
    rng = np.random.default_rng(1)
    samples = rng.multinomial(n, np.full(N_RANKS, 1.0 / N_RANKS), size=N_NULL)
    return np.sort(_closest(np.cumsum(samples, axis=1)[:, :-1], n))


def picture(ranks: Mapping[str, tuple[list[str], np.ndarray]], method: str) -> str:
    """Return the differences of all distributions from the uniform one as an SVG element.

    Parameters
    ----------
    ranks
        Names of quantities and ranks (simulation, quantity), by family; one panel each.
    """
    from softseg.report.style import to_svg

    title = f"Ranks of the truth among draws of {method}: differences from the uniform distribution"
    svg = to_svg(_figure(ranks), f"ranks-{method}", title)
    # a tenth of a point is finer than the eye; the file is a third of the size
    return re.sub(r'(?<= d=")[^"]*', lambda d: re.sub(r"(\.\d)\d+", r"\1", d[0]), svg)


def _figure(ranks: Mapping[str, tuple[list[str], np.ndarray]]):
    from matplotlib.figure import Figure

    from softseg.report.style import BASE, COLOURS, GRID, INK, WIDTH, plain, styled

    @styled
    def draw() -> Figure:
        rows = -(-len(ranks) // 3)
        figure = Figure(figsize=(WIDTH, 0.5 + 1.75 * rows), layout="constrained")
        grid = figure.subplots(rows, 3, sharex=True, sharey=True, squeeze=False)
        places = np.arange(1, N_RANKS) / N_RANKS
        for axes, (name, (names, own)) in zip(grid.flat, ranks.items(), strict=False):
            low, high = band(len(own))
            axes.fill_between(places, low - places, high - places, color=GRID, linewidth=0)
            colours = dict(zip(SHOWN, COLOURS, strict=False))
            for quantity, column in sorted(
                zip(names, own.T, strict=True), key=lambda pair: pair[0] in SHOWN
            ):
                axes.plot(
                    places,
                    shares(column) - places,
                    color=colours.get(quantity, BASE),
                    linewidth=1.3 if quantity in SHOWN else 0.6,
                )
            axes.axhline(0.0, color=INK, linewidth=0.6)
            axes.set_title(f"{name.replace('_', ' ')}, {len(own):,} tables")
            axes.set_xticks([0.0, 0.5, 1.0])
            plain(axes, "y")
        for axes in list(grid.flat)[len(ranks) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("difference")
        for axes in grid[-1]:
            axes.set_xlabel("place of the truth among the draws")
        handles = [
            figure.axes[0].plot([], [], color=COLOURS[0], label="log-likelihood")[0],
            figure.axes[0].plot([], [], color=COLOURS[1], label="membership of a customer")[0],
            figure.axes[0].plot([], [], color=BASE, linewidth=0.6, label="parameters, shares")[0],
            figure.axes[0].fill_between([], [], [], color=GRID, label="99 % of uniform samples"),
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=4)
        return figure

    return draw()
