"""How many segments: the criteria against K, each on its own scale, better always up."""

from typing import TYPE_CHECKING, Any

import numpy as np

from softseg.report import style
from softseg.report.facts import say_measure
from softseg.wording import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = (
    ("bic", "down", "#0072B2", 0),
    ("icl", "down", "#0072B2", 0),
    ("elpd_loo", "up", "#0072B2", 0),
    ("log_evidence", "up", "#0072B2", 0),
    ("p_occupied", "up", "#0072B2", 2),
    ("entropy_r2", "up", "#009E73", 2),
    ("smallest_segment", "up", "#009E73", 0),
    ("hit_rate", "up", "#009E73", 2),
)
"""Column, the better direction, colour, decimals."""
COLUMNS = 3


@style.styled
def choice(table: Any, language: str = "en", recommended: int | None = None) -> "Figure":
    """Return the criteria against the number of segments.

    Parameters
    ----------
    table
        Frame of `choose` with ``n_segments`` and any of ``bic``, ``icl``, ``elpd_loo`` (with
        ``elpd_loo_se``), ``log_evidence``, ``p_occupied``, ``entropy_r2``,
        ``smallest_segment``, ``hit_rate``, ``gate_status``.
    language
        ``en`` or ``de``.
    recommended
        The recommended number, marked by a band.
    """
    from matplotlib.figure import Figure

    shown = [p for p in PANELS if p[0] in table and np.isfinite(_column(table, p[0])).any()]
    n_rows = max(1, -(-len(shown) // COLUMNS))
    height = 0.6 + 1.9 * n_rows
    figure = Figure(figsize=(style.WIDTH, height))
    grid = figure.subplots(
        n_rows, COLUMNS, squeeze=False,
        gridspec_kw={"left": 0.075, "right": 0.99, "top": 1 - 0.42 / height,
                     "bottom": 0.72 / height, "hspace": 0.75, "wspace": 0.3},
    )  # fmt: skip
    for axes, panel in zip(grid.flat, shown, strict=False):
        _panel(axes, table, panel, language, recommended)
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_axis_off()
    figure.text(
        0.075,
        0.1 / height,
        _key(table, language, recommended),
        fontsize=8,
        color=style.SOFT,
        va="bottom",
    )
    return figure


def _panel(
    axes: Any, table: Any, panel: tuple[str, str, str, int], language: str, recommended: int | None
) -> None:
    column, direction, shade, _ = panel
    k, y = _column(table, "n_segments"), _column(table, column)
    if recommended is not None:
        axes.axvspan(recommended - 0.4, recommended + 0.4, color="#fff1cc", zorder=0)
    axes.plot(k, y, color=shade, zorder=2)
    if column == "elpd_loo" and "elpd_loo_se" in table:
        axes.errorbar(
            k, y, _column(table, "elpd_loo_se"), fmt="none", ecolor=shade, elinewidth=1.2, zorder=2
        )
    good = _passed(table)
    axes.plot(k[good], y[good], "o", color=shade, zorder=3)
    axes.plot(k[~good], y[~good], "o", markerfacecolor="white", color=shade, zorder=3)
    better = say(f"report.figure.better_{direction}", language)
    axes.set_title(say_measure(f"report.criterion.{column}", column, language), pad=14)
    axes.annotate(
        better,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=8,
        color=style.SOFT,
    )
    style.plain(axes, "y")
    axes.set_xticks(k, [f"{v:.0f}" for v in k])
    style.number_axis(axes.yaxis, language, 4)
    axes.margins(y=0.12)
    axes.set_xlabel(say("report.figure.n_segments", language), labelpad=1)


def _key(table: Any, language: str, recommended: int | None) -> str:
    parts = []
    if recommended is not None:
        parts.append(say("report.figure.recommended", language, number=recommended))
    if not _passed(table).all():
        parts.append(say("report.figure.hollow", language))
    return "  ".join(parts)


def _passed(table: Any) -> np.ndarray:
    if "gate_status" not in table:
        return np.ones(len(table), dtype=bool)
    return np.array([str(s) != "failed" for s in table["gate_status"]], dtype=bool)


def _column(table: Any, name: str) -> np.ndarray:
    return np.asarray(table[name], dtype=float)
