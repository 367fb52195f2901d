"""The source article's ranges as a simulation reads them."""

from typing import Any

import numpy as np
from scipy import stats

from roi_builders import assumptions, effect
from softseg.decisions.model.simulate import RoiModel


def ranges(**settings: Any) -> RoiModel:
    """Return the article's ranges as the reference simulation reads them."""
    inputs = {
        "revenue": {"role": "revenue", "unit": "EUR/year", "value": 50e6},
        "contribution_margin": {"role": "contribution_margin", "unit": "share", "low": 0.25,
                                "high": 0.45},
        "discount_rate": {"role": "discount_rate", "unit": "share", "value": 0.08},
        "project": {"role": "one_off_cost", "unit": "EUR", "low": 95e3, "high": 250e3},
        "running": {"role": "running_cost", "unit": "EUR/year", "low": 28e3, "high": 57e3},
        "uplift": effect("volume", low=0.01, high=0.04),
        "margin": effect("margin", low=0.8, high=2.5),
        "savings": {"role": "saving", "unit": "EUR/year", "low": 75e3, "high": 300e3},
        "learning": {"role": "learning", "unit": "share", "low": 0.05, "high": 0.3,
                     "family": "lognormal", "profile": {"start": 2, "ramp": [1.0]}},
    }  # fmt: skip
    return RoiModel(assumptions(inputs, **settings))


def rank(correlation: float) -> float:
    """Return the rank correlation of normal scores with a correlation (Pearson 1907)."""
    return 6.0 / np.pi * np.arcsin(correlation / 2.0)


def dependent() -> RoiModel:
    """Return the article's ranges with the dependence and the margin of the reference simulation.

    Its correlations are those of normal scores; between the costs it names 0.4 to 0.7.
    """
    benefits = ("uplift", "margin", "savings", "learning")
    scores = {(a, b): 0.3 for a in benefits[:2] for b in benefits[2:]}
    scores |= {("uplift", "margin"): 0.5, ("project", "running"): 0.4}
    found = [{"between": pair, "rank": rank(score)} for pair, score in scores.items()]
    known = ranges(dependence={"correlations": found}).assumptions
    middles = (np.arange(1024) + 0.5) / 1024
    draws = tuple(stats.beta(4.0, 4.0, 0.25, 0.2).ppf(middles).tolist())
    drawn = {"samples": draws, "low": None, "high": None}
    margin = known.inputs["contribution_margin"].model_copy(update=drawn)
    inputs = known.inputs | {"contribution_margin": margin}
    return RoiModel(known.model_copy(update={"inputs": inputs}))
