"""Does the warning put those with the event above those without? The area under the ROC curve.

The area is the probability that a customer with the event has the higher score (Mann and Whitney),
ties counting half, its error that of DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44,
837–845. Over horizons: cumulative cases, dynamic controls (Heagerty and Zheng 2005, Biometrics 61,
92–105).
"""

import numpy as np
import xarray as xr
from scipy.stats import rankdata

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import CUSTOMER, HORIZON


def discrimination(
    predicted: xr.DataArray, periods_to_event: xr.DataArray, periods_seen: xr.DataArray
) -> xr.Dataset:
    """Return the area under the ROC curve for every horizon.

    A case has had the event by the horizon, a control has been watched up to it without. Customers
    watched for less are not judged at this horizon.

    Parameters
    ----------
    predicted
        Probability of the event by each horizon, (horizon, customer), horizons labelled from 1.
    periods_to_event
        Periods from the origin to the event, (customer), ≥ 1; NaN where there was none.
    periods_seen
        Periods after the origin in which the customer was watched, (customer).

    Returns
    -------
    xarray.Dataset
        Over (horizon): ``auc``, NaN without cases or controls, ``auc_error``; ``cases``,
        ``controls``, ``not_judged``.

    Raises
    ------
    UsageError
        Where there are no horizons or customers do not fit.
    """
    if HORIZON not in predicted.coords or CUSTOMER not in predicted.dims:
        raise UsageError(
            f"Give predictions over {HORIZON!r} (labelled, from 1) and {CUSTOMER!r}, "
            f"got {list(predicted.dims)}."
        )
    n = predicted.sizes[CUSTOMER]
    if periods_to_event.sizes.get(CUSTOMER) != n or periods_seen.sizes.get(CUSTOMER) != n:
        raise UsageError(
            f"Give both numbers of periods for every customer predicted: expected {n}, got "
            f"{periods_to_event.sizes.get(CUSTOMER, 0)} and {periods_seen.sizes.get(CUSTOMER, 0)}."
        )
    horizons = predicted[HORIZON].values
    rows = []
    for h in horizons:
        p = predicted.sel({HORIZON: h}).values
        whole = periods_seen.values >= h
        case = whole & (periods_to_event.values <= h)
        control = whole & ~case
        rows.append((*area(p[case], p[control]), case.sum(), control.sum(), n - whole.sum()))
    names = ("auc", "auc_error", "cases", "controls", "not_judged")
    columns = np.array(rows, dtype=float).T
    data = {name: (HORIZON, column) for name, column in zip(names, columns, strict=True)}
    return xr.Dataset(data, {HORIZON: horizons})


def area(cases: Array, controls: Array) -> tuple[float, float]:
    """Return the area under the ROC curve and its standard error, NaN where a side is empty."""
    m, n = len(cases), len(controls)
    if m == 0 or n == 0:
        return float("nan"), float("nan")
    ranks = rankdata(np.concatenate([cases, controls]))
    above = (ranks[:m] - rankdata(cases)) / n  # share of controls below each case
    below = 1.0 - (ranks[m:] - rankdata(controls)) / m  # share of cases above each control
    if min(m, n) < 2:
        return float(above.mean()), float("nan")
    return float(above.mean()), float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))
