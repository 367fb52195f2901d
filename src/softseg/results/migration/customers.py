"""The customers of a panel as they stand today: what they brought in a year, where they belong.

A study asks about the customers of today. Who they are and what they brought is a table of one row
per customer; where they belong are the states of the last period given all up to it. From both
come the same groups of results that a mixture has, so that everything that reads those reads a
panel too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import (
    ASSIGNED,
    CUSTOMER,
    LOWER_PROBABILITY,
    MEMBERSHIP,
    RULE,
    SAMPLE,
    SEGMENT,
    SIZES,
    STATE,
    STATE_TO,
    TRANSITION,
    UPPER_PROBABILITY,
)
from softseg.results.evaluate import Summary
from softseg.results.membership import membership_dataset, segment_coordinates
from softseg.results.migration.states import States
from softseg.results.sizes import size_weights, sizes_dataset
from softseg.results.tree import add_group
from softseg.results.value import DIMS, Labels, known_amounts, rule_weights
from softseg.tables.panel.panel import CHURNED, Panel
from softseg.tables.panel.periods import parse_period
from softseg.tables.table import Table

PER_YEAR: Final = {"number": 1, "quarter": 4, "month": 12, "date": 12}
"""Periods of a year by how they are written."""
YEARS: Final = range(1900, 2101)
"""Whole numbers that are read as years."""
MANY: Final = 2_000_000
"""So many lots are drawn at once."""


@dataclass(frozen=True)
class Present:
    """The customers of today.

    Attributes
    ----------
    table
        One row per customer who has not been seen to leave; its values are those of the last
        year. Nothing but values, counts and ids is filled.
    number
        Number of each of them in the panel, (customer,).
    left
        What customers brought in the last year who have left since, by value column.
    """

    table: Table
    number: NDArray[np.intp]
    left: Mapping[str, float]


def periods_per_year(periods: Sequence[str]) -> int:
    """Return how many periods of a panel make a year: months, quarters or whole numbers, years.

    Raises
    ------
    UsageError
        Where the labels are at another distance, such as every second month, or are numbers that
        are no years: nothing says how long such periods are.
    """
    parsed = [parse_period(label) for label in periods]
    kinds = {found[0] for found in parsed if found is not None}
    kind = kinds.pop() if len(kinds) == 1 else ""
    steps = np.diff([found[1] for found in parsed if found is not None])
    step = int(steps[0]) if len(steps) else 1
    per_year = PER_YEAR.get(kind, 0)
    years = kind != "number" or all(found is not None and found[1] in YEARS for found in parsed)
    if not per_year or per_year % step or not years:
        raise UsageError(
            "Give the panel periods of which a whole number makes a year, such as months "
            f"(2024-03), quarters (2024-Q1) or years (2024), got {', '.join(periods[:3])}."
        )
    return per_year // step


def present_customers(panel: Panel) -> Present:
    """Return the customers of today, with what they brought in the last year.

    Value columns of a panel hold what a customer brought in the period; the year is that of the
    last periods. A customer without any known value in it has none.

    Raises
    ------
    UsageError
        Where there are values and the panel is shorter than a year, or it is not known how long a
        year is.
    """
    n = int(panel.customer.max(initial=-1)) + 1
    last = np.zeros(n, dtype=np.intp)
    last[panel.customer] = np.arange(panel.n_histories)
    here = panel.may[panel.start[last + 1] - 1] != CHURNED
    there = np.zeros(n, dtype=bool)
    there[panel.customer] = True
    left_out = there & ~here
    number = np.flatnonzero(there & here)
    values = _of_last_year(panel, n)
    ids = panel.customers
    table = Table(
        schema=panel.schema,
        columns={},
        exposures={},
        count=np.ones(len(number)),
        values={name: column[number] for name, column in values.items()},
        rows=np.arange(1, len(number) + 1),
        customers=None if ids is None else tuple(ids[i] for i in number),
    )
    left = {name: float(np.nansum(column[left_out])) for name, column in values.items()}
    return Present(table, number, left)


def _of_last_year(panel: Panel, n_customers: int) -> dict[str, Array]:
    """Return the sum of each value column over the last year, NaN where nothing is known."""
    if not panel.table.values:
        return {}
    n_periods, per_year = len(panel.periods), periods_per_year(panel.periods)
    if n_periods < per_year:
        raise UsageError(
            "Give a panel of a whole year at least where customers have a value, which is that of "
            f"a year: expected {per_year} periods, got {n_periods}."
        )
    first = n_periods - per_year
    customer = np.repeat(panel.customer, np.diff(panel.start))
    inside = (panel.row >= 0) & (panel.period >= first)
    found: dict[str, Array] = {}
    for name, column in panel.table.values.items():
        cells = column[panel.row[inside]]
        known = ~np.isnan(cells)
        who = customer[inside][known]
        total = np.bincount(who, cells[known], n_customers)
        found[name] = np.where(np.bincount(who, minlength=n_customers) > 0, total, np.nan)
    return found


def describe_present(
    tree: xr.DataTree, states: States, present: Present, rng: np.random.Generator
) -> None:
    """Put memberships and sizes of today's customers into a tree, as those of a mixture.

    Parameters
    ----------
    tree
        Of `assemble_migration`; its ``/membership`` is replaced.
    states
        Of the same fit.
    present
        The customers.
    rng
        Draws the customers' segments.
    """
    weights = size_weights(present.table)
    parts: list[list[Array]] = []
    totals = lots = np.zeros(())
    for place, members in _members(states, present.number):
        bounds = np.quantile(members, (LOWER_PROBABILITY, UPPER_PROBABILITY), axis=0)
        wins = members.argmax(axis=-1)[..., None] == np.arange(members.shape[-1])
        parts.append([members.mean(axis=0), bounds[0], bounds[1], wins.mean(axis=0)])
        expected, drawn = _totals(members, weights[place], rng)
        totals, lots = totals + expected, lots + drawn
    whole = [np.concatenate(column) for column in zip(*parts, strict=True)]
    summary = Summary(whole[0], whole[1], whole[2], whole[3], totals, lots)
    names = list(states.names)[: states.model.n_segments]
    members = membership_dataset(
        summary,
        np.arange(len(present.number)),
        n_used=states.n_draws,
        rows=present.table.rows,
        segment_names=names,
    )
    add_group(tree, MEMBERSHIP, members)
    add_group(tree, SIZES, sizes_dataset(present.table, summary, segment_names=names))


def migration_value(
    states: States,
    present: Present,
    amount: Array,
    rules: Mapping[str, Labels],
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return what today's customers are worth by rule, treatment and segment, and where they go.

    Parameters
    ----------
    states
        The customers' states under posterior draws.
    present
        The customers.
    amount
        Value of each customer in whole currency a year, (customer,); NaN: not known.
    rules
        By name, whom the programme treats as what, (customer,), from 1; 0: not treated.
    rng
        Draws the customers' segments.

    Returns
    -------
    xarray.Dataset
        As `softseg.results.value.value`, on the draws of `states`; and of the same draws
        ``transition`` (sample, state, state_to), of one period; ``customers_now`` and ``worth``
        (sample, segment), expected customers of today and what one of them brings a year;
        ``effective`` (sample, segment), how many customers of equal value the value of a segment
        is as uncertain as: (Σ v r)² / Σ v² r. Attribute ``per_year``: periods of a year.

    Raises
    ------
    UsageError
        Where amounts or labels do not fit the customers.
    """
    n_rows = len(present.number)
    known = known_amounts(amount, rules, n_rows)
    values, count = np.where(known, amount, 0.0), np.ones(n_rows)
    groups = max(int(labels.max(initial=1)) for labels in rules.values())
    weights = rule_weights(values, count, rules, groups)
    every = np.stack([count, values, values**2], axis=1)
    together = np.concatenate([weights, every], axis=1)
    both: Array = np.zeros(())
    for place, members in _members(states, present.number):
        both = both + np.stack(_totals(members, together[place], rng))
    n_segments, n_draws = states.model.n_segments, states.n_draws
    cut = np.moveaxis(both[:, :, :-3].reshape(2, n_draws, 2, len(rules), groups, n_segments), 1, 3)
    treated = weights.sum(axis=0).reshape(2, len(rules), groups)
    data: dict[str, Any] = {}
    for i, what in enumerate(("value", "customers")):
        for j, how in enumerate(("expected", "lots")):
            data[f"{what}_{how}"] = (DIMS, cut[j, i])
        data[f"{what}_treated"] = ((RULE, ASSIGNED), treated[i])
    heads, worth, squares = both[0, :, -3], both[0, :, -2], both[0, :, -1]
    data["customers_now"] = ((SAMPLE, SEGMENT), heads)
    data["worth"] = ((SAMPLE, SEGMENT), _ratio(worth, heads))
    data["effective"] = ((SAMPLE, SEGMENT), _ratio(worth**2, squares))
    data[TRANSITION] = ((SAMPLE, STATE, STATE_TO), states.transition().values)
    names = list(states.names)
    coordinates = {
        RULE: np.array(list(rules), dtype=np.str_),
        SAMPLE: np.arange(n_draws),
        ASSIGNED: np.arange(1, groups + 1),
        **segment_coordinates(n_segments, names[:n_segments]),
        STATE: np.array(names, dtype=np.str_),
        STATE_TO: np.array(names, dtype=np.str_),
    }
    attributes = {
        "value_total": float(values.sum()),
        "customers_total": float(n_rows),
        "customers_unknown": float((~known).sum()),
        "per_year": periods_per_year(states.panel.periods),
    }
    return xr.Dataset(data, coordinates, attributes)


def _members(states: States, number: NDArray[np.intp]) -> Iterator[tuple[slice, Array]]:
    """Yield the segments' probabilities of some customers, (sample, customer, segment)."""
    n_segments, first = states.model.n_segments, 0
    for block in states.now():
        inside = np.isin(block[CUSTOMER].values, number)
        members = block.transpose(SAMPLE, CUSTOMER, STATE).values[:, inside, :n_segments]
        if members.shape[1]:
            yield slice(first, first + members.shape[1]), members
        first += members.shape[1]


def _totals(members: Array, weights: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return Σ weight · membership, and the same by lot, (sample, weight, segment) each.

    A customer who may have left is in no segment with the probability that is missing to 1.
    """
    n_draws, n_customers, n_segments = members.shape
    expected = np.einsum("cw,sck->swk", weights, members, optimize=True)
    drawn = np.empty_like(expected)
    step = max(1, MANY // max(1, n_customers))
    for first in range(0, n_draws, step):
        some = members[first : first + step]
        lot = rng.random(some.shape[:2])
        edges = np.cumsum(some, axis=-1)
        edges[..., -1] = np.where(edges[..., -1] > 1.0 - 1e-9, 1.0, edges[..., -1])
        state = (lot[..., None] >= edges).sum(axis=-1)
        for k in range(n_segments):
            drawn[first : first + step, :, k] = (state == k).astype(float) @ weights
    return expected, drawn


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0.0)
