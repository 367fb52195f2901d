"""From statistics to judged posterior draws: `sample`.

Modes by EM from many starts; short Gibbs chains from dispersed starts that look for a mode EM has
missed; the sampler that suits the model; labels aligned once; the gate. What differs between
methods is only the sampler.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from softseg.errors import UsageError
from softseg.inference.checkpoint import Checkpoint, Keeper
from softseg.inference.diagnose import Diagnosis, ModeSummary, diagnose
from softseg.inference.draws import Draws, Progress
from softseg.inference.gibbs import gibbs
from softseg.inference.modes import ENOUGH_HITS, RIVAL, Modes, find_modes, merged, polish
from softseg.inference.relabel import Aligned, align
from softseg.inference.starts import random_start
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values

Method = Literal["auto", "gibbs", "nuts"]

EXPLORERS = 4
EXPLORING_SWEEPS = 300
MIXING = frozenset({"rhat", "ess_bulk", "ess_tail"})
"""Checks that more draws can mend."""
NUTS_TUNE = 500
"""NUTS adapts its step and metric; Gibbs sampling has nothing to adapt."""
LONGER = (6, 24)
"""Sweeps per kept draw when the runs before mixed too slowly for the gate."""
NEAR_RHAT = 1.1
"""The last, longest run is made only where R-hat has come down to this: chains that still stand in
different places will not meet."""


@dataclass(frozen=True)
class Sampled:
    """Aligned posterior draws and the verdict on them.

    Attributes
    ----------
    modes
        All modes that were found, best first.
    aligned
        How the labels were aligned, and how well.
    draws
        Aligned, segments numbered by size; leading axes (chain, draw).
    method, reason
        The sampler, and why it was chosen: a key of the catalogue with its values.
    diagnosis
        Whether the draws can be trusted (the gate).
    thin
        Sweeps per kept draw.
    """

    statistics: Statistics
    mixture: Mixture
    modes: Modes
    aligned: Aligned
    draws: Draws
    method: str
    reason: tuple[str, dict[str, str]]
    diagnosis: Diagnosis
    thin: int


def sample(
    statistics: Statistics,
    mixture: Mixture,
    *,
    method: Method = "auto",
    n_draws: int = 1000,
    n_tune: int = 200,
    n_chains: int = 4,
    n_starts: int = 10,
    longer: bool = True,
    rng: np.random.Generator,
    cores: int = 1,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
    partial: bool = False,
) -> Sampled:
    """Return judged posterior draws of a mixture.

    Parameters
    ----------
    method
        ``"auto"`` takes Gibbs sampling where every prior has an update, NUTS elsewhere.
    n_draws, n_tune, n_chains
        Draws kept per chain after tuning, number of chains.
    longer
        Whether a Gibbs run that mixes too slowly for the gate goes on, keeping every sixth draw
        and, if it comes near, once more, keeping every 24th.
    n_starts
        Starts of EM.
    rng
        Spawns a generator for every part and chain; the draws do not depend on `cores`.
    checkpoint
        Keeps every finished chain; where it has some of this very fit, they are not sampled again.
    partial
        Whether an interrupt, once a chain is finished, returns the finished chains with a diagnosis
        of status ``"partial"`` instead of being raised.

    Raises
    ------
    UsageError
        Where Gibbs is asked for and a prior has no update, or counts are no whole numbers.
    """
    rng_modes, rng_explore, rng_chains = rng.spawn(3)
    keeper = Keeper(checkpoint, statistics, mixture)
    chosen, reason = choose_method(method, mixture, statistics)
    modes = find_modes(
        statistics, mixture, n_starts=n_starts, rng=rng_modes, cores=cores, progress=progress
    )
    ends: list[Values] = []
    if not mixture.not_updatable() and _whole(statistics):
        modes, ends = explore(statistics, mixture, modes, rng_explore, cores, progress, keeper)
        if modes.hits < ENOUGH_HITS:
            modes = find_modes(
                statistics, mixture, n_starts=n_starts, rng=rng_modes, cores=cores,
                known=modes, progress=progress,
            )  # fmt: skip
    starts = _starts(modes, ends, n_chains)
    thin = 1
    rngs = rng_chains.spawn(n_chains)
    if chosen == "gibbs":
        drawn, ends = gibbs(
            statistics, mixture, starts, n_draws=n_draws, n_tune=n_tune, rngs=rngs, cores=cores,
            progress=progress, keeper=keeper, partial=partial,
        )  # fmt: skip
        aligned, draws, diagnosis = _judged(statistics, mixture, modes, drawn, n_chains)
        for thin_next in LONGER if longer else ():
            if drawn.interrupted or not _worth_more(diagnosis, thin):
                break
            try:
                drawn, ends = gibbs(
                    statistics, mixture, ends, n_draws=n_draws, n_tune=0, thin=thin_next,
                    rngs=rngs, cores=cores, progress=progress, stage="longer", keeper=keeper,
                )  # fmt: skip
                thin = thin_next
            except KeyboardInterrupt:
                if not partial:
                    raise
                drawn = replace(drawn, interrupted=True)
            aligned, draws, diagnosis = _judged(statistics, mixture, modes, drawn, n_chains)
    else:
        from softseg.inference.nuts import nuts

        drawn = nuts(
            statistics, mixture, starts, n_draws=n_draws, n_tune=max(n_tune, NUTS_TUNE),
            rngs=rngs, cores=cores, progress=progress, keeper=keeper, partial=partial,
        )  # fmt: skip
        aligned, draws, diagnosis = _judged(statistics, mixture, modes, drawn, n_chains)
    return Sampled(statistics, mixture, modes, aligned, draws, chosen, reason, diagnosis, thin)


def choose_method(
    method: Method, mixture: Mixture, statistics: Statistics
) -> tuple[str, tuple[str, dict[str, str]]]:
    """Return the sampler and the reason as a key of the catalogue with its values."""
    stuck = mixture.not_updatable()
    whole = _whole(statistics)
    if method == "gibbs" and stuck:
        raise UsageError(
            f"Use method='nuts' or 'auto': Gibbs sampling needs priors with an update, and those "
            f"of {stuck} have none."
        )
    if method == "gibbs" and not whole:
        raise UsageError(
            "Use method='nuts' or 'auto': Gibbs sampling needs whole-number counts, and the "
            "weights are not."
        )
    if method not in ("auto", "gibbs", "nuts"):
        raise UsageError(f"Choose a method out of ['auto', 'gibbs', 'nuts'], got {method!r}.")
    if method != "auto":
        return method, ("method.asked", {})
    if stuck:
        return "nuts", ("method.no_update", {"indicators": ", ".join(stuck)})
    if not whole:
        return "nuts", ("method.weights", {})
    return "gibbs", ("method.conjugate", {})


def explore(
    statistics: Statistics,
    mixture: Mixture,
    modes: Modes,
    rng: np.random.Generator,
    cores: int = 1,
    progress: Progress | None = None,
    keeper: Keeper | None = None,
) -> tuple[Modes, list[Values]]:
    """Look for a mode that EM has missed, by short Gibbs chains from dispersed starts.

    Returns the modes with what was found, and the ends of those chains that stand in the best
    mode or in a rival of it: dispersed starts for the sampler.
    """
    rngs = rng.spawn(EXPLORERS)
    starts = [random_start(statistics, mixture, generator) for generator in rngs]
    _, ends = gibbs(
        statistics,
        mixture,
        starts,
        n_draws=1,
        n_tune=EXPLORING_SWEEPS,
        rngs=rngs,
        cores=cores,
        progress=progress,
        stage="explore",
        keeper=keeper,
    )
    found = [polish(statistics, mixture, end, "schema") for end in ends]
    together = merged(modes, found, len(found), statistics.count)
    top = together.best.objective
    good = [e for e, m in zip(ends, found, strict=True) if m.objective > top - RIVAL]
    return together, good


def _starts(modes: Modes, ends: Sequence[Values], n_chains: int) -> list[Values]:
    """Return the first values of the chains: ends of the explorers, then modes."""
    candidates = [*ends[: max(n_chains - 1, 0)], modes.best.values]
    candidates += [mode.values for mode in modes.rivals]
    while len(candidates) < n_chains:
        candidates.append(modes.best.values)
    return candidates[:n_chains]


def _judged(
    statistics: Statistics, mixture: Mixture, modes: Modes, draws: Draws, n_chains: int
) -> tuple[Aligned, Draws, Diagnosis]:
    pivot = modes.best.values
    aligned = align(statistics, draws.values, pivot, relabel=mixture.exchangeable)
    moved = replace(draws, values=aligned.values)
    top = modes.best.objective
    summary = ModeSummary(
        best_hits=modes.hits,
        n_starts=modes.n_starts,
        rivals=tuple(top - mode.objective for mode in modes.rivals),
    )
    diagnosis = diagnose(
        moved.values,
        moved.log_likelihood,
        moved.sample_stats,
        method=draws.method,
        chain_memberships=aligned.chain_memberships,
        count=aligned.count,
        non_permutation_share=aligned.not_permutations,
        modes=summary,
        mean_sizes=aligned.mean_sizes,
    )
    if draws.interrupted:
        diagnosis = diagnosis.interrupted(len(draws.log_likelihood), n_chains)
    return aligned, moved, diagnosis


def _worth_more(diagnosis: Diagnosis, thin: int) -> bool:
    """Return whether more sweeps could help: only mixing fails, and the chains come together."""
    failed = {check.name for check in diagnosis.failed}
    if not failed or not failed <= MIXING:
        return False
    rhat = diagnosis.check("rhat").value
    return thin == 1 or rhat is None or rhat < NEAR_RHAT


def _whole(statistics: Statistics) -> bool:
    return bool(np.all(statistics.count == np.floor(statistics.count)))
