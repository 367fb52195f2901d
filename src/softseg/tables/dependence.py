"""What is visible before any fit: columns that say the same, and gaps related to value.

The model takes indicators as independent within a segment, and gaps as saying nothing. Both can
be looked at beforehand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import norm, rankdata

from softseg.families.base import Array
from softseg.tables.columns import Levels
from softseg.tables.table import Table
from softseg.wording import number, say

STRONG: Final = 0.9
"""Rank correlation from which on two columns are said to tell nearly the same."""
LOOKED_AT: Final = 20_000
GAPS_FROM: Final = 0.05
SAME_ROWS: Final = 3
"""Columns from which on a level that they share row by row is worth a hint."""


@dataclass(frozen=True)
class MissingRelation:
    """How customers without a value in one indicator differ in another column.

    Attributes
    ----------
    indicator
        The indicator with gaps.
    share_missing
        Share of its cells that are missing, counts included.
    column
        The value column, or another indicator, that was compared.
    superiority
        Probability that a customer with a gap has a larger value of `column` than one without,
        ties counted half; 0.5 means no difference.
    p_value
        Two-sided p value of the rank test (normal approximation, ties corrected), multiplied by
        the number of columns looked at, at most 1.
    """

    indicator: str
    share_missing: float
    column: str
    superiority: float
    p_value: float


def missing_related(table: Table) -> list[MissingRelation]:
    """Return, for each indicator with at least 5 % gaps, how the customers with gaps differ.

    They are compared by the value columns, or by the other indicators with numbers where there is
    no value column; the column with the smallest p value is named.
    """
    if table.values:
        columns = dict(table.values)
    else:
        plain = {n: e for n, e in table.schema.indicators.items() if not e.member().levelled}
        columns = {name: table.columns[name] for name in plain}
    found = []
    for indicator in table.schema.indicators:
        missing = np.isnan(table.columns[indicator])
        share = float(table.count[missing].sum() / table.count.sum())
        if not GAPS_FROM <= share < 1.0:
            continue
        tests = []
        for name, values in columns.items():
            if name != indicator:
                superiority, p_value = _compare(values, missing, table.count)
                tests.append((p_value, name, superiority))
        if tests:
            p_value, name, superiority = min(tests)
            p_value = min(1.0, p_value * len(tests))
            found.append(MissingRelation(indicator, share, name, superiority, p_value))
    return found


def _compare(values: Array, first: Array, count: Array) -> tuple[float, float]:
    """Return P(first > second) with ties half, and the p value of Mann and Whitney's test."""
    known = ~np.isnan(values)
    values, inside, count = values[known], first[known], count[known]
    distinct, place = np.unique(values, return_inverse=True)
    n_first = np.bincount(place, count * inside, len(distinct))
    n_all = np.bincount(place, count, len(distinct))
    n_second = n_all - n_first
    a, b = n_first.sum(), n_second.sum()
    if a == 0 or b == 0:
        return 0.5, 1.0
    below = np.cumsum(n_second) - n_second
    superiority = float((n_first * (below + 0.5 * n_second)).sum() / (a * b))
    total = a + b
    ties = float((n_all**3 - n_all).sum() / (total * (total - 1.0))) if total > 1 else 0.0
    variance = max(0.0, (total + 1.0 - ties) / (12.0 * a * b))
    if variance == 0.0:
        return superiority, 1.0
    return superiority, float(2.0 * norm.sf(abs(superiority - 0.5) / np.sqrt(variance)))


def dependence_hints(
    numbers: Mapping[str, Array], levels: Mapping[str, Levels], language: str = "en"
) -> list[str]:
    """Return hints about columns that tell nearly the same, in words."""
    return [*_correlated(numbers, language), *_repeated(levels, language)]


def _correlated(numbers: Mapping[str, Array], language: str) -> list[str]:
    names = list(numbers)
    step = max(1, len(next(iter(numbers.values()))) // LOOKED_AT) if names else 1
    thinned = {name: numbers[name][::step] for name in names}
    hints = []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            both = ~(np.isnan(thinned[first]) | np.isnan(thinned[second]))
            if both.sum() < 10:
                continue
            ranks = [rankdata(thinned[name][both]) for name in (first, second)]
            if min(rank.std() for rank in ranks) == 0:
                continue
            rho = float(np.corrcoef(*ranks)[0, 1])
            if abs(rho) >= STRONG:
                said = {"first": first, "second": second, "rho": number(rho, language, 2)}
                hints.append(say("propose.correlated", language, **said))
    return hints


def _repeated(levels: Mapping[str, Levels], language: str) -> list[str]:
    """Return a hint for each set of rows that a level of several columns marks alike."""
    marked: dict[bytes, list[tuple[str, str]]] = {}
    for name, read in levels.items():
        for code, level in enumerate(read.levels):
            mask = np.packbits(read.codes == code).tobytes()
            marked.setdefault(mask, []).append((name, level))
    hints, seen = [], set()
    for pairs in marked.values():
        columns = ", ".join(name for name, _ in pairs)
        if len(pairs) >= SAME_ROWS and columns not in seen:
            seen.add(columns)
            common = max(pairs, key=lambda pair: sum(pair[1] == other for _, other in pairs))[1]
            said = {"level": common, "columns": columns, "count": len(pairs)}
            hints.append(say("propose.repeated", language, **said))
    return hints
