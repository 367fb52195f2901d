"""Whether the chains agree: ranks of the aligned draws, for the quantities that agree least.

Draws of all chains are ranked together; where every chain explores the same distribution, the
ranks of each are uniform (Vehtari et al. 2021). Shown is each chain's empirical distribution of
ranks minus the uniform one, with a simultaneous band in the manner of Säilynoja, Bürkner and
Vehtari (2022).
"""

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from softseg.inference.verdicts import quantity
from softseg.names import SAMPLE_STATS
from softseg.report import style
from softseg.report.facts import Array, Facts, clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N_QUANTITIES = 6
COLUMNS = 3
GRID_POINTS = 60
BAND_PROBABILITY = 0.95


@style.styled
def ranks(tree: Any, language: str = "en", n_quantities: int = N_QUANTITIES) -> "Figure":
    """Return rank plots of the quantities whose chains agree least.

    Parameters
    ----------
    tree
        Posterior tree.
    language
        ``en`` or ``de``.
    n_quantities
        Greatest number of panels.
    """
    from matplotlib.figure import Figure

    facts = Facts(tree, language)
    worst = worst_quantities(facts, n_quantities)
    n_rows = max(1, -(-len(worst) // COLUMNS))
    height = 0.75 + 1.7 * n_rows
    figure = Figure(figsize=(style.WIDTH, height))
    grid = figure.subplots(
        n_rows, COLUMNS, squeeze=False,
        gridspec_kw={"left": 0.08, "right": 0.98, "top": 1 - 0.45 / height,
                     "bottom": 0.72 / height, "hspace": 0.85, "wspace": 0.24},
    )  # fmt: skip
    for i, (axes, (name, draws)) in enumerate(zip(grid.flat, worst, strict=False)):
        _panel(axes, facts, name, draws, first=i % COLUMNS == 0)
    for axes in list(grid.flat)[len(worst) :]:
        axes.set_axis_off()
    if worst:
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="lower left",
            ncols=len(handles),
            fontsize=8,
            bbox_to_anchor=(0.07, 0.0),
            borderaxespad=0.1,
            columnspacing=1.4,
        )
    return figure


def worst_quantities(facts: Facts, n: int) -> list[tuple[str, Array]]:
    """Return names and draws (chain, draw) of the quantities whose ranks are least uniform."""
    found = [(_distance(draws), name, draws) for name, draws in _quantities(facts)]
    found.sort(key=lambda entry: -entry[0])
    labels = facts.labels()
    return [(clean(quantity(name, facts.language, labels)), draws) for _, name, draws in found[:n]]


def rank_curves(draws: Array) -> tuple[Array, Array, Array]:
    """Return the chains' rank distributions minus the uniform one.

    Parameters
    ----------
    draws
        Shape (chain, draw).

    Returns
    -------
    tuple
        Points on (0, 1), (point,); differences, (chain, point); half width of the band, (point,).
    """
    n_chains, n_draws = draws.shape
    order = np.argsort(draws, axis=None, kind="stable")
    fraction = np.empty(draws.size)
    fraction[order] = (np.arange(draws.size) + 0.5) / draws.size
    fraction = np.sort(fraction.reshape(n_chains, n_draws), axis=1)
    at = np.linspace(0, 1, GRID_POINTS + 2)[1:-1]
    below = np.stack([np.searchsorted(chain, at, side="right") for chain in fraction]) / n_draws
    return at, below - at, _half_width(at, n_chains, _effective(draws))


def _half_width(at: Array, n_chains: int, n_effective: float) -> Array:
    # Spread of one chain's share among the pooled ranks, widened to hold at all points of all
    # chains at once; the number of independent looks was found by simulation.
    others = max(n_chains - 1, 1)
    spread = np.sqrt(at * (1 - at) * others / (others + 1) / n_effective)
    looks = 6 * math.log(GRID_POINTS) * others
    return NormalDist().inv_cdf(1 - (1 - BAND_PROBABILITY) / (2 * looks)) * spread


def _effective(draws: Array) -> float:
    """Return how many independent draws one chain is worth for its share below its median.

    Geyer's (1992) initial positive sequence on the indicator of the lower half; further out the
    indicator's autocorrelation is smaller, so that the band errs to the wide side there.
    """
    n_draws = draws.shape[1]
    # Each chain's own median: chains that disagree must not widen the band they are held against.
    below = (draws <= np.median(draws, axis=1, keepdims=True)) - 0.5
    spectrum = np.fft.rfft(below, 2 * n_draws, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :n_draws].mean(axis=0)
    correlation = covariance / covariance[0]
    pairs = correlation[: n_draws // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    positive = pairs[: negative[0]] if negative.size else pairs
    return n_draws / max(2.0 * float(positive.sum()) - 1.0, 1.0)


def _distance(draws: Array) -> float:
    _, difference, half = rank_curves(draws)
    return float(np.max(np.abs(difference) / half))


def _quantities(facts: Facts) -> list[tuple[str, Array]]:
    found: list[tuple[str, Array]] = []
    for name, variable in facts.posterior.data_vars.items():
        draws = variable.transpose("chain", "draw", ...).values.astype(float)
        for index in np.ndindex(draws.shape[2:]):
            one = draws[(slice(None), slice(None), *index)]
            if np.ptp(one) > 0:
                found.append((f"{name}[{','.join(str(i + 1) for i in index)}]", one))
    stats = facts.group(SAMPLE_STATS)
    if stats is not None and "log_likelihood" in stats:
        draws = stats["log_likelihood"].transpose("chain", "draw").values
        if np.ptp(draws) > 0:
            found.append(("log_likelihood", draws))
    return found


def _panel(axes: Any, facts: Facts, name: str, draws: Array, first: bool) -> None:
    at, difference, half = rank_curves(draws)
    axes.fill_between(
        at, -half, half, color="#e6e9ed", linewidth=0, label=facts.say("report.figure.rank_band")
    )
    axes.axhline(0, color=style.BASE, linewidth=0.7)
    for chain, row in enumerate(difference):
        axes.plot(
            at,
            row,
            color=style.colour(chain),
            linestyle=style.LINES[chain % 4],
            linewidth=1.1,
            label=facts.say("report.figure.chain", number=chain + 1),
        )
    limit = 1.15 * float(max(np.abs(difference).max(), half.max()))
    axes.set_xlim(0, 1)
    axes.set_ylim(-limit, limit)
    style.plain(axes, "y")
    axes.set_title(style.wrapped(name, 38), fontsize=8.5)
    style.number_axis(axes.xaxis, facts.language, 4)
    style.number_axis(axes.yaxis, facts.language, 3)
    axes.set_xlabel(facts.say("report.figure.rank_x"), labelpad=1)
    if first:
        axes.set_ylabel(facts.say("report.figure.rank_y"), labelpad=2)
