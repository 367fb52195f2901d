import html
import json
from collections.abc import Callable

import pytest
import xarray as xr

from softseg.report.facts import Facts
from softseg.report.page import render
from softseg.report.text import findings, phrases, value_origin


def test_a_value_that_made_the_segments_is_said_to_have_done_so(tree: xr.DataTree) -> None:
    assert value_origin(Facts(tree)) == "Value took no part in finding the segments."
    inside = tree.copy(deep=True)
    schema = json.loads(inside.attrs["schema"])
    schema["indicators"]["revenue"] = {"family": "lognormal"}
    inside.attrs["schema"] = json.dumps(schema)
    said = value_origin(Facts(inside))
    assert said.startswith("Revenue is an indicator as well")
    assert "no part" not in render(inside)
    assert said in html.unescape(render(inside))


def test_five_lines_say_what_was_found(tree: xr.DataTree) -> None:
    lines = findings(tree, "en")
    assert len(lines) == 5
    assert lines[0].startswith("1,200 customers fall into 4 segments; the largest, Occasional")
    assert "Premium partners: 15% of the customers, 71% (69–73%)" in lines[1]
    assert "Orders, Order value and Engineering hours" in lines[3]


def test_german_lines_use_german_numbers(tree: xr.DataTree) -> None:
    lines = findings(tree, "de")
    assert lines[0].startswith("1.200 Kunden")
    assert "71\N{NO-BREAK SPACE}% (69–73\N{NO-BREAK SPACE}%)" in lines[1]


@pytest.mark.parametrize("language", ["en", "de"])
def test_after_a_failed_gate_nothing_is_said_about_segments(
    make_tree: Callable[..., xr.DataTree], language: str
) -> None:
    tree = make_tree(failed=("labels", "rhat"))
    text = " ".join(findings(tree, language))
    assert "Premium" not in text
    assert "R-hat" in text


def test_an_unjudged_fit_says_so(make_tree: Callable[..., xr.DataTree]) -> None:
    tree = make_tree()
    del tree.attrs["diagnosis"]
    assert findings(tree) == ["This fit has not been judged. Fit again so that its checks are run."]


def test_one_segment_has_no_certainty_and_no_power(make_tree: Callable[..., xr.DataTree]) -> None:
    lines = findings(make_tree(names=("1",), n_segments=1))
    assert len(lines) == 2
    assert "described as one segment" in lines[0]


def test_without_a_value_column_that_is_said(make_tree: Callable[..., xr.DataTree]) -> None:
    tree = make_tree()
    sizes = tree["sizes"].to_dataset()
    kept = [name for name in sizes if "value" not in sizes[name].dims]
    tree["sizes"] = xr.DataTree(sizes[kept])
    assert "No value column" in findings(tree)[1]


def test_phrases_name_the_strongest_indicators_once_each(tree: xr.DataTree) -> None:
    facts = Facts(tree)
    for segment in range(4):
        found = phrases(facts, segment)
        assert len(found) == 3
        assert len({phrase.label.split(":")[0] for phrase in found}) == 3
    first = phrases(facts, 2)[0]
    assert (first.direction, first.label) == ("high", "Engineering hours")
    assert first.text == "160\N{NO-BREAK SPACE}h (all customers: 21)"


def test_a_segment_like_the_base_has_no_phrases(make_tree: Callable[..., xr.DataTree]) -> None:
    tree = make_tree()
    profile = tree["profile"].to_dataset()
    wide = {
        "lower": profile["mean"] * 0.0,
        "upper": profile["mean"] * 0.0 + 1e9,
        "lift_lower": profile["mean"] * 0.0 - 9.0,
        "lift_upper": profile["mean"] * 0.0 + 9.0,
    }
    tree["profile"] = xr.DataTree(profile.assign(wide))
    assert phrases(Facts(tree), 0) == []
