"""From a table to a judged fit: `fit`."""

import os
from dataclasses import dataclass, fields

import numpy as np

from softseg.families.base import Array
from softseg.inference.checkpoint import Checkpoint
from softseg.inference.draws import Progress
from softseg.inference.predictive import FitVerdict, check_fit
from softseg.inference.sample import Method, Sampled, sample
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import specify
from softseg.tables.table import Table


@dataclass(frozen=True)
class Fit(Sampled):
    """A fitted mixture: aligned draws with the gate, and whether the model fits the table.

    Attributes
    ----------
    table
        What was fitted, its schema frozen.
    verdict
        Whether the model fits the table.
    tail_probability
        Predictive tail probability of each customer, (customer,).
    seed
        What fixes every draw.
    """

    table: Table
    verdict: FitVerdict
    tail_probability: Array
    seed: int


def fit(
    table: Table,
    n_segments: int,
    *,
    method: Method = "auto",
    n_draws: int = 1000,
    n_tune: int = 200,
    n_chains: int = 4,
    n_starts: int = 10,
    longer: bool = True,
    seed: int,
    cores: int | None = None,
    progress: Progress | None = None,
    statistics: Statistics | None = None,
    checkpoint: Checkpoint | None = None,
    partial: bool = False,
) -> Fit:
    """Return the judged posterior draws of a mixture with a given number of segments.

    Parameters
    ----------
    table
        With a frozen schema.
    method, n_draws, n_tune, n_chains, n_starts, longer, checkpoint, partial
        As in `softseg.inference.sample.sample`.
    seed
        Fixes every draw, whatever the number of cores.
    cores
        Threads; all of the machine's by default.
    statistics
        The table's, where they have been computed already.

    Raises
    ------
    UsageError
        Where Gibbs is asked for and a prior has no update, or counts are no whole numbers.
    """
    cores = cores or os.cpu_count() or 1
    report = progress or (lambda stage, share: None)
    report("reduce", 0.0)
    statistics = statistics or reduce(table)
    rng_sample, rng_check = np.random.default_rng(seed).spawn(2)
    sampled = sample(
        statistics,
        specify(table.schema, n_segments),
        method=method,
        n_draws=n_draws,
        n_tune=n_tune,
        n_chains=n_chains,
        n_starts=n_starts,
        longer=longer,
        rng=rng_sample,
        cores=cores,
        progress=progress,
        checkpoint=checkpoint,
        partial=partial,
    )
    report("check", 0.0)
    values = sampled.draws.values.flattened()
    verdict, tail = check_fit(statistics, table, sampled.mixture, values, rng_check)
    report("check", 1.0)
    parts = {field.name: getattr(sampled, field.name) for field in fields(Sampled)}
    return Fit(**parts, table=table, verdict=verdict, tail_probability=tail, seed=seed)
