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
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from softseg.checks import whole_number
from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.inference.checkpoint import Checkpoint
from softseg.inference.criteria import bic, entropy_r2, icl
from softseg.inference.draws import Progress
from softseg.inference.evidence import Evidence, evidence, probabilities
from softseg.inference.fit import Fit, fit
from softseg.inference.flows import flow, ranked
from softseg.inference.loo import LooResult, densities, difference, efficiency_of, loo
from softseg.inference.sample import MIXING, Method
from softseg.inference.second_opinions import LOOSE_RHAT, Reason, second_opinions, survival
from softseg.inference.space import Space
from softseg.inference.starts import scores
from softseg.inference.telescoping import Occupied, telescope
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import Values, specify
from softseg.tables.table import Table
from softseg.wording import number, percent, say

if TYPE_CHECKING:
    import pandas as pd

SETTLED: Final = 0.15
"""Further segments change nothing that matters when the customer's picture moves by less (sd)."""
FEWEST_HANDLED, MOST_HANDLED = 4, 8
LOO_DRAWS: Final = 500
EVIDENCE_DRAWS: Final = 1000
EVIDENCE_STREAM, OCCUPIED_STREAM = 2, 3
"""Streams of random numbers apart from those of the fits."""
MOST_TELESCOPED: Final = 20_000
"""Up to so many patterns the number of occupied segments is sampled."""


@dataclass(frozen=True)
class Candidate:
    """One number of segments and what was found for it."""

    n_segments: int
    fit: Fit
    loo: LooResult
    bic: float
    icl: float
    entropy_r2: float
    picture: Array
    top: NDArray[np.intp]
    evidence: Evidence

    @property
    def usable(self) -> bool:
        """Whether its segments are identified; draws that mix a little slowly do not matter here.

        The fit that is used in the end must pass the whole gate.
        """
        failed = {check.name for check in self.fit.diagnosis.failed}
        rhat = self.fit.diagnosis.check("rhat").value
        return failed <= MIXING and (rhat is None or rhat < LOOSE_RHAT)

    @property
    def compared(self) -> bool:
        """Whether its evidence counts: known well enough, from draws that are usable."""
        return self.usable and self.evidence.usable


@dataclass(frozen=True)
class Choice:
    """The candidates, and the recommendation.

    Attributes
    ----------
    recommended
        Number of segments, None where no candidate has identified segments.
    reasons
        Keys of the catalogue with their values, in the order in which they are read.
    shifts
        How far the typical customer's picture moves from each candidate to the next, in sd.
    flows
        Customers by top segment of each candidate and of the next, (segment, segment of the next).
    occupied
        Draws of the number of occupied segments; None where it was not sampled.
    """

    candidates: tuple[Candidate, ...]
    recommended: int | None
    reasons: tuple[Reason, ...]
    shifts: tuple[float, ...]
    flows: tuple[Array, ...] = ()
    occupied: Occupied | None = None

    def text(self, language: str = "en") -> list[str]:
        """Return the recommendation in sentences."""
        return [say(key, language, **_spoken(key, v, language)) for key, v in self.reasons]

    @property
    def table(self) -> "pd.DataFrame":
        """The criteria, one row per number of segments.

        Log densities in natural logs; BIC and ICL smaller is better, elpd larger; ``hit_rate`` the
        share of starts that ended in the best mode; ``smallest_segment`` in customers; ``shift``
        the move of the typical customer's picture to the next number, in sd; ``p_k`` the posterior
        probability of the number, all tried alike beforehand, among those whose evidence is known
        and whose draws are usable (NaN for the others); ``p_occupied`` the probability that so many
        segments are occupied.
        """
        import pandas as pd

        known = [c.compared for c in self.candidates]
        p_k = np.full(len(known), np.nan)
        p_k[known] = probabilities([c.evidence.log for c in self.candidates if c.compared])
        most = max(c.n_segments for c in self.candidates)
        occupied = np.full(most, np.nan)
        if self.occupied is not None:
            occupied = self.occupied.probability(most)
        rows = [
            {
                "n_segments": c.n_segments,
                "log_likelihood": c.fit.modes.best.log_likelihood,
                "bic": c.bic,
                "icl": c.icl,
                "entropy_r2": c.entropy_r2,
                "elpd_loo": c.loo.elpd,
                "elpd_loo_se": c.loo.se,
                "n_bad_k": c.loo.n_bad,
                "log_evidence": c.evidence.log,
                "log_evidence_se": c.evidence.error,
                "p_k": p,
                "p_occupied": occupied[c.n_segments - 1],
                "hit_rate": c.fit.modes.hit_rate,
                "smallest_segment": float(c.fit.aligned.mean_sizes.min()),
                "shift": shift,
                "fit_status": c.fit.verdict.status,
                "gate_status": c.fit.diagnosis.status,
            }
            for c, shift, p in zip(self.candidates, (*self.shifts, np.nan), p_k, strict=True)
        ]
        return pd.DataFrame(rows)


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
    """
    numbers = sorted({whole_number(k, "n_segments", least=1) for k in n_segments})
    statistics = reduce(table)
    candidates: list[Candidate] = []
    for i, k in enumerate(numbers):

        def report(stage: str, share: float, before: int = i) -> None:
            if progress is not None:
                progress("choose", (before + _done(stage, share)) / len(numbers))

        fitted = fit(
            table, k, method=method, n_draws=n_draws, n_tune=n_tune, n_chains=n_chains,
            n_starts=n_starts, longer=False, seed=seed, cores=cores, progress=report,
            statistics=statistics, checkpoint=checkpoint,
        )  # fmt: skip
        candidates.append(_candidate(fitted, k, cores))
    occupied = _occupied(table, statistics, n_draws, n_chains, seed, cores, progress)
    return recommend(candidates, occupied)


def recommend(candidates: Sequence[Candidate], occupied: Occupied | None = None) -> Choice:
    """Return the smallest number beyond which nothing that matters for a decision changes."""
    count = candidates[0].fit.statistics.count
    flows = tuple(flow(a.top, b.top, count) for a, b in pairwise(candidates))
    shifts = tuple(picture_shift(a, b) for a, b in pairwise(candidates))
    usable = [c for c in candidates if c.usable]
    if not usable:
        return Choice(tuple(candidates), None, (("choose.none", {}),), shifts, flows, occupied)
    best = max(usable, key=lambda c: c.loo.elpd)
    by_loo = next(c for c in usable if _as_good(c, best))
    settled = next(
        c for c in usable if all(picture_shift(c, d) < SETTLED for d in usable if _after(c, d))
    )
    taken = min(by_loo, settled, key=lambda c: c.n_segments)
    reasons = _why(candidates, usable, taken, by_loo)
    reasons += second_opinions(candidates, by_loo.n_segments, occupied)
    reasons += survival(candidates, flows, taken)
    return Choice(tuple(candidates), taken.n_segments, tuple(reasons), shifts, flows, occupied)


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


def _why(
    candidates: Sequence[Candidate],
    usable: Sequence[Candidate],
    taken: Candidate,
    by_loo: Candidate,
) -> list[Reason]:
    """Return the reasons for a recommendation, in the order in which they are read."""
    k = taken.n_segments
    reasons: list[Reason] = []
    reasons.append(("choose.one", {}) if k == 1 else ("choose.recommended", {"k": k}))
    if taken is not usable[-1]:
        if taken is by_loo:
            reasons.append(("choose.loo", {"k": k}))
        else:
            reasons.append(("choose.settled", {"k": k, "shift": SETTLED}))
    refused = [c for c in candidates if not c.usable]
    if refused:
        reasons.append(("choose.refused", {f"k{c.n_segments}": c.n_segments for c in refused}))
    first, top = candidates[0].loo.elpd, max(candidates, key=lambda c: c.loo.elpd)
    if top.loo.elpd > first and k > candidates[0].n_segments:
        share = min((taken.loo.elpd - first) / (top.loo.elpd - first), 1.0)
        reasons.append(("choose.enough", {"k": k, "share": share}))
    by_bic = min(candidates, key=lambda c: c.bic)
    still = top is candidates[-1] and by_bic is top and (taken is top or not _as_good(taken, top))
    if len(candidates) > 2 and still:
        reasons.append(("choose.never_turns", {"k": top.n_segments}))
    lowest: dict[str, float] = {
        "bic": by_bic.n_segments,
        "icl": min(candidates, key=lambda c: c.icl).n_segments,
    }
    reasons.append(("choose.bic", lowest))
    if k > MOST_HANDLED:
        reasons.append(("choose.too_many", {"k": k}))
    elif 1 < k < FEWEST_HANDLED:
        reasons.append(("choose.range", {}))
    return reasons


def picture_shift(first: Candidate, second: Candidate) -> float:
    """Return how far two fits' pictures of the customers differ, in sd of the indicators.

    A customer's picture is the mean of its segments on every indicator, weighted by membership.
    """
    count = first.fit.statistics.count
    squares = np.square(first.picture - second.picture).mean(axis=1)
    return float(np.sqrt(count @ squares / count.sum()))


def _candidate(fitted: Fit, n_segments: int, cores: int | None) -> Candidate:
    statistics, mode = fitted.statistics, fitted.modes.best
    membership, _ = memberships(
        statistics, statistics.layout.weights(mode.values.indicators, NUMPY), mode.values.share
    )
    n_parameters = fitted.mixture.n_parameters
    n = statistics.n_customers
    criterion = bic(mode.log_likelihood, n_parameters, n)
    draws = _thinned(fitted.draws.values.flattened())
    efficiency = efficiency_of(fitted.draws, len(draws.share))
    copies = fitted.draws.copies
    return Candidate(
        n_segments,
        fitted,
        loo(densities(statistics, draws), statistics.count, efficiency),
        criterion,
        icl(mode.log_likelihood, n_parameters, membership, statistics.count),
        entropy_r2(membership, statistics.count),
        _picture(fitted, membership),
        ranked(membership, statistics.count),
        evidence(
            Space.of(fitted.mixture, statistics),
            fitted.draws.values,
            np.random.default_rng([fitted.seed, EVIDENCE_STREAM, n_segments]),
            n_draws=EVIDENCE_DRAWS,
            worth=1.0 / copies if copies > 0.0 else np.inf,
            cores=cores or os.cpu_count() or 1,
        ),
    )


def _picture(fitted: Fit, membership: Array) -> Array:
    """Return each pattern's expected scores given its memberships, (pattern, score)."""
    points = scores(fitted.statistics)
    spread = points.std(axis=0)
    points = points / np.where(spread > 0, spread, 1.0)
    weighted = membership * fitted.statistics.count[:, None]
    sizes = np.maximum(weighted.sum(axis=0), 1e-12)
    return membership @ ((weighted.T @ points) / sizes[:, None])


def _thinned(values: Values) -> Values:
    n = len(values.share)
    return values.at(np.linspace(0, n - 1, min(n, LOO_DRAWS)).round().astype(np.intp))


def _as_good(candidate: Candidate, best: Candidate) -> bool:
    lead, se = difference(best.loo, candidate.loo)
    return candidate is best or lead <= se


def _after(first: Candidate, second: Candidate) -> bool:
    return second.n_segments > first.n_segments


def _done(stage: str, share: float) -> float:
    """Return the share of one fit that a stage's share stands for."""
    begin = {"reduce": 0.0, "modes": 0.02, "explore": 0.2, "sample": 0.35, "longer": 0.6}
    length = {"reduce": 0.02, "modes": 0.18, "explore": 0.15, "sample": 0.4, "longer": 0.3}
    return begin.get(stage, 0.9) + length.get(stage, 0.1) * share


def _spoken(key: str, values: dict[str, float], language: str) -> dict[str, str]:
    if key in ("choose.refused", "choose.no_evidence", "choose.evidence_refused"):
        return {"refused": ", ".join(number(v, language) for v in values.values())}
    if key == "choose.survive":
        stay = ", ".join(number(v, language) for name, v in values.items() if name[0] == "s")
        return {"stay": stay, **{name: number(values[name], language) for name in ("k", "next")}}
    if key == "choose.disagree":
        return {
            "opinions": "; ".join(
                say(f"choose.opinion.{name}", language, k=number(v, language))
                for name, v in values.items()
            )
        }
    as_share = {"share", "p"}
    return {
        name: percent(v, language, 0) if name in as_share else number(v, language)
        for name, v in values.items()
    }
