"""What the segments look like: one panel per indicator, a dot with its interval per segment.

All segments stand on the same rows in every panel, so that one reads across for a segment and
down a panel for an indicator. A categorical indicator takes a whole row of panels, one column per
level. The vertical line is the whole table.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from softseg.report import style
from softseg.report.amounts import finite_range, scaled
from softseg.report.facts import Facts, Line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3
MAX_LEVELS = 8
ROW_HEIGHT = 0.2
"""Height of one segment in a panel, in inches."""
GAP, TOP = 0.9, 0.62
"""Between two rows of panels, and above the first one, in inches."""


@style.styled
def profiles(
    tree: Any,
    language: str = "en",
    indicators: Sequence[str] | None = None,
    limit: int | None = None,
) -> "Figure":
    """Return the profiles of the segments with their intervals.

    Parameters
    ----------
    tree
        Posterior tree with the group ``profile``.
    language
        ``en`` or ``de``.
    indicators
        Indicators to show; all by default, the most telling first.
    limit
        Greatest number of indicators.
    """
    from matplotlib.figure import Figure

    facts = Facts(tree, language)
    panels = _panels(facts, indicators)[:limit]
    rows = _rows(panels)
    marked = [
        name + " †" * bool(small)
        for name, small in zip(facts.numbered_names, facts.small, strict=True)
    ]
    labels = style.wrapped_all(marked, 20)
    n = facts.n_segments
    panel = max(0.62, ROW_HEIGHT * n * (1.65 if any("\n" in s for s in labels) else 1.0))
    height = 0.4 + len(rows) * (panel + GAP)
    figure = Figure(figsize=(style.WIDTH, height))
    left, right, gap = 1.62 / style.WIDTH, 0.99, 0.28 / style.WIDTH
    width = (right - left - gap * (COLUMNS - 1)) / COLUMNS
    for i, row in enumerate(rows):
        bottom = (height - TOP - panel - i * (panel + GAP)) / height
        for j, lines in enumerate(row):
            wide = width if len(lines) == 1 else right - left
            place = (left + j * (width + gap), bottom, wide, panel / height)
            axes = figure.add_axes(place)
            _panel(axes, facts, lines)
            axes.set_yticks(range(n), labels if j == 0 else [""] * n)
            for k in np.flatnonzero(facts.small):
                axes.axhspan(k - 0.45, k + 0.45, color="#f2f2f2", zorder=0)
    _key(figure, facts, left, height)
    return figure


def _panels(facts: Facts, indicators: Sequence[str] | None) -> list[list[Line]]:
    found: dict[tuple[str, str], list[Line]] = {}
    for line in facts.headlines:
        if indicators is None or line.indicator in indicators:
            found.setdefault((line.indicator, line.measure), []).append(scaled(line))
    return list(found.values())


def _rows(panels: list[list[Line]]) -> list[list[list[Line]]]:
    """Fill rows with single panels; one with levels takes a row of its own, in its place."""
    rows: list[list[list[Line]]] = []
    waiting: list[list[Line]] = []
    wide: list[list[Line]] = []
    for panel in panels:
        if len(panel) > 1:
            wide.append(panel)
            continue
        waiting.append(panel)
        if len(waiting) == COLUMNS:
            rows.append(waiting)
            waiting = []
    if waiting:
        rows.append(waiting)
    return rows + [[panel] for panel in wide]


def _panel(axes: Any, facts: Facts, lines: list[Line]) -> None:
    n = facts.n_segments
    axes.set_ylim(n - 0.45, -0.55)
    style.plain(axes)
    axes.tick_params(axis="y", length=0)
    if len(lines) == 1:
        _dots(axes, lines[0], 0.0)
        _single_axis(axes, facts, lines[0])
    else:
        _levels(axes, facts, lines)


def _dots(axes: Any, line: Line, shift: float, scale: float = 1.0) -> None:
    axes.plot(
        [shift + scale * line.base] * 2,
        [-0.5, len(line.values.mean) - 0.5],
        color=style.INK,
        linewidth=0.9,
        linestyle=(0, (4, 2)),
        zorder=1,
    )
    for k in range(len(line.values.mean)):
        low, mid, high = (
            shift + scale * x[k] for x in (line.values.lower, line.values.mean, line.values.upper)
        )
        axes.plot(
            [low, high],
            [k, k],
            color=style.colour(k),
            linewidth=2.0,
            solid_capstyle="butt",
            zorder=2,
        )
        axes.plot(
            mid,
            k,
            marker=style.marker(k),
            color=style.colour(k),
            markeredgecolor="white",
            markeredgewidth=0.5,
            zorder=3,
            markersize=7.0 if style.marker(k) in "PX" else 5.8,
        )


def _single_axis(axes: Any, facts: Facts, line: Line) -> None:
    low, high = finite_range(line.values.lower, line.values.upper, np.array([line.base]))
    # A scale that holds zero keeps ratios honest; without it small differences look large.
    if line.lift_kind == "ratio":
        low = min(low, 0.0)
    margin = 0.06 * (high - low or 1.0)
    axes.set_xlim(low - margin, high + margin)
    style.number_axis(axes.xaxis, facts.language, 4)
    axes.set_title(style.wrapped(line.label, 34), pad=4)
    what = facts.measure_label(line)
    axes.set_xlabel(style.wrapped(f"{what} ({line.unit})" if line.unit else what, 40), labelpad=1)


def _levels(axes: Any, facts: Facts, lines: list[Line]) -> None:
    shown = lines[:MAX_LEVELS]
    if len(lines) > MAX_LEVELS:
        shown = sorted(lines, key=lambda line: -line.base)[:MAX_LEVELS]
    top = max(5.0, max(float(np.max(line.values.upper)) for line in shown))
    top = min(100.0, 10.0 * np.ceil(top / 10.0))
    step = 1.14
    names = [style.wrapped(line.level, max(9, 104 // len(shown))) for line in shown]
    for i, line in enumerate(shown):
        _dots(axes, line, i * step, 1.0 / top)
        axes.axvline(i * step, color=style.BASE, linewidth=0.7, zorder=0)
        axes.text(
            i * step,
            -0.62,
            names[i],
            fontsize=8,
            color=style.SOFT,
            va="bottom",
        )
    # The last tick of a level would run into the first one of its neighbour.
    ticks = [(i * step + t, t * top) for i in range(len(shown)) for t in (0.0, 0.5)]
    ticks.append(((len(shown) - 1) * step + 1.0, top))
    axes.set_xticks([x for x, _ in ticks], [f"{v:.0f}" for _, v in ticks])
    axes.set_xlim(-0.03, (len(shown) - 1) * step + 1.06)
    axes.set_title(
        style.wrapped(lines[0].label, 100, 1), pad=25 if any("\n" in name for name in names) else 15
    )
    more = len(lines) - len(shown)
    what = f"{facts.measure_label(lines[0])} (%)"
    if more:
        what += " – " + facts.say("report.figure.more_levels", count=more)
    axes.set_xlabel(what, labelpad=1)


def _key(figure: Any, facts: Facts, left: float, height: float) -> None:
    text = facts.say("report.figure.profiles_key")
    if facts.small.any():
        text += "  " + facts.say("report.figure.small_key")
    figure.text(left, 1.0 - 0.08 / height, text, fontsize=8, color=style.SOFT, va="top")
