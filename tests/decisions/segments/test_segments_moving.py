"""A study with a panel: who stays changes nothing, zero is zero, parts add up, pairing helps."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from moving_builders import MONTH, STAY, with_panel
from segment_builders import PRICE, VISITS, VOLUME, programme, simulation, value_table
from softseg.decisions.segments.moving import Inflow
from softseg.errors import SchemaError, UsageError

KEEP: dict[str, Any] = {"role": "revenue_effect", "effect": "transition", "unit": "%",
                        "to": ("churned",), "low": 30.0, "high": 50.0}  # fmt: skip
LEVERS = {
    "A": {"price": PRICE | {"low": 0.5, "high": 2.0}, "visits": VISITS | {"value": 0.01}},
    "B": {"keep": KEEP},
}


def test_a_panel_in_which_everybody_stays_changes_nothing() -> None:
    table = value_table()
    for name in ("as_published", "contribution_margin"):
        without = simulation(table).whole.outcome(name).net
        still = simulation(with_panel(table, STAY)).whole.outcome(name).net
        assert np.array_equal(still, without)


def test_churn_takes_from_the_result() -> None:
    table = value_table()
    without = simulation(table).whole.outcome().npv
    moved = simulation(with_panel(table)).whole.outcome().npv
    assert moved.mean() < without.mean()


def test_zero_effect_and_zero_cost_are_worth_exactly_nothing() -> None:
    zero = {"B": {"keep": KEEP | {"low": None, "high": None, "value": 0.0}}}
    found = simulation(with_panel(), programme(zero), {})
    for name in ("as_published", "contribution_margin"):
        assert not found.whole.outcome(name).net.any()


def test_the_parts_add_up_to_the_whole() -> None:
    found = simulation(with_panel(), programme(LEVERS))
    whole = found.whole.outcome(programme="segmented").npv
    parts = sum(found.part(k).outcome(programme="segmented").npv for k in (None, *found.names))
    np.testing.assert_allclose(parts, whole, rtol=1e-10, atol=1e-9)
    assert (found.part(2).outcome(adjusted=False).npv > 0.0).all()


def test_permuting_segments_changes_no_money() -> None:
    table = value_table()
    names = {"A": "B", "B": "A"}
    swapped = table.assign_coords(segment=[2, 1]).sortby("segment")
    labels = swapped.assign_coords(assigned=[2, 1]).sortby("assigned")
    one = with_panel(table, concentration=1e9)
    other = with_panel(labels, MONTH[[1, 0, 2]][:, [1, 0, 2]], concentration=1e9)
    turn = [1, 0, 2]
    other["transition"].values[:] = one["transition"].values[:, turn][:, :, turn]
    levers = {"A": {"more": VOLUME | {"value": 2.0}}, "B": {"keep": KEEP}}
    plan = programme(levers)
    turned = programme({names[k]: v for k, v in levers.items()})
    still = {"chance": np.ones((2, 400, 5, 3))}
    npv = []
    for sim in (simulation(one, plan, {}), simulation(other, turned, {})):
        moving = sim.whole.draws.moving
        assert moving is not None
        assert still["chance"].shape[1] == moving.chance.shape[1]
        object.__setattr__(sim.whole.draws, "moving", moving.without_chance())
        npv.append(sim.whole.outcome().npv)
    np.testing.assert_allclose(npv[0], npv[1], rtol=1e-9)


def test_paired_draws_differ_less_than_unpaired_ones() -> None:
    found = simulation(with_panel(), programme({"B": {"keep": KEEP}}), {})
    moving = found.whole.draws.moving
    assert moving is not None
    sample = np.arange(400)
    change = {"s2_keep": np.full((1, 400), 0.4)}
    base = moving.relative[1, :, :, 1].T
    more = moving.at(change, sample, 400).paths["s2_customers"]
    paired = (more - base).var(axis=1)
    unpaired = (more - base[:, ::-1]).var(axis=1)
    assert (paired < unpaired).all()


def test_inflow_opens_the_cohort() -> None:
    table = with_panel()
    closed = simulation(table).whole.draws.moving
    opened = simulation(table, inflow={1: Inflow(low=2.0, high=5.0)}).whole.draws.moving
    assert closed is not None
    assert opened is not None
    assert (opened.expected[:, 1:, 0] > closed.expected[:, 1:, 0]).all()
    assert opened.inflow[:, 0].std() > 0.0
    low, high = np.quantile(opened.inflow[:, 0], [0.05, 0.95])
    assert low == pytest.approx(2.0, rel=0.1)
    assert high == pytest.approx(5.0, rel=0.1)


@pytest.mark.parametrize(
    "given", [{}, {"low": 1.0}, {"value": 1.0, "low": 1.0, "high": 2.0}, {"low": 3.0, "high": 2.0}]
)
def test_an_inflow_is_a_number_or_a_range(given: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="new customers of a year as a value"):
        Inflow(**given)


def test_moves_need_a_panel() -> None:
    with pytest.raises(UsageError, match="Give the study a panel"):
        simulation(value_table(), programme({"B": {"keep": KEEP}}))
    with pytest.raises(UsageError, match="Give the study a panel"):
        simulation(value_table(), inflow={1: Inflow(value=1.0)})


def test_nobody_leaves_where_nobody_can() -> None:
    table = with_panel().isel(state=slice(2), state_to=slice(2))
    table["transition"] = table["transition"] / table["transition"].sum("state_to")
    with pytest.raises(UsageError, match="Take 'churned' out of the lever 's2_keep'"):
        simulation(table, programme({"B": {"keep": KEEP}}))


@pytest.mark.parametrize(
    ("lever", "expected"),
    [
        (KEEP | {"to": ()}, "Say where customers go by this lever"),
        (KEEP | {"to": ("B",)}, "Name where customers go: expected one of A, churned, got B"),
        (KEEP | {"to": ("C",)}, "Name where customers go"),
        (KEEP | {"base": ("value",)}, "Leave out the base"),
        (PRICE | {"value": 1.0, "to": ("A",)}, "Leave out to"),
    ],
)
def test_a_lever_on_moves_says_where_to(lever: dict[str, Any], expected: str) -> None:
    with pytest.raises(SchemaError, match=expected):
        simulation(with_panel(), programme({"B": {"keep": lever}}))


def test_one_segment_frees_its_mass_in_one_way() -> None:
    levers = {"B": {"keep": KEEP, "up": KEEP | {"to": ("A",), "change": "more",
                                                "freed": "proportional"}}}  # fmt: skip
    with pytest.raises(SchemaError, match="the same freed"):
        simulation(with_panel(), programme(levers))
