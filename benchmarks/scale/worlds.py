"""Large tables with known truth, and draws as a posterior of that many customers has them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.models.mixture import Values
from softseg.tables.schema import IndicatorSchema, Schema

LETTERS: Final = ("a", "b", "c", "d", "e")
MIXED: Final = {"gaussian": 4, "poisson": 2, "categorical": 4}
CATEGORICAL: Final = {"categorical": 10}
KINDS: Final[Mapping[str, Mapping[str, int]]] = {"mixed": MIXED, "categorical": CATEGORICAL}


@dataclass(frozen=True)
class World:
    """A table, what its columns are, and the parameters it was drawn from."""

    frame: pd.DataFrame
    schema: Schema
    truth: Values


def world(
    kind: str,
    n_segments: int,
    n_rows: int,
    seed: int = 1,
    missing: float = 0.0,
    rows_seed: int = 0,
) -> World:
    """Return a table of `n_rows` customers: 10 indicators, `kind` "mixed" or "categorical".

    `seed` fixes the parameters, together with `rows_seed` the rows.
    """
    rng = np.random.default_rng([seed, rows_seed])
    parameters = np.random.default_rng(seed)
    share = parameters.dirichlet(np.full(n_segments, 20.0))
    segment = rng.choice(n_segments, n_rows, p=share)
    columns: dict[str, object] = {}
    entries: dict[str, IndicatorSchema] = {}
    truth: dict[str, dict[str, Array]] = {}
    for family, times in KINDS[kind].items():
        for i in range(times):
            name = f"{family}{i}"
            columns[name], truth[name] = _column(family, i, segment, n_segments, rng, parameters)
            entries[name] = IndicatorSchema(family=family)
    frame = pd.DataFrame(columns)
    if missing > 0:
        frame = frame.mask(rng.random(frame.shape) < missing)
    return World(frame, Schema(indicators=entries), Values(share, truth))


def _column(
    family: str,
    place: int,
    segment: NDArray[np.intp],
    n_segments: int,
    rng: np.random.Generator,
    parameters: np.random.Generator,
) -> tuple[object, dict[str, Array]]:
    if family == "gaussian":
        mean, sd = parameters.normal(0.0, 2.0, n_segments), parameters.uniform(0.7, 1.5, n_segments)
        return rng.normal(mean[segment], sd[segment]), {"mean": mean, "sd": sd}
    if family == "poisson":
        rate = parameters.uniform(1.0, 12.0, n_segments)
        return rng.poisson(rate[segment]), {"rate": rate}
    n_levels = 2 + place % 4
    probability = parameters.dirichlet(np.ones(n_levels), n_segments)
    edges = np.cumsum(probability, axis=1)[:, :-1]
    codes = (rng.random(len(segment))[:, None] >= edges[segment]).sum(axis=1)
    levels = pd.Categorical.from_codes(codes, list(LETTERS[:n_levels]))
    return levels, {"probability": probability}


def write_file(path: str, n_rows: int, n_segments: int) -> None:
    """Write a large Parquet file of categorical indicators, a million rows at a time."""
    import pyarrow as pa
    from pyarrow import parquet

    writer = None
    for i, first in enumerate(range(0, n_rows, 1_000_000)):
        rows = min(1_000_000, n_rows - first)
        frame = world("categorical", n_segments, rows, seed=1, rows_seed=i).frame
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def draws_around(truth: Values, n_rows: int, shape: tuple[int, int], seed: int = 2) -> Values:
    """Return draws (chain, draw) about as far from the truth as a posterior of `n_rows` has them.

    A stand-in for a sampler, so that what follows the sampler can be measured without one.
    """
    rng = np.random.default_rng(seed)
    spread = 1.5 / np.sqrt(n_rows / len(truth.share))

    def near(name: str, values: Array) -> Array:
        noise = spread * rng.standard_normal((*shape, *values.shape))
        if name in ("share", "probability"):
            noisy = values * np.exp(noise)
            return noisy / noisy.sum(axis=-1, keepdims=True)
        return values * np.exp(noise) if name in ("sd", "rate") else values + noise

    indicators = {
        indicator: {name: near(name, values) for name, values in parameters.items()}
        for indicator, parameters in truth.indicators.items()
    }
    return Values(near("share", truth.share), indicators)


if __name__ == "__main__":
    write_file(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
