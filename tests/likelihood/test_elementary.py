"""The polynomials against the library's functions, over the whole range in which they are used."""

import numpy as np
from numba import njit

from softseg.likelihood.elementary import LOWEST, exponential, logarithm


@njit
def exponentials(x):
    result = np.empty(len(x))
    for i in range(len(x)):
        result[i] = exponential(x[i])
    return result


@njit
def logarithms(x):
    result = np.empty(len(x))
    for i in range(len(x)):
        result[i] = logarithm(x[i])
    return result


def test_exponential_is_accurate_over_its_whole_range():
    x = np.concatenate([np.linspace(LOWEST, 700.0, 40_001), np.linspace(-2.0, 2.0, 4001)])
    np.testing.assert_allclose(exponentials(x), np.exp(x), rtol=1e-14)


def test_exponential_of_zero_is_one():
    np.testing.assert_array_equal(exponentials(np.zeros(3)), 1.0)


def test_logarithm_is_accurate_over_all_normal_numbers():
    x = np.exp(np.linspace(-700.0, 700.0, 40_001))
    np.testing.assert_allclose(logarithms(x), np.log(x), rtol=1e-14, atol=1e-15)
    near_one = 1.0 + np.linspace(-0.4, 1.0, 4001)
    np.testing.assert_allclose(logarithms(near_one), np.log(near_one), rtol=1e-14, atol=1e-15)


def test_logarithm_of_one_is_zero():
    np.testing.assert_array_equal(logarithms(np.ones(3)), 0.0)
