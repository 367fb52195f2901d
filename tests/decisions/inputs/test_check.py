"""Every fault of assumptions has a sentence that names it, and good assumptions have none."""

from typing import Any

import pytest

from softseg.decisions.inputs.check import faults
from softseg.decisions.inputs.faults import refusal
from softseg.decisions.inputs.schema import Assumptions
from softseg.errors import SchemaError


def table(**more: Any) -> dict[str, Any]:
    """Return small assumptions without a fault; `more` adds or replaces inputs."""
    inputs: dict[str, Any] = {
        "revenue": {"role": "revenue", "unit": "MEUR/year", "value": 50},
        "margin": {"role": "contribution_margin", "unit": "%", "low": 25, "high": 45},
        "realisation": {"role": "realisation", "unit": "%", "low": 20, "high": 80},
        "no_effect": {"role": "no_effect", "unit": "%", "value": 25},
        "sales_force": {"role": "base", "unit": "MEUR/year", "low": 1.5, "high": 2.5},
        "stock": {"role": "base", "unit": "MEUR", "value": 8},
        "churn_rate": {"role": "base", "unit": "%", "value": 10},
        "project": {"role": "one_off_cost", "unit": "EUR", "low": 95e3, "high": 250e3},
        "uplift": effect("volume"),
    }
    inputs |= more
    return {"horizon": 5, "inputs": {k: v for k, v in inputs.items() if v is not None}}


def effect(kind: str | None, base: Any = ("revenue",), **more: Any) -> dict[str, Any]:
    unit = "pp" if kind in ("mix", "margin") else "%"
    entry = {"role": "revenue_effect", "effect": kind, "unit": unit, "base": base}
    return {**entry, "low": 1, "high": 4, **more}


def found(data: dict[str, Any], language: str = "en") -> list[str]:
    return [fault.text(language) for fault in faults(Assumptions.model_validate(data))]


def test_good_assumptions_have_no_fault() -> None:
    good = table(
        capacity={"role": "running_cost", "unit": "%", "base": ["sales_force"], "value": 3},
        serve={"role": "running_cost", "unit": "%", "base": ["incremental_revenue"], "value": 3},
        tied={"role": "working_capital", "unit": "%", "base": ["incremental_revenue"], "value": 9},
        released={"role": "cash_release", "unit": "%", "base": ["stock"], "value": 10},
        saved={"role": "saving", "unit": "kEUR/year", "low": 75, "high": 300},
        served={"role": "saving", "unit": "%", "base": ["sales_force"], "low": 2, "high": 5},
        better=effect("margin"),
        churn=effect("churn", rate="churn_rate"),
        licence={
            "role": "one_off_cost",
            "unit": "EUR",
            "value": 9e3,
            "profile": {"ramp": (0.5, 0.5)},
        },
        nps={"role": "metric", "unit": "points", "low": 20, "high": 35},
        delay={"role": "delay", "unit": "years", "low": 0.2, "high": 1},
        elasticity={"role": "price_elasticity", "unit": "factor", "value": 1.5},
        growth={"role": "baseline_growth", "unit": "%", "value": -2},
    )
    good["scenarios"] = {"base": {}, "best": {"uplift": 4}}
    assert found(good) == []


@pytest.mark.parametrize(
    ("name", "entry", "sentence"),
    [
        (
            "uplift",
            effect("volume", unit="percent"),
            r"uplift.unit: Choose a known unit: .* got percent",
        ),
        (
            "project",
            {"role": "one_off_cost", "unit": "kUSD", "value": 9},
            "Convert the amounts to EUR: .* kUSD",
        ),
        (
            "project",
            {"role": "one_off_cost", "unit": "EUR/year", "value": 9},
            "One-off cost takes an amount, or a share with a base, got EUR/year",
        ),
        ("delay", {"role": "delay", "unit": "%", "value": 9}, "Delay takes years, got %"),
        ("uplift", effect("margin", unit="EUR"), "takes percentage points"),
        ("uplift", effect("price", unit="pp"), "takes a share"),
        (
            "uplift",
            effect("volume", base=()),
            "Say of what this is a share: .* the revenue that changes",
        ),
        ("run", {"role": "running_cost", "unit": "%", "value": 3}, "the sales force cost"),
        ("uplift", effect("volume", base=("revnue",)), "no.* id revnue. Is revenue meant"),
        ("uplift", effect("volume", base=("xyz",)), "id xyz. Known are revenue, margin"),
        (
            "uplift",
            effect("volume", base=("stock",)),
            "needed is an amount a year, stock is something else",
        ),
        ("uplift", effect("volume", base=("churn_rate",)), "needed is an amount a year"),
        ("uplift", effect("volume", base=("revenue", "sales_force")), "Keep one amount"),
        (
            "uplift",
            effect("volume", base=("incremental_revenue",)),
            "Name another base: incremental_revenue is for",
        ),
        (
            "run",
            {
                "role": "running_cost",
                "unit": "%",
                "value": 3,
                "base": ("incremental_revenue", "churn_rate"),
            },
            "Name incremental_revenue alone",
        ),
        (
            "tied",
            {"role": "working_capital", "unit": "%", "value": 3, "base": ("revenue",)},
            "Set the base to incremental_revenue",
        ),
        (
            "rate",
            {"role": "discount_rate", "unit": "%", "value": 3, "base": ("revenue",)},
            "Remove the base: the role Discount rate",
        ),
        (
            "sales_force",
            {"role": "base", "unit": "%", "value": 3, "base": ("sales_force",)},
            "circle of bases: sales_force → sales_force",
        ),
        ("uplift", effect(None), "Say what kind of revenue effect it is"),
        (
            "rate",
            {"role": "discount_rate", "unit": "%", "value": 3, "effect": "price"},
            "Remove the effect",
        ),
        ("uplift", effect("volume", rate="churn_rate"), "Remove the rate"),
        ("uplift", effect("churn"), "yearly churn rate"),
        ("uplift", effect("churn", rate="stock"), "Name a rate that is a share"),
        ("uplift", effect("churn", rate="churnrate"), "Is churn_rate meant"),
        (
            "uplift",
            effect("volume", margin="churn_rate"),
            "Name an input with the role contribution margin",
        ),
        (
            "project",
            {"role": "one_off_cost", "unit": "EUR", "value": 3, "margin": "margin"},
            "Remove the margin",
        ),
        ("uplift", effect("volume", in_margin=True), "only savings can show"),
        (
            "saved",
            {"role": "saving", "unit": "EUR/year", "value": 3, "in_margin": True},
            "there is no margin or mix effect",
        ),
        ("works", {"role": "metric", "unit": "%", "value": 3}, "Choose another id: works"),
        ("moves", {"role": "metric", "unit": "%", "value": 3}, "Choose another id: moves"),
        (
            "tax",
            {"role": "no_effect", "unit": "%", "value": 3},
            "Keep one input with the role Probability of no effect: no_effect",
        ),
        (
            "realisation",
            None,
            r"role realisation: the share of the stated effect .* \[inputs.realisation\]",
        ),
        ("no_effect", None, r"role no_effect: the probability .* \[inputs.no_effect\]"),
        ("margin", None, "role contribution_margin: uplift brings revenue"),
        (
            "other",
            {"role": "contribution_margin", "unit": "%", "value": 30},
            "uplift.margin: Say which contribution margin .* margin, other",
        ),
        ("uplift", effect("volume", base=("nps",)), "no.* id nps"),
        ("uplift", effect("volume", same_as="uplift"), "this one names itself"),
        (
            "uplift",
            effect("volume", same_as="stock"),
            "Give both the same kind of unit: stock has MEUR",
        ),
        ("uplift", effect("volume", overlaps=("uplfit",)), "Is uplift meant"),
        ("uplift", effect("volume", programme="uniform"), "Set the counterfactual to uniform"),
        ("uplift", effect("volume", profile={"start": 6}), "starts in year 6, the horizon is 5"),
        (
            "uplift",
            effect("volume", profile={"start": 3, "last": 2}),
            "the last year is 2, the start is 3",
        ),
        ("uplift", effect("volume", profile={"ramp": ()}), "at least one share"),
        (
            "uplift",
            effect("volume", profile={"ramp": (-0.5, 1)}),
            "shares from 0 on in the ramp, got -0.5",
        ),
        ("uplift", effect("volume", profile={"ramp": (50, 100)}), "5 the most, got 100"),
        (
            "rate",
            {"role": "discount_rate", "unit": "%", "value": 3, "profile": {"ramp": (1,)}},
            "Remove the ramp: the role Discount rate",
        ),
        (
            "project",
            {"role": "one_off_cost", "unit": "EUR", "value": 3, "profile": {"ramp": (0.5, 0.4)}},
            "add up to 1: their sum is 0.9",
        ),
        (
            "project",
            {
                "role": "one_off_cost",
                "unit": "EUR",
                "value": 3,
                "profile": {"start": 5, "ramp": (0.5, 0.5)},
            },
            "paid until year 6, the horizon is 5",
        ),
        (
            "project",
            {"role": "one_off_cost", "unit": "EUR", "value": 3, "profile": {"last": 2}},
            "spread by start and ramp alone",
        ),
        ("uplift", effect("volume", low=15, high=8), "uplift.low: Swap low and high"),
        (
            "realisation",
            {"role": "realisation", "unit": "share", "value": 1.2},
            "realisation.value: Give a share between 0 and 1",
        ),
        (
            "margin",
            {"role": "contribution_margin", "unit": "%", "low": 25, "high": 145},
            "margin.high: ",
        ),
        (
            "project",
            {"role": "one_off_cost", "unit": "EUR", "low": -5, "high": 5, "family": "lognormal"},
            "project.low: Give a low above 0",
        ),
        (
            "project",
            {"role": "one_off_cost", "unit": "EUR", "samples": (1,)},
            "project.samples: Give at least 2",
        ),
        ("project", {"role": "one_off_cost", "unit": "EUR"}, "project.value: Give a number"),
    ],
)
def test_each_fault_says_what_to_do(name: str, entry: Any, sentence: str) -> None:
    said = found(table(**{name: entry}))
    error = refusal(faults(Assumptions.model_validate(table(**{name: entry}))))
    with pytest.raises(SchemaError, match=sentence):
        raise error
    german = found(table(**{name: entry}), "de")
    assert len(german) == len(said)
    assert not set(german) & set(said)


def test_one_fault_does_not_draw_others() -> None:
    assert len(found(table(uplift=effect("volume", unit="percent")))) == 1
    assert len(found(table(uplift=effect("volume", base=("revnue",))))) == 1
    assert (
        len(
            found(
                table(
                    sales_force={
                        "role": "base",
                        "unit": "EUR/year",
                        "base": ("stock",),
                        "value": 1,
                    },
                    stock={"role": "base", "unit": "EUR", "base": ("sales_force",), "value": 1},
                )
            )
        )
        == 1
    )


def test_all_faults_are_found_at_once() -> None:
    data = table(realisation=None, project={"role": "one_off_cost", "unit": "X", "value": 1})
    data["inputs"]["uplift"] = effect("volume", low=5, high=1)
    assert len(found(data)) == 3


def test_bases_of_bases_are_refused_since_the_cash_flow_does_not_multiply_them() -> None:
    waste = {"role": "base", "unit": "%", "value": 20, "base": ("sales_force",)}
    saved = {"role": "saving", "unit": "%", "value": 20, "base": ("waste",)}
    assert "waste is a share of sales_force" in found(table(waste=waste, saved=saved))[0]
    good = table(waste={**waste, "base": ()}, saved={**saved, "base": ("waste", "sales_force")})
    assert found(good) == []


def test_metrics_are_no_base() -> None:
    data = table(
        uplift=effect("volume", base=("nps",)),
        nps={"role": "metric", "unit": "EUR/year", "value": 1},
    )
    assert found(data)[0].startswith("uplift.base: Give nps the role base")


def test_same_as() -> None:
    copy = {"role": "metric", "unit": "%", "same_as": "uplift"}
    assert found(table(copy=copy)) == []
    assert (
        "uplift is itself the same as"
        in found(table(copy=copy, uplift=effect("volume", same_as="churn_rate")))[0]
    )
    metric = {"role": "metric", "unit": "%", "value": 3}
    turned = found(table(nps=metric, uplift=effect("volume", same_as="nps")))
    assert "other way round: the metric nps" in turned[0]


def test_two_margins_are_told_apart_by_the_effects() -> None:
    other = {"role": "contribution_margin", "unit": "%", "value": 30}
    assert found(table(other=other, uplift=effect("volume", margin="other"))) == []


def test_sample_sets_have_one_length() -> None:
    one = {"role": "metric", "unit": "%", "samples": (1, 2, 3), "sample_set": "fit"}
    two = {"role": "metric", "unit": "%", "samples": (1, 2), "sample_set": "fit"}
    assert "as many samples as one has: 3, got 2" in found(table(one=one, two=two))[0]


def test_the_counterfactual_needs_a_uniform_programme() -> None:
    data = {**table(), "counterfactual": "uniform"}
    assert found(data)[0].startswith("counterfactual: Add inputs of the uniform programme")
    data["inputs"]["uplift"] = effect("volume", programme="both")
    assert found(data) == []


def test_the_ramp_of_the_file_is_checked() -> None:
    assert found({**table(), "ramp": ()}) == [
        "ramp: Give the ramp at least one share, or leave it out."
    ]


def test_there_have_to_be_inputs() -> None:
    assert any(s.startswith("inputs: Add the inputs") for s in found({"horizon": 1, "inputs": {}}))


def test_scenarios_pin_inputs_to_what_they_can_be() -> None:
    data = {**table(), "scenarios": {"best": {"uplft": 4, "no_effect": 120, "margin": 30}}}
    said = found(data)
    assert said[0].startswith("scenarios.best.uplft: Name an input that exists")
    assert said[1].startswith("scenarios.best.no_effect: Give a share between 0 and 100 %")
    assert len(said) == 2


def test_accepted_overlaps_name_inputs() -> None:
    said = found({**table(), "accepted_overlaps": [("uplift", "uplif")]})
    assert said[0].startswith("accepted_overlaps: Name an input that exists")


def test_impossible_correlations_and_unknown_factors() -> None:
    data = table(a=effect("volume", ("sales_force",)), b=effect("volume", ("sales_force",)))
    pairs = [("uplift", "a", 0.9), ("uplift", "b", 0.9), ("a", "b", -0.9)]
    correlations = [{"between": pair[:2], "rank": pair[2]} for pair in pairs]
    assert found({**data, "dependence": {"correlations": correlations}})[0].startswith("dependence")
    unknown = {"factors": {"f": {"loads": {"xyz": 0.5}}}}
    assert found({**data, "dependence": unknown})[0].startswith("dependence.factors.f.loads.xyz: ")
