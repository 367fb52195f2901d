"""Is the warning right? Observed against predicted, with exact bands and a histogram."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from softseg.report import style
from softseg.report.amounts import fixed, interval
from softseg.report.facts import Array
from softseg.wording import number, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE = "#0072B2"


@style.styled
def migration_calibration(calibration: xr.Dataset, language: str = "en") -> "Figure":
    """Return the calibration curve of a warning above the histogram of its predictions.

    Parameters
    ----------
    calibration
        Result of `softseg.results.migration.backtest.calibration`.
    language
        ``en`` or ``de``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(style.WIDTH, 5.0))
    upper = figure.add_axes((0.75 / style.WIDTH, 0.36, 0.86, 0.52))
    lower = figure.add_axes((0.75 / style.WIDTH, 0.11, 0.86, 0.17))
    p, seen, low, high = (
        100.0 * calibration[x].values for x in ("predicted", "observed", "lower", "upper")
    )
    width = 100.0 / calibration.sizes["histogram_bin"]
    top = min(100.0, width * np.ceil(1.02 * float(max(p.max(), high.max())) / width))
    upper.plot([0, 100], [0, 100], color=style.INK, linewidth=1.0, linestyle="--",
               label=say("migration.figure.perfect", language))  # fmt: skip
    upper.errorbar(p, seen, yerr=[seen - low, high - seen], fmt="o", color=BLUE, ecolor=BLUE,
                   elinewidth=1.6, capsize=3, markersize=6, markeredgecolor="white",
                   label=say("migration.figure.groups", language))  # fmt: skip
    for axes in (upper, lower):
        axes.set_xlim(0, top)
        style.plain(axes, "y")
        style.number_axis(axes.xaxis, language, 8)
        style.number_axis(axes.yaxis, language, 5 if axes is upper else 3)
    upper.set_ylim(0, top)
    upper.tick_params(labelbottom=False)
    upper.set_ylabel(say("migration.figure.observed", language))
    upper.legend(loc="upper left")
    _histogram(lower, calibration["histogram"].values)
    lower.set_ylabel(say("migration.figure.cases", language))
    lower.set_xlabel(say("migration.figure.predicted", language))
    figure.text(0.75 / style.WIDTH, 0.985, _words(calibration, language), va="top", fontsize=8.5,
                color=style.SOFT, linespacing=1.4)  # fmt: skip
    return figure


def _histogram(axes: Any, counts: Array) -> None:
    edges = np.linspace(0.0, 100.0, len(counts) + 1)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color="#9cc7e6", edgecolor="white",
             linewidth=0.6)  # fmt: skip


def _words(calibration: xr.Dataset, language: str) -> str:
    slope, low, high = (float(calibration[f"slope{x}"]) for x in ("", "_lower", "_upper"))
    first = say("migration.figure.no_slope", language)
    if np.isfinite(slope):
        first = say("migration.figure.slope", language, slope=fixed(slope, 2, language),
                    range=interval(low, high, 2, language))  # fmt: skip
    judged, left = (int(calibration.attrs[x]) for x in ("judged", "not_judged"))
    second = say("migration.figure.judged", language, judged=number(judged, language),
                 left=number(left, language))  # fmt: skip
    return f"{first}\n{second}"
