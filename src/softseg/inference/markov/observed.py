"""Transitions of states that somebody has written down, right or with errors: `sample_observed`.

Where every period's state is known, rows and initial shares are Dirichlet with the counts added, in
closed form, and the draws are independent. Where periods are missing, churn is known up to an
interval, what is written may be wrong, or covariates explain the moves, the latent Markov model of
labels is sampled like any other (`softseg.models.labelled`).
"""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from softseg.checks import whole_number
from softseg.errors import DataError
from softseg.families.base import TINY, Array
from softseg.inference.diagnose import judge_independent
from softseg.inference.draws import Draws
from softseg.inference.markov.migration import Migration, of_sampled
from softseg.inference.markov.sample import sample_markov
from softseg.likelihood.histories import CHURNED, N_SIGNS, Histories, histories_of
from softseg.likelihood.labels import labels_as_statistics
from softseg.likelihood.markov import expected_of
from softseg.likelihood.statistics import Statistics
from softseg.models.labelled import PROBABILITY
from softseg.models.latent_markov import LatentMarkov, RowPrior
from softseg.models.mixture import Values
from softseg.names import ASSIGNED, TRANSITION


def observed_histories(
    state: NDArray[np.int64],
    n_segments: int,
    *,
    sign: NDArray[np.int64],
    start: NDArray[np.int64],
    churns: bool,
    count: Array | None = None,
    profile: NDArray[np.int64] | None = None,
    begin: NDArray[np.int64] | None = None,
) -> tuple[Statistics, Histories]:
    """Return a ledger of states as patterns and histories.

    Parameters
    ----------
    state
        Segment of each step, from 0, −1 where the period has none, histories one after the other;
        (step,).
    n_segments
        Number of segments.
    sign, start, churns, count, profile, begin
        As in `softseg.likelihood.histories.histories_of`.

    Raises
    ------
    DataError
        Where there is a state that is no segment.
    """
    state = np.asarray(state, dtype=np.int64)
    if len(state) and not (state.min() >= -1 and state.max() < n_segments):
        raise DataError(
            f"Give each period's state as a segment from 0 to {n_segments - 1}, or −1 where there "
            f"is none, got states from {state.min()} to {state.max()}."
        )
    seen = state >= 0
    times = np.ones(len(start) - 1) if count is None else np.asarray(count, dtype=float)
    weights = np.repeat(times, np.diff(start))
    totals = np.bincount(state[seen], weights=weights[seen], minlength=n_segments)
    statistics = labels_as_statistics(totals, np.arange(n_segments))
    histories = histories_of(
        statistics, row=state, sign=sign, start=start, churns=churns, count=count,
        profile=profile, begin=begin,
    )  # fmt: skip
    return statistics, histories


def sample_observed(
    statistics: Statistics,
    histories: Histories,
    model: LatentMarkov,
    *,
    rng: np.random.Generator,
    n_draws: int = 1000,
    n_chains: int = 4,
    **options: Any,
) -> Migration:
    """Return judged draws of initial shares and transitions of written states.

    Parameters
    ----------
    statistics, histories
        Of `observed_histories`.
    model
        Of `softseg.models.labelled.specify_observed`.
    n_draws, n_chains
        Draws kept per chain, number of chains.
    options
        As in `softseg.inference.sample.sample`, where the posterior has no closed form.

    Returns
    -------
    Migration
        With ``errors`` (chain, draw, segment, assigned) where what is written may be wrong.

    Raises
    ------
    DataError
        Where a move was written down that fixed rows rule out.
    UsageError
        Where a method is asked for that does not serve the model.
    """
    right = _is_right(model)
    if right and not model.logit and _complete(histories, statistics.n_patterns):
        whole_number(n_draws, "the draws of a chain", 1)
        whole_number(n_chains, "the number of chains", 1)
        return _by_counts(statistics, histories, model, rng, (n_chains, n_draws))
    sampled = sample_markov(
        statistics, histories, model, rng=rng, n_draws=n_draws, n_chains=n_chains, **options
    )
    errors = None if right else sampled.draws.values.indicators[ASSIGNED][PROBABILITY]
    return of_sampled(sampled, "observed", errors)


def _is_right(model: LatentMarkov) -> bool:
    """Return whether what is written is the state."""
    return np.array_equal(model.priors[ASSIGNED][PROBABILITY].fixed, np.eye(model.n_segments))


def _complete(histories: Histories, n_labels: int) -> bool:
    """Return whether the state of every step is known."""
    codes = histories.steps.codes
    return bool(np.all((codes < n_labels) | (codes == n_labels + CHURNED)))


def counts(histories: Histories, n_segments: int) -> tuple[Array, Array]:
    """Return customers beginning and moving, where the state of every step is known.

    Shapes (segment,) and (profile, segment, state).
    """
    n_states = n_segments + histories.n_churns
    density = np.zeros((n_segments + N_SIGNS, n_states))
    density[:n_segments, :n_segments] = np.eye(n_segments)
    density[n_segments + CHURNED, n_segments:] = 1.0
    begin = np.zeros((histories.n_begins, n_states))
    begin[:, :n_segments] = 1.0 / n_segments
    moves = np.full((histories.n_profiles, n_states, n_states), 1.0 / n_states)
    _, _, begun, crossed = expected_of(histories.steps, density.ravel(), begin, moves)
    moved = np.rint(crossed * moves * 1e6) / 1e6  # what the scales leave of rounding
    return begun[0, :n_segments], moved[:, :n_segments]


def _by_counts(
    statistics: Statistics,
    histories: Histories,
    model: LatentMarkov,
    rng: np.random.Generator,
    lead: tuple[int, int],
) -> Migration:
    """Return independent draws of the Dirichlet posterior."""
    begun, moved = counts(histories, model.n_segments)
    share = np.empty((*lead, model.n_segments))
    share[:] = model.fixed_share if model.fixed_share is not None else 0.0
    if model.fixed_share is None:
        share = _dirichlet(rng, model.share + begun, lead)
    log_lik = _weighed(begun, share)
    rows: dict[str, Array] = {}
    for extra, own in zip(model.extras, moved, strict=True):
        prior = cast(RowPrior, extra.prior)  # there are no covariates here
        free = np.isnan(prior.fixed)
        if np.any(own[(prior.fixed == 0.0) & ~free] > 0.0):
            raise DataError(
                "Leave these rows of transitions to be estimated, or correct the states: a move "
                f"was written down to which the fixed rows of {extra.name!r} give the chance 0."
            )
        drawn = _dirichlet(rng, prior.alpha + own, lead)
        rows[extra.name] = np.where(free, drawn, prior.fixed)
        log_lik = log_lik + _weighed(own, rows[extra.name])
    values = Values(share, {TRANSITION: rows})
    draws = Draws(values, log_lik, {}, "exact")
    return Migration("observed", model, draws, judge_independent(method="exact"))


def _weighed(count: Array, chance: Array) -> Array:
    """Return Σ count · log chance over all but the leading axes (chain, draw)."""
    terms = count * np.log(np.maximum(chance, TINY))
    return terms.sum(axis=tuple(range(2, terms.ndim)))


def _dirichlet(rng: np.random.Generator, alpha: Array, lead: tuple[int, int]) -> Array:
    """Return draws of Dirichlet rows, (chain, draw, …)."""
    heights = np.maximum(rng.standard_gamma(alpha, size=(*lead, *alpha.shape)), TINY)
    return heights / heights.sum(axis=-1, keepdims=True)
