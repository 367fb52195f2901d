"""What acting would have brought, counted by hand and against known truth."""

import numpy as np
import pytest
import xarray as xr

from softseg.decisions.migration.acting import acting
from softseg.errors import UsageError


def array(x, *dims):
    return xr.DataArray(np.asarray(x, dtype=float), dims=dims or ("customer",))


def test_by_hand():
    p, y = array([0.9, 0.5, 0.2, 0.1, 0.7]), array([1, 0, 1, 0, np.nan])
    found = acting(p, y, contact_costs=[20.0, 60.0, 200.0], value_saved=200.0, uplift=0.5)
    np.testing.assert_allclose(found["threshold"], [0.2, 0.6, 2.0])
    np.testing.assert_allclose(found["contacted"], [0.5, 0.25, 0.0])
    np.testing.assert_allclose(found["warning"], [(80 - 20) / 4, 40 / 4, 0.0])
    np.testing.assert_allclose(found["everybody"], [(200 - 80) / 4, (200 - 240) / 4, -150.0])
    np.testing.assert_allclose(found["foresight"], [160 / 4, 80 / 4, 0.0])
    np.testing.assert_allclose(found["advantage"], [15.0 - 30.0, 10.0, 0.0])
    assert found.attrs == {"judged": 4, "not_judged": 1}


def test_a_calibrated_warning_beats_everybody_and_nobody():
    rng = np.random.default_rng(1)
    p = rng.beta(0.5, 2.0, 20_000)
    y = (rng.random(20_000) < p).astype(float)
    value = array(rng.lognormal(6.0, 1.0, 20_000))
    found = acting(array(p), array(y), contact_costs=[5, 20, 80], value_saved=value, uplift=0.3)
    assert np.all(found["advantage"] > 3 * found["advantage_error"])
    assert np.all(found["warning"] < found["foresight"])
    # what a calibrated warning promises is what it brings
    promise = np.maximum(p * value.values * 0.3 - 20, 0.0).mean()
    assert float(found["warning"][1]) == pytest.approx(promise, rel=0.05)


def test_no_uplift_is_worth_nothing():
    found = acting(array([0.9]), array([1.0]), contact_costs=[1.0], value_saved=10.0, uplift=0.0)
    assert float(found["warning"][0]) == 0.0
    assert np.isinf(float(found["threshold"][0]))


def test_what_does_not_fit_is_refused_in_words():
    p, y = array([0.9, 0.1]), array([1.0, 0.0])
    for change, message in (
        ({"uplift": 1.5}, "Give the uplift as a number from 0 to 1"),
        ({"contact_costs": [0.0]}, "Give the costs of a contact as numbers above 0"),
        ({"value_saved": -1.0}, "Give the value saved as finite numbers of at least 0"),
        ({"value_saved": array([1.0])}, "Give the value saved as a number or one per customer"),
    ):
        given = {"contact_costs": [1.0], "value_saved": 10.0, "uplift": 0.5} | change
        with pytest.raises(UsageError, match=message):
            acting(p, y, **given)
