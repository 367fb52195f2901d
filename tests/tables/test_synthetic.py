"""The example has the figures it claims, and its truth stays out of the frame."""

import numpy as np
import pandas as pd
import pytest

from softseg.errors import UsageError
from softseg.families.namespace import NUMPY
from softseg.likelihood.statistics import reduce
from softseg.tables.dependence import missing_related
from softseg.tables.prepare import prepare
from softseg.tables.synthetic import (
    SEGMENTS,
    SHARE,
    example_frame,
    example_schema,
    metalworking_supplier,
    true_parameters,
)


def held_by_top(contribution: np.ndarray, share: float = 0.15) -> float:
    """Return the share of the contribution that the best customers hold."""
    ordered = np.sort(contribution)[::-1]
    return ordered[: round(share * len(ordered))].sum() / ordered.sum()


def test_fifteen_per_cent_hold_seventy_two() -> None:
    assert 0.70 <= held_by_top(example_frame()["contribution"].to_numpy()) <= 0.74
    held = [
        held_by_top(metalworking_supplier(seed=seed).frame["contribution"].to_numpy())
        for seed in range(20)
    ]
    assert np.mean(held) == pytest.approx(0.72, abs=0.01)
    assert min(held) > 0.66
    assert max(held) < 0.79


def test_value_is_derived_and_some_of_it_is_negative() -> None:
    frame = example_frame()
    revenue = (frame["orders"] * frame["order_value"]).fillna(0.0)
    np.testing.assert_allclose(frame["revenue"], revenue, atol=0.006)
    contribution = (frame["revenue"] * frame["margin_rate"]).fillna(0.0) - frame["service_cost"]
    np.testing.assert_allclose(frame["contribution"], contribution, atol=0.006)
    assert 0.1 < (frame["contribution"] < 0).mean() < 0.2
    assert 40e6 < frame["revenue"].sum() < 60e6


def test_the_truth_stays_out_of_the_frame() -> None:
    frame, truth, parameters = metalworking_supplier()
    assert len(frame) == len(truth) == 1200
    assert set(frame.columns) == set(example_schema().columns)
    assert not frame.isin(SEGMENTS).any().any()
    assert set(truth["segment_name"]) == set(SEGMENTS)
    sizes = truth["segment"].value_counts().sort_index()
    np.testing.assert_allclose(sizes / 1200, SHARE, atol=0.04)
    assert set(parameters) == {"share", *example_schema().indicators}


def test_the_same_seed_gives_the_same_table() -> None:
    pd.testing.assert_frame_equal(example_frame(), metalworking_supplier(seed=2024).frame)
    assert not example_frame().equals(metalworking_supplier(seed=1).frame)


def test_categories_are_named_in_the_language_and_nothing_else_changes() -> None:
    english, german = (prepare(example_frame(x), example_schema(x)) for x in ("en", "de"))
    assert "Handel und Reparatur" in (german.schema.indicators["industry"].levels or ())
    for name, column in english.columns.items():
        np.testing.assert_array_equal(german.columns[name], column)


def test_gaps_are_there_and_those_of_the_potential_follow_value() -> None:
    table = prepare(example_frame(), example_schema())
    found = {relation.indicator: relation for relation in missing_related(table)}
    assert found["potential"].p_value < 1e-6
    assert found["potential"].superiority < 0.4
    assert found["price_sensitivity"].p_value > 0.01


def test_segments_can_be_told_apart_but_not_always() -> None:
    supplier = metalworking_supplier()
    statistics = reduce(prepare(supplier.frame, example_schema()))
    weights = statistics.layout.weights(true_parameters(), NUMPY)
    log_joint = weights.constant + np.log(SHARE) + statistics.dense.T @ weights.dense.T
    for codes in statistics.codes:
        log_joint = log_joint + weights.table[:, codes].T
    membership = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    membership /= membership.sum(axis=1, keepdims=True)
    membership = membership[statistics.pattern_of_row]
    truth = supplier.truth["segment"].to_numpy() - 1
    assert np.mean(membership.argmax(axis=1) == truth) > 0.93
    assert 0.08 < np.mean(membership.max(axis=1) < 0.9) < 0.16
    for segment in range(len(SEGMENTS)):
        expected = membership[:, segment].sum()
        assert expected == pytest.approx((truth == segment).sum(), abs=20)


def test_sizes_and_seeds_that_are_none() -> None:
    assert len(metalworking_supplier(n_customers=1).frame) == 1
    with pytest.raises(UsageError, match="Give n_customers as a whole number of at least 1"):
        metalworking_supplier(n_customers=0)
    with pytest.raises(UsageError, match="Give seed as a whole number"):
        metalworking_supplier(seed=-1)
