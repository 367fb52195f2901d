"""The model of labels: which misclassification is accepted, and what it holds."""

import numpy as np
import pytest

from softseg.errors import UsageError
from softseg.models.labelled import error_columns, held, labelled, specify_observed
from softseg.models.latent_markov import RowPrior, specify_markov
from softseg.names import ASSIGNED

FREE = np.full((2, 2), np.nan)
RIGHT = np.array([[0.9, 0.1], [0.2, 0.8]])


def test_without_errors_every_label_is_the_state() -> None:
    model = specify_observed(3)
    np.testing.assert_array_equal(model.priors[ASSIGNED]["probability"].fixed, np.eye(3))
    assert not model.exchangeable
    assert error_columns(model) == 3
    assert model.n_parameters == 2 + 3 * 3


def test_a_matrix_is_held_and_a_strong_prior_is_estimated() -> None:
    fixed = specify_observed(2, errors=RIGHT, churns=False)
    np.testing.assert_array_equal(fixed.priors[ASSIGNED]["probability"].fixed, RIGHT)
    strong = specify_observed(2, errors=RowPrior(100.0 * RIGHT, FREE), churns=False)
    assert strong.n_parameters == fixed.n_parameters + 2
    assert not strong.exchangeable


def test_some_rows_may_be_held_and_others_estimated() -> None:
    half = np.array([[0.9, 0.1], [np.nan, np.nan]])
    model = specify_observed(2, errors=RowPrior(100.0 * RIGHT, half), churns=False)
    probability = model.priors[ASSIGNED]["probability"]
    np.testing.assert_array_equal(np.isnan(probability.fixed), np.isnan(half))


@pytest.mark.parametrize(
    "alpha", [np.ones((2, 2)), 30.0 * RIGHT, np.array([[30.0, 70.0], [20.0, 80.0]])]
)
def test_free_transitions_and_free_misclassification_are_refused(alpha: np.ndarray) -> None:
    with pytest.raises(UsageError, match="Fix the misclassification, or give each of its rows"):
        specify_observed(2, errors=RowPrior(alpha, FREE), churns=False)


def test_with_fixed_transitions_misclassification_may_be_free() -> None:
    moves = np.array([[0.9, 0.1], [0.1, 0.9]])
    flat = RowPrior(np.ones((2, 2)), FREE)
    assert specify_observed(2, errors=flat, churns=False, fixed=moves).n_parameters == 3


@pytest.mark.parametrize("errors", [np.eye(3), np.ones((2, 3)) / 3.0])
def test_a_matrix_of_another_shape_is_refused(errors: np.ndarray) -> None:
    with pytest.raises(UsageError, match="one row per segment with one number per label"):
        specify_observed(2, errors=errors)


@pytest.mark.parametrize("errors", [np.array([[0.9, 0.2], [0.1, 0.9]]), [[1.1, -0.1], [0.0, 1.0]]])
def test_rows_that_are_no_probabilities_are_refused(errors: np.ndarray) -> None:
    with pytest.raises(UsageError, match="as probabilities that sum to 1"):
        specify_observed(2, errors=errors)


def test_the_chain_is_that_of_the_other_model() -> None:
    base = specify_observed(2, churns=True, profiles=("spring", "autumn"))
    model = labelled(base, held(RIGHT))
    assert model.extras == base.extras
    assert model.profiles == ("spring", "autumn")
    assert specify_markov(model.schema, 2).n_states == 3
