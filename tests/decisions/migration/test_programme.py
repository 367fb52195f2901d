"""Programmes: only the named row moves, nothing is nothing, pairs are closer than strangers."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_chains import CHAIN, drawn, filtered, matrix, vector
from softseg.decisions.migration.effect import effect, effect_draws
from softseg.decisions.migration.programme import Shift, programme
from softseg.errors import UsageError
from softseg.results.migration.expected import expected
from softseg.results.migration.present import present

NOW = vector([300.0, 500.0, 200.0, 0.0])
VALUE = vector([1000.0, 400.0, 100.0, 0.0]).assign_attrs(unit="EUR")


def rng(seed=1):
    return np.random.default_rng(seed)


def shares(x):
    return xr.DataArray(np.asarray(x, dtype=float), dims="horizon",
                        coords={"horizon": np.arange(1, len(x) + 1)})  # fmt: skip


def test_churn_of_premium_falls_in_its_row_alone():
    draws = drawn(rng(), 50)
    change = xr.DataArray(rng(2).uniform(-0.5, -0.3, 50), dims="sample")
    both = programme(draws, [Shift("premium", "churned", change)], horizon=2)
    base, new = both.sel(programme="baseline"), both.sel(programme="programme")
    np.testing.assert_array_equal(base.sel(horizon=1), draws)
    np.testing.assert_array_equal(new[..., 1:, :], base[..., 1:, :])
    p = draws.sel(state="premium")
    q = new.sel(state="premium", horizon=1)
    np.testing.assert_allclose(q.sel(state_to="churned"), p.sel(state_to="churned") * (1 + change))
    freed = -p.sel(state_to="churned") * change
    np.testing.assert_allclose(q.sel(state_to="premium"), p.sel(state_to="premium") + freed)
    np.testing.assert_array_equal(q[:, 1:3], p[:, 1:3])
    assert both.attrs["freed"] == "premium: stay"


def test_freed_in_proportion():
    shift = Shift("standard", "churned", -0.4, freed="proportional")
    new = programme(matrix(CHAIN), [shift], horizon=1).sel(programme="programme", horizon=1)[0]
    row = new.sel(state="standard").values
    assert row[3] == pytest.approx(0.03)
    np.testing.assert_allclose(row[:3], CHAIN[1, :3] * 0.97 / 0.95)


def test_log_odds_and_several_targets():
    shift = Shift("basic", ("standard", "premium"), np.log(2.0), scale="log_odds")
    new = programme(matrix(CHAIN), [shift], horizon=1).sel(programme="programme", horizon=1)[0]
    row = new.sel(state="basic").values
    assert row[:2].sum() / (1 - row[:2].sum()) == pytest.approx(2.0 * 0.1 / 0.9)
    assert row[0] / row[1] == pytest.approx(3 / 7)
    assert row[3] == CHAIN[2, 3]


def test_upgrades_take_from_those_who_stay_and_a_ramp_grows():
    shift = Shift("standard", "premium", 0.5)
    both = programme(matrix(CHAIN), [shift], horizon=3, ramp=shares([0.0, 0.5, 1.0]))
    row = both.sel(programme="programme", state="standard")[0]
    np.testing.assert_allclose(row.sel(state_to="premium"), [0.08, 0.10, 0.12])
    np.testing.assert_allclose(row.sel(state_to="standard"), [0.82, 0.80, 0.78])
    np.testing.assert_array_equal(row.sel(horizon=1), CHAIN[1])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["relative", "log_odds"]),
       st.sampled_from(["stay", "proportional"]))  # fmt: skip
def test_nothing_is_nothing_to_the_last_bit(seed, scale, freed):
    draws = drawn(rng(seed), 5, 10.0)
    shifts = [
        Shift("premium", "churned", 0.0, scale=scale, freed=freed),
        Shift("basic", ("premium", "standard"), 0.0, scale=scale, freed=freed),
        Shift("basic", "churned", 0.0, scale=scale, freed=freed),
    ]
    both = programme(draws, shifts, horizon=4)
    np.testing.assert_array_equal(both[0], both[1])
    found = effect_draws(both, NOW, value=VALUE, discount=0.1)
    assert float(np.abs(found["money_gained"]).max()) == 0.0
    assert float(np.abs(found["customers_gained"]).max()) == 0.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-1.0, 0.0), st.sampled_from(["stay", "proportional"]))
def test_rows_stay_rows_and_pairs_are_closer_than_strangers(seed, change, freed):
    draws = drawn(rng(seed), 60, 50.0)
    both = programme(draws, [Shift("standard", "churned", change, freed=freed)], horizon=4)
    np.testing.assert_allclose(both.sum("state_to"), 1.0)
    assert float(both.min()) >= 0.0
    money = effect_draws(both, NOW, value=VALUE)["money"].isel(horizon=4)
    base, new = money.sel(programme="baseline"), money.sel(programme="programme")
    paired = float((new - base).var())
    unpaired = float(new.var() + base.var())
    assert paired < unpaired


def test_the_gain_is_that_of_two_projections():
    draws = drawn(rng(), 30)
    both = programme(draws, [Shift("premium", "churned", -0.4)], horizon=3)
    inflow = vector([10.0, 40.0, 20.0, 0.0])
    found = effect_draws(both, NOW, value=VALUE, discount=0.1, inflow=inflow)
    base = expected(draws, NOW, horizon=3, inflow=inflow)
    np.testing.assert_allclose(found["customers"].sel(programme="baseline"), base)
    gained = found["money"][1] - found["money"][0]
    np.testing.assert_allclose(found["money_gained"], gained)
    np.testing.assert_allclose(
        found["total_gained"], (gained * 1.1 ** -np.arange(4.0)).sum("horizon")
    )
    assert found["customers"].dims == ("programme", "sample", "horizon", "state")
    assert float(found["total_gained"].min()) > 0.0
    summary = effect(both, NOW, value=VALUE, discount=0.1, inflow=inflow)
    assert float(summary["total_gained_mean"]) == pytest.approx(float(found["total_gained"].mean()))
    assert summary["money_gained_upper"].dims == ("horizon",)
    assert summary.attrs["unit"] == "EUR"


def test_levels_weigh_the_money():
    draws, members = drawn(rng(), 30), filtered(rng(2), 30, 5)
    level = xr.DataArray(np.full(5, 3.0), dims="customer")
    both = programme(draws, [Shift("premium", "churned", -0.4)], horizon=3)
    plain = effect_draws(both, present(members), value=VALUE)
    thrice = effect_draws(both, present(members, level), value=VALUE)
    np.testing.assert_allclose(thrice["money"], 3.0 * plain["money"])
    np.testing.assert_allclose(thrice["customers"], plain["customers"])


def test_the_baseline_may_change_over_time():
    varying = matrix([CHAIN, CHAIN @ CHAIN], "horizon").assign_coords(horizon=[1, 2])
    both = programme(varying, [Shift("premium", "churned", -1.0)], horizon=2)
    np.testing.assert_allclose(both.sel(programme="baseline", horizon=2)[0], CHAIN @ CHAIN)
    assert float(both.sel(programme="programme", state="premium", state_to="churned").max()) == 0.0


@pytest.mark.parametrize(
    ("shifts", "message"),
    [
        ([Shift("gold", "churned", -0.1)], "Name a state out of"),
        ([Shift("premium", "gold", -0.1)], "Name where customers in 'premium' go"),
        ([Shift("premium", "premium", -0.1)], "Name where customers in 'premium' go: exp"),
        ([Shift("premium", "churned", -1.1)], "Give a relative change of at least"),
        ([Shift("premium", "churned", np.nan)], "Give the change of 'premium' as a number"),
        ([Shift("premium", "churned", xr.DataArray([0.1, 0.2], dims="sample"))],
         "one finite number per draw"),
        ([Shift("standard", "premium", 11.0)], "Make the change of 'standard' smaller"),
        ([Shift("standard", "premium", 14.0, freed="proportional")], "in 100% of the draws"),
        ([Shift("premium", "churned", -0.1, scale="odds")], "Choose the scale of a change"),
        ([Shift("premium", "churned", -0.1, freed="nowhere")], "Choose where freed mass goes"),
        ([Shift("premium", "churned", -0.1), Shift("premium", "churned", -0.2)],
         "Let the shifts of 'premium' name different targets"),
        ([Shift("premium", "churned", -0.1), Shift("premium", "basic", -0.2, freed="proportional")],
         "the same place for what they free"),
    ],
)  # fmt: skip
def test_impossible_programmes_are_refused_in_words(shifts, message):
    with pytest.raises(UsageError, match=message):
        programme(drawn(rng(), 5, 2000), shifts, horizon=2)


def test_what_does_not_fit_is_refused_in_words():
    draws, shift = drawn(rng(), 5), [Shift("premium", "churned", -0.1)]
    with pytest.raises(UsageError, match="Give a horizon of at least 1 period"):
        programme(draws, shift, horizon=0)
    with pytest.raises(UsageError, match="Give the ramp as shares from 0 to 1"):
        programme(draws, shift, horizon=1, ramp=shares([2.0]))
    with pytest.raises(UsageError, match="Give the ramp for every horizon"):
        programme(draws, shift, horizon=2, ramp=shares([1.0]))
    with pytest.raises(UsageError, match="Give the ramp for the same draws"):
        programme(draws, shift, horizon=1, ramp=shares([1.0]).expand_dims(sample=3))
    with pytest.raises(UsageError, match="Give the transitions that `programme` returns"):
        effect(draws, NOW, value=VALUE)
    with pytest.raises(UsageError, match="Give a discount rate of at least 0"):
        effect(programme(draws, shift, horizon=1), NOW, value=VALUE, discount=-0.1)
