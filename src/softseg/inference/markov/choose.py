"""How many segments a panel has: `choose_markov` fits a range of numbers and recommends one.

The rule of thumb is that of tables (`softseg.inference.choice`): the smallest number beyond which
either the prediction of a customer gets no better than chance explains, or the picture of the
customers hardly moves. It differs in these points, because of what a panel is.

- The customer who is left out (PSIS-LOO) is left out with the whole history: the periods of a
  customer are no independent observations. BIC charges for as many customers, not rows.
- The picture is that of a customer in a period, given the whole history, and its move is measured
  by the spread of the pictures, not of what is observed: a single period shows mostly chance,
  beside which all segments look alike. Segments that differ in nothing but where their customers
  go leave the picture as it is; nor can the gate tell their labels apart.
- Only numbers that pass the whole gate are recommended, after runs as long as those of a fit.
- The marginal likelihood is the mean weight of the importance draws, times K! for the labellings
  that they do not reach. It is known only where the draws came by importance sampling and keep to
  one labelling; nothing is said of it elsewhere.
- There is no ICL, since customers are in several segments one after the other, and no telescoping
  over the number of occupied segments: that sampler knows mixtures, not chains.
"""

import os
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.special import gammaln

from softseg.families.base import Array
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
from softseg.inference.criteria import bic, entropy_r2
from softseg.inference.draws import Progress
from softseg.inference.evidence import SEPARATED, Evidence
from softseg.inference.flows import ranked
from softseg.inference.loo import efficiency_of, loo
from softseg.inference.markov.customers import Customers, customer_densities, customers_of
from softseg.inference.markov.fit import (
    MarkovFit,
    few_rows,
    fit_laid_out,
    lay_out,
    model_for,
)
from softseg.inference.markov.space import MarkovSpace, emissions
from softseg.inference.sample import Method
from softseg.inference.second_opinions import Reason
from softseg.inference.starts import scores
from softseg.likelihood.markov import smoothed_of
from softseg.models.edges import inside
from softseg.models.latent_markov import chain_of
from softseg.models.plan import theta_of
from softseg.tables.check import refuse_errors
from softseg.tables.panel.panel import Panel

UNJUDGED, UNKNOWN = "unjudged", "unknown"
MOST_STEPS: Final = 200_000
"""Pictures of so many steps are compared at the most, evenly spaced."""


class PanelCandidate(Candidate):
    """A number of segments of a panel, fitted as long as it takes."""

    @property
    def usable(self) -> bool:
        """Whether the gate has let it through."""
        return self.fit.diagnosis.status == "good"


def choose_markov(
    panel: Panel,
    n_segments: Sequence[int] = range(1, 7),
    *,
    method: Method = "auto",
    n_draws: int = 500,
    n_tune: int = 200,
    n_chains: int = 4,
    n_starts: int = 10,
    seed: int,
    cores: int | None = None,
    allow_few_rows: bool = False,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Choice:
    """Return the criteria for several numbers of segments of a panel, and a recommendation.

    There is no telescoping over the number of segments for panels: `Choice.occupied` is None.

    Parameters
    ----------
    panel
        With a frozen schema.
    n_segments
        Numbers to try, without the state churned. Those for which the panel has fewer than 2 rows
        per free parameter are left out, and that is said.
    method, n_draws, n_tune, n_chains, n_starts, seed, cores, checkpoint
        As in `softseg.inference.markov.fit.fit_markov`; every number gets the same seed.
    allow_few_rows
        Try numbers with fewer rows too.

    Raises
    ------
    DataError
        Where the panel has too few rows for every number.
    SchemaError
        Where the schema has no entry on migration.
    UsageError
        Where there is no number to try, or the method does not serve the model.
    """
    numbers = numbers_of(n_segments)
    if progress is not None:
        progress("reduce", 0.0)
    layout = lay_out(panel)
    customers = customers_of(panel, layout)
    models = {k: model_for(panel, layout, k) for k in numbers}
    faults = {k: few_rows(panel, model, allow_few_rows) for k, model in models.items()}
    small = [k for k in numbers if any(fault.severity == "error" for fault in faults[k])]
    if len(small) == len(numbers):
        refuse_errors(faults[numbers[0]], panel.schema.language)
    tried = [k for k in numbers if k not in small]
    candidates = []
    for i, k in enumerate(tried):
        fitted = fit_laid_out(
            panel, layout, models[k], method=method, n_draws=n_draws, n_tune=n_tune,
            n_chains=n_chains, n_starts=n_starts, seed=seed, cores=cores,
            progress=progress_for(progress, i, len(tried)), checkpoint=checkpoint,
        )  # fmt: skip
        candidates.append(candidate_of(fitted, customers, cores))
    left_out: list[Reason] = []
    if small:
        left_out.append(("choose.few_rows", {f"k{k}": float(k) for k in small}))
    return recommend(candidates, panel=True, left_out=left_out)


def candidate_of(
    fitted: MarkovFit, customers: Customers, cores: int | None = None
) -> PanelCandidate:
    """Return the criteria of one fit, its customers being those of `customers_of`."""
    model, layout, mode = fitted.model, fitted.layout, fitted.modes.best
    draws = thinned(fitted.draws.values.flattened())
    density = customer_densities(model, layout, customers, draws, cores or os.cpu_count() or 1)
    points, membership, count = steps_of(fitted)
    return PanelCandidate(
        n_segments=model.n_segments,
        fit=fitted,
        fit_status=UNJUDGED if fitted.verdict is None else fitted.verdict.status,
        loo=loo(density, customers.count, efficiency_of(fitted.draws, len(draws.share))),
        bic=bic(mode.log_likelihood, model.n_parameters, customers.n_customers),
        icl=None,
        entropy_r2=entropy_r2(membership, count),
        smallest=float(mode.sizes.min()) / len(fitted.panel.periods),
        count=count,
        picture=picture_of(points, membership, count),
        top=ranked(membership, count),
        evidence=evidence_of(fitted),
    )


def evidence_of(fitted: MarkovFit) -> Evidence:
    """Return the log marginal likelihood that importance sampling has come by.

    Returns
    -------
    Evidence
        NaN with an infinite error where it is not known: where the draws came in another way, or
        where more than 1 % of them are in another labelling than the rest, so that they reach
        part of the permutations. Else as in `softseg.inference.evidence`, `stray` being the share
        of the draws, not of the proposals.
    """
    stats, k = fitted.draws.sample_stats, fitted.model.n_segments
    if "log_evidence" not in stats:
        return Evidence(float("nan"), float("inf"), UNKNOWN, float("nan"))
    log, error = (float(stats[name][0, 0]) for name in ("log_evidence", "log_evidence_error"))
    if k == 1 or not fitted.model.exchangeable:
        return Evidence(log, error, "one" if k == 1 else "meaningful", 0.0)
    order = fitted.aligned.order.reshape(-1, k)
    _, times = np.unique(order, axis=0, return_counts=True)
    stray = 1.0 - float(times.max()) / len(order)
    if stray > SEPARATED:
        return Evidence(float("nan"), float("inf"), UNKNOWN, stray)
    return Evidence(log + float(gammaln(k + 1.0)), error, "separated", stray)


def steps_of(fitted: MarkovFit) -> tuple[Array, Array, Array]:
    """Return scores, memberships and customers of the steps that show something, at the mode.

    Returns
    -------
    tuple
        Scores (step, score); memberships given the whole history and that the customer has not
        left, (step, segment); customers who show it and have not left, as expected, (step,). Steps
        are those of the distinct histories, the same for every number of segments.
    """
    model, layout = fitted.model, fitted.layout
    statistics = layout.statistics
    space = MarkovSpace.on(model, statistics, layout.histories)
    values = inside(model, fitted.modes.best.values, statistics.n_customers)
    theta = np.ascontiguousarray(theta_of(model, values))
    density, _, _, _ = emissions(space.plan, theta, space.sequences, model.n_states)
    begin, moves = chain_of(space.chain, values.share, theta)
    smoothed = smoothed_of(space.sequences, density, begin, moves)[:, : model.n_segments]
    codes, places = layout.histories.steps.codes, layout.histories.places()
    times = np.empty(len(codes))
    times[places[places >= 0]] = np.repeat(layout.histories.steps.times, layout.histories.length)
    shown = np.flatnonzero(codes < statistics.n_patterns)
    chosen = shown[np.linspace(0, len(shown) - 1, min(len(shown), MOST_STEPS)).astype(np.intp)]
    there = smoothed[chosen].sum(axis=1)
    membership = smoothed[chosen] / np.maximum(there, 1e-300)[:, None]
    return scores(statistics)[codes[chosen]], membership, times[chosen] * there
