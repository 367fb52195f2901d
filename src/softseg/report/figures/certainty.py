"""How sure the memberships are: verdicts per segment, and the curve of all customers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from softseg.report import style
from softseg.report.amounts import customers
from softseg.report.facts import VERDICTS, Facts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHADES = ("#0072B2", "#9cc7e6", "#D55E00")
VERDICT_HATCHES = ("", "////", "xxxx")
BINS = 120
CLEAR_BOUND = 80
"""Bound of the verdict "clear", in per cent."""


@style.styled
def certainty(tree: Any, language: str = "en") -> "Figure":
    """Return the certainty of the memberships: verdicts by segment, and a curve with intervals.

    Parameters
    ----------
    tree
        Posterior tree with the group ``membership``.
    language
        ``en`` or ``de``.
    """
    from matplotlib.figure import Figure

    facts = Facts(tree, language)
    n = facts.n_segments
    height = max(2.9, 0.95 + 0.38 * n)
    figure = Figure(figsize=(style.WIDTH, height))
    bottom, tall = 0.5 / height, 1 - 0.85 / height
    _verdicts(figure.add_axes((1.62 / style.WIDTH, bottom, 0.37, tall)), facts)
    _curve(figure.add_axes((0.66, bottom, 0.32, tall)), facts)
    return figure


def _verdicts(axes: Any, facts: Facts) -> None:
    counts = facts.verdict_counts
    total = np.maximum(counts.sum(0), 1)
    left = np.zeros(facts.n_segments)
    at = np.arange(facts.n_segments)
    for row, shade, pattern, verdict in zip(counts, SHADES, VERDICT_HATCHES, VERDICTS, strict=True):
        share = 100 * row / total
        label = facts.say(f"report.verdict.{verdict.replace(' ', '_')}")
        axes.barh(
            at,
            share,
            0.66,
            left=left,
            color=shade,
            hatch=pattern,
            edgecolor="white",
            linewidth=0.4,
            label=label,
        )
        for k in np.flatnonzero(share >= 9):
            axes.text(
                left[k] + share[k] / 2,
                k,
                customers(row[k], facts.language),
                ha="center",
                va="center",
                fontsize=8,
                color=style.INK if shade == SHADES[1] else "white",
                bbox={"boxstyle": "square,pad=0.12", "facecolor": shade, "edgecolor": shade},
            )
        left = left + share
    axes.set_ylim(facts.n_segments - 0.5, -0.5)
    axes.set_yticks(at, style.wrapped_all(facts.numbered_names, 20))
    axes.set_xlim(0, 100)
    style.plain(axes)
    style.number_axis(axes.xaxis, facts.language, 5)
    axes.set_xlabel(facts.say("report.figure.verdict_axis"))
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=3,
        borderaxespad=0.1,
        handlelength=1.4,
        columnspacing=1.2,
    )


def _curve(axes: Any, facts: Facts) -> None:
    x, middle, low, high = curve(facts)
    axes.fill_between(
        x, low, high, color="#9cc7e6", linewidth=0, label=facts.say("report.figure.interval")
    )
    axes.plot(x, middle, color=style.colour(0), label=facts.say("report.figure.top_membership"))
    axes.axhline(CLEAR_BOUND, color=style.INK, linewidth=0.8, linestyle="--")
    axes.text(
        1,
        CLEAR_BOUND - 1.5,
        facts.say("report.figure.clear_bound"),
        fontsize=7.8,
        color=style.SOFT,
        va="top",
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "white"},
    )
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 101)
    style.plain(axes, "both")
    for axis in (axes.xaxis, axes.yaxis):
        style.number_axis(axis, facts.language, 5)
    axes.set_xlabel(facts.say("report.figure.curve_x"))
    axes.set_ylabel(facts.say("report.figure.curve_y"))
    axes.legend(loc="lower left")


def curve(facts: Facts) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return customers sorted by the membership of their top segment, in bins, in per cent.

    Returns
    -------
    tuple
        Position among the customers, mean membership, lower and upper bound, each (bin,): means
        over the customers of a bin, so that a million customers make the same figure as a
        hundred.
    """
    members = facts.membership
    top = members["top"].values.astype(int) - 1
    every = np.arange(len(top))
    parts = [
        members[name].transpose("customer", "segment").values[every, top]
        for name in ("mean", "lower", "upper")
    ]
    order = np.argsort(-parts[0], kind="stable")
    count = facts.membership_count[order]
    reached = np.concatenate([[0.0], np.cumsum(count)])
    n_customers = int(reached[-1])
    edges = np.linspace(0, n_customers, min(BINS, n_customers) + 1).astype(int)
    width = np.diff(edges)
    sums = [np.concatenate([[0.0], np.cumsum(part[order] * count)]) for part in parts]
    binned = [100 * np.diff(np.interp(edges, reached, total)) / width for total in sums]
    position = 100 * (edges[:-1] + edges[1:]) / 2 / n_customers
    return position, binned[0], binned[1], binned[2]
