from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from softseg.decisions.answers.collect import Answers
from softseg.decisions.model.simulate import Simulation
from softseg.report import style
from softseg.report.figures.roi_axis import Range, limits, money_scale
from softseg.report.figures.roi_breakeven import Curve, frontier, needed
from softseg.report.figures.roi_bridge import bridge
from softseg.report.figures.roi_density import density
from softseg.report.figures.roi_information import Worth, information
from softseg.report.figures.roi_tornado import Swing, evidence, tornado
from softseg.report.figures.roi_worlds import WORLDS, worlds
from softseg.report.roi import pictures
from softseg.report.roi.facts import RoiFacts

type Case = tuple[Simulation, Answers]
LONG = "A very long name of an assumption that nobody would give but somebody will, again"
NAMES = ("bridge", "worlds", "fan", "density", "needed", "frontier", "tornado", "evidence",
         "information")  # fmt: skip


def boxes(figure: Any) -> list[tuple[str, Any]]:
    """Return every text that is drawn, with its box in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    found = list(figure.texts)
    for axes in figure.axes:
        legend = axes.get_legend()
        found += legend.get_texts() if legend else []
        if not axes.axison:
            continue
        found += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        found += [t.label1 for axis in (axes.xaxis, axes.yaxis) for t in axis._update_ticks()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in found if t.get_text().strip()]


def overlapping(figure: Any) -> list[tuple[str, str]]:
    drawn = boxes(figure)
    found = []
    for i, (a, box) in enumerate(drawn):
        for b, other in drawn[i + 1 :]:
            wide = min(box.x1, other.x1) - max(box.x0, other.x0)
            high = min(box.y1, other.y1) - max(box.y0, other.y0)
            if wide > 1 and high > 1:
                found.append((a, b))
    return found


def outside(figure: Any) -> list[str]:
    page = figure.bbox
    return [
        text
        for text, box in boxes(figure)
        if box.x0 < -1 or box.y0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1
    ]


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", NAMES)
def test_no_text_overlaps_or_leaves_the_figure(plain: Case, name: str, language: str) -> None:
    figure = getattr(pictures, name)(RoiFacts(*plain, language))
    assert overlapping(figure) == []
    assert outside(figure) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_same_figure_has_the_same_bytes(plain: Case, name: str) -> None:
    first, second = (
        style.to_svg(getattr(pictures, name)(RoiFacts(*plain, "en")), name, name) for _ in range(2)
    )
    assert first == second


def test_settings_of_the_user_stay_as_they_were(plain: Case) -> None:
    before = dict(matplotlib.rcParams)
    pictures.all_of(RoiFacts(*plain, "en"))
    assert dict(matplotlib.rcParams) == before


def test_long_names_stay_readable() -> None:
    ends = {"conditional": (-2e5, 3e5), "ceteris_paribus": (-1e5, 2e5)}
    rows = [Range(f"{LONG} {i}", -1.0, 0.5, 2.0, 0.7) for i in range(6)]
    for figure in (
        tornado([Swing(f"{LONG} {i}", ends) for i in range(12)], 1e5, "EUR", "de"),
        information([Worth(f"{LONG} {i}", 1e5, 1e3) for i in range(8)], "EUR", "de"),
        density(np.linspace(-1.0, 5.0, 500), rows, "de"),
        needed(np.linspace(0, 2, 5), [(f"{LONG} {i}", np.linspace(0, 1, 5)) for i in range(5)]),
    ):
        assert overlapping(figure) == []
        assert outside(figure) == []


def test_names_with_dollars_are_not_read_as_formulas() -> None:
    figure = information([Worth("$\\frac{1}{2 $", 1e5, 1e3)], "EUR")
    assert "$\\frac{1}{2 $" in [text for text, _ in boxes(figure)]


def bar_widths(figure: Any) -> list[float]:
    return [bar.get_width() for bar in figure.axes[0].patches]


def test_there_are_a_hundred_worlds_and_hollow_ones_lose() -> None:
    draws = np.sort(np.random.default_rng(2).normal(1e6, 1e6, 5000))
    figure = worlds(draws, "a to b", "EUR")
    gains, losses = (len(np.asarray(part.get_offsets())) for part in figure.axes[0].collections)
    expected = int((np.quantile(draws, (np.arange(WORLDS) + 0.5) / WORLDS) < 0).sum())
    assert (gains, losses) == (WORLDS - expected, expected)


def test_a_quarter_of_all_worlds_may_be_the_same() -> None:
    draws = np.sort(np.concatenate([np.full(2500, -1e5), np.linspace(0, 2e6, 7500)]))
    figure = worlds(draws, "a to b", "EUR")
    assert figure.get_size_inches()[1] < 6


def test_the_bridge_leaves_out_what_changes_nothing(plain: Case) -> None:
    figure = bridge(plain[1].bridge, "EUR")
    labels = [text for text, _ in boxes(figure)]
    assert "Contribution margin instead of revenue" in labels
    assert "After tax" not in labels
    widths = bar_widths(figure)
    assert widths[-1] == pytest.approx(float(plain[1].bridge["value"][-1]) / 1e6)


def test_evidence_of_one_grade_fills_the_bar() -> None:
    figure = evidence([("data", 0.0), ("judgement", 1.0)])
    assert bar_widths(figure) == [1.0]


def test_curves_end_where_one_effect_is_enough_alone() -> None:
    x = np.linspace(0, 4, 9)
    curves = [Curve(0.95, x, np.maximum(2 - x, 0)), Curve(0.5, x, np.full(9, np.inf))]
    figure: Any = frontier(curves, [("Base", 2.0, 1.5)], ("First (%)", "Second (%)"))
    line = figure.axes[0].lines[0]
    assert line.get_xdata()[-1] == 2.0
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["95% sure"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2e6, -3e6], (1e6, "million EUR")),
        ([5e3], (1e3, "thousand EUR")),
        ([0.0], (1.0, "EUR")),
        ([np.nan, np.inf], (1.0, "EUR")),
    ],
)
def test_money_axes_name_their_unit(values: list[float], expected: tuple[float, str]) -> None:
    assert money_scale(values, "EUR", "en") == expected


def test_limits_are_never_of_no_width() -> None:
    assert limits(np.zeros(3)) == (-0.05, 0.05)
    assert limits(np.array([np.nan])) == (-0.05, 0.05)
