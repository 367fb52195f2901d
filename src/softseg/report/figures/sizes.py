"""How large the segments are, in customers and in value, and how concentrated the value is."""

from typing import TYPE_CHECKING, Any

import numpy as np

from softseg.report import style
from softseg.report.amounts import share_interval
from softseg.report.facts import Band, Facts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_VALUES = 2
"""Value columns drawn beside the customers; more would leave no room for the bars."""
SHADES = ("#4a5560", "#0072B2", "#E69F00")
BAR_HATCHES = ("", "///", "\\\\\\")


@style.styled
def sizes(tree: Any, language: str = "en") -> "Figure":
    """Return shares of customers and of value per segment, with intervals.

    Parameters
    ----------
    tree
        Posterior tree with the group ``sizes``.
    language
        ``en`` or ``de``.
    """
    from matplotlib.figure import Figure

    facts = Facts(tree, language)
    series = [(facts.say("report.customers"), facts.size("share"))]
    for column in facts.value_names[:MAX_VALUES]:
        series.append((facts.value_label(column), facts.value(column)))
    n = facts.n_segments
    height = 0.95 + n * max(0.42, 0.27 * len(series))
    figure = Figure(figsize=(style.WIDTH, height))
    axes = figure.add_axes((1.62 / style.WIDTH, 0.48 / height, 0.79, 1 - 0.9 / height))
    for i, (label, band) in enumerate(series):
        _bars(axes, facts, band, i, len(series), label)
    axes.set_ylim(n - 0.5, -0.5)
    axes.set_yticks(range(n), style.wrapped_all(facts.numbered_names, 20))
    style.plain(axes)
    low = min(float(np.nanmin(band.lower)) for _, band in series)
    high = max(float(np.nanmax(band.upper)) for _, band in series)
    axes.set_xlim(min(0.0, 115 * low), 122 * high)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    style.number_axis(axes.xaxis, language, 6)
    axes.set_xlabel(facts.say("report.figure.sizes_axis"))
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=len(series),
        borderaxespad=0.1,
        handlelength=1.6,
        columnspacing=1.6,
    )
    return figure


def _bars(axes: Any, facts: Facts, band: Band, i: int, n_series: int, label: str) -> None:
    thick = 0.8 / n_series
    at = np.arange(facts.n_segments) - 0.4 + thick * (i + 0.5)
    mean, low, high = 100 * band.mean, 100 * band.lower, 100 * band.upper
    axes.barh(
        at,
        mean,
        thick * 0.86,
        color=SHADES[i],
        label=style.wrapped(label, 40, 1),
        hatch=BAR_HATCHES[i],
        edgecolor="white",
        linewidth=0.4,
    )
    # White below, ink above: the interval stays visible inside and outside of the bar.
    axes.hlines(at, low, high, color="white", linewidth=3.4)
    axes.hlines(at, low, high, color=style.INK, linewidth=1.2)
    for k in range(facts.n_segments):
        value, inside = share_interval(band[k], facts.language)
        end = max(high[k], 0.0)
        axes.annotate(
            f"{value}  ({inside})",
            (end, at[k]),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.8,
            color=style.SOFT,
        )


@style.styled
def concentration(tree: Any, language: str = "en") -> "Figure | None":
    """Return how much of the value the most valuable customers bring, None if unknown.

    Parameters
    ----------
    tree
        Posterior tree whose group ``sizes`` holds ``concentration``.
    language
        ``en`` or ``de``.
    """
    from matplotlib.figure import Figure

    facts = Facts(tree, language)
    curves = facts.concentration
    if not curves:
        return None
    figure = Figure(figsize=(5.4, 3.6))
    axes = figure.add_axes((0.12, 0.14, 0.84, 0.8))
    for i, (column, (top, value)) in enumerate(curves.items()):
        x, y = np.concatenate([[0.0], 100 * top]), np.concatenate([[0.0], 100 * value])
        axes.plot(
            x,
            y,
            color=SHADES[1 + i % 2],
            linestyle=style.LINES[i % 4],
            marker=style.MARKERS[i] if len(x) < 15 else None,
            markersize=4,
            label=style.wrapped(facts.value_label(column), 40, 1),
        )
    axes.plot(
        [0, 100],
        [0, 100],
        color=style.BASE,
        linewidth=0.9,
        linestyle=":",
        label=facts.say("report.figure.equal"),
    )
    style.plain(axes, "both")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, None)
    for axis in (axes.xaxis, axes.yaxis):
        style.number_axis(axis, language, 5)
    axes.set_xlabel(facts.say("report.figure.concentration_x"))
    axes.set_ylabel(facts.say("report.figure.concentration_y"))
    axes.legend(loc="lower right")
    return figure
