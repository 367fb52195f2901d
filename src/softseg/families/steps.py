"""The M step and the Gibbs step of every kind, compiled: `maximise_part`, `update_part`.

The same steps as `Family.maximise` (with priors) and `Family.update`, in the same order of random
numbers, for all segments at once and without Python in between; tests hold both together. They
serve conjugate priors, as `update` does, and any prior where a slice or Newton step is taken.
"""

import numpy as np
from numba import njit

from softseg.families.base import SCALE_FLOOR
from softseg.families.gamma import ROUNDS, TOLERANCE
from softseg.families.kinds import (
    BERNOULLI,
    CATEGORICAL,
    COMPILED,
    GAMMA,
    NORMAL,
    POISSON,
    TINY,
)
from softseg.families.negative_binomial import SHAPE_CEILING
from softseg.families.normal import ECM_STEPS
from softseg.families.poisson import LARGEST_MEAN
from softseg.families.positive import (
    GAMMA_SHAPE,
    HELD,
    NEGATIVE_BINOMIAL_RATE,
    NEGATIVE_BINOMIAL_SHAPE,
    NORMAL_PRIOR,
    PRIOR_CODES,
    climb_kernel,
    slice_kernel,
)

ROOTED_PRIOR = PRIOR_CODES["SqrtInverseGamma"]
FLAT_WEIGHT, FLAT_RATE = 1e-12, 0.5 * SCALE_FLOOR**2
LOWEST, HIGHEST = 1e-12, 1e12


@njit(**COMPILED)
def number(codes, numbers, k, column):  # pragma: no cover
    """One number of a prior, 1 where the parameter is fixed."""
    return 1.0 if codes[k, column] == HELD else numbers[k, column]


@njit(**COMPILED)
def column_of(matrix, column):  # pragma: no cover
    """A contiguous copy of one column."""
    out = np.empty(matrix.shape[0], dtype=matrix.dtype)
    for k in range(len(out)):
        out[k] = matrix[k, column]
    return out


@njit(**COMPILED)
def prior_of(priors, column):  # pragma: no cover
    """Code and numbers of one column's prior, as `positive` reads them."""
    codes, a, b = priors
    return column_of(codes, column), column_of(a, column), column_of(b, column)


@njit(**COMPILED)
def conditional(kind, n, s, other):  # pragma: no cover
    """One positive parameter's conditional without counts, as `positive` reads it."""
    nothing, empty = np.empty(0), np.empty((0, 0))
    return kind, n, s, other, nothing, empty, nothing, empty, empty


@njit(**COMPILED)
def put(theta, column, values, priors):  # pragma: no cover
    """Write the values of the segments whose parameter is estimated."""
    for k in range(len(values)):
        if priors[0][k, column] != HELD:
            theta[k, column] = values[k]


@njit(**COMPILED)
def normal_prior(priors, k, centre, scale):  # pragma: no cover
    """Prior mean, precision, inverse-Gamma shape and rate on the standardised scale."""
    codes, a, b = priors
    mu0, w0, shape, rate = 0.0, FLAT_WEIGHT, 0.0, FLAT_RATE
    if codes[k, 0] == NORMAL_PRIOR:
        mu0, w0 = (a[k, 0] - centre) / scale, (scale / b[k, 0]) ** 2
    elif codes[k, 0] == HELD:
        mu0, w0 = 0.0, 1.0
    if codes[k, 1] == ROOTED_PRIOR:
        shape, rate = a[k, 1], b[k, 1] / scale**2
    elif codes[k, 1] == HELD:
        shape, rate = 1.0, 1.0
    return mu0, w0, shape, rate


@njit(**COMPILED)
def update_normal(rng, theta, centre, scale, sums, measure, priors):  # pragma: no cover
    """Location given spread, then spread given location."""
    n_segments = len(measure)
    residual = np.empty(n_segments)
    for k in range(n_segments):
        mu0, w0, _, _ = normal_prior(priors, k, centre, scale)
        n, precision = measure[k], (scale / theta[k, 1]) ** 2
        weight = w0 + n * precision
        m = (mu0 * w0 + sums[k, 0] * precision) / weight
        m += rng.standard_normal() / np.sqrt(weight)
        if priors[0][k, 0] != HELD:
            theta[k, 0] = centre + scale * m
        m = (theta[k, 0] - centre) / scale
        residual[k] = max(sums[k, 1] - 2.0 * m * sums[k, 0] + n * m * m, 0.0)
    for k in range(n_segments):
        _, _, a, b = normal_prior(priors, k, centre, scale)
        s = np.sqrt((b + 0.5 * residual[k]) / rng.standard_gamma(a + 0.5 * measure[k]))
        if priors[0][k, 1] != HELD:
            theta[k, 1] = scale * s


@njit(**COMPILED)
def maximise_normal(theta, centre, scale, sums, measure, priors):  # pragma: no cover
    """Location and spread by turns (ECM)."""
    for k in range(len(measure)):
        mu0, w0, a, b = normal_prior(priors, k, centre, scale)
        n, m, s = measure[k], (theta[k, 0] - centre) / scale, theta[k, 1] / scale
        for _ in range(ECM_STEPS):
            if priors[0][k, 0] != HELD:
                m = (mu0 * w0 + sums[k, 0] / s**2) / (w0 + n / s**2)
            residual = max(sums[k, 1] - 2.0 * m * sums[k, 0] + n * m * m, 0.0)
            if priors[0][k, 1] != HELD:
                s = np.sqrt((residual + 2.0 * b) / (n + 2.0 * a + 1.0))
        # what is fixed stays to the last bit: chains are compared for constants
        if priors[0][k, 0] != HELD:
            theta[k, 0] = centre + scale * m
        if priors[0][k, 1] != HELD:
            theta[k, 1] = scale * s


@njit(**COMPILED)
def deviance(theta, centre, sums, measure):  # pragma: no cover
    """Σ (log(x/m) − x/m + 1) ≤ 0 of every segment."""
    out = np.empty(len(measure))
    for k in range(len(measure)):
        mean = theta[k, 0]
        tilt = (mean - centre) / mean
        whole = sums[k, 0] + sums[k, 1] * tilt + measure[k] * (tilt - np.log(mean / centre))
        out[k] = min(whole, 0.0)
    return out


@njit(**COMPILED)
def update_gamma(rng, theta, centre, sums, measure, priors):  # pragma: no cover
    """Mean given shape, then shape given mean (slice step)."""
    n_segments = len(measure)
    mean, width = np.empty(n_segments), np.empty(n_segments)
    for k in range(n_segments):
        total = max(centre * (measure[k] + sums[k, 1]), 0.0)
        rate = number(priors[0], priors[2], k, 0) + theta[k, 1] * total
        alpha = number(priors[0], priors[1], k, 0) + theta[k, 1] * measure[k]
        mean[k] = rate / rng.standard_gamma(alpha)
        width[k] = min(2.0, 6.0 / np.sqrt(1.0 + measure[k]))
    put(theta, 0, mean, priors)
    data = conditional(GAMMA_SHAPE, measure, deviance(theta, centre, sums, measure), measure)
    prior = prior_of(priors, 1)
    put(
        theta,
        1,
        slice_kernel(rng, column_of(theta, 1), width, prior[0] != HELD, prior, data),
        priors,
    )


@njit(**COMPILED)
def maximise_gamma(theta, centre, sums, measure, priors):  # pragma: no cover
    """Mean in closed form and shape by Newton steps, in turns."""
    n_segments = len(measure)
    mean, prior = np.empty(n_segments), prior_of(priors, 1)
    low, high = np.full(n_segments, LOWEST), np.full(n_segments, HIGHEST)
    for _ in range(ROUNDS):
        for k in range(n_segments):
            total = max(centre * (measure[k] + sums[k, 1]), 0.0)
            rate = number(priors[0], priors[2], k, 0) + theta[k, 1] * total
            alpha = number(priors[0], priors[1], k, 0) + theta[k, 1] * measure[k]
            mean[k] = rate / (alpha + 1.0)
        put(theta, 0, mean, priors)
        before = column_of(theta, 1)
        data = conditional(GAMMA_SHAPE, measure, deviance(theta, centre, sums, measure), measure)
        put(theta, 1, climb_kernel(before, low, high, prior, data), priors)
        settled = True
        for k in range(n_segments):
            settled &= abs(theta[k, 1] - before[k]) <= TOLERANCE * theta[k, 1]
        if settled:
            break


@njit(**COMPILED)
def gathered(counts, cells, groups):  # pragma: no cover
    """Customers by value, customers and events by exposure, each (segment, …), and all events."""
    value_of, exposure_of, values, exposures = groups
    n_segments = counts.shape[0]
    at_value = np.zeros((n_segments, len(values)))
    customers = np.zeros((n_segments, len(exposures)))
    events = np.zeros((n_segments, len(exposures)))
    total = np.zeros(n_segments)
    for k in range(n_segments):
        for c in range(counts.shape[1]):
            n = counts[k, c]
            if value_of[c] > 0:
                at_value[k, value_of[c] - 1] += n
            customers[k, exposure_of[c]] += n
            events[k, exposure_of[c]] += n * cells[c, 0]
        total[k] = events[k].sum()
    return at_value, customers, events, total


@njit(**COMPILED)
def update_negative_binomial(rng, theta, cells, counts, groups, priors):  # pragma: no cover
    """Rate given shape, then shape given rate, by slice steps on the log scale."""
    at_value, customers, events, total = gathered(counts, cells, groups)
    n_segments = len(total)
    number_of, width = np.empty(n_segments), np.empty(n_segments)
    for k in range(n_segments):
        number_of[k] = 1.0 + customers[k].sum()
        spread = 1.0 / (1.0 + total[k]) + 1.0 / (number_of[k] * theta[k, 1])
        width[k] = min(2.0, 4.0 * np.sqrt(spread))
    kinds = (NEGATIVE_BINOMIAL_RATE, NEGATIVE_BINOMIAL_SHAPE)
    for parameter in range(2):
        other = column_of(theta, 1 - parameter)
        data = (
            kinds[parameter], total, total, other, groups[2], at_value, groups[3], customers, events
        )  # fmt: skip
        prior, start = prior_of(priors, parameter), column_of(theta, parameter)
        moved = slice_kernel(rng, start, width, prior[0] != HELD, prior, data)
        put(theta, parameter, moved, priors)
        for k in range(n_segments):
            width[k] = min(2.0, 20.0 / np.sqrt(number_of[k]))


@njit(**COMPILED)
def maximise_negative_binomial(theta, cells, counts, groups, priors):  # pragma: no cover
    """Rate and shape in turns, each by Newton steps on the log scale."""
    at_value, customers, events, total = gathered(counts, cells, groups)
    n_segments = len(total)
    kinds = (NEGATIVE_BINOMIAL_RATE, NEGATIVE_BINOMIAL_SHAPE)
    for _ in range(ROUNDS):
        settled = True
        for parameter in range(2):
            low, high = np.full(n_segments, TINY), np.full(n_segments, LARGEST_MEAN)
            if parameter == 1:
                low[:] = LOWEST
                high = np.maximum(column_of(theta, 1), SHAPE_CEILING)
            other, before = column_of(theta, 1 - parameter), column_of(theta, parameter)
            data = (
                kinds[parameter], total, total, other, groups[2], at_value, groups[3], customers,
                events,
            )  # fmt: skip
            found = climb_kernel(before, low, high, prior_of(priors, parameter), data)
            put(theta, parameter, found, priors)
            for k in range(n_segments):
                settled &= abs(theta[k, parameter] - before[k]) <= TOLERANCE * before[k]
        if settled:
            break


@njit(**COMPILED)
def update_part(
    rng, kind, theta, centre, scale, cells, sums, measure, counts, groups, priors
):  # pragma: no cover
    """Draw a part's parameters (segment, column) given the customers of each segment."""
    n_segments = len(measure)
    if kind == NORMAL:
        update_normal(rng, theta, centre, scale, sums, measure, priors)
    elif kind == GAMMA:
        update_gamma(rng, theta, centre, sums, measure, priors)
    elif kind == BERNOULLI:
        for k in range(n_segments):
            alpha = counts[k, 1] + number(priors[0], priors[1], k, 0)
            beta = counts[k, 0] + number(priors[0], priors[2], k, 0)
            p = rng.beta(alpha, beta)
            if priors[0][k, 0] != HELD:
                theta[k, 0] = p
    elif kind == CATEGORICAL:
        n_levels = theta.shape[1]
        heights = np.empty(n_levels)
        for k in range(n_segments):
            for level in range(n_levels):
                alpha = counts[k, level] + number(priors[0], priors[1], k, level)
                heights[level] = max(rng.standard_gamma(alpha), TINY)
            if priors[0][k, 0] != HELD:
                theta[k] = heights / heights.sum()
    elif kind == POISSON:
        for k in range(n_segments):
            height = rng.standard_gamma(number(priors[0], priors[1], k, 0) + sums[k, 0])
            if priors[0][k, 0] != HELD:
                exposure = number(priors[0], priors[2], k, 0) + measure[k]
                theta[k, 0] = max(height / exposure, TINY)
    else:
        update_negative_binomial(rng, theta, cells, counts, groups, priors)


@njit(**COMPILED)
def maximise_part(
    kind, theta, centre, scale, cells, sums, measure, counts, groups, priors
):  # pragma: no cover
    """Write the parameters that maximise a part's log density plus log prior given the sums."""
    n_segments = len(measure)
    if kind == NORMAL:
        maximise_normal(theta, centre, scale, sums, measure, priors)
    elif kind == GAMMA:
        maximise_gamma(theta, centre, sums, measure, priors)
    elif kind == BERNOULLI:
        for k in range(n_segments):
            successes = max(counts[k, 1] + number(priors[0], priors[1], k, 0) - 1.0, 0.0)
            failures = max(counts[k, 0] + number(priors[0], priors[2], k, 0) - 1.0, 0.0)
            if priors[0][k, 0] != HELD and successes + failures > 0.0:
                theta[k, 0] = successes / (successes + failures)
    elif kind == CATEGORICAL:
        for k in range(n_segments):
            heights = np.empty(theta.shape[1])
            for level in range(len(heights)):
                alpha = number(priors[0], priors[1], k, level)
                heights[level] = max(counts[k, level] + alpha - 1.0, 0.0)
            total = heights.sum()
            if priors[0][k, 0] != HELD and total > 0.0:
                theta[k] = heights / total
    elif kind == POISSON:
        for k in range(n_segments):
            if priors[0][k, 0] != HELD:
                events = sums[k, 0] + number(priors[0], priors[1], k, 0) - 1.0
                exposure = measure[k] + number(priors[0], priors[2], k, 0)
                theta[k, 0] = max(events / exposure, TINY)
    else:
        maximise_negative_binomial(theta, cells, counts, groups, priors)
