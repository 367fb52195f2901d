"""The scikit-learn face, and the laws that hold for whoever uses it."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from builders import frame_of, schema_of, truth
from softseg import SegmentMixture
from softseg.errors import DataError, NotConverged, SchemaError, UsageError

KINDS = {
    "amount": "gaussian",
    "orders": "negative_binomial",
    "service": "hurdle_lognormal",
    "online": "bernoulli",
    "industry": "categorical",
}
QUICK = {"n_draws": 150, "n_tune": 50, "n_starts": 5, "seed": 3}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    frame, _ = frame_of(KINDS, truth(KINDS, (0.5, 0.3, 0.2)), 340, rng, missing=0.05)
    frame["key"] = [f"K{i:04d}" for i in range(len(frame))]
    frame["revenue"] = rng.lognormal(8.0, 1.0, len(frame))
    return frame


@pytest.fixture(scope="module")
def schema():
    return schema_of(KINDS, id="key", value={"revenue": {"currency": "EUR", "period": "year"}})


@pytest.fixture(scope="module")
def model(frame, schema) -> SegmentMixture:
    return SegmentMixture(schema, 3, **QUICK).fit(frame)


def test_scoring_the_training_rows_gives_the_fitted_memberships(model, frame):
    fitted, scored = model.membership(), model.membership(frame)
    for name in ("mean", "lower", "upper", "p_top", "entropy"):
        np.testing.assert_allclose(scored[name], fitted[name], atol=1e-10)
    np.testing.assert_array_equal(model.predict(frame), model.labels_)


def test_memberships_are_probabilities_inside_their_intervals(model):
    found = model.membership()
    np.testing.assert_allclose(found["mean"].sum("segment"), 1.0, atol=1e-12)
    assert (found["lower"] <= found["upper"]).all()
    assert (found["lower"] <= found["mean"] + 0.02).all(), "means may leave the interval by little"
    assert (found["mean"] <= found["upper"] + 0.02).all()
    assert set(found["verdict"].values) <= {"clear", "ambiguous", "fits none"}


def test_predict_proba_is_an_array_of_means(model, frame):
    proba = model.predict_proba(frame)
    assert isinstance(proba, np.ndarray)
    np.testing.assert_array_equal(proba, model.membership(frame)["mean"].values)


def test_a_single_row_is_scored_like_the_batch(model, frame):
    one = model.membership(frame.iloc[[17]])
    np.testing.assert_allclose(one["mean"][0], model.membership()["mean"][17], atol=1e-12)


def test_an_empty_row_gets_the_shares(model, frame):
    row = frame.iloc[[0]].copy()
    row[list(KINDS)] = None
    share = model.posterior_["posterior"]["share"].mean(("chain", "draw"))
    np.testing.assert_allclose(model.predict_proba(row)[0], share, atol=1e-10)


def test_other_frames_give_the_same(model, frame):
    import polars as pl

    np.testing.assert_array_equal(model.predict(pl.from_pandas(frame)), model.labels_)


def test_shuffled_rows_give_identical_draws(model, frame, schema):
    order = np.random.default_rng(1).permutation(len(frame))
    other = SegmentMixture(schema, 3, **QUICK).fit(frame.iloc[order])
    np.testing.assert_array_equal(
        other.posterior_["posterior"]["share"], model.posterior_["posterior"]["share"]
    )
    np.testing.assert_allclose(
        other.membership()["mean"].values, model.membership()["mean"].values[order], atol=1e-10
    )


def test_shuffled_columns_give_the_same_densities(model, frame):
    other = frame[frame.columns[::-1]]
    np.testing.assert_allclose(model.score_samples(other), model.score_samples(frame), atol=1e-10)


def test_customers_who_object_leave_no_trace(frame, schema):
    fields = schema.model_dump()
    with_opt_out = type(schema)(**{**fields, "opt_out": "objects"})
    base = frame.assign(objects="no")
    added = pd.concat(
        [frame.iloc[:7].assign(objects="yes", amount=1e6, key=[f"X{i}" for i in range(7)]), base]
    )
    changed = added.assign(
        amount=np.where(added["objects"] == "yes", -5.0, added["amount"]),
        industry=np.where(added["objects"] == "yes", "zzz", added["industry"]),
    )
    quick = {**QUICK, "n_draws": 30, "n_tune": 10}
    trees = [
        SegmentMixture(with_opt_out, 2, **quick).fit(table).posterior_
        for table in (base, added, changed)
    ]
    for tree in trees[1:]:
        assert tree.identical(trees[0])


def test_the_same_posterior_comes_back_from_a_file(model, frame, tmp_path):
    model.save(tmp_path / "posterior.nc")
    loaded = SegmentMixture.load(tmp_path / "posterior.nc")
    assert loaded.posterior_.identical(model.posterior_)
    np.testing.assert_array_equal(loaded.predict(frame), model.labels_)
    assert loaded.diagnosis_.status == model.diagnosis_.status
    assert loaded.fit_verdict_.status == model.fit_verdict_.status


def test_names_travel(frame, schema):
    quick = {**QUICK, "n_draws": 30, "n_tune": 10}
    model = SegmentMixture(schema, 2, **quick).fit(frame).name_segments(["Premium", "Volume"])
    assert model.membership()["segment_name"].values.tolist() == ["Premium", "Volume"]
    assert model.schema_.segment_names == ["Premium", "Volume"]
    assert "Premium" in model.profile(identified_only=False).to_string()


def test_refused_segments_are_not_printed(frame, schema):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SegmentMixture(schema, 8, allow_few_rows=True, **{**QUICK, "n_draws": 40}).fit(
            frame
        )
    assert model.diagnosis_.status == "failed"
    with pytest.raises(NotConverged, match="Do not read these segments"):
        model.profile()
    with pytest.raises(NotConverged, match="Do not read these segments"):
        model.sizes()
    assert len(model.profile(identified_only=False)) > 0


def test_too_few_rows_are_refused(frame, schema):
    with pytest.raises(DataError, match="rows"):
        SegmentMixture(schema, 3, **QUICK).fit(frame.head(30))


def test_a_schema_is_proposed_where_none_is_given(frame):
    quick = {**QUICK, "n_draws": 20, "n_tune": 5, "n_starts": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SegmentMixture(n_segments=2, **quick).fit(frame)
    assert model.schema_.id == "key"
    assert "industry" in model.schema_.indicators


def test_parameters_are_kept_as_given_and_cloned(schema):
    model = SegmentMixture(schema, 5, seed=9)
    assert model.get_params()["n_segments"] == 5
    assert clone(model).get_params()["seed"] == 9
    assert model.set_params(n_segments=2).n_segments == 2


def test_what_is_not_fitted_says_so(frame):
    with pytest.raises(NotFittedError, match="Call fit first"):
        SegmentMixture().predict(frame)
    with pytest.raises(NotFittedError, match="Give a table, or fit the model first"):
        SegmentMixture().to_pymc()


def test_wrong_arguments_say_what_to_give(frame, schema):
    with pytest.raises(UsageError, match="Give n_segments as a whole number of at least 1, got 0"):
        SegmentMixture(schema, 0).fit(frame)
    with pytest.raises(SchemaError, match=r"Give the schema as a Schema.*got list"):
        SegmentMixture([], 2).fit(frame)  # type: ignore[arg-type]


def test_the_pymc_model_has_the_names_of_the_posterior(model, frame):
    graph = model.to_pymc()
    names = {variable.name for variable in graph.free_RVs + graph.deterministics}
    assert set(model.posterior_["posterior"].data_vars) <= names


def test_segments_of_an_earlier_model_are_found_again(model, frame, schema, tmp_path):
    earlier = tmp_path / "earlier.nc"
    model.save(earlier)
    named = SegmentMixture.load(earlier).name_segments(["Many", "Some", "Few"])
    again = SegmentMixture(schema, 3, **{**QUICK, "seed": 9}).fit(frame)
    if again.diagnosis_.status == "failed":
        with pytest.raises(NotConverged):
            again.continue_from(named, frame)
        return
    found = again.continue_from(named, frame)
    assert found.verdict == "noise"
    assert found.agreement > 0.9
    assert list(again.posterior_["posterior"]["segment_name"].values) == found.names()


def test_the_best_partition_has_a_label_per_row(model, frame):
    found = model.partition(frame)
    assert found.label.shape == (len(frame),)
    assert (found.label == model.labels_).mean() > 0.9 or len(found.sizes) != 3
