"""The study file: which table, how many segments, what is done with them, and what that rests on.

`Study.from_toml` reads it and names every fault at once; `Study.run` does what it says.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from softseg.decisions.inputs.schema import Finite
from softseg.decisions.segments.moving import Inflow
from softseg.decisions.segments.programme import Programme

if TYPE_CHECKING:
    from softseg.inference.draws import Progress
    from softseg.study.result import StudyResult

CHOOSE: Final = "choose"
SEVERAL: Final = "several"
MOST_COMPARED: Final = 12
"""Largest number of segments that is compared in money."""

type Language = Literal["en", "de"]
type StageName = Literal["segments", "value", "money", "report"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Segments(_Entry):
    """How many segments, and what they are called.

    Attributes
    ----------
    number
        How many, or ``choose``, or ``several``: totals over several numbers.
    names
        Largest segment first; with ``several`` those of the reference.
    several, reference
        With ``several``: the numbers, and the one that the programme is written for.
    compare
        Numbers of segments that are compared in money.
    handling
        What handling one more segment costs a year, in whole currency.
    """

    number: int | str
    names: tuple[str, ...] = ()
    several: tuple[int, ...] = ()
    reference: int | None = None
    compare: tuple[Annotated[int, Field(ge=1, le=MOST_COMPARED)], ...] = ()
    handling: Annotated[Finite, Field(ge=0)] = 0.0

    @property
    def fixed(self) -> int | None:
        """The number that the programme is written for, None where it is still to be chosen."""
        if isinstance(self.number, int):
            return self.number
        return self.reference if self.number == SEVERAL else None


class LedgerTotal(_Entry):
    """What the books say the customers are worth together.

    Attributes
    ----------
    value
        Value column of the schema.
    total
        Its total by the ledger, in whole currency.
    tolerance
        Share of the total by which the table may differ.
    """

    value: str
    total: Annotated[Finite, Field(gt=0)]
    tolerance: Annotated[Finite, Field(ge=0, le=1)] = 0.03


class Checklist(_Entry):
    """When each step of the project was done: a date or a few words, empty where it was not."""

    prepared: str = ""
    analysed: str = ""
    decided: str = ""
    implemented: str = ""
    reviewed: str = ""


class Fitting(_Entry):
    """How the segments are fitted; the words are those of ``softseg segment``."""

    method: Literal["auto", "laplace", "gibbs", "nuts"] = "auto"
    draws: Annotated[int, Field(ge=1)] = 1000
    tune: Annotated[int, Field(ge=0)] = 200
    chains: Annotated[int, Field(ge=1)] = 4
    starts: Annotated[int, Field(ge=1)] = 10
    allow_few_rows: bool = False


class Simulating(_Entry):
    """How many draws the money has: replicates, and draws of each, a power of two."""

    replicates: Annotated[int, Field(ge=1)] = 16
    draws: Annotated[int, Field(ge=1)] = 4096


class Migrating(_Entry):
    """What a study with a panel says of customers who come in.

    Attributes
    ----------
    inflow
        New customers of a year by segment, given by name or number. Without any, the cohort is
        closed: the customers of today and nobody else.
    """

    inflow: dict[str, Inflow] = {}


class Study(_Entry):
    """One study.

    Attributes
    ----------
    title
        What is studied.
    language
        Of report and messages.
    table, schema_file, assumptions
        Files, seen from the study file: customers, what their columns are, and the company's
        assumptions (TOML or workbook). ``schema_file`` is called ``schema`` in the file.
    seed
        Fixes every draw.
    smallest_cell
        Groups of fewer expected customers are not shown.
    plug_in
        Whether the segments' values are taken as known. This is for comparison only.
    segments, ledger, programme, checklist, fit, simulate, migration
        See there. The table is a panel where the schema has an entry on migration.
    """

    title: str = ""
    language: Language = "en"
    table: str
    schema_file: str = Field(alias="schema")
    assumptions: str
    seed: Annotated[int, Field(ge=0)] = 1
    smallest_cell: Annotated[int, Field(ge=1)] = 10
    plug_in: bool = False
    segments: Segments
    ledger: LedgerTotal
    programme: Programme
    checklist: Checklist = Checklist()
    fit: Fitting = Fitting()
    simulate: Simulating = Simulating()
    migration: Migrating = Migrating()
    _folder: Path = PrivateAttr(default=Path())
    _file: Path | None = PrivateAttr(default=None)

    @classmethod
    def from_toml(cls, path: Path | str, language: str | None = None) -> Self:
        """Return the study of a TOML file.

        Parameters
        ----------
        path
            The file; the paths in it are seen from its folder.
        language
            Of the messages; the file's own if None.

        Raises
        ------
        FileError
            Where the file cannot be read.
        SchemaError
            Where something is wrong in it, in the schema, in the assumptions or between them:
            one sentence for each fault, with its line.
        """
        from softseg.study.read import read_study

        return read_study(cls, Path(path), language)

    def run(
        self,
        folder: Path | str,
        *,
        cores: int | None = None,
        progress: "Progress | None" = None,
        only: StageName | None = None,
        until: StageName | None = None,
    ) -> "StudyResult":
        """Do the study and write the run folder; stages that nothing has changed are left out.

        Parameters
        ----------
        folder
            Where to write; a study that stands there is continued.
        cores
            Threads; they change no number.
        progress
            Is told how far it is.
        only, until
            Do only this stage, or stop after it.

        Raises
        ------
        FolderLocked
            Where another process writes to the folder.
        UsageError
            Where the folder belongs to something else, or a stage before `only` has to be done.
        DataError
            Where table and ledger differ by more than the tolerance.
        NotConverged
            Where no number of segments can be chosen.
        """
        from softseg.study.run import run_study

        return run_study(
            self, Path(folder), cores=cores, progress=progress, only=only, until=until
        )  # fmt: skip

    def at(self, file: Path) -> Self:
        """Return the study with its paths seen from the folder of a file."""
        found = self.model_copy()
        found._file, found._folder = file, file.parent
        return found

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that the study reads."""
        own = () if self._file is None else (self._file,)
        return (*own, self.table_path, self.schema_path, self.assumptions_path)

    @property
    def table_path(self) -> Path:
        """Where the customer table is."""
        return self._folder / self.table

    @property
    def schema_path(self) -> Path:
        """Where the schema is."""
        return self._folder / self.schema_file

    @property
    def assumptions_path(self) -> Path:
        """Where the company's assumptions are."""
        return self._folder / self.assumptions

    def renamed(self, names: tuple[str, ...]) -> Self:
        """Return the study with other names of the segments, the programme following them.

        Raises
        ------
        UsageError
            Where they are not as many as the segments, or not different.
        """
        from softseg.study.names import renamed

        return renamed(self, names)

    def data(self) -> dict[str, Any]:
        """Return the study as it would stand in a file."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
