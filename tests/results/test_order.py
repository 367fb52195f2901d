"""Quantiles by counting against NumPy's by sorting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit

from softseg.results.order import aims, moments, quantile

PROBABILITIES = (0.05, 0.5, 0.95)


def quantiles(values: np.ndarray) -> np.ndarray:
    bits = values.view(np.int64)
    every = aims(PROBABILITIES, len(values))
    return np.array([quantile(values, bits, aim, *moments(bits)) for aim in every])


@given(arrays(float, st.integers(1, 60), elements=st.floats(0.0, 1.0)))
def test_any_numbers(values: np.ndarray):
    np.testing.assert_allclose(
        quantiles(values), np.quantile(values, PROBABILITIES), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("n", [2, 199, 200, 1000])
@pytest.mark.parametrize("middle", [-800.0, -30.0, -2.0, 0.0, 5.0, 36.5])
@pytest.mark.parametrize("width", [0.1, 3.0])
def test_memberships_from_certain_to_impossible(n: int, middle: float, width: float):
    rng = np.random.default_rng(n)
    for logit in rng.normal(middle, width, (20, n)):
        values = expit(logit)
        np.testing.assert_allclose(
            quantiles(values), np.quantile(values, PROBABILITIES), rtol=1e-12, atol=0
        )


@pytest.mark.parametrize("n_distinct", [1, 2, 3, 10])
def test_equal_numbers(n_distinct: int):
    rng = np.random.default_rng(n_distinct)
    for _ in range(20):
        values = rng.integers(0, n_distinct, 200) / n_distinct
        np.testing.assert_allclose(quantiles(values), np.quantile(values, PROBABILITIES), atol=0)
