"""Lines of numbers by year, written one below the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from xlsxwriter.utility import xl_rowcol_to_cell

from softseg.report.workbook.cells import Sheet
from softseg.report.workbook.formula import Formula, total
from softseg.wording import say

LABEL: Final = 0
"""Column of what a line is."""
VALUE: Final = 1
"""Column of its value for all years."""
FIRST: Final = 2
"""Column of its first year."""


@dataclass(frozen=True)
class Line:
    """References to a line that stands on the sheet.

    Attributes
    ----------
    years
        Its cells by year.
    sum
        Its sum over the years.
    """

    years: tuple[Formula, ...]
    sum: Formula


class Ledger:
    """A sheet whose columns are years.

    Attributes
    ----------
    years
        References to the numbers of the years in the header.
    """

    def __init__(self, sheet: Sheet, header: int, horizon: int) -> None:
        self.sheet = sheet
        self.horizon = horizon
        self.row = header + 1
        self.years = tuple(self._year(header, year) for year in range(1, horizon + 1))
        sheet.say(header, LABEL, "column.line", "head")
        sheet.say(header, VALUE, "column.all_years", "figure")
        sheet.say(header, FIRST + horizon, "column.sum", "figure")

    def _year(self, header: int, year: int) -> Formula:
        self.sheet.number(header, FIRST + year - 1, year, "year")
        cell = xl_rowcol_to_cell(header, FIRST + year - 1, row_abs=True)
        return Formula(cell, float(year))

    def heading(self, text: str, look: str = "part") -> None:
        """Write a heading over the whole width."""
        self.sheet.text(self.row, LABEL, text, look)
        for column in range(VALUE, FIRST + self.horizon + 1):
            self.sheet.text(self.row, column, "", look)
        self.row += 1

    def gap(self) -> None:
        """Leave a row empty."""
        self.row += 1

    def line(
        self,
        label: str,
        kind: str,
        years: Sequence[Formula] = (),
        *,
        cached: Sequence[float] | None = None,
        strong: bool = False,
        summed: bool = False,
    ) -> Line:
        """Write a line by year and return the references to it.

        Parameters
        ----------
        label
            What it is.
        kind
            Number format.
        years
            Formulas by year.
        cached
            Values of the formulas as the model in Python gives them.
        strong
            Whether it is a result.
        summed
            Whether the sum over the years means something.
        """
        row = self._next(label)
        if cached is not None:
            years = [replace(f, value=float(x)) for f, x in zip(years, cached, strict=True)]
        cells = tuple(
            self.sheet.formula(row, column, formula, kind, strong=strong)
            for column, formula in enumerate(years, FIRST)
        )
        whole = total(cells)
        if summed:
            text = f"SUM({cells[0].text}:{cells[-1].text})"
            whole = Formula(text, whole.value)
            whole = self.sheet.formula(row, FIRST + self.horizon, whole, kind, strong=strong)
        return Line(cells, whole)

    def value(self, label: str, formula: Formula, kind: str, *, strong: bool = False) -> Formula:
        """Write a line with one value for all years and return the reference to it."""
        row = self._next(label)
        return self._value(row, formula, kind, strong=strong)

    def beside(self, formula: Formula, kind: str) -> Formula:
        """Write the value for all years of the line that comes next."""
        return self._value(self.row, formula, kind, strong=False)

    def cell(self, row: int, t: int, value: float) -> Formula:
        """Return the reference to a year of a line, counted from 0."""
        return self.sheet.reference(row, FIRST + t, value)

    def say(self, key: str, **values: object) -> str:
        """Return a label of the catalogue."""
        return say(f"workbook.line.{key}", self.sheet.language, **values)

    def _value(self, row: int, formula: Formula, kind: str, *, strong: bool) -> Formula:
        cell = self.sheet.formula(row, VALUE, formula, kind, strong=strong)
        return replace(cell, text=xl_rowcol_to_cell(row, VALUE, col_abs=True))

    def _next(self, label: str) -> int:
        row = self.row
        self.sheet.text(row, LABEL, label)
        self.row += 1
        return row
