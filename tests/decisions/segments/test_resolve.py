"""The value of knowing more, where every set of segments is a decision."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from segment_builders import PRICE, VOLUME, programme, simulation, value_of, value_table
from softseg.decisions.model.simulate import RoiModel
from softseg.decisions.segments.expand import base_rows
from softseg.decisions.segments.resolve import block_label, resolve, sentence
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError

Z = 1.6448536269514722
MEAN, TAU, DELTA, COST = 10.0, 3.0, 2.0, 18.0


def normal(mean: float, sd: float) -> dict[str, Any]:
    return {"low": mean - Z * sd, "high": mean + Z * sd, "family": "normal"}


def gaussian(n_samples: int = 4000) -> SegmentSimulation:
    """Return N = p B − 18: p normal (2, 0.5²), B normal (10, 3² + 2²), all of it reached."""
    rng = np.random.default_rng(1)
    given = MEAN + TAU * norm.ppf((rng.permutation(n_samples) + 0.5) / n_samples)
    lots = given + DELTA * rng.standard_normal(n_samples)
    table = value_of(np.ones((n_samples, 1, 1)), np.ones(1), {"programme": np.ones(1, int)}, rng)
    dims = ("rule", "sample", "assigned", "segment")
    rows = {"value_expected": given, "value_lots": lots}
    table = table.assign({name: (dims, row[None, :, None, None]) for name, row in rows.items()})
    price = PRICE | {"unit": "share"} | normal(2.0, 0.5)
    fee = {"role": "one_off_cost", "unit": "EUR", "value": COST}
    return simulation(
        table, programme({"A": {"price": price, "fee": fee}}), {}, {"horizon": 1},
        n_replicates=8, n_draws=1024,
    )  # fmt: skip


def closed(mean: float, sd: float) -> float:
    """Return the value of knowing a normal net value before choosing between it and nothing."""
    return float(sd * norm.pdf(mean / sd) - abs(mean) * norm.cdf(-abs(mean) / sd))


def test_the_closed_form():
    found = resolve(gaussian())
    assert list(found.block.values) == ["parameters", "membership", "judgement", "s1_price"]
    sd = {"parameters": 2.0 * TAU, "membership": 2.0 * np.hypot(TAU, DELTA),
          "judgement": 0.5 * MEAN, "s1_price": 0.5 * MEAN}  # fmt: skip
    for block, spread in sd.items():
        one = found.sel(block=block)
        away = abs(float(one.evppi) - closed(2.0, spread))
        assert away < 4.0 * float(one.evppi_error)
        assert float(one.evppi_error) < 0.06 * closed(2.0, spread)
    assert float(found.now) == pytest.approx(2.0, abs=4.0 * float(found.now_error))
    assert (found.evppi < found.evpi).all()
    np.testing.assert_allclose(found.share, found.evppi / found.evpi)
    # all is reached already, and no other segment is there
    assert float(found.targeting) == 0.0


def small(**more: Any) -> SegmentSimulation:
    """Return a programme about which little is clear."""
    inputs = {
        "setup": {"role": "one_off_cost", "unit": "EUR", "low": 0.5, "high": 1.0,
                  "label": "Cost of <b>set-up</b>"},
        "no_effect": {"role": "no_effect", "unit": "share", "value": 0.2},
    }  # fmt: skip
    given: dict[str, Any] = {"inputs": inputs} | more
    return simulation(**given)


def test_knowing_more_is_worth_more():
    found = resolve(small())
    worth = found.evppi.to_series()
    assert list(worth.index[3:]) == ["setup", "s1_price", "s2_more", "works"]
    assert 0.0 < worth["parameters"] < worth["membership"] < float(found.evpi)
    assert worth["judgement"] < float(found.evpi)
    slack = 2.0 * found.evppi_error.to_series()
    assert (worth.iloc[3:] < worth["judgement"] + slack.iloc[3:]).all()
    assert (found.evppi >= 0.0).all()
    assert (found.evppi_error >= found.evppi_bias).all()


def test_whether_it_works_by_hand():
    sim = small()
    net = np.stack([sim.part(k).outcome().npv for k in (None, 1, 2)])
    works = sim.whole.draws.works
    if_so = [np.array([row[works == w].mean() for row in net]) for w in (0.0, 1.0)]
    best = [max(0.0, row[0] + np.maximum(row[1:], 0.0).sum()) for row in if_so]
    mean = net.mean(axis=(1, 2))
    p = works.mean()
    by_hand = (1 - p) * best[0] + p * best[1] - max(0.0, mean[0] + np.maximum(mean[1:], 0).sum())
    found = resolve(sim).sel(block="works")
    assert float(found.evppi) == pytest.approx(by_hand, rel=0.05)


def test_targeting_by_hand():
    plan = programme({"A": {"price": PRICE | {"value": 2.0},
                            "fee": {"role": "running_cost", "unit": "EUR/year", "value": 0.01,
                                    "per": "customer"}}})  # fmt: skip
    sim = small(plan=plan, inputs={})
    found = resolve(sim)
    table = sim.value.sel(rule="programme")
    money, heads = table.value_lots.sel(segment=1), table.customers_lots.sel(segment=1)
    assigned = 5 * (0.02 * money.sel(assigned=1) - 0.01 * table.customers_treated.sel(assigned=1))
    members = 5 * (0.02 * money.sum("assigned") - 0.01 * heads.sum("assigned"))
    a, m = (np.maximum(worth.to_numpy(), 0.0) for worth in (assigned, members))
    by_draw = np.maximum(m - a, 0.0)[sim.whole.draws.sample]
    assert float(found.targeting) == pytest.approx(by_draw.mean(), rel=1e-9)
    assert float(found.targeting) > 0.5
    assert float(found.targeting_error) > 0.0


def test_targeting_needs_somebody_wrongly_treated():
    assert float(resolve(small(plan=programme(reach="members"))).targeting) == 0.0
    off_target = resolve(small(plan=programme(off_target=0.5)))
    assert 0.0 <= float(off_target.targeting) < float(resolve(small()).targeting)
    sim = small()
    exact = sim.programme.model_copy(update={"reach": "members"})
    rows = base_rows(sim.expanded, sim.value, exact)
    assert rows["s1_value"].mean() > sim.whole.draws.values["s1_value"].mean()


def test_the_uniform_programme_is_a_decision():
    plain = {"role": "revenue_effect", "effect": "volume", "unit": "%", "base": ("revenue",),
             "programme": "uniform", "value": 60.0}  # fmt: skip
    plan = programme({"A": {"price": PRICE | {"low": 0.5, "high": 2.0}}})
    against = {"counterfactual": "uniform"}
    without = resolve(small(plan=plan))
    beside = resolve(small(plan=plan, inputs={"plain": plain}, settings=against))
    # 60 % more volume on 100 at a margin of 40 % for five years
    assert float(beside.now) == pytest.approx(120.0)
    assert float(without.now) < 20.0
    # nothing about the segments could beat it
    assert float(beside.evpi) == 0.0
    assert beside.share.isnull().all()


def test_an_input_speaks_for_those_that_move_with_it():
    levers = {name: {"volume": VOLUME | {"low": -2.0, "high": 2.2}} for name in "AB"}
    pair = {"correlations": [{"between": ("s1_volume", "s2_volume"), "rank": 0.95}]}
    apart = resolve(small(plan=programme(levers), inputs={}))
    sim = small(plan=programme(levers), inputs={})
    tied = sim.expanded.assumptions.model_validate(
        sim.expanded.assumptions.model_dump() | {"dependence": pair}
    )
    rows = base_rows(sim.expanded, sim.value, sim.programme)
    whole = RoiModel(tied).simulate(4, 512, 1, rows)
    together = resolve(SegmentSimulation(whole, sim.expanded, sim.programme, sim.value))
    one, both = (float(f.evppi.sel(block="s1_volume")) for f in (apart, together))
    assert both > 1.5 * one > 0.0


def test_an_input_that_two_segments_share_speaks_for_both():
    fee = {"role": "running_cost", "unit": "EUR/year", "value": 0.48}
    volume = VOLUME | {"value": 2.0}
    margin = {"role": "contribution_margin", "unit": "share", "low": 0.1, "high": 0.9}
    first = {"m": margin, "volume": volume | {"margin": "m"}, "fee": fee}
    second = {"volume": volume | {"margin": "s1_m"}, "fee": fee}
    sim = small(plan=programme({"A": first, "B": second}), inputs={})
    expected = base_rows(sim.expanded, sim.value, sim.programme, kind="expected")
    means = {id: float(row.mean()) for id, row in expected.items()}
    net = np.stack([sim.part(k).pinned(means).outcome().npv for k in (1, 2)])
    # the margin is all that is left, so that the mean over the others says everything
    by_hand = np.maximum(net, 0.0).sum(axis=0).mean() - np.maximum(net.mean(axis=(1, 2)), 0.0).sum()
    only_first = np.maximum(net[0], 0.0).mean() - max(net[0].mean(), 0.0)
    assert float(resolve(sim).evppi.sel(block="s1_m")) == pytest.approx(by_hand, rel=0.03)
    assert by_hand > 1.5 * only_first > 0.0


def test_the_sentence():
    found = resolve(small())
    amount = float(found.evppi.sel(block="membership") + found.targeting)
    english, german = sentence(found, "en"), sentence(found, "de")
    assert english == (
        "If you could resolve one thing, resolve this: which segment each customer belongs to; "
        f"worth up to €{amount:.3g}."
    )
    assert "zu welchem Segment jeder Kunde gehört; das ist bis zu 0," in german
    assert block_label(found, "setup", "en") == "Cost of <b>set-up</b>"
    assert block_label(found, "s1_price", "de") == "A: price"
    assert block_label(found, "works", "de") == "ob das Programm überhaupt wirkt"


def test_the_sentence_where_nothing_is_worth_knowing():
    sure = programme({"A": {"price": PRICE | {"low": 5.0, "high": 6.0}}}, reach="members")
    found = resolve(small(plan=sure, inputs={}))
    assert float(found.evpi) == 0.0
    assert sentence(found, "en").startswith("No single question")
    assert sentence(found, "de").startswith("Keine einzelne Frage")
    # all judgement at once is no one thing, and noise is no reason
    noisy = found.assign(evppi=found.evppi + 1.0, evppi_error=found.evppi_error + 0.6)
    assert sentence(noisy, "en").startswith("No single question")


def test_nothing_uncertain_about_the_segments():
    table = value_of(
        np.ones((10, 5, 1)), np.ones(5), {"programme": np.ones(5, int)}, np.random.default_rng(1)
    )
    plan = programme({"A": {"volume": VOLUME | {"low": -6.0, "high": 6.0}}})
    found = resolve(small(value=table, plan=plan, inputs={}))
    np.testing.assert_array_equal(found.evppi.sel(block=["parameters", "membership"]), 0.0)
    assert float(found.evppi.sel(block="judgement")) > 0.0


def test_more_segments_and_the_same_seed():
    sim = small(value=value_table(n_segments=3))
    assert resolve(sim, seed=3).identical(resolve(sim, seed=3))


def test_means_only_are_refused():
    with pytest.raises(UsageError, match="Simulate with the draws of the fitted model"):
        resolve(small(plug_in=True))
