"""Judged posterior draws of a latent Markov model: `sample_markov`.

The methods, the automatic choice and the gate are those of mixtures (`softseg.inference.sample`);
what differs is how modes are sought, what the density is, and how a Gibbs sweep goes.
"""

from functools import partial
from typing import Any, cast

import numpy as np

from softseg.inference.gibbs import gibbs
from softseg.inference.markov.entry import markov_engine
from softseg.inference.markov.gibbs import markov_sweeps
from softseg.inference.markov.search import Searcher
from softseg.inference.markov.space import MarkovSpace
from softseg.inference.relabel import align
from softseg.inference.sample import Sampled, Ways, sample
from softseg.likelihood.histories import Histories
from softseg.likelihood.statistics import Statistics
from softseg.models.latent_markov import LatentMarkov
from softseg.models.mixture import Mixture


def sample_markov(
    statistics: Statistics,
    histories: Histories,
    model: LatentMarkov,
    *,
    rng: np.random.Generator,
    **options: Any,
) -> Sampled:
    """Return judged posterior draws of a latent Markov model.

    Parameters
    ----------
    statistics, histories
        The panel's patterns and histories.
    options
        As `softseg.inference.sample.sample` takes them: method, n_draws, n_tune, n_chains,
        n_starts, longer, cores, progress, checkpoint, partial.

    Raises
    ------
    UsageError
        Where a method is asked for that does not serve the model.
    """
    return sample(statistics, model, rng=rng, ways=ways_of(statistics, histories, model), **options)


def ways_of(statistics: Statistics, histories: Histories, model: LatentMarkov) -> Ways:
    """Return how one model on one panel is searched, sampled and aligned."""
    own, h = MarkovSpace.on(model, statistics, histories), histories

    def space(mixture: Mixture, patterns: Statistics) -> MarkovSpace:
        if mixture is model and patterns is statistics:
            return own
        return MarkovSpace.on(cast(LatentMarkov, mixture), patterns, histories)

    return Ways(
        search=Searcher(histories),
        space=space,
        gibbs=partial(gibbs, sweeps=markov_sweeps(own)),
        align=partial(align, shares=False),
        engine=lambda patterns, mixture, start: markov_engine(own),
        content=(h.steps, h.quiet, h.n_churns, model.design, model.begin_design),
    )
