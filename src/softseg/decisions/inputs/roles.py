"""What each role needs: the unit of its inputs, and what their base has to be."""

from collections.abc import Mapping
from typing import Final, get_args

from softseg.decisions.inputs.schema import ROLES, Assumptions, Input
from softseg.decisions.inputs.units import Kind, read_unit
from softseg.errors import SchemaError

KINDS: Final[tuple[Kind, ...]] = get_args(Kind.__value__)
MONEY: Final[tuple[Kind, ...]] = ("amount", "rate")
POINTS: Final = ("margin", "mix")
"""Effects on the margin in points, which need no contribution margin."""
GROWTH: Final = ("running_cost", "working_capital")
"""Roles that may be a share of the additional revenue."""
FREE: Final = ("base", "metric")
"""Roles of any unit, which may have a base."""
TIMED: Final = ("running_cost", "revenue_effect", "saving", "cash_release", "learning")
"""Roles with a ramp."""

_UNITS: Final[Mapping[str, tuple[Kind, ...]]] = {
    **dict.fromkeys(ROLES, ("share",)),
    **dict.fromkeys(FREE, KINDS),
    "revenue": ("rate",),
    "price_elasticity": ("factor",),
    "delay": ("years",),
    "one_off_cost": ("amount", "share"),
    "running_cost": ("rate", "share"),
    "saving": ("rate", "share"),
    "cash_release": ("amount", "share"),
}
PRODUCTS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "one_off_cost": MONEY,
    "running_cost": MONEY,
    "saving": ("rate",),
    "cash_release": ("amount",),
    "revenue_effect": ("rate",),
}
"""What an input times its base has to be, for the roles that take a base."""


def units_of(entry: Input) -> tuple[Kind, ...]:
    """Return the kinds of unit that an input of its role and effect may have."""
    if entry.role == "revenue_effect" and entry.effect in POINTS:
        return ("points", "share")
    return _UNITS[entry.role]


def kind_of(entry: Input) -> Kind | None:
    """Return the kind of an input's own unit, None where the unit is unknown."""
    try:
        return read_unit(entry.unit).kind
    except SchemaError:
        return None


def circle(assumptions: Assumptions, name: str) -> tuple[str, ...]:
    """Return the bases that lead from an input back to itself, empty where none do."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        entry = assumptions.inputs.get(way[-1])
        for base in entry.base if entry else ():
            if base == name:
                return (*way, name)
            if base not in seen:
                seen.add(base)
                ways.append((*way, base))
    return ()
