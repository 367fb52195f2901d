"""What deciding on hard labels costs."""

import numpy as np
import pytest

from segment_builders import VISITS, VOLUME, programme, simulation, value_of, value_table
from softseg.decisions.segments.regret import match, regret, relabelled
from softseg.decisions.segments.worth import simulate
from softseg.errors import UsageError


def test_a_rule_against_itself_loses_exactly_nothing():
    study = simulation(value_table(n_segments=3))
    found = regret(study, "programme", {1: 1, 2: 2, 3: 3})
    assert (found["regret"] == 0.0).all()
    assert float(found["p_regret"]) == 0.0
    np.testing.assert_array_equal(found["soft"], found["hard"])


def test_it_is_the_difference_of_two_simulations_on_the_same_draws():
    study = simulation()
    found = regret(study, matched={1: 1, 2: 2})
    hard = simulate(
        study.whole.assumptions.model_copy(
            update={
                "inputs": {
                    id: entry
                    for id, entry in study.whole.assumptions.inputs.items()
                    if id not in study.expanded.owner
                }
            }
        ),
        study.programme,
        study.value,
        ("A", "B"),
        rule="kmeans",
        n_replicates=4,
        n_draws=512,
    )
    lost = (
        study.whole.outcome(programme="segmented").npv
        - hard.whole.outcome(programme="segmented").npv
    )
    np.testing.assert_allclose(found["mean_regret"], lost.mean(), rtol=1e-9)
    np.testing.assert_allclose(found["p_regret"], (lost > 0).mean())
    assert float(found["mean_regret"]) > 0.0


def two_groups(labels: list[int]):
    """Return a value table of four customers whose segments are certain: A, A, B, B."""
    memberships = np.broadcast_to(np.repeat(np.eye(2), 2, axis=0), (50, 4, 2))
    rules = {"programme": np.array([1, 1, 2, 2]), "kmeans": np.array(labels)}
    amount = np.array([10.0, 20.0, 30.0, 40.0])
    return value_of(memberships, amount, rules, np.random.default_rng(1))


def test_by_hand_with_one_customer_mistaken():
    levers = {
        "A": {"more": VOLUME | {"value": 10.0}},
        "B": {"more": VOLUME | {"value": 5.0}, "visits": VISITS | {"value": 0.1}},
    }
    # groups are numbered the other way round, and the third customer lies with the first two
    study = simulation(two_groups([2, 2, 2, 1]), programme(levers), inputs={})
    found = regret(study)
    assert found["segment_of_group"].to_numpy().tolist() == [2, 1]
    # lost: 5 % of 30 at a margin of 40 % over five years; saved: five visits
    np.testing.assert_allclose(found["mean_regret"], 0.1 * 30 - 0.5)
    np.testing.assert_allclose(found["mean_soft"], 0.2 * 30 + 0.1 * 70 - 1.0)
    # believed: the third customer is one of A
    np.testing.assert_allclose(found["mean_promised_too_much"], 0.2 * 30)
    np.testing.assert_allclose(found["mean_believed"], 0.2 * 60 + 0.1 * 40 - 0.5)


def test_full_effect_off_target_makes_equal_packages_equal_whoever_gets_them():
    same = {"more": VOLUME | {"value": 10.0}, "visits": VISITS | {"value": 0.1}}
    plan = programme({"A": same, "B": same}, off_target=1.0)
    found = regret(simulation(plan=plan))
    np.testing.assert_allclose(found["regret"], 0.0, atol=1e-9)
    np.testing.assert_allclose(found["promised_too_much"], 0.0, atol=1e-9)


def test_without_the_full_effect_they_differ():
    same = {"more": VOLUME | {"value": 10.0}, "visits": VISITS | {"value": 0.1}}
    found = regret(simulation(plan=programme({"A": same, "B": same}, off_target=0.5)))
    assert float(found["mean_regret"]) > 0.1


def test_a_programme_that_finds_its_members_does_not_care_for_labels():
    found = regret(simulation(plan=programme(reach="members")))
    np.testing.assert_allclose(found["regret"], 0.0, atol=1e-9)


def test_a_plug_in_compares_means():
    found = regret(simulation(plug_in=True))
    free = regret(simulation())
    np.testing.assert_allclose(found["mean_regret"], free["mean_regret"], rtol=0.05)
    assert np.ptp(found["regret"].to_numpy()) < np.ptp(free["regret"].to_numpy())


def test_groups_beyond_the_segments_are_left_alone():
    table = two_groups([1, 2, 3, 3])
    partner = match(table.sel(rule="kmeans"))
    assert partner == {2: 1, 3: 2}
    hard = relabelled(table.sel(rule=["kmeans"]), partner)
    assert hard["assigned"].to_numpy().tolist() == [1, 2]
    np.testing.assert_allclose(hard["value_treated"], [[20.0, 70.0]])


def test_an_unknown_rule_is_refused():
    with pytest.raises(UsageError, match=r"Name a rule out of \['programme', .*got 'ward'"):
        regret(simulation(), "ward")
