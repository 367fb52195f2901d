"""How many segments are occupied: the telescoping sampler on the Gibbs path.

The number of segments K is unknown, and so is K₊ ≤ K, how many of them have customers. One sweep
(Frühwirth-Schnatter, Malsiner-Walli and Grün 2021, Algorithm 1) draws every customer's segment,
which gives the partition and K₊; the parameters of the occupied segments; then, from the partition
alone,

    p(K | partition) ∝ p(K) · K!/(K − K₊)! · Γ(e K)/Γ(N + e K) · Π Γ(N_k + e)/Γ(e),   K ≥ K₊,

with e the concentration of the shares, e₀ (static) or α/K (dynamic), which is drawn next in the
same density times its prior; last the K − K₊ empty segments from the prior and the shares from
their Dirichlet. A prior that knows K exactly makes it the sparse finite mixture (Malsiner-Walli,
Frühwirth-Schnatter and Grün 2016).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from softseg.errors import UsageError
from softseg.families.base import TINY, Array
from softseg.families.namespace import NUMPY
from softseg.inference.diagnose import mixing
from softseg.inference.draws import Progress, threads_for
from softseg.inference.gibbs import stack
from softseg.inference.partition_prior import (
    DYNAMIC,
    Concentration,
    beta_negative_binomial,
    log_partition,
)
from softseg.inference.starts import random_start
from softseg.likelihood.kernel import Expected, sampled_statistics
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values

STARTS: Final = (10, 4, 7, 13)
"""Segments that the chains begin with, in turn: superfluous ones empty quickly, missing ones have
to be born out of the prior."""
REPORT_EVERY: Final = 50
MOST_STEPS: Final = 60
"""Steps of the slice sampler at the most."""


@dataclass(frozen=True)
class Occupied:
    """Draws of the number of occupied segments.

    Attributes
    ----------
    occupied
        K₊, (chain, draw).
    n_segments
        K, (chain, draw).
    concentration
        α or e₀, (chain, draw).
    log_likelihood
        Σ count · log f of the draw's parameters, (chain, draw).
    values
        Parameters of all K segments, filled up with segments of share 0 to the largest K drawn;
        leading axes (chain, draw). None unless they were asked for.
    """

    occupied: NDArray[np.int64]
    n_segments: NDArray[np.int64]
    concentration: Array
    log_likelihood: Array
    values: Values | None = None

    def probability(self, most: int | None = None) -> Array:
        """Return P(K₊ = k | data), k = 1 … most."""
        return _frequencies(self.occupied, most)

    def standard_error(self, most: int | None = None) -> Array:
        """Return the Monte Carlo standard error of `probability`, k = 1 … most.

        From the scatter of the means of blocks of draws, so that dependence within and between
        chains is in it.
        """
        n_chains, n_draws = self.occupied.shape
        n_blocks = max(1, min(10, n_draws // 20))
        length = n_draws // n_blocks
        cut = self.occupied[:, : n_blocks * length].reshape(n_chains * n_blocks, length)
        most = most or int(self.occupied.max())
        means = np.stack([_frequencies(block, most) for block in cut])
        if len(means) == 1:
            return np.full(most, np.nan)
        within = means.std(axis=0, ddof=1) / np.sqrt(len(means))
        if n_chains == 1:
            return within
        chains = np.stack([_frequencies(chain, most) for chain in self.occupied])
        return np.maximum(within, chains.std(axis=0, ddof=1) / np.sqrt(n_chains))

    @property
    def mode(self) -> int:
        """The most probable number of occupied segments."""
        return int(self.probability().argmax()) + 1

    @property
    def rhat(self) -> float:
        """R-hat of the log-likelihood and of K₊, the larger one; NaN for one chain."""
        if len(self.occupied) < 2:
            return float("nan")
        both = np.stack([self.log_likelihood, self.occupied.astype(float)], axis=-1)
        moving = both.reshape(-1, 2).std(axis=0) > 0
        found = mixing(both)["rhat"][moving]
        return float(found.max()) if len(found) else 1.0


def telescope(
    statistics: Statistics,
    mixture_of: Callable[[int], Mixture],
    *,
    log_prior: Array | None = None,
    concentration: Concentration = DYNAMIC,
    n_draws: int = 1000,
    n_tune: int = 500,
    thin: int = 1,
    rngs: Sequence[np.random.Generator],
    keep_values: bool = False,
    cores: int = 1,
    progress: Progress | None = None,
) -> Occupied:
    """Return draws of the number of segments and of occupied segments.

    Parameters
    ----------
    statistics
        Counts must be whole numbers.
    mixture_of
        The mixture for a number of segments; its priors must be exchangeable and have updates. Its
        prior of the shares is not used: `concentration` stands in its place.
    log_prior
        Log P(K), K = 1, 2, …; −∞ where a K is ruled out. By default `beta_negative_binomial`.
    concentration
        Of the shares, given K.
    n_draws, n_tune, thin
        Draws kept per chain, sweeps before them, sweeps per kept draw.
    rngs
        One generator per chain.
    keep_values
        Whether the parameters are kept, for the partition.

    Raises
    ------
    UsageError
        Where a prior has no update or segments have priors of their own.
    """
    log_prior = beta_negative_binomial() if log_prior is None else log_prior
    check_telescoping(mixture_of(1), mixture_of(2))
    finished = np.zeros(len(rngs))

    def one(chain: int) -> _Kept:
        sweeps = Telescope(
            statistics, mixture_of, log_prior, concentration, rngs[chain],
            n_start=STARTS[chain % len(STARTS)],
        )  # fmt: skip
        kept = _Kept([], [], [], [], [])
        for sweep in range(n_tune + n_draws * thin):
            log_likelihood = sweeps.log_likelihood_and_sweep()
            if sweep >= n_tune and (sweep - n_tune) % thin == 0:
                kept.add(sweeps, log_likelihood, keep_values)
            if progress is not None and sweep % REPORT_EVERY == 0:
                finished[chain] = sweep / (n_tune + n_draws * thin)
                progress("telescope", float(finished.mean()))
        return kept

    with ThreadPoolExecutor(max_workers=threads_for(statistics.n_patterns, cores)) as pool:
        chains = list(pool.map(one, range(len(rngs))))
    values = _padded([chain.values for chain in chains]) if keep_values else None
    return Occupied(
        np.array([chain.occupied for chain in chains]),
        np.array([chain.n_segments for chain in chains]),
        np.array([chain.concentration for chain in chains]),
        np.array([chain.log_likelihood for chain in chains]),
        values,
    )


def check_telescoping(*mixtures: Mixture) -> None:
    """Refuse mixtures whose number of segments cannot be sampled."""
    for mixture in mixtures:
        stuck = mixture.not_updatable()
        if stuck:
            raise UsageError(
                "Use priors with an update to sample the number of segments: those of "
                f"{stuck} have none."
            )
        if not all(p.exchangeable for group in mixture.priors.values() for p in group.values()):
            raise UsageError(
                "Give all segments the same priors to sample their number: some have their own."
            )


@dataclass(frozen=True)
class _Kept:
    occupied: list[int]
    n_segments: list[int]
    concentration: list[float]
    log_likelihood: list[float]
    values: list[Values]

    def add(self, chain: "Telescope", log_likelihood: float, keep_values: bool) -> None:
        self.occupied.append(chain.n_occupied)
        self.n_segments.append(len(chain.values.share))
        self.concentration.append(chain.concentration_value)
        self.log_likelihood.append(log_likelihood)
        if keep_values:
            self.values.append(chain.values)


class Telescope:
    """One chain: its present values, its concentration, and its generator.

    `mixture_of` may be replaced between two sweeps by one with other priors: so a caller can draw
    hyperparameters given the present values.
    """

    def __init__(
        self,
        statistics: Statistics,
        mixture_of: Callable[[int], Mixture],
        log_prior: Array,
        concentration: Concentration,
        rng: np.random.Generator,
        *,
        n_start: int = STARTS[0],
    ) -> None:
        self.statistics, self.mixture_of, self.rng = statistics, mixture_of, rng
        self.log_prior, self.concentration = log_prior, concentration
        self.concentration_value = concentration.start
        possible = np.flatnonzero(np.isfinite(log_prior)) + 1
        n_start = int(np.clip(n_start, possible[0], possible[-1]))
        self.values = random_start(statistics, mixture_of(n_start), rng)
        self.n_occupied = n_start

    def log_likelihood_and_sweep(self) -> float:
        """Move once; return the log-likelihood of the values it started from."""
        statistics, rng = self.statistics, self.rng
        weights = statistics.layout.weights(self.values.indicators, NUMPY)
        drawn = sampled_statistics(statistics, weights, self.values.share, rng)
        filled = np.flatnonzero(drawn.sizes > 0)
        sizes = drawn.sizes[filled]
        self.n_occupied = len(filled)
        occupied = self._occupied(drawn, filled)
        k = self._number(sizes)
        self.concentration_value = self._concentration(sizes, k)
        empty = self.mixture_of(k).draw_prior(rng).indicators
        joined = {
            name: {
                key: np.concatenate([value, empty[name][key][len(filled) :]])
                for key, value in parameters.items()
            }
            for name, parameters in occupied.items()
        }
        e = float(self.concentration.at(self.concentration_value, np.array([k]))[0])
        counts = np.concatenate([sizes, np.zeros(k - len(filled))])
        heights = np.maximum(rng.standard_gamma(e + counts), TINY)
        self.values = Values(heights / heights.sum(), joined)
        return drawn.log_likelihood

    def _occupied(self, drawn: Expected, filled: NDArray[np.intp]) -> dict[str, dict[str, Array]]:
        """Return drawn parameters of the occupied segments."""
        layout, mixture = self.statistics.layout, self.mixture_of(len(filled))
        sums = layout.split(drawn.dense[filled], drawn.table[filled], drawn.sizes[filled])
        present = self.values.indicators
        return {
            slot.indicator: slot.family.update(
                self.rng,
                sums[slot.indicator],
                {key: value[filled] for key, value in present[slot.indicator].items()},
                mixture.priors[slot.indicator],
                slot.coding,
            )
            for slot in layout.slots
        }

    def _number(self, sizes: Array) -> int:
        k = np.arange(len(sizes), len(self.log_prior) + 1)
        if len(k) == 0:
            raise UsageError(
                f"Allow more segments: {len(sizes)} are occupied, the prior ends at "
                f"{len(self.log_prior)}."
            )
        e = self.concentration.at(self.concentration_value, k)
        log_p = self.log_prior[len(sizes) - 1 :] + log_partition(sizes, k, e)
        p = np.exp(log_p - log_p.max())
        return int(k[min(np.searchsorted(np.cumsum(p), self.rng.random() * p.sum()), len(k) - 1)])

    def _concentration(self, sizes: Array, k: int) -> float:
        prior = self.concentration.log_prior
        if prior is None:
            return self.concentration_value
        number = np.array([k])

        def log_density(log_value: float) -> float:
            value = float(np.exp(log_value))
            e = self.concentration.at(value, number)
            return prior(value) + log_value + float(log_partition(sizes, number, e)[0])

        return float(np.exp(_slice(log_density, np.log(self.concentration_value), self.rng)))


def _slice(log_density: Callable[[float], float], x: float, rng: np.random.Generator) -> float:
    """Return a draw by slice sampling with stepping out (Neal 2003)."""
    level = log_density(x) - rng.exponential()
    low = x - rng.random()
    high = low + 1.0
    for _ in range(MOST_STEPS):
        if log_density(low) <= level:
            break
        low -= 1.0
    for _ in range(MOST_STEPS):
        if log_density(high) <= level:
            break
        high += 1.0
    while True:
        new = low + rng.random() * (high - low)
        if log_density(new) > level:
            return new
        low, high = (new, high) if new < x else (low, new)


def _frequencies(occupied: NDArray[np.int64], most: int | None) -> Array:
    most = most or int(occupied.max())
    counts = np.bincount(occupied.ravel(), minlength=most + 1)[1 : most + 1]
    return counts / occupied.size


def _padded(chains: Sequence[Sequence[Values]]) -> Values:
    """Return draws of different numbers of segments as one stack, (chain, draw, …)."""
    width = max(len(values.share) for chain in chains for values in chain)

    def grown(array: Array, k: int) -> Array:
        return np.concatenate([array, np.repeat(array[:1], width - k, axis=0)])

    def one(values: Values) -> Values:
        k = len(values.share)
        share = np.concatenate([values.share, np.zeros(width - k)])
        return Values(share, values.map(lambda array: grown(array, k)).indicators)

    return stack([stack([one(values) for values in chain]) for chain in chains])
