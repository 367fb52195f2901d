"""Coverage in money: the net present value of a programme per segment, truth known.

A company is drawn: parameters from the frozen prior, customers from the parameters, effects and
costs from the stated ranges. Its table is fitted, its customers are treated by their top segment,
and the band of the net present value is set against what the programme really brings: effects on
the customers who are treated as a segment and belong to it. Segments are numbered by their mean of
the first indicator, in the truth and in every draw, so that the nominal coverage is exact for
draws that are right.

Beside it stand the same band with the segments at their means (plug-in), and two that take labels
for the truth: the top segment, and k-means. Each is judged by what its own programme brings.

Series: the model is right; indicators of other families than the model assumes; indicators that
move together inside a segment; a value that differs between segments beyond the indicators.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import norm, poisson

from softseg.comparison.hard import features, kmeans
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.sampling import draw
from softseg.decisions.model.simulate import Simulation
from softseg.decisions.segments.expand import PROGRAMME_RULE, segment_id
from softseg.decisions.segments.programme import Programme
from softseg.decisions.segments.worth import SegmentSimulation, simulate
from softseg.inference.sample import sample
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import Values, specify
from softseg.priors import Prior
from softseg.results.membership import membership
from softseg.results.value import value
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, PriorSchema, Schema
from softseg.tables.table import Table

SERIES = ("right", "family", "dependence", "value")
N_CUSTOMERS = 300
N_SEGMENTS = 3
NAMES = ("1", "2", "3")
FAMILIES = {
    "amount": "gaussian",
    "balance": "gaussian",
    "revenue": "lognormal",
    "orders": "poisson",
    "days": "gamma",
    "industry": "categorical",
}
PRIORS: dict[str, dict[str, Prior]] = {
    "amount": {"mean": Prior("Normal", mu=10.0, sigma=7.0),
               "sd": Prior("SqrtInverseGamma", alpha=8.0, beta=112.0)},
    "balance": {"mean": Prior("Normal", mu=0.0, sigma=7.0),
                "sd": Prior("SqrtInverseGamma", alpha=8.0, beta=112.0)},
    "revenue": {"log_mean": Prior("Normal", mu=10.0, sigma=1.1),
                "log_sd": Prior("SqrtInverseGamma", alpha=8.0, beta=3.4)},
    "orders": {"rate": Prior("Gamma", alpha=2.5, beta=0.4)},
    "days": {"mean": Prior("InverseGamma", alpha=5.0, beta=120.0),
             "shape": Prior("LogNormal", mu=1.1, sigma=0.3)},
    "industry": {"probability": Prior("Dirichlet", alpha=(2.0, 2.0, 2.0, 2.0))},
}  # fmt: skip
"""Segments about one standard deviation apart in each indicator: some six customers of seven get
the right label. With the default priors they lie so far apart that labels are nearly certain."""
RANGES = {"measured": 0.05, "pilot": 0.2, "published": 0.6}
"""Half the width of the 90 % ranges of effects and costs, relative to their middle."""
CORRELATION = 0.6
LOWER, UPPER = 0.05, 0.95
HARD, TOP = "kmeans", PROGRAMME_RULE


def units(n_companies: int) -> list[str]:
    """Return the names of the units of work: series and seed."""
    return [f"{series}/{seed}" for seed in range(n_companies) for series in SERIES]


def frozen_schema() -> Schema:
    """Return a schema whose priors were scaled once, on a base table, and then frozen."""
    import pandas as pd

    rng = np.random.default_rng(21)
    n = 400
    frame = pd.DataFrame(
        {
            "amount": rng.normal(10.0, 4.0, n),
            "balance": rng.normal(0.0, 4.0, n),
            "revenue": rng.lognormal(10.0, 0.8, n),
            "orders": rng.poisson(rng.gamma(2.0, 3.0, n)),
            "days": rng.gamma(3.0, 10.0, n),
            "industry": rng.choice(["a", "b", "c", "d"], n),
        }
    )
    entries = {
        name: IndicatorSchema(
            family=kind, priors={key: PriorSchema.of(p) for key, p in PRIORS[name].items()}
        )
        for name, kind in FAMILIES.items()
    }
    return prepare(frame, Schema(indicators=entries)).schema


def assumptions(half_width: float) -> Assumptions:
    """Return the company's assumptions; what is uncertain lies in the programme."""
    inputs = {
        "margin": {"role": "contribution_margin", "unit": "%", "value": 35.0},
        "rate": {"role": "discount_rate", "unit": "%", "value": 8.0},
        "no_effect": {"role": "no_effect", "unit": "%", "value": 0.0},
        "realisation": {"role": "realisation", "unit": "%", "value": 100.0},
        "project": {"role": "one_off_cost", "unit": "EUR", **_range(60_000.0, half_width)},
    }
    return Assumptions.model_validate({"horizon": 3, "inputs": inputs})


def programme(half_width: float) -> Programme:
    """Return a programme with one lever and one cost for each segment."""
    levers = {"1": ("volume", 6.0), "2": ("price", 2.0), "3": ("cross_selling", 8.0)}
    segments = [
        {
            "segment": name,
            "inputs": {
                "effect": {"role": "revenue_effect", "effect": kind, "unit": "%",
                           **_range(middle, half_width)},
                "care": {"role": "running_cost", "unit": "EUR/year", "per": "customer",
                         **_range(100.0, half_width)},
            },
        }
        for name, (kind, middle) in levers.items()
    ]  # fmt: skip
    return Programme.model_validate({"segments": segments})


def _range(middle: float, half_width: float) -> dict[str, Any]:
    return {"low": middle * (1 - half_width), "high": middle * (1 + half_width),
            "family": "lognormal"}  # fmt: skip


def work(unit: str) -> dict[str, Any]:
    """Return, for one company, whether each band covers what its programme brings."""
    series, seed = unit.split("/")
    rng = np.random.default_rng([21, SERIES.index(series), int(seed)])
    mixture = specify(frozen_schema(), N_SEGMENTS)
    truth = _ordered(mixture.draw_prior(rng))
    segment = rng.choice(N_SEGMENTS, size=N_CUSTOMERS, p=truth.share)
    columns = _columns(series, truth, segment, rng)
    amount = columns["revenue"].copy()
    if series == "value":
        amount *= np.exp(rng.normal(0.0, 0.5, N_SEGMENTS))[segment]
    for name in ("amount", "balance", "orders", "days", "industry"):
        columns[name] = np.where(rng.random(N_CUSTOMERS) < 0.05, np.nan, columns[name])
    ones = np.ones(N_CUSTOMERS)
    table = Table(mixture.schema, columns, {}, ones, rows=np.arange(1, N_CUSTOMERS + 1))
    statistics = reduce(table)
    fitted = sample(statistics, mixture, n_draws=500, rng=rng)
    delivered = fitted.draws.values.flattened()
    found: dict[str, Any] = {"status": fitted.diagnosis.status}
    for name, draws, true in (
        ("delivered", delivered, _matched(statistics, delivered, segment)),
        ("ordered", _ordered(delivered), segment),
    ):
        rules = _rules(table, statistics, draws, int(seed))
        worth = value(statistics, draws, amount, rules, np.random.default_rng([22, int(seed)]))
        bases = _worth_in_truth(amount, true, rules)
        found[name] = {
            key: _bands(worth, bases, half_width, seed=int(seed) + 1)
            for key, half_width in RANGES.items()
        } | {"right_label": float((rules[TOP] == true + 1).mean())}
    return found


def _matched(statistics: Statistics, draws: Values, segment: np.ndarray) -> np.ndarray:
    """Return the true segments under the numbers of the fitted ones."""
    members = membership(statistics, draws)["mean"].values
    shared = np.stack([members[segment == k].sum(axis=0) for k in range(N_SEGMENTS)])
    return linear_sum_assignment(shared, maximize=True)[1][segment]


def _columns(
    series: str, truth: Values, segment: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the indicators of all customers, (customer,) each."""
    mixture = specify(frozen_schema(), N_SEGMENTS)
    found = {
        name: member.draw(rng, truth.indicators[name], segment, None, mixture.codings[name])
        for name, member in mixture.families.items()
    }
    n, at = len(segment), {name: {key: x[segment] for key, x in parameters.items()}
                           for name, parameters in truth.indicators.items()}  # fmt: skip
    if series == "family":
        heavy = rng.standard_t(3, n) / np.sqrt(3.0)
        found["amount"] = at["amount"]["mean"] + at["amount"]["sd"] * heavy
        found["orders"] = rng.poisson(at["orders"]["rate"] * rng.gamma(2.0, 0.5, n)).astype(float)
    if series == "dependence":
        shared = rng.standard_normal(n)
        moved = {
            name: np.sqrt(CORRELATION) * shared
            + np.sqrt(1.0 - CORRELATION) * rng.standard_normal(n)
            for name in ("amount", "revenue", "orders")
        }
        found["amount"] = at["amount"]["mean"] + at["amount"]["sd"] * moved["amount"]
        logs = at["revenue"]["log_mean"] + at["revenue"]["log_sd"] * moved["revenue"]
        found["revenue"] = np.exp(logs)
        found["orders"] = poisson.ppf(norm.cdf(moved["orders"]), at["orders"]["rate"])
    return found


def _ordered(values: Values) -> Values:
    return values.permuted(np.argsort(values.indicators["amount"]["mean"], axis=-1))


def _rules(table: Table, statistics: Statistics, draws: Values, seed: int) -> dict[str, np.ndarray]:
    """Return the top segment and the matched cluster of k-means of each customer."""
    members = membership(statistics, draws)["mean"].values
    clusters = kmeans(features(table), N_SEGMENTS, seed, table.count)
    shared = np.stack([members[clusters == c].sum(axis=0) for c in range(1, N_SEGMENTS + 1)])
    matched = linear_sum_assignment(shared, maximize=True)[1]
    return {TOP: members.argmax(axis=1) + 1, HARD: matched[clusters - 1] + 1}


def _worth_in_truth(
    amount: np.ndarray, segment: np.ndarray, rules: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Return the true bases by rule: value of the treated who belong, and number of treated."""
    found: dict[str, dict[str, float]] = {}
    for rule, labels in rules.items():
        found[rule] = {}
        for k in range(1, N_SEGMENTS + 1):
            right = (labels == k) & (segment == k - 1)
            found[rule][segment_id(k, "value")] = float(amount[right].sum())
            found[rule][segment_id(k, "customers")] = float((labels == k).sum())
    return found


def _bands(
    worth: Any, true: Mapping[str, dict[str, float]], half_width: float, seed: int
) -> dict[str, list[float]]:
    """Return lower end, truth and upper end of each band, in EUR."""
    known, plan = assumptions(half_width), programme(half_width)
    options: dict[str, Any] = {"n_replicates": 2, "n_draws": 2048, "seed": seed, "cores": 1}
    soft = simulate(known, plan, worth, NAMES, **options)
    means = simulate(known, plan, worth, NAMES, plug_in=True, **options)
    brings = {rule: _brings(soft, bases, seed) for rule, bases in true.items()}
    npv = {
        "draws": soft.whole.outcome().npv,
        "plug_in": means.whole.outcome().npv,
        "top_segment": _as_if_true(means, worth, TOP),
        "kmeans": _as_if_true(means, worth, HARD),
    }
    whose = {"draws": TOP, "plug_in": TOP, "top_segment": TOP, "kmeans": HARD}
    return {
        name: [float(np.quantile(x, LOWER)), brings[whose[name]], float(np.quantile(x, UPPER))]
        for name, x in npv.items()
    }


def _brings(soft: SegmentSimulation, bases: Mapping[str, float], seed: int) -> float:
    """Return what the programme really brings: effects and costs drawn once, bases as they are."""
    whole = soft.expanded.assumptions
    once = draw(whole, n_replicates=1, n_draws=1, seed=100_000 + seed)
    return float(Simulation(whole, once, 1).pinned(bases).outcome().npv[0, 0])


def _as_if_true(means: SegmentSimulation, worth: Any, rule: str) -> np.ndarray:
    """Return the net present value if every label were right, (replicate, draw)."""
    treated = worth.sel(rule=rule)
    bases: dict[str, float] = {}
    for k in range(1, N_SEGMENTS + 1):
        for what in ("value", "customers"):
            number = treated[f"{what}_treated"].sel(assigned=k)
            bases[segment_id(k, what)] = float(number)
    return means.whole.pinned(bases).outcome().npv
