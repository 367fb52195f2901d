"""Arguments and options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from softseg.cli.console import err
from softseg.errors import UsageError
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.tables.schema import Schema

TableArgument = Annotated[
    Path, typer.Argument(metavar="TABLE", help="CSV, Parquet or Excel file, one row per customer.")
]
FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Folder that `softseg segment` has written.")
]
SchemaOption = Annotated[
    Path | None,
    typer.Option(help="Schema file; without it one is proposed, as `softseg init` does."),
]
LanguageOption = Annotated[
    Literal["en", "de"] | None,
    typer.Option(help="Language of messages and report; by default the schema's."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Fixes every draw.")]
CoresOption = Annotated[
    int | None, typer.Option(min=1, help="Threads; all by default. They change no number.")
]
ChainsOption = Annotated[int, typer.Option(min=1, help="Number of chains.")]
StartsOption = Annotated[int, typer.Option(min=1, help="Starts of the search for the best mode.")]
MethodOption = Annotated[
    Literal["auto", "laplace", "gibbs", "nuts"],
    typer.Option(help="How the posterior is drawn from."),
]


def schema_for(table: Path, path: Path | None, language: str | None) -> "Schema":
    """Return the schema of a file, or a proposal for the table, in the language asked for."""
    from softseg.tables.schema import Schema

    if path is not None:
        schema = Schema.from_toml(path)
        return schema.model_copy(update={"language": language}) if language else schema
    from softseg.tables.propose import propose_file

    proposal, _ = propose_file(table, language or "en")
    err(say("cli.proposed", language or "en"))
    return proposal.schema


def how_many(text: str, language: str) -> int | None:
    """Return a number of segments, None for ``auto``."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(say("cli.segments", language, given=text))
    return int(text)


def split_names(text: str | None) -> tuple[str, ...]:
    """Return names that are given with commas between them."""
    return tuple(name.strip() for name in text.split(",")) if text else ()


def folder_for(table: Path, out: Path | None) -> Path:
    """Return the folder to write to: by default one here, named after the table."""
    return out or Path(f"{table.stem}-segments")
