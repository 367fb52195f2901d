"""`softseg panel`: from a table of orders to a panel and the schema for it."""

import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from softseg.cli.console import err, guarded, out
from softseg.cli.options import LanguageOption
from softseg.errors import UsageError
from softseg.wording import say

OrdersArgument = Annotated[
    Path,
    typer.Argument(metavar="ORDERS", help="CSV, Parquet or Excel file of orders or invoices."),
]


def _column(role: str) -> typer.models.OptionInfo:
    return typer.Option(f"--{role}", metavar="COLUMN", help=f"Column of the {role}.")


@guarded
def panel(
    orders: OrdersArgument,
    out_file: Annotated[Path, typer.Option("--out", "-o", help="Panel to write, as CSV.")] = Path(
        "panel.csv"
    ),
    schema_out: Annotated[
        Path | None, typer.Option(help="Schema to write; by default named after the panel.")
    ] = None,
    every: Annotated[
        Literal["month", "quarter"], typer.Option(help="How long a period is.")
    ] = "month",
    after: Annotated[
        int | None,
        typer.Option(min=1, help="Periods without an order that count as churn; else silent."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Last day that the data reach, such as 2024-12-31.")
    ] = None,
    keep_last: Annotated[
        bool, typer.Option("--keep-last", help="Keep a last period that is not complete.")
    ] = False,
    customer: Annotated[str | None, _column("customer")] = None,
    date: Annotated[str | None, _column("date")] = None,
    amount: Annotated[str | None, _column("amount")] = None,
    invoice: Annotated[str | None, _column("invoice")] = None,
    product: Annotated[str | None, _column("product")] = None,
    margin: Annotated[str | None, _column("margin")] = None,
    due: Annotated[str | None, _column("due")] = None,
    paid: Annotated[str | None, _column("paid")] = None,
    currency: Annotated[str | None, _column("currency")] = None,
    dates: Annotated[
        Literal["day-first", "month-first"] | None,
        typer.Option(help="Which part of 03/04/2011 comes first."),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Zone whose days count, such as Europe/Berlin.")
    ] = None,
    decimal: Annotated[
        Literal["point", "comma"] | None, typer.Option(help="Decimal sign of the numbers.")
    ] = None,
    duplicates: Annotated[
        Literal["error", "drop", "keep"],
        typer.Option(help="What becomes of rows that repeat an earlier one."),
    ] = "error",
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    language: LanguageOption = None,
) -> None:
    """Turn orders into a panel of customers and periods, with a schema for it."""
    from softseg.results.exports import write_csv
    from softseg.results.files import replace_file
    from softseg.tables.orders.orders import Asked
    from softseg.tables.orders.panel import panel_from_orders
    from softseg.tables.orders.read import read_orders
    from softseg.tables.schema import ReadingSchema

    spoken = language or "en"
    schema_file = schema_out or out_file.with_suffix(".toml")
    for file in (out_file, schema_file):
        if file.exists() and not force:
            raise UsageError(say("orders.exists", spoken, name=file.name))
    if out_file.suffix.lower() != ".csv":
        raise UsageError(say("orders.csv", spoken, given=out_file.name))
    sign = {"point": ".", "comma": ",", None: None}[decimal]
    frame, reading = read_orders(orders, ReadingSchema(decimal=sign))  # pyright: ignore[reportArgumentType]
    asked = Asked(reading, dates, _zone(time_zone, spoken), duplicates, _day(until, spoken))
    stated = {
        "customer": customer, "date": date, "amount": amount, "invoice": invoice,
        "product": product, "margin": margin, "due": due, "paid": paid, "currency": currency,
    }  # fmt: skip
    made = panel_from_orders(
        frame,
        {role: column for role, column in stated.items() if column is not None},
        asked,
        every=every,
        keep_last=keep_last,
        after=after,
        language=spoken,
    )
    write_csv(out_file, made.frame, spoken)
    replace_file(schema_file, made.to_toml().encode(), spoken)
    for fault in made.faults:
        err(f"{say(f'check.{fault.severity}', spoken)}: {fault.text(spoken)}")
    for line in made.summary:
        out(line)
    out(say("orders.written", spoken, panel=str(out_file), schema=str(schema_file)))
    out(say("orders.next", spoken, panel=str(out_file), schema=str(schema_file)))


def _day(text: str | None, language: str) -> datetime.date | None:
    if text is None:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise UsageError(say("orders.until", language, given=repr(text))) from None


def _zone(name: str | None, language: str) -> str | None:
    from zoneinfo import ZoneInfo

    try:
        return None if name is None else ZoneInfo(name).key
    except (ValueError, OSError, KeyError):
        raise UsageError(say("orders.zone_unknown", language, given=repr(name))) from None
