"""Gaps that depend on value are found, and only those."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from softseg.tables.dependence import dependence_hints, missing_related
from softseg.tables.prepare import prepare
from softseg.tables.schema import Schema


def frame(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    value = np.round(rng.gamma(1, 10, 300))
    x, y = rng.normal(0, 1, 300), rng.normal(0, 1, 300)
    x[rng.random(300) < 0.5 * (value < 5)] = np.nan
    y[rng.random(300) < 0.2] = np.nan
    return pd.DataFrame({"x": x, "y": y, "v": value, "z": value + rng.normal(0, 1, 300)})


def test_the_rank_statistic_is_that_of_mann_and_whitney() -> None:
    data = frame()
    table = prepare(data, Schema(indicators={"x": "gaussian", "y": "gaussian"}, value={"v": {}}))
    found = {relation.indicator: relation for relation in missing_related(table)}
    assert set(found) == {"x", "y"}
    for name, relation in found.items():
        gap = data[name].isna()
        test = mannwhitneyu(
            data["v"][gap], data["v"][~gap], use_continuity=False, method="asymptotic"
        )
        assert relation.column == "v"
        assert relation.superiority == pytest.approx(test.statistic / gap.sum() / (~gap).sum())
        assert relation.p_value == pytest.approx(test.pvalue)
        assert relation.share_missing == pytest.approx(gap.mean())
    assert found["x"].p_value < 1e-4
    assert found["y"].p_value > 0.01


def test_without_value_the_other_indicators_are_looked_at() -> None:
    schema = Schema(indicators=dict.fromkeys("xyz", "gaussian"))
    found = {r.indicator: r for r in missing_related(prepare(frame(), schema))}
    assert found["x"].column == "z"
    assert found["x"].superiority < 0.3
    assert found["x"].p_value < 1e-4


def test_a_count_is_the_row_several_times() -> None:
    data = frame().assign(n=2)
    twice = pd.concat([frame(), frame()])
    schema = {"indicators": {"x": "gaussian"}, "value": {"v": {}}}
    counted = missing_related(prepare(data, Schema(**schema, count="n")))
    assert counted == missing_related(prepare(twice, Schema(**schema)))


def test_few_gaps_and_constant_values_say_nothing() -> None:
    data = frame().assign(v=1.0)
    data.loc[data["x"].isna(), "x"] = 0.0
    data.loc[:5, "x"] = np.nan
    table = prepare(data, Schema(indicators={"x": "gaussian", "y": "gaussian"}, value={"v": {}}))
    assert [(r.indicator, r.superiority, r.p_value) for r in missing_related(table)] == [
        ("y", 0.5, 1)
    ]


def test_columns_without_overlap_or_spread_give_no_hint() -> None:
    x = np.arange(20.0)
    gaps = np.where(x < 15, np.nan, x)
    assert dependence_hints({"x": x, "gaps": gaps, "same": np.ones(20)}, {}) == []
    assert dependence_hints({}, {}) == []
    assert "x" in dependence_hints({"x": x, "y": -x}, {}, "de")[0]
