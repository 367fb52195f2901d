"""The transition matrix as a map: who stays and who goes where, with intervals in the cells."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from softseg.names import CHURNED, STATE, STATE_TO
from softseg.report import style
from softseg.report.amounts import cell, share_interval
from softseg.report.facts import Band
from softseg.report.figures.migration_states import state_labels
from softseg.report.figures.roi_axis import page_axes
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW = 0.62
"""Height of a row in inches."""
ACROSS = 100
"""Characters that the heads of all columns have together."""


@style.styled
def transition_map(
    table: xr.Dataset, language: str = "en", words: str = "migration.figure"
) -> "Figure":
    """Return the transition matrix as a map of cells.

    Parameters
    ----------
    table
        Result of `softseg.results.migration.transitions`, of one period and one profile.
    language
        ``en`` or ``de``.
    words
        How the texts begin that say what rows, columns and cells are; by default those of steps
        from one period to the next.
    """
    from matplotlib.colors import LinearSegmentedColormap

    names = [str(x) for x in table[STATE].values]
    n_rows = len(names) - (names[-1] == CHURNED)  # that row says nothing
    mean = table["mean"].transpose(STATE, STATE_TO).values[:n_rows]
    lower, upper = (table[x].transpose(STATE, STATE_TO).values[:n_rows] for x in ("lower", "upper"))
    labels = state_labels(table, language)
    periods = "periods_mean" in table
    figure, axes = page_axes(1.45 + ROW * n_rows, left=2.0, right=1.75 if periods else 0.3,
                             top=0.75, bottom=0.4)  # fmt: skip
    shades = LinearSegmentedColormap.from_list("blues", ["#f4f8fb", "#9cc7e6", "#0072B2"])
    # The root spreads the small probabilities of moving, which are what is read here.
    axes.imshow(np.sqrt(mean), cmap=shades, vmin=0.0, vmax=1.0, aspect="auto")
    for row in range(n_rows):
        for column in range(len(names)):
            band = Band(mean[row, column], lower[row, column], upper[row, column])
            _cell(axes, row, column, band, language)
        _frame(axes, row)
    axes.set_xticks(range(len(names)), style.wrapped_all(labels, ACROSS // len(names)))
    axes.set_yticks(range(n_rows), style.wrapped_all(labels[:n_rows], 20))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(say(f"{words}.to", language), labelpad=6)
    axes.set_ylabel(say(f"{words}.from", language))
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if periods:
        _periods(axes, table, n_rows, language)
    text = say(f"{words}.cell_key", language)
    figure.text(2.0 / style.WIDTH, 0.1 / (1.45 + ROW * n_rows), text, fontsize=8, color=style.SOFT)
    return figure


def _cell(axes: Any, row: int, column: int, band: Band, language: str) -> None:
    text, inside = share_interval(band, language)
    colour = "white" if float(band.mean) > 0.45 else style.INK
    axes.text(column, row - 0.13, text, ha="center", va="center", fontsize=10, fontweight="bold",
              color=colour)  # fmt: skip
    axes.text(column, row + 0.2, inside, ha="center", va="center", fontsize=7.8, color=colour)


def _frame(axes: Any, row: int) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((row - 0.485, row - 0.475), 0.97, 0.95, fill=False,
                             edgecolor=style.INK, linewidth=1.3))  # fmt: skip


def _periods(axes: Any, table: xr.Dataset, n_rows: int, language: str) -> None:
    """Write the expected time to churn behind each row."""
    at = 1.08
    axes.text(at, 1.03, style.wrapped(say("migration.figure.periods", language), 16), ha="center",
              va="bottom", transform=axes.transAxes, fontsize=8, color=style.SOFT)  # fmt: skip
    for row in range(n_rows):
        band = Band(*(table[f"periods_{x}"].values[row] for x in ("mean", "lower", "upper")))
        text, inside = cell(band, language)
        for y, size, weight, shown in ((row - 0.13, 10, "bold", text), (row + 0.2, 7.8, "normal",
                                                                        inside)):  # fmt: skip
            axes.text(at, y, shown, ha="center", va="center", fontsize=size, fontweight=weight,
                      transform=axes.get_yaxis_transform())  # fmt: skip
