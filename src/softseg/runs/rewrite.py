"""Steps on a finished run folder: the report again, other names, other language; new customers."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from softseg.errors import UsageError
from softseg.runs.choice import read_choice
from softseg.runs.continuing import read_continuity
from softseg.runs.folder import MEMBERSHIPS, Run, manifest_of, publish, staged
from softseg.runs.lock import locked
from softseg.runs.manifest import Options
from softseg.runs.output import write_outputs
from softseg.runs.segment import check_names
from softseg.wording import say

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Scored:
    """New customers whose memberships have been written.

    Attributes
    ----------
    verdicts
        Customers by verdict.
    unseen
        Cells with an unseen level by indicator, read as missing.
    path
        The file that was written.
    """

    verdicts: dict[str, int]
    unseen: dict[str, int]
    path: Path


def write_again(
    run: Run, *, language: Literal["en", "de"] | None = None, names: tuple[str, ...] = ()
) -> Run:
    """Write the report and every other file of a folder again, without fitting.

    Parameters
    ----------
    run
        The run.
    language
        Language of the report; as it was by default.
    names
        New names of the segments, in the order of their numbers.

    Raises
    ------
    FolderLocked
        Where another process writes to the folder.
    FileError
        Where a file is damaged or cannot be written.
    """
    from softseg.names import MEMBERSHIP
    from softseg.results.streamed import write_renamed
    from softseg.results.tree import (
        rename_segments,
        schema_from_tree,
        segment_names,
        set_attribute,
    )

    old = run.manifest.options
    update: dict[str, Any] = {"language": language or old.language, "names": names or old.names}
    options = Options(**(old.model_dump() | update))
    check_names(options)
    with locked(run.folder, options.language):
        tree = run.tree()
        if names:
            rename_segments(tree, list(names))
        schema = schema_from_tree(tree).model_copy(update={"language": options.language})
        set_attribute(tree, "schema", schema.to_json())
        set_attribute(tree, "language", options.language)
        manifest = run.manifest.model_copy(
            update={"options": options, "used_schema": json.loads(schema.to_json())}
        )
        choice = read_choice(run.folder, manifest.data_hash)
        ids, memberships = _ids(run, schema.id), None
        if "count" in tree[MEMBERSHIP]:
            source = run.verify(MEMBERSHIPS)
            given = segment_names(tree)
            memberships = partial(write_renamed, source, names=given, language=options.language)
        with staged(run.folder, options.language) as stage:
            write_outputs(
                stage, tree, options, customers=ids, memberships=memberships, choice=choice,
                continuity=read_continuity(run.folder),
            )  # fmt: skip
            manifest = publish(
                stage, run.folder, manifest, manifest_of(run.folder), options.language
            )
    return Run(run.folder, manifest)


def score_file(
    run: Run,
    table: Path,
    out: Path | None = None,
    *,
    unseen: Literal["error", "missing"] = "error",
    language: str | None = None,
) -> Scored:
    """Write the memberships of the customers of another file; a large Parquet file in batches.

    Parameters
    ----------
    run
        The run whose segments are used.
    table
        A file with the columns of the schema.
    out
        Parquet or CSV file to write; by default one in the run folder, named after the table.
    unseen
        Whether a level that the training table did not have is an error or a missing cell.

    Raises
    ------
    DataError
        Where the rows have faults, all of them listed.
    """
    from softseg.results.exports import write_memberships
    from softseg.results.scoring import score_file as score_in_batches
    from softseg.results.scoring import score_table
    from softseg.results.tree import schema_from_tree
    from softseg.tables.prepare import prepare_new
    from softseg.tables.read import read_table
    from softseg.tables.stream import is_large

    language = language or run.manifest.options.language
    path = out or run.folder / f"scores-{table.stem}.parquet"
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise UsageError(say("score.suffix", language, name=path.name))
    tree = run.tree()
    if is_large(table):
        found = score_in_batches(tree, table, path, unseen=unseen, language=language)
        return Scored(*found, path)
    schema = schema_from_tree(tree).model_copy(update={"language": language})
    rows, counts = prepare_new(read_table(table, schema.reading), schema, unseen)
    membership = score_table(tree, rows)
    id_column = schema.id or "customer"
    write_memberships(path, membership, rows.customers, id_column=id_column, language=language)
    return Scored(verdict_counts(membership), counts, path)


def _ids(run: Run, column: str | None) -> list[str] | None:
    """Return the customers' ids in the order of the rows."""
    if column is None:
        return None
    import pyarrow.parquet as pq

    path = run.verify(MEMBERSHIPS)
    return pq.read_table(path, columns=[column]).column(0).to_pylist()


def verdict_counts(membership: "xr.Dataset") -> dict[str, int]:
    """Return the number of customers by verdict."""
    verdicts = membership["verdict"].values
    return {name: int((verdicts == name).sum()) for name in ("clear", "ambiguous", "fits none")}
