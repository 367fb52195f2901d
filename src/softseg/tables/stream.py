"""A Parquet file too large for memory, as its distinct rows with counts, batch by batch.

A table of levels and small counts has few distinct rows, however many customers. They are all that
a fit needs, so that neither the file nor its rows are ever in memory together. What is wrong with
a cell is wrong with its distinct row too: the checks are those of any other table, and they say
how many customers have a fault and which row of the file is the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from softseg.errors import FileError
from softseg.families.base import Array
from softseg.tables.schema import Schema

BATCH: Final = 1_000_000
"""Rows read at once."""
MOST_DISTINCT: Final = 5_000_000
"""Distinct rows up to which a file is collapsed."""
FROM_ROWS: Final = 2_000_000
"""Smaller files are read as a whole."""

_FIRST, _TIMES = "\0first", "\0times"


class TooManyDistinct(FileError):
    """A file has too many distinct rows to be read batch by batch."""


@dataclass(frozen=True)
class Collapsed:
    """Distinct rows of a file.

    Attributes
    ----------
    frame
        Their cells, as in the file; (row,).
    first
        Number of the first row of the file that has them, 1 below the header; (row,).
    times
        How many rows have them; (row,).
    """

    frame: Any
    first: NDArray[np.int64]
    times: Array


def can_stream(path: Path | str, schema: Schema) -> bool:
    """Return whether a file is a large Parquet file with nothing but discrete indicators.

    Ids, weights and value columns differ from customer to customer. Exposures may be few numbers,
    such as whole years, and are tried: where they make too many distinct rows, `collapse` says so.
    """
    others = [schema.id, schema.weight, schema.count, schema.group, schema.period]
    others += [*schema.value, *schema.covariates]
    if any(others) or not all(entry.member().discrete for entry in schema.indicators.values()):
        return False
    return is_large(path)


def is_large(path: Path | str) -> bool:
    """Return whether a file is a Parquet file of 2,000,000 rows or more."""
    import pyarrow as pa
    from pyarrow import parquet

    path = Path(path)
    if path.suffix.lower() not in (".parquet", ".pq"):
        return False
    try:
        return parquet.read_metadata(path).num_rows >= FROM_ROWS
    except (pa.ArrowException, OSError):  # whoever reads it says what is wrong with it
        return False


def column_names(path: Path | str) -> list[str]:
    """Return the names of the columns of a Parquet file."""
    from pyarrow import parquet

    return list(parquet.read_schema(path).names)


def batches(path: Path | str, columns: list[str] | None = None) -> Iterator[Any]:
    """Yield the rows of a Parquet file as Arrow tables of at most `BATCH` rows.

    Raises
    ------
    FileError
        Where it is no whole Parquet file, or lacks a column.
    """
    import pyarrow as pa
    from pyarrow import parquet

    path = Path(path)
    broken = f"Write the file {path.name!r} anew: it is not a whole Parquet file."
    try:
        file = parquet.ParquetFile(path)
    except (pa.ArrowException, OSError):
        raise FileError(broken) from None
    absent = sorted(set(columns or ()) - set(file.schema_arrow.names))
    if absent:
        raise FileError(f"Give {path.name!r} all columns of the schema: it lacks {absent}.")
    try:
        for batch in file.iter_batches(BATCH, columns=columns, use_threads=False):
            yield pa.Table.from_batches([batch])
    except pa.ArrowException:
        raise FileError(broken) from None


def collapse(path: Path | str, schema: Schema) -> Collapsed:
    """Return the distinct rows of a Parquet file, by the columns that the schema reads.

    Raises
    ------
    FileError
        Where the file cannot be read.
    TooManyDistinct
        Where it has more than 5,000,000 distinct rows.
    """
    import pyarrow as pa

    columns = schema.columns
    merged, read = None, 0
    for batch in batches(path, columns):
        plain = pa.table({name: _plain(batch.column(name)) for name in columns})
        numbers = pa.array(np.arange(read + 1, read + len(batch) + 1))
        read += len(batch)
        ones = pa.array(np.ones(len(batch), dtype=np.int64))
        grouped = _grouped(plain.append_column(_FIRST, numbers).append_column(_TIMES, ones))
        merged = grouped if merged is None else _grouped(pa.concat_tables([merged, grouped]))
        if len(merged) > MOST_DISTINCT:
            raise TooManyDistinct(
                f"Read {Path(path).name!r} as a whole, or use coarser levels: expected at most "
                f"{MOST_DISTINCT} distinct rows, got more in the first {read} rows."
            )
    if merged is None:
        raise FileError(f"Give a table with rows: the file {Path(path).name!r} has none.")
    first = merged.column(_FIRST).to_numpy()
    order = np.argsort(first)
    merged = merged.take(pa.array(order))
    frame = merged.select(columns).to_pandas()
    return Collapsed(frame, first[order], merged.column(_TIMES).to_numpy().astype(float))


def _plain(column: Any) -> Any:
    """Return a column without a dictionary, which may differ from batch to batch."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _grouped(table: Any) -> Any:
    """Return the distinct rows, with the first number and the sum of the times."""
    keys = [name for name in table.column_names if name not in (_FIRST, _TIMES)]
    found = table.group_by(keys, use_threads=False).aggregate([(_FIRST, "min"), (_TIMES, "sum")])
    return found.rename_columns(
        [{f"{_FIRST}_min": _FIRST, f"{_TIMES}_sum": _TIMES}.get(n, n) for n in found.column_names]
    ).select([*keys, _FIRST, _TIMES])
