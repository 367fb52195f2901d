"""What can be wrong with a table: a fault says what, where and how to mend it, in words.

A fault never names a customer. The catalogue's entries are ``fault.<code>``: what was found and
the remedy, in one or two sentences.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softseg.wording import number, percent, say

type Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Fault:
    """One fault of a table.

    Attributes
    ----------
    code
        What is wrong; the catalogue has its words under ``fault.<code>``.
    column
        The column, None where the whole table is meant.
    count
        How many rows have it; 0 where rows do not matter.
    first_row
        First of these rows, 1 being the first below the header; None where there is none.
    severity
        An error stops the fit, a warning changes or endangers it, a note is for information.
    values
        What else the words say.
    """

    code: str
    column: str | None
    count: int = 0
    first_row: int | None = None
    severity: Severity = "error"
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, language: str = "en") -> str:
        """Return the fault in words: what, where, and the remedy."""
        said = {key: _said(value, key, language) for key, value in self.values.items()}
        message = say(f"fault.{self.code}", language, column=self.column or "", **said)
        if self.count == 0:
            return message
        if self.first_row is None:
            return f"{message} {say('fault.rows', language, count=number(self.count, language))}"
        where = say(
            "fault.rows_from", language, count=number(self.count, language), row=self.first_row
        )
        return f"{message} {where}"


def rows_of(mask: NDArray[np.bool_], rows: NDArray[np.int64]) -> tuple[int, int | None]:
    """Return how many rows a mask marks, and the number of the first one."""
    marked = np.flatnonzero(mask)
    return len(marked), (int(rows[marked].min()) if len(marked) else None)


def _said(value: Any, key: str, language: str) -> str:
    if isinstance(value, str):
        return say(value, language) if value.startswith("domain.") else value
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    return percent(value, language) if key == "share" else number(value, language)
