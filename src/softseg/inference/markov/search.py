"""Where the posterior of a latent Markov model is high, and chains that look for what EM missed.

As for mixtures: on a large panel the search begins on a random part of the histories, and what it
finds there is climbed to the end on all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from softseg.families.base import Array
from softseg.inference.draws import Progress
from softseg.inference.gibbs import gibbs
from softseg.inference.markov.gibbs import markov_sweeps
from softseg.inference.markov.modes import Climber
from softseg.inference.modes import (
    ENOUGH_HITS,
    LONG_CYCLES,
    NEARLY,
    ROUNDS,
    SHORT_CYCLES,
    Mode,
    Modes,
    merged,
)
from softseg.inference.search import (
    EXPLORERS,
    EXPLORING_SWEEPS,
    SEEN_SWEEPS,
    Search,
    arrived,
    whole_counts,
)
from softseg.inference.threads import Stop, in_threads
from softseg.likelihood.histories import Histories
from softseg.likelihood.statistics import Statistics
from softseg.models.latent_markov import LatentMarkov
from softseg.models.mixture import Values

LARGE, PART = 60_000, 40_000
"""From so many steps on the search begins on histories with about so many."""
MOST_CLIMBED = 3
"""So many modes of the part are climbed on the whole at the most."""
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Searcher:
    """Searches one model on one panel."""

    histories: Histories

    def __call__(
        self,
        statistics: Statistics,
        mixture: LatentMarkov,
        *,
        n_starts: int,
        rng: np.random.Generator,
        cores: int = 1,
        progress: Progress | None = None,
    ) -> Search:
        """Return modes and dispersed starts."""
        report = progress or (lambda stage, share: None)
        rng_part, rng_modes, rng_explore = rng.spawn(3)
        part, histories = statistics, self.histories
        whole = len(histories.steps.codes) <= LARGE
        if not whole:
            n = max(1, int(histories.n_histories * PART / len(histories.steps.codes)))
            chosen = np.sort(rng_part.choice(histories.n_histories, n, replace=False))
            histories, part = histories.take(chosen, statistics)
        climber = Climber.on(mixture, part, histories)
        modes = self._modes(climber, None, n_starts, rng_modes, cores, report)
        ends: list[Values] = []
        visits = None
        if not mixture.not_updatable() and whole_counts(histories.steps.times):
            modes, ends, visits = explore(climber, modes, rng_explore, cores, progress)
            if modes.hits < ENOUGH_HITS:
                modes = self._modes(climber, modes, n_starts, rng_modes, cores, report)
        if not whole:
            climber = Climber.on(mixture, statistics, self.histories)
            modes, visits = _climbed(climber, modes, cores), None
        return Search(modes, tuple(ends), visits)

    def _modes(
        self,
        climber: Climber,
        modes: Modes | None,
        n_starts: int,
        rng: np.random.Generator,
        cores: int,
        report: Progress,
    ) -> Modes:
        """Return the modes that EM finds from random starts, with those known before."""
        count = climber.space.statistics.count
        while modes is None or modes.n_starts < ROUNDS * n_starts:
            starts = [climber.start(each) for each in rng.spawn(n_starts)]
            shorts = _climb_all(climber, starts, SHORT_CYCLES, NEARLY, cores)
            report("modes", 0.5)
            shorts.sort(key=lambda values: -climber.height(values))
            begun = shorts[: max(len(shorts) // 2, min(5, len(shorts)))]
            ended = _climb_all(climber, begun, LONG_CYCLES, NEARLY, cores)
            ended.sort(key=lambda values: -climber.height(values))
            ended[:1] = _climb_all(climber, ended[:1], LONG_CYCLES, TOLERANCE, cores)
            found = [climber.mode(climber.whole(values)) for values in ended]
            modes = merged(modes, found, n_starts, count)
            if modes.hits >= ENOUGH_HITS or n_starts < ENOUGH_HITS:
                break
        report("modes", 1.0)
        return modes


def _climb_all(
    climber: Climber, starts: Sequence[Values], cycles: int, tolerance: float, cores: int
) -> list[Values]:
    def one(i: int, stop: Stop) -> Values:
        return climber.climb(starts[i], cycles, tolerance, stop)

    return in_threads(one, len(starts), max(cores, 1))[0]


def explore(
    climber: Climber,
    modes: Modes,
    rng: np.random.Generator,
    cores: int,
    progress: Progress | None,
) -> tuple[Modes, list[Values], Array | None]:
    """Look for a mode that EM has missed, by short Gibbs chains from dispersed starts."""
    space = climber.space
    rngs = rng.spawn(EXPLORERS)
    starts = [climber.start(generator) for generator in rngs]
    drawn, ends = gibbs(
        space.statistics, space.mixture, starts, n_draws=SEEN_SWEEPS,
        n_tune=EXPLORING_SWEEPS - SEEN_SWEEPS, rngs=rngs, cores=cores, progress=progress,
        stage="explore", sweeps=markov_sweeps(space),
    )  # fmt: skip
    climbed = _climb_all(climber, ends, LONG_CYCLES, NEARLY, cores)
    found = [climber.mode(values) for values in climbed]
    return arrived(modes, found, ends, drawn, space.statistics.count)


def _climbed(climber: Climber, modes: Modes, cores: int) -> Modes:
    """Return the modes of a part climbed on all histories, near enough to tell them apart.

    Newton goes the rest of the way where the curvature is taken.
    """
    candidates: list[Mode] = [modes.best, *modes.near][:MOST_CLIMBED]

    def one(i: int, stop: Stop) -> Mode:
        values = climber.polished(candidates[i].values, NEARLY, stop)
        return replace(climber.mode(values), hits=candidates[i].hits)

    found, _ = in_threads(one, len(candidates), max(cores, 1))
    count = climber.space.statistics.count
    return merged(None, found, modes.n_starts, count, modes.converged)
