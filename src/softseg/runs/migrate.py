"""One panel in, one run folder out: `migrate`; then `project` and `warn` on such a folder."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from softseg.errors import FileError
from softseg.names import CHURNED, STATE, STATE_TO
from softseg.results.exports import write_csv
from softseg.results.files import replace_file
from softseg.runs.chains import ChainFolder
from softseg.runs.folder import POSTERIOR, PROFILES, SCHEMA, Run, manifest_of, publish, staged
from softseg.runs.lock import locked
from softseg.runs.manifest import Manifest, Options, versions, way_to
from softseg.runs.segment import check_names, keep_inputs
from softseg.tables.schema import Schema
from softseg.wording import say

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from softseg.estimators.migration import SegmentMigration
    from softseg.inference.draws import Progress
    from softseg.inference.markov.fit import MarkovFit
    from softseg.inference.verdicts import Diagnosis
    from softseg.tables.panel.panel import Panel

TRANSITIONS: Final = "transitions.csv"
STATES: Final = "states.csv"
UNJUDGED: Final = "unjudged"
KIND: Final = "migration"


@dataclass(frozen=True)
class Migrated:
    """A run that has just been written.

    Attributes
    ----------
    run
        The folder.
    tree
        The posterior tree.
    diagnosis
        The gate.
    notes
        What the panel is, one sentence per line.
    """

    run: Run
    tree: "xr.DataTree"
    diagnosis: "Diagnosis"
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the gate let the fit through."""
        return self.diagnosis.status == "good"


def read_panel(path: Path, schema: Schema) -> "Panel":
    """Return a file as a checked panel.

    Raises
    ------
    FileError
        Where the file cannot be read.
    DataError
        Where it has faults; all of them are listed.
    """
    from softseg.tables.panel.prepare import prepare_panel
    from softseg.tables.read import read_table

    return prepare_panel(read_table(path, schema.reading), schema)


def migrate(
    table: Path | str,
    schema: Schema,
    options: Options,
    folder: Path | str,
    *,
    cores: int | None = None,
    progress: "Progress | None" = None,
    inputs: tuple[Path, ...] = (),
) -> Migrated:
    """Fit a panel and write the run folder; after a failed gate as well.

    Every finished chain is kept in the folder until the run is written, so that the same call
    goes on where it was cut off.

    Parameters
    ----------
    table
        A CSV, Parquet or Excel file, one row per customer and period.
    schema
        What its columns are, with an entry on migration.
    options
        What to do.
    folder
        Where to write; it is made, and the files of an earlier run in it are replaced.
    cores
        Threads; they change no number.
    inputs
        Further files that must not be overwritten.

    Raises
    ------
    FolderLocked
        Where another process writes to the folder.
    DataError, FileError, SchemaError, UsageError
        Where the panel, a file, the schema or an option does not fit.
    """
    from softseg.results.migration.assemble import assemble_migration

    table, folder, language = Path(table), Path(folder), options.language
    check_names(options)
    keep_inputs((table, *inputs), folder, (TRANSITIONS, STATES))
    report = progress or (lambda stage, share: None)
    with locked(folder, language):
        chains, old = ChainFolder(folder, language), manifest_of(folder)
        report("read", 0.0)
        update: dict[str, Any] = {"language": language}
        if options.names:
            update["segment_names"] = list(options.names)
        panel = read_panel(table, schema.model_copy(update=update))
        fitted = _fit(panel, options, cores, progress, chains)
        report("summarise", 0.0)
        tree = assemble_migration(fitted)
        report("write", 0.0)
        manifest = Manifest(
            versions=versions(json.loads(tree.attrs["versions"])),
            table=way_to(table, folder),
            data_hash=tree.attrs["data_hash"],
            options=options,
            given_schema=json.loads(schema.to_json()),
            used_schema=json.loads(tree.attrs["schema"]),
            gate=fitted.diagnosis.status,
            fit=fitted.verdict.status if fitted.verdict else UNJUDGED,
        )
        with staged(folder, language) as stage:
            _write(stage, tree, panel, options)
            manifest = publish(stage, folder, manifest, old, language)
        chains.clear()
    notes = panel.notes.lines(language)
    return Migrated(Run(folder, manifest), tree, fitted.diagnosis, notes)


def _fit(
    panel: "Panel",
    options: Options,
    cores: int | None,
    progress: "Progress | None",
    chains: ChainFolder,
) -> "MarkovFit":
    from softseg.inference.markov.fit import fit_markov

    return fit_markov(
        panel,
        options.segments,
        method=options.method,
        n_draws=options.draws,
        n_tune=options.tune,
        n_chains=options.chains,
        n_starts=options.starts,
        seed=options.seed,
        cores=cores,
        progress=progress,
        checkpoint=chains,
    )


def _write(stage: Path, tree: "xr.DataTree", panel: "Panel", options: Options) -> None:
    """Write every file of a run but the manifest."""
    from softseg.results.exports import write_profiles
    from softseg.results.storage import save

    language = options.language
    write_csv(stage / TRANSITIONS, transitions_frame(tree), language)
    members = states_frame(tree["membership"].to_dataset(), panel)
    write_csv(stage / STATES, members, language)
    write_profiles(stage / PROFILES, tree["profile"].to_dataset(), language)
    save(tree, stage / POSTERIOR, language)
    replace_file(stage / SCHEMA, panel.schema.to_toml().encode(), language)


def transitions_frame(tree: "xr.DataTree") -> "pd.DataFrame":
    """Return the transitions as a frame with one row per state and state to."""
    import pandas as pd

    found = tree["transition"].to_dataset()
    n = found.sizes[STATE]
    return pd.DataFrame(
        {
            STATE: np.repeat(found[STATE].values, n),
            STATE_TO: np.tile(found[STATE_TO].values, n),
            **{name: found[name].values.reshape(-1) for name in ("mean", "lower", "upper")},
        }
    )


def states_frame(members: "xr.Dataset", panel: "Panel") -> "pd.DataFrame":
    """Return where the customers are as a frame, ids included, one row per customer."""
    import pandas as pd

    id_column = panel.schema.id or "customer"
    columns: dict[str, Any] = {}
    if panel.customers is not None:
        ids = np.asarray(panel.customers, dtype=object)
        columns[id_column] = ids[members["customer"].values]
    columns |= {"top": members["top"].values, "p_top": members["p_top"].values}
    for i, name in enumerate(members[STATE].values):
        for measure in ("mean", "lower", "upper"):
            columns[f"{name} {measure}"] = members[measure].values[:, i]
    return pd.DataFrame(columns)


def model_of(run: Run) -> "SegmentMigration":
    """Return the fitted model of a run folder.

    Raises
    ------
    FileError
        Where the folder holds no migration model, or is damaged.
    NotConverged
        When its answers are asked for and the gate refused the fit.
    """
    from softseg.estimators.migration import SegmentMigration

    language = run.manifest.options.language
    if "migration" not in run.manifest.used_schema:
        raise FileError(say("migrate.other_kind", language))
    return SegmentMigration.load(run.verify(POSTERIOR))


def projection_frame(found: "xr.Dataset", names: list[str]) -> "pd.DataFrame":
    """Return a projection as a frame with one row per period ahead and state."""
    import pandas as pd

    rows = []
    for h in found["horizon"].values:
        for name in names:
            at = found.sel({"horizon": h, STATE: name})
            row = {"horizon": int(h), STATE: name}
            for what in ("customers", "money"):
                for ending in ("mean", "lower", "upper", "parameter_lower", "parameter_upper"):
                    key = f"{what}_{ending}"
                    if key in found:
                        row[key] = float(at[key])
            rows.append(row)
    return pd.DataFrame(rows)


def warning_frame(found: "xr.Dataset", panel_ids: tuple[str, ...] | None) -> "pd.DataFrame":
    """Return a list of warnings as a frame, ids included, the most endangered first."""
    import pandas as pd

    rows = found["row"].values
    columns: dict[str, Any] = {}
    if panel_ids is not None:
        columns["customer"] = np.asarray(panel_ids, dtype=object)[rows - 1]
    columns["state"] = found["state"].values
    for name in ("mean", "lower", "upper"):
        columns[f"probability_{name}"] = found[name].values
    columns[CHURNED] = found[CHURNED].values
    return pd.DataFrame(columns)
