"""Modes of the likelihood or the posterior by EM from many starts: `find_modes`.

Short runs from every start, the better half finished (small EM; Biernacki, Celeux and Govaert
2003).

Two kinds of mode. ``prior=None`` is maximum likelihood in the constrained space, with a floor for
scales (`families.base.SCALE_FLOOR`): published log-likelihoods are met with it. With the schema's
priors the log prior density of the named parameters is added, without Jacobians.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from softseg.families.base import Array
from softseg.inference.draws import Progress
from softseg.inference.em import Run, climb
from softseg.inference.starts import random_start
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values

SHORT_CYCLES = 12
LONG_CYCLES = 3000
NEAR = 5.0
"""Short runs within so many log units of the best one are finished as well."""
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
    hits
        How many starts ended here.
    """

    values: Values
    log_likelihood: float
    objective: float
    sizes: Array
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
    """

    modes: tuple[Mode, ...]
    n_starts: int
    converged: bool

    @property
    def best(self) -> Mode:
        """The highest mode."""
        return self.modes[0]

    @property
    def hit_rate(self) -> float:
        """Share of the starts that ended in the highest mode."""
        return self.best.hits / self.n_starts


def find_modes(
    statistics: Statistics,
    mixture: Mixture,
    *,
    prior: Literal["schema"] | None = "schema",
    n_starts: int = 10,
    rng: np.random.Generator,
    cores: int = 1,
    starts: Sequence[Values] = (),
    progress: Progress | None = None,
) -> Modes:
    """Return the distinct modes of a mixture, best first, with how often each was hit.

    Parameters
    ----------
    prior
        ``"schema"`` for the posterior mode under the mixture's priors; None for maximum
        likelihood.
    n_starts
        Number of random starts.
    rng
        Gives every start its own generator, so that the result does not depend on `cores`.
    starts
        Further starts, for instance ends of Markov chains; finished without a short run.
    """
    use_priors = prior == "schema"

    def short(generator: np.random.Generator) -> Run:
        first = random_start(statistics, mixture, generator)
        return climb(statistics, mixture, first, use_priors, SHORT_CYCLES)

    def finish(values: Values) -> Run:
        return climb(statistics, mixture, values, use_priors, LONG_CYCLES)

    report = progress or (lambda stage, share: None)
    with ThreadPoolExecutor(max_workers=max(cores, 1)) as pool:
        runs: list[Run] = []
        for run in pool.map(short, rng.spawn(n_starts)):
            runs.append(run)
            report("modes", 0.5 * len(runs) / n_starts)
        runs.sort(key=lambda run: -run.objective)
        half = max(len(runs) // 2, min(5, len(runs)))
        near = [run for run in runs[half:] if run.objective > runs[0].objective - NEAR]
        begun = [run.values for run in runs[:half] + near] + list(starts)
        finished = list(pool.map(finish, begun))
    report("modes", 1.0)
    finished.sort(key=lambda run: -run.objective)
    return Modes(_distinct(finished), n_starts + len(starts), finished[0].converged)


def polish(
    statistics: Statistics, mixture: Mixture, values: Values, prior: Literal["schema"] | None
) -> Mode:
    """Return the mode that EM reaches from given parameters."""
    run = climb(statistics, mixture, values, prior == "schema", LONG_CYCLES)
    return _mode(run)


def _mode(run: Run, hits: int = 1) -> Mode:
    e = run.expected
    return Mode(run.values, e.log_likelihood, run.objective, e.sizes, hits)


def _distinct(runs: Sequence[Run]) -> tuple[Mode, ...]:
    modes: list[Mode] = []
    for run in runs:
        for i, mode in enumerate(modes):
            close = abs(mode.objective - run.objective) < SAME_MODE
            sizes = np.sort(mode.sizes), np.sort(run.expected.sizes)
            if close and np.allclose(*sizes, atol=0.01 * mode.sizes.sum()):
                modes[i] = Mode(
                    mode.values, mode.log_likelihood, mode.objective, mode.sizes, mode.hits + 1
                )
                break
        else:
            modes.append(_mode(run))
    return tuple(modes)
