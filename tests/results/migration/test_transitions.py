"""The transition table against the numbers of section 7.3 and the draws themselves."""

import numpy as np
import pytest

from migration_chains import CHAIN, ORDER, drawn, matrix
from softseg.errors import UsageError
from softseg.results.migration.transitions import transitions


def test_one_draw_is_the_matrix_itself():
    found = transitions(matrix(CHAIN[None], "sample"), order=ORDER)
    np.testing.assert_allclose(found["mean"], CHAIN)
    np.testing.assert_allclose(found["stay_mean"], np.diag(CHAIN))
    np.testing.assert_allclose(found["up_mean"], [0.0, 0.08, 0.10, 0.0])
    np.testing.assert_allclose(found["down_mean"], [0.08, 0.05, 0.0, 0.0])
    np.testing.assert_allclose(found["churn_mean"], [0.02, 0.05, 0.10, 1.0])
    np.testing.assert_allclose(found["periods_mean"], [26.515, 21.970, 16.667, 0.0], atol=5e-4)
    parts = found["stay_mean"] + found["up_mean"] + found["down_mean"] + found["churn_mean"]
    np.testing.assert_allclose(parts, [1.0, 1.0, 1.0, 2.0])  # to stay churned is to be churned


def test_periods_are_averaged_over_draws_and_not_taken_at_the_mean_matrix():
    draws = drawn(np.random.default_rng(1), 500, 20)
    found = transitions(draws)
    plug_in = transitions(draws.mean("sample").expand_dims("sample"))
    assert float(found["periods_mean"][0]) > 1.1 * float(plug_in["periods_mean"][0])
    assert "up_mean" not in found
    lower, upper = np.quantile(draws.values[:, 0, 1], [0.05, 0.95])
    assert float(found["lower"][0, 1]) == pytest.approx(lower)
    assert float(found["upper"][0, 1]) == pytest.approx(upper)


def test_by_period_and_by_profile():
    draws = drawn(np.random.default_rng(1), 6)
    found = transitions(draws.expand_dims(period=3), order=ORDER)
    assert found["mean"].sizes == {"period": 3, "state": 4, "state_to": 4}
    assert found["periods_lower"].sizes == {"period": 3, "state": 4}
    np.testing.assert_allclose(found["up_upper"][2], transitions(draws, order=ORDER)["up_upper"])


def test_without_churn_the_note_says_so():
    rows = CHAIN[:3, :3] / CHAIN[:3, :3].sum(axis=1, keepdims=True)
    found = transitions(drawn(np.random.default_rng(1), 6, rows=rows), order=ORDER, language="de")
    assert "churn_mean" not in found
    assert "Niemand verlässt es" in found.attrs["note"]
    np.testing.assert_allclose(found["stay_mean"] + found["up_mean"] + found["down_mean"], 1.0)


def test_a_state_that_is_never_left_is_named():
    rows = CHAIN.copy()
    rows[0] = [1.0, 0.0, 0.0, 0.0]
    with pytest.raises(UsageError, match="from some of them nobody ever leaves"):
        transitions(matrix(rows[None], "sample"))
