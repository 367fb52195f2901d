import re
from typing import Any

import numpy as np
import pytest

from softseg.report.figures.study_choices import Choice, choices
from softseg.report.figures.study_number import number
from softseg.report.figures.study_split import Part, split
from softseg.report.figures.study_years import Path, years
from softseg.report.style import to_svg
from study_findings import good

Q = np.array([-2e5, -1e5, 0.0, 1e5, 2e5])


def texts(figure: Any) -> list[str]:
    return re.findall(r">([^<]+)</text>", to_svg(figure, "x", "x"))


def test_the_split_shows_shares_and_errors() -> None:
    figure: Any = split(
        [Part("Size", 0.123, 0.004), Part("Who", 0.0, 0.001), Part("Rest", 0.877, 0.01)]
    )
    shown = texts(figure)
    assert {"Size", "Who", "Rest", "12%", "88%"} <= set(shown)
    widths = [patch.get_width() for patch in figure.axes[0].patches]
    assert widths == pytest.approx([12.3, 0.0, 87.7])
    assert "12 %" in [t.replace("\N{NO-BREAK SPACE}", " ") for t in
                      texts(split([Part("A", 0.123, 0.004)], "de"))]  # fmt: skip


def test_years_have_one_scale_and_one_panel_each() -> None:
    paths = [Path(f"{k} S", k, np.outer([1.0, 0.5], Q) * (k + 1) / 2) for k in range(4)]
    figure = years(paths, "EUR", "de", 2027)
    assert len(figure.axes) == 4
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[1] > 400
    shown = texts(figure)
    assert "2027" in shown
    assert "Tsd. €" in shown
    assert "0 S" in shown


def test_choices_show_worth_and_ranks() -> None:
    rows = [Choice("1 Good", Q + 1e5, 1e5, np.array([0.9, 0.1])),
            Choice("2 Bad", Q - 1e5, -1e5, np.array([0.1, 0.9]))]  # fmt: skip
    figure = choices(rows, "EUR")
    shown = texts(figure)
    assert {"1 Good", "2 Bad", "90%", "10%", "1.", "2.", "Rank"} <= set(shown)
    marks = [line.get_marker() for line in figure.axes[0].lines]
    assert "o" in marks
    assert "X" in marks  # a loss is told by its mark as well as by its colour


def test_the_number_of_segments_shows_what_is_recommended() -> None:
    data = good().parts["number"]
    figure: Any = number(data, "EUR")
    left, right = figure.axes
    net = next(line for line in left.lines if line.get_label() == "After handling")
    np.testing.assert_allclose(net.get_ydata(), data["net"].to_numpy() / 1e3, rtol=1e-9)
    heights = [patch.get_height() for patch in right.patches]
    np.testing.assert_allclose(heights, 100 * data["p_changes"].to_numpy()[:-1])
    assert "1 → 2" in texts(figure)
