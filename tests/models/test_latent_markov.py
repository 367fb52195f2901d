"""The latent Markov model's specification: what it counts, what permutes, what it refuses."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from markov_cases import random_case
from softseg.errors import UsageError
from softseg.inference.markov.space import MarkovSpace
from softseg.models.edges import inside
from softseg.models.latent_markov import prior_lifetime, specify_markov, sticky
from softseg.models.mixture import states_order

CASE = random_case(np.random.default_rng(2), churn="observed")


def test_sticky_rows_expect_what_they_say() -> None:
    alpha = sticky(3, churns=True, stay=0.7, strength=10.0)
    assert alpha.shape == (3, 4)
    np.testing.assert_allclose(alpha.sum(axis=1), 10.0)
    np.testing.assert_allclose(np.diagonal(alpha), 7.0)
    np.testing.assert_allclose(alpha[0, 1:], 1.0)
    np.testing.assert_array_equal(sticky(1, churns=False), [[1.0]])


def test_the_lifetime_is_that_of_the_absorbing_chain() -> None:
    rows = np.array([[0.90, 0.06, 0.02, 0.02], [0.08, 0.82, 0.05, 0.05], [0.03, 0.07, 0.80, 0.10]])
    np.testing.assert_allclose(prior_lifetime(20.0 * rows), [26.515, 21.970, 16.667], atol=5e-4)


@pytest.mark.parametrize(("stay", "strength"), [(1.0, 2.0), (0.0, 2.0), (0.5, 0.0)])
def test_sticky_rows_need_numbers_in_range(stay: float, strength: float) -> None:
    message = "share that stays inside" if strength else "strength above 0"
    with pytest.raises(UsageError, match=message):
        sticky(2, True, stay, strength)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("one row of concentrations per segment", {"alpha": np.ones((2, 2))}),
    ("one row of fixed rows per segment", {"fixed": np.ones((3, 3))}),
    ("concentrations above 0", {"alpha": np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])}),
    ("fixed row of transitions whole", {"fixed": np.array([[0.5, np.nan, 0.5], [np.nan] * 3])}),
    ("fixed row of transitions whole", {"fixed": np.array([[0.5, 0.4, 0.3], [np.nan] * 3])}),
    ("Leave covariates of transitions away",
     {"fixed": np.array([[0.5, 0.5, 0.0], [np.nan] * 3]), "design": np.zeros((1, 1)),
      "covariates": ("x",)}),
    ("one column per name", {"design": np.zeros((1, 2)), "covariates": ("x",)}),
    ("one row per transition matrix", {"design": np.zeros((2, 1)), "covariates": ("x",)}),
    ("one column per name", {"begin_design": np.zeros((2, 1))}),
    ("covariates without gaps", {"design": np.array([[np.nan]]), "covariates": ("x",)}),
]  # fmt: skip


@pytest.mark.parametrize(("message", "given"), REFUSED)
def test_what_does_not_fit_is_refused(message: str, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=message):
        specify_markov(CASE.schema, 2, **given)


@pytest.mark.parametrize(
    ("message", "churn", "changed"),
    [
        ("the state churned", "observed", {"churns": False}),
        ("one profile for each", "observed", {"profiles": ("one",)}),
        ("one row of begin_design", "none", {"profiles": ("one", "two")}),
    ],
)
def test_histories_that_need_more_than_the_model_has_are_refused(
    message: str, churn: str, changed: dict[str, Any]
) -> None:
    case = random_case(np.random.default_rng(3), churn=churn, n_profiles=2, n_begins=2)
    model = specify_markov(case.schema, 2, **changed)
    with pytest.raises(UsageError, match=message):
        MarkovSpace.on(model, case.statistics, case.histories)


def test_parameters_are_counted() -> None:
    plain = specify_markov(CASE.schema, 2)
    own = 2 * (2 + 1 + 2 + 1)  # score, orders, channel, late
    assert plain.n_parameters == 1 + own + 2 * 2
    fixed = np.array([[0.5, 0.4, 0.1], [np.nan] * 3])
    assert specify_markov(CASE.schema, 2, fixed=fixed).n_parameters == 1 + own + 2
    with_x = specify_markov(
        CASE.schema, 2, profiles=("a", "b"), design=np.zeros((2, 1)), covariates=("x",),
        begin_design=np.zeros((3, 1)), begin_covariates=("w",),
    )  # fmt: skip
    assert with_x.n_parameters == 2 + own + 2 * 4
    assert with_x.logit
    assert with_x.not_updatable() == ["covariates"]
    assert with_x.exchangeable
    assert not plain.logit
    assert specify_markov(CASE.schema, 1, churns=False).n_parameters == own // 2


def test_rows_of_unlike_segments_make_labels_meaningful() -> None:
    alpha = sticky(2, True)
    assert specify_markov(CASE.schema, 2, alpha=alpha).exchangeable
    alpha = alpha.copy()
    alpha[0, 2] += 1.0
    assert not specify_markov(CASE.schema, 2, alpha=alpha).exchangeable


def test_permuting_segments_moves_rows_and_columns() -> None:
    model = specify_markov(CASE.schema, 3)
    values = model.draw_prior(np.random.default_rng(1))
    order = np.array([2, 0, 1])
    moved = values.permuted(order)
    rows = values.indicators["transition"]["all"]
    states = states_order(order, 4)[0]
    np.testing.assert_array_equal(states, [2, 0, 1, 3])
    np.testing.assert_array_equal(
        moved.indicators["transition"]["all"], rows[np.ix_(order, states)]
    )
    space = MarkovSpace.on(model, CASE.statistics, CASE.histories)
    both = np.stack([space.point(values), space.point(moved)])
    _, log_lik = space.log_densities(both)
    assert log_lik[1] == pytest.approx(log_lik[0], abs=1e-9)
    assert model.log_prior(moved) == pytest.approx(model.log_prior(values), abs=1e-9)


def test_fixed_rows_and_shares_are_not_moved_off_the_edge() -> None:
    fixed = np.array([[1.0, 0.0, 0.0], [np.nan] * 3])
    model = replace(specify_markov(CASE.schema, 2, fixed=fixed), fixed_share=np.array([1.0, 0.0]))
    values = model.draw_prior(np.random.default_rng(1))
    values.indicators["transition"]["all"][1] = [1.0, 0.0, 0.0]
    inner = inside(model, values, 100.0)
    np.testing.assert_array_equal(inner.indicators["transition"]["all"][0], fixed[0])
    assert inner.indicators["transition"]["all"][1].min() > 0.0
    np.testing.assert_array_equal(inner.share, [1.0, 0.0])
