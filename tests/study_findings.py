"""Findings of a small study made by hand, for tests of what is written about it."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from moving_builders import with_panel
from results.worlds import world
from roi_builders import assumptions, company
from segment_builders import PRICE, VISITS, VOLUME, programme, value_of
from softseg.decisions.answers.collect import collect
from softseg.decisions.segments.by_segment import by_segment
from softseg.decisions.segments.choices import choices
from softseg.decisions.segments.customers import first_customers
from softseg.decisions.segments.fallback import fallback
from softseg.decisions.segments.findings import Findings
from softseg.decisions.segments.implied import implied_uplift
from softseg.decisions.segments.ledger import Ledger
from softseg.decisions.segments.migrated import migrated
from softseg.decisions.segments.number import number_in_money
from softseg.decisions.segments.programme import Programme, SegmentInput
from softseg.decisions.segments.regret import regret
from softseg.decisions.segments.resolve import resolve
from softseg.decisions.segments.split import split
from softseg.decisions.segments.worth import SegmentSimulation, simulate

NAMES = ("Alpha", "Beta", "Gamma")
N = 200
FAMILIES = {"amount": "gaussian", "spend": "lognormal", "kind": "categorical",
            "online": "bernoulli"}  # fmt: skip
CATEGORIES = {"kind": "categorical", "online": "bernoulli", "amount": "gaussian"}


def check(passed: bool) -> dict[str, Any]:
    return {"name": "rhat", "applies": True, "passed": passed, "value": 1.5 - 0.49 * passed,
            "bound": 1.01, "worst": "share[1]", "details": {}}  # fmt: skip


@cache
def _world(categories: bool) -> xr.DataTree:
    families = CATEGORIES if categories else FAMILIES
    return world(families, n=N, missing=0.05, seed=3).tree


def tree(passed: bool = True, *, categories: bool = False) -> xr.DataTree:
    """Return the tree of a fit with 200 customers in three segments."""
    found = _world(categories).copy(deep=True)
    gaps = {"missing": ("indicator", [40.0, 4.0])}
    found["data"] = xr.DataTree(
        xr.Dataset(gaps, {"indicator": ["amount", "kind"]}, {"n_customers": N, "n_rows": N})
    )
    found.attrs["diagnosis"] = json.dumps({"method": "gibbs", "checks": [check(passed)]})
    return found


@cache
def _customers() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(4)
    amount = rng.gamma(2.0, 5e4, N)
    odds = np.exp(rng.normal(0.0, 1.5, (N, 3)) + rng.normal(0.0, 0.4, (120, 1, 3)))
    members = odds / odds.sum(axis=2, keepdims=True)
    top = members.mean(axis=0).argmax(axis=1) + 1
    wrong = rng.random(N) < 0.3
    rules = {
        "programme": top,
        "kmeans": np.where(wrong, rng.integers(1, 4, N), top),
        "segments_1": np.ones(N, dtype=int),
        "segments_2": np.minimum(top, 2),
        "segments_3": top,
    }
    return members, amount, rules


def levers(names: tuple[str, ...], words: tuple[str, ...] = ()) -> Programme:
    """Return a programme that pays for the first segment and loses money in the third."""
    inputs = {
        names[0]: {"price": PRICE | {"label": "Better prices", "low": 0.5, "high": 2.0},
                   "visits": VISITS | {"label": "Visits", "low": 100.0, "high": 200.0}},
        names[1]: {"more": VOLUME | {"label": "More volume", "low": -1.0, "high": 4.0}},
        names[2]: {"more": VOLUME | {"label": "Some volume", "low": 0.0, "high": 0.2},
                   "start": {"label": "Start", "role": "one_off_cost", "unit": "EUR",
                             "low": 4e4, "high": 9e4}},
    }  # fmt: skip
    found = programme(inputs, stated_uplift=0.02)
    texts = words or ("Grow with them.", "Head of sales", "Orders")
    told = tuple(
        entry.model_copy(update=dict(zip(("strategy", "owner", "watch"), texts, strict=True)))
        for entry in found.segments
    )
    return found.model_copy(update={"segments": told})


def simulated(
    names: tuple[str, ...], plan: Programme, plug_in: bool, language: str
) -> SegmentSimulation:
    members, amount, rules = _customers()
    value = value_of(members, amount, rules, np.random.default_rng(5))
    setup = {"role": "one_off_cost", "unit": "EUR", "label": "Project", "low": 1e4, "high": 2e4}
    worth = assumptions(company(setup=setup), language=language)
    return simulate(worth, plan, value, names, n_replicates=2, n_draws=128, plug_in=plug_in)


def parts(simulation: SegmentSimulation) -> dict[str, xr.Dataset]:
    members, amount, rules = _customers()
    labels = {n: rules[f"segments_{n}"] for n in (1, 2, 3)}
    found = {
        "by_segment": by_segment(simulation),
        "choices": choices(simulation),
        "implied": implied_uplift(simulation),
        "regret": regret(simulation),
        "number": number_in_money(simulation, simulation.value, labels, amount, 1000.0),
        "first_customers": first_customers(
            simulation, members.mean(axis=0), amount, rules["programme"], n=50
        ),
    }
    if not simulation.plug_in:
        found |= {"split": split(simulation), "resolve": resolve(simulation, n_draws=64)}
    return found


ROWS = np.array([
    [0.970, 0.012, 0.008, 0.010],
    [0.010, 0.975, 0.010, 0.005],
    [0.006, 0.004, 0.960, 0.030],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip
"""Transitions of a month, churned last."""
KEEP: dict[str, Any] = {
    "role": "revenue_effect", "effect": "transition", "label": "Fewer leave",
    "to": ("churned", "Beta"), "unit": "%", "low": 30.0, "high": 50.0,
}  # fmt: skip
NOTES = {"customers": 240, "histories": 240, "periods": 24, "steps": 5000, "gaps": 7,
         "late_entries": 30, "joined": 30, "returned": 0, "churned": 40, "right_censored": 200,
         "inactive_at_end": 0, "left_out": 0}  # fmt: skip


@cache
def moved(language: str = "en") -> Findings:
    """Return the findings of a study with a panel; customers of Alpha leave less often by it."""
    plan = levers(NAMES)
    first, *others = plan.segments
    keep = SegmentInput.model_validate(KEEP)
    changed = first.model_copy(update={"inputs": {**first.inputs, "keep": keep}})
    plan = plan.model_copy(update={"segments": (changed, *others)})
    members, amount, rules = _customers()
    value = value_of(members, amount, rules, np.random.default_rng(5))
    panel = with_panel(value, ROWS, names=(*NAMES, "churned"))
    setup = {"role": "one_off_cost", "unit": "EUR", "label": "Project", "low": 1e4, "high": 2e4}
    worth = assumptions(company(setup=setup), language=language)
    simulation = simulate(worth, plan, panel, NAMES, n_replicates=2, n_draws=128)
    answers = {
        "by_segment": by_segment(simulation), "choices": choices(simulation),
        "implied": implied_uplift(simulation), "migrated": migrated(simulation),
        "split": split(simulation), "resolve": resolve(simulation, n_draws=64),
    }  # fmt: skip
    fitted = tree()
    del fitted["data"]
    fitted.attrs |= {"notes": json.dumps(NOTES), "periods": json.dumps(["2023-01", "2024-12"])}
    return replace(
        good(), language=language, tree=fitted, programme=plan, simulation=simulation,
        answers=collect(simulation.whole), parts=answers,
    )  # fmt: skip


@cache
def good(plug_in: bool = False, language: str = "en") -> Findings:
    """Return the findings of a study whose verdicts are good."""
    return made(NAMES, levers(NAMES), plug_in=plug_in, language=language)


def made(
    names: tuple[str, ...], plan: Programme, *, plug_in: bool = False, language: str = "en"
) -> Findings:
    """Return the findings of a study with these names of segments and this programme."""
    simulation = simulated(names, plan, plug_in, language)
    total = float(simulation.value.attrs["value_total"])
    return Findings(
        title="A study",
        language=language,
        gate="good",
        fit="good",
        tree=tree(),
        segment_names=names,
        programme=plan,
        simulation=simulation,
        answers=collect(simulation.whole),
        parts=parts(simulation),
        ledger=Ledger(total, 1.01 * total, 0.03, float(N), 0.0),
        checklist={"prepared": "2026-03-02", "decided": "by the board"},
        run={"seed": "7", "data_hash": "a" * 64, "numpy": "2.0.0"},
    )


def refused(gate: str, fit: str, language: str) -> Findings:
    """Return the findings of a study with bad verdicts, money and all."""
    return replace(
        good(), gate=gate, fit=fit, language=language, tree=tree(gate == "good"),
        fallback=fallback(gate, fit, language),
    )  # fmt: skip
