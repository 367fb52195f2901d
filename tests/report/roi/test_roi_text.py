import math
import typing
from collections.abc import Callable

import pytest

from roi_builders import UNIFORM
from softseg.decisions.answers.bridge import LADDER
from softseg.decisions.answers.collect import Answers
from softseg.decisions.inputs import schema
from softseg.decisions.inputs.units import PLAIN
from softseg.decisions.model.simulate import Simulation
from softseg.decisions.tree import assumptions_hash
from softseg.report.roi import numbers, tables, text
from softseg.report.roi.assumptions import how_read, record_rows, stated_range
from softseg.report.roi.compared import against_nothing
from softseg.report.roi.facts import RoiFacts
from softseg.wording import has

type Case = tuple[Simulation, Answers]
NAN = math.nan


@pytest.mark.parametrize(
    ("x", "error", "en", "de"),
    [
        (777_700.0, 3_400.0, "€780,000", "780.000 €"),
        (777_700.0, 2_900.0, "€778,000", "778.000 €"),
        (777_700.0, NAN, "€778,000", "778.000 €"),
        (-3_004_000.0, 25_000.0, "−€3.00M", "−3,00 Mio. €"),
        (-3_004_000.0, 250_000.0, "−€3.0M", "−3,0 Mio. €"),
        (999_960.0, NAN, "€1.00M", "1,00 Mio. €"),
        (2.5e9, NAN, "€2.50B", "2,50 Mrd. €"),
        (400.0, 900.0, "€0", "0 €"),
        (123.456, NAN, "€123", "123 €"),
        (1.4, NAN, "€1", "1 €"),
        (0.0, 0.0, "€0", "0 €"),
        (NAN, NAN, "–", "–"),
    ],
)
def test_money_has_the_digits_that_its_error_supports(
    x: float, error: float, en: str, de: str
) -> None:
    assert numbers.money(x, "EUR", "en", error) == en
    assert numbers.money(x, "EUR", "de", error).replace("\N{NO-BREAK SPACE}", " ") == de


@pytest.mark.parametrize(
    ("x", "error", "en"),
    [
        (1.614, 0.008, "161%"),
        (1.614, 0.08, "160%"),
        (28.49, 0.13, "2,850%"),
        (-1.0, 0.0, "−100%"),
        (0.025, NAN, "2.5%"),
        (0.0, 0.0, "0%"),
        (NAN, NAN, "–"),
    ],
)
def test_ratios(x: float, error: float, en: str) -> None:
    assert numbers.ratio(x, "en", error) == en


@pytest.mark.parametrize(
    ("p", "error", "en"),
    [
        (0.0, 0.0, "0%"),
        (1.0, 0.0, "100%"),
        (0.0001, NAN, "<0.1%"),
        (0.9999, NAN, ">99.9%"),
        (0.0123, NAN, "1.2%"),
        (0.0123, 0.01, "1%"),
        (0.003, 0.01, "<1%"),
        (0.997, 0.01, ">99%"),
        (0.7261, NAN, "73%"),
        (NAN, NAN, "–"),
    ],
)
def test_shares_are_never_0_or_100_but_where_they_are(p: float, error: float, en: str) -> None:
    assert numbers.share(p, "en", error) == en


def test_cases_are_counted_as_people_count() -> None:
    found = [numbers.cases(p, "en") for p in (0.0, 0.001, 0.271, 0.999, 1.0, NAN)]
    assert found == ["in none of the cases calculated", "in fewer than 1 of 100 cases",
                     "in 27 of 100 cases", "in more than 99 of 100 cases",
                     "in all cases calculated", "–"]  # fmt: skip


def test_stated_numbers_are_shown_in_full() -> None:
    assert numbers.stated(1234567.5, "EUR", "de") == "1.234.567,50 €"
    assert numbers.stated(95_000.0, "EUR", "de") == "95.000 €"
    assert numbers.stated(0.225, "share", "en") == "22.5%"
    assert numbers.stated(0.07, "share", "de") == "7\N{NO-BREAK SPACE}%"
    assert numbers.in_unit(0.225, "share", "en") == "22.5%"
    assert numbers.stated(15.789473684, "%", "de") == "15,7895\N{NO-BREAK SPACE}%"
    assert numbers.stated(1.5, "MEUR/year", "en") == "1.5 million EUR a year"
    assert numbers.plain(1e16, "en") == "1e+16"


def test_times_are_years_or_never() -> None:
    assert numbers.years(2.44, "de") == "2,4 Jahre"
    assert numbers.years(2.44, "en", 0.9) == "2 years"
    assert numbers.years(0.02, "en") == "<\N{NO-BREAK SPACE}0.1 years"
    assert numbers.years(math.inf, "en") == "not within the horizon"


def test_errors_have_one_digit() -> None:
    assert numbers.error_of_money(1234.0, "EUR", "en") == "€1,000"
    assert numbers.error_of_money(0.2, "EUR", "en") == "€0"
    assert numbers.points(0.00234, "de") == "0,2 Punkte"
    assert numbers.gain(1500.0, "EUR", "en") == "+€1,500"
    assert numbers.gain(0.0, "EUR", "en") == "€0"


def test_every_word_of_the_schema_is_in_the_catalogue() -> None:
    words = {
        "role": schema.ROLES,
        "effect": schema.EFFECTS,
        "family": (*schema.FAMILIES, "point", "samples"),
        "evidence": schema.EVIDENCE,
        "step": (*LADDER, "total"),
        "why": LADDER,
        "method.convention": typing.get_args(schema.Convention.__value__),
        "unit": [{"%": "percent", "count/year": "count_year"}.get(u, u) for u in PLAIN],
    }
    missing = [f"{group}.{name}" for group, names in words.items() for name in names
               if not has(f"roi_report.{group}.{name}")]  # fmt: skip
    assert missing == []


def test_ranges_are_read_back_in_words(plain: Case) -> None:
    facts = RoiFacts(*plain, "en")
    inputs = facts.assumptions.inputs
    assert stated_range(facts, inputs["revenue"]) == "50 million EUR a year"
    assert how_read(facts, inputs["revenue"]) == "one value, no range"
    samples = inputs["revenue"].model_copy(update={"value": None, "samples": (1.0, 2.5)})
    assert stated_range(facts, samples) == "1 to 2.5 million EUR a year"
    assert how_read(facts, samples) == "2 draws given"
    copied = inputs["uplift"].model_copy(update={"same_as": "uplift"})
    assert how_read(facts, copied) == "copied from: Uplift"
    limits = inputs["running"].model_copy(update={"sure": 1.0, "family": "triangular"})
    assert how_read(facts, limits).startswith("never outside; triangular; most likely")


def test_shares_are_read_back_in_per_cent(plain: Case) -> None:
    facts = RoiFacts(*plain, "de")
    assert stated_range(facts, facts.assumptions.inputs["realisation"]) == (
        "30 bis 80\N{NO-BREAK SPACE}%"
    )


@pytest.mark.parametrize("x", [-0.33496, -0.335, -0.0449, 0.0449, 0.5851, 1.585, 28.4951])
def test_what_a_euro_earns_agrees_with_the_roi_beside_it(x: float) -> None:
    for error in (NAN, 0.0008, 0.02):
        shown = float(numbers.ratio(x, "en", error).replace("−", "-").replace(",", "")[:-1])
        assert numbers.as_shown(x, error) == pytest.approx(shown / 100.0)


def test_the_record_holds_the_hash_and_what_the_run_says(plain: Case) -> None:
    facts = RoiFacts(*plain, "en")
    rows = dict(record_rows(facts, {"seed": "3"}))
    assert assumptions_hash(facts.assumptions) in rows.values()
    assert rows["Seed of the random numbers"] == "3"
    assert "abc" in dict(record_rows(facts, {"hash": "abc"})).values()


def test_information_says_what_to_find_out_first(make_case: Callable[..., Case]) -> None:
    pilot = text.information_sentence(RoiFacts(*make_case(), "en"))
    assert pilot.startswith("Before more cost estimates: a pilot. Knowing in advance whether")
    sure = {"no_effect": {"value": 0.0}}
    safe = text.information_sentence(
        RoiFacts(*make_case(sure | {"project": {"low": 1.0, "high": 2.0}}), "en")
    )
    assert safe.startswith("Knowing more would not change the decision")
    dear = {"project": {"low": 50.0, "high": 5000.0}}
    cost = text.information_sentence(RoiFacts(*make_case(sure | dear), "en"))
    assert cost.startswith("Before anything else: get offers for “Project”.")


def test_findings_of_a_programme_that_never_pays(make_case: Callable[..., Case]) -> None:
    facts = RoiFacts(*make_case({"project": {"low": 9e4, "high": 2e5}}), "en")
    lines = text.findings(facts)
    assert "a loss of" in lines[0]
    assert lines[1].startswith("The programme pays in none of the cases calculated")
    assert lines[3].startswith("In all cases calculated the money spent is not back")


def test_a_programme_beside_another_one_is_told_against_it_and_against_nothing(
    make_case: Callable[..., Case], plain: Case
) -> None:
    """A gain over a programme without segments is not yet a gain over doing nothing."""
    dear = {"project": {"low": 9e2, "high": 2e3}} | UNIFORM
    dear["campaign"] = UNIFORM["campaign"] | {"low": 5e5, "high": 8e5}
    facts = RoiFacts(*make_case(dear, counterfactual="uniform"), "en")
    lines = text.findings(facts)
    at = {"accounting": "contribution_margin", "adjusted": True}
    for name, words in (("segmented", "with segments pays"), ("uniform", "the one without")):
        chance = float(facts.answers.programmes[name]["p_npv_positive"].sel(at))
        assert f"{words} {facts.cases(chance)}" in lines[0]
    assert lines[0].startswith("The yardstick is the best programme without segments")
    assert "On average both are worse than doing nothing." in lines[0]
    assert any("leaves more, in today's money, than the best" in line for line in lines)
    assert any("divided by the additional costs" in line for line in lines)
    assert "the best programme without segments leaves more" in text.reading(facts)[1][0]
    good = RoiFacts(*make_case(UNIFORM, counterfactual="uniform"), "en")
    assert "worse than doing nothing" not in text.findings(good)[0]
    alone = RoiFacts(*plain, "en")
    assert against_nothing(alone) == ""
    assert not any("without segments" in line for line in text.findings(alone))


def test_a_cost_that_must_not_even_be_nothing_says_so(make_case: Callable[..., Case]) -> None:
    facts = RoiFacts(*make_case({"running": {"low": 9e5, "likely": 1e6, "high": 2e6}}), "en")
    project = dict(tables.break_even_rows(facts))["Project"]
    assert project[1] == ("not even at 0", "not even at 0 … not even at 0")
    assert project[4] == "100%"


def test_the_caption_of_the_years_names_the_diamond_where_there_is_one(
    plain: Case, make_case: Callable[..., Case]
) -> None:
    assert "The diamond is the payback time" in text.captions(RoiFacts(*plain, "en"))["fan"]
    never = make_case({"project": {"low": 9e4, "high": 2e5}})
    assert "diamond" not in text.captions(RoiFacts(*never, "en"))["fan"]


def test_extremes_rarer_than_one_in_a_thousand_are_told_in_words(
    make_case: Callable[..., Case],
) -> None:
    far = {"best": {"uplift": 40.0, "better": 9.0}}
    line = text.reading(RoiFacts(*make_case(scenarios=far), "en"))[1][3]
    assert "happens in fewer than 1 of 1,000 cases" in line


def test_the_ebit_margin_names_its_unit_once(make_case: Callable[..., Case]) -> None:
    ebit = {"label": "EBIT", "role": "ebit_margin", "unit": "%", "value": 6.5}
    head, rows = tables.year_rows(RoiFacts(*make_case({"ebit": ebit}), "de"))
    column = head.index("Änderung der EBIT-Marge (Prozentpunkte)")
    assert all(set(cell) <= set("0123456789,−bis ") for cell in rows[-1][1][column])


def test_the_judgement_sentence_sums_the_evidence(plain: Case) -> None:
    facts = RoiFacts(*plain, "en")
    share = float(plain[1].evidence["share"].sel(outcome="npv", evidence="expert"))
    error = float(plain[1].evidence["judgement_error"].sel(outcome="npv"))
    line = text.driver_lines(facts)[1]
    assert line.startswith(
        f"{facts.share(share, error)} of this band's variance rests on judgement"
    )


def test_rows_have_as_many_cells_as_their_heads(plain: Case) -> None:
    facts = RoiFacts(*plain, "en")
    assert {len(cells) for _, cells in tables.headline_rows(facts)} == {4}
    head, rows = tables.year_rows(facts)
    assert {len(cells) for _, cells in rows} == {len(head)}
    assert {len(cells) for _, cells in tables.scenario_rows(facts)} == {5}
    assert {len(cells) for _, cells in tables.break_even_rows(facts)} == {5}
    assert {len(cells) for _, cells in tables.driver_rows(facts)} == {4}
    assert {len(cells) for _, cells in tables.information_rows(facts)} == {2}


def test_where_all_is_often_lost_the_band_of_the_roi_says_so(plain: Case) -> None:
    facts = RoiFacts(*plain, "en")
    line = text.findings(facts)[2]
    lost = float((facts.draws("roi") <= -1.0 + 1e-9).mean())
    assert lost > 0.05
    assert f"I{facts.cases(lost)[1:]} all of the money is lost (−100%); in 95 of 100" in line
    assert "90% of all cases lie between" not in line


def test_where_little_is_lost_the_band_of_the_roi_has_two_ends(
    make_case: Callable[..., Case],
) -> None:
    line = text.findings(RoiFacts(*make_case({"no_effect": {"value": 0.0}}), "en"))[2]
    assert "90% of all cases lie between" in line


def test_sobol_indices_stand_for_independent_inputs_and_the_others_are_named(plain: Case) -> None:
    facts = RoiFacts(*plain, "en")
    data = plain[1].sobol
    assert data is not None
    rows = dict(tables.sobol_rows(facts))
    value, error = facts.number(data, "total", input="works")
    assert rows[facts.label("works")][1] == (
        facts.share(value, error), tables.error_text(facts, error, facts.share)
    )  # fmt: skip
    assert not {"Uplift", "Better margin", "Project", "Running"} & set(rows)
    note = tables.sobol_note(facts)
    assert "“Uplift” and “Better margin”" in note
    assert "move together with others" in note


def test_without_dependence_no_input_is_left_out_of_the_sobol_indices(
    make_case: Callable[..., Case],
) -> None:
    facts = RoiFacts(*make_case(dependence={}), "en")
    assert tables.sobol_note(facts) == ""
    assert "Uplift" in dict(tables.sobol_rows(facts))


def test_captions_say_what_holds_only_where_the_programme_works(
    plain: Case, make_case: Callable[..., Case]
) -> None:
    found = text.captions(RoiFacts(*plain, "en"))
    assert "given that the programme works" in found["frontier"]
    assert "The programme works in 75 of 100 cases" in found["frontier"]
    sure = text.captions(RoiFacts(*make_case({"no_effect": {"value": 0.0}}), "en"))
    assert "of 100 cases" not in sure["frontier"]
    assert "not to scale" in found["density"]
    assert "not to scale" not in sure["density"]


def test_scenarios_and_tails_stand_side_by_side(
    plain: Case, make_case: Callable[..., Case]
) -> None:
    facts = RoiFacts(*plain, "en")
    tail = facts.number(
        plain[1].tails, "mean_roi", side="worst", accounting="contribution_margin", adjusted=True
    )
    assert f"the worst 5% of all cases have {facts.ratio(*tail)}" in text.density_told(facts)
    without = {"uplift": None, "better": None}
    bare: dict[str, typing.Any] = {"dependence": {}, "scenarios": {}, "accepted_overlaps": []}
    assert text.density_told(RoiFacts(*make_case(without, **bare), "en")) == ""


def test_no_line_ends_before_a_per_cent_sign(plain: Case) -> None:
    facts = RoiFacts(*plain, "de")
    assert "5\N{NO-BREAK SPACE}% aller Fälle" in facts.say("density.lead")
    assert numbers.points(0.00997, "de") == "1 Punkt"
    assert numbers.multiple(2.584, "de", 0.004) == "2,58"
