from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from builders import frame_of, schema_of, truth
from results.worlds import World
from softseg.comparison import hard
from softseg.comparison.hard import by_size, features, kmeans, ward
from softseg.errors import UsageError
from softseg.tables.prepare import prepare
from softseg.tables.table import Table

FAMILIES = {"value": "lognormal", "orders": "poisson", "industry": "categorical"}


def table(missing: float = 0.0, n: int = 240) -> tuple[Table, np.ndarray]:
    rng = np.random.default_rng(3)
    frame, segment = frame_of(
        FAMILIES,
        truth(FAMILIES, (0.5, 0.3, 0.2)),
        n,
        rng,
        missing=missing,
        exposures={"orders": "years"},
    )
    return prepare(frame, schema_of(FAMILIES, {"orders": "years"})), segment


def test_every_indicator_counts_the_same():
    columns = features(table()[0])
    assert columns.shape == (240, 5)
    np.testing.assert_allclose(columns.mean(axis=0), 0.0, atol=1e-12)
    variance = columns.var(axis=0)
    np.testing.assert_allclose(variance[:2], 1.0)
    assert variance[2:].sum() == pytest.approx(1.0)


def test_skewed_columns_go_to_the_log_scale_and_counts_to_rates():
    one, _ = table()
    columns = features(one)
    log = np.log(one.columns["value"])
    assert np.corrcoef(columns[:, 0], log)[0, 1] == pytest.approx(1.0)
    rate = one.columns["orders"] / one.exposures["orders"]
    assert np.corrcoef(np.argsort(np.argsort(columns[:, 1])), np.argsort(np.argsort(rate)))[
        0, 1
    ] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (np.array([1.0, 2.0, 3.0, 4.0]), lambda x: x),
        (np.array([1.0, 1.0, 1.0, 1.0, 90.0]), np.log),
        (np.array([0.0, 1.0, 1.0, 1.0, 90.0]), np.log1p),
        (np.array([-1.0, 1.0, 1.0, 1.0, 90.0]), np.arcsinh),
        (np.array([5.0, 5.0, 5.0]), np.zeros_like),
    ],
)
def test_the_scale_follows_the_skewness(values: np.ndarray, scale):
    expected = scale(values)
    expected = expected - expected.mean()
    found = hard._number_column(values)[:, 0]
    np.testing.assert_allclose(found, expected / (expected.std() or 1.0), atol=1e-12)


def test_gaps_are_filled_with_the_median_and_the_most_frequent_level():
    one, _ = table(missing=0.3)
    columns = features(one)
    assert np.isfinite(columns).all()
    gap = np.isnan(one.columns["value"])
    assert len(np.unique(columns[gap, 0])) == 1
    known = one.columns["industry"][~np.isnan(one.columns["industry"])].astype(int)
    filled = columns[np.isnan(one.columns["industry"]), 2:].argmax(axis=1)
    assert set(filled) == {np.bincount(known).argmax()}


def test_a_column_without_values_says_nothing():
    one, _ = table()
    blank = replace(one, columns=dict(one.columns) | {"value": np.full(240, np.nan)})
    np.testing.assert_array_equal(features(blank)[:, 0], 0.0)


def test_separated_segments_are_found():
    one, segment = table()
    columns = features(one)
    assert adjusted_rand_score(kmeans(columns, 3, seed=1), segment) > 0.7
    grown = ward(columns, 3, np.random.default_rng(0))
    assert adjusted_rand_score(grown.labels, segment) > 0.7
    assert grown.linkage.shape == (239, 4)
    np.testing.assert_array_equal(grown.rows, np.arange(240))
    assert set(grown.labels) == {1, 2, 3}


def test_clusters_are_numbered_by_size():
    labels = np.array([7, 7, 3, 3, 3, 0])
    assert by_size(labels).tolist() == [2, 2, 1, 1, 1, 3]
    assert by_size(labels, np.array([9.0, 1, 1, 1, 1, 1])).tolist() == [1, 1, 2, 2, 2, 3]


def test_the_same_seed_gives_the_same_clusters():
    columns = features(table()[0])
    np.testing.assert_array_equal(kmeans(columns, 4, seed=5), kmeans(columns, 4, seed=5))


def test_counts_weigh_in_kmeans():
    columns = np.array([[0.0], [1.0], [10.0], [11.0]])
    labels = kmeans(columns, 2, seed=0, count=np.array([1.0, 1.0, 5.0, 5.0]))
    assert labels.tolist() == [2, 2, 1, 1]


def test_ward_takes_a_sample_of_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hard, "WARD_CUSTOMERS", 50)
    columns = features(table()[0])
    for count in (None, np.arange(1.0, 241.0)):
        grown = ward(columns, 3, np.random.default_rng(0), count)
        assert len(grown.rows) == 50
        assert (np.diff(grown.rows) > 0).all()
        assert grown.labels.shape == (50,)


def test_fewer_distinct_customers_than_clusters_is_no_error():
    assert set(kmeans(np.zeros((6, 2)), 3, seed=0)) == {1}


@pytest.mark.parametrize("n_segments", [0, 9])
def test_impossible_numbers_of_segments_are_refused(n_segments: int):
    columns = np.zeros((8, 1))
    with pytest.raises(UsageError, match="between 1 and the 8 customers"):
        kmeans(columns, n_segments, seed=0)
    with pytest.raises(UsageError, match="between 1 and the 8 customers"):
        ward(columns, n_segments, np.random.default_rng(0))


def test_all_families_have_columns(mixed: World):
    columns = features(mixed.table)
    assert columns.shape == (150, 7 + 2 + 3)
    assert np.isfinite(columns).all()
