"""The bundled example as a file, as a user would have it."""

from pathlib import Path
from typing import TYPE_CHECKING

from softseg.results.files import unwritable

if TYPE_CHECKING:
    from softseg.tables.schema import Schema


def write_example(path: Path, language: str = "en") -> tuple[Path, "Schema"]:
    """Write the table of the example as CSV, without the truth; return its path and schema."""
    from softseg.results.exports import write_csv
    from softseg.tables.synthetic import example_frame, example_schema

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path.parent, error, language) from error
    write_csv(path, example_frame(language), language)
    return path, example_schema(language)
