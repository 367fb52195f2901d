"""Files are read whatever their delimiter, encoding and kind, or refused in one sentence."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from softseg.errors import FileError
from softseg.tables import excel
from softseg.tables.read import find_delimiter, guess_encoding, read_table
from softseg.tables.schema import ReadingSchema

FRAME = pd.DataFrame(
    {"Kunde": ["Müller & Söhne", 'a;b "c"'], "Umsatz": ["4,5", ""], "n": ["1", "2"]}
)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_csv(tmp_path: Path, delimiter: str, encoding: str) -> None:
    file = tmp_path / "t.csv"
    FRAME.to_csv(file, sep=delimiter, encoding=encoding, index=False)
    reading = ReadingSchema(encoding=guess_encoding(file))
    assert reading.encoding == ("cp1252" if encoding == "cp1252" else None)
    pd.testing.assert_frame_equal(read_table(file, reading), FRAME, check_dtype=False)


def test_cp1252_is_offered_by_name(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("ä,b\n1,2\n", encoding="cp1252")
    with pytest.raises(FileError, match='State encoding = "cp1252" under'):
        read_table(file)
    with pytest.raises(FileError, match=r"State another encoding .* is not ascii"):
        read_table(file, ReadingSchema(encoding="ascii"))
    with pytest.raises(FileError, match="State an encoding that exists"):
        read_table(file, ReadingSchema(encoding="klingon"))


def test_the_header_alone_decides_the_delimiter(tmp_path: Path) -> None:
    assert find_delimiter('"a,b;c,d";e;f') == ";"
    assert find_delimiter("alone") == ","
    file = tmp_path / "t.csv"
    file.write_text('sep=;\n" a ";b\r\n1;"x\ny"\r\n', encoding="utf-8")
    frame = read_table(file)
    assert list(frame.columns) == ["a", "b"]
    assert frame["b"].tolist() == ["x\ny"]


def test_columns_without_and_with_the_same_name(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(",a,a\n0,1,2\n")
    frame = read_table(file)
    assert list(frame.columns) == ["column 1", "a", "a"]
    assert frame.iloc[0].tolist() == ["0", "1", "2"]


def test_no_row_is_an_empty_table(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("a,b\n")
    assert read_table(file).shape == (0, 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "Give a table with a header"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n1\n", r"expected 2 cells .* 2 rows, the first in line 3"),
        ("t.csv", b"a,b\n1,\x002\n", "it is not text"),
        ("t.parquet", b"PAR1 no", "not a whole Parquet file"),
        ("t.xlsx", b"PK no", "it is not a whole file"),
        ("t.xls", b"x", "as CSV, Parquet or Excel"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(FileError, match=message):
        read_table(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"there is no file 'none\.csv'"):
        read_table(tmp_path / "none.csv")


def test_parquet_keeps_types(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    frame = pd.DataFrame({"x": [1.5, None], "c": pd.Categorical(["a", "b"]), "k": [1, 2]})
    frame.to_parquet(file)
    read = read_table(file)
    np.testing.assert_array_equal(read["x"], frame["x"])
    assert read["c"].tolist() == ["a", "b"]


def test_excel(tmp_path: Path) -> None:
    file = tmp_path / "t.xlsx"
    frame = pd.DataFrame({"k": ["Müller", "b"], "x": [1.5, None], "n": [1, 2]})
    with pd.ExcelWriter(file) as writer:
        pd.DataFrame({"other": [1]}).to_excel(writer, sheet_name="first", index=False)
        frame.to_excel(writer, sheet_name="Kunden", index=False)
        pd.DataFrame().to_excel(writer, sheet_name="empty", index=False)
    assert read_table(file).columns.tolist() == ["other"]
    read = read_table(file, ReadingSchema(sheet="Kunden"))
    assert read["k"].tolist() == ["Müller", "b"]
    assert read["x"].tolist() == [1.5, None]
    with pytest.raises(FileError, match=r"Choose a sheet out of \['first', 'Kunden', 'empty'\]"):
        read_table(file, ReadingSchema(sheet="none"))
    with pytest.raises(FileError, match=r"the sheet in 't\.xlsx' is empty"):
        read_table(file, ReadingSchema(sheet="empty"))


def workbook(path: Path, sheet: bytes) -> None:
    """Write a workbook whose only sheet has this content."""
    pd.DataFrame({"a": [1]}).to_excel(path, index=False)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, sheet if name.endswith("sheet1.xml") else content)


def test_a_zip_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    file = tmp_path / "t.xlsx"
    workbook(file, b" " * 30_000_000)
    assert file.stat().st_size < 100_000
    with pytest.raises(FileError, match="which is refused as unsafe"):
        read_table(file)


def test_too_many_parts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "t.xlsx"
    FRAME.to_excel(file, index=False)
    monkeypatch.setattr(excel, "MOST_ENTRIES", 3)
    with pytest.raises(FileError, match="refused as unsafe"):
        read_table(file)


def test_entities_that_blow_up_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.xlsx"
    laughs = b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><worksheet>&c;</worksheet>'
    workbook(file, laughs)
    with pytest.raises(FileError, match="its content cannot be read"):
        read_table(file)


def test_excel_needs_defusedxml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "t.xlsx"
    FRAME.to_excel(file, index=False)
    monkeypatch.setattr("openpyxl.DEFUSEDXML", False)
    with pytest.raises(FileError, match="Install the package defusedxml"):
        read_table(file)
