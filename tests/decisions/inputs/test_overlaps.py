"""Effects that would be counted twice are refused, and the pair is named."""

from typing import Any

import pytest

from softseg.decisions.inputs.overlaps import overlap_faults
from softseg.decisions.inputs.schema import Assumptions, Input


def effect(kind: str, base: tuple[str, ...] = ("revenue",), **more: Any) -> Input:
    data = {"role": "revenue_effect", "effect": kind, "unit": "%", "base": base, **more}
    return Input.model_validate(data)


def said(accepted: tuple[tuple[str, str], ...] = (), **inputs: Input) -> list[str]:
    file = Assumptions(horizon=5, inputs=inputs, accepted_overlaps=accepted)
    return [fault.text() for fault in overlap_faults(file)]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("price", "margin", "a higher price is part of the better margin"),
        ("mix", "price", "a higher price is part of the better margin"),
        ("deal_size", "cross_selling", "more cross-selling makes the deals"),
    ],
)
def test_built_in_pairs_on_one_base(first: str, second: str, reason: str) -> None:
    found = said(a=effect(first), b=effect(second))
    assert len(found) == 1
    assert found[0].startswith("b.effect: Do not count a and b both: " + reason)
    assert "make the other a metric" in found[0]
    assert said((("b", "a"),), a=effect(first), b=effect(second)) == []
    assert said(a=effect(first), b=effect(second, ("other",))) == []
    assert said(a=effect(first), b=effect(second, role="metric")) == []
    assert said(a=effect(first), b=effect(second, programme="uniform")) == []
    assert len(said(a=effect(first), b=effect(second, programme="both"))) == 1


def test_a_part_of_a_base_overlaps_with_the_whole_but_not_with_another_part() -> None:
    premium, volume = ("revenue", "premium"), ("revenue", "volume")
    assert len(said(a=effect("price", premium), b=effect("margin"))) == 1
    assert said(a=effect("price", premium), b=effect("margin", volume)) == []


def test_volume_and_margin_do_not_overlap() -> None:
    assert said(a=effect("volume"), b=effect("margin")) == []


def test_declared_overlaps_count_where_both_are_in_the_cash_flow() -> None:
    saving = Input(role="saving", unit="EUR/year", overlaps=("a",))
    found = said(a=effect("volume"), b=saving)
    assert found[0].startswith("b.overlaps: Do not count a and b both: the file says")
    assert len(said(a=effect("volume", overlaps=("b",)), b=effect("churn"))) == 1
    assert said(a=effect("volume", overlaps=("b",)), b=effect("churn", role="metric")) == []
    assert said((("a", "b"),), a=effect("volume", overlaps=("b",)), b=effect("churn")) == []


def test_the_same_quantity_counts_once() -> None:
    found = said(a=effect("volume", same_as="b"), b=effect("volume"))
    assert found[0].startswith("a.same_as: Do not count a and b both: they are the same quantity")
    assert said(a=effect("volume", same_as="b", role="metric"), b=effect("volume")) == []


@pytest.mark.parametrize(
    ("name", "label"),
    [("clv", ""), ("kpi_clv", ""), ("x", "Customer lifetime value"), ("x", "Höherer Kundenwert")],
)
def test_lifetime_value_is_a_metric(name: str, label: str) -> None:
    found = said(**{name: effect("volume", label=label)})
    assert found[0].startswith(f"{name}.role: Make the customer lifetime value a metric")
    assert said(**{name: effect("volume", label=label, role="metric")}) == []


@pytest.mark.parametrize("label", ["Kundenwertorientierte Preise", "Eclvx", "Kunden werben"])
def test_other_words_are_no_lifetime_value(label: str) -> None:
    assert said(x=effect("volume", label=label)) == []
