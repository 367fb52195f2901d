"""EM and Gibbs sampling for latent Markov models, compiled: the chain's steps beside the families'.

Where covariates take the place of rows and shares there is neither an M step nor a Gibbs step;
these models go to `nuts`.
"""

import numpy as np
from numba import njit

from softseg.compiled import CACHED
from softseg.families.kinds import TINY
from softseg.families.steps import maximise_part, update_part
from softseg.inference.coordinates import prior_kernel
from softseg.inference.markov.space import emissions, look
from softseg.inference.turns import (
    extrapolated,
    maximise_shares,
    part_of,
    update_shares,
)
from softseg.likelihood.markov import gather_members, sampled_of
from softseg.models.latent_markov import chain_of
from softseg.models.plan import HELD


@njit(**CACHED)
def counted(by_dense, by_table, sizes, begun, moved):  # pragma: no cover
    """Expected statistics as one vector."""
    parts = (by_dense.ravel(), by_table.ravel(), sizes, begun.ravel(), moved.ravel())
    return np.concatenate(parts)


@njit(**CACHED)
def apart(packed, by_dense, by_table, sizes, begun, moved):  # pragma: no cover
    """The parts of such a vector, in the shapes of the given ones."""
    a, b = by_dense.size, by_dense.size + by_table.size
    c, d = b + sizes.size, b + sizes.size + begun.size
    return (
        packed[:a].reshape(by_dense.shape), packed[a:b].reshape(by_table.shape), packed[b:c],
        packed[c:d].reshape(begun.shape), packed[d:].reshape(moved.shape),
    )  # fmt: skip


@njit(**CACHED)
def maximise(plan, chain, share, theta, sums):  # pragma: no cover
    """The M step in place. `sums` are dense, table, sizes, begun and moved (factor A included)."""
    by_dense, by_table, sizes, begun, moved = sums
    n_segments, n_states = theta.shape[0], chain.n_states
    for p in range(plan.parts.shape[0]):
        maximise_part(*part_of(plan, p, theta, sizes, by_dense, by_table))
    maximise_shares(plan, share, begun[0, :n_segments])
    for profile in range(moved.shape[0]):
        at = chain.first + profile * n_states
        for j in range(n_segments):
            if plan.prior[j, at] == HELD:
                continue
            heights = np.empty(n_states)
            for s in range(n_states):
                heights[s] = max(moved[profile, j, s] + plan.prior_a[j, at + s] - 1.0, 0.0)
            if heights.sum() > 0.0:
                theta[j, at : at + n_states] = heights / heights.sum()


@njit(**CACHED)
def update(rng, plan, chain, share, theta, sums):  # pragma: no cover
    """The Gibbs step in place, given the customers of each segment and their moves."""
    by_dense, by_table, sizes, begun, moved = sums
    n_segments, n_states = theta.shape[0], chain.n_states
    for p in range(plan.parts.shape[0]):
        update_part(rng, *part_of(plan, p, theta, sizes, by_dense, by_table))
    update_shares(rng, plan, share, begun[0, :n_segments])
    for profile in range(moved.shape[0]):
        at = chain.first + profile * n_states
        for j in range(n_segments):
            if plan.prior[j, at] == HELD:
                continue
            total = 0.0
            for s in range(n_states):
                alpha = moved[profile, j, s] + plan.prior_a[j, at + s]
                theta[j, at + s] = max(rng.standard_gamma(alpha), TINY)
                total += theta[j, at + s]
            theta[j, at : at + n_states] /= total


@njit(**CACHED)
def seen(plan, chain, share, theta, sequences):  # pragma: no cover
    """The E step: objective up to a constant, log-likelihood, and the sums as `maximise` takes."""
    log_lik, sums, begun, crossed, _, moves = look(plan, chain, share, theta, sequences)
    by_dense, by_table, sizes = sums
    moved = crossed * moves
    objective = log_lik + prior_kernel(plan, share, theta)
    return objective, log_lik, (by_dense, by_table, sizes, begun, moved)


@njit(**CACHED)
def climb_kernel(plan, chain, share, theta, sequences, cycles, tolerance, stop):  # pragma: no cover
    """Accelerated EM in place: objective, log-likelihood, sums, whether it settled.

    It ends before the next cycle once another thread makes `stop` true, shape (1,).
    """
    objective, log_lik, sums = seen(plan, chain, share, theta, sequences)
    trial_share, trial_theta = share.copy(), theta.copy()
    settled = False
    for _ in range(cycles):
        if stop[0]:
            break
        before = objective
        s0 = counted(*sums)
        s1 = s0
        for turn in range(2):
            maximise(plan, chain, share, theta, sums)
            objective, log_lik, sums = seen(plan, chain, share, theta, sequences)
            if turn == 0:
                s1 = counted(*sums)
        jump = extrapolated(s0, s1, counted(*sums))
        if len(jump) > 0:
            trial_share[:], trial_theta[:] = share, theta
            maximise(plan, chain, trial_share, trial_theta, apart(jump, *sums))
            leap = seen(plan, chain, trial_share, trial_theta, sequences)
            if np.isfinite(leap[0]) and leap[0] > objective:
                objective, log_lik, sums = leap
                share[:], theta[:] = trial_share, trial_theta
        if objective - before < max(tolerance, 1e-13 * abs(objective)):
            settled = True
            break
    return objective, log_lik, sums, settled


@njit(**CACHED)
def sweeps_kernel(
    rng, plan, chain, share, theta, sequences, first, n_sweeps, n_tune, thin,
    kept_share, kept_theta, kept_log_lik,
):  # fmt: skip  # pragma: no cover
    """Gibbs sweeps number first … first + n_sweeps − 1 in place, those to keep written down."""
    for sweep in range(first, first + n_sweeps):
        since = sweep - n_tune
        keep = since >= 0 and since % thin == 0
        if keep:
            kept_share[since // thin], kept_theta[since // thin] = share, theta
        density, top, weights, table = emissions(plan, theta, sequences, chain.n_states)
        begin, moves = chain_of(chain, share, theta)
        log_lik, members, begun, moved = sampled_of(sequences.steps, density, begin, moves, rng)
        if keep:
            for p in range(len(top)):
                log_lik += sequences.times[p] * top[p]
            kept_log_lik[since // thin] = log_lik
        by_dense, by_table, sizes = gather_members(
            sequences.dense, sequences.joined, members, chain.n_states, weights, table
        )
        update(rng, plan, chain, share, theta, (by_dense, by_table, sizes, begun, moved))
