"""What ``softseg roi`` says in the end: some lines, with the report's own numbers and words."""

import math
from typing import TYPE_CHECKING

from softseg.report.roi.compared import against_nothing
from softseg.report.roi.facts import HIGH, LOW, MIDDLE, PUBLISHED, RoiFacts
from softseg.report.roi.text import (
    break_even_lines,
    driver_lines,
    information_sentence,
    roi_band,
    varies,
)
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.decisions.answers.collect import Answers
    from softseg.decisions.model.simulate import Simulation


def findings(simulation: "Simulation", answers: "Answers", language: str) -> list[str]:
    """Return net present value, probability that it pays, ROI, break-even and drivers in words.

    A line before them says against what, where that is a programme without segments.
    """
    facts = RoiFacts(simulation, answers, language)
    drivers = driver_lines(facts)[:1]
    if varies(facts):
        drivers.append(information_sentence(facts))
    enough = " ".join(break_even_lines(facts)[:2])
    lines = [_npv(facts), _pays(facts), _roi(facts), enough, " ".join(drivers)]
    return [line for line in (against_nothing(facts), *lines) if line]


def _npv(facts: RoiFacts) -> str:
    values = {"years": str(facts.horizon)}
    for prefix, adjusted in (("", True), ("plain_", False)):
        for name, quantile in (("low", LOW), ("middle", MIDDLE), ("high", HIGH)):
            found = facts.headline("npv", quantile=quantile, adjusted=adjusted)
            values[prefix + name] = facts.money(*found)
    key = "roi.found.npv" if varies(facts) else "roi.found.npv_point"
    return say(key, facts.language, **values)


def _pays(facts: RoiFacts) -> str:
    cases, plain = (
        facts.cases(facts.headline("p_npv_positive", adjusted=adjusted)[0])
        for adjusted in (True, False)
    )
    return say("roi.found.pays", facts.language, cases=cases, plain=plain)


def _roi(facts: RoiFacts) -> str:
    low, middle, high = (facts.headline("roi", quantile=q) for q in (LOW, MIDDLE, HIGH))
    if not math.isfinite(middle[0]):
        return say("roi.found.no_roi", facts.language)
    published = facts.headline("roi", quantile=MIDDLE, accounting=PUBLISHED, adjusted=False)
    values = {"middle": facts.ratio(*middle), "published": facts.ratio(*published)}
    if low[0] == high[0]:
        return say("roi.found.roi_point", facts.language, **values)
    values["band"] = roi_band(facts, facts.ratio(*low), facts.ratio(*high))
    return say("roi.found.roi", facts.language, **values)
