import html
import re
import string
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roi_builders import UNIFORM
from softseg.decisions.answers.collect import Answers, collect, frontier_axes
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import RoiModel, Simulation
from softseg.errors import FileError
from softseg.report.facts import clean
from softseg.report.roi.facts import RoiFacts
from softseg.report.roi.page import render, write_roi_report

type Case = tuple[Simulation, Answers]
POINTS = {"low": None, "high": None, "likely": None, "family": None}
BARE: dict[str, Any] = {"dependence": {}, "scenarios": {}, "accepted_overlaps": []}
SPREAD = ("margin_of_volume", "realisation", "project", "running", "uplift", "better", "savings")


class Page(HTMLParser):
    """Collects the tags, attributes and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: str) -> Page:
    found = Page()
    found.feed(page)
    return found


def plain_text(page: str) -> str:
    page = re.sub(r"<style.*?</style>|<svg.*?</svg>", "", page, flags=re.S)
    return html.unescape(re.sub(r"<[^>]+>", " ", page))


@pytest.fixture(scope="module")
def page(plain: Case) -> str:
    return render(*plain, "en", run={"seed": "3"})


def test_the_page_is_complete_and_in_order(page: str) -> None:
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "What the programme brings",
        "From the published figure to the full calculation",
        "How to read a band",
        "The money over the years",
        "Best case and worst case, told apart",
        "How much of the effect is needed to break even",
        "What the result depends on",
        "What to find out first",
        "All assumptions",
        "How it was calculated",
    ]
    assert page.count("<svg") == 9
    assert page.index("<svg") > page.index("From the published figure")
    assert "Seed of the random numbers" in page


def test_the_page_is_offline_and_without_scripts(page: str) -> None:
    found = parsed(page)
    assert not {"script", "link", "iframe", "object", "img"} & set(found.tags)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert ("content", policy) in found.attributes
    links = [value for name, value in found.attributes if name.endswith(("href", "src"))]
    assert all(value is not None and value.startswith("#") for value in links)
    assert "url(http" not in page


def test_ids_in_the_page_are_unique_and_references_resolve(page: str) -> None:
    found = parsed(page)
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    used = {value[1:] for name, value in found.attributes if name.endswith("href") and value}
    used |= set(re.findall(r"url\(#(.*?)\)", page))
    assert used <= set(ids)


def test_the_same_simulation_gives_the_same_bytes(plain: Case, page: str) -> None:
    assert render(*plain, "en", run={"seed": "3"}) == page


def test_the_figures_are_handed_out_and_leave_no_figure_open(plain: Case, page: str) -> None:
    from matplotlib import pyplot

    figures: dict[str, str] = {}
    render(*plain, "en", figures)
    assert list(figures) == ["bridge", "worlds", "fan", "density", "needed", "frontier",
                             "tornado", "evidence", "information"]  # fmt: skip
    assert all(svg in page for svg in figures.values())
    assert pyplot.get_fignums() == []


def test_numbers_of_the_page_are_those_of_the_answers(plain: Case, page: str) -> None:
    facts = RoiFacts(*plain, "en")
    head = plain[1].headline.sel(accounting="contribution_margin", adjusted=True)
    text = plain_text(page)
    for q in (0.05, 0.5, 0.95):
        npv = float(head["npv"].sel(quantile=q)), float(head["npv_error"].sel(quantile=q))
        assert facts.money(*npv) in text
        roi = float(head["roi"].sel(quantile=q)), float(head["roi_error"].sel(quantile=q))
        assert facts.ratio(*roi) in text
    assert facts.share(float(head["p_npv_positive"])) in text
    bridge = plain[1].bridge
    for change, error in zip(bridge["change"].values[1:], bridge["change_error"].values[1:],
                             strict=True):  # fmt: skip
        assert facts.gain(change, error) in text
    information = plain[1].information
    assert facts.money(float(information["evpi"]), float(information["evpi_error"])) in text
    npv = np.ravel(plain[0].outcome().npv)
    assert float(head["npv"].sel(quantile=0.5)) == pytest.approx(np.median(npv))


def test_every_assumption_stands_on_the_page(page: str) -> None:
    text = " ".join(plain_text(page).split())
    for part in (
        "95 to 250 thousand EUR 90% sure to lie within; log-normal",
        "most likely 60,000 EUR a year",
        "1 to 4%",
        "0.2 to 0.9 percentage points",
        "own pilot: Offers",
        "A. Controller , Mar 1, 2026",
        "already shows in the margin",
        "“Care” moves several assumptions at once",
        "Project and Running go together with a rank correlation of 0.40",
        "“Uplift” and “Savings” describe partly the same effect",
        "reach, year by year, 50%, 100% of their full value",
        "no terminal value",
    ):
        assert part in text


def test_german_pages_are_german(plain: Case) -> None:
    page = render(*plain, "de")
    assert '<html lang="de">' in page
    text = plain_text(page)
    assert re.search(r"\d{1,3}\.\d{3}\N{NO-BREAK SPACE}€", text)
    assert "Mio.\N{NO-BREAK SPACE}€" in text
    for word in ("probability", "million", "years", " cases", " programme", " effect on"):
        assert word not in text


def hostile(count: int) -> list[str]:
    """Return strings that would run, break out, or turn into something else where let."""
    known = [
        "<script>pwn()</script>",
        "</style><script>pwn()</script>",
        "</svg><img src=x onerror=pwn()>",
        '" onmouseover="pwn()" x="',
        "' autofocus onfocus='pwn()",
        "{{ 7*7 }}{% for x in y %}",
        "{self.__class__}",
        "$\\frac{1}{2 ]]>",
        "<!-- --><svg/onload=pwn()>",
        "javascript:pwn()",
        "&lt;script&gt;pwn()&lt;/script&gt;",
        "=HYPERLINK(\"http://x\")",
        "\u202e\x00\x1b[31m end",
        "<iframe srcdoc='<script>pwn()</script>'>",
    ]  # fmt: skip
    rng = np.random.default_rng(5)
    pieces = [*known, *"<>&\"'`{}$\\%#", "onload=", "<b", "/>", "]]>", "-->"]
    while len(known) < count:
        known.append("".join(rng.choice(pieces, 4)) + rng.choice(list(string.ascii_letters)))
    return known


def test_two_hundred_hostile_strings_never_run(
    make_case: Callable[..., Case],
) -> None:
    strings = hostile(200)
    inputs: dict[str, Any] = {}
    for i in range(0, 192, 4):
        label, source, note, owner = strings[i : i + 4]
        inputs[f"metric_{i}"] = {"label": label, "role": "metric", "unit": "%", "value": 1.0,
                                 "source": source, "note": note, "owner": owner}  # fmt: skip
    inputs["uplift"] = {"label": strings[192], "source": strings[193]}
    inputs["better"] = {"label": strings[194]}
    inputs["savings"] = {"label": strings[197]}
    inputs["project"] = {"label": strings[195], "note": strings[196]}
    factor = {strings[197]: {"label": strings[198], "loads": {"uplift": 0.5, "better": 0.5}}}
    scenarios = {"best": {"uplift": 4.0}, strings[0]: {"uplift": 1.0, "better": 0.3}}
    simulation, answers = make_case(
        inputs, title=strings[199], dependence={"factors": factor}, scenarios=scenarios
    )
    run = {"hash": strings[1], strings[2]: strings[3]}
    for language in ("en", "de"):
        page = render(simulation, answers, language, run=run)
        found = parsed(page)
        assert not {"script", "img", "iframe", "b"} & set(found.tags)
        assert not any(name.startswith("on") for name, _ in found.attributes)
        page.encode("utf-8")
        shown = " ".join(found.text.split())
        assert all(clean(text) in shown for text in strings)


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({n: {"value": 0.0, **POINTS} for n in SPREAD}, BARE),
    "one year": ({}, {"horizon": 1}),
    "no spread": (
        {**{n: {"value": 0.5, **POINTS} for n in SPREAD}, "no_effect": {"value": 0.0}},
        BARE,
    ),
    "no revenue effects": ({"uplift": None, "better": None}, BARE),
    "one revenue effect": ({"better": None}, BARE),
    "never pays": ({"project": {"low": 9e4, "high": 2e5}}, {}),
    "always pays": ({"project": {"low": 1.0, "high": 2.0}, "no_effect": {"value": 0.0}}, {}),
    "no effect for sure": ({"no_effect": {"value": 100.0}}, {}),
    "uniform": (UNIFORM, {"counterfactual": "uniform", "hurdle": 0.2, "first_year": 2026}),
}


@pytest.mark.parametrize("name", CASES)
def test_unusual_programmes_make_a_page(make_case: Callable[..., Case], name: str) -> None:
    changes, top = CASES[name]
    simulation, answers = make_case(changes, **top)
    page = render(simulation, answers, "de" if name in list(CASES)[::2] else "en")
    assert page.count("<h2>") == 10
    text = plain_text(page)
    assert not {"nan", "inf"} & set(re.findall(r"[a-z]+", text))
    assert "{" not in text


def test_both_programmes_are_compared(make_case: Callable[..., Case]) -> None:
    changes, top = CASES["uniform"]
    simulation, answers = make_case(changes, **top)
    assert list(answers.programmes) == ["segmented", "uniform"]
    assert "headline_uniform" in answers.datasets()
    text = plain_text(render(simulation, answers, "en"))
    assert "Without segments" in text
    assert "Probability of an ROI above 20%" in text
    assert "1 (2026)" in text
    assert "best programme without segments" in text


def test_one_replicate_has_no_errors_and_makes_a_page(plain: Case) -> None:
    simulation = RoiModel(plain[0].assumptions).simulate(1, 128, seed=3)
    answers = collect(simulation)
    assert answers.sobol is None
    text = plain_text(render(simulation, answers, "en"))
    assert "How it was calculated" in text
    assert "nan" not in text


def test_the_axes_of_the_frontier(plain: Case) -> None:
    known: Assumptions = plain[0].assumptions
    assert frontier_axes(known) == ("uplift", "better")
    only = known.model_copy(update={"inputs": {"uplift": known.inputs["uplift"]}})
    assert frontier_axes(only) is None
    two = dict.fromkeys(("first", "second"), known.inputs["uplift"])
    assert frontier_axes(known.model_copy(update={"inputs": two})) == ("first", "second")


def test_the_report_is_written(plain: Case, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert write_roi_report(*plain, path, "de") == path
    content = path.read_text(encoding="utf-8")
    assert content.startswith("<!DOCTYPE html>")
    assert len(content) < 900_000
    with pytest.raises(FileError, match=r"report\.html"):
        write_roi_report(*plain, tmp_path / "none" / "report.html")
