"""Choosing the number of segments for a file, and what is written of it."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from softseg.errors import UsageError
from softseg.results.files import replace_file, sha256
from softseg.runs.chains import ChainFolder
from softseg.runs.choice import StoredChoice
from softseg.runs.folder import manifest_of
from softseg.runs.lock import locked
from softseg.runs.manifest import MANIFEST
from softseg.runs.migrate import read_panel
from softseg.runs.output import write_choice_files
from softseg.runs.segment import read_prepared
from softseg.tables.schema import Schema
from softseg.tables.table import Table
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.inference.choice import Choice
    from softseg.inference.draws import Progress

MOST: Final = 10
MOST_IN_PANEL: Final = 6
"""Each number of segments of a panel is a fit of minutes where it is too large."""


def choose_file(
    table: Path,
    schema: Schema,
    least: int = 1,
    most: int | None = None,
    *,
    folder: Path | None = None,
    progress: "Progress | None" = None,
    **options: Any,
) -> StoredChoice:
    """Return the criteria and the recommendation for a file.

    Parameters
    ----------
    table
        A CSV, Parquet or Excel file.
    schema
        What its columns are; with an entry on migration the file is a panel.
    least, most
        Smallest and greatest number of segments to try, by default up to `MOST`, in a panel up to
        `MOST_IN_PANEL`.
    folder
        Run folder in which every finished chain is kept until a choice or a run is written there,
        so that the same call goes on where it was cut off.
    **options
        As `softseg.inference.choose.choose` takes them, or of a panel
        `softseg.inference.markov.choose.choose_markov`.

    Raises
    ------
    FolderLocked
        Where another process writes to the folder.
    DataError, FileError, UsageError
        Where the table, a file or an option does not fit.
    KeyboardInterrupt
        Where it was interrupted; says whether the same call goes on.
    """
    from softseg.results.assemble import data_hash

    if most is None:
        most = max(least, MOST if schema.migration is None else MOST_IN_PANEL)
    if most < least:
        raise UsageError(say("choose.no_range", schema.language, least=least, most=most))
    chains = None if folder is None else ChainFolder(folder, schema.language)
    with nullcontext() if folder is None else locked(folder, schema.language):
        try:
            if progress is not None:
                progress("read", 0.0)
            choice, prepared = _chosen(
                table, schema, range(least, most + 1), progress=progress, checkpoint=chains,
                **options,
            )  # fmt: skip
        except KeyboardInterrupt as error:
            said = say("runs.kept", schema.language) if chains is not None and len(chains) else ""
            raise KeyboardInterrupt(said) from error
    return StoredChoice.of(choice, data_hash(prepared))


def _chosen(path: Path, schema: Schema, numbers: range, **options: Any) -> tuple["Choice", Table]:
    """Return the choice for a file, and the table that was read."""
    if schema.migration is None:
        from softseg.inference.choose import choose

        table = read_prepared(path, schema)
        return choose(table, numbers, **options), table
    from softseg.inference.markov.choose import choose_markov

    panel = read_panel(path, schema)
    return choose_markov(panel, numbers, **options), panel.table


def write_choice(choice: StoredChoice, folder: Path, language: str = "en") -> None:
    """Write table, recommendation and figure of a choice into a folder.

    A manifest that stands there learns of the new files. Chains that were kept there are removed.
    """
    with locked(folder, language):
        names = write_choice_files(choice, folder, language)
        manifest = manifest_of(folder)
        if manifest is not None:
            files = manifest.files | {name: sha256(folder / name) for name in names}
            changed = manifest.model_copy(update={"files": dict(sorted(files.items()))})
            replace_file(folder / MANIFEST, changed.to_bytes(), language)
        ChainFolder(folder, language).clear()
