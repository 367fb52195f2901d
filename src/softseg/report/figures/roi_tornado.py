"""What drives the result: how far each input alone moves it, and what the variance rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from softseg.report import style
from softseg.report.figures.roi_axis import PAYS, limits, money_scale, page_axes, zero_line
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW: Final = 0.46
KINDS: Final = (("conditional", -0.15, 4.5, "-"), ("ceteris_paribus", 0.17, 1.4, "-"))
"""Kind, offset in its row, width and style of its line."""


@dataclass(frozen=True)
class Swing:
    """One input: the result at its low and its high value, by kind of comparison."""

    label: str
    ends: dict[str, tuple[float, float]]


@style.styled
def tornado(
    swings: Sequence[Swing], middle: float, currency: str, language: str = "en"
) -> "Figure":
    """Return how far each input moves the net present value.

    Parameters
    ----------
    swings
        Inputs, the strongest first, in whole currency.
    middle
        Net present value where all inputs lie in their middle; NaN draws none.
    currency
        ISO code of the amounts.
    language
        ``en`` or ``de``.
    """
    n = len(swings)
    ends = np.array([list(pair) for s in swings for pair in s.ends.values()])
    factor, unit = money_scale(ends, currency, language)
    figure, axes = page_axes(0.95 + ROW * n, left=2.75, right=0.25, top=0.42, bottom=0.5)
    for row, swing in enumerate(swings):
        for kind, shift, width, line in KINDS:
            if kind in swing.ends:
                low, high = (x / factor for x in swing.ends[kind])
                _swing(axes, row + shift, low, high, width, line)
    zero_line(axes)
    if np.isfinite(middle):
        axes.axvline(middle / factor, color=style.SOFT, linewidth=0.8, linestyle=":")
    axes.set_xlim(*limits(ends / factor, 0.06))
    axes.set_ylim(n - 0.5, -0.5)
    axes.set_yticks(range(n), style.wrapped_all([s.label for s in swings], 40))
    style.plain(axes)
    style.number_axis(axes.xaxis, language, 7)
    axes.set_xlabel(f"{say('roi_report.axis.npv', language)} ({unit})")
    _key(axes, language)
    return figure


def _swing(axes: Any, y: float, low: float, high: float, width: float, line: str) -> None:
    wide = width > 2
    axes.plot([low, high], [y, y], color=PAYS if wide else style.INK, linewidth=width,
              linestyle=line, solid_capstyle="butt")  # fmt: skip
    size = 8 if wide else 5
    edge = PAYS if wide else style.INK
    axes.plot([low], [y], marker="o", markersize=size, markerfacecolor="white",
              markeredgecolor=edge, markeredgewidth=1.5)  # fmt: skip
    axes.plot([high], [y], marker="o", markersize=size, markerfacecolor=edge,
              markeredgecolor=edge)  # fmt: skip


def _key(axes: Any, language: str) -> None:
    from matplotlib.lines import Line2D

    def text(name: str) -> str:
        return say(f"roi_report.tornado.{name}", language)

    dot = {"linestyle": "", "marker": "o", "color": style.INK, "markersize": 6}
    handles = [
        Line2D([], [], color=PAYS, linewidth=4.5, label=text("conditional")),
        Line2D([], [], color=style.INK, linewidth=1.4, label=text("ceteris_paribus")),
        Line2D([], [], **dot, markerfacecolor="white", label=text("low")),
        Line2D([], [], **dot, label=text("high")),
    ]
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4,
                borderaxespad=0.2, handlelength=1.6, columnspacing=1.2, fontsize=8.0)  # fmt: skip


@style.styled
def evidence(parts: Sequence[tuple[str, float]], language: str = "en") -> "Figure":
    """Return what share of the variance rests on which grade of evidence, as one bar.

    Parameters
    ----------
    parts
        Grade and share, in the order of drawing.
    language
        ``en`` or ``de``.
    """
    from softseg.report.roi.numbers import share

    figure, axes = page_axes(0.95, left=0.05, right=0.05, top=0.08, bottom=0.42)
    at = 0.0
    shades = ("#00664b", "#44AA99", "#E69F00", "#f3d9a0", "#cfd4da")
    for i, (label, part) in enumerate(parts):
        if part <= 0:
            continue
        axes.barh(
            0,
            part,
            0.8,
            left=at,
            color=shades[i % 5],
            hatch=style.hatch(i),
            edgecolor="white",
            linewidth=0.6,
            label=f"{label}: {share(part, language)}",
        )
        at += part
    axes.set_xlim(0, max(at, 1e-9))
    axes.set_axis_off()
    axes.legend(loc="upper left", bbox_to_anchor=(-0.005, -0.05), ncols=4, borderaxespad=0.2,
                handlelength=1.8, columnspacing=1.4)  # fmt: skip
    return figure
