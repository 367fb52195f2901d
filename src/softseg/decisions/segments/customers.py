"""With which customers to begin: `first_customers`."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.decisions.segments.packages import Package, packages
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import CUSTOMER, SEGMENT


def first_customers(
    simulation: SegmentSimulation,
    membership: Array,
    amount: Array,
    assigned: NDArray[np.integer],
    count: Array | float = 1.0,
    n: int = 100,
    *,
    lower: Array | None = None,
    upper: Array | None = None,
    rows: NDArray[np.integer] | None = None,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
) -> xr.Dataset:
    """Return the customers whose treatment is worth most, with the package of their segment.

    A customer who is worth v and belongs to the assigned segment with the probability r brings
    E[c] v (r + off_target (1 − r)) − E[g], with the coefficients of `Package`. What is fixed for a
    segment is not shared out. Customers without a known value, without a package and those whose
    treatment is not expected to pay are left out.

    Parameters
    ----------
    simulation
        The draws of the study.
    membership
        Mean memberships, (customer, segment), of all segments.
    amount
        Value of each customer in whole currency a year; NaN: not known.
    assigned
        Segment as which each customer is treated; 0: not treated.
    count
        Customers that a row stands for.
    n
        At most so many rows.
    lower, upper
        5 % and 95 % bound of each membership, (customer, segment).
    rows
        Number of each row in the file; 1, 2, … by default.
    accounting, adjusted
        As `Simulation.outcome` takes them.

    Returns
    -------
    xarray.Dataset
        Over customer, best first and equals in the order of the table: ``row``, ``segment``,
        ``membership``, ``amount``, ``customers``; ``net``, the expected net present value per
        customer, ``net_error``, its Monte Carlo error, and with bounds ``net_lower``,
        ``net_upper``, which come from the membership alone; ``p_positive``, the probability that
        treating this customer pays; ``cumulative``, the expected net present value of all rows so
        far. Of all customers that are expected to pay: ``all_net`` and ``all_customers``. No ids.

    Raises
    ------
    UsageError
        Where the arrays do not fit together.
    """
    n_rows = len(membership)
    if len(amount) != n_rows or len(assigned) != n_rows:
        raise UsageError(
            f"Give one membership, amount and assigned segment per customer, got {n_rows}, "
            f"{len(amount)} and {len(assigned)}."
        )
    known = packages(simulation, accounting, adjusted)
    heads = np.broadcast_to(np.asarray(count, dtype=float), n_rows)
    numbers = np.arange(1, n_rows + 1) if rows is None else np.asarray(rows)
    inside = np.isfinite(amount) & np.isin(assigned, list(known))
    own = np.where(inside, assigned - 1, 0)

    def of_own(table: Array) -> Array:
        return np.take_along_axis(table, own[:, None], axis=1)[:, 0]

    right = of_own(membership)
    each = _by_replicate(simulation, known, right, amount, np.where(inside, assigned, 0))
    net = each.mean(axis=0)
    paying = np.flatnonzero(inside & (net > 0.0))
    first = paying[np.lexsort((paying, -net[paying]))][:n]
    data: dict[str, Any] = {
        "row": numbers[first],
        SEGMENT: assigned[first],
        "membership": right[first],
        "amount": amount[first],
        "customers": heads[first],
        "net": net[first],
        "net_error": _error(each[:, first]),
        "p_positive": _p_positive(simulation, known, right[first], amount[first], assigned[first]),
        "cumulative": np.cumsum(net[first] * heads[first]),
    }
    if lower is not None and upper is not None:
        bounds = [
            _by_replicate(simulation, known, of_own(bound)[first], amount[first], assigned[first])
            for bound in (lower, upper)
        ]
        ends = np.sort([bound.mean(axis=0) for bound in bounds], axis=0)
        data["net_lower"], data["net_upper"] = ends
    found = xr.Dataset({name: (CUSTOMER, column) for name, column in data.items()})
    return found.assign(
        all_net=float((net * heads)[paying].sum()), all_customers=float(heads[paying].sum())
    )


def _by_replicate(
    simulation: SegmentSimulation,
    known: dict[int, Package],
    right: Array,
    amount: Array,
    assigned: NDArray[np.integer],
) -> Array:
    """Return the expected net value of each customer, (replicate, customer)."""
    reached, treated = _reached(simulation, right)
    net = np.zeros((simulation.whole.shape[0], len(right)))
    for k, package in known.items():
        mine = np.flatnonzero(assigned == k)
        value, cost = package.value.mean(axis=1), package.customer.mean(axis=1)
        net[:, mine] = np.outer(value, (amount * reached)[mine]) - np.outer(cost, treated[mine])
    return net


def _reached(simulation: SegmentSimulation, right: Array) -> tuple[Array, Array]:
    """Return which share of the value the programme reaches, and how likely it treats at all."""
    if simulation.programme.reach == "members":
        return right, right
    return right + simulation.programme.off_target * (1.0 - right), np.ones_like(right)


def _p_positive(
    simulation: SegmentSimulation,
    known: dict[int, Package],
    right: Array,
    amount: Array,
    assigned: NDArray[np.integer],
) -> Array:
    """Return the probability that treating each customer pays, over segment and judgement."""
    off = simulation.programme.off_target
    members = simulation.programme.reach == "members"
    found = np.zeros(len(right))
    for i, (r, v, k) in enumerate(zip(right, amount, assigned, strict=True)):
        package = known[int(k)]
        belongs = (package.variable(v, 1.0) > 0.0).mean()
        other = 0.0 if members else (package.variable(off * v, 1.0) > 0.0).mean()
        found[i] = r * belongs + (1.0 - r) * other
    return found


def _error(each: Array) -> Array:
    if len(each) < 2:
        return np.full(each.shape[1], np.nan)
    return each.std(axis=0, ddof=1) / np.sqrt(len(each))
