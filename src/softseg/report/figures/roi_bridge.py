"""From the published way of counting to the full calculation, step by step."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from softseg.report import style
from softseg.report.figures.roi_axis import (
    LOSES,
    PAYS,
    WHOLE,
    limits,
    money_scale,
    page_axes,
    zero_line,
)
from softseg.report.roi import numbers
from softseg.wording import has, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW = 0.42
"""Height of a step in inches."""
EDGE = 1.135
"""Where the column of the ROI ends, in widths of the axes."""


@style.styled
def bridge(data: xr.Dataset, currency: str, language: str = "en") -> "Figure":
    """Return the waterfall from the published calculation to the full one.

    Parameters
    ----------
    data
        Answer ``bridge``: ``value``, ``change`` and ``median_roi`` by ``step``.
    currency
        ISO code of the amounts.
    language
        ``en`` or ``de``.
    """
    names = [str(name) for name in data["step"].values]
    value, change = data["value"].values, data["change"].values
    shown = [i for i in range(1, len(names)) if change[i] != 0]
    factor, unit = money_scale(value, currency, language)
    labels = [step_label(names[0], language), *(step_label(names[i], language) for i in shown)]
    labels.append(say("roi_report.step.total", language))
    n = len(labels)
    figure, axes = page_axes(0.95 + ROW * n, left=2.75, right=0.85, top=0.42, bottom=0.5)
    _total(axes, 0, float(value[0]) / factor)
    for row, i in enumerate(shown, start=1):
        _step(axes, row, float(value[i] - change[i]) / factor, float(value[i]) / factor)
        _connect(axes, row, float(value[i] - change[i]) / factor)
    _total(axes, n - 1, float(value[-1]) / factor)
    _connect(axes, n - 1, float(value[-1]) / factor)
    errors, exact = _errors(data, "change"), _errors(data, "value")
    texts = [numbers.money(float(value[0]), currency, language, exact[0])]
    texts += [numbers.gain(float(change[i]), currency, language, errors[i]) for i in shown]
    texts.append(numbers.money(float(value[-1]), currency, language, exact[-1]))
    ends = [value[0], *(max(value[i], value[i] - change[i]) for i in shown), value[-1]]
    for row, (text, end) in enumerate(zip(texts, ends, strict=True)):
        _write(axes, row, max(float(end) / factor, 0.0), text, bold=row in (0, n - 1))
    rois, noise = data["median_roi"].values, _errors(data, "median_roi")
    for row, i in enumerate([0, *shown, len(names) - 1]):
        _roi(axes, row, numbers.ratio(float(rois[i]), language, float(noise[i])))
    _finish(axes, labels, value / factor, unit, language)
    return figure


def step_label(name: str, language: str) -> str:
    """Return the name of a step for readers."""
    key = f"roi_report.step.{name}"
    return say(key, language) if has(key) else name.replace("_", " ")


def _errors(data: xr.Dataset, name: str) -> Any:
    found = data.get(f"{name}_error")
    return np.full(data.sizes["step"], np.nan) if found is None else found.values


def _total(axes: Any, row: int, value: float) -> None:
    axes.barh(row, value, 0.62, color=WHOLE, edgecolor=style.INK, linewidth=0.6)


def _step(axes: Any, row: int, before: float, after: float) -> None:
    lost = after < before
    axes.barh(
        row,
        abs(after - before),
        0.62,
        left=min(before, after),
        color=LOSES if lost else PAYS,
        hatch="////" if lost else "",
        edgecolor="white",
        linewidth=0.4,
    )


def _connect(axes: Any, row: int, at: float) -> None:
    axes.plot([at, at], [row - 1.31, row + 0.31], color=style.INK, linewidth=0.6, zorder=1)


def _write(axes: Any, row: int, at: float, text: str, *, bold: bool) -> None:
    axes.annotate(
        text,
        (at, row),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        fontweight="bold" if bold else "normal",
    )


def _roi(axes: Any, row: int, text: str) -> None:
    place = axes.get_yaxis_transform()
    axes.text(EDGE, row, text, transform=place, ha="right", va="center", fontsize=8.5)


def _finish(axes: Any, labels: list[str], values: Any, unit: str, language: str) -> None:
    n = len(labels)
    low, high = limits(values, 0.0)
    wide = (high - low) or 1.0
    axes.set_xlim(low - 0.02 * wide, high + 0.2 * wide)
    axes.set_ylim(n - 0.45, -0.55)
    axes.set_yticks(range(n), style.wrapped_all(labels, 40))
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.get_yticklabels()[-1].set_fontweight("bold")
    style.plain(axes)
    zero_line(axes)
    style.number_axis(axes.xaxis, language, 6)
    axes.set_xlabel(f"{say('roi_report.axis.mean_npv', language)} ({unit})")
    place = axes.transAxes
    title = say("roi_report.axis.roi_column", language)
    axes.text(EDGE, 1.02, title, transform=place, ha="right", color=style.SOFT, fontsize=8.5)
