"""Units of inputs and what they are in base units: shares, years, and whole currency."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from softseg.errors import SchemaError

type Kind = Literal["share", "points", "amount", "rate", "years", "count", "factor"]
"""`points`: percentage points, a difference of shares. `rate`: an amount a year."""

PLAIN: Final[dict[str, tuple[Kind, float]]] = {
    "share": ("share", 1.0),
    "%": ("share", 0.01),
    "pp": ("points", 0.01),
    "years": ("years", 1.0),
    "count": ("count", 1.0),
    "count/year": ("count", 1.0),
    "points": ("count", 1.0),
    "factor": ("factor", 1.0),
}
AMOUNT: Final = re.compile(r"^([kM]?)([A-Z]{3})(/year)?$")
PREFIX: Final = {"": 1.0, "k": 1e3, "M": 1e6}


@dataclass(frozen=True)
class Unit:
    """A unit.

    Attributes
    ----------
    kind
        What it measures.
    scale
        How many base units it is: 0.01 for ``%``, 1000 for ``kEUR``.
    currency
        Of an amount, else None.
    """

    kind: Kind
    scale: float
    currency: str | None = None


def read_unit(text: str) -> Unit:
    """Return the unit that a text names.

    Raises
    ------
    SchemaError
        Where it names none.
    """
    if text in PLAIN:
        return Unit(*PLAIN[text])
    found = AMOUNT.match(text)
    if not found:
        known = ", ".join([*PLAIN, "EUR", "kEUR", "MEUR", "EUR/year"])
        raise SchemaError(f"Choose a unit such as {known}, got {text!r}.")
    prefix, currency, yearly = found.groups()
    return Unit("rate" if yearly else "amount", PREFIX[prefix], currency)
