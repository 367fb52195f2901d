"""Labels as statistics: the density of a label is its probability."""

import numpy as np
import pytest

from softseg.families.namespace import NUMPY
from softseg.likelihood.kernel import memberships
from softseg.likelihood.labels import label_names, labels_as_statistics


def test_a_label_has_its_probability_in_every_segment() -> None:
    errors = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2]])
    statistics = labels_as_statistics(np.array([3.0, 0.0, 2.0]), np.array([0, 2, 1]))
    weights = statistics.layout.weights({"assigned": {"probability": errors}}, NUMPY)
    share = np.array([0.4, 0.6])
    member, log_density = memberships(statistics, weights, share)
    np.testing.assert_allclose(np.exp(log_density), share @ errors)
    np.testing.assert_allclose(member, (share[:, None] * errors / (share @ errors)).T)
    assert statistics.n_customers == pytest.approx(5.0)


def test_labels_are_numbered_from_one() -> None:
    assert label_names(3) == ["1", "2", "3"]
