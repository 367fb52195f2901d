"""Workbooks as controllers fill them in: every fault has its cell, in both languages."""

import datetime
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.cell import coordinate_to_tuple

from softseg.decisions.inputs import grids, sheet
from softseg.decisions.inputs.cells import Cell, is_percent
from softseg.decisions.inputs.grids import Grid, read_grids
from softseg.decisions.inputs.read import read_assumptions
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.inputs.template import write_workbook
from softseg.errors import FileError, SchemaError
from softseg.wording import LANGUAGES

DATA: dict[str, Any] = {
    "horizon": 5,
    "inputs": {
        "revenue": {"role": "revenue", "unit": "MEUR/year", "value": 50},
        "margin": {"role": "contribution_margin", "unit": "%", "low": 25, "high": 45},
        "realisation": {"role": "realisation", "unit": "share", "low": 0.2, "high": 0.8},
        "no_effect": {"role": "no_effect", "unit": "%", "value": 25},
        "price": {"role": "revenue_effect", "effect": "price", "unit": "%", "base": ("revenue",),
                  "low": 8, "high": 15, "profile": {"start": 2, "half_life": 3}},
        "better": {"role": "revenue_effect", "effect": "margin", "unit": "pp", "low": 0.8,
                   "high": 2.5, "base": ("price_base",)},
        "price_base": {"role": "base", "unit": "MEUR/year", "samples": (1, 2, 3)},
    },
    "dependence": {
        "correlations": ({"between": ("price", "better"), "rank": 0.5},),
        "factors": {"f": {"loads": {"margin": 0.5}}},
    },
    "scenarios": {"best": {"price": 15}},
}  # fmt: skip

type Change = Callable[[Any], None]


@pytest.fixture
def edit(tmp_path: Path) -> Callable[..., Path]:
    def change(*changes: Change, language: str = "en") -> Path:
        path = tmp_path / "a.xlsx"
        write_workbook(Assumptions.model_validate(DATA), path, language)
        book = openpyxl.load_workbook(path)
        for one in changes:
            one(book.worksheets)
        book.save(path)
        return path

    return change


@dataclass(frozen=True)
class Put:
    """One cell that somebody fills in."""

    sheet: int
    cell: str
    value: Any
    look: str = "General"

    def __call__(self, sheets: Any) -> None:
        cell = sheets[self.sheet][self.cell]
        cell.value = self.value
        if not isinstance(self.value, datetime.date):
            cell.number_format = self.look

    def on(self, given: list[Grid]) -> list[Grid]:
        """Return sheets with this cell, without writing a file."""
        row, column = coordinate_to_tuple(self.cell)
        found = list(given)
        rows = [list(cells) for cells in given[self.sheet].rows]
        rows += [[] for _ in range(row - len(rows))]
        rows[row - 1] += [Cell()] * (column - len(rows[row - 1]))
        rows[row - 1][column - 1] = Cell(self.value, is_percent(self.look))
        found[self.sheet] = replace(given[self.sheet], rows=rows)
        return found


FAULTS = [
    (
        Put(1, "H6", "4,5"),
        "price.low, cell H6 of sheet Inputs: Write 4.5 as a plain number",
        "Zelle H6 im Blatt Eingaben: 4,5 als reine",
    ),
    (Put(1, "H4", "8 %"), "cell H4 .*: Write 0.08 as a plain number", "0,08 als reine Zahl"),
    (
        Put(1, "H6", "1.234"),
        "cell H6 .*: Write 1234 or 1.234 as a plain number: .* both ways",
        "1234 oder 1,234 als reine Zahl eintragen: .* auf beide Arten",
    ),
    (
        Put(1, "H6", "8 bis 15 %"),
        "cell H6 .*: Write 8 into the column Low and 15 into the column High",
        "8 in die Spalte Niedrig und 15 in die Spalte Hoch eintragen",
    ),
    (Put(3, "C2", "8 bis 15"), "cell C2 .*: Write a plain number or", "Eine reine Zahl eintragen"),
    (Put(1, "H6", True), "cell H6 .*: Write a plain number or leave", "Eine reine Zahl eintragen"),
    (
        Put(1, "H6", 20),
        "price.low, cell H6 of sheet Inputs: Swap Low and High",
        "Zelle H6 .*Niedrig und Hoch tauschen",
    ),
    (
        Put(1, "G2", 0.08, "0%"),
        "cell G2 .*shown in per cent .8 %., but its unit is MEUR/year",
        "als einfache Zahl formatieren",
    ),
    (
        Put(1, "O6", 0.08, "0%"),
        "cell O6 .*shown in per cent .8 %., which has no meaning",
        "keinen Sinn",
    ),
    (
        Put(1, "M6", 1.5),
        "cell M6 .*: Write a whole number: the cell holds 1.5",
        "Eine ganze Zahl eintragen",
    ),
    (Put(1, "K6", 90), "price.sure, cell K6 .*: Give at most 1", "Höchstens 1"),
    (
        Put(1, "C6", "Umsatzwirkungen"),
        "cell C6 .*: Choose one of Revenue, Base, .* holds Umsatzwirkungen",
        "Eines von Umsatz, ",
    ),
    (
        Put(1, "D6", None),
        "price.effect, cell D6 .*: Say what kind .* one of Price, Volume",
        "Zelle D6 .* eine von Preis, Menge",
    ),
    (Put(1, "E6", "revnue"), "price.base, cell E6 .*: Name an input that exists", "Zelle E6"),
    (Put(1, "E6", None), "price.base, cell E6 .*: Say of what this is a share", "Zelle E6"),
    (
        Put(1, "F6", "Prozente"),
        "price.unit, cell F6 .*: Choose a unit of the menu",
        "Anteil, %, Prozentp",
    ),
    (Put(1, "F2", "kUSD/year"), "revenue.unit, cell F2 .*: Convert the amounts", "Zelle F2"),
    (Put(1, "F5", None), "no_effect.unit, cell F5 .*: Add Unit", "Einheit ergänzen"),
    (
        Put(1, "G5", 125),
        "no_effect.value, cell G5 .*: Give a share between 0 and 100 %",
        "Zelle G5",
    ),
    (
        Put(1, "N6", "0; a"),
        "cell N6 .*: Write shares separated by semicolons",
        "Anteile mit Semikolon",
    ),
    (Put(1, "A6", "Price!"), "Price!, cell A6 .*: Give an id of small letters", "Zelle A6"),
    (
        Put(1, "A6", None),
        "cell A6 of sheet Inputs: Give the row an id, or empty it: cell C6 holds",
        "Der Zeile eine Kennung geben oder sie leeren: Zelle C6 enthält",
    ),
    (Put(1, "B12", "stray"), "cell A12 .*: cell B12 holds stray", "Zelle B12 enthält stray"),
    (
        Put(1, "L5", "Beta"),
        "no_effect.family, cell L5 .*: Remove Distribution, or give a range with Low and High",
        "Verteilung entfernen oder eine Spanne mit Niedrig und Hoch angeben: Beta hat neben Wert",
    ),
    (Put(1, "C5", "metric"), "Add a row with the role Probability of", "Eine Zeile mit der Rolle"),
    (
        Put(1, "A6", "revenue"),
        "cell A6 .*: Choose another id: revenue stands in cell A2",
        "steht schon in Zelle A2",
    ),
    (Put(1, "AA6", "soon"), "price.date, cell AA6 .*: Give a date", "Zelle AA6"),
    (
        Put(1, "AD1", "Comments"),
        "cell AD1 .*: Remove the column .* no column Comments",
        "Eine Spalte Comments",
    ),
    (Put(1, "AD1", "Evidenc"), "cell AD1 .*: .*Is Evidence meant", "Ist Evidence gemeint"),
    (Put(1, "AD1", "Unit"), "cell AD1 .*: Keep one column Unit: cell F1", "Nur eine Spalte Unit"),
    (Put(1, "AD3", 5), "cell AD1 .*: Remove the column", "Die Spalte entfernen"),
    (
        Put(1, "A1", None),
        "cell A1 .*: (Remove the column|Add the column Id)",
        "Die Spalte Kennung ergänzen",
    ),
    (
        Put(0, "B5", 0),
        "horizon, cell B5 of sheet Settings: Give at least 1",
        "Zelle B5 im Blatt Einstellungen",
    ),
    (Put(0, "B5", "five"), "horizon, cell B5 .*: Write a plain number", "Zelle B5"),
    (Put(0, "B3", "Euro"), "currency, cell B3 .*: Give the currency as an ISO code", "Zelle B3"),
    (
        Put(0, "B11", "price; better"),
        "accepted_overlaps, cell B11 .*: Write pairs of ids",
        "Paare von Kennungen",
    ),
    (
        Put(0, "A12", "Inflation"),
        "cell A12 of sheet Settings: Remove the row .*Inflation",
        "Eine Einstellung Inflation",
    ),
    (
        Put(2, "D2", 1.5),
        "dependence.correlations.0.rank, cell D2 of sheet Dependence: Give at most 1",
        "Zelle D2",
    ),
    (
        Put(2, "C2", None),
        "cell C2 of sheet Dependence: Fill the cell",
        "Zelle C2 .*Die Zelle füllen",
    ),
    (Put(2, "C2", "prce"), "cell B2 of sheet Dependence: ", "Zelle B2"),
    (Put(2, "A3", None), "cell A3 .*: Fill the cell", "Die Zelle füllen"),
    (Put(2, "D3", None), "cell D3 .*: Fill the cell", "Die Zelle füllen"),
    (Put(2, "C3", "margn"), "cell D3 of sheet Dependence: ", "Zelle D3"),
    (
        Put(2, "B4", "clayton"),
        "dependence.copula, cell B4 .*: Choose one of gaussian, t",
        "Zelle B4",
    ),
    (
        Put(3, "B2", "prize"),
        "scenarios.best.prize, cell C2 of sheet Scenarios: .*Is price meant",
        "Zelle C2",
    ),
    (Put(3, "A2", None), "cell A2 of sheet Scenarios: Fill the cell", "Die Zelle füllen"),
    (
        Put(3, "C2", "15%"),
        "scenarios.best.price, cell C2 .*: Write 15 as a plain number",
        "15 als reine Zahl",
    ),
    (
        Put(3, "B1", "Input"),
        "cell B1 of sheet Scenarios: Remove the column|cell A1 .*: Add the column Id",
        "Kennung ergänzen",
    ),
    (
        Put(4, "A1", "prce_base"),
        "cell A1 of sheet Samples: .*Is price_base meant",
        "Ist price_base gemeint",
    ),
    (
        Put(4, "A3", None),
        "cell A3 of sheet Samples: Fill the cell or remove",
        "Stichproben dürfen keine Lücken",
    ),
    (Put(4, "A3", "2,5"), "cell A3 of sheet Samples: Write 2.5 as", "2,5 als reine Zahl"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[Grid]]]:
    found = {}
    for language in LANGUAGES:
        path = tmp_path_factory.mktemp("sheet") / f"{language}.xlsx"
        write_workbook(Assumptions.model_validate(DATA), path, language)
        found[language] = path, read_grids(path)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("change", "english", "german"), FAULTS, ids=map(str, range(len(FAULTS))))
def test_each_fault_names_its_cell(
    written: dict[str, tuple[Path, list[Grid]]],
    monkeypatch: pytest.MonkeyPatch,
    change: Put,
    english: str,
    german: str,
    language: str,
) -> None:
    path, cells = written[language]
    monkeypatch.setattr(sheet, "read_grids", lambda *_: change.on(cells))
    with pytest.raises(SchemaError, match=english if language == "en" else german):
        read_assumptions(path, language)


@pytest.mark.parametrize(
    ("change", "english"),
    [
        (Put(1, "H6", datetime.date(2026, 1, 8)), r"cell H6 .*: .*holds 2026-01-08"),
        (Put(1, "H6", "#N/A"), r"cell H6 .*: Mend the formula: the cell shows #N/A"),
        (Put(1, "H6", "=1+1"), r"cell H6 .*: Open the file in Excel and save it"),
        (Put(1, "G2", 0.08, "0%"), r"cell G2 .*shown in per cent .8 %., but its unit is MEUR"),
    ],
    ids=["date", "error", "formula", "per cent"],
)
def test_what_excel_makes_of_a_cell(edit: Callable[..., Path], change: Put, english: str) -> None:
    with pytest.raises(SchemaError, match=english):
        read_assumptions(edit(change))


def test_one_cell_does_not_draw_other_faults(edit: Callable[..., Path]) -> None:
    with pytest.raises(SchemaError, match=r"faults found: 2\.\n- .*B5 .*\n- .*H6 "):
        read_assumptions(edit(Put(1, "H6", "4,5"), Put(0, "B5", "five")))


@pytest.mark.parametrize(
    ("cell", "entry", "field", "value", "meant"),
    [("H6", "price", "low", 0.07, 7.0), ("H4", "realisation", "low", 0.07, 0.07),
     ("H7", "better", "low", 0.015, 1.5), ("G5", "no_effect", "value", 0.29, 29.0),
     ("K6", "price", "sure", 0.8, 0.8)],
)  # fmt: skip
def test_a_cell_shown_as_per_cent_means_what_people_see(
    edit: Callable[..., Path], cell: str, entry: str, field: str, value: float, meant: float
) -> None:
    found = read_assumptions(edit(Put(1, cell, value, "#,##0.0 %;[Red]-0%")))
    assert getattr(found.inputs[entry], field) == meant


def test_scenarios_and_samples_in_per_cent(edit: Callable[..., Path]) -> None:
    assert read_assumptions(edit(Put(3, "C2", 0.14, "0%"))).scenarios["best"]["price"] == 14.0
    with pytest.raises(SchemaError, match=r"cell A2 of sheet Samples: Format the cell"):
        read_assumptions(edit(Put(4, "A2", 0.14, "0%")))


def test_a_quoted_per_cent_sign_does_not_multiply(edit: Callable[..., Path]) -> None:
    assert read_assumptions(edit(Put(1, "H6", 7, '0"%"'))).inputs["price"].low == 7


def test_codes_words_and_plain_entries_are_accepted(edit: Callable[..., Path]) -> None:
    path = edit(
        Put(1, "AA3", "3.11.2026"), Put(1, "AA4", " 31.12.2026"),
        Put(1, "C6", "revenue_effect"), Put(1, "D6", "preis"), Put(1, "R6", None),
        Put(1, "T6", False), Put(1, "L6", "Lognormal"), Put(1, "F6", " % "),
        Put(1, "N6", 1), Put(1, "B6", 2024), Put(1, "AA6", datetime.date(2026, 3, 31)),
        Put(1, "AA2", "2026-01-31"), Put(1, "E6", " revenue ; "), Put(1, "F2", "Mio. EUR/Jahr"),
        Put(0, "A5", "Betrachtungszeitraum (Jahre)"), Put(0, "B5", 5.0), Put(0, "B9", "0,5; 1"),
        Put(3, "A2", 2030), Put(0, "B10", 0.2, "0%"),
    )  # fmt: skip
    found = read_assumptions(path)
    price = found.inputs["price"]
    assert (price.role, price.effect, price.published) == ("revenue_effect", "price", False)
    assert (price.family, price.unit, price.label) == ("lognormal", "%", "2024")
    assert (price.profile.ramp, price.base) == ((1.0,), ("revenue",))
    assert price.date == datetime.date(2026, 3, 31)
    assert found.inputs["revenue"].date == datetime.date(2026, 1, 31)
    assert found.inputs["revenue"].unit == "MEUR/year"
    dates = [str(entry.date) for entry in found.inputs.values()][1:3]
    assert dates == ["2026-11-03", "2026-12-31"]
    assert (found.horizon, found.ramp, found.hurdle) == (5, (0.5, 1.0), 0.2)
    assert found.scenarios == {"2030": {"price": 15}}


def test_columns_may_be_moved_and_left_out_and_sheets_added(edit: Callable[..., Path]) -> None:
    def move(sheets: Any) -> None:
        page = sheets[1]
        rows = [[cell.value for cell in row] for row in page.iter_rows(max_row=8)]
        page.delete_rows(1, 100)
        for row in rows:
            page.append([*reversed(row[:24])])
        book = sheets[0].parent
        book.create_sheet("My notes")["A1"] = "=1+1"
        del book["Help"]

    assert read_assumptions(edit(move)) == Assumptions.model_validate(DATA)


def test_missing_sheets_are_named(edit: Callable[..., Path]) -> None:
    def remove(sheets: Any) -> None:
        del sheets[0].parent["Settings"]
        del sheets[0].parent["Inputs"]

    with pytest.raises(SchemaError, match="Add the sheet Inputs: the workbook has the sheets Dep"):
        read_assumptions(edit(remove))


def test_a_formula_counts_with_its_last_result(tmp_path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as book:
        page = book.add_worksheet("Inputs")
        page.write_formula("A1", "=2+2", None, 4)
        page.write_formula("A2", "=1/0", None, "#DIV/0!")
        page.write_string("A3", "=2+2")
    rows = read_grids(tmp_path / "a.xlsx")[0].rows
    assert [row[0] for row in rows] == [Cell(4), Cell("#DIV/0!", state="error"), Cell("=2+2")]


def test_large_and_damaged_workbooks(
    edit: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = edit(Put(1, "AMN1", "x"))
    with pytest.raises(FileError, match=r"Make the sheet Inputs shorter: .* 1000 columns"):
        read_assumptions(path)
    monkeypatch.setattr(grids, "MOST_ROWS", 3)
    with pytest.raises(FileError, match=r"Das Blatt Settings kürzen: .* 3 Zeilen"):
        read_assumptions(path, "de")
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        archive.writestr("a.txt", "no workbook")
    with pytest.raises(FileError, match=r"Save b\.xlsx as \.xlsx anew"):
        read_assumptions(tmp_path / "b.xlsx")
    monkeypatch.setattr(openpyxl, "DEFUSEDXML", False)
    with pytest.raises(FileError, match="Install the package defusedxml"):
        read_assumptions(path)
