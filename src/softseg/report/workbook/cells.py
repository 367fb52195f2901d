"""Cells of the workbook: what is written, and how it looks.

Texts of users reach the file only through `Sheet.text`, which writes them as strings whatever they
look like, and marks them so that they stay strings when they are edited.
"""

import datetime
import io
import math
from functools import cached_property
from typing import Any, Final

from xlsxwriter import Workbook
from xlsxwriter.utility import xl_rowcol_to_cell

from softseg.report.workbook.formula import Formula
from softseg.wording import say
from softseg.wording.numbers import NOTHING

LONGEST: Final = 32_000
"""Characters of a cell; Excel ends at 32,767."""

INK, RULE, SHADE, MARK, ALARM = "#1F2933", "#B8C2CC", "#EEF2F5", "#FFF3B0", "#B3261E"

LOOKS: Final[dict[str, dict[str, Any]]] = {
    "title": {"bold": True, "font_size": 16},
    "heading": {"bold": True, "font_size": 12, "bottom": 1},
    "part": {"bold": True, "bg_color": SHADE},
    "head": {"bold": True, "bg_color": SHADE, "bottom": 1, "text_wrap": True, "valign": "vcenter"},
    "figure": {
        "bold": True,
        "bg_color": SHADE,
        "bottom": 1,
        "text_wrap": True,
        "valign": "vcenter",
        "align": "right",
    },
    "head_apart": {
        "bold": True,
        "bg_color": SHADE,
        "bottom": 1,
        "text_wrap": True,
        "valign": "vcenter",
        "align": "left",
        "indent": 1,
    },
    "hint": {"italic": True, "font_color": "#52606D", "valign": "top"},
    "warning": {"bold": True, "font_color": ALARM, "valign": "top"},
    "text": {"valign": "top"},
    # An indent counts only where the side is named: LibreOffice ignores it otherwise.
    "apart": {"valign": "top", "align": "left", "indent": 1},
    "wrapped_apart": {"valign": "top", "text_wrap": True, "align": "left", "indent": 1},
    "wrapped": {"valign": "top", "text_wrap": True},
}


STATES: Final = ("same", "changed")
"""Assumptions as simulated, and changed since."""


class Styles:
    """The formats of a workbook, each made once."""

    def __init__(self, book: Workbook, language: str, currency: str) -> None:
        self._book = book
        self._codes = number_codes(language, currency)
        self._known: dict[tuple[str, bool, bool], Any] = {}

    def __call__(self, kind: str, *, marked: bool = False, strong: bool = False) -> Any:
        """Return the format of a kind of cell: a look or a number format.

        Parameters
        ----------
        kind
            A key of `LOOKS` or of `number_codes`.
        marked
            Whether the reader may change the cell.
        strong
            Whether it is a result.
        """
        key = (kind, marked, strong)
        if key not in self._known:
            self._known[key] = self._book.add_format(self._properties(*key))
        return self._known[key]

    @cached_property
    def alarm(self) -> Any:
        """Return what a cell takes on as soon as its sentence is a warning."""
        return self._book.add_format({"bold": True, "italic": False, "font_color": ALARM})

    def _properties(self, kind: str, marked: bool, strong: bool) -> dict[str, Any]:
        found = {"font_name": "Calibri", "font_size": 10, "font_color": INK, "border_color": RULE}
        if kind in LOOKS:
            found |= LOOKS[kind] | {"quote_prefix": True}
        else:
            found |= {"num_format": self._codes[kind], "valign": "top"}
        if kind == "year":
            found |= LOOKS["figure"]
        if kind == "verdict":
            found |= {"align": "right"}
        if strong:
            found |= {"bold": True, "top": 1}
        if marked:
            found |= {"bg_color": MARK, "border": 1, "locked": False}
        return found


def number_codes(language: str, currency: str) -> dict[str, str]:
    """Return the number formats by kind.

    Excel sets decimal and thousands marks itself, by the settings of the machine; what a format
    says is where currency and per cent signs stand.
    """
    from babel.numbers import get_currency_symbol

    sign = get_currency_symbol(currency, locale=language).replace('"', "")
    money = f'#,##0\\ "{sign}"' if language == "de" else f'"{sign}"#,##0'
    share, coarse = ("0.00\\ %", "#,##0.0\\ %") if language == "de" else ("0.00%", "#,##0.0%")
    year = say("workbook.year", language).replace('"', "")
    return {
        "money": f"{money};[Red]-{money};{money}",
        "share": share,
        "roi": f"{coarse};[Red]-{coarse};{coarse}",
        "ratio": "#,##0.00",
        "factor": "0.0000",
        "plain": "0.00##",
        "grouped": "#,##0",
        "tenths": "#,##0.0",
        "count": "0",
        "year": f'"{year} "0',
        "date": "dd.mm.yyyy" if language == "de" else "yyyy-mm-dd",
        "fine": share,
        "verdict": money,
    }


class Sheet:
    """One sheet, written cell by cell."""

    def __init__(self, book: "Book", name: str) -> None:
        self.name = name
        self.language = book.language
        self.style = book.style
        self.page = book.file.add_worksheet(name)
        self._set_up()

    def _set_up(self) -> None:
        self.page.hide_gridlines(2)
        self.page.set_landscape()
        self.page.set_paper(9)
        self.page.fit_to_pages(1, 0)
        self.page.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        self.page.set_footer("&L&A&R&P / &N")
        allowed = ("format_cells", "format_columns", "format_rows", "sort", "autofilter")
        self.page.protect("", dict.fromkeys(allowed, True))

    def say(self, row: int, column: int, key: str, look: str = "text", **values: object) -> None:
        """Write a text of the catalogue."""
        self.text(row, column, say(f"workbook.{key}", self.language, **values), look)

    def text(self, row: int, column: int, text: str, look: str = "text") -> None:
        """Write a text as a string, never as a formula or a link."""
        clean = text.encode("utf-8", "replace").decode("utf-8")
        if len(clean) > LONGEST:
            clean = clean[:LONGEST] + " …"
        if clean:
            self.page.write_string(row, column, clean, self.style(look))
        else:
            self.page.write_blank(row, column, None, self.style(look))

    def number(
        self,
        row: int,
        column: int,
        x: float | None,
        kind: str,
        *,
        marked: bool = False,
        strong: bool = False,
    ) -> Formula:
        """Write a number and return the reference to its cell."""
        style = self.style(kind, marked=marked, strong=strong)
        if x is None:
            self.page.write_blank(row, column, None, style)
        elif not math.isfinite(x):
            shown = {math.inf: "∞", -math.inf: "−∞"}.get(x, NOTHING)
            self.page.write_string(row, column, shown, style)
        else:
            self.page.write_number(row, column, x, style)
        return self.reference(row, column, 0.0 if x is None else x)

    def tall(self, row: int, lines: int) -> None:
        """Make a row high enough for texts of some lines; not every program does it by itself."""
        self.page.set_row(row, 14.0 * lines)

    def date(self, row: int, column: int, day: datetime.date | None) -> None:
        """Write a date."""
        if day is not None:
            moment = datetime.datetime.combine(day, datetime.time())
            self.page.write_datetime(row, column, moment, self.style("date"))

    def formula(
        self,
        row: int,
        column: int,
        formula: Formula,
        kind: str,
        *,
        strong: bool = False,
        shown: float | str | None = None,
    ) -> Formula:
        """Write a formula with the value it has now and return the reference to its cell.

        `shown` is the value of formulas that may give a text.
        """
        if formula.fixed:
            return self.number(row, column, formula.value, kind, strong=strong)
        value = formula.value if shown is None else shown
        broken = isinstance(value, float) and not math.isfinite(value)
        cached: Any = NOTHING if broken else value
        style = self.style(kind, strong=strong)
        self.page.write_formula(row, column, f"={formula.text}", style, cached)
        return self.reference(row, column, formula.value)

    def state(self, row: int, column: int, same: Formula) -> None:
        """Write whether the assumptions are still those of the draws, as a live sentence.

        Parameters
        ----------
        row, column
            Where to.
        same
            A condition.
        """
        kept, changed = (
            say(f"workbook.state.{key}", self.language).replace('"', "") for key in STATES
        )
        text = f'IF({same.text},"{kept}","{changed}")'
        cached: Any = kept
        self.page.write_formula(row, column, f"={text}", self.style("hint"), cached)
        rule = {"type": "cell", "criteria": "==", "value": f'"{changed}"'}
        self.page.conditional_format(row, column, row, column, rule | {"format": self.style.alarm})

    def reference(self, row: int, column: int, value: float) -> Formula:
        """Return the reference to a cell of this sheet that holds a value."""
        return Formula(xl_rowcol_to_cell(row, column), value)

    def only_numbers(self, row: int, column: int) -> None:
        """Let a marked cell take numbers only."""
        rule = {
            "validate": "decimal",
            "criteria": "between",
            "minimum": -1e15,
            "maximum": 1e15,
            "error_title": say("workbook.number_title", self.language),
            "error_message": say("workbook.number_message", self.language),
        }
        self.page.data_validation(row, column, row, column, rule)


class Book:
    """A workbook in memory."""

    def __init__(self, language: str, currency: str) -> None:
        self._content = io.BytesIO()
        options = {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self.file = Workbook(self._content, options)
        # A fixed day, so that the same calculation writes the same bytes.
        day = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC).replace(tzinfo=None)
        self.file.set_properties({"created": day})
        self.file.set_size(2400, 1500)
        self.language = language
        self.style = Styles(self.file, language, currency)

    def sheet(self, key: str) -> Sheet:
        """Add a sheet with a name of the catalogue."""
        return Sheet(self, say(f"workbook.sheet.{key}", self.language))

    def close(self) -> bytes:
        """Return the content of the file."""
        self.file.close()
        return self._content.getvalue()
