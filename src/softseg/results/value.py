"""What the customers are worth by who treats them and where they belong: `value`.

A programme reaches customers by a rule that is known before: the top segment, the cluster of
k-means, one group for all. What it brings depends on the segment a customer truly belongs to,
which nobody knows. The table *treated as a, belonging to k* holds both, for every draw: once given
the parameters alone,

    Σ_i v_i · [rule(i) = a] · r_ik,

and once with every customer's segment drawn by lot with the probabilities r_ik. The first varies
with the parameters only; what the second varies more is that given all parameters a customer still
belongs to one segment or to another. All rules share the lots of a draw, so that differences
between rules are differences on the same customers.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Values
from softseg.names import ASSIGNED, RULE, SAMPLE, SEGMENT
from softseg.results.evaluate import Evaluator, draws_to_use, thinned, threads
from softseg.results.lots import Rows, draw_totals, rows_of
from softseg.results.membership import segment_coordinates

type Labels = NDArray[np.int64]
"""Group of each customer under a rule, shape (customer,), from 1; 0: not treated."""

DIMS: Final = (RULE, SAMPLE, ASSIGNED, SEGMENT)


def value(
    statistics: Statistics,
    values: Values,
    amount: Array,
    rules: Mapping[str, Labels],
    rng: np.random.Generator,
    *,
    count: Array | None = None,
    n_used: int | None = None,
    segment_names: tuple[str, ...] = (),
) -> xr.Dataset:
    """Return what the customers are worth by rule, treatment and true segment.

    Parameters
    ----------
    statistics
        The patterns of the table.
    values
        Draws with one leading axis (sample).
    amount
        Value of each customer in whole currency a year, shape (customer,); NaN: not known, which
        stands in no total.
    rules
        By name, whom the programme treats as what.
    rng
        Draws the customers' segments.
    count
        Customers that a row stands for; 1 by default.
    n_used
        Number of evenly spaced draws to use; by default as `draws_to_use` says.
    segment_names
        Names given by the user.

    Returns
    -------
    xarray.Dataset
        Over (rule, sample, assigned, segment): ``value_expected`` and ``customers_expected``
        given the parameters, ``value_lots`` and ``customers_lots`` with every customer's segment
        drawn by lot; groups that a rule does not have are 0. ``value_treated`` and
        ``customers_treated`` (rule, assigned), which no draw changes. Attributes ``value_total``
        (currency a year), ``customers_total``, ``customers_unknown`` (those without a value).

    Raises
    ------
    UsageError
        Where amounts or labels do not fit the table.
    """
    n_rows = len(statistics.pattern_of_row)
    count = np.ones(n_rows) if count is None else np.asarray(count, dtype=float)
    known = known_amounts(amount, rules, n_rows)
    groups = max(int(labels.max(initial=1)) for labels in rules.values())
    weights = rule_weights(np.where(known, amount, 0.0) * count, count, rules, groups)
    used = draws_to_use(statistics.n_patterns, len(values.share)) if n_used is None else n_used
    rows = rows_of(statistics.pattern_of_row, weights, count, statistics.n_patterns)
    both = _totals(statistics, thinned(values, used), rows, rng)
    n_samples, n_segments = both.shape[1], both.shape[3]
    shape = (2, n_samples, 2, len(rules), groups, n_segments)
    # (expected or lots, sample, value or customers, rule, assigned, segment)
    cut = np.moveaxis(both.reshape(shape), 1, 3)
    treated = weights.sum(axis=0).reshape(2, len(rules), groups)
    data: dict[str, Any] = {}
    for i, what in enumerate(("value", "customers")):
        for j, how in enumerate(("expected", "lots")):
            data[f"{what}_{how}"] = (DIMS, cut[j, i])
        data[f"{what}_treated"] = ((RULE, ASSIGNED), treated[i])
    coordinates = {
        RULE: np.array(list(rules), dtype=np.str_),
        SAMPLE: np.arange(n_samples),
        ASSIGNED: np.arange(1, groups + 1),
        **segment_coordinates(n_segments, segment_names),
    }
    attributes = {
        "value_total": float((np.where(known, amount, 0.0) * count).sum()),
        "customers_total": float(count.sum()),
        "customers_unknown": float(count[~known].sum()),
    }
    return xr.Dataset(data, coordinates, attributes)


def known_amounts(amount: Array, rules: Mapping[str, Labels], n_rows: int) -> NDArray[np.bool_]:
    """Return which amounts are known, after checking that amounts and labels fit the table.

    Raises
    ------
    UsageError
        Where they do not.
    """
    if not rules:
        raise UsageError("Give at least one rule that says who is treated as what, got none.")
    if len(amount) != n_rows or np.isinf(amount).any():
        raise UsageError(
            f"Give one finite amount (or NaN) per customer: expected {n_rows}, got {len(amount)} "
            f"with {int(np.isinf(amount).sum())} infinite."
        )
    for name, labels in rules.items():
        if len(labels) != n_rows or labels.min(initial=0) < 0:
            raise UsageError(
                f"Give one label from 0 on per customer in the rule {name!r}: expected {n_rows}, "
                f"got {len(labels)} with {labels.min(initial=0)} as the least."
            )
    return ~np.isnan(amount)


def rule_weights(amount: Array, count: Array, rules: Mapping[str, Labels], groups: int) -> Array:
    """Return what a row adds to each total: (row, value or customers · rule · assigned)."""
    inside = np.zeros((len(amount), len(rules), groups))
    for i, labels in enumerate(rules.values()):
        treated = np.flatnonzero(labels)
        inside[treated, i, labels[treated] - 1] = 1.0
    both = np.stack([amount, count], axis=1)
    return (both[:, :, None, None] * inside[:, None]).reshape(len(amount), -1)


def _totals(statistics: Statistics, values: Values, rows: Rows, rng: np.random.Generator) -> Array:
    """Return totals given the parameters, and by lot: (2, sample, weight, segment)."""
    evaluator = Evaluator(statistics, values)
    weights = np.add.reduceat(rows.weights, rows.first[:-1], axis=0)
    blocks = list(evaluator.blocks())

    def work(block: slice, rng: np.random.Generator) -> tuple[Array, Array]:
        members = evaluator.memberships(block)
        flat = weights[block].T @ members.reshape(len(members), -1)
        expected = flat.reshape(-1, *members.shape[1:])
        return expected, draw_totals(members, rows, block, rng)

    both = np.zeros((2, weights.shape[1], evaluator.n_segments, evaluator.n_draws))
    with ThreadPoolExecutor(max_workers=threads()) as pool:
        for parts in pool.map(work, blocks, rng.spawn(len(blocks))):  # in order: repeatable sums
            both += parts
    return np.moveaxis(both, -1, 1)
