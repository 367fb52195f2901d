"""With which customers to begin, by hand."""

from typing import Any

import numpy as np
import pytest

from segment_builders import VISITS, VOLUME, programme, simulation
from softseg.decisions.segments.customers import first_customers
from softseg.errors import UsageError

LEVERS: dict[str, dict[str, dict[str, Any]]] = {
    "A": {"more": VOLUME | {"value": 10.0}, "visits": VISITS | {"value": 1.0}},
    "B": {"more": VOLUME | {"value": 5.0}},
}
"""Over five years at a margin of 40 %: A brings 0.2 v r − 5, B brings 0.1 v r."""
MEMBERSHIP = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.8, 0.2], [0.2, 0.8], [0.7, 0.3]])
AMOUNT = np.array([100.0, 40.0, 50.0, np.nan, 50.0, 1000.0])
ASSIGNED = np.array([1, 1, 2, 1, 2, 0])


def test_expected_net_value_by_hand_best_first_and_equals_in_the_order_of_the_table():
    found = first_customers(simulation(plan=programme(LEVERS)), MEMBERSHIP, AMOUNT, ASSIGNED)
    # the second does not pay (0.2 · 40 · 0.5 − 5), the fourth is unknown, the sixth not treated
    assert found["row"].to_numpy().tolist() == [1, 3, 5]
    np.testing.assert_allclose(found["net"], [0.2 * 100 * 0.9 - 5, 0.1 * 50 * 0.8, 4.0])
    np.testing.assert_allclose(found["cumulative"], [13.0, 17.0, 21.0])
    np.testing.assert_allclose(found["p_positive"], [0.9, 0.8, 0.8])
    np.testing.assert_allclose(found["net_error"], 0.0, atol=1e-12)
    assert float(found["all_net"]) == pytest.approx(21.0)
    assert float(found["all_customers"]) == 3.0


def test_off_target_counts_what_shows_in_the_others():
    plan = programme(LEVERS, off_target=0.5)
    found = first_customers(simulation(plan=plan), MEMBERSHIP, AMOUNT, ASSIGNED, n=1)
    np.testing.assert_allclose(found["net"], [0.2 * 100 * (0.9 + 0.5 * 0.1) - 5])
    # half the effect still pays for this customer, whatever the segment
    np.testing.assert_allclose(found["p_positive"], [1.0])
    assert float(found["all_customers"]) == 4.0


def test_who_finds_its_members_pays_for_them_only():
    plan = programme(LEVERS, reach="members")
    found = first_customers(simulation(plan=plan), MEMBERSHIP, AMOUNT, ASSIGNED, n=1)
    np.testing.assert_allclose(found["net"], [0.9 * (0.2 * 100 - 5)])
    np.testing.assert_allclose(found["p_positive"], [0.9])


def test_rows_that_stand_for_several_customers_and_have_numbers_of_their_own():
    study = simulation(plan=programme(LEVERS))
    count = np.array([1.0, 1, 3, 1, 1, 1])
    rows = np.arange(10, 16)
    found = first_customers(study, MEMBERSHIP, AMOUNT, ASSIGNED, count, rows=rows)
    assert found["row"].to_numpy().tolist() == [10, 12, 14]
    np.testing.assert_allclose(found["net"], [13.0, 4.0, 4.0])
    np.testing.assert_allclose(found["cumulative"], [13.0, 25.0, 29.0])


def test_bounds_of_the_membership_bound_the_value():
    study = simulation(plan=programme(LEVERS))
    lower, upper = np.clip(MEMBERSHIP - 0.1, 0, 1), np.clip(MEMBERSHIP + 0.1, 0, 1)
    found = first_customers(study, MEMBERSHIP, AMOUNT, ASSIGNED, lower=lower, upper=upper)
    np.testing.assert_allclose(found["net_lower"], [0.2 * 100 * 0.8 - 5, 3.5, 3.5])
    np.testing.assert_allclose(found["net_upper"], [0.2 * 100 * 1.0 - 5, 4.5, 4.5])


def test_uncertain_effects_have_an_error_and_a_probability():
    levers = {"A": {"more": VOLUME | {"low": -5.0, "high": 20.0}}}
    study = simulation(plan=programme(levers))
    found = first_customers(study, MEMBERSHIP, AMOUNT, ASSIGNED, n=1)
    effect = study.whole.draws.values["s1_more"]
    np.testing.assert_allclose(found["net"], 5 * 0.4 * effect.mean() * 100 * 0.9)
    np.testing.assert_allclose(found["p_positive"], 0.9 * (effect > 0).mean())
    error = 5 * 0.4 * 90 * effect.mean(axis=1).std(ddof=1) / 2.0
    np.testing.assert_allclose(found["net_error"], error)


def test_one_replicate_tells_no_error():
    study = simulation(plan=programme(LEVERS), n_replicates=1)
    found = first_customers(study, MEMBERSHIP, AMOUNT, ASSIGNED)
    assert np.isnan(found["net_error"]).all()


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="Give one membership, amount and assigned segment per"):
        first_customers(simulation(), MEMBERSHIP, AMOUNT[:3], ASSIGNED)
