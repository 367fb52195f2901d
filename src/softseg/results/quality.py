"""What the report says about the table itself: gaps, and whether they speak of value.

A missing cell is ignored by the model, which is right as long as the gap does not depend on the
value that is missing. That cannot be tested; but where customers with a gap bring clearly more or
less than the others, it is in doubt, and a reader should know.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.tables.table import Table

LEAST: Final = 20
"""Customers that both sides of a comparison need."""
NOTABLE: Final = 0.06
"""Least distance of P(one with a gap brings more than one without) from one half."""
LEVEL: Final = 0.01
"""Error probability of all comparisons together (Bonferroni)."""


def data_quality(table: Table, dropped: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return facts on the data as plain JSON values, for the root attribute ``data_quality``.

    Parameters
    ----------
    table
        The training table.
    dropped
        Columns set aside when the table was prepared, with the reason.

    Returns
    -------
    dict
        ``n_rows``, ``n_customers`` (counts summed); ``gaps``, share of rows without a value by
        indicator, those with gaps only; ``related``, comparisons of the rows with a gap to the
        others where the two clearly differ in a value column: ``indicator``, ``value``,
        ``median_gap``, ``median_other``; ``dropped``.
    """
    missing = {name: np.isnan(column) for name, column in table.columns.items()}
    gaps = {name: float(gap.mean()) for name, gap in missing.items() if gap.any()}
    return {
        "n_rows": table.n_customers,
        "n_customers": float(table.count.sum()),
        "gaps": gaps,
        "related": _related({name: missing[name] for name in gaps}, table.values),
        "dropped": dict(dropped or {}),
    }


def _related(
    missing: Mapping[str, NDArray[np.bool_]], values: Mapping[str, Array]
) -> list[dict[str, Any]]:
    found = []
    level = LEVEL / max(1, len(missing) * len(values))
    for column, amounts in values.items():
        known = ~np.isnan(amounts)
        for indicator, gap in missing.items():
            inside, outside = amounts[known & gap], amounts[known & ~gap]
            if min(len(inside), len(outside)) < LEAST:
                continue
            more, p = superiority(inside, outside)
            if abs(more - 0.5) >= NOTABLE and p < level:
                found.append(
                    {
                        "indicator": indicator,
                        "value": column,
                        "median_gap": float(np.median(inside)),
                        "median_other": float(np.median(outside)),
                    }
                )
    return found


def superiority(first: Array, second: Array) -> tuple[float, float]:
    """Return P(a value of the first exceeds one of the second), ties half, and its p-value.

    Mann and Whitney's test in its normal approximation with the correction for ties.
    """
    n, m = len(first), len(second)
    _, which, repeats = np.unique(
        np.concatenate([first, second]), return_inverse=True, return_counts=True
    )
    rank_of_value = np.cumsum(repeats) - (repeats - 1) / 2
    ranks = rank_of_value[which.reshape(-1)]
    u = float(ranks[:n].sum()) - n * (n + 1) / 2
    total = n + m
    ties = float((repeats.astype(float) ** 3 - repeats).sum()) / (total * (total - 1))
    spread = math.sqrt(n * m / 12 * (total + 1 - ties))
    if spread == 0:
        return 0.5, 1.0
    z = (u - n * m / 2) / spread
    return u / (n * m), math.erfc(abs(z) / math.sqrt(2))
