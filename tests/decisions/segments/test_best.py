"""The best set of segments, and what knowing before choosing it is worth."""

from itertools import product

import numpy as np
import pytest

from softseg.decisions.segments.best import best_worth, chosen, gained


def test_the_best_set_is_the_best_of_all_sets():
    rng = np.random.default_rng(1)
    net = rng.normal(0.0, 1.0, (6, 200))  # uniform, shared, four segments
    every = [
        net[1] + np.tensordot(np.array(treated), net[2:], axes=1)
        for treated in product([0.0, 1.0], repeat=4)
    ]
    best = np.maximum(np.max(every, axis=0), np.maximum(net[0], 0.0))
    np.testing.assert_allclose(best_worth(net), best)
    taken = np.array([chosen(column) @ column for column in net.T])
    np.testing.assert_allclose(taken, best)
    assert {tuple(chosen(column)[:2]) for column in net.T} == {(0, 0), (1, 0), (0, 1)}
    assert gained(net).mean() == pytest.approx(best.mean() - best_worth(net.mean(axis=1)))
    # where no draw changes the decision, knowing is worth exactly nothing
    sure = np.stack([np.zeros(200), -1.0 - np.abs(net[1]), 9.0 + net[2], -9.0 + net[3]])
    assert (gained(sure) == 0.0).all()
