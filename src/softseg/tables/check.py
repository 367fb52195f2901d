"""`check`: every fault of a table at once, in plain words."""

from typing import Any

from softseg.errors import DataError
from softseg.tables.examine import examine
from softseg.tables.faults import Fault
from softseg.tables.panel.examine import examine_panel
from softseg.tables.schema import Schema
from softseg.wording import number, say

ROWS_NEEDED = 2
ROWS_WANTED = 10
"""Rows per free parameter below which a fit is refused, and below which it is warned of."""


def check(frame: Any, schema: Schema) -> list[Fault]:
    """Return every fault of a table or panel at once: errors first, then warnings, then notes.

    Parameters
    ----------
    frame
        Any frame that narwhals takes.
    schema
        What its columns are.
    """
    if schema.migration is None:
        faults = examine(frame, schema).faults
    else:
        faults = examine_panel(frame, schema).found.faults
    order = ("error", "warning", "note")
    return sorted(faults, key=lambda fault: order.index(fault.severity))


def check_rows(n_customers: float, n_parameters: int, allow_few_rows: bool = False) -> list[Fault]:
    """Return a fault where a table has few rows for the parameters of a model.

    Parameters
    ----------
    n_customers
        Customers of the table, counts included.
    n_parameters
        Free parameters of the model: those of every segment, and the shares less one.
    allow_few_rows
        Turns the refusal below 2 rows per parameter into a warning.
    """
    if n_customers >= ROWS_WANTED * n_parameters:
        return []
    refused = n_customers < ROWS_NEEDED * n_parameters and not allow_few_rows
    return [
        Fault(
            "few_rows" if refused else "rather_few_rows",
            None,
            severity="error" if refused else "warning",
            values={"rows": int(n_customers), "parameters": n_parameters},
        )
    ]


def refuse_errors(faults: list[Fault], language: str = "en") -> None:
    """Raise one error that lists every error among the faults, if there is one.

    Raises
    ------
    DataError
        Where at least one fault is an error.
    """
    errors = [fault for fault in faults if fault.severity == "error"]
    if errors:
        head = say("fault.mend", language, count=number(len(errors), language))
        raise DataError("\n".join([head, *(f"- {fault.text(language)}" for fault in errors)]))
