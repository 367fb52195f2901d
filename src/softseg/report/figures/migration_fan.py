"""Customers or money per state over the horizon, the fan in its two parts."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from softseg.names import CHURNED, HORIZON, STATE
from softseg.report import style
from softseg.report.figures.migration_states import state_colour, state_labels, whole_ticks
from softseg.report.figures.roi_axis import limits, money_scale
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3
PANEL, GAP, TOP, BOTTOM = 1.55, 0.62, 0.72, 0.55
"""Heights of a panel, of the room between two rows, above and below, in inches."""


@style.styled
def migration_fan(
    projection: xr.Dataset, of: str = "customers", currency: str = "", language: str = "en"
) -> "Figure":
    """Return one panel for all and one per state: expected, and the fan of its two sources.

    Parameters
    ----------
    projection
        Result of `softseg.results.migration.projection`.
    of
        ``customers`` or ``money``.
    currency
        ISO code, for money.
    language
        ``en`` or ``de``.
    """
    from matplotlib.figure import Figure

    money = of == "money"
    total = "money_total" if money else "active"
    names = [str(x) for x in projection[STATE].values]
    shown = [k for k, name in enumerate(names) if not (money and name == CHURNED)]
    labels = state_labels(projection, language)
    title = say(f"migration.figure.{'all_money' if money else 'active'}", language)
    factor, unit = 1.0, say("migration.figure.customers", language)
    if money:
        factor, unit = money_scale(projection["money_total_upper"].values, currency, language)
    columns = 2 if len(shown) == 3 else min(COLUMNS, len(shown) + 1)
    rows = -(-(len(shown) + 1) // columns)
    height = TOP + BOTTOM + rows * PANEL + (rows - 1) * GAP
    figure = Figure(figsize=(style.WIDTH, height))
    left, right, gap = 0.75 / style.WIDTH, 0.99, 0.6 / style.WIDTH
    width = (right - left - gap * (columns - 1)) / columns
    panels = [(title, None, total), *((labels[k], k, of) for k in shown)]
    for i, (label, k, name) in enumerate(panels):
        row, column = divmod(i, columns)
        bottom = (height - TOP - PANEL - row * (PANEL + GAP)) / height
        axes = figure.add_axes((left + column * (width + gap), bottom, width, PANEL / height))
        colour = style.INK if k is None else state_colour(projection, k)
        colour = style.SOFT if k is not None and names[k] == CHURNED else colour
        _panel(axes, projection if k is None else projection.isel({STATE: k}), name, factor, colour)
        axes.set_title(style.wrapped(label, 32, 1), pad=4)
        style.plain(axes, "y")
        style.number_axis(axes.yaxis, language, 4)
        whole_ticks(axes, projection[HORIZON].values, 5)
        if column == 0:
            axes.set_ylabel(unit[:1].upper() + unit[1:])
        if i + columns >= len(panels):
            axes.set_xlabel(say("migration.figure.horizon", language))
    _key(figure, height, language)
    return figure


def _panel(axes: Any, data: xr.Dataset, name: str, factor: float, colour: str) -> None:
    at = data[HORIZON].values

    def line(ending: str) -> Any:
        return data[f"{name}_{ending}"].values / factor

    axes.fill_between(at, line("lower"), line("upper"), color=colour, alpha=0.18, linewidth=0)
    axes.fill_between(at, line("parameter_lower"), line("parameter_upper"), color=colour,
                      alpha=0.38, linewidth=0)  # fmt: skip
    for ending in ("lower", "upper"):
        axes.plot(at, line(ending), color=colour, linewidth=0.8, linestyle="--")
    axes.plot(at, line("mean"), color=colour, linewidth=1.8)
    low, high = limits(np.concatenate([line("lower"), line("upper")]), 0.08)
    axes.set_ylim(max(low, 0.0) if line("lower").min() >= 0.0 else low, high)
    axes.set_xlim(at[0], max(at[-1], at[0] + 1))


def _key(figure: Any, height: float, language: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D([], [], color=style.INK, linewidth=1.8),
        Patch(facecolor=style.INK, alpha=0.5),
        Patch(facecolor=style.INK, alpha=0.18, edgecolor=style.INK, linestyle="--"),
    ]
    texts = [say(f"migration.figure.{x}", language) for x in ("mean", "parameter", "both")]
    figure.legend(handles, texts, loc="upper left", ncols=3, borderaxespad=0.0,
                  bbox_to_anchor=(0.75 / style.WIDTH, 1.0 - 0.08 / height))  # fmt: skip
