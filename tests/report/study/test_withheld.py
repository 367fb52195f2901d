import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from softseg.report.study import pictures
from softseg.report.study.facts import StudyFacts
from softseg.report.study.page import render
from softseg.report.study.tables import certainty_rows, gap_rows, gate_rows, profile_rows, size_rows
from softseg.report.study.text import certainty
from softseg.report.study.withheld import withheld_cells, withheld_of
from study_findings import NAMES, good, made


def test_a_small_group_takes_the_next_one_along() -> None:
    customers = np.array([100.0, 40.0, 20.0, 4.0])
    assert withheld_of(customers, 10.0).tolist() == [False, False, True, True]
    assert withheld_of(customers, 2.0).tolist() == [False] * 4
    # two small ones that are still too few together
    assert withheld_of(np.array([50.0, 30.0, 3.0, 2.0]), 10.0).tolist() == [False, True, True, True]
    assert withheld_of(np.array([50.0, 30.0, 6.0, 5.0]), 10.0).tolist() == [
        False,
        False,
        True,
        True,
    ]
    assert withheld_of(np.array([5.0]), 10.0).tolist() == [True]


counts = arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(2, 5)),
                elements=st.integers(0, 40).map(float))  # fmt: skip


@given(counts)
def test_no_withheld_cell_follows_from_a_printed_sum(customers: np.ndarray) -> None:
    hidden = withheld_cells(customers, 10.0)
    assert hidden[(customers > 0) & (customers < 10)].all()
    for line, mask in [*zip(customers, hidden, strict=True),
                       *zip(customers.T, hidden.T, strict=True)]:  # fmt: skip
        if not mask.any():
            continue
        shown = ~mask & (line > 0)
        assert (mask.sum() >= 2 and line[mask].sum() >= 10) or not shown.any()


def test_withheld_segments_stand_nowhere() -> None:
    findings = replace(good(), smallest_cell=40.0)
    facts = StudyFacts(findings)
    size = facts.every.size("customers").mean
    assert (size < 40).tolist() == [False, False, True]
    assert facts.withheld.segments.tolist() == [True, False, True]
    rows = size_rows(facts)
    assert [bool(row["absent"]) for row in rows] == [True, False, True]
    assert rows[2]["absent"] == "fewer than 40 customers"
    assert facts.treated == [2]
    for language in ("en", "de"):
        figures: dict[str, str] = {}
        page = render(replace(findings, language=language), figures)
        for svg in figures.values():
            drawn = " ".join(re.findall(r">([^<]+)</text>", svg))
            assert NAMES[0] not in drawn
            assert NAMES[2] not in drawn
        body = page.split("</header>")[1]
        # named where it says that they are not shown, and as the subject of stated levers
        cards = re.findall(r'<article class="card".*?</article>', body, flags=re.S)
        assert len(cards) == 2
        assert all(NAMES[1] in card for card in cards)
    shown = render(findings)
    data = findings.parts["by_segment"]
    for k in (1, 3):
        npv = (
            data["npv"].sel(segment=k, quantile=0.05),
            data["npv_error"].sel(segment=k, quantile=0.05),
        )
        assert facts.roi.money(*npv) not in shown
        base = float(findings.simulation.whole.assumptions.inputs[f"s{k}_value"].value)  # type: ignore[union-attr, arg-type]
        assert facts.roi.money(base) not in shown


@pytest.mark.usefixtures("no_figures")
def test_sums_over_some_segments_do_not_give_a_hidden_one_away() -> None:
    findings, choices = good(), good().parts["choices"]
    best = StudyFacts(findings).roi.money(
        float(choices["best_mean_npv"]), float(choices["best_mean_npv_error"])
    )
    number = findings.parts["number"]
    before = [StudyFacts(findings).roi.money(float(x)) for x in number["net"].values]
    open_page = render(findings)
    assert best in open_page
    assert "How many segments, in money" in open_page
    hidden = replace(findings, smallest_cell=40.0)
    assert StudyFacts(hidden).silent == {1, 3}
    page = render(hidden)
    assert best not in page
    assert "How many segments, in money" not in page
    assert not any(amount in page for amount in before)
    assert ">Shared<" in page  # two are missing from the whole


@pytest.mark.usefixtures("no_figures")
def test_one_treated_segment_does_not_follow_from_the_whole() -> None:
    plan = good().programme
    one = made(NAMES, plan.model_copy(update={"segments": plan.segments[2:]}))
    facts = StudyFacts(replace(one, smallest_cell=40.0))
    assert facts.alone
    assert not facts.treated
    page = render(facts.findings)
    assert ">Shared<" not in page
    assert "All levers together" not in page
    assert ">Shared<" in render(replace(one, smallest_cell=1.0))


def test_a_segment_of_which_few_are_reached_is_not_shown() -> None:
    findings = replace(good(), smallest_cell=49.5)
    facts = StudyFacts(findings)
    assert facts.every.size("customers").mean[0] > 49.5
    assert not facts.is_shown(1)
    assert facts.absent(1) == "the programme reaches fewer than 50 of its customers"


@pytest.mark.usefixtures("no_figures")
def test_everything_may_be_withheld() -> None:
    findings = replace(good(), smallest_cell=500.0)
    assert StudyFacts(findings).withheld.segments.all()
    page = render(findings)
    assert "fewer than 500 customers" in page
    assert "strategies" in page


def test_levels_with_few_customers_are_withheld_with_their_complement() -> None:
    facts = StudyFacts(replace(good(), smallest_cell=15.0))
    assert not facts.withheld.segments.any()
    customers = facts.every.size("customers").mean
    lines = [line for line in facts.every.lines if line.indicator == "kind"]
    expected = np.array([line.values.mean for line in lines]) * customers
    hidden = np.array([facts.withheld.lines["kind", line.measure, line.level] for line in lines])
    assert (expected < 15).any()
    assert hidden[expected < 15].all()
    assert ((hidden.sum(axis=0) != 1) & (hidden.sum(axis=1)[:, None] != 1)).all()
    rows = {(row.label, row.measure): row for row in profile_rows(facts)}
    for i, line in enumerate(lines):
        for k in range(3):
            shown = rows[line.label, line.level].cells[k].mean
            assert shown.startswith(("<", "not")) == bool(hidden[i, k])


def test_a_share_goes_when_its_other_side_is_small() -> None:
    facts = StudyFacts(replace(good(), smallest_cell=15.0))
    line = next(line for line in facts.every.lines if line.indicator == "online")
    few = (1.0 - line.values.mean) * facts.every.size("customers").mean < 15
    assert few.any()
    assert facts.withheld.lines["online", "share", line.level][few].all()


def test_counts_of_customers_are_withheld() -> None:
    facts = StudyFacts(replace(good(), smallest_cell=30.0))
    assert facts.withheld.shown
    text = " ".join(cell for _, cells in certainty_rows(facts) for cell in cells)
    found = [int(n) for n in re.findall(r"(?<!<\N{NO-BREAK SPACE})(?<!than )\b\d+\b", text)]
    assert all(n == 0 or n >= 30 for n in found)
    assert gap_rows(facts) == [("amount", "20.0%"), ("kind", "fewer than 30 customers")]


def test_sums_of_verdicts_do_not_give_a_small_one_away() -> None:
    counts = StudyFacts(good()).every.verdict_counts.sum(axis=1)
    rest = int(counts[1:].sum())
    assert 0 < rest < 40
    facts = StudyFacts(replace(good(), smallest_cell=float(rest + 1)))
    _, total = certainty_rows(facts)[-1]
    assert total[0] == "not shown"
    assert str(int(counts[0])) not in certainty(facts)
    assert certainty(facts).startswith("All of the 200 customers but fewer than")
    shown = StudyFacts(replace(good(), smallest_cell=1.0))
    assert certainty_rows(shown)[-1][1] == [str(n) for n in counts]
    assert f"{100 * counts[0] / 200:.0f}%" in certainty(shown)


def test_figures_without_whole_groups_are_left_out() -> None:
    assert pictures.certainty(StudyFacts(replace(good(), smallest_cell=1.0))) is not None
    facts = StudyFacts(replace(good(), smallest_cell=15.0))
    assert facts.withheld.verdicts[:2].any()
    assert pictures.certainty(facts) is None


def test_the_gate_does_not_tell_the_size_of_a_small_segment() -> None:
    findings = replace(good(), tree=good().tree.copy())
    sizes = {"name": "sizes", "applies": True, "passed": True, "value": 7.3, "bound": 5.0,
             "worst": "segment[3]", "details": {}}  # fmt: skip
    findings.tree.attrs["diagnosis"] = json.dumps({"method": "gibbs", "checks": [sizes]})
    row = gate_rows(StudyFacts(findings))[0]
    assert row["value"] == "<\N{NO-BREAK SPACE}10 customers"
    assert gate_rows(StudyFacts(replace(findings, smallest_cell=5.0)))[0]["value"] == "7"


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("smallest", [1.0, 15.0, 30.0])
def test_pages_with_withheld_cells_are_complete(smallest: float) -> None:
    page = render(replace(good(), smallest_cell=smallest))
    assert ("not shown" in page) == (smallest > 1)
    assert "-inf" not in page
    assert "−∞" not in page
