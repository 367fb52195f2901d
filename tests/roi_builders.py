"""Assumptions in a few words, for tests of the calculation."""

from typing import Any

from softseg.decisions.inputs.schema import Assumptions

REQUIRED: dict[str, dict[str, Any]] = {
    "no_effect": {"role": "no_effect", "unit": "share", "value": 0.0},
    "realisation": {"role": "realisation", "unit": "share", "value": 1.0},
}


def assumptions(inputs: dict[str, dict[str, Any]], **settings: Any) -> Assumptions:
    """Return assumptions; ``base`` may be one id. The required inputs do nothing by default."""
    entries = {}
    for name, entry in {**REQUIRED, **inputs}.items():
        base = entry.get("base", ())
        entries[name] = {**entry, "base": (base,) if isinstance(base, str) else base}
    return Assumptions.model_validate({"horizon": 5, "inputs": entries, **settings})


def company(**inputs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a revenue of 100 with a margin of 40 %, and more inputs."""
    return {
        "revenue": {"role": "revenue", "unit": "EUR/year", "value": 100.0},
        "contribution_margin": {"role": "contribution_margin", "unit": "share", "value": 0.4},
        **inputs,
    }


def effect(kind: str, **more: Any) -> dict[str, Any]:
    """Return a revenue effect on the whole revenue."""
    unit = "pp" if kind in ("margin", "mix") else "share"
    return {"role": "revenue_effect", "effect": kind, "unit": unit, "base": "revenue", **more}


UNIFORM = {
    "all_customers": {
        "label": "Uplift for all", "role": "revenue_effect", "effect": "volume", "unit": "%",
        "base": ["revenue"], "low": 0.5, "high": 1.0, "programme": "uniform",
    },
    "campaign": {"label": "Campaign", "role": "one_off_cost", "unit": "EUR", "low": 5e4,
                 "high": 8e4, "programme": "uniform"},
}  # fmt: skip
