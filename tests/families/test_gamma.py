import numpy as np
import pytest
from scipy import stats

from families.cases import default_priors, frozen, sums_of
from softseg.families import family
from softseg.families.base import Observed
from softseg.families.positive import GAMMA_SHAPE, Conditional

GAMMA = family("gamma")


def test_maximum_likelihood_is_scipys(rng):
    values = rng.gamma(3.0, 20.0, size=500)
    observed = frozen(GAMMA, Observed(values))
    sums = sums_of(GAMMA.encode(observed), np.ones((500, 1)))
    start = {"mean": np.array([1.0]), "shape": np.array([100.0])}
    found = GAMMA.maximise(sums, start, None, observed.coding)
    shape, _, scale = stats.gamma.fit(values, floc=0)
    assert found["shape"][0] == pytest.approx(shape, rel=1e-5)
    assert found["mean"][0] == pytest.approx(shape * scale, rel=1e-9)


def test_narrow_values_far_from_one_keep_their_digits(rng):
    """Amounts around 1e9 that vary by a ten-thousandth: shape 1e8."""
    values = rng.normal(1e9, 1e5, size=2000)
    observed = frozen(GAMMA, Observed(values))
    sums = sums_of(GAMMA.encode(observed), np.ones((2000, 1)))
    start = {"mean": np.array([2e9]), "shape": np.array([1.0])}
    found = GAMMA.maximise(sums, start, None, observed.coding)
    assert found["mean"][0] == pytest.approx(values.mean(), rel=1e-12)
    assert found["shape"][0] == pytest.approx((values.mean() / values.std()) ** 2, rel=1e-3)
    priors = default_priors("gamma", observed, 1)
    state = found
    for _ in range(5):
        state = GAMMA.update(rng, sums, state, priors, observed.coding)
    assert state["shape"][0] == pytest.approx(found["shape"][0], rel=0.2)


def test_equal_values_meet_the_ceiling_of_the_shape():
    observed = frozen(GAMMA, Observed(np.array([1.0, 1.0, 5.0, 9.0])))
    weights = np.array([[1.0], [1.0], [0.0], [0.0]])
    sums = sums_of(GAMMA.encode(observed), weights)
    start = {"mean": np.array([3.0]), "shape": np.array([2.0])}
    found = GAMMA.maximise(sums, start, None, observed.coding)
    sd = found["mean"] / np.sqrt(found["shape"])
    assert found["mean"][0] == pytest.approx(1.0, rel=1e-12)
    assert sd[0] == pytest.approx(1e-3 * observed.coding.scale, rel=1e-6)


def test_normaliser_is_smooth_where_it_changes_its_formula():
    customers = Conditional(GAMMA_SHAPE, np.ones(2), np.zeros(2))
    below, above = customers.at(np.array([1e4 * (1 - 1e-12), 1e4 * (1 + 1e-12)]))
    assert below == pytest.approx(above, abs=1e-9)


def test_strayed_sums_give_finite_values(rng):
    """Accelerated EM extrapolates sums: they may lie outside what data can give."""
    values = rng.gamma(3.0, 20.0, size=50)
    observed = frozen(GAMMA, Observed(values))
    sums = sums_of(GAMMA.encode(observed), np.ones((50, 1)))
    strayed = type(sums)(np.array([[3.0, -70.0]]), sums.measure, sums.counts, sums.cells)
    start = {"mean": np.array([1.0]), "shape": np.array([1.0])}
    for priors in (None, default_priors("gamma", observed, 1)):
        found = GAMMA.maximise(strayed, start, priors, observed.coding)
        assert all(np.isfinite(value).all() and (value > 0).all() for value in found.values())
