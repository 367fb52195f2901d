"""Assigning rows and the errors of it: against loops, against published numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markov_cases import Case, random_case
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.inference.markov.classification import (
    assign,
    classification_errors,
    mean_membership,
)
from softseg.likelihood.kernel import memberships
from softseg.models.mixture import Values, specify

N_SEGMENTS = 3


def drawn(case: Case, n: int = 4) -> Values:
    rng = np.random.default_rng(2)
    mixture = specify(case.schema, N_SEGMENTS)
    each = [mixture.draw_prior(rng) for _ in range(n)]
    indicators = {
        name: {p: np.stack([v.indicators[name][p] for v in each]) for p in each[0].indicators[name]}
        for name in each[0].indicators
    }
    return Values(np.stack([v.share for v in each]), indicators)


def by_draw(case: Case, values: Values) -> Array:
    """Return the memberships, (sample, pattern, segment), draw by draw."""
    found = []
    for i in range(len(values.share)):
        own = values.at(i)
        weights = case.statistics.layout.weights(own.indicators, NUMPY)
        found.append(memberships(case.statistics, weights, own.share)[0])
    return np.array(found)


@pytest.mark.parametrize("rule", ["modal", "lot"])
def test_errors_are_memberships_summed_row_by_row(rule: str) -> None:
    case = random_case(np.random.default_rng(4), n_histories=12)
    values = drawn(case)
    assigned = assign(
        case.statistics, case.histories, values, rule=rule, rng=np.random.default_rng(1)  # type: ignore[arg-type]
    )  # fmt: skip
    member = by_draw(case, values)
    found = classification_errors(case.statistics, values, assigned.count)
    for s, k, w in np.ndindex(found.shape):
        hits = sum(
            assigned.count[p, w] * member[s, p, k] for p in range(case.statistics.n_patterns)
        )
        total = member[s, :, k] @ case.statistics.count
        assert found[s, k, w] == pytest.approx(hits / total, abs=1e-9)
    np.testing.assert_allclose(found.sum(axis=-1), 1.0)
    np.testing.assert_allclose(assigned.count.sum(axis=1), case.statistics.count)


def test_modal_is_the_largest_mean_membership() -> None:
    case = random_case(np.random.default_rng(5), n_histories=12)
    values = drawn(case)
    mean = by_draw(case, values).mean(axis=0)
    np.testing.assert_allclose(mean_membership(case.statistics, values), mean, atol=1e-12)
    assigned = assign(case.statistics, case.histories, values)
    np.testing.assert_array_equal(assigned.count.argmax(axis=1), mean.argmax(axis=1))
    assert np.count_nonzero(assigned.count) == case.statistics.n_patterns


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), churn=st.sampled_from(["none", "observed", "interval"]))
def test_gaps_churn_and_customers_stay_as_they_were(seed: int, churn: str) -> None:
    case = random_case(np.random.default_rng(seed), churn=churn, n_profiles=2)
    values = drawn(case)
    assigned = assign(case.statistics, case.histories, values)
    top = mean_membership(case.statistics, values).argmax(axis=1)
    n = case.statistics.n_patterns
    expected: dict[tuple[object, ...], float] = {}
    for h in range(len(case.start) - 1):
        steps = range(case.start[h], case.start[h + 1])
        codes = tuple(
            int(top[case.statistics.pattern_of_row[case.row[s]]])
            if case.row[s] >= 0
            else N_SEGMENTS + int(case.sign[s])
            for s in steps
        )
        profiles = (0, *(int(case.profile[s]) for s in list(steps)[1:]))
        expected[codes, profiles] = expected.get((codes, profiles), 0.0) + case.count[h]
    whole = assigned.histories.whole()
    found = {
        (tuple(whole.codes[h, :m].tolist()), tuple(whole.profiles[h, :m].tolist())): whole.count[h]
        for h, m in enumerate(whole.length)
    }
    assert found == expected
    assert n >= 1


def test_lots_follow_the_memberships() -> None:
    case = random_case(np.random.default_rng(6), n_histories=5, churn="none")
    values = drawn(case)
    mean = mean_membership(case.statistics, values)
    rng = np.random.default_rng(0)
    total = np.zeros_like(mean)
    for _ in range(400):
        total += assign(case.statistics, case.histories, values, rule="lot", rng=rng).count
    share = total / total.sum(axis=1, keepdims=True)
    n = 400 * case.statistics.count[:, None]
    np.testing.assert_array_less(np.abs(share - mean), 4.0 * np.sqrt(mean * (1 - mean) / n) + 1e-9)


def test_an_unknown_rule_is_refused() -> None:
    case = random_case(np.random.default_rng(5))
    with pytest.raises(UsageError, match="Choose the rule of assignment out of"):
        assign(case.statistics, case.histories, drawn(case), rule="best")  # type: ignore[arg-type]


def apparent_transitions(share: Array, transition: Array, errors: Array) -> Array:
    """Return what counting assigned segments tends to in a large panel: D' diag(π) A D."""
    joint = errors.T @ np.diag(share) @ transition @ errors
    return joint / joint.sum(axis=1, keepdims=True)


def even_errors(n: int, accuracy: float) -> Array:
    errors = np.full((n, n), (1.0 - accuracy) / (n - 1))
    np.fill_diagonal(errors, accuracy)
    return errors


def test_counting_turns_a_stay_rate_of_90_into_70_percent() -> None:
    """migration.md 7.16: two segments, 85 % assigned right."""
    moves = np.array([[0.9, 0.1], [0.1, 0.9]])
    found = apparent_transitions(np.full(2, 0.5), moves, even_errors(2, 0.85))
    np.testing.assert_allclose(np.diagonal(found), 0.696, atol=1e-12)
    np.testing.assert_allclose(found[0, 1], 0.304, atol=1e-12)


@pytest.mark.parametrize(
    ("accuracy", "stays"),
    [
        (0.95, (0.805, 0.813, 0.797)),
        (0.90, (0.720, 0.749, 0.721)),
        (0.85, (0.644, 0.690, 0.653)),
        (0.80, (0.578, 0.633, 0.591)),
    ],
)
def test_the_published_table_of_three_segments(
    accuracy: float, stays: tuple[float, float, float]
) -> None:
    """migration.md 4.3: true stays of 90, 88 and 88 %; the moves are those that give its table."""
    moves = np.array([[0.90, 0.07, 0.03], [0.05, 0.88, 0.07], [0.02, 0.10, 0.88]])
    share = np.linalg.matrix_power(moves, 500)[0]
    found = apparent_transitions(share, moves, even_errors(3, accuracy))
    np.testing.assert_allclose(np.diagonal(found), stays, atol=6e-4)


def test_without_errors_counting_is_right() -> None:
    moves = np.array([[0.7, 0.3], [0.2, 0.8]])
    found = apparent_transitions(np.array([0.4, 0.6]), moves, np.eye(2))
    np.testing.assert_allclose(found, moves)
