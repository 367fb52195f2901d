"""`softseg panel`: from orders or invoices to a panel, the schema for it, and what there is to say.

Every customer has a row per period from the first order to the end of the window. Recency follows
from orders and stands in no schema; what a customer is worth stands there as a value column.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from softseg.checks import one_of, whole_number
from softseg.errors import DataError
from softseg.families.base import Array
from softseg.tables.check import refuse_errors
from softseg.tables.family_choice import choose_family
from softseg.tables.faults import Fault
from softseg.tables.frames import to_pandas
from softseg.tables.orders.aggregate import (
    MONTHS,
    Cells,
    Every,
    Window,
    aggregate,
    find_window,
    within_window,
)
from softseg.tables.orders.orders import Asked, Orders, read_order_rows
from softseg.tables.orders.roles import find_roles
from softseg.tables.panel.migration import COUNTS, MigrationSchema
from softseg.tables.schema import IndicatorSchema, ReadingSchema, Schema, ValueSchema
from softseg.wording import number, percent, say

DECIMALS: Final = {
    "revenue": 2, "returned": 2, "order_value": 2, "margin": 2, "margin_rate": 4,
    "payment_days": 2, "days_late": 2,
}  # fmt: skip
COUNTED: Final = ("orders", "returns")
FEW: Final = 20
"""Values below which a column is no indicator."""


@dataclass(frozen=True)
class OrderPanel:
    """A panel made of orders.

    Attributes
    ----------
    frame
        One row per customer and period, as a pandas frame.
    schema
        The schema proposed for it, with an entry on migration.
    faults
        What endangers the panel; no errors.
    summary
        What was done, one sentence per line.
    """

    frame: Any
    schema: Schema
    faults: tuple[Fault, ...]
    summary: tuple[str, ...]

    def to_toml(self) -> str:
        """Return the schema as TOML with comments."""
        language = self.schema.language
        comments: dict[tuple[str, ...], str] = {
            (): say("orders.head", language),
            ("migration",): say(f"orders.{_churn(self.schema)}", language),
        }
        for name in self.schema.indicators:
            comments["indicators", name] = say(f"orders.what.{name}", language)
        return self.schema.to_toml(comments, say("orders.aside", language))


def panel_from_orders(
    frame: Any,
    columns: Mapping[str, str] | None = None,
    asked: Asked | None = None,
    *,
    every: Every = "month",
    keep_last: bool = False,
    after: int | None = None,
    language: str = "en",
) -> OrderPanel:
    """Return the panel of an order table, with a schema that `prepare_panel` takes as it is.

    Parameters
    ----------
    frame
        Any frame that narwhals takes, one row per order, invoice or line of it, in any order.
    columns
        Columns by role, such as ``{"customer": "Kunde"}``; the others are found by name. Roles are
        customer, date, amount, and if there are any invoice, product, margin, due, paid, currency.
    asked
        How to read the cells.
    every
        How long a period is.
    keep_last
        Whether a last period that the data end in is kept.
    after
        Periods without an order that count as churn; without it churn is silent.
    language
        Language of messages and of the schema.

    Raises
    ------
    DataError
        Where the table has faults that are errors; the message lists them all.
    UsageError
        Where an argument does not fit.
    """
    one_of(every, "every", tuple(MONTHS))
    if after is not None:
        whole_number(after, "after", least=1)
    data = to_pandas(frame)
    asked = asked or Asked(ReadingSchema())
    roles = find_roles(list(data.columns), columns or {})
    refuse_errors(list(roles.faults), language)
    orders = read_order_rows(data, roles, asked)
    refuse_errors(orders.faults, language)
    if not np.any(orders.net >= 0):
        raise DataError(Fault("orders_nothing", None).text(language))
    window = find_window(orders, every, asked.until, keep_last)
    if window.last <= window.first:
        values = {"label": window.label(window.first)}
        raise DataError(Fault("orders_one_period", None, values=values).text(language))
    used = within_window(orders, window)
    cells = aggregate(used, window)
    kept = _kept(cells, orders)
    schema = _schema(cells, kept, after, orders, data, asked.reading, language)
    return OrderPanel(
        frame=_frame(cells, kept, window, orders.ids),
        schema=schema,
        faults=tuple(orders.faults),
        summary=_summary(orders, used, cells, window, every, language),
    )


def _kept(cells: Cells, orders: Orders) -> list[str]:
    """Return the columns that the orders say something about."""
    roles = orders.roles
    names = ["recency", "orders", "revenue", "order_value"]
    if cells.returns.any():
        names += ["returns", "returned"]
    if roles.get("product"):
        names.append("products")
    if roles.get("margin"):
        names += ["margin", "margin_rate"]
    if roles.get("paid"):
        names.append("payment_days")
    if roles.get("paid") and roles.get("due"):
        names.append("days_late")
    return names


def _frame(cells: Cells, kept: list[str], window: Window, ids: tuple[str, ...]) -> Any:
    import pandas as pd

    labels = {period: window.label(period) for period in range(window.first, window.last + 1)}
    columns: dict[str, Any] = {
        "customer": np.array(ids, dtype=object)[cells.customer],
        "period": [labels[period] for period in cells.period.tolist()],
    }
    for name in kept:
        values = getattr(cells, name)
        columns[name] = np.round(values, DECIMALS[name]) if name in DECIMALS else values
    return pd.DataFrame(columns)


def _schema(
    cells: Cells,
    kept: list[str],
    after: int | None,
    orders: Orders,
    data: Any,
    reading: ReadingSchema,
    language: str,
) -> Schema:
    indicators = {}
    for name in kept:
        if name in ("recency", "revenue", "returned", "margin"):
            continue
        values = np.asarray(getattr(cells, name), dtype=float)
        family = _family(name, values[~np.isnan(values)])
        if family is not None:
            label = say(f"orders.label.{name}", language)
            indicators[name] = IndicatorSchema(family=family, label=label)
    currency = _currency(orders, data, reading)
    value = {
        name: ValueSchema(currency=currency, label=say(f"orders.label.{name}", language))
        for name in ("revenue", "margin")
        if name in kept
    }
    migration = MigrationSchema(
        churn="silent" if after is None else "inactivity", activity="orders", after=after
    )
    return Schema(
        id="customer",
        period="period",
        indicators=indicators,
        value=value,
        migration=migration,
        reading=ReadingSchema(decimal=".", delimiter=","),
        language="de" if language == "de" else "en",
    )


def _family(name: str, values: Array) -> str | None:
    """Return the family that suits a column, None where it has too little in it."""
    if name in COUNTED:
        if values.min() == values.max():
            return "poisson" if name == "orders" else None
        return COUNTS[int(values.var() > 1.1 * values.mean())]
    if len(values) < FEW or values.min() == values.max():
        return None
    rounded = np.round(values, DECIMALS.get(name, 0))
    return choose_family(rounded, name).family


def _currency(orders: Orders, data: Any, reading: ReadingSchema) -> str | None:
    column = orders.roles.get("currency")
    if column is None:
        return None
    from softseg.tables.columns import read_levels

    levels = read_levels(data[column], reading).levels
    code = levels[0].upper() if levels else ""
    return code if len(code) == 3 and code.isascii() and code.isalpha() else None


def _summary(
    orders: Orders, used: Orders, cells: Cells, window: Window, every: Every, language: str
) -> tuple[str, ...]:
    """Return what was done, one sentence per line."""

    def line(key: str, **values: Any) -> str:
        said = {name: _said(name, value, language) for name, value in values.items()}
        return say(f"orders.{key}", language, **said)

    n_periods = window.last - window.first + 1
    begin = np.flatnonzero(np.append(True, np.diff(cells.customer) != 0))
    late = int(np.sum(cells.period[begin] > window.first))
    end = np.append(begin[1:], len(cells.customer)) - 1
    shown = {role: f"{role} = {column}" for role, column in orders.roles.columns.items()}
    lines = [
        line("columns", columns=", ".join(shown[role] for role in shown)),
        line("size", customers=len(begin), periods=n_periods, rows=len(cells.customer),
             unit=say(f"orders.unit.{every}", language), first=window.label(window.first),
             last=window.label(window.last)),
        line("totals", orders=int(cells.orders.sum()), revenue=float(cells.revenue.sum())),
        line("late", late=late, first=window.label(window.first)),
        line("idle", idle=int(np.sum(cells.orders == 0)),
             share=float(np.mean(cells.orders == 0))),
        line("asleep", asleep=int(np.sum(cells.orders[end] == 0)), last=window.label(window.last)),
    ]  # fmt: skip
    if window.left_out is not None:
        lines.append(
            line("last_left_out", last=window.label(window.left_out), day=str(orders.day.max()))
        )
    if window.begins_within:
        lines.append(line("begins_within", first=window.label(window.first),
                          day=str(orders.day.min())))  # fmt: skip
    if cells.returns.any():
        lines.append(line("returns", returns=int(cells.returns.sum()),
                          returned=float(cells.returned.sum())))  # fmt: skip
    lines += _left_out(orders, used, line)
    paid = orders.roles.get("paid")
    if paid and np.isnat(used.paid[used.net >= 0]).any():
        lines.append(line("unpaid", unpaid=int(np.isnat(used.paid[used.net >= 0]).sum())))
    if orders.zone:
        lines.append(line("zone", zone=orders.zone))
    return tuple(lines)


def _left_out(orders: Orders, used: Orders, line: Any) -> list[str]:
    """Return what is not in the panel, and why."""
    lines = []
    if orders.anonymous:
        lines.append(line("anonymous", rows=orders.anonymous, share=orders.anonymous_share))
    if orders.opted_out:
        lines.append(line("opted_out", customers=orders.opted_out))
    if orders.duplicates:
        lines.append(line("dropped", rows=orders.duplicates))
    if orders.later:
        lines.append(line("later", rows=orders.later))
    early = len(orders.day) - len(used.day)
    if early:
        lines.append(line("outside", rows=early, customers=_gone(orders, used)))
    return lines


def _said(name: str, value: Any, language: str) -> str:
    if isinstance(value, str):
        return value
    return percent(value, language) if name == "share" else number(value, language)


def _gone(orders: Orders, used: Orders) -> int:
    return len(orders.ids) - len(np.unique(used.customer))


def _churn(schema: Schema) -> str:
    return "silent" if schema.migration is None else schema.migration.churn
