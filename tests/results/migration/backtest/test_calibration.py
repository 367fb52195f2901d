"""Calibration against SciPy's exact intervals, an independent fit, and known truth."""

import numpy as np
import pytest
import xarray as xr
from scipy import special
from scipy.optimize import minimize
from scipy.stats import binomtest

from softseg.errors import UsageError
from softseg.results.migration.backtest.calibration import calibration, clopper_pearson


def array(x, *dims):
    return xr.DataArray(np.asarray(x, dtype=float), dims=dims or ("customer",))


@pytest.mark.parametrize(("events", "n"), [(0, 7), (7, 7), (3, 20), (150, 1000)])
def test_bands_are_those_of_clopper_and_pearson(events, n):
    expected = binomtest(events, n).proportion_ci(0.9, method="exact")
    lower, upper = clopper_pearson(np.array([events * 1.0]), np.array([n * 1.0]))
    assert (lower[0], upper[0]) == pytest.approx((expected.low, expected.high))


def test_a_true_warning_is_calibrated():
    rng = np.random.default_rng(1)
    p = rng.beta(1.0, 6.0, 20_000)
    y = (rng.random(20_000) < p).astype(float)
    found = calibration(array(p), array(y))
    assert float(found["slope_lower"]) < 1.0 < float(found["slope_upper"])
    assert 0.9 < float(found["slope"]) < 1.1
    assert float(found["offset_lower"]) < 0.0 < float(found["offset_upper"])
    assert found.sizes["bin"] == 10
    inside = (found["lower"] <= found["predicted"]) & (found["predicted"] <= found["upper"])
    assert int(inside.sum()) >= 7
    assert float(found["cases"].sum()) == float(found["histogram"].sum()) == 20_000


def test_too_extreme_a_warning_has_half_the_slope():
    rng = np.random.default_rng(2)
    logit = rng.normal(-1.0, 1.0, 20_000)
    y = (rng.random(20_000) < special.expit(logit)).astype(float)
    found = calibration(array(special.expit(2.0 * logit + 1.0)), array(y))
    assert float(found["slope"]) == pytest.approx(0.5, abs=0.04)
    assert float(found["intercept"]) == pytest.approx(-0.5, abs=0.06)


def test_slope_and_intercept_are_the_maximum_likelihood():
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.95, 200)
    y = (rng.random(200) < p**2).astype(float)
    found = calibration(array(p), array(y))

    def loss(b):
        eta = b[0] + b[1] * special.logit(p)
        return -(y * special.log_expit(eta) + (1 - y) * special.log_expit(-eta)).sum()

    best = minimize(loss, [0.0, 1.0], tol=1e-10).x
    assert [float(found["intercept"]), float(found["slope"])] == pytest.approx(best, abs=1e-4)
    alone = minimize(lambda a: loss([a[0], 1.0]), [0.0], tol=1e-10).x
    assert float(found["offset"]) == pytest.approx(alone[0], abs=1e-4)


def test_a_customer_seen_twice_is_not_two():
    """Doubling every case leaves the error of a clustered fit as it was."""
    rng = np.random.default_rng(4)
    p = rng.uniform(0.05, 0.95, 300)
    y = (rng.random(300) < p).astype(float)
    once = calibration(array(p), array(y))
    twice = calibration(array([p, p], "origin", "customer"), array([y, y], "origin", "customer"))
    assert float(twice["slope_upper"]) == pytest.approx(float(once["slope_upper"]))
    assert twice.attrs["judged"] == 600


def test_censored_customers_are_counted_and_not_judged():
    p, y = np.linspace(0.1, 0.9, 20), np.tile([0.0, 1.0], 10)
    y[[3, 9]] = np.nan
    found = calibration(array(p), array(y), bins=3)
    assert found.attrs == {"judged": 18, "not_judged": 2}
    assert float(found["cases"].sum()) == 18.0


def test_where_there_is_no_slope_there_is_none():
    for p, y in (
        (np.full(9, 0.3), np.tile([0.0, 1.0, 0.0], 3)),
        (np.linspace(0.1, 0.9, 9), np.zeros(9)),
        (np.linspace(0.1, 0.9, 9), (np.arange(9) > 4).astype(float)),
    ):
        assert np.isnan(float(calibration(array(p), array(y))["slope"]))
    one = calibration(array(np.full(9, 0.3)), array(np.tile([0.0, 1.0, 0.0], 3)))
    assert one.sizes["bin"] == 1
    assert float(one["offset"]) == pytest.approx(special.logit(1 / 3) - special.logit(0.3))


def test_certain_predictions_are_held_off_the_edge():
    found = calibration(array([0.0, 1.0, 0.5, 0.5]), array([0.0, 1.0, 1.0, 0.0]), bins=2)
    assert float(found["cases"].sum()) == 4.0


def test_no_bins_are_refused():
    with pytest.raises(UsageError, match="Give the number of bins as a whole number"):
        calibration(array([0.5]), array([1.0]), bins=0)
