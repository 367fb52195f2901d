"""Small random panels with every kind of step, and their likelihood by enumeration."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.likelihood.histories import ACTIVE, ANY, CHURNED, Histories, histories_of
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import Values
from softseg.tables.prepare import prepare
from softseg.tables.schema import Schema


@dataclass(frozen=True)
class Case:
    """A panel as arrays, and what `histories_of` made of it."""

    schema: Schema
    statistics: Statistics
    histories: Histories
    row: NDArray[np.int64]
    sign: NDArray[np.int64]
    start: NDArray[np.int64]
    profile: NDArray[np.int64]
    begin: NDArray[np.int64]
    count: Array


SCHEMA = {
    "score": "gaussian",
    "orders": "poisson",
    "channel": "categorical",
    "late": "bernoulli",
}


def random_case(
    rng: np.random.Generator,
    *,
    n_histories: int = 6,
    longest: int = 5,
    churn: str = "observed",
    n_profiles: int = 1,
    n_begins: int = 1,
    whole_counts: bool = True,
) -> Case:
    """Return a panel with gaps, several ways to end, and repeated histories.

    `churn` is ``"none"``, ``"observed"``, ``"interval"`` or ``"silent"``.
    """
    rows: dict[str, list[object]] = {name: [] for name in SCHEMA}
    row: list[int] = []
    sign: list[int] = []
    start = [0]
    for _ in range(n_histories):
        length = int(rng.integers(1, longest + 1))
        for t in range(length):
            seen = rng.random() < 0.8 or t == 0
            idle = churn == "silent" and rng.random() < 0.4 and t > 0
            row.append(len(rows["score"]) if seen else -1)
            sign.append(ANY if churn == "silent" and (idle or not seen) else ACTIVE)
            if seen:
                gap = rng.random() < 0.2
                rows["score"].append(None if idle else float(rng.normal()))
                rows["orders"].append(0 if idle else int(rng.poisson(3)) + 1)
                rows["channel"].append(None if gap or idle else str(rng.choice(["a", "b", "c"])))
                rows["late"].append(None if idle else int(rng.integers(2)))
        end = rng.random()
        if churn == "observed" and end < 0.6:
            row.append(-1)
            sign.append(CHURNED)
        if churn == "interval" and end < 0.6:
            gap_steps = int(rng.integers(0, 3))
            row += [-1] * (gap_steps + 1)
            sign += [ANY] * gap_steps + [CHURNED]
        start.append(len(row))
    import pandas as pd

    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in rows.items()})
    frame["score"] = frame["score"].astype(float)
    table = prepare(frame, Schema(indicators=SCHEMA))
    statistics = reduce(table)
    profile = rng.integers(n_profiles, size=len(row))
    begin = rng.integers(n_begins, size=n_histories)
    count = rng.integers(1, 3, size=n_histories).astype(float)
    if whole_counts is False:
        count += 0.5
    times = np.zeros(statistics.n_patterns)
    histories = np.repeat(np.arange(n_histories), np.diff(start))
    for r, h in zip(row, histories, strict=True):
        if r >= 0:
            times[statistics.pattern_of_row[r]] += count[h]
    statistics = Statistics(
        statistics.layout, statistics.dense, statistics.codes, statistics.log_base, times,
        statistics.pattern_of_row,
    )  # fmt: skip
    arrays = (np.array(row), np.array(sign), np.array(start), profile, begin, count)
    found = histories_of(
        statistics, row=arrays[0], sign=arrays[1], start=arrays[2], churns=churn != "none",
        count=count, profile=profile if n_profiles > 1 else None,
        begin=begin if n_begins > 1 else None,
    )  # fmt: skip
    return Case(table.schema, statistics, found, *arrays)


def by_enumeration(case: Case, values: Values, begin: Array, moves: Array) -> Array:
    """Return each history's log density, summed over all paths of states one by one."""
    statistics = case.statistics
    weights = statistics.layout.weights(values.indicators, NUMPY)
    n_segments, n_states = weights.dense.shape[0], moves.shape[1]
    log_density = np.empty((statistics.n_patterns, n_segments))
    for p in range(statistics.n_patterns):
        for k in range(n_segments):
            total = weights.constant[k] + weights.dense[k] @ statistics.dense[:, p]
            total += sum(weights.table[k, code] for code in statistics.codes[:, p])
            log_density[p, k] = total + statistics.log_base[p]
    found = []
    for h in range(len(case.start) - 1):
        steps = range(case.start[h], case.start[h + 1])
        density = 0.0
        for path in product(range(n_states), repeat=len(steps)):
            p = begin[case.begin[h], path[0]]
            for t, (step, state) in enumerate(zip(steps, path, strict=True)):
                if t:
                    p *= moves[case.profile[step], path[t - 1], state]
                p *= _step_density(case, step, state, n_segments, log_density)
            density += p
        found.append(np.log(density))
    return np.array(found)


def _step_density(case: Case, step: int, state: int, n_segments: int, log_density: Array) -> float:
    row, sign = case.row[step], case.sign[step]
    if state < n_segments:
        if sign == CHURNED:
            return 0.0
        return 1.0 if row < 0 else float(np.exp(log_density[_pattern(case, row), state]))
    return 0.0 if sign == ACTIVE else 1.0


def _pattern(case: Case, row: int) -> int:
    return int(case.statistics.pattern_of_row[row])
