"""The workbook: sheets, marked cells, strings that stay strings, and what a reader is told."""

import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hostile_texts import hostile
from softseg.decisions.answers.headline import headline
from softseg.decisions.inputs.ranges import marginal
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.tree import assumptions_hash
from softseg.errors import FileError, UsageError
from softseg.report.workbook import write_workbook
from softseg.report.workbook.audit_sheet import _how_read, _parameters
from softseg.report.workbook.cells import LONGEST
from softseg.report.workbook.formula import ONE, ZERO, Formula, literal, ratio
from workbook_reading import (
    content,
    everything,
    example,
    formula_cells,
    input_cell,
    name_of,
    opened,
    pages,
    simulated,
)

SHEETS = {
    "en": ["Results", "Assumptions", "Scenarios", "Draws", "Audit"],
    "de": ["Ergebnis", "Annahmen", "Szenarien", "Ziehungen", "Audit"],
}
YELLOW = "FFFFF3B0"


class Headline:
    """The part of the answers that the workbook reads."""

    def __init__(self, simulation: Any) -> None:
        self.headline = headline(simulation)


@pytest.mark.parametrize("language", ["en", "de"])
def test_sheets_can_be_read_and_printed(language: str) -> None:
    book = opened(content(example(language), language))
    assert book.sheetnames == SHEETS[language]
    for page in book:
        assert page.freeze_panes is not None
        assert page.page_setup.orientation == "landscape"
        assert page.page_setup.paperSize == 9
        assert page.sheet_properties.pageSetUpPr.fitToPage
        assert (page.page_setup.fitToWidth or 1) in (1, 2)
        assert page.page_setup.fitToHeight == 0
        assert page.protection.sheet
        assert not page.protection.password
        assert page.column_dimensions["A"].width >= 14
        assert not page.sheet_view.showGridLines
    for name in SHEETS[language]:
        assert name.isalpha(), "names of sheets stand in formulas without quotes"


def test_texts_and_formats_follow_the_language() -> None:
    english, german = (opened(content(example(x), x)) for x in ("en", "de"))
    texts = [
        {cell.value for page in book for row in page.iter_rows() for cell in row}
        for book in (english, german)
    ]
    assert {"Net present value", "Discount factor", "Central values"} <= texts[0]
    assert {"Kapitalwert", "Abzinsungsfaktor", "Mittlere Werte"} <= texts[1]
    assert "Mio. EUR/Jahr" in texts[1]
    assert not {"Net present value", "Discount factor", "Central values"} & texts[1]
    formats = [
        {cell.number_format for row in book.worksheets[2].iter_rows() for cell in row}
        for book in (english, german)
    ]
    assert any(code.startswith('"€"#,##0') for code in formats[0])
    assert any(code.startswith('#,##0\\ "€"') for code in formats[1])
    assert "0.00\\ %" in formats[1]


def test_marked_cells_are_yellow_and_unlocked_and_nothing_else_is() -> None:
    book = opened(content(example()))
    marked = set()
    for page in book:
        for cell in (cell for row in page.iter_rows() for cell in row):
            unlocked = not cell.protection.locked
            assert unlocked == (cell.fill.fgColor.rgb == YELLOW)
            if unlocked:
                assert isinstance(cell.value, int | float)
                marked.add((page.title, cell.coordinate))
    inputs, scenarios = 14, 5
    assert sum(title == "Results" for title, _ in marked) == 2
    assert sum(title == "Assumptions" for title, _ in marked) > inputs * scenarios
    for page in book:
        validated = {str(rule.sqref) for rule in page.data_validations.dataValidation}
        cells = {cell for rule in validated for cell in _single(rule)}
        assert {cell for title, cell in marked if title == page.title} <= cells


def _single(ranges: str) -> list[str]:
    from openpyxl.utils import get_column_letter, range_boundaries

    found = []
    for part in ranges.split():
        left, top, right, bottom = range_boundaries(part)
        found += [
            f"{get_column_letter(column)}{row}"
            for column in range(left, right + 1)
            for row in range(top, bottom + 1)
        ]
    return found


def test_inputs_stand_as_stated_and_in_their_own_unit() -> None:
    workbook = content(example())
    page = pages(workbook)["Assumptions"]
    head = [cell.value for cell in page[4]]
    row = next(cell.row for cell in page["B"] if cell.value == "revenue_uplift")
    cells = dict(zip(head, (cell.value for cell in page[row]), strict=True))
    assert cells["Label"] == "Additional revenue"
    assert cells["Role"] == "Revenue effect: Volume"
    assert cells["Of what"] == "Revenue today"
    assert (cells["Unit"], cells["Low"], cells["High"], cells["Sure"]) == ("%", 1, 4, 0.9)
    assert cells["Evidence"] == "Published"
    assert cells["Source"] == "Article: worst 1 %, base 2 %, best 4 %"
    assert (cells["Base case"], cells["Best case"], cells["Worst case"]) == (2, 4, 1)
    assert cells["Central values"] == pytest.approx(2.0)


def test_copies_follow_their_original_and_metrics_without_use_have_no_cell() -> None:
    workbook = content(simulated(everything()))
    page = pages(workbook)["Assumptions"]
    original = page[input_cell(workbook, "good", "software")[1]]
    copy = page[input_cell(workbook, "good", "software_again")[1]]
    assert original.value == 30_000
    assert copy.value == f"={original.coordinate}/1000"
    assert copy.protection.locked
    assert page[input_cell(workbook, "good", "churn_rate")[1]].value == 12
    assert page[input_cell(workbook, "good", "satisfaction")[1]].value is None


def test_every_formula_has_a_cached_value() -> None:
    workbook = content(simulated(everything()))
    cached = opened(workbook, data_only=True)
    found = formula_cells(workbook)
    assert len(found) > 3000
    missing = [place for place in found if cached[place[0]][place[1]].value is None]
    assert missing == []


def test_draws_are_the_first_ones_of_every_replicate() -> None:
    simulation = example()
    page = opened(content(simulation, n_draws=21))["Draws"]
    rows = [[cell.value for cell in row[:6]] for row in page.iter_rows(min_row=7)]
    assert len(rows) == 20
    outcome = simulation.first(10).outcome(adjusted=False)
    assert [row[:2] for row in rows[9:11]] == [[1, 10], [2, 1]]
    np.testing.assert_allclose([row[4] for row in rows], outcome.benefit.ravel(), rtol=1e-12)
    np.testing.assert_allclose([row[5] for row in rows], outcome.cost.ravel(), rtol=1e-12)
    success = simulation.first(10).success()
    np.testing.assert_allclose([row[3] for row in rows], success.ravel(), rtol=1e-12)


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_draws_say_in_red_that_they_stand_still(language: str) -> None:
    page = opened(content(example(language), language, n_draws=2000))[SHEETS[language][3]]
    warning = page["A3"]
    assert {"en": "do NOT follow the sheet Assumptions", "de": "dem Blatt Annahmen NICHT"}[
        language
    ] in warning.value
    assert warning.font.color.rgb == "FFB3261E"
    assert warning.font.b
    assert page.print_area.endswith("$A$1:$J$46")


def test_figures_of_the_whole_simulation_stand_beside_the_live_ones() -> None:
    simulation = example()
    page = pages(content(simulation))["Results"]
    found = headline(simulation).sel(accounting="contribution_margin")
    rows = {row[0].value: [cell.value for cell in row[:7]] for row in page.iter_rows()}
    median = rows["Net present value: 50% of draws lie below"]
    for adjusted, column in ((True, 2), (False, 5)):
        chosen = found.sel(adjusted=adjusted)
        assert median[column] == pytest.approx(float(chosen["npv"].sel(quantile=0.5)), rel=1e-14)
        error = float(chosen["npv_error"].sel(quantile=0.5))
        assert median[column + 1] == pytest.approx(error, rel=1e-14)
        positive = rows["Probability: net present value above 0"]
        assert positive[column] == pytest.approx(float(chosen["p_npv_positive"]), rel=1e-14)


def test_audit_says_where_everything_comes_from() -> None:
    simulation = example()
    versions = {"python": "3.13", "softseg": "9.9"}
    book = opened(content(simulation, seed=77, versions=versions))
    rows = {
        row[0].value: [cell.value for cell in row] for row in book["Audit"].iter_rows() if row[0]
    }
    assert rows["SHA-256 of the assumptions"][1] == assumptions_hash(simulation.assumptions)
    assert rows["Seed"][1] == "77"
    assert rows["Versions"][1] == "python 3.13, softseg 9.9"
    margin = rows["Better margin"]
    assert margin[1] == "margin_uplift"
    assert margin[5:7] == ["Log-normal", "0.8 to 2.5, 90% sure"]
    assert margin[8].startswith("mu = ")
    entry = simulation.assumptions.inputs["savings"]
    exact = entry.model_copy(update={"value": 1_234_567.5, "low": None, "high": None})
    assert _parameters(marginal(exact), "de") == "value = 1.234.567,5"
    wide = entry.model_copy(update={"low": 1_234_567.5, "high": 7_654_321.25})
    assert _how_read(simulation.assumptions, wide, "de").startswith("1.234.567,5 bis 7.654.321,25")
    drawn = simulation.draws.values["margin_uplift"]
    assert margin[10:13] == pytest.approx(100 * np.quantile(drawn, [0.05, 0.5, 0.95]))
    assert "All rank correlations are as asked for." in rows


def test_audit_tells_draws_from_elsewhere_and_without_seed_points_to_the_manifest() -> None:
    from softseg.decisions.model.simulate import RoiModel

    model = RoiModel.example()
    posterior = {"savings": np.linspace(1e6, 2e6, 50)}
    simulation = model.simulate(2, 32, posterior=posterior, cores=1)
    page = opened(content(simulation))["Audit"]
    rows = {row[0].value: [cell.value for cell in row] for row in page.iter_rows()}
    assert rows["Cost savings"][5] == "Draws given from outside"
    assert rows["Seed"][1] == "see manifest.json"


def test_samples_three_points_and_changed_correlations_are_told() -> None:
    data = everything().model_dump()
    data["inputs"]["volume"] |= {"value": None, "samples": (1.0, 1.5, 2.0, 1.2)}
    pairs = [("price", "share_of_service", 0.9), ("price", "software", 0.9),
             ("share_of_service", "software", 0.5)]  # fmt: skip
    data["dependence"] = {
        "correlations": [{"between": (a, b), "rank": rank} for a, b, rank in pairs]
    }
    simulation = simulated(Assumptions.model_validate(data))
    page = opened(content(simulation, "de"))["Audit"]
    rows = {row[0].value: [cell.value for cell in row] for row in page.iter_rows()}
    assert rows["volume"][5:7] == ["Stichprobe", "4 Werte einer Stichprobe"]
    read = "28.000, am wahrscheinlichsten 40.000, 57.000, zu 90 % sicher"
    assert rows["software"][6] == read
    assert rows["software_again"][6] == "dasselbe wie: software"
    assert len(simulation.draws.changes) > 0
    first = simulation.draws.changes[0]
    assert rows[first[0]][0] == first[0]
    assert "Erste Eingabe" in rows


def test_the_same_calculation_writes_the_same_bytes() -> None:
    assert content(example()) == content(example())


def test_the_file_is_replaced_or_left(tmp_path: Path) -> None:
    path = tmp_path / "roi.xlsx"
    simulation = example()
    written = write_workbook(simulation, Headline(simulation), path, "de", n_draws=4)
    assert len(written) == 64
    assert opened(path.read_bytes()).sheetnames == SHEETS["de"]
    with pytest.raises(FileError, match="Create the folder first, or name another one"):
        write_workbook(simulation, Headline(simulation), tmp_path / "none" / "roi.xlsx", n_draws=4)


def test_unknown_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Choose a language out of"):
        write_workbook(example(), Headline(example()), tmp_path / "roi.xlsx", "fr")


def test_a_programme_without_costs_has_no_ratio() -> None:
    data = everything(counterfactual="nothing").model_dump()
    costs = ("project", "setup", "software", "software_again", "sales", "serving")
    data["inputs"] = {k: v for k, v in data["inputs"].items() if k not in costs}
    data["scenarios"] = {}
    simulation = simulated(Assumptions.model_validate(data))
    page = opened(content(simulation), data_only=True)["Results"]
    rows = {row[0].value: [cell.value for cell in row] for row in page.iter_rows()}
    assert rows["Central values"][6:8] == ["–", "–"]
    assert rows["ROI: 50% of draws lie below"][1] == "–"
    assert rows["ROI of the averages: net present value ÷ cost"][1] == "–"


def with_texts(texts: list[str]) -> Assumptions:
    """Return assumptions with texts wherever the reader's own words can stand."""
    data = everything().model_dump()
    data["inputs"] |= {
        f"more_{i}": {"role": "metric", "unit": "count", "value": 1.0} for i in range(20)
    }
    words = iter(texts)
    data["title"] = next(words)
    data["scenarios"] = {next(words): values for values in data["scenarios"].values()}
    for entry in data["inputs"].values():
        for field in ("label", "source", "owner", "note"):
            entry[field] = next(words, texts[0])
    assert next(words, None) is None, "every text must have a place"
    return Assumptions.model_validate(data)


def test_hostile_strings_stay_strings() -> None:
    texts = hostile()
    plain = content(simulated(with_texts([f"text {i}" for i in range(len(texts))])), n_draws=4)
    workbook = content(simulated(with_texts(texts)), n_draws=4)
    assert formula_cells(workbook) == formula_cells(plain)
    parts = {name: text for name, text in _parts(workbook) if name.endswith((".xml", ".rels"))}
    assert not [name for name in parts if "externalLink" in name or "/_rels/sheet" in name]
    assert not [name for name, text in parts.items() if "<hyperlink" in text or "<dde" in text]
    for name, text in parts.items():
        if name.startswith("xl/worksheets/"):
            assert "evil" not in text, "texts stand in the table of strings only"
            cells = re.findall(r"<c ([^>]*)>(<f>)?", text)
            assert not [c for c, formula in cells if formula and 't="s"' in c]
    shared = {cell.value for page in opened(workbook) for row in page.iter_rows() for cell in row}
    kept = [text for text in texts if text in shared]
    # A carriage return becomes a line feed, and the longest ones are cut.
    assert len(kept) > 180


def _parts(workbook: bytes) -> list[tuple[str, str]]:
    with zipfile.ZipFile(BytesIO(workbook)) as archive:
        return [(name, archive.read(name).decode("utf-8")) for name in archive.namelist()]


def test_long_texts_are_cut_and_broken_characters_replaced() -> None:
    data = everything().model_dump()
    data["title"] = "a" * (LONGEST + 5)
    page = opened(content(simulated(Assumptions.model_validate(data)), n_draws=2))["Results"]
    assert page["A2"].value == "a" * LONGEST + " …"


def test_texts_that_look_like_formulas_stay_texts_when_they_are_edited() -> None:
    data = everything().model_dump()
    data["title"] = "=1+1"
    page = opened(content(simulated(Assumptions.model_validate(data)), n_draws=2))["Results"]
    assert page["A2"].value == "=1+1"
    assert page["A2"].data_type == "s"
    assert page["A2"].quotePrefix


def test_formulas_keep_brackets_where_they_are_needed() -> None:
    a, b, c = (Formula(name, x) for name, x in (("A1", 2.0), ("B1", 3.0), ("C1", 5.0)))
    assert (a - (b - c)).text == "A1-(B1-C1)"
    assert (a * (b + c)).text == "A1*(B1+C1)"
    assert (a / (b * c)).text == "A1/(B1*C1)"
    assert ((a + b) / c).text == "(A1+B1)/C1"
    assert (literal(0.5) ** (a / b)).text == "(0.5^(A1/B1))"
    assert (a + -1.0 * b).text == "A1+(-1)*B1"
    assert (1.0 - a).value == -1.0
    assert (a * 0.0, a + 0.0, a * 1.0) == (ZERO, a, a)
    assert (ONE * a - 0.0) == a
    assert np.isnan(ratio(a, ZERO, "–").value)


def test_names_of_sheets_are_those_of_the_catalogue() -> None:
    assert [name_of(key, "de") for key in ("results", "draws")] == ["Ergebnis", "Ziehungen"]
