"""The money over the years: the cumulated net flow with its bands."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from softseg.report import style
from softseg.report.figures.roi_axis import PAYS, limits, money_scale, page_axes, zero_line
from softseg.report.roi import numbers
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style.styled
def fan(
    paths: xr.DataArray,
    payback: float,
    currency: str,
    language: str = "en",
    first_year: int | None = None,
) -> "Figure":
    """Return median, 50 % and 90 % bands of the cumulated discounted net flow.

    Parameters
    ----------
    paths
        Quantiles of the cumulated flow, (year, quantile), in whole currency.
    payback
        Median payback in years; not drawn where it is not finite.
    currency
        ISO code of the amounts.
    language
        ``en`` or ``de``.
    first_year
        Calendar year of year 1.
    """
    q = paths.transpose("year", "quantile").sortby("quantile").values
    q = np.vstack([np.zeros(q.shape[1]), q])
    years = np.arange(len(q))
    factor, unit = money_scale(q, currency, language)
    q = q / factor
    figure, axes = page_axes(3.9, left=0.75, right=1.75, top=0.3, bottom=0.6)
    axes.fill_between(years, q[:, 0], q[:, 4], color="#d3e5f1", linewidth=0)
    axes.fill_between(years, q[:, 1], q[:, 3], color="#8fbfde", linewidth=0)
    axes.plot(years, q[:, 2], color=PAYS, linewidth=2.0, marker="o", markersize=4)
    for i in (0, 4):
        axes.plot(years, q[:, i], color=PAYS, linewidth=0.8, linestyle="--")
    zero_line(axes, "y")
    axes.set_xlim(0, years[-1])
    axes.set_ylim(*limits(q, 0.1))
    _ends(axes, q[-1], language)
    if np.isfinite(payback) and payback <= years[-1]:
        _payback(axes, float(payback), language)
    labels = [f"{y}" if first_year is None else f"{first_year + y - 1}" for y in years]
    labels[0] = say("roi_report.fan.start", language)
    step = 1 + (len(years) - 1) // 12
    axes.set_xticks(years[::step], labels[::step])
    style.plain(axes, "y")
    style.number_axis(axes.yaxis, language, 6)
    axes.set_ylabel(unit[:1].upper() + unit[1:])
    axes.set_xlabel(say("roi_report.axis.end_of_year", language))
    return figure


def _ends(axes: Any, last: Any, language: str) -> None:
    """Name the lines where they end, moved apart so that no name covers another."""
    low, high = axes.get_ylim()
    least = 0.075 * (high - low)
    at = list(last)
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + least)
    shift = max(at[-1] - (high - 0.5 * least), 0.0)
    keys = ("fan.low", "fan.lower", "fan.median", "fan.upper", "fan.high")
    for i, key in enumerate(keys):
        axes.annotate(
            say(f"roi_report.{key}", language),
            (1.0, last[i]),
            xytext=(1.02, at[i] - shift),
            xycoords=axes.get_yaxis_transform(),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=8.0,
            fontweight="bold" if i == 2 else "normal",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": style.BASE, "linewidth": 0.6},
        )


def _payback(axes: Any, payback: float, language: str) -> None:
    axes.plot([payback], [0], marker="D", color=style.INK, markersize=7, zorder=5, clip_on=False)
    text = say("roi_report.fan.payback", language, years=numbers.years(payback, language))
    # The bands widen to the right, so that the upper left corner is free.
    across = payback / axes.get_xlim()[1]
    axes.annotate(
        text,
        (payback, 0),
        xytext=(max(across - 0.3, 0.03), 0.95),
        textcoords="axes fraction",
        va="top",
        fontsize=8.5,
        arrowprops={"arrowstyle": "-", "color": style.INK, "linewidth": 0.7, "relpos": (0.4, 0)},
    )
