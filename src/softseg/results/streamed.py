"""Memberships of a file that is never in memory: each row takes those of its distinct row.

The fit has summarised the distinct rows already, so that nothing is computed twice and every
customer gets, bit for bit, what a fit of the whole table gives.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.errors import FileError
from softseg.families.base import Array
from softseg.likelihood.patterns import distinct
from softseg.names import MEMBERSHIP
from softseg.results.exports import memberships_frame, written_in_parts
from softseg.results.tree import schema_from_tree
from softseg.tables.prepare import prepare_new
from softseg.tables.stream import batches, column_names
from softseg.tables.table import Table


def write_streamed(tree: xr.DataTree, table: Table, source: Path | str, out: Path | str) -> int:
    """Write the memberships of the customers of a file that was fitted as its distinct rows.

    Parameters
    ----------
    tree
        The posterior tree of the fit.
    table
        The file's distinct rows, as they were fitted.
    source
        The Parquet file.
    out
        Parquet or CSV file to write; it is there whole or not at all.

    Returns
    -------
    int
        Number of customers.

    Raises
    ------
    FileError
        Where a file cannot be read or written, or has changed since it was fitted.
    """
    import pyarrow as pa

    schema = schema_from_tree(tree)
    members = tree[MEMBERSHIP].to_dataset()
    known = pa.Table.from_pandas(memberships_frame(members), preserve_index=False)
    at_row = known.schema.get_field_index("row")
    there = set(column_names(source))
    columns = [name for name in schema.columns if name in there]
    cells = _cells(table)
    n_customers = 0
    with written_in_parts(out, schema.language) as write:
        for batch in batches(source, columns):
            rows, _ = prepare_new(batch.to_pandas(), schema, "missing")
            found = _matched(cells, _cells(rows))
            if np.any(found < 0):
                raise FileError(
                    f"Repeat the run: the file {Path(source).name!r} has changed since it was read."
                )
            part = known.take(pa.array(found))
            write(part.set_column(at_row, "row", pa.array(rows.rows + n_customers)))
            n_customers += rows.n_customers
    return n_customers


def write_renamed(source: Path | str, out: Path | str, names: Sequence[str], language: str) -> None:
    """Write a file of memberships again, batch by batch, with other names of the segments.

    Parameters
    ----------
    source
        ``memberships.parquet`` of a run.
    out
        Parquet or CSV file to write.
    names
        In the order of the segments' numbers.
    """
    import pyarrow as pa

    texts = pa.array(list(names))
    with written_in_parts(out, language) as write:
        for batch in batches(source):
            at = batch.schema.get_field_index("top_name")
            named = texts.take(pa.array(batch.column("top").to_numpy() - 1))
            field = batch.schema.field(at)
            write(batch.set_column(at, field, named.cast(field.type)))


def _cells(table: Table) -> list[Array]:
    """Return what tells distinct rows apart: indicators, then exposures."""
    names = list(table.schema.indicators)
    exposures = [table.exposures[name] for name in names if name in table.exposures]
    return [*(table.columns[name] for name in names), *exposures]


def _matched(known: Sequence[Array], cells: Sequence[Array]) -> NDArray[np.intp]:
    """Return for each row which of the known ones has the same cells, −1 for none."""
    together = [np.concatenate(pair) for pair in zip(known, cells, strict=True)]
    found = distinct(together)
    n_known = len(known[0])
    place = np.full(len(found.row), -1, dtype=np.intp)
    place[found.pattern_of_row[:n_known]] = np.arange(n_known)
    return place[found.pattern_of_row[n_known:]]
