"""`softseg roi`: the return of a programme from a file of assumptions, sign-off, comparison.

`softseg roi FILE` calculates; `softseg roi check FILE` and the like are commands below it. A file
that is called like a command is given as ``./check``.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from softseg.cli.console import err, guarded, out
from softseg.cli.console import table as print_table
from softseg.cli.options import CoresOption, SeedOption
from softseg.errors import DataError, UsageError
from softseg.wording import number, percent, say

if TYPE_CHECKING:
    import xarray as xr

    from softseg.decisions.inputs.schema import Assumptions

DEFAULT: Final = "run"
EXAMPLE: Final = Path("roi-example")
HELP = """What a programme brings: net present value and ROI as bands, from a file of assumptions.

softseg roi --example shows the whole way; for numbers of your own: template, check, then
softseg roi FILE.
"""


class DefaultGroup(TyperGroup):
    """A group of commands that takes anything else for the arguments of its default command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command before arguments that name none; help is the group's own."""
        if not args or args[0] not in self.commands:
            self._refuse_unknown(ctx, args)
            asked = set(args) & set(ctx.help_option_names)
            args = [min(asked)] if asked else [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def _refuse_unknown(self, ctx: Any, args: list[str]) -> None:
        """Refuse a word with something behind it that is neither a command nor a file."""
        words = [arg for arg in args if not arg.startswith("-")]
        if not words or args[0] != words[0] or "." in args[0] or Path(args[0]).exists():
            return
        if len(words) > 1 and args[1] == words[1]:
            known = [name for name in self.commands if name != DEFAULT]
            close = get_close_matches(args[0], known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Commands are {', '.join(known)}."
            ctx.fail(f"There is no command {args[0]!r}. {hint}")

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Show both ways to call it."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] FILE")
        formatter.write_usage(ctx.command_path, self.subcommand_metavar, " " * len("Usage: "))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the default command's options, then the other commands."""
        self.commands[DEFAULT].format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


class DefaultCommand(TyperCommand):
    """The command that is meant where none is named, called like its group."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Return a context in the place of the group's, so that messages name the group."""
        return super().make_context(parent.info_name, args, parent=parent.parent, **extra)


app = typer.Typer(
    name="roi",
    cls=DefaultGroup,
    help=HELP,
    short_help="What a programme brings, as bands: NPV, ROI, break-even.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Assumptions: a TOML file or a workbook (.xlsx).")
]
RunArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Folder that `softseg roi` has written.")
]
LanguageOption = Annotated[
    Literal["en", "de"] | None,
    typer.Option(help="Language of messages and results; by default the file's."),
]


@app.command(DEFAULT, hidden=True, cls=DefaultCommand)
@guarded
def run(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Assumptions: a TOML file or a workbook (.xlsx)."),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Calculate the bundled example instead of a file.")
    ] = False,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; by default FILE-roi.")
    ] = None,
    draws: Annotated[
        int, typer.Option(min=1, help="Draws of each replicate, a power of two.")
    ] = 4096,
    replicates: Annotated[
        int, typer.Option(min=1, help="Repetitions; their spread is the Monte Carlo error.")
    ] = 16,
    seed: SeedOption = 1,
    cores: CoresOption = None,
    language: LanguageOption = None,
) -> None:
    """Calculate and write the folder: report, workbook, tables, draws."""
    from softseg.progress import Reporter
    from softseg.runs.roi import run_roi
    from softseg.runs.roi_manifest import RoiOptions

    _refuse_draws(draws, language or "en")
    assumptions = _assumptions(file, example, language)
    spoken = language or assumptions.language
    options = RoiOptions(replicates=replicates, draws=draws, seed=seed, language=spoken)
    target = out_folder or (EXAMPLE if file is None else Path(f"{file.stem}-roi"))
    with Reporter(spoken) as progress:
        outcome = run_roi(
            assumptions, target, options, cores=cores, progress=progress,
            inputs=() if file is None else (file,),
        )  # fmt: skip
    _conclude(outcome)


@app.command()
@guarded
def template(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="What to write: .xlsx, or .toml to edit as text.")
    ],
    example: Annotated[
        bool, typer.Option("--example", help="Filled in with the example; TOML always is.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    language: Annotated[
        Literal["en", "de"] | None, typer.Option(help="Language of the file; English by default.")
    ] = None,
) -> None:
    """Write a file of assumptions to fill in."""
    from importlib.resources import files

    from softseg.results.files import replace_file

    spoken = language or "en"
    if path.suffix.lower() not in (".xlsx", ".toml"):
        raise UsageError(say("roi.template.suffix", spoken, name=path.name))
    if path.exists() and not force:
        raise UsageError(say("roi.template.exists", spoken, name=path.name))
    if path.suffix.lower() == ".xlsx":
        from softseg.decisions.inputs.template import write_template, write_workbook

        if example:
            write_workbook(_assumptions(None, True, spoken), path)
        else:
            write_template(path, spoken)
    else:
        name = f"example_{spoken}.toml"
        replace_file(path, (files("softseg.decisions") / "example" / name).read_bytes(), spoken)
    out(say("roi.template.next", spoken, name=str(path)))


@app.command()
@guarded
def check(file: FileArgument, language: LanguageOption = None) -> None:
    """Name every fault of a file of assumptions, with line or cell."""
    from softseg.decisions.inputs.read import read_assumptions
    from softseg.decisions.model.sampling import draw

    assumptions = read_assumptions(file, language)
    spoken = language or assumptions.language
    drawn = draw(assumptions, 1, 2)
    values = {
        "inputs": number(len(assumptions.inputs), spoken),
        "uncertain": number(len(drawn.uncertain), spoken),
        "years": number(assumptions.horizon, spoken),
    }
    out(say("roi.check.good", spoken, currency=assumptions.currency, **values))
    for a, b, asked, got in drawn.changes:
        shown = {"asked": number(asked, spoken, 2), "got": number(got, spoken, 2)}
        err(say("roi.check.repaired", spoken, a=a, b=b, **shown))
    bare = [name for name, e in assumptions.inputs.items() if not (e.source or e.note)]
    if bare:
        out(say("roi.check.unsourced", spoken, names=", ".join(bare)))
    out(say("roi.check.next", spoken, name=str(file)))


@app.command()
@guarded
def rerun(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="manifest.json of a folder.")
    ],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; by default FOLDER-rerun.")
    ] = None,
    cores: CoresOption = None,
    language: LanguageOption = None,
) -> None:
    """Calculate again from a manifest; 3 if draws differ."""
    from softseg.progress import Reporter
    from softseg.runs.roi import open_roi_run
    from softseg.runs.roi_repeat import rerun_roi

    done = open_roi_run(manifest, language or "en")
    spoken = language or done.manifest.options.language
    where = done.folder.resolve()
    target = out_folder or where.with_name(f"{where.name}-rerun")
    with Reporter(spoken) as progress:
        _, difference = rerun_roi(done, target, cores=cores, progress=progress, language=spoken)
    for line in difference.text(spoken):
        out(line)
    out(say("rerun.folder", spoken, folder=str(target)))
    if not difference.same:
        raise typer.Exit(DataError.exit_code)


@app.command()
@guarded
def freeze(
    folder: RunArgument,
    approver: Annotated[str, typer.Option(metavar="NAME", help="Who signs.")],
    note: Annotated[str, typer.Option(help="What they have to say.")] = "",
    again: Annotated[
        bool, typer.Option("--again", help="Replace a sign-off that is there.")
    ] = False,
    language: LanguageOption = None,
) -> None:
    """Sign off a folder under one content hash."""
    import datetime

    from softseg.decisions.signoff import day
    from softseg.decisions.signoff import freeze as sign
    from softseg.report.roi import numbers
    from softseg.runs.lock import locked
    from softseg.runs.roi import open_roi_run

    done = open_roi_run(folder, language or "en")
    spoken = language or done.manifest.options.language
    with locked(done.folder, spoken):
        signed = sign(
            done.folder, approver, note, datetime.date.today(), again=again, language=spoken
        )
    count = number(len(signed.content.files), spoken)
    values = {"date": day(signed.date, spoken), "count": count, "hash": signed.content_hash}
    out(say("roi.freeze.done", spoken, approver=signed.approver, **values))
    found = {name: float("nan") if x is None else x for name, x in signed.headline.items()}
    currency = done.manifest.assumptions["currency"]
    shown = {
        "npv": numbers.money(found["mean_npv"], currency, spoken),
        "pays": percent(found["p_npv_positive"], spoken),
        "roi": numbers.ratio(found["median_roi"], spoken),
    }
    out(say("roi.freeze.numbers", spoken, **shown))
    out(say("roi.freeze.next", spoken, folder=str(folder)))


@app.command()
@guarded
def verify(folder: RunArgument, language: LanguageOption = None) -> None:
    """Say whether anything changed since sign-off; 3 if so."""
    from softseg.decisions.signoff import verify as examine

    spoken = language or _language_of(folder)
    verdict = examine(folder, spoken)
    (out if verdict.holds else err)(verdict.text(spoken))
    if not verdict.holds:
        raise typer.Exit(DataError.exit_code)


@app.command()
@guarded
def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="Folder of the first calculation.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Folder of the second calculation.")],
    out_file: Annotated[
        Path | None, typer.Option("--out", help="CSV file to write the steps to.")
    ] = None,
    cores: CoresOption = None,
    language: LanguageOption = None,
) -> None:
    """Explain what changed between two folders, step by step."""
    from softseg.decisions.difference import explain
    from softseg.runs.roi import open_roi_run

    first, second = (open_roi_run(folder, language or "en") for folder in (a, b))
    spoken = language or second.manifest.options.language
    found = explain(first.tree(spoken), second.tree(spoken), spoken, cores)
    _print_difference(found, spoken)
    if out_file is not None:
        from softseg.results.exports import write_csv

        names = ["kind", "name", "label", "before", "after", "change", "change_error", "value"]
        write_csv(out_file, found[names].to_dataframe(), spoken)
        out(say("roi.diff.written", spoken, path=str(out_file)))


def _assumptions(file: Path | None, example: bool, language: str | None) -> "Assumptions":
    """Return the assumptions of a file or of the example, as the command was asked."""
    if file is None and not example:
        raise UsageError(say("roi.usage", language or "en"))
    if file is not None and example:
        raise UsageError(say("roi.both", language or "en", name=file.name))
    if file is None:
        from softseg.decisions.model.simulate import RoiModel

        return RoiModel.example(language or "en").assumptions
    from softseg.decisions.inputs.read import read_assumptions

    return read_assumptions(file, language)


def _refuse_draws(draws: int, language: str) -> None:
    if draws & (draws - 1):
        near = 1 << (draws.bit_length() - 1)
        raise UsageError(say("roi.power", language, near=f"{near} / {2 * near}", given=draws))


def _language_of(folder: Path) -> str:
    """Return the language of a folder's report, English where nothing says."""
    from softseg.errors import FileError
    from softseg.runs.roi_manifest import read_roi_manifest

    try:
        return read_roi_manifest(folder).options.language
    except FileError:
        return "en"


def _conclude(outcome: Any) -> None:
    """Print what was found and the report's path."""
    from softseg.cli.roi_found import findings
    from softseg.runs.folder import REPORT

    language = outcome.run.manifest.options.language
    for line in findings(outcome.simulation, outcome.answers, language):
        out(line)
    out(say("cli.report", language, path=str(outcome.run.folder / REPORT)))


def _print_difference(found: "xr.Dataset", language: str) -> None:
    """Print the steps in whole currency, so that a reader can add them up."""

    def start_or_end(which: str, name: str) -> list[str]:
        return [say(f"roi.diff.{which}", language), "", "", "", _whole(found[name], language)]

    rows = [start_or_end("start", "mean_npv_before")]
    for step in range(found.sizes["step"]):
        one = found.isel(step=step)
        texts = [str(one[name].item()) for name in ("label", "before", "after")]
        gain = _whole(one["change"], language)
        gain = gain if float(one["change"]) <= 0 else f"+{gain}"
        error = _whole(one["change_error"], language)
        rows.append([*texts, f"{gain} ± {error}", _whole(one["value"], language)])
    rows.append(start_or_end("end", "mean_npv_after"))
    heads = ("step", "before", "after", "change", "value")
    currency = found.attrs["currency"]
    texts = [say(f"roi.diff.head.{head}", language, currency=currency) for head in heads]
    print_table(texts, _to_the_right(rows))
    same = found.sizes["step"] == 0
    out(say("roi.diff.same", language) if same else found.attrs["order"])
    if not same:
        out(say("roi.diff.error", language))
    if found.attrs["silent"]:
        out(say("roi.diff.silent", language, names=found.attrs["silent"]))


def _whole(x: Any, language: str) -> str:
    """Return an amount in whole currency, a dash where there is none."""
    x = float(x)
    return number(round(x) if x == x else x, language).replace("-", "−")


def _to_the_right(rows: list[list[str]]) -> list[list[str]]:
    """Return rows whose last two columns, amounts, end below each other."""
    for column in (-2, -1):
        width = max(len(row[column]) for row in rows)
        for row in rows:
            row[column] = row[column].rjust(width)
    return rows
