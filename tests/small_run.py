"""A small table and its schema as files, for the tests of run folders and of the command line."""

from pathlib import Path

import numpy as np
import pandas as pd

from softseg.runs.manifest import Options

SCHEMA = """version = 1
id = "customer"
opt_out = "objects"

[indicators]
orders = "poisson"
margin = "gaussian"
online = "bernoulli"

[value.revenue]
currency = "EUR"
"""
QUICK = Options(segments=2, draws=400, tune=100, starts=4)
TOO_SHORT = QUICK.model_copy(update={"draws": 10})
"""Too few draws for the gate."""
QUICK_FLAGS = ["--segments", "2", "--draws", "400", "--tune", "100", "--starts", "4"]


def small_frame(n: int = 120) -> pd.DataFrame:
    """Return customers of two well separated kinds, with one gap; nobody objects."""
    rng = np.random.default_rng(3)
    kind = rng.integers(2, size=n)
    frame = pd.DataFrame(
        {
            "customer": [f"KD-{number:05d}" for number in range(n)],
            "orders": rng.poisson(np.where(kind, 12, 3)),
            "margin": np.round(rng.normal(np.where(kind, 30, 10), 4), 2),
            "online": np.where(rng.random(n) < np.where(kind, 0.8, 0.2), "yes", "no"),
            "revenue": np.round(np.exp(rng.normal(np.where(kind, 8, 6), 0.5)), 2),
            "objects": "no",
        }
    )
    frame.loc[3, "margin"] = np.nan
    return frame


def write_small(folder: Path, frame: pd.DataFrame | None = None) -> tuple[Path, Path]:
    """Write table and schema into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    table, schema = folder / "customers.csv", folder / "given.toml"
    (small_frame() if frame is None else frame).to_csv(table, index=False)
    schema.write_text(SCHEMA, encoding="utf-8")
    return table, schema
