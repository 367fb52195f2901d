"""Small simulations, with answers that are computed once."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from softseg.decisions.answers.collect import Answers, collect
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import RoiModel, Simulation

type Case = tuple[Simulation, Answers]

POINT = {"value": 0.0, "low": None, "high": None}

PLAIN: dict[str, Any] = {
    "title": "Programme",
    "horizon": 3,
    "ramp": [0.5, 1.0],
    "inputs": {
        "revenue": {"label": "Revenue", "role": "revenue", "unit": "MEUR/year", "value": 50.0},
        "margin_of_volume": {
            "label": "Contribution margin", "role": "contribution_margin", "unit": "%",
            "low": 25.0, "high": 45.0,
        },
        "no_effect": {"label": "No effect", "role": "no_effect", "unit": "%", "value": 25.0},
        "realisation": {
            "label": "Realisation", "role": "realisation", "unit": "share", "low": 0.3,
            "high": 0.8, "family": "beta",
        },
        "project": {
            "label": "Project", "role": "one_off_cost", "unit": "kEUR", "low": 95.0,
            "high": 250.0, "owner": "A. Controller", "date": "2026-03-01", "source": "Offers",
            "evidence": "own_pilot",
        },
        "running": {"label": "Running", "role": "running_cost", "unit": "EUR/year", "low": 5e4,
                    "likely": 6e4, "high": 8e4},
        "uplift": {"label": "Uplift", "role": "revenue_effect", "effect": "volume", "unit": "%",
                   "base": ["revenue"], "low": 1.0, "high": 4.0, "evidence": "published"},
        "better": {"label": "Better margin", "role": "revenue_effect", "effect": "margin",
                   "unit": "pp", "base": ["revenue"], "low": 0.2, "high": 0.9},
        "savings": {"label": "Savings", "role": "saving", "unit": "EUR/year", "low": 1e4,
                    "high": 3e4, "in_margin": True, "note": "In the margin."},
    },
    "dependence": {
        "factors": {"care": {"label": "Care", "loads": {"uplift": 0.6, "better": 0.6}}},
        "correlations": [{"between": ["project", "running"], "rank": 0.4}],
    },
    "scenarios": {
        "best": {"uplift": 4.0, "better": 0.9},
        "worst": {"uplift": 1.0, "better": 0.2},
    },
    "accepted_overlaps": [["uplift", "savings"]],
}  # fmt: skip


def case(changes: dict[str, Any] | None = None, **top: Any) -> Case:
    """Return a small programme with inputs changed, added, or (None) taken out."""
    content = copy.deepcopy(PLAIN) | top
    for name, change in (changes or {}).items():
        if change is None:
            del content["inputs"][name]
        else:
            content["inputs"][name] = content["inputs"].get(name, {}) | change
    return _answered(Assumptions.model_validate(content).model_dump_json())


@cache
def _answered(assumptions: str) -> Case:
    """Simulate and answer once for all tests that ask for the same programme."""
    simulation = RoiModel(Assumptions.model_validate_json(assumptions)).simulate(4, 64, seed=3)
    return simulation, collect(simulation)


@pytest.fixture(scope="session")
def plain() -> Case:
    """Return the small programme as it is."""
    return case()


@pytest.fixture(scope="session")
def make_case() -> Callable[..., Case]:
    """Return the maker of small programmes."""
    return case
