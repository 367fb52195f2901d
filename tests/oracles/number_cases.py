"""The number of segments: tables whose posterior is known, and how it is known.

Ten rows with three answers, enumerated; one segment, in closed form; `values`, `galaxies` and
`thyroid`, published; and tables with more segments, where importance sampling is a second way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.special import betaln, gammaln

from builders import schema_of
from oracles.small_tables import table_of
from softseg.families.base import Array
from softseg.inference.evidence import Evidence, evidence
from softseg.inference.fit import fit
from softseg.inference.gibbs import gibbs
from softseg.inference.laplace import laplace
from softseg.inference.modes import find_modes
from softseg.inference.partition_prior import (
    Concentration,
    static,
    uniform,
)
from softseg.inference.space import Space
from softseg.inference.telescoping import Telescope
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import Mixture, specify
from softseg.priors import Prior, for_segments
from softseg.results.indices import adjusted_rand_index, cross_table
from softseg.results.membership import membership
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, Override, PriorSchema, Schema
from softseg.tables.table import Table

ROWS = ("111", "112", "111", "222", "221", "222", "121", "212", "111", "222")
ENUMERATED: Mapping[tuple[int, float], float] = {
    (1, 1.0): -23.781973,
    (2, 1.0): -22.477990,
    (3, 1.0): -22.020350,
    (2, 0.1): -23.329696,
    (3, 0.1): -23.034360,
}
"""Log evidence of the ten rows by number and Dirichlet concentration; all K^10 partitions."""
ENUMERATED_OCCUPIED: Mapping[tuple[int, float], tuple[float, ...]] = {
    (2, 1.0): (0.049354, 0.950646),
    (3, 1.0): (0.007808, 0.300773, 0.691420),
    (3, 0.1): (0.283533, 0.591566, 0.124901),
}
CLOSED: Mapping[str, float] = {"values": -553.7962, "carcinoma": -540.0676}
"""Log evidence of one segment with uniform priors."""
VALUES_TWO = (-523.66, 0.02)
"""Log evidence of `values` with two segments, bridge sampling of another program, and its error."""
GALAXIES = (0, 0, 0.05, 0.15, 0.21, 0.2, 0.16, 0.11, 0.06, 0.03, 0.02, 0.01)
"""P(K | galaxies), K = 1 … 12, as the vignette of telescope 0.2-0 prints it."""
GALAXIES_MEAN, GALAXIES_QUARTILES = 6.2517, (5, 6, 7)
"""E[K | galaxies] and the quartiles of the occupied segments, from the same place."""
GALAXIES_BAND, GALAXIES_MEAN_BAND = 0.06, 0.3
"""The published chains mix slowly: so far apart are chains of the same program."""
THYROID = 3
"""Published mode of the occupied segments."""


def ten_rows(n: int = 10) -> Table:
    """Return the table of ten rows with three answers, or its first rows."""
    cells = np.array([[int(c) - 1.0 for c in row] for row in ROWS[:n]])
    entry = {"family": "bernoulli", "levels": ["1", "2"]}
    return table_of(dict.fromkeys("abc", entry), {n: cells[:, j] for j, n in enumerate("abc")})


def log_evidence_of_subsets(k: int, alpha: float) -> float:
    """Return the log evidence of the ten rows with k segments, all allocations summed.

    With f(S) what a segment contributes that holds the rows S, shares summed out, the sum over the
    allocations is the k-fold subset convolution of f.
    """
    cells = np.array([[int(c) - 1 for c in row] for row in ROWS])
    sets = np.arange(1 << len(cells))
    member = (sets[:, None] >> np.arange(len(cells))) & 1
    n, ones = member.sum(axis=1), member @ cells
    log_f = gammaln(n + alpha) - gammaln(alpha) + betaln(1 + ones, 1 + n[:, None] - ones).sum(1)
    f = np.exp(log_f)
    total = f.copy()
    for _ in range(k - 1):
        total = np.array([_over_subsets(total, f, s) for s in sets])
    constant = gammaln(k * alpha) - gammaln(len(cells) + k * alpha)
    return float(constant + np.log(total[-1]))


def _over_subsets(first: Array, second: Array, whole: int) -> float:
    sub, total = whole, 0.0
    while True:
        total += first[sub] * second[whole ^ sub]
        if sub == 0:
            return total
        sub = (sub - 1) & whole


def answers(path: Path) -> Table:
    """Return a file whose columns are all categorical as a table."""
    frame = pd.read_csv(path).astype(str)
    return prepare(frame, schema_of(dict.fromkeys(frame, "categorical")))


def closed_form(table: Table) -> float:
    """Return the log evidence of one segment of two-valued columns without gaps, Beta(1, 1)."""
    zero = [(column == 0).sum() for column in table.columns.values()]
    return float(sum(betaln(1.0 + n, 1.0 + table.n_customers - n) for n in zero))


def specified(table: Table, k: int, alpha: float) -> Mixture:
    """Return the mixture of k segments with Dirichlet(alpha) shares."""
    prior = PriorSchema.of(Prior("Dirichlet", alpha=alpha))
    return specify(table.schema.model_copy(update={"share": prior}), k)


def bridged(
    table: Table,
    k: int,
    *,
    alpha: float = 1.0,
    n_draws: int = 2000,
    n_chains: int = 4,
    n_starts: int = 4,
    seed: int = 1,
    used: int = 4000,
) -> Evidence:
    """Return the evidence by bridge sampling from Gibbs draws at the best mode."""
    mixture, statistics = specified(table, k, alpha), reduce(table)
    first, second, third = np.random.default_rng(seed).spawn(3)
    mode = find_modes(statistics, mixture, n_starts=n_starts, rng=first).best.values
    draws, _ = gibbs(
        statistics, mixture, [mode] * n_chains, n_draws=n_draws, n_tune=100,
        rngs=second.spawn(n_chains),
    )  # fmt: skip
    return evidence(Space.of(mixture, statistics), draws.values, third, n_draws=used)


def mixtures(schema: Schema) -> Callable[[int], Mixture]:
    """Return the mixtures of a schema by number of segments."""
    return cache(lambda k: specify(schema, k))


@dataclass(frozen=True)
class Hierarchy:
    """Richardson and Green's prior of Gaussian segments, for each indicator.

    Means N(place, width²), variances IG(c₀, C₀) with C₀ ~ G(g₀, 100 g₀/(c₀ width²)) unknown.
    """

    place: Array
    width: Array
    c0: float
    g0: float
    rate: Array

    def schema(self, names: Sequence[str], big_c0: Array) -> Schema:
        """Return the schema for known C₀."""
        entries = {}
        for j, name in enumerate(names):
            priors: dict[str, Override] = {
                "mean": PriorSchema.of(Prior("Normal", mu=self.place[j], sigma=self.width[j])),
                "sd": PriorSchema.of(Prior("SqrtInverseGamma", alpha=self.c0, beta=big_c0[j])),
            }
            entries[name] = IndicatorSchema(family="gaussian", priors=priors)
        return Schema(indicators=entries)


def telescoped(
    frame: pd.DataFrame,
    hierarchy: Hierarchy,
    log_prior: Array,
    concentration: Concentration,
    *,
    seed: int,
    n_chains: int = 4,
    n_sweeps: int = 6000,
    n_tune: int = 1000,
) -> tuple[Array, Array]:
    """Return draws of K and of the occupied segments under a hierarchy, each (chain, sweep)."""
    names = list(frame)
    table = prepare(frame, hierarchy.schema(names, np.ones(len(names))))
    statistics, known = reduce(table), mixtures(table.schema)

    def mixture_with(big_c0: Array) -> Callable[[int], Mixture]:
        sds = [Prior("SqrtInverseGamma", alpha=hierarchy.c0, beta=b) for b in big_c0]

        @cache
        def mixture_of(k: int) -> Mixture:
            base = known(k)
            priors = {
                name: {**base.priors[name], "sd": for_segments(sd, k)}
                for name, sd in zip(names, sds, strict=True)
            }
            return replace(base, priors=priors)

        return mixture_of

    seen: list[list[tuple[int, int]]] = []
    for rng in np.random.default_rng(seed).spawn(n_chains):
        mixture_of = mixture_with(hierarchy.g0 / hierarchy.rate)
        chain = Telescope(statistics, mixture_of, log_prior, concentration, rng)
        seen.append([])
        for sweep in range(n_sweeps):
            chain.log_likelihood_and_sweep()
            sd = np.stack([chain.values.indicators[name]["sd"] for name in names])
            shape = hierarchy.g0 + hierarchy.c0 * sd.shape[1]
            chain.mixture_of = mixture_with(
                rng.gamma(shape, 1.0 / (hierarchy.rate + (sd**-2.0).sum(axis=1)))
            )
            if sweep >= n_tune:
                seen[-1].append((sd.shape[1], chain.n_occupied))
    both = np.array(seen)
    return both[..., 0], both[..., 1]


def galaxies(path: Path, **options: int) -> tuple[Array, Array]:
    """Return K and occupied segments of the galaxies, K ~ U{1, …, 30}, e₀ = 1."""
    y = pd.read_csv(path)["velocity_telescope_kkm_s"].to_numpy()
    width, middle = np.array([np.ptp(y)]), np.array([(y.max() + y.min()) / 2])
    hierarchy = Hierarchy(middle, width, 2.0, 0.2, 10.0 / width**2)
    return telescoped(pd.DataFrame({"v": y}), hierarchy, uniform(30), static(1.0), **options)


def thyroid_frame(path: Path) -> pd.DataFrame:
    """Return the five tests of `thyroid`."""
    return pd.read_csv(path).drop(columns="Diagnosis")


def thyroid_table(path: Path) -> Table:
    """Return `thyroid` with the vignette's priors, C₀ at its value for three segments.

    C₀ is drawn in the vignette; here it is its mean given the most probable sds, found by turns.
    """
    frame = thyroid_frame(path)
    names, y = list(frame), frame.to_numpy()
    width, c0, g0 = np.ptp(y, axis=0), 2.5, 0.5
    hierarchy = Hierarchy(np.median(y, axis=0), width, c0, g0, 100.0 * g0 / c0 / width**2)
    big_c0 = np.ones(len(names))
    for _ in range(6):
        table = prepare(frame, hierarchy.schema(names, big_c0))
        mixture, rng = specified(table, 3, 1.0), np.random.default_rng(1)
        mode = find_modes(reduce(table), mixture, n_starts=10, rng=rng).best.values
        sd = np.stack([mode.indicators[name]["sd"] for name in names])
        big_c0 = (g0 + c0 * sd.shape[1]) / (hierarchy.rate + (sd**-2.0).sum(axis=1))
    return prepare(frame, hierarchy.schema(names, big_c0))


def agreement_with_diagnosis(path: Path, n_segments: int) -> tuple[float, float]:
    """Return adjusted Rand index and error rate of the top segments of `thyroid`, table as above.

    The error rate is that of the best one-to-one naming of segments by diagnoses.
    """
    found = fit(thyroid_table(path), n_segments, seed=1, cores=1)
    top = membership(found.statistics, found.draws.values.flattened())["mean"].argmax("segment")
    diagnosis = pd.factorize(pd.read_csv(path)["Diagnosis"])[0]
    cross = cross_table(diagnosis, top.to_numpy(), np.ones(len(diagnosis)))
    rows, columns = linear_sum_assignment(cross, maximize=True)
    return float(adjusted_rand_index(cross)), float(1.0 - cross[rows, columns].sum() / cross.sum())


def many_segments(k: int, n: int, seed: int = 11) -> Table:
    """Return n customers in k segments that can be told apart, five indicators."""
    rng = np.random.default_rng([seed, k])
    segment = rng.integers(k, size=n)
    columns: dict[str, Any] = {}
    for j in range(3):
        columns[f"x{j}"] = rng.normal(rng.normal(0.0, 4.0, k)[segment], 1.0)
    for j in range(2):
        edges = np.cumsum(rng.dirichlet(np.ones(3), k), axis=1)[segment, :-1]
        columns[f"c{j}"] = np.array(list("abc"))[(rng.random(n)[:, None] > edges).sum(axis=1)]
    families = {name: "gaussian" if name[0] == "x" else "categorical" for name in columns}
    return prepare(pd.DataFrame(columns), schema_of(families))


def weighed(table: Table, k: int, *, alpha: float = 1.0, seed: int = 2) -> tuple[float, float]:
    """Return the evidence as the mean importance weight, and its error: a second way.

    The proposal lies at one labelling: log K! is added, which is right for segments apart.
    """
    mixture, statistics = specified(table, k, alpha), reduce(table)
    first, second = np.random.default_rng(seed).spawn(2)
    mode = find_modes(statistics, mixture, n_starts=10, rng=first).best.values
    space = Space.of(mixture, statistics)
    _, found, _ = laplace(space, [mode], n_draws=1000, n_chains=4, rng=second)
    return found.log_evidence + float(gammaln(k + 1.0)), found.log_evidence_error
