from fractions import Fraction

import numpy as np
import pytest
import xarray as xr

from roi_builders import assumptions, company
from segment_builders import PRICE, VISITS, VOLUME, programme, simulation, value_of, value_table
from softseg.decisions.segments.expand import base_rows
from softseg.decisions.segments.worth import simulate
from softseg.errors import UsageError

GROWTH = {
    "setup": {"role": "one_off_cost", "unit": "EUR", "low": 1.0, "high": 2.0},
    "serve": {"role": "running_cost", "unit": "%", "base": ("incremental_revenue",), "value": 3.0},
    "stock": {"role": "working_capital", "unit": "%", "base": ("incremental_revenue",),
              "value": 10.0},
    "learning": {"role": "learning", "unit": "%", "low": 2.0, "high": 9.0},
    "tax": {"role": "tax_rate", "unit": "%", "value": 30.0},
    "elasticity": {"role": "price_elasticity", "unit": "factor", "value": 0.7},
    "for_all": {"role": "revenue_effect", "effect": "mix", "unit": "pp", "base": ("revenue",),
                "programme": "uniform", "value": 0.1},
}  # fmt: skip
UNIFORM = {"counterfactual": "uniform"}


def table_of(memberships: np.ndarray, amount: np.ndarray) -> xr.Dataset:
    top = memberships.mean(axis=0).argmax(axis=1) + 1
    return value_of(memberships, amount, {"programme": top}, np.random.default_rng(3))


def test_the_article_with_one_segment_gives_415_over_13():
    """Base case of the source article: 10.7 million of benefit on 325,000 of cost in five years."""
    inputs = {
        "no_effect": {"role": "no_effect", "unit": "share", "value": 0.0},
        "realisation": {"role": "realisation", "unit": "share", "value": 1.0},
        "contribution_margin": {"role": "contribution_margin", "unit": "%", "value": 35.0},
        "project": {"role": "one_off_cost", "unit": "EUR", "value": 120e3},
        "first": {"role": "running_cost", "unit": "EUR/year", "value": 25e3,
                  "profile": {"last": 1}},
        "later": {"role": "running_cost", "unit": "EUR/year", "value": 45e3,
                  "profile": {"start": 2}},
        "savings": {"role": "saving", "unit": "EUR/year", "value": 150e3},
        "learned": {"role": "saving", "unit": "EUR/year", "value": 300e3,
                    "profile": {"start": 2}},
    }  # fmt: skip
    margin = {"role": "revenue_effect", "effect": "margin", "unit": "pp", "value": 1.5}
    plan = programme({"all": {"growth": VOLUME | {"value": 2.0}, "margin": margin}})
    rng = np.random.default_rng(8)
    amount = rng.multinomial(50_000_000, np.full(40, 1 / 40)).astype(float)
    table = value_of(np.ones((30, 40, 1)), amount, {"programme": np.ones(40, dtype=int)}, rng)
    found = simulate(
        assumptions(inputs), plan, table, ("all",), n_replicates=2, n_draws=64
    ).whole.outcome("as_published")
    np.testing.assert_allclose(found.roi, float(Fraction(415, 13)), rtol=1e-12)


@pytest.mark.parametrize("reach", ["assigned", "members"])
@pytest.mark.parametrize("accounting", ["as_published", "contribution_margin"])
def test_the_whole_is_the_sum_of_its_parts(reach, accounting):
    sim = simulation(plan=programme(reach=reach), inputs=GROWTH, settings=UNIFORM)
    parts = [sim.part(k).outcome(accounting, programme="segmented") for k in (None, 1, 2)]
    whole = sim.whole.outcome(accounting, programme="segmented")
    for name in ("npv", "cost", "revenue", "profit", "net"):
        total = sum(getattr(part, name) for part in parts)
        np.testing.assert_allclose(getattr(whole, name), total, rtol=1e-10, atol=1e-9)
    assert np.ptp(whole.npv) > 0


def test_net_present_value_is_affine_in_the_bases():
    sim = simulation(inputs=GROWTH, settings=UNIFORM)
    rows = base_rows(sim.expanded, sim.value, sim.programme)
    zero = {id: np.zeros_like(row) for id, row in rows.items()}
    double = {id: 2.0 * row for id, row in rows.items()}
    at = [sim.with_bases(r).whole.outcome().npv for r in (zero, rows, double)]
    np.testing.assert_allclose(at[2] - at[1], at[1] - at[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(at[1], sim.whole.outcome().npv)


def test_draws_of_the_model_stay_together():
    sim = simulation()
    rows = base_rows(sim.expanded, sim.value, sim.programme)
    sample = sim.whole.draws.sample
    assert sample is not None
    for id in ("s1_value", "s2_value"):
        np.testing.assert_array_equal(sim.whole.draws.values[id], rows[id][sample])
    few = sim.whole.first(128)
    np.testing.assert_array_equal(few.draws.sample, sample[:, :128])


def test_permuting_segments_changes_no_money():
    value = value_table()
    levers = {"A": {"price": PRICE | {"value": 1.0}, "visits": VISITS | {"value": 0.01}},
              "B": {"more": VOLUME | {"value": 2.0}}}  # fmt: skip
    swapped = value.isel(segment=[1, 0], assigned=[1, 0]).assign_coords(
        segment=[1, 2], assigned=[1, 2]
    )
    known = assumptions(company())
    options = {"n_replicates": 2, "n_draws": 256}
    first = simulate(known, programme(levers), value, ("A", "B"), **options)
    second = simulate(known, programme(levers), swapped, ("B", "A"), **options)
    np.testing.assert_allclose(first.whole.outcome().npv, second.whole.outcome().npv, rtol=1e-12)


def test_no_effect_and_no_cost_are_exactly_nothing():
    plan = programme({"A": {"price": PRICE | {"value": 0.0}}, "B": {}})
    sim = simulation(plan=plan, inputs={})
    assert not sim.whole.outcome().npv.any()


def test_means_only_must_be_asked_for_and_say_so():
    draws, means = simulation(), simulation(plug_in=True)
    assert not draws.plug_in
    assert means.plug_in
    assert means.whole.draws.sample is None
    assert np.ptp(means.whole.draws.values["s1_value"]) == 0.0
    with pytest.raises(UsageError, match="these have its means only"):
        means.with_bases({})


@pytest.mark.parametrize("keep", [False, True])
def test_means_in_the_place_of_draws_are_refused_unless_named(keep):
    value = value_table()
    means = value.mean("sample", keep_attrs=True)
    if keep:
        means = means.expand_dims("sample", axis=1)
    known, names = assumptions(company()), ("A", "B")
    with pytest.raises(UsageError, match=r"must be asked for by name, with plug_in=True"):
        simulate(known, programme(), means, names, n_replicates=2, n_draws=64)
    named = simulate(known, programme(), means, names, n_replicates=2, n_draws=64, plug_in=True)
    draws = simulate(known, programme(), value, names, n_replicates=2, n_draws=64, plug_in=True)
    assert named.plug_in
    np.testing.assert_allclose(named.whole.outcome().npv, draws.whole.outcome().npv, rtol=1e-9)


def test_means_of_the_bases_are_refused():
    sim = simulation()
    rows = base_rows(sim.expanded, sim.value, sim.programme)
    means = {id: row.mean(keepdims=True) for id, row in rows.items()}
    with pytest.raises(UsageError, match="Give 400 draws of every base, got"):
        sim.with_bases(means)


def test_a_part_may_copy_what_another_part_holds():
    levers = {"A": {"price": PRICE | {"low": 1.0, "high": 2.0}},
              "B": {"price": PRICE | {"same_as": "s1_price"}}}  # fmt: skip
    both = {"accepted_overlaps": (("s1_price", "s2_price"),)}
    sim = simulation(plan=programme(levers), settings=both)
    draws = sim.whole.draws.values
    np.testing.assert_array_equal(draws["s1_price"], draws["s2_price"])
    part = sim.part(2).pinned({"s2_price": 0.0})
    assert not part.outcome(programme="segmented").npv.any()


def test_an_unknown_part_is_refused():
    with pytest.raises(UsageError, match=r"Name a segment out of \[1, 2\], got 3"):
        simulation().part(3)


def test_certain_memberships_leave_the_judgement_alone():
    """With every membership 0 or 1 the draws of the bases are constants."""
    sure = np.zeros((50, 10, 2))
    sure[:, :6, 0] = 1.0
    sure[:, 6:, 1] = 1.0
    sim = simulation(table_of(sure, np.arange(1.0, 11.0)))
    means = simulation(table_of(sure, np.arange(1.0, 11.0)), plug_in=True)
    np.testing.assert_allclose(sim.whole.outcome().npv, means.whole.outcome().npv, rtol=1e-12)
