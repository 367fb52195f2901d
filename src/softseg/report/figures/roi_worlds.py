"""How to read a band: a hundred possible worlds, one dot each.

A quantile dot plot: people read chances off it as counts (Kay, Kola, Hullman and Munson 2016,
CHI '16, 5092–5103).
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from softseg.report import style
from softseg.report.facts import Array
from softseg.report.figures.roi_axis import LOSES, PAYS, limits, money_scale, zero_line
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORLDS: Final = 100
LEFT, RIGHT, BELOW, ABOVE = 1.05, 1.05, 1.05, 0.35
"""Margins in inches."""
TALLEST: Final = 3.6
"""Height in inches that the tallest stack may take; more columns make its dots smaller."""


@style.styled
def worlds(draws: Array, band: str, currency: str, language: str = "en") -> "Figure":
    """Return a hundred equally likely outcomes as dots, with the band that holds ninety.

    Parameters
    ----------
    draws
        Net present values, sorted, in whole currency.
    band
        The band that holds ninety of them, in words.
    currency
        ISO code of the amounts.
    language
        ``en`` or ``de``.
    """
    from matplotlib.figure import Figure

    at = np.quantile(draws, (np.arange(WORLDS) + 0.5) / WORLDS)
    low, middle, high = (float(x) for x in np.quantile(draws, (0.05, 0.5, 0.95)))
    factor, unit = money_scale([*at, low, high], currency, language)
    at, ends = at / factor, (low / factor, middle / factor, high / factor)
    wide = style.WIDTH - LEFT - RIGHT
    edges, tallest = _columns(at, wide)
    size = wide / (len(edges) - 1)
    tall = max(tallest + 1, 4)
    height = BELOW + ABOVE + tall * size
    figure = Figure(figsize=(style.WIDTH, height))
    box = (LEFT / style.WIDTH, BELOW / height, wide / style.WIDTH, tall * size / height)
    axes = figure.add_axes(box)
    _dots(axes, at, edges, size)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, tall)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    zero_line(axes)
    style.number_axis(axes.xaxis, language, 7)
    _band(axes, ends, band, language)
    axes.text(
        0.5,
        -0.86 / (tall * size),
        f"{say('roi_report.axis.npv', language)} ({unit})",
        transform=axes.transAxes,
        ha="center",
        color=style.SOFT,
        fontsize=8.5,
    )
    return figure


def _columns(at: Array, wide: float) -> tuple[Array, int]:
    """Return the edges of the columns, one of them at 0, and how many dots the tallest has."""
    edges, tallest = np.array([-1.0, 0.0, 1.0]), len(at)
    for n in range(45, 181, 9):
        first, last = limits(at, 0.02)
        width = (last - first) / n
        edges = np.arange(np.floor(first / width), np.ceil(last / width) + 1) * width
        tallest = int(np.histogram(at, edges)[0].max())
        if tallest * wide / (len(edges) - 1) <= TALLEST:
            break
    return edges, tallest


def _dots(axes: Any, at: Array, edges: Array, size: float) -> None:
    column = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, len(edges) - 2)
    first = np.searchsorted(column, column)  # `at` is sorted, so a column's dots stand together
    y = np.arange(len(at)) - first + 0.5
    x = 0.5 * (edges[column] + edges[column + 1])
    loss = at < 0
    area = (0.78 * size * 72) ** 2
    axes.scatter(x[~loss], y[~loss], s=area, color=PAYS, linewidth=0.8, edgecolor=PAYS)
    axes.scatter(x[loss], y[loss], s=area, facecolor="white", edgecolor=LOSES, linewidth=1.3)


def _band(axes: Any, at: tuple[float, float, float], band: str, language: str) -> None:
    place = axes.get_xaxis_transform()
    inch = 1.0 / (axes.get_position().height * axes.figure.get_size_inches()[1])
    y = -0.36 * inch
    ends = [at[0], at[2]]
    axes.plot(
        ends, [y, y], color=style.INK, linewidth=4, transform=place, clip_on=False, marker="|",
        markersize=11, markeredgewidth=2, solid_capstyle="butt",
    )  # fmt: skip
    axes.plot(
        [at[1]], [y], color="white", transform=place, clip_on=False, marker="|", markersize=9,
        markeredgewidth=3.2, linestyle="", zorder=4,
    )  # fmt: skip
    axes.plot(
        [at[1]], [y], color=style.INK, transform=place, clip_on=False, marker="|", markersize=11,
        markeredgewidth=1.2, linestyle="", zorder=5,
    )  # fmt: skip
    text = say("roi_report.worlds.band", language, band=band)
    first, last = axes.get_xlim()
    middle = min(max(0.5 * sum(ends), first + 0.32 * (last - first)), last - 0.32 * (last - first))
    below = {"transform": place, "va": "top", "fontsize": 8.5, "clip_on": False}
    axes.text(middle, y - 0.12 * inch, text, ha="center", fontweight="bold", **below)
    side = {"transform": place, "va": "center", "fontsize": 8.0, "color": style.SOFT}
    gap = 0.012 * (last - first)
    worse, better = (say(f"roi_report.worlds.{w}", language) for w in ("worse", "better"))
    axes.text(min(ends[0] - gap, last), y, worse, ha="right", **side)
    axes.text(max(ends[1] + gap, first), y, better, ha="left", **side)
