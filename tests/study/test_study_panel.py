"""A study with a panel: what it does not take, and what it finds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from small_panel_study import frame, read_panel_study, total, write_panel_study
from small_study import stand_ins, to_do, write_study
from softseg.decisions.model.moving import Moving
from softseg.errors import FileError, SchemaError
from softseg.results.storage import load
from softseg.runs.folder import open_run
from softseg.study.answering import ledger_of
from softseg.study.demo import write_example_panel_study
from softseg.study.file import Study
from softseg.study.names import renamed
from softseg.study.result import StudyResult
from softseg.study.work import Work


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyResult]:
    """A study that has been done, as it came back."""
    base = tmp_path_factory.mktemp("panel_study")
    with stand_ins():
        yield read_panel_study(base).run(base / "run")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {
                'number = 2\nnames = ["Busy", "Quiet"]': 'number = "choose"',
                '"Busy"': '"1"',
                '"Quiet"': '"2"',
            },
            "with a panel it is not chosen by itself",
        ),
        ({"number = 2": "number = 2\ncompare = [1, 2]"}, "Leave out compare"),
        ({"[fit]": "[migration.inflow.Other]\nvalue = 3.0\n\n[fit]"}, "Name a segment out of"),
        ({"[fit]": "[migration.inflow.Busy]\nlow = 3.0\n\n[fit]"}, "new customers of a year"),
        ({"[fit]": "[migration.inflow]\nBusy = 3.0\n\n[fit]"}, "Busy, line 56: Give the new cust"),
        ({'to = "churned"': 'to = "Nobody"'}, "keep.to, line 33: Name where customers go"),
        ({'to = "churned"': 'to = "Busy"'}, "keep.to, line 33: Name where customers go"),
        ({'to = "churned"\n': ""}, "keep.*: Say where customers go"),
        ({'to = "churned"': 'to = "churned"\nfreed = "x"'}, "line 34: Choose one of stay, prop"),
    ],
)
def test_what_a_study_with_a_panel_does_not_take(
    tmp_path: Path, changes: dict[str, str], expected: str
) -> None:
    with pytest.raises(SchemaError, match=expected):
        read_panel_study(tmp_path, changes)


def test_a_fault_of_a_lever_is_counted_once(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"^Mend the study first, faults found: 1\.\n- programme"):
        read_panel_study(tmp_path, {'to = "churned"': 'to = "Nobody"'})


def test_a_panel_needs_the_column_of_its_period(tmp_path: Path) -> None:
    path = write_panel_study(tmp_path)
    schema = tmp_path / "given.toml"
    schema.write_text(schema.read_text(encoding="utf-8").replace('period = "quarter"\n', ""))
    with pytest.raises(SchemaError, match=r"given\.toml: Name the column of the period"):
        Study.from_toml(path)


@pytest.mark.parametrize(
    "changes",
    [
        {'effect = "cross_selling"': 'effect = "transition"\nto = "Quiet"'},
        {"[fit]": "[migration.inflow.Busy]\nvalue = 3.0\n\n[fit]"},
    ],
)
def test_moves_and_inflow_need_a_panel(tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(SchemaError, match="Give the study a panel"):
        Study.from_toml(write_study(tmp_path, changes))


def test_an_inflow_changes_the_money_alone(tmp_path: Path, result: StudyResult) -> None:
    base = result.folder.parent
    changed = read_panel_study(base, {"[fit]": "[migration.inflow.Busy]\nvalue = 3.0\n\n[fit]"})
    assert to_do(changed, result.folder) == ["money", "report"]
    same = read_panel_study(base, {"[fit]": "[migration.inflow.1]\nvalue = 3.0\n\n[fit]"})
    assert same.migration.inflow.keys() == {"1"}
    assert to_do(read_panel_study(base), result.folder) == []


def test_other_names_follow_everywhere(tmp_path: Path) -> None:
    study = read_panel_study(
        tmp_path,
        {"to = \"churned\"": 'to = ["Quiet", "churned"]',
         "[fit]": "[migration.inflow.Quiet]\nvalue = 3.0\n\n[fit]"},
    )  # fmt: skip
    found = renamed(study, ("Lively", "Calm"))
    assert found.programme.segments[0].inputs["keep"].to == ("Calm", "churned")
    assert found.migration.inflow.keys() == {"Calm"}


def test_the_customers_of_today(result: StudyResult) -> None:
    table = frame()
    gone = set(table.loc[table["left"] == "yes", "customer"])
    tree = open_run(result.folder / "segments").tree()
    assert tree["membership"].sizes["customer"] == table["customer"].nunique() - len(gone)
    mean = tree["membership"]["mean"]
    assert (mean.sum("segment") <= 1.0 + 1e-9).all()
    assert float(tree["sizes"]["customers_mean"].sum()) == pytest.approx(float(mean.sum()))
    assert result.passed


def test_value_and_ledger(result: StudyResult) -> None:
    value: xr.Dataset = load(result.folder / "value.nc")["value"].to_dataset()
    by_lot, expected = (value[f"value_{kind}"].sum("segment") for kind in ("lots", "expected"))
    np.testing.assert_allclose(by_lot.mean("sample"), expected.mean("sample"), rtol=0.05)
    assert (by_lot <= value["value_treated"] + 1e-6).all()
    assert value.attrs["per_year"] == 4
    assert (value["effective"] <= value["customers_now"] + 1e-9).all()
    np.testing.assert_allclose(value["transition"].sum("state_to"), 1.0)
    findings = result.findings
    assert findings is not None
    assert findings.ledger is not None
    assert findings.ledger.table_total == pytest.approx(total(), rel=1e-9)


def test_migration_is_in_the_money(result: StudyResult) -> None:
    findings: Any = result.findings
    moving = findings.simulation.whole.draws.moving
    assert isinstance(moving, Moving)
    again = StudyResult.load(result.folder).findings
    assert again is not None
    assert again.simulation is not None
    npv = [one.simulation.whole.outcome().npv for one in (findings, again)]
    assert np.array_equal(npv[0], npv[1])
    parts = findings.parts
    assert list(parts["split"]["block"].values) == [
        "parameters", "membership", "migration", "chance", "judgement"
    ]  # fmt: skip
    sums = sum(float(parts["migrated"][f"mean_{name}"]) for name in ("without", "base", "levers"))
    assert sums == pytest.approx(npv[0].mean(), rel=1e-9)
    assert float(parts["migrated"]["mean_levers"]) > 0.0


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_example_of_36_months(tmp_path: Path, language: str) -> None:
    study = Study.from_toml(write_example_panel_study(tmp_path / "example", language))
    work = Work(study, tmp_path / "run")
    assert study.language == language
    assert len(work.panel.periods) == 36
    assert ledger_of(work).difference == pytest.approx(0.0, abs=1.0)
    churned = work.panel.notes.churned
    years = len(work.panel.period) / 12
    assert 0.06 < churned / years < 0.10


def test_the_example_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FileError, match="file"):
        write_example_panel_study(tmp_path / "file")
