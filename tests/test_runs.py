"""Run folders: what stands in them, who may write, and that the same run writes the same bytes."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from small_run import QUICK, TOO_SHORT, small_frame, write_small
from softseg.errors import DataError, FileError, UsageError
from softseg.results.files import sha256
from softseg.runs.chains import CHAINS
from softseg.runs.continuing import read_continuity
from softseg.runs.folder import (
    MEMBERSHIPS,
    POSTERIOR,
    Run,
    open_run,
    publish,
    staged,
)
from softseg.runs.manifest import MANIFEST, read_manifest
from softseg.runs.repeat import compare_runs, rerun
from softseg.runs.rewrite import score_file, write_again
from softseg.runs.segment import segment
from softseg.tables.schema import Schema


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    table, schema = write_small(folder)
    return segment(table, Schema.from_toml(schema), QUICK, folder / "run").run


@pytest.fixture
def copied(made: Run, tmp_path: Path) -> Run:
    """A run of one's own, with its table beside it."""
    shutil.copy(made.table, tmp_path / "customers.csv")
    shutil.copytree(made.folder, tmp_path / "run")
    return open_run(tmp_path / "run")


def all_bytes(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# --- what is in the folder


def test_the_folder_holds_what_the_manifest_says(made: Run) -> None:
    names = set(made.manifest.files)
    assert names >= {
        "memberships.parquet", "posterior.nc", "profiles.csv", "report.html", "schema.toml",
        "figures/profiles.svg", "figures/sizes.svg", "figures/certainty.svg", "figures/ranks.svg",
        "figures/dendrogram.svg",
    }  # fmt: skip
    assert set(all_bytes(made.folder)) == names | {MANIFEST}
    for name, digest in made.manifest.files.items():
        assert sha256(made.folder / name) == digest
    assert made.manifest.gate == "good"
    assert made.tree().attrs["n_segments"] == 2


def test_the_schema_in_the_folder_is_the_frozen_one(made: Run) -> None:
    frozen = Schema.from_toml(made.folder / "schema.toml")
    assert frozen.is_frozen
    assert frozen == made.manifest.schema_of("used")
    assert not made.manifest.schema_of("given").is_frozen


@pytest.mark.skipif(os.name == "nt", reason="other permissions")
def test_only_the_owner_can_read_the_files(made: Run) -> None:
    for name in [*made.manifest.files, MANIFEST]:
        assert (made.folder / name).stat().st_mode & 0o077 == 0


def test_the_manifest_names_no_machine_and_no_absolute_path(made: Run) -> None:
    text = (made.folder / MANIFEST).read_text(encoding="utf-8")
    assert made.manifest.table == "../customers.csv"
    assert str(made.folder.parent) not in text
    assert sha256(made.table) not in text


def test_ids_stand_only_with_the_memberships(made: Run) -> None:
    ids = small_frame()["customer"]
    for name, content in all_bytes(made.folder).items():
        if name != MEMBERSHIPS:
            assert not any(one.encode() in content for one in ids), name
    tree = made.tree()
    texts = [str(tree.attrs)]
    texts += [
        str(v.values) for g in tree.subtree for v in g.variables.values() if v.dtype.kind == "U"
    ]
    assert "KD-" not in "".join(texts)
    memberships = pd.read_parquet(made.folder / MEMBERSHIPS)
    assert list(memberships["customer"]) == list(ids)


def test_the_same_memberships_as_csv_on_request(copied: Run) -> None:
    table = copied.table
    options = QUICK.model_copy(update={"csv": True})
    run = segment(table, copied.manifest.schema_of(), options, copied.folder, cores=1).run
    written = pd.read_csv(run.folder / "memberships.csv", encoding="utf-8-sig")
    stored = pd.read_parquet(run.folder / MEMBERSHIPS)
    np.testing.assert_array_equal(written["membership_1"], stored["membership_1"])
    # The number of cores leaves no trace, and neither does a CSV beside the rest.
    for name in (POSTERIOR, MEMBERSHIPS, "report.html"):
        assert run.manifest.files[name] == copied.manifest.files[name]
    again = segment(table, copied.manifest.schema_of(), TOO_SHORT, copied.folder).run
    assert "memberships.csv" not in set(all_bytes(again.folder))


# --- opted-out customers


def test_customers_who_object_leave_no_trace(made: Run, tmp_path: Path) -> None:
    frame = small_frame()
    strange = frame.iloc[[5, 6, 7]].assign(
        customer=["X1", "X1", ""], orders=[-4, 10**6, 0], margin=1e12, online="sometimes",
        revenue=9e15, objects="yes",
    )  # fmt: skip
    mixed = pd.concat([strange[:2], frame[:50], strange[2:], frame[50:]])
    table, schema = write_small(tmp_path, mixed)
    run = segment(table, Schema.from_toml(schema), QUICK, tmp_path / "run").run
    assert all_bytes(run.folder) == all_bytes(made.folder)
    changed, _ = write_small(tmp_path, mixed.assign(margin=mixed["margin"] + 0.0)[2:])
    again = segment(changed, Schema.from_toml(schema), QUICK, tmp_path / "run").run
    assert all_bytes(again.folder) == all_bytes(made.folder)


# --- the same again


def test_rerun_gives_the_same_draws(made: Run) -> None:
    outcome, difference = rerun(made, made.folder.with_name("again"))
    assert difference.same
    assert difference.files == ()
    assert difference.text() == ["The same draws and memberships, bit for bit."]
    old, new = made.tree()["posterior"], outcome.run.tree()["posterior"]
    for name in old.data_vars:
        np.testing.assert_array_equal(old[name].values, new[name].values)
    assert (made.folder / MEMBERSHIPS).read_bytes() == (
        outcome.run.folder / MEMBERSHIPS
    ).read_bytes()


def test_rerun_says_that_the_data_changed(copied: Run) -> None:
    frame = small_frame()
    frame.loc[0, "orders"] += 1
    frame.to_csv(copied.table, index=False)
    _, difference = rerun(copied, copied.folder.with_name("again"))
    assert not difference.same
    assert any("data have changed" in line for line in difference.text())
    assert any(line.startswith("Files that differ:") for line in difference.text())


def test_other_versions_are_named(made: Run) -> None:
    old = made.manifest.model_copy(update={"versions": made.manifest.versions | {"numpy": "1.0"}})
    difference = compare_runs(old, made.manifest)
    assert difference.same
    assert list(difference.versions) == ["numpy"]
    assert "numpy 1.0 → " in " ".join(difference.text())
    assert "Andere Versionen" in " ".join(difference.text("de"))


def test_rerun_needs_the_table(copied: Run) -> None:
    copied.table.unlink()
    with pytest.raises(FileError, match=r"Say where the table is with --table"):
        rerun(copied, copied.folder.with_name("again"))


# --- names, language, scores


def test_names_travel_everywhere(copied: Run) -> None:
    names = ("[/] Söhne", "=Müller [rot] GmbH")
    run = write_again(copied, names=names, language="de")
    assert run.manifest.options.names == names
    assert list(run.tree()["posterior"]["segment_name"].values) == list(names)
    assert set(pd.read_parquet(run.folder / MEMBERSHIPS)["top_name"]) == set(names)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in page
    assert "[/] Söhne" in page
    profiles = (run.folder / "profiles.csv").read_text(encoding="utf-8-sig")
    assert "'=Müller [rot] GmbH" in profiles
    _, difference = rerun(run, run.folder.with_name("again"))
    assert difference.files == ()


def test_writing_again_changes_nothing(copied: Run) -> None:
    before = all_bytes(copied.folder)
    write_again(copied)
    assert all_bytes(copied.folder) == before


def test_names_have_to_fit(copied: Run) -> None:
    with pytest.raises(UsageError, match="Give 2 different names of segments"):
        write_again(copied, names=("A",))
    with pytest.raises(UsageError, match="Give 2 different names of segments"):
        write_again(copied, names=("A", "A"))


def test_scoring_the_training_rows_gives_their_memberships(made: Run, tmp_path: Path) -> None:
    scored = score_file(made, made.table, tmp_path / "scores.parquet")
    new, old = pd.read_parquet(scored.path), pd.read_parquet(made.folder / MEMBERSHIPS)
    assert list(new["customer"]) == list(old["customer"])
    np.testing.assert_allclose(new["membership_1"], old["membership_1"], atol=1e-10, rtol=0)
    assert sum(scored.verdicts.values()) == len(old)
    assert scored.unseen == {}


def test_an_unseen_category_is_refused_or_counted(made: Run, tmp_path: Path) -> None:
    frame = small_frame().assign(online="maybe")
    table, _ = write_small(tmp_path, frame)
    with pytest.raises(DataError, match="maybe"):
        score_file(made, table, tmp_path / "scores.csv")
    scored = score_file(made, table, tmp_path / "scores.csv", unseen="missing")
    assert scored.unseen == {"online": len(frame)}
    assert (tmp_path / "scores.csv").is_file()


def test_scores_need_a_known_kind_of_file(made: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.parquet or \.csv, got scores\.xls"):
        score_file(made, made.table, tmp_path / "scores.xls")


# --- the gate


def test_after_a_failed_gate_the_folder_is_written(copied: Run) -> None:
    outcome = segment(copied.table, copied.manifest.schema_of(), TOO_SHORT, copied.folder)
    assert not outcome.passed
    assert outcome.run.manifest.gate == "failed"
    assert open_run(copied.folder).tree().attrs["n_segments"] == 2
    # Figures of segments that nobody should look at are gone with the run before.
    assert not (copied.folder / "figures" / "profiles.svg").exists()


def test_few_rows_are_refused_unless_asked_for(copied: Run) -> None:
    small_frame(12).to_csv(copied.table, index=False)
    with pytest.raises(DataError, match="allow_few_rows"):
        segment(copied.table, copied.manifest.schema_of(), QUICK, copied.folder)


def test_inputs_are_not_written_over(copied: Run) -> None:
    schema = copied.folder / "schema.toml"
    with pytest.raises(UsageError, match=r"would write over schema\.toml"):
        segment(copied.table, Schema.from_toml(schema), QUICK, copied.folder, inputs=(schema,))


# --- damaged folders


def test_a_folder_of_two_runs_is_refused(copied: Run) -> None:
    path = copied.folder / POSTERIOR
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(FileError, match=r"Run softseg segment again: posterior\.nc is not"):
        copied.tree()


def test_a_manifest_reads_back_as_written(made: Run, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(made.manifest.to_bytes())
    assert read_manifest(tmp_path / MANIFEST) == made.manifest


def test_an_interrupted_run_leaves_the_one_before(
    copied: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = all_bytes(copied.folder)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("softseg.runs.segment.write_outputs", interrupt)
    options = QUICK.model_copy(update={"draws": 10})
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        segment(copied.table, copied.manifest.schema_of(), options, copied.folder)
    after = all_bytes(copied.folder)
    assert {name: after[name] for name in after if not name.startswith(CHAINS)} == before


def test_files_of_the_run_before_are_removed(tmp_path: Path, made: Run) -> None:
    old = made.manifest.model_copy(update={"files": {"choice.csv": "0"}})
    (tmp_path / "choice.csv").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    with staged(tmp_path) as stage:
        (stage / "report.html").write_text("new")
        found = publish(stage, tmp_path, made.manifest, old)
    assert set(found.files) == {"report.html"}
    assert sorted(p.name for p in tmp_path.iterdir()) == [MANIFEST, "notes.txt", "report.html"]


# --- an earlier run


@pytest.fixture(scope="module")
def named(made: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Last quarter's run, its segments named."""
    folder = tmp_path_factory.mktemp("named")
    shutil.copy(made.table, folder / "customers.csv")
    shutil.copytree(made.folder, folder / "run")
    return write_again(open_run(folder / "run"), names=("Small", "Large"))


@pytest.mark.slow
def test_names_of_an_earlier_run_are_carried_over_and_kept(named: Run, tmp_path: Path) -> None:
    table, schema = write_small(tmp_path, small_frame(150))
    outcome = segment(table, Schema.from_toml(schema), QUICK, tmp_path / "run", previous=named)
    assert outcome.continuity is not None
    assert sorted(outcome.run.manifest.options.names) == ["Large", "Small"]
    assert "continuity.json" in outcome.run.manifest.files
    assert read_continuity(tmp_path / "run") == outcome.continuity
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Since the earlier run" in page
    again, difference = rerun(outcome.run, tmp_path / "again")
    assert difference.same
    assert again.run.manifest.files == outcome.run.manifest.files
    german = write_again(outcome.run, language="de")
    page = (german.folder / "report.html").read_text(encoding="utf-8")
    assert "Seit dem früheren Lauf" in page


def test_an_earlier_run_that_failed_is_refused(named: Run, tmp_path: Path) -> None:
    table, schema = write_small(tmp_path)
    failed = Run(named.folder, named.manifest.model_copy(update={"gate": "failed"}))
    with pytest.raises(UsageError, match="Give an earlier run whose calculation passed"):
        segment(table, Schema.from_toml(schema), QUICK, tmp_path / "run", previous=failed)
