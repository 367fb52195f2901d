"""What each segment brings, what belongs to none, and the whole."""

import numpy as np
import pytest

from segment_builders import PRICE, VOLUME, programme, simulation, value_of
from softseg.decisions.answers.headline import headline
from softseg.decisions.answers.yearly import yearly
from softseg.decisions.segments.by_segment import by_segment
from softseg.decisions.segments.worth import SegmentSimulation

KINDS = ("profit_mean", "revenue_mean", "mean_npv")
RICH = {
    "setup": {"role": "one_off_cost", "unit": "EUR", "low": 1.0, "high": 2.0},
    "tax": {"role": "tax_rate", "unit": "%", "value": 30.0},
    "rate": {"role": "discount_rate", "unit": "%", "value": 8.0},
    "serve": {"role": "running_cost", "unit": "%", "base": ("incremental_revenue",), "value": 3.0},
    "no_effect": {"role": "no_effect", "unit": "share", "value": 0.1},
}


def known(levers: dict, inputs: dict | None = None, **settings) -> SegmentSimulation:
    """Return a company of 100 in which segment A holds 30 and B holds 70, for certain."""
    members = np.tile(np.array([[1.0, 0.0], [0.0, 1.0]]), (8, 1, 1))
    amount, rules = np.array([30.0, 70.0]), {"programme": np.array([1, 2])}
    table = value_of(members, amount, rules, np.random.default_rng(1))
    plan = programme(levers)
    return simulation(table, plan, inputs or {}, settings, n_replicates=4, n_draws=64)


def test_by_hand():
    fee = {"role": "one_off_cost", "unit": "EUR", "value": 1.2}
    sim = known(
        {"A": {"price": PRICE | {"value": 2.0}, "fee": fee},
         "B": {"volume": VOLUME | {"value": 1.0}}},
        {"setup": {"role": "one_off_cost", "unit": "EUR", "value": 0.5}}, horizon=3,
    )  # fmt: skip
    found = by_segment(sim)
    middle = found.sel(quantile=0.5)
    # price brings 30 × 2 % = 0.6 a year; volume 70 × 1 % = 0.7 of revenue, at a margin of 40 %
    np.testing.assert_allclose(middle.revenue, [[0.6] * 3, [0.7] * 3])
    np.testing.assert_allclose(middle.profit, [[-0.6, 0.6, 0.6], [0.28] * 3], atol=1e-12)
    np.testing.assert_allclose(middle.npv, [0.6, 0.84])
    np.testing.assert_allclose(middle.roi, [0.5, np.nan])
    np.testing.assert_allclose(found.expected_roi, [0.5, np.nan])
    np.testing.assert_allclose(middle.payback, [2.0, 0.0])
    np.testing.assert_allclose(middle.multiplier, [1.2 / 1.8, 0.0])
    np.testing.assert_array_equal(found.p_at_centre, 1.0)
    assert float(middle.shared_npv) == pytest.approx(-0.5)
    assert float(middle.shared_roi) == -1.0
    assert np.isinf(float(middle.shared_payback))
    assert np.isnan(float(middle.shared_multiplier))
    assert np.isnan(float(found.shared_p_at_centre))
    assert float(middle.whole_npv) == pytest.approx(0.94)
    assert float(middle.whole_roi) == pytest.approx(0.94 / 1.7)
    assert float(middle.whole_multiplier) == pytest.approx(1.7 / 2.64)
    np.testing.assert_array_equal(found.segment_name, ["A", "B"])
    assert found.year.values.tolist() == [1, 2, 3]


def test_the_parts_add_up_to_the_whole():
    found = by_segment(simulation(inputs=RICH))
    for name in KINDS:
        parts = found[name].sum("segment") + found[f"shared_{name}"]
        np.testing.assert_allclose(parts, found[f"whole_{name}"], rtol=1e-10)


def test_the_whole_is_what_the_other_answers_say():
    plain = {"role": "revenue_effect", "effect": "volume", "unit": "%", "base": ("revenue",),
             "programme": "uniform", "low": 0.1, "high": 0.2}  # fmt: skip
    plan = programme({"A": {"price": PRICE | {"low": 1.0, "high": 2.0}}})
    sim = simulation(
        plan=plan, inputs=RICH | {"plain": plain}, settings={"counterfactual": "uniform"}
    )
    for accounting, adjusted in (("contribution_margin", True), ("as_published", False)):
        found = by_segment(sim, accounting, adjusted)
        where = {"accounting": accounting, "adjusted": adjusted}
        whole, years = headline(sim.whole).sel(where), yearly(sim.whole).sel(where)
        for name in ("npv", "roi", "payback", "mean_npv", "expected_roi", "p_no_payback"):
            for suffix in ("", "_error"):
                np.testing.assert_array_equal(
                    found[f"whole_{name}{suffix}"], whole[f"{name}{suffix}"]
                )
        np.testing.assert_array_equal(found.whole_profit, years.profit)
        np.testing.assert_array_equal(found.whole_revenue_mean, years.revenue_mean)
        parts = found.mean_npv.sum() + found.shared_mean_npv
        assert float(parts) == pytest.approx(float(found.whole_mean_npv))
        assert found.attrs == {"accounting": accounting, "adjusted": int(adjusted)}


def test_profit_is_before_tax():
    levers = {"A": {"price": PRICE | {"value": 10.0}}}
    found = by_segment(known(levers, {"tax": RICH["tax"]}, horizon=1))
    np.testing.assert_allclose(found.profit, 3.0)
    np.testing.assert_allclose(found.npv, 2.1)


def test_bands_carry_what_is_not_known_about_the_segments():
    plan = programme({"A": {"price": PRICE | {"value": 2.0}}})
    found = by_segment(simulation(plan=plan, inputs={}))
    assert (np.diff(found.npv) > 0.0).all()
    assert (found.npv_error > 0.0).all()
    assert (found.profit_error > 0.0).all()
    plain = by_segment(simulation(plan=plan, inputs={}, plug_in=True))
    np.testing.assert_allclose(np.diff(plain.npv), 0.0, atol=1e-12)


def test_a_programme_for_nobody():
    sim = known({}, {"setup": RICH["setup"]})
    found = by_segment(sim)
    assert "npv" not in found
    np.testing.assert_array_equal(found.shared_npv, found.whole_npv)
