"""The chapter on migration, and what else a study with a panel says differently."""

import html
import re
from typing import Any

import numpy as np
import pytest

from softseg.report.study import moves, text
from softseg.report.study.facts import StudyFacts
from softseg.report.study.page import render
from study_findings import good, moved


def words(page: str) -> str:
    """Return what a reader reads of a page, figures aside."""
    page = re.sub(r"<style.*?</style>|<svg.*?</svg>", "", page, flags=re.S)
    found = html.unescape(re.sub(r"<[^>]+>", " ", page)).replace("\N{WORD JOINER}", "")
    return " ".join(found.split())


def drawn(figure: Any) -> set[str]:
    """Return the texts of a figure."""
    from matplotlib.text import Text

    return {text.get_text() for text in figure.findobj(Text) if text.get_text()}


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            [
                "200 customers who are still there in the last period, 2024-12",
                "The panel: 240 customers, 24 periods",
                "Customers who are still there",
                "less often to “churned and Beta”, by this share of the probability",
                "share of the probability of a move within a period of the panel",
                "Where customers go",
                "If nobody moved or left",
            ],
        ),
        (
            "de",
            [
                "der 200 Kunden, die in der letzten Periode, 2024-12, noch da sind",
                "Das Panel: 240 Kunden, 24 Perioden",
                "Kunden, die noch da sind",
                "seltener nach „abgewandert und Beta“, um diesen Anteil der Wahrscheinlichkeit",
                "Anteil an der Wahrscheinlichkeit eines Wechsels in einer Periode des Panels",
                "Wohin die Kunden gehen",
                "Wenn niemand wechselte oder ginge",
            ],
        ),
    ],
)
@pytest.mark.usefixtures("no_figures")
def test_the_page_says_whom_it_counts_and_what_moves_are(
    language: str, expected: list[str]
) -> None:
    said = words(render(moved(language)))
    for phrase in expected:
        assert phrase in said
    for wrong in ("No cell of the table is empty", "Keine Zelle der Tabelle ist leer"):
        assert wrong not in said


def test_the_summary_names_all_five_sources() -> None:
    facts = StudyFacts(moved())
    said = text.drivers(facts)
    found = facts.part("split")
    assert found is not None
    assert float(found["share"].sum()) == pytest.approx(1.0)
    assert "how often customers move and leave (" in said
    assert "and from chance, which decides who of them does (" in said
    assert "chance, which" not in text.drivers(StudyFacts(good()))


@pytest.mark.parametrize(
    ("language", "to", "today"),
    [("en", "A year later", "Segment today"), ("de", "Ein Jahr später", "Segment heute")],
)
def test_the_map_is_of_a_year(language: str, to: str, today: str) -> None:
    figure = moves.transition_figure(StudyFacts(moved(language)))
    texts = drawn(figure)
    assert {to, today, "1 Alpha"} <= texts
    assert not {x for x in texts if "eriod" in x}
    stay = float(moved(language).parts["migrated"]["transition_mean"][0, 0])
    assert any(x.startswith(f"{100 * stay:.0f}") for x in texts)


def test_customers_are_shown_without_and_with_the_programme() -> None:
    figure = moves.customers_figure(StudyFacts(moved()))
    found = moved().parts["migrated"]["customers_mean"]
    for k, axes in enumerate(figure.axes, start=1):
        lines = [np.asarray(line.get_ydata()) for line in axes.get_lines()]
        expected = [found.sel(segment=k, programme=name).to_numpy()
                    for name in ("baseline", "programme")]  # fmt: skip
        np.testing.assert_allclose(lines[0], expected[0])
        assert len(lines) == (2 if k == 1 else 1)
        if k == 1:
            np.testing.assert_allclose(lines[1], expected[1])


def test_the_lead_names_what_moves_take_and_levers_add() -> None:
    facts = StudyFacts(moved())
    found = facts.part("migrated")
    assert found is not None
    base, levers = (float(found[f"mean_{name}"]) for name in ("base", "levers"))
    said = moves.lead(facts, found)
    assert ("takes" in said) == (base < 0.0)
    assert ("Measures on these moves themselves add" in said) == (levers > 0.0)
    nothing = found.assign(mean_base=0.0, mean_levers=0.0)
    assert moves.lead(facts, nothing) == "Migration changes nothing in the result."


@pytest.mark.usefixtures("no_figures")
def test_without_a_panel_there_is_no_chapter() -> None:
    assert moves.context(StudyFacts(good())) == {"moves": []}
    assert "If nobody moved or left" not in words(render(good()))
