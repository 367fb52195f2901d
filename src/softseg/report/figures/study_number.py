"""The number of segments in money."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from softseg.report import style
from softseg.report.facts import Array
from softseg.report.figures.roi_axis import PAYS, limits, money_scale, zero_line
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style.styled
def number(data: xr.Dataset, currency: str, language: str = "en") -> "Figure":
    """Return value, handling and what is left by the number of segments told apart.

    Parameters
    ----------
    data
        As `number_in_money` returns it.
    currency
        ISO code.
    language
        ``en`` or ``de``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(style.WIDTH, 3.3))
    height = 3.3
    bottom, tall = 0.55 / height, 1 - 1.0 / height
    n = data["n_segments"].to_numpy().astype(int)
    _worth(figure.add_axes((0.08, bottom, 0.52, tall)), data, n, currency, language)
    _changes(figure.add_axes((0.69, bottom, 0.30, tall)), data, n, language)
    return figure


def _worth(axes: Any, data: xr.Dataset, n: Array, currency: str, language: str) -> None:
    value, net = (data[name].to_numpy() for name in ("value", "net"))
    factor, unit = money_scale(value, currency, language)
    error = 2.0 * np.nan_to_num(data["net_error"].to_numpy()) / factor
    best = int(data["recommended"])
    axes.axvspan(best - 0.4, best + 0.4, color="#e3f0f8", linewidth=0, zorder=0)
    axes.plot(n, value / factor, color=style.SOFT, marker="o", markerfacecolor="white",
              linestyle="--", label=say("study_report.number.value", language))  # fmt: skip
    axes.plot(n, net / factor, color=PAYS, marker="o",
              label=say("study_report.number.net", language))  # fmt: skip
    axes.vlines(n, net / factor - error, net / factor + error, color=PAYS, linewidth=1.2)
    axes.set_ylim(*limits(np.concatenate([value, net]) / factor, 0.1))
    zero_line(axes, "y")
    _numbers(axes, n, language)
    style.plain(axes, "y")
    style.number_axis(axes.yaxis, language, 5)
    axes.set_ylabel(unit[:1].upper() + unit[1:])
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)


def _changes(axes: Any, data: xr.Dataset, n: Array, language: str) -> None:
    p = 100.0 * data["p_changes"].to_numpy()[:-1]
    axes.bar(n[:-1], p, 0.6, color=style.SOFT, hatch="////", edgecolor="white", linewidth=0.4)
    for x, y in zip(n[:-1], p, strict=True):
        text = f"{y:.0f}" if y >= 0.5 or y == 0 else "<1"
        axes.annotate(text, (x, y), xytext=(0, 3), textcoords="offset points", ha="center",
                      fontsize=8)  # fmt: skip
    axes.set_ylim(0, 109)
    axes.set_xticks(n[:-1], [f"{a} → {b}" for a, b in pairwise(n)])
    style.plain(axes, "y")
    style.number_axis(axes.yaxis, language, 5)
    axes.set_title(style.wrapped(say("study_report.number.changes", language), 44), pad=6,
                   fontweight="normal", fontsize=8.5)  # fmt: skip
    axes.set_xlabel(say("study_report.number.step", language))


def _numbers(axes: Any, n: Array, language: str) -> None:
    axes.set_xticks(n, [f"{x}" for x in n])
    axes.set_xlim(n[0] - 0.5, n[-1] + 0.5)
    axes.set_xlabel(say("study_report.number.axis", language))
