"""`softseg migrate`, `project` and `warn`: customers who move between segments and leave."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from softseg.cli.console import err, guarded, out, progress_of
from softseg.cli.console import table as print_table
from softseg.cli.options import (
    ChainsOption,
    CoresOption,
    LanguageOption,
    MethodOption,
    SeedOption,
    StartsOption,
    split_names,
)
from softseg.errors import NotConverged, UsageError
from softseg.names import CHURNED
from softseg.wording import number, percent, say

if TYPE_CHECKING:
    import xarray as xr

    from softseg.runs.migrate import Migrated

PanelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="PANEL", help="CSV, Parquet or Excel file, one row per customer and period."
    ),
]
MigrationFolder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Folder that `softseg migrate` has written.")
]
SHOWN = 10
"""Customers of a warning that are shown; the file has them all."""
UNSEEN = ("silent", "inactivity")
"""Ways of leaving that the data do not show at once."""
STOPS = 4
"""Periods of a projection that are shown."""


@guarded
def migrate(
    panel: PanelArgument,
    schema: Annotated[Path, typer.Option(help="Schema file with an entry [migration].")],
    segments: Annotated[int, typer.Option(min=1, help="Number of segments, without churned.")],
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write to; by default PANEL-migration."),
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
    allow_few_rows: Annotated[
        bool,
        typer.Option("--allow-few-rows", help="Fit below 2 rows per free parameter too."),
    ] = False,
    language: LanguageOption = None,
) -> None:
    """Fit a panel: where customers go from period to period, and when they leave."""
    from softseg.runs.manifest import Options
    from softseg.runs.migrate import migrate as run
    from softseg.tables.schema import Schema

    used = Schema.from_toml(schema)
    spoken = language or used.language
    options = Options(
        segments=segments,
        method=method,
        draws=draws,
        tune=tune,
        chains=chains,
        starts=starts,
        seed=seed,
        names=split_names(names),
        allow_few_rows=allow_few_rows,
        language=spoken,
    )
    folder = out_folder or Path(f"{panel.stem}-migration")
    with progress_of(spoken) as progress:
        outcome = run(
            panel, used, options, folder, cores=cores, progress=progress, inputs=(schema,)
        )
    _conclude(outcome, spoken)


@guarded
def project(
    folder: MigrationFolder,
    horizon: Annotated[int, typer.Option(min=1, help="Periods ahead.")] = 12,
    value: Annotated[
        str | None, typer.Option(help="Value column: what customers bring per period.")
    ] = None,
    inflow: Annotated[
        bool, typer.Option("--inflow", help="New customers come as they came in the panel.")
    ] = False,
    out_file: Annotated[Path | None, typer.Option("--out", help="CSV file to write.")] = None,
    language: LanguageOption = None,
) -> None:
    """Look ahead: customers and money per state over the coming periods, with intervals."""
    from softseg.results.exports import write_csv
    from softseg.runs.folder import open_run
    from softseg.runs.migrate import model_of, projection_frame

    run = open_run(folder, language or "en")
    spoken = language or run.manifest.options.language
    found = model_of(run).projection(horizon, value=value, inflow=inflow)
    names = [str(name) for name in found["state"].values]
    target = out_file or run.folder / "projection.csv"
    write_csv(target, projection_frame(found, names), spoken)
    _print_projection(found, names, horizon, spoken, value)
    out(say(f"project.cohort.{found.attrs['cohort']}", spoken))
    out(say("migrate.written", spoken, path=str(target)))


@guarded
def warn(
    folder: MigrationFolder,
    panel: PanelArgument,
    horizon: Annotated[int, typer.Option(min=1, help="Periods ahead.")] = 3,
    of: Annotated[Literal["churn", "downgrade"], typer.Option(help="What to warn of.")] = "churn",
    order: Annotated[
        str | None,
        typer.Option(help='All segments, the lowest first, for downgrade: "C,B,A".'),
    ] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Customers on the list.")] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="CSV file to write.")] = None,
    language: LanguageOption = None,
) -> None:
    """List the customers most likely to leave or fall, from a panel with its newest periods."""
    from softseg.results.exports import write_csv
    from softseg.runs.folder import open_run
    from softseg.runs.migrate import model_of, warning_frame
    from softseg.tables.panel.prepare import prepare_new_panel
    from softseg.tables.read import read_table

    run = open_run(folder, language or "en")
    spoken = language or run.manifest.options.language
    if of == "downgrade" and order is None:
        raise UsageError(say("warn.order", spoken))
    model = model_of(run)
    laid_out = prepare_new_panel(read_table(panel, model.schema_.reading), model.schema_)
    found = model.warning(
        horizon, of=of, order=split_names(order) or None, most=most, panel=laid_out
    )
    target = out_file or run.folder / f"warning-{of}.csv"
    write_csv(target, warning_frame(found, laid_out.customers), spoken)
    heads = [say(f"warn.head.{name}", spoken) for name in ("row", "state", "probability")]
    first = found.isel(customer=slice(0, SHOWN))
    print_table(heads, [_warning_row(first, i, spoken) for i in range(first.sizes["customer"])])
    counts = {
        name: number(int(found.attrs[name]), spoken) for name in ("customers", "left", "horizon")
    }
    out(say(f"warn.done.{of}", spoken, **counts))
    if of == "churn" and str(model.posterior_.attrs["churn"]) in UNSEEN:
        out(say("warn.unseen", spoken))
    out(say("migrate.written", spoken, path=str(target)))


def _conclude(outcome: "Migrated", language: str) -> None:
    """Print what was found; leave with 6 where the gate failed."""
    from softseg.runs.folder import REPORT

    for line in outcome.notes:
        out(line)
    if not outcome.passed:
        err(outcome.diagnosis.text(language))
    else:
        _print_transitions(outcome.tree["transition"].to_dataset(), language)
        lifetime = outcome.tree.attrs["prior_lifetime"]
        if lifetime < float("inf"):
            out(say("migrate.prior", language, periods=number(lifetime, language, 0)))
        for name in json.loads(outcome.tree.attrs["never_left"]):
            err(f"! {say('migrate.never_left', language, segment=_state(name, language))}")
        if outcome.tree.attrs["churn"] in UNSEEN and "sensitivity" in outcome.tree.children:
            out(_sensitivity(outcome.tree["sensitivity"].to_dataset(), language))
    for warning in outcome.diagnosis.warnings(language):
        err(f"! {warning}")
    out(say("cli.report", language, path=str(outcome.run.folder / REPORT)))
    if not outcome.passed:
        raise typer.Exit(NotConverged.exit_code)


def _sensitivity(found: "xr.Dataset", language: str) -> str:
    """Return the line that says how far the number of churned customers rests on the prior."""
    known = found.where(found["mean"].notnull(), drop=True)
    used = known.where(known["factor"] == 1.0, drop=True).isel(belief=0)
    shown = {
        "mean": number(float(used["mean"]), language, 0),
        "lower": number(float(used["lower"]), language, 0),
        "upper": number(float(used["upper"]), language, 0),
        "least": number(float(known["mean"].min()), language, 0),
        "most": number(float(known["mean"].max()), language, 0),
        "from": number(float(known["factor"].min()), language, 2),
        "to": number(float(known["factor"].max()), language, 0),
    }
    return say("migrate.sensitivity", language, **shown)


def _print_transitions(found: "xr.Dataset", language: str) -> None:
    names = [str(name) for name in found["state"].values]
    said = [_state(name, language) for name in names]
    rows = [
        [label, *(_band(found, name, to, language) for to in names)]
        for name, label in zip(names, said, strict=True)
        if name != CHURNED
    ]
    print_table([say("migrate.from_to", language), *said], rows)
    out(say("migrate.reading", language))


def _print_projection(
    found: "xr.Dataset", names: list[str], horizon: int, language: str, value: str | None
) -> None:
    stops = sorted({round(horizon * i / STOPS) for i in range(STOPS + 1)})
    head = say("project.head", language)
    rows, money = [], []
    for h in stops:
        at, ahead = found.sel(horizon=h), number(int(h), language)
        cells = [_spread(at.sel(state=name), "customers", language) for name in names]
        rows.append([ahead, *cells])
        if value is not None:
            money.append([ahead, _spread(at, "money_total", language)])
    print_table([head, *(_state(name, language) for name in names)], rows, numbers=True)
    if value is not None:
        unit = found.attrs["unit"]
        named = f"{value} ({unit})" if unit else value
        print_table([head, say("project.money", language, value=named)], money, numbers=True)


def _spread(found: "xr.Dataset", what: str, language: str) -> str:
    figures = [number(float(found[f"{what}_{e}"]), language, 0) for e in ("mean", "lower", "upper")]
    return "{} ({}–{})".format(*figures)


def _warning_row(found: "xr.Dataset", i: int, language: str) -> list[str]:
    one = found.isel(customer=i)
    figures = [percent(float(one[e]), language, 1) for e in ("mean", "lower", "upper")]
    return [
        number(int(one["row"]), language),
        _state(str(one["state"].values), language),
        "{} ({}–{})".format(*figures),
    ]


def _band(found: "xr.Dataset", name: str, to: str, language: str) -> str:
    one = found.sel(state=name, state_to=to)
    figures = [percent(float(one[e]), language, 1) for e in ("mean", "lower", "upper")]
    return "{} ({}–{})".format(*figures)


def _state(name: str, language: str) -> str:
    return say("migrate.churned", language) if name == CHURNED else name
