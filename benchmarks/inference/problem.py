"""One table and one model in numbers, the same for every tool: `state`.

The priors are the defaults that softseg freezes in the schema of the table. The peers get the same
numbers, Gaussian indicators standardised as softseg does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.inference.data import Array, Data, simulate
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import Mixture, Values, specify
from softseg.tables.prepare import prepare
from softseg.tables.schema import Schema
from softseg.tables.table import Table

SHARE_ALPHA = 2.0


@dataclass(frozen=True)
class Gaussians:
    """Standardised Gaussian indicators: z and what is observed (customer, indicator), priors.

    Mean ~ Normal(mu, sigma), variance ~ InverseGamma(alpha, beta), all on the standardised scale,
    (indicator,).
    """

    names: tuple[str, ...]
    z: Array
    observed: Array
    centre: Array
    scale: Array
    mu: Array
    sigma: Array
    alpha: Array
    beta: Array


@dataclass(frozen=True)
class Counts:
    """Poisson indicators: x and what is observed (customer, indicator); rate ~ Gamma."""

    names: tuple[str, ...]
    x: Array
    observed: Array
    alpha: Array
    beta: Array


@dataclass(frozen=True)
class Categories:
    """Categorical indicators, cells ~ Dirichlet(1): codes (customer, indicator), −1 missing."""

    names: tuple[str, ...]
    codes: NDArray[np.intp]
    levels: tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """A table with its model, as softseg reads it and as arrays for the peers."""

    data: Data
    table: Table
    n_segments: int
    gaussians: Gaussians
    counts: Counts
    categories: Categories

    @property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return not any(np.isnan(column).any() for column in self.data.columns.values())

    @property
    def truth(self) -> Values:
        """The true parameters, in which the peers' chains start."""
        return Values(self.data.truth.share, self.data.truth.indicators)

    def mixture(self) -> Mixture:
        """Return softseg's specification."""
        return specify(self.table.schema, self.n_segments)

    def statistics(self) -> Statistics:
        """Return softseg's statistics."""
        return reduce(self.table)

    def values(
        self, share: Array, mean_z: Array, variance_z: Array, rate: Array, cells: list[Array]
    ) -> Values:
        """Return a peer's draws in softseg's names and units.

        Leading axes are free; then (segment), (indicator, segment) three times, and for every
        categorical indicator (segment, level).
        """
        found: dict[str, dict[str, Array]] = {}
        g = self.gaussians
        for i, name in enumerate(g.names):
            sd = g.scale[i] * np.sqrt(variance_z[..., i, :])
            found[name] = {"mean": g.centre[i] + g.scale[i] * mean_z[..., i, :], "sd": sd}
        for i, name in enumerate(self.counts.names):
            found[name] = {"rate": rate[..., i, :]}
        for name, probability in zip(self.categories.names, cells, strict=True):
            found[name] = {"probability": probability}
        return Values(share, {name: found[name] for name in self.table.schema.indicators})

    def start(self) -> dict[str, Any]:
        """Return the truth on the peers' scale: the arguments of `values`."""
        truth, g = self.data.truth.indicators, self.gaussians
        mean = [
            (truth[n]["mean"] - c) / s for n, c, s in zip(g.names, g.centre, g.scale, strict=True)
        ]
        variance = [(truth[n]["sd"] / s) ** 2 for n, s in zip(g.names, g.scale, strict=True)]
        return {
            "share": self.data.truth.share,
            "mean_z": np.array(mean).reshape(-1, self.n_segments),
            "variance_z": np.array(variance).reshape(-1, self.n_segments),
            "rate": np.array([truth[n]["rate"] for n in self.counts.names]).reshape(
                -1, self.n_segments
            ),
            "cells": [truth[n]["probability"] for n in self.categories.names],
        }


def state(name: str, n: int, seed: int, n_segments: int = 4) -> Problem:
    """Return the problem of one data set, size and seed."""
    data = simulate(name, n, seed)
    table = prepare(data.frame(), Schema(indicators=dict(data.families)))
    names = {
        family: tuple(i for i, f in data.families.items() if f == family)
        for family in ("gaussian", "poisson", "categorical")
    }
    return Problem(
        data,
        table,
        n_segments,
        _gaussians(data, table, names["gaussian"]),
        _counts(data, table, names["poisson"]),
        _categories(data, table, names["categorical"]),
    )


def _gaussians(data: Data, table: Table, names: tuple[str, ...]) -> Gaussians:
    codings = [table.schema.indicators[name].coding() for name in names]
    centre = np.array([coding.centre for coding in codings])
    scale = np.array([coding.scale for coding in codings])
    x = _stack(data.columns, names)
    means = [_prior(table, name, "mean") for name in names]
    spreads = [_prior(table, name, "sd") for name in names]
    return Gaussians(
        names,
        np.nan_to_num((x - centre) / scale),
        (~np.isnan(x)).astype(float),
        centre,
        scale,
        (np.array([p["mu"] for p in means]) - centre) / scale,
        np.array([p["sigma"] for p in means]) / scale,
        np.array([p["alpha"] for p in spreads]),
        np.array([p["beta"] for p in spreads]) / scale**2,
    )


def _counts(data: Data, table: Table, names: tuple[str, ...]) -> Counts:
    x = _stack(data.columns, names)
    rates = [_prior(table, name, "rate") for name in names]
    return Counts(
        names,
        np.nan_to_num(x),
        (~np.isnan(x)).astype(float),
        np.array([p["alpha"] for p in rates]),
        np.array([p["beta"] for p in rates]),
    )


def _categories(data: Data, table: Table, names: tuple[str, ...]) -> Categories:
    codes = np.nan_to_num(_stack(data.columns, names), nan=-1.0).astype(np.intp)
    levels = tuple(len(table.schema.indicators[name].coding().levels) for name in names)
    return Categories(names, codes, levels)


def _stack(columns: Mapping[str, Array], names: tuple[str, ...]) -> Array:
    n = len(next(iter(columns.values())))
    return np.stack([columns[name] for name in names], axis=1) if names else np.empty((n, 0))


def _prior(table: Table, indicator: str, parameter: str) -> Mapping[str, Any]:
    prior = table.schema.indicators[indicator].prior_mapping()[parameter]
    if isinstance(prior, list):
        raise ValueError(f"Give {indicator!r} one prior for all segments, got several.")
    return prior.parameters
