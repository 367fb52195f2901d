"""What a single cell means: formats in per cent, and text where a number belongs."""

from typing import Any

import pytest

from softseg.decisions.inputs.cells import Cell, CellFault, is_percent, parse


@pytest.mark.parametrize(
    ("look", "percent"),
    [
        ("0%", True),
        ("0.0 %", True),
        ("#,##0.0%;[Red]-0%", True),
        ("General", False),
        (None, False),
        ('0"%"', False),
        ("0\\%", False),
        ("[$%]0", False),
        ("0_%", False),
    ],
)
def test_number_formats(look: str | None, percent: bool) -> None:
    assert is_percent(look) is percent


@pytest.mark.parametrize(
    ("text", "unit", "key", "values"),
    [
        ("80", "%", "text_number", {"number": "80"}),
        ("0,3", "%", "text_number", {"number": "0,3"}),
        ("0.125", "%", "text_number", {"number": "0,125"}),
        ("8 %", "share", "text_number", {"number": "0,08"}),
        ("-3,5%", "pp", "text_number", {"number": "-3,5"}),
        ("1.400,5 EUR", "EUR", "text_number", {"number": "1400,5"}),
        ("1,400.5", "EUR", "text_number", {"number": "1400,5"}),
        ("600.000,00 €", "EUR", "text_number", {"number": "600000"}),
        ("1 234 567", "EUR", "text_number", {"number": "1234567"}),
        ("1.234.567", "EUR", "text_number", {"number": "1234567"}),
        ("250.000", "EUR", "text_either", {"first": "250000", "second": "250"}),
        ("8 % bis 15 %", "%", "text_range", {"low": "8", "high": "15"}),
        ("20–80 %", "share", "text_range", {"low": "0,2", "high": "0,8"}),
        ("5-20", "%", "text_range", {"low": "5", "high": "20"}),
        ("1.000 bis 2.000", "EUR", "no_number", {}),
        ("1,23,456", "EUR", "no_number", {}),
        ("1.23,456.7", "EUR", "no_number", {}),
        ("12 Mio. €", "EUR", "no_number", {}),
        ("2026-02-01", "EUR", "no_number", {}),
        ("viel", "EUR", "no_number", {}),
    ],
)
def test_text_is_refused_with_the_number_that_is_meant(
    text: str, unit: str, key: str, values: dict[str, Any]
) -> None:
    with pytest.raises(CellFault) as raised:
        parse(Cell(text), "quantity", unit, "de")
    assert raised.value.key == f"sheet.{key}"
    assert raised.value.values == {**values, "got": text}
