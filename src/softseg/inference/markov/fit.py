"""From a panel to a judged fit of the latent Markov model: `fit_markov`."""

import os
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from softseg.errors import SchemaError
from softseg.families.base import Array
from softseg.inference.draws import Progress
from softseg.inference.fit_verdict import FitVerdict
from softseg.inference.markov.modes import rows_of
from softseg.inference.markov.sample import sample_markov
from softseg.inference.predictive import check_fit
from softseg.inference.sample import Sampled
from softseg.likelihood.histories import Histories, histories_of
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.latent_markov import LatentMarkov, specify_markov, sticky
from softseg.models.mixture import Values
from softseg.tables.check import check_rows
from softseg.tables.faults import Fault
from softseg.tables.panel.examine import migration_of
from softseg.tables.panel.panel import Panel
from softseg.tables.prepare import refuse_and_warn


@dataclass(frozen=True)
class Layout:
    """A panel as the kernel reads it, and the model that fits it.

    Attributes
    ----------
    statistics, histories
        Distinct rows and distinct histories.
    profiles
        Names of the transition matrices: ``all``, the periods that transitions lead to, or one per
        combination of covariates.
    design, begin_design
        Distinct covariates of transitions and of beginnings, None where there are none.
    """

    statistics: Statistics
    histories: Histories
    profiles: tuple[str, ...]
    design: Array | None
    begin_design: Array | None


@dataclass(frozen=True)
class MarkovFit(Sampled):
    """A fitted latent Markov model: aligned draws with the gate.

    Attributes
    ----------
    panel
        What was fitted, its schema frozen.
    layout
        The panel as the kernel reads it.
    verdict
        Whether the segments describe the rows of the panel; None where rows without activity may
        be those of customers who have left, so that it is not known which rows to describe.
    seed
        What fixes every draw.
    """

    panel: Panel
    layout: Layout
    verdict: FitVerdict | None
    seed: int

    @property
    def model(self) -> LatentMarkov:
        """The model, as what it is."""
        if not isinstance(self.mixture, LatentMarkov):
            raise SchemaError("Fit a panel with `fit_markov`: this is the fit of a mixture.")
        return self.mixture


def lay_out(panel: Panel) -> Layout:
    """Return a panel as the kernel reads it."""
    statistics = reduce(panel.table)
    entry = migration_of(panel.schema)
    profile, profiles, design = None, ("all",), None
    if entry.by_period and len(panel.periods) > 1:
        profile = np.maximum(panel.period - 1, 0)
        profiles = panel.periods[1:]
    elif panel.covariate_names:
        design, profile = np.unique(panel.covariates, axis=0, return_inverse=True)
        profiles = tuple(str(i + 1) for i in range(len(design)))
    begin, begin_design = None, None
    if panel.initial_names:
        begin_design, begin = np.unique(panel.initial, axis=0, return_inverse=True)
    histories = histories_of(
        statistics,
        row=panel.row,
        sign=panel.may.astype(np.int64),
        start=panel.start,
        churns=entry.churn != "none",
        profile=None if profile is None else profile.ravel(),
        begin=None if begin is None else begin.ravel(),
    )
    return Layout(statistics, histories, profiles, design, begin_design)


def model_for(panel: Panel, layout: Layout, n_segments: int) -> LatentMarkov:
    """Return the latent Markov model of a panel with a given number of segments."""
    entry = migration_of(panel.schema)
    churns = entry.churn != "none"
    return specify_markov(
        panel.schema,
        n_segments,
        churns=churns,
        alpha=sticky(n_segments, churns, entry.stay, entry.strength),
        profiles=layout.profiles,
        design=layout.design,
        covariates=panel.covariate_names,
        begin_design=layout.begin_design,
        begin_covariates=panel.initial_names,
    )


def fit_markov(
    panel: Panel,
    n_segments: int,
    *,
    seed: int,
    cores: int | None = None,
    progress: Progress | None = None,
    allow_few_rows: bool = False,
    **options: Any,
) -> MarkovFit:
    """Return the judged posterior draws of a latent Markov model with so many segments.

    Parameters
    ----------
    panel
        With a frozen schema.
    seed
        Fixes every draw, whatever the number of cores.
    cores
        Threads; all of the machine's by default.
    progress, options
        As in `softseg.inference.sample.sample`: method, n_draws, n_tune, n_chains, n_starts,
        longer, checkpoint.
    allow_few_rows
        Fit even with fewer than 2 rows per free parameter.

    Raises
    ------
    DataError
        Where the panel has fewer.
    SchemaError
        Where the schema has no entry on migration.
    UsageError
        Where Gibbs is asked for and there are covariates or a prior without an update.
    """
    if progress is not None:
        progress("reduce", 0.0)
    layout = lay_out(panel)
    model = model_for(panel, layout, n_segments)
    refuse_and_warn(few_rows(panel, model, allow_few_rows), panel.schema.language)
    return fit_laid_out(panel, layout, model, seed=seed, cores=cores, progress=progress, **options)


def few_rows(panel: Panel, model: LatentMarkov, allow_few_rows: bool = False) -> list[Fault]:
    """Return a fault where a panel has few rows for the parameters of a model; see `check_rows`."""
    n_rows = float(panel.table.count.sum())
    return check_rows(n_rows, model.n_parameters, allow_few_rows=allow_few_rows)


def fit_laid_out(
    panel: Panel,
    layout: Layout,
    model: LatentMarkov,
    *,
    seed: int,
    cores: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> MarkovFit:
    """Return what `fit_markov` does of a panel that is laid out, however few its rows.

    Parameters
    ----------
    layout, model
        Of this panel, from `lay_out` and `model_for`.
    seed, cores, progress, options
        As in `fit_markov`.
    """
    cores = cores or os.cpu_count() or 1
    report = progress or (lambda stage, share: None)
    rng_sample, rng_check = np.random.default_rng(seed).spawn(2)
    sampled = sample_markov(
        layout.statistics, layout.histories, model, rng=rng_sample, cores=cores,
        progress=progress, **options,
    )  # fmt: skip
    verdict = None
    if not layout.histories.quiet.any():
        report("check", 0.0)
        values = as_rows(sampled.draws.values.flattened(), sampled.modes.best.sizes)
        verdict, _ = check_fit(layout.statistics, panel.table, rows_of(model), values, rng_check)
    report("check", 1.0)
    parts = {field.name: getattr(sampled, field.name) for field in fields(Sampled)}
    return MarkovFit(**parts, panel=panel, layout=layout, verdict=verdict, seed=seed)


def as_rows(values: Values, sizes: Array) -> Values:
    """Return draws with the shares of the panel's rows in the place of those of the beginning."""
    share = np.broadcast_to(sizes / sizes.sum(), values.share.shape)
    return replace(values, share=share.copy())
