"""How the ROI is spread, and where scenarios and tails lie in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from softseg.report import style
from softseg.report.amounts import percent
from softseg.report.facts import Array
from softseg.report.figures.roi_axis import (
    LOSES,
    PAYS,
    WHOLE,
    Range,
    has_spike,
    limits,
    spike,
    zero_line,
)
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS: Final = 60
ROW: Final = 0.36
CURVE: Final = 2.3
LEFT, RIGHT, TOP, BOTTOM = 2.35, 0.2, 0.3, 0.5


@style.styled
def density(draws: Array, rows: Sequence[Range], language: str = "en") -> "Figure":
    """Return the spread of the ROI and below it, on the same axis, ranges to compare with it.

    Parameters
    ----------
    draws
        ROI of every draw, sorted, as a ratio.
    rows
        The whole, its tails and the scenarios, as ratios.
    language
        ``en`` or ``de``.
    """
    from matplotlib.figure import Figure

    tall = ROW * len(rows)
    height = TOP + CURVE + tall + BOTTOM
    figure = Figure(figsize=(style.WIDTH, height))
    left, wide = LEFT / style.WIDTH, 1 - (LEFT + RIGHT) / style.WIDTH
    upper = figure.add_axes((left, (BOTTOM + tall) / height, wide, CURVE / height))
    lower = figure.add_axes((left, BOTTOM / height, wide, tall / height))
    shown = _limits(draws, rows)
    _curve(upper, 100 * draws, shown, language)
    for row, entry in enumerate(rows):
        _row(lower, row, entry)
    lower.set_ylim(len(rows) - 0.4, -0.6)
    lower.set_yticks(range(len(rows)), style.wrapped_all([r.label for r in rows], 34))
    lower.grid(True, axis="x")
    for axes in (upper, lower):
        axes.set_xlim(*shown)
        axes.spines["left"].set_visible(False)
        zero_line(axes)
    for x in (rows[0].low, rows[0].high):
        for axes in (upper, lower):
            axes.axvline(100 * x, color=style.INK, linewidth=0.8, linestyle=":")
    upper.set_xticks([])
    upper.set_yticks([])
    upper.spines["bottom"].set_color(style.GRID)
    text = say("roi_report.density.break_even", language)
    across = (0 - shown[0]) / (shown[1] - shown[0])
    upper.annotate(
        text, (0, 1), xytext=(0, 3), xycoords=upper.get_xaxis_transform(),
        textcoords="offset points", fontsize=8.5,
        ha="right" if across > 0.9 else "left" if across < 0.1 else "center",
    )  # fmt: skip
    style.number_axis(lower.xaxis, language, 7)
    lower.set_xlabel(say("roi_report.axis.roi", language))
    return figure


def _limits(draws: Array, rows: Sequence[Range]) -> tuple[float, float]:
    edges = np.quantile(draws, (0.002, 0.985))
    ends = [x for r in rows for x in (r.low, r.middle, r.high, r.point)]
    return limits(100 * np.array([*edges, *ends]), 0.03)


def _curve(axes: Any, draws: Array, shown: tuple[float, float], language: str) -> None:
    lost_all = spike(draws / 100)
    share = float(lost_all.mean())
    apart = has_spike(draws / 100)
    smooth = draws[~lost_all] if apart else draws
    width = (shown[1] - shown[0]) / BINS
    edges = np.arange(np.floor(shown[0] / width), np.ceil(shown[1] / width) + 1) * width
    heights = np.histogram(smooth, edges)[0] / max(len(draws), 1)
    lost = edges[1:] <= width * 1e-6
    for part, colour, hatch in ((lost, LOSES, "////"), (~lost, PAYS, "")):
        axes.bar(
            edges[:-1][part],
            heights[part],
            width,
            align="edge",
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.3,
        )
    top = 1.15 * float(heights.max()) if heights.max() > 0 else 1.0
    axes.set_ylim(0, top)
    if apart:
        axes.bar(-100.0, top, 0.6 * width, color=LOSES, hatch="////", edgecolor="white")
        text = say("roi_report.density.spike", language, share=percent(share, 0, language))
        axes.annotate(
            style.wrapped(text, 26, 3), (-100.0, 0.97 * top), xytext=(-9, 0),
            textcoords="offset points", ha="right", va="top", fontsize=8.5, color=style.SOFT,
            annotation_clip=False,
        )  # fmt: skip


def _row(axes: Any, row: int, entry: Range) -> None:
    colour = WHOLE if row == 0 else style.INK
    low, middle, high, point = (100 * x for x in (entry.low, entry.middle, entry.high, entry.point))
    if np.isfinite([low, high]).all():
        axes.plot([low, high], [row, row], color=colour, linewidth=5 if row == 0 else 2.2,
                  solid_capstyle="butt")  # fmt: skip
    if np.isfinite(middle):
        axes.plot([middle], [row], marker="o", markersize=7, color="white", markeredgecolor=colour,
                  markerfacecolor=colour if row else "white", markeredgewidth=1.6)  # fmt: skip
    if np.isfinite(point):
        axes.plot([point], [row], marker="D", markersize=6.5, markerfacecolor="white",
                  markeredgecolor=PAYS, markeredgewidth=1.6, zorder=4)  # fmt: skip
