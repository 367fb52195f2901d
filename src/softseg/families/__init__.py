"""What one indicator can be: one file each, found by scanning this folder.

A module of this folder that defines ``FAMILY`` is a family; there is no list to edit.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from softseg.errors import SchemaError
from softseg.families.base import Family

__all__ = ["Family", "families", "family"]


@cache
def families() -> dict[str, Family]:
    """Return every family of this folder by its name."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    found = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    return {member.name: member for member in sorted(found, key=lambda member: member.name)}


def family(name: str) -> Family:
    """Return the family of this name.

    Raises
    ------
    SchemaError
        Where there is none of this name.
    """
    if name not in families():
        raise SchemaError(f"Choose a family out of {list(families())}, got {name!r}.")
    return families()[name]
