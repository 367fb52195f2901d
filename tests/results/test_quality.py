import numpy as np
import pytest
from scipy import stats

from softseg.results.quality import data_quality, superiority
from softseg.tables.schema import IndicatorSchema, Schema
from softseg.tables.table import Table


def table(columns: dict[str, np.ndarray], values: dict[str, np.ndarray] | None = None) -> Table:
    indicators = {name: IndicatorSchema(family="gaussian") for name in columns}
    n = len(next(iter(columns.values())))
    return Table(Schema(indicators=indicators), columns, {}, np.full(n, 2.0), values or {})


def test_gaps_are_counted_and_customers_summed() -> None:
    found = data_quality(table({"a": np.array([1.0, np.nan, 2.0, np.nan]), "b": np.ones(4)}))
    assert found == {"n_rows": 4, "n_customers": 8.0, "gaps": {"a": 0.5}, "related": [],
                     "dropped": {}}  # fmt: skip


def test_gaps_that_go_along_with_value_are_named() -> None:
    rng = np.random.default_rng(2)
    value = rng.lognormal(size=400)
    related = np.where(rng.random(400) < np.where(value < 1, 0.5, 0.1), np.nan, 1.0)
    random = np.where(rng.random(400) < 0.3, np.nan, 1.0)
    found = data_quality(table({"a": related, "b": random}, {"revenue": value}), {"c": "constant"})
    (entry,) = found["related"]
    assert (entry["indicator"], entry["value"]) == ("a", "revenue")
    assert entry["median_gap"] == np.median(value[np.isnan(related)])
    assert entry["median_other"] == np.median(value[~np.isnan(related)])
    assert found["dropped"] == {"c": "constant"}


def test_few_gaps_and_unknown_values_are_not_compared() -> None:
    value = np.arange(100.0)
    few = np.where(value < 10, np.nan, 1.0)
    assert data_quality(table({"a": few}, {"revenue": value}))["related"] == []
    gap = np.where(value < 50, np.nan, 1.0)
    assert data_quality(table({"a": gap}, {"revenue": np.full(100, np.nan)}))["related"] == []


@pytest.mark.parametrize("seed", range(3))
def test_superiority_equals_scipys_mann_whitney(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 9, 40).astype(float), rng.integers(1, 12, 70).astype(float)
    more, p = superiority(first, second)
    expected = stats.mannwhitneyu(first, second, use_continuity=False, method="asymptotic")
    assert more == pytest.approx(expected.statistic / (40 * 70))
    assert p == pytest.approx(expected.pvalue)
    assert superiority(second, first)[0] == pytest.approx(1 - more)


def test_equal_values_say_nothing() -> None:
    assert superiority(np.ones(30), np.ones(40)) == (0.5, 1.0)
