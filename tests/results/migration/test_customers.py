"""The customers of today: what a year is, and what they brought in it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from softseg.errors import UsageError
from softseg.results.migration.customers import periods_per_year, present_customers
from softseg.tables.panel.panel import Panel
from softseg.tables.panel.prepare import prepare_panel
from softseg.tables.schema import Schema


def panel(n_months: int) -> Panel:
    """Return two customers, of whom one begins in the second month; both bring 10 a month."""
    months = pd.period_range("2024-01", periods=n_months, freq="M").astype(str)
    frame = pd.DataFrame({
        "id": np.repeat(["a", "b"], [n_months, n_months - 1]),
        "month": [*months, *months[1:]],
        "orders": np.arange(2 * n_months - 1) % 4,
        "revenue": 10.0,
    })  # fmt: skip
    parts: Any = {"indicators": {"orders": "poisson"}, "value": {"revenue": {}}, "migration": {}}
    return prepare_panel(frame, Schema(id="id", period="month", **parts))


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        (["2024-01", "2024-02"], 12),
        (["2024-01", "2024-04"], 4),
        (["2024-Q1", "2024-Q2"], 4),
        (["2023", "2024"], 1),
    ],
)
def test_periods_of_a_year(periods: list[str], expected: int) -> None:
    assert periods_per_year(periods) == expected


@pytest.mark.parametrize("periods", [["1", "2"], ["2023", "2025"], ["2024-01", "2024-06"]])
def test_periods_that_make_no_year_are_refused(periods: list[str]) -> None:
    with pytest.raises(UsageError, match="periods of which a whole number makes a year"):
        periods_per_year(periods)


def test_values_are_those_of_the_last_year() -> None:
    present = present_customers(panel(13))
    np.testing.assert_array_equal(present.table.values["revenue"], [120.0, 120.0])
    present = present_customers(panel(12))
    np.testing.assert_array_equal(present.table.values["revenue"], [120.0, 110.0])


def test_a_panel_shorter_than_a_year_has_no_value_of_a_year() -> None:
    short = panel(6)
    with pytest.raises(UsageError, match="expected 12 periods, got 6"):
        present_customers(short)
    bare = replace(short, table=replace(short.table, values={}))
    assert present_customers(bare).table.values == {}
