"""Order files: with a header, without one, with spaces between the columns."""

from pathlib import Path

import pytest

from softseg.errors import FileError
from softseg.tables.orders.read import read_orders


def written(folder: Path, text: str, name: str = "orders.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_with_a_header_and_decimal_commas(tmp_path: Path) -> None:
    path = written(tmp_path, "Kunde;Datum;Betrag\na;1.2.2024;1.234,50\nb;2.2.2024;7,25\n")
    frame, reading = read_orders(path)
    assert list(frame.columns) == ["Kunde", "Datum", "Betrag"]
    assert (reading.decimal, reading.encoding) == (",", None)


def test_columns_with_spaces_between_them(tmp_path: Path) -> None:
    path = written(tmp_path, " 00004 19970101  2  29.33\n 00004 19970118  2  29.73\n", "x.txt")
    frame, reading = read_orders(path)
    assert list(frame.columns) == ["column 1", "column 2", "column 3", "column 4"]
    assert frame["column 1"].tolist() == ["00004", "00004"]
    assert frame["column 4"].tolist() == ["29.33", "29.73"]
    assert reading.decimal == "."


def test_a_file_without_a_header(tmp_path: Path) -> None:
    frame, _ = read_orders(written(tmp_path, "17850,2010-12-01,139.12\n13047,2010-12-01,22.2\n"))
    assert list(frame.columns) == ["column 1", "column 2", "column 3"]
    assert frame["column 1"].tolist() == ["17850", "13047"]


def test_odd_rows_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "1 19970101 2.5\n2 19970102\n", "x.txt")
    with pytest.raises(FileError, match=r"Mend the rows of 'x\.txt': expected 3 cells"):
        read_orders(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no file"):
        read_orders(tmp_path / "none.csv")
