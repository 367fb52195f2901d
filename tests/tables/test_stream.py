"""A file read batch by batch is the table that is read as a whole."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from builders import frame_of, schema_of, truth
from softseg.errors import DataError, FileError
from softseg.likelihood.statistics import reduce
from softseg.tables import prepare as prepare_module
from softseg.tables import stream
from softseg.tables.prepare import prepare, prepare_file
from softseg.tables.schema import ValueSchema
from softseg.tables.stream import can_stream

FAMILIES = {"industry": "categorical", "online": "bernoulli", "orders": "poisson"}
EXPOSURES = {"orders": "years"}
SCHEMA = schema_of(FAMILIES, EXPOSURES, opt_out="objects")


@pytest.fixture
def frame(monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.setattr(stream, "BATCH", 150)
    rng = np.random.default_rng(3)
    known = truth(FAMILIES, (0.5, 0.3, 0.2))
    made, _ = frame_of(FAMILIES, known, 1000, rng, missing=0.1)
    made["years"] = rng.choice([0.5, 1.0, 2.0], len(made))
    made["objects"] = rng.choice(["no", "yes"], 1000, p=[0.9, 0.1])
    return made


def written(frame: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "customers.parquet"
    frame.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("most_repeated", [2_000_000, 300])
@pytest.mark.parametrize("dictionary", [False, True])
def test_statistics_are_those_of_the_whole_table(
    frame: pd.DataFrame, tmp_path: Path, dictionary: bool, most_repeated: int,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setattr(prepare_module, "MOST_REPEATED", most_repeated)
    if dictionary:
        frame["industry"] = frame["industry"].astype("category")
    whole, streamed = prepare(frame, SCHEMA), prepare_file(written(frame, tmp_path), SCHEMA)
    assert streamed.schema == whole.schema
    assert streamed.n_opted_out == whole.n_opted_out
    one, other = reduce(whole), reduce(streamed)
    for name in ("dense", "codes", "count", "log_base"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_faults_count_customers_and_name_the_row_of_the_file(frame: pd.DataFrame, tmp_path: Path):
    frame.loc[[700, 800, 900], "orders"] = -1.0
    frame.loc[[700, 800, 900], "objects"] = "no"
    path = written(frame, tmp_path)
    found = r"Rows: 3, the first is row 701\.$"
    with pytest.raises(DataError, match=found):
        prepare(frame, SCHEMA)
    with pytest.raises(DataError, match=found):
        prepare_file(path, SCHEMA)


def test_only_large_discrete_tables_are_streamed(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = written(frame, tmp_path)
    assert not can_stream(path, SCHEMA)
    monkeypatch.setattr(stream, "FROM_ROWS", 1000)
    assert can_stream(path, SCHEMA)
    assert not can_stream(path, schema_of(FAMILIES, id="customer"))
    assert not can_stream(path, schema_of(FAMILIES, value={"profit": ValueSchema()}))
    assert not can_stream(path, schema_of(FAMILIES | {"amount": "gaussian"}))
    assert not can_stream(path.with_suffix(".csv"), SCHEMA)
    assert not can_stream(tmp_path / "absent.parquet", SCHEMA)


def test_too_many_distinct_rows_are_refused(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stream, "MOST_DISTINCT", 5)
    with pytest.raises(FileError, match=r"^Read 'customers.parquet' as a whole"):
        prepare_file(written(frame, tmp_path), SCHEMA)


def test_files_that_do_not_fit_are_refused(frame: pd.DataFrame, tmp_path: Path):
    with pytest.raises(FileError, match=r"it lacks \['orders'\]"):
        prepare_file(written(frame.drop(columns="orders"), tmp_path), SCHEMA)
    with pytest.raises(FileError, match=r"^Give a table with rows"):
        prepare_file(written(frame.iloc[:0], tmp_path), SCHEMA)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    with pytest.raises(FileError, match=r"^Write the file 'broken.parquet' anew"):
        prepare_file(broken, SCHEMA)
