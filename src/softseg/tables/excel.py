"""Excel files, read with care: a small file can unfold to one that fills the memory."""

import itertools
import warnings
import zipfile
from pathlib import Path
from typing import Any, Final

from softseg.errors import FileError

MOST_BYTES: Final = 500_000_000
MOST_RATIO: Final = 200
MOST_ENTRIES: Final = 10_000


def read_excel(path: Path, sheet: str | None = None) -> Any:
    """Return one sheet of an Excel file as a pandas frame, the first row being the header.

    Parameters
    ----------
    path
        An ``.xlsx`` file.
    sheet
        Name of the sheet, the first one if None.

    Raises
    ------
    FileError
        Where the file is damaged, unfolds to too much, has no such sheet, or is empty.
    """
    refuse_bomb(path)
    rows = _read_rows(path, sheet)
    while rows and all(cell is None for cell in rows[-1]):
        rows.pop()
    if not rows:
        raise FileError(f"Give a table with a header: the sheet in {path.name!r} is empty.")
    width = max(len(row) for row in rows)
    while width and all(len(row) < width or row[width - 1] is None for row in rows):
        width -= 1
    import pandas as pd

    filled = [(*row[:width], *([None] * (width - len(row)))) for row in rows]
    columns = [pd.Series(list(column), dtype=object) for column in zip(*filled[1:], strict=True)]
    if not columns:
        columns = [pd.Series([], dtype=object) for _ in filled[0]]
    return pd.concat(columns, axis=1).set_axis(list(filled[0]), axis=1)


def refuse_bomb(path: Path) -> None:
    """Refuse a zip file that unfolds to far more than it holds, before anything is unfolded.

    The sizes come from the file's own directory; a directory that understates them leads to a
    read error, since Python's `zipfile` never returns more than is stated.

    Raises
    ------
    FileError
        Where the file is no zip file or unfolds to too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile:
        raise FileError(f"Save {path.name!r} as .xlsx anew: it is not a whole file.") from None
    unfolded = sum(entry.file_size for entry in entries)
    packed = max(1, sum(entry.compress_size for entry in entries))
    if (
        len(entries) > MOST_ENTRIES
        or unfolded > MOST_BYTES
        or (unfolded > 10_000_000 and unfolded > MOST_RATIO * packed)
    ):
        raise FileError(
            f"Save the table as CSV or Parquet: the Excel file {path.name!r} unfolds to "
            f"{unfolded / 1e6:.0f} MB from {packed / 1e6:.1f} MB, which is refused as unsafe."
        )


def _read_rows(path: Path, sheet: str | None) -> list[tuple[Any, ...]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    if not openpyxl.DEFUSEDXML:
        raise FileError("Install the package defusedxml: Excel files are not read without it.")
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            # It warns of styles and menus, which no table needs.
            warnings.simplefilter("ignore", UserWarning)
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            names = book.sheetnames
            if sheet is not None and sheet not in names:
                raise FileError(f"Choose a sheet out of {names}, got {sheet!r}.")
            found = book[sheet or names[0]]
            found.reset_dimensions()
            rows = list(itertools.islice(found.iter_rows(values_only=True), 2_000_000))
            book.close()
    except (KeyError, ValueError, SyntaxError, zipfile.BadZipFile, InvalidFileException):
        raise FileError(f"Save {path.name!r} as .xlsx anew: its content cannot be read.") from None
    return rows
