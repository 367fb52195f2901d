"""From a frame to a `Panel`: checked, laid out over the periods, the schema frozen."""

from dataclasses import replace
from typing import Any, Final

import numpy as np

from softseg.errors import DataError
from softseg.families.base import Array
from softseg.tables.faults import Fault
from softseg.tables.panel.covariates import coded, freeze_covariate
from softseg.tables.panel.examine import ExaminedPanel, examine_panel, migration_of
from softseg.tables.panel.histories import Rows, Spans, Steps
from softseg.tables.panel.migration import FrozenCovariate
from softseg.tables.panel.panel import CHURNED, Notes, Panel
from softseg.tables.prepare import freeze, refuse_and_warn
from softseg.tables.schema import Schema

OF_A_WHOLE: Final = (
    "constant",
    "panel_one_period",
    "panel_one_each",
    "panel_nobody_left",
    "panel_asleep_first",
    "panel_many_gaps",
    "panel_activity_constant",
    "panel_covariate_constant",
    "panel_empty_cells",
)
"""Faults of a panel that a model is fitted to; a few customers' periods may well be so."""


def prepare_panel(frame: Any, schema: Schema) -> Panel:
    """Return the panel of a frame with its schema frozen.

    Constant indicators are dropped, with a `TableWarning` as for every other fault that is a
    warning. What the schema has frozen already is kept, so that a later panel of the same
    customers is read as the first one was.

    Parameters
    ----------
    frame
        Any frame that narwhals takes, one row per customer and period, in any order.
    schema
        What its columns are, with an entry on migration.

    Raises
    ------
    DataError
        Where the panel has faults that are errors; the message lists them all.
    SchemaError
        Where the schema has no entry on migration.
    """
    return _prepared(examine_panel(frame, schema), schema)


def prepare_new_panel(frame: Any, schema: Schema) -> Panel:
    """Return another panel under the schema of the fitted one: new periods, or other customers.

    It may be as small as one customer in one period, and nothing about it is frozen.

    Parameters
    ----------
    frame
        Any frame that narwhals takes, one row per customer and period, in any order.
    schema
        The frozen schema of the fitted panel.

    Raises
    ------
    DataError
        Where the panel has faults that are errors; the message lists them all.
    SchemaError
        Where the schema is not frozen.
    """
    for entry in schema.indicators.values():
        entry.coding()
    found = examine_panel(frame, schema)
    found.found.faults = [fault for fault in found.found.faults if fault.code not in OF_A_WHOLE]
    found.found.constant = []
    return _prepared(found, schema)


def _prepared(found: ExaminedPanel, schema: Schema) -> Panel:
    refuse_and_warn(found.found.faults, schema.language, calls=2)
    rows, spans, steps, periods = found.rows, found.spans, found.steps, found.periods
    if not (rows and spans and steps and periods and found.table):
        raise DataError(Fault("panel_nobody", None).text(schema.language))
    frozen = _freeze(found, schema)
    update = {"frozen": frozen, "step": periods.step}
    migration = migration_of(schema).model_copy(update=update)
    table = freeze(found.table, schema.model_copy(update={"migration": migration}))
    source = steps.source
    observed = source >= 0
    row = np.where(observed, np.cumsum(observed) - 1, -1).astype(np.int64)
    numbers = _numbers_of_rows(found)[observed]
    covariates, covariate_names = _coded(found, migration.transition, frozen)
    initial, initial_names = _coded(found, migration.initial, frozen)
    return Panel(
        table=replace(table, rows=numbers),
        customer=spans.customer,
        start=steps.start,
        row=row,
        may=steps.may,
        period=steps.period,
        covariates=covariates,
        covariate_names=covariate_names,
        initial=initial[steps.start[:-1]],
        initial_names=initial_names,
        periods=periods.labels,
        customers=found.ids,
        notes=_notes(rows, spans, steps),
    )


def _freeze(found: ExaminedPanel, schema: Schema) -> dict[str, FrozenCovariate]:
    known = migration_of(schema).frozen
    return {
        name: known[name]
        if name in known
        else freeze_covariate(
            values, found.covariates[name].levels if name in found.covariates else ()
        )
        for name, values in found.spread.items()
    }


def _coded(
    found: ExaminedPanel, names: list[str], frozen: dict[str, FrozenCovariate]
) -> tuple[Array, tuple[str, ...]]:
    """Return the numbers that stand for covariates, and their names; (step, covariate)."""
    steps = 0 if found.steps is None else len(found.steps.period)
    parts = [coded(name, found.spread[name], frozen[name]) for name in names]
    numbers = np.hstack([np.empty((steps, 0)), *(part for part, _ in parts)])
    return numbers, tuple(name for _, said in parts for name in said)


def _numbers_of_rows(found: ExaminedPanel) -> np.ndarray:
    """Return the number of each step's row among the consenting ones, 1 for the first; (step,)."""
    source = np.empty(0, dtype=np.int64) if found.steps is None else found.steps.source
    return found.used.astype(np.int64)[source] + 1


def _notes(rows: Rows, spans: Spans, steps: Steps) -> Notes:
    late = spans.first > 0
    again = np.zeros(len(late), dtype=bool)
    again[1:] = np.diff(spans.customer) == 0
    customers = len(np.unique(spans.customer))
    return Notes(
        customers=customers,
        histories=len(late),
        periods=rows.n_periods,
        steps=len(steps.period),
        gaps=int(np.sum((steps.source < 0) & (steps.may != CHURNED))),
        late_entries=int(late.sum()),
        joined=int(np.sum(late & ~again)),
        returned=int(again.sum()),
        churned=int(spans.churned.sum()),
        right_censored=int(np.sum(~spans.churned)),
        inactive_at_end=int(np.sum(~spans.churned & (spans.known < spans.last))),
        left_out=rows.n_customers - customers,
    )
