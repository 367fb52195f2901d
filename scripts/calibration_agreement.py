"""Agreement: Gibbs and NUTS have the same posterior, family by family.

For every family a table of 300 customers in two segments is drawn from known parameters, with two
indicators of the family and one Gaussian that keeps the segments apart. Means must lie within 4
combined Monte Carlo errors and 0.1 posterior sd of each other, sds within 10 %.
"""

from typing import Any

import numpy as np

from softseg.families import families
from softseg.inference.sample import sample
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify
from softseg.tables.prepare import prepare

N_CUSTOMERS, SHARE = 300, (0.6, 0.4)


def units() -> list[str]:
    """Return the names of the families."""
    return list(families())


def work(unit: str, commit: str) -> dict[str, Any]:
    """Return the largest differences between the two samplers for one family."""
    from builders import frame_of, schema_of, truth

    kinds = {"anchor": "gaussian", "first": unit, "second": unit}
    rng = np.random.default_rng([7, list(families()).index(unit)])
    frame, _ = frame_of(kinds, truth(kinds, SHARE), N_CUSTOMERS, rng, missing=0.05)
    table = prepare(frame, schema_of(kinds))
    statistics, mixture = reduce(table), specify(table.schema, len(SHARE))
    found = {}
    for method in ("gibbs", "nuts"):
        fitted = sample(
            statistics, mixture, method=method, n_draws=2000, rng=np.random.default_rng(11)
        )
        found[method] = _summary(fitted.draws.values)
    return {"commit": commit, **_differences(found["gibbs"], found["nuts"])}


def _summary(values: Any) -> np.ndarray:
    """Return mean, sd and error of the mean of every free quantity, (quantity, 3)."""
    from arviz_stats.base import array_stats

    arrays = [values.share[..., :-1]]
    for parameters in values.indicators.values():
        # the sd of a shape with its heavy tail hangs on a few draws, that of its logarithm does not
        arrays += [np.log(v) if name == "shape" else v for name, v in parameters.items()]
    flat = np.concatenate([a.reshape(*a.shape[:2], -1) for a in arrays], axis=2)
    rows = []
    for series in np.moveaxis(flat, 2, 0):
        ess = array_stats.ess(series, method="mean", chain_axis=0, draw_axis=1)
        rows.append((series.mean(), series.std(), series.std() / np.sqrt(ess)))
    return np.array(rows)


def _differences(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    apart = np.abs(first[:, 0] - second[:, 0])
    return {
        "quantities": len(first),
        "errors": float((apart / np.hypot(first[:, 2], second[:, 2])).max()),
        "sds": float((apart / np.sqrt(first[:, 1] * second[:, 1])).max()),
        "spread": float(np.expm1(np.abs(np.log(first[:, 1] / second[:, 1]))).max()),
    }
