"""The tree of a calculation: assumptions, draws and answers in one file, and back.

The assumptions stand in a variable and not in an attribute, because HDF5 limits attributes to
64 KiB and samples are part of the assumptions.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import numpy as np
import xarray as xr
from pydantic import ValidationError

from softseg.decisions.answers.collect import Answers
from softseg.decisions.inputs.schema import Assumptions, Input
from softseg.decisions.inputs.units import read_unit
from softseg.decisions.model.accounting import ACCOUNTINGS
from softseg.decisions.model.sampling import Draws
from softseg.decisions.model.simulate import WORKS, Simulation
from softseg.errors import FileError, UsageError
from softseg.families.base import Array
from softseg.wording import say

ASSUMPTIONS: Final = "assumptions"
INPUTS: Final = "inputs"
OUTCOME: Final = "outcome"
POINT: Final = ("replicate", "draw")
QUANTITIES: Final = ("npv", "roi", "benefit", "cost")
OWN: Final = (ASSUMPTIONS, INPUTS, OUTCOME)
"""Groups that are not answers."""
SAMPLE: Final = "_sample"
"""Which draw of a fitted model stands in each draw. No id of an input begins so."""
PROGRAMMES: Final = "headline_"
"""How the groups of the programmes' headlines begin."""


def canonical(data: Any) -> str:
    """Return data as JSON that is the same for equal data: keys sorted, no spaces."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def assumptions_hash(assumptions: Assumptions) -> str:
    """Return the SHA-256 of assumptions, as text; the order of their inputs counts."""
    return hashlib.sha256(assumptions.model_dump_json().encode()).hexdigest()


def to_tree(
    simulation: Simulation,
    answers: Answers | Mapping[str, xr.Dataset],
    *,
    seed: int,
    versions: Mapping[str, str],
    language: str = "en",
    posterior: Sequence[str] = (),
) -> xr.DataTree:
    """Return a simulation with its answers as a tree that can be stored.

    Parameters
    ----------
    simulation
        What was drawn.
    answers
        What it says.
    seed
        The seed of the draws.
    versions
        Version of Python, softseg and the packages that decide about the draws.
    language
        Language of the report.
    posterior
        Ids of the inputs that came from a fitted model.

    Returns
    -------
    xarray.DataTree
        ``/assumptions`` with ``json``; ``/inputs`` with one variable per input in base units,
        (replicate, draw) or a number, ``works``, and ``_sample`` with the draw of the fitted model
        where there is one; ``/outcome`` with ``npv``, ``roi``,
        ``benefit`` and ``cost`` (accounting, adjusted, replicate, draw), amounts in whole
        currency; one group per answer, ``/yearly`` among them.

    Raises
    ------
    UsageError
        Where an answer has the name of a group of this layout.
    """
    assumptions = simulation.assumptions
    text = assumptions.model_dump_json()
    groups: dict[str, xr.Dataset] = {
        ASSUMPTIONS: xr.Dataset({"json": ((), np.array(text, dtype=np.str_))}),
        INPUTS: _inputs(simulation),
        OUTCOME: _outcome(simulation),
    }
    found = answers.datasets() if isinstance(answers, Answers) else answers
    for name, data in found.items():
        if name in OWN:
            raise UsageError(f"Rename the answer {name!r}: the tree has such a group of its own.")
        groups[name] = _storable(data)
    tree = xr.DataTree.from_dict({f"/{name}": data for name, data in groups.items()})
    n_replicates, n_draws = simulation.shape
    tree.attrs |= {
        "assumptions_hash": assumptions_hash(assumptions),
        "language": language,
        "n_draws": n_draws,
        "n_replicates": n_replicates,
        "posterior": canonical(list(posterior)),
        "seed": int(seed),
        "softseg_version": versions["softseg"],
        "versions": canonical(dict(versions)),
    }
    return tree


def simulation_of(tree: xr.DataTree, cores: int | None = None) -> Simulation:
    """Return the simulation of a tree: its assumptions and its draws, nothing drawn anew.

    Raises
    ------
    FileError
        Where the tree is not one of `to_tree`.
    """
    assumptions = assumptions_of(tree)
    stored = tree.children[INPUTS].to_dataset()
    shape = (int(tree.attrs["n_replicates"]), int(tree.attrs["n_draws"]))
    values: dict[str, Array] = {}
    for name in assumptions.inputs:
        if name in stored:
            array = stored[name].values
            values[name] = array if array.shape == shape else array.reshape(1, 1)
    for name, entry in assumptions.inputs.items():
        if entry.same_as in values:
            values[name] = values[entry.same_as]
    values = {name: values[name] for name in assumptions.inputs if name in values}
    uncertain = tuple(json.loads(stored.attrs["uncertain"]))
    changes = tuple((*pair[:2], *pair[2:]) for pair in json.loads(stored.attrs["changes"]))
    sample = stored[SAMPLE].values.astype(np.intp) if SAMPLE in stored else None
    draws = Draws(values, stored[WORKS].values, uncertain, changes, sample)
    return Simulation(assumptions, draws, cores)


def assumptions_of(tree: xr.DataTree) -> Assumptions:
    """Return the assumptions of a tree.

    Raises
    ------
    FileError
        Where the tree is not one of `to_tree`.
    """
    if any(name not in tree.children for name in OWN):
        raise FileError(say("roi.tree.other", str(tree.attrs.get("language", "en"))))
    try:
        return Assumptions.model_validate_json(str(tree[ASSUMPTIONS]["json"].item()))
    except ValidationError as error:
        raise FileError(say("roi.tree.newer", str(tree.attrs["language"]))) from error


def answers_of(tree: xr.DataTree) -> Answers:
    """Return the answers of a tree, so that a report can be written without computing them."""
    found = {name: group.to_dataset() for name, group in tree.children.items() if name not in OWN}
    programmes = {
        name.removeprefix(PROGRAMMES): found.pop(name)
        for name in sorted(found)
        if name.startswith(PROGRAMMES)
    }
    given: dict[str, Any] = {field.name: found.get(field.name) for field in fields(Answers)}
    given["programmes"] = programmes
    return Answers(**given)


def base_unit(entry: Input, currency: str) -> str:
    """Return the unit in which an input is calculated, such as ``share`` or ``EUR/year``."""
    kind = read_unit(entry.unit).kind
    money = {"amount": currency, "rate": f"{currency}/year", "points": "share"}
    return money.get(kind, kind)


def _inputs(simulation: Simulation) -> xr.Dataset:
    assumptions, draws = simulation.assumptions, simulation.draws
    data: dict[str, xr.Variable] = {}
    for name, value in draws.values.items():
        entry = assumptions.inputs[name]
        if entry.same_as is not None:
            continue
        attributes = {
            "unit": base_unit(entry, assumptions.currency),
            "entered_in": entry.unit,
            "label": entry.label or name,
        }
        single = value.size == 1
        data[name] = xr.Variable(
            () if single else POINT, value.reshape(()) if single else value, attributes
        )
    data[WORKS] = xr.Variable(POINT, np.ascontiguousarray(draws.works))
    if draws.sample is not None:
        data[SAMPLE] = xr.Variable(POINT, draws.sample.astype(np.int64))
    changes = [list(pair) for pair in draws.changes]
    texts = {"uncertain": canonical(list(draws.uncertain)), "changes": canonical(changes)}
    return xr.Dataset(data, attrs=texts)


def _outcome(simulation: Simulation) -> xr.Dataset:
    adjusted = [False, True]
    found = [[simulation.outcome(name, flag) for flag in adjusted] for name in ACCOUNTINGS]
    dims = ("accounting", "adjusted", *POINT)
    currency = simulation.assumptions.currency
    data = {
        quantity: xr.Variable(
            dims,
            np.stack([np.stack([getattr(one, quantity) for one in row]) for row in found]),
            {"unit": "ratio" if quantity == "roi" else currency},
        )
        for quantity in QUANTITIES
    }
    return xr.Dataset(data, {"accounting": list(ACCOUNTINGS), "adjusted": adjusted})


def _storable(data: xr.Dataset) -> xr.Dataset:
    """Return a Dataset whose texts and attributes a file can hold."""
    texts = {
        name: array.astype(np.str_)
        for name, array in data.variables.items()
        if array.dtype.kind == "O"
    }
    data = data.assign({name: texts[name] for name in texts if name in data.data_vars})
    data = data.assign_coords({name: texts[name] for name in texts if name in data.coords})
    data = data.copy()
    data.attrs = _plain(data.attrs)
    for array in data.variables.values():
        array.attrs = _plain(array.attrs)
    return data


def _plain(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as text and numbers; whatever else there is, as JSON."""

    def plain(value: Any) -> Any:
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, bool):
            return int(value)
        return value if isinstance(value, str | int | float) else canonical(value)

    return {str(name): plain(value) for name, value in attributes.items()}
