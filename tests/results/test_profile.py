import numpy as np
import pytest
import xarray as xr
from scipy import stats

from results.worlds import World, world
from softseg.models.mixture import Values
from softseg.results.profile import powers, profile


def line(found: xr.Dataset, indicator: str, measure: str, level: str = "") -> xr.Dataset:
    chosen = (
        (found["line_indicator"].values == indicator)
        & (found["measure"].values == measure)
        & ((found["level"].values == level) | (level == ""))
    )
    assert chosen.sum() == 1
    return found.isel(line=int(np.flatnonzero(chosen)[0]))


def test_lines_hold_the_parameters_in_the_unit_of_the_data(mixed: World):
    found, values = mixed.tree["profile"].to_dataset(), mixed.values
    orders = line(found, "orders", "rate")
    rate = values.indicators["orders"]["rate"]
    np.testing.assert_allclose(orders["mean"], rate.mean(axis=0))
    np.testing.assert_allclose(orders["lower"], np.quantile(rate, 0.05, axis=0))
    np.testing.assert_allclose(orders["upper"], np.quantile(rate, 0.95, axis=0))
    value = line(found, "value", "median")
    expected = np.exp(values.indicators["value"]["log_mean"]).mean(axis=0)
    np.testing.assert_allclose(value["mean"], expected)
    assert list(found["segment_name"].values) == ["Größte", "Mittlere", "Übrige"]


def test_every_indicator_and_level_has_a_line(mixed: World):
    found = mixed.tree["profile"].to_dataset()
    assert set(found["line_indicator"].values) == set(mixed.schema.indicators)
    levels = found["level"].values[found["line_indicator"].values == "industry"]
    assert list(levels) == ["a", "b", "c"]
    assert line(found, "online", "share")["level"].item() == "yes"


def test_ratio_lift_is_relative_to_the_base_of_each_draw(mixed: World):
    share, rate = mixed.values.share, mixed.values.indicators["orders"]["rate"]
    base = (share * rate).sum(axis=1)
    found = line(mixed.tree["profile"].to_dataset(), "orders", "rate")
    assert found["lift_kind"].item() == "ratio"
    assert float(found["base"]) == pytest.approx(base.mean())
    lift = rate / base[:, None]
    np.testing.assert_allclose(found["lift_mean"], lift.mean(axis=0))
    np.testing.assert_allclose(found["lift_lower"], np.quantile(lift, 0.05, axis=0))


def test_difference_lift_is_in_sd_of_the_whole_table(mixed: World):
    share = mixed.values.share
    mean, sd = (mixed.values.indicators["amount"][name] for name in ("mean", "sd"))
    base = (share * mean).sum(axis=1)
    total = np.sqrt((share * (sd**2 + mean**2)).sum(axis=1) - base**2)
    found = line(mixed.tree["profile"].to_dataset(), "amount", "mean")
    assert found["lift_kind"].item() == "difference"
    lift = (mean - base[:, None]) / total[:, None]
    np.testing.assert_allclose(found["lift_mean"], lift.mean(axis=0))
    spread = line(mixed.tree["profile"].to_dataset(), "amount", "sd")
    assert spread["lift_kind"].item() == "none"
    assert bool(spread["lift_mean"].isnull().all())


def test_units_follow_the_measure():
    plain = world({"orders": "poisson", "value": "lognormal", "online": "bernoulli"}, n=20)
    entries = dict(plain.schema.indicators)
    for name, update in {
        "orders": {"unit": "orders", "exposure_unit": "year"},
        "value": {"unit": "EUR"},
        "online": {"unit": "x"},
    }.items():
        entries[name] = entries[name].model_copy(update=update)
    schema = plain.schema.model_copy(update={"indicators": entries})
    found = profile(plain.statistics, plain.values, schema)
    assert line(found, "orders", "rate")["unit"].item() == "orders / year"
    assert line(found, "value", "median")["unit"].item() == "EUR"
    assert line(found, "value", "log_sd")["unit"].item() == ""
    assert line(found, "online", "share")["unit"].item() == ""


def test_power_of_an_answer_by_hand():
    plain = world({"online": "bernoulli"}, n=40, shape=(1, 3), share=(0.6, 0.4), missing=0.2)
    values, column = plain.values, plain.table.columns["online"]
    observed = column[~np.isnan(column)].astype(int)
    expected = []
    for share, p in zip(values.share, values.indicators["online"]["probability"], strict=True):
        inside = share * np.stack([1 - p, p])
        left = stats.entropy(inside, axis=1)[observed].mean()
        expected.append(1 - left / stats.entropy(share))
    np.testing.assert_allclose(powers(plain.statistics, values, "online"), expected, atol=1e-12)


def test_power_is_one_for_a_perfect_indicator_and_zero_for_an_idle_one(mixed: World):
    sharp = dict(mixed.values.indicators)
    sharp["amount"] = {
        "mean": np.full_like(mixed.values.share, 1.0) * [-1e4, 0.0, 1e4],
        "sd": np.full_like(mixed.values.share, 1.0),
    }
    idle = {name: np.repeat(x[:, :1], 3, axis=1) for name, x in sharp["orders"].items()}
    values = Values(mixed.values.share, sharp | {"orders": idle})
    assert powers(mixed.statistics, values, "amount") == pytest.approx(1.0)
    assert powers(mixed.statistics, values, "orders") == pytest.approx(0.0, abs=1e-12)


def test_power_lies_between_with_an_interval(mixed: World):
    found = mixed.tree["profile"].to_dataset()
    assert list(found["indicator"].values) == list(mixed.schema.indicators)
    assert bool((found["power_lower"] <= found["power_mean"]).all())
    assert bool((found["power_mean"] <= found["power_upper"]).all())
    assert float(found["power_upper"].max()) <= 1.0
    assert float(found["power_mean"].min()) > 0.0


def test_one_segment_has_no_power(one_segment: World):
    found = one_segment.tree["profile"].to_dataset()
    assert bool(found["power_mean"].isnull().all())
    lift = line(found, "online", "share")["lift_mean"]
    np.testing.assert_allclose(lift, 1.0)


def test_permuted_segments_move_along(mixed: World):
    order = np.array([1, 2, 0])
    found = profile(mixed.statistics, mixed.values.permuted(order), mixed.schema)
    before = mixed.tree["profile"].to_dataset()
    np.testing.assert_allclose(found["mean"], before["mean"].values[:, order])
    np.testing.assert_allclose(found["base"], before["base"])
    np.testing.assert_allclose(found["power_mean"], before["power_mean"], atol=1e-12)
