"""The report of a panel: both languages, refused fits, hostile names."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr

from hostile_texts import hostile
from small_migration import small_fit, small_model
from softseg.inference.verdicts import Check, Diagnosis
from softseg.names import PERIOD, STATE, STATE_TO
from softseg.report.migration.page import merged_periods, render
from softseg.results.migration.assemble import assemble_migration, rename_states


class Page(HTMLParser):
    """Counts tags and gathers text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Where customers go", "What lies ahead", "What must not be concluded"]),
        ("de", ["Wohin Kunden gehen", "Was bevorsteht", "Was daraus nicht folgt"]),
    ],
)
def test_a_page_in_both_languages(language: str, words: list[str]) -> None:
    figures: dict[str, str] = {}
    page = Page(render(small_model().posterior_, language, figures))
    assert all(word in page.text for word in words)
    assert set(figures) == {"transitions", "ways", "fan", "survival", "profiles"}
    assert page.tags.count("svg") == 5
    assert "script" not in page.tags
    assert not re.search(r"\{[a-z_]+\}", page.text.split("}")[-1])  # no gap left unfilled


def test_silent_churn_shows_how_far_it_rests_on_the_prior() -> None:
    tree = assemble_migration(small_fit("silent"))
    tree.attrs["diagnosis"] = small_model().posterior_.attrs["diagnosis"]
    page = Page(render(tree, "en"))
    assert "How far this rests on an assumption" in page.text
    assert "Not checked: rows without activity" in page.text


def test_a_refused_fit_shows_no_table_of_transitions() -> None:
    tree = small_model().posterior_.copy(deep=True)
    bad = Check("rhat", True, False, 1.3, 1.01, "", {})
    tree.attrs["diagnosis"] = Diagnosis("gibbs", (bad,)).to_json()
    page = Page(render(tree, "en"))
    assert "What lies ahead" not in page.text
    assert page.tags.count("svg") == 0


def test_hostile_names_stay_text() -> None:
    scripts = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</style><b>x"]
    odd = [text for text in hostile() if len(text) < 100]
    for names in (scripts, odd[-3:], odd[40:43]):
        tree = small_model().posterior_.copy(deep=True)
        rename_states(tree, names)
        page = Page(render(tree, "en"))
        assert not {"script", "img", "b"} & set(page.tags)


def test_moves_over_several_periods_multiply() -> None:
    moves = np.zeros((3, 2, 2))
    moves[1] = [[6.0, 2.0], [1.0, 1.0]]
    moves[2] = [[3.5, 3.5], [0.0, 3.0]]
    occupancy = xr.Dataset(
        {
            "mean": ((PERIOD, STATE), [[8.0, 2.0], [7.0, 3.0], [3.5, 6.5]]),
            "moves": ((PERIOD, STATE, STATE_TO), moves),
        },
        {PERIOD: ["a", "b", "c"], STATE: ["1", "2"], STATE_TO: ["1", "2"]},
    )
    flows, periods = merged_periods(occupancy)
    assert periods == ["a", "b", "c"]
    np.testing.assert_allclose(flows[0], [[6.0, 2.0], [1.0, 1.0]])
    np.testing.assert_allclose(flows.sum(STATE_TO)[1], [7.0, 3.0])
