"""Histories: what does not matter changes nothing, and parts add up to the whole."""

from dataclasses import replace

import numpy as np
import pytest

from likelihood.test_markov import CHURN, model_of
from markov_cases import Case, random_case
from softseg.inference.markov.space import MarkovSpace
from softseg.likelihood.histories import histories_of

each_churn = pytest.mark.parametrize("churn", CHURN)


def log_lik(case: Case, churn: str, statistics=None, histories=None) -> float:
    model = model_of(case, churn)
    space = MarkovSpace.on(
        model,
        case.statistics if statistics is None else statistics,
        case.histories if histories is None else histories,
    )
    values = model.draw_prior(np.random.default_rng(0))
    return float(space.log_densities(space.point(values)[None])[1][0])


@each_churn
def test_parts_add_up_to_the_whole(churn: str) -> None:
    case = random_case(np.random.default_rng(5), churn=churn, n_histories=40, n_profiles=2)
    chosen = np.arange(case.histories.n_histories) % 3 == 0
    parts = [
        log_lik(case, churn, statistics, histories)
        for histories, statistics in (
            case.histories.take(np.flatnonzero(which), case.statistics)
            for which in (chosen, ~chosen)
        )
    ]
    assert sum(parts) == pytest.approx(log_lik(case, churn), rel=1e-12)


@each_churn
def test_the_order_of_the_histories_changes_no_bit(churn: str) -> None:
    case = random_case(np.random.default_rng(6), churn=churn, n_histories=90, n_profiles=2)
    n = len(case.count)
    order = np.random.default_rng(7).permutation(n)
    steps = np.concatenate([np.arange(case.start[h], case.start[h + 1]) for h in order])
    length = np.diff(case.start)[order]
    other = histories_of(
        case.statistics, row=case.row[steps], sign=case.sign[steps],
        start=np.append(0, np.cumsum(length)), churns=churn != "none", count=case.count[order],
        profile=case.profile[steps],
    )  # fmt: skip
    for mine, theirs in zip(case.histories.steps, other.steps, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(case.histories.history_of[order], other.history_of)


def test_a_history_twice_is_one_with_count_two() -> None:
    case = random_case(np.random.default_rng(8), churn="silent", n_histories=20)
    n_steps = case.start[-1]
    twice = histories_of(
        case.statistics, row=np.tile(case.row, 2), sign=np.tile(case.sign, 2),
        start=np.append(case.start, n_steps + case.start[1:]), churns=True,
        count=np.tile(case.count, 2),
    )  # fmt: skip
    doubled = case.histories.steps._replace(times=2.0 * case.histories.steps.times)
    for mine, theirs in zip(doubled, twice.steps, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    statistics = replace(case.statistics, count=2.0 * case.statistics.count)
    found = log_lik(case, "silent", statistics, twice)
    assert found == pytest.approx(2.0 * log_lik(case, "silent"), rel=1e-12)


def test_steps_stand_where_places_says() -> None:
    case = random_case(np.random.default_rng(9), churn="observed", n_histories=150)
    h = case.histories
    places = h.places()
    assert len(h.steps.blocks) > 2
    assert sorted(places[places >= 0]) == list(range(len(h.steps.codes)))
    np.testing.assert_array_equal((places >= 0).sum(axis=1), h.length)
    for customer in (0, 70, 149):
        own = places[h.history_of[customer]]
        steps = range(case.start[customer], case.start[customer + 1])
        n = case.statistics.n_patterns
        for place, step in zip(own, steps, strict=False):
            row = case.row[step]
            code = case.statistics.pattern_of_row[row] if row >= 0 else n + case.sign[step]
            assert h.steps.codes[place] == code
