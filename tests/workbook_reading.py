"""What the tests of the workbook share: simulations, cells by name, and recalculation."""

import io
import tomllib
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openpyxl

from softseg.decisions.answers.headline import headline
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.sampling import draw
from softseg.decisions.model.simulate import RoiModel, Simulation
from softseg.report.workbook.book import workbook_bytes
from softseg.report.workbook.labels import programme_label, scenario_label
from softseg.wording import say

SHEETS = ("results", "assumptions", "scenarios", "draws", "audit")

type Place = tuple[str, str]
"""Key of a sheet in the catalogue, and a cell."""


def everything(**changes: Any) -> Assumptions:
    """Return assumptions with every role and effect."""
    text = (Path(__file__).parent / "report" / "workbook" / "everything.toml").read_text(
        encoding="utf-8"
    )
    data = tomllib.loads(text) | changes
    return Assumptions.model_validate(data)


def simulated(assumptions: Assumptions, n_draws: int = 8) -> Simulation:
    """Return few draws; the checks between inputs are not what is tested here."""
    return Simulation(assumptions, draw(assumptions, 2, n_draws, cores=1), 1)


@cache
def example(language: str = "en", n_draws: int = 32) -> Simulation:
    """Return few draws of the article's example."""
    return RoiModel.example(language).simulate(2, n_draws, cores=1)


def content(simulation: Simulation, language: str = "en", **options: Any) -> bytes:
    """Return the workbook of a simulation."""
    answers = SimpleNamespace(headline=headline(simulation))
    return workbook_bytes(simulation, answers, language, **{"n_draws": 50} | options)


def opened(workbook: bytes, **options: Any) -> Any:
    """Return a workbook as openpyxl reads it."""
    return openpyxl.load_workbook(io.BytesIO(workbook), **options)


@cache
def pages(workbook: bytes) -> Any:
    """Return a workbook to look at, read once."""
    return opened(workbook)


def name_of(sheet: str, language: str = "en") -> str:
    """Return the name of a sheet."""
    return say(f"workbook.sheet.{sheet}", language)


def edited(workbook: bytes, changes: Mapping[Place, float]) -> bytes:
    """Return a workbook with other numbers in some cells, as a reader would change them."""
    book = opened(workbook)
    for (sheet, cell), value in changes.items():
        found = book[name_of(sheet)][cell]
        assert found.data_type != "f"
        assert not found.protection.locked
        found.value = value
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


class Recalculated:
    """A workbook whose formulas were calculated anew, without its cached values."""

    def __init__(self, workbook: bytes, folder: Path, language: str = "en") -> None:
        self.language = language
        self.book = opened(workbook)
        self.cached = opened(workbook, data_only=True)
        path = folder / "book.xlsx"
        path.write_bytes(workbook)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import formulas

            solution = formulas.ExcelModel().loads(str(path)).finish().calculate()
        self._found = {str(key): value for key, value in solution.items()}

    def __call__(self, sheet: str, cell: str) -> Any:
        """Return what a cell gives."""
        name = name_of(sheet, self.language)
        return self._found[f"'[book.xlsx]{name.upper()}'!{cell}"].value[0, 0]

    def differing(self) -> list[tuple[str, str, Any, Any]]:
        """Return the formula cells that give something else than their cached value."""
        keys = {name_of(key, self.language): key for key in SHEETS}
        found = []
        for page in self.book:
            for cell in (c for row in page.iter_rows() for c in row if c.data_type == "f"):
                now = self(keys[page.title], cell.coordinate)
                before = self.cached[page.title][cell.coordinate].value
                near = isinstance(before, int | float) and isinstance(now, int | float)
                if not (
                    abs(now - before) <= 1e-9 * max(1e3, abs(before)) if near else now == before
                ):
                    found.append((page.title, cell.coordinate, before, now))
        return found

    def scenario_row(self, scenario: str, accounting: str, programme: str | None) -> int:
        """Return the row of a scenario in the table of results."""
        wanted = [
            scenario_label(scenario, self.language),
            say(f"workbook.accounting.{accounting}", self.language),
            programme_label(programme, self.language),
        ]
        for row in self.book[name_of("results", self.language)].iter_rows(max_col=3):
            if [cell.value for cell in row] == wanted:
                return row[0].row
        raise LookupError(wanted)

    def lines(self, scenario: str, accounting: str) -> dict[str, list[int]]:
        """Return the rows of a scenario in one accounting by label."""
        label = scenario_label(scenario, self.language)
        head = f"{label} · {say(f'workbook.accounting.{accounting}', self.language)}"
        found: dict[str, list[int]] = {}
        inside = False
        for cell in self.book[name_of("scenarios", self.language)]["A"]:
            if " · " in str(cell.value):
                inside = cell.value == head
            elif inside and cell.value:
                found.setdefault(cell.value, []).append(cell.row)
        return found

    def years(self, row: int) -> list[float]:
        """Return a line of the sheet of scenarios by year."""
        page = self.book[name_of("scenarios", self.language)]
        columns = [c.column_letter for c in page[4] if isinstance(c.value, int)]
        return [self("scenarios", f"{column}{row}") for column in columns]


def alike(now: Any, before: Any) -> bool:
    """Return whether two cells hold the same text, or the same number up to rounding."""
    if isinstance(now, str) or isinstance(before, str):
        return now == before
    return abs(now - before) <= 1e-9 * max(1e3, abs(before))


def input_cell(workbook: bytes, scenario: str, name: str) -> Place:
    """Return the cell of an input in a scenario."""
    page = pages(workbook)[name_of("assumptions")]
    scenario = scenario_label(scenario, "en")
    column = next(c.column_letter for c in page[4] if c.value == scenario)
    row = next(c.row for c in page["B"] if c.value == name)
    return "assumptions", f"{column}{row}"


def labelled(workbook: bytes, sheet: str, label: str, column: str) -> Place:
    """Return the cell beside the first label of that text in column A."""
    page = pages(workbook)[name_of(sheet)]
    row = next(c.row for c in page["A"] if c.value == label)
    return sheet, f"{column}{row}"


def formula_cells(workbook: bytes) -> dict[tuple[str, str], str]:
    """Return every formula by sheet and cell."""
    return {
        (page.title, cell.coordinate): cell.value
        for page in opened(workbook)
        for row in page.iter_rows()
        for cell in row
        if cell.data_type == "f"
    }
