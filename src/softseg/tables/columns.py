"""One column of a frame as numbers or as levels, whatever type its cells have.

Cells that are text are read here and not by the file reader: whether "1.234" is one or a
thousand, and whether "-" is a gap, is the schema's business and not a library's. Everything runs
on the distinct cells, so that long columns of few values cost little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.tables.schema import ReadingSchema
from softseg.tables.text import folded, level_text

Mask = NDArray[np.bool_]

_SPACES = "\u00a0\u202f\u2009 '’"
_POINT = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_COMMA = r"^[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?$"
_INFINITE = r"^[+-]?(inf|infinity|∞)$"
_GROUPED_POINT = rf"^[+-]?\d{{1,3}}([,{_SPACES}]\d{{3}})+(\.\d*)?$"
_GROUPED_COMMA = rf"^[+-]?\d{{1,3}}([.{_SPACES}]\d{{3}})+(,\d*)?$"
_GROUPED_SPACE = rf"^[+-]?\d{{1,3}}([{_SPACES}]\d{{3}})+(\.\d*)?$"
_LIKE_THOUSANDS = r"^[+-]?[1-9]\d{0,2}([.,]\d{3})+$"
_SHORT_WHOLE = r"^[+-]?\d{1,3}$"

AFFIRMATIVE = ("yes", "true", "1", "ja", "y", "t", "j", "wahr", "x")


@dataclass(frozen=True)
class Numbers:
    """A column read as numbers.

    Attributes
    ----------
    values
        NaN where missing or not readable; (row,).
    bad
        Cells that are not numbers as the schema reads them; (row,).
    comma
        Those of them that are numbers with a decimal comma; (row,).
    ambiguous
        Cells such as "1.234" where nothing in the column says which of its two readings is
        meant; (row,).
    """

    values: Array
    bad: Mask
    comma: Mask
    ambiguous: Mask


@dataclass(frozen=True)
class Levels:
    """A column read as levels: the distinct ones, sorted, and each row's code, −1 where missing."""

    codes: NDArray[np.intp]
    levels: tuple[str, ...]


def read_numbers(column: Any, reading: ReadingSchema) -> Numbers:
    """Return a pandas column as numbers, with what could not be read."""
    import pandas as pd

    nothing = np.zeros(len(column), dtype=bool)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "buif":
        return Numbers(column.to_numpy(dtype=float), nothing, nothing, nothing)
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        return Numbers(values, nothing, nothing, nothing)
    codes, distinct = pd.factorize(column)
    if isinstance(column.dtype, pd.StringDtype):
        return _spread(codes, *_read_texts(distinct, reading))
    cells = list(distinct)
    is_number = np.array([_is_number(cell) for cell in cells], dtype=bool)
    values, bad = np.full(len(cells), np.nan), np.zeros(len(cells), dtype=bool)
    comma, ambiguous = bad.copy(), bad.copy()
    values[is_number] = [float(cell) for cell in cells if _is_number(cell)]
    is_text = np.array([isinstance(cell, str) for cell in cells], dtype=bool)
    bad[~is_number & ~is_text] = True
    texts = [cell for cell in cells if isinstance(cell, str)]
    values[is_text], bad[is_text], comma[is_text], ambiguous[is_text] = _read_texts(texts, reading)
    return _spread(codes, values, bad, comma, ambiguous)


def _spread(codes: NDArray[np.intp], values: Array, *masks: Mask) -> Numbers:
    """Return what was read of the distinct cells for every row; the code −1 is a gap."""
    return Numbers(np.append(values, np.nan)[codes], *(np.append(m, False)[codes] for m in masks))


def read_levels(column: Any, reading: ReadingSchema) -> Levels:
    """Return a pandas column as levels."""
    codes, distinct = _distinct(column)
    texts = [level_text(cell) for cell in distinct]
    markers = {folded(marker) for marker in reading.missing}
    known = sorted_levels({text for text in texts if folded(text) not in markers})
    place = {text: code for code, text in enumerate(known)}
    lookup = np.array([*(place.get(text, -1) for text in texts), -1], dtype=np.intp)
    return Levels(lookup[codes], tuple(known))


def _distinct(column: Any) -> tuple[NDArray[np.intp], Any]:
    """Return each row's place among the distinct cells, −1 where missing, and these cells."""
    import pandas as pd

    if not isinstance(column.dtype, pd.CategoricalDtype):
        return pd.factorize(column)
    # Its codes are there already; categories that no row has are no cells.
    codes, categories = column.array.codes, column.array.categories
    used = np.bincount(codes[codes >= 0], minlength=len(categories)) > 0
    place = np.append(np.cumsum(used) - 1, -1)
    return place[codes], categories.to_numpy(dtype=object)[used]


def sorted_levels(levels: set[str]) -> list[str]:
    """Return levels in the order people expect: by value where all are numbers, else by letter."""
    try:
        return sorted(levels, key=lambda level: (float(level.replace(",", ".")), level))
    except ValueError:
        return sorted(levels, key=lambda level: (level.casefold(), level))


def default_success(levels: Sequence[str]) -> str:
    """Return which of two levels is the success where nobody says: the affirmative, or the last."""
    affirmative = [level for level in levels if folded(level) in AFFIRMATIVE]
    return affirmative[0] if len(affirmative) == 1 else levels[-1]


def _is_number(cell: Any) -> bool:
    return isinstance(cell, Real | Decimal | np.bool_)


def _read_texts(texts: Any, reading: ReadingSchema) -> tuple[Array, Mask, Mask, Mask]:
    """Return values, and which are bad, have a decimal comma, are ambiguous; one per text."""
    import pyarrow as pa
    import pyarrow.compute

    # Its functions are made at import, so that a type checker does not see them.
    pc: Any = pyarrow.compute
    if len(texts) == 0:
        nothing = np.zeros(0, dtype=bool)
        return np.zeros(0), nothing, nothing, nothing
    text = pc.utf8_trim_whitespace(pa.array(texts, pa.large_string()))
    text = pc.replace_substring(text, "−", "-")

    def fits(pattern: str, where: Any = text) -> Mask:
        return pc.match_substring_regex(where, pattern).to_numpy(zero_copy_only=False)

    markers = pa.array([folded(marker) for marker in reading.missing], pa.large_string())
    missing = pc.is_in(pc.utf8_lower(text), markers).to_numpy(zero_copy_only=False)
    infinite = pc.match_substring_regex(text, _INFINITE, ignore_case=True)
    infinite = infinite.to_numpy(zero_copy_only=False) & ~missing
    ambiguous = np.zeros(len(texts), dtype=bool)
    if reading.decimal == ",":
        grouped, separators, plain = fits(_GROUPED_COMMA), f"[.{_SPACES}]", _COMMA
    elif reading.decimal == ".":
        grouped, separators, plain = fits(_GROUPED_POINT), f"[,{_SPACES}]", _POINT
    else:
        grouped, separators, plain = fits(_GROUPED_SPACE), f"[{_SPACES}]", _POINT
        ambiguous = _ambiguous(fits(_LIKE_THOUSANDS), fits(_SHORT_WHOLE), missing)
    joined = pc.if_else(grouped, pc.replace_substring_regex(text, separators, ""), text)
    good = fits(plain, joined) & ~missing
    if reading.decimal == ",":
        joined = pc.replace_substring(joined, ",", ".")
    bad = ~(good | missing | infinite | ambiguous)
    comma = bad & (fits(_COMMA) | fits(_GROUPED_COMMA)) & (reading.decimal is None)
    numbers = pc.cast(pc.if_else(good & ~ambiguous, joined, None), pa.float64())
    values = numbers.to_numpy(zero_copy_only=False).astype(float)
    negative = fits("^-")
    values[infinite] = np.where(negative[infinite], -np.inf, np.inf)
    return values, bad, comma, ambiguous


def _ambiguous(like_thousands: Mask, short_whole: Mask, missing: Mask) -> Mask:
    """Return the cells like "1.234" where no other cell of the column settles their meaning."""
    settled = ~(like_thousands | short_whole | missing)
    return like_thousands & ~settled.any()
