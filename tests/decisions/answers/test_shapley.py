import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import qmc

from softseg.decisions.answers.regression import design, moments, regress
from softseg.decisions.answers.shapley import OTHER, shapley_effects


def normal(n_columns: int, n: int = 1024, n_replicates: int = 16, seed: int = 0) -> np.ndarray:
    parts = [
        qmc.Sobol(n_columns, rng=np.random.default_rng([seed, r])).random(n)
        for r in range(n_replicates)
    ]
    return ndtri(np.concatenate(parts)).T


@pytest.mark.parametrize(
    ("rho", "own", "expected"),
    [
        (0.5, 1.0, [2.375 / 7.0, 4.625 / 7.0]),
        (0.0, 1.0, [0.2, 0.8]),
        (0.5, 0.0, [0.875, 0.125]),  # the second has no effect of its own
    ],
)
def test_gaussian_closed_forms(rho: float, own: float, expected: list[float]):
    z = normal(2)
    x1, x2 = z[0], 2.0 * (rho * z[0] + np.sqrt(1.0 - rho**2) * z[1])
    found = shapley_effects(
        x1 + own * x2, {"x1": x1, "x2": x2}, np.random.default_rng(1), n_replicates=16
    )
    assert found.players == ("x1", "x2")
    assert found.share.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found.share[:, 0], expected, atol=2e-3)
    assert (np.abs(found.share[:, 0] - expected) < 4.0 * found.error[:, 0] + 1e-4).all()
    assert found.unexplained[0] == pytest.approx(0.0, abs=1e-6)


def product_game(squares: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return the Shapley effects of a product of independent factors, by all orders."""
    from itertools import permutations

    def index(known: tuple[int, ...]) -> float:
        left = [i for i in range(len(means)) if i not in known]
        return float(np.prod(squares[list(known)]) * np.prod(means[left] ** 2))

    effect = np.zeros(len(means))
    orders = list(permutations(range(len(means))))
    for order in orders:
        for place, player in enumerate(order):
            effect[player] += index(order[: place + 1]) - index(order[:place])
    return effect / effect.sum()


def test_switch_times_effect():
    z = normal(3)
    works = (z[0] > ndtri(0.3)).astype(float)
    share, amount = 0.5 + 0.1 * z[1], np.exp(0.4 * z[2])
    x = {"share": share, "amount": amount, "works": works}
    found = shapley_effects(works * share * amount, x, np.random.default_rng(1), n_replicates=16)
    means = np.array([0.5, np.exp(0.08), 0.7])
    squares = np.array([0.26, np.exp(0.32), 0.7])
    expected = product_game(squares, means)
    np.testing.assert_allclose(found.share[:, 0], expected, atol=5e-3)
    assert found.unexplained[0] < 1e-3


def test_many_players_and_the_remainder():
    z = normal(30)
    x = {f"x{i}": z[i] for i in range(30)}
    weights = np.zeros(30)
    weights[[0, 3, *range(10, 20)]] = [2.0, 1.0, *[0.5] * 10]
    y = weights @ z
    found = shapley_effects(y, x, np.random.default_rng(1), n_orders=16, n_replicates=16)
    assert found.players == ("x0", "x3", *(f"x{i}" for i in range(10, 20)), OTHER)
    assert len(found.members[-1]) == 18
    assert found.n_orders == 16
    expected = np.append(weights[weights > 0.0] ** 2, 0.0) / (weights**2).sum()
    np.testing.assert_allclose(found.share[:, 0], expected, atol=5e-3)
    assert (np.abs(found.share[:, 0] - expected) < 5.0 * found.error[:, 0] + 1e-4).all()


def test_an_idle_input_that_moves_with_an_active_one_is_no_remainder():
    z = normal(13)
    x = {f"x{i}": z[i] for i in range(12)}
    x["idle"] = 0.6 * z[0] + 0.8 * z[12]
    found = shapley_effects(z[0] + z[1], x, np.random.default_rng(1), n_orders=16, n_replicates=4)
    # Alone it says 0.36 of z0, which is half of the variance; its Shapley effect is half of that.
    assert dict(zip(found.players, found.share[:, 0], strict=True))["idle"] == pytest.approx(
        0.09, abs=0.01
    )


def test_random_orders_agree_with_all_sets(monkeypatch: pytest.MonkeyPatch):
    z = normal(5)
    x = {f"x{i}": z[i] + 0.5 * z[0] for i in range(5)}
    y = x["x0"] * x["x1"] + x["x2"] + 0.2 * x["x3"] * x["x4"]
    exact = shapley_effects(y, x, np.random.default_rng(1), n_replicates=16)
    monkeypatch.setattr("softseg.decisions.answers.shapley.EXACT", 4)
    drawn = shapley_effects(y, x, np.random.default_rng(1), n_replicates=16, n_orders=400)
    assert exact.n_orders == 0
    assert drawn.n_orders == 400
    np.testing.assert_allclose(drawn.share, exact.share, atol=0.02)
    np.testing.assert_allclose(drawn.alone, exact.alone)


def test_groups_are_players_and_both_outcomes_are_told():
    z = normal(3)
    x = {"a": z[0], "b": z[1], "c": z[2]}
    y = np.stack([z[0] + z[1] + z[2], z[2]], axis=1)
    groups = {"a": "first", "b": "first", "c": "second"}
    found = shapley_effects(y, x, np.random.default_rng(1), groups=groups, n_replicates=16)
    assert found.players == ("first", "second")
    np.testing.assert_allclose(found.share, [[2 / 3, 0.0], [1 / 3, 1.0]], atol=5e-3)
    np.testing.assert_allclose(found.covariance.sum(axis=(1, 2)), 0.0, atol=1e-12)


def test_what_no_input_explains_is_reported():
    z = normal(3)
    x = {"a": z[0], "b": z[1]}
    found = shapley_effects(z[0] + z[2], x, np.random.default_rng(1), n_replicates=16)
    assert found.unexplained[0] == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(found.share[:, 0], [1.0, 0.0], atol=0.01)


def test_one_replicate_has_no_error_and_a_constant_no_shares():
    z = normal(2, n_replicates=1)
    x = {"a": z[0], "b": z[1]}
    found = shapley_effects(z[0], x, np.random.default_rng(1))
    assert np.isnan(found.error).all()
    constant = shapley_effects(np.full(1024, 0.1), x, np.random.default_rng(1))
    assert np.isnan(constant.share).all()


def test_regression_finds_curves_levels_and_nothing():
    z = normal(2)
    curve = regress(np.sin(z[0]) + z[1], z[0])
    inside = np.abs(z[0]) < 2.5
    assert np.abs(curve.fitted[inside, 0] - np.sin(z[0][inside])).max() < 0.1
    assert curve.explained[0] == pytest.approx(0.4323 / 1.4323, abs=0.01)
    level = np.floor(3.0 * np.abs(z[0])).clip(0, 4)
    steps = regress((level == 2) + z[1], level)
    assert len(np.unique(steps.fitted)) == 5
    np.testing.assert_allclose(steps.fitted[level == 2, 0], 1.0, atol=0.05)
    assert abs(regress(z[1], z[0]).explained[0]) < 2e-3
    assert regress(z[1], np.zeros_like(z[0])).explained[0] == pytest.approx(0.0, abs=1e-12)


def test_error_of_the_fit_holds_under_uneven_spread():
    rng = np.random.default_rng(1)
    at = []
    for _ in range(200):
        x = np.concatenate([[0.05], rng.random(499)])
        fit = regress(x * rng.standard_normal(500), x)
        at.append((fit.fitted[0, 0], fit.error(np.array([0]))[0, 0]))
    fitted, error = np.array(at).T
    assert np.mean(error) == pytest.approx(fitted.std(), rel=0.3)


def test_error_of_an_exact_fit_is_nothing():
    rng = np.random.default_rng(1)
    for _ in range(50):
        works = (rng.random(128) > 0.3).astype(float)
        y = 1e6 * np.stack([works * rng.random(128), works], axis=1) - 3e5
        fit = regress(y, works)
        no = np.flatnonzero(works == 0.0)[:1]
        assert fit.error(no)[0] == pytest.approx(0.0, abs=0.1)


def test_sums_over_parts_add_up():
    z = normal(3)
    made = design({"a": z[0], "b": z[1], "works": (z[2] > 0).astype(float)})
    y = (z[0] * z[1])[:, None]
    parts, (whole,) = moments(made, y, 4), moments(made, y)
    np.testing.assert_allclose(sum(parts[1:], parts[0]).gram, whole.gram)
    np.testing.assert_allclose((whole - parts[0]).cross, (whole - parts[0]).cross)
    assert (whole - parts[0]).count == 3 * 4096
