"""Gibbs sampling by data augmentation: segments given parameters, parameters given segments.

One sweep draws every customer's segment from its membership (in the kernel), adds up the
statistics of each segment, and lets every family draw its parameters from their conditional
(conjugate, or a slice step). Chains run in threads, each with its own generator, so that chain i
is the same however many cores and chains there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event
from typing import Protocol

import numpy as np

from softseg.families.base import TINY, Array
from softseg.families.namespace import NUMPY
from softseg.inference.checkpoint import Chain, Keeper
from softseg.inference.draws import Draws, Progress, threads_for
from softseg.inference.space import Space
from softseg.inference.threads import Stopped, in_threads
from softseg.inference.turns import served, sweeps_kernel
from softseg.likelihood.kernel import sampled_statistics
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values
from softseg.models.plan import theta_of, values_of

REPORT_EVERY = 50


def gibbs(
    statistics: Statistics,
    mixture: Mixture,
    starts: Sequence[Values],
    *,
    n_draws: int,
    n_tune: int,
    thin: int = 1,
    rngs: Sequence[np.random.Generator],
    cores: int = 1,
    progress: Progress | None = None,
    stage: str = "sample",
    keeper: Keeper | None = None,
    partial: bool = False,
    sweeps: "Sweeps | None" = None,
) -> tuple[Draws, list[Values]]:
    """Return the draws of one chain per start, and where each chain stands at its end.

    Parameters
    ----------
    starts
        First values of each chain.
    n_draws, n_tune
        Draws kept per chain, after so many sweeps that are not.
    thin
        Sweeps per kept draw.
    rngs
        One generator per chain; they are used up, so that calling again with the ends and the
        same generators continues the chains.
    keeper
        Keeps every finished chain, and gives back those it has.
    partial
        Whether an interrupt returns the finished chains, if there are any, instead of being raised.
    sweeps
        The compiled sweeps; those of the mixture where they are not given.
    """
    n_chains = len(starts)
    keeper = keeper or Keeper(None, statistics, mixture)
    options = {"n_draws": n_draws, "n_tune": n_tune, "thin": thin}
    finished = np.zeros(n_chains)

    def tell(chain: int, share: float) -> None:
        finished[chain] = share
        if progress is not None:
            progress(stage, float(finished.mean()))

    if sweeps is None and served(mixture):
        sweeps = mixture_sweeps(Space.of(mixture, statistics))

    def one(chain: int, stop: Event) -> Chain:
        start, rng = starts[chain], rngs[chain]

        def go_on(share: float) -> None:
            if stop.is_set() and share < 1.0:
                raise Stopped
            tell(chain, share)

        def run() -> Chain:
            if sweeps is not None:
                base = float(statistics.count @ statistics.log_base)
                chain = _run_compiled(sweeps, mixture, start, rng, n_draws, n_tune, thin, go_on)
                return replace(chain, log_likelihood=chain.log_likelihood + base)
            return _Chain(statistics, mixture, start, rng).run(n_draws, n_tune, thin, go_on)

        return keeper.chain("gibbs", start, rng, options, run)

    threads = threads_for(statistics.n_patterns, cores)
    chains, interrupted = in_threads(one, n_chains, threads, partial=partial)
    values = stack([chain.values for chain in chains])
    log_likelihood = np.stack([chain.log_likelihood for chain in chains])
    ends = [chain.end for chain in chains if chain.end is not None]
    return Draws(values, log_likelihood, {}, "gibbs", interrupted), ends


def stack(values: Sequence[Values]) -> Values:
    """Return several draws (or chains) with a new leading axis."""
    first = values[0]
    indicators = {
        indicator: {
            name: np.stack([v.indicators[indicator][name] for v in values]) for name in parameters
        }
        for indicator, parameters in first.indicators.items()
    }
    return Values(np.stack([v.share for v in values]), indicators)


class Sweeps(Protocol):
    """Compiled Gibbs sweeps of one model on one table."""

    def __call__(
        self,
        rng: np.random.Generator,
        share: Array,
        theta: Array,
        first: int,
        n_sweeps: int,
        n_tune: int,
        thin: int,
        kept: tuple[Array, Array, Array],
    ) -> None:
        """Move shares and theta in place by sweeps number first, …, writing down those to keep.

        `kept` are shares, thetas and log-likelihoods without base, (draw, …).
        """
        ...


def mixture_sweeps(space: Space) -> Sweeps:
    """Return the sweeps of a mixture."""
    s = space.statistics

    def move(
        rng: np.random.Generator,
        share: Array,
        theta: Array,
        first: int,
        n_sweeps: int,
        n_tune: int,
        thin: int,
        kept: tuple[Array, Array, Array],
    ) -> None:
        sweeps_kernel(
            rng, space.plan, share, theta, s.dense, s.joined, s.count, first, n_sweeps, n_tune,
            thin, *kept,
        )  # fmt: skip

    return move


def _run_compiled(
    sweeps: Sweeps,
    mixture: Mixture,
    start: Values,
    rng: np.random.Generator,
    n_draws: int,
    n_tune: int,
    thin: int,
    tell: Callable[[float], None],
) -> Chain:
    """Return one chain, made some sweeps at a time; log-likelihoods without base."""
    share, theta = np.array(start.share, dtype=float), theta_of(mixture, start)
    kept = np.empty((n_draws, *share.shape)), np.empty((n_draws, *theta.shape)), np.empty(n_draws)
    n_sweeps = n_tune + n_draws * thin
    for first in range(0, n_sweeps, REPORT_EVERY):
        tell(first / n_sweeps)
        sweeps(rng, share, theta, first, min(REPORT_EVERY, n_sweeps - first), n_tune, thin, kept)
    tell(1.0)
    return Chain(values_of(mixture, *kept[:2]), kept[2], end=values_of(mixture, share, theta))


class _Chain:
    """One chain of a mixture without compiled steps: its present values and its generator."""

    def __init__(
        self, statistics: Statistics, mixture: Mixture, start: Values, rng: np.random.Generator
    ) -> None:
        self.statistics = statistics
        self.mixture = mixture
        self.values = start
        self.rng = rng

    def run(self, n_draws: int, n_tune: int, thin: int, tell) -> Chain:
        kept: list[Values] = []
        log_likelihood = np.empty(n_draws)
        n_sweeps = n_tune + n_draws * thin
        for sweep in range(n_sweeps):
            before = self.values
            log_lik = self.sweep()
            since = sweep - n_tune
            if since >= 0 and since % thin == 0:
                log_likelihood[len(kept)] = log_lik
                kept.append(before)
            if sweep % REPORT_EVERY == 0:
                tell(sweep / n_sweeps)
        tell(1.0)
        return Chain(stack(kept), log_likelihood, end=self.values)

    def sweep(self) -> float:
        """Move once; return the log-likelihood of the values it started from."""
        statistics, mixture, rng = self.statistics, self.mixture, self.rng
        values = self.values
        weights = statistics.layout.weights(values.indicators, NUMPY)
        drawn = sampled_statistics(statistics, weights, values.share, rng)
        sums = statistics.layout.split(drawn.dense, drawn.table, drawn.sizes)
        indicators = {}
        for slot in statistics.layout.slots:
            name = slot.indicator
            indicators[name] = slot.family.update(
                rng, sums[name], values.indicators[name], mixture.priors[name], slot.coding
            )
        share = mixture.fixed_share
        if share is None:
            heights = np.maximum(rng.standard_gamma(mixture.share + drawn.sizes), TINY)
            share = heights / heights.sum()
        self.values = Values(share, indicators)
        return drawn.log_likelihood
