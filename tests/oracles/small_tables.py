"""Small tables with known segments, for tests that need some data under a family."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg.families import Family, family
from softseg.families.base import Array, Coding, Observed
from softseg.tables.schema import Frozen, IndicatorSchema, PriorSchema, Schema
from softseg.tables.table import Table

LEVELS = ("low", "middle", "high")


def table_of(
    indicators: Mapping[str, Mapping[str, Any]],
    columns: Mapping[str, Array],
    exposures: Mapping[str, Array] | None = None,
    count: Array | None = None,
    **schema: Any,
) -> Table:
    """Return a table of these columns, its schema frozen on them.

    `indicators` holds the entries of the schema; those of levelled families name their levels.
    """
    exposures = exposures or {}
    entries = {name: IndicatorSchema(**dict(entry)) for name, entry in indicators.items()}
    frozen = {}
    for name, entry in entries.items():
        member = entry.member()
        given = Coding(levels=tuple(entry.levels or ()))
        observed = Observed(columns[name], exposures.get(name), given)
        coding = member.coding(observed)
        priors = member.default_priors(Observed(columns[name], exposures.get(name), coding))
        frozen[name] = Frozen(
            centre=coding.centre,
            scale=coding.scale,
            width=coding.width,
            levels=list(coding.levels),
            priors={parameter: PriorSchema.of(prior) for parameter, prior in priors.items()},
        )
    found = Schema(indicators=entries, **schema).freeze(frozen)
    n = len(next(iter(columns.values())))
    return Table(found, columns, exposures, np.ones(n) if count is None else count)


def family_table(name: str, rng: np.random.Generator, n: int = 60, missing: float = 0.15) -> Table:
    """Return a table with one indicator of a family, some cells missing, exposures if taken."""
    member = family(name)
    segment = rng.integers(2, size=n)
    values = legal_values(member, rng, segment)
    values[rng.random(n) < missing] = np.nan
    entry: dict[str, Any] = {"family": name}
    if member.levelled:
        entry["levels"] = list(LEVELS[: 2 if name == "bernoulli" else 3])
    exposures = {}
    if member.takes_exposure:
        entry["exposure"] = "years"
        exposures["x"] = rng.choice([0.5, 1.0, 2.5], size=n)
    return table_of({"x": entry}, {"x": values}, exposures)


def legal_values(member: Family, rng: np.random.Generator, segment: NDArray[np.intp]) -> Array:
    """Return values that a family can produce, larger in the second segment."""
    n = len(segment)
    if member.levelled:
        n_levels = 2 if member.name == "bernoulli" else len(LEVELS)
        return np.minimum(rng.binomial(n_levels - 1, 0.25 + 0.5 * segment), n_levels - 1.0)
    amounts = np.exp(rng.normal(0.5 + 1.5 * segment, 0.6))
    candidates = [
        np.round(amounts),
        amounts * rng.choice([-1.0, 1.0], size=n, p=[0.2, 0.8]),
        np.where(rng.random(n) < 0.3, 0.0, amounts),
        amounts,
    ]
    fitting = [c for c in candidates[1:] if member.legal(c).all()]
    return candidates[0].astype(float) if member.discrete else fitting[0]
