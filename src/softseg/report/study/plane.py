"""Where the segments lie in a plane, with their uncertainty: the coordinates of the segment map.

Principal components: the segments' expected indicators, as differences to all customers that are
about in standard deviations (differences in sd, log ratios, Cohen's h for shares), weighted by the
segments' shares. Correspondence analysis (Greenacre 2017, Correspondence Analysis in Practice,
chapters 4 to 6) of the table segment by level where most indicators are categories: distances are
chi-squared distances of the segments' answers. Both are computed once from the posterior means;
every draw of the segments is then projected onto the same axes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from softseg.report.facts import Array, Facts
from softseg.results.tree import schema_from_tree, values_from_tree
from softseg.tables.schema import IndicatorSchema

MOST_DRAWS: Final = 400
CATEGORICAL: Final = ("categorical", "bernoulli")
LEAST_LOADING: Final = 0.25
"""Part of an axis' largest loading from which an indicator is named at it."""
MOST_NAMED: Final = 3


@dataclass(frozen=True)
class Plane:
    """Segments in a plane.

    Attributes
    ----------
    kind
        ``pca`` or ``correspondence``.
    points
        Position of each segment, (segment, axis).
    draws
        Positions by draw, (sample, segment, axis).
    explained
        Share of the differences between the segments that each axis shows, (axis,).
    more, less
        By axis, what grows and what shrinks along it, the strongest first.
    """

    kind: str
    points: Array
    draws: Array
    explained: Array
    more: tuple[tuple[str, ...], tuple[str, ...]]
    less: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class _Columns:
    """What the segments differ in: labels (column), values (sample, segment, column)."""

    labels: list[str]
    values: Array


def plane(tree: xr.DataTree, language: str = "en") -> Plane | None:
    """Return where the segments lie, None with one segment or one column only.

    Parameters
    ----------
    tree
        Posterior tree with the schema.
    language
        Of the labels that stand for unnamed indicators.
    """
    facts = Facts(tree, language)
    schema = schema_from_tree(tree)
    values = values_from_tree(tree)
    n_draws, n_segments = values.share.shape
    if n_segments < 2:
        return None
    few = np.unique(np.linspace(0, n_draws - 1, min(n_draws, MOST_DRAWS)).astype(int))
    share = values.share[few]
    parameters = {
        name: {key: draws[few] for key, draws in found.items()}
        for name, found in values.indicators.items()
    }
    categories = [n for n, e in schema.indicators.items() if e.family in CATEGORICAL]
    if 2 * len(categories) > len(schema.indicators):
        counts = _joined(
            [_levels(facts.label(n), schema.indicators[n], parameters[n]) for n in categories]
        )
        return _correspondence(counts, share) if counts.values.shape[2] > 1 else None
    columns = _joined(
        [_scores(facts.label(n), e, parameters[n], share) for n, e in schema.indicators.items()]
    )
    return _components(columns, share) if columns.values.shape[2] > 1 else None


def _joined(parts: list[_Columns]) -> _Columns:
    labels = [label for part in parts for label in part.labels]
    return _Columns(labels, np.concatenate([part.values for part in parts], axis=2))


def _levels(label: str, entry: IndicatorSchema, parameters: Mapping[str, Array]) -> _Columns:
    """Return the share of every level in every segment."""
    levels = entry.coding().levels
    shares = parameters["probability"]
    if shares.ndim == 2:
        shares = np.stack([1.0 - shares, shares], axis=2)
    return _Columns([f"{label}: {level}" for level in levels], shares)


def _scores(
    label: str, entry: IndicatorSchema, parameters: Mapping[str, Array], share: Array
) -> _Columns:
    """Return how far each segment lies from all customers, about in standard deviations."""
    coding = entry.coding()
    measures = {m.name: m for m in entry.member().profile(parameters, coding)}
    head = next(iter(measures.values()))
    parts = [head, measures["median_positive"]] if "median_positive" in measures else [head]
    labels: list[str] = []
    found: list[Array] = []
    for measure in parts:
        wide = measure.values if measure.values.ndim == 3 else measure.values[..., None]
        base = (share[..., None] * wide).sum(axis=1, keepdims=True)
        if measure.name.startswith("share"):
            away = (_angle(wide) - _angle(base)) / np.sqrt(wide.shape[2])
            names = coding.levels if wide.shape[2] > 1 else ("",)
        elif measure.lift == "ratio":
            away = np.log(np.maximum(wide, 1e-12) / np.maximum(base, 1e-12))
            names = ("",)
        else:
            sd = measures["sd"].values[..., None] if "sd" in measures else None
            away = (wide - base) / _whole_sd(wide, base, sd, share, coding.scale)
            names = ("",)
        labels += [f"{label}: {name}" if name else label for name in names]
        found.append(away)
    return _Columns(labels, np.concatenate(found, axis=2))


def _angle(share: Array) -> Array:
    return 2.0 * np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0)))


def _whole_sd(mean: Array, base: Array, sd: Array | None, share: Array, fallback: float) -> Array:
    """Return the standard deviation of the whole table under the model, (sample, 1, 1)."""
    if sd is None:
        return np.full((len(mean), 1, 1), fallback)
    within = (share[..., None] * (sd**2 + (mean - base) ** 2)).sum(axis=1, keepdims=True)
    return np.sqrt(within)


def _components(columns: _Columns, share: Array) -> Plane:
    weight = share.mean(axis=0)
    expected = columns.values.mean(axis=0)
    centre = weight @ expected
    _, size, axes = np.linalg.svd(
        np.sqrt(weight)[:, None] * (expected - centre), full_matrices=False
    )
    axes = _two(axes)
    sign = _sign(axes)
    axes = sign[:, None] * axes
    return _plane(
        "pca", (expected - centre) @ axes.T, (columns.values - centre) @ axes.T, size,
        columns.labels, axes,
    )  # fmt: skip


def _correspondence(counts: _Columns, share: Array) -> Plane:
    def profile(table: Array) -> Array:
        return table / table.sum(axis=-1, keepdims=True)

    table = share.mean(axis=0)[:, None] * counts.values.mean(axis=0)
    table = table / table.sum()
    row, column = table.sum(axis=1), np.maximum(table.sum(axis=0), 1e-12)
    residual = (table - np.outer(row, column)) / np.sqrt(np.outer(row, column))
    _, size, axes = np.linalg.svd(residual, full_matrices=False)
    axes = _two(axes)
    axes = _sign(axes)[:, None] * axes
    standard = (axes / np.sqrt(column)).T
    return _plane(
        "correspondence", (profile(table) - column) @ standard,
        (profile(counts.values) - column) @ standard, size, counts.labels, axes,
    )  # fmt: skip


def _two(axes: Array) -> Array:
    """Return the first two axes; a second one of zeros where there is none."""
    return axes[:2] if len(axes) > 1 else np.vstack([axes, np.zeros_like(axes)])


def _sign(axes: Array) -> Array:
    """Return the signs that turn the largest loading of each axis upwards."""
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(largest < 0, -1.0, 1.0)


def _plane(
    kind: str, points: Array, draws: Array, size: Array, labels: list[str], axes: Array
) -> Plane:
    total = float((size**2).sum())
    explained = np.zeros(2)
    explained[: len(size[:2])] = size[:2] ** 2 / total if total > 0 else 0.0
    named = [_named(labels, axis) for axis in axes]
    more, less = zip(*named, strict=True)
    return Plane(kind, points, draws, explained, more, less)


def _named(labels: list[str], axis: Array) -> tuple[tuple[str, ...], tuple[str, ...]]:
    order = np.argsort(-np.abs(axis), kind="stable")[: 2 * MOST_NAMED]
    least = LEAST_LOADING * float(np.abs(axis).max(initial=0.0))
    found: tuple[list[str], list[str]] = [], []
    for i in order:
        side = found[int(axis[i] < 0)]
        if abs(axis[i]) > least and labels[i] not in side:
            side.append(labels[i])
    return tuple(found[0][:MOST_NAMED]), tuple(found[1][:MOST_NAMED])
