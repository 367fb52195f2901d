"""The band split with migration as a source: limits, the classical split, a closed form."""

import numpy as np
import pytest

from moving_builders import MONTH, STAY, with_panel
from segment_builders import VOLUME, programme, simulation, value_table
from softseg.decisions.segments.split import split
from softseg.decisions.segments.split_moving import MIGRATION, coalitions, orders, split_moving

MORE = programme({"A": {"more": VOLUME | {"value": 5.0}}, "B": {"more": VOLUME | {"value": 3.0}}})


def test_ten_orders_know_what_has_to_be_known_first() -> None:
    assert len(orders()) == 10
    assert len(coalitions()) == 11
    for order in orders():
        assert order.index("parameters") < order.index("membership") < order.index("chance")
        assert order.index("parameters") < order.index("migration") < order.index("chance")


def test_where_everybody_stays_migration_has_no_part() -> None:
    table = value_table()
    without = split(simulation(table))
    found = split(simulation(with_panel(table, STAY)))
    share = found["share"].sel(block=["migration", "chance"])
    assert np.array_equal(share, [0.0, 0.0])
    for block in ("parameters", "membership", "judgement"):
        both = [float(one["share"].sel(block=block)) for one in (without, found)]
        error = [float(one["share_error"].sel(block=block)) for one in (without, found)]
        assert both[0] == pytest.approx(both[1], abs=4.0 * np.hypot(*error) + 0.01)


def test_the_parts_add_up_to_the_variance() -> None:
    found = split(simulation(with_panel()))
    assert list(found["block"].values) == list(MIGRATION)
    assert float(found["variance"].sum()) == pytest.approx(float(found["total"]), rel=1e-9)
    assert float(found["share"].sum()) == pytest.approx(1.0, rel=1e-9)
    assert float(found["total"]) == pytest.approx(
        simulation(with_panel()).whole.outcome().npv.var(), rel=1e-9
    )


def test_transitions_alone_have_all_of_it() -> None:
    table = value_table()
    for name in ("value_lots", "value_expected", "customers_lots", "customers_expected"):
        table[name] = table["value_expected"].mean("sample").broadcast_like(table[name])
    panel = with_panel(table, MONTH, concentration=60.0).assign_attrs(per_year=12)
    panel["effective"] = panel["effective"] + 1e7
    panel["customers_now"] = panel["customers_now"] * 0.0 + 1e7
    found = split(simulation(panel, MORE, {}))
    share = found["share"]
    assert float(share.sel(block="migration")) > 0.9
    assert float(found["share"].sel(block="membership")) == pytest.approx(0.0, abs=1e-9)
    assert abs(float(share.sel(block="chance"))) < 0.02


def test_few_customers_leave_room_for_chance() -> None:
    few = with_panel(rows=MONTH, concentration=1e8)
    few["effective"] = few["effective"] * 0.0 + 4.0
    found = split(simulation(few, MORE, {}))
    assert float(found["share"].sel(block="chance")) > 0.2
    assert abs(float(found["share"].sel(block="migration"))) < 0.02


def test_a_split_by_moves_needs_moves() -> None:
    with pytest.raises(Exception, match="Give the study a panel"):
        split_moving(simulation(value_table()), "contribution_margin", True)
