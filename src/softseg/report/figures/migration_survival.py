"""How long customers stay: survival curves per segment with their bands."""

from typing import TYPE_CHECKING

import xarray as xr

from softseg.names import HORIZON, STATE
from softseg.report import style
from softseg.report.figures.migration_states import ends, state_labels, whole_ticks
from softseg.report.figures.roi_axis import page_axes
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style.styled
def migration_survival(survival: xr.Dataset, language: str = "en") -> "Figure":
    """Return the share of customers still there, by present segment, with 90 % bands.

    Parameters
    ----------
    survival
        Result of `softseg.results.migration.survival`.
    language
        ``en`` or ``de``.
    """
    figure, axes = page_axes(3.9, left=0.75, right=2.2, top=0.15, bottom=0.6)
    at = survival[HORIZON].values
    labels = state_labels(survival, language)
    last: list[float] = []
    for k in range(len(labels)):
        one = survival.isel({STATE: k})
        mean, low, high = (100.0 * one[f"survival_{x}"].values for x in ("mean", "lower", "upper"))
        axes.fill_between(at, low, high, color=style.colour(k), alpha=0.2, linewidth=0)
        axes.plot(at, mean, color=style.colour(k), linestyle=style.LINES[k % 4],
                  marker=style.marker(k), markevery=max(1, len(at) // 8),
                  markeredgecolor="white", markersize=6)  # fmt: skip
        last.append(float(mean[-1]))
    axes.axhline(50.0, color=style.INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.text(0.99, 50.8, say("migration.figure.half", language), fontsize=7.8, color=style.SOFT,
              va="bottom", ha="right", transform=axes.get_yaxis_transform(),
              bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.8,
                    "edgecolor": "none"})  # fmt: skip
    axes.set_xlim(at[0], max(at[-1], at[0] + 1))
    axes.set_ylim(0, 102)
    style.plain(axes, "y")
    style.number_axis(axes.yaxis, language, 5)
    whole_ticks(axes, at, 8)
    axes.set_xlabel(say("migration.figure.horizon", language))
    axes.set_ylabel(say("migration.figure.survival", language))
    ends(axes, last, labels, [style.colour(k) for k in range(len(labels))])
    return figure
