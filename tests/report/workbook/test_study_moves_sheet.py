"""The sheet on migration: units, and only rows that say something of their own."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import openpyxl
import pytest

from softseg.report.workbook.study_book import study_workbook_bytes
from softseg.wording import say
from study_findings import moved


def rows(language: str) -> tuple[Any, list[list[Any]]]:
    """Return the sheet and its rows with words and numbers, empty cells aside."""
    book = openpyxl.load_workbook(io.BytesIO(study_workbook_bytes(moved(language))))
    sheet = book[say("workbook.sheet.moves", language)]
    found = [[cell for cell in row if cell.value is not None] for row in sheet.iter_rows()]
    return sheet, [row for row in found if row]


@pytest.mark.parametrize("language", ["en", "de"])
def test_customers_begin_today_and_programmes_stand_where_they_change_moves(language: str) -> None:
    _, found = rows(language)
    what = say("workbook.study.moves.programme_mean", language)
    named = [row[0].value for row in found if len(row) > 1 and row[1].value == what]
    assert named == ["Alpha"]
    base = say("workbook.study.moves.baseline_mean", language)
    row = next(r for r in found if len(r) > 1 and r[1].value == base)
    expected = (
        moved(language).parts["migrated"]["customers_mean"].sel(segment=1, programme="baseline")
    )
    np.testing.assert_allclose([cell.value for cell in row[2:]], expected)
    assert {cell.number_format for cell in row[2:]} == {"#,##0.0"}
    head = found[found.index(row) - 1]
    assert [cell.value for cell in head[2:]] == [*range(len(expected))]


@pytest.mark.parametrize(("language", "gone"), [("en", "churned"), ("de", "abgewandert")])
def test_transitions_of_a_year_add_up(language: str, gone: str) -> None:
    _, found = rows(language)
    mine = [row for row in found if len(row) == 5 and row[0].value == "Beta"]
    assert [row[1].value for row in mine] == ["Alpha", "Beta", "Gamma", gone]
    assert sum(row[2].value for row in mine) == pytest.approx(1.0)
    assert all("%" in row[2].number_format for row in mine)


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_needs_customers_who_stay_says_so(language: str) -> None:
    found = moved(language)
    kept = {name: part for name, part in found.parts.items() if name not in ("number", "regret")}
    book = openpyxl.load_workbook(io.BytesIO(study_workbook_bytes(replace(found, parts=kept))))
    sheet = book[say("workbook.sheet.bands", language)]
    texts = [cell.value for row in sheet.iter_rows() for cell in row]
    assert texts.count(say("workbook.study.bands.moving", language)) == 2
