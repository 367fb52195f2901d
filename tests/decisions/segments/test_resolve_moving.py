"""What it is worth to know the transitions, against averages by hand."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from moving_builders import MONTH, STAY, with_panel
from segment_builders import VOLUME, programme, simulation, value_table
from softseg.decisions.segments.best import best_worth
from softseg.decisions.segments.migrated import with_moving
from softseg.decisions.segments.programme import Programme
from softseg.decisions.segments.resolve import block_label, resolve, sentence
from softseg.decisions.segments.worth import SegmentSimulation

KEEP: dict[str, Any] = {"role": "revenue_effect", "effect": "transition", "unit": "%",
                        "to": ("churned",)}  # fmt: skip


def plan(volume: dict[str, float], keep: dict[str, float]) -> Programme:
    """Return a programme of which it is open whether it pays: it costs what it brings."""
    first, second = ({"role": "one_off_cost", "unit": "EUR", "value": fee} for fee in (2.6, 10.6))
    return programme({
        "A": {"more": VOLUME | volume, "fee": first},
        "B": {"keep": KEEP | keep, "fee": second},
    })  # fmt: skip


def known_segments(n_samples: int = 400) -> xr.Dataset:
    """Return a table in which nothing about the segments of today is open, but their draws are."""
    table = value_table(n_samples)
    for name in ("value_lots", "value_expected", "customers_lots", "customers_expected"):
        table[name] = table[name].mean("sample").broadcast_like(table[name])
    return table


def rows(sim: SegmentSimulation) -> np.ndarray:
    """Return the net present values that decisions rest on, without chance; (row, draw)."""
    moving = sim.whole.draws.moving
    assert moving is not None
    calm = with_moving(sim, moving.without_chance())
    parts = [calm.part(k).outcome().npv.ravel() for k in (None, *sim.names)]
    return np.stack([np.zeros_like(parts[0]), *parts])


def worth_of(net: np.ndarray) -> float:
    """Return what is gained by choosing at every draw instead of once."""
    return float(best_worth(net).mean() - best_worth(net.mean(axis=1)))


def test_transitions_vary_where_nothing_about_today_does() -> None:
    panel = with_panel(known_segments(), MONTH, concentration=60.0)
    sim = simulation(panel, plan({"value": 5.0}, {"value": 40.0}), {})
    assert sim.whole.draws.sample is not None
    assert sim.whole.outcome().npv.std() > 0.0


def test_where_nothing_else_is_open_the_transitions_are_everything() -> None:
    panel = with_panel(known_segments(), MONTH, concentration=60.0)
    sim = simulation(panel, plan({"value": 5.0}, {"value": 40.0}), {})
    found = resolve(sim)
    by_hand = worth_of(rows(sim))
    assert by_hand > 0.02
    assert float(found["evpi"]) == pytest.approx(by_hand, rel=1e-9)
    one = found.sel(block="migration")
    assert float(one["evppi"]) == pytest.approx(by_hand, rel=0.02)
    assert list(found["block"].values) == ["parameters", "membership", "judgement", "migration"]
    assert float(found["evppi"].sel(block="judgement")) == pytest.approx(0.0, abs=1e-12)
    assert sentence(found.assign(targeting=0.0), "en").startswith(
        "If you could resolve one thing, resolve this: how often customers move and leave;"
    )
    assert block_label(found, "migration", "de") == "wie oft Kunden wechseln und gehen"


def test_beside_judgement_it_is_the_mean_over_it_that_counts() -> None:
    panel = with_panel(known_segments(24), MONTH, concentration=60.0)
    levers = plan({"low": 2.0, "high": 8.0}, {"low": 20.0, "high": 60.0})
    sim = simulation(panel, levers, {}, n_draws=4096)
    found = resolve(sim, n_draws=4096)
    net, sample = rows(sim), sim.whole.draws.sample
    assert sample is not None
    drawn = np.ravel(sample)
    means = np.stack([net[:, drawn == i].mean(axis=1) for i in np.unique(drawn)], axis=1)
    count = np.bincount(drawn)
    by_hand = float(best_worth(means) @ count / count.sum() - best_worth(net.mean(axis=1)))
    one = found.sel(block="migration")
    assert float(one["evppi"]) == pytest.approx(by_hand, abs=4.0 * float(one["evppi_error"]))
    assert float(one["evppi_error"]) < 0.25 * by_hand
    assert by_hand < float(found["evpi"])


def test_where_everybody_stays_there_is_nothing_to_know() -> None:
    levers = plan({"low": 2.0, "high": 8.0}, {"low": 20.0, "high": 60.0})
    found = resolve(simulation(with_panel(value_table(), STAY), levers))
    assert float(found["evppi"].sel(block="migration")) == 0.0


def test_without_a_panel_there_is_no_such_block() -> None:
    assert "migration" not in resolve(simulation())["block"].values
