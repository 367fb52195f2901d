"""From rows of customers and periods to histories: who was there when, and who has left.

Everything is an array over customers' rows in the order of customer, then period, each pair once.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from softseg.tables.panel.migration import Churn
from softseg.tables.panel.panel import ACTIVE, ANY, CHURNED

type Ints = NDArray[np.int64]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Rows of a panel, sorted by customer and period.

    Attributes
    ----------
    customer, period
        Their numbers; (row,).
    seen
        Whether any indicator was observed; (row,).
    left
        Whether the row says that the customer has left; (row,).
    active
        Whether there was activity; (row,).
    asleep
        Whether the row is one that a customer who has left would have: no activity, and nothing
        else that counts; (row,).
    n_customers, n_periods
        How many there are.
    """

    customer: Ints
    period: Ints
    seen: Mask
    left: Mask
    active: Mask
    asleep: Mask
    n_customers: int
    n_periods: int


class Spans(NamedTuple):
    """Histories as stretches of periods, sorted by customer and period; each (history,).

    Attributes
    ----------
    customer, first, last
        Number of the customer, and of the first and last period, the latter included.
    known
        Last period in which the customer was certainly in a segment, before the end.
    churned
        Whether the customer has left in the last period.
    """

    customer: Ints
    first: Ints
    last: Ints
    known: Ints
    churned: Mask


class Steps(NamedTuple):
    """Histories, step by step; see `Panel`.

    Attributes
    ----------
    start
        Where a history's steps begin; (history + 1,).
    history, period, source, may
        Number of the history and of the period, the row of `Rows` with something observed (else
        −1), what the customer may be; (step,).
    """

    start: Ints
    history: Ints
    period: Ints
    source: Ints
    may: NDArray[np.int8]


def returns(rows: Rows) -> Mask:
    """Return the rows that say a customer is there after a row that says the customer has left."""
    first_left = _extreme(rows, rows.left, np.minimum, rows.n_periods)
    return ~rows.left & (rows.period > first_left[rows.customer])


def find_spans(rows: Rows, churn: Churn, after: int | None = None) -> Spans:
    """Return the histories of all customers.

    Parameters
    ----------
    rows
        The panel's rows.
    churn
        How leaving is seen.
    after
        Periods without activity that count as having left.
    """
    if churn == "inactivity":
        return _by_inactivity(rows, after or 1)
    there = rows.seen if churn == "silent" else ~rows.left
    first = _extreme(rows, there, np.minimum, rows.n_periods)
    known = _extreme(rows, there, np.maximum, -1)
    gone = _extreme(rows, rows.left, np.minimum, rows.n_periods)
    churned = (gone > known) & (gone < rows.n_periods)
    last = np.where(churned, gone, known)
    kept = np.flatnonzero(known >= 0)
    if churn == "silent":
        last = np.full_like(known, rows.n_periods - 1)
        known = np.maximum(last_activity(rows), first)
    return Spans(kept, first[kept], last[kept], known[kept], churned[kept])


def _by_inactivity(rows: Rows, after: int) -> Spans:
    """Return histories that end where `after` periods in a row are without activity."""
    customer, period = rows.customer[rows.active], rows.period[rows.active]
    new = np.ones(len(customer), dtype=bool)
    new[1:] = (np.diff(customer) != 0) | (np.diff(period) > after)
    begin = np.flatnonzero(new)
    known = period[np.append(begin[1:], len(customer))[: len(begin)] - 1]
    end_of_all = rows.n_periods - 1
    # A customer's later history tells that the run was long enough, the panel's end may not.
    resumed = np.append(np.diff(customer[begin]) == 0, False)[: len(begin)]
    churned = resumed | (end_of_all - known >= after)
    last = np.where(churned, known + 1, end_of_all)
    # Rows before the first activity belong to it where they are too few to mean churn.
    first, who = period[begin], customer[begin]
    there = _extreme(rows, rows.seen, np.minimum, rows.n_periods)[who]
    is_first = np.append(True, np.diff(who) != 0)[: len(who)]
    first = np.where(is_first & (first - there < after), there, first)
    return Spans(who, first, last, known, churned)


def find_steps(rows: Rows, spans: Spans, churn: Churn) -> Steps:
    """Return the steps of histories, with the row of each and what the customer may be."""
    length = spans.last - spans.first + 1
    start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    history = np.repeat(np.arange(len(length), dtype=np.int64), length)
    period = np.arange(start[-1], dtype=np.int64) - start[history] + spans.first[history]
    source = find_rows(rows, spans.customer[history], period)
    seen, asleep = np.append(rows.seen, False)[source], np.append(rows.asleep, True)[source]
    may = np.full(len(period), ACTIVE, dtype=np.int8)
    if churn == "interval":
        may[(period > spans.known[history]) & spans.churned[history]] = ANY
    if churn == "silent":
        may[(asleep | ~seen) & (period > spans.first[history])] = ANY
    if churn == "inactivity":
        # Whether a run at the panel's end will grow long enough is not known yet. As customers of
        # some segment these steps would make churn look rarer in the last periods.
        may[(period > spans.known[history]) & ~spans.churned[history]] = ANY
    may[start[1:][spans.churned] - 1] = CHURNED
    source[~seen | (may == CHURNED)] = -1
    return Steps(start, history, period, source, may)


def find_rows(rows: Rows, customer: Ints, period: Ints) -> Ints:
    """Return the row of each customer and period, −1 where there is none."""
    wanted = customer * rows.n_periods + period
    place = latest_rows(rows, customer, period)
    found = np.append(_keys(rows), -1)[place] == wanted
    return np.where(found, place, -1)


def latest_rows(rows: Rows, customer: Ints, period: Ints) -> Ints:
    """Return the last row up to each period; a row of another customer where there is none."""
    wanted = customer * rows.n_periods + period
    return np.searchsorted(_keys(rows), wanted, side="right").astype(np.int64) - 1


def last_activity(rows: Rows) -> Ints:
    """Return each customer's last period with activity, −1 where there is none; (customer,)."""
    return _extreme(rows, rows.active, np.maximum, -1)


def _keys(rows: Rows) -> Ints:
    return rows.customer * rows.n_periods + rows.period


def _extreme(rows: Rows, mask: Mask, least: np.ufunc, nothing: int) -> Ints:
    """Return each customer's first (or last) period among the marked rows; (customer,)."""
    found = np.full(rows.n_customers, nothing, dtype=np.int64)
    least.at(found, rows.customer[mask], rows.period[mask])
    return found
