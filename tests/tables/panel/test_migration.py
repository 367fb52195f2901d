"""The entry on migration: what fits together, and what is refused in words."""

from typing import Any

import pytest

from softseg.errors import SchemaError
from softseg.tables.panel.migration import MigrationSchema
from softseg.tables.schema import Schema


def schema(migration: dict[str, Any], **others: Any) -> Schema:
    given = {"id": "k", "period": "t", "indicators": {"n": "poisson", "x": "gaussian"}} | others
    return Schema(**given, migration=migration)


def test_defaults() -> None:
    entry = schema({}).migration
    assert entry is not None
    assert (entry.churn, entry.stay, entry.strength) == ("none", 0.8, 20.0)
    assert not entry.by_period
    assert Schema(indicators={"x": "gaussian"}).migration is None


def test_columns_join_those_of_the_schema() -> None:
    entry = {
        "churn": "observed",
        "churned": "gone",
        "initial": ["area", "period"],
        "transition": ["tenure", "price", "area"],
    }
    used = schema(entry)
    assert used.columns == ["k", "t", "n", "x", "gone", "area", "price"]
    assert Schema.from_json(used.to_json()) == used
    assert "migration" in used.to_toml()


def test_toml_goes_there_and_back(tmp_path: Any) -> None:
    used = schema({"churn": "inactivity", "activity": "n", "after": 3, "stay": 0.9})
    (tmp_path / "s.toml").write_text(used.to_toml(), encoding="utf-8")
    assert Schema.from_toml(tmp_path / "s.toml") == used


@pytest.mark.parametrize(
    ("entry", "others", "words"),
    [
        ({"churn": "observed"}, {}, "Add 'churned': churn = 'observed' needs it"),
        ({"churn": "interval"}, {}, "Add 'churned'"),
        ({"churn": "silent"}, {}, "Add 'activity'"),
        ({"churn": "inactivity", "activity": "n"}, {}, "Add 'after'"),
        ({"churned": "g"}, {}, "Remove 'churned' or choose churn out of .'observed', 'interval'"),
        ({"churn": "silent", "activity": "n", "after": 2}, {}, "Remove 'after' or choose"),
        ({"churn": "inactivity", "activity": "n", "after": 0}, {}, "'after' as a whole number"),
        ({"churn": "vanish"}, {}, "Mend 'migration.churn' of the schema: expected 'none'"),
        ({"churn": "silent", "activity": "x"}, {}, "Name an indicator of one of the families"),
        ({"churn": "silent", "activity": "y"}, {}, "as the activity, got 'y': no indicator"),
        ({"initial": ["tenure"]}, {}, "Take 'tenure' out of 'initial'"),
        ({"initial": ["a", "a"]}, {}, "List each covariate once under 'initial'"),
        ({"by_period": True, "transition": ["a"]}, {}, "State either 'by_period' or covariates"),
        ({"stay": 1.0}, {}, "Give 'stay' as a number between 0 and 1, got 1"),
        ({"stay": float("nan")}, {}, "Mend 'migration.stay' of the schema: expected a finite"),
        ({"strength": 0}, {}, "Give 'strength' as a number above 0, got 0"),
        ({"staying": 1}, {}, "there is no such key. Is 'stay' meant"),
        ({}, {"id": None}, "Name the column of the id under 'id'"),
        ({}, {"period": None}, "Name the column of the period under 'period'"),
        ({}, {"weight": "w"}, "Take 'weight' out of the schema"),
        ({}, {"count": "c"}, "Take 'count' out of the schema"),
        ({"initial": ["k"]}, {}, "Give the column 'k' one role"),
        ({"transition": ["x"]}, {}, "Give the column 'x' one role"),
        ({"churn": "observed", "churned": "t"}, {}, "Give the column 't' one role"),
    ],
)
def test_what_does_not_fit(entry: dict[str, Any], others: dict[str, Any], words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        schema(entry, **others)


def test_a_covariate_may_explain_both_and_stand_among_the_covariates() -> None:
    used = schema({"initial": ["a"], "transition": ["a", "tenure"]}, covariates=["a"])
    assert used.columns.count("a") == 1
    assert MigrationSchema(initial=["a"], transition=["a", "tenure"]).covariates == ["a"]
