"""Sentences that say what was found: the five lines, and what makes a segment different."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from softseg.inference.verdicts import SIGNS, quantity
from softseg.report.amounts import (
    beside,
    cell,
    customers,
    listing,
    percent,
    scaled,
    share_interval,
    with_unit,
)
from softseg.report.facts import Facts, Line
from softseg.wording import percent as rough_percent

N_PHRASES = 3
WEAK_POWER = 0.05
"""Discriminating power below which an indicator is said to tell segments hardly apart."""


@dataclass(frozen=True)
class Phrase:
    """One trait of a segment: ``high`` or ``low``, and what it says."""

    direction: str
    label: str
    text: str


def findings(tree: Any, language: str = "en") -> list[str]:
    """Return what was found in about five sentences; after a failed gate, why nothing was.

    Parameters
    ----------
    tree
        Posterior tree.
    language
        ``en`` or ``de``.
    """
    facts = Facts(tree, language)
    if not facts.passed:
        return _refusal(facts)
    lines = [
        _size_line(facts),
        _value_line(facts),
        _certainty_line(facts),
        _power_line(facts),
        _trust_line(facts),
    ]
    return [line for line in lines if line]


def _refusal(facts: Facts) -> list[str]:
    if facts.diagnosis is None:
        return [facts.say("report.gate.unjudged")]
    failed = facts.diagnosis.failed
    lines = [facts.say("report.finding.refused", count=len(failed))]
    for check in failed:
        title = facts.say(f"gate.{check.name}.title")
        value, bound = check.shown(facts.language)
        where = quantity(check.worst, facts.language, facts.labels())
        lines.append(
            facts.say(
                "report.finding.failed_check",
                title=title,
                value=value,
                bound=f"{SIGNS[check.name]} {bound}",
                where=where,
            )
        )
    return [*lines, facts.say("report.withheld")]


def _size_line(facts: Facts) -> str:
    n = customers(facts.total_customers, facts.language)
    if facts.n_segments == 1:
        return facts.say("report.finding.one_segment", customers=n)
    size = facts.size("share")
    largest = int(np.argmax(size.mean))
    share, inside = share_interval(size[largest], facts.language)
    return facts.say(
        "report.finding.sizes",
        number=facts.n_segments,
        customers=n,
        largest=facts.segment_names[largest],
        share=share,
        interval=inside,
    )


def _value_line(facts: Facts) -> str:
    if facts.n_segments == 1:
        return ""
    if not facts.value_names:
        return facts.say("report.finding.no_value")
    column = facts.value_names[0]
    value, size = facts.value(column), facts.size("share")
    if not np.isfinite(value.mean).all():
        return ""
    best = int(np.argmax(value.mean))
    share, inside = share_interval(value[best], facts.language)
    of_customers, _ = share_interval(size[best], facts.language)
    line = facts.say(
        "report.finding.value",
        name=facts.segment_names[best],
        share=share,
        interval=inside,
        customers=of_customers,
        value=facts.value_label(column),
    )
    return f"{line} {held_by_top(facts, column, (0.15,))}".strip()


def held_by_top(facts: Facts, column: str, tops: tuple[float, ...]) -> str:
    """Return which share of a value the best customers bring, as a sentence, "" if unknown."""
    if column not in facts.concentration:
        return ""
    known, held = facts.concentration[column]
    parts = []
    for top in tops:
        at = np.flatnonzero(np.isclose(known, top))
        if at.size and np.isfinite(held[at[0]]):
            parts.append(
                facts.say(
                    "report.concentration.part",
                    top=percent(top, 0, facts.language),
                    held=percent(float(held[at[0]]), 0, facts.language),
                )
            )
    if not parts:
        return ""
    listed = listing(parts, facts.say("report.and"))
    return facts.say("report.concentration.sentence", parts=listed)


def value_inside(facts: Facts) -> list[str]:
    """Return the labels of the value columns that are indicators as well."""
    return [facts.value_label(name) for name in facts.value_names if name in facts.indicators]


def value_origin(facts: Facts) -> str:
    """Return whether the value took part in finding the segments."""
    inside = value_inside(facts)
    if not inside:
        return facts.say("report.lead.value_apart")
    return facts.say("report.lead.value_indicator", names=listing(inside, facts.say("report.and")))


def _certainty_line(facts: Facts) -> str:
    if facts.n_segments == 1:
        return ""
    clear, ambiguous, none = (int(n) for n in facts.verdict_counts.sum(axis=1))
    share = rough_percent(clear / max(clear + ambiguous + none, 1), facts.language, 0)
    return facts.say(
        "report.finding.certainty",
        share=share,
        clear=customers(clear, facts.language),
        ambiguous=customers(ambiguous, facts.language),
        none=customers(none, facts.language),
    )


def _power_line(facts: Facts) -> str:
    power = sorted(facts.power.items(), key=lambda entry: -entry[1])
    if facts.n_segments == 1 or not power:
        return ""
    conjunction = facts.say("report.and")
    most = listing([facts.label(name) for name, _ in power[:3]], conjunction)
    weak = [facts.label(name) for name, x in power[3:] if x < WEAK_POWER]
    line = facts.say("report.finding.power", most=most)
    if weak:
        line += " " + facts.say("report.finding.weak", least=listing(weak[-3:], conjunction))
    return line


def _trust_line(facts: Facts) -> str:
    verdict = facts.fit_verdict
    line = facts.say("report.finding.trusted")
    return line if verdict is None else f"{line} {facts.say(f'report.fit.{verdict.status}')}"


def phrases(facts: Facts, segment: int, limit: int = N_PHRASES) -> list[Phrase]:
    """Return what distinguishes a segment: its surest departures from the whole table.

    Parameters
    ----------
    facts
        The posterior tree.
    segment
        Position of the segment, from 0.
    limit
        Greatest number of phrases; one per indicator, none whose interval holds the base.
    """
    best: dict[str, tuple[float, Line]] = {}
    for line in facts.headlines:
        strength = float(line.strength()[segment])
        known = best.get(line.indicator, (0.0, line))
        if abs(strength) > abs(known[0]):
            best[line.indicator] = (strength, line)
    strongest = sorted(best.values(), key=lambda entry: -abs(entry[0]))[:limit]
    return [_phrase(facts, line, segment, strength) for strength, line in strongest]


def _phrase(facts: Facts, line: Line, segment: int, strength: float) -> Phrase:
    shown = scaled(line)
    label = line.label
    if line.level:
        label = f"{label}: {line.level}"
    elif line.measure in ("share_positive", "median_positive"):
        label = f"{label}, {facts.measure_label(line)}"
    value, _ = cell(shown.values[segment], facts.language)
    base = beside(shown.base, shown.values[segment], facts.language)
    text = facts.say(
        "report.phrase",
        value=with_unit(value, shown.unit, facts.language),
        base=with_unit(base, "%", facts.language) if shown.unit == "%" else base,
    )
    return Phrase("high" if strength > 0 else "low", label, text)
