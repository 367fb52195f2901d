"""What EM and Gibbs sampling do in turns, compiled: all parts of a mixture at once.

Parameters become weights, the kernel sums up the statistics, and every part takes its step given
them. The loops around them (`em.climb`, `gibbs`) run here too, so that nothing of a cycle or a
sweep is Python.
"""

import numpy as np
from numba import njit

from softseg.families.kinds import COMPILED, TINY
from softseg.families.steps import maximise_part, update_part
from softseg.inference.coordinates import prior_kernel
from softseg.likelihood.kernel import expected_kernel, sampled_kernel
from softseg.models.mixture import Mixture
from softseg.models.plan import (
    CELLS,
    COLUMN,
    DENSE,
    EXPOSURES,
    KIND,
    N_EXPOSURES,
    N_VALUES,
    TABLE,
    VALUES,
    WIDTH,
    compilable,
    measure_of,
    weights_of,
)


def served(mixture: Mixture) -> bool:
    """Return whether the compiled steps serve a mixture: its kinds and its priors have one."""
    return compilable(mixture) and not mixture.not_updatable()


@njit(**COMPILED)
def scratch(plan, n_columns):  # pragma: no cover
    """Room for start (segment,), weights (segment, column) and table (segment, cell)."""
    k = len(plan.share_alpha)
    return np.empty(k), np.empty((k, n_columns)), np.empty((k, plan.cells.shape[0]))


@njit(**COMPILED)
def groups_of(plan, part):  # pragma: no cover
    """Distinct values and exposures of a part's cells; empty where it has none."""
    first, last = max(part[TABLE], 0), max(part[TABLE], 0) + max(part[CELLS], 0)
    v, n_v = max(part[VALUES], 0), max(part[N_VALUES], 0)
    e, n_e = max(part[EXPOSURES], 0), max(part[N_EXPOSURES], 0)
    value_of, exposure_of = plan.value_of[first:last], plan.exposure_of[first:last]
    return value_of, exposure_of, plan.values[v : v + n_v], plan.exposures[e : e + n_e]


@njit(**COMPILED)
def part_of(plan, p, theta, sizes, dense, table):  # pragma: no cover
    """Part p of a mixture with its summed statistics, in the order in which a step takes them."""
    part = plan.parts[p]
    column, first = part[COLUMN], max(part[TABLE], 0)
    last, after = first + max(part[CELLS], 0), column + part[WIDTH]
    measure = np.empty(len(sizes))
    observed, several = plan.observed, plan.observed_table
    for k in range(len(sizes)):
        measure[k] = measure_of(observed, several, part, k, sizes, dense, table)
    priors = (
        plan.prior[:, column:after], plan.prior_a[:, column:after], plan.prior_b[:, column:after],
    )  # fmt: skip
    return (
        part[KIND], theta[:, column:after], plan.coding[p, 0], plan.coding[p, 1],
        plan.cells[first:last], dense[:, max(part[DENSE], 0) :], measure, table[:, first:last],
        groups_of(plan, part), priors,
    )  # fmt: skip


@njit(**COMPILED)
def maximise(plan, share, theta, sizes, dense, table):  # pragma: no cover
    """The M step: shares and theta, in place, given summed statistics."""
    for p in range(plan.parts.shape[0]):
        maximise_part(*part_of(plan, p, theta, sizes, dense, table))
    maximise_shares(plan, share, sizes)


@njit(**COMPILED)
def maximise_shares(plan, share, sizes):  # pragma: no cover
    """The M step of the shares, given the customers of each segment."""
    if np.isnan(plan.share_fixed[0]):
        heights = np.maximum(sizes + plan.share_alpha - 1.0, 0.0)
        share[:] = heights / heights.sum()
    else:
        share[:] = plan.share_fixed


@njit(**COMPILED)
def update(rng, plan, share, theta, sizes, dense, table):  # pragma: no cover
    """The Gibbs step: shares and theta, in place, given the customers of each segment."""
    for p in range(plan.parts.shape[0]):
        update_part(rng, *part_of(plan, p, theta, sizes, dense, table))
    update_shares(rng, plan, share, sizes)


@njit(**COMPILED)
def update_shares(rng, plan, share, sizes):  # pragma: no cover
    """The Gibbs step of the shares, given the customers of each segment."""
    if np.isnan(plan.share_fixed[0]):
        for k in range(len(share)):
            share[k] = max(rng.standard_gamma(plan.share_alpha[k] + sizes[k]), TINY)
        share /= share.sum()


@njit(**COMPILED)
def look(plan, share, theta, room, dense, joined, count):  # pragma: no cover
    """The E step: objective up to a constant, and expected dense, table, sizes."""
    start, weights, table = room
    weights_of(plan, share, theta, start, weights, table)
    log_lik, by_dense, by_table, sizes = expected_kernel(
        dense, joined, count, start, weights, table
    )
    return log_lik + prior_kernel(plan, share, theta), log_lik, by_dense, by_table, sizes


@njit(**COMPILED)
def extrapolated(s0, s1, s2):  # pragma: no cover
    """The squared extrapolation of three expected statistics; empty where it has none."""
    n = len(s0)
    length, distance = 0.0, 0.0
    for i in range(n):
        r = s1[i] - s0[i]
        v = s2[i] - s1[i] - r
        distance += r * r
        length += v * v
    length, distance = np.sqrt(length), np.sqrt(distance)
    if length <= 1e-12 * max(distance, 1e-300):
        return np.empty(0)
    alpha = -distance / length
    jump = np.empty(n)
    while alpha < -1.0:
        fits = True
        for i in range(n):
            r = s1[i] - s0[i]
            jump[i] = s0[i] - 2.0 * alpha * r + alpha**2 * (s2[i] - s1[i] - r)
            bounded = s0[i] >= 0.0 and s1[i] >= 0.0 and s2[i] >= 0.0
            fits &= jump[i] >= 0.0 or not bounded
        if fits:
            return jump
        alpha = 0.5 * (alpha - 1.0) if alpha < -1.05 else -1.0
    return np.empty(0)


@njit(**COMPILED)
def packed(by_dense, by_table, sizes):  # pragma: no cover
    """Expected statistics as one vector."""
    return np.concatenate((by_dense.ravel(), by_table.ravel(), sizes))


@njit(**COMPILED)
def climb_kernel(
    plan, share, theta, dense, joined, count, cycles, tolerance, stop
):  # fmt: skip  # pragma: no cover
    """Accelerated EM in place: objective, log-likelihood, statistics, whether it settled.

    It ends before the next cycle once another thread makes `stop` true, shape (1,).
    """
    room = scratch(plan, dense.shape[0])
    objective, log_lik, by_dense, by_table, sizes = look(
        plan, share, theta, room, dense, joined, count
    )
    trial_share, trial_theta = share.copy(), theta.copy()
    n_dense, n_table = by_dense.size, by_table.size
    settled = False
    for _ in range(cycles):
        if stop[0]:
            break
        before = objective
        s0 = packed(by_dense, by_table, sizes)
        s1 = s0
        for turn in range(2):
            maximise(plan, share, theta, sizes, by_dense, by_table)
            objective, log_lik, by_dense, by_table, sizes = look(
                plan, share, theta, room, dense, joined, count
            )
            if turn == 0:
                s1 = packed(by_dense, by_table, sizes)
        jump = extrapolated(s0, s1, packed(by_dense, by_table, sizes))
        if len(jump) > 0:
            trial_share[:], trial_theta[:] = share, theta
            far = jump[n_dense + n_table :]
            maximise(
                plan, trial_share, trial_theta, far, jump[:n_dense].reshape(by_dense.shape),
                jump[n_dense : n_dense + n_table].reshape(by_table.shape),
            )  # fmt: skip
            leap = look(plan, trial_share, trial_theta, room, dense, joined, count)
            if np.isfinite(leap[0]) and leap[0] > objective:
                objective, log_lik, by_dense, by_table, sizes = leap
                share[:], theta[:] = trial_share, trial_theta
        if objective - before < max(tolerance, 1e-13 * abs(objective)):
            settled = True
            break
    return objective, log_lik, by_dense, by_table, sizes, settled


@njit(**COMPILED)
def sweeps_kernel(
    rng, plan, share, theta, dense, joined, count, first, n_sweeps, n_tune, thin,
    kept_share, kept_theta, kept_log_lik,
):  # fmt: skip  # pragma: no cover
    """Gibbs sweeps number first … first + n_sweeps − 1 in place, those to keep written down."""
    start, weights, table = scratch(plan, dense.shape[0])
    for sweep in range(first, first + n_sweeps):
        weights_of(plan, share, theta, start, weights, table)
        since = sweep - n_tune
        if since >= 0 and since % thin == 0:
            kept_share[since // thin], kept_theta[since // thin] = share, theta
        log_lik, by_dense, by_table, sizes = sampled_kernel(
            dense, joined, count, start, weights, table, rng
        )
        if since >= 0 and since % thin == 0:
            kept_log_lik[since // thin] = log_lik
        update(rng, plan, share, theta, sizes, by_dense, by_table)
