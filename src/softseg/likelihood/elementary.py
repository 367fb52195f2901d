"""Exponential and logarithm as polynomials, which the compiler vectorises.

Those of the C library are calls, one number at a time. These are plain arithmetic on one number, so
that a loop over contiguous numbers becomes vector instructions. The coefficients interpolate at the
Chebyshev nodes of the reduced range; the leading terms, which decide near the origin, are exact.
"""

from typing import Any

import numpy as np
from numba import njit

LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
LOWEST = -708.0
"""Least argument of the exponential: below it the result is no normal number, and is 0 to us."""

E2, E3, E4, E5, E6, E7, E8, E9, E10 = (
    0.49999999999999983,
    0.1666666666664839,
    0.041666666666755066,
    0.008333333353654791,
    0.0013888888858577485,
    0.0001984120886139283,
    2.4801602926297896e-05,
    2.7625052773938837e-06,
    2.758485720105699e-07,
)
L1, L2, L3, L4, L5, L6 = (
    0.6666666666666198,
    0.4000000001131016,
    0.2857142411308601,
    0.22222864639695833,
    0.18140100298211084,
    0.16623136856537213,
)

EXPONENT_BITS = 52
TO_EXPONENT = 4503599627370496.0 + 1023.0
"""Added to a whole number, it leaves the biased exponent of that power of two in the low bits."""
ROOT_HALF_BITS = 0x3FE6A09E667F3BCD


COMPILED: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy", "inline": "always"}


@njit(**COMPILED)
def exponential(x):  # pragma: no cover
    """Return exp x for `LOWEST` ≤ x ≤ 700; relative error below 1e-14."""
    whole = np.floor(x * LOG2_E + 0.5)
    r = (x - whole * LN2_HIGH) - whole * LN2_LOW
    p = E10 * r + E9
    p = p * r + E8
    p = p * r + E7
    p = p * r + E6
    p = p * r + E5
    p = p * r + E4
    p = p * r + E3
    p = p * r + E2
    p = p * r + 1.0
    p = p * r + 1.0
    power = np.int64(np.float64(whole + TO_EXPONENT).view(np.int64) << EXPONENT_BITS)
    return p * power.view(np.float64)


@njit(**COMPILED)
def logarithm(x):  # pragma: no cover
    """Return log x for a normal number x > 0, by 2 artanh((m − 1)/(m + 1)), x = m · 2ᵉ."""
    bits = np.float64(x).view(np.int64)
    e = (bits - ROOT_HALF_BITS) >> EXPONENT_BITS
    m = np.int64(bits - (e << EXPONENT_BITS)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = L6 * z + L5
    p = p * z + L4
    p = p * z + L3
    p = p * z + L2
    p = p * z + L1
    p = p * z + 2.0
    return e * LN2_HIGH + (s * p + e * LN2_LOW)
