"""Order tables from files, those without a header included."""

import re
from pathlib import Path
from typing import Any, Final

from softseg.errors import FileError
from softseg.tables.propose import find_decimal
from softseg.tables.read import CSV_SUFFIXES, guess_encoding, read_table
from softseg.tables.schema import ReadingSchema

_PLAIN: Final = re.compile(r"^[+-]?[\d.,:/-]+$")
"""A cell that is a number or a date, which no name of a column is."""


def read_orders(
    path: str | Path, reading: ReadingSchema | None = None
) -> tuple[Any, ReadingSchema]:
    """Return an order table as a frame, and how its cells are to be read.

    A text file whose first line holds numbers and dates only has no header: its columns are then
    called ``column 1``, ``column 2`` and so on, and may have spaces between them.

    Parameters
    ----------
    path
        A CSV, Parquet or Excel file.
    reading
        What the user says about it; the rest is found.

    Raises
    ------
    FileError
        Where the file cannot be read.
    """
    path, reading = Path(path), reading or ReadingSchema()
    text = path.suffix.lower() in CSV_SUFFIXES and path.is_file()
    if text and reading.encoding is None:
        reading = reading.model_copy(update={"encoding": guess_encoding(path)})
    frame = _read_spaced(path, reading) if text else None
    frame = read_table(path, reading) if frame is None else frame
    if text and all(_PLAIN.match(name) for name in map(str, frame.columns)):
        frame = _without_header(frame)
    if reading.decimal is None:
        reading = reading.model_copy(update={"decimal": find_decimal(frame, reading)})
    return frame, reading


def _without_header(frame: Any) -> Any:
    """Return a frame whose header was the first row of its cells."""
    import pandas as pd

    names = [f"column {place}" for place in range(1, frame.shape[1] + 1)]
    first = pd.DataFrame([list(frame.columns)], columns=names)
    return pd.concat([first, frame.set_axis(names, axis=1)], ignore_index=True)


def _read_spaced(path: Path, reading: ReadingSchema) -> Any | None:
    """Return a file of numbers with spaces between them, None where it is none."""
    import pandas as pd

    if reading.delimiter is not None:
        return None
    try:
        lines = path.read_text(encoding=reading.encoding or "utf-8-sig").splitlines()
    except (OSError, UnicodeError, LookupError):
        return None  # the reader of tables says what is wrong
    rows = [line.split() for line in lines if line.strip()]
    if not rows or len(rows[0]) < 2 or not all(_PLAIN.match(cell) for cell in rows[0]):
        return None
    odd = next((place for place, row in enumerate(rows) if len(row) != len(rows[0])), None)
    if odd is not None:
        raise FileError(
            f"Mend the rows of {path.name!r}: expected {len(rows[0])} cells with spaces between "
            f"them as in the first line, got {len(rows[odd])} in row {odd + 1}."
        )
    names = [f"column {place}" for place in range(1, len(rows[0]) + 1)]
    return pd.DataFrame(rows, columns=names, dtype="str")
