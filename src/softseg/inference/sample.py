"""From statistics to judged posterior draws: `sample`.

Modes by EM from many starts; short Gibbs chains from dispersed starts that look for a mode EM has
missed; the sampler that suits the model; labels aligned once; the gate. What differs between
methods is only the sampler. With ``"auto"`` the cheapest method goes first, and where its draws do
not stand the next one takes over (`docs/decisions/0011-importance-sampling-first.md`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from softseg.inference.checkpoint import Chain, Checkpoint, Keeper
from softseg.inference.diagnose import BOUNDS, Diagnosis, ModeSummary, diagnose
from softseg.inference.draws import Draws, Progress
from softseg.inference.gibbs import gibbs
from softseg.inference.laplace import laplace
from softseg.inference.methods import METHODS, Method, Reason, allowed, candidates
from softseg.inference.modes import Modes, reach, volume
from softseg.inference.relabel import Aligned, align
from softseg.inference.search import Search, label_free, modes_of, search, strayed
from softseg.inference.space import Space
from softseg.inference.verdicts import PARTIAL
from softseg.likelihood.statistics import Statistics
from softseg.models.edges import inside
from softseg.models.mixture import Mixture, Values

MIXING = frozenset({"rhat", "ess_bulk", "ess_tail"})
"""Checks that more draws can mend."""
ELSEWHERE = MIXING | {"pareto_k", "importance_ess", "explored", "divergences", "bfmi"}
"""Checks that another method may pass; the others speak of the posterior itself."""
NUTS_TUNE = 500
"""NUTS adapts its step and metric; Gibbs sampling has nothing to adapt."""
LONGER = (6, 24)
"""Sweeps per kept draw when the runs before mixed too slowly for the gate."""
NEAR_RHAT = 1.1
"""The last, longest run is made only where R-hat has come down to this: chains that still stand in
different places will not meet."""
ALIGNED_DRAWS = 400
"""Importance draws on which labels are compared; they all come from the same modes."""


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
    reason: Reason
    diagnosis: Diagnosis
    thin: int


@dataclass(frozen=True)
class Ways:
    """How models of one kind are searched, sampled and aligned; the rest is alike for all kinds.

    Attributes
    ----------
    search, gibbs, align
        As `softseg.inference.search.search`, `softseg.inference.gibbs.gibbs` and
        `softseg.inference.relabel.align`.
    space
        Returns the coordinates of a mixture on a table.
    engine
        Returns what computes the density for nutpie, None for the mixture's own.
    content
        What else decides about the posterior, for the checkpoint.
    """

    search: Callable[..., Search] = search
    space: Callable[[Mixture, Statistics], Space] = Space.of
    gibbs: Callable[..., tuple[Draws, list[Values]]] = gibbs
    align: Callable[..., Aligned] = align
    engine: Callable[[Statistics, Mixture, Values], Any] | None = None
    content: Any = None


MIXTURES: Final = Ways()


@dataclass(frozen=True)
class _Task:
    """What every method is given."""

    ways: Ways
    statistics: Statistics
    mixture: Mixture
    found: Search
    n_draws: int
    n_tune: int
    n_chains: int
    longer: bool
    rng: np.random.Generator
    cores: int
    progress: Progress | None
    keeper: Keeper
    partial: bool


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
    ways: Ways = MIXTURES,
) -> Sampled:
    """Return judged posterior draws of a mixture.

    Parameters
    ----------
    method
        ``"laplace"`` (importance sampling at the modes), ``"gibbs"``, ``"nuts"``, or ``"auto"``:
        the first of them whose draws stand; where none do, the one that fails the fewest checks,
        first of those that more draws cannot mend, and misses the bounds by least. Too few draws
        are not made up for by another method.
    n_draws, n_tune, n_chains
        Draws kept per chain after tuning, number of chains. ``laplace`` makes as many draws as
        pass the gate, `n_draws` times `n_chains` at the most.
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
    ways
        Those of another kind of model.

    Raises
    ------
    UsageError
        Where a method is asked for that does not serve the model, or there is none of the name.
    """
    asked = allowed(method, mixture, statistics)
    rng_search, *rng_methods = rng.spawn(1 + len(METHODS))
    found = ways.search(
        statistics, mixture, n_starts=n_starts, rng=rng_search, cores=cores, progress=progress
    )
    keeper = Keeper(checkpoint, statistics, mixture, ways.content)
    results: list[Sampled] = []
    for name, reason in asked or candidates(mixture, statistics, found):
        generator = rng_methods[METHODS.index(name)]
        task = _Task(
            ways, statistics, mixture, found, n_draws, n_tune, n_chains, longer, generator, cores,
            progress, keeper, partial,
        )  # fmt: skip
        draws, aligned, diagnosis, thin = _RUN[name](task)
        results.append(
            Sampled(statistics, mixture, found.modes, aligned, draws, name, reason, diagnosis, thin)
        )
        mendable = {check.name for check in diagnosis.failed} & ELSEWHERE
        too_few = n_draws * n_chains < BOUNDS["importance_ess"]
        if diagnosis.status == PARTIAL or not mendable or too_few:
            break
    return _best(results)


def _best(results: Sequence[Sampled]) -> Sampled:
    """Return the outcome that stands, or else the one that misses the gate by least."""
    last = results[-1]
    if last.diagnosis.status != "failed":
        return last
    best = min(results, key=_distance)
    if len(results) == 1:
        return best
    tried = ", ".join(one.method for one in results)
    return replace(best, reason=("method.least", {"tried": tried, "method": best.method}))


def _distance(one: Sampled) -> tuple[int, int, float]:
    """Return how far an outcome is from good.

    Failed checks that more draws cannot mend, all failed checks, the largest excess.
    """
    failed = one.diagnosis.failed
    lasting = [check for check in failed if check.name not in MIXING]
    return len(lasting), len(failed), max(check.excess for check in failed)


_Outcome = tuple[Draws, Aligned, Diagnosis, int]


def _laplace(task: _Task) -> _Outcome:
    space = task.ways.space(task.mixture, task.statistics)
    options = {"n_draws": task.n_draws, "n_chains": task.n_chains}
    mixture, n_customers = task.mixture, task.statistics.n_customers
    starts = modes_of(task.found, 0.5 * volume(mixture, n_customers))

    def propose() -> Chain:
        made, _, _ = laplace(
            space, starts, **options, rng=task.rng, cores=task.cores, progress=task.progress
        )
        return Chain(made.values, made.log_likelihood, made.sample_stats)

    chain = task.keeper.chain("laplace", starts, task.rng, options, propose)
    drawn = Draws(chain.values, chain.log_likelihood, chain.sample_stats, "laplace")
    names = ("pareto_k", "importance_ess")
    figures = {name: float(drawn.sample_stats[name][0, 0]) for name in names}
    if task.found.visits is not None:
        reference = label_free(drawn.log_likelihood, drawn.values.share)
        distance = strayed(task.found.visits, reference, reach(mixture, n_customers))
        if distance is not None:
            figures["explored"] = distance
    return *_judged(task, drawn, figures), 1


def _gibbs(task: _Task) -> _Outcome:
    rngs = task.rng.spawn(task.n_chains)
    starts = task.found.starts(task.n_chains)
    s, mixture = task.statistics, task.mixture
    drawn, ends = task.ways.gibbs(
        s, mixture, starts, n_draws=task.n_draws, n_tune=task.n_tune, rngs=rngs,
        cores=task.cores, progress=task.progress, keeper=task.keeper, partial=task.partial,
    )  # fmt: skip
    draws, aligned, diagnosis = _judged(task, drawn)
    thin = 1
    for thin_next in LONGER if task.longer else ():
        if drawn.interrupted or not _worth_more(diagnosis, thin):
            break
        try:
            drawn, ends = task.ways.gibbs(
                s, mixture, ends, n_draws=task.n_draws, n_tune=0, thin=thin_next, rngs=rngs,
                cores=task.cores, progress=task.progress, stage="longer", keeper=task.keeper,
            )  # fmt: skip
            thin = thin_next
        except KeyboardInterrupt:
            if not task.partial:
                raise
            drawn = replace(drawn, interrupted=True)
        draws, aligned, diagnosis = _judged(task, drawn)
    return draws, aligned, diagnosis, thin


def _nuts(task: _Task) -> _Outcome:
    from softseg.inference.nuts import nuts

    starts, make = task.found.starts(task.n_chains), task.ways.engine
    inner = inside(task.mixture, starts[0], task.statistics.n_customers)
    engine = None if make is None else make(task.statistics, task.mixture, inner)
    drawn = nuts(
        task.statistics, task.mixture, starts, n_draws=task.n_draws,
        n_tune=max(task.n_tune, NUTS_TUNE), rngs=task.rng.spawn(task.n_chains), engine=engine,
        cores=task.cores, progress=task.progress, keeper=task.keeper, partial=task.partial,
    )  # fmt: skip
    return *_judged(task, drawn), 1


_RUN: Final[Mapping[str, Callable[[_Task], _Outcome]]] = {
    "laplace": _laplace,
    "gibbs": _gibbs,
    "nuts": _nuts,
}


def _judged(
    task: _Task, draws: Draws, figures: Mapping[str, float] | None = None
) -> tuple[Draws, Aligned, Diagnosis]:
    """Return the draws with aligned labels, how that went, and the gate's judgement."""
    modes = task.found.modes
    aligned = _aligned(task, draws)
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
        importance=figures,
    )
    if draws.interrupted:
        diagnosis = diagnosis.interrupted(len(draws.log_likelihood), task.n_chains)
    return moved, aligned, diagnosis


def _aligned(task: _Task, draws: Draws) -> Aligned:
    """Align the labels; importance draws of one mode all move alike, so that some show how."""
    pivot, relabel = task.found.modes.best.values, task.mixture.exchangeable
    align, weighted = task.ways.align, draws.method == "laplace"
    n_draws = draws.log_likelihood.shape[1]
    every = max(1, draws.log_likelihood.size // ALIGNED_DRAWS)

    def aligned(values: Values) -> Aligned:
        return align(task.statistics, values, pivot, relabel=relabel, by_chain=not weighted)

    if not weighted or every == 1 or n_draws < 2 * every:
        return aligned(draws.values)
    few = aligned(draws.values.at((slice(None), slice(None, None, every))))
    order = few.order[0, 0]
    if not np.all(few.order == order):
        return aligned(draws.values)
    whole = np.broadcast_to(order, draws.values.share.shape)
    return replace(few, values=draws.values.permuted(order), order=whole)


def _worth_more(diagnosis: Diagnosis, thin: int) -> bool:
    """Return whether more sweeps could help: only mixing fails, and the chains come together."""
    failed = {check.name for check in diagnosis.failed}
    if not failed or not failed <= MIXING:
        return False
    rhat = diagnosis.check("rhat").value
    return thin == 1 or rhat is None or rhat < NEAR_RHAT
