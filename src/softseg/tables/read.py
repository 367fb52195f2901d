"""Customer tables from CSV, Parquet and Excel files.

Cells of a CSV file stay text: what is a number, and what is a gap, is decided column by column
once the rows of customers who object are gone, so that nothing in these rows has an effect.
"""

import csv
import io
import re
from pathlib import Path
from typing import Any, Final

from softseg.errors import FileError
from softseg.tables.excel import read_excel
from softseg.tables.schema import ReadingSchema

DELIMITERS: Final = (",", ";", "\t", "|")
CSV_SUFFIXES: Final = (".csv", ".txt", ".tsv")
PARQUET_SUFFIXES: Final = (".parquet", ".pq")
EXCEL_SUFFIXES: Final = (".xlsx", ".xlsm")
DEFAULT_ENCODING: Final = "utf-8-sig"
_SEP_LINE = re.compile(r'^"?sep=(.)"?\r?\n')


def read_table(path: str | Path, reading: ReadingSchema | None = None) -> Any:
    """Return a file as a pandas frame; the cells of a CSV file are text.

    Parameters
    ----------
    path
        A CSV, Parquet or Excel file.
    reading
        How to read it; the delimiter is found in the header where it is not stated.

    Raises
    ------
    FileError
        Where the file cannot be read, or is not what its name says.
    """
    path, reading = Path(path), reading or ReadingSchema()
    suffix = path.suffix.lower()
    known = (*CSV_SUFFIXES, *PARQUET_SUFFIXES, *EXCEL_SUFFIXES)
    if suffix not in known:
        raise FileError(
            f"Give the table as CSV, Parquet or Excel: expected a name that ends in one of "
            f"{list(known)}, got {path.name!r}."
        )
    if not path.is_file():
        raise FileError(f"Check the path of the table: there is no file {path.name!r}.")
    try:
        if suffix in PARQUET_SUFFIXES:
            frame = _read_parquet(path)
        elif suffix in EXCEL_SUFFIXES:
            frame = read_excel(path, reading.sheet)
        else:
            frame = _read_csv(path, reading)
    except PermissionError:
        raise FileError(f"Allow reading the file {path.name!r}: access is denied.") from None
    return frame.set_axis(_named(list(frame.columns)), axis=1)


def guess_encoding(path: str | Path) -> str | None:
    """Return None where a text file is UTF-8, else the encoding to state: cp1252."""
    content = Path(path).read_bytes()
    try:
        content.decode(DEFAULT_ENCODING)
    except UnicodeDecodeError:
        return "cp1252"
    return None


def find_delimiter(header: str) -> str:
    """Return the delimiter that the header has most of, outside quotes; a comma if it has none.

    Only the header counts: cells must not decide how a file is read.
    """
    bare = re.sub(r'"(?:[^"]|"")*"', "", header)
    counts = [bare.count(delimiter) for delimiter in DELIMITERS]
    return DELIMITERS[counts.index(max(counts))]


def _read_csv(path: Path, reading: ReadingSchema) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    text = _decode(path, reading.encoding)
    delimiter = reading.delimiter
    line = _SEP_LINE.match(text)
    if line:
        text, delimiter = text[line.end() :], delimiter or line.group(1)
    text = text.lstrip("\r\n")
    if not text.strip():
        raise FileError(f"Give a table with a header: the file {path.name!r} is empty.")
    delimiter = delimiter or find_delimiter(text.split("\n", 1)[0])
    header = next(csv.reader(io.StringIO(text[:1_000_000]), delimiter=delimiter))
    ragged: list[tuple[int | None, int]] = []

    def refuse(row: Any) -> str:
        ragged.append((row.number, row.actual_columns))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(text.encode("utf-8")),
            # One thread, so that a faulty row has a number.
            read_options=arrow_csv.ReadOptions(use_threads=False, encoding="utf8"),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        raise FileError(f"Mend the CSV file {path.name!r}: {error}.") from None
    if ragged:
        row, cells = ragged[0]
        where = "" if row is None else f", the first in line {row}"
        raise FileError(
            f"Mend the rows of {path.name!r} or state its delimiter: expected {len(header)} "
            f"cells by the header, got another number in {len(ragged)} rows{where} ({cells} cells)."
        )
    return _from_arrow(table)


def _decode(path: Path, encoding: str | None) -> str:
    content = path.read_bytes()
    try:
        text = content.decode(encoding or DEFAULT_ENCODING)
    except LookupError:
        raise FileError(
            f'State an encoding that exists, such as "utf-8" or "cp1252", got {encoding!r}.'
        ) from None
    except UnicodeDecodeError:
        remedy = "another encoding" if encoding else 'encoding = "cp1252"'
        raise FileError(
            f"State {remedy} under [reading] in the schema: the file {path.name!r} is not "
            f"{encoding or 'UTF-8'}."
        ) from None
    if "\0" in text:
        raise FileError(f"Save {path.name!r} as a CSV text file: it is not text.")
    return text


def _read_parquet(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return _from_arrow(parquet.ParquetFile(path).read())
    except pa.ArrowException:
        raise FileError(
            f"Write the file {path.name!r} anew: it is not a whole Parquet file."
        ) from None


def _from_arrow(table: Any) -> Any:
    """Return an Arrow table as a pandas frame, with columns of the same name kept apart."""
    names = table.column_names
    frame = table.rename_columns([str(i) for i in range(len(names))]).to_pandas()
    return frame.reset_index(drop=True).set_axis(names, axis=1)


def _named(names: list[Any]) -> list[str]:
    stripped = ["" if name is None else str(name).strip() for name in names]
    return [name or f"column {place}" for place, name in enumerate(stripped, start=1)]
