"""An order table as arrays, with every fault met on the way."""

import datetime
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.tables.bases import names
from softseg.tables.columns import read_levels, read_numbers
from softseg.tables.examine import NO
from softseg.tables.faults import Fault, rows_of
from softseg.tables.orders.dates import Dates, DayOrder, Days, read_dates
from softseg.tables.orders.roles import Roles
from softseg.tables.schema import YES, ReadingSchema
from softseg.tables.text import folded, shortened

type Mask = NDArray[np.bool_]
type Duplicates = Literal["error", "drop", "keep"]

RATE: Final = 1.0
"""Margins that are never above it, of amounts that are, are shares of the amount."""


@dataclass
class Orders:
    """Rows of an order table that can be used; each (row,).

    Attributes
    ----------
    customer
        Number of the customer in `ids`.
    day, amount
        When, and for how much.
    order, net
        Number of the order that the row belongs to, and its amount as a whole; where this is below
        0 the order is a credit note.
    product
        Number of the product, −1 where there is none.
    margin
        Margin in money, NaN where not known.
    due, paid
        Days, not a time where not known.
    ids
        Customers as text, sorted; (customer,).
    roles
        Which column is what.
    anonymous, anonymous_share
        Rows without a customer, and their share of the amounts.
    opted_out
        Customers who object.
    later
        Rows after the day up to which the user asks for.
    duplicates
        Rows that stood there before and are left out.
    faults
        What is wrong.
    """

    customer: NDArray[np.int64]
    day: Days
    amount: Array
    order: NDArray[np.int64]
    net: Array
    product: NDArray[np.int64]
    margin: Array
    due: Days
    paid: Days
    ids: tuple[str, ...]
    roles: Roles
    anonymous: int = 0
    anonymous_share: float = 0.0
    opted_out: int = 0
    later: int = 0
    duplicates: int = 0
    zone: str = ""
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """How an order table is to be read, as far as the user says.

    Attributes
    ----------
    reading
        Missing markers and the decimal sign.
    dates
        Which part of 03/04/2011 comes first.
    time_zone
        Zone whose days count.
    duplicates
        What becomes of rows that repeat an earlier one.
    until
        Last day that is used.
    today
        Day after which no order can lie.
    """

    reading: ReadingSchema
    dates: DayOrder | None = None
    time_zone: str | None = None
    duplicates: Duplicates = "error"
    until: datetime.date | None = None
    today: datetime.date | None = None


class _Faults:
    """Faults of rows, which are counted in the file."""

    def __init__(self, rows: NDArray[np.int64], found: list[Fault]) -> None:
        self.rows = rows
        self.found = found

    def add(self, code: str, column: str | None, mask: Mask, **values: Any) -> None:
        severity = values.pop("severity", "error")
        count, first = rows_of(mask, self.rows)
        if count:
            first = first if severity == "error" else None
            self.found.append(Fault(code, column, count, first, severity, values))


def read_order_rows(data: Any, roles: Roles, asked: Asked) -> Orders:
    """Return the rows of an order table, with every fault.

    Parameters
    ----------
    data
        A pandas frame with the columns of `roles`.
    roles
        Which column is what.
    asked
        How to read it.
    """
    ids = _texts(data[roles.columns["customer"]], asked.reading)
    unclear: list[Fault] = []
    data, ids, opted_out = _without_objections(data, ids, asked.reading, unclear)
    rows = np.arange(1, len(data) + 1, dtype=np.int64) if opted_out is None else opted_out[1]
    found: list[Fault] = [*roles.faults, *unclear]
    faults = _Faults(rows, found)
    days = _read_days(data, "date", roles, asked, faults)
    amount = _read_amounts(data, "amount", roles, asked.reading, faults)
    _check_needed(days, amount, roles, faults)
    _check_currency(data, roles, asked.reading, faults)
    due, paid = (_optional_days(data, role, roles, asked, faults) for role in ("due", "paid"))
    margin = _read_margin(data, amount, roles, asked.reading, faults)
    product = _codes(data, "product", roles, asked.reading)
    invoice = _codes(data, "invoice", roles, asked.reading)
    named = np.array([text != "" for text in ids], dtype=bool)
    keys = np.stack(
        [_numbered(ids), days.days.view("int64"), amount.view("int64"), product, invoice]
    )
    again = _repeated(keys) & named & ~np.isnan(amount) & ~np.isnat(days.days)
    if roles.get("invoice") is None or (roles.get("product") and asked.duplicates == "error"):
        faults.add("orders_maybe_repeated", None, again, severity="warning")
        again &= asked.duplicates == "drop"
    elif asked.duplicates == "error":
        faults.add("orders_repeated", roles.get("invoice"), again)
    _check_invoices(invoice, ids, roles, faults)
    later = np.zeros(len(ids), dtype=bool)
    if asked.until is not None:
        later = days.days > np.datetime64(asked.until, "D")
    kept = named & ~later & ~np.isnat(days.days) & np.isfinite(amount)
    kept &= ~again if asked.duplicates == "drop" else True
    total = np.nansum(np.abs(amount))
    lost = np.nansum(np.abs(amount[~named]))
    used = sorted({text for text, keep in zip(ids, kept, strict=True) if keep})
    place = {text: number for number, text in enumerate(used)}
    customer = np.array([place.get(text, -1) for text in ids], dtype=np.int64)
    orders = Orders(
        customer, days.days, amount, np.zeros(len(ids), dtype=np.int64), amount, product, margin,
        due, paid,
        tuple(used), roles,
        anonymous=int(np.sum(~named)), anonymous_share=float(lost / total) if total else 0.0,
        opted_out=0 if opted_out is None else opted_out[0], later=int(later.sum()),
        duplicates=int(again.sum()) if asked.duplicates == "drop" else 0, zone=days.zone,
        faults=found,
    )  # fmt: skip
    orders = select(replace(orders, order=_orders_of(orders, invoice)), np.flatnonzero(kept))
    return replace(orders, net=_net(orders))


def select(orders: Orders, rows: NDArray[np.intp]) -> Orders:
    """Return some rows of an order table."""
    columns = ("customer", "day", "amount", "order", "net", "product", "margin", "due", "paid")
    return replace(orders, **{name: getattr(orders, name)[rows] for name in columns})


def _texts(column: Any, reading: ReadingSchema) -> list[str]:
    read = read_levels(column, reading)
    levels = [*read.levels, ""]
    return [levels[code] for code in read.codes]


def _without_objections(
    data: Any, ids: list[str], reading: ReadingSchema, found: list[Fault]
) -> tuple[Any, list[str], tuple[int, NDArray[np.int64]] | None]:
    """Leave out every row of a customer who objects in any row, before anything is looked at."""
    columns = [column for column in data.columns if names(str(column), "opt out")]
    if not columns:
        return data, ids, None
    objects: set[str] = set()
    for column in columns:
        read = read_levels(data[column], reading)
        meanings = [folded(level) for level in read.levels]
        unclear = np.array([*(m not in (*YES, *NO) for m in meanings), False])[read.codes]
        count, first = rows_of(unclear, np.arange(1, len(data) + 1))
        if count:
            found.append(Fault("orders_objection_unclear", column, count, first))
        yes = np.array([*(meaning in YES for meaning in meanings), False])[read.codes]
        objects |= {text for text, no in zip(ids, yes, strict=True) if no}
    kept = np.flatnonzero([text not in objects for text in ids])
    data = data.iloc[kept].reset_index(drop=True)
    return data, [ids[row] for row in kept], (len(objects - {""}), kept.astype(np.int64) + 1)


def _read_days(data: Any, role: str, roles: Roles, asked: Asked, faults: _Faults) -> Dates:
    column = roles.columns[role]
    cells = data[column]
    dates = read_dates(cells, asked.reading, asked.dates, asked.time_zone)
    for code, mask in (
        ("orders_date", dates.bad),
        ("orders_date_ambiguous", dates.ambiguous),
        ("orders_date_mixed", dates.mixed),
        ("orders_time_zone", dates.zones),
    ):
        example = shortened(cells[mask].iloc[0]) if mask.any() else ""
        faults.add(code, column, mask, example=example)
    if role != "due":
        today = np.datetime64(asked.today or datetime.date.today(), "D")
        limit = today if asked.until is None else max(today, np.datetime64(asked.until, "D"))
        faults.add("orders_future", column, dates.days > limit, today=str(limit))
    return dates


def _optional_days(data: Any, role: str, roles: Roles, asked: Asked, faults: _Faults) -> Days:
    if roles.get(role) is None:
        return np.full(len(data), np.datetime64("NaT", "D"))
    return _read_days(data, role, roles, asked, faults).days


def _read_amounts(
    data: Any, role: str, roles: Roles, reading: ReadingSchema, faults: _Faults
) -> Array:
    column = roles.columns[role]
    read = read_numbers(data[column], reading)
    infinite = np.isinf(read.values)
    for code, mask in (
        ("orders_number", read.bad & ~read.comma),
        ("orders_comma", read.comma),
        ("orders_number_ambiguous", read.ambiguous),
        ("infinite", infinite),
    ):
        example = shortened(data[column][mask].iloc[0]) if mask.any() else ""
        faults.add(code, column, mask, **({} if code == "infinite" else {"example": example}))
    return np.where(infinite, np.nan, read.values)


def _check_needed(days: Dates, amount: Array, roles: Roles, faults: _Faults) -> None:
    faults.add("orders_empty", roles.columns["date"], days.missing)
    reported = any(fault.column == roles.columns["amount"] for fault in faults.found)
    if not reported:
        faults.add("orders_empty", roles.columns["amount"], np.isnan(amount))


def _check_currency(data: Any, roles: Roles, reading: ReadingSchema, faults: _Faults) -> None:
    column = roles.get("currency")
    if column is None:
        return
    levels = read_levels(data[column], reading).levels
    if len(levels) > 1:
        examples = ", ".join(shortened(level) for level in levels[:3])
        values = {"examples": examples}
        faults.found.append(Fault("orders_currencies", column, values=values))


def _read_margin(
    data: Any, amount: Array, roles: Roles, reading: ReadingSchema, faults: _Faults
) -> Array:
    """Return margins in money, also where the column holds shares of the amount."""
    if roles.get("margin") is None:
        return np.full(len(data), np.nan)
    margin = _read_amounts(data, "margin", roles, reading, faults)
    known = ~np.isnan(margin)
    shares = known.any() and np.all(np.abs(margin[known]) <= RATE)
    if shares and np.nanmedian(np.abs(amount)) > 10 * RATE:
        column = roles.columns["margin"]
        faults.found.append(Fault("orders_margin_share", column, severity="note"))
        return margin * amount
    return margin


def _codes(data: Any, role: str, roles: Roles, reading: ReadingSchema) -> NDArray[np.int64]:
    column = roles.get(role)
    if column is None:
        return np.full(len(data), -1, dtype=np.int64)
    return read_levels(data[column], reading).codes.astype(np.int64)


def _numbered(ids: list[str]) -> NDArray[np.int64]:
    place: dict[str, int] = {}
    return np.array([place.setdefault(text, len(place)) for text in ids], dtype=np.int64)


def _repeated(keys: NDArray[np.int64]) -> Mask:
    """Return the rows that repeat an earlier one in every key; keys are (key, row)."""
    order = np.lexsort((np.arange(keys.shape[1]), *keys))
    same = np.zeros(len(order), dtype=bool)
    same[1:] = np.all(np.diff(keys[:, order], axis=1) == 0, axis=0)
    mask = np.zeros(len(order), dtype=bool)
    mask[order] = same
    return mask


def _check_invoices(
    invoice: NDArray[np.int64], ids: list[str], roles: Roles, faults: _Faults
) -> None:
    """Look for numbers of invoices that two customers have."""
    if roles.get("invoice") is None or len(invoice) == 0:
        return
    customer = _numbered(ids)
    first = np.full(invoice.max() + 2, -1, dtype=np.int64)
    first[invoice[::-1]] = customer[::-1]
    shared = (invoice >= 0) & (customer != first[invoice])
    faults.add("orders_invoice_shared", roles.get("invoice"), shared)


def _orders_of(orders: Orders, invoice: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which order each row belongs to: the invoice, else the day, else the row itself.

    Without numbers of invoices, rows with products are lines, and those of one day one order;
    what is given back on this day is kept apart.
    """
    own = np.arange(len(invoice), dtype=np.int64)
    if orders.roles.get("invoice") is not None:
        # An empty number is an order of its own.
        alone = (invoice < 0).astype(np.int64)
        keys = [orders.customer, np.where(alone, own, invoice), alone]
    elif orders.roles.get("product") is not None:
        back = (orders.amount < 0).astype(np.int64)
        keys = [orders.customer, orders.day.view("int64"), back]
    else:
        return own
    found = np.unique(np.stack(keys), axis=1, return_inverse=True)[1]
    return found.ravel().astype(np.int64)


def _net(orders: Orders) -> Array:
    """Return the amount of the whole order that each row belongs to; (row,)."""
    if len(orders.order) == 0:
        return orders.amount
    # Added in sorted order, so that the order of the rows does not matter to a digit.
    sorting = np.lexsort((orders.amount, orders.order))
    totals = np.bincount(orders.order[sorting], orders.amount[sorting])
    return totals[orders.order]
