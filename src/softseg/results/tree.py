"""The posterior tree: from aligned draws to the layout that every later step reads, and back."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.models.mixture import Values
from softseg.names import (
    CHAIN,
    DRAW,
    POSTERIOR,
    SAMPLE_STATS,
    SEGMENT,
    SHARE,
    level_dim,
    parameter_name,
)
from softseg.results.membership import segment_coordinates
from softseg.tables.schema import Schema


def posterior_tree(
    values: Values,
    schema: Schema,
    *,
    sample_stats: Mapping[str, Array] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """Return aligned draws as an xarray DataTree in the layout of ArviZ.

    Parameters
    ----------
    values
        Aligned draws with the leading axes (chain, draw).
    schema
        The frozen schema; its names of segments become the coordinate ``segment_name``.
    sample_stats
        What the sampler says about each draw, shape (chain, draw); ``log_likelihood`` at least.
        Texts and objects (such as nutpie's messages on divergences) are left out: they cannot be
        stored.
    attributes
        Root attributes; whatever is not text or a number is stored as JSON. The schema is added.

    Returns
    -------
    xarray.DataTree
        ``/posterior`` with ``share`` (chain, draw, segment) and ``<indicator>__<parameter>``
        (chain, draw, segment[, <indicator>_level]); ``/sample_stats`` (chain, draw).
    """
    groups = {POSTERIOR: _posterior(values, schema)}
    if sample_stats:
        groups[SAMPLE_STATS] = _sample_stats(sample_stats)
    tree = xr.DataTree.from_dict({f"/{name}": group for name, group in groups.items()})
    tree.attrs["schema"] = schema.to_json()
    for name, value in (attributes or {}).items():
        set_attribute(tree, name, value)
    return tree


def values_from_tree(tree: xr.DataTree) -> Values:
    """Return the draws of a posterior tree, chains stacked to one leading axis (sample)."""
    posterior = posterior_of(tree)
    schema = schema_from_tree(tree)
    indicators = {
        indicator: {
            parameter.name: _stacked(posterior[parameter_name(indicator, parameter.name)])
            for parameter in entry.member().parameters
        }
        for indicator, entry in schema.indicators.items()
    }
    return Values(_stacked(posterior[SHARE]), indicators)


def schema_from_tree(tree: xr.DataTree) -> Schema:
    """Return the frozen schema a posterior tree was made with."""
    if "schema" not in tree.attrs:
        raise UsageError("Give a posterior tree of this package: it has no schema.")
    return Schema.from_json(tree.attrs["schema"])


def posterior_of(tree: xr.DataTree) -> xr.Dataset:
    """Return the group of draws.

    Raises
    ------
    UsageError
        Where the tree has none.
    """
    if POSTERIOR not in tree.children:
        raise UsageError("Give a posterior tree of this package: it has no group of draws.")
    return tree[POSTERIOR].to_dataset()


def add_group(tree: xr.DataTree, name: str, dataset: xr.Dataset) -> None:
    """Put a dataset into the tree under ``/name``, in place of what is there."""
    tree[name] = xr.DataTree(dataset)


def set_attribute(tree: xr.DataTree, name: str, value: Any) -> None:
    """Set a root attribute: text and numbers as they are, everything else as JSON."""
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    tree.attrs[name] = value if plain else json.dumps(value, sort_keys=True)


def segment_names(tree: xr.DataTree) -> list[str]:
    """Return the names of the segments, numbers as text where the user gave none."""
    return [str(name) for name in posterior_of(tree)["segment_name"].values]


def rename_segments(tree: xr.DataTree, names: list[str]) -> None:
    """Give the segments other names, in every group of the tree."""
    coordinates = segment_coordinates(posterior_of(tree).sizes[SEGMENT], names)
    for group in list(tree.children):
        dataset = tree[group].to_dataset()
        if SEGMENT in dataset.dims:
            add_group(tree, group, dataset.assign_coords(coordinates))
    schema = schema_from_tree(tree).model_copy(update={"segment_names": list(names)})
    tree.attrs["schema"] = schema.to_json()


def _posterior(values: Values, schema: Schema) -> xr.Dataset:
    n_chains, n_draws, n_segments = values.share.shape
    dims = (CHAIN, DRAW, SEGMENT)
    data: dict[str, Any] = {SHARE: (dims, values.share)}
    coordinates: dict[str, Any] = {
        CHAIN: np.arange(n_chains),
        DRAW: np.arange(n_draws),
        **segment_coordinates(n_segments, schema.segment_names),
    }
    for indicator, entry in schema.indicators.items():
        for parameter in entry.member().parameters:
            array = values.indicators[indicator][parameter.name]
            wide = dims
            if parameter.per_level:
                wide = (*dims, level_dim(indicator))
                coordinates[level_dim(indicator)] = np.array(entry.coding().levels, dtype=np.str_)
            data[parameter_name(indicator, parameter.name)] = (wide, array)
    return xr.Dataset(data, coordinates)


def _sample_stats(sample_stats: Mapping[str, Array]) -> xr.Dataset:
    arrays = {name: np.asarray(array) for name, array in sample_stats.items()}
    kept = {name: array for name, array in arrays.items() if array.dtype.kind in "fiub"}
    n_chains, n_draws = next(iter(kept.values())).shape[:2]
    coordinates = {CHAIN: np.arange(n_chains), DRAW: np.arange(n_draws)}
    two = {name: array for name, array in kept.items() if array.ndim == 2}
    return xr.Dataset({name: ((CHAIN, DRAW), a) for name, a in two.items()}, coordinates)


def _stacked(array: xr.DataArray) -> Array:
    return array.values.reshape(-1, *array.shape[2:])
