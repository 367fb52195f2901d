"""Which segment a customer belongs to, and how sure that is: `membership`.

For draw s the membership of customer i in segment k is

    r_ik = π_k f(x_i | θ_k) / Σ_l π_l f(x_i | θ_l),

a missing cell contributing 1. Its mean over the draws is the probability that the customer belongs
to the segment, everything included; its interval says how much of that rests on parameters that
are not known exactly. P(top) is another number: the share of draws in which the top segment is the
most probable one.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Values
from softseg.names import CUSTOMER, SEGMENT, SEGMENT_NAME
from softseg.results.evaluate import Summary, draws_to_use, summarise, thinned

CLEAR_BOUND: Final = 0.8
"""A membership is clear when the 5 % bound of the top segment's is at least this."""

TAIL_BOUND: Final = 0.01
"""A row fits none of the segments when its predictive tail probability is below this."""

CLEAR: Final = "clear"
AMBIGUOUS: Final = "ambiguous"
FITS_NONE: Final = "fits none"
VERDICTS: Final = (CLEAR, AMBIGUOUS, FITS_NONE)
VERDICT_TYPE: Final = np.dtype("<U9")


def membership(
    statistics: Statistics,
    values: Values,
    *,
    tail_probability: Array | None = None,
    rows: NDArray[np.int64] | None = None,
    segment_names: Sequence[str] = (),
    n_used: int | None = None,
) -> xr.Dataset:
    """Return the memberships of every customer with intervals and a verdict.

    Parameters
    ----------
    statistics
        The patterns of the table.
    values
        Draws with one leading axis (sample).
    tail_probability
        Predictive tail probability of each customer, shape (customer,); NaN and None: not known,
        so that no customer is said to fit none.
    rows
        Number of each row in the file, shape (customer,); 1, 2, … by default.
    segment_names
        Names given by the user; the numbers as text by default.
    n_used
        Number of evenly spaced draws to use; by default as `draws_to_use` says. It stands in the
        attribute ``n_draws`` of the result, to be handed over when new rows are scored.

    Returns
    -------
    xarray.Dataset
        ``mean, lower, upper`` (customer, segment); ``top, second`` (customer), numbers from 1,
        ``second`` 0 where there is one segment; ``p_top`` (customer), share of draws in which
        ``top`` is the most probable; ``entropy`` (customer) of the mean membership in units of
        log K; ``tail_probability``; ``verdict`` "clear", "ambiguous" or "fits none"; ``row``.
    """
    if n_used is None:
        n_used = draws_to_use(statistics.n_patterns, len(values.share))
    summary = summarise(statistics, thinned(values, n_used))
    return membership_dataset(
        summary,
        statistics.pattern_of_row,
        n_used=n_used,
        tail_probability=tail_probability,
        rows=rows,
        segment_names=segment_names,
    )


def membership_dataset(
    summary: Summary,
    pattern_of_row: NDArray[np.intp],
    *,
    n_used: int,
    tail_probability: Array | None = None,
    rows: NDArray[np.int64] | None = None,
    segment_names: Sequence[str] = (),
) -> xr.Dataset:
    """Return the layout of `membership` for patterns that are already summarised."""
    n_customers, n_segments = len(pattern_of_row), summary.mean.shape[1]
    tail = np.full(n_customers, np.nan) if tail_probability is None else tail_probability
    if len(tail) != n_customers:
        raise UsageError(
            f"Give one tail probability per customer: expected {n_customers}, got {len(tail)}."
        )
    order = np.argsort(-summary.mean, axis=1, kind="stable")
    top = order[:, 0]
    second = order[:, 1] + 1 if n_segments > 1 else np.zeros(len(top), dtype=np.intp)
    every = np.arange(len(top))
    by_pattern = {
        "top": top.astype(np.int64) + 1,
        "second": second.astype(np.int64),
        "p_top": summary.wins[every, top],
        "entropy": entropy(summary.mean),
    }
    wide = (CUSTOMER, SEGMENT)
    data = {
        "mean": (wide, summary.mean[pattern_of_row]),
        "lower": (wide, summary.lower[pattern_of_row]),
        "upper": (wide, summary.upper[pattern_of_row]),
        **{name: (CUSTOMER, array[pattern_of_row]) for name, array in by_pattern.items()},
        "tail_probability": (CUSTOMER, np.asarray(tail, dtype=float)),
        "verdict": (CUSTOMER, _verdict(summary.lower[every, top][pattern_of_row], tail)),
        "row": (CUSTOMER, np.arange(1, n_customers + 1) if rows is None else np.asarray(rows)),
    }
    coordinates = {
        CUSTOMER: np.arange(n_customers),
        **segment_coordinates(n_segments, segment_names),
    }
    return xr.Dataset(data, coordinates, {"n_draws": n_used})


def entropy(mean: Array) -> Array:
    """Return the entropy of memberships in units of log K, 0 where there is one segment.

    Shape (…, segment) becomes (…). 0 is certainty, 1 is not knowing anything.
    """
    n_segments = mean.shape[-1]
    if n_segments == 1:
        return np.zeros(mean.shape[:-1])
    logs = np.log(np.where(mean > 0, mean, 1.0))
    return np.clip(-(mean * logs).sum(axis=-1) / np.log(n_segments), 0.0, 1.0)


def segment_coordinates(
    n_segments: int, segment_names: Sequence[str] = ()
) -> dict[str, tuple[str, NDArray[Any]]]:
    """Return the coordinates ``segment`` (1 … K) and ``segment_name``."""
    numbers = np.arange(1, n_segments + 1)
    names = list(segment_names) or [str(number) for number in numbers]
    if len(names) != n_segments:
        raise UsageError(
            f"Give one name per segment: expected {n_segments}, got {len(names)} names."
        )
    return {
        SEGMENT: (SEGMENT, numbers),
        SEGMENT_NAME: (SEGMENT, np.array(names, dtype=np.str_)),
    }


def empty(n_segments: int, *, n_used: int, segment_names: Sequence[str] = ()) -> xr.Dataset:
    """Return the memberships of no customer, with the dtypes of any other result."""
    nothing = np.empty((0, n_segments))
    no_totals = np.empty((n_used, 0, n_segments))
    summary = Summary(nothing, nothing, nothing, nothing, no_totals, no_totals)
    patterns = np.empty(0, dtype=np.intp)
    return membership_dataset(summary, patterns, n_used=n_used, segment_names=segment_names)


def _verdict(lower_of_top: Array, tail: Array) -> NDArray[np.str_]:
    verdict = np.where(lower_of_top >= CLEAR_BOUND, CLEAR, AMBIGUOUS).astype(VERDICT_TYPE)
    verdict[np.asarray(tail) < TAIL_BOUND] = FITS_NONE
    return verdict
