"""Schemas survive the way to disk and back, and say in one sentence what is wrong with them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from softseg.errors import FileError, SchemaError
from softseg.priors import Prior
from softseg.tables.schema import Frozen, IndicatorSchema, PriorSchema, Schema


def full() -> Schema:
    frozen = Frozen(
        centre=1.5, scale=1e-5, priors={"mean": PriorSchema.of(Prior("Normal", mu=0, sigma=2))}
    )
    return Schema(
        id="Kunden-Nr.",
        indicators={
            "x": IndicatorSchema(family="gaussian", unit="EUR", frozen=frozen),
            'say "yes"/no\t\\': {
                "family": "bernoulli",
                "levels": [0, 1],
                "success": 1,
                "priors": {
                    "probability": [
                        {"distribution": "Beta", "alpha": 1, "beta": 2},
                        {"distribution": "Fixed", "value": 0.5},
                    ]
                },
            },
            "c": {
                "family": "categorical",
                "priors": {"probability": {"distribution": "Dirichlet", "alpha": [1, 2.5]}},
            },
        },
        value={"revenue": {"currency": "EUR", "period": "year"}},
        opt_out="Widerspruch",
        segment_names=["größte", "zweite"],
        reading={"delimiter": "\t", "decimal": ","},
        language="de",
    )


def test_toml_and_json_bring_back_the_same_schema(tmp_path: Path) -> None:
    schema = full()
    file = tmp_path / "schema.toml"
    comments = {(): "two\nlines", ("indicators", "x"): "why\x07", ("id",): "who"}
    file.write_text(schema.to_toml(comments, "the\x00 end"), encoding="utf-8")
    assert Schema.from_toml(file) == schema
    assert Schema.from_json(schema.to_json()) == schema
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# two\n# lines\n")
    assert "# why\n[indicators.x]" in text
    assert "# who\nid = " in text
    assert text.endswith("# the  end\n")


def test_a_family_alone_is_short_for_an_indicator() -> None:
    schema = Schema(indicators={"a": "poisson"})
    assert schema.indicators["a"] == IndicatorSchema(family="poisson")
    assert tomllib.loads(schema.to_toml()) == {
        "version": 1,
        "indicators": {"a": {"family": "poisson"}},
    }


def test_columns_names_each_column_once() -> None:
    schema = Schema(
        id="k",
        indicators={"a": {"family": "poisson", "exposure": "years"}, "b": "gaussian"},
        value={"b": {}},
        weight="w",
    )
    assert schema.columns == ["k", "w", "a", "b", "years"]


def test_overrides_lie_on_top_of_the_frozen_defaults() -> None:
    frozen = Frozen(
        priors={
            "mean": PriorSchema.of(Prior("Normal", mu=0, sigma=1)),
            "sd": PriorSchema.of(Prior("SqrtInverseGamma", alpha=2, beta=1)),
        }
    )
    override = {"mean": [{"distribution": "Fixed", "value": v} for v in (0.0, 4.0)]}
    entry = IndicatorSchema(family="gaussian", priors=override, frozen=frozen)
    assert entry.prior_mapping() == {
        "mean": [Prior("Fixed", value=0.0), Prior("Fixed", value=4.0)],
        "sd": Prior("SqrtInverseGamma", alpha=2, beta=1),
    }
    assert entry.coding().scale == 1.0
    assert entry.member().name == "gaussian"


def test_a_schema_that_is_not_frozen_has_no_coding() -> None:
    schema = Schema(indicators={"a": "gaussian"})
    assert not schema.is_frozen
    with pytest.raises(SchemaError, match="Freeze the schema on the training table"):
        schema.indicators["a"].coding()
    assert full().freeze({"x": full().indicators["x"].frozen}).is_frozen  # pyright: ignore


def test_json_schema_describes_the_toml_file() -> None:
    described = Schema.json_schema()
    assert {"id", "indicators", "opt_out", "value"} <= set(described["properties"])
    assert described["additionalProperties"] is False


def prior(distribution: str, **numbers: Any) -> dict[str, Any]:
    return {
        "a": {"family": "gaussian", "priors": {"mean": {"distribution": distribution} | numbers}}
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"indicators": {}}, "Name at least one indicator"),
        ({}, "Add 'indicators' to the schema"),
        ({"indicatrs": {"a": "gaussian"}}, r"'indicatrs'.*Is 'indicators' meant\?"),
        (
            {"indicators": {"a": {"family": "gaussian", "unt": "EUR"}}},
            r"indicators\.a\.unt.*'unit'",
        ),
        (
            {"indicators": {"a": "normal"}},
            r"'indicators\.a' of the schema\. Choose a family out of",
        ),
        ({"indicators": {"a": 3}}, r"'indicators\.a' of the schema: expected a table, got 3"),
        ({"indicators": {"a": "gaussian"}, "language": "fr"}, "expected 'en' or 'de', got 'fr'"),
        ({"indicators": {"a": "gaussian"}, "id": 3}, "'id' of the schema: expected text in quotes"),
        ({"indicators": {"a": "gaussian"}, "id": "a"}, "Give the column 'a' one role"),
        (
            {"indicators": {"a": "gaussian"}, "weight": "w", "count": "n"},
            "either a weight or a count",
        ),
        (
            {"indicators": {"a": "gaussian"}, "segment_names": ["b", "b"]},
            "Give each segment its own",
        ),
        (
            {
                "indicators": {"a": "gaussian"},
                "share": {"distribution": "Normal", "mu": 0, "sigma": 1},
            },
            "Give the share a Dirichlet prior",
        ),
        (
            {"indicators": {"a": "gaussian"}, "value": {"v": {"currency": "Euro"}}},
            r"value\.v\.currency",
        ),
        (
            {"indicators": {"a": "gaussian"}, "reading": {"colour": 1}},
            r"Known here: delimiter, decimal",
        ),
        (
            {"indicators": {"a": {"family": "gaussian", "exposure": "years"}}},
            "Remove the exposure 'years': the family 'gaussian' takes none",
        ),
        (
            {"indicators": {"a": {"family": "gaussian", "levels": ["x", "y"]}}},
            "Remove levels and success",
        ),
        (
            {"indicators": {"a": {"family": "categorical", "levels": ["x"]}}},
            "Name at least two different",
        ),
        ({"indicators": {"a": {"family": "categorical", "success": "x"}}}, "'bernoulli' only"),
        (
            {"indicators": {"a": {"family": "bernoulli", "levels": ["x", "y"], "success": "z"}}},
            "as the success, got 'z'",
        ),
        ({"indicators": prior("Normal", mu=0)}, "exactly the parameters"),
        (
            {"indicators": prior("Normal", mu="x", sigma=1)},
            r"priors\.mean\.mu.*expected a number, got 'x'",
        ),
        ({"indicators": prior("Normal", mu=0, sigma=0)}, "'sigma' as numbers above 0, got 0"),
        ({"indicators": prior("Normal", mu=float("nan"), sigma=1)}, "expected a finite number"),
        ({"indicators": prior("Cauchy", x=1)}, "Choose a prior distribution out of"),
        (
            {
                "indicators": {
                    "a": {
                        "family": "gaussian",
                        "priors": {"rate": {"distribution": "Fixed", "value": 1}},
                    }
                }
            },
            r"Name a parameter of 'gaussian' out of \['mean', 'sd'\], got 'rate'",
        ),
        (
            {
                "indicators": {
                    "a": {
                        "family": "gaussian",
                        "priors": {"sd": {"distribution": "Normal", "mu": 1, "sigma": 1}},
                    }
                }
            },
            "Choose the prior of 'sd' out of .*HalfNormal",
        ),
        (
            {
                "indicators": {
                    "a": {
                        "family": "gaussian",
                        "priors": {"sd": {"distribution": "Fixed", "value": -1}},
                    }
                }
            },
            "Fix 'sd' to a value that it can have",
        ),
    ],
)
def test_a_faulty_schema_is_refused_in_plain_words(data: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        Schema(**data)


def test_every_fault_of_a_schema_is_named_at_once() -> None:
    with pytest.raises(SchemaError) as caught:
        Schema(indicators={"a": "gaussian"}, language="fr", colour=1)
    assert len(str(caught.value).splitlines()) == 2


def test_files_that_are_no_schema(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    with pytest.raises(FileError, match=r"Check the schema file 's\.toml'"):
        Schema.from_toml(file)
    file.write_bytes(b"id = '\xfc'")
    with pytest.raises(FileError, match="as UTF-8"):
        Schema.from_toml(file)
    file.write_text("id = ")
    with pytest.raises(SchemaError, match=r"Mend the TOML of 's\.toml'"):
        Schema.from_toml(file)
    with pytest.raises(SchemaError, match="Give the schema as JSON: "):
        Schema.from_json("{")
    with pytest.raises(SchemaError, match="as a JSON object, got list"):
        Schema.from_json("[]")
