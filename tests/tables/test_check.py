"""Every fault is found at once, with its column, count, first row and remedy, never an id."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from softseg.errors import DataError, UsageError
from softseg.tables.check import check, check_rows, refuse_errors
from softseg.tables.faults import Fault
from softseg.tables.schema import Schema
from softseg.wording import LANGUAGES, catalogue


def found(frame: pd.DataFrame, **schema: Any) -> dict[str, Fault]:
    return {fault.code: fault for fault in check(frame, Schema(**schema))}


@pytest.mark.parametrize(
    ("cells", "family", "code", "count", "first_row", "words"),
    [
        (["1", "4,5", "2,5"], "gaussian", "decimal_comma", 2, 2, 'decimal = ","'),
        (["1", "x", "3"], "gaussian", "number_in_text", 1, 2, '"x"'),
        (["1", "1.234", "3"], "gaussian", "ambiguous_number", 1, 2, '"1.234"'),
        ([1.0, 2.0, np.inf], "gaussian", "infinite", 1, 3, "infinite"),
        ([1.0, -2.0, 0.0], "lognormal", "domain", 2, 2, "numbers above 0, a cell holds -2"),
        ([1.0, 2.5, -1.0], "poisson", "domain", 2, 2, "whole numbers from 0"),
        ([1.0, -2.5, 3.0], "hurdle_lognormal", "domain", 1, 2, "0 or numbers above 0"),
        ([None, None, None], "gaussian", "all_missing", 0, None, "all its cells are empty"),
        ([2, 2, 2], "gaussian", "constant", 0, None, "left out"),
        (["a", "b", "c"], "bernoulli", "two_values", 0, None, "it has 3"),
        ([1.0, 2.0, None], "gaussian", "gaps", 0, None, "33.3%"),
        (
            ["a", "b", "z"],
            {"family": "categorical", "levels": ["a", "b"]},
            "unknown_level",
            1,
            3,
            '"z"',
        ),
        (
            ["a", "b", "b"],
            {"family": "bernoulli", "success": "c"},
            "success_unseen",
            0,
            None,
            '"c"',
        ),
    ],
)
def test_a_faulty_column(
    cells: list[Any], family: Any, code: str, count: int, first_row: int | None, words: str
) -> None:
    fault = found(pd.DataFrame({"x": cells}), indicators={"x": family})[code]
    assert (fault.column, fault.count, fault.first_row) == ("x", count, first_row)
    assert words in fault.text()
    assert '"x"' in fault.text("de")


def test_extreme_cells_are_a_warning_without_a_row() -> None:
    values = [*np.linspace(0, 1, 50), 1e12]
    fault = found(pd.DataFrame({"x": values}), indicators={"x": "gaussian"})["extreme"]
    assert (fault.severity, fault.count, fault.first_row) == ("warning", 1, None)


def test_ids_are_checked_and_never_shown() -> None:
    frame = pd.DataFrame({"k": ["secret", "secret", None, "d"], "x": [1, 2, 3, 4]})
    faults = found(frame, id="k", indicators={"x": "gaussian"})
    assert (faults["duplicate_id"].count, faults["duplicate_id"].first_row) == (1, 2)
    assert (faults["missing_id"].count, faults["missing_id"].first_row) == (1, 3)
    for fault in faults.values():
        assert not any("secret" in fault.text(language) for language in LANGUAGES)


def test_an_id_may_come_back_in_another_period() -> None:
    frame = pd.DataFrame({"k": [1, 1, 2, 2], "t": [1, 2, 1, 1], "x": [1, 2, 3, 4]})
    faults = found(frame, id="k", period="t", indicators={"x": "gaussian"})
    assert faults["duplicate_id"].count == 1


def test_exposure_count_and_weight() -> None:
    frame = pd.DataFrame(
        {"x": [1, 2, None, 4], "e": [0.0, None, None, 1], "n": [1, 2, 0, 1.5], "w": [1, -1, 2, 3]}
    )
    indicators = {"x": {"family": "poisson", "exposure": "e"}}
    faults = found(frame, indicators=indicators, count="n")
    assert (faults["exposure"].count, faults["exposure"].first_row) == (2, 1)
    assert (faults["count"].count, faults["count"].first_row) == (2, 3)
    assert found(frame, indicators={"x": "poisson"}, weight="w")["weight"].first_row == 2


def test_columns_and_rows_that_are_not_there() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["x", "x"])
    faults = found(frame, indicators={"x": "gaussian", "y": "gaussian"})
    assert faults["duplicate_column"].column == "x"
    assert faults["missing_column"].column == "y"
    assert faults["few_rows_at_all"].values == {"rows": 1}


def test_unclear_objections_are_an_error() -> None:
    frame = pd.DataFrame({"o": ["yes", "maybe", "", None], "x": [1, 2, 3, 4]})
    fault = found(frame, opt_out="o", indicators={"x": "gaussian"})["opt_out_unclear"]
    assert (fault.count, fault.first_row) == (1, 2)


def test_a_good_table_has_no_fault_and_errors_come_first() -> None:
    frame = pd.DataFrame({"x": [1, 2, 3], "c": [1, 1, 1], "g": [1, None, 2], "b": ["x", "1", "2"]})
    assert check(frame, Schema(indicators={"x": "gaussian"})) == []
    families = dict.fromkeys("cgxb", "gaussian")
    severities = [fault.severity for fault in check(frame, Schema(indicators=families))]
    assert severities == ["error", "warning", "note"]


@pytest.mark.parametrize(
    ("n_customers", "allow", "codes"),
    [
        (100, False, []),
        (99, False, ["rather_few_rows"]),
        (20, False, ["rather_few_rows"]),
        (19, False, ["few_rows"]),
        (19, True, ["rather_few_rows"]),
    ],
)
def test_rows_per_parameter(n_customers: int, allow: bool, codes: list[str]) -> None:
    faults = check_rows(n_customers, 10, allow)
    assert [fault.code for fault in faults] == codes


def test_errors_are_raised_together() -> None:
    faults = [*check_rows(1, 10), Fault("missing_column", "y")]
    with pytest.raises(DataError, match=r"errors found: 2\.\n- Take fewer .*\n- Add the column"):
        refuse_errors(faults)
    with pytest.raises(DataError, match="Zuerst die Tabelle in Ordnung bringen"):
        refuse_errors(faults, "de")
    refuse_errors([Fault("constant", "x", severity="warning")])


def test_no_frame_is_refused() -> None:
    schema = Schema(indicators={"x": "gaussian"})
    with pytest.raises(UsageError, match="as a frame that narwhals takes"):
        check([1, 2], schema)
    with pytest.raises(UsageError, match="as a frame that narwhals takes"):
        check(pd.Series([1, 2]), schema)


def test_every_domain_of_the_families_is_in_the_catalogue() -> None:
    from softseg.families import families

    assert {member.domain for member in families().values()} <= set(catalogue())


def test_levels_that_differ_by_case_alone_are_named() -> None:
    frame = pd.DataFrame({"portal": ["yes", "YES", "no", "No"] * 20, "size": ["S", "M"] * 40})
    indicators = {"portal": {"family": "categorical"}, "size": {"family": "bernoulli"}}
    fault = found(frame, indicators=indicators)["same_level"]
    assert (fault.column, fault.severity, fault.values["count"]) == ("portal", "warning", 2)
    assert '"No" / "no" differ by case only' in fault.text("en")


@pytest.mark.parametrize(
    ("last", "warned"), [("Summe", True), (" TOTAL ", True), ("Total AG", False)]
)
def test_a_row_of_totals_is_named(last: str, warned: bool) -> None:
    frame = pd.DataFrame({"firm": [*"abcdefghij" * 8, last], "orders": [*range(1, 81), 3240]})
    faults = found(frame, indicators={"orders": {"family": "negative_binomial"}})
    assert ("total_row" in faults) == warned
