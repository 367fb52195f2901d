"""Checks of arguments, shared by all rooms: each says what to give, what was expected and got."""

from collections.abc import Collection
from numbers import Real
from typing import Any

import numpy as np

from softseg.errors import UsageError


def whole_number(value: Any, name: str, least: int = 0, most: int | None = None) -> int:
    """Return the value as a whole number within its bounds.

    Raises
    ------
    UsageError
        Where it is not one.
    """
    fits = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not fits or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"Give {name} as a whole number {bounds}, got {value!r}.")
    return int(value)


def positive(value: Any, name: str) -> float:
    """Return the value as a finite number above 0.

    Raises
    ------
    UsageError
        Where it is not one.
    """
    if not _is_number(value) or not 0 < value < np.inf:
        raise UsageError(f"Give {name} as a finite number above 0, got {value!r}.")
    return float(value)


def probability(value: Any, name: str) -> float:
    """Return the value as a number from 0 to 1.

    Raises
    ------
    UsageError
        Where it is not one.
    """
    if not _is_number(value) or not 0 <= value <= 1:
        raise UsageError(f"Give {name} as a number from 0 to 1, got {value!r}.")
    return float(value)


def one_of[T](value: T, name: str, choices: Collection[T]) -> T:
    """Return the value where it is one of the choices.

    Raises
    ------
    UsageError
        Where it is none of them.
    """
    if value not in choices:
        raise UsageError(f"Choose {name} out of {list(choices)}, got {value!r}.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)
