"""From a long table to a panel: rows find their steps, covariates their values."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softseg.errors import DataError, SchemaError
from softseg.tables.panel.panel import ACTIVE, ANY, CHURNED
from softseg.tables.panel.prepare import prepare_new_panel, prepare_panel
from softseg.tables.panel.synthetic import synthetic_panel
from softseg.tables.prepare import TableWarning
from softseg.tables.schema import Schema
from softseg.wording import LANGUAGES

pytestmark = pytest.mark.filterwarnings("ignore::softseg.tables.prepare.TableWarning")


def schema(migration: dict[str, Any] | None = None, **others: Any) -> Schema:
    indicators = others.pop("indicators", {"x": "gaussian"})
    return Schema(id="k", period="t", indicators=indicators, migration=migration or {}, **others)


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


SILENT = {"churn": "silent", "activity": "n"}
TWO = {"n": "poisson", "x": "gaussian"}


def test_a_missing_period_and_an_empty_row_are_steps_without_a_row() -> None:
    panel = prepare_panel(
        frame(k=["b", "b", "b", "a", "a"], t=[1, 3, 4, 2, 3], x=[1.0, None, 3.0, 4.0, 5.0]),
        schema(),
    )
    assert panel.customers == ("a", "b")
    np.testing.assert_array_equal(panel.start, [0, 2, 6])
    np.testing.assert_array_equal(panel.period, [1, 2, 0, 1, 2, 3])
    np.testing.assert_array_equal(panel.row, [0, 1, 2, -1, -1, 3])
    np.testing.assert_array_equal(panel.may, [ACTIVE] * 6)
    np.testing.assert_array_equal(panel.table.columns["x"], [4.0, 5.0, 1.0, 3.0])
    np.testing.assert_array_equal(panel.table.rows, [4, 5, 1, 3])
    assert panel.table.customers == ("a", "a", "b", "b")
    assert panel.table.n_customers == 4
    assert panel.periods == ("1", "2", "3", "4")
    assert panel.schema.is_frozen
    assert (panel.n_histories, panel.n_steps, panel.notes.gaps) == (2, 6, 2)


@pytest.mark.parametrize(("churn", "between"), [("observed", ACTIVE), ("interval", ANY)])
def test_leaving_ends_a_history(churn: str, between: int) -> None:
    panel = prepare_panel(
        frame(
            k=[1, 1, 1, 2, 2],
            t=["2023-Q1", "2023-Q2", "2024-Q1", "2023-Q2", "2024-Q1"],
            x=[1.0, 2.0, None, 3.0, 4.0],
            gone=["no", "", "Ja", "0", "n"],
        ),
        schema({"churn": churn, "churned": "gone"}),
    )
    np.testing.assert_array_equal(
        panel.may, [ACTIVE, ACTIVE, between, between, CHURNED, *[ACTIVE] * 4]
    )
    np.testing.assert_array_equal(panel.row, [0, 1, -1, -1, -1, 2, -1, -1, 3])
    assert (panel.notes.churned, panel.notes.right_censored) == (1, 1)
    assert (panel.notes.late_entries, panel.notes.joined) == (1, 1)


def test_values_of_the_period_of_leaving_are_not_used() -> None:
    data = frame(k=[1, 1, 2, 2], t=[1, 2, 1, 2], x=[1.0, 2.0, 3.0, 99.0], gone=[0, 0, 0, 1])
    with pytest.warns(TableWarning, match="Values in rows with a yes"):
        panel = prepare_panel(data, schema({"churn": "observed", "churned": "gone"}))
    np.testing.assert_array_equal(panel.table.columns["x"], [1.0, 2.0, 3.0])


def test_repeated_yes_without_values_is_taken() -> None:
    data = frame(
        k=[1, 1, 1, 2, 2], t=[1, 2, 3, 1, 2], x=[1.0, None, None, 2.0, 3.0], gone=[0, 1, 1, 0, 0]
    )
    panel = prepare_panel(data, schema({"churn": "observed", "churned": "gone"}))
    np.testing.assert_array_equal(panel.may, [ACTIVE, CHURNED, ACTIVE, ACTIVE])


def test_silent_churn_leaves_it_open_until_the_window_ends() -> None:
    data = frame(
        k=[1, 1, 1, 1, 2, 2],
        t=[1, 2, 3, 5, 2, 6],
        n=[2, 0, 1, 0, 1, 3],
        x=[1.0, None, 2.0, None, 3.0, 4.0],
    )
    panel = prepare_panel(data, schema(SILENT, indicators=TWO))
    np.testing.assert_array_equal(panel.start, [0, 6, 11])
    np.testing.assert_array_equal(panel.row, [0, 1, 2, -1, 3, -1, 4, -1, -1, -1, 5])
    np.testing.assert_array_equal(
        panel.may, [ACTIVE, ANY, ACTIVE, ANY, ANY, ANY, ACTIVE, ANY, ANY, ANY, ACTIVE]
    )
    assert panel.notes.inactive_at_end == 1
    assert panel.notes.churned == 0


def test_another_count_shows_that_a_customer_is_there() -> None:
    data = frame(k=[1, 1, 2, 2], t=[1, 2, 1, 2], n=[2, 0, 1, 0], m=[0, 1, 0, 0])
    panel = prepare_panel(data, schema(SILENT, indicators={"n": "poisson", "m": "poisson"}))
    np.testing.assert_array_equal(panel.may, [ACTIVE, ACTIVE, ACTIVE, ANY])


def test_inactivity_is_churn_and_who_returns_begins_anew() -> None:
    data = frame(
        k=[1, 1, 1, 2, 2, 2, 2, 2],
        t=[1, 2, 5, 1, 2, 3, 4, 5],
        n=[1, 1, 2, 3, 0, 3, 3, 0],
    )
    entry = {"churn": "inactivity", "activity": "n", "after": 2}
    panel = prepare_panel(data, schema(entry, indicators={"n": "poisson"}))
    np.testing.assert_array_equal(panel.customer, [0, 0, 1])
    np.testing.assert_array_equal(panel.period, [0, 1, 2, 4, 0, 1, 2, 3, 4])
    np.testing.assert_array_equal(panel.may, [ACTIVE, ACTIVE, CHURNED, *[ACTIVE] * 5, ANY])
    notes = panel.notes
    assert (notes.returned, notes.late_entries, notes.joined, notes.churned) == (1, 1, 0, 1)
    assert notes.inactive_at_end == 1


def test_covariates_are_carried_forward_and_standardised() -> None:
    data = frame(
        k=[1, 1, 1, 2, 2],
        t=[1, 2, 4, 3, 4],
        x=[1.0, 2.0, 3.0, 4.0, 5.0],
        c=[1.0, None, 3.0, 7.0, None],
        area=["north", "", "south", "east", None],
    )
    entry = {"initial": ["c", "period"], "transition": ["area", "c", "tenure", "period"]}
    panel = prepare_panel(data, schema(entry))
    raw = np.array([1.0, 1.0, 1.0, 3.0, 7.0, 7.0])
    scale = panel.schema.migration.frozen["c"]  # pyright: ignore[reportOptionalMemberAccess]
    assert (scale.centre, scale.scale) == (raw.mean(), raw.std())
    assert panel.covariate_names == ("area=north", "area=south", "c", "tenure", "period")
    np.testing.assert_array_equal(panel.covariates[:, 0], [1, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(panel.covariates[:, 1], [0, 0, 0, 1, 0, 0])
    np.testing.assert_allclose(panel.covariates[:, 2], (raw - raw.mean()) / raw.std())
    tenure, period = np.array([0, 1, 2, 3, 0, 1.0]), np.array([1, 2, 3, 4, 3, 4.0])
    np.testing.assert_allclose(panel.covariates[:, 3], (tenure - tenure.mean()) / tenure.std())
    np.testing.assert_allclose(panel.covariates[:, 4], (period - period.mean()) / period.std())
    assert panel.initial_names == ("c", "period")
    np.testing.assert_array_equal(panel.initial[:, 0], panel.covariates[[0, 4], 2])


def test_a_later_panel_is_read_as_the_first_one_was() -> None:
    entry = {"transition": ["c", "period"], "initial": ["area"]}
    data = frame(
        k=[1, 1, 2, 2, 1], t=[1, 2, 1, 2, 3], x=[1.0, 2.0, 3.0, 4.0, 5.0], c=[1, 2, 3, 4, 9],
        area=["a", "b", "b", "a", "a"],
    )  # fmt: skip
    first = prepare_panel(data[:4], schema(entry))
    again = prepare_panel(data, first.schema)
    assert again.schema == first.schema
    np.testing.assert_array_equal(again.covariates[[0, 1, 3, 4]], first.covariates)
    kept = Schema.from_json(first.schema.to_json())
    assert kept == first.schema
    data.loc[4, "area"] = "new"
    with pytest.raises(DataError, match='not named there are "new"'):
        prepare_panel(data, kept)


def test_objections_leave_no_trace() -> None:
    data = frame(
        k=[1, 1, 2, 2, 3], t=[1, 2, 1, 2, 77], x=[1.0, 2.0, 3.0, 4.0, 1e9],
        no=["", "", "", "", "yes"],
    )  # fmt: skip
    panel = prepare_panel(data, schema(opt_out="no"))
    same = prepare_panel(data[:4], schema(opt_out="no"))
    assert panel.periods == same.periods == ("1", "2")
    assert panel.schema == same.schema
    assert panel.table.n_opted_out == 1


def test_a_later_panel_has_the_periods_of_the_first() -> None:
    """One customer with a gap must not get a grid of its own, in which the gap is no period."""
    months = ["2024-01", "2024-02", "2024-03", "2024-04"]
    first = prepare_panel(frame(k=[1] * 4, t=months, x=[1.0, 2.0, 3.0, 4.0]), schema())
    later = frame(k=[2] * 3, t=["2024-03", "2024-05", "2024-07"], x=[1.0, 2.0, 3.0])
    panel = prepare_new_panel(later, first.schema)
    assert panel.periods == ("2024-03", "2024-04", "2024-05", "2024-06", "2024-07")
    np.testing.assert_array_equal(panel.row, [0, -1, 1, -1, 2])
    quarters = ["2024-01", "2024-04", "2024-07", "2024-10"]
    first = prepare_panel(frame(k=[1] * 4, t=quarters, x=[1.0, 2.0, 3.0, 4.0]), schema())
    later["t"] = ["2024-04", "2024-10", "2024-11"]
    with pytest.raises(DataError, match=r'3 months, .* "?2024-11"? does not fit 2024-04'):
        prepare_new_panel(later, first.schema)


def test_an_objection_in_one_period_counts_for_all() -> None:
    data = frame(
        k=[1, 1, 2, 2, 3, 3], t=[1, 2, 1, 2, 1, 2], x=[1.0, 2.0, 3.0, 4.0, 1e9, 1e9],
        no=["", "", "", "", "no", "yes"],
    )  # fmt: skip
    panel = prepare_panel(data, schema(opt_out="no"))
    assert panel.customers == ("1", "2")
    assert panel.table.n_opted_out == 2


def test_a_schema_without_migration_is_refused() -> None:
    data = frame(k=[1, 1], t=[1, 2], x=[1.0, 2.0])
    with pytest.raises(SchemaError, match=r"Add \[migration\] to the schema"):
        prepare_panel(data, Schema(id="k", period="t", indicators={"x": "gaussian"}))


def test_all_errors_come_at_once() -> None:
    data = frame(k=["secret", "secret", "b", "b"], t=[1, 1, 1, 2], x=["a", "2", "3", "4"])
    with pytest.raises(DataError, match="errors found: 2") as error:
        prepare_panel(data, schema())
    assert "one row per customer and period" in str(error.value)
    assert "plain numbers" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("churn", ["none", "observed", "interval", "silent", "inactivity"])
@settings(max_examples=8)
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(churn: Any, seed: int) -> None:
    made = synthetic_panel(seed, 40, 8, churn, late=0.3)
    mixed = made.frame.sample(frac=1.0, random_state=seed)
    one, two = prepare_panel(made.frame, made.schema), prepare_panel(mixed, made.schema)
    assert one.schema == two.schema
    assert one.notes == two.notes
    for name in ("customer", "start", "row", "may", "period"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for name, column in one.table.columns.items():
        np.testing.assert_array_equal(column, two.table.columns[name])


@pytest.mark.parametrize("language", LANGUAGES)
def test_notes_say_what_there_is(language: str) -> None:
    made = synthetic_panel(3, 200, 24, "inactivity")
    notes = prepare_panel(made.frame, made.schema).notes
    lines = notes.lines(language)
    assert notes.returned > 0
    assert len(lines) == 5 + (notes.gaps > 0) + (notes.left_out > 0)
    assert str(notes.returned) in " ".join(lines)
