"""Cells become numbers and levels as a person would read them, or are pointed out."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softseg.tables.columns import default_success, read_levels, read_numbers
from softseg.tables.schema import ReadingSchema
from softseg.tables.text import shortened

NAN = float("nan")


@pytest.mark.parametrize(
    ("cells", "decimal", "values"),
    [
        (["1.5", " 2 ", "", "-", "n/a"], None, [1.5, 2, NAN, NAN, NAN]),
        (["1.234", "0.5"], None, [1.234, 0.5]),
        (["1.234", "5"], ".", [1.234, 5]),
        (["1.234", "5"], ",", [1234, 5]),
        (["1.234,5", "4,5", "1 000"], ",", [1234.5, 4.5, 1000]),
        (["1,234.5", "1’000"], ".", [1234.5, 1000]),
        (["−3", "1e3", "+.5", "inf", "-Infinity"], None, [-3, 1000, 0.5, np.inf, -np.inf]),
    ],
)
@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_text_is_read(cells: list[str], decimal: Any, values: list[float], dtype: str) -> None:
    read = read_numbers(pd.Series(cells, dtype=dtype), ReadingSchema(decimal=decimal))
    np.testing.assert_array_equal(read.values, values)
    assert not read.bad.any()
    assert not read.ambiguous.any()


@pytest.mark.parametrize(
    ("cells", "bad", "comma", "ambiguous"),
    [
        (["4,5", "1.234,5", "7"], 2, 2, 0),
        (["4.5", "12 %", "x", "2 EUR"], 3, 0, 0),
        (["1.234", "5", "12.345.678"], 0, 0, 2),
        (["1,234", "5"], 0, 0, 1),
        (["1.234", "1234"], 0, 0, 0),
        (["1.234", "0.123"], 0, 0, 0),
    ],
)
def test_text_that_is_no_number_as_stated(
    cells: list[str], bad: int, comma: int, ambiguous: int
) -> None:
    read = read_numbers(pd.Series(cells, dtype="str"), ReadingSchema())
    assert (read.bad.sum(), read.comma.sum(), read.ambiguous.sum()) == (bad, comma, ambiguous)
    assert np.isnan(read.values[read.bad | read.ambiguous]).all()


def test_numbers_of_other_types() -> None:
    mixed = pd.Series(
        [1, 2.5, "3", None, True, Decimal("4.5"), pd.Timestamp("2024-01-01")], dtype=object
    )
    read = read_numbers(mixed, ReadingSchema())
    np.testing.assert_array_equal(read.values, [1, 2.5, 3, NAN, 1, 4.5, NAN])
    np.testing.assert_array_equal(np.flatnonzero(read.bad), [6])
    whole = read_numbers(pd.Series([1, None, 3], dtype="Int64"), ReadingSchema())
    np.testing.assert_array_equal(whole.values, [1, NAN, 3])
    assert len(read_numbers(pd.Series([], dtype="str"), ReadingSchema()).values) == 0


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_written_numbers_are_read_back(values: list[float]) -> None:
    cells = pd.Series([repr(value) for value in values], dtype="str")
    read = read_numbers(cells, ReadingSchema(decimal="."))
    np.testing.assert_array_equal(read.values, values)


def test_levels_are_sorted_and_whole_numbers_alike() -> None:
    read = read_levels(pd.Series(["10", "2", "1.0", None, "NA"], dtype="str"), ReadingSchema())
    assert read.levels == ("1", "2", "10")
    np.testing.assert_array_equal(read.codes, [2, 1, 0, -1, -1])
    assert read_levels(pd.Series([1.0, 2.0, np.nan]), ReadingSchema()).levels == ("1", "2")
    assert read_levels(pd.Series([True, False]), ReadingSchema()).levels == ("false", "true")
    assert read_levels(pd.Series(["True", "b", "A"]), ReadingSchema()).levels == ("A", "b", "true")


def test_success_is_the_affirmative_or_the_last() -> None:
    assert default_success(("ja", "nein")) == "ja"
    assert default_success(("No", "Yes")) == "Yes"
    assert default_success(("Female", "Male")) == "Male"


def test_quotes_are_short() -> None:
    assert shortened("a\nb") == '"a b"'
    assert len(shortened("x" * 100)) == 26
