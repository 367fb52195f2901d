"""Segment values with transitions beside them, by hand, for tests of studies with a panel."""

from typing import Any

import numpy as np
import xarray as xr

from segment_builders import value_table

STATES = ("A", "B", "churned")
STAY = np.eye(3)
MONTH = np.array([[0.97, 0.02, 0.01], [0.01, 0.96, 0.03], [0.0, 0.0, 1.0]])


def with_panel(
    table: xr.Dataset | None = None,
    rows: Any = MONTH,
    concentration: float = 400.0,
    per_year: int = 12,
    seed: int = 3,
    names: tuple[str, ...] = STATES,
) -> xr.Dataset:
    """Return a value table with transitions, drawn around some rows; certain rows stay so."""
    table = value_table() if table is None else table
    n = table.sizes["sample"]
    rng = np.random.default_rng(seed)
    drawn = np.empty((n, *np.shape(rows)))
    for j, row in enumerate(np.asarray(rows, dtype=float)):
        drawn[:, j] = row if row.max() == 1.0 else rng.dirichlet(concentration * row, n)
    all_of = table.sel(rule="programme").sum("assigned")
    heads = all_of["customers_expected"].transpose("sample", "segment")
    worth = all_of["value_expected"].transpose("sample", "segment") / heads
    found = table.assign(
        transition=xr.DataArray(
            drawn, dims=("sample", "state", "state_to"),
            coords={"state": list(names), "state_to": list(names)},
        ),
        customers_now=heads, worth=worth, effective=0.5 * heads,
    )  # fmt: skip
    return found.assign_attrs(table.attrs | {"per_year": per_year})
