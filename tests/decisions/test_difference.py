"""What changed between two calculations: the steps add up, and each says what it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr

from softseg.decisions.changes import Change
from softseg.decisions.difference import explain
from softseg.decisions.inputs.schema import Assumptions, Correlation, Input
from softseg.decisions.model.simulate import RoiModel
from softseg.decisions.tree import to_tree
from softseg.errors import UsageError

VERSIONS = {"python": "3.12.1", "softseg": "0.1.0"}
EXAMPLE = RoiModel.example().assumptions


def tree_of(
    assumptions: Assumptions, seed: int = 1, draws: int = 64, replicates: int = 4, **more: Any
) -> xr.DataTree:
    simulation = RoiModel(assumptions).simulate(replicates, draws, seed)
    return to_tree(simulation, {}, seed=seed, **{"versions": VERSIONS, **more})


def changed(
    inputs: Mapping[str, Mapping[str, Any] | None] | None = None, **top: Any
) -> Assumptions:
    """Return the example with other fields of inputs, inputs left out (None), or other settings."""
    entries = dict(EXAMPLE.inputs)
    for name, fields in (inputs or {}).items():
        if fields is None:
            del entries[name]
        else:
            old = entries[name].model_dump() if name in entries else {}
            entries[name] = Input.model_validate({**old, **fields})
    return EXAMPLE.model_copy(update={"inputs": entries, "scenarios": {}, **top})


def mean(tree: xr.DataTree) -> float:
    npv = tree["outcome"].to_dataset()["npv"]
    return float(npv.sel(accounting="contribution_margin", adjusted=True).mean())


def check_sum(found: xr.Dataset, a: xr.DataTree, b: xr.DataTree) -> None:
    """The steps lead from the one mean to the other."""
    assert float(found["mean_npv_before"]) == pytest.approx(mean(a), rel=1e-12)
    assert float(found["mean_npv_after"]) == pytest.approx(mean(b), rel=1e-12)
    whole = mean(b) - mean(a)
    assert float(found["change"].sum()) == pytest.approx(whole, abs=1e-6 * abs(mean(a)) * 1e-3)
    assert float(found["value"][-1]) == pytest.approx(mean(b), rel=1e-10)


BASE = tree_of(EXAMPLE)


def test_equal_calculations_have_no_step() -> None:
    found = explain(BASE, tree_of(EXAMPLE))
    assert found.sizes["step"] == 0
    assert float(found["mean_npv_before"]) == float(found["mean_npv_after"])


def test_every_change_is_a_step_in_the_order_of_the_file() -> None:
    other = changed(
        {"margin_uplift": {"low": 0.4, "high": 2.0}, "project_cost": {"high": 400000.0}},
        horizon=6, ramp=(0.2, 1.0),
    )  # fmt: skip
    b = tree_of(other)
    found = explain(BASE, b)
    assert found["name"].values.tolist() == ["horizon", "ramp", "project_cost", "margin_uplift"]
    assert found["kind"].values.tolist() == ["setting", "setting", "input", "input"]
    assert found["before"].values.tolist() == [
        "5 years", "0, 0.5, 1", "95,000 – 250,000 EUR", "0.8 – 2.5 pp",
    ]  # fmt: skip
    assert found["after"].values[-1] == "0.4 – 2 pp"
    change = dict(zip(found["name"].values, found["change"].values, strict=True))
    assert change["horizon"] > 0
    assert change["ramp"] > 0
    assert change["project_cost"] < 0
    assert change["margin_uplift"] < 0
    assert np.isfinite(found["change_error"]).all()
    check_sum(found, BASE, b)


def test_a_cost_is_on_common_random_numbers_exactly_its_own_change() -> None:
    """A fixed cost of the first year, paid whether it works or not, shifts every draw alike."""
    more = {"audit": {"role": "one_off_cost", "unit": "EUR", "value": 10800.0}}
    b = tree_of(changed(more))
    found = explain(BASE, b)
    assert found["name"].values.tolist() == ["audit"]
    assert found["change"].item() == pytest.approx(-10800.0 / 1.08, rel=1e-9)
    assert found["change_error"].item() == pytest.approx(0.0, abs=1e-6)
    assert found["before"].item() == "not there"
    assert found["after"].item() == "10,800 EUR"
    check_sum(found, BASE, b)


def test_an_input_that_becomes_uncertain_leaves_the_others_their_points() -> None:
    """Only the step that says so has other points: those of the second calculation."""
    rate = {"discount_rate": {"value": None, "low": 7.9, "high": 8.1}}
    b = tree_of(changed(rate))
    found = explain(BASE, b)
    assert found["name"].values.tolist() == ["discount_rate", "points"]
    assert abs(found["change"].values[0]) < 1e-3 * mean(BASE)
    assert found["change_error"].values[0] < 1e-3 * mean(BASE)
    assert found["change_error"].values[1] > found["change_error"].values[0]
    check_sum(found, BASE, b)
    back = explain(b, BASE)
    assert back["change"].values[0] == pytest.approx(-found["change"].values[0], rel=0.05)


def test_stand_ins_keep_the_coordinates() -> None:
    added = {"service": {"role": "saving", "unit": "EUR/year", "low": 10.0, "high": 20.0}}
    other = changed({"sales_capacity": None} | added)
    change = Change(EXAMPLE, other, "en")
    assert change.moves == (("input", "sales_capacity"), ("input", "service"))
    draws = [RoiModel(change.mixed(moves)).simulate(1, 16).draws for moves in change.stations()]
    assert [d.uncertain == draws[0].uncertain for d in draws] == [True] * 3
    for name in ("revenue_uplift", "sales_force_cost", "savings"):
        assert all(np.array_equal(d.values[name], draws[0].values[name]) for d in draws)
    assert all(np.array_equal(d.works, draws[0].works) for d in draws)


def test_a_point_gets_a_place_beside_it() -> None:
    fixed = {"savings": {"value": 150000.0, "low": None, "high": None}}
    taken = {"savings_place": {"role": "base", "unit": "EUR", "value": 1.0}}
    change = Change(EXAMPLE, changed(fixed | taken), "en")
    inputs = change.mixed((("input", "savings"), ("input", "savings_place"))).inputs
    assert inputs["savings"].value == 150000.0
    assert inputs["savings_place_place"].role == "base"
    assert inputs["savings_place_place"].low == 75000.0


def test_what_contradicts_itself_in_between_is_moved_together() -> None:
    """The file may have one discount rate: the old one goes as the new one comes."""
    new = {"discount_rate": None, "wacc": {"role": "discount_rate", "unit": "%", "value": 9.0,
                                           "label": "Cost of capital"}}  # fmt: skip
    b = tree_of(changed(new))
    found = explain(BASE, b)
    assert found["name"].values.tolist() == ["discount_rate + wacc"]
    assert "Cost of capital" in found["label"].item()
    assert found["change"].item() < 0
    check_sum(found, BASE, b)


def test_dependence_seed_and_software_are_steps() -> None:
    dependence = EXAMPLE.dependence.model_copy(update={"correlations": ()})
    b = tree_of(
        changed(dependence=dependence), seed=2, draws=32, versions=VERSIONS | {"numpy": "3.0"}
    )
    found = explain(BASE, b, "de")
    assert found["name"].values.tolist() == ["dependence", "points", "software"]
    assert found["label"].values.tolist()[1:] == ["Andere Zufallspunkte", "Andere Software"]
    assert found["before"].values.tolist() == ["", "4 × 64 Ziehungen, Startwert 1", "numpy –"]
    assert found["after"].values.tolist() == ["", "4 × 32 Ziehungen, Startwert 2", "numpy 3.0"]
    assert found["change"].values[2] == 0.0
    check_sum(found, BASE, b)


def test_other_results_of_the_same_assumptions_are_the_software() -> None:
    b = tree_of(EXAMPLE, versions=VERSIONS | {"softseg": "0.2.0"})
    outcome = b["outcome"].to_dataset()
    b["outcome"] = xr.DataTree(outcome.assign(npv=outcome["npv"] + 1000.0))
    found = explain(BASE, b)
    assert found["name"].values.tolist() == ["software"]
    assert found["change"].item() == pytest.approx(1000.0)
    assert found["after"].item() == "softseg 0.2.0"


def test_texts_alone_are_no_step() -> None:
    other = changed({"savings": {"source": "Board paper", "evidence": "own_pilot"}})
    found = explain(BASE, tree_of(other))
    assert found.sizes["step"] == 0
    assert found.attrs["silent"] == "savings"


def test_a_range_written_in_another_way_is_no_step() -> None:
    """Neither another unit nor the family that was taken anyway changes a number."""
    other = changed(
        {
            "project_cost": {"unit": "kEUR", "low": 95.0, "high": 250.0},
            "revenue_uplift": {"family": "lognormal"},
            "discount_rate": {"unit": "share", "value": 0.08},
        }
    )
    found = explain(BASE, tree_of(other))
    assert found.sizes["step"] == 0
    assert found.attrs["silent"] == "discount_rate, project_cost, revenue_uplift"


def test_another_order_says_why_the_points_are_others() -> None:
    order = sorted(EXAMPLE.inputs)
    inputs = {name: EXAMPLE.inputs[name] for name in order}
    b = tree_of(EXAMPLE.model_copy(update={"inputs": inputs}))
    found = explain(BASE, b)
    assert found["name"].values.tolist() == ["points"]
    assert found["label"].item().startswith("Other random points, because the order")
    assert found["before"].item() == found["after"].item() == ""
    check_sum(found, BASE, b)


def test_fields_that_are_no_number_are_named() -> None:
    other = changed({"savings": {"in_margin": True}, "margin_uplift": {"family": "gamma"}})
    found = explain(BASE, tree_of(other))
    assert found["after"].values.tolist() == ["other: family", "other: in_margin"]


def test_samples_copies_and_correlations() -> None:
    samples = [float(x) for x in np.linspace(50_000, 300_000, 9)]
    weaker = Correlation(between=("revenue_uplift", "margin_uplift"), rank=0.2)
    other = changed(
        {
            "savings": {"low": None, "high": None, "samples": samples},
            "running_cost_first": {"low": None, "high": None, "same_as": "running_cost"},
        },
        dependence=EXAMPLE.dependence.model_copy(
            update={
                "correlations": (weaker,),
                "factors": {},
            }
        ),
        convention="mid_year",
        accepted_overlaps=(("running_cost_first", "running_cost"),),
    )  # fmt: skip
    b = tree_of(other)
    found = explain(BASE, b)
    assert found["name"].values.tolist()[:3] == ["convention", "running_cost_first", "savings"]
    assert found["after"].values.tolist()[:3] == ["mid-year", "= running_cost", "9 samples"]
    check_sum(found, BASE, b)
    check_sum(explain(b, BASE), b, BASE)


def test_the_counterfactual_is_a_step() -> None:
    uniform = {"plain_margin": {"role": "revenue_effect", "effect": "margin", "unit": "pp",
                                "base": ("revenue",), "value": 0.5, "programme": "uniform"},
               "margin_uplift": {"overlaps": ()}}  # fmt: skip
    b = tree_of(changed(uniform, counterfactual="uniform"))
    found = explain(BASE, b)
    assert found["name"].values.tolist() == ["counterfactual + plain_margin"]
    assert found["kind"].item() == "together"
    check_sum(found, BASE, b)


def test_one_replicate_has_no_error() -> None:
    a, b = (tree_of(one, replicates=1) for one in (EXAMPLE, changed(horizon=4)))
    found = explain(a, b)
    assert np.isnan(found["change_error"]).all()
    assert np.isnan(found["mean_npv_before_error"])


def test_currencies_must_be_equal() -> None:
    other = BASE.copy(deep=True)
    text = EXAMPLE.model_copy(update={"currency": "CHF"}).model_dump_json()
    other["assumptions"] = xr.DataTree(xr.Dataset({"json": ((), np.array(text))}))
    with pytest.raises(UsageError, match="Compare calculations in one currency"):
        explain(BASE, other)


def test_draws_of_a_fitted_model_cannot_be_drawn_again() -> None:
    other = tree_of(EXAMPLE, posterior=("savings",))
    with pytest.raises(UsageError, match="Compare calculations without the draws of a fitted"):
        explain(BASE, other)
