"""The twin of the kernel for histories: scaled forward–backward in one pass over all of them.

    α₁[s]  ∝ π[s] e₁[s],          α_t[s] ∝ e_t[s] Σ_j α_{t−1}[j] A[j, s]
    log_lik = Σ count · Σ_t log c_t,   c_t the sums that scale α_t to 1

with π the initial shares, A the transitions, e_t the density of a step's cells in every state. The
backward pass gives the expected number of customers in each state at each step, and of moves
between states (Baum, Petrie, Soules and Weiss 1970). By Fisher's identity these are the gradient:
∂/∂A[j, s] is the expected number of moves over A[j, s], computed without the division, so that it
is finite where A is 0.

A churned customer has no cells. The state is the last one, its row of A leads to itself alone, and
only a step that says so, or one without activity, lets a customer be in it.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from softseg.compiled import FAST
from softseg.families.base import Array
from softseg.likelihood.block import (
    BLOCK,
    U,
    fill,
    gather,
    nothing,
    ready,
    room,
    unpadded,
)
from softseg.likelihood.elementary import LOWEST, exponential, logarithm
from softseg.likelihood.histories import (
    ACTIVE,
    CHURNED,
    LANES,
    N_SIGNS,
    Histories,
    Steps,
)
from softseg.likelihood.joined import Joined
from softseg.likelihood.statistics import Statistics

COMPILED = FAST


class Sequences(NamedTuple):
    """Patterns and histories, as compiled code reads them.

    The patterns stand in the order in which the steps first show them, so that the passes over
    the steps walk through memory instead of leaping; the codes of `steps` are those of this order.

    Attributes
    ----------
    dense, joined, times, log_base
        Those of the `Statistics`; `times` are its counts.
    quiet, steps
        Those of the `Histories`.
    """

    dense: Array
    joined: Joined
    times: Array
    log_base: Array
    quiet: NDArray[np.int64]
    steps: Steps


def sequences_of(statistics: Statistics, histories: Histories) -> Sequences:
    """Return the patterns and histories of a panel as compiled code reads them."""
    s, codes = statistics, histories.steps.codes
    first = np.full(s.n_patterns + N_SIGNS, len(codes))
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # of several places the last one written stays
    order = np.argsort(first[: s.n_patterns], kind="stable")
    new = np.arange(s.n_patterns + N_SIGNS, dtype=np.int32)
    new[order] = np.arange(s.n_patterns, dtype=np.int32)
    return Sequences(
        np.ascontiguousarray(s.dense[:, order]),
        s.joined._replace(codes=np.ascontiguousarray(s.joined.codes[:, order])),
        s.count[order],
        s.log_base[order],
        histories.quiet[order].astype(np.int64),
        histories.steps._replace(codes=new[codes]),
    )


LEAST = 1e-300
"""A history that is impossible under the parameters has this density."""


@njit(**COMPILED)
def emission_kernel(
    dense, joined, start, weights, table, quiet, log_base, n_states
):  # pragma: no cover
    """Densities of all codes, flat (code · state), each scaled by its largest; logs of these.

    `start` holds the constant part of the segments, without shares. The logs are (pattern,).
    """
    n_segments, n_patterns = len(start), joined.codes.shape[1]
    start, weights, tables = ready(joined, start, weights, table)
    joint, largest, _ = room(n_segments)
    density = np.zeros((n_patterns + N_SIGNS) * n_states)
    top = np.empty(n_patterns)
    churns = n_states > n_segments
    for first in range(0, n_patterns, BLOCK):
        n = min(BLOCK, n_patterns - first)
        fill(dense, joined.codes, start, weights, tables, first, n, joint)
        for i in range(U(n)):
            largest[i] = joint[i]
        for k in range(1, n_segments):
            row = U(k * BLOCK)
            for i in range(U(n)):
                largest[i] = max(largest[i], joint[row + i])
        if churns:
            for i in range(n):
                if quiet[first + i] != 0:
                    largest[i] = max(largest[i], -log_base[first + i])
                    gone = max(-log_base[first + i] - largest[i], LOWEST)
                    density[(first + i) * n_states + n_segments] = np.exp(gone)
        for i in range(n):
            top[first + i] = largest[i]
        for k in range(n_segments):
            row = U(k * BLOCK)
            for i in range(U(n)):
                joint[row + i] = exponential(max(joint[row + i] - largest[i], LOWEST))
            for i in range(U(n)):
                density[(U(first) + i) * U(n_states) + U(k)] = joint[row + i]
    for sign in range(N_SIGNS):
        at = (n_patterns + sign) * n_states
        for s in range(n_states):
            segment = s < n_segments
            if (segment and sign != CHURNED) or (not segment and sign != ACTIVE):
                density[at + s] = 1.0
    return density, top


@njit(**COMPILED)
def bench(steps, n_states):  # pragma: no cover
    """Room for α (row · state · lane) and the scales (row · lane) of the longest block."""
    longest = 0
    for b in range(len(steps.blocks) - 1):
        longest = max(longest, steps.blocks[b + 1] - steps.blocks[b])
    return np.empty(longest * n_states * LANES), np.empty(longest * LANES)


@njit(**COMPILED)
def forward_block(steps, b, density, begin, moves, alpha, scale, log_lik):  # pragma: no cover
    """Write α, scales and log_lik (lane,), without the logs of `emission_kernel`, of one block."""
    n_states, alike = moves.shape[1], moves.shape[0] == 1
    S = U(n_states)
    for i in range(LANES):
        log_lik[i] = 0.0
    first = steps.blocks[b]
    for row in range(first, steps.blocks[b + 1]):
        t, at = row - first, U(steps.rows[row])
        n = U(steps.rows[row + 1] - steps.rows[row])
        total = U(t * LANES)
        for i in range(n):
            scale[total + i] = 0.0
        for s in range(n_states):
            out = U((t * n_states + s) * LANES)
            if t == 0:
                for i in range(n):
                    alpha[out + i] = begin[steps.begins[U(b * LANES) + i], s]
            else:
                for i in range(n):
                    alpha[out + i] = 0.0
                for j in range(n_states):
                    into = U(((t - 1) * n_states + j) * LANES)
                    if alike:
                        move = moves[0, j, s]
                        if move != 0.0:
                            for i in range(n):
                                alpha[out + i] += move * alpha[into + i]
                    else:
                        for i in range(n):
                            alpha[out + i] += moves[steps.profiles[at + i], j, s] * alpha[into + i]
            for i in range(n):
                alpha[out + i] *= density[U(steps.codes[at + i]) * S + U(s)]
                scale[total + i] += alpha[out + i]
        for i in range(n):
            scale[total + i] = max(scale[total + i], LEAST)
            log_lik[i] += logarithm(scale[total + i])
        for s in range(n_states):
            out = U((t * n_states + s) * LANES)
            for i in range(n):
                alpha[out + i] /= scale[total + i]


@njit(**COMPILED)
def backward_block(
    steps, b, density, moves, alpha, scale, members, begun, crossed
):  # pragma: no cover
    """Add one block's expected customers: by code, at the beginning, and crossing.

    `members` is flat (code · state), `begun` (beginning, state), `crossed` (profile, state,
    state_to), the last without the factor A.
    """
    n_states, alike = moves.shape[1], moves.shape[0] == 1
    S = U(n_states)
    first, last = steps.blocks[b], steps.blocks[b + 1] - 1
    beta, weight = np.ones(n_states * LANES), np.empty(n_states * LANES)
    count = steps.times[b * LANES :]
    for row in range(last, first - 1, -1):
        t, at = row - first, U(steps.rows[row])
        n = U(steps.rows[row + 1] - steps.rows[row])
        for s in range(n_states):
            here, out = U(s * LANES), U((t * n_states + s) * LANES)
            for i in range(n):
                member = alpha[out + i] * beta[here + i] * count[i]
                members[U(steps.codes[at + i]) * S + U(s)] += member
                if t == 0:
                    begun[steps.begins[U(b * LANES) + i], s] += member
        if t == 0:
            break
        for s in range(n_states):
            here, total = U(s * LANES), U(t * LANES)
            for i in range(n):
                e = density[U(steps.codes[at + i]) * S + U(s)]
                weight[here + i] = e * beta[here + i] / scale[total + i]
        for j in range(n_states):
            out, into = U(j * LANES), U(((t - 1) * n_states + j) * LANES)
            for i in range(n):
                beta[out + i] = 0.0
            for s in range(n_states):
                here = U(s * LANES)
                if alike:
                    move, sums = moves[0, j, s], 0.0
                    for i in range(n):
                        beta[out + i] += move * weight[here + i]
                        sums += alpha[into + i] * weight[here + i] * count[i]
                    crossed[0, j, s] += sums
                else:
                    for i in range(n):
                        profile = steps.profiles[at + i]
                        beta[out + i] += moves[profile, j, s] * weight[here + i]
                        crossed[profile, j, s] += alpha[into + i] * weight[here + i] * count[i]


@njit(**COMPILED)
def sample_block(steps, b, moves, alpha, members, begun, crossed, rng):  # pragma: no cover
    """As `backward_block`, with every customer's states drawn, from the last step backwards.

    One customer of every history is drawn at a time: the customers of a period do not wait for
    each other, as the periods of a customer do.
    """
    n_states = moves.shape[1]
    S, lane = U(n_states), U(LANES)
    first, last = steps.blocks[b], steps.blocks[b + 1] - 1
    who, after = np.empty(LANES, dtype=np.int64), np.empty(LANES, dtype=np.int64)
    ends = np.empty(n_states)
    left, turn = steps.rows[first + 1] - steps.rows[first], 0
    for i in range(left):
        who[i] = i
    while left > 0:
        after[:] = -1
        for row in range(last, first - 1, -1):
            at, n = U(steps.rows[row]), steps.rows[row + 1] - steps.rows[row]
            for w in range(left):
                if who[w] >= n:
                    break
                i, to = U(who[w]), after[who[w]]
                here, end = U((row - first) * n_states) * lane + i, 0.0
                profile = 0 if to < 0 else steps.profiles[U(steps.rows[row + 1]) + i]
                for s in range(n_states):
                    part = alpha[here + U(s) * lane]
                    end += part if to < 0 else part * moves[profile, s, to]
                    ends[s] = end
                u, s = rng.random() * end, 0
                for j in range(n_states - 1):
                    s += u >= ends[j]
                members[U(steps.codes[at + i]) * S + U(s)] += 1.0
                if to >= 0:
                    crossed[profile, s, to] += 1.0
                if row == first:
                    begun[steps.begins[U(b * LANES) + i], s] += 1.0
                after[i] = s
        turn += 1
        kept = 0
        for w in range(left):
            if steps.times[b * LANES + who[w]] > turn:
                who[kept] = who[w]
                kept += 1
        left = kept


@njit(**COMPILED)
def gather_members(dense, joined, members, n_states, weights, table):  # pragma: no cover
    """Sum the patterns' statistics by segment: dense, table and sizes."""
    n_segments, n_patterns = len(weights), joined.codes.shape[1]
    _, padded, tables = ready(joined, np.zeros(n_segments), weights, table)
    joint, _, _ = room(n_segments)
    joint[:] = 0.0
    sums = nothing(padded, tables)
    for first in range(0, n_patterns, BLOCK):
        n = min(BLOCK, n_patterns - first)
        for k in range(n_segments):
            row = U(k * BLOCK)
            for i in range(U(n)):
                joint[row + i] = members[(U(first) + i) * U(n_states) + U(k)]
        gather(dense, joined.codes, n_segments, first, n, joint, sums)
    return unpadded(joined, sums, table)


@njit(**COMPILED)
def likelihood_of(steps, density, begin, moves):  # pragma: no cover
    """Σ count · log density of the histories, without the logs of `emission_kernel`."""
    alpha, scale = bench(steps, moves.shape[1])
    by_lane, log_lik = np.empty(LANES), 0.0
    for b in range(len(steps.blocks) - 1):
        forward_block(steps, b, density, begin, moves, alpha, scale, by_lane)
        n = steps.rows[steps.blocks[b] + 1] - steps.rows[steps.blocks[b]]
        for i in range(n):
            log_lik += steps.times[b * LANES + i] * by_lane[i]
    return log_lik


@njit(**COMPILED)
def expected_of(steps, density, begin, moves):  # pragma: no cover
    """As `likelihood_of`; also expected members (code · state), begun and crossed."""
    n_states = moves.shape[1]
    alpha, scale = bench(steps, n_states)
    by_lane, log_lik = np.empty(LANES), 0.0
    members = np.zeros(len(density))
    begun, crossed = np.zeros(begin.shape), np.zeros(moves.shape)
    for b in range(len(steps.blocks) - 1):
        forward_block(steps, b, density, begin, moves, alpha, scale, by_lane)
        n = steps.rows[steps.blocks[b] + 1] - steps.rows[steps.blocks[b]]
        for i in range(n):
            log_lik += steps.times[b * LANES + i] * by_lane[i]
        backward_block(steps, b, density, moves, alpha, scale, members, begun, crossed)
    return log_lik, members, begun, crossed


@njit(**COMPILED)
def sampled_of(steps, density, begin, moves, rng):  # pragma: no cover
    """As `expected_of` with drawn states; crossed counts moves, the factor A included."""
    n_states = moves.shape[1]
    alpha, scale = bench(steps, n_states)
    by_lane, log_lik = np.empty(LANES), 0.0
    members = np.zeros(len(density))
    begun, crossed = np.zeros(begin.shape), np.zeros(moves.shape)
    for b in range(len(steps.blocks) - 1):
        forward_block(steps, b, density, begin, moves, alpha, scale, by_lane)
        n = steps.rows[steps.blocks[b] + 1] - steps.rows[steps.blocks[b]]
        for i in range(n):
            log_lik += steps.times[b * LANES + i] * by_lane[i]
        sample_block(steps, b, moves, alpha, members, begun, crossed, rng)
    return log_lik, members, begun, crossed


@njit(**COMPILED)
def filtered_of(sequences, density, begin, moves):  # pragma: no cover
    """Last α (history, state) and log densities (history,) of every history."""
    steps, n_states = sequences.steps, moves.shape[1]
    alpha, scale = bench(steps, n_states)
    by_lane = np.empty(LANES)
    n_histories = len(steps.times)
    filtered, log_lik = np.empty((n_histories, n_states)), np.empty(n_histories)
    for b in range(len(steps.blocks) - 1):
        forward_block(steps, b, density, begin, moves, alpha, scale, by_lane)
        first = steps.blocks[b]
        for row in range(first, steps.blocks[b + 1]):
            n = steps.rows[row + 1] - steps.rows[row]
            for i in range(n):  # the later rows of a lane overwrite the earlier ones
                for s in range(n_states):
                    place = ((row - first) * n_states + s) * LANES + i
                    filtered[b * LANES + i, s] = alpha[place]
                log_lik[b * LANES + i] = by_lane[i]
    return filtered, log_lik


@njit(**COMPILED)
def smoothed_of(sequences, density, begin, moves):  # pragma: no cover
    """Probability of every state at every step given the whole history, (step, state)."""
    steps, n_states = sequences.steps, moves.shape[1]
    alpha, scale = bench(steps, n_states)
    by_lane = np.empty(LANES)
    smoothed = np.empty((len(steps.codes), n_states))
    beta, weight = np.empty(n_states * LANES), np.empty(n_states)
    for b in range(len(steps.blocks) - 1):
        forward_block(steps, b, density, begin, moves, alpha, scale, by_lane)
        beta[:] = 1.0
        first = steps.blocks[b]
        for row in range(steps.blocks[b + 1] - 1, first - 1, -1):
            t, at = row - first, steps.rows[row]
            for i in range(steps.rows[row + 1] - at):
                for s in range(n_states):
                    member = alpha[(t * n_states + s) * LANES + i] * beta[s * LANES + i]
                    smoothed[at + i, s] = member
                    e = density[steps.codes[at + i] * n_states + s]
                    weight[s] = e * beta[s * LANES + i] / scale[t * LANES + i]
                for j in range(n_states):
                    total = 0.0
                    for s in range(n_states):
                        total += moves[steps.profiles[at + i], j, s] * weight[s]
                    beta[j * LANES + i] = total
    return smoothed
