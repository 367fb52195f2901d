"""Rows of the tables on migration."""

from typing import Any

import numpy as np
import xarray as xr

from softseg.names import CHURNED, HORIZON, STATE, STATE_TO
from softseg.report.figures.migration_states import state_labels
from softseg.wording import number, percent

STOPS = 4
"""Periods of a projection that the table shows, besides today."""


def matrix_rows(found: xr.Dataset, language: str) -> tuple[list[str], list[list[Any]]]:
    """Return the transition matrix as heads and rows of (mean, interval); churned has no row."""
    labels = state_labels(found, language)
    rows = []
    for name, label in zip(found[STATE].values, labels, strict=True):
        if str(name) == CHURNED:
            continue
        cells = [
            _share(found.sel({STATE: name, STATE_TO: to}), "", language)
            for to in found[STATE_TO].values
        ]
        rows.append([label, *cells])
    return labels, rows


def stay_rows(found: xr.Dataset, language: str) -> list[list[Any]]:
    """Return per segment: stay, churn in a period, periods until churn, each with interval."""
    rows = []
    for name, label in zip(found[STATE].values, state_labels(found, language), strict=True):
        if str(name) == CHURNED:
            continue
        one = found.sel({STATE: name})
        row = [label, _share(one, "stay_", language)]
        if "churn_mean" in one:
            row.append(_share(one, "churn_", language))
            figures = [
                number(float(one[f"periods_{e}"]), language, 0) for e in ("mean", "lower", "upper")
            ]
            row.append((figures[0], f"{figures[1]}–{figures[2]}"))
        rows.append(row)
    return rows


def projection_rows(ahead: xr.Dataset, language: str) -> tuple[list[str], list[list[Any]]]:
    """Return customers per state at some horizons."""
    last = int(ahead[HORIZON].values[-1])
    stops = sorted({round(last * i / STOPS) for i in range(STOPS + 1)})
    rows = []
    for h in stops:
        at = ahead.sel({HORIZON: h})
        row: list[Any] = [number(h, language)]
        for name in ahead[STATE].values:
            one = at.sel({STATE: name})
            figures = [
                number(float(one[f"customers_{e}"]), language, 0)
                for e in ("mean", "lower", "upper")
            ]
            row.append((figures[0], f"{figures[1]}–{figures[2]}"))
        rows.append(row)
    return state_labels(ahead, language), rows


def sensitivity_rows(found: Any, language: str) -> list[list[str]]:
    """Return churned customers under other beliefs; a dash where the draws cannot tell."""
    rows = []
    for i in range(found.sizes["belief"]):
        one = found.isel(belief=i)
        known = bool(np.isfinite(one["mean"]))
        figures = [
            number(float(one[e]), language, 0) if known else "–" for e in ("mean", "lower", "upper")
        ]
        rows.append(
            [
                number(float(one["factor"]), language, 2),
                number(float(one["lifetime"]), language, 0),
                figures[0],
                f"{figures[1]}–{figures[2]}" if known else "–",
            ]
        )
    return rows


def _share(one: xr.Dataset, prefix: str, language: str) -> tuple[str, str]:
    mean, lower, upper = (float(one[f"{prefix}{e}"]) for e in ("mean", "lower", "upper"))
    inside = f"{percent(lower, language, 1)}–{percent(upper, language, 1)}"
    return percent(mean, language, 1), inside
