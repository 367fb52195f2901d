from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from softseg.report.facts import Band, Facts, Line, clean


def line(measure: str, kind: str, base: float, lower: list[float], upper: list[float]) -> Line:
    low, high = np.array(lower), np.array(upper)
    values = Band((low + high) / 2, low, high)
    divisor = base if kind == "ratio" else 1.0
    move = 0.0 if kind == "ratio" else base
    lift = Band(*((x - move) / divisor for x in (values.mean, low, high)))
    return Line("x", "x", measure, "", "", values, lift, kind, base, 0.5)


@pytest.mark.parametrize(
    "name",
    ["a\x00b", "a\u202eb", "a\ud800b", "a\nb", "a\u2028b", "a\ufeffb"],
)
def test_names_lose_what_would_break_a_page(name: str) -> None:
    assert clean(name) == "a b"
    clean(name).encode("utf-8")


def test_names_keep_everything_else() -> None:
    persian = "نمی\u200cخواهم"
    for name in ("Müller & Söhne", "<script>", "{{ x }}", "$x_1$", "客户", "عملاء", persian):
        assert clean(name) == name
    assert clean("  ") == "–"


def test_unnamed_segments_are_numbered_in_the_language(
    make_tree: Callable[..., xr.DataTree],
) -> None:
    tree = make_tree(names=("1", "Steady", "3", "4"))
    facts = Facts(tree, "de")
    assert facts.segment_names == ("Segment 1", "Steady", "Segment 3", "Segment 4")
    assert facts.numbered_names == ("Segment 1", "2 Steady", "Segment 3", "Segment 4")


def test_a_tree_without_a_judgement_has_not_passed(make_tree: Callable[..., xr.DataTree]) -> None:
    tree = make_tree()
    assert Facts(tree).passed
    del tree.attrs["diagnosis"]
    assert not Facts(tree).passed


def test_strength_is_zero_where_the_interval_holds_the_base() -> None:
    found = line("mean", "ratio", 10.0, [9.0, 20.0, 4.0], [11.0, 22.0, 5.0]).strength()
    assert found == pytest.approx([0.0, np.log(2.0), np.log(0.5)])
    found = line("mean", "difference", 1.0, [0.5, 1.5], [1.2, 2.0]).strength()
    assert found == pytest.approx([0.0, 0.5])
    assert line("sd", "none", 1.0, [5.0], [6.0]).strength() == pytest.approx([0.0])


def test_shares_are_compared_by_cohens_h() -> None:
    found = line("share", "ratio", 0.5, [0.85], [0.9]).strength()
    assert found == pytest.approx([2 * np.arcsin(np.sqrt(0.85)) - np.pi / 2])


def test_lines_stand_in_the_order_of_power_with_levels_together(tree: xr.DataTree) -> None:
    facts = Facts(tree)
    order = list(dict.fromkeys(line.indicator for line in facts.lines))
    power = [facts.power[name] for name in order]
    assert power == sorted(power, reverse=True)
    assert [x.level for x in facts.lines if x.indicator == "technology"] == [
        "basic", "advanced", "leading"
    ]  # fmt: skip
    assert all(line.measure != "sd" for line in facts.headlines)


def test_verdicts_are_counted_by_top_segment(tree: xr.DataTree) -> None:
    counts = Facts(tree).verdict_counts
    assert counts.shape == (3, 4)
    assert counts.sum() == tree["membership"].sizes["customer"]
    verdict, top = tree["membership"]["verdict"].values, tree["membership"]["top"].values
    assert counts[1, 2] == ((verdict == "ambiguous") & (top == 3)).sum()
