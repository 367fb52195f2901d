"""What can be had without the model: base rate, recency rule, logistic regression.

All three learn from an earlier origin, whose window is over, and predict at the present one. A
warning that does not beat them has no use.
"""

import numpy as np
import xarray as xr

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import CUSTOMER

FEATURES = ("recency", "frequency", "value")


def rivals(past: xr.Dataset, outcome: xr.DataArray, present: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the predictions of three simple rules.

    Parameters
    ----------
    past
        At the earlier origin, (customer): ``recency``, periods since the last order;
        ``frequency``, orders so far; ``value``, money per order or period; all ≥ 0.
    outcome
        What came after it, (customer): 1, 0, or NaN where the customer is not judged.
    present
        The same three at the present origin.

    Returns
    -------
    dict
        Probabilities at the present origin, (customer): ``base_rate``, the share of events;
        ``recency``, the share among customers of like recency, made to rise with it (isotonic
        regression); ``logistic``, logistic regression on recency and the logarithms of
        1 + frequency and 1 + value, standardised, ridge penalty 1. None of them is nearer to 0 or
        1 than one case among all would allow, so that the logarithmic score stays finite.

    Raises
    ------
    UsageError
        Where a column is missing or has gaps or negative numbers, or nobody is judged.
    """
    # scikit-learn takes a second to import, which other answers need not pay.
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    x, new = _columns(past), _columns(present)
    y = np.asarray(outcome.values, dtype=float)
    if len(y) != len(x):
        raise UsageError(
            f"Give one outcome per customer of the past: expected {len(x)}, got {len(y)}."
        )
    keep = ~np.isnan(y)
    if not keep.any():
        raise UsageError(
            "Choose an earlier origin to learn from: the outcome of every customer is cut off."
        )
    x, y = x[keep], y[keep]
    base = float(y.mean())
    edge = 1.0 / (len(y) + 2.0)
    found = {"base_rate": np.full(len(new), base), "recency": np.full(len(new), base),
             "logistic": np.full(len(new), base)}  # fmt: skip
    if 0.0 < base < 1.0:
        rule = IsotonicRegression(out_of_bounds="clip").fit(x[:, 0], y)
        found["recency"] = rule.predict(new[:, 0])
        centre, spread = x.mean(axis=0), x.std(axis=0)
        spread = np.where(spread > 0.0, spread, 1.0)
        model = LogisticRegression(max_iter=1000).fit((x - centre) / spread, y)
        found["logistic"] = model.predict_proba((new - centre) / spread)[:, 1]
    return {
        name: xr.DataArray(np.clip(p, edge, 1.0 - edge), dims=CUSTOMER) for name, p in found.items()
    }


def _columns(given: xr.Dataset) -> Array:
    missing = [name for name in FEATURES if name not in given]
    if missing:
        raise UsageError(f"Give the columns {list(FEATURES)} of the customers: {missing} missing.")
    x = np.column_stack([np.asarray(given[name].values, dtype=float) for name in FEATURES])
    if not np.all((x >= 0.0) & np.isfinite(x)):
        raise UsageError(
            "Give recency, frequency and value as finite numbers of at least 0 for every customer."
        )
    x[:, 1:] = np.log1p(x[:, 1:])
    return x
