"""Folders of return-on-investment calculations: what stands in them, and doing them again."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hostile_texts import hostile
from small_roi import EXAMPLE, QUICK, stand_ins, with_input
from softseg.decisions.inputs.read import read_assumptions
from softseg.decisions.tree import simulation_of
from softseg.errors import FileError, FolderLocked, UsageError
from softseg.results.exports import FORMULA_STARTS, write_csv
from softseg.results.files import sha256
from softseg.results.storage import load
from softseg.runs.lock import locked
from softseg.runs.manifest import MANIFEST
from softseg.runs.roi import RoiRun, long_frame, open_roi_run, run_roi, unit_of
from softseg.runs.roi_manifest import RoiManifest, read_roi_manifest
from softseg.runs.roi_repeat import compare_roi, rerun_roi


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with stand_ins():
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RoiRun:
    with stand_ins():
        return run_roi(EXAMPLE, tmp_path_factory.mktemp("roi") / "run", QUICK).run


@pytest.fixture
def copied(made: RoiRun, tmp_path: Path) -> RoiRun:
    shutil.copytree(made.folder, tmp_path / "run")
    return open_roi_run(tmp_path / "run")


def all_bytes(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# --- what is in the folder


def test_the_folder_holds_what_the_manifest_says(made: RoiRun) -> None:
    assert set(made.manifest.files) == {
        "assumptions.toml", "figures/bridge.svg", "report.html", "roi.csv", "roi.nc", "roi.xlsx",
    }  # fmt: skip
    assert set(all_bytes(made.folder)) == set(made.manifest.files) | {MANIFEST}
    for name, digest in made.manifest.files.items():
        assert sha256(made.folder / name) == digest
    assert made.manifest.options == QUICK
    assert set(made.manifest.versions) == {"python", "softseg", "numpy", "scipy"}
    assert made.manifest.read_assumptions() == EXAMPLE
    assert read_assumptions(made.folder / "assumptions.toml") == EXAMPLE


def test_the_tree_is_that_of_the_manifest(made: RoiRun) -> None:
    tree = made.tree()
    assert tree.attrs["assumptions_hash"] == made.manifest.assumptions_hash
    assert simulation_of(tree).shape == (2, 32)
    assert json.loads(tree.attrs["versions"]) == made.manifest.versions


def test_equal_runs_write_equal_folders(made: RoiRun, tmp_path: Path) -> None:
    again = run_roi(EXAMPLE, tmp_path / "again", QUICK, cores=1).run
    assert all_bytes(again.folder) == all_bytes(made.folder)


def test_a_second_run_replaces_the_first(copied: RoiRun) -> None:
    stray = copied.folder / "figures" / "old.svg"
    stray.write_text("old")
    files = {**copied.manifest.files, "figures/old.svg": sha256(stray)}
    old = copied.manifest.model_copy(update={"files": files})
    (copied.folder / MANIFEST).write_bytes(old.to_bytes())
    german = QUICK.model_copy(update={"language": "de"})
    run = run_roi(EXAMPLE, copied.folder, german).run
    assert not stray.exists()
    assert run.manifest.options.language == "de"
    assert (copied.folder / "report.html").read_text().startswith("<html lang=de>")


def test_options_follow_the_assumptions_by_default(tmp_path: Path) -> None:
    german = EXAMPLE.model_copy(update={"language": "de"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("softseg.runs.roi.RoiOptions", lambda language: QUICK.model_copy(
            update={"language": language}))  # fmt: skip
        run = run_roi(german, tmp_path / "run").run
    assert run.manifest.options.language == "de"


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    run_roi(EXAMPLE, tmp_path, QUICK, progress=lambda stage, share: told.append(stage))
    assert told == ["roi_simulate", "roi_answer", "roi_write"]


def test_nothing_is_written_where_something_fails(copied: RoiRun) -> None:
    before = all_bytes(copied.folder)

    def broken(*_: object, **__: object) -> None:
        raise MemoryError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("softseg.report.roi.page.write_roi_report", broken)
        with pytest.raises(MemoryError):
            run_roi(with_input("savings", high=400000.0), copied.folder, QUICK)
    assert all_bytes(copied.folder) == before


# --- the table


def test_the_table_has_one_row_per_number(made: RoiRun) -> None:
    frame = pd.read_csv(made.folder / "roi.csv", encoding="utf-8-sig")
    assert frame.columns.tolist() == [
        "answer", "quantity", "of", "accounting", "adjusted", "statistic", "value", "error", "unit",
    ]  # fmt: skip
    assert not frame["quantity"].str.endswith("_error").any()
    found = load(made.folder / "roi.nc")["headline"].to_dataset()
    at = {"accounting": "contribution_margin", "adjusted": True}
    rows = frame[(frame["accounting"] == at["accounting"]) & frame["adjusted"]]
    median = rows[(rows["quantity"] == "npv") & (rows["statistic"] == "q50")]
    assert median["value"].item() == float(found["npv"].sel(**at, quantile=0.5))
    assert median["error"].item() == float(found["npv_error"].sel(**at, quantile=0.5))
    assert median["unit"].item() == "EUR"
    chance = rows[rows["quantity"] == "p_npv_positive"]
    assert chance["value"].item() == float(found["p_npv_positive"].sel(at))
    assert (chance["statistic"].item(), chance["unit"].item()) == ("value", "share")


def test_rows_name_what_they_are_of() -> None:
    data = xr.Dataset(
        {
            "value": (("input", "side"), [[0.01, 0.04], [1.0, 2.0]]),
            "width": ("input", [3.0, 4.0]),
            "width_error": ((), 0.5),
            "kind": ("input", ["a", "b"]),
        },
        {"input": ["revenue_uplift", "savings"], "side": ["low", "high"]},
    )
    frame = long_frame({"tornado": data}, EXAMPLE)
    assert frame["of"].tolist() == [
        "revenue_uplift; low", "revenue_uplift; high", "savings; low", "savings; high",
        "revenue_uplift", "savings",
    ]  # fmt: skip
    assert frame["unit"].tolist() == ["share"] * 2 + ["EUR/year"] * 2 + ["EUR"] * 2
    assert frame["error"].isna().tolist() == [True] * 4 + [False] * 2
    assert set(frame["accounting"]) == {""}


def test_texts_that_a_spreadsheet_takes_for_formulas_are_quoted(tmp_path: Path) -> None:
    hostile = "=HYPERLINK(1)"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "small_roi.FewAnswers.datasets",
            lambda self: {
                "scenarios": xr.Dataset({"npv": ("scenario", [1.0])}, {"scenario": [hostile]})
            },
        )
        run = run_roi(EXAMPLE, tmp_path, QUICK).run
    assert ",'=HYPERLINK(1)," in (run.folder / "roi.csv").read_text(encoding="utf-8-sig")


def test_two_hundred_hostile_names_are_no_formulas_in_the_table(tmp_path: Path) -> None:
    names = hostile()
    data = xr.Dataset({"npv": ("scenario", np.arange(len(names)) + 0.5)}, {"scenario": names})
    write_csv(tmp_path / "roi.csv", long_frame({"scenarios": data}, EXAMPLE))
    with (tmp_path / "roi.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(names) >= 200
    for row, name, value in zip(rows, names, data["npv"].values, strict=True):
        assert row["of"].removeprefix("'") == name.removeprefix("'")
        assert not row["of"].startswith(FORMULA_STARTS)
        assert float(row["value"]) == value


@pytest.mark.parametrize(
    ("answer", "quantity", "input_", "expected"),
    [
        ("headline", "mean_npv", None, "EUR"),
        ("headline", "restricted_mean_payback", None, "years"),
        ("headline", "expected_roi", None, "ratio"),
        ("per_input", "p_below_central", "savings", "share"),
        ("per_input", "central", "savings", "EUR/year"),
        ("tornado", "value", "works", "share"),
        ("frontier", "y_centre", "margin_uplift", "share"),
        ("shapley", "first_order", "savings", "share"),
        ("yearly", "ebit_margin_change", None, "share"),
        ("information", "group_evppi_bias", None, "EUR"),
    ],
)
def test_units(answer: str, quantity: str, input_: str | None, expected: str) -> None:
    assert unit_of(answer, quantity, input_, EXAMPLE) == expected


# --- folders that must stay as they are


def test_a_locked_folder_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(FolderLocked, match="another run"):
        run_roi(EXAMPLE, tmp_path, QUICK)


def test_a_signed_folder_is_refused(copied: RoiRun) -> None:
    (copied.folder / "signoff.json").write_text("{}")
    with pytest.raises(UsageError, match="run is signed off and must stay as it is"):
        run_roi(EXAMPLE, copied.folder, QUICK)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"softseg_manifest": 1}')
    with pytest.raises(UsageError, match=r"holds a manifest\.json of something else"):
        run_roi(EXAMPLE, tmp_path, QUICK)


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"would write over assumptions\.toml"):
        run_roi(EXAMPLE, tmp_path, QUICK, inputs=(tmp_path / "assumptions.toml",))


# --- the manifest


def test_manifests_come_back(made: RoiRun) -> None:
    assert read_roi_manifest(made.folder) == made.manifest
    assert open_roi_run(made.folder / MANIFEST) == made
    text = made.manifest.to_bytes().decode()
    assert str(made.folder.parent) not in text


def test_other_manifests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=f"Give a folder .*: {tmp_path.name} is none"):
        open_roi_run(tmp_path)
    with pytest.raises(FileError, match="Check the path of the folder: there is no none"):
        open_roi_run(tmp_path / "none")
    for content in ("", "[]", '{"softseg_manifest": 1}'):
        (tmp_path / MANIFEST).write_text(content)
        with pytest.raises(FileError, match="Give a folder that softseg roi has written"):
            open_roi_run(tmp_path)
    (tmp_path / MANIFEST).write_text('{"softseg_roi_manifest": 2}')
    with pytest.raises(FileError, match="Update softseg"):
        open_roi_run(tmp_path)


def test_results_of_another_run_are_noticed(copied: RoiRun, tmp_path: Path) -> None:
    other = run_roi(EXAMPLE, tmp_path / "other", QUICK.model_copy(update={"seed": 2})).run
    shutil.copy(other.folder / "roi.nc", copied.folder / "roi.nc")
    with pytest.raises(FileError, match=r"roi\.nc is not the file that manifest\.json names"):
        copied.tree()


# --- again


def test_rerun_gives_the_same_draws(made: RoiRun, tmp_path: Path) -> None:
    outcome, difference = rerun_roi(made, tmp_path / "again", cores=1)
    assert difference.same
    assert difference.text() == ["The same draws, bit for bit."]
    assert all_bytes(outcome.run.folder) == all_bytes(made.folder)


def test_what_differs_is_said(made: RoiRun, tmp_path: Path) -> None:
    other = run_roi(EXAMPLE, tmp_path, QUICK.model_copy(update={"seed": 2})).run
    versions = {**other.manifest.versions, "numpy": "9.9"}
    newer = RoiRun(tmp_path, other.manifest.model_copy(update={"versions": versions}))
    lines = compare_roi(made, newer).text("de")
    assert lines[0] == "Die Ziehungen sind nicht dieselben."
    assert "→ 9.9" in lines[1]
    assert "roi.nc" in lines[2]
    assert "assumptions.toml" not in lines[2]


def test_a_run_is_not_repeated_onto_itself(made: RoiRun) -> None:
    with pytest.raises(UsageError, match="run is the run that is to be repeated"):
        rerun_roi(made, made.folder)


def test_draws_of_a_fitted_model_are_used_and_not_in_the_manifest(tmp_path: Path) -> None:
    rows = np.array([1e5, 2e5, 3e5, 4e5])
    run = run_roi(EXAMPLE, tmp_path / "run", QUICK, posterior={"savings": rows}).run
    assert run.manifest.posterior == ("savings",)
    assert set(np.unique(run.tree()["inputs"]["savings"])) == set(rows)
    with pytest.raises(UsageError, match="Calculate in Python"):
        rerun_roi(run, tmp_path / "again")


def test_the_manifest_says_all_that_is_needed() -> None:
    assert RoiManifest.model_fields.keys() >= {"versions", "options", "assumptions", "files"}
