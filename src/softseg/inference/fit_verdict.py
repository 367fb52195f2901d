"""What the fit check says: its findings, in numbers, as advice in words and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from softseg.inference.verdicts import join
from softseg.wording import number, percent, say

POOR = "poor"
"""The status of a model that does not describe the data."""
STRONG_PAIR = 0.5
STRONG_DISTRIBUTION = 0.15
"""A single finding of this size makes the verdict poor."""
MOST_PAIRS_SAID = 5
SHARES = ("distribution", "repeated", "zeros")
"""Statistics that are shares of the customers."""


@dataclass(frozen=True)
class IndicatorCheck:
    """One statistic of one indicator, compared with replicates.

    Attributes
    ----------
    statistic
        ``distribution`` (largest difference between the observed and the expected share of
        customers at or below a value), ``smallest``, ``largest``, ``repeated`` (share of the most
        frequent value), ``zeros`` (share), ``dispersion`` (variance/mean).
    observed, lower, upper
        Its value, and the 5 % and 95 % points of the replicates.
    p
        Posterior predictive p, two-sided but for ``distribution``.
    p_all
        Adjusted for everything that was looked at.
    found
        Whether it counts: sure and large enough to matter.
    """

    indicator: str
    statistic: str
    observed: float
    lower: float
    upper: float
    p: float
    p_all: float
    found: bool


@dataclass(frozen=True)
class PairCheck:
    """Dependence of two indicators inside the segments, compared with replicates.

    Attributes
    ----------
    segment
        1 … K, or 0 for all segments together.
    strength
        Dependence beyond chance, on the scale of a correlation (Cramér's V for categories).
    p
        Posterior predictive p.
    p_all
        That of the pair over all segments, adjusted for the number of pairs.
    found
        Whether it counts: sure and large enough to matter.
    """

    first: str
    second: str
    segment: int
    strength: float
    p: float
    p_all: float
    found: bool


@dataclass(frozen=True, repr=False)
class FitVerdict:
    """Whether the model fits the table.

    Attributes
    ----------
    status
        ``"good"``, ``"doubtful"`` or ``"poor"``.
    indicators
        Every statistic of every indicator.
    pairs
        Every pair over all segments; after a pair that was found, the segments it was found in.
    unusual, many_unusual
        Share of customers that fit none of the segments (a right model has about 1 %), and
        whether it is more than chance.
    n_replicates, n_checked, n_customers
        Replicates; customers that indicators and pairs were checked on; customers of the table.
    """

    status: str
    indicators: tuple[IndicatorCheck, ...]
    pairs: tuple[PairCheck, ...]
    unusual: float
    many_unusual: bool
    n_replicates: int
    n_checked: int
    n_customers: float

    @property
    def resolution(self) -> float:
        """Smallest step of the p values."""
        return 1.0 / (self.n_replicates + 1.0)

    def text(self, language: str = "en") -> str:
        """Return the verdict in one sentence."""
        return say(f"fit.{self.status}", language)

    def advice(
        self,
        language: str = "en",
        segment_names: Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Return what was found and what can be done, one sentence each; empty when good.

        Parameters
        ----------
        language
            ``"en"`` or ``"de"``.
        segment_names
            Names of the segments in order; numbers where there are none.
        labels
            Names of indicators for readers, by column.
        """
        known = labels or {}
        lines = self._pair_lines(language, segment_names, known)
        remedies = ["fit.remedy.pair"] if lines else []
        for check in self.indicators:
            if check.found:
                lines.append(_indicator_line(check, language, known))
                remedies.append(f"fit.remedy.{check.statistic}")
        if self.many_unusual:
            lines.append(say("fit.unusual", language, share=percent(self.unusual, language)))
            remedies.append("fit.remedy.unusual")
        return lines + [say(key, language) for key in dict.fromkeys(remedies)]

    def _pair_lines(
        self, language: str, segment_names: Sequence[str] | None, labels: Mapping[str, str]
    ) -> list[str]:
        found = sorted(
            (check for check in self.pairs if check.found and check.segment == 0),
            key=lambda check: -self._strongest(check),
        )
        lines = [
            say(
                "fit.pair",
                language,
                first=labels.get(check.first, check.first),
                second=labels.get(check.second, check.second),
                where=self._where(check, language, segment_names),
                strength=number(round(self._strongest(check), 2), language, 2),
            )
            for check in found[:MOST_PAIRS_SAID]
        ]
        if len(found) > MOST_PAIRS_SAID:
            more = number(len(found) - MOST_PAIRS_SAID, language)
            lines.append(say("fit.pairs.more", language, count=more))
        return lines

    def _inside(self, check: PairCheck) -> list[PairCheck]:
        pair = (check.first, check.second)
        return [c for c in self.pairs if c.segment > 0 and (c.first, c.second) == pair]

    def _strongest(self, check: PairCheck) -> float:
        return max(c.strength for c in [check, *self._inside(check)])

    def _where(self, check: PairCheck, language: str, segment_names: Sequence[str] | None) -> str:
        segments = [inside.segment for inside in self._inside(check)]
        if not segments:
            return say("fit.inside.all", language)
        if segment_names is None:
            words = join([str(k) for k in segments], language)
            key = "fit.inside.one" if len(segments) == 1 else "fit.inside.several"
            return say(key, language, segments=words)
        words = join([segment_names[k - 1] for k in segments], language)
        return say("fit.inside.named", language, segments=words)

    def to_json(self) -> str:
        """Return the verdict as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "FitVerdict":
        """Return the verdict that `to_json` wrote."""
        data = json.loads(text)
        data["indicators"] = tuple(IndicatorCheck(**entry) for entry in data["indicators"])
        data["pairs"] = tuple(PairCheck(**entry) for entry in data["pairs"])
        return cls(**data)

    def __repr__(self) -> str:
        n_pairs = sum(check.segment == 0 for check in self.pairs)
        head = (
            f"FitVerdict: {self.status} ({len(self.indicators)} statistics, {n_pairs} pairs, "
            f"{self.n_replicates} replicates, {self.n_checked} customers)"
        )
        return "\n".join([head, *(f"  {line}" for line in self.advice())])


def status_of(
    indicators: Sequence[IndicatorCheck],
    pairs: Sequence[PairCheck],
    n_indicators: int,
    many_unusual: bool,
) -> str:
    """Return ``good`` without findings, ``poor`` with a strong one or many, else ``doubtful``.

    Many: more than half of the indicators, and more than two, are touched by a finding.
    """
    singles = [check for check in indicators if check.found]
    doubles = [check for check in pairs if check.found]
    if not singles and not doubles:
        return "doubtful" if many_unusual else "good"
    touched = {check.indicator for check in singles}
    touched |= {name for check in doubles for name in (check.first, check.second)}
    strong = any(check.strength >= STRONG_PAIR for check in doubles if check.segment == 0)
    strong |= any(
        check.observed >= STRONG_DISTRIBUTION
        for check in singles
        if check.statistic == "distribution"
    )
    many = len(touched) > max(2.0, n_indicators / 2)
    return POOR if strong or many else "doubtful"


def _indicator_line(check: IndicatorCheck, language: str, labels: Mapping[str, str]) -> str:
    high = check.observed > check.upper
    key = f"fit.indicator.{check.statistic}"
    if check.statistic in ("repeated", "distribution"):
        pass
    else:
        key += ".high" if high else ".low"
    show = percent if check.statistic in SHARES else number
    return say(
        key,
        language,
        indicator=labels.get(check.indicator, check.indicator),
        observed=show(check.observed, language),
        lower=show(check.lower, language),
        upper=show(check.upper, language),
    )
