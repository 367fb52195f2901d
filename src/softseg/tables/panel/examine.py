"""Reads a panel out of a frame, and collects every fault on the way.

`check` shows the faults, `prepare_panel` stops at the errors and goes on with what was read.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from softseg.errors import SchemaError
from softseg.families.base import Array
from softseg.tables.columns import read_levels
from softseg.tables.examine import NO, Examined, check_content, examine
from softseg.tables.frames import to_pandas
from softseg.tables.panel.covariates import Covariate, read_covariate, spread
from softseg.tables.panel.histories import (
    Rows,
    Spans,
    Steps,
    find_spans,
    find_steps,
    last_activity,
    returns,
)
from softseg.tables.panel.migration import COUNTS, MigrationSchema
from softseg.tables.panel.periods import Periods, read_periods
from softseg.tables.schema import YES, Schema
from softseg.tables.text import folded, shortened

MANY_GAPS: Final = 0.2
"""Share of steps without a row from which on gaps are warned of."""
MANY_ASLEEP: Final = 0.5
"""Share of customers whose first row is without activity from which on this is warned of."""
COUNTING: Final = (*COUNTS, "hurdle_lognormal")
"""Families that can say 0 in a period without activity."""


@dataclass
class ExaminedPanel:
    """What was read of a panel, and every fault met.

    Attributes
    ----------
    found
        The table as read, a row per row of the frame; its faults are those of the panel.
    used
        Which rows of `found` the panel's rows are; (panel row,).
    ids
        Id of each customer; (customer,).
    rows, spans, steps, periods
        The panel's rows and what they say, None where faults stand in the way.
    table
        The rows with something observed in a step, in the order of the steps.
    covariates
        Covariates by column; (panel row,).
    spread
        Covariates by name, computed ones included; (step,).
    """

    found: Examined
    used: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    ids: tuple[str, ...] = ()
    rows: Rows | None = None
    spans: Spans | None = None
    steps: Steps | None = None
    periods: Periods | None = None
    table: Examined | None = None
    covariates: dict[str, Covariate] = field(default_factory=dict)
    spread: dict[str, Array] = field(default_factory=dict)


def migration_of(schema: Schema) -> MigrationSchema:
    """Return the schema's entry on migration.

    Raises
    ------
    SchemaError
        Where it has none.
    """
    if schema.migration is None:
        raise SchemaError(
            'Add [migration] to the schema, with churn = "none" at least: it says how customers '
            "leave."
        )
    return schema.migration


def examine_panel(frame: Any, schema: Schema) -> ExaminedPanel:
    """Return the panel of a frame, with every fault.

    Parameters
    ----------
    frame
        Any frame that narwhals takes.
    schema
        The schema, with an entry on migration; what it has frozen is kept.

    Raises
    ------
    SchemaError
        Where the schema has no entry on migration.
    """
    migration = migration_of(schema)
    data = to_pandas(frame)
    found = examine(data, schema, "panel")
    data = data.iloc[found.rows - 1].reset_index(drop=True)
    panel = ExaminedPanel(found)
    if any(fault.code in ("missing_column", "duplicate_column") for fault in found.faults):
        return panel
    panel.periods = _read_periods(data[schema.period], str(schema.period), schema, found)
    left = _read_left(data, migration, schema, found)
    if found.customers is None or not panel.periods.usable:
        return panel
    _lay_out(panel, panel.periods, left, migration, schema)
    _check_rows(panel, migration, schema)
    _find_histories(panel, data, migration, schema)
    if panel.steps is not None:
        source = panel.steps.source
        panel.table = select(found, panel.used[source[source >= 0]])
        _check_table(panel.table, found, schema)
    return panel


def select(found: Examined, rows: NDArray[np.intp]) -> Examined:
    """Return some rows of a table that was read, in the order given."""
    ids = found.customers
    return replace(
        found,
        rows=found.rows[rows],
        columns={name: values[rows] for name, values in found.columns.items()},
        exposures={name: values[rows] for name, values in found.exposures.items()},
        count=found.count[rows],
        values={name: values[rows] for name, values in found.values.items()},
        customers=None if ids is None else tuple(np.array(ids, dtype=object)[rows]),
    )


def _read_periods(column: Any, name: str, schema: Schema, found: Examined) -> Periods:
    known = migration_of(schema).step
    periods = read_periods(column, schema.reading, known)
    bad = periods.unreadable
    example = shortened(column[bad].iloc[0]) if bad.any() else ""
    found.add("panel_period", name, bad, example=example)
    if periods.mixed.any():
        usual = shortened(column[~periods.mixed & ~bad].iloc[0])
        other = shortened(column[periods.mixed].iloc[0])
        found.add("panel_period_mixed", name, periods.mixed, usual=usual, other=other)
    first, last = periods.ends
    between = periods.between
    example = shortened(column[between].iloc[0]) if between.any() else ""
    said = {"example": example, "first": first, "step": periods.step}
    found.add("panel_period_between", name, between, **said)
    if periods.length == 1:
        found.fault("panel_one_period", name, label=first)
    elif periods.length and not periods.usable:
        found.fault("panel_period_far", name, first=first, last=last, periods=periods.length)
    elif periods.step > 1 and periods.length > 1 and known is None:
        found.fault("panel_period_step", name, "note", first=first, second=periods.labels[1])
    return periods


def _read_left(
    data: Any, migration: MigrationSchema, schema: Schema, found: Examined
) -> NDArray[np.bool_]:
    column = migration.churned
    if column is None:
        return np.zeros(len(data), dtype=bool)
    read = read_levels(data[column], schema.reading)
    meanings = [folded(level) for level in read.levels]
    unclear = [meaning not in (*YES, *NO) for meaning in meanings]
    found.add("panel_churned_unclear", column, np.array([*unclear, False])[read.codes])
    return np.array([*(meaning in YES for meaning in meanings), False])[read.codes]


def _lay_out(
    panel: ExaminedPanel,
    periods: Periods,
    left: NDArray[np.bool_],
    migration: MigrationSchema,
    schema: Schema,
) -> None:
    """Sort the rows that can be read by customer and period, the first of equal ones only."""
    import pandas as pd

    found = panel.found
    codes, texts = pd.factorize(np.array(found.customers, dtype=object))
    markers = {folded(marker) for marker in schema.reading.missing}
    named = np.array([folded(text) not in markers for text in texts], dtype=bool)[codes]
    rows = np.flatnonzero(named & (periods.number >= 0))
    used = np.unique(codes[rows])
    ids = sorted(texts[used])
    place = {text: number for number, text in enumerate(ids)}
    customer = np.array([place.get(text, -1) for text in texts], dtype=np.int64)[codes[rows]]
    period = periods.number[rows]
    order = np.lexsort((rows, period, customer))
    rows, customer, period = rows[order], customer[order], period[order]
    again = np.zeros(len(rows), dtype=bool)
    again[1:] = (np.diff(customer) == 0) & (np.diff(period) == 0)
    found.add("panel_duplicate", schema.id, _marked(rows[again], found), period=schema.period)
    rows, customer, period = rows[~again], customer[~again], period[~again]
    panel.used, panel.ids = rows, tuple(ids)
    cells = {name: values[rows] for name, values in found.columns.items()}
    seen = np.zeros(len(rows), dtype=bool)
    counting = seen.copy()
    for name, values in cells.items():
        seen |= ~np.isnan(values)
        if schema.indicators[name].family in COUNTING:
            counting |= values > 0
    active = np.zeros(len(rows), dtype=bool)
    if migration.activity in cells:
        active = cells[migration.activity] > 0
    panel.rows = Rows(
        customer, period, seen, left[rows], active, ~counting, len(ids), periods.length
    )


def _check_rows(panel: ExaminedPanel, migration: MigrationSchema, schema: Schema) -> None:
    """Look for rows that contradict each other or the way in which customers leave."""
    rows, found = panel.rows, panel.found
    if rows is None:
        return
    back = returns(rows)
    found.add("panel_returns", migration.churned, _marked(panel.used[back], found))
    unused = rows.left & rows.seen & ~back
    used = _marked(panel.used[unused], found)
    found.add("panel_churned_values", migration.churned, used, "warning")
    if migration.activity is None or migration.activity not in found.columns:
        return
    activity = found.columns[migration.activity][panel.used]
    unknown = rows.seen & np.isnan(activity)
    unread = any(f.column == migration.activity and f.severity == "error" for f in found.faults)
    if not unread:
        unknown = _marked(panel.used[unknown], found)
        found.add("panel_activity_empty", migration.activity, unknown)
    if migration.churn not in ("silent", "inactivity"):
        return
    perhaps_gone = activity == 0
    if migration.churn == "inactivity":
        perhaps_gone &= rows.period > last_activity(rows)[rows.customer]
    for name, entry in schema.indicators.items():
        if entry.family not in COUNTING and name in found.columns:
            filled = perhaps_gone & ~np.isnan(found.columns[name][panel.used])
            filled = _marked(panel.used[filled], found)
            found.add("panel_filled", name, filled, activity=migration.activity)


def _find_histories(
    panel: ExaminedPanel, data: Any, migration: MigrationSchema, schema: Schema
) -> None:
    rows, periods, found = panel.rows, panel.periods, panel.found
    if rows is None or periods is None:
        return
    spans = find_spans(rows, migration.churn, migration.after)
    if len(spans.customer) == 0:
        found.fault("panel_nobody", migration.activity or migration.churned or schema.id)
        return
    steps = find_steps(rows, spans, migration.churn)
    panel.spans, panel.steps = spans, steps
    lengths = np.diff(steps.start)
    if periods.length > 1 and lengths.max() == 1:
        found.fault("panel_one_each", schema.id)
    if migration.churn in ("observed", "interval", "inactivity") and not spans.churned.any():
        column = migration.churned or migration.activity
        found.fault("panel_nobody_left", column, "warning")
    left_out = rows.n_customers - len(np.unique(spans.customer))
    if left_out:
        code = "panel_never_active" if migration.activity else "panel_only_churned"
        column = migration.activity or migration.churned
        found.fault(code, column, "warning", customers=left_out)
    begin = steps.source[steps.start[:-1]]
    asleep = float(np.mean(rows.asleep[begin[begin >= 0]])) if migration.activity else 0.0
    if asleep > MANY_ASLEEP:
        found.fault("panel_asleep_first", migration.activity, "warning", share=asleep)
    share = float(np.mean((steps.source < 0) & (steps.may == 0)))
    if share > MANY_GAPS:
        found.fault("panel_many_gaps", schema.period, "warning", share=share)
    _read_covariates(panel, data, migration, schema, spans, steps)


def _read_covariates(
    panel: ExaminedPanel,
    data: Any,
    migration: MigrationSchema,
    schema: Schema,
    spans: Spans,
    steps: Steps,
) -> None:
    found, rows, periods = panel.found, panel.rows, panel.periods
    if rows is None or periods is None:
        return
    for name in migration.covariates:
        frozen = migration.frozen.get(name)
        read = read_covariate(data[name], name, schema.reading, frozen, found)
        panel.covariates[name] = replace(read, values=read.values[panel.used])
    for name in dict.fromkeys([*migration.initial, *migration.transition]):
        values = spread(name, panel.covariates, rows, spans, steps, periods)
        panel.spread[name] = values
        if any(fault.column == name and fault.severity == "error" for fault in found.faults):
            continue
        empty = np.unique(spans.customer[steps.history[np.isnan(values)]])
        if len(empty):
            begin = np.isin(rows.customer, empty) & np.isnan(panel.covariates[name].values)
            found.add("panel_covariate_empty", name, _marked(panel.used[begin], found))
        elif name not in migration.frozen and values.min() == values.max():
            found.fault("panel_covariate_constant", name)


def _check_table(table: Examined, found: Examined, schema: Schema) -> None:
    """Look at what is left of the indicators in the rows of the panel."""
    table.faults, before = [], found.faults
    for name, entry in schema.indicators.items():
        if name in table.columns and not any(
            fault.column == name and fault.severity == "error" for fault in before
        ):
            check_content(name, entry, table)
    activity = schema.migration.activity if schema.migration else None
    for fault in table.faults:
        if fault.code == "gaps":
            fault = replace(fault, code="panel_empty_cells")
        elif fault.code == "constant" and fault.column == activity:
            fault = replace(fault, code="panel_activity_constant", severity="error")
        before.append(fault)


def _marked(rows: NDArray[np.intp], found: Examined) -> NDArray[np.bool_]:
    """Return a mask over the rows of the table; (row,)."""
    mask = np.zeros(len(found.rows), dtype=bool)
    mask[rows] = True
    return mask
