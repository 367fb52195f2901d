"""Coverage: truth from the frozen prior, a table from the truth, intervals from the fit.

Segments of the posterior are matched to the true ones in two ways. "As delivered": the labels of
the package, matched once per table to the truth by the customers they share. "By order": in the
truth and in every draw the segments are numbered by their mean of the first indicator; this needs
no identified labels, so that the nominal coverage is exact for a sampler that is right, whatever
the overlap of the segments.
"""

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from softseg.families.namespace import NUMPY
from softseg.inference.sample import sample
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import Mixture, Values, specify
from softseg.results.membership import membership
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, Schema
from softseg.tables.table import Table

SIZES = (100, 300, 1000)
N_SEGMENTS = 3
FAMILIES = {
    "amount": "gaussian",
    "balance": "gaussian",
    "value": "lognormal",
    "orders": "poisson",
    "complaints": "negative_binomial",
    "days": "gamma",
    "service": "hurdle_lognormal",
    "online": "bernoulli",
    "industry": "categorical",
}
LOWER, UPPER = 0.05, 0.95


def units(n_tables: int) -> list[str]:
    """Return the names of the units of work: size of the table and seed."""
    return [f"{n}/{seed}" for seed in range(n_tables) for n in SIZES]


def frozen_schema() -> Schema:
    """Return a schema whose priors were scaled once, on a base table, and then frozen."""
    import pandas as pd

    rng = np.random.default_rng(20)
    n = 400
    frame = pd.DataFrame(
        {
            "amount": rng.normal(10.0, 4.0, n),
            "balance": rng.normal(0.0, 100.0, n),
            "value": rng.lognormal(5.0, 1.0, n),
            "orders": rng.poisson(rng.gamma(2.0, 3.0, n)),
            "complaints": rng.poisson(rng.gamma(1.0, 3.0, n)),
            "days": rng.gamma(3.0, 10.0, n),
            "service": np.where(rng.random(n) < 0.4, 0.0, rng.lognormal(3.0, 1.0, n)),
            "online": rng.choice(["no", "yes"], n),
            "industry": rng.choice(["a", "b", "c", "d"], n),
        }
    )
    entries = {name: IndicatorSchema(family=kind) for name, kind in FAMILIES.items()}
    return prepare(frame, Schema(indicators=entries)).schema


def simulated(
    mixture: Mixture, n: int, rng: np.random.Generator, missing: float = 0.05
) -> tuple[Table, Values]:
    """Return a table drawn from the prior, and the parameters behind it."""
    truth = mixture.draw_prior(rng)
    segment = rng.choice(mixture.n_segments, size=n, p=truth.share)
    columns = {}
    for name, member in mixture.families.items():
        coding = mixture.codings[name]
        drawn = member.draw(rng, truth.indicators[name], segment, None, coding)
        columns[name] = np.where(rng.random(n) < missing, np.nan, drawn)
    table = Table(mixture.schema, columns, {}, np.ones(n), rows=np.arange(1, n + 1))
    return table, truth


def work(unit: str, commit: str) -> dict[str, Any]:
    """Return, for one table, how many intervals of each kind there are and how many cover."""
    n, seed = (int(part) for part in unit.split("/"))
    rng = np.random.default_rng([n, seed])
    mixture = specify(frozen_schema(), N_SEGMENTS)
    table, truth = simulated(mixture, n, rng)
    statistics = reduce(table)
    fitted = sample(statistics, mixture, n_draws=500, rng=rng)
    draws = fitted.draws.values.flattened()
    true_membership = _memberships(statistics, truth)
    matched = _matched(statistics, draws, truth, true_membership)
    return {
        "commit": commit,
        "status": fitted.diagnosis.status,
        "failed": [check.name for check in fitted.diagnosis.failed],
        "delivered": _covered(statistics, draws, matched),
        "ordered": _covered(statistics, _ordered(draws), _ordered(truth)),
    }


def _memberships(statistics: Statistics, values: Values) -> np.ndarray:
    weights = statistics.layout.weights(values.indicators, NUMPY)
    return memberships(statistics, weights, values.share)[0]


def _matched(
    statistics: Statistics, draws: Values, truth: Values, true_membership: np.ndarray
) -> Values:
    """Return the truth with its segments in the order of the fitted ones."""
    mean = membership(statistics, draws)["mean"].values
    mine = true_membership[statistics.pattern_of_row]
    order = linear_sum_assignment(mean.T @ mine, maximize=True)[1]
    return truth.permuted(order)


def _ordered(values: Values) -> Values:
    return values.permuted(np.argsort(values.indicators["amount"]["mean"], axis=-1))


def _covered(statistics: Statistics, draws: Values, truth: Values) -> dict[str, list[int]]:
    counts: dict[str, list[int]] = {}

    def add(kind: str, samples: np.ndarray, true: np.ndarray) -> None:
        low, high = np.quantile(samples, [LOWER, UPPER], axis=0)
        inside = (low <= true) & (true <= high)
        known = counts.setdefault(kind, [0, 0])
        known[0] += int(inside.sum())
        known[1] += int(inside.size)

    add("share", draws.share, truth.share)
    for name, parameters in truth.indicators.items():
        for key, true in parameters.items():
            add(f"{FAMILIES[name]}.{key}", draws.indicators[name][key], true)
    result = membership(statistics, draws)
    true = _memberships(statistics, truth)[statistics.pattern_of_row]
    inside = (result["lower"].values <= true) & (true <= result["upper"].values)
    counts["membership"] = [int(inside.sum()), int(inside.size)]
    open_ = result["upper"].values > result["lower"].values
    counts["membership in doubt"] = [int((inside & open_).sum()), int(open_.sum())]
    return counts
