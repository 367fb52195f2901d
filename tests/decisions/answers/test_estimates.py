"""Statistics of draws and their Monte Carlo error."""

import numpy as np
import pytest

from softseg.decisions.answers.estimates import (
    atomic_quantiles,
    by_accounting,
    columns,
    dataset,
    estimate,
    mean,
    quantiles,
    ratio_of_means,
    tail_mean,
)


def test_the_error_is_the_spread_over_the_replicates() -> None:
    draws = np.random.default_rng(1).normal(size=(8, 100))
    found = estimate(mean, draws)
    assert found.value == pytest.approx(draws.mean())
    assert found.error == pytest.approx(draws.mean(axis=1).std(ddof=1) / np.sqrt(8))


def test_the_error_is_true() -> None:
    draws = np.random.default_rng(2).normal(size=(300, 8, 200))
    medians = np.array([estimate(quantiles((0.5,)), one) for one in draws])[..., 0]
    assert np.sqrt((medians[:, 1] ** 2).mean()) == pytest.approx(medians[:, 0].std(), rel=0.2)


def test_one_replicate_has_no_error() -> None:
    found = estimate(quantiles(), np.arange(10.0)[None])
    assert np.isnan(found.error).all()
    assert found.value[2] == 4.5


def test_infinite_quantiles_have_no_error() -> None:
    draws = np.array([[1.0, 2.0, np.inf, np.inf], [1.0, 2.0, 3.0, np.inf]])
    found = estimate(atomic_quantiles((0.25, 0.5, 1.0)), draws)
    assert found.value.tolist() == [1.0, 2.0, np.inf]
    assert found.error[:2].tolist() == [0.0, 0.0]
    assert np.isnan(found.error[2])


@pytest.mark.parametrize("n", [1, 7, 20, 64])
def test_atomic_quantiles_are_the_inverted_distribution_function(n: int) -> None:
    draws = np.random.default_rng(n).normal(size=n)
    wanted = np.quantile(draws, (0.05, 0.25, 0.5, 0.75, 0.95), method="inverted_cdf")
    np.testing.assert_array_equal(atomic_quantiles()(draws), wanted)


def test_quantiles_leave_out_what_is_not_defined() -> None:
    draws = np.array([np.nan, 1.0, 2.0, 3.0])
    assert quantiles((0.5,))(draws).tolist() == [2.0]
    assert np.isnan(quantiles((0.5,))(draws[:1])).all()
    assert np.isnan(tail_mean(0.5)(draws[:1]))
    assert tail_mean(1.0 / 3.0)(draws) == pytest.approx(1.0)
    assert np.isnan(atomic_quantiles()(np.array([]))).all()


def test_quantiles_of_paths_keep_the_years() -> None:
    draws = np.arange(12.0).reshape(4, 3)
    found = quantiles((0.0, 1.0))(draws)
    assert found.tolist() == [[0.0, 9.0], [1.0, 10.0], [2.0, 11.0]]


def test_tail_mean_counts_the_draw_at_the_boundary_in_part() -> None:
    draws = np.array([5.0, 1.0, 3.0, 2.0, 4.0])
    assert tail_mean(0.3)(draws) == pytest.approx((1.0 + 0.5 * 2.0) / 1.5)
    assert tail_mean(0.3, best=True)(draws) == pytest.approx((5.0 + 0.5 * 4.0) / 1.5)
    assert tail_mean(1.0)(draws) == pytest.approx(3.0)


def test_ratio_of_means_needs_a_positive_divisor() -> None:
    assert ratio_of_means(np.array([1.0, 3.0]), np.array([2.0, 2.0])) == 1.0
    assert np.isnan(ratio_of_means(np.array([1.0]), np.array([0.0])))


def test_tables_become_datasets_with_coordinates() -> None:
    def answer(accounting: str, adjusted: bool):
        draws = np.full((2, 3), 1.0 * adjusted + 10.0 * (accounting == "as_published"))
        return columns("npv", estimate(quantiles(), draws), "quantile")

    found = dataset(by_accounting(answer))
    assert found.npv.dims == ("accounting", "adjusted", "quantile")
    assert found.npv.sel(accounting="as_published", adjusted=True, quantile=0.5) == 11.0
    assert found.npv.sel(accounting="contribution_margin", adjusted=False, quantile=0.05) == 0.0
    assert (found.npv_error == 0.0).all()
