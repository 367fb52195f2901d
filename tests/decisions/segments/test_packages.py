"""What a package brings by what it reaches, and laws that every answer by segment keeps."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from segment_builders import PRICE, VISITS, VOLUME, programme, simulation, value_of, value_table
from softseg.decisions.segments.choices import choices
from softseg.decisions.segments.customers import first_customers
from softseg.decisions.segments.number import number_in_money
from softseg.decisions.segments.packages import by_draw, packages
from softseg.decisions.segments.regret import regret
from softseg.errors import UsageError

LEVERS: tuple[dict[str, dict[str, Any]], ...] = (
    {"price": PRICE | {"low": 0.5, "high": 2.0}, "visits": VISITS | {"value": 0.01}},
    {"more": VOLUME | {"low": -1.0, "high": 4.0}},
    {"more": VOLUME | {"value": 3.0},
     "setup": {"role": "one_off_cost", "unit": "EUR", "low": 0.5, "high": 3.0}},
)  # fmt: skip
UNITS = {"value": "share", "customers": "EUR/year"}
ORDER = (2, 0, 1)
"""Segment number less 1 that each segment gets."""


@pytest.mark.parametrize("accounting", ["contribution_margin", "as_published"])
def test_coefficients_give_the_net_present_value_of_every_draw(accounting: str):
    study = simulation(value_table(n_segments=3), programme(dict(zip("ABC", LEVERS, strict=True))))
    for k, package in packages(study, accounting).items():
        drawn = study.whole.draws.values
        worth = package.fixed + package.variable(drawn[f"s{k}_value"], drawn[f"s{k}_customers"])
        npv = study.part(k).outcome(accounting, programme="segmented").npv
        np.testing.assert_allclose(worth, npv, rtol=1e-9, atol=1e-9)


def test_coefficients_by_hand():
    levers = {"A": {"more": VOLUME | {"value": 10.0}, "visits": VISITS | {"value": 2.0}}}
    package = packages(simulation(plan=programme(levers)))[1]
    np.testing.assert_allclose(package.value, 5 * 0.1 * 0.4)
    np.testing.assert_allclose(package.customer, 5 * 2.0)
    assert (package.fixed == 0.0).all()


@pytest.mark.parametrize("base", ["value", "customers"])
def test_a_lever_on_a_product_of_bases_is_refused(base: str):
    odd = {"role": "running_cost", "base": (base,), "per": "customer"}
    study = simulation(plan=programme({"A": {"odd": odd | {"unit": UNITS[base], "value": 0.01}}}))
    with pytest.raises(UsageError, match="Give every lever of segment 'A' the base value or"):
        packages(study)


def test_rows_follow_the_sample_of_each_draw_and_a_plug_in_has_their_mean():
    rows = np.arange(400.0)
    study = simulation()
    np.testing.assert_array_equal(by_draw(study, rows), study.whole.draws.sample)
    plugged = by_draw(simulation(plug_in=True), rows[:, None])
    assert plugged.shape == (4, 512, 1)
    assert (plugged == 199.5).all()


def three_segments() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return memberships (sample, customer, segment), amounts, and rules."""
    rng = np.random.default_rng(5)
    odds = np.exp(rng.normal(0, 1.5, (60, 3)) + rng.normal(0, 0.6, (200, 1, 3)))
    memberships = odds / odds.sum(axis=2, keepdims=True)
    top = memberships.mean(axis=0).argmax(axis=1) + 1
    rules = {
        "programme": top,
        "kmeans": np.where(rng.random(60) < 0.3, 1 + rng.permutation(60) % 3, top),
        "segments_1": np.ones(60, dtype=np.int64),
        "segments_3": top,
    }
    return memberships, rng.gamma(2.0, 1.0, 60), rules


def answers(permuted: bool) -> tuple[xr.Dataset, ...]:
    """Return all answers; permuted: segment k is now called ORDER[k - 1] + 1."""
    memberships, amount, rules = three_segments()
    table = value_of(memberships, amount, rules, np.random.default_rng(6))
    names, lots = "ABC", table
    if permuted:
        back = np.argsort(ORDER)
        names = "".join("ABC"[k] for k in ORDER)
        # the same lots under the other numbers; groups of segments_1 keep theirs
        moved = table.isel(segment=back, assigned=back)
        kept = table.isel(segment=back)
        lots = xr.concat(
            [
                (kept if rule == "segments_1" else moved)
                .sel(rule=rule)
                .assign_coords(segment=[1, 2, 3], assigned=[1, 2, 3])
                for rule in rules
            ],
            dim="rule",
        )
        memberships = memberships[..., back]
        rules = {
            name: labels if name == "segments_1" else np.array(ORDER)[labels - 1] + 1
            for name, labels in rules.items()
        }
    study = simulation(lots, programme(dict(zip(names, LEVERS, strict=True)), off_target=0.3))
    mean = memberships.mean(axis=0)
    groups = {1: rules["segments_1"], 3: rules["segments_3"]}
    return (
        choices(study),
        first_customers(study, mean, amount, rules["programme"], n=20),
        regret(study),
        number_in_money(study, lots, groups, amount, 0.1),
    )


def test_permuting_segments_changes_no_money():
    (best, first, lost, number), (best_2, first_2, lost_2, number_2) = answers(False), answers(True)
    for name in ("mean_npv", "npv", "p_npv_positive", "mean_rank", "treat"):
        moved = best_2[name].to_numpy()[list(ORDER)]
        np.testing.assert_allclose(best[name], moved, rtol=1e-9, err_msg=name)
    for name in ("best_mean_npv", "best_npv", "whole_mean_npv", "p_best_set"):
        np.testing.assert_allclose(best[name], best_2[name], rtol=1e-9, err_msg=name)
    np.testing.assert_array_equal(first["row"], first_2["row"])
    np.testing.assert_allclose(first["net"], first_2["net"], rtol=1e-9)
    for name in ("soft", "hard", "regret", "believed", "p_regret", "mean_regret"):
        np.testing.assert_allclose(lost[name], lost_2[name], rtol=1e-8, atol=1e-9, err_msg=name)
    for name in ("value", "npv", "net", "gain", "next_value", "p_gain", "recommended"):
        np.testing.assert_allclose(number[name], number_2[name], rtol=1e-9, err_msg=name)


def test_no_effect_is_worth_exactly_nothing():
    table, labels = value_table(), {1: np.ones(60, dtype=int)}
    levers = {"A": {"more": VOLUME | {"value": 0.0}}, "B": {"more": VOLUME | {"value": 0.0}}}
    study = simulation(table, programme(levers), inputs={})
    best, lost = choices(study), regret(study)
    assert (best["npv"] == 0.0).all()
    assert not best["treat"].any()
    assert not best["pays"]
    assert all((lost[name] == 0.0).all() for name in ("soft", "hard", "regret", "believed"))
    assert (number_in_money(study, table, labels, np.full(60, 100.0 / 60))["npv"] == 0.0).all()
    nobody = first_customers(study, np.full((60, 2), 0.5), np.ones(60), np.ones(60, dtype=int))
    assert nobody.sizes["customer"] == 0
    assert nobody["all_net"] == 0.0
