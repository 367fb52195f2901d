"""Gibbs sampling by data augmentation: segments given parameters, parameters given segments.

One sweep draws every customer's segment from its membership (in the kernel), adds up the
statistics of each segment, and lets every family draw its parameters from their conditional
(conjugate, or a slice step). Chains run in threads, each with its own generator, so that chain i
is the same however many cores and chains there are.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from softseg.families.base import TINY, Array
from softseg.families.namespace import NUMPY
from softseg.inference.draws import Draws, Progress, threads_for
from softseg.inference.space import Space
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
    """
    n_chains = len(starts)
    finished = np.zeros(n_chains)

    def tell(chain: int, share: float) -> None:
        finished[chain] = share
        if progress is not None:
            progress(stage, float(finished.mean()))

    space = Space.of(mixture, statistics) if served(mixture) else None

    def one(chain: int) -> tuple[Values, Array, Values]:
        if space is not None:
            return _run_compiled(
                space, starts[chain], rngs[chain], n_draws, n_tune, thin,
                lambda share: tell(chain, share),
            )  # fmt: skip
        sweeps = _Chain(statistics, mixture, starts[chain], rngs[chain])
        return sweeps.run(n_draws, n_tune, thin, lambda share: tell(chain, share))

    threads = threads_for(statistics.n_patterns, cores)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        chains = list(pool.map(one, range(n_chains)))
    values = stack([values for values, _, _ in chains])
    log_likelihood = np.stack([log_lik for _, log_lik, _ in chains])
    return Draws(values, log_likelihood, {}, "gibbs"), [end for _, _, end in chains]


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


def _run_compiled(
    space: Space,
    start: Values,
    rng: np.random.Generator,
    n_draws: int,
    n_tune: int,
    thin: int,
    tell: Callable[[float], None],
) -> tuple[Values, Array, Values]:
    """Return draws, their log-likelihoods and the end of one chain, some sweeps at a time."""
    s, mixture = space.statistics, space.mixture
    share, theta = np.array(start.share, dtype=float), theta_of(mixture, start)
    kept = np.empty((n_draws, *share.shape)), np.empty((n_draws, *theta.shape)), np.empty(n_draws)
    n_sweeps = n_tune + n_draws * thin
    for first in range(0, n_sweeps, REPORT_EVERY):
        tell(first / n_sweeps)
        sweeps_kernel(
            rng, space.plan, share, theta, s.dense, s.joined, s.count,
            first, min(REPORT_EVERY, n_sweeps - first), n_tune, thin, *kept,
        )  # fmt: skip
    tell(1.0)
    log_likelihood = kept[2] + float(s.count @ s.log_base)
    return values_of(mixture, *kept[:2]), log_likelihood, values_of(mixture, share, theta)


class _Chain:
    """One chain of a mixture without compiled steps: its present values and its generator."""

    def __init__(
        self, statistics: Statistics, mixture: Mixture, start: Values, rng: np.random.Generator
    ) -> None:
        self.statistics = statistics
        self.mixture = mixture
        self.values = start
        self.rng = rng

    def run(self, n_draws: int, n_tune: int, thin: int, tell) -> tuple[Values, Array, Values]:
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
        return stack(kept), log_likelihood, self.values

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
