"""Small chains with known answers, shared by the tests on migration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

NAMES = ("premium", "standard", "basic", "churned")
CHAIN = np.array([
    [0.90, 0.06, 0.02, 0.02],
    [0.08, 0.82, 0.05, 0.05],
    [0.03, 0.07, 0.80, 0.10],
    [0.00, 0.00, 0.00, 1.00],
])  # fmt: skip
ORDER = ("basic", "standard", "premium")


def matrix(rows: Any, *lead: str, names: Sequence[str] | None = NAMES) -> xr.DataArray:
    rows = np.asarray(rows, dtype=float)
    coords = {} if names is None else {"state": list(names), "state_to": list(names)}
    return xr.DataArray(rows, dims=(*lead, "state", "state_to"), coords=coords)


def vector(numbers: Any, *lead: str, names: Sequence[str] | None = NAMES) -> xr.DataArray:
    coords = {} if names is None else {"state": list(names)}
    return xr.DataArray(np.asarray(numbers, dtype=float), dims=(*lead, "state"), coords=coords)


def drawn(
    rng: np.random.Generator, n: int, concentration: float = 200.0, rows: Any = CHAIN
) -> xr.DataArray:
    """Return draws around a chain, every row Dirichlet; rows that are certain stay so."""
    rows = np.asarray(rows, dtype=float)
    names = NAMES if len(rows) == 4 else NAMES[: len(rows)]
    found = np.empty((n, *rows.shape))
    for j, row in enumerate(rows):
        certain = row.max() == 1.0
        found[:, j] = row if certain else rng.dirichlet(concentration * row, size=n)
    return matrix(found, "sample", names=names)


def filtered(rng: np.random.Generator, n_draws: int, n_customers: int, sure: float = 1.0) -> Any:
    """Return memberships in the four states; nobody has churned."""
    weights = rng.dirichlet([sure] * 3, size=(n_draws, n_customers))
    full = np.concatenate([weights, np.zeros((n_draws, n_customers, 1))], axis=-1)
    return xr.DataArray(
        full, dims=("sample", "customer", "state"),
        coords={"customer": np.arange(n_customers), "state": list(NAMES)},
    )  # fmt: skip
