"""The segment map: where the segments lie, and how sure that is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from softseg.report import style
from softseg.report.amounts import percent
from softseg.report.facts import Array
from softseg.report.figures.roi_axis import page_axes
from softseg.report.study.plane import Plane
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RADIUS: Final = 2.1460
"""Of the ellipse that holds 90 % of a bivariate normal: √(−2 ln 0.1)."""
LABEL: Final = 0.055
"""Height of a label, as a part of the figure's range."""


@style.styled
def segment_map(
    plane: Plane, labels: Sequence[str], shown: Sequence[int], language: str = "en"
) -> "Figure":
    """Return the segments in the plane, each with the ellipse that holds 90 % of its draws.

    Parameters
    ----------
    plane
        Positions of all segments.
    labels
        Names of all segments.
    shown
        Positions of the segments that are drawn.
    language
        ``en`` or ``de``.
    """
    figure, axes = page_axes(5.2, left=1.0, right=0.3, top=0.15, bottom=0.8)
    outlines = {k: ellipse(plane.draws[:, k], plane.points[k]) for k in shown}
    together = np.concatenate([*outlines.values(), np.zeros((1, 2))])
    low, high = together.min(axis=0), together.max(axis=0)
    room = 0.16 * np.maximum(high - low, 0.25 * float((high - low).max()) or 1.0)
    axes.set_xlim(low[0] - room[0], high[0] + room[0])
    axes.set_ylim(low[1] - room[1], high[1] + room[1])
    for direction in (axes.axvline, axes.axhline):
        direction(0.0, color=style.BASE, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    for k, outline in outlines.items():
        axes.fill(*outline.T, facecolor=style.colour(k), alpha=0.22, linewidth=0, zorder=1)
        axes.plot(*outline.T, color=style.colour(k), linestyle=style.LINES[k % 4], zorder=2)
        axes.plot(*plane.points[k], marker=style.marker(k), color=style.colour(k), markersize=8,
                  markeredgecolor="white", zorder=4)  # fmt: skip
    _names(axes, outlines, labels)
    for axis, number in ((axes.xaxis, 0), (axes.yaxis, 1)):
        style.number_axis(axis, language, 5)
        axis.set_label_text(_axis_name(plane, number, language))
    style.plain(axes, "both")
    axes.tick_params(labelbottom=False, labelleft=False)  # distances count, positions mean nothing
    return figure


def ellipse(draws: Array, centre: Array) -> Array:
    """Return the outline of the ellipse that holds 90 % of some draws, (point, axis)."""
    spread = np.atleast_2d(np.cov(draws.T))
    size, direction = np.linalg.eigh(spread)
    angle = np.linspace(0.0, 2.0 * np.pi, 73)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    stretched = (direction * np.sqrt(np.maximum(size, 0.0))) @ circle
    return centre + RADIUS * stretched.T


def _names(axes: Any, outlines: dict[int, Array], labels: Sequence[str]) -> None:
    """Write each name above its ellipse, moved up where it would cover another."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    height, width = LABEL * (high - low), 0.016 * (right - left)
    placed: list[tuple[float, float, float]] = []
    order = sorted(outlines, key=lambda k: float(outlines[k][:, 1].max()))
    for k in order:
        text = style.wrapped(labels[k], 34, 1)
        half = 0.5 * width * len(text)
        middle = float(outlines[k][:, 0].mean())
        x = min(max(middle, left + half), right - half)
        y = float(outlines[k][:, 1].max()) + 0.2 * height
        while any(abs(x - a) < half + b and abs(y - c) < height for a, b, c in placed):
            y += 0.25 * height
        placed.append((x, half, y))
        axes.text(x, y, text, ha="center", va="bottom", fontsize=9, fontweight="bold", zorder=5,
                  bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.8,
                        "edgecolor": "none"})  # fmt: skip
    top = max((y for _, _, y in placed), default=high)
    axes.set_ylim(low, max(high, top + 1.4 * height))


def _axis_name(plane: Plane, axis: int, language: str) -> str:
    """Return what an axis means: what grows and what shrinks along it, and how much it shows."""
    shown = percent(float(plane.explained[axis]), 0, language)
    lines = [say("study_report.map.axis", language, share=shown)]
    width = 105 if axis == 0 else 76
    for key, names in (("more", plane.more[axis]), ("less", plane.less[axis])):
        if names:
            text = say(f"study_report.map.{key}", language, names=" · ".join(names))
            lines.append(style.wrapped(text, width, 1))
    return "\n".join(lines)
