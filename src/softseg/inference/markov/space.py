"""The unconstrained coordinates of a latent Markov model, and its log posterior density there.

The coordinates are those of `softseg.inference.space`, the rows of transitions and the coefficients
of covariates among them; the density comes from the Markov kernel.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from softseg.compiled import CACHED
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.inference.coordinates import back, place, prior_kernel
from softseg.inference.space import Space, coordinates_of
from softseg.likelihood.histories import LANES, Histories
from softseg.likelihood.markov import (
    Sequences,
    emission_kernel,
    expected_of,
    filtered_of,
    gather_members,
    likelihood_of,
    sequences_of,
)
from softseg.likelihood.statistics import Statistics
from softseg.models.latent_markov import Chain, LatentMarkov, chain_of, chain_slopes
from softseg.models.plan import plan_of, slopes_of, weights_of

DIFFERENCE = 1e-5
"""Step of the differences of the gradient; coordinates are of order 1."""


@dataclass(frozen=True)
class MarkovSpace(Space):
    """The unconstrained coordinates of a latent Markov model on one panel.

    Attributes
    ----------
    model
        The mixture, as what it is here.
    chain
        Where the chain's parameters stand in theta.
    histories
        The panel's distinct histories.
    """

    model: LatentMarkov
    chain: Chain
    histories: Histories

    @classmethod
    def on(cls, model: LatentMarkov, statistics: Statistics, histories: Histories) -> "MarkovSpace":
        """Return the space of a model on these histories.

        Raises
        ------
        UsageError
            Where the histories need a state, matrix or beginning that the model does not have.
        """
        _check(model, histories)
        plan = plan_of(model, statistics.layout)
        extra = sum(e.prior.fixed.shape[1] for e in model.extras)
        chain = model.chain(plan.fixed.shape[1] - extra)
        return cls(model, statistics, plan, *coordinates_of(plan), model, chain, histories)

    @cached_property
    def sequences(self) -> Sequences:
        """What the compiled functions read."""
        return sequences_of(self.statistics, self.histories)

    def log_posterior(self, point: Array) -> tuple[float, Array]:
        """Return the log density of a point and its gradient (coordinate,)."""
        gradient = np.empty(self.size)
        density = posterior_kernel(
            np.ascontiguousarray(point, dtype=float), gradient, self.plan, self.coordinate,
            self.chain, self.sequences,
        )  # fmt: skip
        return float(density) + self.constant, gradient

    def hessian(self, point: Array, cores: int = 1) -> Array:
        """Return the Hessian at a point by differences of the gradient on one side.

        Their error, about `DIFFERENCE` relative to the curvature, is far below what a proposal or
        a Newton step feels; both sides would take twice the passes over the histories.
        """
        point = np.ascontiguousarray(point, dtype=float)
        here = self.log_posterior(point)[1]

        def column(i: int) -> Array:
            moved = point.copy()
            moved[i] += DIFFERENCE
            return (self.log_posterior(moved)[1] - here) / DIFFERENCE

        with ThreadPoolExecutor(max_workers=max(cores, 1)) as pool:
            found = np.stack(list(pool.map(column, range(self.size))))
        return 0.5 * (found + found.T)

    def _densities(self, points: Array) -> tuple[Array, Array]:
        return densities_kernel(points, self.plan, self.coordinate, self.chain, self.sequences)


def _check(model: LatentMarkov, histories: Histories) -> None:
    if histories.n_churns and not model.churns:
        raise UsageError(
            "Give the model the state churned (churns=True): customers of the panel can churn."
        )
    for name, needed, given in (
        ("profile", histories.n_profiles, len(model.design)),
        ("row of begin_design", histories.n_begins, len(model.begin_design)),
    ):
        if needed > given:
            raise UsageError(
                f"Give the model one {name} for each of the histories: expected {needed} at least, "
                f"got {given}."
            )


@njit(**CACHED)
def emissions(plan, theta, sequences, n_states):  # pragma: no cover
    """Densities of all codes, their logs' maxima, and weights and table, of one theta."""
    n_segments, n_columns = theta.shape[0], sequences.dense.shape[0]
    start, weights = np.empty(n_segments), np.empty((n_segments, n_columns))
    table = np.empty((n_segments, plan.cells.shape[0]))
    weights_of(plan, np.ones(n_segments), theta, start, weights, table)
    density, top = emission_kernel(
        sequences.dense, sequences.joined, start, weights, table, sequences.quiet,
        sequences.log_base, n_states,
    )  # fmt: skip
    return density, top, weights, table


@njit(**CACHED)
def look(plan, chain, share, theta, sequences):  # pragma: no cover
    """Log-likelihood without base, and all expected statistics.

    These are dense, table and sizes by segment; customers beginning (beginning, state) and
    crossing (profile, state, state_to), the latter without the factor A; shares and matrices.
    """
    density, top, weights, table = emissions(plan, theta, sequences, chain.n_states)
    begin, moves = chain_of(chain, share, theta)
    log_lik, members, begun, crossed = expected_of(sequences.steps, density, begin, moves)
    for p in range(len(top)):
        log_lik += sequences.times[p] * top[p]
    sums = gather_members(
        sequences.dense, sequences.joined, members, chain.n_states, weights, table
    )
    return log_lik, sums, begun, crossed, begin, moves


@njit(**CACHED)
def likelihood(plan, chain, share, theta, sequences):  # pragma: no cover
    """Log-likelihood without base."""
    density, top, _, _ = emissions(plan, theta, sequences, chain.n_states)
    begin, moves = chain_of(chain, share, theta)
    log_lik = likelihood_of(sequences.steps, density, begin, moves)
    for p in range(len(top)):
        log_lik += sequences.times[p] * top[p]
    return log_lik


@njit(**CACHED)
def posterior_kernel(point, gradient, plan, coordinate, chain, sequences):  # pragma: no cover
    """Write the gradient of a point and return its log density, up to `Space.constant`."""
    share, theta = np.empty(len(plan.share_alpha)), np.empty(plan.fixed.shape)
    log_jacobian = place(plan, coordinate, point, share, theta)
    log_lik, sums, begun, crossed, begin, moves = look(plan, chain, share, theta, sequences)
    by_dense, by_table, sizes = sums
    slopes = np.zeros(theta.shape)
    slopes_of(plan, theta, sizes, by_dense, by_table, slopes)
    chain_slopes(chain, begin, moves, begun, crossed, slopes, sizes)
    density = log_lik + prior_kernel(plan, share, theta) + log_jacobian
    back(plan, coordinate, share, theta, sizes, slopes, gradient)
    return density


@njit(**CACHED)
def densities_kernel(points, plan, coordinate, chain, sequences):  # pragma: no cover
    """Log densities up to `Space.constant`, and log-likelihoods without base, (sample,)."""
    share, theta = np.empty(len(plan.share_alpha)), np.empty(plan.fixed.shape)
    density, found = np.empty(len(points)), np.empty(len(points))
    for i in range(len(points)):
        log_jacobian = place(plan, coordinate, points[i], share, theta)
        found[i] = likelihood(plan, chain, share, theta, sequences)
        density[i] = found[i] + prior_kernel(plan, share, theta) + log_jacobian
    return density, found


@njit(**CACHED)
def histories_kernel(plan, chain, share, theta, sequences):  # pragma: no cover
    """Log density of one customer of every history, base included, (history,)."""
    density, top, _, _ = emissions(plan, theta, sequences, chain.n_states)
    begin, moves = chain_of(chain, share, theta)
    _, found = filtered_of(sequences, density, begin, moves)
    steps, n_patterns = sequences.steps, len(top)
    for b in range(len(steps.blocks) - 1):
        for row in range(steps.blocks[b], steps.blocks[b + 1]):
            at = steps.rows[row]
            for i in range(steps.rows[row + 1] - at):
                code = steps.codes[at + i]
                if code < n_patterns:
                    found[b * LANES + i] += top[code] + sequences.log_base[code]
    return found
