"""The cells of an Excel file: values, and what of them is shown as per cent or cannot be used."""

import itertools
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final

from softseg.decisions.inputs.cells import Cell, is_percent
from softseg.decisions.inputs.faults import Place
from softseg.errors import FileError
from softseg.tables.excel import refuse_bomb
from softseg.wording import say

MOST_ROWS: Final = 200_000
MOST_COLUMNS: Final = 1_000


@dataclass(frozen=True)
class Grid:
    """One sheet: its name, its place among the sheets, and its cells by row."""

    name: str
    index: int
    rows: Sequence[Sequence[Cell]]

    def place(self, row: int, column: int) -> Place:
        """Return the place of a cell, counted from 0."""
        from openpyxl.utils import get_column_letter

        cell = f"{get_column_letter(column + 1)}{row + 1}"
        return Place.cell(cell, self.name, (self.index, row, column))

    def at(self, row: int, column: int) -> Cell:
        """Return a cell, an empty one where the row is shorter."""
        cells = self.rows[row] if row < len(self.rows) else ()
        return cells[column] if column < len(cells) else Cell()


def read_grids(path: FilePath, language: str = "en") -> list[Grid]:
    """Return the sheets of an Excel file.

    Parameters
    ----------
    path
        The file.
    language
        Of the messages.

    Raises
    ------
    FileError
        Where the file cannot be read or is too large.
    """
    refuse_bomb(path)
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    if not openpyxl.DEFUSEDXML:
        raise FileError("Install the package defusedxml: Excel files are not read without it.")
    damaged = (KeyError, ValueError, TypeError, AttributeError, SyntaxError, OverflowError,
               zipfile.BadZipFile, InvalidFileException)  # fmt: skip
    try:
        with warnings.catch_warnings():
            # It warns of styles and menus, which no number needs.
            warnings.simplefilter("ignore", UserWarning)
            results = _load(path, language, data_only=True)
            formulas = _load(path, language, data_only=False)
    except damaged:
        raise FileError(say("assumption.damaged", language, name=path.name)) from None
    return [
        Grid(name, index, _cells(results[name], formulas[name]))
        for index, name in enumerate(results)
    ]


def _load(path: FilePath, language: str, *, data_only: bool) -> dict[str, list[tuple[Any, ...]]]:
    """Return the cells of every sheet, as openpyxl has them."""
    import openpyxl

    found = {}
    with path.open("rb") as stream:
        book = openpyxl.load_workbook(stream, read_only=True, data_only=data_only)
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            rows = list(itertools.islice(sheet.iter_rows(), MOST_ROWS + 1))
            while rows and all(cell.value is None for cell in rows[-1]):
                rows.pop()
            if len(rows) > MOST_ROWS or any(len(row) > MOST_COLUMNS for row in rows):
                values = {"sheet": sheet.title, "most": MOST_ROWS, "columns": MOST_COLUMNS}
                raise FileError(say("assumption.too_long", language, **values))
            found[sheet.title] = rows
        book.close()
    return found


def _cells(results: list[tuple[Any, ...]], formulas: list[tuple[Any, ...]]) -> list[list[Cell]]:
    pairs = itertools.zip_longest(results, formulas, fillvalue=())
    return [[_cell(a, b) for a, b in itertools.zip_longest(row, asked)] for row, asked in pairs]


def _cell(result: Any, formula: Any) -> Cell:
    value = None if result is None else result.value
    shown = formula if result is None else result
    if formula is not None and formula.data_type == "f" and value is None:
        return Cell(formula.value, state="uncomputed")
    state = "error" if result is not None and result.data_type == "e" else ""
    return Cell(value, is_percent(shown.number_format), state)
