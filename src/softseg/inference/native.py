"""Nutpie's native entry: a compiled density is called without Python and without PyTensor.

nutpie (Seyboldt et al. 2026) calls a density that PyMC and numba have compiled through a C
function and a pointer to its data. The same entry takes any C function. Ours reads its arrays
through a table of pointers, so that one compiled function, kept on disk, serves every table of
customers. The table holds an affine map as well: nutpie moves y, the density is that of the point
centre + factor · y, and the draws are points again.

The entry is private to nutpie: `obstacle` compares the version and the signatures with those this
file was written for.
"""

from collections.abc import Callable, Mapping, Sequence
from ctypes import CFUNCTYPE, c_int32, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from sys import modules
from typing import Any, Final

import numpy as np
from numba import carray, cfunc, njit, types  # pyright: ignore[reportPrivateImportUsage]
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from softseg.compiled import CACHED, ENTRY, FAST
from softseg.families.base import Array

VERSION: Final = "0.16.11"
SIGNATURES: Final[Mapping[str, str]] = {
    "LogpFunc": "(ptr, user_data_ptr, keep_alive)",
    "ExpandFunc": "(dim, expanded_dim, ptr, user_data_ptr, keep_alive)",
    "PyMcModel": (
        "(density, expand, variables, dim, dim_sizes, coords, init_func, transform_adapter)"
    ),
    "PyVariable.new_variables": "($cls, names, item_types, shapes, dim_sizes, dims)",
    "PyNutsSettings.Diag": "(seed=None)",
    "PyNutsSettings.update": "($self, kwargs)",
    "PySampler.from_pymc": (
        "(settings, cores, model, progress_type, extra_callback, extra_callback_rate, store)"
    ),
    "PySampler.wait": "($self, timeout_seconds=None)",
    "PySampler.take_results": "($self)",
    "PySampler.abort": "($self)",
    "PyStorage.arrow": "()",
    "ProgressType.none": "()",
}
"""What is used of nutpie's `_lib`, as version 0.16.11 has it."""

POINT: Final = "point"
"""Name of the one variable of the draws."""

TELL_EVERY: Final = 100
"""Milliseconds between two calls of the progress callback."""

WIDEST: Final = 10.0
"""Directions whose curvature promises more are taken to be this wide."""

Pointer = types.CPointer
DENSITY: Final = types.int32(
    types.uint64,
    Pointer(types.float64),
    Pointer(types.float64),
    Pointer(types.float64),
    Pointer(types.voidptr),
)
"""Size, position, gradient to write, value to write, table of pointers; returns a status."""
EXPAND: Final = types.int32(
    types.uint64,
    types.uint64,
    Pointer(types.float64),
    Pointer(types.float64),
    Pointer(types.voidptr),
)
"""Size, size of the output, position, output to write, table of pointers; returns a status."""

FINE: Final = 0
REJECTED: Final = 1
"""Above 0 a status is a divergence to nutpie; below 0 its thread would panic."""

SIZES, CENTRE, FACTOR, FIRST = range(4)
"""Places in the table of pointers: the shapes of the arrays, the affine map, then the density's."""


@dataclass(frozen=True)
class Density:
    """A log density of real coordinates as machine code.

    Attributes
    ----------
    function
        From `numba.cfunc` with the signature `DENSITY`. It finds its arrays by `shape_at` and
        `carray`, and takes the map by `moved` and `turned`.
    arrays
        What it reads, from the place `FIRST` on; C-contiguous, one or two axes.
    n
        Number of coordinates.
    """

    function: Any
    arrays: tuple[Array, ...]
    n: int


@dataclass(frozen=True)
class Affine:
    """The map point = centre + factor · y, fixed before the first step.

    A gradient sampler moves best where the posterior has the same width in every direction.
    nutpie adapts widths along the axes; where segments overlap or cells are missing, the narrow
    directions lie across them, and the root of the covariance at a mode straightens them. Whatever
    the map is, the draws are exact.

    Attributes
    ----------
    centre
        Shape (coordinate,).
    factor
        Lower triangular, shape (coordinate, coordinate).
    """

    centre: Array
    factor: Array

    @classmethod
    def identity(cls, n: int) -> "Affine":
        """Return the map that changes nothing."""
        return cls(np.zeros(n), np.eye(n))

    @classmethod
    def at(cls, centre: Array, covariance: Array) -> "Affine":
        """Return the map that makes a covariance round; no direction is wider than `WIDEST`."""
        widths, vectors = np.linalg.eigh(covariance)
        kept = np.clip(widths, 1e-12, WIDEST**2)
        return cls(centre, np.linalg.cholesky((vectors * kept) @ vectors.T))

    def inverse(self, point: Array) -> Array:
        """Return y, shape (coordinate,)."""
        return solve_triangular(self.factor, point - self.centre, lower=True)


@njit(**FAST)
def moved(position, centre, factor, point):  # pragma: no cover
    """Write centre + factor · y for a lower triangular factor."""
    for i in range(len(point)):
        row, total = factor[i], centre[i]
        for j in range(i + 1):
            total += row[j] * position[j]
        point[i] = total


@njit(**FAST)
def turned(slope, factor, gradient):  # pragma: no cover
    """Write factorᵀ · slope for a lower triangular factor."""
    gradient[:] = 0.0
    for i in range(len(slope)):
        row, value = factor[i], slope[i]
        for j in range(i + 1):
            gradient[j] += row[j] * value


@njit(**CACHED)
def shape_at(table, place):  # pragma: no cover
    """Rows and columns of the array at a place."""
    sizes = carray(table[SIZES], (place + 1, 2), np.int64)
    return sizes[place, 0], sizes[place, 1]


@njit(**CACHED)
def judged(value, gradient):  # pragma: no cover
    """Return the status of a density and its gradient."""
    good = np.isfinite(value)
    for slope in gradient:
        good = good and np.isfinite(slope)
    return FINE if good else REJECTED


def expand(size, width, position, out, table):  # pragma: no cover
    """Write the point of a position."""
    centre = carray(table[CENTRE], (size,), np.float64)
    factor = carray(table[FACTOR], (size, size), np.float64)
    moved(carray(position, (size,)), centre, factor, carray(out, (size,)))
    return FINE


@cache
def expander() -> Any:
    """Return the C function of `expand`."""
    return cfunc(EXPAND, **ENTRY)(expand)


@cache
def library() -> Any:
    """Return nutpie's native module, without the parts of nutpie that import ArviZ.

    Raises
    ------
    ImportError
        Where nutpie has no such module.
    """
    name = "nutpie._lib"
    if name in modules:
        return modules[name]
    package = find_spec("nutpie")
    folders = (package.submodule_search_locations if package else None) or []
    for folder in map(Path, folders):
        for file in (folder / f"_lib{suffix}" for suffix in EXTENSION_SUFFIXES):
            spec = spec_from_file_location(name, file) if file.is_file() else None
            if spec is not None and spec.loader is not None:
                modules[name] = module_from_spec(spec)
                spec.loader.exec_module(modules[name])
                return modules[name]
    raise ImportError("Install nutpie: expected its native module, found none.")


def obstacle() -> str:
    """Return why the native entry cannot be used, an empty text where it can."""
    try:
        lib = library()
    except ImportError as error:
        return str(error)
    found = str(getattr(lib, "__version__", "without a version"))
    if found != VERSION:
        return f"nutpie is {found}, and the native entry is known of {VERSION}"
    for name, signature in SIGNATURES.items():
        part: Any = lib
        for step in name.split("."):
            part = getattr(part, step, None)
        if getattr(part, "__text_signature__", None) != signature:
            return f"nutpie's {name} does not take {signature}"
    return ""


class Chain:
    """One running chain."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def wait(self, timeout: float) -> Any:
        """Return the trace, or raise TimeoutError while the chain runs on."""
        self.sampler.wait(timeout)
        return self.sampler.take_results()

    def cancel(self) -> None:
        """Stop the chain and drop its draws."""
        self.sampler.abort()


def begin(
    density: Density,
    affine: Affine,
    first: Array,
    *,
    seed: int,
    settings: Mapping[str, Any],
    note: Callable[[Any], None],
) -> Chain:
    """Return a running chain; its draws are the variable `point` (draw, coordinate).

    Parameters
    ----------
    first
        Point of the first step.
    settings
        `draws`, `tune` and what else nutpie's settings have.
    note
        Called from nutpie's thread with a list of one progress.
    """
    lib = library()
    chosen = lib.PyNutsSettings.Diag(seed)
    names = {"draws": "num_draws", "tune": "num_tune"}
    chosen.update({"num_chains": 1, **{names.get(k, k): v for k, v in settings.items()}})
    sampler = lib.PySampler.from_pymc(
        chosen,
        1,
        model_of(density, affine, first),
        lib.ProgressType.none(),
        note,
        TELL_EVERY,
        lib.PyStorage.arrow(),
    )
    return Chain(sampler)


def model_of(density: Density, affine: Affine, first: Array) -> Any:
    """Return nutpie's model of one chain; it keeps the arrays alive."""
    lib, n = library(), density.n
    position = np.ascontiguousarray(affine.inverse(first))
    addresses, kept = pointers([affine.centre, affine.factor, *density.arrays])
    table, alive = addresses.ctypes.data, (density, addresses, kept)
    sizes: dict[str, int] = {}
    variables = lib.PyVariable.new_variables([POINT], ["float64"], [(n,)], sizes, {})
    return lib.PyMcModel(
        lib.LogpFunc(density.function.address, table, alive),
        lib.ExpandFunc(n, n, expander().address, table, alive),
        variables,
        n,
        sizes,
        {},
        lambda _: position.copy(),
        None,
    )


def pointers(arrays: Sequence[Array]) -> tuple[NDArray[np.uintp], list[NDArray[Any]]]:
    """Return the addresses of the shapes and of the arrays, and the arrays to be kept alive."""
    kept: list[NDArray[Any]] = [np.ascontiguousarray(array) for array in arrays]
    shapes = np.ones((len(kept) + 1, 2), dtype=np.int64)
    for row, array in zip(shapes[1:], kept, strict=True):
        row[: array.ndim] = array.shape
    kept = [shapes, *kept]
    return np.array([array.ctypes.data for array in kept], dtype=np.uintp), kept


def evaluate(density: Density, affine: Affine, point: Array) -> tuple[float, Array, int]:
    """Return the log density of a point, the gradient by y, and the status, as nutpie gets them."""
    position = np.ascontiguousarray(affine.inverse(point))
    value, gradient = np.empty(1), np.empty(density.n)
    addresses, kept = pointers([affine.centre, affine.factor, *density.arrays])
    call = CFUNCTYPE(c_int32, c_uint64, *[c_void_p] * 4)(density.function.address)
    places = [array.ctypes.data for array in (position, gradient, value, addresses)]
    status = call(density.n, *places)
    del kept
    return float(value[0]), gradient, status
