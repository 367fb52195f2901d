"""Numbers of segments side by side: `recommend` takes one of them and says why.

The candidates come from a table (`softseg.inference.choose`) or from a panel
(`softseg.inference.markov.choose`); the rule is the same for both. It takes the smallest number
beyond which either prediction gets no better than chance explains, or the picture of the customers
hardly moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from softseg.checks import whole_number
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.inference.draws import Progress
from softseg.inference.evidence import Evidence, probabilities
from softseg.inference.fit_verdict import POOR
from softseg.inference.flows import flow
from softseg.inference.loo import LooResult, difference
from softseg.inference.sample import MIXING, Sampled
from softseg.inference.second_opinions import LOOSE_RHAT, Reason, second_opinions, survival
from softseg.inference.telescoping import Occupied
from softseg.models.mixture import Values
from softseg.wording import number, percent, say

if TYPE_CHECKING:
    import pandas as pd

SETTLED: Final = 0.15
"""Further segments change nothing that matters when the customer's picture moves by less (sd)."""
SETTLED_PANEL: Final = 0.2
"""The same in a panel, in sd of the pictures: 4 % of what segments tell of customers apart."""
FLAT: Final = 1e-6
"""Pictures with less spread than this (sd) are the same for all customers."""
FEWEST_HANDLED, MOST_HANDLED = 4, 8
LOO_DRAWS: Final = 500
LISTED: Final = frozenset({
    "choose.refused", "choose.refused_panel", "choose.few_rows", "choose.no_evidence",
    "choose.evidence_refused",
})  # fmt: skip
"""Reasons that name several numbers."""
FOR_PANELS: Final = frozenset({
    "choose.one", "choose.none", "choose.refused", "choose.settled", "choose.never_turns",
    "choose.agree", "choose.disagree",
})  # fmt: skip
"""Reasons that are said in other words of a panel."""


@dataclass(frozen=True)
class Candidate:
    """One number of segments and what was found for it.

    Attributes
    ----------
    fit
        Judged draws, and in `fit_status` whether the model describes the data.
    loo
        Of a customer left out.
    icl
        None in a panel, whose customers are in several segments one after the other.
    smallest
        Customers of the smallest segment; in a panel per period, on average.
    count
        Customers of each unit, (unit,): a pattern, or a step of a history in a panel.
    picture
        Expected scores of each unit, (unit, score).
    top
        Most probable segment of each unit, 0 for the largest, (unit,).
    """

    n_segments: int
    fit: Sampled
    fit_status: str
    loo: LooResult
    bic: float
    icl: float | None
    entropy_r2: float
    smallest: float
    count: Array
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
    def passed(self) -> bool:
        """Whether it passes the whole gate already."""
        return not self.fit.diagnosis.failed

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
    panel
        Whether the candidates are of a panel.
    """

    candidates: tuple[Candidate, ...]
    recommended: int | None
    reasons: tuple[Reason, ...]
    shifts: tuple[float, ...]
    flows: tuple[Array, ...] = ()
    occupied: Occupied | None = None
    panel: bool = False

    def text(self, language: str = "en") -> list[str]:
        """Return the recommendation in sentences."""
        return [say(key, language, **_spoken(key, v, language)) for key, v in self.reasons]

    @property
    def table(self) -> "pd.DataFrame":
        """The criteria, one row per number of segments.

        Log densities in natural logs; BIC and ICL smaller is better, elpd larger; ``hit_rate`` the
        share of starts that ended in the best mode; ``smallest_segment`` in customers, of a panel
        per period on average; ``shift`` the move of the typical customer's picture to the next
        number (see `picture_shift`); ``p_k`` the posterior probability of the number, all tried
        alike beforehand, among those whose evidence is known and whose draws are usable (NaN for
        the others, and where there is but one); ``p_occupied`` the probability that so many
        segments are occupied. For a panel there is neither ``icl`` nor ``p_occupied``.
        """
        import pandas as pd

        known = [c.compared for c in self.candidates]
        p_k = np.full(len(known), np.nan)
        if sum(known) > 1:
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
                "smallest_segment": c.smallest,
                "shift": shift,
                "fit_status": c.fit_status,
                "gate_status": c.fit.diagnosis.status,
            }
            for c, shift, p in zip(self.candidates, (*self.shifts, np.nan), p_k, strict=True)
        ]
        found = pd.DataFrame(rows)
        return found.drop(columns=["icl", "p_occupied"]) if self.panel else found


def numbers_of(n_segments: Sequence[int]) -> list[int]:
    """Return the numbers of segments to try, ascending, each once.

    Raises
    ------
    UsageError
        Where there is none, or one of them is no whole number from 1.
    """
    numbers = sorted({whole_number(k, "n_segments", least=1) for k in n_segments})
    if not numbers:
        raise UsageError("Give at least one number of segments to try, got none.")
    return numbers


def recommend(
    candidates: Sequence[Candidate],
    occupied: Occupied | None = None,
    *,
    panel: bool = False,
    left_out: Sequence[Reason] = (),
) -> Choice:
    """Return the smallest number beyond which nothing that matters for a decision changes.

    Parameters
    ----------
    panel
        Whether the candidates are of a panel, which is said in other words.
    left_out
        Which numbers were not tried, and why.
    """
    flows = tuple(flow(a.top, b.top, a.count) for a, b in pairwise(candidates))
    shifts = tuple(picture_shift(a, b, relative=panel) for a, b in pairwise(candidates))
    usable = [c for c in candidates if c.usable]
    if not usable:
        none: Reason = ("choose.none_panel" if panel else "choose.none", {})
        reasons = (none, *left_out)
        return Choice(tuple(candidates), None, reasons, shifts, flows, occupied, panel)
    best = max(usable, key=lambda c: c.loo.elpd)
    by_loo = next(c for c in usable if _as_good(c, best))
    least = SETTLED_PANEL if panel else SETTLED
    settled = next(
        c
        for c in usable
        if all(picture_shift(c, d, relative=panel) < least for d in usable if _after(c, d))
    )
    enough = min(by_loo, settled, key=lambda c: c.n_segments)
    taken = _described(usable, enough, by_loo)
    said = {"loo": float(by_loo.n_segments)}
    if panel:
        said["bic"] = float(min(usable, key=lambda c: c.bic).n_segments)
    reasons = _why(candidates, usable, taken, by_loo, least)
    if taken is not enough:
        k, before = taken.n_segments, enough.n_segments
        reasons.insert(1, ("choose.described", {"k": k, "before": before}))
    if not taken.passed:
        reasons.append(("choose.slow", {"k": taken.n_segments}))
    reasons += second_opinions(candidates, said, occupied)
    reasons += [*survival(candidates, flows, taken), *left_out]
    if panel:
        reasons += _refused_but_better(candidates, taken)
        reasons = [(f"{key}_panel" if key in FOR_PANELS else key, v) for key, v in reasons]
    return Choice(
        tuple(candidates), taken.n_segments, tuple(reasons), shifts, flows, occupied, panel
    )


def _described(usable: Sequence[Candidate], enough: Candidate, by_loo: Candidate) -> Candidate:
    """Return the first number from `enough` on whose model describes the data.

    It does not go beyond the number that prediction supports; where none describes them, it is
    `enough`.
    """
    if enough.fit_status != POOR:
        return enough
    between = [c for c in usable if enough.n_segments <= c.n_segments <= by_loo.n_segments]
    return next((c for c in between if c.fit_status != POOR), enough)


def _refused_but_better(candidates: Sequence[Candidate], taken: Candidate) -> list[Reason]:
    """Return which number predicts best of those that are refused and better than the one taken."""
    better = [c for c in candidates if not c.usable and not _as_good(taken, c)]
    if not better:
        return []
    best = max(better, key=lambda c: c.loo.elpd)
    return [("choose.refused_better", {"k": float(best.n_segments)})]


def _why(
    candidates: Sequence[Candidate],
    usable: Sequence[Candidate],
    taken: Candidate,
    by_loo: Candidate,
    least: float,
) -> list[Reason]:
    """Return the reasons for a recommendation, in the order in which they are read.

    `least` is the move of the picture that would have counted.
    """
    k = taken.n_segments
    reasons: list[Reason] = []
    reasons.append(("choose.one", {}) if k == 1 else ("choose.recommended", {"k": k}))
    if taken is not usable[-1]:
        if taken is by_loo:
            reasons.append(("choose.loo", {"k": k}))
        else:
            reasons.append(("choose.settled", {"k": k, "shift": least}))
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
    by_icl = [(c.icl, c.n_segments) for c in candidates if c.icl is not None]
    if by_icl:
        reasons.append(("choose.bic", {"bic": by_bic.n_segments, "icl": min(by_icl)[1]}))
    if k > MOST_HANDLED:
        reasons.append(("choose.too_many", {"k": k}))
    elif 1 < k < FEWEST_HANDLED:
        reasons.append(("choose.range", {}))
    return reasons


def picture_shift(first: Candidate, second: Candidate, *, relative: bool = False) -> float:
    """Return how far two fits' pictures of the customers differ, in sd of the indicators.

    A customer's picture is the mean of its segments on every indicator, weighted by membership.

    Parameters
    ----------
    relative
        Whether in sd of the pictures instead, where they are wider. What a customer does in a
        single period of a panel is mostly chance, so that measured by it all pictures are alike.
    """
    count = first.count
    squares = np.square(first.picture - second.picture).mean(axis=1)
    shift = float(np.sqrt(count @ squares / count.sum()))
    if not relative:
        return shift
    unit = max(_spread(first), _spread(second))
    return shift / unit if unit > FLAT else 0.0


def _spread(candidate: Candidate) -> float:
    """Return the sd of the pictures, in sd of the indicators."""
    share = candidate.count / candidate.count.sum()
    squares = np.square(candidate.picture - share @ candidate.picture).mean(axis=1)
    return float(np.sqrt(share @ squares))


def picture_of(points: Array, membership: Array, count: Array) -> Array:
    """Return each unit's expected scores given its memberships, (unit, score), in sd.

    Parameters
    ----------
    points
        Scores of the units, (unit, score).
    membership
        Shape (unit, segment).
    count
        Customers of each unit, (unit,).
    """
    spread = points.std(axis=0)
    points = points / np.where(spread > 0, spread, 1.0)
    weighted = membership * count[:, None]
    sizes = np.maximum(weighted.sum(axis=0), 1e-12)
    return membership @ ((weighted.T @ points) / sizes[:, None])


def _as_good(candidate: Candidate, best: Candidate) -> bool:
    lead, se = difference(best.loo, candidate.loo)
    return candidate is best or lead <= se


def _after(first: Candidate, second: Candidate) -> bool:
    return second.n_segments > first.n_segments


def thinned(values: Values) -> Values:
    """Return at most `LOO_DRAWS` of the draws with the leading axis (sample), evenly spaced."""
    n = len(values.share)
    return values.at(np.linspace(0, n - 1, min(n, LOO_DRAWS)).round().astype(np.intp))


def progress_for(progress: Progress | None, before: int, n: int) -> Progress:
    """Return what one fit reports to, so many of n fits being done before it."""

    def report(stage: str, share: float) -> None:
        if progress is not None:
            progress("choose", (before + _done(stage, share)) / n)

    return report


def _done(stage: str, share: float) -> float:
    """Return the share of one fit that a stage's share stands for."""
    begin = {"reduce": 0.0, "modes": 0.02, "explore": 0.2, "sample": 0.35, "longer": 0.6}
    length = {"reduce": 0.02, "modes": 0.18, "explore": 0.15, "sample": 0.4, "longer": 0.3}
    return begin.get(stage, 0.9) + length.get(stage, 0.1) * share


def _spoken(key: str, values: dict[str, float], language: str) -> dict[str, str]:
    # Numbers of segments are whole, however a file has kept them.
    said = {n: number(int(v) if float(v).is_integer() else v, language) for n, v in values.items()}
    if key in LISTED:
        return {"refused": ", ".join(said.values())}
    if key == "choose.survive":
        stay = ", ".join(text for name, text in said.items() if name[0] == "s")
        return {"stay": stay, "k": said["k"], "next": said["next"]}
    if key in ("choose.disagree", "choose.disagree_panel"):
        opinions = [say(f"choose.opinion.{name}", language, k=text) for name, text in said.items()]
        return {"opinions": "; ".join(opinions)}
    shares = {name: percent(v, language, 0) for name, v in values.items() if name in ("share", "p")}
    return said | shares
