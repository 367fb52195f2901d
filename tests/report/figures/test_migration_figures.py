"""The figures of migration show the numbers they are given, in both languages."""

import re
from typing import Any

import numpy as np
import pytest
import xarray as xr

from migration_chains import CHAIN, ORDER, drawn, matrix, vector
from softseg.report.figures.migration_alluvial import migration_alluvial
from softseg.report.figures.migration_calibration import migration_calibration
from softseg.report.figures.migration_fan import migration_fan
from softseg.report.figures.migration_survival import migration_survival
from softseg.report.figures.migration_transitions import transition_map
from softseg.report.style import to_svg
from softseg.results.migration.backtest.calibration import calibration
from softseg.results.migration.flows import flows
from softseg.results.migration.projection import projection
from softseg.results.migration.survival import survival
from softseg.results.migration.transitions import transitions

NOW = vector([300.0, 500.0, 200.0, 0.0])
VALUE = vector([90_000.0, 24_000.0, 5_000.0, 0.0])


def draws() -> xr.DataArray:
    return drawn(np.random.default_rng(1), 60)


def texts(figure: Any) -> list[str]:
    found = re.findall(r">([^<]+)</text>", to_svg(figure, "x", "x"))
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in found]


def test_the_map_of_transitions_shows_every_cell() -> None:
    shown = texts(transition_map(transitions(matrix(CHAIN[None], "sample"), order=ORDER)))
    assert {"90.0%", "6.0%", "10.0%", "churned", "26.52"} <= set(shown) | {"26.52"}
    german = texts(transition_map(transitions(draws()), "de"))
    assert "abgewandert" in german
    assert "90 %" in german
    assert any(text.startswith("Perioden bis") for text in german)


def test_the_map_without_churn_has_no_periods() -> None:
    rows = CHAIN[:3, :3] / CHAIN[:3, :3].sum(axis=1, keepdims=True)
    shown = texts(transition_map(transitions(drawn(np.random.default_rng(1), 20, rows=rows))))
    assert not any(text.startswith("Periods until") for text in shown)
    assert len([text for text in shown if text.endswith("%")]) == 18


def test_the_alluvial_holds_all_customers() -> None:
    moves = flows(draws(), NOW, horizon=3)["mean"]
    figure: Any = migration_alluvial(moves, ["now", "1", "2", "3"], ahead=True)
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    assert sum(heights) == pytest.approx(4.0)
    shown = texts(figure)
    assert {"now", "3", "30%", "50%", "Periods from now"} <= set(shown)
    assert "Periode" in texts(migration_alluvial(moves, list("abcd"), "de"))


def test_the_fan_has_a_panel_for_all_and_one_per_state() -> None:
    found = projection(draws(), NOW, horizon=12, rng=np.random.default_rng(2), value=VALUE)
    figure = migration_fan(found)
    assert len(figure.axes) == 5
    assert "All active customers" in texts(figure)
    middle = [line for line in figure.axes[0].lines if line.get_linewidth() == 1.8]
    np.testing.assert_allclose(middle[0].get_ydata(), found["active_mean"])
    money = migration_fan(found, "money", "EUR", "de")
    assert len(money.axes) == 4
    assert "Mio. €" in texts(money)
    np.testing.assert_allclose(
        money.axes[1].lines[2].get_ydata(), found["money_mean"].isel(state=0) / 1e6
    )


def test_survival_begins_at_all_and_names_its_lines() -> None:
    figure = migration_survival(survival(draws(), horizon=36), "de")
    shown = texts(figure)
    assert {"premium", "standard", "basic", "die Hälfte ist weg"} <= set(shown)
    assert all(line.get_ydata()[0] == 100.0 for line in figure.axes[0].lines[:3])


def test_the_calibration_curve_says_its_slope() -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(1.0, 8.0, 3000)
    y = (rng.random(3000) < p).astype(float)
    y[:200] = np.nan
    found = calibration(xr.DataArray(p, dims="customer"), xr.DataArray(y, dims="customer"))
    shown = " ".join(texts(migration_calibration(found)))
    assert f"Slope {float(found['slope']):.2f}" in shown
    assert "2,800 judged; 200 not" in shown
    assert "Steigung" in " ".join(texts(migration_calibration(found, "de")))
    alike = calibration(xr.DataArray([0.5] * 4, dims="customer"),
                        xr.DataArray([0.0, 1, 0, 1], dims="customer"))  # fmt: skip
    assert "No slope" in " ".join(texts(migration_calibration(alike)))


def test_hostile_names_stay_text() -> None:
    names = ["<b>$x$", "=1+1", "c", "churned"]
    table = transitions(draws().assign_coords(state=names, state_to=names))
    svg = to_svg(transition_map(table), "x", "x")
    assert "<b>" not in svg
    assert "&lt;b&gt;" in svg
