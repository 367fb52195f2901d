"""Leave-one-out, smoothed importance weights and criteria against ArviZ, published numbers and
closed forms."""

import numpy as np
import pytest
from scipy import stats

from builders import mixed_table, schema_of
from softseg.errors import UsageError
from softseg.families.namespace import NUMPY
from softseg.inference.criteria import bic, entropy, entropy_r2, icl
from softseg.inference.draws import Draws
from softseg.inference.loo import densities, difference, efficiency_of, loo
from softseg.inference.modes import find_modes
from softseg.inference.psis import smooth
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import Values, specify
from softseg.tables.prepare import prepare


@pytest.mark.parametrize("n", [60, 400, 1001])
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_smoothed_weights_are_those_of_arviz(n, scale):
    from arviz_stats.base import array_stats

    ratios = scale * np.random.default_rng(n).standard_normal((20, n))
    ratios[3] -= 900.0
    ratios[4] = scale * np.random.default_rng(1).standard_t(2, n)
    weights, k = smooth(ratios)
    expected, expected_k = array_stats.psislw(-ratios, axis=-1)
    np.testing.assert_allclose(k, expected_k, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(weights, expected, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(np.exp(weights).sum(axis=1), 1.0, rtol=1e-12)


def test_smoothed_weights_with_correlated_draws_are_those_of_arviz():
    from arviz_stats.base import array_stats

    ratios = np.random.default_rng(1).standard_normal((5, 1000))
    weights, k = smooth(ratios, efficiency=0.4)
    expected, expected_k = array_stats.psislw(-ratios, r_eff=0.4, axis=-1)
    np.testing.assert_allclose(k, expected_k, rtol=1e-8)
    np.testing.assert_allclose(weights, expected, rtol=1e-7)


def test_constant_ratios_get_equal_weights_and_no_shape():
    weights, k = smooth(np.full((2, 50), -3.0))
    np.testing.assert_allclose(np.exp(weights), 1 / 50)
    assert np.all(k == -np.inf)


def test_tails_without_a_fit_are_not_trusted():
    ratios = np.zeros((1, 100))
    ratios[0, :3] = [1.0, 2.0, 3.0]
    weights, k = smooth(ratios)
    assert np.isnan(k[0])
    np.testing.assert_allclose(np.exp(weights).sum(), 1.0)
    assert loo(-ratios.T, np.array([4.0])).n_bad == 4.0


def conjugate(n: int = 40, n_samples: int = 20_000):
    """Return densities, and the exact log density of each left-out value of a normal sample."""
    rng = np.random.default_rng(5)
    x = rng.normal(1.0, 1.0, n)
    precision = n + 0.01
    mean = rng.normal(x.sum() / precision, precision**-0.5, n_samples)
    rest = precision - 1.0
    exact = stats.norm.logpdf(x, (x.sum() - x) / rest, np.sqrt(1.0 + 1.0 / rest))
    return stats.norm.logpdf(x, mean[:, None], 1.0), exact


def test_left_out_densities_are_the_exact_ones_of_a_conjugate_model():
    log_density, exact = conjugate()
    result = loo(log_density, np.ones(len(exact)))
    np.testing.assert_allclose(result.pointwise, exact, atol=0.02)
    assert result.elpd == pytest.approx(exact.sum(), abs=0.1)
    assert result.se == pytest.approx(np.sqrt(len(exact)) * exact.std(ddof=1), rel=0.01)
    assert result.p_loo == pytest.approx(1.0, abs=0.35)
    assert result.n_bad == 0


def test_counts_are_customers():
    log_density, _ = conjugate(12, 500)
    count = np.arange(1.0, 13.0)
    rows = np.repeat(np.arange(12), count.astype(int))
    collapsed, spread = loo(log_density, count), loo(log_density[:, rows], np.ones(len(rows)))
    assert collapsed.elpd == pytest.approx(spread.elpd, rel=1e-12)
    assert collapsed.se == pytest.approx(spread.se, rel=1e-12)
    assert collapsed.p_loo == pytest.approx(spread.p_loo, rel=1e-9)


def test_efficiency_of_copies_and_of_chains():
    """Copies are told by the weights, chains by their autocorrelation; thinning mends both."""
    nothing = Values(np.ones((4, 1000, 1)), {})
    white = np.random.default_rng(1).normal(size=(4, 1000))
    ess = {"importance_ess": np.full((4, 1000), 400.0)}
    copies = Draws(nothing, white, ess, "laplace")
    assert efficiency_of(copies, 4000) == pytest.approx(0.1, rel=1e-3)
    assert efficiency_of(copies, 500) == pytest.approx(1 / (1 + 499 * (1 / 400 - 1 / 4000)))
    assert efficiency_of(Draws(nothing, white), 500) > 0.9
    slow = np.repeat(white[:, ::10], 10, axis=1)
    assert efficiency_of(Draws(nothing, slow), 4000) == pytest.approx(0.1, rel=0.3)
    assert efficiency_of(Draws(nothing, slow), 400) > 0.4
    assert efficiency_of(Draws(Values(np.ones((1, 2, 1)), {}), white[:1, :2]), 2) == 1.0


def test_difference_is_paired():
    log_density, _ = conjugate()
    count = np.ones(log_density.shape[1])
    first, second = loo(log_density, count), loo(log_density - 0.5, count)
    gap, se = difference(first, second)
    assert gap == pytest.approx(20.0)
    assert se == pytest.approx(0.0, abs=1e-9)
    assert difference(second, first)[0] == pytest.approx(-20.0)


def test_difference_refuses_other_tables():
    log_density, _ = conjugate()
    with pytest.raises(UsageError, match="Compare fits of the same table"):
        difference(loo(log_density, np.ones(40)), loo(log_density[:, :9], np.ones(9)))


def test_loo_refuses_a_wrong_number_of_patterns():
    with pytest.raises(UsageError, match=r"expected \(sample, 3\)"):
        loo(np.zeros((10, 4)), np.ones(3))


def test_densities_on_demand_are_those_of_the_kernel(monkeypatch):
    table, _ = mixed_table(40)
    statistics = reduce(table)
    mixture = specify(table.schema, 2)
    rng = np.random.default_rng(0)
    draws = [mixture.draw_prior(rng) for _ in range(30)]
    stacked = Values(
        np.stack([d.share for d in draws]),
        {
            name: {p: np.stack([d.indicators[name][p] for d in draws]) for p in group}
            for name, group in draws[0].indicators.items()
        },
    )
    direct = np.stack(
        [
            memberships(statistics, statistics.layout.weights(d.indicators, NUMPY), d.share)[1]
            for d in draws
        ]
    )
    part = densities(statistics, stacked)
    np.testing.assert_allclose(part(slice(5, 9)), direct[:, 5:9], rtol=1e-12)
    monkeypatch.setattr("softseg.inference.loo.MOST_NUMBERS", 200)
    whole, blocks = loo(direct, statistics.count), loo(part, statistics.count)
    np.testing.assert_allclose(blocks.pointwise, whole.pointwise, rtol=1e-12)
    assert blocks.elpd == pytest.approx(whole.elpd)


STOUFFER_TOBY = (
    "1111:20 1112:2 1121:9 1122:2 1211:6 1212:1 1221:4 1222:1 2111:38 2112:7 2121:24 2122:6 "
    "2211:25 2212:6 2221:23 2222:42"
)


def test_criteria_of_a_published_latent_class_model():
    """Goodman (1974), as in the documentation of poLCA: two classes, N = 216."""
    import pandas as pd

    cells, count = zip(*(entry.split(":") for entry in STOUFFER_TOBY.split()), strict=True)
    frame = pd.DataFrame([list(cell) for cell in cells], columns=list("ABCD"))
    frame["n"] = [int(c) for c in count]
    schema = schema_of(dict.fromkeys("ABCD", "categorical"), count="n")
    table = prepare(frame, schema)
    statistics, mixture = reduce(table), specify(table.schema, 2)
    best = find_modes(statistics, mixture, prior=None, rng=np.random.default_rng(1)).best
    weights = statistics.layout.weights(best.values.indicators, NUMPY)
    membership, _ = memberships(statistics, weights, best.values.share)
    assert best.log_likelihood == pytest.approx(-504.4677, abs=5e-5)
    assert entropy_r2(membership, statistics.count) == pytest.approx(0.7193, abs=5e-5)
    assert bic(best.log_likelihood, 9, 216) == pytest.approx(1057.313, abs=5e-4)
    spread = entropy(membership, statistics.count)
    found = icl(best.log_likelihood, 9, membership, statistics.count)
    assert found == pytest.approx(1057.313 + 2 * spread, abs=1e-3)
    assert spread == pytest.approx((1 - 0.7193) * 216 * np.log(2), abs=0.01)


def test_entropy_is_safe_where_a_membership_is_0():
    certain = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert entropy(certain, np.ones(2)) == 0.0
    assert entropy_r2(certain, np.ones(2)) == 1.0
    even = np.full((3, 4), 0.25)
    assert entropy(even, np.array([1.0, 2.0, 3.0])) == pytest.approx(6 * np.log(4))
    assert entropy_r2(even, np.ones(3)) == pytest.approx(0.0)
    assert np.isnan(entropy_r2(np.ones((3, 1)), np.ones(3)))
