"""How many segments are worth having, in money: `number_in_money`.

Partitions of the customers into 1, 2, 3 … groups are decision rules. All are judged by one
posterior, that of the reference fit: the same segment of every customer, the same judgement. For
every group the package with the largest expected net value is chosen, or none; what is fixed for a
package is paid once where it is in use. The more groups, the finer one can choose, and the more it
costs to handle them.
"""

from collections.abc import Mapping
from itertools import combinations, pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.decisions.answers.estimates import (
    ROUNDING,
    Estimate,
    Table,
    columns,
    dataset,
    estimate,
    mean,
    quantiles,
)
from softseg.decisions.answers.information import net_benefits
from softseg.decisions.segments.packages import Package, by_draw, packages
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import ASSIGNED, RULE, SAMPLE, SEGMENT
from softseg.wording import has, money, percent, say

MOST_PACKAGES: Final = 8
"""All sets of packages are tried, which are 2 to the power of their number."""
MATTERS: Final = 0.01
"""A decision counts as changed for customers with at least this share of the value."""
WORK: Final = 150_000_000
"""Steps that the search for the best treatment of every single draw may take."""
SURE: Final = 2.0
"""Differences count as real beyond so many Monte Carlo errors."""

type Labels = NDArray[np.integer]


class Plan(NamedTuple):
    """Which packages run, as positions, and which one each group gets: position + 1, 0 for none."""

    packages: tuple[int, ...]
    groups: NDArray[np.int64]


def partition_rule(n_segments: int) -> str:
    """Return the name of the rule that treats customers by their segment out of so many."""
    return f"segments_{n_segments}"


def number_in_money(
    simulation: SegmentSimulation,
    value: xr.Dataset,
    labels: Mapping[int, Labels],
    amount: Array,
    handling: float = 0.0,
    *,
    count: Array | float = 1.0,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
) -> xr.Dataset:
    """Return what the programme is worth by the number of groups that it tells apart.

    Parameters
    ----------
    simulation
        The draws of the study.
    value
        As `softseg.results.value.value` returns it from the same fit, with the rule
        `partition_rule` of every number.
    labels
        By number of groups, 1 among them, the group of each customer, (customer,); 0: not treated.
    amount
        Value of each customer in whole currency a year, (customer,); NaN: not known.
    handling
        What one more group costs a year, before tax, in whole currency.
    count
        Customers that a row stands for.
    accounting, adjusted
        As `Simulation.outcome` takes them.

    Returns
    -------
    xarray.Dataset
        Over n_segments, in whole currency, each with its Monte Carlo error in ``…_error``:
        ``value``, expected net present value of the best treatment of the groups, without what
        belongs to no segment (``shared``, which is the same for all); ``npv``, its quantiles;
        ``handling``, present value of handling the groups; ``net`` = value − handling; ``gain``,
        by how much ``net`` exceeds that of one group, which is the best uniform programme. Against
        the next number, NaN for the last: ``next_value``, what it adds before handling,
        ``next_net``, after it; ``p_gain``, the share of draws in which it adds more than its
        handling; ``p_changes``, the share of draws in which the best treatment of that draw
        differs for customers with at least 1 % of the value. ``package`` (n_segments, group):
        segment whose package a group gets, 0 for none. ``recommended``: the smallest number whose
        ``net`` is not below the best beyond error. ``uniform``: net present value of the uniform
        programme of the assumptions, where they have one.

    Raises
    ------
    UsageError
        Where the programme finds its members by itself, so that groups decide nothing; where there
        is no package, or too many; where one group, a rule or draws are missing; where the value
        is that of other labels or amounts.
    """
    numbers = sorted(labels)
    _check(simulation, value, numbers)
    money_of_row = np.nan_to_num(np.asarray(amount, dtype=float)) * count
    _check_labels(value, labels, money_of_row)
    known = packages(simulation, accounting, adjusted)
    order = list(known)
    fixed = np.stack([known[k].fixed for k in order], axis=-1)
    worth = {n: _worth(simulation, value.sel({RULE: partition_rule(n)}), known, n) for n in numbers}
    plans = {n: best_plan(w.mean(axis=(0, 1)), fixed.mean(axis=(0, 1))) for n, w in worth.items()}
    npv = {n: _realised(worth[n], fixed, plans[n]) for n in numbers}
    burden = handling * _paid_yearly(simulation, accounting, adjusted)
    few = _few_draws(simulation.whole.shape, len(order), max(numbers))
    best = {n: _best_of_each(w[:, :few], fixed[:, :few]) for n, w in worth.items()}
    table = _columns_by_number(numbers, npv, burden)
    table |= _against_next(numbers, npv, burden)
    changes = [
        _changed(best[n], best[more], _overlap(labels[n], labels[more], money_of_row, n, more))
        for n, more in pairwise(numbers)
    ]
    table |= _padded_columns("p_changes", changes)
    table |= columns("shared", _shared(simulation, accounting, adjusted))
    if (uniform := net_benefits(simulation.whole, accounting, adjusted).get("uniform")) is not None:
        table |= columns("uniform", estimate(mean, uniform))
    package = np.zeros((len(numbers), max(numbers)), dtype=np.int64)
    for i, n in enumerate(numbers):
        package[i, :n] = np.array([0, *order])[plans[n].groups]
    found = dataset(table, n_segments=numbers, group=np.arange(1, max(numbers) + 1))
    return found.assign(
        package=(("n_segments", "group"), package),
        recommended=fewest({n: npv[n] - n * burden for n in numbers}),
    )


def best_plan(expected: Array, fixed: Array) -> Plan:
    """Return the best treatment of every group; nothing, or fewer packages, where that is as good.

    Parameters
    ----------
    expected
        What each package is worth to each group without what is fixed, (group, package).
    fixed
        What comes and goes with each package in use, (package,).
    """
    best, found = 0.0, Plan((), np.zeros(len(expected), dtype=np.int64))
    for chosen in _sets(len(fixed)):
        worth = expected[:, chosen]
        total = float(np.maximum(worth.max(axis=1), 0.0).sum() + fixed[list(chosen)].sum())
        if total > best:
            groups = np.array(chosen)[worth.argmax(axis=1)] + 1
            best, found = total, Plan(chosen, np.where(worth.max(axis=1) > 0.0, groups, 0))
    return found


def fewest(net: Mapping[int, Array]) -> int:
    """Return the smallest number whose net value is not below the best one's beyond error.

    Parameters
    ----------
    net
        Net value by number, (replicate, draw), on the same draws.
    """
    best = max(sorted(net), key=lambda n: float(net[n].mean()))

    def as_good(n: int) -> bool:
        behind = estimate(mean, net[best] - net[n])
        return bool(behind.value <= SURE * np.nan_to_num(behind.error))

    return next(n for n in sorted(net) if as_good(n))


def recommendation(found: xr.Dataset, currency: str, language: str = "en") -> str:
    """Return in words how many segments to tell apart, from what `number_in_money` found."""
    n = int(found["recommended"])
    here = found.sel(n_segments=n)

    def shown(name: str) -> str:
        return money(float(here[name]), currency, language)

    if not here["package"].to_numpy().any():
        return say("number.nothing", language)
    head = say(
        "number.one" if n == 1 else "number.several",
        language,
        count=_count(n, language),
        gain=shown("gain"),
    )
    later = [int(m) for m in found["n_segments"].to_numpy() if m > n]
    if not later:
        return f"{head}{say('number.last', language)}"
    after, error = float(here["next_net"]), float(here["next_net_error"])
    burden = float(found["handling"].sel(n_segments=later[0]) - here["handling"])
    unsure = abs(after) <= SURE * error
    judged = "unsure" if unsure else "pays" if after > 0.0 else "pays_not"
    tail = say(
        "number.next" if later[0] == n + 1 else "number.jump",
        language,
        one_more=say(f"number.ordinal.{n + 1}", language) if has(f"number.ordinal.{n + 1}") else "",
        count=_count(later[0], language).lower(),
        p=percent(float(here["p_changes"]), language, 0),
        worth=shown("next_value"),
        handling=money(burden, currency, language),
        judged=say(f"number.judged.{judged}", language),
    )
    return f"{head}{tail}"


def _count(n: int, language: str) -> str:
    return say(f"number.count.{n}", language) if has(f"number.count.{n}") else str(n)


def _check(simulation: SegmentSimulation, value: xr.Dataset, numbers: list[int]) -> None:
    if simulation.programme.reach == "members":
        raise UsageError(
            "Compare numbers of segments for a programme that treats customers by their segment: "
            "this one finds its members by itself, so that groups decide nothing."
        )
    if not 1 <= len(simulation.names) <= MOST_PACKAGES:
        raise UsageError(
            f"Compare programmes of 1 to {MOST_PACKAGES} segments, got {len(simulation.names)}."
        )
    if 1 not in numbers:
        raise UsageError(f"Put 1 among the numbers, the best uniform programme, got {numbers}.")
    known = [str(name) for name in value[RULE].to_numpy()]
    missing = [rule for n in numbers if (rule := partition_rule(n)) not in known]
    if missing:
        raise UsageError(f"Give the value by the rules {missing}, got {known}.")
    samples = value.sizes[SAMPLE], simulation.value.sizes[SAMPLE]
    if samples[0] != samples[1]:
        raise UsageError(
            f"Give the value on the draws of the study: expected {samples[1]}, got {samples[0]}."
        )


def _check_labels(value: xr.Dataset, labels: Mapping[int, Labels], amount: Array) -> None:
    for n, groups in labels.items():
        known = value["value_treated"].sel({RULE: partition_rule(n)}).to_numpy()
        found = np.bincount(groups, amount, 1 + len(known))[1:]
        if len(found) != len(known) or not np.allclose(found, known, rtol=1e-6):
            raise UsageError(
                f"Give the labels and amounts that the value was made with: those of {n} segments "
                "add up to other totals."
            )


def _worth(
    simulation: SegmentSimulation, table: xr.Dataset, known: Mapping[int, Package], n: int
) -> Array:
    """Return what each package is worth to each group, (replicate, draw, group, package)."""
    off = simulation.programme.off_target
    table = table.reindex({ASSIGNED: np.arange(1, n + 1)}, fill_value=0.0)  # groups of nobody
    value = table["value_lots"].transpose(SAMPLE, ASSIGNED, SEGMENT)
    heads = table["customers_treated"].to_numpy()
    found = np.empty((*simulation.whole.shape, n, len(known)))
    for i, (k, package) in enumerate(known.items()):
        right = value.sel({SEGMENT: k}).to_numpy()
        reached = right + off * (value.sum(SEGMENT).to_numpy() - right)
        for j in range(n):
            found[..., j, i] = package.variable(by_draw(simulation, reached[:, j]), heads[j])
    return found


def _realised(worth: Array, fixed: Array, plan: Plan) -> Array:
    """Return the net present value of a plan, (replicate, draw)."""
    total = fixed[..., list(plan.packages)].sum(axis=-1)
    for j, package in enumerate(plan.groups):
        if package:
            total = total + worth[..., j, package - 1]
    return total


def _best_of_each(worth: Array, fixed: Array) -> NDArray[np.int64]:
    """Return the best treatment of each group in every single draw, (replicate, draw, group)."""
    best = np.zeros(worth.shape[:2])
    found = np.zeros(worth.shape[:3], dtype=np.int64)
    for chosen in _sets(fixed.shape[-1]):
        inside = worth[..., list(chosen)]
        top = inside.max(axis=-1)
        total = np.maximum(top, 0.0).sum(axis=-1) + fixed[..., list(chosen)].sum(axis=-1)
        better = total > best
        groups = np.array(chosen)[inside[better].argmax(axis=-1)] + 1
        found[better] = np.where(top[better] > 0.0, groups, 0)
        best = np.maximum(best, total)
    return found


def _sets(n: int) -> list[tuple[int, ...]]:
    """Return all sets of packages but the empty one, small ones first."""
    return [chosen for size in range(1, n + 1) for chosen in combinations(range(n), size)]


def _few_draws(shape: tuple[int, int], n_packages: int, n_groups: int) -> int:
    """Return how many draws of each replicate are searched one by one, a power of two."""
    each = 2**n_packages * max(n_packages, 1) * n_groups
    most = max(WORK // (each * shape[0]), 1)
    return min(shape[1], 2 ** int(np.log2(most)))


def _paid_yearly(simulation: SegmentSimulation, accounting: str, adjusted: bool) -> Array:
    """Return the present value after tax of 1 a year, (replicate, draw)."""
    outcome = simulation.whole.outcome(accounting, adjusted, "segmented")
    draws = simulation.whole.shape[1]
    each = [
        np.broadcast_to((factor * flows.kept).sum(axis=0), draws)
        for factor, flows in zip(outcome.factors, outcome.flows, strict=True)
    ]
    return np.stack(each)


def _shared(simulation: SegmentSimulation, accounting: str, adjusted: bool) -> Estimate:
    return estimate(mean, simulation.part(None).outcome(accounting, adjusted, "segmented").npv)


def _overlap(few: Labels, many: Labels, amount: Array, n_few: int, n_many: int) -> Array:
    """Return the share of the value by group of one partition and of another, 0 for no group."""
    cell = np.asarray(few) * (n_many + 1) + np.asarray(many)
    size = (n_few + 1) * (n_many + 1)
    total = np.bincount(cell, amount, size).reshape(n_few + 1, n_many + 1)
    return total / total.sum()


def _changed(few: NDArray[np.int64], many: NDArray[np.int64], overlap: Array) -> NDArray[np.bool_]:
    """Return in which draws customers with enough of the value are treated differently."""
    untreated = np.zeros((*few.shape[:2], 1), dtype=np.int64)
    few = np.concatenate([untreated, few], axis=-1)
    many = np.concatenate([untreated, many], axis=-1)
    share = np.zeros(few.shape[:2])
    for a, b in zip(*np.nonzero(overlap), strict=True):
        share += overlap[a, b] * (few[..., a] != many[..., b])
    return share >= MATTERS


def _columns_by_number(numbers: list[int], npv: Mapping[int, Array], burden: Array) -> Table:
    worth = np.stack([npv[n] for n in numbers], axis=-1)
    paid = burden[..., None] * np.array(numbers)
    net = worth - paid
    table = columns("npv", estimate(quantiles(), worth), "n_segments", "quantile")
    for name, draws in {
        "value": worth,
        "handling": paid,
        "net": net,
        "gain": net - net[..., [numbers.index(1)]],
    }.items():
        table |= columns(name, estimate(mean, draws), "n_segments")
    return table


def _against_next(numbers: list[int], npv: Mapping[int, Array], burden: Array) -> Table:
    pairs = list(pairwise(numbers))
    added = [_difference(npv[more], npv[n]) for n, more in pairs]
    after = [draws - (more - n) * burden for draws, (n, more) in zip(added, pairs, strict=True)]
    table = _padded_columns("next_value", added)
    table |= _padded_columns("next_net", after)
    return table | _padded_columns("p_gain", [draws > 0.0 for draws in after])


def _difference(one: Array, other: Array) -> Array:
    """Return one less the other, and 0 where only rounding tells them apart."""
    found = one - other
    return np.where(np.abs(found) <= ROUNDING * np.abs(one), 0.0, found)


def _padded_columns(name: str, draws: list[NDArray[Any]]) -> Table:
    """Return the means of the draws of all numbers but the last, for which there is none."""
    found = [estimate(mean, one) for one in draws]
    value = np.array([*(one.value for one in found), np.nan])
    error = np.array([*(one.error for one in found), np.nan])
    return {name: (("n_segments",), value), f"{name}_error": (("n_segments",), error)}
