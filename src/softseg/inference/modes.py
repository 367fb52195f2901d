"""Modes of the likelihood or the posterior by EM from many starts: `find_modes`.

Short runs from every start (small EM; Biernacki, Celeux and Govaert 2003), then all of them until a
cycle gains little, then those to the end whose mode could hold posterior mass. The others would
take thousands of cycles along ridges on which nothing is found.

Two kinds of mode. ``prior=None`` is maximum likelihood in the constrained space, with a floor for
scales (`families.base.SCALE_FLOOR`): published log-likelihoods are met with it. With the schema's
priors the log prior density of the named parameters is added, without Jacobians; concentrations and
Gamma shapes below 1, whose density is infinite on the edge, count as 1 on the way up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.inference.draws import Progress, threads_for
from softseg.inference.em import TOLERANCE, Climber, Run
from softseg.inference.starts import random_start
from softseg.inference.threads import Stop, in_threads
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import Statistics
from softseg.models.edges import inside
from softseg.models.mixture import Mixture, Values

SHORT_CYCLES = 12
ENOUGH_HITS = 2
ROUNDS = 4
LONG_CYCLES = 3000
NEARLY = 1e-5
"""Log units a cycle gains at the end of the runs within reach of the best: it tells modes apart."""
LOOSELY = 0.01
"""Log units a cycle gains at the end of a run that stays out of reach of the best (`reach`)."""
RIVAL = 10.0
"""A mode that lies within so many log units of the best one counts as near."""
SAME_SOLUTION = 0.95
"""Near modes in which so many customers keep their top segment are the same solution."""
SAME_MODE = 0.01
"""Two runs that end within so many log units are the same mode up to labels."""


@dataclass(frozen=True)
class Mode:
    """One mode.

    Attributes
    ----------
    values
        Its parameters, shape (segment[, level]).
    log_likelihood
        Σ count · log f, base measure included.
    objective
        What was maximised: the log-likelihood, or it plus the log prior.
    sizes
        Expected customers of each segment, shape (segment,).
    top
        Most probable segment of each pattern, shape (pattern,).
    hits
        How many starts ended here.
    """

    values: Values
    log_likelihood: float
    objective: float
    sizes: Array
    top: NDArray[np.intp]
    hits: int = 1


@dataclass(frozen=True)
class Modes:
    """The distinct modes that were found, best first.

    Attributes
    ----------
    modes
        Distinct up to a permutation of the segments.
    n_starts
        Number of starts.
    converged
        Whether the best run ended because it gained no more, not because of its length.
    count
        Customers of each pattern, shape (pattern,).
    """

    modes: tuple[Mode, ...]
    n_starts: int
    converged: bool
    count: Array

    @property
    def best(self) -> Mode:
        """The highest mode."""
        return self.modes[0]

    @property
    def near(self) -> list[Mode]:
        """The other modes within `RIVAL` log units of the best."""
        return [m for m in self.modes[1:] if m.objective > self.best.objective - RIVAL]

    @property
    def rivals(self) -> list[Mode]:
        """The near modes that put more than one customer in twenty into another segment."""
        return [mode for mode in self.near if self._agreement(mode) < SAME_SOLUTION]

    @property
    def hits(self) -> int:
        """How many starts found the best solution: the highest mode or a near one like it.

        Modes that differ only in a probability at the edge of its range are one solution.
        """
        alike = [mode for mode in self.near if self._agreement(mode) >= SAME_SOLUTION]
        return self.best.hits + sum(mode.hits for mode in alike)

    @property
    def hit_rate(self) -> float:
        """Share of the starts that found the best solution."""
        return self.hits / self.n_starts

    def _agreement(self, mode: Mode) -> float:
        """Return the share of customers with the same top segment as in the best mode."""
        k = len(self.best.sizes)
        pair = self.best.top * k + mode.top
        cross = np.bincount(pair, weights=self.count, minlength=k * k).reshape(k, k)
        rows, columns = linear_sum_assignment(cross, maximize=True)
        return float(cross[rows, columns].sum() / self.count.sum())


def find_modes(
    statistics: Statistics,
    mixture: Mixture,
    *,
    prior: Literal["schema"] | None = "schema",
    n_starts: int = 10,
    rng: np.random.Generator,
    cores: int = 1,
    known: Modes | None = None,
    progress: Progress | None = None,
) -> Modes:
    """Return the distinct modes of a mixture, best first, with how often each was hit.

    As long as the best mode has been hit only once, another round of starts follows, `ROUNDS` in
    all at the most.

    Parameters
    ----------
    prior
        ``"schema"`` for the posterior mode under the mixture's priors; None for maximum
        likelihood.
    n_starts
        Number of random starts in a round.
    rng
        Gives every start its own generator, so that the result does not depend on `cores`.
    known
        Modes found before; the search goes on from there.

    Raises
    ------
    UsageError
        Where there are no starts.
    """
    if n_starts < 1:
        raise UsageError(f"Give a number of starts of at least 1, got {n_starts}.")
    report = progress or (lambda stage, share: None)
    climber = Climber.on(statistics, mixture, prior == "schema")

    def more(modes: Modes | None) -> Modes:
        rngs = rng.spawn(n_starts)
        starts = [partial(random_start, statistics, mixture, each) for each in rngs]
        runs = _round(climber, starts, cores, report)
        found = [_mode(climber, run) for run in runs]
        return merged(modes, found, n_starts, statistics.count, runs[0].converged)

    modes = more(known)
    for _ in range(ROUNDS - 1):
        if modes.hits >= ENOUGH_HITS or n_starts < ENOUGH_HITS:
            break
        modes = more(modes)
    report("modes", 1.0)
    return modes


def _round(
    climber: Climber, starts: Sequence[Callable[[], Values]], cores: int, report: Progress
) -> list[Run]:
    """Return the finished runs of one round, best first."""
    statistics = climber.statistics
    done: list[int] = []
    threads = threads_for(statistics.n_patterns, cores)

    def short(i: int, stop: Stop) -> Run:
        run = climber.climb(starts[i](), SHORT_CYCLES, TOLERANCE, stop)
        done.append(i)
        report("modes", 0.5 * len(done) / len(starts))
        return run

    def further(runs: Sequence[Run], tolerance: float) -> list[Run]:
        def one(i: int, stop: Stop) -> Run:
            return climber.climb(runs[i].values, LONG_CYCLES, tolerance, stop)

        return in_threads(one, len(runs), threads)[0]

    runs, _ = in_threads(short, len(starts), threads)
    runs = further(runs, LOOSELY)
    floor = max(run.objective for run in runs) - reach(climber.mixture, statistics.n_customers)
    low = [run for run in runs if run.objective < floor]
    runs = further([run for run in runs if run.objective >= floor], NEARLY) + low
    runs.sort(key=lambda run: -run.objective)
    runs[0] = _to_the_end(climber, runs[0].values)
    return runs


def reach(mixture: Mixture, n_customers: float) -> float:
    """Return how many log units below the best one a mode may still hold posterior mass.

    `RIVAL` and what its width can win: `volume`.
    """
    return RIVAL + volume(mixture, n_customers)


def volume(mixture: Mixture, n_customers: float) -> float:
    """Return log N for each parameter of a segment, in log units.

    An empty segment frees its parameters, and the prior's volume pays for the likelihood about
    log N for each two of them, as in BIC; twice that, to be sure.
    """
    return mixture.n_parameters / mixture.n_segments * float(np.log(n_customers))


def _to_the_end(climber: Climber, values: Values, tolerance: float = TOLERANCE) -> Run:
    """Climb in another thread, so that an interrupt reaches this one at once."""

    def alone(_: int, stop: Stop) -> Run:
        return climber.climb(values, LONG_CYCLES, tolerance, stop)

    return in_threads(alone, 1, 1)[0][0]


def merged(
    modes: Modes | None,
    found: Sequence[Mode],
    n_starts: int,
    count: Array,
    converged: bool = True,
) -> Modes:
    """Return known and newly found modes, distinct, best first, their hits added up."""
    distinct = list(modes.modes) if modes else []
    for mode in found:
        same = [i for i, known in enumerate(distinct) if _same(known, mode)]
        if same:
            distinct[same[0]] = replace(distinct[same[0]], hits=distinct[same[0]].hits + mode.hits)
        else:
            distinct.append(mode)
    distinct.sort(key=lambda mode: -mode.objective)
    before = modes.n_starts if modes else 0
    sure = converged and (modes is None or modes.converged)
    return Modes(tuple(distinct), before + n_starts, sure, count)


def _same(first: Mode, second: Mode) -> bool:
    """Return whether two modes are one, up to labels."""
    sizes = np.sort(first.sizes), np.sort(second.sizes)
    close = abs(first.objective - second.objective) < SAME_MODE
    return close and np.allclose(*sizes, atol=0.01 * first.sizes.sum())


def polish(
    climber: Climber, values: Values, tolerance: float = TOLERANCE, floor: float = -np.inf
) -> Mode:
    """Return the mode that EM reaches; `LOOSELY`, where it stays below a floor."""
    run = _to_the_end(climber, values, LOOSELY)
    if run.objective >= floor:
        run = _to_the_end(climber, run.values, tolerance)
    return _mode(climber, run)


def _mode(climber: Climber, run: Run) -> Mode:
    """Return where a climb under the gentle mixture's priors ended, as a mode of the mixture.

    Where the two differ, the height is taken a little off the edges: on them the density is
    infinite, however little of the posterior lies there.
    """
    statistics, mixture = climber.statistics, climber.mixture
    e, objective = run.expected, run.objective
    if climber.gentle is not mixture:
        off = inside(mixture, run.values, statistics.n_customers)
        objective = e.log_likelihood + mixture.log_prior(off)
    weights = statistics.layout.weights(run.values.indicators, NUMPY)
    top = memberships(statistics, weights, run.values.share)[0].argmax(axis=1)
    return Mode(run.values, e.log_likelihood, objective, e.sizes, top)
