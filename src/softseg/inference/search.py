"""Where the posterior is high: modes by EM, and chains that look for what EM has missed: `search`.

On a large table both work on a random part of its patterns first; what they find there is climbed
to the end on all of them. With so many customers a mode of the whole is a mode of the part, and two
modes that lie close on the part lie far apart on the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from softseg.families.base import Array
from softseg.inference.draws import Draws, Progress
from softseg.inference.em import Climber
from softseg.inference.gibbs import gibbs
from softseg.inference.modes import (
    ENOUGH_HITS,
    NEARLY,
    RIVAL,
    SAME_MODE,
    Mode,
    Modes,
    find_modes,
    merged,
    polish,
    reach,
)
from softseg.inference.starts import random_start
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values

EXPLORERS = 4
EXPLORING_SWEEPS = 300
SEEN_SWEEPS = 150
"""So many of an explorer's sweeps, the last ones, are compared with the posterior draws."""
LARGE, PART = 20_000, 10_000
"""From so many patterns on the search begins on so many of them."""
MOST_CLIMBED = 4
"""So many modes of the part are climbed on the whole at the most."""

MOST_WIDE = 3
"""So many lower modes are looked at for their mass at the most."""


@dataclass(frozen=True)
class Search:
    """What the search found.

    Attributes
    ----------
    modes
        Distinct modes of the whole table, best first.
    ends
        Where explorers ended that stand in the best mode or a rival of it: dispersed starts.
    visits
        Log-likelihood and sorted shares over the last sweeps of these explorers, (explorer, draw,
        1 + segment); None where there were none, or only on a part of the table.
    """

    modes: Modes
    ends: tuple[Values, ...]
    visits: Array | None

    def starts(self, n_chains: int) -> list[Values]:
        """Return the first values of chains: ends of the explorers, then modes."""
        modes = self.modes
        candidates = [*self.ends[: max(n_chains - 1, 0)], modes.best.values]
        candidates += [mode.values for mode in modes.rivals]
        while len(candidates) < n_chains:
            candidates.append(modes.best.values)
        return candidates[:n_chains]


def search(
    statistics: Statistics,
    mixture: Mixture,
    *,
    n_starts: int,
    rng: np.random.Generator,
    cores: int = 1,
    progress: Progress | None = None,
) -> Search:
    """Return modes and dispersed starts.

    Explorers run where every prior has a Gibbs update and counts are whole numbers.
    """
    rng_part, rng_modes, rng_explore = rng.spawn(3)
    part = statistics
    if statistics.n_patterns > LARGE:
        chosen = rng_part.choice(statistics.n_patterns, PART, replace=False)
        part = statistics.take(np.sort(chosen))

    def look(known: Modes | None) -> Modes:
        return find_modes(
            part, mixture, n_starts=n_starts, rng=rng_modes, cores=cores, known=known,
            progress=progress,
        )  # fmt: skip

    modes = look(None)
    ends: list[Values] = []
    visits = None
    if not mixture.not_updatable() and whole_counts(statistics.count):
        modes, ends, visits = explore(part, mixture, modes, rng_explore, cores, progress)
        if modes.hits < ENOUGH_HITS:
            modes = look(modes)
    if part is not statistics:
        modes, visits = climbed(statistics, mixture, modes), None
    return Search(modes, tuple(ends), visits)


def explore(
    statistics: Statistics,
    mixture: Mixture,
    modes: Modes,
    rng: np.random.Generator,
    cores: int = 1,
    progress: Progress | None = None,
) -> tuple[Modes, list[Values], Array | None]:
    """Look for a mode that EM has missed, by short Gibbs chains from dispersed starts.

    Returns the modes with what was found, the ends of those chains that stand in the best mode or
    in a rival of it, and what these chains visited (see `Search`).
    """
    rngs = rng.spawn(EXPLORERS)
    starts = [random_start(statistics, mixture, generator) for generator in rngs]
    drawn, ends = gibbs(
        statistics, mixture, starts, n_draws=SEEN_SWEEPS, n_tune=EXPLORING_SWEEPS - SEEN_SWEEPS,
        rngs=rngs, cores=cores, progress=progress, stage="explore",
    )  # fmt: skip
    floor = modes.best.objective - reach(mixture, statistics.n_customers)
    climber = Climber.on(statistics, mixture)
    found = [polish(climber, end, NEARLY, floor) for end in ends]
    first = int(np.argmax([mode.objective for mode in found]))
    if found[first].objective > modes.best.objective + SAME_MODE:
        found[first] = polish(climber, found[first].values)
    return arrived(modes, found, ends, drawn, statistics.count)


def arrived(
    modes: Modes, found: Sequence[Mode], ends: Sequence[Values], drawn: Draws, count: Array
) -> tuple[Modes, list[Values], Array | None]:
    """Return the modes with those found from the ends of explorers, and who got there.

    These are the explorers that stand in the best mode or a rival of it: their ends and what they
    visited (see `Search`).
    """
    together = merged(modes, found, len(found), count)
    top = together.best.objective
    good = [i for i, mode in enumerate(found) if mode.objective > top - RIVAL]
    visits = label_free(drawn.log_likelihood, drawn.values.share)[good] if good else None
    return together, [ends[i] for i in good], visits


def label_free(log_likelihood: Array, share: Array) -> Array:
    """Return log-likelihood and sorted shares, (…, 1 + segment): what labels do not touch."""
    return np.concatenate([log_likelihood[..., None], -np.sort(-share, axis=-1)], axis=-1)


def strayed(visits: Array, reference: Array, reach: float) -> float | None:
    """Return how far the explorers' means lie from posterior draws, in sds of the draws.

    Parameters
    ----------
    visits
        Shape (explorer, draw, quantity), the log-likelihood first.
    reference
        The same quantities of posterior draws, (…, quantity).
    reach
        Explorers whose log-likelihood lies further below the draws' than this have not arrived
        yet; they say nothing.

    Returns
    -------
    float or None
        Of the explorer and the quantity that lie furthest off; None where none has arrived.
    """
    draws = reference.reshape(-1, reference.shape[-1])
    centre, sd = draws.mean(axis=0), draws.std(axis=0)
    means = visits.mean(axis=1)
    means = means[means[:, 0] > centre[0] - reach]
    moving = sd > 0.0
    if len(means) == 0:
        return None
    return float((np.abs(means - centre)[:, moving] / sd[moving]).max(initial=0.0))


def climbed(statistics: Statistics, mixture: Mixture, modes: Modes) -> Modes:
    """Return the modes of a part of the patterns climbed to the end on all of them."""
    candidates = [modes.best, *modes.near][:MOST_CLIMBED]
    climber = Climber.on(statistics, mixture)
    found = [replace(polish(climber, mode.values), hits=mode.hits) for mode in candidates]
    return merged(None, found, modes.n_starts, statistics.count, modes.converged)


def whole_counts(count: Array) -> bool:
    """Return whether all counts are whole numbers."""
    return bool(np.all(count == np.floor(count)))


def modes_of(search: Search, volume: float = 0.0) -> Sequence[Values]:
    """Return the parameters at the best mode and at those that may hold posterior mass.

    Parameters
    ----------
    volume
        How many log units a lower mode may win by its width; up to `MOST_WIDE` modes that are no
        more than that below the near ones are returned as well, highest first.
    """
    best, near = search.modes.best, search.modes.near
    lower = search.modes.modes[1 + len(near) :]
    wide = [mode for mode in lower if mode.objective > best.objective - RIVAL - volume]
    return [mode.values for mode in (best, *near, *wide[:MOST_WIDE])]
