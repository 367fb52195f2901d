"""How many segments: `choose` fits a range of numbers and recommends one in words.

No single criterion decides. BIC and ICL are computed from the log-likelihood at the mode under
the default priors (not the maximum-likelihood mode); PSIS-LOO is the expected log density of a
customer who was left out (Vehtari, Gelman and Gabry 2017), of the marginal density per customer.
On large tables, or where a family fits badly, all of them keep improving; the recommendation then
rests on what a decision would notice: how far the picture of the typical customer still moves.
Beside them stand the marginal likelihood with P(K | data), and the number of segments that the
telescoping sampler occupies when it may choose; where they disagree, that is said.
"""

import os
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np

from softseg.families.namespace import NUMPY
from softseg.inference.checkpoint import Checkpoint
from softseg.inference.choice import (
    Candidate,
    Choice,
    numbers_of,
    picture_of,
    progress_for,
    recommend,
    thinned,
)
from softseg.inference.criteria import bic, entropy_r2, icl
from softseg.inference.draws import Progress
from softseg.inference.evidence import evidence
from softseg.inference.fit import Fit, fit
from softseg.inference.flows import ranked
from softseg.inference.loo import densities, efficiency_of, loo
from softseg.inference.sample import Method
from softseg.inference.space import Space
from softseg.inference.starts import scores
from softseg.inference.telescoping import Occupied, telescope
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import specify
from softseg.tables.table import Table

EVIDENCE_DRAWS: Final = 1000
EVIDENCE_STREAM, OCCUPIED_STREAM = 2, 3
"""Streams of random numbers apart from those of the fits."""
MOST_TELESCOPED: Final = 20_000
"""Up to so many patterns the number of occupied segments is sampled."""


def choose(
    table: Table,
    n_segments: Sequence[int] = range(1, 11),
    *,
    method: Method = "auto",
    n_draws: int = 500,
    n_tune: int = 200,
    n_chains: int = 4,
    n_starts: int = 10,
    seed: int,
    cores: int | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Choice:
    """Return the criteria for several numbers of segments, and a recommendation.

    Parameters
    ----------
    n_segments
        Numbers to try, ascending.
    n_draws, n_tune, n_chains, n_starts, seed, checkpoint
        As in `fit`; every number of segments gets the same seed. Runs that mix slowly are not
        made longer: they serve to compare, and the fit that is used in the end is.

    Raises
    ------
    UsageError
        Where there is no number to try, or the method does not serve the model.
    """
    numbers = numbers_of(n_segments)
    statistics = reduce(table)
    candidates: list[Candidate] = []
    for i, k in enumerate(numbers):
        fitted = fit(
            table, k, method=method, n_draws=n_draws, n_tune=n_tune, n_chains=n_chains,
            n_starts=n_starts, longer=False, seed=seed, cores=cores,
            progress=progress_for(progress, i, len(numbers)), statistics=statistics,
            checkpoint=checkpoint,
        )  # fmt: skip
        candidates.append(_candidate(fitted, k, cores))
    occupied = _occupied(table, statistics, n_draws, n_chains, seed, cores, progress)
    return recommend(candidates, occupied)


def _occupied(
    table: Table,
    statistics: Statistics,
    n_draws: int,
    n_chains: int,
    seed: int,
    cores: int | None,
    progress: Progress | None,
) -> Occupied | None:
    """Return draws of the number of occupied segments, None where they cannot be had."""
    mixture = specify(table.schema, 2)
    whole = bool(np.all(statistics.count == np.floor(statistics.count)))
    if mixture.not_updatable() or not mixture.exchangeable or not whole:
        return None
    if statistics.n_patterns > MOST_TELESCOPED:
        return None
    return telescope(
        statistics, cache(lambda k: specify(table.schema, k)), n_draws=n_draws, n_tune=n_draws,
        rngs=np.random.default_rng([seed, OCCUPIED_STREAM]).spawn(n_chains),
        cores=cores or os.cpu_count() or 1, progress=progress,
    )  # fmt: skip


def _candidate(fitted: Fit, n_segments: int, cores: int | None) -> Candidate:
    statistics, mode = fitted.statistics, fitted.modes.best
    membership, _ = memberships(
        statistics, statistics.layout.weights(mode.values.indicators, NUMPY), mode.values.share
    )
    n_parameters = fitted.mixture.n_parameters
    count = statistics.count
    draws = thinned(fitted.draws.values.flattened())
    efficiency = efficiency_of(fitted.draws, len(draws.share))
    copies = fitted.draws.copies
    return Candidate(
        n_segments=n_segments,
        fit=fitted,
        fit_status=fitted.verdict.status,
        loo=loo(densities(statistics, draws), count, efficiency),
        bic=bic(mode.log_likelihood, n_parameters, statistics.n_customers),
        icl=icl(mode.log_likelihood, n_parameters, membership, count),
        entropy_r2=entropy_r2(membership, count),
        smallest=float(fitted.aligned.mean_sizes.min()),
        count=count,
        picture=picture_of(scores(statistics), membership, count),
        top=ranked(membership, count),
        evidence=evidence(
            Space.of(fitted.mixture, statistics),
            fitted.draws.values,
            np.random.default_rng([fitted.seed, EVIDENCE_STREAM, n_segments]),
            n_draws=EVIDENCE_DRAWS,
            worth=1.0 / copies if copies > 0.0 else np.inf,
            cores=cores or os.cpu_count() or 1,
        ),
    )
