"""`softseg score` and `softseg report`: what is done with a finished run folder."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from softseg.cli.console import err, guarded, out
from softseg.cli.options import FolderArgument, LanguageOption, TableArgument, split_names
from softseg.errors import NotConverged, UsageError
from softseg.wording import number, say


@guarded
def score(
    folder: FolderArgument,
    table: TableArgument,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Parquet or CSV file to write.")
    ] = None,
    unseen: Annotated[
        Literal["error", "missing"],
        typer.Option(help="What a category is that the fitted table did not have."),
    ] = "error",
    language: LanguageOption = None,
) -> None:
    """Give the customers of another table their memberships."""
    from softseg.runs.folder import open_run
    from softseg.runs.migrate import is_migration
    from softseg.runs.rewrite import score_file

    run = open_run(folder, language or "en")
    spoken = language or run.manifest.options.language
    if is_migration(run):
        raise UsageError(say("migrate.score", spoken))
    scored = score_file(run, table, out_file, unseen=unseen, language=spoken)
    counts = scored.verdicts
    out(
        say(
            "score.done",
            spoken,
            customers=number(sum(counts.values()), spoken),
            clear=number(counts["clear"], spoken),
            ambiguous=number(counts["ambiguous"], spoken),
            none=number(counts["fits none"], spoken),
        )
    )
    for column, count in scored.unseen.items():
        err(say("score.unseen", spoken, column=column, count=number(count, spoken)))
    out(say("score.written", spoken, path=str(scored.path)))
    _leave_if_failed(run.manifest.gate, spoken)


@guarded
def report(
    folder: FolderArgument,
    names: Annotated[
        str | None, typer.Option(help='Names of the segments by number: "A,B,C".')
    ] = None,
    language: LanguageOption = None,
) -> None:
    """Write the report again: in another language, or with names for the segments."""
    from softseg.runs.folder import REPORT, open_run
    from softseg.runs.migrate import is_migration, migrate_again
    from softseg.runs.rewrite import write_again

    run = open_run(folder, language or "en")
    again = migrate_again if is_migration(run) else write_again
    run = again(run, language=language, names=split_names(names))
    spoken = run.manifest.options.language
    out(say("cli.report", spoken, path=str(run.folder / REPORT)))
    _leave_if_failed(run.manifest.gate, spoken)


def _leave_if_failed(gate: str, language: str) -> None:
    if gate != "good":
        err(say("score.failed", language))
        raise typer.Exit(NotConverged.exit_code)
