"""Several numbers of segments at once: the values of all models, mapped and pooled.

The programme is written for the reference number of segments. Another model knows other segments;
how much of its segment j a programme for the reference's segment k reaches is

    M_jk = Σ_i r'_ij r_ik / Σ_i r'_ij,

with r' and r the mean memberships of a customer in the other model and in the reference. The
reference itself is taken as it is: mapping it by its own memberships would blur its segments
twice. The models are weighted by stacking of predictive distributions (Yao, Vehtari, Simpson and
Gelman 2018): the weights that maximise the leave-one-out log density of the mixture of models.
Only totals over all segments mean the same in every model.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from softseg.families.base import Array
from softseg.names import ASSIGNED, RULE, SAMPLE, SEGMENT
from softseg.results.evaluate import spread, thinned
from softseg.runs.folder import open_run
from softseg.study.work import GOOD, Work

if TYPE_CHECKING:
    from softseg.study.valuing import Labels

LOO_DRAWS: Final = 500
ROUNDS: Final = 5_000
SETTLED: Final = 1e-10
TABLES: Final = ("value_expected", "value_lots", "customers_expected", "customers_lots")


def pooled_value(work: Work, rules: "Mapping[str, Labels]") -> xr.Dataset:
    """Return the values of all models that passed the gate, in the segments of the reference.

    Returns
    -------
    xarray.Dataset
        As `softseg.results.value.value`; each model has as many samples as its weight says. The
        attribute ``weights`` is a JSON object of weights by number of segments, ``pooling`` is
        ``"stacking"``.
    """
    from softseg.inference.loo import densities, loo
    from softseg.results.tree import values_from_tree
    from softseg.results.value import value

    table, statistics = work.table, work.statistics
    amount, count = table.values[work.study.ledger.value], table.count
    own = work.tree["membership"]["mean"].to_numpy()
    numbers, tables, pointwise = [], [], []
    for k, folder in work.folders.items():
        run = open_run(folder, work.study.language)
        if run.manifest.gate != GOOD:
            continue
        tree = work.tree if k == work.n_segments else run.tree()
        values, rng = values_from_tree(tree), np.random.default_rng((work.study.seed, k))
        found = value(statistics, values, amount, rules, rng, count=count)
        if k != work.n_segments:
            found = mapped(found, mapping(tree["membership"]["mean"].to_numpy(), own, count))
        tables.append(found.drop_vars("segment_name", errors="ignore"))
        density = densities(statistics, thinned(values, LOO_DRAWS))
        pointwise.append(loo(density, statistics.count).pointwise)
        numbers.append(k)
    weights = stacking(np.stack(pointwise), statistics.count)
    pooled = pool(tables, weights)
    said = {str(k): float(weight) for k, weight in zip(numbers, weights, strict=True)}
    return pooled.assign_attrs(weights=json.dumps(said), pooling="stacking")


def mapping(other: Array, reference: Array, count: Array) -> Array:
    """Return which share of each segment of one model lies in each segment of another.

    Parameters
    ----------
    other, reference
        Mean memberships, (customer, segment).
    count
        Customers that a row stands for.

    Returns
    -------
    array
        (segment of `other`, segment of `reference`); rows add up to 1.
    """
    both = (other * count[:, None]).T @ reference
    return both / np.maximum(both.sum(axis=1, keepdims=True), 1e-300)


def mapped(value: xr.Dataset, shares: Array) -> xr.Dataset:
    """Return values by segment of one model as values by segment of another.

    Parameters
    ----------
    value
        As `softseg.results.value.value` returns it.
    shares
        From `mapping`, (its segment, new segment).
    """
    tables = {name: value[name].to_numpy() @ shares for name in TABLES}
    kept = value.drop_vars([*TABLES, SEGMENT, "segment_name"], errors="ignore")
    dims = (RULE, SAMPLE, ASSIGNED, SEGMENT)
    numbers = np.arange(1, shares.shape[1] + 1)
    new = {name: (dims, array) for name, array in tables.items()}
    return kept.assign(new).assign_coords({SEGMENT: numbers})


def stacking(pointwise: Array, count: Array) -> Array:
    """Return the weights of models that maximise Σ_i count_i log Σ_m w_m p_m(i | others), (model,).

    By EM for the weights of a mixture, which climbs a concave function.

    Parameters
    ----------
    pointwise
        Leave-one-out log densities, (model, pattern).
    count
        Customers of each pattern.
    """
    density = np.exp(pointwise - pointwise.max(axis=0))
    weights = np.full(len(density), 1.0 / len(density))
    for _ in range(ROUNDS):
        share = weights[:, None] * density
        share /= share.sum(axis=0)
        new = share @ count / count.sum()
        if np.abs(new - weights).max() < SETTLED:
            return new
        weights = new
    return weights


def pool(tables: Sequence[xr.Dataset], weights: Array) -> xr.Dataset:
    """Return the samples of several models together, each model in proportion to its weight.

    Evenly spaced samples of each; as many in all as the largest model has.
    """
    n_samples = max(table.sizes[SAMPLE] for table in tables)
    parts = [
        table.isel({SAMPLE: spread(table.sizes[SAMPLE], n)})
        for table, n in zip(tables, _whole(weights * n_samples), strict=True)
        if n
    ]
    whole = xr.concat(
        parts, SAMPLE, data_vars="minimal", coords="minimal", compat="override", join="exact",
        combine_attrs="override",
    )  # fmt: skip
    return whole.assign_coords({SAMPLE: np.arange(whole.sizes[SAMPLE])})


def _whole(parts: Array) -> list[int]:
    """Return whole numbers near some numbers, with the same sum (largest remainders)."""
    found = np.floor(parts).astype(int)
    left = round(float(parts.sum())) - int(found.sum())
    order = np.argsort(found - parts, kind="stable")
    found[order[:left]] += 1
    return found.tolist()
