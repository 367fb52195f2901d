"""What each segment brings, year by year."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from softseg.report import style
from softseg.report.facts import Array
from softseg.report.figures.roi_axis import limits, money_scale, zero_line
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS: Final = 3
PANEL, GAP, TOP, BOTTOM = 1.55, 0.62, 0.4, 0.55
"""Heights of a panel, of the room between two rows, above and below, in inches."""


@dataclass(frozen=True)
class Path:
    """The change of the profit of one segment, quantiles by year, (year, quantile)."""

    label: str
    segment: int | None
    quantiles: Array


@style.styled
def years(
    paths: Sequence[Path], currency: str, language: str = "en", first_year: int | None = None
) -> "Figure":
    """Return one panel per segment, all on one scale: median, 50 % and 90 % of all cases.

    Parameters
    ----------
    paths
        One entry per panel; `segment` counts from 0, None for what belongs to no segment.
    currency
        ISO code.
    language
        ``en`` or ``de``.
    first_year
        Calendar year of year 1.
    """
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(paths))
    rows = -(-len(paths) // columns)
    height = TOP + BOTTOM + rows * PANEL + (rows - 1) * GAP
    figure = Figure(figsize=(style.WIDTH, height))
    factor, unit = money_scale([path.quantiles for path in paths], currency, language)
    low, high = limits(np.concatenate([path.quantiles for path in paths]) / factor, 0.08)
    left, right, gap = 0.75 / style.WIDTH, 0.99, 0.25 / style.WIDTH
    width = (right - left - gap * (columns - 1)) / columns
    for i, path in enumerate(paths):
        row, column = divmod(i, columns)
        bottom = (height - TOP - PANEL - row * (PANEL + GAP)) / height
        axes = figure.add_axes((left + column * (width + gap), bottom, width, PANEL / height))
        _panel(axes, path, factor, first_year)
        axes.set_ylim(low, high)
        style.plain(axes, "y")
        style.number_axis(axes.yaxis, language, 4)
        if column:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(unit[:1].upper() + unit[1:])
        if i + columns >= len(paths):
            axes.set_xlabel(say("study_report.years.axis", language))
    return figure


def _panel(axes: Any, path: Path, factor: float, first_year: int | None) -> None:
    q = path.quantiles / factor
    at = np.arange(1, len(q) + 1)
    colour = style.colour(path.segment) if path.segment is not None else style.SOFT
    marker = style.marker(path.segment) if path.segment is not None else "x"
    axes.vlines(at, q[:, 0], q[:, 4], color=colour, linewidth=1.4, zorder=2)
    axes.vlines(at, q[:, 1], q[:, 3], color=colour, linewidth=6.0, alpha=0.45, zorder=2)
    axes.plot(at, q[:, 2], marker=marker, markersize=6, linewidth=0.8,
              linestyle=":", markeredgecolor="white", color=colour, zorder=2)  # fmt: skip
    zero_line(axes, "y")
    axes.set_title(style.wrapped(path.label, 32, 1), pad=4)
    step = 1 + (len(q) - 1) // 8
    labels = [f"{y}" if first_year is None else f"{first_year + y - 1}" for y in at]
    axes.set_xticks(at[::step], labels[::step])
    axes.set_xlim(0.5, len(q) + 0.5)
