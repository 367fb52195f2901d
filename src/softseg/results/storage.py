"""Saving and loading a posterior tree: NetCDF with checksums, moved into place, verified.

HDF5 notices few damages by itself: of single flipped bytes most load silently wrong. Every array
therefore carries a Fletcher-32 checksum, and the whole file ends with a line

    softseg-sha256:<64 hexadecimal digits>

over everything before it. Any NetCDF or HDF5 reader ignores what stands behind the end of the
file's own structure, so that the file opens in xarray, h5py, R or Matlab as it is. The file is made
in memory, because the HDF5 library can crash the process when a disk is full. Nothing is pickled.
"""

import io
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from softseg.errors import FileError, UsageError
from softseg.results.files import is_sealed, read_file, replace_file, sealed, unsealed
from softseg.wording import say

FORMAT: Final = "softseg posterior"
VERSION: Final = (1, 0)
"""Major and minor version of the layout; a reader refuses a newer major one."""

MAGIC: Final = b"\x89HDF\r\n\x1a\n"
COMPRESSION: Final = {"zlib": True, "complevel": 4, "shuffle": True, "fletcher32": True}


def save(tree: xr.DataTree, path: Path | str, language: str = "en") -> str:
    """Write a posterior tree to a file and return the file's SHA-256.

    Parameters
    ----------
    tree
        The tree; it may hold numbers, truth values and text, no objects.
    path
        Where to; an existing file is replaced at once, or left as it is if anything fails.

    Raises
    ------
    FileError
        Where the file cannot be written, for instance because the disk is full.
    UsageError
        Where the tree holds objects.
    """
    return replace_file(path, to_bytes(tree, language), language)


def load(path: Path | str, language: str = "en") -> xr.DataTree:
    """Return the posterior tree of a file, after verifying it, fully in memory.

    Raises
    ------
    FileError
        Where the file is missing, damaged, cut off, of another kind or of a newer format.
    """
    name = Path(path).name
    content = read_file(path, language)
    body = _verified(content, name, language)
    try:
        with xr.open_datatree(io.BytesIO(body), engine="h5netcdf") as stored:
            # Group by group: `DataTree.load` leaves a variable unread that is named like a group.
            tree = stored.map_over_datasets(_in_memory)
    except (OSError, ValueError, KeyError) as error:
        raise FileError(say("storage.unknown", language, name=name)) from error
    _check_format(tree.attrs, name, language)
    for key in ("softseg_format", "softseg_format_version"):
        del tree.attrs[key]
    return tree.map_over_datasets(_as_made)


def to_bytes(tree: xr.DataTree, language: str = "en") -> bytes:
    """Return the content of the file that `save` writes."""
    marked = tree.map_over_datasets(_ordered)
    marked.attrs |= {"softseg_format": FORMAT, "softseg_format_version": _text(VERSION)}
    encoding = {group.path: _encoding(group, language) for group in marked.subtree}
    stored = marked.to_netcdf(None, engine="h5netcdf", encoding=encoding)
    return sealed(bytes(stored))


def _ordered(dataset: xr.Dataset) -> xr.Dataset:
    """Return a group with its coordinates in order, so that equal trees make equal files."""
    data = {name: dataset.variables[name] for name in dataset.data_vars}
    coordinates = {name: dataset.variables[name] for name in sorted(dataset.coords, key=str)}
    return xr.Dataset(data, coordinates, dataset.attrs)


def _encoding(group: xr.DataTree, language: str) -> dict[str, dict[str, Any]]:
    """Return how each array of a group is stored.

    Text becomes fixed-width characters: HDF5 keeps text of variable length in a heap that no
    checksum covers.
    """
    encoding: dict[str, dict[str, Any]] = {}
    for name, array in group.to_dataset(inherit=False).variables.items():
        kind = array.dtype.kind
        if kind not in "fiubU":
            raise UsageError(say("storage.object", language, variable=str(name)))
        settings: dict[str, Any] = dict(COMPRESSION) if array.ndim and array.size else {}
        if kind == "U":
            settings["dtype"] = "S1"
        if kind == "f":
            settings["_FillValue"] = None
        encoding[str(name)] = settings
    return encoding


def _in_memory(dataset: xr.Dataset) -> xr.Dataset:
    """Return a group with all its numbers, which need no file any more."""
    return dataset.load().copy(deep=True)


def _as_made(dataset: xr.Dataset) -> xr.Dataset:
    """Return a group with text of fixed width and plain attributes, as before it was stored."""
    texts = {
        name: array.astype(np.str_)
        for name, array in dataset.variables.items()
        if array.dtype.kind == "O"
    }
    plain = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in dataset.attrs.items()
    }
    dataset = dataset.assign({name: texts[name] for name in texts if name in dataset.data_vars})
    dataset = dataset.assign_coords({n: texts[n] for n in texts if n in dataset.coords})
    return dataset.assign_attrs(plain).drop_encoding()


def _verified(content: bytes, name: str, language: str) -> bytes:
    if not content.startswith(MAGIC) or not is_sealed(content):
        raise FileError(say("storage.unknown", language, name=name))
    body = unsealed(content)
    if body is None:
        raise FileError(say("storage.damaged", language, name=name))
    return body


def _check_format(attributes: Any, name: str, language: str) -> None:
    version = str(attributes.get("softseg_format_version", "")).split(".")
    if attributes.get("softseg_format") != FORMAT or not version[0].isdigit():
        raise FileError(say("storage.unknown", language, name=name))
    if int(version[0]) > VERSION[0]:
        found, known = ".".join(version), _text(VERSION)
        raise FileError(say("storage.newer", language, name=name, found=found, known=known))


def _text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
