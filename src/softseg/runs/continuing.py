"""What became of an earlier run's segments, found once and kept as a file of the run folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from softseg.errors import FileError, UsageError
from softseg.results.continuity import Continuity, continuity
from softseg.results.files import read_file, replace_file
from softseg.runs.folder import CONTINUITY, Run
from softseg.tables.schema import Schema
from softseg.wording import say

if TYPE_CHECKING:
    import xarray as xr


def continued(previous: Run, tree: "xr.DataTree", table: Path, schema: Schema) -> Continuity:
    """Return what became of a run's segments in the tree of a new one.

    Parameters
    ----------
    previous
        The earlier run.
    tree
        The new posterior tree.
    table, schema
        The file that it was fitted to, and how to read it.

    Raises
    ------
    UsageError
        Where the earlier run's gate failed, so that its segments are not identified.
    """
    from softseg.tables.read import read_table

    refuse_unidentified(previous, schema.language)
    return continuity(previous.tree(), tree, read_table(table, schema.reading))


def refuse_unidentified(previous: Run, language: str) -> None:
    """Refuse an earlier run whose segments are not identified."""
    if previous.manifest.gate == "failed":
        raise UsageError(say("runs.previous_failed", language, name=previous.folder.name))


def write_continuity(folder: Path, found: Continuity, language: str = "en") -> None:
    """Write it, so that a later report can show it."""
    replace_file(folder / CONTINUITY, f"{found.to_json()}\n".encode(), language)


def read_continuity(folder: Path) -> Continuity | None:
    """Return what stands in a folder, None where there is nothing.

    Raises
    ------
    FileError
        Where the file is damaged.
    """
    path = folder / CONTINUITY
    if not path.is_file():
        return None
    try:
        return Continuity.from_json(read_file(path))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(say("runs.damaged", name=path.name)) from error
