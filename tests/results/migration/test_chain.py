"""Checks of transition matrices in words, powers, bands."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_chains import CHAIN, NAMES, ORDER, drawn, matrix, vector
from softseg.errors import UsageError
from softseg.results.migration.chain import (
    aligned,
    at_horizon,
    bands,
    check_transition,
    grades,
    has_churned,
    need_churned,
    powers,
    state_at,
    steps,
)


def test_powers_are_those_of_every_draw():
    draws = drawn(np.random.default_rng(1), 5)
    found = powers(draws, 3)
    assert found.dims[0] == "horizon"
    for s in range(5):
        expected = np.linalg.matrix_power(draws.values[s], 3)
        np.testing.assert_allclose(found.sel(horizon=3)[s], expected, rtol=1e-12)


def test_no_period_is_the_identity_exactly():
    found = powers(drawn(np.random.default_rng(1), 5), 0)
    assert found.sizes["horizon"] == 1
    np.testing.assert_array_equal(found[0], np.broadcast_to(np.eye(4), (5, 4, 4)))


def test_matrices_by_horizon_are_multiplied_in_order():
    a, b = CHAIN, np.roll(CHAIN[:3], 1, axis=0)
    b = np.vstack([b, CHAIN[3:]])
    varying = matrix([a, b], "horizon").assign_coords(horizon=[1, 2])
    np.testing.assert_allclose(powers(varying, 2)[2], a @ b)
    assert powers(varying, 0).sizes["horizon"] == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_rows_sum_to_one_and_labels_only_change_places(horizon: int, seed: int):
    draws = drawn(np.random.default_rng(seed), 3, 5.0)
    found = powers(draws, horizon)
    np.testing.assert_allclose(found.sum("state_to"), 1.0, atol=1e-12)
    order = [2, 0, 1, 3]
    again = powers(draws.isel(state=order, state_to=order), horizon)
    np.testing.assert_allclose(again, found.isel(state=order, state_to=order), atol=1e-14)


def test_bands_are_those_of_the_draws():
    x = xr.DataArray(np.arange(101.0), dims="sample")
    found = bands(x, "x")
    assert [float(found[f"x_{n}"]) for n in ("mean", "lower", "upper")] == [50.0, 5.0, 95.0]


def test_what_goes_with_a_matrix_needs_no_labels():
    draws = drawn(np.random.default_rng(1), 5)
    found = aligned(vector(np.ones((5, 4)), "sample", names=None), draws, "the value")
    assert list(found["state"].values) == list(NAMES)
    assert has_churned(draws)
    assert not has_churned(matrix(CHAIN, names=None))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_transition(xr.DataArray(np.eye(2), dims=("a", "b"))), "Give the transition"),
        (lambda: check_transition(matrix(CHAIN[:3], names=None)), "Give a square"),
        (lambda: check_transition(matrix(CHAIN * 0.9)), "Give rows of probabilities: no"),
        (lambda: check_transition(matrix(CHAIN * np.nan)), "Give rows of probabilities"),
        (lambda: check_transition(matrix(CHAIN).assign_coords(state_to=list("abcd"))),
         "Give state_to the same labels"),
        (lambda: check_transition(matrix(CHAIN, names=["churned", "a", "b", "c"])),
         "Put churned last"),
        (lambda: check_transition(matrix(np.full((4, 4), 0.25))), "Give churned a row that is nev"),
        (lambda: need_churned(matrix(CHAIN, names=list("abcd")), "survival"),
         "Fit a model with churn to ask for survival"),
        (lambda: state_at(matrix(CHAIN), "gold"), "Name a state out of"),
        (lambda: grades(matrix(CHAIN), ORDER[:2]), "Give the order of all segments"),
        (lambda: list(steps(matrix(CHAIN), -1)), "Give the horizon as a whole number"),
        (lambda: at_horizon(matrix([CHAIN], "horizon").assign_coords(horizon=[1]), 2, "it"),
         "Give it for every horizon from 1 on"),
        (lambda: aligned(vector(np.ones((4, 4)), "sample"), drawn(np.random.default_rng(1), 5),
                         "the value"), "Give the value and transitions of the same draws"),
        (lambda: aligned(vector(np.ones(4), names=list("abcd")), matrix(CHAIN), "the value"),
         "Give the value the states of the tr"),
        (lambda: aligned(vector(np.ones(3), names=None), matrix(CHAIN), "the value"),
         "Give the value the states of the transition matrix"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(call, message):
    with pytest.raises(UsageError, match=message):
        call()
