"""The whole way on simulated customers: filter, warn, judge out of time."""

import numpy as np
import pytest
import xarray as xr

from migration_chains import CHAIN, matrix
from softseg.decisions.migration.acting import acting
from softseg.results.migration.advance import advance
from softseg.results.migration.backtest.calibration import calibration
from softseg.results.migration.backtest.outcomes import outcomes
from softseg.results.migration.backtest.rivals import rivals
from softseg.results.migration.backtest.scores import scores
from softseg.results.migration.chain import weighed
from softseg.results.migration.warning import event

RATES = np.array([4.0, 1.5, 0.4, 0.0])
N, T, H = 3000, 16, 4


def histories(rng):
    """Return states and orders of customers, (period, customer); churn is silent: no orders."""
    state = rng.choice(3, size=N, p=[0.3, 0.5, 0.2])
    states, orders = [], []
    for _ in range(T):
        states.append(state)
        orders.append(rng.poisson(RATES[state]))
        edges = np.cumsum(CHAIN, axis=1)[state]
        state = (rng.random((N, 1)) >= edges[:, :3]).sum(axis=1)
    return np.array(states), np.array(orders)


def log_density(orders):
    with np.errstate(divide="ignore"):
        found = orders[:, None] * np.log(np.maximum(RATES, 1e-300)) - RATES
    found[orders > 0, 3] = -np.inf
    return xr.DataArray(found[None], dims=("sample", "customer", "state"))


def features(orders, origin):
    seen = orders[: origin + 1]
    ever = (seen[::-1] > 0).argmax(axis=0)
    recency = np.where((seen > 0).any(axis=0), ever, origin + 1)
    data = {"recency": recency, "frequency": seen.sum(axis=0), "value": seen[-3:].mean(axis=0)}
    return xr.Dataset({k: ("customer", x.astype(float)) for k, x in data.items()})


@pytest.fixture(scope="module")
def world():
    """Return all predictions at an origin, by name, and what came after."""
    states, orders = histories(np.random.default_rng(1))
    chain = matrix(CHAIN[None], "sample")
    chance = event(chain, horizon=H)
    start = np.array([0.3, 0.5, 0.2, 0.0]) * np.exp(log_density(orders[0]).values)
    now = xr.DataArray(start / start.sum(-1, keepdims=True), dims=("sample", "customer", "state"))
    warned = {}
    for t in range(1, T):
        now = advance(now, chain, log_density(orders[t]))["filtered"]
        warned[t] = weighed(now, chance).isel(sample=0)
    gone = states == 3
    when = np.where(gone.any(axis=0), gone.argmax(axis=0).astype(float), np.nan)
    # what the analyst sees of silent churn is known here: the event that the warning speaks of is
    # to be churned H periods after the origin, whenever that began
    later = xr.DataArray(np.where(when <= 7, 8.0, when), dims="customer")
    until = xr.DataArray(np.full(N, T - 1.0), dims="customer")
    found = outcomes(later, until, origins=[7], horizon=H)["outcome"].isel(origin=0)
    before = xr.DataArray(np.where(when <= 3, 4.0, when), dims="customer")
    past = outcomes(before, until, origins=[3], horizon=H)["outcome"].isel(origin=0)
    others = rivals(features(orders, 3), past, features(orders, 7))
    return {"model": warned[7], **others}, found


def test_the_warning_is_calibrated_out_of_time(world):
    predictions, outcome = world
    found = calibration(predictions["model"], outcome)
    assert 0.9 < float(found["slope"]) < 1.1
    error = float(found["offset_upper"] - found["offset"]) / 1.645
    assert abs(float(found["offset"])) < 3.0 * error


def test_the_model_beats_base_rate_recency_and_logistic_regression(world):
    predictions, outcome = world
    found = scores(predictions, outcome)
    assert str(found["rule"].values[0]) == "model"
    gain, error = found["brier_gain"].values[1:], found["brier_gain_error"].values[1:]
    assert np.all(gain > 2.0 * error)


def test_acting_on_it_pays_where_contacting_all_or_none_does_not(world):
    predictions, outcome = world
    found = acting(predictions["model"], outcome, contact_costs=[40.0, 80.0], value_saved=500.0,
                   uplift=0.3)  # fmt: skip
    assert np.all(found["advantage"] > 2.0 * found["advantage_error"])
