"""One table in, one run folder out: `segment`; and the same run again: `rerun`."""

import json
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from softseg.errors import UsageError
from softseg.runs.chains import ChainFolder
from softseg.runs.choice import StoredChoice, read_choice
from softseg.runs.folder import (
    CHOICE,
    CHOICE_JSON,
    CONTINUITY,
    MEMBERSHIPS,
    MEMBERSHIPS_CSV,
    POSTERIOR,
    PROFILES,
    REPORT,
    SCHEMA,
    Run,
    manifest_of,
    publish,
    staged,
)
from softseg.runs.lock import locked
from softseg.runs.manifest import MANIFEST, Manifest, Options, versions, way_to
from softseg.runs.output import add_comparison, write_outputs
from softseg.tables.schema import Schema
from softseg.tables.table import Table
from softseg.wording import say

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from softseg.inference.checkpoint import Checkpoint
    from softseg.inference.diagnose import Diagnosis
    from softseg.inference.draws import Progress
    from softseg.inference.fit import Fit
    from softseg.inference.predictive import FitVerdict
    from softseg.results.continuity import Continuity

OUTPUTS = (
    MANIFEST, MEMBERSHIPS, MEMBERSHIPS_CSV, PROFILES, POSTERIOR, SCHEMA, REPORT, CHOICE,
    CHOICE_JSON, CONTINUITY,
)  # fmt: skip
PARTIAL = "partial"
COMPARED_CUSTOMERS = 50_000
"""Up to so many customers k-means and Ward stand beside the segments."""


@dataclass(frozen=True)
class Outcome:
    """A run that has just been written.

    Attributes
    ----------
    run
        The folder.
    tree
        The posterior tree.
    diagnosis, verdict
        The gate, and whether the model fits.
    continuity
        What became of the earlier run's segments, None where none was given.
    """

    run: Run
    tree: "xr.DataTree"
    diagnosis: "Diagnosis"
    verdict: "FitVerdict"
    continuity: "Continuity | None" = None

    @property
    def passed(self) -> bool:
        """Whether the gate let the fit through."""
        return self.diagnosis.status == "good"

    @property
    def partial(self) -> bool:
        """Whether it was interrupted: only the chains that were finished by then are in it."""
        return self.diagnosis.status == PARTIAL


def read_prepared(table: Path, schema: Schema, *, by_row: bool = False) -> Table:
    """Return a file as a prepared table.

    A large Parquet file of discrete indicators is read batch by batch, as its distinct rows. Where
    a large one cannot be, a `TableWarning` says so.

    Parameters
    ----------
    by_row
        Whether every row has to be there.

    Raises
    ------
    FileError
        Where the file cannot be read.
    DataError
        Where it has faults; all of them are listed.
    """
    from softseg.tables.faults import Fault
    from softseg.tables.prepare import TableWarning, prepare, prepare_file
    from softseg.tables.read import read_table
    from softseg.tables.stream import TooManyDistinct, can_stream, is_large

    if is_large(table):
        if can_stream(table, schema) and not by_row:
            with suppress(TooManyDistinct):
                return prepare_file(table, schema)
        whole = Fault("read_whole", None, severity="warning")
        warnings.warn(TableWarning(whole, schema.language), stacklevel=2)
    return prepare(read_table(table, schema.reading), schema)


def segment(
    table: Path | str,
    schema: Schema,
    options: Options,
    folder: Path | str,
    *,
    cores: int | None = None,
    progress: "Progress | None" = None,
    choice: StoredChoice | None = None,
    previous: Run | None = None,
    found: "Continuity | None" = None,
    inputs: tuple[Path, ...] = (),
) -> Outcome:
    """Fit the segments of a table and write the run folder.

    Every finished chain is kept in the folder until the run is written, so that the same call goes
    on where it was cut off. An interrupt, once a chain is finished, ends with what is finished;
    such a partial run does not replace a whole one.

    Parameters
    ----------
    table
        A CSV, Parquet or Excel file.
    schema
        What its columns are.
    options
        What to do.
    folder
        Where to write; it is made, and the files of an earlier run in it are replaced.
    cores
        Threads; they change no number.
    choice
        The choice of the number of segments, for the report; by default the one that stands in
        the folder, if it was made with the same data.
    previous
        An earlier run. Its segments are found again, and their names are carried over unless the
        options give others; only where the gate lets the fit through.
    found
        What became of an earlier run's segments, where that is known already.
    inputs
        Further files that must not be overwritten.

    Returns
    -------
    Outcome
        What was found. The folder is written after a failed gate as well.

    Raises
    ------
    FolderLocked
        Where another process writes to the folder.
    DataError, FileError, UsageError
        Where the table, a file or an option does not fit.
    KeyboardInterrupt
        Where it was interrupted and no run was written; says whether the same call goes on.
    """
    table, folder, language = Path(table), Path(folder), options.language
    check_names(options)
    if schema.migration is not None:
        raise UsageError(say("runs.panel", language))
    if previous is not None:
        from softseg.runs.continuing import refuse_unidentified

        refuse_unidentified(previous, language)
        inputs = (*inputs, previous.folder / MANIFEST)
    keep_inputs((table, *inputs), folder)
    report = progress or (lambda stage, share: None)
    with locked(folder, language):
        chains, old = ChainFolder(folder, language), manifest_of(folder)
        try:
            report("read", 0.0)
            # An earlier run's segments are found again by every row under both posteriors.
            by_row = previous is not None or found is not None
            prepared = read_prepared(table, asked(schema, options), by_row=by_row)
            fitted = fit_table(prepared, options, cores, progress, chains)
            cut_off = fitted.diagnosis.status == PARTIAL
            if cut_off and old is not None and old.gate != PARTIAL:
                raise KeyboardInterrupt
            report("summarise", 0.0)
            tree = _tree_of(fitted, report)
            if previous is not None and fitted.diagnosis.status == "good":
                from softseg.runs.continuing import continued

                found = continued(previous, tree, table, prepared.schema)
                options = _with_names(options, tree, found)
            report("write", 0.0)
            manifest = manifest_for(
                tree, table, folder, schema, options, fitted.diagnosis.status,
                fitted.verdict.status,
            )  # fmt: skip
            if choice is None:
                choice = read_choice(folder, manifest.data_hash)
            with staged(folder, language) as stage:
                write_outputs(
                    stage, tree, options, customers=prepared.customers,
                    memberships=_in_batches(tree, prepared, table), choice=choice, continuity=found,
                )  # fmt: skip
                manifest = publish(stage, folder, manifest, old, language)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(say("runs.kept", language) if len(chains) else "") from error
        if not cut_off:
            chains.clear()
    return Outcome(Run(folder, manifest), tree, fitted.diagnosis, fitted.verdict, found)


def _with_names(options: Options, tree: "xr.DataTree", found: "Continuity") -> Options:
    """Carry the earlier names over to the tree and the options, unless there are others."""
    from softseg.results.tree import rename_segments

    names = found.names(options.language)
    if options.names or not names:
        return options
    rename_segments(tree, names)
    return options.model_copy(update={"names": tuple(names)})


def fit_table(
    table: Table,
    options: Options,
    cores: int | None,
    progress: "Progress | None",
    checkpoint: "Checkpoint | None" = None,
) -> "Fit":
    """Fit a prepared table, after making sure that it has enough rows."""
    from softseg.inference.fit import fit
    from softseg.models.mixture import specify
    from softseg.tables.check import check_rows, refuse_errors
    from softseg.tables.prepare import TableWarning

    n_parameters = specify(table.schema, options.segments).n_parameters
    faults = check_rows(
        float(table.count.sum()), n_parameters, allow_few_rows=options.allow_few_rows
    )
    refuse_errors(faults, options.language)
    for fault in faults:
        warnings.warn(TableWarning(fault, options.language), stacklevel=2)
    return fit(
        table,
        options.segments,
        method=options.method,
        n_draws=options.draws,
        n_tune=options.tune,
        n_chains=options.chains,
        n_starts=options.starts,
        seed=options.seed,
        cores=cores,
        progress=progress,
        checkpoint=checkpoint,
        partial=checkpoint is not None,
    )


def _tree_of(fitted: "Fit", report: "Progress") -> "xr.DataTree":
    from softseg.results.assemble import assemble

    tree = assemble(fitted)
    few = not fitted.table.distinct and fitted.table.n_customers <= COMPARED_CUSTOMERS
    if few and fitted.mixture.n_segments > 1 and fitted.diagnosis.status == "good":
        from softseg.comparison.compare import compare

        report("compare", 0.0)
        rng = np.random.default_rng((fitted.seed, 1))
        add_comparison(tree, compare(tree, fitted.table, fitted.statistics, rng))
    return tree


def _in_batches(
    tree: "xr.DataTree", prepared: Table, table: Path
) -> "Callable[[Path], object] | None":
    """Return what writes every customer's memberships, where the tree has the distinct rows."""
    if not prepared.distinct:
        return None
    from softseg.results.streamed import write_streamed

    return partial(write_streamed, tree, prepared, table)


def asked(schema: Schema, options: Options) -> Schema:
    """Return a schema in the language and with the names that are asked for."""
    update: dict[str, Any] = {"language": options.language}
    if options.names:
        update["segment_names"] = list(options.names)
    return schema.model_copy(update=update)


def manifest_for(
    tree: "xr.DataTree",
    table: Path,
    folder: Path,
    schema: Schema,
    options: Options,
    gate: str,
    fit: str,
) -> Manifest:
    """Return the manifest of a run, the hashes of its files left out."""
    return Manifest(
        versions=versions(json.loads(tree.attrs["versions"])),
        table=way_to(table, folder),
        data_hash=tree.attrs["data_hash"],
        options=options,
        given_schema=json.loads(schema.to_json()),
        used_schema=json.loads(tree.attrs["schema"]),
        gate=gate,
        fit=fit,
    )


def check_names(options: Options) -> None:
    """Refuse names of segments that are too few, too many or twice the same."""
    names, n_segments = options.names, options.segments
    if names and (len(names) != n_segments or len(set(names)) < n_segments):
        raise UsageError(
            say("runs.names", options.language, count=n_segments, given=", ".join(names))
        )


def keep_inputs(inputs: tuple[Path, ...], folder: Path, more: tuple[str, ...] = ()) -> None:
    """Refuse to write a run's files, `more` among them, over one of its inputs."""
    outputs = {(folder / name).resolve() for name in (*OUTPUTS, *more)}
    for path in inputs:
        if path.resolve() in outputs:
            raise UsageError(say("runs.input", name=path.name))
