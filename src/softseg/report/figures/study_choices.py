"""Which segments to treat: what each is worth, and how sure its rank is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from softseg.report import style
from softseg.report.facts import Array
from softseg.report.figures.roi_axis import LOSES, PAYS, limits, money_scale, zero_line
from softseg.report.roi import numbers
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Choice:
    """One segment: quantiles and mean of its net value, and the probability of each rank."""

    label: str
    quantiles: Array
    mean: float
    ranks: Array


@style.styled
def choices(rows: Sequence[Choice], currency: str, language: str = "en") -> "Figure":
    """Return the net value of treating each segment, and the probability of its ranks.

    Parameters
    ----------
    rows
        The segments, the most valuable first.
    currency
        ISO code.
    language
        ``en`` or ``de``.
    """
    from matplotlib.figure import Figure

    n = len(rows)
    height = 1.15 + 0.42 * n
    figure = Figure(figsize=(style.WIDTH, height))
    bottom, tall = 0.55 / height, 1 - 1.0 / height
    left = figure.add_axes((1.75 / style.WIDTH, bottom, 0.43, tall))
    ranks = len(rows[0].ranks)
    right = figure.add_axes((0.70, bottom, min(0.28, 0.075 * ranks), tall))
    _worth(left, rows, currency, language)
    _ranks(right, rows, language)
    return figure


def _worth(axes: Any, rows: Sequence[Choice], currency: str, language: str) -> None:
    together = np.concatenate([row.quantiles for row in rows])
    factor, unit = money_scale(together, currency, language)
    for i, row in enumerate(rows):
        q = row.quantiles / factor
        colour = PAYS if row.mean > 0 else LOSES
        axes.plot([q[0], q[4]], [i, i], color=colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot([q[1], q[3]], [i, i], color=colour, linewidth=6, alpha=0.45,
                  solid_capstyle="butt")  # fmt: skip
        axes.plot(row.mean / factor, i, marker="o" if row.mean > 0 else "X", color=colour,
                  markersize=7, markeredgecolor="white")  # fmt: skip
    zero_line(axes)
    axes.set_xlim(*limits(together / factor, 0.06))
    _rows(axes, rows)
    axes.set_yticks(range(len(rows)), style.wrapped_all([row.label for row in rows], 22))
    style.plain(axes)
    style.number_axis(axes.xaxis, language, 5)
    axes.set_xlabel(f"{say('study_report.choices.axis', language)} ({unit})")


def _ranks(axes: Any, rows: Sequence[Choice], language: str) -> None:
    """Draw a square for each rank, the darker the more probable, with its probability."""
    table = np.array([row.ranks for row in rows])
    for (i, j), p in np.ndenumerate(table):
        shade = 1.0 - 0.75 * float(np.clip(p, 0.0, 1.0))
        axes.add_patch(_square(j, i, (shade, shade, shade)))
        if p > 0:
            axes.text(j, i, numbers.share(float(p), language, 0.01), ha="center", va="center",
                      fontsize=7.5, color="white" if shade < 0.55 else style.INK)  # fmt: skip
    axes.set_xlim(-0.5, table.shape[1] - 0.5)
    _rows(axes, rows)
    axes.set_yticks([])
    axes.set_xticks(range(table.shape[1]), [f"{j + 1}." for j in range(table.shape[1])])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xlabel(say("study_report.choices.rank", language))


def _square(x: float, y: float, colour: tuple[float, float, float]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.4), 0.96, 0.8, facecolor=colour, edgecolor="none")


def _rows(axes: Any, rows: Sequence[Choice]) -> None:
    axes.set_ylim(len(rows) - 0.45, -0.55)
