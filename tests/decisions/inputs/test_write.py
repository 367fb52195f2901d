"""Assumptions written as TOML read back as the same assumptions."""

import tomllib
from datetime import date
from pathlib import Path

import pytest

from softseg.decisions.inputs.read import read_assumptions
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.inputs.write import to_toml

FULL = {
    "title": 'Programm "A"\n= 1 # 2',
    "currency": "CHF",
    "language": "de",
    "horizon": 7,
    "first_year": 2027,
    "counterfactual": "uniform",
    "convention": "mid_year",
    "ramp": (0.0, 0.125, 1.0),
    "hurdle": 0.15,
    "inputs": {
        "revenue": {"role": "revenue", "unit": "MCHF/year", "value": 50, "date": date(2026, 3, 31)},
        "distribution": {"role": "contribution_margin", "unit": "%", "low": 25, "high": 45},
        "realisation": {"role": "realisation", "unit": "share", "low": 0.2, "high": 0.8},
        "no_effect": {"role": "no_effect", "unit": "%", "value": 25.5},
        "price": {
            "label": "=1+1", "role": "revenue_effect", "effect": "price", "unit": "%",
            "low": 8, "likely": 9.1, "high": 15, "sure": 0.8, "family": "pert",
            "base": ("revenue", "premium"), "margin": "distribution", "published": False,
            "programme": "both", "evidence": "own_pilot", "source": "a; b", "owner": "C",
            "note": "two\nlines\t", "overlaps": ("better",),
            "profile": {"start": 2, "ramp": (0.1, 1), "half_life": 3.5, "last": 6},
        },
        "premium": {"role": "base", "unit": "%", "samples": (10.5, 11, 12, 9), "sample_set": "s"},
        "better": {
            "role": "revenue_effect", "effect": "mix", "unit": "pp", "low": 0.8, "high": 2.5,
            "base": ("revenue",),
        },
        "churn_rate": {"role": "base", "unit": "%", "value": 10},
        "churn": {
            "role": "revenue_effect", "effect": "churn", "unit": "%", "low": 5, "high": 10,
            "base": ("revenue",), "rate": "churn_rate",
        },
        "saved": {"role": "saving", "unit": "kCHF/year", "low": 75, "high": 300, "in_margin": True},
        "copy": {"role": "metric", "unit": "%", "same_as": "price"},
    },
    "dependence": {
        "factors": {
            "Markt 1": {
                "label": "how", "loads": {"price": 0.6, "better": 0.5}, "factors": {"f": 0.3},
            },
            "f": {"loads": {}},
        },
        "correlations": ({"between": ("price", "saved"), "rank": -0.25},),
        "copula": "t",
        "degrees_of_freedom": 4.5,
    },
    "scenarios": {"base": {}, "bester Fall": {"price": 15, "distribution": 33.3}},
    "accepted_overlaps": (("price", "better"),),
}  # fmt: skip


def full() -> Assumptions:
    return Assumptions.model_validate(FULL)


def test_everything_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(to_toml(full()), encoding="utf-8")
    assert read_assumptions(path) == full()


@pytest.mark.parametrize("language", ["en", "de"])
def test_defaults_are_left_out_and_comments_follow_the_language(language: str) -> None:
    data = {**FULL, "language": language}
    text = to_toml(Assumptions.model_validate(data))
    head = "# Assumptions of a programme." if language == "en" else "# Annahmen eines Programms."
    assert text.startswith(head)
    parsed = tomllib.loads(text)
    assert parsed["inputs"]["saved"] == {
        "role": "saving", "unit": "kCHF/year", "low": 75, "high": 300, "in_margin": True,
    }  # fmt: skip
    assert parsed["currency"] == "CHF"
