"""EM and the Gibbs sweep of latent Markov models: laws and closed forms."""

from dataclasses import replace

import numpy as np
import pytest

from likelihood.test_markov import CHURN, model_of
from markov_cases import random_case
from softseg.inference.markov.modes import Climber
from softseg.inference.markov.space import emissions
from softseg.inference.markov.turns import maximise, seen
from softseg.inference.threads import Stop
from softseg.likelihood.markov import expected_of, sampled_of
from softseg.models.edges import bounded
from softseg.models.latent_markov import LatentMarkov, chain_of, specify_markov
from softseg.models.plan import theta_of
from softseg.priors import Prior, for_segments

each_churn = pytest.mark.parametrize("churn", CHURN)


@each_churn
@pytest.mark.parametrize("n_profiles", [1, 2])
def test_the_objective_never_falls(churn: str, n_profiles: int) -> None:
    rng = np.random.default_rng(n_profiles)
    case = random_case(rng, churn=churn, n_histories=30, n_profiles=n_profiles)
    climber = Climber.on(model_of(case, churn), case.statistics, case.histories)
    values = climber.start(rng)
    heights = [climber.height(values)]
    for _ in range(25):
        values = climber.climb(values, 1, 0.0, Stop())
        heights.append(climber.height(values))
    assert np.diff(heights).min() > -1e-9
    assert heights[-1] > heights[0] + 1.0


@each_churn
def test_rows_and_shares_are_maximised_in_closed_form(churn: str) -> None:
    rng = np.random.default_rng(3)
    case = random_case(rng, churn=churn, n_histories=20)
    model = bounded(model_of(case, churn))
    assert isinstance(model, LatentMarkov)
    climber = Climber.on(model, case.statistics, case.histories)
    space, values = climber.gentle, climber.start(rng)
    share, theta = np.array(values.share), np.ascontiguousarray(theta_of(model, values))
    _, _, sums = seen(space.plan, space.chain, share, theta, space.sequences)
    *_, begun, moved = sums
    maximise(space.plan, space.chain, share, theta, sums)
    first = space.chain.first
    expected = moved[0, :3] + model.extras[0].prior.codes()[1] - 1.0
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(theta[:, first : first + model.n_states], expected, rtol=1e-12)
    customers = begun[0, :3] + model.share - 1.0
    np.testing.assert_allclose(share, customers / customers.sum(), rtol=1e-12)


@each_churn
def test_drawn_states_add_up_to_expected_ones(churn: str) -> None:
    rng = np.random.default_rng(4)
    case = random_case(rng, churn=churn, n_profiles=2)
    model = model_of(case, churn)
    climber = Climber.on(model, case.statistics, case.histories)
    space, values = climber.space, model.draw_prior(rng)
    theta = np.ascontiguousarray(theta_of(model, values))
    begin, moves = chain_of(space.chain, values.share, theta)
    density, *_ = emissions(space.plan, theta, space.sequences, model.n_states)
    steps = space.sequences.steps
    _, members, begun, crossed = expected_of(steps, density, begin, moves)
    wanted = np.concatenate([members, begun.ravel(), (crossed * moves).ravel()])
    draws = np.empty((4000, len(wanted)))
    for draw in draws:
        _, *drawn = sampled_of(steps, density, begin, moves, rng)
        draw[:] = np.concatenate([part.ravel() for part in drawn])
    error = draws.std(axis=0) / np.sqrt(len(draws)) + 1e-3
    assert np.abs((draws.mean(axis=0) - wanted) / error).max() < 4.5


def test_fixed_rows_stay_with_their_segments() -> None:
    """Priors of their own give labels a meaning: no mode renumbers its segments."""
    rng = np.random.default_rng(6)
    case = random_case(rng, churn="observed", n_histories=20)
    fixed = np.full((2, 3), np.nan)
    for own in range(2):
        fixed[:] = np.nan
        fixed[own] = [0.0, 0.9, 0.1]
        model = specify_markov(case.schema, 2, fixed=fixed)
        assert not model.exchangeable
        climber = Climber.on(model, case.statistics, case.histories)
        mode = climber.mode(climber.climb(climber.start(rng), 50, 1e-6, Stop()))
        np.testing.assert_array_equal(mode.values.indicators["transition"]["all"][own], fixed[own])


def test_starts_hold_what_is_fixed() -> None:
    """A Gibbs chain never touches fixed shares: they must be right from the start."""
    rng = np.random.default_rng(7)
    case = random_case(rng, churn="observed")
    fixed = np.full((2, 3), np.nan)
    fixed[0] = [0.8, 0.1, 0.1]
    model = specify_markov(case.schema, 2, fixed=fixed)
    held = for_segments([Prior("Fixed", value=1.5), Prior("Normal", mu=0.0, sigma=1.0)], 2)
    own = {**model.priors, "score": {**model.priors["score"], "mean": held}}
    model = replace(model, fixed_share=np.array([0.3, 0.7]), priors=own)
    start = Climber.on(model, case.statistics, case.histories).start(rng)
    np.testing.assert_array_equal(start.share, [0.3, 0.7])
    assert start.indicators["score"]["mean"][0] == 1.5
    np.testing.assert_array_equal(start.indicators["transition"]["all"][0], fixed[0])
