"""From orders to a panel: counts equal those of plain loops, faults come in words."""

import datetime
import re
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softseg.errors import DataError, UsageError
from softseg.tables.orders.orders import Asked
from softseg.tables.orders.panel import OrderPanel, panel_from_orders
from softseg.tables.panel.prepare import prepare_panel
from softseg.tables.schema import ReadingSchema, Schema

TODAY = datetime.date(2024, 12, 31)


def made(frame: pd.DataFrame, every: Any = "month", **others: Any) -> OrderPanel:
    panel = {
        name: others.pop(name) for name in ("keep_last", "after", "language") if name in others
    }
    asked = Asked(ReadingSchema(), **({"today": TODAY} | others))
    return panel_from_orders(frame, None, asked, every=every, **panel)


def orders(rows: list[tuple[Any, ...]], *names: str) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(names or ("customer", "date", "amount")))


def test_a_small_panel_by_hand() -> None:
    frame = orders(
        [
            ("b", "2024-02-10", 10.0),
            ("a", "2024-01-02", 100.0),
            ("a", "2024-01-20", 50.0),
            ("a", "2024-03-05", -30.0),
            ("a", "2024-04-30", 20.0),
            ("b", "2024-01-05", -5.0),
        ]
    )
    panel = made(frame).frame
    assert panel["customer"].tolist() == ["a"] * 4 + ["b"] * 3
    assert panel["period"].tolist()[:4] == ["2024-01", "2024-02", "2024-03", "2024-04"]
    assert panel["orders"].tolist() == [2, 0, 0, 1, 1, 0, 0]
    assert panel["recency"].tolist() == [0, 1, 2, 0, 0, 1, 2]
    assert panel["revenue"].tolist() == [150.0, 0.0, 0.0, 20.0, 10.0, 0.0, 0.0]
    assert panel["returns"].tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert panel["returned"].tolist() == [0.0, 0.0, 30.0, 0.0, 0.0, 0.0, 0.0]
    np.testing.assert_array_equal(
        panel["order_value"], [75.0, np.nan, np.nan, 20.0, 10.0, np.nan, np.nan]
    )


def test_lines_of_an_invoice_are_one_order() -> None:
    frame = orders(
        [
            ("a", "2024-01-02", 1, "x", 10.0, 4.0, "2024-01-10", "2024-01-12"),
            ("a", "2024-01-02", 1, "y", 20.0, 8.0, "2024-01-10", "2024-01-12"),
            ("a", "2024-01-02", 1, "rebate", -6.0, -6.0, "2024-01-10", "2024-01-12"),
            ("a", "2024-01-09", 2, "x", 12.0, None, "2024-01-19", None),
            ("a", "2024-02-28", 3, "x", -12.0, None, None, None),
        ],
        "customer", "date", "invoice", "product", "amount", "margin", "due", "paid",
    )  # fmt: skip
    panel = made(frame)
    first, second = panel.frame.to_dict("records")
    assert (first["orders"], first["revenue"], first["order_value"]) == (2, 36.0, 18.0)
    assert (first["products"], first["returns"]) == (3, 0)
    assert (first["margin"], first["margin_rate"]) == (6.0, 0.25)
    assert (first["payment_days"], first["days_late"]) == (10.0, 2.0)
    assert (second["orders"], second["returns"], second["returned"]) == (0, 1, 12.0)
    assert np.isnan([second["margin"], second["products"], second["payment_days"]]).all()
    assert any("without a day of payment: 1" in line for line in panel.summary)


def test_products_without_invoices_make_one_order_a_day() -> None:
    rows = [
        ("a", "2024-01-02", "x", 1.0),
        ("a", "2024-01-02", "y", 2.0),
        ("a", "2024-02-29", "x", 1.0),
    ]
    panel = made(orders(rows, "customer", "date", "product", "amount")).frame
    assert panel["orders"].tolist() == [1, 1]
    assert panel["products"].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("last", "others", "periods", "said"),
    [
        ("2024-03-12", {}, 2, "2024-03 is left out: the data end in it, on 2024-03-12"),
        ("2024-03-12", {"keep_last": True}, 3, None),
        ("2024-03-29", {}, 3, None),
        ("2024-03-12", {"until": datetime.date(2024, 3, 31)}, 3, None),
        ("2024-03-12", {"until": datetime.date(2024, 4, 30)}, 4, None),
        ("2024-03-12", {"until": datetime.date(2024, 4, 29)}, 3, "2024-04 is left out"),
        ("2024-03-12", {"until": datetime.date(2024, 2, 29)}, 2, None),
    ],
)
def test_the_last_period(last: str, others: dict[str, Any], periods: int, said: Any) -> None:
    frame = orders([("a", "2024-01-02", 1.0), ("a", "2024-02-02", 2.0), ("a", last, 3.0)])
    panel = made(frame, **others)
    assert len(panel.frame) == periods
    assert any("is left out" in line for line in panel.summary) == (said is not None)
    assert said is None or any(said in line for line in panel.summary)


def test_quarters() -> None:
    frame = orders([("a", "2023-11-02", 1.0), ("a", "2024-02-02", 2.0), ("a", "2024-06-30", 3.0)])
    panel = made(frame, "quarter")
    assert panel.frame["period"].tolist() == ["2023-Q4", "2024-Q1", "2024-Q2"]
    assert any("begin within 2023-Q4" in line for line in panel.summary)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    row = st.tuples(
        st.sampled_from("abcde"),
        st.dates(datetime.date(2023, 1, 1), datetime.date(2023, 12, 31)).map(str),
        st.integers(-500, 5000).map(lambda cents: cents / 100),
        st.integers(0, 12),
    )
    rows = draw(st.lists(row, min_size=1, max_size=40))
    anchor = [("z", "2023-01-01", 1.0, 98), ("z", "2023-12-31", 1.0, 99)]
    # A number belongs to one customer.
    rows = [(who, day, amount, 100 * "abcde".index(who) + n) for who, day, amount, n in rows]
    return orders([*anchor, *rows], "customer", "date", "amount", "invoice")


@settings(max_examples=60)
@given(frame=tables(), every=st.sampled_from(["month", "quarter"]))
def test_equal_to_plain_loops(frame: pd.DataFrame, every: str) -> None:
    panel = made(frame, every, duplicates="keep").frame
    net, first = defaultdict(float), {}
    for row in frame.itertuples():
        net[row.invoice] += row.amount
    months = 1 if every == "month" else 3

    def period(day: str) -> int:
        return (int(day[5:7]) - 1) // months

    net = {invoice: round(total, 6) for invoice, total in net.items()}
    for row in frame.itertuples():
        if net[row.invoice] >= 0:
            first[row.customer] = min(first.get(row.customer, 99), period(row.date))
    counted, revenue, returned, seen = defaultdict(set), defaultdict(float), defaultdict(float), {}
    for row in sorted(frame.itertuples(), key=lambda row: row.date):
        when = seen.setdefault(row.invoice, period(row.date))
        if row.customer not in first or when < first[row.customer]:
            continue
        if net[row.invoice] >= 0:
            revenue[row.customer, when] += row.amount
            counted[row.customer, when].add(row.invoice)
        else:
            returned[row.customer, when] -= row.amount
    length = 12 // months
    expected = [(who, when) for who in sorted(first) for when in range(first[who], length)]
    assert len(panel) == len(expected)
    for row, (who, when) in zip(panel.itertuples(), expected, strict=True):
        assert row.customer == who
        assert row.orders == len(counted[who, when])
        assert row.revenue == pytest.approx(revenue[who, when], abs=0.006)
        if "returned" in panel:
            assert row.returned == pytest.approx(returned[who, when], abs=0.006)
        assert row.recency == when - max(
            (w for w in range(first[who], when + 1) if counted[who, w]), default=when
        )


@settings(max_examples=40)
@given(frame=tables(), seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(frame: pd.DataFrame, seed: int) -> None:
    one = made(frame, duplicates="drop")
    two = made(frame.sample(frac=1.0, random_state=seed), duplicates="drop")
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert one.schema == two.schema
    assert one.summary == two.summary


def supplier(n: int = 60, seed: int = 1) -> pd.DataFrame:
    """Return orders of customers who buy at their own pace and stop some day."""
    rng = np.random.default_rng(seed)
    rows = [("C0", "2022-01-01", 5.0), ("C0", "2023-12-31", 5.0)]
    for customer in range(n):
        day = rng.exponential(200)
        while day < 729 and rng.random() > 0.03:
            when = datetime.date(2022, 1, 1) + datetime.timedelta(days=int(day))
            rows.append((f"C{customer}", str(when), round(float(rng.lognormal(5, 0.6)), 2)))
            day += rng.exponential(25 + customer)
    return orders(rows)


@pytest.mark.parametrize("after", [None, 4])
@pytest.mark.parametrize("language", ["en", "de"])
def test_schema_and_panel_fit_together(tmp_path: Any, after: int | None, language: str) -> None:
    panel = made(supplier(), after=after, language=language)
    path = tmp_path / "panel.toml"
    path.write_text(panel.to_toml(), encoding="utf-8")
    schema = Schema.from_toml(path)
    assert schema == panel.schema
    assert schema.migration is not None
    assert schema.migration.churn == ("silent" if after is None else "inactivity")
    ready = prepare_panel(panel.frame, schema)
    assert set(ready.schema.indicators) == {"orders", "order_value"}
    assert ready.table.columns["orders"].sum() == panel.frame["orders"].sum()
    assert (ready.notes.churned > 0) == (after is not None)


def test_objections_and_rows_without_a_customer_are_left_out() -> None:
    frame = orders(
        [("a", "2024-01-01", 1.0, ""), ("a", "2024-02-29", 1.0, ""), ("b", "2024-01-05", 9.0, ""),
         ("b", "2030-02-05", 9.0, "ja"), (None, "2024-01-05", 2.0, "")],
        "customer", "date", "amount", "Werbewiderspruch",
    )  # fmt: skip
    panel = made(frame)
    assert set(panel.frame["customer"]) == {"a"}
    said = " ".join(panel.summary)
    assert "object and are left out: 1" in said
    assert "without a customer, left out: 1, with 50.0%" in said


def test_an_objection_that_is_unclear_is_not_passed_over() -> None:
    frame = orders(
        [("a", "2024-01-01", 1.0, "2023-05-01"), ("b", "2024-02-29", 1.0, ""),
         ("b", "2024-01-05", 9.0, "")],
        "customer", "date", "amount", "Widerspruch",
    )  # fmt: skip
    with pytest.raises(DataError, match='yes or no into the column "Widerspruch"'):
        made(frame)


def test_an_invoice_over_two_months_belongs_to_the_first() -> None:
    frame = orders(
        [("a", "2024-01-30", 20.0, "1"), ("a", "2024-02-10", 30.0, "1"),
         ("a", "2024-03-30", 7.0, "2")],
        "customer", "date", "amount", "invoice",
    )  # fmt: skip
    found = made(frame).frame
    assert found["orders"].tolist() == [1, 0, 1]
    assert found["revenue"].tolist() == [50.0, 0.0, 7.0]
    assert found["order_value"].fillna(-1.0).tolist() == [50.0, -1.0, 7.0]


def test_a_column_of_shares_is_a_margin_rate() -> None:
    rows = [("a", "2024-01-01", 100.0, 0.2), ("a", "2024-02-28", 50.0, 0.4)]
    panel = made(orders(rows, "customer", "date", "amount", "margin"))
    assert panel.frame["margin"].tolist() == [20.0, 20.0]
    assert [fault.code for fault in panel.faults] == ["orders_margin_share"]


GOOD = [("secret", "2024-01-01", 1.0), ("secret", "2024-02-15", 2.0), ("b", "2024-02-29", 3.0)]


@pytest.mark.parametrize(
    ("column", "cells", "words"),
    [
        ("date", ["2024-01-01", "soon", "2024-02-29"], 'Write the dates .* holds "soon"'),
        ("date", ["03/04/2024", "05/06/2024", "01/02/2024"], "State --dates day-first or"),
        ("date", ["2024-01-01", "15.2.2024", "2024-02-29"], "in one way: a cell such as"),
        ("date", ["2024-01-01T10:00Z", "2024-01-01", "2024-02-01T10:00Z"], "--time-zone Europe"),
        ("date", ["2024-01-01", None, "2024-02-29"], 'Fill the column "date"'),
        ("date", ["2024-01-01", "2025-01-01", "2024-02-29"], "they lie after 2024-12-31"),
        ("amount", ["1", "x", "2.5"], 'Write plain numbers .* such as "x"'),
        ("amount", ["1.5", "2,5", "2.5"], "State --decimal comma"),
        ("amount", ["1.234", "2", "3"], "State --decimal point or --decimal comma"),
        ("amount", [1.0, None, 2.0], 'Fill the column "amount"'),
        ("amount", [1.0, np.inf, 2.0], "Replace infinite values"),
        ("amount", [-1.0, -2.0, -3.0], "Give a table with orders"),
        ("date", ["2024-01-01", "2024-01-05", "2024-01-31"], "at least two whole periods"),
        ("currency", ["EUR", "USD", "EUR"], "Convert all amounts into one currency"),
        ("invoice", [1, 2, 2], "Give each invoice one customer"),
    ],
)
@pytest.mark.parametrize("language", ["en", "de"])
def test_faults_in_words(column: str, cells: list[Any], words: str, language: str) -> None:
    frame = orders(GOOD)
    frame[column] = cells
    with pytest.raises(DataError) as error:
        made(frame, language=language)
    if language == "en":
        assert re.search(words, str(error.value))
    assert "secret" not in str(error.value)


def test_repeated_rows() -> None:
    frame = orders([*GOOD, GOOD[1]])
    warned = made(frame)
    assert [fault.code for fault in warned.faults] == ["orders_maybe_repeated"]
    assert warned.frame["orders"].sum() == 4
    frame["invoice"] = [1, 2, 3, 2]
    with pytest.raises(DataError, match="State --duplicates drop or --duplicates keep"):
        made(frame)
    assert made(frame, duplicates="drop").frame["revenue"].sum() == 6.0
    assert made(frame, duplicates="keep").frame["revenue"].sum() == 8.0


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="Choose every out of"):
        made(orders(GOOD), "week")
    with pytest.raises(UsageError, match="Give after as a whole number of at least 1"):
        made(orders(GOOD), after=0)
    with pytest.raises(DataError, match="State the column of the amount"):
        made(orders(GOOD).drop(columns="amount"))


def test_the_currency_stands_with_the_revenue() -> None:
    frame = orders(GOOD)
    frame["Währung"] = "eur"
    assert made(frame).schema.value["revenue"].currency == "EUR"
