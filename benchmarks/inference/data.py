"""Customer tables with known truth, the same for softseg and its peers: `simulate`.

Every data set has one truth, fixed by its name. The seed draws the customers. Two runs on different
seeds therefore differ in the data and in nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

N_SEGMENTS: Final = 4
TRUTH_SEED: Final = 20_250
CATEGORICAL_LEVELS: Final = (2, 2, 3, 3, 3, 3, 4, 4, 4, 5)
"""With 4 segments 95 free parameters."""
MIXED_LEVELS: Final = (2, 3, 4, 5)
"""With 4 Gaussian and 2 Poisson indicators and 4 segments 83 free parameters."""
N_GAUSSIAN: Final = 4
N_POISSON: Final = 2
EVEN: Final = (0.4, 0.3, 0.2, 0.1)
UNEVEN: Final = (0.5, 0.3, 0.15, 0.05)


@dataclass(frozen=True)
class Kind:
    """What a data set is like.

    Attributes
    ----------
    mixed
        Gaussian, Poisson and categorical indicators rather than categorical ones only.
    strength
        1 = profiles as drawn, 0 = all segments alike.
    missing
        Share of cells that are empty, completely at random.
    """

    mixed: bool
    shares: tuple[float, ...] = EVEN
    strength: float = 1.0
    missing: float = 0.0


KINDS: Final[Mapping[str, Kind]] = {
    "categorical": Kind(mixed=False),
    "mixed": Kind(mixed=True),
    "overlap_categorical": Kind(mixed=False, shares=UNEVEN, strength=0.654),
    "overlap_mixed": Kind(mixed=True, shares=UNEVEN, strength=0.3655),
    "missing_categorical": Kind(mixed=False, missing=0.2),
    "missing_mixed": Kind(mixed=True, missing=0.2),
}


@dataclass(frozen=True)
class Truth:
    """True parameters by indicator and parameter, in softseg's names; first axis (segment)."""

    share: Array
    indicators: Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class Data:
    """One simulated table.

    Attributes
    ----------
    columns
        By indicator, (customer,): numbers, or codes of levels; NaN where missing.
    families
        By indicator: ``gaussian``, ``poisson`` or ``categorical``.
    segment
        True segment of every customer, (customer,).
    """

    name: str
    seed: int
    columns: Mapping[str, Array]
    families: Mapping[str, Literal["gaussian", "poisson", "categorical"]]
    truth: Truth
    segment: NDArray[np.intp]

    @property
    def n(self) -> int:
        """Number of customers."""
        return len(self.segment)

    def frame(self) -> pd.DataFrame:
        """Return the table as softseg reads it: levels as the letters a, b, …"""
        return pd.DataFrame(
            {
                name: _letters(column) if self.families[name] == "categorical" else column
                for name, column in self.columns.items()
            }
        )


def simulate(name: str, n: int, seed: int) -> Data:
    """Return n customers of a data set."""
    kind = KINDS[name]
    truth, families = _truth(kind), _families(kind)
    rng = np.random.default_rng([TRUTH_SEED, list(KINDS).index(name), n, seed])
    segment = rng.choice(N_SEGMENTS, size=n, p=truth.share)
    columns: dict[str, Array] = {}
    for indicator, parameters in truth.indicators.items():
        column = _draw(parameters, segment, rng)
        column[rng.random(n) < kind.missing] = np.nan
        columns[indicator] = column
    return Data(name, seed, columns, families, truth, segment)


def _families(kind: Kind) -> dict[str, Literal["gaussian", "poisson", "categorical"]]:
    levels = MIXED_LEVELS if kind.mixed else CATEGORICAL_LEVELS
    found: dict[str, Literal["gaussian", "poisson", "categorical"]] = {}
    if kind.mixed:
        found |= {f"g{i + 1}": "gaussian" for i in range(N_GAUSSIAN)}
        found |= {f"n{i + 1}": "poisson" for i in range(N_POISSON)}
    return found | {f"c{i + 1}": "categorical" for i in range(len(levels))}


def _truth(kind: Kind) -> Truth:
    """Draw profiles and pull them towards their mean by 1 − strength."""
    rng = np.random.default_rng([TRUTH_SEED, int(kind.mixed)])

    def pull(values: Array) -> Array:
        middle = values.mean(axis=0)
        return middle + kind.strength * (values - middle)

    indicators: dict[str, dict[str, Array]] = {}
    if kind.mixed:
        for i in range(N_GAUSSIAN):
            places = 1.5 * rng.permutation(N_SEGMENTS) + 0.3 * rng.standard_normal(N_SEGMENTS)
            spreads = rng.uniform(0.7, 1.3, N_SEGMENTS)
            indicators[f"g{i + 1}"] = {"mean": pull(places), "sd": pull(spreads)}
        for i in range(N_POISSON):
            rates = np.exp(0.5 * rng.permutation(N_SEGMENTS) + 0.1 * rng.standard_normal())
            indicators[f"n{i + 1}"] = {"rate": pull(rates)}
    for i, n_levels in enumerate(MIXED_LEVELS if kind.mixed else CATEGORICAL_LEVELS):
        cells = rng.dirichlet(np.full(n_levels, 0.5), N_SEGMENTS)
        cells = 0.02 + (1.0 - 0.02 * n_levels) * cells
        indicators[f"c{i + 1}"] = {"probability": pull(cells)}
    return Truth(np.array(kind.shares), indicators)


def _draw(
    parameters: Mapping[str, Array], segment: NDArray[np.intp], rng: np.random.Generator
) -> Array:
    if "mean" in parameters:
        return rng.normal(parameters["mean"][segment], parameters["sd"][segment])
    if "rate" in parameters:
        return rng.poisson(parameters["rate"][segment]).astype(float)
    edges = np.cumsum(parameters["probability"], axis=1)[:, :-1]
    return (rng.random(len(segment))[:, None] >= edges[segment]).sum(axis=1).astype(float)


def _letters(codes: Array) -> NDArray[np.object_]:
    alphabet = np.array([*"abcdefghij", None], dtype=object)
    return alphabet[np.where(np.isnan(codes), -1, codes).astype(np.intp)]
