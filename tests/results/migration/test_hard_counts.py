"""The attenuation of section 4.3 and 7.16, in closed form and by counting simulated labels."""

import numpy as np
import pytest
import xarray as xr

from migration_chains import matrix, vector
from softseg.errors import UsageError
from softseg.results.migration.hard_counts import attenuated, hard_transitions

TWO = np.array([[0.9, 0.1], [0.1, 0.9]])
THREE = np.array([[0.90, 0.07, 0.03], [0.05, 0.88, 0.07], [0.02, 0.10, 0.88]])


def errors(accuracy, n):
    d = np.full((n, n), (1 - accuracy) / (n - 1))
    np.fill_diagonal(d, accuracy)
    return xr.DataArray(d, dims=("state", "assigned"))


def stationary(p):
    values, vectors = np.linalg.eig(p.T)
    pi = vectors[:, np.argmax(values.real)].real
    return vector(pi / pi.sum(), names=None)


def test_two_states_show_three_times_the_migration():
    found = attenuated(matrix(TWO, names=None), errors(0.85, 2), vector([0.5, 0.5], names=None))
    np.testing.assert_allclose(np.diag(found), 0.696, atol=5e-4)
    assert float(found[0, 1]) / TWO[0, 1] == pytest.approx(3.04, abs=0.005)


@pytest.mark.parametrize(
    ("accuracy", "stays"),
    [
        (0.95, [0.805, 0.813, 0.797]),
        (0.90, [0.720, 0.749, 0.721]),
        (0.85, [0.644, 0.690, 0.653]),
        (0.80, [0.578, 0.633, 0.591]),
    ],
)
def test_three_states(accuracy, stays):
    """The table of section 4.3, which does not print the moves: those here meet it to 0.002."""
    found = attenuated(matrix(THREE, names=None), errors(accuracy, 3), stationary(THREE))
    np.testing.assert_allclose(np.diag(found), stays, atol=2e-3)


def test_without_errors_nothing_is_lost():
    found = attenuated(matrix(THREE, names=None), errors(1.0, 3), stationary(THREE))
    np.testing.assert_allclose(found, THREE)


def test_counting_simulated_labels_tends_to_the_closed_form():
    rng = np.random.default_rng(1)

    def lots(p):
        return (rng.random((len(p), 1)) > np.cumsum(p, axis=1)[:, :2]).sum(axis=1)

    pi, d = stationary(THREE), errors(0.85, 3)
    state = rng.choice(3, size=40_000, p=pi.values)
    rows = []
    for _ in range(4):
        rows.append(lots(d.values[state]) + 1)
        state = lots(THREE[state])
    labels = xr.DataArray(np.array(rows).T, dims=("customer", "period"))
    found = hard_transitions(labels, ["a", "b", "c"])
    expected = attenuated(matrix(THREE, names=None), d, pi)
    np.testing.assert_allclose(found["mean"], expected, atol=0.01)
    # the interval is narrow and far from the truth: that is what counting does
    assert float(found["upper"][0, 0]) < 0.67 < THREE[0, 0]


def test_a_gap_is_no_stay():
    labels = xr.DataArray([[1, 0, 1, 2], [2, 2, 0, 0]], dims=("customer", "period"))
    found = hard_transitions(labels, ["a", "b"])
    np.testing.assert_array_equal(found["counts"], [[0, 1], [0, 1]])
    unseen = hard_transitions(labels, ["a", "b", "c"])
    assert np.isnan(unseen["mean"][2]).all()
    assert np.isnan(unseen["upper"][2]).all()
    assert (found["lower"] <= found["upper"]).all()


def test_what_does_not_fit_is_refused_in_words():
    labels = xr.DataArray([[1, 4]], dims=("customer", "period"))
    with pytest.raises(UsageError, match="Give labels as whole numbers from 1 to 3"):
        hard_transitions(labels, ["a", "b", "c"])
    with pytest.raises(UsageError, match="Give classification errors as rows of probabilities"):
        attenuated(matrix(THREE, names=None), errors(0.9, 2), stationary(THREE))
