"""The Markov kernel against the sum over all paths of states."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markov_cases import Case, by_enumeration, random_case
from softseg.families.base import Array
from softseg.inference.markov.space import MarkovSpace, emissions, look
from softseg.likelihood.markov import filtered_of, smoothed_of
from softseg.models.latent_markov import LatentMarkov, chain_of, specify_markov
from softseg.models.mixture import Values
from softseg.models.plan import theta_of

CHURN = ("none", "observed", "interval", "silent")


def model_of(case: Case, churn: str, n_segments: int = 3, *, logit: bool = False) -> LatentMarkov:
    """Return a model for a case, with covariates or with rows for each of its profiles."""
    rng = np.random.default_rng(0)
    profiles = [str(i) for i in range(case.histories.n_profiles)]
    if not logit:
        return specify_markov(case.schema, n_segments, churns=churn != "none", profiles=profiles)
    return specify_markov(
        case.schema,
        n_segments,
        churns=churn != "none",
        profiles=profiles,
        design=rng.normal(size=(len(profiles), 2)),
        covariates=("u", "v"),
        begin_design=rng.normal(size=(case.histories.n_begins, 1)),
        begin_covariates=("w",),
    )


def matrices(space: MarkovSpace, values: Values) -> tuple[Array, Array]:
    theta = np.ascontiguousarray(theta_of(space.mixture, values))
    return chain_of(space.chain, values.share, theta)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    churn=st.sampled_from(CHURN),
    logit=st.booleans(),
    n_profiles=st.integers(1, 3),
    whole=st.booleans(),
)
def test_the_likelihood_is_the_sum_over_all_paths(
    seed: int, churn: str, logit: bool, n_profiles: int, whole: bool
) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(
        rng, churn=churn, n_profiles=n_profiles, n_begins=2 if logit else 1, whole_counts=whole
    )
    model = model_of(case, churn, logit=logit)
    space = MarkovSpace.on(model, case.statistics, case.histories)
    values = model.draw_prior(rng)
    point = space.point(values)
    expected = by_enumeration(case, values, *matrices(space, values)) @ case.count
    density, log_lik = space.log_densities(point[None])
    assert log_lik[0] == pytest.approx(expected, abs=1e-10, rel=1e-10)
    assert space.log_posterior(point)[0] == pytest.approx(density[0], abs=1e-10)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), churn=st.sampled_from(CHURN), logit=st.booleans())
def test_the_gradient_equals_finite_differences(seed: int, churn: str, logit: bool) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(rng, churn=churn, n_profiles=2, n_begins=2 if logit else 1)
    model = model_of(case, churn, logit=logit)
    space = MarkovSpace.on(model, case.statistics, case.histories)
    point = space.point(model.draw_prior(rng))
    _, gradient = space.log_posterior(point)
    step = 1e-6 * np.eye(space.size)
    found = [
        (space.log_posterior(point + e)[0] - space.log_posterior(point - e)[0]) / 2e-6 for e in step
    ]
    scale = 1.0 + np.abs(gradient).max()
    np.testing.assert_allclose(found, gradient, atol=1e-6 * scale)


@pytest.mark.parametrize("churn", CHURN)
def test_expected_customers_are_probabilities_summed(churn: str) -> None:
    rng = np.random.default_rng(5)
    case = random_case(rng, churn=churn, n_histories=9)
    model = model_of(case, churn)
    space = MarkovSpace.on(model, case.statistics, case.histories)
    values = model.draw_prior(rng)
    theta = np.ascontiguousarray(theta_of(model, values))
    _, sums, begun, crossed, _, moves = look(
        space.plan, space.chain, values.share, theta, space.sequences
    )
    n_rows = (np.repeat(case.count, np.diff(case.start)) * (case.row >= 0)).sum()
    n_moves = case.count @ (np.diff(case.start) - 1)
    assert begun.sum() == pytest.approx(case.count.sum())
    assert (crossed * moves).sum() == pytest.approx(n_moves)
    if churn in ("none", "observed", "interval"):
        assert sums[2].sum() == pytest.approx(n_rows)
    else:
        assert sums[2].sum() < n_rows


@pytest.mark.parametrize("churn", CHURN)
def test_filtered_and_smoothed_probabilities(churn: str) -> None:
    """The last step's smoothed probabilities are filtered ones; all follow from enumeration."""
    rng = np.random.default_rng(8)
    case = random_case(rng, churn=churn, n_histories=7)
    model = model_of(case, churn)
    space = MarkovSpace.on(model, case.statistics, case.histories)
    values = model.draw_prior(rng)
    begin, moves = matrices(space, values)
    theta = np.ascontiguousarray(theta_of(model, values))
    density, _, _, _ = emissions(space.plan, theta, space.sequences, model.n_states)
    filtered, _ = filtered_of(space.sequences, density, begin, moves)
    smoothed = smoothed_of(space.sequences, density, begin, moves)
    places = case.histories.places()
    last = places[np.arange(len(places)), case.histories.length - 1]
    np.testing.assert_allclose(smoothed[last], filtered, atol=1e-12)
    np.testing.assert_allclose(smoothed.sum(axis=1), 1.0, atol=1e-12)
    for h in range(len(case.start) - 1):
        for s in range(model.n_states):
            only = np.zeros(model.n_states)
            only[s] = 1.0
            weight = by_enumeration(
                replace(case, start=case.start[h : h + 2], begin=case.begin[h : h + 1]),
                values, begin * only, moves,
            ) if begin[0, s] > 0 else np.array([-np.inf])  # fmt: skip
            whole = by_enumeration(
                replace(case, start=case.start[h : h + 2], begin=case.begin[h : h + 1]),
                values, begin, moves,
            )  # fmt: skip
            first = places[case.histories.history_of[h], 0]
            assert smoothed[first, s] == pytest.approx(float(np.exp(weight - whole)[0]), abs=1e-10)


def test_a_missing_period_is_no_stay() -> None:
    """A gap between two rows leaves all ways open: the two-step probability, not the stay."""
    rng = np.random.default_rng(1)
    case = random_case(rng, churn="none", n_histories=4, longest=1)
    model = model_of(case, "none", 2)
    space = MarkovSpace.on(model, case.statistics, case.histories)
    values = model.draw_prior(rng)
    _, moves = matrices(space, values)
    gap = replace(
        case,
        row=np.array([0, -1, 1]), sign=np.zeros(3, dtype=np.int64), start=np.array([0, 3]),
        profile=np.zeros(3, dtype=np.int64), begin=np.zeros(1, dtype=np.int64), count=np.ones(1),
    )  # fmt: skip
    straight = replace(
        gap, row=np.array([0, 1]), sign=np.zeros(2, dtype=np.int64), start=np.array([0, 2])
    )
    begin, _ = matrices(space, values)
    two = by_enumeration(straight, values, begin, (moves[0] @ moves[0])[None])
    np.testing.assert_allclose(by_enumeration(gap, values, begin, moves), two, atol=1e-12)
