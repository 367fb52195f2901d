"""Histories equal those of a slow second implementation, for every way of leaving."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softseg.tables.panel.histories import Rows, find_rows, find_spans, find_steps, returns
from softseg.tables.panel.panel import ACTIVE, ANY, CHURNED

N_PERIODS = 7
CELLS = ("active", "asleep", "empty", "left")


def rows_of(customers: list[dict[int, str]]) -> Rows:
    pairs = [(who, when, cells[when]) for who, cells in enumerate(customers) for when in cells]
    pairs.sort()
    what = np.array([cell for _, _, cell in pairs], dtype=object)
    return Rows(
        customer=np.array([who for who, _, _ in pairs], dtype=np.int64),
        period=np.array([when for _, when, _ in pairs], dtype=np.int64),
        seen=np.isin(what, ["active", "asleep"]),
        left=what == "left",
        active=what == "active",
        asleep=what != "active",
        n_customers=len(customers),
        n_periods=N_PERIODS,
    )


def slow(cells: dict[int, str], churn: str, after: int) -> list[list[tuple[int, bool, int]]]:
    """Return histories as lists of (period, observed, may), one customer at a time."""

    def step(when: int, may: int = ACTIVE) -> tuple[int, bool, int]:
        return when, cells.get(when) in ("active", "asleep") and may != CHURNED, may

    there = sorted(when for when, cell in cells.items() if cell != "left")
    seen = [when for when in there if cells[when] != "empty"]
    active = [when for when in there if cells[when] == "active"]
    gone = sorted(when for when, cell in cells.items() if cell == "left")
    if churn in ("none", "observed", "interval"):
        if not there:
            return []
        steps = [step(when) for when in range(there[0], there[-1] + 1)]
        if gone:
            between = ANY if churn == "interval" else ACTIVE
            steps += [step(when, between) for when in range(there[-1] + 1, gone[0])]
            steps.append(step(gone[0], CHURNED))
        return [steps]
    if churn == "silent":
        if not seen:
            return []
        first = seen[0]
        return [
            [
                step(when, ACTIVE if when == first or cells.get(when) == "active" else ANY)
                for when in range(first, N_PERIODS)
            ]
        ]
    if not active:
        return []
    histories = []
    when = seen[0] if active[0] - seen[0] < after else active[0]
    while when is not None:
        steps, idle = [], 0
        while when < N_PERIODS and idle < after:
            idle = 0 if when in active or when < active[0] else idle + 1
            steps.append(step(when))
            when += 1
        if idle == after:
            steps = steps[: len(steps) - after]
            steps.append(step(steps[-1][0] + 1, CHURNED))
        elif idle:  # the panel ends before the run is long enough
            steps[-idle:] = [(when, seen, ANY) for when, seen, _ in steps[-idle:]]
        histories.append(steps)
        when = next((a for a in active if a >= when), None)
    return histories


@st.composite
def panels(draw: st.DrawFn, churn: str) -> list[dict[int, str]]:
    kinds = CELLS if churn in ("observed", "interval") else CELLS[:3]
    customers = []
    for _ in range(draw(st.integers(1, 6))):
        cells = draw(
            st.dictionaries(st.integers(0, N_PERIODS - 1), st.sampled_from(kinds), min_size=1)
        )
        gone = min((when for when, cell in cells.items() if cell == "left"), default=N_PERIODS)
        kept = {when: c for when, c in cells.items() if c == "left" or when < gone}
        customers.append(kept)
    return customers


@pytest.mark.parametrize("churn", ["none", "observed", "interval", "silent", "inactivity"])
@given(data=st.data(), after=st.integers(1, 4))
def test_equal_to_the_slow_way(churn: Any, data: st.DataObject, after: int) -> None:
    customers = data.draw(panels(churn))
    rows = rows_of(customers)
    assert not returns(rows).any()
    spans = find_spans(rows, churn, after)
    steps = find_steps(rows, spans, churn)
    found = defaultdict(list)
    for number, (begin, end) in enumerate(zip(steps.start[:-1], steps.start[1:], strict=True)):
        assert np.all(steps.history[begin:end] == number)
        found[int(spans.customer[number])].append(
            [
                (int(steps.period[s]), bool(steps.source[s] >= 0), int(steps.may[s]))
                for s in range(begin, end)
            ]
        )
    for who, cells in enumerate(customers):
        assert found[who] == slow(cells, churn, after)


@pytest.mark.parametrize("churn", ["none", "observed", "interval", "silent", "inactivity"])
@given(data=st.data(), after=st.integers(1, 4))
def test_histories_partition_the_steps(churn: Any, data: st.DataObject, after: int) -> None:
    rows = rows_of(data.draw(panels(churn)))
    spans = find_spans(rows, churn, after)
    steps = find_steps(rows, spans, churn)
    assert steps.start[0] == 0
    assert np.all(np.diff(steps.start) >= 1)
    assert steps.start[-1] == len(steps.period) == len(steps.source) == len(steps.may)
    begin, end = steps.start[:-1], steps.start[1:] - 1
    np.testing.assert_array_equal(np.flatnonzero(steps.may == CHURNED), end[spans.churned])
    assert np.all(steps.may[begin] == ACTIVE)
    within = np.ones(len(steps.period), dtype=bool)
    within[begin] = False
    assert np.all(np.diff(steps.period, prepend=0)[within] == 1)
    used = steps.source[steps.source >= 0]
    assert np.all(np.diff(used) > 0), "each row once, in the order of the steps"
    np.testing.assert_array_equal(rows.period[used], steps.period[steps.source >= 0])


def test_rows_after_leaving_are_named() -> None:
    rows = rows_of([{0: "active", 2: "left", 3: "left", 4: "active"}, {0: "active", 1: "left"}])
    np.testing.assert_array_equal(returns(rows), [False, False, False, True, False, False])


def test_a_row_is_found_or_not() -> None:
    rows = rows_of([{1: "active", 3: "active"}, {0: "active"}])
    found = find_rows(rows, np.array([0, 0, 0, 1, 1]), np.array([1, 2, 3, 0, 6]))
    np.testing.assert_array_equal(found, [0, -1, 1, 2, -1])
