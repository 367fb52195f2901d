"""A run on a file read batch by batch is the run on the table in memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from builders import frame_of, schema_of, truth
from softseg.errors import FileError
from softseg.report.facts import Facts
from softseg.runs import segment as segment_module
from softseg.runs.folder import MEMBERSHIPS, MEMBERSHIPS_CSV, Run, open_run
from softseg.runs.manifest import Options
from softseg.runs.repeat import rerun
from softseg.runs.rewrite import score_file, write_again
from softseg.runs.segment import Outcome, read_prepared, segment
from softseg.tables import stream
from softseg.tables.prepare import TableWarning

FAMILIES = {"industry": "categorical", "online": "bernoulli", "orders": "poisson"}
EXPOSURES = {"orders": "years"}
SCHEMA = schema_of(FAMILIES, EXPOSURES, opt_out="objects")
OPTIONS = Options(segments=2, draws=400, tune=100, starts=4, csv=True)
READ = "Reading this large file as a whole"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    known = truth(FAMILIES, (0.6, 0.4))
    made, _ = frame_of(FAMILIES, known, 700, rng, missing=0.05)
    made["years"] = rng.choice([0.5, 1.0, 2.0], len(made))
    made["objects"] = rng.choice(["no", "yes"], 700, p=[0.9, 0.1])
    return made


@pytest.fixture(scope="module")
def both(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Outcome]:
    """The normal run, and the streamed one."""
    folder = tmp_path_factory.mktemp("streamed")
    table = folder / "customers.parquet"
    frame.to_parquet(table, index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment_module, "COMPARED_CUSTOMERS", 0)
        whole = segment(table, SCHEMA, OPTIONS, folder / "whole")
        make_small(patch)
        return whole, segment(table, SCHEMA, OPTIONS, folder / "streamed")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


def make_small(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stream, "FROM_ROWS", 100)
    patch.setattr(stream, "BATCH", 150)


def text_of(run: Run, name: str) -> str:
    return (run.folder / name).read_text(encoding="utf-8")


def test_posterior_sizes_and_profile_are_the_same_bit_for_bit(both: tuple[Outcome, Outcome]):
    whole, streamed = both
    assert streamed.passed
    for group in ("posterior", "sample_stats", "sizes", "profile", "modes"):
        xr.testing.assert_identical(
            whole.tree[group].to_dataset(), streamed.tree[group].to_dataset()
        )
    assert whole.verdict == streamed.verdict


def test_every_customer_gets_the_same_membership_bit_for_bit(
    both: tuple[Outcome, Outcome], frame: pd.DataFrame
):
    whole, streamed = both
    tables = [pd.read_parquet(found.run.folder / MEMBERSHIPS) for found in both]
    assert len(tables[0]) == (frame["objects"] == "no").sum()
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert text_of(whole.run, MEMBERSHIPS_CSV) == text_of(streamed.run, MEMBERSHIPS_CSV)
    members = streamed.tree["membership"]
    assert members.sizes["customer"] < len(tables[0])
    assert float(members["count"].sum()) == len(tables[0])


def test_the_folder_has_the_same_files_and_the_report_says_what_differs(
    both: tuple[Outcome, Outcome],
):
    whole, streamed = both
    assert set(whole.run.manifest.files) == set(streamed.run.manifest.files)
    distinct = "The file was read batch by batch, as its"
    assert distinct not in text_of(whole.run, "report.html")
    assert distinct in text_of(streamed.run, "report.html")
    np.testing.assert_array_equal(*(Facts(found.tree).verdict_counts for found in both))
    assert text_of(whole.run, "profiles.csv") == text_of(streamed.run, "profiles.csv")


@pytest.mark.usefixtures("small")
def test_a_streamed_run_is_repeated_and_renamed(both: tuple[Outcome, Outcome], tmp_path: Path):
    run = both[1].run
    again, difference = rerun(run, tmp_path / "again")
    assert difference.same
    assert difference.files == ()
    names = ("Small shops", "Plants")
    renamed = write_again(again.run, names=names)
    old, new = (pd.read_parquet(one.folder / MEMBERSHIPS) for one in (run, renamed))
    assert list(new["top_name"]) == [names[k - 1] for k in old["top"]]
    pd.testing.assert_frame_equal(new.drop(columns="top_name"), old.drop(columns="top_name"))
    assert "Small shops" in text_of(renamed, MEMBERSHIPS_CSV)
    assert open_run(renamed.folder).verify(MEMBERSHIPS).is_file()


@pytest.mark.usefixtures("small")
def test_a_large_file_is_scored_in_batches(both: tuple[Outcome, Outcome], tmp_path: Path):
    run = both[0].run
    scored = score_file(run, run.table, tmp_path / "scores.parquet")
    found = pd.read_parquet(tmp_path / "scores.parquet")
    fitted = pd.read_parquet(run.folder / MEMBERSHIPS)
    assert sum(scored.verdicts.values()) == len(fitted)
    exact = [name for name in fitted if name.startswith(("member", "row", "top"))]
    pd.testing.assert_frame_equal(found[exact], fitted[exact], rtol=0, atol=1e-10)


@pytest.mark.usefixtures("small")
def test_what_cannot_be_streamed_is_read_as_a_whole_and_says_so(
    both: tuple[Outcome, Outcome], frame: pd.DataFrame, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    table = both[0].run.table
    assert read_prepared(table, SCHEMA).distinct
    with pytest.warns(TableWarning, match=READ):
        assert not read_prepared(table, SCHEMA, by_row=True).distinct
    frame.assign(customer=np.arange(len(frame))).to_parquet(tmp_path / "with_ids.parquet")
    with pytest.warns(TableWarning, match=READ):
        with_ids = read_prepared(
            tmp_path / "with_ids.parquet", SCHEMA.model_copy(update={"id": "customer"})
        )
    assert with_ids.customers is not None
    monkeypatch.setattr(stream, "MOST_DISTINCT", 5)
    with pytest.warns(TableWarning, match=READ):
        assert not read_prepared(table, SCHEMA).distinct


@pytest.mark.usefixtures("small")
def test_a_file_that_changes_during_the_run_is_refused(
    both: tuple[Outcome, Outcome], frame: pd.DataFrame, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    table = tmp_path / "customers.parquet"
    frame.to_parquet(table, index=False)

    def changed(*_: object) -> object:
        frame.assign(orders=99.0).to_parquet(table, index=False)
        return both[1].tree

    monkeypatch.setattr(segment_module, "_tree_of", changed)
    with pytest.raises(FileError, match=r"^Repeat the run: the file 'customers.parquet' has"):
        segment(table, SCHEMA, OPTIONS, tmp_path / "run")
    assert not (tmp_path / "run" / MEMBERSHIPS).exists()
