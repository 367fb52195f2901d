"""Spreadsheet formulas that know their value.

A `Formula` is the text of a formula and the number it gives. Arithmetic on formulas makes longer
ones, so that the functions that build a sheet read like the calculation that they mirror, and the
cached value of a cell can never belong to another formula.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_SUM, _PRODUCT, _ATOM = 1, 2, 3


@dataclass(frozen=True)
class Formula:
    """A formula, or a reference to a cell.

    Attributes
    ----------
    text
        As it stands behind the equals sign.
    value
        What it gives.
    rank
        How tightly its last operation binds.
    fixed
        Whether it is a number that no cell can change.
    """

    text: str
    value: float
    rank: int = _ATOM
    fixed: bool = False

    def __add__(self, other: "Formula | float") -> "Formula":
        other = literal(other)
        if self.is_number(0.0):
            return other
        if other.is_number(0.0):
            return self
        text = f"{self._at(_SUM)}+{other._at(_SUM)}"
        return Formula(text, self.value + other.value, _SUM)

    def __sub__(self, other: "Formula | float") -> "Formula":
        other = literal(other)
        if other.is_number(0.0):
            return self
        text = f"{self._at(_SUM)}-{other._at(_PRODUCT)}"
        return Formula(text, self.value - other.value, _SUM)

    def __mul__(self, other: "Formula | float") -> "Formula":
        other = literal(other)
        if self.is_number(0.0) or other.is_number(0.0):
            return ZERO
        if self.is_number(1.0):
            return other
        if other.is_number(1.0):
            return self
        text = f"{self._at(_PRODUCT)}*{other._at(_PRODUCT)}"
        return Formula(text, self.value * other.value, _PRODUCT)

    def __truediv__(self, other: "Formula | float") -> "Formula":
        other = literal(other)
        text = f"{self._at(_PRODUCT)}/{other._at(_ATOM)}"
        return Formula(text, self.value / other.value, _PRODUCT)

    def __pow__(self, other: "Formula | float") -> "Formula":
        # Excel and Python disagree about chains of powers and about signs: always in brackets.
        other = literal(other)
        text = f"({self._at(_ATOM)}^{other._at(_ATOM)})"
        return Formula(text, self.value**other.value)

    def __radd__(self, other: float) -> "Formula":
        return literal(other) + self

    def __rsub__(self, other: float) -> "Formula":
        return literal(other) - self

    def __rmul__(self, other: float) -> "Formula":
        return literal(other) * self

    def is_number(self, x: float) -> bool:
        """Return whether this is that number, whatever the cells hold."""
        return self.fixed and self.value == x

    def _at(self, rank: int) -> str:
        return self.text if self.rank >= rank else f"({self.text})"


def literal(x: Formula | float) -> Formula:
    """Return a number as a formula; formulas stay as they are."""
    if isinstance(x, Formula):
        return x
    x = float(x)
    text = str(int(x)) if x.is_integer() and abs(x) < 1e15 else repr(x).upper()
    return Formula(text, x, _ATOM if x >= 0 else _SUM, fixed=True)


ZERO: Final = literal(0.0)
ONE: Final = literal(1.0)


def total(parts: Iterable[Formula]) -> Formula:
    """Return the sum of formulas, 0 for none."""
    result = ZERO
    for part in parts:
        result = result + part
    return result


def product(parts: Iterable[Formula]) -> Formula:
    """Return the product of formulas, 1 for none."""
    result = ONE
    for part in parts:
        result = result * part
    return result


def positive(x: Formula) -> Formula:
    """Return the positive part of a formula."""
    return Formula(f"MAX(0,{x.text})", max(0.0, x.value))


def up_to_one(x: Formula) -> Formula:
    """Return a formula, cut off above 1."""
    return Formula(f"MIN(1,{x.text})", min(1.0, x.value))


def distance(x: Formula, y: Formula | float) -> Formula:
    """Return how far apart two formulas are."""
    apart = x - y
    return Formula(f"ABS({apart.text})", abs(apart.value))


def at_most(x: Formula, y: Formula) -> Formula:
    """Return the condition that one formula is not above another."""
    return Formula(f"{x.text}<={y.text}", float(x.value <= y.value), 0)


def same(x: Formula, y: Formula) -> Formula:
    """Return the condition that two formulas are equal."""
    return Formula(f"{x.text}={y.text}", float(x.value == y.value), 0)


def both(first: Formula, second: Formula) -> Formula:
    """Return the condition that two conditions hold."""
    return Formula(f"AND({first.text},{second.text})", first.value * second.value)


def when(condition: Formula, then: Formula) -> Formula:
    """Return a formula where a condition holds, else 0."""
    value = then.value if condition.value else 0.0
    return Formula(f"IF({condition.text},{then.text},0)", value)


def ratio(above: Formula, below: Formula, nothing: str) -> Formula:
    """Return a quotient, or a dash where the divisor is 0 or less (then the value is NaN)."""
    value = above.value / below.value if below.value > 0 else float("nan")
    text = f'IF({below.text}>0,{above._at(_PRODUCT)}/{below._at(_ATOM)},"{nothing}")'
    return Formula(text, value)


def elsewhere(cell: Formula, sheet: str) -> Formula:
    """Return a reference as it is written on other sheets."""
    return Formula(f"{sheet}!{cell.text}", cell.value)
