"""`softseg init` and `softseg check`: from a file nobody prepared to a table that can be fitted."""

from pathlib import Path
from typing import Annotated

import typer

from softseg.cli.console import err, fail, guarded, out
from softseg.cli.console import table as print_table
from softseg.cli.options import LanguageOption, SchemaOption, TableArgument, schema_for
from softseg.errors import DataError, UsageError
from softseg.wording import number, say


@guarded
def init(
    table: TableArgument,
    basis: Annotated[
        str | None,
        typer.Option(
            help="Take only columns of one basis: value, behavioural, needs or technographic."
        ),
    ] = None,
    out_file: Annotated[Path, typer.Option("--out", help="Schema file to write.")] = Path(
        "schema.toml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    language: LanguageOption = None,
) -> None:
    """Look at a table and write a commented schema for it."""
    from softseg.results.files import replace_file
    from softseg.tables.propose import propose_file

    spoken = language or "en"
    if out_file.exists() and not force:
        raise UsageError(say("init.exists", spoken, name=out_file.name))
    proposal, frame = propose_file(table, spoken, _basis(basis, spoken))
    replace_file(out_file, proposal.to_toml().encode(), spoken)
    out(say("init.head", spoken, table=table.name, columns=number(frame.shape[1], spoken)))
    heads = [say(f"init.{key}", spoken) for key in ("column", "role", "why")]
    rows = [
        (name, entry.family, proposal.reasons.get(name, ""))
        for name, entry in proposal.schema.indicators.items()
    ]
    aside = say("init.aside", spoken)
    rows += [
        (name, _role(name, proposal.schema, aside), why) for name, why in proposal.aside.items()
    ]
    print_table(heads, rows)
    for hint in proposal.hints:
        out(f"- {hint}")
    out(say("init.next", spoken, schema=str(out_file), table=str(table)))


@guarded
def check(
    table: TableArgument, schema: SchemaOption = None, language: LanguageOption = None
) -> None:
    """Name every fault of a table at once, with its remedy."""
    from softseg.tables.check import check as find_faults
    from softseg.tables.panel.prepare import prepare_panel
    from softseg.tables.prepare import prepare
    from softseg.tables.read import read_table

    used = schema_for(table, schema, language)
    spoken = used.language
    frame = read_table(table, used.reading)
    faults = find_faults(frame, used)
    for fault in faults:
        show = err if fault.severity == "error" else out
        show(f"{say(f'check.{fault.severity}', spoken)}: {fault.text(spoken)}")
    errors = sum(fault.severity == "error" for fault in faults)
    if errors:
        fail(say("check.bad", spoken, count=number(errors, spoken)), DataError.exit_code)
    import warnings

    with warnings.catch_warnings():
        # They stand above already.
        warnings.simplefilter("ignore")
        if used.migration is not None:
            for line in prepare_panel(frame, used).notes.lines(spoken):
                out(line)
            return
        prepared = prepare(frame, used)
    indicators = prepared.schema.indicators
    out(
        say(
            "check.good",
            spoken,
            customers=number(float(prepared.count.sum()), spoken),
            indicators=number(len(indicators), spoken),
        )
    )
    families = (f"{name} ({entry.family})" for name, entry in indicators.items())
    out(say("check.indicators", spoken, names=", ".join(families)))


def _basis(text: str | None, language: str) -> str | None:
    """Return the basis whose name begins as the text does."""
    if text is None:
        return None
    from softseg.tables.bases import BASES

    found = [basis for basis in BASES if text and basis.startswith(text.casefold())]
    if len(found) != 1:
        raise UsageError(say("init.basis", language, known=", ".join(BASES), given=text))
    return found[0]


def _role(name: str, schema: object, aside: str) -> str:
    for role in ("id", "opt_out"):
        if getattr(schema, role) == name:
            return role
    return "value" if name in getattr(schema, "value", {}) else aside
