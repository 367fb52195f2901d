"""Tables are typed and frozen the same for every order of rows, and without opted-out ones."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from softseg.errors import DataError, SchemaError
from softseg.families import families
from softseg.tables.prepare import TableWarning, prepare, prepare_new
from softseg.tables.schema import Schema
from softseg.tables.table import Table

INDICATORS = {
    "amount": "lognormal",
    "orders": {"family": "negative_binomial", "exposure": "years"},
    "signed": "asinh_normal",
    "colour": "categorical",
    "online": "bernoulli",
}


def customers(n_rows: int = 60, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "k": [f"K{i}" for i in range(n_rows)],
            "amount": rng.lognormal(3, 1, n_rows),
            "orders": rng.poisson(4, n_rows).astype(float),
            "years": rng.uniform(0.5, 3, n_rows),
            "signed": rng.normal(0, 50, n_rows),
            "colour": rng.choice(["red", "green", "blue"], n_rows),
            "online": rng.choice(["yes", "no"], n_rows),
            "revenue": rng.gamma(2, 100, n_rows),
            "objects": "no",
        }
    )
    frame.loc[::7, "amount"] = np.nan
    frame.loc[::9, "colour"] = None
    return frame


def schema(**more: Any) -> Schema:
    return Schema(id="k", indicators=INDICATORS, value={"revenue": {}}, opt_out="objects", **more)


def same(first: Table, second: Table) -> None:
    assert first.schema == second.schema
    assert first.customers == second.customers
    for name in ("columns", "exposures", "values"):
        one, two = getattr(first, name), getattr(second, name)
        assert list(one) == list(two)
        for key in one:
            assert one[key].tobytes() == two[key].tobytes()
    assert first.count.tobytes() == second.count.tobytes()
    assert first.rows.tobytes() == second.rows.tobytes()


def test_columns_are_typed_and_levels_in_order() -> None:
    frame = customers()
    table = prepare(frame, schema())
    assert table.schema.is_frozen
    assert table.schema.indicators["colour"].coding().levels == ("blue", "green", "red")
    assert table.schema.indicators["online"].coding().levels == ("no", "yes")
    np.testing.assert_array_equal(table.columns["online"], frame["online"] == "yes")
    np.testing.assert_array_equal(np.isnan(table.columns["colour"]), frame["colour"].isna())
    np.testing.assert_array_equal(table.columns["amount"], frame["amount"])
    np.testing.assert_array_equal(table.exposures["orders"], frame["years"])
    np.testing.assert_array_equal(table.values["revenue"], frame["revenue"])
    np.testing.assert_array_equal(table.rows, np.arange(1, 61))
    assert table.n_customers == 60
    assert table.customers is not None
    assert table.customers[0] == "K0"
    assert table.observed("colour").coding.levels == ("blue", "green", "red")


@given(st.permutations(range(60)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_freezes_the_same_schema(order: list[int]) -> None:
    shuffled = customers().iloc[order]
    assert (
        prepare(shuffled, schema()).schema.to_json()
        == prepare(customers(), schema()).schema.to_json()
    )


@pytest.mark.parametrize("position", [0, 30, 60])
def test_opted_out_rows_leave_no_trace(position: int) -> None:
    frame = customers()
    objecting = pd.DataFrame(
        {
            "k": ["K0", None], "amount": ["a lot", -1], "orders": [1e9, np.inf],
            "years": [0, -3], "signed": ["1.234", "4,5"], "colour": ["purple", "1"],
            "online": ["maybe", "?"], "revenue": ["much", None], "objects": ["Yes", "x"],
        }
    )  # fmt: skip
    parts = [frame.iloc[:position], objecting, frame.iloc[position:]]
    with_them = pd.concat([part.astype(object) for part in parts])
    table = prepare(with_them, schema())
    assert table.n_opted_out == 2
    same(table, prepare(frame, schema()))


def test_every_kind_of_frame_gives_the_same_table() -> None:
    frame = customers()
    table = prepare(frame, schema())
    same(table, prepare(pl.from_pandas(frame), schema()))
    same(table, prepare(pl.from_pandas(frame).lazy(), schema()))
    same(table, prepare(pa.Table.from_pandas(frame), schema()))
    text = frame.map(lambda cell: "" if pd.isna(cell) else str(cell))
    stated = schema(reading={"decimal": "."})
    same(prepare(frame, stated), prepare(text, stated))


@pytest.mark.parametrize("column", ["count", "weight"])
def test_a_row_twice_is_the_count_two(column: str) -> None:
    frame = customers().drop(columns="k")
    twice = pd.concat([frame, frame.iloc[:20]])
    counted = frame.assign(n=[2.0] * 20 + [1.0] * 40)
    plain = Schema(indicators=INDICATORS)
    table = prepare(counted, Schema(indicators=INDICATORS, **{column: "n"}))
    assert table.count.sum() == 80
    frozen = {name: entry.frozen for name, entry in table.schema.indicators.items()}
    other = prepare(twice, plain).schema.indicators
    assert frozen == {name: entry.frozen for name, entry in other.items()}


def test_weights_that_are_not_whole_move_the_scale() -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0], "w": [0.25, 0.25, 1.0]})
    table = prepare(frame, Schema(indicators={"x": "gaussian"}, weight="w"))
    assert table.schema.indicators["x"].coding().centre == pytest.approx(1.5, abs=0.02)


def test_what_is_frozen_stays() -> None:
    frozen = prepare(customers(seed=1), schema()).schema
    again = prepare(customers(seed=2), frozen)
    assert again.schema == frozen


def test_constant_indicators_are_dropped_with_a_named_warning() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "a"]})
    both = Schema(indicators={"x": "gaussian", "c": "categorical"}, language="de")
    with pytest.warns(TableWarning, match='Die Spalte "c" bleibt außen vor') as caught:
        table = prepare(frame, both)
    assert list(table.schema.indicators) == ["x"]
    assert list(table.columns) == ["x"]
    assert caught[0].message.fault.code == "constant"  # pyright: ignore
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match="Name other indicators in the schema"):
            prepare(frame, Schema(indicators={"c": "categorical"}))


def test_all_errors_stop_the_preparation_at_once() -> None:
    frame = customers().assign(amount="x", orders=-1)
    with pytest.raises(DataError, match=r"errors found: 2(.|\n)*\"amount\"(.|\n)*\"orders\""):
        prepare(frame, schema())


def test_new_rows_are_read_by_the_frozen_schema() -> None:
    frozen = prepare(customers(), schema()).schema
    new = customers(4, seed=3).drop(columns="revenue")
    new["colour"] = ["red", "purple", None, "blue"]
    with pytest.raises(DataError, match='not named there are "purple"'):
        prepare_new(new, frozen)
    table, unseen = prepare_new(new, frozen, unseen="missing")
    assert unseen == {"colour": 1}
    np.testing.assert_array_equal(table.columns["colour"], [2, np.nan, np.nan, 0])
    assert table.values == {}
    one, _ = prepare_new(new.iloc[[3]], frozen)
    assert one.columns["amount"][0] == new["amount"].iloc[3]
    none, _ = prepare_new(new.iloc[:0], frozen)
    assert none.n_customers == 0


def test_new_rows_need_a_frozen_schema_and_the_objections() -> None:
    with pytest.raises(SchemaError, match="Freeze the schema on the training table"):
        prepare_new(customers(), schema())
    frozen = prepare(customers(), schema()).schema
    with pytest.raises(DataError, match='Add the column "objects"'):
        prepare_new(customers().drop(columns="objects"), frozen)


@pytest.mark.parametrize("name", sorted(families()))
def test_every_family_freezes_to_numbers_that_survive_toml(name: str) -> None:
    rng = np.random.default_rng(5)
    cells: Any = rng.integers(1, 3, 40)
    frame = pd.DataFrame({"x": cells})
    frozen = prepare(frame, Schema(indicators={"x": name})).schema
    assert Schema.from_json(frozen.to_json()) == frozen
    entry = frozen.indicators["x"]
    expected = {parameter.name for parameter in entry.member().parameters}
    assert set(entry.prior_mapping()) == expected
