"""The workbook comes back as the assumptions it was written from, and never holds a formula."""

import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from softseg.decisions.inputs.columns import (
    CHOICES,
    INPUTS,
    SETTINGS,
    SHEETS,
    code_of,
    unit_code,
    unit_label,
    units,
)
from softseg.decisions.inputs.read import read_assumptions
from softseg.decisions.inputs.schema import Assumptions, Input
from softseg.decisions.inputs.template import write_template, write_workbook
from softseg.errors import FileError, SchemaError
from softseg.wording import LANGUAGES, say

HOSTILE = [
    "=1+1", "+cmd", "-1", "@x", "\t=1+1", "\n=1+1", " =1+1", "=HYPERLINK(\"http://a\",\"b\")",
    "=cmd|' /C calc'!A0", "{=1}", "http://a.b", "'=1", "1,5", "TRUE", "#N/A", "_x003D_1",
    "<script>alert(1)</script>", "%0A=1", "é漢字", "a\nb",
]  # fmt: skip


def small(**more: Any) -> dict[str, Any]:
    inputs = {
        "revenue": {"role": "revenue", "unit": "MEUR/year", "value": 50},
        "realisation": {"role": "realisation", "unit": "%", "low": 20, "high": 80},
        "no_effect": {"role": "no_effect", "unit": "%", "value": 25},
    }
    return {"horizon": 5, "inputs": inputs, **more}


def full() -> Assumptions:
    """Return assumptions in which every entry of the schema differs from its default."""
    price = {
        "label": "Prices", "role": "revenue_effect", "effect": "price", "unit": "%",
        "low": 8, "likely": 9.1, "high": 15, "sure": 0.8, "family": "pert", "margin": "margin",
        "base": ("revenue", "premium"), "published": False, "programme": "both",
        "evidence": "own_pilot", "source": "a; b", "owner": "C", "note": "two\nlines",
        "overlaps": ("better",), "date": "2026-03-31",
        "profile": {"start": 2, "ramp": (0.1, 1e-05, 1), "half_life": 3.5, "last": 5},
    }  # fmt: skip
    more = {
        "margin": {"role": "contribution_margin", "unit": "%", "low": 25, "high": 45},
        "price": price,
        "premium": {"role": "base", "unit": "%", "samples": (10.5, 11, 12), "sample_set": "s"},
        "better": {
            "role": "revenue_effect", "effect": "mix", "unit": "pp", "low": 0.8, "high": 2.5,
            "base": ("revenue",), "programme": "uniform",
        },
        "churn_rate": {"role": "base", "unit": "share", "value": 0.1},
        "churn": {
            "role": "revenue_effect", "effect": "churn", "unit": "%", "low": 5, "high": 10,
            "base": ("revenue",), "rate": "churn_rate",
        },
        "saved": {"role": "saving", "unit": "kEUR/year", "low": 75, "high": 300, "in_margin": True},
        "copy": {"role": "metric", "unit": "%", "same_as": "price"},
    }  # fmt: skip
    factors = {
        "Markt 1": {"label": "how", "loads": {"price": 0.6}, "factors": {"f": 0.3}},
        "f": {"label": "empty", "loads": {}},
    }
    data = small(
        title="Programme",
        first_year=2027,
        counterfactual="uniform",
        convention="mid_year",
        ramp=(0.0, 0.125, 1.0),
        hurdle=0.15,
        scenarios={"base": {}, "best case": {"price": 15, "saved": 1234567}},
        accepted_overlaps=(("price", "better"), ("price", "saved")),
        dependence={
            "factors": factors,
            "correlations": ({"between": ("price", "saved"), "rank": -0.25},),
            "copula": "t",
            "degrees_of_freedom": 4.5,
        },
    )
    data["inputs"] |= more
    return Assumptions.model_validate(data)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("spoken", LANGUAGES)
def test_a_filled_workbook_reads_back(tmp_path: Path, language: str, spoken: str) -> None:
    given = full().model_copy(update={"language": spoken})
    write_workbook(given, tmp_path / "a.xlsx", language)
    assert read_assumptions(tmp_path / "a.xlsx") == given


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_template_asks_for_the_required_numbers_and_nothing_else(
    tmp_path: Path, language: str
) -> None:
    path = tmp_path / "template.xlsx"
    write_template(path, language)
    with pytest.raises(SchemaError) as raised:
        read_assumptions(path)
    said = str(raised.value).split("\n")[1:]
    cells = [line.split(",")[1].split(" ")[2] for line in said]
    assert cells == ["G2", "G3", "G4", "G5", "G6"]

    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[1]
    for row, value in enumerate((50e6, 35, 8, 60, 25), start=2):
        sheet.cell(row, 7).value = value
    book.save(path)
    found = read_assumptions(path)
    assert found.language == language
    assert [entry.value for entry in found.inputs.values()] == [50e6, 35, 8, 60, 25]
    assert set(found.inputs) == {"revenue", "contribution_margin", "discount_rate", "realisation",
                                 "no_effect"}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_controller_sees(tmp_path: Path, language: str) -> None:
    write_template(tmp_path / "a.xlsx", language)
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    names = [say(f"sheet.name.{name}", language) for name in (*SHEETS, "lists")]
    assert book.sheetnames == names
    assert [sheet.sheet_state for sheet in book.worksheets] == ["visible"] * 6 + ["hidden"]
    sheet = book[names[1]]
    assert sheet.freeze_panes == "C2"
    heads = [cell.value for cell in sheet[1]]
    assert heads == [say(f"sheet.column.{column.code}", language) for column in INPUTS]
    assert all(cell.comment and len(cell.comment.text) > 10 for cell in sheet[1])
    assert sheet["G2"].fill.start_color.rgb == sheet["A30"].fill.start_color.rgb == "FFFFF8DC"
    menus = {str(menu.sqref): menu.formula1 for menu in sheet.data_validations.dataValidation}
    assert len(menus) == 8
    lists = book[names[6]]
    roles = menus["C2:C501"].split("!")[1].replace("$", "")
    said = [row[0].value for row in lists[roles]]
    assert said == [say(f"sheet.role.{role}", language) for role in CHOICES["role"]]
    helped = [cell.value for row in book[names[5]].iter_rows() for cell in row if cell.value]
    assert set(CHOICES["role"]) | set(CHOICES["effect"]) | set(CHOICES["evidence"]) <= set(helped)
    assert not any("{" in text for text in helped)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_never_becomes_a_formula(tmp_path: Path, text: str) -> None:
    data = small(title=text, scenarios={text: {"revenue": 60}})
    data["inputs"]["revenue"] |= {"label": text, "source": text, "owner": text, "note": text}
    data["dependence"] = {"factors": {text: {"label": text, "loads": {}}}}
    given = Assumptions.model_validate(data)
    path = tmp_path / "a.xlsx"
    write_workbook(given, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    cells = [part for name, part in parts.items() if name.startswith("xl/worksheets/sheet")]
    assert len(cells) == 7
    assert not any(b"<f>" in part or b"<f " in part or b"<hyperlink" in part for part in cells)
    found = read_assumptions(path)
    assert found.inputs == given.inputs
    assert found.title == text
    assert list(found.scenarios) == [text.strip()]
    assert list(found.dependence.factors) == [text.strip()]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t1", "\n1"])
def test_text_like_a_formula_stays_text_when_its_cell_is_edited(tmp_path: Path, text: str) -> None:
    write_workbook(Assumptions.model_validate(small(title=text)), tmp_path / "a.xlsx")
    cell = openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets[0]["B2"]
    assert cell.quotePrefix
    assert cell.data_type == "s"


def test_control_characters_become_blanks(tmp_path: Path) -> None:
    given = Assumptions.model_validate(small(title="a\x01b\r\nc\rd\x7f"))
    write_workbook(given, tmp_path / "a.xlsx")
    assert read_assumptions(tmp_path / "a.xlsx").title == "a b\nc\nd "


def test_too_long_a_text_is_refused(tmp_path: Path) -> None:
    given = Assumptions.model_validate(small(title="x" * 40_000))
    with pytest.raises(SchemaError, match=r"Shorten the text that begins with x+: .* 40000"):
        write_workbook(given, tmp_path / "a.xlsx")


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"ends in \.xlsx, got a\.xls"):
        write_template(tmp_path / "a.xls")
    with pytest.raises(FileError, match=r"a\.xlsx in anderen Programmen schließen"):
        write_template(tmp_path / "none" / "a.xlsx", "de")


def test_numbers_keep_sixteen_digits(tmp_path: Path) -> None:
    data = small(scenarios={"a": {"revenue": 15.789473684210526}})
    write_workbook(Assumptions.model_validate(data), tmp_path / "a.xlsx")
    found = read_assumptions(tmp_path / "a.xlsx").scenarios["a"]["revenue"]
    assert found == pytest.approx(15.789473684210526, rel=1e-15)


def test_words_of_choices_are_told_apart() -> None:
    lists = {of: CHOICES[of] for of in CHOICES}
    lists["column"] = tuple(column.code for column in INPUTS)
    lists["setting"] = tuple(column.code for column in SETTINGS)
    lists["name"] = SHEETS
    for of, codes in lists.items():
        for code in codes:
            assert code_of(of, code.upper(), codes) == code
            for language in LANGUAGES:
                said = say(f"sheet.{of}.{code}", language)
                assert code_of(of, f" {said} ", codes) == code


@pytest.mark.parametrize("unit", units("CHF"))
def test_units_are_known_in_both_languages(unit: str) -> None:
    assert unit_code(unit_label(unit, "de")) == unit
    assert unit_code(unit_label(unit, "en")) == unit
    assert unit_code(f" {unit} ") == unit


def test_german_units() -> None:
    assert unit_label("kEUR/year", "de") == "TEUR/Jahr"
    assert unit_code("Mio EUR") == unit_code("Mio. EUR") == unit_code("Mio. €") == "MEUR"
    assert unit_code("T€/Jahr") == unit_code("Tsd. EUR pro Jahr") == "kEUR/year"
    assert unit_code("€ p. a.") == unit_code("EUR/a") == "EUR/year"
    assert unit_code("€/Monat") == "€/Monat"
    assert unit_code("Euro") == "Euro"
    assert Input(role="base", unit=unit_code("TEUR")).unit == "kEUR"
