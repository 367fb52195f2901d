import html
import re
import string
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from softseg.decisions.segments.findings import Findings
from softseg.decisions.segments.resolve import sentence
from softseg.errors import FileError
from softseg.report.facts import clean
from softseg.report.study import money, pictures, text
from softseg.report.study.facts import StudyFacts
from softseg.report.study.page import render, write_study_report
from study_findings import NAMES, good, levers, made, refused

FIGURES = ["sizes", "certainty", "map", "profiles", "concentration", "bridge", "fan", "density",
           "needed", "tornado", "evidence", "years", "choices", "split", "number"]  # fmt: skip
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects tags, attributes and texts, and whether every tag is closed where it must be."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
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
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    return " ".join(text.replace("\N{WORD JOINER}", "").split())


def squeezed(text: str) -> str:
    return " ".join(text.replace("\N{WORD JOINER}", "").split())


@pytest.fixture(scope="module")
def page() -> str:
    return render(good())


@pytest.fixture(scope="module")
def german() -> str:
    return render(good(language="de"))


def test_the_chapters_are_the_five_steps(page: str) -> None:
    heads = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    plain = [re.sub(r"<[^>]+>", "", head) for head in heads]
    assert plain == [
        "In short",
        "Where the project stands",
        "1Data and their quality",
        "2Criteria: what the segments rest on",
        "3The segments, and how sure they are",
        "4Profiles: what marks each segment",
        "5A strategy for each segment, and what it is worth",
        "The programme as a whole",
        "Where the width of the band comes from",
        "What telling segments apart is worth",
        "Growth: what the levers add up to, and what was stated",
        "Evidence and audit trail",
        "Words",
    ]
    assert 'class="box' not in page


def test_the_page_is_well_formed_offline_and_without_scripts(page: str, german: str) -> None:
    for one in (page, german):
        found = parsed(one)
        assert found.open == []
        assert not {"script", "link", "iframe", "object", "img"} & set(found.tags)
        policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        assert ("content", policy) in found.attributes
        links = [value for name, value in found.attributes if name.endswith(("href", "src"))]
        assert all(value is not None and value.startswith("#") for value in links)
        assert "url(http" not in one
        ids = [value for name, value in found.attributes if name == "id"]
        assert len(ids) == len(set(ids))
        used = {value[1:] for name, value in found.attributes if name.endswith("href") and value}
        assert used | set(re.findall(r"url\(#(.*?)\)", one)) <= set(ids)
        words = set(re.findall(r"[a-z]+", plain_text(one)))
        assert not {"nan", "inf"} & words


def test_figures_are_handed_out_and_none_stays_open(page: str) -> None:
    from matplotlib import pyplot

    figures: dict[str, str] = {}
    assert render(good(), figures) == page
    assert all(svg in page for svg in figures.values())
    figures = {}
    render(replace(good(), smallest_cell=1.0), figures)
    assert list(figures) == FIGURES
    assert pyplot.get_fignums() == []


def test_the_summary_says_what_was_found(page: str) -> None:
    facts = StudyFacts(good())
    lines = text.summary(facts)
    assert 5 <= len(lines) <= 8
    shown = plain_text(page)
    assert all(squeezed(line) in shown for line in lines)
    roi, found = facts.roi, good().parts
    head = good().answers
    assert head is not None
    npv = head.headline.sel(accounting="contribution_margin", adjusted=True)
    for q in (0.5, 0.95):
        x, e = (abs(float(npv[n].sel(quantile=q))) for n in ("npv", "npv_error"))
        assert roi.money(x, e) in lines[0]
    assert roi.cases(float(npv["p_npv_positive"])) in lines[1]
    choices = found["choices"]
    for k, name in enumerate(NAMES, 1):
        mean, error = (float(choices[n].sel(segment=k)) for n in ("mean_npv", "mean_npv_error"))
        assert f"{name} (on average {roi.money(mean, error)}" in squeezed(lines[2])
    left, right = lines[2].split("Do not treat as planned" if choices["pays"] else "Not worth")
    treat = choices["treat"].to_numpy()
    assert treat.tolist() == [True, True, False]
    assert "Alpha" in left
    assert "Beta" in left
    assert "Gamma" in right
    assert sentence(found["resolve"], "en") in lines
    share, error = (float(found["split"][n].sel(block="judgement"))
                    for n in ("share", "share_error"))  # fmt: skip
    assert f"the economic assumptions ({roi.share(share, error)})" in squeezed(lines[3])


def test_numbers_by_segment_are_those_of_the_datasets(page: str) -> None:
    facts, shown = StudyFacts(good()), plain_text(page)
    data = good().parts["by_segment"]
    for k in (1, 2, 3):
        for q in (0.05, 0.5, 0.95):
            npv = (
                data["npv"].sel(segment=k, quantile=q),
                data["npv_error"].sel(segment=k, quantile=q),
            )
            assert facts.roi.money(*npv) in shown
            year = data.sel(segment=k, quantile=q, year=2)
            assert facts.roi.money(year["profit"], year["profit_error"]) in shown
    number = good().parts["number"]
    for n in number["n_segments"].values:
        one = number.sel(n_segments=n)
        assert facts.roi.money(one["net"], one["net_error"]) in shown
    for name in ("hard", "regret", "believed"):
        part = good().parts["regret"]
        assert facts.roi.money(part[f"mean_{name}"], part[f"mean_{name}_error"]) in shown


def test_strategy_owner_metric_and_levers_stand_on_the_cards(page: str) -> None:
    shown = plain_text(page)
    for part in ("Grow with them.", "Head of sales", "Orders", "Better prices", "0.5 to 2%",
                 "100 to 200 EUR a year", "per treated customer", "Start"):  # fmt: skip
        assert part in shown


def test_the_list_of_customers_is_named_but_not_shown(page: str) -> None:
    found = good().parts["first_customers"]
    roi = StudyFacts(good()).roi
    shown = plain_text(page)
    assert "customers_first.csv lists the 50 customers" in shown
    assert roi.money(float(found["amount"].sum())) in shown
    assert roi.money(float(found["net"].sum())) in shown
    for amount in found["amount"].to_numpy():
        assert f"{amount:,.2f}" not in shown


def test_the_checklist_is_filled_in(page: str, german: str) -> None:
    assert "Mar 2, 2026" in plain_text(page)
    assert "02.03.2026" in plain_text(german)
    assert "by the board" in plain_text(page)
    assert "3 of 3 strategies name an owner." in plain_text(page)


def test_german_pages_are_german(german: str) -> None:
    assert '<html lang="de">' in german
    shown = plain_text(german).replace("customers_first.csv", "")
    assert re.search(r"\d,\d %", shown)
    assert not re.search(r"€\d", shown)
    for word in ("customers", "probability", "million", "years", " cases", " of the ", "segments ",
                 "Segment programme", " worth", " median", " net value"):  # fmt: skip
        assert word not in shown, word
    from_figures = " ".join(re.findall(r">([^<]+)</text>", german))
    for word in ("customers", "Net value", "Rank", "shows", "Before", "variance", "Year"):
        assert word not in from_figures, word


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_failed_gate_shows_no_segment_and_no_money(language: str) -> None:
    findings = refused("failed", "good", language)
    page = render(findings)
    shown = plain_text(page)
    assert page.index('class="box bad"') < page.index("<h2>")
    assert findings.fallback is not None
    for line in (*findings.fallback.stands, *findings.fallback.falls, *findings.fallback.todo):
        assert line in shown
    for name in NAMES:
        assert name not in page
    assert "<svg" not in page
    assert "ROI" not in shown
    amounts = set(re.findall(r"€[\d.,]+[MB]?|[\d.,]+ (?:Mio\. )?€", shown))
    assert len(amounts) == 3  # table, ledger, difference: what stands without segments


def test_a_tree_that_failed_is_never_shown_whatever_the_findings_say() -> None:
    findings = replace(refused("failed", "good", "en"), gate="good", fallback=None)
    page = render(findings)
    assert 'class="box bad"' in page
    assert "Alpha" not in page


@pytest.mark.usefixtures("no_figures")
def test_a_poor_fit_stands_above_everything_and_marks_the_money() -> None:
    page = render(refused("good", "poor", "en"))
    assert page.index('class="box bad"') < page.index("In short")
    assert page.count("Provisional: see the box at the top") >= 5
    doubtful = render(refused("good", "doubtful", "en"))
    assert 'class="box warn"' in doubtful
    assert "Provisional" not in doubtful


@pytest.mark.usefixtures("no_figures")
def test_a_plug_in_is_labelled_wherever_there_is_money() -> None:
    page = render(good(plug_in=True))
    label = "Plug-in: leaves out what is not known about the segments"
    assert page.count(label) >= 5
    assert "the ranges are too narrow" in page
    assert label not in render(good())
    assert "not split by source" in page


@pytest.mark.usefixtures("no_figures")
def test_findings_without_money_or_parts_make_a_page() -> None:
    bare = replace(good(), simulation=None, answers=None, parts={}, ledger=None)
    page = render(bare)
    assert "No money was calculated" in page
    assert "€" not in plain_text(page)
    totals = render(replace(good(), parts={}))
    assert "What each segment brings" not in totals
    assert "The programme as a whole" in totals


@pytest.mark.usefixtures("no_figures")
def test_totals_over_several_numbers_of_segments_say_so() -> None:
    one = good()
    assert one.simulation is not None
    value = one.simulation.value.assign_attrs(weights='{"2": 0.25, "3": 0.75}', pooling="stacking")
    parts = {name: one.parts[name] for name in ("implied", "split")}
    several = replace(one, simulation=replace(one.simulation, value=value), parts=parts)
    page = plain_text(render(several))
    assert page.count("2 segments (25%) and 3 segments (75%)") == 2
    assert "The programme is written for 3 segments" in page
    assert "Revenue reached" not in page.split("Ranges of levers")[0]
    assert "All levers together" in page
    assert "weighted by how well" not in plain_text(render(one))


def test_the_package_for_everybody_is_named() -> None:
    facts = StudyFacts(good())
    number = good().parts["number"]
    package = number["package"].copy()
    package[0] = 0
    package[0, 0] = 2
    one = number.assign(package=package, recommended=1)
    findings = replace(good(), parts={**good().parts, "number": one})
    assert "It is the package for Beta, given to everybody." in text.number(StudyFacts(findings))
    several = replace(good(), parts={**good().parts, "number": number.assign(recommended=3)})
    assert "given to everybody" not in text.number(StudyFacts(several))
    assert facts.say("number.ask") in " ".join(text.summary(StudyFacts(findings)))


@pytest.mark.usefixtures("no_figures")
def test_where_no_segment_pays_it_says_so_and_against_what() -> None:
    found = good()
    choices = found.parts["choices"]
    nobody = {"treat": choices["treat"] & False, "pays": False, "best_mean_npv": -900.0}
    none = replace(found, parts={**found.parts, "choices": choices.assign(nobody)})
    said = text.treat(StudyFacts(none))
    assert "Worth more" not in said
    assert "Without any segment" in said
    assert "−€900" in said.replace("\N{WORD JOINER}", "")
    assert found.simulation is not None
    against = found.simulation.whole.assumptions.counterfactual
    assert ("better not to start" in said) == (against == "nothing")


def test_growth_by_segment_adds_up_to_the_whole() -> None:
    rows = dict(money.implied_rows(StudyFacts(good())))
    whole = rows.pop("All levers together")
    rows.pop("Stated in the study file", None)
    for at in (0, 1):
        parts = [float(str(cells[at]).rstrip("%")) for cells in rows.values()]
        assert abs(sum(parts) - float(whole[at][0].rstrip("%"))) < 0.005 * (1 + len(parts))
        assert " to " in whole[at][1]


def nothing_drawn(_facts: StudyFacts) -> dict[str, str]:
    return dict.fromkeys(pictures.NAMES, "")


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
        '=HYPERLINK("http://x")',
        "\u202e\x00\x1b[31m end",
        "<iframe srcdoc='<script>pwn()</script>'>",
    ]
    rng = np.random.default_rng(5)
    pieces = [*known, *"<>&\"'`{}$\\%#", "onload=", "<b", "/>", "]]>", "-->"]
    while len(known) < count:
        known.append("".join(rng.choice(pieces, 4)) + rng.choice(list(string.ascii_letters)))
    return known


def renamed(findings: Findings, names: tuple[str, ...], words: tuple[str, ...]) -> Findings:
    """Return findings under other names of segments, strategies, owners and metrics."""
    return replace(
        findings,
        title=words[0],
        segment_names=names,
        programme=levers(names, words),
        checklist={"prepared": words[1], "decided": words[2]},
        run={"seed": words[0], words[1]: words[2]},
    )


def test_fifty_hostile_names_are_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    strings = hostile(51)
    whole = made(tuple(strings[:3]), levers(tuple(strings[:3])))  # labels of the assumptions
    for i in range(0, 51, 3):
        if i == 3:  # figures escape by themselves, and take most of the time
            monkeypatch.setattr(pictures, "all_of", nothing_drawn)
        three = (strings[i], strings[i + 1], strings[i + 2])
        findings = renamed(whole if i == 0 else good(), three, three[::-1])
        page = render(replace(findings, language=("en", "de")[i % 2]))
        found = parsed(page)
        assert not {"script", "img", "iframe", "b"} & set(found.tags)
        assert not any(name.startswith("on") for name, _ in found.attributes)
        page.encode("utf-8")
        shown = " ".join(found.text.split())
        assert all(clean(text) in shown for text in three)


@pytest.mark.usefixtures("no_figures")
def test_the_report_is_written(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert write_study_report(good(), path) == path
    content = path.read_text(encoding="utf-8")
    assert content.startswith("<!DOCTYPE html>")
    with pytest.raises(FileError, match=r"report\.html"):
        write_study_report(good(), tmp_path / "none" / "report.html")
