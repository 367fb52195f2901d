"""The workbook of assumptions to fill in, and the same workbook filled with given assumptions.

Text is written as text: it never becomes a formula, whatever it begins with.
"""

import datetime
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any, Final

from softseg.decisions.inputs import columns as sheets
from softseg.decisions.inputs.columns import CHOICES, Column, choice, heading, sheet_name
from softseg.decisions.inputs.guide import SECTIONS, guide
from softseg.decisions.inputs.schema import Assumptions, Input
from softseg.errors import FileError, SchemaError
from softseg.results.files import replace_file
from softseg.wording import say

MOST_TEXT: Final = 32_767
"""Characters that a cell of Excel holds."""
SPARE_ROWS: Final = 40
"""Empty rows that are marked for input below the given ones."""
MENU_ROWS: Final = 500
RISKY: Final = ("=", "+", "-", "@", "\t", "\n")
"""Text that begins so becomes a formula in Excel when somebody edits its cell, unless quoted."""
YELLOW: Final = "#FFF8DC"
GREEN: Final = "#E2EFDA"


def write_template(path: FilePath | str, language: str = "en") -> None:
    """Write the workbook with the required inputs, their numbers empty.

    Parameters
    ----------
    path
        A name that ends in ``.xlsx``; an existing file is replaced.
    language
        Of headings, help and report.

    Raises
    ------
    FileError
        Where the file cannot be written.
    """
    write_workbook(_required(language), path, language)


def write_workbook(
    assumptions: Assumptions, path: FilePath | str, language: str | None = None
) -> None:
    """Write assumptions as a workbook that reads back as the same assumptions.

    Numbers keep 16 significant digits, as in Excel. Control characters become blanks.

    Parameters
    ----------
    assumptions
        What to write.
    path
        A name that ends in ``.xlsx``; an existing file is replaced.
    language
        Of headings and help, that of the assumptions if None.

    Raises
    ------
    FileError
        Where the file cannot be written.
    SchemaError
        Where a text is too long for a cell.
    """
    import xlsxwriter

    path, language = FilePath(path), language or assumptions.language
    if path.suffix.lower() != ".xlsx":
        raise FileError(say("assumption.write_suffix", language, name=path.name))
    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, options)
    _Writer(book, assumptions, language).write()
    book.close()
    try:
        replace_file(path, content.getbuffer(), language)
    except FileError:
        raise FileError(say("assumption.write_file", language, name=path.name)) from None


def _required(language: str) -> Assumptions:
    """Return the inputs that every calculation needs, without numbers."""
    units = {"revenue": "EUR/year"}
    roles = ("revenue", "contribution_margin", "discount_rate", "realisation", "no_effect")
    inputs = {
        role: Input(
            role=role,
            label=say(f"sheet.required.{role}", language),
            unit=units.get(role, "%"),
        )
        for role in roles
    }
    spoken = "de" if language == "de" else "en"
    return Assumptions(language=spoken, horizon=5, ramp=(0.0, 0.5, 1.0), inputs=inputs)


@dataclass(frozen=True)
class _Formats:
    """Looks of cells; `quoted` is for text that Excel would take for a formula."""

    head: Any
    plain: Any
    text: Any
    quoted: Any
    percent: Any
    whole: Any
    date: Any


def _formats(book: Any) -> _Formats:
    cell = {"bg_color": YELLOW, "border": 1, "border_color": "#D9D9D9", "valign": "top"}
    text = {**cell, "text_wrap": True}
    return _Formats(
        head=book.add_format({"bold": True, "bg_color": GREEN, "bottom": 1, "text_wrap": True}),
        plain=book.add_format(cell),
        text=book.add_format(text),
        quoted=book.add_format({**text, "quote_prefix": True}),
        percent=book.add_format({**cell, "num_format": "0.######%"}),
        whole=book.add_format({**cell, "num_format": "#,##0"}),
        date=book.add_format({**cell, "num_format": "yyyy-mm-dd"}),
    )


class _Writer:
    def __init__(self, book: Any, assumptions: Assumptions, language: str) -> None:
        self.book, self.assumptions, self.language = book, assumptions, language
        self.formats = _formats(book)
        self.menus: dict[str, str] = {}

    def write(self) -> None:
        names = ("settings", "inputs", "dependence", "scenarios", "samples", "help", "lists")
        pages = {name: self.book.add_worksheet(sheet_name(name, self.language)) for name in names}
        self.lists(pages["lists"])
        self.settings(pages["settings"])
        self.table(pages["inputs"], sheets.INPUTS, list(self.input_rows()))
        pages["inputs"].freeze_panes(1, 2)
        self.table(pages["dependence"], sheets.DEPENDENCE, list(self.dependence_rows()))
        self.table(pages["scenarios"], sheets.SCENARIOS, list(self.scenario_rows()))
        self.samples(pages["samples"])
        self.help(pages["help"])
        pages["inputs"].activate()

    def lists(self, page: Any) -> None:
        """Write the words of the menus on a hidden sheet, since some are too long for a menu."""
        words = {
            of: [choice(of, code, self.language) for code in codes] for of, codes in CHOICES.items()
        }
        units = sheets.units(self.assumptions.currency)
        words["unit"] = [sheets.unit_label(unit, self.language) for unit in units]
        sheet = sheet_name("lists", self.language)
        for column, (of, said) in enumerate(words.items()):
            for row, text in enumerate(said):
                page.write_string(row, column, text)
            letter = chr(ord("A") + column)
            self.menus[of] = f"='{sheet}'!${letter}$1:${letter}${len(said)}"
        page.hide()

    def settings(self, page: Any) -> None:
        said = [say(f"sheet.{key}", self.language) for key in ("setting", "setting_value")]
        for column, text in enumerate([*said, say("sheet.meaning", self.language)]):
            page.write_string(0, column, text, self.formats.head)
        for row, setting in enumerate(sheets.SETTINGS, start=1):
            key = setting.code
            page.write_string(row, 0, say(f"sheet.setting.{key}", self.language))
            self.put(page, row, 1, setting, getattr(self.assumptions, key))
            self.menu(page, setting.kind, row, row, 1)
            page.write_string(row, 2, say(f"sheet.setting_help.{key}", self.language))
        page.set_column(0, 0, 32)
        page.set_column(1, 1, 44)
        page.set_column(2, 2, 80)
        page.freeze_panes(1, 0)

    def table(
        self, page: Any, known: tuple[Column, ...], rows: list[tuple[Mapping[str, Any], str]]
    ) -> None:
        """Write rows of cells by column, each with the unit of its quantities."""
        for at, column in enumerate(known):
            page.write_string(0, at, heading(column.code, self.language), self.formats.head)
            comment = say(f"sheet.help.{column.code}", self.language)
            page.write_comment(0, at, comment, {"x_scale": 2, "visible": False, "author": ""})
            page.set_column(at, at, column.width)
            self.menu(page, column.kind, 1, MENU_ROWS, at)
            for row in range(1, len(rows) + SPARE_ROWS + 1):
                values, _ = rows[row - 1] if row <= len(rows) else ({}, "")
                self.put(page, row, at, column, values.get(column.code))
        page.set_row(0, 32)
        page.freeze_panes(1, 0)

    def input_rows(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        for name, entry in self.assumptions.inputs.items():
            values = {column.code: _part(entry, column.code) for column in sheets.INPUTS[1:]}
            if entry.low is None and entry.sure == Input.model_fields["sure"].default:
                values["sure"] = None
            if entry.profile.start == 1:
                values["profile.start"] = None
            if entry.role != "saving" and not entry.in_margin:
                values["in_margin"] = None
            yield {**values, "id": name}, entry.unit

    def dependence_rows(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        dependence = self.assumptions.dependence
        for pair in dependence.correlations:
            first, second = pair.between
            yield _relation("correlation", first, second, pair.rank), ""
        for name, factor in dependence.factors.items():
            label = {"factor_label": factor.label}
            if not factor.loads:
                yield {"kind": "loading", "first": name, **label}, ""
            for i, (other, load) in enumerate(factor.loads.items()):
                said = label if i == 0 else {}
                yield {**_relation("loading", name, other, load), **said}, ""
            for other, correlation in factor.factors.items():
                yield _relation("factors", name, other, correlation), ""
        yield _relation("copula", dependence.copula, None, dependence.degrees_of_freedom), ""

    def scenario_rows(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        for scenario, pinned in self.assumptions.scenarios.items():
            if not pinned:
                yield {"scenario": scenario}, ""
            for name, value in pinned.items():
                yield {"scenario": scenario, "pinned": name, "pinned_value": value}, ""

    def samples(self, page: Any) -> None:
        entries = self.assumptions.inputs.items()
        given = [(name, entry.samples) for name, entry in entries if entry.samples is not None]
        for at, (name, samples) in enumerate(given):
            page.write_string(0, at, name, self.formats.head)
            page.set_column(at, at, max(12, len(name) + 2))
            for row, value in enumerate(samples, start=1):
                page.write_number(row, at, value)
        page.freeze_panes(1, 0)

    def help(self, page: Any) -> None:
        row = 0
        for section in SECTIONS:
            page.write_string(row, 0, say(f"sheet.section.{section}", self.language))
            page.set_row(row, None, self.formats.head)
            for term, meaning, code in guide(section, self.language):
                row += 1
                for at, text in enumerate((term, meaning, code)):
                    page.write_string(row, at, text)
            row += 2
        page.set_column(0, 0, 36)
        page.set_column(1, 1, 120)
        page.set_column(2, 2, 22)

    def menu(self, page: Any, kind: str, first: int, last: int, at: int) -> None:
        """Offer a menu; other entries only warn, since the codes of the TOML file fit too."""
        if kind in self.menus:
            options = {"validate": "list", "source": self.menus[kind], "error_type": "warning"}
            page.data_validation(first, at, last, at, options)

    def put(self, page: Any, row: int, at: int, column: Column, value: Any) -> None:
        """Write a cell as its column says."""
        formats, kind = self.formats, column.kind
        if value is None or value == "" or value == ():
            page.write_blank(row, at, None, formats.percent if kind == "share" else formats.plain)
        elif kind in ("quantity", "number", "share", "whole"):
            large = kind == "quantity" and abs(value) >= 1000 and float(value).is_integer()
            look = formats.whole if large else formats.plain
            page.write_number(row, at, value, formats.percent if kind == "share" else look)
        elif kind == "date":
            midnight = datetime.datetime.combine(value, datetime.time())
            page.write_datetime(row, at, midnight, formats.date)
        else:
            text = _clean(self.text(kind, value), self.language)
            look = formats.quoted if text.startswith(RISKY) else formats.text
            page.write_string(row, at, text, look)

    def text(self, kind: str, value: Any) -> str:
        """Return a value of a column that holds text."""
        if kind == "flag":
            return choice("flag", "yes" if value else "no", self.language)
        if kind in CHOICES:
            return choice(kind, value, self.language)
        if kind == "unit":
            return sheets.unit_label(value, self.language)
        if kind == "ids":
            return ", ".join(value)
        if kind == "pairs":
            return "; ".join(", ".join(pair) for pair in value)
        if kind == "shares":
            return "; ".join(_share(part, self.language) for part in value)
        return str(value)


def _relation(kind: str, first: str, second: str | None, number: float) -> dict[str, Any]:
    return {"kind": kind, "first": first, "second": second, "number": number}


def _part(entry: Input, code: str) -> Any:
    found: Any = entry
    for key in code.split("."):
        found = getattr(found, key)
    return found


def _share(value: float, language: str) -> str:
    text = format(Decimal(repr(value)).normalize(), "f")
    return text.replace(".", ",") if language == "de" else text


def _clean(text: str, language: str) -> str:
    """Return a text as a cell can hold it: control characters are blanks.

    Raises
    ------
    SchemaError
        Where it is too long.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(c if c in "\n\t" or c.isprintable() else " " for c in text)
    if len(text) > MOST_TEXT:
        values = {"text": text[:40], "most": str(MOST_TEXT), "got": str(len(text))}
        raise SchemaError(say("assumption.long_text", language, **values))
    return text
