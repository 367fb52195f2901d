"""The log marginal likelihood of a mixture by bridge sampling: `evidence`.

With draws of the posterior and draws of a proposal q that integrates to 1, the bridge identity

    Z = E_q[h p̃] / E_posterior[h q],   h ∝ 1/(s₁ p̃/Z + s₂ q),

is iterated to its fixed point (Meng and Wong 1996; Gronau et al. 2017); p̃ is the posterior density
in the unconstrained coordinates without its constant. Half of each chain fits the proposal, the
other half enters the identity. The Monte Carlo error is that of Frühwirth-Schnatter (2004).

Labels. The posterior of an exchangeable mixture is the same on all K! labellings, and a sampler
sees some of them. The space is cut into K! pieces that are permutations of each other: a point
belongs to the piece in which its segments lie closest to a pivot's, in its own order (Hungarian
method). Draws of the posterior are moved into one piece, which makes them draws of the posterior
on it, whichever labels the sampler has visited. Z is K! times the integral over the piece, exactly.
Two ways lead to that integral:

- *separated*: nearly all of q lies in the piece. q is taken as it is, the density outside is 0.
- *symmetrised*: labelled modes overlap, much of q lies outside. Its draws are moved into the piece
  too, and their density there is Σ over all permutations of q. For many segments the sum is too
  long: then q is *restricted*, which costs precision and says so in its error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaln, logsumexp
from threadpoolctl import threadpool_limits

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.inference.diagnose import mixing
from softseg.inference.skew_normal import SkewNormals
from softseg.inference.space import Space
from softseg.models.mixture import Values

SEPARATED: Final = 0.01
"""Up to this share of proposals outside the piece, labelled modes count as separated."""
MOST_SUMMED: Final = 5
"""Up to so many segments all permutations are summed."""
MOST_ITERATIONS: Final = 1000
TOLERANCE: Final = 1e-10
LEAST_DRAWS: Final = 40
LARGE_ERROR: Final = 0.5
"""A log evidence with a larger Monte Carlo error tells numbers of segments apart no more."""


@dataclass(frozen=True)
class Evidence:
    """A log marginal likelihood.

    Attributes
    ----------
    log
        Log marginal likelihood, priors normalised, base measure included.
    error
        Its Monte Carlo standard error.
    labels
        ``one``, ``separated``, ``symmetrised``, ``restricted`` or ``meaningful``: how labels were
        treated.
    stray
        Share of the proposals outside the piece.
    """

    log: float
    error: float
    labels: str
    stray: float

    @property
    def usable(self) -> bool:
        """Whether it is known well enough to compare numbers of segments."""
        return bool(np.isfinite(self.log)) and self.error <= LARGE_ERROR


def evidence(
    space: Space,
    values: Values,
    rng: np.random.Generator,
    *,
    n_draws: int = 1000,
    worth: float = np.inf,
    cores: int = 1,
) -> Evidence:
    """Return the log marginal likelihood of a mixture from draws of its posterior.

    Parameters
    ----------
    values
        Draws of the posterior with the leading axes (chain, draw), in any labelling.
    rng
        For the proposals.
    n_draws
        At most so many draws of the posterior enter the identity, evenly spaced, and as many
        proposals.
    worth
        Effective number of the draws that these were resampled from, where they were: copies of
        one draw are not seen by the autocorrelation.

    Returns
    -------
    Evidence
        NaN with an infinite error where the draws stand still in some coordinate.

    Raises
    ------
    UsageError
        Where there are too few draws.
    """
    # one thread for small products: their last digits must not depend on the number of cores
    with threadpool_limits(1, user_api="blas"):
        return _evidence(space, values, rng, n_draws, worth, cores)


def _evidence(
    space: Space, values: Values, rng: np.random.Generator, n_draws: int, worth: float, cores: int
) -> Evidence:
    first, second = _halves(space, values, n_draws)
    n_chains = len(values.share)
    labels = Labels.of(space, first)
    fitting, drawn = labels.moved(first)[0], labels.moved(second)[0]
    if np.any(np.ptp(fitting, axis=0) == 0.0):
        return Evidence(float("nan"), float("inf"), labels.kind(0.0), float("nan"))
    proposal = Proposal.of(fitting)
    proposed = proposal.draw(rng, len(drawn))
    moved, outside = labels.moved(proposed)
    stray = float(outside.mean())
    kind = labels.kind(stray)
    log_q = labels.symmetrised(proposal) if kind == "symmetrised" else proposal.log_density
    proposed = moved if kind == "symmetrised" else proposed
    log_p1, _ = space.log_densities(drawn, cores)
    log_p2, _ = space.log_densities(proposed, cores)
    if kind != "symmetrised":
        log_p2[outside] = -np.inf
    ratios = log_p2 - log_q(proposed)
    log_z, error = bridge(
        (log_p1 - log_q(drawn)).reshape(n_chains, -1),
        np.where(np.isnan(ratios), -np.inf, ratios),
        worth,
    )
    pieces = gammaln(space.mixture.n_segments + 1.0) if labels.exchangeable else 0.0
    return Evidence(log_z + float(pieces), error, kind, stray)


def _halves(space: Space, values: Values, n_draws: int) -> tuple[Array, Array]:
    """Return the points of each chain's first half, and at most `n_draws` of its second."""
    n_chains, n_all = values.share.shape[:2]
    if n_chains * n_all < LEAST_DRAWS or n_all < 2:
        raise UsageError(
            f"Give more draws for the evidence: expected at least {LEAST_DRAWS}, two of them per "
            f"chain, got {n_chains * n_all} in {n_chains} chains."
        )
    half = n_all // 2
    chosen = np.linspace(half, n_all - 1, max(1, min(n_all - half, n_draws // n_chains)))
    first = _points(space, values.at((slice(None), slice(0, half))))
    return first, _points(space, values.at((slice(None), chosen.round().astype(np.intp))))


def bridge(posterior: Array, proposed: Array, worth: float = np.inf) -> tuple[float, float]:
    """Return log Z and its Monte Carlo standard error.

    Parameters
    ----------
    posterior
        log p̃ − log q of draws of the posterior, (chain, draw).
    proposed
        The same of draws of q, (sample,); −∞ where p̃ is 0.
    worth
        As in `evidence`.
    """
    if not np.isfinite(proposed).any():
        return float("nan"), float("inf")
    centre = float(np.median(posterior))
    one, two = posterior - centre, proposed - centre
    log_z, f1, f2 = _fixed_point(one, two, float(posterior.size))
    # Draws of a chain resemble each other: so many independent ones they are worth.
    effective = _effective(f1)
    log_z, f1, f2 = _fixed_point(one, two, effective)
    by_proposal = f2.var() / (len(f2) * f2.mean() ** 2)
    by_posterior = f1.var() * (1.0 / _effective(f1) + 1.0 / worth) / f1.mean() ** 2
    return log_z + centre, float(np.sqrt(by_proposal + by_posterior))


def _fixed_point(one: Array, two: Array, effective: float) -> tuple[float, Array, Array]:
    """Return log Z, and what is averaged over the draws of the posterior and of the proposal."""
    n2, log_z = len(two), 0.0
    s1, s2 = np.log(effective / (effective + n2)), np.log(n2 / (effective + n2))
    for _ in range(MOST_ITERATIONS):
        above = logsumexp(two - np.logaddexp(s1 + two, s2 + log_z)) - np.log(n2)
        below = logsumexp(-np.logaddexp(s1 + one, s2 + log_z)) - np.log(one.size)
        before, log_z = log_z, float(above - below)
        if abs(log_z - before) < TOLERANCE:
            break
    f1 = np.exp(-np.logaddexp(s1 + one - log_z, s2))
    f2 = np.exp(two - log_z - np.logaddexp(s1 + two - log_z, s2))
    return log_z, f1, f2


def probabilities(evidences: Sequence[float], log_prior: Array | None = None) -> Array:
    """Return P(K | data) for log evidences, every K alike in advance unless told otherwise.

    NaN evidences have probability 0.
    """
    log = np.asarray(evidences, dtype=float) + (0.0 if log_prior is None else log_prior)
    log = np.where(np.isfinite(log), log, -np.inf)
    if not np.isfinite(log).any():
        return np.full(len(log), np.nan)
    return np.exp(log - logsumexp(log))


@dataclass(frozen=True)
class Labels:
    """One piece of the space that holds each point in one labelling.

    Attributes
    ----------
    blocks
        Coordinates of each segment's parameters, (segment, coordinate of a segment).
    pivot
        Where segments lie in the piece, log share last, (segment, place).
    unit
        Spread of each of these places, (place,).
    """

    exchangeable: bool
    blocks: NDArray[np.intp]
    pivot: Array
    unit: Array

    @classmethod
    def of(cls, space: Space, points: Array) -> "Labels":
        """Return the piece around draws (sample, coordinate) that are aligned, more or less."""
        k = space.mixture.n_segments
        exchangeable = space.mixture.exchangeable and k > 1
        if not exchangeable:
            nothing = np.empty((k, 0))
            return cls(False, nothing.astype(np.intp), nothing, nothing[0])
        blocks = np.stack([row[row >= 0] for row in space.coordinate])
        labels = cls(True, blocks, np.zeros(0), np.zeros(0))
        for _ in range(2):
            places = labels._places(points)
            pivot = np.median(places, axis=0)
            unit = np.sqrt(np.square(places - pivot).mean(axis=(0, 1)))
            labels = cls(True, blocks, pivot, np.maximum(unit, 1e-9))
            points = labels.moved(points)[0]
        return labels

    def kind(self, stray: float) -> str:
        """Return how labels are treated."""
        if not self.exchangeable:
            return "one" if len(self.blocks) == 1 else "meaningful"
        if stray <= SEPARATED:
            return "separated"
        return "symmetrised" if len(self.blocks) <= MOST_SUMMED else "restricted"

    def moved(self, points: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Return points (sample, coordinate) moved into the piece, and which were outside."""
        if not self.exchangeable:
            return points, np.zeros(len(points), dtype=bool)
        places = self._places(points) / self.unit
        pivot = self.pivot / self.unit
        cost = -2.0 * np.einsum("ap,sbp->sab", pivot, places) + np.square(places).sum(-1)[:, None]
        order = np.stack([linear_sum_assignment(one)[1] for one in cost])
        outside = (order != np.arange(len(pivot))).any(axis=1)
        return self.permuted(points, order), outside

    def permuted(self, points: Array, order: NDArray[np.intp] | Sequence[int]) -> Array:
        """Return points with the segments reordered; entry k says what becomes segment k.

        The map keeps volumes: the Jacobian of the sticks is the product of all shares.
        """
        order = np.broadcast_to(np.asarray(order), (len(points), len(self.blocks)))
        moved = points.copy()
        k = len(self.blocks)
        log_share = np.take_along_axis(_log_shares(points[:, : k - 1]), order, axis=1)
        moved[:, : k - 1] = _stick_logits(log_share)
        inside = points[:, self.blocks]
        moved[:, self.blocks] = np.take_along_axis(inside, order[:, :, None], axis=1)
        return moved

    def symmetrised(self, proposal: "Proposal") -> Callable[[Array], Array]:
        """Return the log density on the piece of draws of a proposal that are moved into it."""
        orders = list(permutations(range(len(self.blocks))))

        def log_density(points: Array) -> Array:
            terms = [proposal.log_density(self.permuted(points, order)) for order in orders]
            return np.logaddexp.reduce(np.stack(terms), axis=0)

        return log_density

    def _places(self, points: Array) -> Array:
        """Return where each segment lies, log share last, (sample, segment, place)."""
        log_share = _log_shares(points[:, : len(self.blocks) - 1])
        return np.concatenate([points[:, self.blocks], log_share[..., None]], axis=-1)


@dataclass(frozen=True)
class Proposal:
    """A Gaussian copula on skewed marginals, fitted to draws."""

    marginals: SkewNormals
    mean: Array
    root: Array

    @classmethod
    def of(cls, points: Array) -> "Proposal":
        """Return the proposal that fits points (sample, coordinate)."""
        marginals = SkewNormals.of(points)
        z, _ = marginals.scores(points)
        n, d = z.shape
        covariance = np.atleast_2d(np.cov(z, rowvar=False))
        # Fewer draws than it takes to know every correlation: the small ones are noise.
        keep = n / (n + d + 1.0)
        covariance = keep * covariance + (1.0 - keep) * np.diag(np.diag(covariance))
        return cls(marginals, z.mean(axis=0), np.linalg.cholesky(covariance))

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """Return draws (sample, coordinate)."""
        z = self.mean + rng.standard_normal((n, len(self.mean))) @ self.root.T
        return self.marginals.points(z)

    def log_density(self, points: Array) -> Array:
        """Return log densities (sample,) of points (sample, coordinate)."""
        z, log_slope = self.marginals.scores(points)
        white = solve_triangular(self.root, (z - self.mean).T, lower=True)
        constant = np.log(np.diag(self.root)).sum() + 0.5 * len(self.mean) * np.log(2.0 * np.pi)
        return log_slope - 0.5 * np.square(white).sum(axis=0) - constant


def _points(space: Space, values: Values) -> Array:
    """Return the points (sample, coordinate) of draws with the leading axes (chain, draw)."""
    flat = values.flattened()
    return np.stack([space.point(flat.at(sample)) for sample in range(len(flat.share))])


def _effective(series: Array) -> float:
    """Return the effective number of draws (chain, draw) for their mean."""
    if series.std() == 0.0 or series.shape[1] < 4:
        return float(series.size)
    return float(np.clip(mixing(series[..., None])["ess_bulk"][0], 1.0, series.size))


def _log_shares(sticks: Array) -> Array:
    """Return log shares (sample, segment) of stick logits."""
    log_v, log_rest = -np.logaddexp(0.0, -sticks), -np.logaddexp(0.0, sticks)
    before = np.concatenate([np.zeros((len(sticks), 1)), np.cumsum(log_rest, axis=1)], axis=1)
    return np.concatenate([log_v, np.zeros((len(sticks), 1))], axis=1) + before


def _stick_logits(log_share: Array) -> Array:
    """Return stick logits of log shares (sample, segment)."""
    after = np.logaddexp.accumulate(log_share[:, ::-1], axis=1)[:, ::-1]
    return log_share[:, :-1] - after[:, 1:]
