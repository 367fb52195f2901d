"""What deciding on hard labels costs: `regret`.

The same levers, once for the customers by their top segment, once by the label of a hard
clustering, on the same draws and with the same segment of every customer. Whoever takes the labels
for the truth also believes that every treated customer belongs where the label says. What is
believed less what is delivered is by how much such a calculation promises too much.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from softseg.decisions.answers.estimates import columns, dataset, estimate, mean, quantiles
from softseg.decisions.segments.expand import base_rows
from softseg.decisions.segments.packages import by_draw, packages
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError
from softseg.names import ASSIGNED, RULE, SEGMENT


def regret(
    simulation: SegmentSimulation,
    rule: str = "kmeans",
    matched: Mapping[int, int] | None = None,
    *,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
) -> xr.Dataset:
    """Return by how much the programme is worth more than the same one by hard labels.

    Parameters
    ----------
    simulation
        The draws of the study; its value must hold the rule.
    rule
        Name of the hard labels among the rules of the value.
    matched
        Segment as which each group of the rule is treated. None: groups and segments are matched
        one to one so that most value agrees; groups that find no partner are not treated.
    accounting, adjusted
        As `Simulation.outcome` takes them.

    Returns
    -------
    xarray.Dataset
        Net present values in whole currency: ``soft``, of the programme as
        in the headline; ``hard``, of the same by
        hard labels; ``regret``, the first less the second; ``believed``, of the second if labels
        were the truth; ``promised_too_much``, which is ``believed`` less ``hard``. Each by
        quantile, and its mean in ``mean_…``; ``p_regret``, the share of draws with a positive
        regret, and ``p_promised_too_much``. All with Monte Carlo errors in ``…_error``.
        ``segment_of_group`` (group) says who was treated as what, 0 for nobody.

    Raises
    ------
    UsageError
        Where the value has no such rule.
    """
    value = simulation.value
    if rule not in value[RULE].to_numpy():
        known = [str(name) for name in value[RULE].to_numpy()]
        raise UsageError(f"Name a rule out of {known}, got {rule!r}.")
    table = value.sel({RULE: [rule]})
    groups = [int(j) for j in table[ASSIGNED].to_numpy()]
    partner = match(table.isel({RULE: 0})) if matched is None else matched
    hard = relabelled(table, partner)
    rows = base_rows(simulation.expanded, hard, simulation.programme, rule)
    treated = hard.isel({RULE: 0})
    soft = simulation.whole.outcome(accounting, adjusted).npv
    lost, excess = np.zeros_like(soft), np.zeros_like(soft)
    for k, package in packages(simulation, accounting, adjusted).items():
        ids = simulation.expanded.bases[k], simulation.expanded.customers[k]
        ours = [np.broadcast_to(simulation.whole.draws.values[id], soft.shape) for id in ids]
        theirs = [by_draw(simulation, rows[id]) for id in ids]
        labels = [float(treated[f"{what}_treated"].sel({ASSIGNED: k}))
                  for what in ("value", "customers")]  # fmt: skip
        lost += package.variable(ours[0] - theirs[0], ours[1] - theirs[1])
        excess += package.variable(labels[0] - theirs[0], labels[1] - theirs[1])
    draws = {
        "soft": soft,
        "hard": soft - lost,
        "regret": lost,
        "believed": soft - lost + excess,
        "promised_too_much": excess,
    }
    found = columns("p_regret", estimate(mean, lost > 0.0))
    found |= columns("p_promised_too_much", estimate(mean, excess > 0.0))
    for name, npv in draws.items():
        found |= columns(name, estimate(quantiles(), npv), "quantile")
        found |= columns(f"mean_{name}", estimate(mean, npv))
    found["segment_of_group"] = ("group",), np.array([partner.get(j, 0) for j in groups])
    return dataset(found, group=groups).assign_attrs(rule=rule)


def match(table: xr.Dataset) -> dict[int, int]:
    """Return the segment of each group that treats anybody, matched by the value they share.

    Parameters
    ----------
    table
        The value of one rule.
    """
    table = table.isel({ASSIGNED: np.flatnonzero(table["customers_treated"].to_numpy() > 0.0)})
    shared = table["value_expected"].mean("sample").transpose(ASSIGNED, SEGMENT)
    groups, segments = linear_sum_assignment(shared.to_numpy(), maximize=True)
    return {
        int(shared[ASSIGNED][j]): int(shared[SEGMENT][k])
        for j, k in zip(groups, segments, strict=True)
    }


def relabelled(value: xr.Dataset, partner: Mapping[int, int]) -> xr.Dataset:
    """Return the value with every group treated as the segment that is its partner."""
    groups = value[ASSIGNED].to_numpy()
    segments = value[SEGMENT].to_numpy()
    onto: NDArray[np.float64] = np.array(
        [[float(partner.get(int(j), 0) == k) for j in groups] for k in segments]
    )
    moves = xr.DataArray(onto, {"new": segments, ASSIGNED: groups}, dims=("new", ASSIGNED))

    def moved(name: str) -> xr.DataArray:
        old: xr.DataArray = value[name]
        found = xr.dot(old, moves, dim=ASSIGNED).rename(new=ASSIGNED)
        return found.transpose(*old.dims)

    return xr.Dataset({str(name): moved(str(name)) for name in value.data_vars})
