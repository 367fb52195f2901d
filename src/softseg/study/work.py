"""What the stages of one study share while they run: the folder, the fit, the table."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from softseg.runs.folder import Run, open_run
from softseg.study.file import SEVERAL, Study
from softseg.study.manifest import SEGMENTS, STUDY_NC, VALUE_NC
from softseg.study.names import names_of

if TYPE_CHECKING:
    from softseg.decisions.segments.findings import Findings
    from softseg.decisions.segments.moving import Inflow
    from softseg.likelihood.statistics import Statistics
    from softseg.results.migration.customers import Present
    from softseg.tables.panel.panel import Panel
    from softseg.tables.schema import Schema
    from softseg.tables.table import Table

GOOD = "good"


@dataclass
class Work:
    """One study under way; what is read is read once.

    Attributes
    ----------
    study
        What to do.
    folder
        The run folder, locked.
    cores
        Threads; they change no number.
    report
        Is told how far it is.
    found
        What stands in the folder, once it was asked for.
    """

    study: Study
    folder: Path
    cores: int | None = None
    report: Callable[[str, float], None] = field(default=lambda stage, share: None)
    found: "Findings | None" = None

    @cached_property
    def run(self) -> Run:
        """The fit that the programme is written for."""
        return open_run(self.folder / SEGMENTS, self.study.language)

    @cached_property
    def tree(self) -> xr.DataTree:
        """Posterior tree of that fit."""
        return self.run.tree()

    @property
    def gate(self) -> str:
        """Status of the gate."""
        return self.run.manifest.gate

    @property
    def fit(self) -> str:
        """Whether the model fits."""
        return self.run.manifest.fit

    @property
    def n_segments(self) -> int:
        """Number of segments of that fit."""
        return self.run.manifest.options.segments

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the segments."""
        return names_of(self.study, self.n_segments)

    @property
    def inflow(self) -> "dict[int, Inflow]":
        """New customers of a year by number of their segment."""
        from softseg.decisions.segments.expand import segment_number

        given = self.study.migration.inflow.items()
        found = {segment_number(name, self.names): new for name, new in given}
        return {k: new for k, new in found.items() if k is not None}

    @property
    def several(self) -> bool:
        """Whether there are totals over several numbers only."""
        return self.study.segments.number == SEVERAL

    @property
    def folders(self) -> dict[int, Path]:
        """Run folder of each number of segments that was fitted."""
        own = self.folder / SEGMENTS
        if not self.several:
            return {self.n_segments: own}
        reference = self.study.segments.reference
        return {
            k: own if k == reference else self.folder / f"{SEGMENTS}-{k}"
            for k in sorted(set(self.study.segments.several))
        }

    @cached_property
    def schema(self) -> "Schema":
        """What the columns of the table are, in the language of the study."""
        from softseg.tables.schema import Schema

        found = Schema.from_toml(self.study.schema_path)
        return found.model_copy(update={"language": self.study.language})

    @property
    def follows(self) -> bool:
        """Whether the table is a panel, which follows customers over time."""
        return self.schema.migration is not None

    @cached_property
    def panel(self) -> "Panel":
        """The panel, prepared as it was for the fit, whose warnings are not repeated."""
        from softseg.runs.migrate import read_panel
        from softseg.tables.prepare import TableWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TableWarning)
            return read_panel(self.study.table_path, self.schema)

    @cached_property
    def present(self) -> "Present":
        """The customers of today, where the table is a panel."""
        from softseg.results.migration.customers import present_customers

        return present_customers(self.panel)

    @cached_property
    def table(self) -> "Table":
        """The customers, prepared as they were for the fit, whose warnings are not repeated."""
        from softseg.runs.segment import read_prepared
        from softseg.tables.prepare import TableWarning

        if self.follows:
            return self.present.table
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TableWarning)
            return read_prepared(self.study.table_path, self.schema)

    @cached_property
    def statistics(self) -> "Statistics":
        """Its patterns."""
        from softseg.likelihood.statistics import reduce

        return reduce(self.table)

    @cached_property
    def valued(self) -> xr.DataTree:
        """What the value stage has left: ``/customers`` and, with a good gate, ``/value``."""
        from softseg.results.storage import load

        return load(self.folder / VALUE_NC, self.study.language)

    @cached_property
    def stored(self) -> xr.DataTree:
        """What the money stage has left: the draws and all answers."""
        from softseg.results.storage import load

        return load(self.folder / STUDY_NC, self.study.language)

    def forget(self, *names: str) -> None:
        """Forget what was read, because its file is another one now."""
        for name in names:
            self.__dict__.pop(name, None)
