"""What it is worth to know more, in money."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from softseg.report import style
from softseg.report.figures.roi_axis import PAYS, WHOLE, money_scale, page_axes
from softseg.report.roi import numbers
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW: Final = 0.36


@dataclass(frozen=True)
class Worth:
    """What it is worth to know one input exactly, with its Monte Carlo error."""

    label: str
    value: float
    error: float
    is_total: bool = False


@style.styled
def information(worths: Sequence[Worth], currency: str, language: str = "en") -> "Figure":
    """Return bars of the worth of information, in money.

    Parameters
    ----------
    worths
        Everything at once first, then inputs and groups, the most valuable first.
    currency
        ISO code of the amounts.
    language
        ``en`` or ``de``.
    """
    n = len(worths)
    factor, unit = money_scale([w.value for w in worths], currency, language)
    figure, axes = page_axes(0.7 + ROW * n, left=2.75, right=0.25, top=0.15, bottom=0.5)
    top = 1e-9
    for row, worth in enumerate(worths):
        value, error = worth.value / factor, worth.error / factor
        axes.barh(
            row,
            value,
            0.62,
            color=WHOLE if worth.is_total else PAYS,
            hatch="" if worth.is_total else "////",
            edgecolor="white",
            linewidth=0.4,
        )
        if np.isfinite(error) and error > 0:
            axes.plot([max(value - 2 * error, 0.0), value + 2 * error], [row, row],
                      color=style.INK, linewidth=1.2)  # fmt: skip
        end = value + (2 * error if np.isfinite(error) else 0.0)
        text = numbers.money(worth.value, currency, language, worth.error)
        axes.annotate(text, (end, row), xytext=(6, 0), textcoords="offset points", va="center",
                      fontsize=8.5, fontweight="bold" if worth.is_total else "normal")  # fmt: skip
        top = max(top, end)
    axes.set_xlim(0, 1.18 * top)
    axes.set_ylim(n - 0.45, -0.55)
    axes.set_yticks(range(n), style.wrapped_all([w.label for w in worths], 40))
    style.plain(axes)
    style.number_axis(axes.xaxis, language, 6)
    axes.set_xlabel(f"{say('roi_report.axis.worth', language)} ({unit})")
    return figure
