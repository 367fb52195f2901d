"""The bundled example as files, as a user would have them."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from softseg.results.files import replace_file
from softseg.runs.demo import write_example

STUDY: Final = "study.toml"
ASSUMPTIONS: Final = "assumptions.toml"
SCHEMA: Final = "schema.toml"
TABLE: Final = "customers.csv"


def write_example_study(folder: Path, language: str = "en") -> Path:
    """Write table, schema, assumptions and study of the example; return the study's path.

    Raises
    ------
    FileError
        Where the folder cannot be written.
    """
    _, schema = write_example(folder / TABLE, language)
    replace_file(folder / SCHEMA, schema.to_toml().encode(), language)
    source = files("softseg.study") / "example"
    for name in (ASSUMPTIONS, STUDY):
        content = (source / f"{Path(name).stem}_{language}.toml").read_bytes()
        replace_file(folder / name, content, language)
    return folder / STUDY
