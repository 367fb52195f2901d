"""Simulation-based calibration: the truth's rank among posterior draws is uniform.

A truth is drawn from the frozen prior, a table of 100 customers from the truth, draws from the
method; over many tables every rank of the truth among the draws is equally likely if, and for all
practical purposes only if, method and model are right (Talts, Betancourt, Simpson, Vehtari and
Gelman 2018). Ranked are all parameters, the shares, and two quantities that depend on the data:
the log-likelihood and the membership of the first customer. They find faults that parameters do
not show (Modrák, Moon, Kim, Bürkner, Huurre, Faltejsková, Gelman and Vehtari 2023).

Two segments, two indicators of the family and one Gaussian, one cell in ten missing. Segments are
numbered by their mean of the Gaussian, in the truth and in every draw, so that no labels need to
be identified. No table is left out, whatever the gate would say; whether the importance weights
stand is stored with the ranks.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import logsumexp

from calibration_coverage import simulated
from softseg.families import families
from softseg.families.namespace import NUMPY
from softseg.inference.diagnose import quantities
from softseg.inference.draws import Draws
from softseg.inference.gibbs import gibbs
from softseg.inference.laplace import resampled, sample_importance, summits
from softseg.inference.modes import Modes, find_modes
from softseg.inference.space import Space
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import Mixture, Values, specify
from softseg.priors import Prior
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, PriorSchema, Schema

METHODS = ("gibbs", "laplace", "nuts")
N_SIMULATIONS, SHARD = 1000, 250
N_CUSTOMERS, N_SEGMENTS, MISSING = 100, 2, 0.1
N_STARTS = 5
N_CHAINS, PER_CHAIN, N_TUNE, THIN = 4, 25, 100, 12
"""Of the 100 draws the last is dropped: 99 draws give 100 ranks."""
NUTS_TUNE, NUTS_THIN = 300, 4
ANCHOR = Prior("Normal", mu=0.0, sigma=20.0)
"""Means of the Gaussian: some nine tables of ten have segments that are well apart."""
FAMILIES = list(families())


@dataclass(frozen=True)
class Ranks:
    """Ranks of the truth.

    Attributes
    ----------
    names
        Quantities.
    ranks
        How many of 99 draws lie below the truth, (simulation, quantity).
    stands
        Whether the method's own weights pass the gate, (simulation,); always so for Markov chains.
    commit
        State of the code, one per shard.
    """

    names: list[str]
    ranks: np.ndarray
    stands: np.ndarray
    commit: list[str]
    seconds: float


def units() -> list[str]:
    """Return the names of the shards, first shards of all families first."""
    return [f"{name}-{i}" for i in range(N_SIMULATIONS // SHARD) for name in FAMILIES]


def frozen_schema(name: str) -> Schema:
    """Return a schema with two indicators of a family whose priors come from a base table."""
    from builders import frame_of, truth

    kinds = {"anchor": "gaussian", "first": name, "second": name}
    frame, _ = frame_of(kinds, truth(kinds, (0.5, 0.3, 0.2)), 400, np.random.default_rng(20))
    entries = {key: IndicatorSchema(family=kind) for key, kind in kinds.items()}
    entries["anchor"] = IndicatorSchema(family="gaussian", priors={"mean": PriorSchema.of(ANCHOR)})
    return prepare(frame, Schema(indicators=entries)).schema


def work(unit: str, method: str, folder: Path, commit: str) -> float:
    """Write the ranks of a shard under a method; return its CPU seconds."""
    name, shard = unit.rsplit("-", 1)
    mixture = specify(frozen_schema(name), N_SEGMENTS)
    first = int(shard) * SHARD

    def simulate(simulation: int) -> tuple[list[str], np.ndarray, bool]:
        return simulation_of(mixture, [FAMILIES.index(name), simulation], method)

    return store(path_of(folder, unit, method), simulate, range(first, first + SHARD), commit)


def store(
    path: Path,
    simulate: Callable[[int], tuple[list[str], np.ndarray, bool]],
    simulations: Sequence[int],
    commit: str,
) -> float:
    """Write what `simulate` returns for each simulation as one shard; return the CPU seconds."""
    began = time.process_time()
    names: list[str] = []
    ranks, stands = [], []
    for simulation in simulations:
        names, one, stand = simulate(simulation)
        ranks.append(one)
        stands.append(stand)
    seconds = time.process_time() - began
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(".part.npz")
    np.savez_compressed(
        staged,
        names=np.array(names),
        ranks=np.array(ranks, dtype=np.uint8),
        stands=np.array(stands),
        commit=np.array(commit),
        seconds=np.array(seconds),
    )
    staged.replace(path)
    return seconds


def path_of(folder: Path, unit: str, method: str) -> Path:
    """Return the file with the ranks of a shard."""
    return folder / f"{method}-{unit}.npz"


def read(folder: Path, name: str, method: str, n_shards: int | None = None) -> Ranks | None:
    """Return all ranks of a family under a method; None where there are none yet."""
    shards = []
    for i in range(N_SIMULATIONS // SHARD if n_shards is None else n_shards):
        path = path_of(folder, f"{name}-{i}", method)
        if path.exists():
            with np.load(path) as file:
                shards.append({key: file[key] for key in file.files})
    if not shards:
        return None
    return Ranks(
        names=[str(quantity) for quantity in shards[0]["names"]],
        ranks=np.concatenate([shard["ranks"] for shard in shards]).astype(int),
        stands=np.concatenate([shard["stands"] for shard in shards]),
        commit=[str(shard["commit"]) for shard in shards],
        seconds=float(sum(shard["seconds"] for shard in shards)),
    )


def simulation_of(
    mixture: Mixture, seed: Sequence[int], method: str
) -> tuple[list[str], np.ndarray, bool]:
    """Return the names of the quantities, the truth's ranks, and whether the weights stand.

    The table is the same for all methods, and so are the modes.
    """
    rng_table, rng_modes, *rngs = np.random.default_rng(seed).spawn(2 + len(METHODS))
    rng = rngs[METHODS.index(method)]
    table, truth = simulated(mixture, N_CUSTOMERS, rng_table, MISSING)
    statistics = reduce(table)
    modes = find_modes(statistics, mixture, n_starts=N_STARTS, rng=rng_modes)
    draws, stands = _draws(method, statistics, mixture, modes, rng)
    names, true = watched(statistics, truth.map(lambda v: v[None, None]), None)
    drawn = watched(statistics, draws.values, draws.log_likelihood)[1]
    return names, ranked(true, drawn, rng), stands


def ranked(true: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the truth's ranks among all draws but the last, by lot where they are equal."""
    ties = (drawn[:-1] == true).sum(axis=0)
    return (drawn[:-1] < true).sum(axis=0) + rng.integers(ties + 1)


def _draws(
    method: str, statistics: Statistics, mixture: Mixture, modes: Modes, rng: np.random.Generator
) -> tuple[Draws, bool]:
    tops = [modes.best, *modes.near]
    if method == "laplace":
        space = Space.of(mixture, statistics)
        rng_importance, rng_resample = rng.spawn(2)
        peaks = summits(space, [mode.values for mode in tops])
        found = sample_importance(space, peaks, rng=rng_importance)
        return resampled(space, found, rng_resample, N_CHAINS, PER_CHAIN), found.stands
    starts = [tops[i % len(tops)].values for i in range(N_CHAINS)]
    rngs = rng.spawn(N_CHAINS)
    if method == "gibbs":
        draws, _ = gibbs(
            statistics, mixture, starts, n_draws=PER_CHAIN, n_tune=N_TUNE, thin=THIN, rngs=rngs
        )
        return draws, True
    from softseg.inference.nuts import nuts

    drawn = nuts(
        statistics, mixture, starts, n_draws=PER_CHAIN * NUTS_THIN, n_tune=NUTS_TUNE, rngs=rngs
    )
    every = (slice(None), slice(None, None, NUTS_THIN))
    return Draws(drawn.values.at(every), drawn.log_likelihood[every], {}, "nuts"), True


def watched(
    statistics: Statistics, values: Values, log_likelihood: np.ndarray | None
) -> tuple[list[str], np.ndarray]:
    """Return names of the quantities and their draws (sample, quantity), segments in order.

    Parameters
    ----------
    values
        Leading axes (chain, draw).
    log_likelihood
        As the method reports it, (chain, draw); computed here where it is None.
    """
    ordered = values.permuted(np.argsort(values.indicators["anchor"]["mean"], axis=-1))
    joint = log_joint(statistics, ordered)
    if log_likelihood is None:
        log_likelihood = logsumexp(joint, axis=-2) @ statistics.count
        log_likelihood = log_likelihood + statistics.count @ statistics.log_base
    names, columns = quantities(ordered, log_likelihood)
    first = joint[..., statistics.pattern_of_row[0]]
    member = np.exp(first[..., :1] - logsumexp(first, axis=-1, keepdims=True))
    columns = np.concatenate([columns, member], axis=-1).reshape(-1, len(names) + 1)
    names = [*names, "membership"]
    kept = [i for i, name in enumerate(names) if name not in ("share[2]", "sorted_share[2]")]
    return [names[i] for i in kept], columns[:, kept]


def log_joint(statistics: Statistics, values: Values) -> np.ndarray:
    """Return log share plus log density up to the base measure, (…, segment, pattern).

    Written out in NumPy, apart from the compiled kernels that the methods use.
    """
    weights = statistics.layout.weights(values.indicators, NUMPY)
    start = np.log(values.share) + weights.constant
    joint = start[..., None] + weights.dense @ statistics.dense
    for code in statistics.codes:
        joint = joint + weights.table[..., code]
    return joint
