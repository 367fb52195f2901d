"""Choosing the number of segments for a file, and what is written of it."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softseg.errors import UsageError
from softseg.results.files import replace_file, sha256
from softseg.runs.chains import ChainFolder
from softseg.runs.choice import StoredChoice
from softseg.runs.folder import CHOICE, CHOICE_JSON, FIGURES, manifest_of
from softseg.runs.lock import locked
from softseg.runs.manifest import MANIFEST
from softseg.runs.output import write_figure
from softseg.runs.segment import read_prepared
from softseg.tables.schema import Schema
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.inference.draws import Progress


def choose_file(
    table: Path,
    schema: Schema,
    least: int = 1,
    most: int = 10,
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
        What its columns are.
    least, most
        Smallest and greatest number of segments to try.
    folder
        Run folder in which every finished chain is kept until a choice or a run is written there,
        so that the same call goes on where it was cut off.
    **options
        As `softseg.inference.choose.choose` takes them.

    Raises
    ------
    FolderLocked
        Where another process writes to the folder.
    DataError, FileError, UsageError
        Where the table, a file or an option does not fit.
    KeyboardInterrupt
        Where it was interrupted; says whether the same call goes on.
    """
    from softseg.inference.choose import choose
    from softseg.results.assemble import data_hash

    if most < least:
        raise UsageError(say("choose.no_range", schema.language, least=least, most=most))
    chains = None if folder is None else ChainFolder(folder, schema.language)
    with nullcontext() if folder is None else locked(folder, schema.language):
        try:
            if progress is not None:
                progress("read", 0.0)
            prepared = read_prepared(table, schema)
            choice = choose(
                prepared, range(least, most + 1), progress=progress, checkpoint=chains, **options
            )
        except KeyboardInterrupt as error:
            said = say("runs.kept", schema.language) if chains is not None and len(chains) else ""
            raise KeyboardInterrupt(said) from error
    return StoredChoice.of(choice, data_hash(prepared))


def write_choice(choice: StoredChoice, folder: Path, language: str = "en") -> None:
    """Write table, recommendation and figure of a choice into a folder.

    A manifest that stands there learns of the new files. Chains that were kept there are removed.
    """
    from softseg.report.figures.alluvial import alluvial
    from softseg.report.figures.choice import choice as draw
    from softseg.report.style import to_svg

    with locked(folder, language):
        choice.write(folder, language)
        (folder / FIGURES).mkdir(exist_ok=True)
        table = choice.table
        figures = {"choice": draw(table, language, choice.recommended)}
        if choice.flows:
            tried = [int(k) for k in table["n_segments"]]
            figures["alluvial"] = alluvial(choice.flows, tried, language, choice.recommended)
        for name, figure in figures.items():
            svg = to_svg(figure, name, say(f"report.alt.{name}", language))
            write_figure(folder / FIGURES / f"{name}.svg", svg, language)
        manifest = manifest_of(folder)
        if manifest is not None:
            names = (CHOICE, CHOICE_JSON, *(f"{FIGURES}/{name}.svg" for name in figures))
            files = manifest.files | {name: sha256(folder / name) for name in names}
            changed = manifest.model_copy(update={"files": dict(sorted(files.items()))})
            replace_file(folder / MANIFEST, changed.to_bytes(), language)
        ChainFolder(folder, language).clear()
