"""Ward's tree of a sample of customers, with the segments of the fit below it.

Only the topmost merges are drawn, everything below them as a grey triangle: a tree of a thousand
leaves is unreadable and slow. Each segment has its own row of marks, so that the strip needs no
colours to be read.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from softseg.errors import UsageError
from softseg.report import style
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N_MERGES = 60
"""Merges drawn, counted from the root."""


@style.styled
def dendrogram(
    linkage: Any, segments: Any, names: Any, language: str = "en", unit: str = ""
) -> "Figure":
    """Return Ward's tree with the customers' top segments below it.

    Parameters
    ----------
    linkage
        Linkage matrix of SciPy, shape (n − 1, 4).
    segments
        Top segment of each customer of the sample, 1 … K, shape (n,), in the order in which the
        linkage counts them.
    names
        Names of the segments, (K,).
    language
        ``en`` or ``de``.
    unit
        What the height is measured in, if there is a word for it.

    Raises
    ------
    UsageError
        Where linkage and segments speak of different numbers of customers.
    """
    from matplotlib.figure import Figure

    linkage, segments = np.asarray(linkage, dtype=float), np.asarray(segments, dtype=int)
    if len(linkage) + 1 != len(segments):
        raise UsageError(
            "Give the segments of the customers in the linkage: "
            f"expected {len(linkage) + 1}, got {len(segments)}."
        )
    names = [str(name) for name in names]
    strip = 0.19 * len(names)
    height = 2.6 + strip + 0.45
    figure = Figure(figsize=(style.WIDTH, height))
    left, width = 1.62 / style.WIDTH, 0.99 - 1.62 / style.WIDTH
    tree = figure.add_axes((left, (0.5 + strip) / height, width, 2.4 / height))
    below = figure.add_axes((left, 0.42 / height, width, strip / height))
    order = _draw_tree(tree, linkage, language, unit)
    _draw_strip(below, segments[order], names, language)
    return figure


def layout(linkage: Any) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return the order of the leaves, and centre and span of every node of the tree.

    Returns
    -------
    tuple
        Order (leaf,); centre (node,); first and last leaf's position (node, 2); nodes count as
        in SciPy: the n leaves first, then the merges.
    """
    n = len(linkage) + 1
    size = np.concatenate([np.ones(n), linkage[:, 3]])
    start = np.zeros(2 * n - 1)
    for i in range(n - 2, -1, -1):
        first, second = int(linkage[i, 0]), int(linkage[i, 1])
        start[first] = start[n + i]
        start[second] = start[n + i] + size[first]
    span = np.stack([start, start + size - 1], axis=1)
    centre = span.mean(axis=1)
    for i in range(n - 1):
        centre[n + i] = (centre[int(linkage[i, 0])] + centre[int(linkage[i, 1])]) / 2
    return np.argsort(start[:n], kind="stable"), centre, span


def _draw_tree(axes: Any, linkage: Any, language: str, unit: str) -> NDArray[np.intp]:
    from matplotlib.collections import LineCollection, PolyCollection

    n = len(linkage) + 1
    order, centre, span = layout(linkage)
    height = np.concatenate([np.zeros(n), linkage[:, 2]])
    shown = range(max(0, n - 1 - N_MERGES), n - 1)
    lines, triangles = [], []
    for i in shown:
        children = [int(linkage[i, 0]), int(linkage[i, 1])]
        top = height[n + i]
        first, second = centre[children]
        lines.append(
            [
                (first, height[children[0]]),
                (first, top),
                (second, top),
                (second, height[children[1]]),
            ]
        )
        for child in children:
            if child >= n and child - n not in shown:
                triangles.append(
                    [
                        (centre[child], height[child]),
                        (span[child, 0] - 0.5, 0),
                        (span[child, 1] + 0.5, 0),
                    ]
                )
    axes.add_collection(PolyCollection(triangles, facecolors="#c9ced6", edgecolors="none"))
    axes.add_collection(LineCollection(lines, colors=style.INK, linewidths=0.8))
    axes.set_xlim(-0.5, n - 0.5)
    axes.set_ylim(0, 1.04 * float(height.max() or 1.0))
    style.plain(axes, "y")
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    style.number_axis(axes.yaxis, language, 4)
    label = say("report.figure.ward_height", language)
    axes.set_ylabel(f"{label} ({unit})" if unit else label)
    return order


def _draw_strip(axes: Any, segments: NDArray[np.intp], names: list[str], language: str) -> None:
    edges = np.flatnonzero(np.diff(segments)) + 1
    starts = np.concatenate([[0], edges])
    widths = np.diff(np.concatenate([starts, [len(segments)]]))
    for k in range(len(names)):
        axes.axhspan(k - 0.42, k + 0.42, color="#f3f4f6", zorder=0)
        runs = [(s - 0.5, w) for s, w in zip(starts, widths, strict=True) if segments[s] == k + 1]
        axes.broken_barh(runs, (k - 0.42, 0.84), facecolors=style.colour(k), linewidth=0)
    axes.set_xlim(-0.5, len(segments) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), [style.wrapped(name, 22, 1) for name in names])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks([])
    axes.set_xlabel(say("report.figure.ward_customers", language, count=len(segments)))
