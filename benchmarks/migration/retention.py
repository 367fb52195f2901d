"""Contracts out of sample: latent Markov segments with observed churn beside the shifted
beta-geometric.

``python -m benchmarks.migration.retention FOLDER`` fits the survivors of two cohorts of 1,000 after
0 to 7 renewals, forecasts years 8 to 12, and writes ``results/retention.json``.

The customers show nothing but that they stay or leave. Segments then differ only in how fast they
leave and where they move, labels cannot be aligned by indicators, and the gate refuses the fit by
design. The survival curve does not depend on labels. One row with an indicator of fixed, equal
chance stands for the first year, because a panel needs a column.
"""

import argparse
import json
import warnings
from math import lgamma
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.migration.cdnow import RESULTS
from benchmarks.migration.purchases import Array, Shifted, log_density_of
from softseg.inference.markov.sample import sample_markov
from softseg.likelihood.histories import ACTIVE, CHURNED, histories_of
from softseg.likelihood.statistics import reduce
from softseg.models.latent_markov import specify_markov
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, PriorSchema, Schema

YEARS: Final = 7
"""Renewals of the calibration."""
SEGMENTS: Final = (1, 2, 3)


def main() -> None:
    """Fit, forecast and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with sbg_retention.csv")
    given = parser.parse_args()
    table = pd.read_csv(given.folder / "sbg_retention.csv")
    found = {name: cohort(table[name].to_numpy(float)) for name in ("highend", "regular")}
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(found, indent=1) + "\n"
    (RESULTS / "retention.json").write_text(text, encoding="utf-8")


def cohort(survivors: Array) -> dict[str, Any]:
    """Return fits and forecasts of one cohort."""
    seen = survivors[: YEARS + 1]
    model, covariance = Shifted.fitted(seen)
    rng = np.random.default_rng(1)
    logs = np.log([model.alpha, model.beta])
    draws = [Shifted(*np.exp(each)) for each in rng.multivariate_normal(logs, covariance, 1000)]
    ahead = np.arange(len(survivors))
    curves = np.array([draw.survival(ahead) for draw in draws])
    found: dict[str, Any] = {
        "actual": survivors.tolist(),
        "shifted beta-geometric": {
            "parameters": [model.alpha, model.beta],
            **told(survivors, model.survival(ahead), curves),
        },
    }
    for k in SEGMENTS:
        curves, more = latent_markov(seen, k, len(survivors))
        found[f"latent Markov, {k}"] = told(survivors, curves.mean(axis=0), curves) | more
        print(k, found[f"latent Markov, {k}"], flush=True)
    return found


def told(survivors: Array, survival: Array, curves: Array) -> dict[str, Any]:
    """Return how a survival curve meets the years it was fitted on and those after."""
    later = slice(YEARS, None)
    return {
        "survival": survival.round(4).tolist(),
        "survival_90": np.quantile(curves, [0.05, 0.95], axis=0).round(4).tolist(),
        "log_likelihood": log_density_of(survivors[: YEARS + 1], survival[: YEARS + 1]),
        "log_score": log_density_of(survivors[later], survival[later] / survival[YEARS]),
        "worst": float(np.abs(survival - survivors / survivors[0])[YEARS + 1 :].max()),
    }


def latent_markov(seen: Array, k: int, n_years: int) -> tuple[Array, dict[str, Any]]:
    """Return survival curves, (draw, year), and what the fit was like."""
    row, sign, start, count = [], [], [0], []
    leavers = -np.diff(seen)
    for t, n in enumerate([*leavers, seen[-1]]):
        steps = len(seen) if t == len(leavers) else t + 2
        row += [t % 2, *[-1] * (steps - 1)]
        sign += [ACTIVE] * (steps - 1) + [CHURNED if t < len(leavers) else ACTIVE]
        start.append(len(row))
        count.append(n)
    even = PriorSchema.model_validate({"distribution": "Fixed", "value": 0.5})
    column = IndicatorSchema(family="bernoulli", priors={"probability": even})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = prepare(
            pd.DataFrame({"there": [True, False]}), Schema(indicators={"there": column})
        )
    statistics = reduce(table)
    histories = histories_of(
        statistics, row=np.array(row), sign=np.array(sign), start=np.array(start), churns=True,
        count=np.array(count),
    )  # fmt: skip
    model = specify_markov(table.schema, k, churns=True)
    rng = np.random.default_rng(k)
    found = sample_markov(statistics, histories, model, rng=rng, method="laplace", cores=2)
    values = found.draws.values.flattened()
    moves = values.indicators["transition"]["all"]
    here, curves = values.share, [np.ones(len(values.share))]
    for _ in range(n_years - 1):
        here = np.einsum("dj,djk->dk", here, moves[..., :k])
        curves.append(here.sum(axis=1))
    stats = found.draws.sample_stats
    return np.stack(curves, axis=1), {
        "log_evidence": float(stats["log_evidence"][0, 0]) + lgamma(k + 1),
        "pareto_k": float(stats["pareto_k"][0, 0]),
        "importance_ess": float(stats["importance_ess"][0, 0]),
        "gate": found.diagnosis.status,
        "failed": [check.name for check in found.diagnosis.failed],
    }


if __name__ == "__main__":
    main()
