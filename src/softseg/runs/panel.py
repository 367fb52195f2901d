"""A panel in, the same run folder out: `segment_panel`.

What differs from a table of customers is the model that is fitted. Memberships, sizes and profile
are those of the customers of today, so that everything that reads a run folder reads this one.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from softseg.runs.chains import ChainFolder
from softseg.runs.folder import Run, manifest_of, publish, staged
from softseg.runs.lock import locked
from softseg.runs.manifest import Options
from softseg.runs.migrate import fit_panel, read_panel
from softseg.runs.output import write_outputs
from softseg.runs.segment import PARTIAL, asked, check_names, keep_inputs, manifest_for
from softseg.tables.schema import Schema
from softseg.wording import say

if TYPE_CHECKING:
    import xarray as xr

    from softseg.inference.draws import Progress
    from softseg.inference.markov.fit import MarkovFit
    from softseg.results.migration.customers import Present
    from softseg.results.migration.states import States
    from softseg.tables.panel.panel import Panel

LOTS: Final = 2
"""Stream of random numbers for the sizes, apart from those of the fit."""
NOT_JUDGED: Final = "doubtful"
"""Whether a model fits of which that cannot be said, because it is not known who is still there."""


def segment_panel(
    table: Path,
    schema: Schema,
    options: Options,
    folder: Path,
    *,
    cores: int | None = None,
    progress: "Progress | None" = None,
    inputs: tuple[Path, ...] = (),
) -> Run:
    """Fit the latent Markov model of a panel and write the run folder.

    Parameters
    ----------
    table, schema, options, folder, cores, progress, inputs
        As in `softseg.runs.segment.segment`; the schema has an entry on migration.

    Returns
    -------
    Run
        The folder, written after a failed gate as well.

    Raises
    ------
    FolderLocked
        Where another process writes to the folder.
    DataError, FileError, UsageError
        Where the table, a file or an option does not fit.
    KeyboardInterrupt
        Where it was interrupted; the same call goes on where it was.
    """
    check_names(options)
    keep_inputs((table, *inputs), folder)
    language, report = options.language, progress or (lambda stage, share: None)
    with locked(folder, language):
        chains, old = ChainFolder(folder, language), manifest_of(folder)
        try:
            report("read", 0.0)
            panel = read_panel(table, asked(schema, options))
            fitted = fit_panel(panel, options, cores, progress, chains)
            report("summarise", 0.0)
            tree, present = described(fitted)
            report("write", 0.0)
            fit = NOT_JUDGED if fitted.verdict is None else fitted.verdict.status
            manifest = manifest_for(
                tree, table, folder, schema, options, fitted.diagnosis.status, fit
            )
            with staged(folder, language) as stage:
                write_outputs(stage, tree, options, customers=present.table.customers)
                manifest = publish(stage, folder, manifest, old, language)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(say("runs.kept", language) if len(chains) else "") from error
        if manifest.gate != PARTIAL:
            chains.clear()
    return Run(folder, manifest)


def described(fitted: "MarkovFit") -> tuple["xr.DataTree", "Present"]:
    """Return the posterior tree of a panel with today's customers, and who they are."""
    from softseg.results.migration.assemble import assemble_migration, state_names
    from softseg.results.migration.customers import describe_present, present_customers
    from softseg.results.migration.states import states_of

    tree = assemble_migration(fitted)
    present = present_customers(fitted.panel)
    names = state_names(fitted.panel.schema, fitted.model)
    values = fitted.draws.values.flattened()
    states = states_of(fitted.model, fitted.layout, fitted.panel, values, names)
    describe_present(tree, states, present, np.random.default_rng((fitted.seed, LOTS)))
    return tree, present


def states_of_tree(tree: "xr.DataTree", panel: "Panel") -> "States":
    """Return the customers' states under the draws of a tree, on the panel it was fitted to."""
    from softseg.inference.markov.fit import lay_out, model_for
    from softseg.names import POSTERIOR, SEGMENT
    from softseg.results.migration.assemble import state_names, values_of_migration
    from softseg.results.migration.states import states_of

    layout = lay_out(panel)
    model = model_for(panel, layout, tree[POSTERIOR].sizes[SEGMENT])
    values = values_of_migration(tree, model)
    return states_of(model, layout, panel, values, state_names(panel.schema, model))
