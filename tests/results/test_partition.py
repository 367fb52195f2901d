"""The partition that is best on average, against brute force and known truth."""

import numpy as np
import pytest

from results.worlds import World, world
from softseg.models.mixture import Values
from softseg.results import partition as module
from softseg.results.indices import adjusted_rand_index, cross_table, variation_of_information
from softseg.results.partition import BALL, best_partition


def rng() -> np.random.Generator:
    return np.random.default_rng(21)


@pytest.fixture(scope="module")
def clear() -> World:
    return world({"x": "gaussian", "orders": "poisson"}, n=120, missing=0.0)


@pytest.fixture(scope="module")
def vague() -> World:
    return world({"online": "bernoulli", "industry": "categorical"}, n=60, missing=0.0)


def partitions(n: int):
    def grow(labels: list[int], used: int):
        if len(labels) == n:
            yield np.array(labels)
            return
        for group in range(used + 1):
            yield from grow([*labels, group], max(used, group + 1))

    yield from grow([], 0)


def test_no_other_partition_of_the_patterns_is_better(vague):
    """Six patterns, 203 partitions, tried one by one."""
    s = vague.statistics
    assert s.n_patterns == 6
    found = best_partition(s, vague.values, rng())
    draws = module._drawn(s, vague.values, rng())
    distances = {}
    for label in partitions(s.n_patterns):
        tables = module._tables(label, draws)
        distances[tuple(label)] = float(variation_of_information(tables).mean())
    assert found.expected_vi == pytest.approx(min(distances.values()), abs=1e-12)


def test_customers_alike_stay_together_also_when_they_need_not(vague):
    """Seven customers on their own, 877 partitions: none is better than that of the patterns."""
    rows = np.array([0, 0, 1, 1, 2, 3, 3])
    single = vague.statistics.take(rows)
    single.count[:] = 1.0
    draws = module._drawn(single, vague.values, rng())
    best = min(
        partitions(7), key=lambda c: variation_of_information(module._tables(c, draws)).mean()
    )
    found = module._searched(draws, single.count)
    first, second = (
        variation_of_information(module._tables(c, draws)).mean() for c in (best, found)
    )
    assert second == pytest.approx(first, abs=1e-12)


def test_separated_segments_are_found_whatever_the_labels(clear):
    values = clear.values
    top = clear.tree["membership"]["top"].values
    orders = np.argsort(rng().random(values.share.shape), axis=1)
    for draws in (values, values.permuted(orders)):
        found = best_partition(clear.statistics, draws, rng())
        label = found.label[clear.statistics.pattern_of_row]
        assert float(adjusted_rand_index(cross_table(label - 1, top - 1))) > 0.95
        assert (np.diff(found.sizes) <= 0).all()
        assert found.sizes.sum() == pytest.approx(clear.statistics.n_customers)


def test_segments_without_share_count_for_nothing(clear):
    values = clear.values
    grown = values.map(lambda array: np.concatenate([array, array[:, :1]], axis=1))
    share = np.concatenate([values.share, np.zeros((len(values.share), 1))], axis=1)
    padded = Values(share, grown.indicators)
    found = best_partition(clear.statistics, padded, rng())
    assert found.n_groups.max() == 3
    plain = best_partition(clear.statistics, values, rng())
    np.testing.assert_array_equal(found.label, plain.label)


def test_the_ball_holds_its_share_of_the_draws_and_its_bounds_lie_in_it(vague):
    found = best_partition(vague.statistics, vague.values, rng())
    draws = module._drawn(vague.statistics, vague.values, rng())
    tables = module._tables(found.label - 1, draws)
    distance = variation_of_information(tables)
    assert (distance <= found.radius).mean() >= BALL
    for bound in (found.farthest, found.coarsest, found.finest):
        assert bound.vi <= found.radius
        assert float(variation_of_information(bound.cross)) == pytest.approx(bound.vi)
        assert bound.cross.shape[1] == bound.n_groups
        np.testing.assert_allclose(bound.cross.sum(axis=1), found.sizes)
    assert found.coarsest.n_groups <= found.farthest.n_groups <= found.finest.n_groups
    assert found.farthest.vi >= max(found.coarsest.vi, found.finest.vi)


def test_large_tables_are_searched_on_a_sample(clear, monkeypatch):
    whole = best_partition(clear.statistics, clear.values, rng())
    monkeypatch.setattr(module, "MOST_PATTERNS", 40)
    part = best_partition(clear.statistics, clear.values, rng())
    cross = cross_table(whole.label - 1, part.label - 1, clear.statistics.count)
    assert float(adjusted_rand_index(cross)) > 0.9
    assert part.sizes.sum() == pytest.approx(clear.statistics.n_customers)


def test_weights_that_are_no_whole_numbers_are_taken_as_expected_customers(vague):
    weighted = vague.statistics.take(np.arange(6))
    weighted.count[:] *= 0.5
    found = best_partition(weighted, vague.values, rng())
    assert found.sizes.sum() == pytest.approx(0.5 * vague.statistics.n_customers)


def test_one_segment_is_one_group_at_no_distance(clear):
    one = clear.values.map(lambda array: array[:, :1])
    found = best_partition(clear.statistics, Values(np.ones_like(one.share), one.indicators), rng())
    assert found.label.max() == 1
    assert found.expected_vi == found.radius == 0.0
