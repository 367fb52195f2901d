"""`SegmentMigration`, the scikit-learn face of panels."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from small_migration import small_model, small_synthetic
from softseg import SegmentMigration, SegmentMixture
from softseg.errors import DataError, NotConverged, SchemaError, UsageError
from softseg.inference.verdicts import Check, Diagnosis
from softseg.names import CHURNED
from softseg.results.storage import save
from softseg.results.tree import set_attribute
from softseg.tables.prepare import TableWarning


def test_what_it_says_of_transitions() -> None:
    model = small_model()
    assert model.diagnosis_.status == "good"
    found = model.transitions()
    np.testing.assert_allclose(found["mean"].sum("state_to"), 1.0, atol=1e-9)
    assert list(found["state"].values) == ["1", "2", "3", CHURNED]
    assert float(found["mean"].sel(state=CHURNED, state_to=CHURNED)) == 1.0
    assert np.all(found["lower"] <= found["mean"] + 1e-12)


def test_a_panel_given_again_has_the_states_of_the_fit() -> None:
    model, frame = small_model(), small_synthetic().frame
    again = model.membership(frame.sample(frac=1.0, random_state=3))
    np.testing.assert_allclose(again["mean"], model.membership()["mean"], atol=1e-9)


def test_one_customer_is_filtered_as_among_all() -> None:
    model, frame = small_model(), small_synthetic().frame
    last = frame["month"].max()
    there = frame.loc[frame["month"] == last, "customer"].iloc[0]
    alone = model.membership(frame[frame["customer"] == there])
    number = sorted(frame["customer"].unique()).index(there)
    expected = model.membership()["mean"].sel(customer=number)
    np.testing.assert_allclose(alone["mean"].isel(customer=0), expected, atol=1e-9)


def test_projection_begins_with_today_and_loses_nobody() -> None:
    model = small_model()
    found = model.projection(6)
    total = found["customers_mean"].sum("state")
    np.testing.assert_allclose(total, total.isel(horizon=0), rtol=1e-9)
    assert found.attrs["cohort"] == "closed"
    grown = model.projection(6, inflow=True)
    assert float(grown["customers_mean"].sum("state").isel(horizon=-1)) > float(total[-1])
    active = found["active_mean"].values
    assert np.all(np.diff(active) < 0.0)


def test_a_programme_without_effect_changes_nothing() -> None:
    from softseg.decisions.migration.programme import Shift, programme

    model = small_model()
    both = programme(model.transition_draws(), [Shift("1", CHURNED, 0.0)], horizon=4)
    found = model.projection(4, transition=both)
    baseline, changed = (found.sel(programme=name) for name in ("baseline", "programme"))
    np.testing.assert_array_equal(baseline["customers_mean"], changed["customers_mean"])
    fewer = programme(model.transition_draws(), [Shift("1", CHURNED, -0.5)], horizon=4)
    better = model.projection(4, transition=fewer)["active_mean"]
    assert np.all(better.sel(programme="programme")[1:] > better.sel(programme="baseline")[1:])


def test_survival_and_warning() -> None:
    model = small_model()
    stays = model.survival(8)["survival_mean"]
    np.testing.assert_allclose(stays.isel(horizon=0), 1.0)
    assert np.all(np.diff(stays.values, axis=0) <= 0.0)
    listed = model.warning(3, most=7)
    assert np.all(np.diff(listed["mean"].values) <= 1e-12)
    assert listed.sizes["customer"] == 7


def test_saved_and_loaded_it_says_the_same(tmp_path: Path) -> None:
    model, frame = small_model(), small_synthetic().frame
    model.save(tmp_path / "model.nc")
    loaded = SegmentMigration.load(tmp_path / "model.nc")
    assert loaded.projection(3).identical(model.projection(3))
    assert loaded.warning(2, frame=frame).identical(model.warning(2))
    with pytest.raises(NotFittedError, match="Give the panel: a loaded model does not hold"):
        loaded.warning(2)
    with pytest.raises(UsageError, match="Load this file with SegmentMigration"):
        SegmentMixture.load(tmp_path / "model.nc")


def test_a_mixture_is_no_migration_model(tmp_path: Path) -> None:
    tree = small_model().posterior_.copy(deep=True)
    tree.attrs["softseg_kind"] = "mixture"
    save(tree, tmp_path / "model.nc")
    with pytest.raises(UsageError, match="Load this file with SegmentMixture"):
        SegmentMigration.load(tmp_path / "model.nc")


def test_names_travel_everywhere() -> None:
    found = small_synthetic()
    model = SegmentMigration(found.schema, 3)
    model.posterior_ = small_model().posterior_.copy(deep=True)
    model.diagnosis_, model.schema_ = small_model().diagnosis_, small_model().schema_
    set_attribute(model.posterior_, "never_left", ["3"])
    model.name_segments(["Small", "Middle", "Large"])
    assert json.loads(model.posterior_.attrs["never_left"]) == ["Large"]
    assert list(model.transitions()["state"].values) == ["Small", "Middle", "Large", CHURNED]
    assert set(model.membership()["top"].values) <= {"Small", "Middle", "Large", CHURNED}
    assert list(model.projection(2)["state"].values) == ["Small", "Middle", "Large", CHURNED]


def test_what_is_refused() -> None:
    found = small_synthetic()
    with pytest.raises(NotFittedError, match="Call fit first"):
        SegmentMigration(found.schema).transitions()
    with pytest.raises(SchemaError, match="Give the schema as a Schema or the path"):
        SegmentMigration(None).fit(found.frame)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="Name a value column of the schema"):
        small_model().projection(3, value="revenue")
    plain = found.schema.model_copy(update={"migration": None})
    with pytest.raises(SchemaError, match="migration"):
        SegmentMigration(plain).fit(found.frame)


def test_a_fit_that_the_gate_refused_prints_no_table() -> None:
    model = SegmentMigration(small_synthetic().schema, 3)
    model.posterior_ = small_model().posterior_
    bad = Check("rhat", True, False, 1.3, 1.01, "", {})
    model.diagnosis_ = Diagnosis("gibbs", (bad,))
    with pytest.raises(NotConverged, match="Do not read these segments"):
        model.transitions()
    with pytest.raises(NotConverged, match="Do not read these segments"):
        model.projection(3)
    assert "mean" in model.transitions(identified_only=False)


def test_it_says_how_many_segments() -> None:
    found = small_synthetic()
    model = SegmentMigration(found.schema, method="laplace", n_starts=4, cores=1)
    choice = model.choose(found.frame, range(1, 4))
    assert choice.recommended == 3
    assert choice.table["n_segments"].tolist() == [1, 2, 3]
    assert choice.text()[0] == "Take 3 segments."
    with pytest.raises(UsageError, match="Give at least one number of segments"):
        model.choose(found.frame, ())


def test_too_few_rows_are_refused_unless_asked_for() -> None:
    found = small_synthetic()
    few = found.frame[found.frame["customer"].isin(found.frame["customer"].unique()[:8])]
    with pytest.warns(TableWarning), pytest.raises(DataError, match="Take fewer segments"):
        SegmentMigration(found.schema, 6).fit(few)
