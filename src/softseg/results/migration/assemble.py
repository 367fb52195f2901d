"""From the fit of a panel to its posterior tree: `assemble_migration`."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final, cast

import numpy as np
import xarray as xr

from softseg.families.base import Array
from softseg.inference.markov.fit import Layout, MarkovFit, as_rows
from softseg.models.latent_markov import LatentMarkov, prior_lifetime, sticky
from softseg.models.mixture import Values
from softseg.names import (
    CHAIN,
    CHURNED,
    CUSTOMER,
    DRAW,
    INITIAL,
    MEMBERSHIP,
    PERIOD,
    POSTERIOR,
    PROFILE,
    SAMPLE,
    SEGMENT,
    SIZES,
    STATE,
    STATE_TO,
    TRANSITION,
)
from softseg.results.assemble import VERSIONS, data_hash
from softseg.results.membership import segment_coordinates
from softseg.results.migration.chain import bands
from softseg.results.migration.inflow import inflow
from softseg.results.migration.sensitivity import churn_sensitivity, possible_factors
from softseg.results.migration.states import States, states_of
from softseg.results.migration.transitions import transitions
from softseg.results.migration.value import value_by_state
from softseg.results.profile import profile
from softseg.results.tree import (
    add_group,
    posterior_of,
    posterior_tree,
    rename_segments,
    set_attribute,
    values_from_tree,
)
from softseg.tables.panel.examine import migration_of
from softseg.tables.panel.panel import Panel
from softseg.tables.schema import Schema

KIND: Final = "migration"
PRESENT: Final = "present"
OCCUPANCY: Final = "occupancy"
SENSITIVITY: Final = "sensitivity"
ALL: Final = "all"
COVARIATE: Final = "covariate"
FEW_MOVES: Final = 1.0
LOTS_STREAM, INFLOW_STREAM, VALUE_STREAM = 5, 6, 7
"""Streams of random numbers, apart from those of the fit."""


def assemble_migration(fit: MarkovFit) -> xr.DataTree:
    """Return the posterior tree of the fit of a panel.

    Returns
    -------
    xarray.DataTree
        ``/posterior``: ``share`` of the first period (chain, draw, segment), ``transition``
        (chain, draw[, period], state, state_to), with covariates the coefficients
        ``transition_logit`` (chain, draw, covariate, segment, state_to) and ``initial_logit``
        (chain, draw, covariate, segment), and the indicators' parameters; ``/transition``, what
        they say; ``/membership``, where every customer is in the last period (customer, state);
        ``/sizes``, how many that are per segment;
        ``/occupancy``, customers per period and state, their moves, and who entered; ``/present``,
        by draw (sample): ``customers`` now and ``lots``, the same with every customer's state
        drawn, ``transition``, ``inflow`` and ``value …`` per period, (state); ``/sensitivity``,
        churned customers under other beliefs about leaving, where it is no matter of covariates;
        ``/profile``.
    """
    schema, values = fit.panel.schema, fit.draws.values
    tree = posterior_tree(
        values,
        schema,
        sample_stats={"log_likelihood": fit.draws.log_likelihood, **fit.draws.sample_stats},
        attributes=_attributes(fit),
    )
    names = state_names(schema, fit.model)
    posterior = posterior_of(tree).assign(chain_variables(fit.model, values, names))
    add_group(tree, POSTERIOR, posterior)
    describe_migration(tree, fit.model, fit.layout, fit.panel, values, names)
    return tree


def state_names(schema: Schema, model: LatentMarkov) -> list[str]:
    """Return the labels of the states: the segments' names or numbers, and churned."""
    names = list(schema.segment_names) or [str(k + 1) for k in range(model.n_segments)]
    return [*names, *([CHURNED] if model.churns else [])]


def describe_migration(
    tree: xr.DataTree,
    model: LatentMarkov,
    layout: Layout,
    panel: Panel,
    values: Values,
    names: Sequence[str],
) -> None:
    """Add what the draws say about a panel: transitions, states now and over time, profiles."""
    states = states_of(model, layout, panel, values.flattened(), names)
    add_group(tree, TRANSITION, transitions(states.transition()))
    seed = int(tree.attrs["seed"])
    members, ahead = _now(states, np.random.default_rng([seed, LOTS_STREAM]))
    add_group(tree, MEMBERSHIP, members)
    segments = list(panel.schema.segment_names)
    add_group(tree, SIZES, _sizes(ahead["customers"], model.n_segments, segments))
    over = states.over_periods()
    ahead["inflow"] = inflow(over, states.n_draws, np.random.default_rng([seed, INFLOW_STREAM]))
    for name in panel.table.values:
        rng = np.random.default_rng([seed, VALUE_STREAM])
        ahead[f"value {name}"] = value_by_state(states, panel.table.values[name], rng)
    add_group(tree, PRESENT, ahead)
    if model.churns and not model.logit:
        churned = ahead["customers"].sel({STATE: CHURNED})
        alpha = prior_rows(panel.schema, model)
        found = churn_sensitivity(states.matrices(), churned, alpha, possible_factors(alpha))
        add_group(tree, SENSITIVITY, found)
    occupancy = xr.Dataset(bands(over["customers"]))
    occupancy["moves"] = over["moves"].mean(SAMPLE)
    occupancy["entered"] = over["entered"].mean(SAMPLE)
    add_group(tree, OCCUPANCY, occupancy)
    set_attribute(tree, "never_left", never_left(occupancy["moves"]))
    rows = over["customers"].isel({STATE: slice(0, model.n_segments)})
    flat = as_rows(states.values, rows.mean((SAMPLE, PERIOD)).values)
    add_group(tree, PROFILE, profile(layout.statistics, flat, panel.schema, segment_names=segments))


def never_left(moves: xr.DataArray) -> list[str]:
    """Return the segments that less than one customer is expected to have left in all periods.

    What is said of where their customers go rests on the prior.

    Parameters
    ----------
    moves
        Mean moves into each period, (period, state, state_to).
    """
    total = moves.sum(PERIOD).transpose(STATE, STATE_TO)
    left = total.sum(STATE_TO).values - np.diagonal(total.values)
    names = [str(name) for name in moves[STATE].values]
    return [
        name for name, away in zip(names, left, strict=True) if name != CHURNED and away < FEW_MOVES
    ]


def _sizes(customers: xr.DataArray, n_segments: int, names: Sequence[str]) -> xr.Dataset:
    """Return the customers of each segment in the last period and their share, with intervals."""
    now = customers.isel({STATE: slice(0, n_segments)}).drop_vars(STATE).rename({STATE: SEGMENT})
    found = bands(now, "customers") | bands(now / now.sum(SEGMENT), "share")
    return xr.Dataset(found).assign_coords(segment_coordinates(n_segments, names))


def _now(states: States, rng: np.random.Generator) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the customers' present states with intervals, and what looking ahead begins with.

    That is, by draw, expected ``customers`` per state, ``lots``, their numbers with every
    customer's state drawn, and the ``transition``.
    """
    blocks: list[xr.Dataset] = []
    sums: list[xr.Dataset] = []
    for block in states.now():
        blocks.append(state_bands(block))
        drawn = rng.multinomial(1, np.maximum(block.values, 0.0) / block.values.sum(-1)[..., None])
        lots = xr.DataArray(drawn, dims=block.dims, coords=block.coords)
        sums.append(xr.Dataset({"customers": block.sum(CUSTOMER), "lots": lots.sum(CUSTOMER)}))
    ahead = sums[0]
    for part in sums[1:]:
        ahead = ahead + part
    ahead["transition"] = states.transition()
    return cast(xr.Dataset, xr.concat(blocks, dim=CUSTOMER)), ahead


def state_bands(block: xr.DataArray) -> xr.Dataset:
    """Return what draws of customers' states (sample, customer, state) say.

    ``mean``, ``lower``, ``upper`` (customer, state); ``top`` (customer), the label of the most
    probable state, and ``p_top``, the share of draws in which it is the most probable one.
    """
    found = xr.Dataset(bands(block)).transpose(..., STATE)
    top = found["mean"].argmax(STATE)
    found["top"] = (CUSTOMER, block[STATE].values[top.values])
    found["p_top"] = (CUSTOMER, (block.argmax(STATE) == top).mean(SAMPLE).values)
    return found


def chain_variables(model: LatentMarkov, values: Values, names: Sequence[str]) -> dict[str, Any]:
    """Return the chain's parameters as variables of the posterior."""
    segments = np.arange(1, model.n_segments + 1)
    found: dict[str, Any] = {}
    drawn = values.indicators[TRANSITION]
    if model.design.shape[1] == 0:
        rows = np.stack([drawn[name] for name in model.profiles], axis=2)
        whole = np.zeros((*rows.shape[:3], model.n_states, model.n_states))
        whole[..., : model.n_segments, :] = rows
        if model.churns:
            whole[..., -1, -1] = 1.0
        matrix = xr.DataArray(
            whole,
            dims=(CHAIN, DRAW, PERIOD, STATE, STATE_TO),
            coords={PERIOD: list(model.profiles), STATE: list(names), STATE_TO: list(names)},
        )
        one = model.profiles == (ALL,)
        found[TRANSITION] = matrix.isel({PERIOD: 0}, drop=True) if one else matrix
    else:
        found[f"{TRANSITION}_logit"] = xr.DataArray(
            np.stack(list(drawn.values()), axis=2),
            dims=(CHAIN, DRAW, COVARIATE, SEGMENT, STATE_TO),
            coords={COVARIATE: list(drawn), SEGMENT: segments, STATE_TO: list(names)},
        )
    if INITIAL in values.indicators:
        first = values.indicators[INITIAL]
        found[f"{INITIAL}_logit"] = xr.DataArray(
            np.stack([array[..., 0] for array in first.values()], axis=2),
            dims=(CHAIN, DRAW, f"{INITIAL}_{COVARIATE}", SEGMENT),
            coords={f"{INITIAL}_{COVARIATE}": list(first), SEGMENT: segments},
        )
    return found


def values_of_migration(tree: xr.DataTree, model: LatentMarkov) -> Values:
    """Return the draws of a tree as the model reads them, leading axis (sample).

    A period that was not fitted gets the mean of the matrices of a draw, with which answers look
    ahead.
    """
    values, posterior = values_from_tree(tree), posterior_of(tree)
    indicators = {name: dict(group) for name, group in values.indicators.items()}
    if model.design.shape[1] == 0:
        matrix = posterior[TRANSITION]
        if PERIOD not in matrix.dims:
            matrix = matrix.expand_dims({PERIOD: [ALL]})
        matrix = matrix.isel({STATE: slice(0, model.n_segments)})
        stacked = _stacked(matrix.transpose(CHAIN, DRAW, PERIOD, STATE, STATE_TO))
        known = {str(label): stacked[:, i] for i, label in enumerate(matrix[PERIOD].values)}
        mean = stacked.mean(axis=1)
        indicators[TRANSITION] = {name: known.get(name, mean) for name in model.profiles}
    else:
        logits = posterior[f"{TRANSITION}_logit"]
        stacked = _stacked(logits)
        labels = [str(label) for label in logits[COVARIATE].values]
        indicators[TRANSITION] = {name: stacked[:, i] for i, name in enumerate(labels)}
    if f"{INITIAL}_logit" in posterior:
        logits = posterior[f"{INITIAL}_logit"]
        stacked = _stacked(logits)
        labels = [str(label) for label in logits[f"{INITIAL}_{COVARIATE}"].values]
        indicators[INITIAL] = {name: stacked[:, i, :, None] for i, name in enumerate(labels)}
    return Values(values.share, indicators)


def rename_states(tree: xr.DataTree, names: Sequence[str]) -> None:
    """Give the segments other names, in every group of the tree."""
    before = [str(name) for name in tree[MEMBERSHIP].to_dataset()[STATE].values]
    renamed = dict(zip(before, names, strict=False))  # churned, the last one, keeps its name
    stay = [renamed[name] for name in json.loads(tree.attrs["never_left"])]
    set_attribute(tree, "never_left", stay)
    rename_segments(tree, list(names))
    for group in list(tree.children):
        dataset = tree[group].to_dataset()
        for dim in (STATE, STATE_TO):
            if dim in dataset.coords:
                churned = [label for label in dataset[dim].values if label == CHURNED]
                dataset = dataset.assign_coords({dim: [*names, *churned]})
        add_group(tree, group, dataset)
    members = tree[MEMBERSHIP].to_dataset()
    members["top"] = (CUSTOMER, members[STATE].values[members["mean"].argmax(STATE).values])
    add_group(tree, MEMBERSHIP, members)


def _stacked(array: xr.DataArray) -> np.ndarray:
    return array.values.reshape(-1, *array.shape[2:])


def prior_rows(schema: Schema, model: LatentMarkov) -> Array:
    """Return the concentrations of the prior of transitions, (segment, state)."""
    entry = migration_of(schema)
    return sticky(model.n_segments, model.churns, entry.stay, entry.strength)


def _attributes(fit: MarkovFit) -> dict[str, Any]:
    key, said = fit.reason
    entry = migration_of(fit.panel.schema)
    alpha = prior_rows(fit.panel.schema, fit.model)
    implied = float(prior_lifetime(alpha).mean()) if fit.model.churns else float("inf")
    return {
        "softseg_kind": KIND,
        "versions": {name: version(name) for name in VERSIONS},
        "seed": fit.seed,
        "n_segments": fit.model.n_segments,
        "method": fit.method,
        "method_reason": {"key": key, "values": said},
        "engine": dict(fit.draws.engine),
        "thin": fit.thin,
        "data_hash": data_hash(fit.panel.table),
        "diagnosis": fit.diagnosis.to_json(),
        "fit_verdict": fit.verdict.to_json() if fit.verdict else "",
        "churn": entry.churn,
        "prior_lifetime": implied,
        "periods": list(fit.panel.periods),
        "notes": {k: int(v) for k, v in vars(fit.panel.notes).items()},
        "language": fit.panel.schema.language,
    }
