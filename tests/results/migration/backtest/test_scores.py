"""Scores and discrimination against scikit-learn and pairs counted one by one."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from softseg.errors import UsageError
from softseg.results.migration.backtest.discrimination import area, discrimination
from softseg.results.migration.backtest.rivals import rivals
from softseg.results.migration.backtest.scores import scores


def array(x, *dims):
    return xr.DataArray(np.asarray(x, dtype=float), dims=dims or ("customer",))


def world(n=3000, seed=1):
    """Return features and outcomes of customers whose risk rises with recency."""
    rng = np.random.default_rng(seed)
    recency, frequency = rng.integers(0, 12, n), rng.poisson(4.0, n)
    value = rng.lognormal(5.0, 1.0, n)
    risk = 1 / (1 + np.exp(-(-3.0 + 0.4 * recency - 0.2 * frequency)))
    data = {"recency": recency, "frequency": frequency, "value": value}
    features = xr.Dataset({k: ("customer", x.astype(float)) for k, x in data.items()})
    return features, array((rng.random(n) < risk).astype(float)), array(risk)


def test_scores_are_those_of_scikit_learn():
    _, y, risk = world()
    rough = array(np.round(risk.values, 1).clip(0.05, 0.95))
    found = scores({"model": risk, "rough": rough}, y)
    for i, p in enumerate((risk, rough)):
        assert float(found["brier"][i]) == pytest.approx(brier_score_loss(y, p))
        assert float(found["log_score"][i]) == pytest.approx(log_loss(y, p))
        assert float(found["auc"][i]) == pytest.approx(roc_auc_score(y, p))
    assert float(found["brier_gain"][0]) == 0.0
    assert float(found["brier_gain"][1]) == pytest.approx(float(found["brier"].diff("rule")[0]))
    assert found.attrs["events"] == int(y.sum())


def test_errors_of_gains_are_those_of_repetition():
    gains, errors = [], []
    for seed in range(200):
        _, y, risk = world(300, seed)
        found = scores({"model": risk, "base": array(np.full(300, 0.2))}, y).isel(rule=1)
        gains.append(float(found["brier_gain"]))
        errors.append(float(found["brier_gain_error"]))
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.2)


def test_the_truth_beats_its_rivals_and_they_beat_the_base_rate():
    past, before, _ = world(seed=1)
    present, y, risk = world(seed=2)
    before[:500] = np.nan  # not judged, hence not learnt from
    found = scores({"model": risk, **rivals(past, before, present)}, y)
    assert list(found["rule"].values) == ["model", "base_rate", "recency", "logistic"]
    brier = found["brier"].values
    assert brier[0] < brier[2] < brier[1]
    assert brier[3] < brier[2]
    assert float(found["skill"][1]) == pytest.approx(0.0, abs=5e-3)
    assert np.isfinite(found["log_score"]).all()


def test_the_recency_rule_rises_with_recency():
    past, before, _ = world()
    found = rivals(past, before, past)
    order = np.argsort(past["recency"].values, kind="stable")
    assert np.all(np.diff(found["recency"].values[order]) >= 0.0)
    assert float(found["base_rate"][0]) == pytest.approx(float(before.mean()))


def test_a_past_without_events_leaves_the_base_rate():
    past, before, _ = world(50)
    found = rivals(past, 0.0 * before, past)
    np.testing.assert_allclose(list(found.values()), 1 / 52)


def test_an_impossible_event_has_no_finite_log_score():
    found = scores({"model": array([0.0, 0.5]), "half": array([0.5, 0.5])}, array([1.0, 0.0]))
    assert np.isposinf(float(found["log_score"][0]))
    assert np.isnan(float(found["log_gain"][1]))


def test_area_counts_pairs():
    rng = np.random.default_rng(1)
    cases, controls = rng.integers(0, 6, 13) * 1.0, rng.integers(0, 5, 17) * 1.0
    pairs = [(a > b) + 0.5 * (a == b) for a in cases for b in controls]
    found, error = area(cases, controls)
    assert found == pytest.approx(np.mean(pairs))
    table = np.reshape(pairs, (13, 17))
    delong = table.mean(axis=1).var(ddof=1) / 13 + table.mean(axis=0).var(ddof=1) / 17
    assert error == pytest.approx(np.sqrt(delong))
    assert np.isnan(area(cases, controls[:0])[0])
    assert np.isnan(area(cases, controls[:1])[1])


def test_discrimination_over_horizons():
    event = array([1, 2, np.nan, np.nan, 3, np.nan])
    seen = array([5, 5, 5, 2, 5, 1])
    p = array([[0.9, 0.5, 0.1, 0.2, 0.3, 0.4]] * 3, "horizon", "customer")
    found = discrimination(p.assign_coords(horizon=[1, 2, 3]), event, seen)
    np.testing.assert_array_equal(found["cases"], [1, 2, 3])
    np.testing.assert_array_equal(found["controls"], [5, 3, 1])
    np.testing.assert_array_equal(found["not_judged"], [0, 1, 2])
    np.testing.assert_allclose(found["auc"], 1.0)


def test_what_does_not_fit_is_refused_in_words():
    past, before, risk = world(20)
    with pytest.raises(UsageError, match="Give the columns"):
        rivals(past.drop_vars("value"), before, past)
    with pytest.raises(UsageError, match="Give recency, frequency and value as finite"):
        rivals(past * -1.0, before, past)
    with pytest.raises(UsageError, match="Give one outcome per customer of the past"):
        rivals(past, before[:5], past)
    with pytest.raises(UsageError, match="Choose an earlier origin to learn from"):
        rivals(past, before * np.nan, past)
    with pytest.raises(UsageError, match="Give at least one prediction by name"):
        scores({}, before)
    with pytest.raises(UsageError, match="Give predictions over 'horizon'"):
        discrimination(risk, before, before)
    labelled = risk.expand_dims(horizon=[1])
    with pytest.raises(UsageError, match="Give both numbers of periods"):
        discrimination(labelled, before[:3], before)
