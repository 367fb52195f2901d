"""What migration does to a study: the parts add up, today is today, chance widens the fan."""

from typing import Any

import numpy as np
import pytest

from moving_builders import STAY, with_panel
from segment_builders import programme, simulation, value_table
from softseg.decisions.segments.migrated import held, migrated
from softseg.errors import UsageError

KEEP: dict[str, Any] = {"role": "revenue_effect", "effect": "transition", "unit": "%",
                        "to": ("churned",), "low": 30.0, "high": 50.0}  # fmt: skip
VISITS: dict[str, Any] = {"role": "running_cost", "unit": "EUR/year", "per": "customer",
                          "value": 0.01}  # fmt: skip
PLAN = programme({"A": {"visits": VISITS}, "B": {"keep": KEEP, "visits": VISITS}})


def test_the_three_parts_are_the_net_present_value() -> None:
    sim = simulation(with_panel(), PLAN)
    found = migrated(sim)
    parts = sum(float(found[f"mean_{name}"]) for name in ("without", "base", "levers"))
    assert parts == pytest.approx(sim.whole.outcome().npv.mean(), rel=1e-9)
    assert float(found["mean_levers"]) > 0.0
    assert float(found["mean_base"]) > 0.0  # fewer customers cost less to visit


def test_where_everybody_stays_migration_brings_nothing() -> None:
    sim = simulation(with_panel(value_table(), STAY))
    found = migrated(sim)
    assert float(found["mean_base"]) == 0.0
    assert float(found["mean_levers"]) == 0.0
    np.testing.assert_allclose(found["transition_mean"], np.eye(3))


def test_customers_begin_with_those_of_today() -> None:
    sim = simulation(with_panel(), PLAN)
    found = migrated(sim)
    today = sim.value["customers_now"].mean("sample")
    for label in ("baseline", "programme"):
        now = found["customers_mean"].sel(programme=label, year=0)
        np.testing.assert_allclose(now, today, rtol=0.02)
    kept = found["customers_mean"].sel(segment=2)
    later = {"year": slice(1, None)}
    assert (kept.sel(programme="programme").isel(later) > kept.sel(programme="baseline").isel(
        later)).all()  # fmt: skip
    untreated = found["customers_mean"].sel(segment=1)
    np.testing.assert_allclose(
        untreated.sel(programme="programme"), untreated.sel(programme="baseline")
    )
    wide = found["customers_upper"] - found["customers_lower"]
    narrow = found["customers_parameter_upper"] - found["customers_parameter_lower"]
    assert (wide.isel(later) >= narrow.isel(later)).all()


def test_transitions_can_be_held_at_their_mean() -> None:
    sim = simulation(with_panel(), PLAN)
    moving = held(sim).whole.draws.moving
    assert moving is not None
    assert np.ptp(moving.transition, axis=0).max() == 0.0
    still = simulation(value_table())
    assert held(still) is still


def test_migration_needs_a_panel() -> None:
    with pytest.raises(UsageError, match="Give the study a panel"):
        migrated(simulation(value_table()))
