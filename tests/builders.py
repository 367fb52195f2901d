"""Tables with known truth for the tests, of any families."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from softseg.families import family
from softseg.families.base import Coding
from softseg.models.mixture import Values
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, Schema
from softseg.tables.table import Table

LEVELS = ("a", "b", "c")

CENTRES: Mapping[str, Mapping[str, Sequence[float]]] = {
    "gaussian": {"mean": (-4.0, 0.0, 5.0), "sd": (1.0, 1.5, 0.8)},
    "lognormal": {"log_mean": (1.0, 3.0, 5.0), "log_sd": (0.5, 0.4, 0.6)},
    "asinh_normal": {"location": (-1.5, 0.5, 2.0), "spread": (0.5, 0.4, 0.5)},
    "gamma": {"mean": (2.0, 10.0, 50.0), "shape": (2.0, 4.0, 3.0)},
    "poisson": {"rate": (1.0, 6.0, 20.0)},
    "negative_binomial": {"rate": (1.0, 8.0, 30.0), "shape": (2.0, 3.0, 5.0)},
    "bernoulli": {"probability": (0.1, 0.5, 0.9)},
    "hurdle_lognormal": {
        "probability": (0.2, 0.6, 0.95),
        "log_mean": (0.0, 2.0, 4.0),
        "log_sd": (0.5, 0.5, 0.5),
    },
}
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.15, 0.15, 0.7]])


def truth(families: Mapping[str, str], share: Sequence[float]) -> Values:
    """Return separated parameters for indicators of given families."""
    k = len(share)
    indicators = {}
    for name, kind in families.items():
        if kind == "categorical":
            indicators[name] = {"probability": PROBABILITIES[:k]}
        else:
            centres = CENTRES[kind]
            indicators[name] = {key: np.array(value[:k]) for key, value in centres.items()}
    return Values(np.array(share, dtype=float), indicators)


def frame_of(
    families: Mapping[str, str],
    values: Values,
    n: int,
    rng: np.random.Generator,
    *,
    missing: float = 0.0,
    exposures: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a frame drawn from a mixture, and the segment of each row from 0."""
    segment = rng.choice(len(values.share), size=n, p=values.share)
    columns: dict[str, object] = {}
    for name, kind in families.items():
        member = family(kind)
        coding = Coding(levels=LEVELS if kind == "categorical" else ("no", "yes"))
        exposure = None
        if exposures and name in exposures:
            exposure = rng.uniform(0.5, 2.0, size=n)
            columns[exposures[name]] = exposure
        drawn = member.draw(rng, values.indicators[name], segment, exposure, coding)
        gaps = rng.random(n) < missing
        if member.levelled:
            text = np.array(coding.levels, dtype=object)[drawn.astype(int)]
            columns[name] = np.where(gaps, None, text)
        else:
            columns[name] = np.where(gaps, np.nan, drawn)
    return pd.DataFrame(columns), segment


def schema_of(
    families: Mapping[str, str], exposures: Mapping[str, str] | None = None, **fields: object
) -> Schema:
    """Return a schema that names families and nothing else."""
    entries = {
        name: IndicatorSchema(family=kind, exposure=(exposures or {}).get(name))
        for name, kind in families.items()
    }
    return Schema(indicators=entries, **fields)


ALL_FAMILIES = {
    "amount": "gaussian",
    "value": "lognormal",
    "contribution": "asinh_normal",
    "days": "gamma",
    "orders": "poisson",
    "complaints": "negative_binomial",
    "online": "bernoulli",
    "service": "hurdle_lognormal",
    "industry": "categorical",
}
EXPOSURES = {"orders": "years"}


def mixed_table(
    n: int = 200, seed: int = 1, *, missing: float = 0.1, share: Sequence[float] = (0.5, 0.3, 0.2)
) -> tuple[Table, np.ndarray]:
    """Return a prepared table with an indicator of every family, and the true segments."""
    rng = np.random.default_rng(seed)
    frame, segment = frame_of(
        ALL_FAMILIES, truth(ALL_FAMILIES, share), n, rng, missing=missing, exposures=EXPOSURES
    )
    return prepare(frame, schema_of(ALL_FAMILIES, EXPOSURES)), segment
