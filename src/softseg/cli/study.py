"""`softseg run`: one study, from the customer table to what a segment programme is worth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from softseg.cli.console import INTERRUPTED, err, fail, guarded, out
from softseg.cli.options import CoresOption, split_names
from softseg.errors import NotConverged, UsageError
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.study.file import Study
    from softseg.study.result import StudyResult

EXAMPLE: Final = Path("softseg-study")
EXAMPLE_PANEL: Final = Path("softseg-study-panel")
INPUTS: Final = "input"
"""Folder of the example's files inside the run folder."""

Stage = Literal["segments", "value", "money", "report"]


@guarded
def run(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Study file: study.toml.")
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Do the bundled example instead of a file.")
    ] = False,
    panel: Annotated[
        bool, typer.Option("--panel", help="With --example: the one with customers over 36 months.")
    ] = False,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; by default FILE-study.")
    ] = None,
    only: Annotated[
        Stage | None, typer.Option(help="Do this stage alone; those before it must be done.")
    ] = None,
    until: Annotated[Stage | None, typer.Option(help="Stop after this stage.")] = None,
    names: Annotated[
        str | None, typer.Option(help='Other names of the segments, largest first: "A,B,C".')
    ] = None,
    cores: CoresOption = None,
    language: Annotated[
        Literal["en", "de"] | None,
        typer.Option(help="Language of messages and results; by default the study's."),
    ] = None,
) -> None:
    """Do a study: segments, their value, what a programme per segment is worth, report.

    Stages that nothing has changed since the last time are left out.
    """
    from softseg.progress import Reporter

    bundled = EXAMPLE_PANEL if panel else EXAMPLE
    target = out_folder or (bundled if file is None else Path(f"{file.stem}-study"))
    study = _study(file, example, panel, target, language)
    if language:
        study = study.model_copy(update={"language": language})
    if names:
        study = study.renamed(split_names(names))
    try:
        with Reporter(study.language) as progress:
            result = study.run(target, cores=cores, progress=progress, only=only, until=until)
    except KeyboardInterrupt:
        fail(say("study_run.interrupted", study.language), INTERRUPTED)
    else:
        _conclude(result)


def _study(
    file: Path | None, example: bool, panel: bool, target: Path, language: str | None
) -> "Study":
    """Return the study of a file or of the example, as the command was asked."""
    from softseg.study.file import Study

    spoken = language or "en"
    if file is not None and example:
        raise UsageError(say("study_run.file_and_example", spoken, name=file.name))
    if panel and not example:
        raise UsageError(say("study_run.panel_alone", spoken))
    if example:
        from softseg.study.demo import write_example_panel_study, write_example_study

        write = write_example_panel_study if panel else write_example_study
        file = write(target / INPUTS, spoken)
    if file is None:
        raise UsageError(say("study_run.usage", spoken))
    return Study.from_toml(file, language)


def _conclude(result: "StudyResult") -> None:
    """Print what was found and where it stands; leave with 6 where the gate failed."""
    from softseg.cli.study_found import summary

    show = out if result.passed else err
    for line in summary(result):
        show(line)
    if not result.passed:
        raise typer.Exit(NotConverged.exit_code)
