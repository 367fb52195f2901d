"""The stages of a study: what each depends on, which of them run, and what they leave."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small_study import (
    STUDY,
    TOO_SHORT,
    TOTAL,
    copied,
    done_study,
    frame,
    read,
    stand_ins,
    to_do,
    write_study,
)
from softseg.errors import DataError, FileError, FolderLocked, UsageError
from softseg.runs.lock import locked
from softseg.study.file import Study
from softseg.study.result import StudyResult
from softseg.study.stages import STAGES, stage_keys

FOUR = ("segments", "value", "money", "report")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyResult]:
    """A study that has been done, as it came back."""
    found = done_study(tmp_path_factory)
    with stand_ins():
        yield found


@pytest.fixture
def done(result: StudyResult) -> Path:
    """Where its files stand, beside its folder."""
    return result.folder.parent


@pytest.fixture
def base(result: StudyResult, tmp_path: Path) -> Path:
    """The same of one's own."""
    return copied(result, tmp_path / "own")


def run(base: Path, **options: Any) -> StudyResult:
    return Study.from_toml(base / "study.toml").run(base / "run", **options)


def left(base: Path) -> list[str]:
    return to_do(Study.from_toml(base / "study.toml"), base / "run")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# --- keys


@pytest.mark.parametrize(
    ("old", "new", "first"),
    [
        ("draws = 400", "draws = 401", "segments"),
        ("seed = 5", "seed = 6", "segments"),
        ("number = 2", "number = 3", "segments"),
        ("compare = [1, 2, 3]", "compare = [1, 2]", "value"),
        ("compare = [1, 2, 3]", "compare = [3, 2, 1]", "report"),
        ("handling = 10.0", "handling = 11.0", "money"),
        ("high = 8.0", "high = 9.0", "money"),
        ("tolerance = 0.05", "tolerance = 0.04", "money"),
        ("draws = 64", "draws = 128", "money"),
        ("seed = 5", "seed = 5\nplug_in = true", "money"),
        ("Sell more.", "Sell even more.", "report"),
        ('language = "en"', 'language = "de"', "report"),
        ("Busy", "Lively", "report"),
        ("prepared = 2026-03-02", "prepared = 2026-03-03", "report"),
        ("seed = 5", "seed = 5\nsmallest_cell = 5", "report"),
    ],
)
def test_keys_say_what_depends_on_what(tmp_path: Path, old: str, new: str, first: str) -> None:
    path = write_study(tmp_path)
    before = stage_keys(Study.from_toml(path))
    assert old in STUDY
    text = path.read_text(encoding="utf-8").replace(old, new)
    if first == "segments" and "number" in new:
        text = text.replace('names = ["Quiet", "Busy"]', 'names = ["Quiet", "Busy", "More"]')
    path.write_text(text, encoding="utf-8")
    after = stage_keys(Study.from_toml(path))
    changed = [stage for stage in STAGES if before[stage] != after[stage]]
    assert changed == [*STAGES[STAGES.index(first) :]]  # type: ignore[arg-type]


def test_the_order_of_the_levers_counts(tmp_path: Path) -> None:
    study = read(tmp_path)
    entry = study.programme.segments[0]
    turned = entry.model_copy(update={"inputs": dict(reversed(entry.inputs.items()))})
    entries = (turned, *study.programme.segments[1:])
    programme = study.programme.model_copy(update={"segments": entries})
    other = stage_keys(study.model_copy(update={"programme": programme}))
    assert other["money"] != stage_keys(study)["money"]
    assert other["value"] == stage_keys(study)["value"]


# --- which stages run


def test_nothing_runs_twice(base: Path) -> None:
    manifest = (base / "run" / "manifest.json").read_bytes()
    assert run(base).ran == ()
    assert (base / "run" / "manifest.json").read_bytes() == manifest


def test_a_changed_table_or_schema_concerns_everything(base: Path) -> None:
    assert left(base) == []
    table = frame()
    table.loc[0, "orders"] += 1
    table.to_csv(base / "customers.csv", index=False)
    assert left(base) == [*FOUR]
    frame().to_csv(base / "customers.csv", index=False)
    assert left(base) == []
    change(base / "given.toml", "[value.revenue]", "[value.revenue] # in a year")
    assert left(base) == [*FOUR]


def test_a_changed_assumption_runs_money_and_report(base: Path, result: StudyResult) -> None:
    before = result.findings
    change(base / "company.toml", "high = 300.0", "high = 3000.0")
    after = run(base)
    assert after.ran == ("money", "report")
    assert before is not None
    assert after.findings is not None
    assert before.answers is not None
    assert after.findings.answers is not None
    was, now = (float(a.headline["mean_npv"][-1, -1]) for a in
                (before.answers, after.findings.answers))  # fmt: skip
    assert now < was


def test_names_and_language_run_the_report_alone(base: Path, result: StudyResult) -> None:
    money = (base / "run" / "study.nc").read_bytes()
    draws = np.asarray(result.findings.tree["posterior"]["share"])  # type: ignore[union-attr]
    change(base / "study.toml", "Busy", "Lively =1+1")
    change(base / "study.toml", 'language = "en"', 'language = "de"')
    again = run(base, only="report")
    assert again.ran == ("report",)
    assert (base / "run" / "study.nc").read_bytes() == money
    found = again.findings
    assert found is not None
    assert found.segment_names == ("Quiet", "Lively =1+1")
    assert found.parts["choices"]["segment_name"].values.tolist() == ["Quiet", "Lively =1+1"]
    assert found.simulation is not None
    inputs = found.simulation.whole.assumptions.inputs
    assert inputs["s2_cross"].label.startswith("Lively =1+1")
    assert found.tree["membership"].to_dataset()["segment_name"].to_numpy().tolist() == [
        "Quiet",
        "Lively =1+1",
    ]
    assert np.array_equal(found.tree["posterior"]["share"], draws)
    assert "lang=de" in (base / "run" / "report.html").read_text(encoding="utf-8")
    assert 'lang="de"' in (base / "run" / "segments" / "report.html").read_text(encoding="utf-8")
    assert left(base) == []


def test_damaged_files_are_made_again(base: Path) -> None:
    for name, stage in (("study.csv", "money"), ("segments/profiles.csv", "segments")):
        before = (base / "run" / name).read_bytes()
        (base / "run" / name).write_text("other", encoding="utf-8")
        assert left(base) == [stage]
        (base / "run" / name).write_bytes(before)
    (base / "run" / "value.nc").unlink()
    (base / "run" / "report.html").unlink()
    assert run(base).ran == ("value", "report")


def test_stages_run_alone(base: Path) -> None:
    change(base / "study.toml", "handling = 10.0", "handling = 20.0")
    with pytest.raises(UsageError, match="Run the stage money first, or leave out --only report"):
        run(base, only="report")
    assert run(base, only="value").ran == ()
    found = run(base, only="money")
    assert found.ran == ("money",)
    assert found.pending == ("report",)


def test_old_money_is_not_told_as_the_present_one(base: Path) -> None:
    change(base / "study.toml", "handling = 10.0", "handling = 20.0")
    found = run(base, until="value")
    assert found.ran == ()
    assert found.pending == ("money", "report")
    assert found.findings is not None
    assert found.findings.answers is None
    assert found.findings.ledger is None


def test_money_of_other_segments_is_refused(base: Path) -> None:
    change(base / "study.toml", "number = 2", "number = 3")
    change(base / "study.toml", '"Busy"]', '"Busy", "Other"]')
    change(base / "study.toml", "draws = 400", "draws = 10")
    found = run(base, until="segments")
    assert found.ran == ("segments",)
    assert found.pending == FOUR[1:]
    assert found.findings is not None
    assert found.findings.segment_names == ("Quiet", "Busy", "Other")
    assert (base / "run" / "study.nc").is_file()
    with pytest.raises(FileError, match="the study in run is not complete"):
        StudyResult.load(base / "run")


def test_stopping_and_going_on(result: StudyResult, tmp_path: Path) -> None:
    base = copied(result, tmp_path, fitted_only=True)
    first = run(base, until="segments")
    assert first.ran == ()
    assert first.pending == FOUR[1:]
    assert first.findings is not None
    assert first.findings.answers is None
    with pytest.raises(FileError, match="the study in run is not complete"):
        StudyResult.load(base / "run")
    assert run(base, until="money").ran == ("value", "money")
    assert not (base / "run" / "report.html").exists()
    assert left(base) == ["report"]


def test_stages_have_names(base: Path) -> None:
    with pytest.raises(UsageError, match="Choose a stage out of segments, value, money, report"):
        run(base, only="fit")
    with pytest.raises(UsageError, match="Give either --only or --until"):
        run(base, only="money", until="report")


# --- what they leave


def test_the_folder(result: StudyResult, done: Path) -> None:
    assert result.ran == FOUR
    assert result.pending == ()
    folder = done / "run"
    names = {
        "assumptions.toml", "customers_first.csv", "figures", "manifest.json", "report.html",
        "segments", "study.csv", "study.nc", "study.toml", "study.xlsx", "value.nc",
    }  # fmt: skip
    assert {path.name for path in folder.iterdir()} == names
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert list(manifest["stages"]) == [*FOUR]
    assert str(done) not in text
    listed = {name for stage in manifest["stages"].values() for name in stage["files"]}
    assert "figures/map.svg" in listed
    assert "segments/posterior.nc" in listed
    assert Study.from_toml(folder / "study.toml").title == "Two kinds of customers"


def test_ids_stand_in_two_files_only(done: Path) -> None:
    folder = done / "run"
    with_ids = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and b"KD-0" in path.read_bytes()
    }
    assert with_ids == {"customers_first.csv", "segments/memberships.parquet"}


def test_the_result_is_rebuilt_from_the_folder(result: StudyResult) -> None:
    fresh, loaded = result.findings, StudyResult.load(result.folder).findings
    assert fresh is not None
    assert loaded is not None
    for found in (fresh, loaded):
        assert found.simulation is not None
        assert found.ledger is not None
        assert found.ledger.table_total == pytest.approx(TOTAL)
        assert found.gate == "good"
    for name, part in fresh.parts.items():
        assert part.equals(loaded.parts[name])
    whole, again = fresh.simulation.whole, loaded.simulation.whole  # type: ignore[union-attr]
    assert np.array_equal(whole.outcome().npv, again.outcome().npv)
    assert np.array_equal(whole.draws.sample, again.draws.sample)  # type: ignore[arg-type]


def test_same_study_same_bytes(result: StudyResult, tmp_path: Path) -> None:
    base = copied(result, tmp_path, fitted_only=True)
    assert run(base, cores=1).ran == FOUR[1:]
    for name in ("manifest.json", "study.nc", "value.nc", "study.csv"):
        assert (base / "run" / name).read_bytes() == (result.folder / name).read_bytes()


# --- refusals and fallbacks


def test_the_ledger_stops_the_study_before_the_fit(tmp_path: Path) -> None:
    study = read(tmp_path)
    ledger = study.ledger.model_copy(update={"total": 2 * TOTAL})
    with pytest.raises(DataError, match=r"tolerance|ledger"):
        study.model_copy(update={"ledger": ledger}).run(tmp_path / "run")
    assert not (tmp_path / "run" / "segments").exists()


def test_a_failed_gate_leaves_no_money(tmp_path: Path) -> None:
    study = read(tmp_path, TOO_SHORT)
    with stand_ins():
        result = study.run(tmp_path / "run")
    assert not result.passed
    found = result.findings
    assert found is not None
    assert found.answers is None
    assert found.simulation is None
    assert found.parts == {}
    assert found.ledger is not None
    assert found.fallback is not None
    assert found.fallback.case == "gate_failed"
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert "report.html" in names
    assert "study.xlsx" in names
    assert not names & {"study.csv", "customers_first.csv"}


@pytest.mark.slow
def test_means_are_asked_for_by_name(base: Path) -> None:
    change(base / "study.toml", "seed = 5", "seed = 5\nplug_in = true")
    result = run(base)
    assert result.ran == ("money", "report")
    assert result.findings is not None
    assert result.findings.simulation is not None
    assert result.findings.simulation.plug_in
    assert StudyResult.load(base / "run").findings.simulation.plug_in  # type: ignore[union-attr]
    assert "split" not in result.findings.parts
    assert not (base / "run" / "customers_first.csv").exists()


def test_a_programme_that_finds_its_members_is_not_held_against_labels(
    result: StudyResult, tmp_path: Path
) -> None:
    base = copied(result, tmp_path, fitted_only=True)
    change(base / "study.toml", "[programme]", '[programme]\nreach = "members"')
    found = run(base, until="money").findings
    assert found is not None
    assert {"choices", "split", "resolve"} <= set(found.parts)
    assert not {"regret", "number", "first_customers"} & set(found.parts)


def test_a_poor_fit_hands_out_no_list_of_customers(
    result: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = copied(result, tmp_path, fitted_only=True)
    monkeypatch.setattr("softseg.study.work.Work.fit", property(lambda self: "poor"))
    found = run(base, until="money").findings
    assert found is not None
    assert found.fallback is not None
    assert found.fallback.case == "fit_poor"
    assert {"choices", "number"} <= set(found.parts)
    assert "first_customers" not in found.parts


def test_folders_that_are_taken(base: Path, tmp_path: Path) -> None:
    with locked(base / "run"), pytest.raises(FolderLocked, match="another run"):
        run(base)
    study = Study.from_toml(base / "study.toml")
    with pytest.raises(UsageError, match=r"write over study\.toml"):
        study.run(base)
    with pytest.raises(UsageError, match=r"run/segments|holds a manifest\.json of something else"):
        study.run(base / "run" / "segments")
    for text, expected in (("{}", "is none of it"), ('{"softseg_study_manifest": 2}', "newer")):
        (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
        with pytest.raises(FileError, match=expected):
            StudyResult.load(tmp_path)
