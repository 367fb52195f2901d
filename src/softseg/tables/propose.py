"""`softseg init`: looks at a table and proposes a schema, saying why, column by column."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from softseg.checks import one_of
from softseg.errors import DataError
from softseg.families.base import Array
from softseg.tables.bases import BASES, columns_of, names, words_of
from softseg.tables.columns import (
    Levels,
    Numbers,
    default_success,
    read_levels,
    read_numbers,
)
from softseg.tables.dependence import dependence_hints
from softseg.tables.examine import NO
from softseg.tables.family_choice import choose_family
from softseg.tables.frames import to_pandas
from softseg.tables.read import guess_encoding, read_table
from softseg.tables.schema import YES, IndicatorSchema, ReadingSchema, Schema, ValueSchema
from softseg.tables.text import folded
from softseg.wording import number, percent, say

MOST_LEVELS: Final = 15
"""Levels of a text column from which on it is set aside."""
LONG_TEXT: Final = 40
ENOUGH_OTHERS: Final = 4
"""Indicators from which on value columns are kept out of the search for segments."""
MOSTLY: Final = 0.9

_DATE = re.compile(
    r"^(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}\.\d{1,2}\.\d{2,4}|\d{1,2}/\d{1,2}/\d{2,4})([ T].*)?$"
)
_SIGN: Final = "[€$£¥%‰]|EUR|USD|CHF|GBP"
_NUMBER: Final = r"[-+−]?\d[\d.,'’\s]*"
_WITH_UNIT = re.compile(
    rf"(?:(?P<before>{_SIGN})\s*{_NUMBER}|{_NUMBER}(?P<after>{_SIGN}))", re.IGNORECASE
)
_CURRENCIES: Final = {"eur": "EUR", "euro": "EUR", "usd": "USD", "chf": "CHF", "gbp": "GBP"}


@dataclass(frozen=True)
class Proposal:
    """A proposed schema and the reasons for it.

    Attributes
    ----------
    schema
        The schema, ready to use.
    reasons
        Why an indicator has its family, by column.
    aside
        Why a column is no indicator, by column.
    hints
        What to look at before the fit.
    """

    schema: Schema
    reasons: Mapping[str, str]
    aside: Mapping[str, str]
    hints: tuple[str, ...] = ()

    def to_toml(self) -> str:
        """Return the schema as TOML with the reasons as comments."""
        language = self.schema.language
        comments: dict[tuple[str, ...], str] = {(): say("propose.head", language)}
        for name, reason in self.reasons.items():
            comments["indicators", name] = reason
        for name in self.schema.value:
            key = "value_too" if name in self.schema.indicators else "value"
            comments["value", name] = say(f"propose.{key}", language)
        parts = []
        if self.aside:
            lines = [f"  {name}: {reason}" for name, reason in self.aside.items()]
            parts.append("\n".join([say("propose.aside", language), *lines]))
        if self.hints:
            lines = [f"  - {hint}" for hint in self.hints]
            parts.append("\n".join([say("propose.hints", language), *lines]))
        return self.schema.to_toml(comments, "\n\n".join(parts))


@dataclass
class _Draft:
    language: str
    reading: ReadingSchema
    id: str | None = None
    opt_out: str | None = None
    indicators: dict[str, IndicatorSchema] = field(default_factory=dict)
    value: dict[str, ValueSchema] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
    numbers: dict[str, Array] = field(default_factory=dict)
    levels: dict[str, Levels] = field(default_factory=dict)

    def say(self, key: str, **values: object) -> str:
        return say(f"propose.{key}", self.language, **values)

    def set_aside(self, column: str, key: str, **values: object) -> None:
        self.aside[column] = self.say(key, **values)


def propose_file(
    path: str | Path, language: str = "en", basis: str | None = None
) -> tuple[Proposal, Any]:
    """Return the proposal for a file, with how to read it, and the file's frame.

    Parameters
    ----------
    path
        A CSV, Parquet or Excel file.
    language, basis
        As in `propose`.

    Raises
    ------
    FileError
        Where the file cannot be read.
    DataError
        Where no column can be an indicator.
    """
    text = Path(path).suffix.lower() in (".csv", ".txt", ".tsv") and Path(path).is_file()
    reading = ReadingSchema(encoding=guess_encoding(path) if text else None)
    frame = read_table(path, reading)
    consenting = _leave_out_objections(to_pandas(frame), _Draft(language, reading))
    reading = reading.model_copy(update={"decimal": find_decimal(consenting, reading)})
    return propose(frame, language, basis, reading), frame


def find_decimal(frame: Any, reading: ReadingSchema) -> str | None:
    """Return the decimal sign that the text cells of a frame agree on, None if they do not say."""
    commas = points = 0
    data = to_pandas(frame)
    for place in range(data.shape[1]):
        column = data.iloc[:, place]
        if column.dtype.kind not in "OT" and str(column.dtype) not in ("str", "string"):
            continue
        read = read_numbers(column, reading)
        good = np.isfinite(read.values)
        if good.sum() + read.comma.sum() < MOSTLY * (good | read.bad | read.comma).sum():
            continue
        commas += int(read.comma.sum())
        points += int((read.values[good] != np.floor(read.values[good])).sum())
    if commas and not points:
        return ","
    return "." if points and not commas else None


def propose(
    frame: Any,
    language: str = "en",
    basis: str | None = None,
    reading: ReadingSchema | None = None,
) -> Proposal:
    """Return a schema for a frame, with the reasons for it.

    Parameters
    ----------
    frame
        Any frame that narwhals takes.
    language
        Language of the reasons, and of the schema.
    basis
        One of ``value``, ``behavioural``, ``needs``, ``technographic``: only columns whose names
        belong to it become indicators. None takes every column that can be one.
    reading
        How text cells are read.

    Raises
    ------
    DataError
        Where no column can be an indicator.
    """
    if basis is not None:
        one_of(basis, "basis", tuple(BASES))
    data = to_pandas(frame)
    draft = _Draft(language, reading or ReadingSchema())
    data = _leave_out_objections(data, draft)
    for column in dict.fromkeys(data.columns):
        if column != draft.opt_out:
            _place(data[column], column, draft)
    _keep_value_apart(draft, basis)
    if basis is not None:
        kept = columns_of(draft.indicators, basis)
        for column in [name for name in draft.indicators if name not in kept]:
            _drop(column, draft, "other_basis", basis=basis)
    if not draft.indicators:
        raise DataError(say("propose.nothing", language))
    _add_hints(draft)
    schema = Schema(
        id=draft.id,
        opt_out=draft.opt_out,
        indicators=draft.indicators,
        value=draft.value,
        reading=draft.reading,
        language=language,
    )
    return Proposal(schema, draft.reasons, draft.aside, tuple(draft.hints))


def _leave_out_objections(data: Any, draft: _Draft) -> Any:
    """Return the rows of customers who clearly do not object: the others are not even looked at."""
    for column in data.columns:
        if not names(column, "opt out"):
            continue
        read = read_levels(data[column], draft.reading)
        meanings = [folded(level) for level in read.levels]
        yes = np.array([*(meaning in YES for meaning in meanings), False])[read.codes]
        no = np.array([*(meaning in NO for meaning in meanings), False])[read.codes]
        unclear = (read.codes >= 0) & ~yes & ~no
        if (yes | no).sum() < max(unclear.sum(), 1):
            continue
        draft.opt_out = column
        draft.hints.append(draft.say("opt_out", column=column))
        if unclear.any():
            count = int(unclear.sum())
            draft.hints.append(draft.say("opt_out_unclear", column=column, count=count))
        return data.loc[~(yes | unclear)].reset_index(drop=True)
    return data


def _place(cells: Any, column: str, draft: _Draft) -> None:
    """Give one column its role."""
    if getattr(cells, "ndim", 1) != 1:
        draft.set_aside(column, "twice")
        return
    read = read_levels(cells, draft.reading)
    present, distinct = int((read.codes >= 0).sum()), len(read.levels)
    if present == 0:
        draft.set_aside(column, "empty")
    elif distinct == 1:
        draft.set_aside(column, "constant")
    elif names(column, "id") and distinct >= MOSTLY * present and not names(column, "value"):
        _place_id(column, present == len(cells), draft, repeated=present - distinct)
    elif names(column, "outcome"):
        draft.set_aside(column, "outcome")
    elif names(column, "grouping"):
        draft.set_aside(column, "grouping")
    elif names(column, "code") and distinct > MOST_LEVELS:
        draft.set_aside(column, "code")
    else:
        _place_content(cells, column, read, present, draft)


def _place_id(column: str, complete: bool, draft: _Draft, repeated: int = 0) -> None:
    if draft.id is None and complete:
        draft.id = column
        draft.set_aside(column, "id")
        if repeated:
            draft.hints.append(draft.say("id_repeated", column=column, count=repeated))
    else:
        draft.set_aside(column, "all_different")


def _place_content(cells: Any, column: str, read: Levels, present: int, draft: _Draft) -> None:
    numbers = _numbers(cells, draft)
    values = numbers.values[np.isfinite(numbers.values)]
    if cells.dtype.kind == "M" or (len(values) < present and _are_dates(read)):
        draft.set_aside(column, "date")
    elif len(values) >= MOSTLY * present and len(np.unique(values)) > 1:
        if len(read.levels) == 2:
            _place_levels(column, read, draft)
        else:
            _place_numbers(column, numbers, values, present, draft)
    elif len(read.levels) > MOST_LEVELS and (unit := _unit_of(read)):
        draft.set_aside(column, "unit", unit=unit)
    elif len(read.levels) == present:
        _place_id(column, present == len(cells), draft)
    elif np.mean([len(level) for level in read.levels]) > LONG_TEXT:
        draft.set_aside(column, "free_text")
    elif len(read.levels) > MOST_LEVELS:
        draft.set_aside(column, "many_levels", levels=len(read.levels))
    else:
        draft.levels[column] = read
        _place_levels(column, read, draft)


def _place_levels(column: str, read: Levels, draft: _Draft) -> None:
    if len(read.levels) > 2:
        draft.indicators[column] = IndicatorSchema(family="categorical")
        draft.reasons[column] = draft.say("few_levels", levels=len(read.levels))
        return
    success = default_success(read.levels)
    draft.indicators[column] = IndicatorSchema(family="bernoulli", success=success)
    draft.reasons[column] = draft.say("two_values", success=success)


def _numbers(cells: Any, draft: _Draft) -> Numbers:
    """Return the cells as numbers; ambiguous ones for the moment with a decimal point."""
    numbers = read_numbers(cells, draft.reading)
    if numbers.ambiguous.any():
        return read_numbers(cells, draft.reading.model_copy(update={"decimal": "."}))
    return numbers


def _place_numbers(
    column: str, numbers: Numbers, values: Array, present: int, draft: _Draft
) -> None:
    distinct = np.unique(values)
    if _is_running(values, distinct):
        draft.set_aside(column, "running")
        return
    if names(column, "period") and len(distinct) < 0.1 * len(values):
        draft.set_aside(column, "period")
        return
    choice = choose_family(values, column)
    said = {
        name: percent(x, draft.language) if name == "share" else number(x, draft.language)
        for name, x in choice.values.items()
    }
    if len(values) < present:
        draft.hints.append(draft.say("not_numbers", column=column, count=present - len(values)))
    draft.indicators[column] = IndicatorSchema(family=choice.family)
    draft.reasons[column] = draft.say(choice.reason, **said)
    draft.numbers[column] = np.where(np.isfinite(numbers.values), numbers.values, np.nan)
    if names(column, "value") and len(distinct) > MOST_LEVELS:
        draft.value[column] = ValueSchema(currency=_currency(column))


def _is_running(values: Array, distinct: Array) -> bool:
    """Return whether whole numbers count the rows."""
    whole = bool(np.all(distinct == np.floor(distinct)))
    every = len(distinct) == len(values) == distinct[-1] - distinct[0] + 1
    return whole and every and len(values) >= 20


def _are_dates(read: Levels) -> bool:
    return sum(bool(_DATE.match(level)) for level in read.levels) >= MOSTLY * len(read.levels)


def _unit_of(read: Levels) -> str | None:
    """Return the sign that mostly stands beside numbers, such as € or %."""
    found = [match for level in read.levels if (match := _WITH_UNIT.fullmatch(level.strip()))]
    if len(found) < MOSTLY * len(read.levels):
        return None
    units = Counter(match["before"] or match["after"] for match in found)
    return units.most_common(1)[0][0]


def _currency(column: str) -> str | None:
    found = [_CURRENCIES[word] for word in words_of(column) if word in _CURRENCIES]
    if "€" in column:
        return "EUR"
    return found[0] if found else None


def _keep_value_apart(draft: _Draft, basis: str | None) -> None:
    """Set value columns aside where there is enough else: they follow from the indicators."""
    others = [name for name in draft.indicators if name not in draft.value]
    if basis == "value" or len(others) < ENOUGH_OTHERS:
        for column in draft.value:
            draft.hints.append(draft.say("value_is_indicator", column=column))
        return
    for column in draft.value:
        _drop(column, draft, "value_apart")


def _drop(column: str, draft: _Draft, key: str, **values: object) -> None:
    del draft.indicators[column]
    del draft.reasons[column]
    draft.set_aside(column, key, **values)


def _add_hints(draft: _Draft) -> None:
    for column in draft.value:
        if draft.value[column].currency is None:
            draft.hints.append(draft.say("currency", column=column))
    sensitive = [name for name in draft.indicators if names(name, "sensitive")]
    if sensitive:
        draft.hints.append(draft.say("sensitive", columns=", ".join(sensitive)))
    kept = {name: draft.numbers[name] for name in draft.indicators if name in draft.numbers}
    levels = {name: draft.levels[name] for name in draft.indicators if name in draft.levels}
    draft.hints.extend(dependence_hints(kept, levels, draft.language))
