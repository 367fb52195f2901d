"""The studies of migration: what is judged is what the package says, and only who can be judged."""

import warnings

import numpy as np
import pytest
from scipy.stats import kstest

import calibration_projection as projections
import migration_warning as study
from softseg import SegmentMigration


def test_the_study_judges_the_fan_of_the_package():
    schema = projections.frozen_schema(2)
    panel = projections.simulated(schema, 2, np.random.default_rng(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = projections.fitted(panel.frame, schema, 2, seed=5)
        model = SegmentMigration(schema, 2, seed=5).fit(panel.frame)
    assert model.diagnosis_.status == fit.gate == "good"
    found = model.projection(projections.AHEAD).isel(horizon=-1)
    drawn = projections.customers_ahead(fit.states, seed=5)
    low, high = np.quantile(drawn, [projections.LOWER, projections.UPPER], axis=0)
    assert found["customers_lower"].values == pytest.approx(low)
    assert found["customers_upper"].values == pytest.approx(high)
    assert drawn.sum(axis=1) == pytest.approx(projections.CUSTOMERS)


def test_the_simulated_panel_tells_everybody_who_leaves_and_hides_nobody_at_the_end():
    schema = projections.frozen_schema(3)
    frame, truth, states = projections.simulated(schema, 3, np.random.default_rng(4))
    last = states[:, projections.PERIODS - 1]
    left = {
        name for name, told in zip(frame["customer"], frame["left"], strict=True) if told == "yes"
    }
    assert left == {f"C{i}" for i in np.flatnonzero(last == 3)}
    at_end = set(
        frame.loc[(frame["period"] == projections.PERIODS) & (frame["left"] == "no"), "customer"]
    )
    assert at_end == {f"C{i}" for i in np.flatnonzero((last >= 0) & (last < 3))}
    assert (states[:, -1] >= 0).all()
    assert truth.share.shape == (3,)


def test_places_among_draws_of_whole_numbers_are_uniform():
    rng = np.random.default_rng(5)
    drawn = rng.poisson(3.0, size=(1000, 1))
    places = [projections.judged(drawn, rng.poisson(3.0, 1), rng)[0][3] for _ in range(800)]
    assert kstest(places, "uniform").pvalue > 0.001


def test_the_error_of_coverage_grows_with_what_panels_have_in_common():
    rng = np.random.default_rng(6)
    own = [np.repeat(x, 4) for x in (rng.random(100) < 0.7).astype(float)]
    mean, error = projections.clustered(own)
    assert error == pytest.approx(np.sqrt(mean * (1 - mean) / 100), rel=1e-12)
    assert projections.clustered([np.ones(4)] * 50)[1] == pytest.approx(np.sqrt(0.09 / 200))


@pytest.fixture
def seen():
    orders = np.array([
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 1, 1],
        [0, 1, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 1, 1],
    ], dtype=float)  # fmt: skip
    there = np.maximum.accumulate(orders, axis=1) > 0
    return study.Watched(["a", "b", "c", "d"], orders, 10.0 * orders, there)


def test_recency_frequency_and_value_know_nothing_later(seen):
    found = seen.features(3)
    assert found["recency"].values.tolist() == [2.0, 0.0, 0.0, 3.0]
    assert found["frequency"].values.tolist() == [1.0, 3.0, 2.0, 0.0]
    assert found["value"].values.tolist() == [10.0, 10.0, 10.0, 0.0]


def test_quiet_customers_are_judged_where_their_window_is_whole(seen):
    at = study._outcome(seen, "quiet", 4, 3, None)
    assert at[1:3].tolist() == [0.0, 1.0]
    assert np.isnan(at[[0, 3]]).all()  # three months asleep; not there yet
    assert np.isnan(study._outcome(seen, "quiet", 6, 3, None)).all()


def test_a_run_counts_from_where_it_begins_and_only_when_it_is_known(seen):
    at = study._outcome(seen, "inactive", 4, 1, None)
    assert at[:3].tolist() == [1.0, 0.0, 1.0]
    assert np.isnan(at[3])
    assert np.isnan(study._outcome(seen, "inactive", 5, 1, None)).all()


def test_who_has_left_is_judged_by_the_truth(seen):
    states = np.where(np.arange(8) < np.array([[5], [8], [4], [8]]), 1, study.SEGMENTS)
    at = study._outcome(seen, "left", 4, 3, states)
    assert at[:2].tolist() == [1.0, 0.0]
    assert at[2] == 1.0
    assert np.isnan(study._outcome(seen, "left", 5, 3, states)[2])  # gone already


def test_what_a_unit_found_is_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "KEPT", tmp_path)
    said = {"model": np.array([0.25, np.nan]), "logistic": np.array([0.5, 0.5])}
    rounds = [
        {"event": "left", "origin": o, "outcome": np.array([1.0, np.nan]), "predicted": said}
        for o in study.ORIGINS
    ]
    found = {"gate": "good", "failed": [], "method": "laplace", "seconds": 1.0, "rounds": rounds}
    for unit in ("observed/1", "observed/2"):
        study.store(unit, found, "abc")
    predicted, outcome, used = study.pooled("left", "observed/")
    assert used == ["observed/1", "observed/2"]
    assert outcome.shape == (len(study.ORIGINS), 4)
    assert np.nansum(outcome.values) == 2 * len(study.ORIGINS)
    assert predicted["model"].values[0, 0] == 0.25
    assert study.pooled("quiet", "silent/")[2] == []


def test_the_section_counts_every_panel_and_says_which_the_gate_kept_back():
    rows = [[10.0, 8.0, 14.0, 0.4], [10.0, 11.0, 14.0, 0.01]]
    one = {"delivered": rows, "ordered": rows, "churned": rows[:1], "commit": "abc"}
    good = one | {"gate": "good", "failed": []}
    kept_back = one | {"gate": "failed", "failed": ["rhat"]}
    text = "\n".join(projections.section({"2/0": good, "3/0": kept_back}))
    assert "2 panels, none left out. The gate let 1 through" in text
    assert "rhat 1" in text
    assert "| all | segments by order | 4 | 50.0% ±" in text
    assert "| all | churned | 2 | 100.0% ±" in text
