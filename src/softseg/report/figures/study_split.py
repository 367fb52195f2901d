"""Where the width of the band comes from: parameters, memberships, judgement, and moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from softseg.report import style
from softseg.report.figures.roi_axis import page_axes
from softseg.report.roi import numbers
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHADES = ("#0072B2", "#9cc7e6", "#E69F00")
MOVING = ("#0072B2", "#9cc7e6", "#009E73", "#8fd3bd", "#E69F00")
"""With the two sources of a panel before the last one."""
BLOCK_HATCHES = ("", "////", "....")
MOVING_HATCHES = ("", "////", "", "////", "....")


@dataclass(frozen=True)
class Part:
    """The share of one source in the variance, with its Monte Carlo error."""

    label: str
    share: float
    error: float


@style.styled
def split(parts: Sequence[Part], language: str = "en") -> "Figure":
    """Return one bar per source of uncertainty, with its share and twice its error.

    Parameters
    ----------
    parts
        The sources.
    language
        ``en`` or ``de``.
    """
    n = len(parts)
    wide = n > len(SHADES)
    shades, hatches = (MOVING, MOVING_HATCHES) if wide else (SHADES, BLOCK_HATCHES)
    figure, axes = page_axes(0.75 + 0.5 * n, left=2.9, right=0.3, top=0.1, bottom=0.55)
    for row, part in enumerate(parts):
        value = 100.0 * part.share
        error = 200.0 * part.error if np.isfinite(part.error) else 0.0
        axes.barh(row, max(value, 0.0), 0.6, color=shades[row % n], hatch=hatches[row % n],
                  edgecolor="white", linewidth=0.4)  # fmt: skip
        low, high = max(value - error, 0.0), value + error
        axes.plot([low, high], [row, row], color="white", linewidth=3.4, solid_capstyle="butt")
        axes.plot([low, high], [row, row], color=style.INK, linewidth=1.2, solid_capstyle="butt")
        axes.annotate(numbers.share(min(max(part.share, 0.0), 1.0), language, part.error),
                      (max(high, 0.0), row), xytext=(6, 0), textcoords="offset points",
                      va="center", fontsize=9, fontweight="bold")  # fmt: skip
    axes.set_ylim(n - 0.45, -0.55)
    axes.set_yticks(range(n), style.wrapped_all([part.label for part in parts], 38))
    axes.set_xlim(0, 112)
    style.plain(axes)
    style.number_axis(axes.xaxis, language, 5)
    axes.set_xlabel(say("study_report.split.axis", language))
    return figure
