"""How the figures of migration name and colour states."""

from collections.abc import Sequence
from typing import Any

import xarray as xr

from softseg.names import CHURNED, STATE
from softseg.report import style
from softseg.report.facts import clean
from softseg.wording import say

GONE = "#b8bec6"
"""Colour of churned: no segment's."""


def state_labels(states: xr.DataArray | xr.Dataset, language: str) -> list[str]:
    """Return the names of the states as the reader knows them."""
    names = [str(x) for x in states[STATE].values]
    return [say("migration.churned", language) if x == CHURNED else clean(x) for x in names]


def state_colour(states: xr.DataArray | xr.Dataset, k: int) -> str:
    """Return the colour of a state, counted from 0."""
    return GONE if str(states[STATE].values[k]) == CHURNED else style.colour(k)


def state_hatch(states: xr.DataArray | xr.Dataset, k: int) -> str:
    """Return the hatch of a state, counted from 0."""
    return "" if str(states[STATE].values[k]) == CHURNED else style.hatch(k)


def whole_ticks(axes: Any, horizons: Any, ticks: int) -> None:
    """Mark whole periods along the horizon."""
    last = int(horizons[-1])
    step = next(s for s in (1, 2, 3, 4, 6, 12, 24, 60, last + 1) if last / s <= ticks)
    axes.set_xticks(range(int(horizons[0]), last + 1, step))


def ends(axes: Any, at: Sequence[float], texts: Sequence[str], colours: Sequence[str]) -> None:
    """Name lines where they end, moved apart so that no name covers another."""
    low, high = axes.get_ylim()
    texts = [style.wrapped(text, 24) for text in texts]
    least = (0.11 if any("\n" in text for text in texts) else 0.07) * (high - low)
    order = sorted(range(len(at)), key=lambda i: at[i])
    placed: list[float] = []
    for i in order:
        placed.append(max(at[i], placed[-1] + least) if placed else at[i])
    shift = max(placed[-1] - (high - 0.5 * least), 0.0) if placed else 0.0
    for i, y in zip(order, placed, strict=True):
        axes.annotate(
            texts[i], (1.0, at[i]), xytext=(1.03, y - shift),
            xycoords=axes.get_yaxis_transform(), textcoords=axes.get_yaxis_transform(),
            va="center", fontsize=8.5, fontweight="bold", color=colours[i], annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": style.BASE, "linewidth": 0.6},
        )  # fmt: skip
