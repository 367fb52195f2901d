"""How much of the assumed effect is needed, and which pairs of effects are enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from softseg.report import style
from softseg.report.amounts import percent
from softseg.report.facts import Array
from softseg.report.figures.roi_axis import PAYS, page_axes
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES = ((0.95, "-", 2.4), (0.80, "--", 1.8), (0.50, ":", 1.8))
"""Line style and width of each certainty."""
SUREST = 0.95


@style.styled
def needed(
    multiples: Array, chances: Sequence[tuple[str, Array]], language: str = "en"
) -> "Figure":
    """Return how likely the programme pays, by how much of the assumed effects there is.

    Parameters
    ----------
    multiples
        Of the assumed effects.
    chances
        Label and probability at each multiple, all effects together first.
    language
        ``en`` or ``de``.
    """
    figure, axes = page_axes(3.7, left=0.75, right=2.65, top=0.35, bottom=0.6)
    for i, (_, chance) in enumerate(chances):
        axes.plot(
            100 * multiples,
            100 * chance,
            color=style.colour(i),
            linestyle=style.LINES[i % len(style.LINES)],
            linewidth=2.6 if i == 0 else 1.5,
        )
    axes.axvline(100, color=style.INK, linewidth=1.0)
    axes.annotate(
        say("roi_report.needed.assumed", language), (100, 1), xytext=(0, 3),
        xycoords=axes.get_xaxis_transform(), textcoords="offset points", ha="center", fontsize=8.5,
    )  # fmt: skip
    axes.set_xlim(0, 100 * float(multiples[-1]))
    axes.set_ylim(0, 102)
    style.plain(axes, "both")
    style.number_axis(axes.xaxis, language, 5)
    style.number_axis(axes.yaxis, language, 5)
    axes.set_xlabel(say("roi_report.axis.needed", language))
    axes.set_ylabel(say("roi_report.axis.pays", language))
    labels = style.wrapped_all([label for label, _ in chances], 30, 3)
    axes.legend(axes.lines[: len(labels)], labels, loc="upper left", bbox_to_anchor=(1.0, 1.0),
                handlelength=2.4, labelspacing=0.9)  # fmt: skip
    return figure


@dataclass(frozen=True)
class Curve:
    """The pairs that are enough with one certainty."""

    level: float
    x: Array
    y: Array


@style.styled
def frontier(
    curves: Sequence[Curve],
    points: Sequence[tuple[str, float, float]],
    names: tuple[str, str],
    language: str = "en",
) -> "Figure":
    """Return which pairs of two effects are enough to break even, with which certainty.

    Parameters
    ----------
    curves
        One per certainty, in the units of the axes.
    points
        Scenarios: name, x and y.
    names
        What stands at the axes, with units.
    language
        ``en`` or ``de``.
    """
    figure, axes = page_axes(4.2, left=0.75, right=2.65, top=0.15, bottom=0.6)
    right, top = _corner(curves, points)
    for curve in sorted(curves, key=lambda one: -one.level):
        _curve(axes, curve, right, top, language)
    for name, x, y in points:
        axes.plot([x], [y], marker="D", markersize=6, markerfacecolor="white",
                  markeredgecolor=style.INK, markeredgewidth=1.4, zorder=4)  # fmt: skip
        left = x > 0.7 * right
        axes.annotate(style.wrapped(name, 18), (x, y), xytext=(-8 if left else 8, 0),
                      textcoords="offset points", fontsize=8.5, va="center",
                      ha="right" if left else "left", zorder=5,
                      bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.6,
                            "pad": 0.8})  # fmt: skip
    if axes.lines:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=2.4,
                    labelspacing=0.9, title=say("roi_report.frontier.given", language),
                    title_fontsize=8.5, alignment="left")  # fmt: skip
    axes.set_xlim(0, right)
    axes.set_ylim(0, top)
    style.plain(axes, "both")
    for axis, name in ((axes.xaxis, names[0]), (axes.yaxis, names[1])):
        style.number_axis(axis, language, 5)
        axis.set_label_text(style.wrapped(name, 50))
    return figure


def _corner(
    curves: Sequence[Curve], points: Sequence[tuple[str, float, float]]
) -> tuple[float, float]:
    """Return the upper ends of the axes: all points and the curves near them."""
    across = _end([c.x for c in curves], [x for _, x, _ in points])
    return across, _end([c.y for c in curves], [y for _, _, y in points])


def _end(of_curves: Sequence[Array], of_points: Sequence[float]) -> float:
    finite = [float(x[np.isfinite(x)].max(initial=0.0)) for x in of_curves]
    wide = 1.15 * max([*of_points, 0.0])
    far = max([*finite, 0.0])
    return max(wide, min(far, 2.5 * wide) if wide > 0 else far) or 1.0


def _curve(axes: Any, curve: Curve, right: float, top: float, language: str) -> None:
    _, line, width = min(CURVES, key=lambda known: abs(known[0] - curve.level))
    inside = np.isfinite(curve.x) & np.isfinite(curve.y)
    x, y = curve.x[inside], curve.y[inside]
    if not x.size:
        return
    enough = np.flatnonzero(y <= 0)
    if enough.size:  # beyond the first x that is enough alone there is nothing to draw
        x, y = x[: enough[0] + 1], y[: enough[0] + 1]
    text = say("roi_report.frontier.level", language, level=percent(curve.level, 0, language))
    axes.plot(x, y, color=PAYS, linestyle=line, linewidth=width, label=text)
    if curve.level == SUREST:
        ends = ([*x, right], [*y, y[-1]]) if enough.size else (x, y)
        axes.fill_between(*ends, 2 * top, color="#eef5fa", linewidth=0, zorder=0)
