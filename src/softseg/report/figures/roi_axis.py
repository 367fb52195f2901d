"""What the ROI figures share: axes in money and in per cent."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from softseg.report import style
from softseg.report.facts import Array
from softseg.report.roi.numbers import currency_words
from softseg.wording import say

PAYS, LOSES, WHOLE = "#0072B2", "#D55E00", "#4a5560"
"""Blue where money is made, orange (and hatched) where it is lost, grey for totals."""

SPIKE_FROM = 0.01
"""Share of cases with one and the same ROI from which they are drawn as a spike."""


@dataclass(frozen=True)
class Range:
    """A range to be drawn as a row: its ends, its middle, and a single point beside it."""

    label: str
    low: float
    middle: float
    high: float
    point: float = float("nan")


def money_scale(values: Any, currency: str, language: str) -> tuple[float, str]:
    """Return the unit of a money axis, in whole currency, and its words."""
    finite = np.asarray(values, dtype=float)
    finite = np.abs(finite[np.isfinite(finite)])
    largest = float(finite.max()) if finite.size else 0.0
    scales = (("millions", 1e6), ("thousands", 1e3), ("one", 1.0))
    fitting = [scale for scale in scales if largest >= 0.8 * scale[1]]
    name, factor = fitting[0] if fitting else scales[-1]
    words = currency_words(currency, language)
    return factor, say(f"roi_report.axis.{name}", language, currency=words)


def limits(values: Array, room: float = 0.05, *, zero: bool = True) -> tuple[float, float]:
    """Return limits around some values with some room, never of no width."""
    finite = np.asarray(values, dtype=float).ravel()
    finite = finite[np.isfinite(finite)]
    if zero or not finite.size:
        finite = np.append(finite, 0.0)
    low, high = float(finite.min()), float(finite.max())
    width = high - low or max(abs(high), 1.0)
    return low - room * width, high + room * width


def spike(draws: Array) -> Any:
    """Return which ROI are a total loss, as ratios."""
    return np.isclose(draws, -1.0, atol=1e-9)


def has_spike(draws: Array) -> bool:
    """Return whether so many ROI are a total loss that they are drawn as a bar of their own."""
    return bool(draws.size) and float(spike(draws).mean()) >= SPIKE_FROM


def zero_line(axes: Any, direction: str = "x") -> None:
    """Draw the line between loss and gain."""
    draw = axes.axvline if direction == "x" else axes.axhline
    draw(0.0, color=style.INK, linewidth=1.0, zorder=3)


def page_axes(
    height: float, left: float, right: float = 0.15, top: float = 0.25, bottom: float = 0.5
) -> tuple[Any, Any]:
    """Return a figure of the page's width and its axes, with margins in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(style.WIDTH, height))
    wide, high = style.WIDTH - left - right, height - top - bottom
    box = (left / style.WIDTH, bottom / height, wide / style.WIDTH, high / height)
    return figure, figure.add_axes(box)
