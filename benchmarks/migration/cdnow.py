"""Orders out of sample: the latent Markov model with silent churn beside BG/NBD and Pareto/NBD.

``python -m benchmarks.migration.cdnow FOLDER`` reads the event log of the 2,357 CDNOW customers,
fits on weeks 1 to 39, forecasts weeks 40 to 78, and writes ``results/cdnow.json``.

The latent Markov model sees repeat orders in periods of three weeks, the first one from the day of
the first order on, with the weeks as exposure. A period without orders may be one of a churned
customer. Family and number of segments are those with the highest evidence on the calibration
weeks; the holdout is not looked at.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import poisson

from benchmarks.migration.purchases import Array, BetaGeometric, Customers, Pareto
from softseg.inference.markov.sample import sample_markov
from softseg.inference.markov.space import MarkovSpace, emissions
from softseg.inference.sample import Sampled
from softseg.likelihood.histories import ACTIVE, ANY, histories_of
from softseg.likelihood.markov import filtered_of
from softseg.likelihood.statistics import reduce
from softseg.models.latent_markov import chain_of, specify_markov
from softseg.models.plan import theta_of
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, Schema

RESULTS: Final = Path(__file__).parent / "results"
DAYS: Final = 21
"""Days of a period."""
PERIODS: Final = 13
"""Of the calibration, and of the holdout."""
WEEKS: Final = DAYS * PERIODS / 7
CANDIDATES: Final = (
    *(("poisson", k) for k in (1, 2, 3, 4, 5)),
    *(("negative_binomial", k) for k in (1, 2, 3, 4)),
)
DRAWS: Final = 200
"""Posterior draws that are projected."""
PATHS: Final = 60
"""Futures of every draw and segment, and draws of the simpler models' rates."""
SCORES: Final = ("mae", "rmse", "log_score", "total")
MOST: Final = 60
"""The most orders in the holdout whose probability is told apart."""


@dataclass(frozen=True)
class Log:
    """Repeat orders by customer and period.

    Attributes
    ----------
    entry
        Day of the first order, (customer,).
    orders
        Repeat orders, one a day at the most, (customer, period), calibration and holdout.
    customers
        What the simpler models take, at the end of the calibration.
    """

    entry: NDArray[np.int64]
    orders: NDArray[np.int64]
    customers: Customers

    @property
    def later(self) -> NDArray[np.int64]:
        """Orders in the holdout, (customer,)."""
        return self.orders[:, PERIODS:].sum(axis=1)


def read(path: Path) -> Log:
    """Return the log of a file with a master id, a customer, a date, discs and dollars a line."""
    columns = ["master", "customer", "date", "discs", "dollars"]
    table = pd.read_csv(path, sep=r"\s+", header=None, names=columns, dtype={"customer": str})
    date = pd.to_datetime(table["date"].astype(str), format="%Y%m%d")
    day = (date - pd.Timestamp("1997-01-01")).dt.days
    days = pd.DataFrame({"customer": table["customer"], "day": day}).drop_duplicates()
    entry = days.groupby("customer")["day"].min()
    days = days[days["day"] > days["customer"].map(entry)]
    index = entry.index.get_indexer(days["customer"])
    orders = np.zeros((len(entry), 2 * PERIODS), dtype=np.int64)
    np.add.at(orders, (index, days["day"].to_numpy() // DAYS), 1)
    end = PERIODS * DAYS - 1
    seen = days[days["day"] <= end]
    last = seen.groupby("customer")["day"].max().reindex(entry.index).fillna(entry)
    customers = Customers(
        x=orders[:, :PERIODS].sum(axis=1).astype(float),
        t_x=(last - entry).to_numpy(float) / 7,
        T=(end - entry).to_numpy(float) / 7,
    )
    return Log(entry.to_numpy(), orders, customers)


@dataclass(frozen=True)
class Fitted:
    """A latent Markov model of the calibration, and what its projection needs."""

    sampled: Sampled
    space: MarkovSpace
    history_of: NDArray[np.intp]
    family: str
    log_evidence: float


def fit(log: Log, family: str, n_segments: int, seed: int) -> Fitted:
    """Return the model of a family of counts and a number of segments."""
    first, rows, row, sign, start = log.entry // DAYS, [], [], [], [0]
    for i, entry in enumerate(log.entry):
        for t in range(first[i], PERIODS):
            weeks = ((t + 1) * DAYS - 1 - entry) / 7 if t == first[i] else DAYS / 7
            n = int(log.orders[i, t])
            row.append(len(rows) if weeks > 0 else -1)
            sign.append(ANY if n == 0 and t > first[i] else ACTIVE)
            if weeks > 0:
                rows.append((n, weeks))
        start.append(len(row))
    frame = pd.DataFrame(rows, columns=["orders", "weeks"])
    column = IndicatorSchema(family=family, exposure="weeks")
    table = prepare(frame, Schema(indicators={"orders": column}))
    statistics = reduce(table)
    histories = histories_of(
        statistics, row=np.array(row), sign=np.array(sign), start=np.array(start), churns=True
    )
    model = specify_markov(table.schema, n_segments, churns=True)
    rng = np.random.default_rng(seed)
    found = sample_markov(statistics, histories, model, rng=rng, method="laplace", cores=2)
    evidence = float(found.draws.sample_stats["log_evidence"][0, 0]) + lgamma(n_segments + 1)
    space = MarkovSpace.on(model, statistics, histories)
    return Fitted(found, space, histories.history_of, family, evidence)


@dataclass(frozen=True)
class Projection:
    """What a latent Markov model says of the holdout.

    Attributes
    ----------
    mean
        Expected orders, (customer,).
    probability
        P(orders = y), (customer, y).
    by_period
        Expected orders of all customers, (draw, period).
    total
        Orders of all customers, parameters and chance drawn, (draw,).
    fitted
        Expected repeat orders of all customers in the calibration, before it is seen, (period,).
    alive
        Probability of not having churned at the end of the calibration, (customer,).
    """

    mean: Array
    probability: Array
    by_period: Array
    total: Array
    fitted: Array
    alive: Array


def project(log: Log, found: Fitted, rng: np.random.Generator) -> Projection:
    """Return the projection of a model, draw by draw."""
    values = found.sampled.draws.values.flattened()
    chosen = rng.choice(len(values.share), DRAWS, replace=False)
    n_customers, space = len(log.entry), found.space
    mean, probability = np.zeros(n_customers), np.zeros((n_customers, MOST + 1))
    alive, fitted = np.zeros(n_customers), np.zeros(PERIODS)
    by_period, total = np.empty((DRAWS, PERIODS)), np.empty(DRAWS)
    for d, index in enumerate(chosen):
        one = values.at(index)
        theta = np.ascontiguousarray(theta_of(space.mixture, one))
        begin, moves = chain_of(space.chain, one.share, theta)
        moves, n_segments = moves[0], len(one.share)
        density = emissions(space.plan, theta, space.sequences, n_segments + 1)[0]
        states = filtered_of(space.sequences, density, begin, moves[None])[0][found.history_of]
        here, rate = states, np.append(one.indicators["orders"]["rate"], 0.0)
        alive += 1.0 - here[:, -1]
        for t in range(PERIODS):
            here = here @ moves
            by_period[d, t] = here.sum(axis=0) @ rate * DAYS / 7
            mean += here @ rate * DAYS / 7
        futures = _futures(rng, one.indicators["orders"], found.family, moves)
        exact = poisson.pmf(np.arange(MOST + 1)[:, None, None], futures).mean(axis=2).T
        probability += states @ exact
        state = (rng.random(n_customers)[:, None] >= states.cumsum(axis=1)[:, :-1]).sum(axis=1)
        total[d] = rng.poisson(futures[state, rng.integers(PATHS, size=n_customers)]).sum()
        fitted += _before(log, begin[0], moves, rate)
    return Projection(
        mean / DRAWS, probability / DRAWS, by_period, total, fitted / DRAWS, alive / DRAWS
    )


def _futures(
    rng: np.random.Generator, orders: Mapping[str, Array], family: str, moves: Array
) -> Array:
    """Return expected orders over the holdout along drawn paths, (state now, path)."""
    n_states = len(moves)
    state = np.repeat(np.arange(n_states)[:, None], PATHS, axis=1)
    rate, found = np.append(orders["rate"], 0.0), np.zeros(state.shape)
    edges = moves.cumsum(axis=1)[:, :-1]
    for _ in range(PERIODS):
        state = (rng.random(state.shape)[..., None] >= edges[state]).sum(axis=-1)
        expected = rate[state] * DAYS / 7
        if family == "negative_binomial":
            shape = np.append(orders["shape"], 1.0)[state]
            expected = expected * rng.gamma(shape) / shape
        found += expected
    return found


def _before(log: Log, begin: Array, moves: Array, rate: Array) -> Array:
    """Return expected repeat orders of all customers by period of the calibration."""
    found = np.zeros(PERIODS)
    for entry, n in zip(*np.unique(log.entry, return_counts=True), strict=True):
        here, first = begin, int(entry // DAYS)
        found[first] += n * (here @ rate) * ((first + 1) * DAYS - 1 - entry) / 7
        for t in range(first + 1, PERIODS):
            here = here @ moves
            found[t] += n * (here @ rate) * DAYS / 7
    return found


def scores(log: Log, mean: Array, probability: Array, total: Array) -> dict[str, Any]:
    """Return how a forecast met the holdout."""
    later = log.later
    chance = probability[np.arange(len(later)), np.minimum(later, MOST)]
    return {
        "total": float(mean.sum()),
        "total_90": np.quantile(total, [0.05, 0.95]).round(0).tolist(),
        "mae": float(np.abs(mean - later).mean()),
        "rmse": float(np.sqrt(((mean - later) ** 2).mean())),
        "log_score": float(np.log(np.maximum(chance, 1e-12)).mean()),
        "zero": float(probability[:, 0].sum()),
    }


def peer(
    log: Log, kind: type[BetaGeometric] | type[Pareto], rng: np.random.Generator
) -> dict[str, Any]:
    """Return fit and forecast of one of the simpler models."""
    c = log.customers
    model, covariance = kind.fitted(c)
    logs = np.log(list(vars(model).values()))
    draws = [kind(*np.exp(each)) for each in rng.multivariate_normal(logs, covariance, DRAWS)]
    mean = model.expected_after(c, WEEKS)
    probability = model.probabilities_after(c, WEEKS, MOST, rng, n=PATHS)
    total = np.array([draw.drawn_after(c, WEEKS, rng).sum() for draw in draws])
    ends = np.arange(1, PERIODS + 1) * DAYS / 7
    fitted = [
        model.expected(np.maximum(end - 1 / 7 - log.entry / 7, 0.0)).sum() for end in ends
    ]  # fmt: skip
    return {
        "parameters": vars(model),
        "log_likelihood": model.log_likelihood(c),
        "alive": float(model.alive(c).sum()),
        "fitted": np.round(fitted, 1).tolist(),
        "by_period": [round(float(model.expected_after(c, end).sum()), 1) for end in ends],
        **scores(log, mean, probability, total),
    }


def ours(log: Log, found: Fitted, rng: np.random.Generator) -> dict[str, Any]:
    """Return fit and forecast of a latent Markov model."""
    seen = project(log, found, rng)
    values = found.sampled.draws.values.flattened()
    cumulative = seen.by_period.cumsum(axis=1)
    return {
        "rates": values.indicators["orders"]["rate"].mean(axis=0).round(4).tolist(),
        "shares": values.share.mean(axis=0).round(4).tolist(),
        "transitions": values.indicators["transition"]["all"].mean(axis=0).round(4).tolist(),
        "alive": float(seen.alive.sum()),
        "fitted": seen.fitted.cumsum().round(1).tolist(),
        "by_period": cumulative.mean(axis=0).round(1).tolist(),
        "by_period_90": np.quantile(cumulative, [0.05, 0.95], axis=0).round(1).tolist(),
        **scores(log, seen.mean, seen.probability, seen.total),
    }


def main() -> None:
    """Fit, choose, forecast and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with CDNOW_sample.txt and the weekly tracking")
    given = parser.parse_args()
    log = read(given.folder / "CDNOW_sample.txt")
    rng = np.random.default_rng(1)
    tracking = pd.read_csv(given.folder / "cdnow_cu_tracking.csv")["cu.tracking"]
    line: dict[str, Any] = {
        "actual": int(log.later.sum()),
        "actual_zero": int((log.later == 0).sum()),
        "tracking": tracking.tolist(),
        "BG/NBD": peer(log, BetaGeometric, rng),
        "Pareto/NBD": peer(log, Pareto, rng),
    }
    RESULTS.mkdir(exist_ok=True)
    candidates: list[dict[str, Any]] = []
    for family, k in CANDIDATES:
        found = fit(log, family, k, seed=k)
        stats = found.sampled.draws.sample_stats
        one = {
            "family": family,
            "segments": k,
            "log_evidence": found.log_evidence,
            "log_likelihood": found.sampled.modes.best.log_likelihood,
            "pareto_k": float(stats["pareto_k"][0, 0]),
            "gate": found.sampled.diagnosis.status,
            "failed": [check.name for check in found.sampled.diagnosis.failed],
            **ours(log, found, rng),
        }
        candidates.append(one)
        print({name: one[name] for name in ("family", "segments", "log_evidence", "gate", *SCORES)})
        best = max(candidates, key=lambda each: each["log_evidence"])
        line |= {"candidates": candidates, "latent Markov": best}
        line["chosen"] = f"{best['family']}, segments: {best['segments']}"
        text = json.dumps(line, indent=1) + "\n"
        (RESULTS / "cdnow.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
