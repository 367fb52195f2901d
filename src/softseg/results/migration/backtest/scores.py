"""How good a warning was beside its rivals: Brier score, logarithmic score, discrimination."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import RULE
from softseg.results.migration.backtest.discrimination import area
from softseg.results.migration.backtest.outcomes import clustered_error, judged


def scores(predictions: Mapping[str, xr.DataArray], outcome: xr.DataArray) -> xr.Dataset:
    """Return the scores of several predictions of the same outcomes.

    Parameters
    ----------
    predictions
        By name, the first being the one that the others are measured against: probabilities,
        (customer) or (origin, customer).
    outcome
        1, 0, or NaN where the customer is not judged, of the same dims.

    Returns
    -------
    xarray.Dataset
        Over (rule), the names: ``brier``, mean of (p − y)²; ``log_score``, mean of −log p of what
        happened; both the lower the better; ``auc``, area under the ROC curve; ``brier_gain`` and
        ``log_gain``, by how much the first one is better than this one, with their errors
        ``brier_gain_error`` and ``log_gain_error`` from the same cases (a customer judged at
        several origins is one cluster); ``skill``, 1 − Brier score / that of the share of events.
        Attributes ``judged``, ``events`` and ``not_judged``.

    Raises
    ------
    UsageError
        Where there is no prediction, or outcomes and predictions do not fit.
    """
    if not predictions:
        raise UsageError("Give at least one prediction by name, got none.")
    rows: list[dict[str, float]] = []
    first: tuple[Array, Array] | None = None
    y = who = np.empty(0)
    for predicted in predictions.values():
        cases = judged(predicted, outcome)
        p, y, who = (cases[name].values for name in ("predicted", "outcome", "customer"))
        brier = (p - y) ** 2
        with np.errstate(divide="ignore"):
            log = -np.log(np.where(y == 1.0, p, 1.0 - p))
        first = (brier, log) if first is None else first
        share = y.mean()
        row = {"brier": brier.mean(), "log_score": log.mean(),
               "auc": area(p[y == 1.0], p[y == 0.0])[0],
               "skill": 1.0 - brier.mean() / (share * (1.0 - share)) if 0 < share < 1 else np.nan,
               "brier_gain": (brier - first[0]).mean(),
               "brier_gain_error": clustered_error(brier - first[0], who)}  # fmt: skip
        finite = bool(np.isfinite(log).all() and np.isfinite(first[1]).all())
        row["log_gain"] = (log - first[1]).mean() if finite else np.nan
        row["log_gain_error"] = clustered_error(log - first[1], who) if finite else np.nan
        rows.append({name: float(x) for name, x in row.items()})
    data: dict[str, Any] = {name: (RULE, [row[name] for row in rows]) for name in rows[0]}
    attributes = {
        "judged": len(y), "events": int(y.sum()), "not_judged": int(outcome.size - len(y)),
    }  # fmt: skip
    return xr.Dataset(data, {RULE: list(predictions)}, attributes)
