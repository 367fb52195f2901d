"""Orders added up per customer and period.

An order whose rows lie in several periods belongs to the first of them as a whole: a period with
revenue and without an order would contradict itself.
"""

import datetime
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.tables.orders.dates import Days
from softseg.tables.orders.orders import Orders, select

type Every = Literal["month", "quarter"]
type Ints = NDArray[np.int64]

MONTHS: Final = {"month": 1, "quarter": 3}
WEEKEND: Final = 3
"""Days at the edge of a period that may be without orders in a period that is complete."""


@dataclass(frozen=True)
class Window:
    """The periods of a panel.

    Attributes
    ----------
    first, last
        Its first and last period, counted in `every` since 1970.
    every
        How long a period is.
    left_out
        A last period that the data end in, None where there is none.
    begins_within
        Whether the data begin inside the first period.
    """

    first: int
    last: int
    every: Every
    left_out: int | None
    begins_within: bool

    def label(self, period: int) -> str:
        """Return a period as text: ``2024-03`` or ``2024-Q1``."""
        if self.every == "month":
            return f"{1970 + period // 12:04d}-{period % 12 + 1:02d}"
        return f"{1970 + period // 4:04d}-Q{period % 4 + 1}"


@dataclass(frozen=True)
class Cells:
    """The panel's rows, sorted by customer and period; each (row,).

    Attributes
    ----------
    customer, period
        Their numbers.
    recency
        Periods since the last one with an order, 0 in a period with one.
    orders, returns
        How many orders and credit notes.
    revenue, returned
        Amounts of orders and of credit notes, both from 0.
    order_value
        Mean amount of an order with an amount above 0.
    products
        Different products, NaN without products.
    margin
        Margin of the orders in money, NaN where no row states one.
    margin_rate
        This margin as a share of the amounts of the rows that state one.
    payment_days, days_late
        Mean days from order to payment, and from when it was due; of what is paid.
    """

    customer: Ints
    period: Ints
    recency: Ints
    orders: Ints
    returns: Ints
    revenue: Array
    returned: Array
    order_value: Array
    products: Array
    margin: Array
    margin_rate: Array
    payment_days: Array
    days_late: Array


def find_window(
    orders: Orders, every: Every, until: datetime.date | None, keep_last: bool
) -> Window:
    """Return the periods from the first order to the last one that is complete.

    The last period is complete where its last `WEEKEND` days hold an order or where the user says
    that the data reach its end.
    """
    buying = orders.net >= 0
    first, last = orders.day[buying].min(), orders.day.max()
    begin, end = (int(period) for period in periods_of(np.array([first, last]), every))
    reach = last if until is None else max(last, np.datetime64(until, "D"))
    if until is not None:
        end = int(periods_of(np.array([reach]), every)[0])
    slack = np.timedelta64(WEEKEND if until is None else 1, "D")
    within = bool(first_day(begin, every) + np.timedelta64(WEEKEND, "D") <= first)
    if keep_last or first_day(end + 1, every) - slack <= reach:
        return Window(begin, end, every, None, within)
    return Window(begin, end - 1, every, end, within)


def periods_of(days: Days, every: Every) -> Ints:
    """Return the period of each day, counted since 1970."""
    return days.astype("datetime64[M]").view("int64") // MONTHS[every]


def _periods_of_orders(orders: Orders, every: Every) -> Ints:
    """Return the period of the order that each row belongs to, that of its first row; (row,)."""
    period = periods_of(orders.day, every)
    first = np.full(int(orders.order.max(initial=-1)) + 1, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(first, orders.order, period)
    return first[orders.order]


def first_day(period: int, every: Every) -> np.datetime64:
    """Return the first day of a period."""
    return np.datetime64(period * MONTHS[every], "M").astype("datetime64[D]")


def within_window(orders: Orders, window: Window) -> Orders:
    """Return the rows of the window, from each customer's first order on."""
    period = _periods_of_orders(orders, window.every)
    start = _first_orders(orders.customer, period, orders.net >= 0, len(orders.ids))
    kept = (period <= window.last) & (period >= start[orders.customer])
    return select(orders, np.flatnonzero(kept))


def aggregate(orders: Orders, window: Window) -> Cells:
    """Return one row per customer and period, from the first order to the window's end.

    Parameters
    ----------
    orders
        Orders of the window, see `within_window`.
    window
        Its periods.
    """
    bought = orders.net >= 0
    when = _periods_of_orders(orders, window.every)
    first = _first_orders(orders.customer, when, bought, len(orders.ids))
    there = np.flatnonzero(first <= window.last)
    length = window.last - first[there] + 1
    begin = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    offset = np.full(len(orders.ids), 0, dtype=np.int64)
    offset[there] = begin[:-1] - first[there]
    n = int(begin[-1])
    customer = np.repeat(there.astype(np.int64), length)
    period = np.arange(n, dtype=np.int64) - offset[customer]
    row = offset[orders.customer] + when

    def total(values: Array, mask: NDArray[np.bool_]) -> Array:
        # Amounts added in sorted order, so that the order of the rows does not matter to a digit.
        cells, numbers = row[mask], values[mask]
        order = np.lexsort((numbers, cells))
        return np.bincount(cells[order], numbers[order], minlength=n)

    def distinct(codes: Ints, mask: NDArray[np.bool_]) -> Ints:
        pairs = np.unique(np.stack([row[mask], codes[mask]]), axis=1)
        return np.bincount(pairs[0], minlength=n).astype(np.int64)

    amount = orders.amount
    counted = _first_row_of_each(orders.order)
    n_orders = np.bincount(row[counted & bought], minlength=n).astype(np.int64)
    priced = distinct(orders.order, orders.net > 0)
    margin_known = bought & ~np.isnan(orders.margin)
    paid = bought & ~np.isnat(orders.paid)
    late = paid & ~np.isnat(orders.due)
    active = np.where(n_orders > 0, np.arange(n), -1)
    last_active = np.maximum.accumulate(active) if n else active
    return Cells(
        customer=customer,
        period=period,
        recency=np.arange(n, dtype=np.int64) - last_active,
        orders=n_orders,
        returns=np.bincount(row[counted & ~bought], minlength=n).astype(np.int64),
        revenue=total(amount, bought),
        returned=-total(amount, ~bought) + 0.0,
        order_value=_ratio(total(amount, bought), priced),
        products=np.where(
            n_orders > 0, distinct(orders.product, bought & (orders.product >= 0)), np.nan
        ),
        margin=np.where(
            np.bincount(row[margin_known], minlength=n) > 0,
            total(orders.margin, margin_known),
            np.nan,
        ),
        margin_rate=_ratio(total(orders.margin, margin_known), total(amount, margin_known)),
        payment_days=_ratio(total(_days(orders.paid, orders.day), paid), _count(row, paid, n)),
        days_late=_ratio(total(_days(orders.paid, orders.due), late), _count(row, late, n)),
    )


def _first_orders(
    customer: Ints, period: Ints, bought: NDArray[np.bool_], n_customers: int
) -> Ints:
    """Return each customer's period of the first order, a very late one without any."""
    first = np.full(n_customers, np.iinfo(np.int64).max // 2, dtype=np.int64)
    np.minimum.at(first, customer[bought], period[bought])
    return first


def _first_row_of_each(order: Ints) -> NDArray[np.bool_]:
    """Mark one row of each order."""
    mask = np.zeros(len(order), dtype=bool)
    mask[np.unique(order, return_index=True)[1]] = True
    return mask


def _days(later: Days, earlier: Days) -> Array:
    difference = (later - earlier).astype("timedelta64[D]")
    return np.where(np.isnat(difference), np.nan, difference.astype(float))


def _count(row: Ints, mask: NDArray[np.bool_], n: int) -> Ints:
    return np.bincount(row[mask], minlength=n).astype(np.int64)


def _ratio(numerator: Array, denominator: NDArray) -> Array:
    """Return the ratio, NaN where the denominator is not above 0."""
    good = denominator > 0
    return np.where(good, numerator / np.where(good, denominator, 1), np.nan)
