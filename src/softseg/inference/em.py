"""Accelerated EM: climb from given parameters to a mode.

The steps are accelerated by squared extrapolation (SQUAREM; Varadhan and Roland 2008) of the
expected statistics, which add up and are always on the scale of the data; a step that would lower
the objective or leave the domain is taken back.
"""

from dataclasses import dataclass

import numpy as np

from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.inference.space import Space
from softseg.inference.threads import Stop, Stopped
from softseg.inference.turns import climb_kernel, served
from softseg.likelihood.kernel import Expected, expected_statistics
from softseg.likelihood.statistics import Statistics
from softseg.models.edges import bounded
from softseg.models.mixture import Mixture, Values
from softseg.models.plan import theta_of, values_of

TOLERANCE = 1e-8


@dataclass(frozen=True)
class Run:
    """Where a climb ended.

    Attributes
    ----------
    objective
        The log-likelihood, or it plus the log prior density.
    converged
        Whether it ended because it gained no more, not because of its length.
    """

    values: Values
    expected: Expected
    objective: float
    converged: bool


def compiled_space(statistics: Statistics, mixture: Mixture, use_priors: bool) -> Space | None:
    """Return the space on which `climb` runs compiled, None where it cannot."""
    return Space.of(mixture, statistics) if use_priors and served(mixture) else None


@dataclass(frozen=True)
class Climber:
    """EM for one mixture on one table.

    Attributes
    ----------
    mixture
        The mixture whose modes are sought.
    gentle
        The same with priors that have a maximum: what EM climbs.
    use_priors
        Whether the priors count, or the likelihood alone.
    space
        From `compiled_space`.
    """

    statistics: Statistics
    mixture: Mixture
    gentle: Mixture
    use_priors: bool
    space: Space | None

    @classmethod
    def on(cls, statistics: Statistics, mixture: Mixture, use_priors: bool = True) -> "Climber":
        """Return the climber of a mixture on a table."""
        gentle = bounded(mixture) if use_priors else mixture
        space = compiled_space(statistics, gentle, use_priors)
        return cls(statistics, mixture, gentle, use_priors, space)

    def climb(self, values: Values, cycles: int, tolerance: float, stop: Stop) -> Run:
        """Return where `climb` ends."""
        return climb(
            self.statistics, self.gentle, values, self.use_priors, cycles, self.space, tolerance,
            stop,
        )  # fmt: skip


def climb(
    statistics: Statistics,
    mixture: Mixture,
    values: Values,
    use_priors: bool,
    cycles: int,
    space: Space | None = None,
    tolerance: float = TOLERANCE,
    stop: Stop | None = None,
) -> Run:
    """Run accelerated EM until a cycle of three passes gains less than `tolerance` log units.

    It ends after a number of cycles in any case. `space`, from `compiled_space`, makes every cycle
    compiled code; the same steps stand below for maximum likelihood and for priors without a
    compiled step.

    Raises
    ------
    Stopped
        At the next cycle once `stop` is set.
    """
    stop = stop or Stop()
    if space is not None:
        return _climb_compiled(space, values, cycles, tolerance, stop)
    values, expected, objective = evaluate(statistics, mixture, values, use_priors)
    for _ in range(cycles):
        if stop.is_set():
            raise Stopped
        before = objective
        s0 = _pack(expected)
        first = _step(statistics, mixture, values, expected, use_priors)
        s1 = _pack(first[1])
        second = _step(statistics, mixture, first[0], first[1], use_priors)
        best = second
        jump = _extrapolate(s0, s1, _pack(second[1]))
        if jump is not None:
            leap = _step(statistics, mixture, second[0], _unpack(jump, expected), use_priors)
            if np.isfinite(leap[2]) and leap[2] > second[2]:
                best = leap
        values, expected, objective = best
        if objective - before < max(tolerance, 1e-13 * abs(objective)):
            return Run(values, expected, objective, True)
    return Run(values, expected, objective, False)


def _climb_compiled(space: Space, values: Values, cycles: int, tolerance: float, stop: Stop) -> Run:
    s = space.statistics
    share, theta = np.array(values.share, dtype=float), theta_of(space.mixture, values)
    objective, log_lik, dense, table, sizes, settled = climb_kernel(
        space.plan, share, theta, s.dense, s.joined, s.count, cycles, tolerance,
        stop.flag,
    )  # fmt: skip
    if stop.is_set():
        raise Stopped
    log_lik += float(s.count @ s.log_base)
    found = values_of(space.mixture, share, theta)
    return Run(found, Expected(log_lik, dense, table, sizes), objective + space.constant, settled)


def _step(
    statistics: Statistics, mixture: Mixture, values: Values, expected: Expected, use_priors: bool
) -> tuple[Values, Expected, float]:
    """Maximise given the expected statistics, then evaluate there."""
    return evaluate(
        statistics, mixture, maximise(statistics, mixture, values, expected, use_priors), use_priors
    )


def maximise(
    statistics: Statistics, mixture: Mixture, values: Values, expected: Expected, use_priors: bool
) -> Values:
    """Return the parameters that maximise the expected log density (the M step)."""
    sums = statistics.layout.split(expected.dense, expected.table, expected.sizes)
    indicators = {}
    for slot in statistics.layout.slots:
        name = slot.indicator
        priors = mixture.priors[name] if use_priors else None
        fitted = slot.family.maximise(sums[name], values.indicators[name], priors, slot.coding)
        held = mixture.priors[name]
        indicators[name] = {key: held[key].hold(array) for key, array in fitted.items()}
    return Values(_shares(mixture, expected.sizes, use_priors), indicators)


def _shares(mixture: Mixture, sizes: Array, use_priors: bool) -> Array:
    if mixture.fixed_share is not None:
        return mixture.fixed_share
    heights = np.maximum(sizes + mixture.share - 1.0, 0.0) if use_priors else sizes
    return heights / heights.sum()


def evaluate(
    statistics: Statistics, mixture: Mixture, values: Values, use_priors: bool
) -> tuple[Values, Expected, float]:
    """Return the values with their expected statistics and their objective."""
    weights = statistics.layout.weights(values.indicators, NUMPY)
    expected = expected_statistics(statistics, weights, values.share)
    objective = expected.log_likelihood
    if use_priors:
        objective += mixture.log_prior(values)
    return values, expected, objective


def _pack(expected: Expected) -> Array:
    return np.concatenate([expected.dense.ravel(), expected.table.ravel(), expected.sizes])


def _unpack(packed: Array, like: Expected) -> Expected:
    n_dense, n_table = like.dense.size, like.table.size
    dense = packed[:n_dense].reshape(like.dense.shape)
    table = packed[n_dense : n_dense + n_table].reshape(like.table.shape)
    return Expected(np.nan, dense, table, packed[n_dense + n_table :])


def _extrapolate(s0: Array, s1: Array, s2: Array) -> Array | None:
    """Return the squared extrapolation of three expected statistics, None where it has none."""
    r, v = s1 - s0, (s2 - s1) - (s1 - s0)
    length = np.linalg.norm(v)
    if length <= 1e-12 * max(np.linalg.norm(r), 1e-300):
        return None
    alpha = -np.linalg.norm(r) / length
    nonnegative = (s0 >= 0) & (s1 >= 0) & (s2 >= 0)
    while alpha < -1.0:
        jump = s0 - 2.0 * alpha * r + alpha**2 * v
        if np.all(jump[nonnegative] >= 0):
            return jump
        alpha = 0.5 * (alpha - 1.0) if alpha < -1.05 else -1.0
    return None
