from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from results.worlds import World, world
from softseg.comparison import agreement as module
from softseg.comparison.agreement import agreement, band
from softseg.errors import UsageError
from softseg.models.mixture import Values
from softseg.results.indices import (
    adjusted_rand_index,
    binder_pairs,
    cross_table,
    variation_of_information,
)
from softseg.results.membership import membership as members_of

PAPER = np.array([1, 1, 1, 2, 2, 3, 3, 3]) - 1, np.array([1, 1, 2, 2, 2, 3, 3, 1]) - 1
PARTITIONS = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 5), min_size=n, max_size=n)] * 2)
)


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_indices_are_the_published_ones():
    cross = cross_table(*PAPER)
    assert float(variation_of_information(cross)) == pytest.approx(1.377444, abs=5e-7)
    assert float(variation_of_information(cross) * np.log(2)) == pytest.approx(0.954771, abs=5e-7)
    assert float(adjusted_rand_index(cross)) == pytest.approx(0.238095, abs=5e-7)
    assert float(binder_pairs(cross)) == 8.0


@given(PARTITIONS)
@settings(max_examples=80)
def test_rand_index_is_that_of_scikit_learn(pair: tuple[list[int], list[int]]):
    first, second = (np.array(labels) for labels in pair)
    found = adjusted_rand_index(cross_table(first, second))
    assert float(found) == pytest.approx(adjusted_rand_score(first, second), abs=1e-10)


@given(PARTITIONS)
@settings(max_examples=80)
def test_binder_counts_the_pairs(pair: tuple[list[int], list[int]]):
    first, second = (np.array(labels) for labels in pair)
    apart = sum(
        (first[i] == first[j]) != (second[i] == second[j])
        for i, j in combinations(range(len(first)), 2)
    )
    assert float(binder_pairs(cross_table(first, second))) == apart


@given(PARTITIONS)
@settings(max_examples=60)
def test_variation_of_information_is_a_distance(pair: tuple[list[int], list[int]]):
    first, second = (np.array(labels) for labels in pair)
    distance = float(variation_of_information(cross_table(first, second)))
    other = float(variation_of_information(cross_table(second, first)))
    assert distance == pytest.approx(other, abs=1e-12)
    assert -1e-12 <= distance <= 2 * np.log2(len(first)) + 1e-9
    assert float(variation_of_information(cross_table(first, first))) == pytest.approx(0, abs=1e-12)


def test_stacks_of_cross_tables_are_taken_one_by_one():
    tables = np.stack([cross_table(*PAPER), 2 * np.eye(3)])
    assert adjusted_rand_index(tables).tolist() == pytest.approx([0.238095, 1.0], abs=1e-6)
    assert variation_of_information(tables).tolist() == pytest.approx([1.377444, 0], abs=1e-6)


def test_counts_stand_for_customers():
    count = np.array([2.0, 1, 1, 3, 1, 1, 2, 1])
    weighted = cross_table(*PAPER, count)
    repeated = cross_table(*(np.repeat(x, count.astype(int)) for x in PAPER))
    np.testing.assert_array_equal(weighted, repeated)


def test_agreement_is_that_of_drawn_partitions(mixed: World):
    """In the mean over draws, against sklearn on partitions drawn one by one."""
    membership = mixed.tree["membership"].to_dataset()
    labels = rng().integers(1, 4, 150)
    labels[:100] = membership["top"].values[:100]
    found = agreement(mixed.statistics, mixed.values, membership, labels, rng())
    from results.test_evaluate import kernel_memberships

    members = kernel_memberships(mixed)[mixed.statistics.pattern_of_row]
    edges, lots = members.cumsum(axis=1), np.random.default_rng(1)
    expected = []
    for s in range(50):
        for _ in range(20):
            z = (lots.random((150, 1)) >= edges[:, :2, s]).sum(axis=1)
            expected.append(adjusted_rand_score(z, labels))
    assert found.draws["ari"].shape == (50,)
    error = np.std(expected) / np.sqrt(50)
    assert abs(found.draws["ari"].mean() - np.mean(expected)) < 4 * error


def test_ambiguous_customers_lower_the_agreement_with_an_interval():
    plain = world({"amount": "gaussian"}, n=150, missing=0.3)
    far = {"amount": dict(plain.values.indicators["amount"])}
    far["amount"]["mean"] = far["amount"]["mean"] * 100.0
    bands = []
    for values in (Values(plain.values.share, far), plain.values):
        membership = members_of(plain.statistics, values)
        labels = membership["top"].values
        found = agreement(plain.statistics, values, membership, labels, rng())
        bands.append(band(found.draws["vi"]))
        assert bands[-1]["lower"] <= bands[-1]["mean"] <= bands[-1]["upper"]
    assert bands[0]["upper"] < bands[1]["lower"]
    assert bands[1]["upper"] - bands[1]["lower"] > 0.05


def test_blocks_change_nothing(mixed: World, monkeypatch: pytest.MonkeyPatch):
    membership = mixed.tree["membership"].to_dataset()
    labels = membership["top"].values
    whole = agreement(mixed.statistics, mixed.values, membership, labels, rng())
    monkeypatch.setattr("softseg.models.evaluator.BLOCK_CELLS", 2_000)
    cut = agreement(mixed.statistics, mixed.values, membership, labels, rng())
    np.testing.assert_allclose(whole.draws["vi"], cut.draws["vi"], atol=1e-9)


def test_clusters_are_matched_whatever_their_numbers(mixed: World):
    membership = mixed.tree["membership"].to_dataset()
    other = np.array([0, 3, 1, 2])[membership["top"].values]
    found = agreement(mixed.statistics, mixed.values, membership, other, rng())
    assert found.segment_of_cluster.tolist() == [2, 3, 1]
    assert not found.torn.any()
    assert found.cross.sum() == pytest.approx(150)
    np.testing.assert_array_equal(found.forced, membership["verdict"].values != "clear")


def test_customers_in_the_wrong_cluster_are_torn(mixed: World):
    membership = mixed.tree["membership"].to_dataset()
    labels = membership["top"].values.copy()
    labels[:7] = labels[:7] % 3 + 1
    found = agreement(mixed.statistics, mixed.values, membership, labels, rng())
    assert np.flatnonzero(found.torn).tolist() == list(range(7))


def test_torn_pairs_are_pairs_of_a_segment_in_different_clusters():
    plain = world({"amount": "gaussian"}, n=90, missing=0.0)
    far = {"amount": dict(plain.values.indicators["amount"])}
    far["amount"]["mean"] = far["amount"]["mean"] * 100.0
    values = Values(plain.values.share, far)
    labels = rng().integers(1, 4, 90)
    membership = members_of(plain.statistics, values)
    found = agreement(plain.statistics, values, membership, labels, rng())
    top = membership["top"].values
    pairs = [(i, j) for i, j in combinations(range(90), 2) if top[i] == top[j]]
    torn = np.mean([labels[i] != labels[j] for i, j in pairs])
    assert found.draws["torn_pairs"].mean() == pytest.approx(torn, abs=0.02)


def test_large_tables_are_sampled(mixed: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "AGREEMENT_CUSTOMERS", 60)
    membership = mixed.tree["membership"].to_dataset()
    top = membership["top"].values
    found = agreement(mixed.statistics, mixed.values, membership, top, rng())
    assert found.draws["ari"].shape == (50,)
    assert found.torn.shape == (150,)


def test_part_of_the_customers_can_have_labels(mixed: World):
    membership = mixed.tree["membership"].to_dataset()
    rows = np.arange(0, 150, 3)
    top = membership["top"].values[rows]
    found = agreement(mixed.statistics, mixed.values, membership, top, rng(), rows=rows)
    np.testing.assert_array_equal(np.flatnonzero(found.clustered), rows)
    assert not found.torn.any()


def test_a_wrong_number_of_labels_is_refused(mixed: World):
    membership = mixed.tree["membership"].to_dataset()
    with pytest.raises(UsageError, match="Give one label per customer: expected 150, got 3"):
        agreement(mixed.statistics, mixed.values, membership, np.array([1, 1, 2]), rng())
