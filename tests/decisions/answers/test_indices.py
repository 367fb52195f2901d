import numpy as np
import pytest
from scipy import stats

from softseg.decisions.answers.indices import sobol, sobol_indices
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import RoiModel
from softseg.errors import UsageError

FIRST, TOTAL = [0.3139, 0.4424, 0.0], [0.5576, 0.4424, 0.2437]


def ishigami(a, b, c):
    return np.sin(a) + 7.0 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)


def angle(u: np.ndarray) -> np.ndarray:
    return np.pi * (2.0 * u - 1.0)


def test_ishigami():
    found = sobol_indices(
        lambda x: ishigami(**x), dict.fromkeys("abc", angle), 2048, np.random.default_rng(1)
    )
    np.testing.assert_allclose(found.first, FIRST, atol=5e-3)
    np.testing.assert_allclose(found.total, TOTAL, atol=2e-3)
    assert (np.abs(found.first - FIRST) < 4.0 * found.first_error + 1e-4).all()
    assert (np.abs(found.total - TOTAL) < 4.0 * found.total_error + 1e-4).all()


def test_scipy_agrees():
    theirs = stats.sobol_indices(
        func=lambda x: ishigami(*x),
        n=4096,
        dists=[stats.uniform(-np.pi, 2.0 * np.pi)] * 3,
        rng=np.random.default_rng(1),
    )
    ours = sobol_indices(
        lambda x: ishigami(**x), dict.fromkeys("abc", angle), 1024, np.random.default_rng(2)
    )
    np.testing.assert_allclose(ours.first, theirs.first_order, atol=0.02)
    np.testing.assert_allclose(ours.total, theirs.total_order, atol=0.02)


def test_a_number_that_is_no_power_of_two_is_refused():
    with pytest.raises(UsageError, match=r"Give n as a power of two, got 1000\."):
        sobol_indices(lambda x: x["a"], {"a": angle}, 1000, np.random.default_rng(1))


def model(correlated: bool = False, copula: str = "gaussian") -> RoiModel:
    """Return one saving, one cost, one year: NPV = works × share × saving − cost."""
    inputs = {
        "no_effect": {"role": "no_effect", "unit": "share", "value": 0.3},
        "share": {"role": "realisation", "unit": "share", "low": 0.2, "high": 0.8, "sure": 1.0,
                  "family": "uniform"},
        "saving": {"role": "saving", "unit": "kEUR/year", "low": 50.0, "high": 150.0, "sure": 1.0,
                   "family": "uniform"},
        "cost": {"role": "one_off_cost", "unit": "kEUR", "low": 10.0, "high": 30.0, "sure": 1.0,
                 "family": "uniform"},
    }  # fmt: skip
    pair = {"between": ("saving", "cost"), "rank": 0.5 if correlated else 0.0}
    joined = correlated or copula == "t"
    dependence = {"copula": copula, "correlations": [pair] if joined else []}
    data = {"horizon": 1, "inputs": inputs, "dependence": dependence}
    return RoiModel(Assumptions.model_validate(data))


def test_indices_of_the_model_against_the_closed_form():
    found = sobol(model().simulate(16, 4096, seed=3), n_draws=4096)
    assert list(found.input.values) == ["share", "saving", "cost", "works"]
    mean = {"works": 0.7, "share": 0.5, "saving": 100.0}
    square = {"works": 0.7, "share": 0.25 + 0.03, "saving": 1e4 + 1e4 / 12.0}
    noise = 400.0 / 12.0
    product = np.prod(list(mean.values())) ** 2
    variance = np.prod(list(square.values())) - product + noise
    first = {n: product * (square[n] / mean[n] ** 2 - 1.0) / variance for n in mean}
    total = {
        n: np.prod(list(square.values())) * (1.0 - mean[n] ** 2 / square[n]) / variance
        for n in mean
    }
    for expected, name in ((first | {"cost": noise / variance}, "first_order"),
                           (total | {"cost": noise / variance}, "total")):  # fmt: skip
        for key, value in expected.items():
            one = found.sel(input=key)
            assert float(one[name]) == pytest.approx(value, abs=0.02)
            assert abs(float(one[name]) - value) < 4.0 * float(one[f"{name}_error"]) + 1e-4
    assert found.attrs["dependent"] == ""


@pytest.mark.parametrize("copula", ["gaussian", "t"])
def test_inputs_that_move_together_have_no_sobol_indices(copula: str):
    found = sobol(model(copula == "gaussian", copula).simulate(4, 256))
    assert found.attrs["dependent"] == "saving cost"
    missing = found.first_order.isnull() & found.total.isnull()
    assert list(found.input.values[missing.values]) == ["saving", "cost"]


def test_dependence_is_seen_in_posterior_draws():
    rng = np.random.default_rng(1)
    saving = rng.uniform(5e4, 1.5e5, 500)
    posterior = {"saving": saving, "cost": 0.1 * saving + rng.uniform(0.0, 1e4, 500)}
    found = sobol(model().simulate(4, 256, posterior=posterior))
    assert found.attrs["dependent"] == "saving cost"


def test_an_uncertain_probability_of_no_effect_moves_with_works():
    inputs = dict(model().assumptions.inputs)
    inputs["no_effect"] = inputs["no_effect"].model_copy(
        update={"value": None, "low": 0.1, "high": 0.5}
    )
    assumptions = model().assumptions.model_copy(update={"inputs": inputs})
    assert sobol(RoiModel(assumptions).simulate(4, 256)).attrs["dependent"] == "no_effect works"


def test_an_odd_number_of_replicates_is_refused():
    with pytest.raises(UsageError, match=r"Simulate an even number of replicates, got 3\."):
        sobol(model().simulate(3, 256))
