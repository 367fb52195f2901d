"""The findings of a small study with three segments, two of them treated, for its workbook."""

from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr

from roi_builders import assumptions, company
from segment_builders import PRICE, VISITS, VOLUME, programme, value_of
from softseg.decisions.answers.bridge import bridge
from softseg.decisions.answers.drivers import evidence_share
from softseg.decisions.answers.headline import headline
from softseg.decisions.segments.by_segment import by_segment
from softseg.decisions.segments.choices import choices
from softseg.decisions.segments.findings import Findings
from softseg.decisions.segments.implied import implied_uplift
from softseg.decisions.segments.ledger import reconcile
from softseg.decisions.segments.number import number_in_money
from softseg.decisions.segments.programme import Programme
from softseg.decisions.segments.regret import regret
from softseg.decisions.segments.resolve import resolve
from softseg.decisions.segments.split import split
from softseg.decisions.segments.worth import simulate

NAMES = ("Quiet", "Busy", "Rare")
LEVERS: dict[str, dict[str, dict[str, Any]]] = {
    "Busy": {
        "price": PRICE | {"low": 0.5, "high": 2.0},
        "visits": VISITS | {"value": 0.01, "label": "Visits"},
    },
    "Quiet": {"more": VOLUME | {"low": -1.0, "high": 4.0}},
}
COMPANY: dict[str, dict[str, Any]] = company(
    discount_rate={"role": "discount_rate", "unit": "%", "value": 8.0},
    setup={"role": "one_off_cost", "unit": "EUR", "low": 1.0, "high": 2.0},
    realisation={"role": "realisation", "unit": "share", "value": 0.8},
)
UNIFORM: dict[str, dict[str, Any]] = {
    "uniform_price": PRICE | {"value": 0.3, "base": "revenue", "programme": "uniform"}
}
STEPS = ("decided", "implemented", "reviewed")


def table(n_samples: int = 100, n_customers: int = 120) -> tuple[xr.Dataset, Any, Any]:
    """Return the value of three kinds of customers, the labels by number, and the amounts."""
    rng = np.random.default_rng(4)
    amount = rng.gamma(2.0, size=n_customers)
    amount *= 100.0 / amount.sum()
    score = rng.normal([2.0, 1.0, 0.0], 2.0, (n_customers, 3))
    odds = np.exp(score + rng.normal(0.0, 0.5, (n_samples, 1, 3)))
    memberships = odds / odds.sum(axis=2, keepdims=True)
    top = memberships.mean(axis=0).argmax(axis=1) + 1
    labels = {1: np.ones_like(top), 2: np.minimum(top, 2), 3: top}
    hard = np.where(rng.random(n_customers) < 0.2, rng.integers(1, 4, n_customers), top)
    rules = {"programme": top, "kmeans": hard} | {f"segments_{n}": x for n, x in labels.items()}
    return value_of(memberships, amount, rules, rng), labels, amount


def tree_of(value: xr.Dataset) -> xr.DataTree:
    """Return what the workbook reads of the fit: the sizes."""
    heads = value["customers_lots"].sel(rule="programme", drop=True).sum("assigned")
    mean = heads.mean("sample")
    sizes = {
        "customers_mean": mean,
        "customers_lower": heads.quantile(0.05, "sample").drop_vars("quantile"),
        "customers_upper": heads.quantile(0.95, "sample").drop_vars("quantile"),
        "share_mean": mean / mean.sum(),
    }
    return xr.DataTree.from_dict({"/sizes": xr.Dataset(sizes)})


def planned(names: tuple[str, ...], texts: Iterator[str]) -> Programme:
    """Return the programme; texts stand wherever users write words, as far as there are any."""
    levers = {
        names[NAMES.index(name)]: {
            id: lever | {key: next(texts, lever.get(key, "")) for key in ("source", "label")}
            for id, lever in inputs.items()
        }
        for name, inputs in LEVERS.items()
    }
    plan = programme(levers, stated_uplift=0.02)
    entries = tuple(
        entry.model_copy(
            update={key: next(texts, f"The {key}") for key in ("strategy", "owner", "watch")}
        )
        for entry in plan.segments
    )
    return plan.model_copy(update={"segments": entries})


@cache
def findings(
    language: str = "en",
    names: tuple[str, ...] = NAMES,
    *,
    uniform: bool = False,
    plug_in: bool = False,
    smallest: float = 10.0,
    words: tuple[str, ...] = (),
) -> Findings:
    """Return the findings of a small study; `words` stand wherever users write words."""
    value, labels, amount = table()
    texts = iter(words)
    plan = planned(names, texts)
    settings = {"language": language} | ({"counterfactual": "uniform"} if uniform else {})
    given = assumptions(COMPANY | (UNIFORM if uniform else {}), **settings)
    sim = simulate(given, plan, value, names, n_replicates=4, n_draws=64, plug_in=plug_in, cores=1)
    parts = {"by_segment": by_segment(sim), "choices": choices(sim), "implied": implied_uplift(sim)}
    if not plug_in:
        parts |= {
            "split": split(sim),
            "resolve": resolve(sim, n_draws=64),
            "regret": regret(sim),
            "number": number_in_money(sim, value, labels, amount, 0.01),
        }
    answers: Any = SimpleNamespace(
        headline=headline(sim.whole), bridge=bridge(sim.whole), evidence=evidence_share(sim.whole)
    )
    return Findings(
        title=next(texts, "A study"),
        language=language,
        gate="good",
        fit="good",
        tree=tree_of(value),
        segment_names=names,
        programme=plan,
        simulation=sim,
        answers=answers,
        parts=parts,
        ledger=reconcile(value, 101.0, 0.05),
        checklist={"prepared": "2026-03-02"} | {step: next(texts, "") for step in STEPS},
        smallest_cell=smallest,
        run={"seed": "1", "data_hash": "f" * 64, "softseg": "9.9"},
    )
