"""What the effects of the segments add up to for the company."""

from typing import Any

import numpy as np
import pytest

from segment_builders import PRICE, VOLUME, programme, simulation, value_of
from softseg.decisions.segments.implied import implied_uplift
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError

SIZES = np.array([30.0, 20.0, 50.0])


def known(plan: Any, inputs: dict[str, Any] | None = None, **settings: Any) -> SegmentSimulation:
    """Return a company of 100 in which segment A holds 30 and B holds 70, for certain."""
    members = np.tile(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), (8, 1, 1))
    rules = {"programme": np.array([1, 2, 2])}
    table = value_of(members, SIZES, rules, np.random.default_rng(1))
    return simulation(table, plan, inputs or {}, settings, n_replicates=4, n_draws=64)


def price(value: float, **more: Any) -> dict[str, Any]:
    return PRICE | {"value": value} | more


def test_by_hand():
    plan = programme(
        {"A": {"price": price(4.0), "volume": VOLUME | {"value": 5.0}},
         "B": {"volume": VOLUME | {"value": 1.0}}},
        stated_uplift=0.03,
    )  # fmt: skip
    found = implied_uplift(known(plan)).sel(adjusted=False)
    # 30 × (1.04 × 1.05 − 1) + 70 × 0.01
    np.testing.assert_allclose(found.segment_uplift, [0.3 * 0.092, 0.7 * 0.01])
    np.testing.assert_allclose(found.uplift, 0.0346)
    assert float(found.mean_uplift) == pytest.approx(0.0346)
    assert float(found.p_at_most_stated) == 0.0
    assert float(found.stated_uplift) == 0.03
    np.testing.assert_array_equal(found.segment_name, ["A", "B"])
    other = implied_uplift(known(plan), ledger_total=200.0)
    np.testing.assert_allclose(other.uplift, 0.0173)
    np.testing.assert_array_equal(other.p_at_most_stated, 1.0)


def test_full_effect_knows_no_timing():
    slow = {"profile": {"start": 3, "ramp": (0.1, 0.2), "half_life": 2.0}}
    inputs = {
        "learning": {"role": "learning", "unit": "%", "value": 20.0},
        "growth": {"role": "baseline_growth", "unit": "%", "value": 10.0},
        "delay": {"role": "delay", "unit": "years", "value": 1.0},
    }
    plan = programme({"A": {"price": price(4.0, **slow)}, "B": {"price": price(1.0)}})
    found = implied_uplift(known(plan, inputs, ramp=(0.0, 0.5, 1.0)))
    np.testing.assert_allclose(found.uplift, 0.3 * 0.04 + 0.7 * 0.01)


def test_higher_prices_lose_volume():
    inputs = {"elasticity": {"role": "price_elasticity", "unit": "factor", "value": 2.0}}
    found = implied_uplift(known(programme({"A": {"price": price(10.0)}}), inputs))
    np.testing.assert_allclose(found.uplift, 0.3 * (1.1 * 0.8 - 1.0))
    assert (found.uplift < 0.0).all()


def test_success_is_in_one_of_both():
    inputs = {
        "no_effect": {"role": "no_effect", "unit": "share", "value": 0.25},
        "realisation": {"role": "realisation", "unit": "share", "value": 0.5},
    }
    plan = programme({"A": {"price": price(10.0)}}, stated_uplift=0.01)
    found = implied_uplift(known(plan, inputs))
    np.testing.assert_allclose(found.mean_uplift, [0.03, 0.75 * 0.015], rtol=1e-12)
    # it fails in a quarter of the draws, and only then is it below what is stated
    np.testing.assert_allclose(found.p_at_most_stated, [0.0, 0.25])


def test_effects_of_no_segment_are_left_out_and_nothing_is_nothing():
    inputs = {
        "plain": {"role": "revenue_effect", "effect": "price", "unit": "%", "base": ("revenue",),
                  "value": 5.0},
    }  # fmt: skip
    found = implied_uplift(known(programme({"A": {"volume": VOLUME | {"value": 0.0}}}), inputs))
    np.testing.assert_array_equal(found.uplift, 0.0)
    empty = implied_uplift(known(programme({})))
    np.testing.assert_array_equal(empty.uplift, 0.0)
    assert empty.sizes["segment"] == 0


def test_nobody_states_anything():
    found = implied_uplift(known(programme({"A": {"price": price(1.0)}})))
    assert found.stated_uplift.isnull()
    assert found.p_at_most_stated.isnull().all()


def test_what_is_not_known_about_the_segments_is_in_the_band():
    found = implied_uplift(simulation(plan=programme({"A": {"price": price(10.0)}})))
    assert (np.diff(found.uplift) > 0.0).all()
    plain = implied_uplift(simulation(plan=programme({"A": {"price": price(10.0)}}), plug_in=True))
    np.testing.assert_allclose(np.diff(plain.uplift), 0.0, atol=1e-12)


def test_a_company_without_revenue_is_refused():
    with pytest.raises(UsageError, match="Give a revenue of the company above 0, got 0"):
        implied_uplift(simulation(), ledger_total=0.0)
