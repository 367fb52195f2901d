"""What the segments look like: parameters in the units of the data, lift and power.

The base of a measure is the model's value for the whole table, per draw: the mean of the segments'
values, weighted by their shares. Lift is the ratio to it, or, for signed amounts, the difference in
standard deviations of the whole table under the model, √(Σ π_k (σ_k² + (μ_k − μ)²)).

The discriminating power of indicator j is the share of the uncertainty about the segment that this
indicator alone takes away,

    1 − E[H(z | y_j)] / H(z),

with H(z) the entropy of the shares and the expectation over the customers in whom it is observed.
It favours no kind of indicator over another, as the explained variance of standardised columns
would (there continuous columns win over answers).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from softseg.families.base import Array, Measure
from softseg.likelihood.parts import single
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Values
from softseg.names import INDICATOR, LOWER_PROBABILITY, MEASURE, SEGMENT, UPPER_PROBABILITY
from softseg.results.evaluate import Evaluator, spread, thinned
from softseg.results.membership import segment_coordinates
from softseg.tables.schema import IndicatorSchema, Schema

LINE: Final = "line"
POWER_DRAWS: Final = 200
"""Draws from which the discriminating power is computed."""

POWER_PATTERNS: Final = 2_000
"""At most this many evenly spaced patterns enter the discriminating power."""


@dataclass(frozen=True)
class _Line:
    """One line: text of its columns, draws of value (sample, segment), base (sample,), lift."""

    indicator: str
    measure: str
    level: str
    unit: str
    lift_kind: str
    values: Array
    base: Array
    lift: Array


def profile(
    statistics: Statistics,
    values: Values,
    schema: Schema,
    *,
    segment_names: Sequence[str] = (),
) -> xr.Dataset:
    """Return the profile of the segments, line by line, with lift and discriminating power.

    Parameters
    ----------
    statistics
        The patterns of the table, for the discriminating power.
    values
        Draws with one leading axis (sample).
    schema
        The frozen schema.
    segment_names
        Names given by the user.

    Returns
    -------
    xarray.Dataset
        ``line_indicator, measure, level, unit, lift_kind`` (line), texts; ``base`` (line);
        ``mean, lower, upper`` and ``lift_mean, lift_lower, lift_upper`` (line, segment), lifts NaN
        where the kind is "none"; ``power_mean, power_lower, power_upper`` (indicator), NaN for an
        indicator that is nowhere observed and for one segment.
    """
    lines = [
        line
        for name, entry in schema.indicators.items()
        for line in _lines(name, entry, values.indicators[name], values.share)
    ]
    texts = {
        "line_indicator": [line.indicator for line in lines],
        MEASURE: [line.measure for line in lines],
        "level": [line.level for line in lines],
        "unit": [line.unit for line in lines],
        "lift_kind": [line.lift_kind for line in lines],
    }
    data: dict[str, Any] = {
        name: (LINE, np.array(text, dtype=np.str_)) for name, text in texts.items()
    }
    data["base"] = (LINE, np.array([line.base.mean() for line in lines]))
    data |= _band("", np.stack([line.values for line in lines]), (LINE, SEGMENT))
    data |= _band("lift_", np.stack([line.lift for line in lines]), (LINE, SEGMENT))
    power = np.stack([powers(statistics, values, name) for name in schema.indicators])
    data |= _band("power_", power, (INDICATOR,))
    coordinates: dict[str, Any] = segment_coordinates(values.share.shape[-1], segment_names)
    coordinates[INDICATOR] = np.array(list(schema.indicators), dtype=np.str_)
    return xr.Dataset(data, coordinates)


def powers(statistics: Statistics, values: Values, indicator: str) -> Array:
    """Return draws of the discriminating power of one indicator, shape (sample,).

    At most `POWER_DRAWS` draws and `POWER_PATTERNS` patterns, evenly spaced, are used.
    """
    used = thinned(values, POWER_DRAWS)
    n_draws, n_segments = used.share.shape
    patterns = spread(statistics.n_patterns, min(statistics.n_patterns, POWER_PATTERNS))
    alone, _ = single(statistics, indicator, patterns)
    if n_segments == 1 or alone.n_patterns == 0 or alone.count.sum() == 0:
        return np.full(n_draws, np.nan)
    evaluator = Evaluator(alone, Values(used.share, {indicator: used.indicators[indicator]}))
    left = np.zeros(n_draws)
    for block in evaluator.blocks():
        members = evaluator.memberships(block)
        left += alone.count[block] @ _entropy(members, axis=1)
    return 1.0 - left / alone.count.sum() / _entropy(used.share, axis=1)


def _lines(
    name: str, entry: IndicatorSchema, parameters: Mapping[str, Array], share: Array
) -> list[_Line]:
    coding = entry.coding()
    measures = entry.member().profile(parameters, coding)
    scale = base_sd(measures, share, coding.scale)
    lines = []
    for measure in measures:
        wide = measure.values.ndim == 3
        # The share of a two-valued indicator is that of its success, the second level.
        levels = coding.levels if wide else (coding.levels[-1] if coding.levels else "",)
        for position, level in enumerate(levels):
            values = measure.values[..., position] if wide else measure.values
            base = (share * values).sum(axis=-1)
            lift = _lift(measure.lift, values, base, scale)
            unit = _unit(measure.name, entry)
            lines.append(_Line(name, measure.name, level, unit, measure.lift, values, base, lift))
    return lines


def _lift(kind: str, values: Array, base: Array, scale: Array) -> Array:
    nothing = np.full_like(values, np.nan)
    if kind == "ratio":
        return np.divide(values, base[:, None], out=nothing, where=base[:, None] > 0)
    if kind == "difference":
        return (values - base[:, None]) / scale[:, None]
    return nothing


def base_sd(measures: Sequence[Measure], share: Array, fallback: float) -> Array:
    """Return the sd of the whole table under the model, shape (sample,).

    Families without a mean and an sd among their measures are taken at the training table's scale.
    """
    found = {measure.name: measure.values for measure in measures}
    if "mean" not in found or "sd" not in found:
        return np.full(len(share), fallback)
    mean = (share * found["mean"]).sum(axis=-1, keepdims=True)
    within = found["sd"] ** 2 + (found["mean"] - mean) ** 2
    return np.sqrt((share * within).sum(axis=-1))


def _unit(measure: str, entry: IndicatorSchema) -> str:
    """Return a measure's unit: none for shares and on the log scale, per exposure for rates."""
    if measure.startswith(("share", "log_")):
        return ""
    unit = entry.unit or ""
    if measure == "rate" and entry.exposure_unit:
        return f"{unit} / {entry.exposure_unit}".strip()
    return unit


def _entropy(probability: Array, axis: int) -> Array:
    logs = np.log(np.where(probability > 0, probability, 1.0))
    return -(probability * logs).sum(axis=axis)


def _band(prefix: str, draws: Array, dims: tuple[str, ...]) -> dict[str, Any]:
    """Return mean and interval over the axis (sample), which comes second."""
    lower, upper = np.quantile(draws, (LOWER_PROBABILITY, UPPER_PROBABILITY), axis=1)
    return {
        f"{prefix}mean": (dims, draws.mean(axis=1)),
        f"{prefix}lower": (dims, lower),
        f"{prefix}upper": (dims, upper),
    }
