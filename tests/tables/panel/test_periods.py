"""Periods: what can be read, one way of writing, a grid without holes."""

import datetime
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softseg.tables.panel.periods import MOST_PERIODS, parse_period, read_periods
from softseg.tables.schema import ReadingSchema


def read(cells: Sequence[object]):
    return read_periods(pd.Series(cells), ReadingSchema())


@pytest.mark.parametrize(
    ("cells", "number", "labels"),
    [
        (["2021", "2023", "2022"], [0, 2, 1], ("2021", "2022", "2023")),
        ([2021.0, None, 2022.0], [0, -1, 1], ("2021", "2022")),
        ([3, 1, 1], [1, 0, 0], ("1", "3")),
        ([-1, 0, 2], [0, 1, 3], ("-1", "0", "1", "2")),
        (["2023-11", "2024-02"], [0, 1], ("2023-11", "2024-02")),
        (["2023-11", "2024-01", "2023-12"], [0, 2, 1], ("2023-11", "2023-12", "2024-01")),
        (["2023-Q4", "2024-Q1"], [0, 1], ("2023-Q4", "2024-Q1")),
        (["2023q4", "2024Q2", "2024-Q1"], [0, 2, 1], ("2023-Q4", "2024-Q1", "2024-Q2")),
        (["2023-12-31", "2024-01-01"], [0, 1], ("2023-12", "2024-01")),
        (["2023-01-01", "2023-04-01", "2023-10-01"], [0, 1, 3],
         ("2023-01", "2023-04", "2023-07", "2023-10")),
    ],
)  # fmt: skip
def test_periods_on_a_grid(cells: list, number: list[int], labels: tuple[str, ...]) -> None:
    periods = read(cells)
    np.testing.assert_array_equal(periods.number, number)
    assert periods.labels == labels
    assert periods.ends == (labels[0], labels[-1])
    assert periods.length == len(labels)


def test_dates_become_months() -> None:
    stamps = pd.to_datetime(["2024-03-31 23:59:59.5", "2024-04-01"], format="ISO8601")
    assert read_periods(pd.Series(stamps), ReadingSchema()).labels == ("2024-03", "2024-04")
    days = [datetime.date(2024, 1, 31), datetime.date(2024, 2, 1)]
    assert read(days).labels == ("2024-01", "2024-02")


@pytest.mark.parametrize(
    "cell",
    ["202403", "20240301", "03/2024", "1.3.2024", "March", "2024-13", "2024-02-30", "2024-Q5",
     "2024-03-01T00:00:00Z", "2024-03-01 00:00+01:00", "1.5", "true", "", "24-03"],
)  # fmt: skip
def test_what_is_no_period(cell: str) -> None:
    assert parse_period(cell) is None
    periods = read(["2024", "2025", cell])
    assert periods.unreadable.tolist() == [False, False, True]
    assert periods.number[2] == -1


def test_two_ways_of_writing_are_told_apart() -> None:
    periods = read(["2024-01", "2024-02", "2024-03-01", "2024"])
    assert periods.mixed.tolist() == [False, False, True, True]
    assert periods.labels == ("2024-01", "2024-02")


def test_a_grid_that_is_too_long_has_no_labels() -> None:
    periods = read([1, 2, MOST_PERIODS + 5])
    assert (periods.labels, periods.usable, periods.length) == ((), False, MOST_PERIODS + 5)
    nothing = read([None, ""])
    assert (nothing.labels, nothing.usable, nothing.ends) == ((), False, ("", ""))


@given(st.lists(st.integers(-400, 400), min_size=1), st.integers(1, 12))
def test_labels_stand_where_the_number_says(values: list[int], step: int) -> None:
    periods = read([str(step * value) for value in values])
    said = [int(periods.labels[number]) for number in periods.number]
    assert said == [step * value for value in values]
    distances = np.diff([int(label) for label in periods.labels])
    assert np.all(distances == periods.step)
