"""Sentences for a programme that is compared with the best one without segments."""

from softseg.report.roi.facts import MAIN, MIDDLE, RoiFacts
from softseg.wording import has

BOTH = ("segmented", "uniform")


def told(facts: RoiFacts, key: str, **values: object) -> str:
    """Return a text; where the result is a difference of programmes, the text for that."""
    apart = f"{key}_uniform"
    other = bool(facts.answers.programmes) and has(f"roi_report.{apart}")
    return facts.say(apart if other else key, **values)


def against_nothing(facts: RoiFacts) -> str:
    """Return what both programmes bring against doing nothing, "" where there is only one.

    The result is their difference; a good one says nothing about whether either is worth doing.
    """
    if not facts.answers.programmes:
        return ""
    words, means = {}, []
    for name in BOTH:
        data, at = facts.answers.programmes[name], {"accounting": MAIN, "adjusted": True}
        words[f"{name}_cases"] = facts.cases(facts.number(data, "p_npv_positive", **at)[0])
        middle = facts.number(data, "npv", quantile=MIDDLE, **at)
        words[f"{name}_npv"] = facts.money(*middle)
        means.append(facts.number(data, "mean_npv", **at)[0])
    lines = [facts.say("finding.against", **words)]
    if max(means) < 0.0:
        lines.append(facts.say("finding.against_loss"))
    return " ".join(lines)
