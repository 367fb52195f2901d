"""From a frame to a `Table`: checked, typed, consenting customers only, the schema frozen.

Freezing finds what scoring and re-fits must not find again: the levels of each indicator, the
scale its statistics are computed on, and the default priors as numbers.
"""

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softseg.errors import DataError
from softseg.families.base import Array, Coding, Observed
from softseg.tables.check import refuse_errors
from softseg.tables.columns import default_success
from softseg.tables.examine import Examined, examine
from softseg.tables.faults import Fault
from softseg.tables.schema import Frozen, IndicatorSchema, PriorSchema, Schema
from softseg.tables.stream import collapse
from softseg.tables.table import Table

MOST_REPEATED = 2_000_000
"""Rows up to which counts are written out to find scales and default priors."""


class TableWarning(UserWarning):
    """Something in the table changes or endangers the fit; `fault` holds it.

    Parameters
    ----------
    fault
        The fault.
    language
        Language of the message.
    """

    def __init__(self, fault: Fault, language: str = "en") -> None:
        super().__init__(fault.text(language))
        self.fault = fault


def prepare_file(path: Path | str, schema: Schema) -> Table:
    """Return the training table of a large Parquet file: its distinct rows with counts.

    The file is never in memory as a whole. Whether it can be read so says
    `softseg.tables.stream.can_stream`.

    Raises
    ------
    DataError
        Where the table has faults that are errors; the message lists them all.
    FileError
        Where the file cannot be read, or has too many distinct rows.
    """
    found = collapse(path, schema)
    return _prepared(examine(found.frame, schema, rows=found.first, times=found.times), schema)


def prepare(frame: Any, schema: Schema) -> Table:
    """Return the training table with its schema frozen.

    Constant indicators are dropped with a `TableWarning`. Indicators that the schema has frozen
    already are kept as they are.

    Parameters
    ----------
    frame
        Any frame that narwhals takes.
    schema
        What its columns are.

    Raises
    ------
    DataError
        Where the table has faults that are errors; the message lists them all.
    """
    return _prepared(examine(frame, schema), schema)


def refuse_and_warn(faults: list[Fault], language: str, calls: int = 1) -> None:
    """Raise one error that lists every error among the faults, and warn of the warnings.

    Parameters
    ----------
    faults
        The faults.
    language
        Language of the messages.
    calls
        How many calls of the package lie between the user's line and this one.

    Raises
    ------
    DataError
        Where at least one fault is an error.
    """
    refuse_errors(faults, language)
    for fault in faults:
        if fault.severity == "warning":
            warnings.warn(TableWarning(fault, language), stacklevel=calls + 2)


def _prepared(found: Examined, schema: Schema) -> Table:
    refuse_and_warn(found.faults, schema.language, calls=2)
    return freeze(found, schema)


def freeze(found: Examined, schema: Schema) -> Table:
    """Return what was read as a table, with its schema frozen on it.

    Raises
    ------
    DataError
        Where every indicator is constant.
    """
    frozen = {
        name: _freeze(name, entry, found)
        for name, entry in schema.indicators.items()
        if name not in found.constant
    }
    if not frozen:
        raise DataError(Fault("no_indicator", None).text(schema.language))
    return _table(schema.freeze(frozen), found)


def prepare_new(
    frame: Any, schema: Schema, unseen: Literal["error", "missing"] = "error"
) -> tuple[Table, dict[str, int]]:
    """Return a table of new rows, and per indicator how many cells have an unseen level.

    Parameters
    ----------
    frame
        Any frame that narwhals takes; value, weight, count and group columns may be absent, and
        it may have no rows.
    schema
        The frozen schema of the training table.
    unseen
        Whether a level that the training table did not have is an error or a missing cell.

    Raises
    ------
    DataError
        Where the table has faults that are errors; the message lists them all.
    SchemaError
        Where the schema is not frozen.
    """
    for entry in schema.indicators.values():
        entry.coding()
    found = examine(frame, schema, "score", unseen)
    refuse_errors(found.faults, schema.language)
    counts = {name: count for name, count in found.unseen.items() if count}
    return _table(schema, found), counts


def _table(schema: Schema, found: Examined) -> Table:
    kept = schema.indicators
    return Table(
        schema=schema,
        columns={name: _recoded(found.columns[name], name, kept[name], found) for name in kept},
        exposures={name: found.exposures[name] for name in kept if name in found.exposures},
        count=found.count,
        values=found.values,
        rows=np.arange(1, len(found.rows) + 1, dtype=np.int64),
        customers=found.customers,
        n_opted_out=found.n_opted_out,
        dropped=tuple(found.constant),
        distinct=found.times is not None,
    )


def _recoded(codes: Array, name: str, entry: IndicatorSchema, found: Examined) -> Array:
    """Return codes of the frozen levels instead of those of the levels in the order found."""
    if name not in found.levels or entry.frozen is None:
        return codes
    place = [float(entry.frozen.levels.index(level)) for level in found.levels[name]]
    lookup = np.array([*place, np.nan])
    return lookup[np.where(np.isnan(codes), len(place), codes).astype(np.intp)]


def _freeze(name: str, entry: IndicatorSchema, found: Examined) -> Frozen:
    if entry.frozen is not None:
        return entry.frozen
    levels = _ordered(found.levels.get(name, ()), entry)
    interim = entry.model_copy(update={"frozen": Frozen(levels=list(levels), priors={})})
    values = _recoded(found.columns[name], name, interim, found)
    values, exposure = _written_out(values, found.exposures.get(name), found.count)
    member = entry.member()
    coding = member.coding(Observed(values, exposure, Coding(levels)))
    priors = member.default_priors(Observed(values, exposure, coding))
    return Frozen(
        centre=coding.centre,
        scale=coding.scale,
        width=coding.width,
        levels=list(coding.levels),
        priors={parameter: PriorSchema.of(prior) for parameter, prior in priors.items()},
    )


def _ordered(levels: tuple[str, ...], entry: IndicatorSchema) -> tuple[str, ...]:
    """Return levels in the order of their codes: of two values the success comes second."""
    if entry.family != "bernoulli":
        return levels
    success = default_success(levels) if entry.success is None else entry.success
    return (*(level for level in levels if level != success), success)


def _written_out(values: Array, exposure: Array | None, count: Array) -> tuple[Array, Array | None]:
    """Return observed cells sorted, each as often as it counts, but at most `MOST_REPEATED`.

    Sorting makes what is found the same for every order of the rows, bit for bit; repeating
    makes it the same for a row with the count 2 and for the row twice.
    """
    seen = ~np.isnan(values)
    if exposure is None and np.all(count[seen] == 1.0) and seen.sum() <= MOST_REPEATED:
        return np.sort(values[seen]), None  # the usual case, without sorting positions
    order = np.lexsort((values,) if exposure is None else (exposure, values))
    order = order[~np.isnan(values[order])]
    repeats = count[order]
    if np.all(repeats == 1.0) and len(order) <= MOST_REPEATED:
        return values[order], None if exposure is None else exposure[order]
    order, repeats = _equal_together(order, repeats, values, exposure)
    if not np.all(repeats == np.floor(repeats)):
        repeats = repeats * (20.0 / repeats.mean())
    repeats = repeats * min(1.0, MOST_REPEATED / repeats.sum())
    times = np.diff(np.round(np.cumsum(repeats)), prepend=0.0).astype(np.intp)
    order = np.repeat(order, times)
    return values[order], None if exposure is None else exposure[order]


def _equal_together(
    order: NDArray[np.intp], repeats: Array, values: Array, exposure: Array | None
) -> tuple[NDArray[np.intp], Array]:
    """Return the first of each run of equal cells, and how often they count together."""
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.diff(values[order]) != 0
    if exposure is not None:
        new[1:] |= np.diff(exposure[order]) != 0
    if len(order) == 0:
        return order, repeats
    return order[new], np.add.reduceat(repeats, np.flatnonzero(new))
