"""Where customers are: against plain recursions, and what must add up."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import softmax

from small_migration import prior_states, small_fit, small_panel, small_states
from softseg.families.namespace import NUMPY
from softseg.models.mixture import Values
from softseg.names import CHURNED, CUSTOMER, PERIOD, POSTERIOR, SAMPLE, STATE, STATE_TO
from softseg.results.migration.assemble import chain_variables, never_left, values_of_migration
from softseg.results.migration.states import States
from softseg.results.tree import add_group, posterior_of, posterior_tree
from softseg.tables.panel.migration import MigrationSchema
from softseg.tables.panel.panel import ANY, Panel
from softseg.tables.panel.panel import CHURNED as GONE
from softseg.tables.panel.prepare import prepare_panel
from softseg.tables.prepare import TableWarning
from softseg.tables.schema import Schema

CHURN = ("observed", "silent")


def plain_forward(states: States, history: int, draw: int) -> np.ndarray:
    """Return the filtered probabilities after each step of a history, one step at a time."""
    panel, statistics = states.panel, states.layout.statistics
    values = states.values.at(draw)
    weights = statistics.layout.weights(values.indicators, NUMPY)
    n = states.model.n_segments
    matrix = np.eye(n + 1)
    matrix[:n] = values.indicators["transition"]["all"]
    a, found = np.append(values.share, 0.0), []
    for step in range(panel.start[history], panel.start[history + 1]):
        if found:
            a = found[-1] @ matrix
        e = np.ones(n + 1)
        row, may = panel.row[step], panel.may[step]
        if row >= 0:
            p = statistics.pattern_of_row[row]
            density = weights.constant + weights.dense @ statistics.dense[:, p]
            density = density + weights.table[:, statistics.codes[:, p]].sum(axis=1)
            e[:n] = np.exp(density + statistics.log_base[p])
        e[:n] *= may != GONE
        e[n] = may in (ANY, GONE)
        a = a * e / (a @ e)
        found.append(a)
    return np.array(found)


@pytest.mark.parametrize("churn", CHURN)
def test_present_states_are_filtered_and_moved_on(churn: str) -> None:
    states = small_states(churn)
    (now,) = list(states.now())
    panel = states.panel
    n = states.model.n_segments
    for customer in (0, 7, 40, 149 if churn == "observed" else 100):
        history = int(np.flatnonzero(panel.customer == customer)[-1])
        last = plain_forward(states, history, 2)[-1]
        matrix = np.eye(n + 1)
        matrix[:n] = states.values.at(2).indicators["transition"]["all"]
        unseen = len(panel.periods) - 1 - panel.period[panel.start[history + 1] - 1]
        expected = last @ np.linalg.matrix_power(matrix, int(unseen))
        np.testing.assert_allclose(now.sel(customer=customer)[2], expected, atol=1e-10)


def test_whoever_was_seen_to_churn_has_churned() -> None:
    states = small_states()
    (now,) = list(states.now())
    panel = states.panel
    gone = panel.customer[panel.may[panel.start[1:] - 1] == GONE]
    np.testing.assert_array_equal(now.sel(customer=gone, state=CHURNED), 1.0)


def test_customers_without_a_history_are_nowhere() -> None:
    """Who is gone before the first row must not get the states of somebody else."""
    frame = pd.DataFrame({
        "id": ["a", "a", "b", "c", "c", "d", "d"], "month": [1, 2, 1, 1, 2, 1, 2],
        "orders": [1, 9, None, 4, 2, 3, None],
        "left": ["no", "no", "yes", "no", "no", "no", "yes"],
    })  # fmt: skip
    churn = MigrationSchema(churn="observed", churned="left")
    schema = Schema(id="id", period="month", indicators={"orders": "poisson"}, migration=churn)
    with pytest.warns(TableWarning, match="no row before the yes"):
        panel = prepare_panel(frame, schema)
    states = prior_states(panel, 2)
    (now,) = list(states.now())
    assert panel.customers == ("a", "b", "c", "d")
    np.testing.assert_array_equal(now[CUSTOMER], [0, 2, 3])


@pytest.mark.parametrize("churn", CHURN)
def test_customers_and_moves_add_up(churn: str) -> None:
    over = small_states(churn).over_periods()
    customers, moves, entered = over["customers"], over["moves"], over["entered"]
    arrived = moves.sum(STATE).rename(state_to=STATE) + entered
    active = {STATE: slice(0, -1)}
    np.testing.assert_allclose(arrived[active], customers[active], atol=1e-8)
    panel = small_panel(churn)
    assert float(entered.isel({SAMPLE: 0}).sum()) == pytest.approx(panel.n_histories)
    left = moves.sum("state_to").isel({PERIOD: slice(1, None)})
    stayed = customers.isel({PERIOD: slice(0, -1)})
    assert np.all(left.values <= stayed.values + 1e-8)


@pytest.mark.filterwarnings("ignore::softseg.tables.prepare.TableWarning")
def test_who_returns_is_counted_once() -> None:
    panel = small_panel("inactivity")
    assert panel.notes.returned > 0
    over = prior_states(panel, 3).over_periods()
    first = np.unique(panel.customer, return_index=True)[1]
    known = np.bincount(panel.period[panel.start[first]], minlength=len(panel.periods)).cumsum()
    total = over["customers"].sum(STATE)
    np.testing.assert_allclose(total, np.broadcast_to(known, total.shape), atol=1e-8)
    assert np.all(over["customers"] >= -1e-9)


def moved_panel(**migration: Any) -> Panel:
    """Return a panel of five months in which customer 0 is lost from sight after the second."""
    frame = pd.DataFrame({
        "id": np.repeat(["a", "b", "c"], [2, 5, 5]), "month": [1, 2, *range(1, 6), *range(1, 6)],
        "orders": [1, 9, 2, 3, 1, 0, 2, 7, 8, 9, 7, 8],
        "region": np.repeat(["south", "north", "north"], [2, 5, 5]),
    })  # fmt: skip
    entry = MigrationSchema(**migration)
    indicators: Any = {"orders": "poisson"}
    return prepare_panel(
        frame, Schema(id="id", period="month", indicators=indicators, migration=entry)
    )


def test_whoever_is_lost_from_sight_moves_on_as_those_periods_moved() -> None:
    states = prior_states(moved_panel(by_period=True), 2)
    (now,) = list(states.now())
    last = filtered_at_the_end(states, 0)
    for label in ("3", "4", "5"):
        rows = states.values.indicators["transition"][label]
        last = np.einsum("sj,sjk->sk", last, rows)
    np.testing.assert_allclose(now.sel({CUSTOMER: 0}), last, atol=1e-12)


def test_whoever_is_lost_from_sight_moves_on_by_the_own_covariates() -> None:
    states = prior_states(moved_panel(transition=["region"]), 2)
    (now,) = list(states.now())
    last = filtered_at_the_end(states, 0)
    logits = states.values.indicators["transition"]
    south = softmax(logits["constant"] + logits["region=south"], axis=-1)
    for _ in range(3):
        last = np.einsum("sj,sjk->sk", last, south)
    np.testing.assert_allclose(now.sel({CUSTOMER: 0}), last, atol=1e-12)


def test_answers_look_ahead_with_the_mean_of_levels_too() -> None:
    states = prior_states(moved_panel(transition=["region"]), 2)
    logits = states.values.indicators["transition"]
    mean = softmax(logits["constant"] + 2.0 / 12.0 * logits["region=south"], axis=-1)
    np.testing.assert_allclose(states.transition(), mean, atol=1e-12)


def test_a_period_that_was_not_fitted_has_the_mean_of_those_that_were() -> None:
    states = prior_states(moved_panel(by_period=True), 2)
    drawn = {g: {n: a[None] for n, a in v.items()} for g, v in states.values.indicators.items()}
    values = Values(states.values.share[None], drawn)
    tree = posterior_tree(values, states.panel.schema, sample_stats={}, attributes={})
    moves = chain_variables(states.model, values, states.names)
    add_group(tree, POSTERIOR, posterior_of(tree).assign(moves))
    found = values_of_migration(tree, replace(states.model, profiles=("5", "6")))
    rows = states.values.indicators["transition"]
    np.testing.assert_array_equal(found.indicators["transition"]["5"], rows["5"])
    mean = np.mean(list(rows.values()), axis=0)
    np.testing.assert_allclose(found.indicators["transition"]["6"], mean, atol=1e-15)


def filtered_at_the_end(states: States, history: int) -> np.ndarray:
    """Return the filtered probabilities at the end of a history, (sample, state)."""
    short = replace(states.panel, periods=states.panel.periods[:2])
    (now,) = list(replace(states, panel=short).now())
    return now.sel({CUSTOMER: history}).values


def test_smoothed_rows_sum_to_the_rows() -> None:
    states = small_states()
    members = states.memberships_of_rows(0)
    assert members.shape == (len(states.panel.table.rows), states.model.n_segments)
    np.testing.assert_allclose(members.sum(axis=1), 1.0, atol=1e-10)


def test_the_transition_of_answers_is_the_drawn_one() -> None:
    states = small_states()
    matrix = states.transition()
    rows = states.values.indicators["transition"]["all"]
    np.testing.assert_array_equal(matrix.values[:, :-1], rows)
    np.testing.assert_array_equal(matrix.values[:, -1, -1], 1.0)
    assert small_fit().model.churns


def test_a_segment_that_nobody_leaves_is_named() -> None:
    moves = np.zeros((2, 3, 3))
    moves[1] = [[5.0, 0.3, 0.2], [2.0, 4.0, 1.0], [0.0, 0.0, 7.0]]
    names = ["A", "B", CHURNED]
    table = xr.DataArray(
        moves, dims=(PERIOD, STATE, STATE_TO), coords={STATE: names, STATE_TO: names}
    )
    assert never_left(table) == ["A"]
