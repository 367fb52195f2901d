"""Every message and label of the package, English and German, from one catalogue.

The catalogue is a folder of TOML files, one per room. An entry has a key with its room's prefix
and one sentence per language, with the same placeholders in each:

    ["fault.missing_id"]
    en = "Fill the column {column!r}: {count} rows have no id."
    de = "Die Spalte {column!r} füllen: {count} Zeilen haben keine Kennung."
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from softseg.errors import UsageError
from softseg.wording.numbers import money, number, percent

__all__ = ["LANGUAGES", "catalogue", "has", "money", "number", "percent", "say"]

LANGUAGES: Final = ("en", "de")
"""Languages of every message, the first one being the default."""


def say(key: str, language: str = "en", **values: object) -> str:
    """Return the catalogue's text for a key, its placeholders filled in.

    Parameters
    ----------
    key
        Key of the entry, for instance ``"fault.missing_id"``.
    language
        One of `LANGUAGES`.
    **values
        What the placeholders stand for. Numbers are best given as text, see `number`.

    Raises
    ------
    UsageError
        Where the language is unknown.
    KeyError
        Where the catalogue has no such key: a mistake in the program.
    """
    if language not in LANGUAGES:
        raise UsageError(f"Choose a language out of {list(LANGUAGES)}, got {language!r}.")
    return catalogue()[key][language].format(**values)


def has(key: str) -> bool:
    """Return whether the catalogue has an entry of this key."""
    return key in catalogue()


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Return all entries of the catalogue: key, then language, then text."""
    folder = files(__name__) / "catalogue"
    entries: dict[str, Mapping[str, str]] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            add_entries(entries, tomllib.loads(file.read_text(encoding="utf-8")), file.name)
    return entries


def add_entries(entries: dict[str, Mapping[str, str]], new: Mapping[str, Any], source: str) -> None:
    """Add the entries of one file, refusing keys that another file has taken.

    Raises
    ------
    KeyError
        Where a key stands in two files.
    """
    for key, texts in new.items():
        if key in entries:
            raise KeyError(f"Rename the entry {key!r} of {source}: another file has it already.")
        entries[key] = texts
