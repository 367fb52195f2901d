"""Segments over the periods: customers flowing from state to state, as an alluvial figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from softseg.names import STATE, STATE_TO
from softseg.report import style
from softseg.report.amounts import percent
from softseg.report.facts import Array
from softseg.report.figures.migration_states import state_colour, state_hatch, state_labels
from softseg.report.figures.roi_axis import page_axes
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAR, GAP, STEPS = 0.16, 0.015, 24
LEAST_LABELLED = 0.035


@style.styled
def migration_alluvial(
    flows: xr.DataArray, periods: Sequence[str], language: str = "en", ahead: bool = False
) -> "Figure":
    """Return the customers' ways through the states, period after period.

    Those who stay are light, those who move are dark, in the colour of the state that they leave.

    Parameters
    ----------
    flows
        Expected customers by state before and after each step, (step, state, state_to), the step
        being the first dim.
    periods
        Names of the periods, one more than there are steps.
    language
        ``en`` or ``de``.
    ahead
        Whether periods are counted from now on, which names the axis.
    """
    step = next(d for d in flows.dims if d not in (STATE, STATE_TO))
    tables = flows.transpose(step, STATE, STATE_TO).values
    total = max(float(tables[0].sum()), 1e-300)
    tables = tables / total
    sizes = [*tables.sum(axis=2), tables[-1].sum(axis=0)]
    figure, axes = page_axes(4.4, left=1.6, right=1.6, top=0.1, bottom=0.8)
    lows = [_lows(size) for size in sizes]
    for at, table in enumerate(tables):
        _ways(axes, at, table, lows[at], lows[at + 1], flows)
    for at, size in enumerate(sizes):
        for k, share in enumerate(size):
            axes.bar(at, share, BAR, lows[at][k], color=state_colour(flows, k),
                     hatch=state_hatch(flows, k), edgecolor="white", linewidth=0.5,
                     zorder=3)  # fmt: skip
    labels = state_labels(flows, language)
    for at, side, shift in ((0, "right", -0.13), (len(sizes) - 1, "left", 0.13)):
        for k, share in enumerate(sizes[at]):
            if share < LEAST_LABELLED:
                continue
            text = f"{style.wrapped(labels[k], 20)}\n{percent(share, 0, language)}"
            axes.text(at + shift, lows[at][k] + share / 2, text, ha=side, va="center", fontsize=8.5,
                      linespacing=1.15)  # fmt: skip
    axes.set_xlim(-0.12, len(sizes) - 0.88)
    axes.set_xticks(range(len(sizes)), list(periods))
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    key = "migration.figure.horizon" if ahead else "migration.figure.period"
    axes.set_xlabel(say(key, language))
    text = say("migration.figure.ways_key", language)
    figure.text(1.6 / style.WIDTH, 0.1 / 4.4, text, fontsize=8, color=style.SOFT)
    return figure


def _lows(size: Array) -> Array:
    """Return where each bar begins: the first state on top, churned at the bottom."""
    heights = np.concatenate([[0.0], np.cumsum(size[::-1] + GAP)[:-1]])
    return heights[::-1]


def _ways(axes: Any, at: int, table: Array, left: Array, right: Array, flows: xr.DataArray) -> None:
    """Draw the bands between two columns of bars, the first state's on top in each bar."""
    n = len(table)
    left, right = left.copy(), right.copy()
    x = np.linspace(0.0, 1.0, STEPS)
    ease = x * x * (3.0 - 2.0 * x)
    across = at + BAR / 2 + x * (1.0 - BAR)
    for a in reversed(range(n)):
        for b in reversed(range(n)):
            share = table[a, b]
            if share <= 0.0:
                continue
            low = left[a] + (right[b] - left[a]) * ease
            axes.fill_between(across, low, low + share, color=state_colour(flows, a), linewidth=0,
                              alpha=0.22 if a == b else 0.7, zorder=1 if a == b else 2)  # fmt: skip
            left[a] += share
            right[b] += share
