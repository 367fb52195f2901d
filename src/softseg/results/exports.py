"""Tables for other programs: `memberships.parquet`, `profiles.csv`, CSV on request.

Ids of customers stand in the file of memberships and nowhere else.
"""

import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from softseg.errors import FileError, UsageError
from softseg.names import SEGMENT
from softseg.results.files import replace_file, unwritable

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMULA_STARTS: Final = tuple("=+-@\t\r\0\uff1d\uff0b\uff0d\uff20")
"""First characters by which a spreadsheet may take a text for a formula (OWASP ASVS 1.2.10).

The last four are the full-width forms."""


def memberships_frame(
    membership: xr.Dataset, customers: Sequence[str] | None = None, id_column: str = "customer"
) -> "pd.DataFrame":
    """Return the memberships as a frame with one row per customer.

    Parameters
    ----------
    membership
        Result of `softseg.results.membership`.
    customers
        Ids in the order of the rows, None without ids.
    id_column
        Name of the id column.

    Returns
    -------
    pandas.DataFrame
        The id, ``row`` (number in the file), ``top`` and ``top_name``, ``second``, ``p_top``,
        ``entropy``, ``tail_probability``, ``verdict``, ``needs_review`` (not clear) and for each
        segment ``membership_<k>``, ``membership_<k>_lower``, ``membership_<k>_upper``.
    """
    import pandas as pd

    n_customers = membership.sizes["customer"]
    columns: dict[str, Any] = {}
    if customers is not None:
        if len(customers) != n_customers:
            raise UsageError(
                f"Give one id per customer: expected {n_customers}, got {len(customers)}."
            )
        columns[id_column] = np.asarray(customers, dtype=object)
    names = membership["segment_name"].values
    top = membership["top"].values
    columns |= {"row": membership["row"].values, "top": top, "top_name": names[top - 1]}
    for name in ("second", "p_top", "entropy", "tail_probability", "verdict"):
        columns[name] = membership[name].values
    columns["needs_review"] = membership["verdict"].values != "clear"
    for position, k in enumerate(membership[SEGMENT].values):
        columns[f"membership_{k}"] = membership["mean"].values[:, position]
        for bound in ("lower", "upper"):
            columns[f"membership_{k}_{bound}"] = membership[bound].values[:, position]
    return pd.DataFrame(columns)


def profile_frame(profile: xr.Dataset) -> "pd.DataFrame":
    """Return the profile as a frame with one row per line and segment, for a spreadsheet."""
    import pandas as pd

    n_segments = profile.sizes[SEGMENT]
    columns: dict[str, Any] = {}
    columns["indicator"] = np.repeat(profile["line_indicator"].values, n_segments)
    for name in ("measure", "level", "unit"):
        columns[name] = np.repeat(profile[name].values, n_segments)
    n_lines = profile.sizes["line"]
    columns["segment"] = np.tile(profile[SEGMENT].values, n_lines)
    columns["segment_name"] = np.tile(profile["segment_name"].values, n_lines)
    for name in ("mean", "lower", "upper"):
        columns[name] = profile[name].values.reshape(-1)
    columns["base"] = np.repeat(profile["base"].values, n_segments)
    columns["lift_kind"] = np.repeat(profile["lift_kind"].values, n_segments)
    for name in ("lift_mean", "lift_lower", "lift_upper"):
        columns[name] = profile[name].values.reshape(-1)
    return pd.DataFrame(columns)


def write_memberships(
    path: Path | str,
    membership: xr.Dataset,
    customers: Sequence[str] | None = None,
    *,
    id_column: str = "customer",
    language: str = "en",
) -> str:
    """Write the memberships as Parquet, or CSV where `path` ends so; return the SHA-256."""
    frame = memberships_frame(membership, customers, id_column)
    if Path(path).suffix.lower() == ".csv":
        return write_csv(path, frame, language)
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), buffer)
    return replace_file(path, buffer.getvalue(), language)


@contextmanager
def written_in_parts(
    path: Path | str, language: str = "en"
) -> Iterator[Callable[["pa.Table"], None]]:
    """Give a function that adds rows to a Parquet file, or CSV where `path` ends so.

    The file is there whole or not at all, and only its owner can read it.

    Raises
    ------
    FileError
        Where the disk is full or the folder cannot be written; what stood at `path` is untouched.
    """
    import pyarrow.parquet as pq

    path = Path(path)
    csv = path.suffix.lower() == ".csv"
    writer: pq.ParquetWriter | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise unwritable(path, error, language) from error
    temporary = Path(name)

    def write(rows: "pa.Table") -> None:
        nonlocal writer
        if csv:
            file.write(_csv(rows.to_pandas(), first=file.tell() == 0))
            return
        writer = writer or pq.ParquetWriter(file, rows.schema)
        writer.write_table(rows)

    try:
        with os.fdopen(handle, "wb") as file:
            try:
                yield write
            finally:
                if writer is not None:
                    writer.close()
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except FileError:  # that of another file, which is read meanwhile
        raise
    except OSError as error:
        raise unwritable(path, error, language) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_profiles(path: Path | str, profile: xr.Dataset, language: str = "en") -> str:
    """Write the profile as CSV; return the SHA-256."""
    return write_csv(path, profile_frame(profile), language)


def write_csv(path: Path | str, frame: "pd.DataFrame", language: str = "en") -> str:
    """Write a frame as CSV (UTF-8 with mark, comma), texts made safe; return the SHA-256."""
    return replace_file(path, _csv(frame), language)


def _csv(frame: "pd.DataFrame", first: bool = True) -> bytes:
    """Return a frame as CSV, made safe; with mark and header where it is the first part."""
    safe = frame.copy()
    for name in safe.columns:
        if safe[name].dtype.kind not in "fiub":
            safe[name] = [harmless(value) for value in safe[name]]
    safe.columns = [harmless(name) for name in safe.columns]
    text = safe.to_csv(index=False, header=first, lineterminator="\n").encode("utf-8")
    return b"\xef\xbb\xbf" + text if first else text


def harmless(value: Any) -> Any:
    """Return a text that no spreadsheet takes for a formula, by a leading quote; others as is."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value
