"""One panel in, one run folder out: `migrate`; then `project` and `warn` on such a folder."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from softseg.errors import FileError
from softseg.names import CHURNED, STATE, STATE_TO
from softseg.results.exports import write_csv
from softseg.results.files import replace_file
from softseg.runs.chains import ChainFolder
from softseg.runs.choice import StoredChoice, read_choice
from softseg.runs.folder import (
    FIGURES,
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
from softseg.runs.manifest import Options
from softseg.runs.output import write_choice_files, write_figure
from softseg.runs.segment import asked, check_names, keep_inputs, manifest_for
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

    partial = False
    """A run of a panel is whole or not written."""


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
    choice: StoredChoice | None = None,
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
    choice
        The choice of the number of segments, which is kept beside the run; by default the one that
        stands in the folder, if it was made with the same data.
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
        panel = read_panel(table, asked(schema, options))
        fitted = fit_panel(panel, options, cores, progress, chains)
        report("summarise", 0.0)
        tree = assemble_migration(fitted)
        report("write", 0.0)
        fit = fitted.verdict.status if fitted.verdict else UNJUDGED
        manifest = manifest_for(tree, table, folder, schema, options, fitted.diagnosis.status, fit)
        choice = choice or read_choice(folder, manifest.data_hash)
        with staged(folder, language) as stage:
            members = states_frame(tree["membership"].to_dataset(), panel)
            _write(stage, tree, members, options, choice)
            manifest = publish(stage, folder, manifest, old, language)
        chains.clear()
    notes = panel.notes.lines(language)
    return Migrated(Run(folder, manifest), tree, fitted.diagnosis, notes)


def fit_panel(
    panel: "Panel",
    options: Options,
    cores: int | None,
    progress: "Progress | None",
    chains: ChainFolder,
) -> "MarkovFit":
    """Fit a checked panel as the options say."""
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
        allow_few_rows=options.allow_few_rows,
    )


def migrate_again(
    run: Run, *, language: Literal["en", "de"] | None = None, names: tuple[str, ...] = ()
) -> Run:
    """Write the files of a folder again, in another language or with other names, without fitting.

    Raises
    ------
    FolderLocked
        Where another process writes to the folder.
    FileError
        Where a file is damaged or cannot be written.
    UsageError
        Where names are too few, too many or twice the same.
    """
    from softseg.results.migration.assemble import rename_states
    from softseg.results.tree import schema_from_tree, set_attribute

    old = run.manifest.options
    update: dict[str, Any] = {"language": language or old.language, "names": names or old.names}
    options = Options(**(old.model_dump() | update))
    check_names(options)
    with locked(run.folder, options.language):
        tree = run.tree()
        before = _state_names(tree)
        if names:
            rename_states(tree, list(names))
        after = _state_names(tree)
        schema = schema_from_tree(tree).model_copy(update={"language": options.language})
        set_attribute(tree, "schema", schema.to_json())
        set_attribute(tree, "language", options.language)
        manifest = run.manifest.model_copy(
            update={"options": options, "used_schema": json.loads(schema.to_json())}
        )
        members = renamed(run.verify(STATES), dict(zip(before, after, strict=True)))
        choice = read_choice(run.folder, manifest.data_hash)
        with staged(run.folder, options.language) as stage:
            _write(stage, tree, members, options, choice)
            manifest = publish(
                stage, run.folder, manifest, manifest_of(run.folder), options.language
            )
    return Run(run.folder, manifest)


def _state_names(tree: "xr.DataTree") -> list[str]:
    return [str(name) for name in tree["membership"].to_dataset()[STATE].values]


def renamed(path: Path, names: dict[str, str]) -> "pd.DataFrame":
    """Return a file of states with the states called otherwise, everything else as it is."""
    import pandas as pd

    # As text, so that ids such as 007 and figures stay what they are.
    found = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    columns = {
        f"{old} {measure}": f"{new} {measure}"
        for old, new in names.items()
        for measure in ("mean", "lower", "upper")
    }
    found["top"] = found["top"].map(lambda label: names.get(label, label))
    return found.rename(columns=columns)


def _write(
    stage: Path,
    tree: "xr.DataTree",
    members: "pd.DataFrame",
    options: Options,
    choice: StoredChoice | None,
) -> None:
    """Write every file of a run but the manifest."""
    from softseg.report.migration.page import write_migration_report
    from softseg.results.exports import write_profiles
    from softseg.results.storage import save
    from softseg.results.tree import schema_from_tree

    language = options.language
    write_csv(stage / TRANSITIONS, transitions_frame(tree), language)
    write_csv(stage / STATES, members, language)
    write_profiles(stage / PROFILES, tree["profile"].to_dataset(), language)
    save(tree, stage / POSTERIOR, language)
    replace_file(stage / SCHEMA, schema_from_tree(tree).to_toml().encode(), language)
    figures: dict[str, str] = {}
    write_migration_report(tree, stage / REPORT, language, figures)
    for name, svg in figures.items():
        write_figure(stage / FIGURES / f"{name}.svg", svg, language)
    if choice is not None:
        write_choice_files(choice, stage, language)


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


def is_migration(run: Run) -> bool:
    """Return whether a run is that of a panel."""
    return "migration" in run.manifest.used_schema


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
    if not is_migration(run):
        raise FileError(say("migrate.other_kind", language))
    return SegmentMigration.load(run.verify(POSTERIOR))


def projection_frame(found: "xr.Dataset", names: list[str]) -> "pd.DataFrame":
    """Return a projection as a frame with one row per period ahead and state.

    Where there is money, the column ``currency`` says in what.
    """
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
            if "money_mean" in found:
                row["currency"] = found.attrs["unit"]
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
