"""The simpler models meet the published numbers, and the panels hold what they say."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.migration.cdnow import DAYS, read
from benchmarks.migration.data import MOVES, panel
from benchmarks.migration.purchases import BetaGeometric, Customers, Pareto, Shifted

BG = BetaGeometric(0.24259815231, 4.4136841633, 0.79298987367, 2.4261666964)
PARETO = Pareto(0.55339714326, 10.5801985436, 0.6060624971, 11.6562236702)


@pytest.fixture(scope="module")
def customers(reference_data: Callable[[str], Path]) -> Customers:
    table = pd.read_csv(reference_data("cdnow_summary.csv"))
    return Customers(*(table[name].to_numpy(float) for name in ("x", "t.x", "T.cal")))


def one(x: float, t_x: float, T: float) -> Customers:
    return Customers(np.array([x]), np.array([t_x]), np.array([T]))


def test_the_event_log_gives_the_published_summary(
    reference_data: Callable[[str], Path], customers: Customers
) -> None:
    log = read(reference_data("CDNOW_sample.txt"))
    np.testing.assert_array_equal(log.customers.x, customers.x)
    np.testing.assert_allclose(log.customers.t_x, customers.t_x, atol=1e-9)
    np.testing.assert_allclose(log.customers.T, customers.T, atol=1e-9)
    summary = pd.read_csv(reference_data("cdnow_summary.csv"))
    np.testing.assert_array_equal(log.later, summary["x.star"])
    tracking = pd.read_csv(reference_data("cdnow_cu_tracking.csv"))["cu.tracking"]
    weeks = DAYS // 7
    np.testing.assert_array_equal(log.orders.sum(axis=0).cumsum(), tracking[weeks - 1 :: weeks])


@pytest.mark.parametrize(
    ("model", "height", "parameters"),
    [
        (BG, -9582.429, [0.2426, 4.4137, 0.7930, 2.4262]),
        pytest.param(PARETO, -9594.976, [0.5534, 10.5802, 0.6061, 11.6562], marks=pytest.mark.slow),
    ],
)
def test_the_purchase_models_meet_the_published_fit(
    customers: Customers, model: BetaGeometric | Pareto, height: float, parameters: list[float]
) -> None:
    assert model.log_likelihood(customers) == pytest.approx(height, abs=2e-3)
    found, _ = type(model).fitted(customers)
    assert found.log_likelihood(customers) == pytest.approx(height, abs=2e-3)
    np.testing.assert_allclose(list(vars(found).values()), parameters, rtol=5e-3)


def test_expected_transactions_meet_the_published_ones() -> None:
    best = one(26, 30.857142857, 31.0)
    assert BG.expected(np.array([52.0]))[0] == pytest.approx(1.444004, abs=1e-4)
    assert BG.expected_after(best, 52.0)[0] == pytest.approx(25.75659, abs=2e-3)
    assert BG.alive(best)[0] == pytest.approx(0.9688523, abs=1e-5)
    assert PARETO.expected(np.array([52.0]))[0] == pytest.approx(1.473434, abs=1e-3)
    assert PARETO.expected_after(best, 52.0)[0] == pytest.approx(25.45647, abs=2e-2)
    assert PARETO.alive(best)[0] == pytest.approx(0.997874, abs=1e-5)
    many = Customers(np.array([10.0, 15, 20, 25]), np.full(4, 20.0), np.full(4, 39.0))
    for model, published in (
        (BG, [0.3474606, 0.04283391, 0.004158973, 0.0003583685]),
        (PARETO, [0.7062289, 0.1442396, 0.02250658, 0.00309267]),
    ):
        np.testing.assert_allclose(model.expected_after(many, 52.0), published, rtol=5e-3)


@pytest.mark.parametrize("model", [BG, PARETO])
def test_probabilities_of_counts_agree_with_their_mean(model: BetaGeometric | Pareto) -> None:
    c = Customers(np.array([0.0, 2.0, 7.0]), np.array([0.0, 30.4, 30.0]), np.full(3, 38.86))
    found = model.probabilities_after(c, 39.0, 80, np.random.default_rng(1), n=20_000)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)
    mean = found @ np.arange(81)
    np.testing.assert_allclose(mean, model.expected_after(c, 39.0), rtol=0.03)


def test_the_shifted_beta_geometric_meets_the_published_fit(
    reference_data: Callable[[str], Path],
) -> None:
    table = pd.read_csv(reference_data("sbg_retention.csv"))
    for name, expected, height in (
        ("highend", [0.66809, 3.8061], -1611.15815),
        ("regular", [0.70408, 1.18204], -1680.26519),
    ):
        survivors = table[name].to_numpy(float)[:8]
        found, _ = Shifted.fitted(survivors)
        np.testing.assert_allclose([found.alpha, found.beta], expected, rtol=1e-3)
        assert found.log_likelihood(survivors) == pytest.approx(height, abs=1e-3)
    published = [0.46, 0.436, 0.414, 0.395, 0.378]
    high = Shifted(0.668, 3.806).survival(np.arange(8, 13))
    np.testing.assert_allclose(high, published, atol=1e-3)


def test_panels_are_ragged_and_end_with_churn() -> None:
    made = panel(3000, 12, 1)
    assert made.length.max() == 12
    assert len(np.unique(made.length)) > 5
    last = made.start[1:] - 1
    np.testing.assert_array_equal(made.row[last] < 0, made.churned)
    assert np.sum(made.row < 0) == made.churned.sum()
    rows_before_churn = np.sum(made.length - 1)
    share = made.churned.sum() / rows_before_churn
    assert MOVES[:, 4].min() < share < MOVES[:, 4].max()
    cells = made.padded("orders")
    assert cells.shape == (3000, 12)
    assert np.isfinite(cells).sum() == len(made.frame)
