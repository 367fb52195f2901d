"""Transitions from a fitted mixture in three steps, its classification errors included.

1. A mixture of the panel's rows has been fitted; 2. every row is given to one segment, and D, the
errors of that, is computed for each of the mixture's draws (`classification`); 3. given D, what was
assigned follows a latent Markov model whose only emission is D (Vermunt 2010; Di Mari, Oberski and
Vermunt 2016, Structural Equation Modeling 23, 649–660). One draw of shares and transitions is made
for each draw of the mixture, so that what is not known about D widens the intervals: a cut
posterior (Plummer 2015, Statistics and Computing 25, 37–43), as the assigned segments do not act
back on the mixture.

A chain of one move per draw would lag behind D, which differs from draw to draw, and understate its
part. So the proposal of a move comes with D: the mode of the posterior given the mean D, moved
along its derivative by D. Several independence moves are made for each draw, starting from where
the last draw ended, carried along with the mode; what is kept has then almost surely been renewed.
The share of moves accepted says how far that holds, and is judged.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numba import njit

from softseg.checks import whole_number
from softseg.compiled import CACHED
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.inference.coordinates import place, prior_kernel
from softseg.inference.copula import Proposal
from softseg.inference.curvature import Summit, summit
from softseg.inference.diagnose import judge_paired
from softseg.inference.draws import Draws
from softseg.inference.markov.classification import Rule, assign, classification_errors
from softseg.inference.markov.migration import Migration
from softseg.inference.markov.modes import Climber
from softseg.inference.markov.space import MarkovSpace, likelihood
from softseg.inference.modes import LONG_CYCLES
from softseg.inference.threads import Stop, in_threads
from softseg.likelihood.histories import Histories
from softseg.likelihood.statistics import Statistics
from softseg.models.evaluator import spread
from softseg.models.labelled import error_columns, held, labelled
from softseg.models.latent_markov import LatentMarkov, RowPrior
from softseg.models.mixture import Values
from softseg.models.plan import values_of
from softseg.names import TRANSITION

MOVES: Final = 10
"""Moves for each draw of the mixture; at an acceptance of one in two a thousandth part stays."""
STEP: Final = 1e-4
"""Of the central differences by D."""
TOLERANCE: Final = 1e-8


@dataclass(frozen=True)
class Paired:
    """How shares and transitions are proposed for a draw of D.

    Attributes
    ----------
    space
        Coordinates of the model of labels, D at its mean.
    proposal
        Around the mode there.
    response
        Derivative of the mode by D, (coordinate, segment, assigned).
    """

    space: MarkovSpace
    proposal: Proposal
    response: Array


def three_step(
    values: Values,
    statistics: Statistics,
    histories: Histories,
    model: LatentMarkov,
    *,
    rng: np.random.Generator,
    rule: Rule = "modal",
    n_draws: int | None = None,
    moves: int = MOVES,
    cores: int = 1,
) -> Migration:
    """Return draws of shares and transitions, one for each draw of a fitted mixture.

    Parameters
    ----------
    values
        Aligned draws of the mixture, leading axes (chain, draw).
    statistics, histories
        The panel's patterns, in the layout of the mixture's, and its histories.
    model
        Priors and covariates of the chain; its indicators take no part.
    rule
        How rows are given to segments: ``"modal"`` or ``"lot"``.
    n_draws
        So many evenly spaced draws of each chain are used, all by default.
    moves
        For each draw of the mixture, at least 1.
    cores
        Threads over chains; the draws do not depend on it.

    Returns
    -------
    Migration
        With ``errors`` D (chain, draw, segment, assigned), ``accepted`` (chain, draw) among
        ``draws.sample_stats``, and the verdict on how well the paired chains mix.

    Raises
    ------
    UsageError
        Where mixture and model differ in the number of segments, where silent churn is modelled,
        or where nothing is left to estimate.
    """
    whole_number(moves, "the moves for each draw", 1)
    _check(values, histories, model)
    if n_draws is not None and n_draws < values.share.shape[1]:
        chosen = spread(values.share.shape[1], whole_number(n_draws, "the draws of a chain", 1))
        values = values.at((slice(None), chosen))
    lead = values.share.shape[:2]
    rng_lot, *rngs = rng.spawn(1 + lead[0])
    flat = values.flattened()
    assigned = assign(statistics, histories, flat, rule=rule, rng=rng_lot)
    errors = classification_errors(statistics, flat, assigned.count)
    errors = errors.reshape(*lead, *errors.shape[1:])
    middle = errors.mean(axis=(0, 1))
    labels = labelled(model, held(middle))
    paired = pair(labels, assigned.statistics, assigned.histories)
    shifts = np.einsum("ckw,sdkw->sdc", paired.response, errors - middle)

    def one(i: int, stop: Stop) -> tuple[Array, Array, Array, Array]:
        return _chain(paired, errors[i], shifts[i], moves, rngs[i], stop)

    found, _ = in_threads(one, lead[0], max(cores, 1))
    share, theta, log_lik, accepted = (np.stack(parts) for parts in zip(*found, strict=True))
    drawn = values_of(labels, share, theta)
    groups = {e.group: drawn.indicators[e.group] for e in labels.extras}
    kept = Values(share, groups)
    diagnosis = judge_paired(kept, log_lik, accepted, method="three_step")
    draws = Draws(kept, log_lik, {"accepted": accepted}, "three_step")
    return Migration("three_step", labels, draws, diagnosis, errors)


def _check(values: Values, histories: Histories, model: LatentMarkov) -> None:
    n = values.share.shape[-1]
    if n != model.n_segments:
        raise UsageError(
            f"Give a chain with as many segments as the mixture: expected {n}, got "
            f"{model.n_segments}."
        )
    if histories.quiet.any():
        raise UsageError(
            "Use the joint way for silent churn: a period without activity is shown by churned "
            "customers too, which the mixture's classification errors do not know."
        )


def pair(labels: LatentMarkov, statistics: Statistics, histories: Histories) -> Paired:
    """Return how to propose draws of a model of labels, D fixed at its mean.

    Raises
    ------
    UsageError
        Where nothing is left to estimate.
    """
    space = MarkovSpace.on(labels, statistics, histories)
    if space.size == 0:
        raise UsageError("Leave shares or transitions to be estimated, got fixed ones only.")
    climber = Climber.on(labels, statistics, histories)
    values = climber.climb(_begin(climber.gentle.model), LONG_CYCLES, TOLERANCE, Stop())
    values = climber.whole(values)
    top = summit(space, space.point(space.inside(values)))
    return Paired(space, Proposal.at(space, top), _response(space, top))


def _begin(model: LatentMarkov) -> Values:
    """Return D, even shares and the prior's mean rows, where EM begins."""
    drawn = model.draw_prior(np.random.default_rng(0))
    rows = {}
    for extra in model.extras:
        prior = extra.prior
        if extra.group == TRANSITION and isinstance(prior, RowPrior):
            mean = prior.alpha / prior.alpha.sum(axis=1, keepdims=True)
            rows[extra.name] = np.where(np.isnan(prior.fixed), mean, prior.fixed)
    share = model.fixed_share
    if share is None:
        share = np.full(model.n_segments, 1.0 / model.n_segments)
    return Values(share, {**drawn.indicators, TRANSITION: rows})


def _response(space: MarkovSpace, top: Summit) -> Array:
    """Return the derivative of the mode by D, (coordinate, segment, assigned)."""
    n_labels = error_columns(space.model)
    response = np.empty((space.size, space.model.n_segments, n_labels))
    for k, w in np.ndindex(response.shape[1:]):
        sides = []
        for side in (STEP, -STEP):
            fixed = space.plan.fixed.copy()
            fixed[k, w] *= 1.0 + side
            beside = replace(space, plan=space.plan._replace(fixed=fixed))
            sides.append(beside.log_posterior(top.point)[1])
        slope = (sides[0] - sides[1]) / (2.0 * STEP * space.plan.fixed[k, w])
        response[:, k, w] = top.covariance @ slope
    return response


def _chain(
    paired: Paired, errors: Array, shifts: Array, moves: int, rng: np.random.Generator, stop: Stop
) -> tuple[Array, Array, Array, Array]:
    """Return shares, theta, log-likelihoods and shares of moves accepted of one chain."""
    space, n = paired.space, len(errors)
    first, first_density = paired.proposal.draw(rng, 1)
    points, density = paired.proposal.draw(rng, n * moves)
    share = np.empty((n, space.model.n_segments))
    theta = np.empty((n, *space.plan.fixed.shape))
    log_lik, accepted = np.empty(n), np.empty(n)
    own = space.plan._replace(fixed=space.plan.fixed.copy())
    paired_kernel(
        rng, own, space.coordinate, space.chain, space.sequences, np.ascontiguousarray(errors),
        shifts, first[0].copy(), first_density[0], points.reshape(n, moves, -1),
        density.reshape(n, moves), stop.flag, share, theta, log_lik, accepted,
    )  # fmt: skip
    return share, theta, log_lik, accepted


@njit(**CACHED)
def height(plan, coordinate, chain, sequences, point, share, theta):  # pragma: no cover
    """Write shares and theta of a point; return its log density up to a constant, and log-lik."""
    log_jacobian = place(plan, coordinate, point, share, theta)
    log_lik = likelihood(plan, chain, share, theta, sequences)
    return log_lik + prior_kernel(plan, share, theta) + log_jacobian, log_lik


@njit(**CACHED)
def paired_kernel(
    rng, plan, coordinate, chain, sequences, errors, shifts, here, here_density, points, density,
    stop, kept_share, kept_theta, kept_log_lik, accepted,
):  # fmt: skip  # pragma: no cover
    """For each D some independence moves, the last position kept; `plan` is written to.

    `here` (coordinate,) and `points` (draw, move, coordinate) are relative to the mode under the
    mean D, so that their densities under the proposal are the same for every D.
    """
    n_labels = errors.shape[2]
    share, theta = np.empty(kept_share.shape[1]), np.empty(plan.fixed.shape)
    for s in range(len(errors)):
        if stop[0]:
            return
        plan.fixed[:, :n_labels] = errors[s]
        own, own_lik = height(
            plan, coordinate, chain, sequences, here + shifts[s], kept_share[s], kept_theta[s]
        )
        n_accepted = 0
        for m in range(points.shape[1]):
            trial, trial_lik = height(
                plan, coordinate, chain, sequences, points[s, m] + shifts[s], share, theta
            )
            ratio = (trial - density[s, m]) - (own - here_density)
            if np.log(rng.random()) < ratio or not np.isfinite(own):
                own, own_lik, n_accepted = trial, trial_lik, n_accepted + 1
                here[:], here_density = points[s, m], density[s, m]
                kept_share[s], kept_theta[s] = share, theta
        kept_log_lik[s] = own_lik
        accepted[s] = n_accepted / points.shape[1]
