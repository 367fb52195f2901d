import numpy as np
import pytest

from roi_builders import assumptions, company, effect
from segment_builders import PRICE, VISITS, VOLUME, programme, value_table
from softseg.decisions.inputs.check import faults
from softseg.decisions.segments.expand import base_rows, expand, segment_number

NAMES = ("A", "B")


def test_levers_become_inputs_on_the_value_of_their_segment():
    levers = {
        "B": {
            "price": PRICE | {"value": 1.0, "label": "Better terms"},
            "wallet": {"role": "base", "unit": "share", "value": 0.5},
            "more": VOLUME | {"value": 1.0, "base": ("value", "wallet"), "overlaps": ("price",)},
            "visits": VISITS | {"value": 2.0, "profile": {"start": 2}},
            "rent": {"role": "saving", "unit": "%", "value": 1.0, "base": ("fleet",)},
        }
    }
    fleet = {"role": "base", "unit": "EUR/year", "value": 9.0}
    plan = programme(levers)
    accepted = (("s2_price", "s2_more"),)
    known = assumptions(company(fleet=fleet), accepted_overlaps=accepted)
    with pytest.raises(ValueError, match="accepted_overlaps"):
        expand(known, programme({"B": {}}), NAMES)
    found = expand(known, plan, NAMES, {"s2_value": 70.0, "s2_customers": 5.0})
    inputs = found.assumptions.inputs
    assert faults(found.assumptions) == []
    assert inputs["s2_price"].base == ("s2_value",)
    assert inputs["s2_price"].label == "B: Better terms"
    assert inputs["s2_more"].base == ("s2_value", "s2_wallet")
    assert inputs["s2_more"].overlaps == ("s2_price",)
    assert inputs["s2_visits"].base == ("s2_customers",)
    assert inputs["s2_visits"].profile.start == 2
    assert inputs["s2_rent"].base == ("fleet",)
    assert inputs["s2_value"].value == 70.0
    assert inputs["s2_value"].evidence == "own_posterior"
    assert found.owner["s2_price"] == 2
    assert "fleet" not in found.owner
    assert found.bases == {2: "s2_value"}
    assert found.customers == {2: "s2_customers"}


def test_bases_by_reach():
    value = value_table()
    table = value.sel(rule="programme")
    assigned = expand(assumptions(company()), programme(), NAMES)
    rows = base_rows(assigned, value, programme())
    np.testing.assert_allclose(rows["s1_value"], table["value_lots"].sel(assigned=1, segment=1))
    assert np.ptp(rows["s1_customers"]) == 0.0
    half = base_rows(assigned, value, programme(off_target=0.5))["s2_value"]
    wrong = table["value_lots"].sel(assigned=2, segment=1)
    np.testing.assert_allclose(half, rows["s2_value"] + 0.5 * wrong)
    members = base_rows(assigned, value, programme(reach="members"), kind="expected")
    np.testing.assert_allclose(
        members["s1_value"], table["value_expected"].sel(segment=1).sum("assigned")
    )
    assert np.ptp(members["s1_customers"]) > 0.0


def test_a_group_that_a_rule_does_not_have_is_worth_nothing():
    value = value_table().sel(assigned=[1])
    rows = base_rows(expand(assumptions(company()), programme(), NAMES), value, programme())
    assert not rows["s2_value"].any()
    assert not rows["s2_customers"].any()


def test_what_differs_by_rounding_only_is_one_number():
    value = value_table()
    value["value_lots"][:] = 7.0 + 1e-13 * np.arange(400)[None, :, None, None]
    rows = base_rows(expand(assumptions(company()), programme(), NAMES), value, programme())
    assert np.ptp(rows["s1_value"]) == 0.0


@pytest.mark.parametrize(
    ("levers", "more", "sentence"),
    [
        ({"C": {}}, {}, "Name a segment of the study: expected one of A, B or its number, got C"),
        ({"A": {}, "1": {}}, {}, "under one heading: 1 stands there twice"),
        ({"A": {}}, {"reach": "members", "off_target": 0.1}, "Leave out off_target"),
        ({"A": {"value": VOLUME | {"value": 1.0}}}, {}, "value has a meaning of its own"),
        ({"A": {"x": VOLUME | {"value": 1.0, "programme": "uniform"}}}, {},
         "among the company's assumptions"),
        ({"A": {"x": VOLUME | {"value": 1.0, "per": "customer"}}}, {}, "for costs only"),
        ({"A": {"x": VOLUME | {"low": 5.0, "high": 1.0}}}, {}, r"A\.x\.low"),
    ],
)  # fmt: skip
def test_faults_are_named_in_words(levers, more, sentence):
    with pytest.raises(ValueError, match=sentence):
        expand(assumptions(company()), programme(levers, **more), NAMES)


def test_faults_between_company_and_programme():
    taken = assumptions(company(s1_price={"role": "base", "unit": "share", "value": 0.1}))
    with pytest.raises(ValueError, match="needs this one"):
        expand(taken, programme(), NAMES)
    twice = assumptions(company(dearer=effect("price", value=0.01)))
    with pytest.raises(ValueError, match=r"Count the effect once: .* dearer"):
        expand(twice, programme(), NAMES)


def test_segments_by_name_and_number():
    assert segment_number("B", NAMES) == 2
    assert segment_number("2", NAMES) == 2
    assert segment_number("3", NAMES) is None
    assert segment_number("0", NAMES) is None
    assert segment_number("²", NAMES) is None
