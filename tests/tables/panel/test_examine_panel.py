"""Every fault of a panel is found at once, with its column, count, first row and remedy."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from softseg.tables.check import check
from softseg.tables.faults import Fault
from softseg.tables.schema import Schema
from softseg.wording import LANGUAGES

OBSERVED = {"churn": "observed", "churned": "gone"}
SILENT = {"churn": "silent", "activity": "n"}
GONE = {"churn": "inactivity", "activity": "n", "after": 2}


def found(
    columns: dict[str, Any], migration: dict[str, Any] | None = None, **indicators: str
) -> dict[str, Fault]:
    schema = Schema(
        id="k",
        period="t",
        indicators=indicators or {"x": "gaussian"},
        migration=migration or {},
    )
    return {fault.code: fault for fault in check(pd.DataFrame(columns), schema)}


K, T, X = [1, 1, 2, 2, 2], [1, 2, 1, 2, 3], [1.0, 2.0, 3.0, 4.0, 5.0]
GOOD = {"k": K, "t": T, "x": X}


@pytest.mark.parametrize(
    ("changed", "migration", "code", "count", "first_row", "words"),
    [
        ({"t": [1, 1, 1, 2, 1]}, None, "panel_duplicate", 2, 2, "one row per customer and period"),
        ({"t": [1, "x", 1, 2, 3]}, None, "panel_period", 1, 2, 'a cell holds "x"'),
        ({"t": [1, None, 1, 2, 3]}, None, "panel_period", 1, 2, "2024-Q1"),
        (
            {"t": ["2024-01", "2024-02", "2024-01-05", "2024-02", "2024-03"]},
            None,
            "panel_period_mixed",
            1,
            3,
            'such as "2024-01": cells hold "2024-01-05"',
        ),
        ({"t": [1, 2, 1, 2, 9999]}, None, "panel_period_far", 0, None, "from 1 to 9999"),
        ({"t": [5] * 5, "k": [1, 2, 3, 4, 5]}, None, "panel_one_period", 0, None, "holds 5 alone"),
        ({"k": [1, 2, 3, 4, 5]}, None, "panel_one_each", 0, None, "nobody in the column"),
        ({"t": [1, 3, 1, 5, 3]}, None, "panel_period_step", 0, None, "as far apart as 1 and 3"),
        ({"gone": [0, 0, 1, 0, 0]}, OBSERVED, "panel_returns", 2, 4, "does not come back"),
        ({"gone": [0, 0, 0, 0, "soon"]}, OBSERVED, "panel_churned_unclear", 1, 5, "yes or no"),
        ({"gone": [0, 0, 0, 0, 1]}, OBSERVED, "panel_churned_values", 1, None, "are not used"),
        ({"gone": [1, 1, 0, 0, 0]}, OBSERVED, "panel_only_churned", 0, None, "left out: 1"),
        ({"gone": [1, 1, 1, 1, 1]}, OBSERVED, "panel_nobody", 0, None, "no customer is there"),
        ({"gone": [0, 0, 0, 0, 0]}, OBSERVED, "panel_nobody_left", 0, None, "Nobody has left"),
        ({"c": [None, 1, 2, 3, 4]}, {"initial": ["c"]}, "panel_covariate_empty", 1, 1, "first row"),
        ({"c": [2] * 5}, {"transition": ["c"]}, "panel_covariate_constant", 0, None, "same"),
        ({"c": [1, 2, 3, 4, "?"]}, {"transition": ["c"]}, "number_in_text", 1, 5, "plain numbers"),
        ({}, {"transition": ["c"]}, "missing_column", 0, None, 'Add the column "c"'),
    ],
)  # fmt: skip
def test_a_faulty_panel(
    changed: dict[str, Any], migration: Any, code: str, count: int, first_row: Any, words: str
) -> None:
    fault = found(GOOD | changed, migration)[code]
    assert (fault.count, fault.first_row) == (count, first_row)
    assert words in fault.text()
    assert fault.text("de") != fault.text("en")


def test_too_many_levels_of_a_covariate() -> None:
    n = 17
    columns = {"k": [1] * n, "t": range(n), "x": np.arange(n) * 1.0, "c": list("abcdefghijklmnopq")}
    fault = found(columns, {"transition": ["c"]})["panel_covariate_levels"]
    assert "it has 17, at most 15" in fault.text()


@pytest.mark.parametrize(
    ("n", "x", "migration", "code", "count", "words"),
    [
        ([1, 0, 2, 1, 0], [1.0, 7.0, 3.0, 4.0, None], SILENT, "panel_filled", 1, "Empty the col"),
        ([1, 2, 3, 0, 0], [1.0, 2.0, 3.0, 7.0, None], GONE, "panel_filled", 1, "Empty the col"),
        ([1, None, 2, 1, 0], [1.0, 7.0, 3.0, 4.0, None], SILENT, "panel_activity_empty", 1, "0"),
        ([2, 2, 2, 2, 2], X, SILENT, "panel_activity_constant", 0, "another indicator"),
        ([0, 0, 2, 1, 1], X, GONE, "panel_never_active", 0, "left out: 1"),
        ([0, 0, 0, 0, 0], X, GONE, "panel_nobody", 0, "no customer is there"),
        ([1, 2, 3, 1, 1], X, GONE, "panel_nobody_left", 0, 'churn = "none"'),
        ([0, 1, 0, 1, 1], [None, 2.0, None, 4.0, 5.0], SILENT, "panel_asleep_first", 0, "100.0%"),
        ([1, 2, 3, 1, 1], [1.0, None, 3.0, 4.0, 5.0], SILENT, "panel_empty_cells", 0, "20.0%"),
    ],
)
def test_faulty_activity(
    n: list[Any], x: list[Any], migration: Any, code: str, count: int, words: str
) -> None:
    columns = {"k": K, "t": T, "n": n, "x": x}
    fault = found(columns, migration, n="poisson", x="gaussian")[code]
    assert fault.count == count
    assert words in fault.text()


def test_a_pause_that_has_ended_may_hold_values() -> None:
    columns = {"k": K, "t": T, "n": [1, 2, 3, 0, 1], "x": X}
    assert "panel_filled" not in found(columns, GONE, n="poisson", x="gaussian")


def test_many_gaps_are_a_warning_and_late_entry_is_nothing() -> None:
    columns = {"k": [1, 1, 2, 2], "t": [1, 5, 3, 4], "x": [1.0, 2.0, 3.0, 4.0]}
    faults = found(columns)
    assert set(faults) == {"panel_many_gaps"}
    assert faults["panel_many_gaps"].severity == "warning"
    assert "42.9%" in faults["panel_many_gaps"].text()


def test_a_good_panel_has_no_faults_and_errors_come_first() -> None:
    assert found(GOOD) == {}
    schema = Schema(id="k", period="t", indicators={"x": "gaussian"}, migration={})
    columns = {"k": [1, 1, 1, 2], "t": [1, 9, 9, 3], "x": X[:4]}
    severities = [fault.severity for fault in check(pd.DataFrame(columns), schema)]
    assert severities == ["error", "warning", "note"]


def test_ids_are_never_shown() -> None:
    columns = {"k": ["secret", "secret", None], "t": [1, 1, 2], "x": X[:3]}
    faults = found(columns)
    assert faults["missing_id"].first_row == 3
    for fault in faults.values():
        assert not any("secret" in fault.text(language) for language in LANGUAGES)
