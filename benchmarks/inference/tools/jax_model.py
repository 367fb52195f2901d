"""The marginalised mixture for the JAX peers: one numpyro model, read by numpyro and blackjax.

All indicators enter through one matrix product, the statistics (column, row) against the weights
(column, segment): the fastest form on one core among five that were tried (one-hot against
look-up, rows first against columns first). Equal rows of categorical tables are collapsed, with
counts. Everything of one table is an argument, so that another table of the same shape compiles
nothing again.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.nn import logsumexp

from benchmarks.inference.data import Array
from benchmarks.inference.problem import SHARE_ALPHA, Problem
from softseg.models.mixture import Values

PADS = 10
"""Collapsed rows are filled up to a multiple of a tenth of the customers, so that shapes repeat."""


def arguments(problem: Problem, dtype: Any) -> dict[str, Any]:
    """Return the arguments of `model` for a table."""
    rows, weight = _collapsed(problem)
    g, c = problem.gaussians, problem.counts
    z, x = g.z[rows], c.x[rows]
    blocks = [(z * z).T, z.T, x.T]
    if not problem.complete:
        blocks += [g.observed[rows].T, c.observed[rows].T]
    for columns in _by_levels(problem).values():
        for column in columns:
            codes = problem.categories.codes[rows, column]
            n_levels = problem.categories.levels[column]
            blocks.append((codes == np.arange(n_levels)[:, None]).astype(float))
    arrays = {
        "statistics": np.concatenate(blocks),
        "weight": weight,
        "mu": g.mu,
        "sigma": g.sigma,
        "a": g.alpha,
        "b": g.beta,
        "alpha": c.alpha,
        "beta": c.beta,
    }
    return {name: jnp.asarray(array, dtype=dtype) for name, array in arrays.items()}


def shape_of(problem: Problem) -> dict[str, Any]:
    """Return what of a problem is compiled into the model."""
    return {
        "n_segments": problem.n_segments,
        "groups": tuple((levels, len(c)) for levels, c in _by_levels(problem).items()),
        "complete": problem.complete,
    }


def make_model(n_segments: int, groups: tuple[tuple[int, int], ...], complete: bool) -> Any:
    """Return the numpyro model of problems of one shape."""

    def model(a: Mapping[str, Any]) -> None:
        k = n_segments
        share = numpyro.sample("share", dist.Dirichlet(jnp.full(k, SHARE_ALPHA, a["mu"].dtype)))
        constant = jnp.log(share)
        blocks = []
        n_gaussian, n_count = a["mu"].shape[0], a["alpha"].shape[0]
        if n_gaussian:
            wide = (n_gaussian, k)
            normal = dist.Normal(a["mu"][:, None], a["sigma"][:, None])
            mean = numpyro.sample("mean", normal.expand(wide).to_event(2))
            gamma = dist.InverseGamma(a["a"][:, None], a["b"][:, None])
            variance = numpyro.sample("variance", gamma.expand(wide).to_event(2))
            blocks += [-0.5 / variance, mean / variance]
        if n_count:
            gamma = dist.Gamma(a["alpha"][:, None], a["beta"][:, None])
            rate = numpyro.sample("rate", gamma.expand((n_count, k)).to_event(2))
            blocks.append(jnp.log(rate))
        if n_gaussian:
            partitions = [-0.5 * (mean**2 / variance + jnp.log(variance)), -rate]
            if complete:
                constant = constant + sum(p.sum(axis=0) for p in partitions)
            else:
                blocks += partitions
        for levels, n in groups:
            flat = dist.Dirichlet(jnp.ones(levels, a["mu"].dtype))
            cells = numpyro.sample(f"cells_{levels}", flat.expand((n, k)).to_event(2))
            blocks.append(jnp.log(cells).swapaxes(1, 2).reshape(-1, k))
        joint = jnp.concatenate(blocks).T @ a["statistics"] + constant[:, None]
        numpyro.factor("likelihood", logsumexp(joint, axis=0) @ a["weight"])

    return model


def start_of(problem: Problem, dtype: Any) -> dict[str, Any]:
    """Return the truth by site of the model."""
    start = problem.start()
    found = {"share": start["share"]}
    if len(problem.gaussians.names):
        found |= {"mean": start["mean_z"], "variance": start["variance_z"]}
    if len(problem.counts.names):
        found["rate"] = start["rate"]
    for levels, columns in _by_levels(problem).items():
        found[f"cells_{levels}"] = np.stack([start["cells"][column] for column in columns])
    return {name: jnp.asarray(array, dtype=dtype) for name, array in found.items()}


def values_of(problem: Problem, sites: Mapping[str, Any]) -> Values:
    """Return the draws of the model's sites, leading axes (chain, draw), in softseg's names."""
    draws = {name: np.asarray(array, dtype=float) for name, array in sites.items()}
    lead = draws["share"].shape[:2]
    none = np.empty((*lead, 0, problem.n_segments))
    cells: dict[int, Array] = {}
    for levels, columns in _by_levels(problem).items():
        for place, column in enumerate(columns):
            cells[column] = draws[f"cells_{levels}"][:, :, place]
    return problem.values(
        draws["share"],
        draws.get("mean", none),
        draws.get("variance", none),
        draws.get("rate", none),
        [cells[column] for column in range(len(problem.categories.names))],
    )


def _by_levels(problem: Problem) -> dict[int, list[int]]:
    """Return the categorical indicators by their number of levels."""
    found: dict[int, list[int]] = {}
    for column, levels in enumerate(problem.categories.levels):
        found.setdefault(levels, []).append(column)
    return found


def _collapsed(problem: Problem) -> tuple[Array, Array]:
    """Return one row for each distinct pattern, filled up with weight 0, and the weights."""
    n = problem.data.n
    if len(problem.gaussians.names):
        return np.arange(n), np.ones(n)
    _, first, count = np.unique(
        problem.categories.codes, axis=0, return_index=True, return_counts=True
    )
    step = max(n // PADS, 1)
    pad = -len(first) % step
    rows = np.concatenate([first, np.zeros(pad, dtype=first.dtype)])
    return rows, np.concatenate([count, np.zeros(pad)])
