"""A small fitted-like world: a table, its statistics, and draws scattered around the truth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from builders import frame_of, schema_of, truth
from softseg.families import family
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import Values
from softseg.results.describe import describe
from softseg.results.tree import posterior_tree
from softseg.tables.prepare import prepare
from softseg.tables.schema import Schema, ValueSchema
from softseg.tables.table import Table

EXPOSURES = {"orders": "years", "complaints": "seen"}


@dataclass(frozen=True)
class World:
    frame: pd.DataFrame
    table: Table
    statistics: Statistics
    draws: Values
    tree: xr.DataTree

    @property
    def schema(self) -> Schema:
        return self.table.schema

    @property
    def values(self) -> Values:
        return self.draws.flattened()


def scattered(
    values: Values, families: dict[str, str], rng: np.random.Generator, shape: tuple[int, int]
) -> Values:
    """Return draws (chain, draw) around some values, as an imaginary sampler would."""

    def simplex(x: np.ndarray) -> np.ndarray:
        noisy = x * np.exp(0.15 * rng.standard_normal((*shape, *x.shape)))
        return noisy / noisy.sum(-1, keepdims=True)

    def around(x: np.ndarray, support: str) -> np.ndarray:
        noise = rng.standard_normal((*shape, *x.shape))
        if support == "simplex":
            return simplex(x)
        if support == "unit":
            return 1.0 / (1.0 + np.exp(-(np.log(x / (1.0 - x)) + 0.2 * noise)))
        return x * np.exp(0.05 * noise) if support == "positive" else x + 0.1 * noise

    indicators = {
        name: {
            parameter.name: around(values.indicators[name][parameter.name], parameter.support)
            for parameter in family(kind).parameters
        }
        for name, kind in families.items()
    }
    return Values(simplex(values.share), indicators)


def world(
    families: dict[str, str],
    *,
    n: int = 80,
    shape: tuple[int, int] = (2, 30),
    share: tuple[float, ...] = (0.5, 0.3, 0.2),
    missing: float = 0.15,
    seed: int = 5,
    names: tuple[str, ...] = (),
) -> World:
    rng = np.random.default_rng(seed)
    known = truth(families, share)
    exposures = {key: column for key, column in EXPOSURES.items() if key in families}
    frame, segment = frame_of(families, known, n, rng, missing=missing, exposures=exposures)
    frame["profit"] = np.round(rng.lognormal(3.0 + segment, 1.0) - 10.0, 2)
    frame["revenue"] = np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(5.0, 1.0, n))
    schema = schema_of(
        families,
        exposures,
        value={"profit": ValueSchema(currency="EUR"), "revenue": ValueSchema()},
        segment_names=list(names),
    )
    table = prepare(frame, schema)
    draws = scattered(known, families, rng, shape)
    statistics = reduce(table)
    stats = {"log_likelihood": rng.normal(size=shape), "diverging": np.zeros(shape, dtype=bool)}
    tree = posterior_tree(
        draws, table.schema, sample_stats=stats, attributes={"seed": 3, "versions": {"a": "1"}}
    )
    describe(tree, table, statistics)
    return World(frame, table, statistics, draws, tree)
