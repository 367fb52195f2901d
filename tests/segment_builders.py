"""A company with two segments and a programme for each, by hand, for tests of the study."""

from typing import Any

import numpy as np
import xarray as xr

from roi_builders import assumptions, company
from softseg.decisions.segments.programme import Programme, SegmentInput, SegmentProgramme
from softseg.decisions.segments.worth import SegmentSimulation, simulate

DIMS = ("rule", "sample", "assigned", "segment")

PRICE: dict[str, Any] = {"role": "revenue_effect", "effect": "price", "unit": "%"}
VOLUME: dict[str, Any] = {"role": "revenue_effect", "effect": "volume", "unit": "%"}
VISITS: dict[str, Any] = {"role": "running_cost", "unit": "EUR/year", "per": "customer"}


def value_of(
    memberships: np.ndarray,
    amount: np.ndarray,
    rules: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return the value table of given memberships, (sample, customer, segment).

    `rules` holds the label of each customer, from 1 on, 0 for those who are not treated.
    """
    n_samples, n_customers, n_segments = memberships.shape
    chance = rng.random((n_samples, n_customers, 1))
    chosen = (chance > memberships.cumsum(axis=2)[..., :-1]).sum(axis=2)
    lots = np.eye(n_segments)[chosen]
    groups = max(int(labels.max()) for labels in rules.values())
    treated = np.stack([np.eye(groups + 1)[labels][:, 1:] for labels in rules.values()])
    data: dict[str, Any] = {}
    for what, weight in (("value", np.nan_to_num(amount)), ("customers", np.ones(n_customers))):
        for how, each in (("lots", lots), ("expected", memberships)):
            total = np.einsum("i,jia,sik->jsak", weight, treated, each)
            data[f"{what}_{how}"] = (DIMS, total)
        data[f"{what}_treated"] = (("rule", "assigned"), np.einsum("i,jia->ja", weight, treated))
    coordinates = {
        "rule": list(rules),
        "assigned": np.arange(1, groups + 1),
        "segment": np.arange(1, n_segments + 1),
    }
    unknown = float(np.isnan(amount).sum())
    attributes = {
        "value_total": float(np.nansum(amount)),
        "customers_total": float(n_customers),
        "customers_unknown": unknown,
    }
    return xr.Dataset(data, coordinates, attributes)


def value_table(
    n_samples: int = 400, n_customers: int = 60, n_segments: int = 2, seed: int = 1
) -> xr.Dataset:
    """Return a value table in which parameters and lots both matter; the values add up to 100.

    Its rules are the top segment (``programme``), one group for all (``segments_1``) and labels
    that are often wrong (``kmeans``).
    """
    rng = np.random.default_rng(seed)
    amount = rng.gamma(2.0, size=n_customers)
    amount *= 100.0 / amount.sum()
    score = rng.normal(0.0, 1.5, (n_customers, n_segments))
    shift = rng.normal(0.0, 0.6, (n_samples, 1, n_segments))
    odds = np.exp(score + shift)
    memberships = odds / odds.sum(axis=2, keepdims=True)
    top = memberships.mean(axis=0).argmax(axis=1) + 1
    wrong = rng.random(n_customers) < 0.3
    rules = {
        "programme": top,
        "segments_1": np.ones(n_customers, dtype=int),
        "kmeans": np.where(wrong, rng.integers(1, n_segments + 1, n_customers), top),
    }
    return value_of(memberships, amount, rules, rng)


def programme(levers: dict[str, dict[str, dict[str, Any]]] | None = None, **more: Any) -> Programme:
    """Return a programme of levers by segment and id; two segments, A and B, by default."""
    if levers is None:
        levers = {
            "A": {"price": PRICE | {"low": 0.5, "high": 2.0}, "visits": VISITS | {"value": 0.01}},
            "B": {"more": VOLUME | {"low": -1.0, "high": 4.0}},
        }
    segments = tuple(
        SegmentProgramme(
            segment=name,
            inputs={id: SegmentInput.model_validate(lever) for id, lever in inputs.items()},
        )
        for name, inputs in levers.items()
    )
    return Programme(segments=segments, **more)


def simulation(
    value: xr.Dataset | None = None,
    plan: Programme | None = None,
    inputs: dict[str, dict[str, Any]] | None = None,
    settings: dict[str, Any] | None = None,
    **more: Any,
) -> SegmentSimulation:
    """Return the draws of a small study: a set-up cost for all, and the programme.

    `inputs` are those of the company, `settings` those of its assumptions; `more` goes to
    `simulate`, with 4 replicates of 512 draws by default.
    """
    if inputs is None:
        inputs = {"setup": {"role": "one_off_cost", "unit": "EUR", "low": 1.0, "high": 2.0}}
    found = assumptions(company(**inputs), **(settings or {}))
    table = value_table() if value is None else value
    n_segments = table.sizes["segment"]
    names = tuple("ABCDEFGH"[:n_segments])
    drawn: dict[str, Any] = {"n_replicates": 4, "n_draws": 512} | more
    return simulate(found, plan or programme(), table, names, **drawn)
