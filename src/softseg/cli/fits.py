"""`softseg choose`, `segment`, `rerun` and `demo`: the commands that fit."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from softseg.cli.console import INTERRUPTED, err, fail, guarded, out, progress_of
from softseg.cli.console import table as print_table
from softseg.cli.options import (
    ChainsOption,
    CoresOption,
    LanguageOption,
    MethodOption,
    SchemaOption,
    SeedOption,
    StartsOption,
    TableArgument,
    folder_for,
    how_many,
    schema_for,
    split_names,
)
from softseg.errors import DataError, NotConverged
from softseg.wording import number, percent, say

if TYPE_CHECKING:
    from softseg.runs.choice import StoredChoice
    from softseg.runs.segment import Outcome
    from softseg.tables.schema import Schema

DEMO_SEGMENTS = 4
DEMO_TABLE = "customers.csv"


@guarded
def choose(
    table: TableArgument,
    schema: SchemaOption = None,
    least: Annotated[int, typer.Option("--from", min=1, help="Smallest number to try.")] = 1,
    most: Annotated[
        int | None,
        typer.Option("--to", min=1, help="Greatest number to try; by default 10, in a panel 6."),
    ] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for choice.csv and the figure.")
    ] = None,
    method: MethodOption = "auto",
    starts: StartsOption = 10,
    chains: ChainsOption = 4,
    draws: Annotated[int, typer.Option(min=1, help="Draws kept per chain.")] = 500,
    tune: Annotated[int, typer.Option(min=0, help="Draws before them.")] = 200,
    seed: SeedOption = 1,
    cores: CoresOption = None,
    language: LanguageOption = None,
) -> None:
    """Fit several numbers of segments of a table or panel and recommend one in words."""
    from softseg.runs.choosing import choose_file, write_choice

    used = schema_for(table, schema, language)
    with progress_of(used.language) as progress:
        choice = choose_file(
            table, used, least, most, method=method, n_starts=starts, n_chains=chains,
            n_draws=draws, n_tune=tune, seed=seed, cores=cores, progress=progress,
            folder=out_folder,
        )  # fmt: skip
    _print_choice(choice, used.language)
    if out_folder is not None:
        write_choice(choice, out_folder, used.language)
        out(say("choose.written", used.language, folder=str(out_folder)))
    if choice.recommended is None:
        raise typer.Exit(NotConverged.exit_code)


@guarded
def segment(
    table: TableArgument,
    segments: Annotated[str, typer.Option(help="Number of segments, or auto: choose first.")],
    schema: SchemaOption = None,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write to; by default TABLE-segments."),
    ] = None,
    method: MethodOption = "auto",
    draws: Annotated[int, typer.Option(min=1, help="Draws kept per chain.")] = 1000,
    tune: Annotated[int, typer.Option(min=0, help="Draws before them.")] = 200,
    chains: ChainsOption = 4,
    starts: StartsOption = 10,
    seed: SeedOption = 1,
    cores: CoresOption = None,
    names: Annotated[
        str | None, typer.Option(help='Names of the segments, largest first: "A,B,C".')
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Earlier run: find its segments again, keep their names.",
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Memberships as CSV too.")] = False,
    allow_few_rows: Annotated[
        bool,
        typer.Option("--allow-few-rows", help="Fit below 2 customers per free parameter too."),
    ] = False,
    language: LanguageOption = None,
) -> None:
    """Fit the segments of a table and write the run folder."""
    from softseg.runs.manifest import Options

    used = schema_for(table, schema, language)
    number_of_segments = how_many(segments, used.language)
    choice = None
    if number_of_segments is None:
        kept = folder_for(table, out_folder)
        choice = _choice_first(table, used, kept, method, starts, seed, cores)
        number_of_segments = choice.recommended or 1
    options = Options(
        segments=number_of_segments,
        method=method,
        draws=draws,
        tune=tune,
        chains=chains,
        starts=starts,
        seed=seed,
        names=split_names(names),
        csv=csv,
        allow_few_rows=allow_few_rows,
        language=used.language,
    )
    from softseg.runs.folder import open_run
    from softseg.runs.segment import segment as run

    inputs = () if schema is None else (schema,)
    earlier = None if previous is None else open_run(previous, used.language)
    with progress_of(used.language) as progress:
        outcome = run(
            table, used, options, folder_for(table, out_folder), cores=cores, progress=progress,
            choice=choice, previous=earlier, inputs=inputs,
        )  # fmt: skip
    _conclude(outcome)


@guarded
def rerun(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="manifest.json of a run folder.")
    ],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; by default FOLDER-rerun.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="The table, if it is not where it was.")
    ] = None,
    cores: CoresOption = None,
    language: LanguageOption = None,
) -> None:
    """Repeat a run from its manifest; exit code 3 if the draws differ."""
    from softseg.runs.folder import open_run
    from softseg.runs.repeat import rerun as repeat

    run = open_run(manifest, language or "en")
    spoken = language or run.manifest.options.language
    where = run.folder.resolve()
    target = out_folder or where.with_name(f"{where.name}-rerun")
    with progress_of(spoken) as progress:
        outcome, difference = repeat(run, target, table=table, cores=cores, progress=progress)
    for line in difference.text(spoken):
        out(line)
    out(say("rerun.folder", spoken, folder=str(target)))
    if not difference.same:
        raise typer.Exit(DataError.exit_code)
    if not outcome.passed:
        raise typer.Exit(NotConverged.exit_code)


@guarded
def demo(
    out_folder: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path(
        "softseg-demo"
    ),
    seed: SeedOption = 1,
    cores: CoresOption = None,
    language: LanguageOption = None,
) -> None:
    """Go the whole way on 1,200 synthetic customers of a supplier."""
    from softseg.runs.demo import write_example
    from softseg.runs.manifest import Options
    from softseg.runs.segment import segment as run

    spoken = language or "en"
    with progress_of(spoken) as progress:
        progress("example", 0.0)
        table, schema = write_example(out_folder / DEMO_TABLE, spoken)
        options = Options(segments=DEMO_SEGMENTS, seed=seed, language=spoken)
        outcome = run(table, schema, options, out_folder, cores=cores, progress=progress)
    _conclude(outcome)


def _choice_first(
    table: Path,
    schema: "Schema",
    folder: Path,
    method: str,
    starts: int,
    seed: int,
    cores: int | None,
) -> "StoredChoice":
    from softseg.runs.choosing import choose_file

    with progress_of(schema.language) as progress:
        choice = choose_file(
            table, schema, 1, 10, method=method, n_starts=starts, seed=seed, cores=cores,
            progress=progress, folder=folder,
        )  # fmt: skip
    _print_choice(choice, schema.language)
    if choice.recommended is None:
        raise typer.Exit(NotConverged.exit_code)
    return choice


def _print_choice(choice: "StoredChoice", language: str) -> None:
    table = choice.table
    shown = [_choice_row(row, language) for row in table.to_dict("records")]
    # A panel has neither ICL nor occupied segments.
    keys = [key for key in shown[0] if key not in ("icl", "p_occupied") or key in table]
    heads = [say(f"choose.head.{key}", language) for key in keys]
    print_table(heads, [[row[key] for key in keys] for row in shown], numbers=True)
    for line in choice.text(language):
        out(line)


def _choice_row(row: Mapping[Any, Any], language: str) -> dict[str, str]:
    evidence = [number(row[name], language, 2) for name in ("log_evidence", "log_evidence_se")]
    return {
        "k": number(row["n_segments"], language),
        "loo": " ± ".join(_whole(row[name], language) for name in ("elpd_loo", "elpd_loo_se")),
        "evidence": " ± ".join(evidence),
        "p_k": percent(row["p_k"], language, 0),
        "p_occupied": percent(row.get("p_occupied", math.nan), language, 0),
        "bic": _whole(row["bic"], language),
        "icl": _whole(row.get("icl", math.nan), language),
        "entropy": number(row["entropy_r2"], language, 2),
        "hits": percent(row["hit_rate"], language, 0),
        "smallest": _whole(row["smallest_segment"], language),
        "fit": say(f"choose.status.{row['fit_status']}", language),
        "gate": say(f"choose.status.{row['gate_status']}", language),
    }


def _whole(x: float, language: str) -> str:
    return number(round(x) if math.isfinite(x) else x, language)


def _conclude(outcome: "Outcome") -> None:
    """Print the findings and the report's path; leave with 6 where the gate failed.

    After an interrupt leave with 130.
    """
    from softseg.report.text import findings
    from softseg.runs.folder import REPORT

    language = outcome.run.manifest.options.language
    for line in findings(outcome.tree, language):
        (out if outcome.passed else err)(line)
    for line in outcome.continuity.text(language) if outcome.continuity else ():
        out(line)
    for warning in outcome.diagnosis.warnings(language):
        err(f"! {warning}")
    out(say("cli.report", language, path=str(outcome.run.folder / REPORT)))
    if outcome.partial:
        fail(say("cli.partial", language), INTERRUPTED)
    if not outcome.passed:
        raise typer.Exit(NotConverged.exit_code)
