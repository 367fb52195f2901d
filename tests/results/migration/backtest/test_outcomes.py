"""Which customers are judged: nobody whose window is cut off, nobody already gone."""

import numpy as np
import pytest
import xarray as xr

from softseg.errors import UsageError
from softseg.results.migration.backtest.outcomes import judged, outcomes


def array(x):
    return xr.DataArray(np.asarray(x, dtype=float), dims="customer")


def test_by_hand():
    event = array([3, 5, np.nan, 8, np.nan, np.nan])
    until = array([10, 10, 10, 10, 6, 10])
    since = array([0, 0, 0, 0, 0, 6])
    found = outcomes(event, until, origins=[4, 8], horizon=3, seen_from=since)
    nan = np.nan
    expected = [[nan, 1, 0, 0, nan, nan], [nan] * 6]
    np.testing.assert_array_equal(found["outcome"], expected)
    np.testing.assert_array_equal(found["censored"], [1, 2])
    np.testing.assert_array_equal(found["not_at_risk"], [2, 4])
    np.testing.assert_array_equal(found["judged"], [3, 0])
    parts = found["judged"] + found["censored"] + found["not_at_risk"]
    np.testing.assert_array_equal(parts, 6)


def test_a_window_cut_short_does_not_keep_its_events_alone():
    """The share of events among the judged is the true one, however censoring falls."""
    rng = np.random.default_rng(1)
    event = array(rng.geometric(0.2, 50_000).astype(float))
    until = array(rng.integers(0, 12, 50_000))
    found = outcomes(event, until, origins=[0], horizon=4)
    share = float(found["outcome"].mean())
    n = int(found["judged"][0])
    assert share == pytest.approx(1 - 0.8**4, abs=4 * np.sqrt(0.25 / n))


def test_what_does_not_fit_is_refused_in_words():
    event, until = array([1, np.nan]), array([5, 5])
    with pytest.raises(UsageError, match="Give at least one origin"):
        outcomes(event, until, origins=[], horizon=1)
    with pytest.raises(UsageError, match="Give the horizon as a whole number"):
        outcomes(event, until, origins=[1], horizon=0)
    with pytest.raises(UsageError, match="Give both periods for the same customers"):
        outcomes(event, array([5]), origins=[1], horizon=1)
    with pytest.raises(UsageError, match="Choose earlier origins or a shorter horizon"):
        judged(array([0.1, 0.2]), array([np.nan, np.nan]))
    with pytest.raises(UsageError, match="Give one prediction per outcome"):
        judged(array([0.1]), array([0, 1]))
    with pytest.raises(UsageError, match="Give outcomes as 1, 0, or NaN"):
        judged(array([0.1, 0.2]), array([0, 2]))
    with pytest.raises(UsageError, match="Give a probability from 0 to 1"):
        judged(array([0.1, np.nan]), array([0, 1]))
