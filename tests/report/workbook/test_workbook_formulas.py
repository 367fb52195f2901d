"""The formulas give what the model in Python gives: as written, and after changes of cells."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softseg.decisions.answers.scenarios import deterministic
from softseg.decisions.inputs.schema import Assumptions, Input
from softseg.decisions.inputs.units import read_unit
from softseg.decisions.model.accounting import ACCOUNTINGS
from softseg.decisions.model.cashflow import discount_factors, flows
from softseg.decisions.model.simulate import Simulation
from softseg.report.workbook import book
from softseg.report.workbook.book import scenario_cells
from softseg.report.workbook.formula import Formula
from softseg.report.workbook.ledger import Ledger
from workbook_reading import (
    Recalculated,
    content,
    edited,
    everything,
    example,
    input_cell,
    labelled,
    pages,
    simulated,
)

type Only = Callable[..., None]

ALL_CHECKS = "All checks (else: how many differ)"
EXACT = {"rel": 1e-9, "abs": 1e-6}
"""Amounts are up to 1e8, of which 1e-6 is less than 1e-9 of any of them that matters."""


def base_values(simulation: Simulation, scenario: str, **changes: float) -> dict[str, float]:
    """Return the inputs of a scenario in base units, some changed (in their own unit)."""
    inputs = simulation.assumptions.inputs
    own = scenario_cells(simulation)[scenario] | changes
    return {name: value * read_unit(inputs[name].unit).scale for name, value in own.items()}


def check_scenario(
    found: Recalculated, simulation: Simulation, scenario: str, values: Mapping[str, float]
) -> None:
    """Compare the table of scenarios with the model at the same values."""
    fixed = deterministic(simulation, values)
    risk = values["no_effect"]
    programmes = ("segmented",)
    if simulation.assumptions.counterfactual == "uniform":
        programmes = ("segmented", "uniform", None)
    for accounting in ACCOUNTINGS:
        for programme in programmes:
            row = found.scenario_row(scenario, accounting, programme)
            full = fixed.outcome(accounting, False, programme)
            realised = fixed.outcome(accounting, True, programme)
            benefit, cost = full.benefit.item(), full.cost.item()
            expected_npv = (1.0 - risk) * realised.benefit.item() - cost
            wanted = [benefit, cost, full.npv.item(), full.bcr.item(), full.roi.item()]
            wanted += [realised.npv.item(), realised.roi.item()]
            wanted += [expected_npv, expected_npv / cost]
            got = [found("results", f"{column}{row}") for column in "DEFGHIJKL"]
            for x, y in zip(got, wanted, strict=True):
                if np.isnan(y) or (programme is None and cost <= 0.0):
                    continue
                assert x == pytest.approx(y, **EXACT), (scenario, accounting, programme)


def check_years(
    found: Recalculated,
    assumptions: Assumptions,
    scenario: str,
    values: Mapping[str, float],
) -> None:
    """Compare the lines by year with `flows` and `discount_factors`."""
    for accounting, switches in ACCOUNTINGS.items():
        factors = discount_factors(assumptions, values, switches)
        rows = found.lines(scenario, accounting)
        assert found.years(rows["Discount factor"][0]) == pytest.approx(factors, rel=1e-9)
        programmes = ("segmented", "uniform")[: len(rows["Benefit, in full"])]
        for i, programme in enumerate(programmes):
            wanted = flows(assumptions, values, switches, programme)
            for label, name in (
                ("Additional revenue, total", "revenue"),
                ("Benefit, in full", "benefit"),
                ("Cost of the programme", "cost"),
                ("Money released (below 0: tied up)", "cash"),
            ):
                years = np.broadcast_to(getattr(wanted, name), factors.shape)
                assert found.years(rows[label][i]) == pytest.approx(years, **EXACT)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Only:
    """Leave all scenarios but some out: recalculation takes a second for 400 formulas."""

    def leave(*names: str) -> None:
        def some(simulation: Simulation) -> dict[str, dict[str, float]]:
            return {name: scenario_cells(simulation)[name] for name in names}

        monkeypatch.setattr(book, "scenario_cells", some)

    return leave


def test_example_recalculates_as_written(tmp_path: Path) -> None:
    simulation = example()
    workbook = content(simulation)
    found = Recalculated(workbook, tmp_path)
    for scenario in ("central", "base", "best", "worst", "break_even_point"):
        check_scenario(found, simulation, scenario, base_values(simulation, scenario))
    check_years(found, simulation.assumptions, "base", base_values(simulation, "base"))
    assert found(*labelled(workbook, "audit", ALL_CHECKS, "B")) == "OK"
    for sheet in ("results", "draws"):
        assert found(sheet, "A4") == "Now: the assumptions are those of the draws."
    assert found.differing() == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"margin_uplift": 2.2}, marks=pytest.mark.slow, id="another effect"),
        pytest.param(
            {"discount_rate": 11.5, "project_cost": 333_000.0}, id="another cost and rate"
        ),
    ],
)
def test_example_recalculates_changed_cells(
    change: dict[str, float], only: Only, tmp_path: Path
) -> None:
    only("base", "best")
    simulation = example()
    workbook = content(simulation, n_draws=4)
    cells = {input_cell(workbook, "base", name): value for name, value in change.items()}
    found = Recalculated(edited(workbook, cells), tmp_path)
    values = base_values(simulation, "base", **change)
    check_scenario(found, simulation, "base", values)
    check_years(found, simulation.assumptions, "base", values)
    check_scenario(found, simulation, "best", base_values(simulation, "best"))
    assert found(*labelled(workbook, "audit", ALL_CHECKS, "B")) == 4
    for sheet in ("results", "draws"):
        assert found(sheet, "A4").startswith("NOW: ASSUMPTIONS WERE CHANGED.")


OTHER_VALUES = {
    "price": 1.1,
    "churn": 20.0,
    "churn_rate": 17.0,
    "delay": 2.4,
    "software": 31_000.0,
    "working_capital": 25.0,
    "tax_rate": 10.0,
}


@pytest.mark.parametrize(
    "change",
    [pytest.param({}, id="as written"), pytest.param(OTHER_VALUES, id="other values")],
)  # fmt: skip
@pytest.mark.slow
def test_every_role_and_effect_recalculates(
    change: dict[str, float], only: Only, tmp_path: Path
) -> None:
    """Both programmes and their difference, delays, ramps, fading, tax, growth and cash."""
    only("good")
    simulation = simulated(everything())
    workbook = content(simulation, n_draws=4)
    cells = {input_cell(workbook, "good", name): value for name, value in change.items()}
    found = Recalculated(edited(workbook, cells) if cells else workbook, tmp_path)
    copies = {"software_again": change["software"] / 1000.0} if change else {}
    values = base_values(simulation, "good", **change, **copies)
    check_scenario(found, simulation, "good", values)
    check_years(found, simulation.assumptions, "good", values)
    if not change:
        assert found.differing() == []


@pytest.mark.slow
def test_changed_times_and_conventions_recalculate(only: Only, tmp_path: Path) -> None:
    only("good")
    written, changed = everything(), everything(convention="year_start", ramp=[0.1, 0.6, 0.8, 1.0])
    inputs = dict(changed.inputs)
    for name, profile in {
        "volume": {"start": 2, "last": 4},
        "margin": {"half_life": 1.5},
        "software": {"start": 3, "last": 5},
        "project": {"start": 1},
        "sales": {"last": 6},
    }.items():
        profile = inputs[name].profile.model_copy(update=profile)
        inputs[name] = inputs[name].model_copy(update={"profile": profile})
    changed = changed.model_copy(update={"inputs": inputs})
    workbook = content(simulated(written), n_draws=4)
    within = "The same as a number: years before the end of their year (0, 0.5 or 1)"
    # Start, last year, half-life and shares stand in this order from column C on.
    cells = {
        labelled(workbook, "assumptions", within, "B"): 1.0,
        labelled(workbook, "assumptions", "Ramp of effects without one of their own", "G"): 0.6,
        _second(workbook, "volume", "C"): 2,
        _second(workbook, "volume", "D"): 4,
        _second(workbook, "margin", "E"): 1.5,
        _second(workbook, "software", "C"): 3,
        _second(workbook, "software", "D"): 5,
        _second(workbook, "project", "C"): 1,
        _second(workbook, "sales", "D"): 6,
    }
    found = Recalculated(edited(workbook, cells), tmp_path)
    simulation = simulated(changed)
    values = base_values(simulation, "good")
    check_scenario(found, simulation, "good", values)
    check_years(found, changed, "good", values)


def _second(workbook: bytes, name: str, column: str) -> tuple[str, str]:
    """Return the cell of an input in the table of times, the second one that names it."""
    page = pages(workbook)["Assumptions"]
    row = [cell.row for cell in page["B"] if cell.value == name][1]
    return "assumptions", f"{column}{row}"


def test_formulas_of_many_structures_have_the_values_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the model's values are cached, those of the formulas are compared with them."""
    seen: list[float] = []

    def compared(
        self: Ledger, label: str, kind: str, years: Sequence[Formula] = (), **options: Any
    ) -> Any:
        cached = options.get("cached")
        if cached is not None:
            own = [formula.value for formula in years]
            assert own == pytest.approx(list(cached), rel=1e-10, abs=1e-6), label
            seen.extend(own)
        return written(self, label, kind, years, **options)

    written = Ledger.line
    monkeypatch.setattr(Ledger, "line", compared)
    rng = np.random.default_rng(5)
    for _ in range(12):
        simulation = simulated(varied(everything(), rng), 2)
        content(simulation, n_draws=2)
    assert len(seen) > 2000


def turned(entry: Input, rng: np.random.Generator) -> Input:
    """Return an input with its bases in another order, which is the same base."""
    return entry.model_copy(update={"base": tuple(rng.permutation(entry.base).tolist())})


def varied(assumptions: Assumptions, rng: np.random.Generator) -> Assumptions:
    """Return assumptions of another structure: inputs left out, other times and conventions."""
    needed = {"revenue", "service", "share_of_service", "churn_rate", "no_effect", "realisation"}
    needed |= {"service_margin", "software", "discount_rate", "tax_rate", "price", "delay"}
    inputs = {
        name: turned(with_profile(entry, rng) if entry.role != "one_off_cost" else entry, rng)
        for name, entry in assumptions.inputs.items()
        if name in needed or rng.random() < 0.8
    }
    if "deal_size" in inputs:  # dearer on the base that cross-selling has
        dearer = {"effect": "price", "margin": None}
        inputs["deal_size"] = inputs["deal_size"].model_copy(update=dearer)
    changes = {
        "inputs": inputs,
        "horizon": int(rng.integers(1, 9)),
        "convention": rng.choice(["year_end", "mid_year", "year_start"]).item(),
        "counterfactual": rng.choice(["nothing", "uniform"]).item(),
        "ramp": tuple(rng.random(rng.integers(1, 6))),
        "scenarios": {},
    }
    return assumptions.model_copy(update=changes)


def with_profile(entry: Input, rng: np.random.Generator) -> Input:
    """Return an input with other times."""
    changes = {
        "start": int(rng.integers(1, 4)),
        "ramp": tuple(rng.random(rng.integers(1, 5))) if rng.random() < 0.5 else None,
        "half_life": float(rng.uniform(0.5, 5.0)) if rng.random() < 0.4 else None,
        "last": int(rng.integers(3, 9)) if rng.random() < 0.4 else None,
    }
    return entry.model_copy(update={"profile": entry.profile.model_copy(update=changes)})


def test_draws_follow_the_multipliers(only: Only, tmp_path: Path) -> None:
    only("base")
    simulation = example()
    workbook = content(simulation, n_draws=40)
    cells = {
        labelled(workbook, "results", "All benefits times", "B"): 0.4,
        labelled(workbook, "results", "All costs times", "B"): 1.3,
        labelled(workbook, "assumptions", "Hurdle: the ROI to be exceeded", "B"): 0.5,
    }
    found = Recalculated(edited(workbook, cells), tmp_path)
    part = simulation.first(20)
    for column, adjusted in (("B", True), ("E", False)):
        outcome = part.outcome(adjusted=adjusted)
        npv = (0.4 * outcome.benefit - 1.3 * outcome.cost).ravel()
        cost = 1.3 * outcome.cost.ravel()
        wanted = {
            "Net present value: 5% of draws lie below": np.quantile(npv, 0.05),
            "Net present value: 50% of draws lie below": np.quantile(npv, 0.5),
            "Net present value, average": npv.mean(),
            "ROI: 95% of draws lie below": np.quantile(npv / cost, 0.95),
            "ROI of the averages: net present value ÷ cost": npv.mean() / cost.mean(),
            "Probability: net present value above 0": np.mean(npv > 0.0),
            "Probability: ROI above the hurdle": np.mean(npv / cost > 0.5),
        }
        for label, x in wanted.items():
            got = found(*labelled(workbook, "results", label, column))
            assert got == pytest.approx(x, rel=1e-9), label
