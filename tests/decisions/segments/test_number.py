"""How many segments are worth having: laws, cases by hand, and the sentence."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import xarray as xr

from segment_builders import VISITS, VOLUME, programme, simulation, value_of, value_table
from softseg.decisions.segments.number import (
    Plan,
    best_plan,
    fewest,
    number_in_money,
    partition_rule,
    recommendation,
)
from softseg.decisions.segments.packages import by_draw, packages
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError

ONE = np.ones(60, dtype=int)
LEVERS: dict[str, dict[str, dict[str, Any]]] = {
    "A": {"more": VOLUME | {"value": 10.0}},
    "B": {"more": VOLUME | {"value": 5.0}, "visits": VISITS | {"value": 0.1}},
}


def nested(seed: int) -> tuple[xr.Dataset, dict[int, np.ndarray], np.ndarray]:
    """Return a value table, partitions of which each refines the one before, and amounts."""
    rng = np.random.default_rng(seed)
    odds = np.exp(rng.normal(0, 1.5, (60, 3)) + rng.normal(0, 0.6, (200, 1, 3)))
    memberships = odds / odds.sum(axis=2, keepdims=True)
    top = memberships.mean(axis=0).argmax(axis=1) + 1
    labels = {1: ONE, 2: np.minimum(top, 2), 3: top, 4: np.where(rng.random(60) < 0.3, 4, top)}
    labels[4] = np.where(top == 3, labels[4], top)
    rules = {"programme": top} | {partition_rule(n): groups for n, groups in labels.items()}
    amount = rng.gamma(0.7, 3.0, 60)
    return value_of(memberships, amount, rules, rng), labels, amount


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_finer_partition_is_never_worth_less_before_handling(seed: int):
    table, labels, amount = nested(seed)
    levers = {
        "A": {"more": VOLUME | {"low": -1.0, "high": 5.0}, "visits": VISITS | {"value": 0.002}},
        "B": {"more": VOLUME | {"low": 1.0, "high": 6.0}, "visits": VISITS | {"value": 0.004}},
        "C": {"more": VOLUME | {"value": 2.0},
              "setup": {"role": "one_off_cost", "unit": "EUR", "low": 0.5, "high": 2.0}},
    }  # fmt: skip
    plan = programme(levers, off_target=0.2)
    found = number_in_money(simulation(table, plan), table, labels, amount, 0.1)
    assert (found["value"].diff("n_segments") >= -1e-9).all()
    assert float(found["value"][-1]) > float(found["value"][0])
    np.testing.assert_allclose(found["next_value"][:-1], np.diff(found["value"]), atol=1e-9)
    np.testing.assert_allclose(found["net"], found["value"] - found["handling"])
    assert ((found["p_gain"][:-1] >= 0) & (found["p_gain"][:-1] <= 1)).all()
    assert np.isnan(found["p_changes"][-1])


def test_one_group_and_one_package_give_the_part_by_hand():
    table = value_table()
    plan = programme({"A": {"more": VOLUME | {"low": 2.0, "high": 9.0},
                            "visits": VISITS | {"value": 0.01}}})  # fmt: skip
    study = simulation(table, plan)
    found = number_in_money(study, table, {1: ONE}, amounts_of(table))
    effect = study.whole.draws.values["s1_more"]
    everybody = table["value_lots"].sel(rule="segments_1", assigned=1, segment=1).to_numpy()
    npv = 5 * 0.4 * effect * everybody[study.whole.draws.sample] - 5 * 0.01 * 60
    np.testing.assert_allclose(found["value"], [npv.mean()], rtol=1e-9)
    np.testing.assert_allclose(found["package"], [[1]])
    np.testing.assert_allclose(found["gain"], [0.0])


def certain(
    labels: dict[int, list[int]], last: float = 40.0
) -> tuple[xr.Dataset, dict[int, np.ndarray], np.ndarray]:
    """Return four customers whose segments are certain: A, A, B, B; `last` is worth the fourth."""
    memberships = np.broadcast_to(np.repeat(np.eye(2), 2, axis=0), (50, 4, 2))
    groups = {n: np.array(row) for n, row in labels.items()}
    rules = {"programme": np.array([1, 1, 2, 2])}
    rules |= {partition_rule(n): row for n, row in groups.items()}
    amount = np.array([10.0, 20.0, 30.0, last])
    return value_of(memberships, amount, rules, np.random.default_rng(1)), groups, amount


def test_by_hand_what_telling_two_groups_apart_brings():
    table, groups, amount = certain({1: [1] * 4, 2: [1, 1, 2, 2], 3: [1, 1, 2, 3]})
    study = simulation(table, programme(LEVERS))
    found = number_in_money(study, table, groups, amount, 0.5)
    # for all: A brings 0.2 · 30, B 0.1 · 70 − 2; told apart: 6 + 7 − 1
    np.testing.assert_allclose(found["value"], [6.0, 12.0, 12.0])
    np.testing.assert_allclose(found["handling"], [2.5, 5.0, 7.5])
    np.testing.assert_allclose(found["gain"], [0.0, 3.5, 1.0])
    np.testing.assert_allclose(found["next_net"][:-1], [3.5, -2.5])
    np.testing.assert_allclose(found["p_gain"][:-1], [1.0, 0.0])
    np.testing.assert_allclose(found["p_changes"][:-1], [1.0, 0.0])
    assert found["package"].to_numpy().tolist() == [[1, 0, 0], [1, 2, 0], [1, 2, 2]]
    assert int(found["recommended"]) == 2
    assert "uniform" not in found


@pytest.mark.parametrize(("handling", "recommended"), [(0.0, 2), (1.1, 2), (1.3, 1)])
def test_handling_decides_and_the_smaller_number_wins_where_nothing_is_added(
    handling: float, recommended: int
):
    table, groups, amount = certain({1: [1] * 4, 2: [1, 1, 2, 2], 3: [1, 1, 2, 3]})
    found = number_in_money(simulation(table, programme(LEVERS)), table, groups, amount, handling)
    assert int(found["recommended"]) == recommended


def test_handling_is_discounted_and_taxed_as_costs_are():
    table, groups, amount = certain({1: [1] * 4})
    inputs = {
        "wacc": {"role": "discount_rate", "unit": "%", "value": 10.0},
        "tax": {"role": "tax_rate", "unit": "%", "value": 30.0},
    }
    study = simulation(table, programme(LEVERS), inputs)
    found = number_in_money(study, table, groups, amount, 2.0)
    np.testing.assert_allclose(found["handling"], [2.0 * 0.7 * sum(1.1**-t for t in range(1, 6))])


@pytest.mark.parametrize(("last", "p"), [(10.0, 1.0), (0.1, 0.0)])
def test_a_difference_for_little_of_the_value_changes_no_decision(last: float, p: float):
    table, groups, amount = certain({1: [1] * 4, 2: [1, 1, 1, 2]}, last)
    levers = {"A": LEVERS["A"], "B": {"more": VOLUME | {"value": 5.0}}}
    found = number_in_money(simulation(table, programme(levers)), table, groups, amount)
    assert found["package"].to_numpy().tolist() == [[1, 0], [1, 2]]
    assert found["p_changes"][0] == p


def test_what_shows_off_target_counts():
    table, groups, amount = certain({1: [1] * 4, 2: [1, 1, 1, 2]})
    study = simulation(table, programme(LEVERS, off_target=0.5))
    found = number_in_money(study, table, groups, amount)
    # A for all: 0.2 · (30 + 70 / 2); told apart 0.2 · (30 + 15) and 0.2 · 20 or 0.1 · 40 − 0.5
    np.testing.assert_allclose(found["value"], [13.0, 13.0])


def test_numbers_may_be_left_out():
    table, groups, amount = certain({1: [1] * 4, 3: [1, 1, 2, 3]})
    found = number_in_money(simulation(table, programme(LEVERS)), table, groups, amount, 0.5)
    np.testing.assert_allclose(found["next_net"][0], 12.0 - 6.0 - 2 * 2.5)


def test_a_changed_decision_is_one_of_the_best_plans_of_the_draw():
    table, labels, amount = nested(4)
    levers = {
        name: {"more": VOLUME | {"low": -2.0, "high": 6.0}, "visits": VISITS | {"value": 0.01},
               "setup": {"role": "one_off_cost", "unit": "EUR", "value": 0.3}}
        for name in "ABC"
    }  # fmt: skip
    study = simulation(table, programme(levers), n_replicates=1, n_draws=64)
    known = list(packages(study).values())

    def treated(n: int, draw: int) -> np.ndarray:
        """Return the package of each customer that is best in a draw."""
        rule = table.sel(rule=partition_rule(n))
        reached = by_draw(study, rule["value_lots"].to_numpy())[0, draw]
        heads = rule["customers_treated"].to_numpy()
        worth = np.array(
            [
                [p.value[0, draw] * reached[j, i] - p.customer[0, draw] * heads[j]
                 for i, p in enumerate(known)]
                for j in range(n)
            ]
        )  # fmt: skip
        fixed = np.array([package.fixed[0, draw] for package in known])
        return best_plan(worth, fixed).groups[labels[n] - 1]

    found = number_in_money(study, table, labels, amount)
    for n in (1, 2, 3):
        moved = [amount[treated(n, d) != treated(n + 1, d)].sum() for d in range(64)]
        share = np.mean(np.array(moved) >= 0.01 * amount.sum())
        assert 0.0 < share < 1.0
        assert float(found["p_changes"].sel(n_segments=n)) == pytest.approx(share)


def test_the_fewest_that_are_as_good_within_error():
    noise = np.random.default_rng(1).normal(0.0, 1.0, (16, 256))
    base = np.zeros((16, 256))
    net = {1: base - 5.0, 2: base, 3: base + noise - noise.mean() + 0.01, 4: base - 0.1}
    assert fewest(net) == 2
    assert fewest(net | {3: net[3] + 1.0}) == 3
    assert fewest({1: base[:1], 2: base[:1] + 0.01}) == 2


def test_rows_may_stand_for_several_customers():
    table, groups, amount = certain({1: [1] * 4, 2: [1, 1, 1, 2]})
    study = simulation(table, programme(LEVERS))
    found = number_in_money(study, table, groups, amount / 2, count=np.full(4, 2.0))
    np.testing.assert_allclose(
        found["value"], number_in_money(study, table, groups, amount)["value"]
    )


def test_the_uniform_programme_of_the_assumptions_stands_beside_it():
    table, groups, amount = certain({1: [1] * 4})
    offer = {"role": "revenue_effect", "effect": "volume", "unit": "%", "value": 1.0,
             "base": "revenue", "programme": "uniform"}  # fmt: skip
    settings = {"counterfactual": "uniform"}
    study = simulation(table, programme(LEVERS), {"offer": offer}, settings)
    found = number_in_money(study, table, groups, amount)
    np.testing.assert_allclose(found["uniform"], 5 * 0.01 * 0.4 * 100.0)
    np.testing.assert_allclose(found["value"], [6.0])
    assert float(found["shared"]) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_the_best_plan_is_the_best_of_all_plans(seed: int):
    rng = np.random.default_rng(seed)
    expected, fixed = rng.normal(0.5, 1.0, (3, 3)), -rng.exponential(0.7, 3)

    def total(groups: tuple[int, ...]) -> float:
        worth = sum(expected[j, g - 1] for j, g in enumerate(groups) if g)
        return float(worth + sum(fixed[g - 1] for g in set(groups) if g))

    best = max(total(groups) for groups in product(range(4), repeat=3))
    plan = best_plan(expected, fixed)
    assert total(tuple(plan.groups)) == pytest.approx(best)
    assert set(plan.groups) - {0} == {k + 1 for k in plan.packages}


def test_no_plan_where_nothing_pays():
    plan = best_plan(np.full((2, 2), 1.0), np.full(2, -2.0))
    assert isinstance(plan, Plan)
    assert plan.packages == ()
    assert plan.groups.tolist() == [0, 0]


def sentence(labels: dict[int, list[int]], handling: float, language: str, **more: Any) -> str:
    table, groups, amount = certain(labels)
    study = simulation(table, programme(more.get("levers", LEVERS)))
    found = number_in_money(study, table, groups, amount, handling)
    return recommendation(found, "EUR", language)


THREE = {1: [1] * 4, 2: [1, 1, 2, 2], 3: [1, 1, 2, 3]}


def test_the_recommendation_in_words():
    assert sentence(THREE, 0.5, "en") == (
        "Two segments are worth €3.50 more than one package for all customers; a third would add "
        "€0 and cost €2.50 to handle: that does not pay."
    )
    assert sentence(THREE, 0.5, "de") == (
        "Zwei Segmente sind 3,50\u00a0€ mehr wert als ein Paket für alle Kunden; ein drittes "
        "brächte 0\u00a0€ mehr und würde 2,50\u00a0€ für die Bearbeitung kosten: Das lohnt sich "
        "nicht."
    )


def test_the_recommendation_for_one_for_none_and_for_the_last():
    assert sentence(THREE, 2.0, "en").startswith("One package for all customers is best: ")
    assert "; a second would add €" in sentence(THREE, 2.0, "en")
    dear = {"A": {"more": VOLUME | {"value": 1.0}, "visits": VISITS | {"value": 9.0}}}
    assert sentence(THREE, 0.5, "en", levers=dear).startswith("No package is expected to pay")
    last = sentence({1: [1] * 4, 2: [1, 1, 2, 2]}, 0.5, "en")
    assert last.endswith("customers; no larger number was compared.")
    jump = sentence({1: [1] * 4, 3: [1, 1, 2, 3]}, 2.0, "en")
    assert "; three would add €" in jump


def amounts_of(table: xr.Dataset) -> np.ndarray:
    """Return amounts that fit the total of a value table of 60 customers."""
    return np.full(60, table.attrs["value_total"] / 60)


def refused(study: SegmentSimulation, table: xr.Dataset, numbers: tuple[int, ...]) -> None:
    number_in_money(study, table, dict.fromkeys(numbers, ONE), amounts_of(table))


def test_what_cannot_be_compared_is_refused():
    table = value_table()
    study = simulation(table)
    with pytest.raises(UsageError, match="Compare numbers of segments for a programme that"):
        refused(simulation(table, programme(reach="members")), table, (1,))
    many = replace(study, expanded=replace(study.expanded, names=dict.fromkeys(range(1, 10), "x")))
    with pytest.raises(UsageError, match="Compare programmes of 1 to 8 segments, got 9"):
        refused(many, table, (1,))
    with pytest.raises(UsageError, match="Put 1 among the numbers"):
        refused(study, table, (2, 3))
    with pytest.raises(UsageError, match=r"Give the value by the rules \['segments_2'\]"):
        refused(study, table, (1, 2))
    with pytest.raises(UsageError, match="Give the value on the draws of the study: expected 400"):
        refused(study, value_table(n_samples=10), (1,))
    with pytest.raises(UsageError, match="Give the labels and amounts that the value was made"):
        number_in_money(study, table, {1: ONE}, np.ones(60))
    with pytest.raises(UsageError, match="Give the labels and amounts that the value was made"):
        number_in_money(study, table, {1: np.full(60, 7)}, amounts_of(table))
