"""Which segments to treat, against the draws themselves and cases by hand."""

import numpy as np
import pytest

from segment_builders import VISITS, VOLUME, programme, simulation, value_table
from softseg.decisions.segments.choices import choices, ranks
from softseg.errors import UsageError


@pytest.fixture(scope="module")
def study():
    levers = {
        "A": {"more": VOLUME | {"low": 1.0, "high": 5.0}},
        "B": {"more": VOLUME | {"low": -1.0, "high": 6.0}},
        "C": {"more": VOLUME | {"low": 0.0, "high": 1.0}, "visits": VISITS | {"value": 0.05}},
    }
    return simulation(value_table(n_segments=3), programme(levers))


def test_segments_that_pay_are_treated_and_the_rest_is_not(study):
    found = choices(study)
    parts = {k: study.part(k).outcome(programme="segmented").npv for k in (1, 2, 3, None)}
    np.testing.assert_allclose(found["mean_npv"], [parts[k].mean() for k in (1, 2, 3)])
    assert found["treat"].to_numpy().tolist() == [True, True, False]
    best = parts[None] + parts[1] + parts[2]
    np.testing.assert_allclose(found["best_mean_npv"], best.mean())
    np.testing.assert_allclose(found["best_p_npv_positive"], (best > 0).mean())
    whole = study.whole.outcome(programme="segmented").npv
    np.testing.assert_allclose(found["whole_mean_npv"], whole.mean())
    assert found["best_mean_npv"] > found["whole_mean_npv"]
    assert bool(found["pays"]) == (best.mean() > 0)
    right = (parts[1] > 0) & (parts[2] > 0) & (parts[3] <= 0)
    np.testing.assert_allclose(found["p_best_set"], right.mean())


def test_each_draw_has_one_order_of_the_segments(study):
    found = choices(study)
    np.testing.assert_allclose(found["p_rank"].sum("segment"), 1.0)
    np.testing.assert_allclose(found["p_rank"].sum("rank_number"), 1.0)
    expected = (found["p_rank"] * found["rank_number"]).sum("rank_number")
    np.testing.assert_allclose(found["mean_rank"], expected)
    assert (np.diff(found["rank"].to_numpy(), axis=1) >= 0).all()
    assert set(np.unique(found["rank"])) <= {1.0, 2.0, 3.0}


def test_equals_share_the_better_rank():
    npv = np.array([[3.0, 5.0, 3.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 2.0]])
    assert ranks(npv).tolist() == [[2, 1, 2], [1, 1, 1], [3, 2, 1]]


def test_shared_costs_above_what_the_segments_bring_say_that_nothing_pays():
    setup = {"setup": {"role": "one_off_cost", "unit": "EUR", "value": 1000.0}}
    found = choices(simulation(inputs=setup))
    assert found["treat"].any()
    assert not found["pays"]
    np.testing.assert_allclose(found["shared_mean_npv"], -1000.0)


def test_against_the_uniform_programme_it_pays_what_it_brings_more():
    offer = {"role": "revenue_effect", "effect": "volume", "unit": "%", "value": 1.0,
             "base": "revenue", "programme": "uniform"}  # fmt: skip
    against = simulation(inputs={"offer": offer}, settings={"counterfactual": "uniform"})
    alone = choices(simulation(inputs={}))
    found = choices(against)
    np.testing.assert_allclose(found["mean_npv"], alone["mean_npv"])
    np.testing.assert_allclose(found["shared_mean_npv"], -5 * 0.01 * 0.4 * 100.0)
    np.testing.assert_allclose(found["whole_mean_npv"], against.whole.outcome().npv.mean())


def test_a_programme_without_segments_leaves_no_choice():
    with pytest.raises(UsageError, match="Give the programme at least one segment to choose"):
        choices(simulation(plan=programme({})))
