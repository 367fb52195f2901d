"""The models of the reference posteriors: tables that are always the same, and what is compared.

Six tables of our own, made from a seed, whose posteriors were frozen with long runs, and
`low_dim_gauss_mix` of posteriordb, whose data and draws come from outside.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from builders import frame_of, schema_of, truth
from softseg.inference.diagnose import quantities
from softseg.models.mixture import Values
from softseg.priors import Prior
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, PriorSchema, Schema
from softseg.tables.table import Table

FROZEN = Path(__file__).parents[1] / "reference" / "posteriors.json"
OUTSIDE = "low_dim_gauss_mix"
ERRORS = 4.0
"""Means agree within so many Monte Carlo errors."""


@dataclass(frozen=True)
class Case:
    """A table drawn from known parameters: the families of its indicators and how it is made."""

    families: Mapping[str, str]
    share: tuple[float, ...]
    n: int
    missing: float = 0.0
    exposures: Mapping[str, str] | None = None
    centres: Mapping[str, tuple[float, ...]] | None = None
    """Means of Gaussian indicators, instead of the builders'."""


def _several(family: str, n: int) -> dict[str, str]:
    return {f"{family}_{i + 1}": family for i in range(n)}


MIXED = {
    "amount": "gaussian",
    "days": "gamma",
    "service": "hurdle_lognormal",
    "orders": "poisson",
    "industry": "categorical",
    "online": "bernoulli",
}
CASES: dict[str, Case] = {
    "lca": Case({**_several("categorical", 3), **_several("bernoulli", 3)}, (0.6, 0.4), 300),
    "gaussian": Case(_several("gaussian", 3), (0.5, 0.3, 0.2), 300),
    "mixed": Case(MIXED, (0.6, 0.4), 200, exposures={"orders": "years"}),
    "missing": Case(MIXED, (0.6, 0.4), 200, missing=0.2, exposures={"orders": "years"}),
    "overlap": Case(
        _several("gaussian", 3),
        (0.6, 0.4),
        400,
        centres={"gaussian_1": (0.0, 2.2), "gaussian_2": (0.0, 1.8), "gaussian_3": (0.0, 1.8)},
    ),
    "counts": Case(
        {"orders": "poisson", "complaints": "negative_binomial", "visits": "negative_binomial"},
        (0.6, 0.4),
        200,
        exposures={"orders": "years", "complaints": "years"},
    ),
}


def table_of_case(name: str) -> Table:
    """Return the table of a case of our own, its schema frozen."""
    case = CASES[name]
    rng = np.random.default_rng([5, list(CASES).index(name)])
    values = truth(case.families, case.share)
    for indicator, means in (case.centres or {}).items():
        spread = {"mean": np.array(means), "sd": np.ones(len(means))}
        values = Values(values.share, {**values.indicators, indicator: spread})
    frame, _ = frame_of(
        case.families, values, case.n, rng, missing=case.missing, exposures=case.exposures
    )
    return prepare(frame, schema_of(case.families, case.exposures))


def fingerprint(table: Table) -> float:
    """Return the sum of all cells: another number means another table."""
    cells = [*table.columns.values(), *table.exposures.values()]
    return float(sum(np.nansum(column) for column in cells))


def low_dim_table(path_of: Callable[[str], Path]) -> Table:
    """Return posteriordb's table with its priors: means N(0, 2), sds N⁺(0, 2), share Beta(5, 5)."""
    import pandas as pd

    data = json.loads(path_of(f"{OUTSIDE}.json").read_text(encoding="utf-8"))
    priors = {
        "mean": PriorSchema.of(Prior("Normal", mu=0.0, sigma=2.0)),
        "sd": PriorSchema.of(Prior("HalfNormal", sigma=2.0)),
    }
    schema = Schema(
        indicators={"y": IndicatorSchema(family="gaussian", priors=priors)},
        share=PriorSchema.of(Prior("Dirichlet", alpha=5.0)),
    )
    return prepare(pd.DataFrame({"y": data["y"]}), schema)


def low_dim_reference(path_of: Callable[[str], Path]) -> dict[str, dict[str, float]]:
    """Return mean, sd and Monte Carlo error of posteriordb's reference draws, which are iid."""
    import pandas as pd

    draws = pd.read_parquet(path_of(f"{OUTSIDE}-{OUTSIDE}.draws.parquet"))
    columns = {
        "share[1]": "theta",
        "y__mean[1]": "mu[1]",
        "y__mean[2]": "mu[2]",
        "y__sd[1]": "sigma[1]",
        "y__sd[2]": "sigma[2]",
    }
    return {
        ours: {
            "mean": float(draws[theirs].mean()),
            "sd": float(draws[theirs].std()),
            "error": float(draws[theirs].std() / np.sqrt(len(draws))),
        }
        for ours, theirs in columns.items()
    }


def summary(
    values: Values, log_likelihood: np.ndarray, ess: float | None = None
) -> dict[str, dict[str, float]]:
    """Return mean, sd and Monte Carlo error of every quantity, segments in order.

    Segments are numbered by their first parameter of the first indicator in every draw, which
    needs no identified labels. Shapes, whose tails are heavy, stand on the log scale.

    Parameters
    ----------
    values
        Leading axes (chain, draw).
    ess
        Effective number of draws where they are resampled and show none of it themselves.
    """
    from arviz_stats.base import array_stats

    first = next(iter(next(iter(values.indicators.values())).values()))
    key = first if first.ndim == 3 else first[..., 0]
    ordered = values.permuted(np.argsort(key, axis=-1))
    ordered = Values(
        ordered.share,
        {
            indicator: {n: np.log(v) if n == "shape" else v for n, v in parameters.items()}
            for indicator, parameters in ordered.indicators.items()
        },
    )
    names, draws = quantities(ordered, log_likelihood)
    found: dict[str, dict[str, float]] = {}
    for i, name in enumerate(names):
        series = draws[..., i]
        if np.ptp(series) == 0.0:  # held fixed
            found[name] = {"mean": float(series.flat[0]), "sd": 0.0, "error": 0.0}
            continue
        n: Any = ess or array_stats.ess(series, method="mean", chain_axis=0, draw_axis=1)
        sd = float(series.std())
        found[name] = {"mean": float(series.mean()), "sd": sd, "error": sd / float(np.sqrt(n))}
    return found


def distances(
    found: Mapping[str, Mapping[str, float]], reference: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Return the distance of every mean of the reference, in combined Monte Carlo errors."""
    return {
        name: abs(found[name]["mean"] - known["mean"])
        / max(float(np.hypot(found[name]["error"], known["error"])), 1e-12)
        for name, known in reference.items()
    }


def frozen() -> dict[str, Any]:
    """Return the frozen references by case."""
    return json.loads(FROZEN.read_text(encoding="utf-8"))["cases"]
