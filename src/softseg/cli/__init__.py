"""The command line: ``softseg init | check | choose | segment | score | report | rerun | demo``.

``softseg panel`` makes panels of orders; ``softseg migrate | project | warn`` follow customers over
time; ``softseg roi`` is a group with commands of its own.

Exit codes: 0 good, 1 unexpected, 2 usage, 3 data, 4 file or disk, 5 folder locked, 6 gate failed
(the folder is written all the same), 130 interrupted.
"""

from typing import Annotated

import typer

from softseg.cli import fits, folders, migration, panel, roi, study, tables

HELP = """Soft segments of B2B customers, with the uncertainty of everything they say.

softseg demo shows the whole way; for a table of your own: init, check, choose, segment.
"""
EPILOG = (
    "Exit codes: 0 good, 2 usage, 3 data, 4 file or disk, 5 folder locked, 6 gate failed "
    "(the folder is written all the same), 130 interrupted. SOFTSEG_DEBUG=1 shows where an "
    "unexpected error came from."
)

app = typer.Typer(
    name="softseg",
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    tables.init,
    tables.check,
    panel.panel,
    fits.choose,
    fits.segment,
    folders.score,
    folders.report,
    fits.rerun,
    fits.demo,
    study.run,
    migration.migrate,
    migration.project,
    migration.warn,
):
    app.command()(_command)
app.add_typer(roi.app)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("softseg"))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app()
