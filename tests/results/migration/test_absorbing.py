"""Closed forms of absorbing chains: Pfeifer and Carraway (2000) and a chain of three states."""

import numpy as np
import pytest
import xarray as xr

from softseg.errors import UsageError
from softseg.results.migration.absorbing import (
    lifetime_value,
    periods_to_churn,
    quasi_stationary,
    with_churned,
)

CHAIN = [
    [0.90, 0.06, 0.02, 0.02],
    [0.08, 0.82, 0.05, 0.05],
    [0.03, 0.07, 0.80, 0.10],
    [0.0, 0.0, 0.0, 1.0],
]


def matrix(rows, *lead):
    return xr.DataArray(np.asarray(rows, dtype=float), dims=(*lead, "state", "state_to"))


def vector(numbers, *lead):
    return xr.DataArray(np.asarray(numbers, dtype=float), dims=(*lead, "state"))


def recency(stop=None):
    """A customer buys with a probability that falls with recency; the last state is former."""
    probability, value = [0.3, 0.2, 0.15, 0.05][:stop], [36.0, -4.0, -4.0, -4.0][:stop]
    n = len(probability) + 1
    rows = np.zeros((n, n))
    for i, p in enumerate(probability):
        rows[i, 0], rows[i, i + 1] = p, 1.0 - p
    rows[-1, -1] = 1.0
    return matrix(rows), vector([*value, 0.0])


def test_pfeifer_and_carraway():
    rows, value = recency()
    within = lifetime_value(rows, value, discount=0.2, horizon=5)
    np.testing.assert_allclose(within, [50.115, 4.220, 0.592, -1.980, 0.0], atol=5e-4)
    for_ever = lifetime_value(rows, value, discount=0.2)
    np.testing.assert_allclose(for_ever, [52.320, 5.554, 1.251, -1.820, 0.0], atol=5e-4)


def test_giving_up_earlier_is_worth_more():
    """Whoever is no longer addressed after a recency of 3, or of 2, is former."""
    for stop, expected in [(3, [53.149, 6.621, 2.644]), (2, [51.574, 4.596])]:
        rows, value = recency(stop)
        value = value.copy()
        found = lifetime_value(rows, value, discount=0.2)
        np.testing.assert_allclose(found[:-1], expected, atol=5e-4)


def test_chain_of_three_states():
    rows, value = matrix(CHAIN), vector([1000.0, 400.0, 100.0, 0.0])
    np.testing.assert_allclose(periods_to_churn(rows), [26.515, 21.970, 16.667, 0.0], atol=5e-4)
    for_ever = lifetime_value(rows, value, discount=0.1)
    np.testing.assert_allclose(for_ever, [6860.18, 3881.18, 1958.29, 0.0], atol=5e-3)
    five = lifetime_value(rows, value, discount=0.1, horizon=5)
    np.testing.assert_allclose(five, [3670.61, 1725.14, 645.26, 0.0], atol=5e-3)
    mix, stays = quasi_stationary(rows)
    np.testing.assert_allclose(mix, [0.5221, 0.3124, 0.1656, 0.0], atol=5e-5)
    assert float(stays) == pytest.approx(0.95738, abs=5e-6)


def test_a_finite_horizon_grows_into_the_infinite_one():
    rows, value = matrix(CHAIN), vector([1000.0, 400.0, 100.0, 0.0])
    far = lifetime_value(rows, value, discount=0.1, horizon=400)
    np.testing.assert_allclose(far, lifetime_value(rows, value, discount=0.1), rtol=1e-9)


def test_every_draw_by_itself():
    """The mean over draws is not the value at the mean matrix: 7,281 and not 6,860 in the best."""
    rng = np.random.default_rng(1)
    rows = np.stack([[rng.dirichlet(20.0 * np.array(r[:3] + r[3:])) for r in CHAIN[:3]]
                     for _ in range(400)])  # fmt: skip
    rows = np.concatenate([rows, np.broadcast_to([0.0, 0, 0, 1.0], (400, 1, 4))], axis=1)
    value = vector([1000.0, 400.0, 100.0, 0.0])
    found = lifetime_value(matrix(rows, "sample"), value, discount=0.1)
    assert found.dims == ("sample", "state")
    one = lifetime_value(matrix(rows[7]), value, discount=0.1)
    np.testing.assert_allclose(found[7], one)
    plug_in = lifetime_value(matrix(rows.mean(axis=0)), value, discount=0.1)
    assert float(found.mean("sample")[0]) > 1.02 * float(plug_in[0])
    mix, stays = quasi_stationary(matrix(rows, "sample"))
    np.testing.assert_allclose(mix.sum("state"), 1.0)
    assert stays.dims == ("sample",)


def test_permuting_the_active_states_permutes_the_values():
    order = [2, 0, 1, 3]
    rows, value = np.array(CHAIN), np.array([1000.0, 400.0, 100.0, 0.0])
    moved = lifetime_value(
        matrix(rows[np.ix_(order, order)]), vector(value[order]), discount=0.1, horizon=7
    )
    whole = lifetime_value(matrix(rows), vector(value), discount=0.1, horizon=7)
    np.testing.assert_allclose(moved, whole.values[order])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": xr.DataArray(np.eye(2), dims=("a", "b"))}, "Give the transition matrix the dims"),
        ({"rows": matrix(np.eye(4)[:3])}, "Give a square transition matrix"),
        ({"rows": matrix(np.full((4, 4), 0.5))}, "Give rows of probabilities"),
        ({"rows": matrix(np.full((4, 4), 0.25))}, "Put churned last"),
        ({"rows": matrix([CHAIN, CHAIN], "horizon")}, "Give one transition matrix for all periods"),
        ({"value": vector([1.0, 1.0, 1.0, 1.0])}, "Give churned customers, the last state"),
        ({"discount": -0.1}, "Give a discount rate of at least 0"),
        ({"horizon": 0}, "Give a horizon of at least 1 period"),
        ({"rows": matrix(np.eye(4)), "discount": 0.0}, "Give a horizon or a discount rate"),
    ],
)  # fmt: skip
def test_impossible_questions_are_refused(change, message):
    given = {
        "rows": matrix(CHAIN), "value": vector([1.0, 1.0, 1.0, 0.0]), "discount": 0.1,
        "horizon": None,
    } | change  # fmt: skip
    with pytest.raises(UsageError, match=message):
        lifetime_value(
            given["rows"], given["value"], discount=given["discount"], horizon=given["horizon"]
        )


def test_a_model_without_churn_is_worth_a_perpetuity() -> None:
    """Whoever brings 100 at the start of every period for ever is worth 100 (1 + d)/d."""
    states = ["Quiet", "Busy"]
    rows = xr.DataArray(
        [[0.7, 0.3], [0.2, 0.8]], {"state": states, "state_to": states}, ("state", "state_to")
    )
    value = xr.DataArray([100.0, 100.0], {"state": states}, ("state",))
    padded, worth = with_churned(rows, value)
    found = lifetime_value(padded, worth, discount=0.1)
    np.testing.assert_allclose(found, [1100.0, 1100.0, 0.0], rtol=1e-12)
    assert found["state"].values.tolist() == [*states, "churned"]
    with pytest.raises(UsageError, match="Give a horizon or a discount rate"):
        lifetime_value(padded, worth, discount=0.0)
    again, same = with_churned(padded, worth)
    assert again.identical(padded)
    assert same.identical(worth)
