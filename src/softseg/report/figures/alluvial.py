"""Which segments survive: customers flowing from K segments to K + 1, as an alluvial figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softseg.inference.flows import survivors
from softseg.report import style
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAR = 0.09
"""Width of a bar where numbers of segments are one apart."""
GAP = 0.012
"""Space between bars, as a share of all customers."""
LEAST_LABELLED = 0.025
"""Segments below this share of the customers get no number."""
STEPS = 24

Array = NDArray[np.float64]


@style.styled
def alluvial(
    flows: Sequence[Any],
    n_segments: Sequence[int],
    language: str = "en",
    recommended: int | None = None,
) -> "Figure":
    """Return the customers' ways through the numbers of segments that were tried.

    Segments are numbered by size. The ways of a segment that stays as it is (Jaccard index of at
    least 0.75) are darker, so that the figure reads without colours.

    Parameters
    ----------
    flows
        Customers by segment of each number and of the next, (segment, segment of the next).
    n_segments
        The numbers tried, one more than there are flows.
    language
        ``en`` or ``de``.
    recommended
        The recommended number, marked by a band.
    """
    from matplotlib.figure import Figure

    tables = [np.asarray(flow, dtype=float) for flow in flows]
    total = max(float(tables[0].sum()), 1e-300)
    sizes = [table.sum(axis=1) / total for table in tables] + [tables[-1].sum(axis=0) / total]
    orders = _orders(tables)
    bottoms = [_bottoms(size, order) for size, order in zip(sizes, orders, strict=True)]
    figure = Figure(figsize=(style.WIDTH, 3.6))
    axes = figure.add_axes((0.03, 0.13, 0.94, 0.82))
    if recommended is not None and recommended in n_segments:
        at = list(n_segments).index(recommended)
        axes.axvspan(at - 0.2, at + 0.2, color="#fff1cc", zorder=0)
    for at, table in enumerate(tables):
        _ways(axes, at, table / total, orders[at : at + 2], bottoms[at : at + 2])
    for at, size in enumerate(sizes):
        for segment, share in enumerate(size):
            low = bottoms[at][segment]
            axes.bar(
                at, share, BAR, low, color=style.colour(segment), hatch=style.hatch(segment),
                edgecolor="white", linewidth=0.5, zorder=3,
            )  # fmt: skip
            if share >= LEAST_LABELLED:
                axes.annotate(
                    str(segment + 1), (at, low + share / 2), ha="center", va="center",
                    fontsize=8, zorder=4,
                    bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none"},
                )  # fmt: skip
    axes.set_xlim(-0.3, len(sizes) - 0.7)
    axes.set_xticks(range(len(sizes)), [str(k) for k in n_segments])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xlabel(say("report.figure.n_segments", language), labelpad=1)
    return figure


def _orders(tables: Sequence[Array]) -> list[NDArray[np.intp]]:
    """Return the order of the bars from below, each near those that its customers come from."""
    orders = [np.arange(len(tables[0]))]
    for table in tables:
        place = np.empty(len(orders[-1]))
        place[orders[-1]] = np.arange(len(place))
        came = table.sum(axis=0)
        centre = place @ table / np.where(came > 0, came, 1.0)
        orders.append(np.argsort(np.where(came > 0, centre, np.inf), kind="stable"))
    return orders


def _bottoms(size: Array, order: NDArray[np.intp]) -> Array:
    bottoms = np.empty(len(size))
    bottoms[order] = np.concatenate([[0.0], np.cumsum(size[order] + GAP)[:-1]])
    return bottoms


def _ways(
    axes: Any,
    at: int,
    table: Array,
    orders: Sequence[NDArray[np.intp]],
    bottoms: Sequence[Array],
) -> None:
    """Draw the bands between two columns of bars."""
    stay = set(survivors(table))
    left, right = bottoms[0].copy(), bottoms[1].copy()
    x = np.linspace(0.0, 1.0, STEPS)
    ease = x * x * (3.0 - 2.0 * x)
    across = at + BAR / 2 + x * (1.0 - BAR)
    for a in orders[0]:
        for b in orders[1]:
            share = table[a, b]
            if share <= 0.0:
                continue
            low = left[a] + (right[b] - left[a]) * ease
            axes.fill_between(
                across, low, low + share, color=style.colour(int(a)), linewidth=0,
                alpha=0.65 if int(a) in stay else 0.25, zorder=1,
            )  # fmt: skip
            left[a] += share
            right[b] += share
