"""Labels: planted permutations are found, sizes decide the numbers, loss is told."""

import numpy as np
import pytest

from builders import ALL_FAMILIES, mixed_table, truth
from softseg.inference.gibbs import stack
from softseg.inference.relabel import align
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import Values

TRUE = truth(ALL_FAMILIES, (0.2, 0.5, 0.3))


@pytest.fixture(scope="module")
def statistics():
    return reduce(mixed_table(300, share=(0.2, 0.5, 0.3))[0])


def jittered(n_chains: int, n_draws: int) -> Values:
    rng = np.random.default_rng(1)

    def one() -> Values:
        return TRUE.map(lambda values: values * (1.0 + 0.01 * rng.random(values.shape)))

    return stack([stack([one() for _ in range(n_draws)]) for _ in range(n_chains)])


def test_planted_permutations_are_undone(statistics):
    draws = jittered(2, 100)
    rng = np.random.default_rng(2)
    planted = np.stack([rng.permutation(3) for _ in range(200)]).reshape(2, 100, 3)
    aligned = align(statistics, draws.permuted(planted), TRUE)
    by_size = np.array([1, 2, 0])
    expected = draws.permuted(np.broadcast_to(by_size, (2, 100, 3)))
    np.testing.assert_array_equal(aligned.values.share, expected.share)
    for name, parameters in expected.indicators.items():
        for key, values in parameters.items():
            np.testing.assert_array_equal(aligned.values.indicators[name][key], values)
    assert aligned.not_permutations == 0.0


def test_segments_are_numbered_by_size(statistics):
    aligned = align(statistics, jittered(1, 20), TRUE)
    assert np.all(np.diff(aligned.mean_sizes) < 0)
    assert aligned.mean_sizes.sum() == pytest.approx(statistics.n_customers)


def test_chain_memberships_are_means_over_draws(statistics):
    from softseg.families.namespace import NUMPY
    from softseg.likelihood.kernel import memberships

    aligned = align(statistics, jittered(2, 7), TRUE)
    for chain in range(2):
        each = [
            memberships(statistics, statistics.layout.weights(v.indicators, NUMPY), v.share)[0]
            for v in (aligned.values.at((chain, draw)) for draw in range(7))
        ]
        np.testing.assert_allclose(
            aligned.chain_memberships[chain], np.mean(each, axis=0), atol=1e-12
        )


def test_draws_that_are_no_permutation_are_counted(statistics):
    draws = jittered(1, 10)
    merged = draws.indicators["amount"]["mean"].copy()
    same = {
        name: {key: v.copy() for key, v in parameters.items()}
        for name, parameters in draws.indicators.items()
    }
    for parameters in same.values():
        for values in parameters.values():
            values[:, :3, 2] = values[:, :3, 1]
    share = draws.share.copy()
    share[:, :3] = [0.2, 0.79, 0.01]
    aligned = align(statistics, Values(share, same), TRUE)
    assert aligned.not_permutations == pytest.approx(0.3)
    assert merged.shape == (1, 10, 3)


def test_labels_stay_where_they_carry_meaning(statistics):
    draws = jittered(1, 5)
    aligned = align(statistics, draws, TRUE, relabel=False)
    np.testing.assert_array_equal(aligned.values.share, draws.share)


def test_chains_that_are_not_compared_have_no_memberships(statistics):
    draws = jittered(2, 7)
    alone = align(statistics, draws, TRUE, by_chain=False)
    assert alone.chain_memberships is None
    np.testing.assert_array_equal(alone.order, align(statistics, draws, TRUE).order)


def test_parts_of_the_draws_give_the_same(statistics, monkeypatch):
    from softseg.inference import relabel

    draws = jittered(1, 11)
    whole = align(statistics, draws, TRUE)
    monkeypatch.setattr(relabel, "MOST_NUMBERS", 1)
    parts = align(statistics, draws, TRUE)
    np.testing.assert_allclose(whole.chain_memberships, parts.chain_memberships, atol=1e-13)
    np.testing.assert_array_equal(whole.order, parts.order)


def test_many_patterns_are_sampled(statistics, monkeypatch):
    from softseg.inference import relabel

    monkeypatch.setattr(relabel, "MOST_PATTERNS", 50)
    aligned = align(statistics, jittered(1, 5), TRUE)
    assert aligned.chain_memberships.shape[1] == 50
    assert aligned.mean_sizes.sum() == pytest.approx(statistics.n_customers)
