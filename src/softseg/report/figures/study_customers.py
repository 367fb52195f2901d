"""How many customers each segment has from year to year, without and with its programme."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from softseg.names import BASELINE, PROGRAMME
from softseg.report import style
from softseg.report.figures.roi_axis import limits
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS: Final = 3
PANEL, GAP, TOP, BOTTOM = 1.55, 0.62, 0.72, 0.55
"""Heights of a panel, of the room between two rows, above and below, in inches."""


@dataclass(frozen=True)
class Path:
    """The customers of one segment; `segment` counts from 0.

    `data` is an answer of `softseg.decisions.segments.migrated`, of this segment.
    """

    label: str
    segment: int
    data: xr.Dataset


@style.styled
def customers(paths: Sequence[Path], language: str = "en") -> "Figure":
    """Return one panel per segment: expected customers by year, and the fan of its two sources.

    Parameters
    ----------
    paths
        One entry per panel.
    language
        ``en`` or ``de``.
    """
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(paths)) if len(paths) != 4 else 2
    rows = -(-len(paths) // columns)
    height = TOP + BOTTOM + rows * PANEL + (rows - 1) * GAP
    figure = Figure(figsize=(style.WIDTH, height))
    left, right, gap = 0.75 / style.WIDTH, 0.99, 0.6 / style.WIDTH
    width = (right - left - gap * (columns - 1)) / columns
    for i, path in enumerate(paths):
        row, column = divmod(i, columns)
        bottom = (height - TOP - PANEL - row * (PANEL + GAP)) / height
        axes = figure.add_axes((left + column * (width + gap), bottom, width, PANEL / height))
        _panel(axes, path)
        axes.set_title(style.wrapped(path.label, 40, 1), pad=4)
        style.plain(axes, "y")
        style.number_axis(axes.yaxis, language, 4)
        if column == 0:
            axes.set_ylabel(say("study_report.customers.axis", language))
        if i + columns >= len(paths):
            axes.set_xlabel(say("study_report.customers.year", language))
    _key(figure, height, language)
    return figure


def _panel(axes: Any, path: Path) -> None:
    colour = style.colour(path.segment)
    at = path.data["year"].to_numpy()
    base, plan = (path.data.sel({PROGRAMME: name}) for name in (BASELINE, PROGRAMME))

    def line(data: xr.Dataset, ending: str) -> Any:
        return data[f"customers_{ending}"].to_numpy()

    axes.fill_between(at, line(base, "lower"), line(base, "upper"), color=colour, alpha=0.18,
                      linewidth=0)  # fmt: skip
    axes.fill_between(at, line(base, "parameter_lower"), line(base, "parameter_upper"),
                      color=colour, alpha=0.36, linewidth=0)  # fmt: skip
    axes.plot(at, line(base, "mean"), color=colour, linewidth=1.8)
    if not np.array_equal(line(plan, "mean"), line(base, "mean")):
        axes.plot(at, line(plan, "mean"), color=style.INK, linewidth=1.5, linestyle="--")
    low, high = limits(np.concatenate([line(base, "lower"), line(plan, "upper")]), 0.08)
    axes.set_ylim(max(low, 0.0), high)
    axes.set_xlim(at[0], max(at[-1], 1))
    axes.set_xticks(at[:: 1 + (len(at) - 1) // 8])


def _key(figure: Any, height: float, language: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D([], [], color=style.SOFT, linewidth=1.8),
        Line2D([], [], color=style.INK, linewidth=1.5, linestyle="--"),
        Patch(facecolor=style.INK, alpha=0.5),
        Patch(facecolor=style.INK, alpha=0.18),
    ]
    texts = [say(f"study_report.customers.{x}", language)
             for x in ("baseline", "programme", "parameter", "both")]  # fmt: skip
    figure.legend(handles, texts, loc="upper left", ncols=4, borderaxespad=0.0,
                  bbox_to_anchor=(0.55 / style.WIDTH, 1.0 - 0.08 / height))  # fmt: skip
