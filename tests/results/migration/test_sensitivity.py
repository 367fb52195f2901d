"""Other beliefs about leaving: against the closed form of Dirichlet rows."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import dirichlet

from softseg.errors import UsageError
from softseg.models.latent_markov import prior_lifetime, sticky
from softseg.names import CHURNED, PERIOD, SAMPLE, STATE, STATE_TO
from softseg.results.migration.sensitivity import (
    FACTORS,
    churn_sensitivity,
    possible_factors,
    with_churn,
)

ALPHA = sticky(2, True, 0.8, 20.0)
COUNTS = np.array([[300.0, 30.0, 12.0], [20.0, 200.0, 30.0]])


def draws(n: int = 4000) -> xr.DataArray:
    rng = np.random.default_rng(2)
    rows = [dirichlet.rvs(ALPHA[j] + COUNTS[j], n, rng) for j in range(2)]
    absorbing = np.broadcast_to([0.0, 0.0, 1.0], (n, 3))
    names = ["1", "2", CHURNED]
    return xr.DataArray(
        np.stack([*rows, absorbing], axis=1), dims=(SAMPLE, STATE, STATE_TO),
        coords={STATE: names, STATE_TO: names},
    )  # fmt: skip


def test_weighted_draws_have_the_posterior_of_the_other_prior() -> None:
    transition = draws()
    churned = 1000.0 * transition[:, 0, 2].drop_vars([STATE, STATE_TO])
    found = churn_sensitivity(transition, churned, ALPHA)
    for i, factor in enumerate(FACTORS):
        other = with_churn(ALPHA, factor)[0] + COUNTS[0]
        expected = 1000.0 * other[2] / other.sum()
        assert float(found["mean"][i]) == pytest.approx(expected, rel=0.04)
    assert np.all(np.diff(found["mean"].values) > 0.0)
    assert np.all(np.diff(found["lifetime"].values) < 0.0)
    assert np.all(found["lower"] < found["upper"])


def test_every_period_has_rows_under_the_prior() -> None:
    """With a matrix per period the prior of every one of them is another one."""
    rng, n = np.random.default_rng(4), 6000
    rows = np.stack([dirichlet.rvs(ALPHA[j] + 10 * COUNTS[j], (n, 3), rng) for j in (0, 1)], axis=2)
    absorbing = np.broadcast_to([0.0, 0.0, 1.0], (n, 3, 1, 3))
    names = ["1", "2", CHURNED]
    transition = xr.DataArray(
        np.concatenate([rows, absorbing], axis=2), dims=(SAMPLE, PERIOD, STATE, STATE_TO),
        coords={STATE: names, STATE_TO: names},
    )  # fmt: skip
    churned = transition[:, :, 0, 2].mean(PERIOD).drop_vars([STATE, STATE_TO])
    found = churn_sensitivity(transition, churned, ALPHA, (1.0, 4.0))
    other = with_churn(ALPHA, 4.0)[0] + 10 * COUNTS[0]
    assert float(found["mean"][1]) == pytest.approx(other[2] / other.sum(), rel=0.004)


def test_a_prior_of_much_churn_is_not_multiplied_beyond_certainty() -> None:
    alpha = sticky(2, True, 0.4, 20.0)
    assert possible_factors(ALPHA) == FACTORS
    assert possible_factors(alpha) == (0.25, 0.5, 1.0, 2.0)
    with pytest.raises(UsageError, match=r"inside \(0, 1\), got 4"):
        with_churn(alpha, 4.0)


def test_the_prior_itself_changes_nothing() -> None:
    transition = draws(500)
    churned = transition[:, 1, 2].drop_vars([STATE, STATE_TO])
    found = churn_sensitivity(transition, churned, ALPHA, (1.0,))
    assert float(found["mean"][0]) == pytest.approx(float(churned.mean()), rel=1e-12)
    assert float(found["lifetime"][0]) == pytest.approx(float(prior_lifetime(ALPHA).mean()))


def test_draws_that_cannot_tell_say_so() -> None:
    transition = draws()
    found = churn_sensitivity(transition, transition[:, 0, 2], 100.0 * ALPHA, (1.0, 9.0))
    assert np.isnan(found["mean"][1])
    assert not float(found["k_hat"][1]) < 0.7


def test_other_shares_keep_strength_and_proportions() -> None:
    other = with_churn(ALPHA, 2.0)
    np.testing.assert_allclose(other.sum(axis=1), ALPHA.sum(axis=1))
    np.testing.assert_allclose(other[:, 2], 2.0 * ALPHA[:, 2])
    np.testing.assert_allclose(other[:, 0] / other[:, 1], ALPHA[:, 0] / ALPHA[:, 1])


def test_what_is_refused() -> None:
    transition = draws(10)
    with pytest.raises(UsageError, match="Give factors that leave"):
        with_churn(ALPHA, 20.0)
    nobody = transition.assign_coords({STATE: ["1", "2", "3"], STATE_TO: ["1", "2", "3"]})
    with pytest.raises(UsageError, match="Give transitions with the state churned last"):
        churn_sensitivity(nobody, transition[:, 0, 0], ALPHA)
