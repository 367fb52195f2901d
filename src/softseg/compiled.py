"""Machine code kept on disk between processes, and dropped when one of its sources has changed.

numba keeps the code of a function with a stamp of the file the function stands in. The code of
the functions it calls is part of it, but their files are not part of the stamp: after a change
there, or an upgrade of this package, the old code would be served. Here the stamp of a function
covers the files of all compiled functions that its module can reach, and the constants that were
imported. Every module that compiles with ``cache=True`` takes its options from this one.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Self

import numpy as np
from numba.core import caching
from numba.core.dispatcher import Dispatcher

CACHED: Final[dict[str, Any]] = {"cache": True, "nogil": True, "error_model": "numpy"}
"""Options of a compiled function: kept on disk, without the lock of the interpreter."""

FAST: Final[dict[str, Any]] = CACHED | {"fastmath": {"reassoc", "contract", "nsz"}}
"""The same where sums may be taken in another order; infinities and NaN keep their meaning."""

ENTRY: Final[dict[str, Any]] = {"cache": True, "error_model": "numpy"}
"""Options of a C function, which never holds the lock."""

HOME = Path(__file__).resolve().parent
"""Functions below this folder are stamped here, others by numba."""


def stamp(function: Any) -> str:
    """Return a digest of the sources that the machine code of a function is made from.

    Parameters
    ----------
    function
        A plain function. Followed are the compiled functions and the modules of this package
        among the names of its module; names in capitals count as constants.
    """
    found: dict[str, bytes] = {}
    for file, constants in _sources(function.__globals__, set()):
        found[file] = _digest(file, Path(file).stat().st_mtime_ns) + constants
    return sha256(b"".join(found[file] for file in sorted(found))).hexdigest()


def _sources(names: Mapping[str, Any], seen: set[int]) -> Iterator[tuple[str, bytes]]:
    """Give the file of a module and of those it reaches, each with the module's constants."""
    if id(names) in seen:
        return
    seen.add(id(names))
    constants = sorted((n, _plain(v)) for n, v in names.items() if n.isupper())
    yield str(names["__file__"]), repr(constants).encode()
    for value in list(names.values()):
        if isinstance(value, Dispatcher):
            yield from _sources(value.py_func.__globals__, seen)
        elif isinstance(value, ModuleType) and _is_ours(getattr(value, "__file__", None)):
            yield from _sources(vars(value), seen)


def _plain(value: Any) -> str:
    """Return a constant as text; nothing for what cannot be one in compiled code."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{value.tolist()}"
    if isinstance(value, tuple):
        return f"({','.join(map(_plain, value))})"
    return repr(value) if isinstance(value, bool | int | float | str) else ""


def _is_ours(file: str | None) -> bool:
    return file is not None and Path(file).resolve().is_relative_to(HOME)


@lru_cache
def _digest(file: str, changed: int) -> bytes:
    """Return the digest of a file, read again when it was changed."""
    return sha256(Path(file).read_bytes()).digest()


class Followed:
    """Numba's place for a function's machine code, with our stamp in the place of numba's."""

    def __init__(self, place: Any, function: Any) -> None:
        self.place = place
        self.function = function

    def __getattr__(self, name: str) -> Any:
        return getattr(self.place, name)

    def get_source_stamp(self) -> str:
        """Return the stamp of the function."""
        return stamp(self.function)

    @classmethod
    def from_function(cls, function: Any, file: str) -> Self | None:
        """Return the place of a function of this package, None for any other."""
        if not _is_ours(file):
            return None
        for kind in caching.CacheImpl._locator_classes:
            place = None if kind is cls else kind.from_function(function, file)
            if place is not None:
                return cls(place, function)
        return None


# numba has no public way to add a place; PyTensor takes the same one
caching.CacheImpl._locator_classes.insert(0, Followed)
