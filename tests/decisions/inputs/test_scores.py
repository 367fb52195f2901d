"""Quantiles at Φ(z) by tables, against SciPy's inverses from the nearer tail."""

import numpy as np
import pytest
from scipy.special import betaincinv, gammainccinv, gammaincinv, ndtr

from softseg.decisions.inputs import scores
from softseg.decisions.inputs.scores import (
    beta_from_score,
    gamma_from_score,
    log_beta_quantile,
    log_gamma_quantile,
)

Z = np.sort(np.random.default_rng(5).uniform(-8.0, 8.0, 20_000))


def gamma_oracle(shape: float) -> np.ndarray:
    return np.where(Z < 0, gammaincinv(shape, ndtr(Z)), gammainccinv(shape, ndtr(-Z)))


def beta_oracle(alpha: float, beta: float) -> np.ndarray:
    return np.where(
        Z < 0, betaincinv(alpha, beta, ndtr(Z)), 1.0 - betaincinv(beta, alpha, ndtr(-Z))
    )


@pytest.mark.parametrize("shape", [0.3, 0.7, 1.0, 4.0, 30.0, 1e4])
def test_gamma(shape: float):
    np.testing.assert_allclose(gamma_from_score(shape, Z), gamma_oracle(shape), rtol=1e-9)


@pytest.mark.parametrize(
    ("alpha", "beta"),
    [(33.66, 70.53), (4.0, 4.0), (0.3, 5.0), (0.2, 0.3), (2000.0, 30.0), (1.0, 5.0), (3e7, 1e7)],
)
def test_beta(alpha: float, beta: float):
    np.testing.assert_allclose(beta_from_score(alpha, beta, Z), beta_oracle(alpha, beta), rtol=1e-9)


@pytest.mark.parametrize("shape", [0.02, 0.05])
def test_the_far_lower_tail_of_small_shapes_follows_the_power(shape: float):
    log_x = log_gamma_quantile(shape, Z)
    exact = gamma_oracle(shape)
    inside = exact > 1e-15
    np.testing.assert_allclose(np.exp(log_x[inside]), exact[inside], rtol=1e-12)
    assert np.isfinite(log_x).all()
    assert (np.diff(log_x) > 0).all()
    there = log_x > -690.0
    np.testing.assert_allclose(gamma_from_score(shape, Z[there]), np.exp(log_x[there]), rtol=1e-9)


def test_both_far_tails_of_a_u_shaped_beta():
    log_x, log_y = log_beta_quantile(0.05, 0.05, Z)
    mirrored = log_beta_quantile(0.05, 0.05, -Z)
    np.testing.assert_allclose(log_x, mirrored[1], rtol=1e-12)
    np.testing.assert_allclose(np.exp(log_x) + np.exp(log_y), 1.0, rtol=1e-12)
    there = log_x > -690.0
    table = beta_from_score(0.05, 0.05, Z[there])
    np.testing.assert_allclose(table, np.exp(log_x[there]), rtol=1e-9)


def test_large_shapes_go_over_into_the_expansion(monkeypatch: pytest.MonkeyPatch):
    z = np.linspace(-4.0, 4.0, 101)
    exact = log_gamma_quantile(9e5, z)
    monkeypatch.setattr(scores, "LARGE_SHAPE", 1e5)
    np.testing.assert_allclose(log_gamma_quantile(9e5, z), exact, rtol=0, atol=1e-12)


def test_scores_of_any_shape_and_beyond_the_table():
    z = Z[:600].reshape(20, 30)
    np.testing.assert_array_equal(
        beta_from_score(2.0, 3.0, z), beta_from_score(2.0, 3.0, Z[:600]).reshape(20, 30)
    )
    np.testing.assert_array_equal(
        beta_from_score(2.0, 3.0, z.T[::2]), beta_from_score(2.0, 3.0, z).T[::2]
    )
    ends = beta_from_score(2.0, 3.0, np.array([-np.inf, -8.5, 8.5, np.inf, np.nan]))
    assert ends[0] == ends[1] > 0.0
    assert ends[2] == ends[3] < 1.0
    assert np.isnan(ends[4])
    assert beta_from_score(2.0, 3.0, np.float64(0.0)).shape == ()


def test_tables_are_made_once():
    scores._beta_table.cache_clear()
    beta_from_score(2.5, 3.5, Z)
    beta_from_score(2.5, 3.5, Z)
    assert scores._beta_table.cache_info().misses == 1
