"""Posterior draws by importance sampling from proposals at the modes: `laplace`.

Draws from a mixture of the proposals of all distinct modes (`copula`), in the proportion of their
Laplace masses, are weighted by posterior over proposal. The weights are Pareto-smoothed (Vehtari,
Simpson, Gelman, Yao and Gabry 2024); the shape k̂ of their tail and their effective number decide
whether the draws stand. Then as many draws are taken with these weights (systematic resampling,
Kitagawa 1996), so that everything downstream reads plain draws.

k̂ of one set of draws moves by ±0.15 between seeds. The draws are therefore made in independent
replicates, and both k̂ of all of them and the median of the replicates' k̂ must pass. What k̂ cannot
see is a mode that nobody found: the dispersed chains of every fit look for it (`explore`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from softseg.families.base import TINY, Array
from softseg.inference.copula import Proposal
from softseg.inference.curvature import Summit, summit
from softseg.inference.draws import Draws, Progress
from softseg.inference.psis import smooth
from softseg.inference.space import Space
from softseg.models.mixture import Values

REPLICATES = 4
BATCHES = (1000, 2000, 4000)
"""Draws in all; more are made only where the fewer do not pass."""
CHEAP = 30_000
"""Up to so many patterns all draws are made at once."""
SAME_POINT = 1e-3
"""Modes whose points lie within so many posterior sds (per coordinate) are one."""
LEAST_MASS = 1e-4
"""Modes with less of the mass than this are left out of the proposal."""
ENOUGH, SOFT_TAIL = 400.0, 0.7


@dataclass(frozen=True)
class Importance:
    """Weighted draws in unconstrained coordinates.

    Attributes
    ----------
    points
        Shape (sample, coordinate).
    log_weights
        Pareto-smoothed and normalised, (sample,).
    log_likelihood
        Shape (sample,).
    k_hat
        Shape of the tail of all weights; `replicate_k_hat` of each replicate's.
    ess
        Effective number of the weighted draws; `worth` is that of plain ones taken from them.
    log_evidence, log_evidence_error
        Log of the mean weight and its Monte Carlo standard error: the log marginal likelihood,
        but for the permutations of labels that the proposal does not reach.
    """

    points: Array
    log_weights: Array
    log_likelihood: Array
    k_hat: float
    replicate_k_hat: Array
    ess: float
    log_evidence: float
    log_evidence_error: float

    @property
    def tail(self) -> float:
        """The larger of k̂ of all draws and the median of the replicates', NaN where one is."""
        return float(np.maximum(self.k_hat, np.median(self.replicate_k_hat)))

    @property
    def stands(self) -> bool:
        """Whether the weights pass the gate, as many plain draws being taken as were weighted."""
        return bool(self.tail < SOFT_TAIL and self.worth(len(self.points)) >= ENOUGH)

    def worth(self, n: int) -> float:
        """Return the effective number, as expected, of n plain draws taken by `systematic`.

        A draw of weight w stands ⌊nw⌋ or ⌈nw⌉ times, nw on average, so that Σ E(times²)/n² is
        Σ w² + Σ f (1 − f)/n², f = nw mod 1: the weights' own loss and that of taking. Draws taken
        independently of each other would lose 1/n in the place of the second sum.
        """
        weights = np.exp(self.log_weights)
        part = n * weights % 1.0
        return float(1.0 / (weights @ weights + part @ (1.0 - part) / n**2))


def summits(space: Space, starts: Sequence[Values], cores: int = 1) -> list[Summit]:
    """Return the distinct posterior modes near these parameters, highest mass first."""
    found: list[Summit] = []
    for values in starts:
        top = summit(space, space.point(space.inside(values)), cores)
        if not any(_same(top, known) for known in found):
            found.append(top)
    found = _capped(found)
    found.sort(key=lambda top: -top.log_mass)
    masses = np.array([top.log_mass for top in found])
    kept = masses - logsumexp(masses) > np.log(LEAST_MASS)
    return [top for top, keep in zip(found, kept, strict=True) if keep]


def _capped(found: list[Summit]) -> list[Summit]:
    """Return the modes with irregular ones held to the mass of the largest regular one.

    Where Newton did not settle, or a direction is flat, the determinant means nothing. It must
    neither push a regular mode out of the proposal nor leave its own place without draws.
    """
    regular = [top.log_mass for top in found if top.regular]
    most = max(regular, default=np.inf)
    return [
        top
        if top.regular or top.log_mass <= most
        else replace(top, log_determinant=top.log_determinant - 2.0 * (top.log_mass - most))
        for top in found
    ]


def _same(top: Summit, known: Summit) -> bool:
    sd = np.sqrt(np.maximum(np.diag(known.covariance), 1e-300))
    return bool(np.all(np.abs(top.point - known.point) < SAME_POINT * sd + 1e-9))


def sample_importance(
    space: Space,
    tops: Sequence[Summit],
    *,
    rng: np.random.Generator,
    batches: Sequence[int] | None = None,
    cores: int = 1,
    progress: Progress | None = None,
) -> Importance:
    """Return weighted draws from the modes' proposals, as many as are needed to pass.

    Parameters
    ----------
    tops
        Distinct modes.
    batches
        Numbers of draws in all after which to look whether they pass; `BATCHES` where a pass over
        the patterns is expensive, else only the last of them.
    """
    if batches is None:
        batches = BATCHES[-1:] if space.statistics.n_patterns <= CHEAP else BATCHES
    report = progress or (lambda stage, share: None)
    proposals = [Proposal.at(space, top) for top in tops]
    rngs = rng.spawn(REPLICATES)
    parts: list[list[tuple[Array, Array, Array]]] = [[] for _ in rngs]

    def more(total: int) -> None:
        for own, generator in zip(parts, rngs, strict=True):
            done = sum(len(points) for points, _, _ in own)
            report("sample", done * REPLICATES / batches[-1])
            n = total // REPLICATES - done
            own.append(_weighted(space, proposals, generator, n, cores))

    for total in batches[:-1]:
        more(total)
        found = _judged(parts)
        if found.stands:
            return found
    more(batches[-1])
    report("sample", 1.0)
    return _judged(parts)


def _weighted(
    space: Space, proposals: Sequence[Proposal], rng: np.random.Generator, n: int, cores: int
) -> tuple[Array, Array, Array]:
    """Return points, log ratios of posterior to proposal, and log-likelihoods of n draws."""
    mass = np.array([proposal.log_mass for proposal in proposals])
    share = np.exp(mass - logsumexp(mass))
    numbers = np.diff(np.round(np.append(0.0, np.cumsum(share)) * n).astype(int))
    drawn = [p.draw(rng, m) for p, m in zip(proposals, numbers, strict=True)]
    points = np.concatenate([own for own, _ in drawn])
    if len(proposals) == 1:
        proposed = drawn[0][1]
    else:
        log_share = np.log(np.maximum(numbers, TINY) / n)
        each = [w + p.log_density(points) for w, p in zip(log_share, proposals, strict=True)]
        proposed = np.asarray(logsumexp(np.stack(each), axis=0))
    posterior, log_likelihood = space.log_densities(points, cores)
    ratios = posterior - proposed
    return points, np.where(np.isfinite(ratios), ratios, -np.inf), log_likelihood


def _judged(parts: Sequence[Sequence[tuple[Array, Array, Array]]]) -> Importance:
    """Return the draws of all replicates with their smoothed weights."""
    by_replicate = [np.concatenate([ratios for _, ratios, _ in own]) for own in parts]
    ratios = np.concatenate(by_replicate)
    log_weights, k_hat = smooth(ratios[None, :])
    replicate = np.array([smooth(own[None, :])[1][0] for own in by_replicate])
    weights = np.exp(log_weights[0])
    raw = np.exp(ratios - ratios.max())
    spread = float(np.std(raw, ddof=1) / np.mean(raw) / np.sqrt(len(raw)))
    return Importance(
        points=np.concatenate([points for own in parts for points, _, _ in own]),
        log_weights=log_weights[0],
        log_likelihood=np.concatenate([lik for own in parts for _, _, lik in own]),
        k_hat=float(k_hat[0]),
        replicate_k_hat=replicate,
        ess=float(1.0 / np.sum(weights**2)),
        log_evidence=float(logsumexp(ratios) - np.log(len(ratios))),
        log_evidence_error=spread,
    )


def resampled(
    space: Space, found: Importance, rng: np.random.Generator, n_chains: int, n_draws: int
) -> Draws:
    """Return plain draws with leading axes (chain, draw), taken with the weights.

    The order is random, so that chains are interchangeable. `sample_stats` holds k̂ and the
    effective number of the plain draws, n²/Σ times² with how often each weighted one stands, the
    same for every draw.
    """
    chosen = rng.permutation(systematic(rng, np.exp(found.log_weights), n_chains * n_draws))
    values = space.values(found.points[chosen].reshape(n_chains, n_draws, -1))
    ones = np.ones((n_chains, n_draws))
    times = np.bincount(chosen).astype(float)
    stats = {
        "pareto_k": found.tail * ones,
        "importance_ess": chosen.size**2 / (times @ times) * ones,
        "log_evidence": found.log_evidence * ones,
        "log_evidence_error": found.log_evidence_error * ones,
    }
    log_likelihood = found.log_likelihood[chosen].reshape(n_chains, n_draws)
    return Draws(values, log_likelihood, stats, "laplace")


def systematic(rng: np.random.Generator, weights: Array, n: int) -> NDArray[np.intp]:
    """Return n indices, each taken in proportion to its weight up to less than one."""
    edges = np.cumsum(weights)
    places = (np.arange(n) + rng.random()) / n * edges[-1]
    return np.minimum(np.searchsorted(edges, places, side="right"), len(weights) - 1)


def laplace(
    space: Space,
    starts: Sequence[Values],
    *,
    n_draws: int,
    n_chains: int,
    rng: np.random.Generator,
    cores: int = 1,
    progress: Progress | None = None,
) -> tuple[Draws, Importance, list[Summit]]:
    """Return posterior draws by importance sampling, the weighted draws, and the modes.

    Parameters
    ----------
    starts
        Parameters at the modes, best first.
    n_draws, n_chains
        Plain draws to take, at most as many in all as were weighted.
    """
    rng_importance, rng_resample = rng.spawn(2)
    # one thread for small products: their last digits must not depend on the number of cores
    with threadpool_limits(1, user_api="blas"):
        tops = summits(space, starts, cores)
        found = sample_importance(space, tops, rng=rng_importance, cores=cores, progress=progress)
    per_chain = min(n_draws, len(found.points) // n_chains)
    return resampled(space, found, rng_resample, n_chains, per_chain), found, tops
