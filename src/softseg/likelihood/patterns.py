"""Distinct rows of a table in sorted order, found with as little sorting as possible.

The order is that of the columns, the first one weighing most, gaps last. Columns of few whole
numbers (levels, small counts) are written together as one number of mixed base: such a table of a
million rows is counted, not sorted. Where a column of amounts comes, rows are sorted by it, and a
further column is looked at only for the rows that are still equal; with one column of distinct
amounts that ends at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array

MOST_CODES: Final = 1 << 62
"""Numbers of mixed base that fit into an integer."""
COUNTED: Final = 1 << 20
"""Up to so many possible rows, or as many as there are rows, they are counted."""
LOOKED_AT: Final = 1000


@dataclass(frozen=True)
class Distinct:
    """Distinct rows.

    Attributes
    ----------
    row
        A row of each pattern, patterns sorted; (pattern,).
    pattern_of_row
        Pattern of each row; (row,).
    """

    row: NDArray[np.intp]
    pattern_of_row: NDArray[np.intp]


def distinct(columns: Sequence[Array]) -> Distinct:
    """Return the distinct rows of some columns (row,), sorted; NaN equals NaN and comes last."""
    n_rows = len(columns[0])
    if n_rows == 1:
        only = np.zeros(1, dtype=np.intp)
        return Distinct(only, only)
    keys: Iterator[tuple[NDArray[Any], int | None]] = _keys(columns)
    key, n_codes = next(keys)
    if n_codes is not None and n_codes <= max(COUNTED, n_rows):
        following = list(islice(keys, 1))
        if not following:
            return _counted(key, n_codes)
        keys = chain(following, keys)
    order = np.argsort(key, kind="stable")
    new = np.ones(n_rows, dtype=bool)
    new[1:] = key[order[1:]] != key[order[:-1]]
    for key, _ in keys:
        if new.all():
            break
        _refine(order, new, key)
    pattern_of_row = np.empty(n_rows, dtype=np.intp)
    pattern_of_row[order] = np.cumsum(new) - 1
    return Distinct(order[new], pattern_of_row)


def _counted(key: NDArray[np.int64], n_codes: int) -> Distinct:
    """Return the distinct rows by looking which of all possible ones there are."""
    first = np.full(n_codes, -1, dtype=np.intp)
    first[key[::-1]] = np.arange(len(key))[::-1]
    present = first >= 0
    return Distinct(first[present], (np.cumsum(present) - 1)[key])


def _refine(order: NDArray[np.intp], new: NDArray[np.bool_], key: NDArray[Any]) -> None:
    """Sort rows that are equal so far by a further key, in place."""
    follows = np.append(~new[1:], False)
    tied = np.flatnonzero(~new | follows)
    rows = order[tied]
    group = np.cumsum(new[tied])
    by_key = np.lexsort((key[rows], group))
    rows, group = rows[by_key], group[by_key]
    order[tied] = rows
    new[tied[1:]] = (group[1:] != group[:-1]) | (key[rows[1:]] != key[rows[:-1]])


def _keys(columns: Sequence[Array]) -> Iterator[tuple[NDArray[Any], int | None]]:
    """Yield sorting keys: columns of amounts one by one, those of whole numbers together.

    With the latter comes the number of values they may have.
    """
    packed, size = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        found = _whole(column)
        if found is None:
            if size > 1:
                yield packed, size
            yield np.where(np.isnan(column), np.inf, column), None
            packed, size = np.zeros(len(column), dtype=np.int64), 1
            continue
        codes, n_codes = found
        if size * n_codes > MOST_CODES:
            yield packed, size
            packed, size = codes, n_codes
        else:
            packed, size = packed * n_codes + codes, size * n_codes
    if size > 1:
        yield packed, size


def _whole(column: Array) -> tuple[NDArray[np.int64], int] | None:
    """Return codes from 0 on and how many there may be, None where a cell is no small number."""
    head = column[:LOOKED_AT]
    if np.any((head != np.floor(head)) & ~np.isnan(head)):
        return None
    missing = np.isnan(column)
    values = np.where(missing, 0.0, column)
    low, high = min(values.min(initial=0.0), 0.0), values.max(initial=0.0)
    if not high - low < COUNTED or np.any(values != np.floor(values)):
        return None
    gap = int(high - low) + 1
    codes = (values - low).astype(np.int64)
    codes[missing] = gap
    return codes, gap + 1
