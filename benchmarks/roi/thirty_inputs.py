"""A file of assumptions with 30 uncertain inputs and ten years, for the benchmark."""

from typing import Any

from softseg.decisions.inputs.schema import Assumptions

COSTS = 6
EFFECTS = (
    "price", "volume", "cross_selling", "deal_size", "acquisition", "churn", "margin",
    "volume", "price", "mix", "volume", "cross_selling",
)  # fmt: skip


def thirty_inputs() -> Assumptions:
    """Return assumptions that use every kind of effect, dependence and timing."""
    share = {"unit": "share", "family": "lognormal"}
    inputs: dict[str, dict[str, Any]] = {
        "revenue": {"role": "revenue", "unit": "MEUR/year", "low": 45, "high": 55},
        "contribution_margin": {"role": "contribution_margin", "unit": "%", "low": 25, "high": 45,
                                "family": "beta"},
        "discount_rate": {"role": "discount_rate", "unit": "%", "low": 6, "high": 10},
        "no_effect": {"role": "no_effect", "unit": "%", "low": 15, "high": 35, "family": "beta"},
        "realisation": {"role": "realisation", "unit": "share", "low": 0.225, "high": 0.775,
                        "family": "beta"},
        "learning": {"role": "learning", "unit": "%", "low": 5, "high": 30,
                     "profile": {"start": 2}},
        "churn_rate": {"role": "base", "unit": "%", "low": 5, "high": 12, "family": "beta"},
        "wallet": {"role": "base", "unit": "MEUR/year", "low": 8, "high": 12},
        "service_cost": {"role": "base", "unit": "MEUR/year", "low": 2, "high": 3,
                         "family": "gamma"},
        "serve": {"role": "running_cost", "unit": "%", "base": ["incremental_revenue"], "low": 2,
                  "high": 6},
    }  # fmt: skip
    for i in range(COSTS):
        role = "one_off_cost" if i % 2 == 0 else "running_cost"
        unit = "kEUR" if i % 2 == 0 else "kEUR/year"
        inputs[f"cost_{i}"] = {"role": role, "unit": unit, "low": 20 + i, "high": 60 + 2 * i}
    for i, kind in enumerate(EFFECTS):
        base = ["wallet"] if i >= 7 else ["revenue"]
        entry = {"role": "revenue_effect", "effect": kind, "base": base, **share}
        entry |= {"low": 0.002, "high": 0.01, "profile": {"ramp": [0.2 * (1 + i % 3), 1.0]}}
        if kind == "churn":
            entry |= {"low": 0.05, "high": 0.2, "rate": "churn_rate", "family": "beta"}
        if kind in ("margin", "mix"):
            entry |= {"unit": "pp", "low": 0.1, "high": 0.5}
        inputs[f"effect_{i}"] = entry
    inputs["saving_0"] = {"role": "saving", "unit": "%", "base": ["service_cost"], "low": 3,
                          "high": 9, "family": "beta"}  # fmt: skip
    inputs["saving_1"] = {"role": "saving", "unit": "kEUR/year", "low": 50, "high": 150}
    pairs = [[f"effect_{i}", f"effect_{j}"] for i, j in ((0, 8), (1, 7), (3, 11), (6, 9), (2, 11))]
    return Assumptions.model_validate(
        {
            "horizon": 10,
            "inputs": inputs,
            "accepted_overlaps": pairs,
            "dependence": {
                "factors": {"execution": {"loads": {f"effect_{i}": 0.5 for i in range(8)}}},
                "correlations": [{"between": ["cost_0", "cost_1"], "rank": 0.6}],
            },
        }
    )
