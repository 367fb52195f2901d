"""Survival against closed forms: geometric laws, the Perron vector, section 7.3."""

import numpy as np
import pytest

from migration_chains import CHAIN, drawn, matrix
from softseg.errors import UsageError
from softseg.results.migration.survival import survival


def test_one_active_state_is_geometric():
    rows = matrix([[[0.8, 0.2], [0.0, 1.0]]], "sample", names=["active", "churned"])
    found = survival(rows, horizon=30)
    h = np.arange(31)
    np.testing.assert_allclose(found["survival_mean"][:, 0], 0.8**h)
    np.testing.assert_allclose(found["leaves_mean"][1:, 0], 0.2 * 0.8 ** h[:-1])
    assert float(found["leaves_mean"][0, 0]) == 0.0
    assert float(found["time_median"][0]) == 4.0  # 0.8^3 = .512, 0.8^4 = .41
    assert float(found["time_lower"][0]) == 1.0
    assert float(found["time_upper"][0]) == 14.0
    assert float(found["stays_mean"]) == pytest.approx(0.8)


def test_section_7_3():
    found = survival(matrix(CHAIN[None], "sample"), horizon=400)
    np.testing.assert_allclose(found["mix_mean"], [0.5221, 0.3124, 0.1656], atol=5e-5)
    assert float(found["stays_mean"]) == pytest.approx(0.95738, abs=5e-6)
    np.testing.assert_allclose(found["periods_mean"], [26.515, 21.970, 16.667], atol=5e-4)
    # the expected number of periods is the sum of the survival function
    np.testing.assert_allclose(found["survival_mean"].sum("horizon"), found["periods_mean"],
                               rtol=1e-6)  # fmt: skip
    np.testing.assert_allclose(
        found["survival_mean"][101] / found["survival_mean"][100], 0.95738, atol=5e-6
    )


def test_draw_by_draw():
    draws = drawn(np.random.default_rng(1), 300, 20)
    found = survival(draws, horizon=10)
    by_draw = np.array([1 - np.linalg.matrix_power(p, 10)[0, 3] for p in draws.values])
    assert float(found["survival_mean"][10, 0]) == pytest.approx(by_draw.mean())
    assert float(found["survival_lower"][10, 0]) == pytest.approx(np.quantile(by_draw, 0.05))
    plug_in = 1 - np.linalg.matrix_power(draws.values.mean(axis=0), 10)[0, 3]
    assert by_draw.mean() > plug_in


def test_a_time_beyond_the_horizon_is_not_made_up():
    found = survival(matrix(CHAIN[None], "sample"), horizon=2)
    assert np.isnan(found["time_median"]).all()
    assert survival(matrix(CHAIN[None], "sample"), horizon=0)["survival_mean"].values == (
        pytest.approx(np.ones((1, 3)))
    )


def test_without_churn_there_is_no_survival():
    with pytest.raises(UsageError, match="Fit a model with churn to ask for survival"):
        survival(matrix(CHAIN, names=list("abcd")).expand_dims("sample"), horizon=2)
