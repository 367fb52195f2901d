"""A sheet of a study's workbook that is filled from top to bottom with sentences and tables."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from softseg.report.workbook.cells import Book, Sheet
from softseg.report.workbook.formula import Formula
from softseg.report.workbook.inputs_sheet import lines
from softseg.wording import say

TOP: Final = 2
"""Rows that stay in sight: title and study."""
LABEL: Final = 1
"""Column beside the title, for what holds for the whole sheet."""
READABLE: Final = 130
"""Characters of a line of text."""
WORDS: Final = (
    "decision",
    "evidence",
    "moves_from",
    "moves_to",
    "n_segments",
    "owner",
    "quantity",
    "question",
    "segment",
    "source",
    "step",
    "uplift",
    "what",
)
"""Columns that hold words, by key; their heads stand on the left."""


class Amount(NamedTuple):
    """A number, or a live formula, and how it is shown; None leaves the cell empty."""

    value: float | Formula | None
    kind: str = "money"


type Cell = str | Amount


class Page:
    """A sheet and the row that is written next.

    Attributes
    ----------
    sheet
        Where to.
    widths
        Of the columns, in characters.
    row
        The next row, from 0.
    """

    def __init__(self, book: Book, key: str, widths: Sequence[int], study: str) -> None:
        self.sheet: Sheet = book.sheet(key)
        self.widths = tuple(widths)
        for column, width in enumerate(widths):
            self.sheet.page.set_column(column, column, width)
        self.sheet.say(0, 0, f"study.title.{key}", "title")
        self.sheet.text(1, 0, study)
        self.sheet.page.freeze_panes(TOP, 1)
        self.row = TOP + 1

    def say(self, key: str, **values: object) -> str:
        """Return a text of the catalogue."""
        return say(f"workbook.study.{key}", self.sheet.language, **values)

    def heading(self, key: str, **values: object) -> None:
        """Write a heading, with an empty row above it."""
        if self.row > TOP + 1:
            self.row += 1
        self.sheet.text(self.row, 0, self.say(key, **values), "heading")
        self.row += 1

    def paragraph(self, text: str, *, alarm: bool = False) -> None:
        """Write sentences across as many columns as can be read; warnings in red."""
        if not text:
            return
        across, width = 1, self.widths[0]
        while across < len(self.widths) and width + self.widths[across] <= READABLE:
            width += self.widths[across]
            across += 1
        style = self.sheet.style("wrapped")
        if across > 1:
            self.sheet.page.merge_range(self.row, 0, self.row, across - 1, "", style)
        self.sheet.text(self.row, 0, text, "wrapped")
        if alarm:
            rule = {"type": "no_errors", "format": self.sheet.style.alarm}
            self.sheet.page.conditional_format(self.row, 0, self.row, 0, rule)
        self.sheet.tall(self.row, lines((text, width)))
        self.row += 1

    def hint(self, key: str, **values: object) -> None:
        """Write how the table below is to be read."""
        self.paragraph(self.say(key, **values))

    def head(self, *keys: str) -> None:
        """Write the header of a table by the keys of its columns."""
        shown = [self.say(f"column.{key}") for key in keys]
        for column, (key, text) in enumerate(zip(keys, shown, strict=True)):
            words = "head_apart" if column else "head"
            self.sheet.text(self.row, column, text, words if key in WORDS else "figure")
        self._tall(shown, spare=3)
        self.row += 1

    def years(self, horizon: int, first: int = 1) -> None:
        """Write the header of a table by segment and year."""
        self.head("segment", "what")
        for column, year in enumerate(range(first, horizon + 1), start=2):
            self.sheet.number(self.row - 1, column, year, "year")

    def line(self, *cells: Cell, strong: bool = False) -> None:
        """Write a row of a table."""
        for column, cell in enumerate(cells):
            if isinstance(cell, str):
                self.sheet.text(self.row, column, cell, self._look(column))
            elif isinstance(cell.value, Formula):
                self.sheet.formula(self.row, column, cell.value, cell.kind, strong=strong)
            else:
                # what stands for no number, or for infinity, is a text, but belongs on the right
                broken = cell.value is not None and not math.isfinite(cell.value)
                kind = "verdict" if broken else cell.kind
                self.sheet.number(self.row, column, cell.value, kind, strong=strong)
        self._tall([cell if isinstance(cell, str) else "" for cell in cells])
        self.row += 1

    def close(self) -> None:
        """Let a print show what is written."""
        self.sheet.page.print_area(0, 0, max(self.row, TOP), len(self.widths) - 1)

    def _look(self, column: int) -> str:
        return "wrapped" if column == 0 else "wrapped_apart"

    def _tall(self, texts: Sequence[str], spare: int = 1) -> None:
        widths = [max(width - spare, 1) for width in self.widths]
        self.sheet.tall(self.row, lines(*zip(texts, widths, strict=False)))
