"""The bundled example as files, as a user would have them."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from softseg.results.files import replace_file, unwritable
from softseg.runs.demo import write_example

STUDY: Final = "study.toml"
ASSUMPTIONS: Final = "assumptions.toml"
SCHEMA: Final = "schema.toml"
TABLE: Final = "customers.csv"
PANEL: Final = "panel.csv"


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


def write_example_panel_study(folder: Path, language: str = "en") -> Path:
    """Write panel, schema, assumptions and study of the example over 36 months; return its path.

    Raises
    ------
    FileError
        Where the folder cannot be written.
    """
    from softseg.results.exports import write_csv
    from softseg.tables.panel.synthetic import example_panel

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error, language) from error
    frame, schema = example_panel(language)
    write_csv(folder / PANEL, frame, language)
    replace_file(folder / SCHEMA, schema.to_toml().encode(), language)
    source = files("softseg.study") / "example"
    for name in (ASSUMPTIONS, STUDY):
        content = (source / f"{Path(name).stem}_panel_{language}.toml").read_bytes()
        replace_file(folder / name, content, language)
    return folder / STUDY
