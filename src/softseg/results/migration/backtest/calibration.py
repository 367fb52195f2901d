"""Do events happen as often as the warning says? Calibration with exact binomial bands.

The bands of Clopper and Pearson (1934), Biometrika 26, 404–413, hold exactly for any number of
cases. Slope and intercept are those of a logistic regression of the outcome on the logit of the
prediction (Cox 1958, Biometrika 45, 562–565): 1 and 0 where it is right, a slope below 1 where
predictions are too extreme. A customer judged at several origins is one cluster in their errors.
"""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from softseg.checks import whole_number
from softseg.families.base import Array
from softseg.names import LOWER_PROBABILITY, UPPER_PROBABILITY
from softseg.results.migration.backtest.outcomes import judged

EDGE = 1e-9
"""Predictions are held this far from 0 and 1 where their logit is taken."""
HISTOGRAM_BINS = 20
TURNS = 100


def calibration(predicted: xr.DataArray, outcome: xr.DataArray, *, bins: int = 10) -> xr.Dataset:
    """Return the calibration of predicted probabilities.

    Parameters
    ----------
    predicted
        Probability of the event, (customer) or (origin, customer).
    outcome
        1, 0, or NaN where the customer is not judged, of the same dims.
    bins
        Groups of about equal size; fewer where predictions are equal.

    Returns
    -------
    xarray.Dataset
        Over (bin): ``predicted``, the mean prediction; ``observed``, the share of events, with its
        90 % band ``lower`` and ``upper``; ``cases`` and ``events``. Over (histogram_bin):
        ``histogram``, the number of predictions between equally spaced edges. ``slope`` and
        ``intercept``, ``offset`` (the intercept at slope 1: how far the level is off), each with
        ``_lower`` and ``_upper``; NaN where events, or their absence, are missing. Attributes
        ``judged`` and ``not_judged``.

    Raises
    ------
    UsageError
        Where predictions or outcomes do not fit, or nobody is judged.
    """
    whole_number(bins, "the number of bins", 1)
    cases = judged(predicted, outcome)
    p, y = cases["predicted"].values, cases["outcome"].values
    group = _groups(p, bins)
    n = np.bincount(group).astype(float)
    events = np.bincount(group, y)
    lower, upper = clopper_pearson(events, n)
    edges = np.linspace(0.0, 1.0, HISTOGRAM_BINS + 1)
    found: dict[str, Any] = {
        "predicted": ("bin", np.bincount(group, p) / n), "observed": ("bin", events / n),
        "lower": ("bin", lower), "upper": ("bin", upper), "cases": ("bin", n),
        "events": ("bin", events),
        "histogram": ("histogram_bin", np.histogram(p, edges)[0].astype(float)),
    }  # fmt: skip
    who = cases["customer"].values
    logit = special.logit(np.clip(p, EDGE, 1.0 - EDGE))
    both = np.column_stack([np.ones(len(p)), logit])
    line, line_error = _logistic(both, y, who, np.zeros(len(p)))
    level, level_error = _logistic(both[:, :1], y, who, logit)
    z = special.ndtri(UPPER_PROBABILITY)
    for name, mean, error in (
        ("slope", line[1], line_error[1]), ("intercept", line[0], line_error[0]),
        ("offset", level[0], level_error[0]),
    ):  # fmt: skip
        found |= {name: ((), mean), f"{name}_lower": ((), mean - z * error),
                  f"{name}_upper": ((), mean + z * error)}  # fmt: skip
    attributes = {"judged": len(p), "not_judged": int(outcome.size - len(p))}
    return xr.Dataset(found, attrs=attributes)


def clopper_pearson(events: Array, n: Array) -> tuple[Array, Array]:
    """Return the exact equal-tailed 90 % bounds of a share, given events among n cases."""
    with np.errstate(invalid="ignore"):
        lower = special.betaincinv(events, n - events + 1.0, LOWER_PROBABILITY)
        upper = special.betaincinv(events + 1.0, n - events, UPPER_PROBABILITY)
    return np.where(events > 0, lower, 0.0), np.where(events < n, upper, 1.0)


def _groups(p: Array, bins: int) -> NDArray[np.intp]:
    """Return the group of each prediction; equal predictions are in the same group."""
    edges = np.unique(np.quantile(p, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    group = np.searchsorted(edges, p, side="left")
    return np.unique(group, return_inverse=True)[1].reshape(-1)


def _logistic(x: Array, y: Array, who: Array, offset: Array) -> tuple[Array, Array]:
    """Return coefficients of a logistic regression by Newton, and errors clustered by customer."""
    nothing = np.full(x.shape[1], np.nan)
    constant = x.shape[1] > 1 and np.ptp(x[:, 1]) == 0.0
    if y.min() == y.max() or constant:
        return nothing, nothing
    b = np.zeros(x.shape[1])
    if x.shape[1] > 1:
        b[1] = 1.0
    for _ in range(TURNS):
        mean = special.expit(x @ b + offset)
        information = (x * (mean * (1.0 - mean))[:, None]).T @ x
        try:
            move = np.linalg.solve(information, x.T @ (y - mean))
        except np.linalg.LinAlgError:
            return nothing, nothing
        b = b + np.clip(move, -2.0, 2.0)
        if np.abs(move).max() < 1e-10:
            break
    else:
        return nothing, nothing  # the outcomes are separated: the best slope is infinite
    scores = x * (y - special.expit(x @ b + offset))[:, None]
    clusters = np.unique(who, return_inverse=True)[1].reshape(-1)
    summed = np.stack([np.bincount(clusters, column) for column in scores.T], axis=1)
    inverse = np.linalg.inv(information)
    return b, np.sqrt(np.diag(inverse @ (summed.T @ summed) @ inverse))
