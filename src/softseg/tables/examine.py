"""Reads the columns a schema names out of a frame, and collects every fault on the way.

`check` shows the faults, `prepare` stops at the errors and goes on with what was read. Rows of
customers who object are dropped first, so that nothing they contain can have an effect.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.tables.columns import Levels, Numbers, read_levels, read_numbers
from softseg.tables.faults import Fault, Severity, rows_of
from softseg.tables.frames import to_pandas
from softseg.tables.schema import IndicatorSchema, Schema
from softseg.tables.text import folded, level_text, shortened

TOTALS = (
    "summe",
    "gesamt",
    "gesamtsumme",
    "gesamtergebnis",
    "total",
    "totals",
    "grand total",
    "sum",
)
"""What exports write into the row below the last customer."""
NO = ("", "0", "false", "no", "n", "nein", "falsch", "f")
"""What counts as "no objection" in the opt-out column, an empty cell included."""

FAR_OUT = 20.0
"""Median absolute deviations from which on a cell of a Gaussian indicator counts as extreme."""

type Purpose = Literal["fit", "score", "panel"]


@dataclass
class Examined:
    """What was read, and every fault met.

    Attributes
    ----------
    rows
        Number of each consenting row in the file, 1 for the first below the header; (customer,).
    times
        How many rows of the file each one stands for, None for one; (customer,).
    columns
        Indicators, NaN where missing; levels as codes of `levels`; (customer,).
    levels
        Levels by indicator.
    constant
        Indicators that have one value only.
    """

    rows: NDArray[np.int64]
    times: Array | None = None
    n_opted_out: int = 0
    columns: dict[str, Array] = field(default_factory=dict)
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    exposures: dict[str, Array] = field(default_factory=dict)
    count: Array = field(default_factory=lambda: np.empty(0))
    values: dict[str, Array] = field(default_factory=dict)
    customers: tuple[str, ...] | None = None
    constant: list[str] = field(default_factory=list)
    unseen: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(
        self,
        code: str,
        column: str | None,
        mask: NDArray[np.bool_],
        severity: Literal["error", "warning"] = "error",
        **values: Any,
    ) -> None:
        """Add a fault where the mask marks a row; only an error names the row.

        A warning goes into the report, which must not depend on rows that are left out.
        """
        if not mask.any():
            return
        count, first = rows_of(mask, self.rows)
        count = count if self.times is None else int(self.times[mask].sum())
        first = first if severity == "error" else None
        self.faults.append(Fault(code, column, count, first, severity, values))

    def fault(
        self, code: str, column: str | None, severity: Severity = "error", **values: Any
    ) -> None:
        """Add a fault that is none of single rows."""
        self.faults.append(Fault(code, column, severity=severity, values=values))


def examine(
    frame: Any,
    schema: Schema,
    purpose: Purpose = "fit",
    unseen: str = "error",
    *,
    rows: NDArray[np.int64] | None = None,
    times: Array | None = None,
) -> Examined:
    """Return what the schema names in a frame, with every fault.

    Parameters
    ----------
    frame
        Any frame that narwhals takes.
    schema
        The schema; what it has frozen is kept.
    purpose
        ``"score"`` asks for neither value columns nor enough rows; ``"panel"`` leaves rows that
        contradict each other, and what is left of a column, to those who know the periods.
    unseen
        What a level that the training table did not have is: ``"error"`` or ``"missing"``.
    rows, times
        Number of the first row of the file that a row stands for, and of how many it does, where
        the frame is a file's distinct rows; (row,).
    """
    data = to_pandas(frame)
    numbers = np.arange(1, len(data) + 1, dtype=np.int64) if rows is None else rows
    found = Examined(numbers, times)
    data = _drop_opted_out(data, schema, purpose, found)
    present = set(_check_columns(data, schema, purpose, found))
    n_rows = len(data)
    if purpose == "fit" and n_rows < 2:
        found.faults.append(Fault("few_rows_at_all", None, values={"rows": n_rows}))
    if purpose == "fit" and rows is None:
        _check_total(data, found)
    _read_ids(data, schema, present, purpose, found)
    _read_counts(data, schema, present, found)
    for name, entry in schema.indicators.items():
        if name not in present:
            continue
        if entry.member().levelled:
            _read_levelled(data[name], name, entry, schema, unseen, found)
        else:
            _read_numeric(data[name], name, entry, schema, found)
        _read_exposure(data, name, entry, schema, present, found)
        if purpose == "fit":
            check_content(name, entry, found)
    for name in schema.value:
        if name in present:
            numbers = read_numbers(data[name], schema.reading)
            report_unreadable(data[name], name, numbers, found)
            found.values[name] = np.where(np.isfinite(numbers.values), numbers.values, np.nan)
    return found


def _drop_opted_out(data: Any, schema: Schema, purpose: Purpose, found: Examined) -> Any:
    """Leave out the rows of who objects; in a panel all of them, whichever period says so."""
    column = schema.opt_out
    if column is None or list(data.columns).count(column) != 1:
        return data
    read = read_levels(data[column], schema.reading)
    meanings = [folded(level) for level in read.levels]
    yes = {folded(level_text(marker)) for marker in schema.opt_out_yes}
    objects = np.array([*(meaning in yes for meaning in meanings), False])[read.codes]
    known = yes | set(NO)
    unclear = np.array([*(meaning not in known for meaning in meanings), False])[read.codes]
    found.add("opt_out_unclear", column, unclear, known=schema.opt_out_yes)
    if purpose == "panel" and list(data.columns).count(schema.id) == 1:
        who = read_levels(data[schema.id], schema.reading).codes
        objects |= (who >= 0) & np.isin(who, who[objects])
    found.rows = found.rows[~objects]
    found.n_opted_out = int(objects.sum())
    if found.times is not None:
        found.n_opted_out = int(found.times[objects].sum())
        found.times = found.times[~objects]
    return data.loc[~objects].reset_index(drop=True) if objects.any() else data


def _check_total(data: Any, found: Examined) -> None:
    """Warn of a last row that names itself the sum of the others."""
    if len(data) and any(isinstance(c, str) and folded(c) in TOTALS for c in data.iloc[-1]):
        found.fault("total_row", None, "warning")


def _check_columns(data: Any, schema: Schema, purpose: Purpose, found: Examined) -> list[str]:
    """Return the schema's columns that are there once, and add a fault for each other one."""
    names = list(data.columns)
    spare = [*schema.value, schema.weight, schema.count, schema.group]
    present = []
    for column in schema.columns:
        times = names.count(column)
        if times == 1:
            present.append(column)
        elif times > 1:
            found.faults.append(Fault("duplicate_column", column, values={"times": times}))
        elif not (purpose == "score" and column in spare and column not in schema.indicators):
            found.faults.append(Fault("missing_column", column))
    return present


def _read_ids(
    data: Any, schema: Schema, present: set[str], purpose: Purpose, found: Examined
) -> None:
    if schema.id is None or schema.id not in present:
        return
    import pandas as pd

    codes, texts = _id_texts(data[schema.id])
    markers = [folded(marker) for marker in schema.reading.missing]
    empty = np.array([folded(text) in markers for text in texts], dtype=bool)[codes]
    found.add("missing_id", schema.id, empty)
    ids = np.array(texts, dtype=object)[codes]
    found.customers = tuple(ids)
    keys = pd.DataFrame({"id": ids})
    if schema.period is not None and schema.period in present:
        keys["period"] = data[schema.period].astype(str).to_numpy()
    if purpose != "panel":
        found.add("duplicate_id", schema.id, keys.duplicated().to_numpy() & ~empty)


def _id_texts(column: Any) -> tuple[NDArray[np.intp], list[str]]:
    """Return each row's place among texts, and these: those of the distinct cells where it can."""
    import pandas as pd

    if column.dtype.kind == "O" and not isinstance(column.dtype, pd.StringDtype):
        cells = column.to_numpy(dtype=object)  # 1, 1.0 and True would be one cell
        return np.arange(len(cells), dtype=np.intp), [_id_text(cell) for cell in cells]
    codes, distinct = pd.factorize(column)
    texts = [*(_id_text(cell) for cell in np.asarray(distinct, dtype=object)), ""]
    return codes, texts


def _id_text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell.strip()
    if cell is None or (isinstance(cell, float | np.floating) and np.isnan(cell)):
        return ""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    text = str(cell).strip()
    return "" if text in ("<NA>", "NaT") else text


def _read_counts(data: Any, schema: Schema, present: set[str], found: Examined) -> None:
    column = schema.count or schema.weight
    if column is None or column not in present:
        found.count = np.ones(len(data)) if found.times is None else found.times
        return
    numbers = read_numbers(data[column], schema.reading)
    report_unreadable(data[column], column, numbers, found)
    readable = ~(numbers.bad | numbers.ambiguous | np.isinf(numbers.values))
    values = numbers.values
    wrong = ~(values > 0)
    if schema.count is not None:
        wrong |= values != np.floor(values)
    found.add("count" if schema.count is not None else "weight", column, wrong & readable)
    found.count = values


def _read_numeric(
    column: Any, name: str, entry: IndicatorSchema, schema: Schema, found: Examined
) -> None:
    numbers = read_numbers(column, schema.reading)
    report_unreadable(column, name, numbers, found)
    values, member = numbers.values, entry.member()
    finite = np.isfinite(values)
    illegal = np.zeros(len(values), dtype=bool)
    illegal[finite] = ~member.legal(values[finite])
    example = _example(values[illegal], found.rows[illegal])
    found.add("domain", name, illegal, family=member.name, domain=member.domain, example=example)
    found.columns[name] = np.where(finite, values, np.nan)


def report_unreadable(column: Any, name: str, numbers: Numbers, found: Examined) -> None:
    """Add a fault for every way in which cells of a column of numbers cannot be read."""
    masks = {
        "decimal_comma": numbers.comma,
        "number_in_text": numbers.bad & ~numbers.comma,
        "ambiguous_number": numbers.ambiguous,
    }
    for code, mask in masks.items():
        found.add(code, name, mask, example=_first(column, mask))
    found.add("infinite", name, np.isinf(numbers.values))


def _first(column: Any, mask: NDArray[np.bool_]) -> str:
    return shortened(column[mask].iloc[0]) if mask.any() else ""


def _example(values: Array, rows: NDArray[np.int64]) -> str:
    return f"{values[np.argmin(rows)]:g}" if len(values) else ""


def _read_levelled(
    column: Any, name: str, entry: IndicatorSchema, schema: Schema, unseen: str, found: Examined
) -> None:
    read = read_levels(column, schema.reading)
    stated = _stated_levels(entry)
    levels = stated if stated is not None else read.levels
    place = {level: code for code, level in enumerate(levels)}
    lookup = np.array([*(place.get(level, np.nan) for level in read.levels), np.nan], dtype=float)
    found.columns[name] = lookup[read.codes]
    outside = np.isnan(found.columns[name]) & (read.codes >= 0)
    if unseen == "missing":
        found.unseen[name] = int(outside.sum())
    else:
        unknown = [level for level in read.levels if level not in place]
        examples = [shortened(level) for level in unknown[:3]]
        found.add("unknown_level", name, outside, examples=examples)
    found.levels[name] = tuple(levels)
    if stated is None:
        _check_spelling(name, read, found)
    _check_two_values(name, entry, read, stated, found)


def _check_spelling(name: str, read: Levels, found: Examined) -> None:
    """Warn of levels that differ by case alone: each counts as a level of its own."""
    alike: dict[str, list[str]] = {}
    for level in read.levels:
        alike.setdefault(folded(level), []).append(level)
    twice = [levels for levels in alike.values() if len(levels) > 1]
    if twice:
        examples = " / ".join(shortened(level) for level in twice[0])
        found.fault("same_level", name, "warning", examples=examples, count=len(twice))


def _stated_levels(entry: IndicatorSchema) -> tuple[str, ...] | None:
    if entry.frozen is not None:
        return tuple(entry.frozen.levels)
    return None if entry.levels is None else tuple(entry.levels)


def _check_two_values(
    name: str,
    entry: IndicatorSchema,
    read: Levels,
    stated: tuple[str, ...] | None,
    found: Examined,
) -> None:
    if entry.family != "bernoulli" or stated is not None:
        return
    if len(read.levels) > 2:
        values = {"levels": len(read.levels)}
        found.faults.append(Fault("two_values", name, values=values))
    if entry.success is not None and len(read.levels) == 2 and entry.success not in read.levels:
        values = {"success": shortened(entry.success)}
        found.faults.append(Fault("success_unseen", name, values=values))


def _read_exposure(
    data: Any,
    name: str,
    entry: IndicatorSchema,
    schema: Schema,
    present: set[str],
    found: Examined,
) -> None:
    column = entry.exposure
    if column is None or column not in present or name not in found.columns:
        return
    numbers = read_numbers(data[column], schema.reading)
    report_unreadable(data[column], column, numbers, found)
    observed = ~np.isnan(found.columns[name])
    readable = ~(numbers.bad | numbers.ambiguous | np.isinf(numbers.values))
    found.add("exposure", column, observed & readable & ~(numbers.values > 0), indicator=name)
    # A missing cell has no exposure either; 1 keeps such rows one pattern.
    found.exposures[name] = np.where(observed, numbers.values, 1.0)


def check_content(name: str, entry: IndicatorSchema, found: Examined) -> None:
    """Look at what is left of a column: nothing, one value, gaps, extremes."""
    values = found.columns[name]
    present = values[~np.isnan(values)]
    if len(values) == 0:
        return
    unreadable = any(f.column == name and f.severity == "error" for f in found.faults)
    if len(present) == 0:
        if not unreadable:
            found.faults.append(Fault("all_missing", name))
        return
    times = np.ones(len(values)) if found.times is None else found.times
    share = float(times[np.isnan(values)].sum() / times.sum())
    if entry.frozen is None and present.min() == present.max():
        found.constant.append(name)
        found.faults.append(Fault("constant", name, severity="warning"))
    if share > 0 and not unreadable:
        found.faults.append(Fault("gaps", name, severity="note", values={"share": share}))
    if entry.family == "gaussian":
        middle = np.median(present)
        spread = np.median(np.abs(present - middle))
        if spread > 0:
            far = np.abs(values - middle) > FAR_OUT * 1.4826 * spread
            found.add("extreme", name, far, "warning")
