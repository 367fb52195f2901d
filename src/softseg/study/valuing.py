"""The second stage: what the customers are worth by treatment and true segment."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from softseg.names import CUSTOMER, RULE
from softseg.runs.output import COMPARISON
from softseg.study.manifest import VALUE_NC
from softseg.study.work import GOOD, Work

if TYPE_CHECKING:
    from numpy.typing import NDArray

    type Labels = NDArray[np.int64]

PARTITION: Final = "segments_"
"""How the names of the rules begin that treat by another number of segments."""
VALUE: Final = "value"
CUSTOMERS: Final = "customers"
STARTS: Final = 5
"""Starts of the search for a partition; there are more where the best mode is found only once."""
LOTS, MODES = 2, 3
"""Streams of random numbers, apart from those of the fit and of the comparison."""


def write_value(work: Work, stage: Path) -> None:
    """Write ``value.nc``.

    ``/customers`` holds ``amount`` (customer), in whole currency a year, NaN where not known,
    ``count`` (customer) and the labels of each rule (rule, customer). ``/value`` is what
    `softseg.results.value.value` returns, with a panel `migration_value`; it is missing where the
    gate refused the fit, for its segments mean nothing then.
    """
    from softseg.results.storage import save

    work.report("study_value", 0.0)
    table = work.table
    amount = table.values[work.study.ledger.value]
    customers = xr.Dataset({"amount": (CUSTOMER, amount), "count": (CUSTOMER, table.count)})
    groups = {f"/{CUSTOMERS}": customers}
    if work.gate == GOOD:
        rules = rules_of(work)
        groups[f"/{VALUE}"] = _values(work, rules)
        labels = ((RULE, CUSTOMER), np.stack([*rules.values()]).astype(np.int64))
        names = np.array([*rules], dtype=np.str_)
        groups[f"/{CUSTOMERS}"] = customers.assign(label=labels).assign_coords({RULE: names})
    work.valued = xr.DataTree.from_dict(groups)
    save(work.valued, stage / VALUE_NC, work.study.language)
    work.report("study_value", 1.0)


def rules_of(work: Work) -> "dict[str, Labels]":
    """Return by name whom each rule treats as what, (customer,) each.

    The programme treats customers as their top segment. ``kmeans`` and ``ward`` are the clusters
    of the comparison. ``segments_<k>`` divides the customers into k groups, by the highest
    membership at the best mode with k segments.
    """
    from softseg.decisions.segments.expand import PROGRAMME_RULE

    top = work.tree["membership"]["top"].to_numpy()
    rules: dict[str, Labels] = {PROGRAMME_RULE: top}
    if work.several:
        return rules
    if COMPARISON in work.tree.children:
        found = work.tree[COMPARISON].to_dataset()
        for method in map(str, found["method"].values):
            rules[method] = found["label"].sel({"method": method}).to_numpy()
    return rules | _partitions(work, top)


def _partitions(work: Work, top: "Labels") -> "dict[str, Labels]":
    """Return the groups for each number of segments that is compared; 1 is everybody alike."""
    if not work.study.segments.compare:
        return {}
    rules: dict[str, Labels] = {}
    for k in sorted({1, work.n_segments, *work.study.segments.compare}):
        if k == 1:
            labels = np.ones_like(top)
        elif k == work.n_segments:
            labels = top
        else:
            labels = _at_mode(work, k)
        rules[f"{PARTITION}{k}"] = labels
    return rules


def _at_mode(work: Work, n_segments: int) -> "Labels":
    from softseg.inference.modes import find_modes
    from softseg.models.mixture import specify

    statistics = work.statistics
    modes = find_modes(
        statistics,
        specify(work.table.schema, n_segments),
        n_starts=min(work.study.fit.starts, STARTS),
        rng=np.random.default_rng((work.study.seed, MODES, n_segments)),
        cores=work.cores or os.cpu_count() or 1,
    )
    return modes.best.top[statistics.pattern_of_row].astype(np.int64) + 1


def _values(work: Work, rules: "Mapping[str, Labels]") -> xr.Dataset:
    from softseg.results.tree import values_from_tree
    from softseg.results.value import value

    if work.several:
        from softseg.study.pooling import pooled_value

        return pooled_value(work, rules)
    table, rng = work.table, np.random.default_rng((work.study.seed, LOTS))
    amount = table.values[work.study.ledger.value]
    if work.follows:
        from softseg.results.migration.customers import migration_value
        from softseg.runs.panel import states_of_tree

        states = states_of_tree(work.tree, work.panel)
        return migration_value(states, work.present, amount, rules, rng)
    values = values_from_tree(work.tree)
    return value(work.statistics, values, amount, rules, rng, count=table.count)
