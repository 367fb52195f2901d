"""What went in, line by line, and how it was calculated: the part of the report for the audit."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from softseg.decisions.inputs.ranges import marginal
from softseg.decisions.inputs.schema import TRANSITION, Input, Profile
from softseg.decisions.tree import assumptions_hash
from softseg.report.amounts import customers as whole_number
from softseg.report.amounts import fixed, listing
from softseg.report.facts import clean
from softseg.report.roi import numbers
from softseg.report.roi.facts import RoiFacts

LIBRARIES: Final = ("softseg", "numpy", "scipy", "xarray")
GLOSSARY: Final = (
    "npv", "roi", "payback", "middle", "band", "margin", "ebit", "discounting", "counterfactual",
    "variance", "error",
)  # fmt: skip


def assumption_rows(facts: RoiFacts) -> list[dict[str, str]]:
    """Return every input with everything that was said about it."""
    return [_row(facts, name, entry) for name, entry in facts.assumptions.inputs.items()]


def unowned(facts: RoiFacts) -> str:
    """Return how many assumptions name no owner, "" where all do."""
    inputs = facts.assumptions.inputs.values()
    count = sum(not entry.owner.strip() for entry in inputs)
    return facts.say("assumptions.unowned", count=count, all=len(inputs)) if count else ""


def _row(facts: RoiFacts, name: str, entry: Input) -> dict[str, str]:
    return {
        "id": name,
        "label": facts.label(name),
        "what": "; ".join(part for part in _what(facts, name, entry) if part),
        "range": stated_range(facts, entry),
        "read": how_read(facts, entry),
        "evidence": facts.word("evidence", entry.evidence),
        "source": _text(entry.source),
        "note": _text(entry.note),
        "owner": _text(entry.owner),
        "date": "" if entry.date is None else _date(entry, facts.language),
    }


def _text(text: str) -> str:
    return clean(text) if text.strip() else ""


def _date(entry: Input, language: str) -> str:
    from babel.dates import format_date

    return format_date(entry.date, format="medium", locale=language) if entry.date else ""


def _what(facts: RoiFacts, name: str, entry: Input) -> list[str]:
    """Return what the calculation does with an input, as short phrases."""
    role = facts.word("effect", entry.effect) if entry.effect else facts.word("role", entry.role)
    parts = [role]
    moves = entry.effect == TRANSITION
    parts.append(facts.say("what.transition") if moves else facts.base(name))
    for reference, key in ((entry.rate, "rate"), (entry.margin, "margin"), (entry.same_as, "same")):
        if reference is not None:
            parts.append(facts.say(f"what.{key}", label=facts.label(reference)))
    parts += _when(facts, entry.profile)
    if entry.in_margin:
        parts.append(facts.say("what.in_margin"))
    if not entry.published:
        parts.append(facts.say("what.unpublished"))
    if entry.programme != "segmented":
        parts.append(facts.word("what.programme", entry.programme))
    return parts


def _when(facts: RoiFacts, profile: Profile) -> list[str]:
    parts = []
    if profile.start > 1:
        parts.append(facts.say("what.start", year=profile.start))
    if profile.last is not None:
        parts.append(facts.say("what.last", year=profile.last))
    if profile.ramp is not None and profile.ramp != (1.0,):
        parts.append(facts.say("what.ramp", ramp=ramp_text(facts, profile.ramp)))
    if profile.half_life is not None:
        years = fixed(profile.half_life, 1, facts.language)
        parts.append(facts.say("what.half_life", years=years))
    return parts


def ramp_text(facts: RoiFacts, ramp: tuple[float, ...]) -> str:
    """Return a ramp as shares of the full value."""
    return ", ".join(facts.share(part) for part in ramp)


def stated_range(facts: RoiFacts, entry: Input) -> str:
    """Return the range of an input as it was stated, in its unit."""
    language = facts.language
    if entry.value is not None:
        return numbers.stated(entry.value, entry.unit, language)
    if entry.samples is not None:
        ends = (min(entry.samples), max(entry.samples))
    elif entry.low is not None and entry.high is not None:
        ends = (entry.low, entry.high)
    else:
        return "–"
    span = facts.say("to", low="{low}", high="{high}")
    return numbers.stated_all(span, entry.unit, language, low=ends[0], high=ends[1])


def how_read(facts: RoiFacts, entry: Input) -> str:
    """Return how the stated range is read: which probability, which family."""
    if entry.same_as is not None:
        return facts.say("read.same", label=facts.label(entry.same_as))
    if entry.value is not None:
        return facts.say("read.point")
    if entry.samples is not None:
        count = whole_number(len(entry.samples), facts.language)
        return facts.say("read.samples", count=count)
    family = facts.word("family", marginal(entry).family)
    if entry.sure >= 1:
        found = facts.say("read.limits", family=family)
    else:
        found = facts.say("read.range", sure=facts.share(entry.sure), family=family)
    if entry.likely is None:
        return found
    likely = numbers.stated(entry.likely, entry.unit, facts.language)
    return f"{found}; {facts.say('read.likely', likely=likely)}"


def dependence_lines(facts: RoiFacts) -> list[str]:
    """Return how the inputs move together, one sentence per factor and correlation."""
    dependence = facts.assumptions.dependence
    lines = []
    for name, factor in dependence.factors.items():
        loads = [f"{facts.label(n)} ({_correlation(facts, x)})" for n, x in factor.loads.items()]
        lines.append(
            facts.say("dependence.factor", name=_factor(facts, name),
                      inputs=listing(loads, facts.say("and")))
        )  # fmt: skip
        for other, x in factor.factors.items():
            lines.append(
                facts.say("dependence.factors", first=_factor(facts, name),
                          second=_factor(facts, other), rank=_correlation(facts, x))
            )  # fmt: skip
    for entry in dependence.correlations:
        first, second = (facts.label(n) for n in entry.between)
        rank = _correlation(facts, entry.rank)
        lines.append(facts.say("dependence.pair", first=first, second=second, rank=rank))
    if not lines:
        return [facts.say("dependence.none")]
    return [*lines, facts.say(f"dependence.{dependence.copula}")]


def _factor(facts: RoiFacts, name: str) -> str:
    factor = facts.assumptions.dependence.factors.get(name)
    known = factor is not None and factor.label.strip()
    return clean(factor.label) if factor is not None and known else clean(name)


def _correlation(facts: RoiFacts, x: float) -> str:
    return fixed(float(x), 2, facts.language)


def repair_rows(facts: RoiFacts) -> list[tuple[str, str, str]]:
    """Return the pairs whose correlation had to change: who, asked, got."""
    return [
        (f"{facts.label(first)} – {facts.label(second)}", _correlation(facts, asked),
         _correlation(facts, got))
        for first, second, asked, got in facts.simulation.draws.changes
    ]  # fmt: skip


def overlap_lines(facts: RoiFacts) -> list[str]:
    """Return the pairs of inputs that may both be counted although they overlap."""
    return [
        facts.say("overlap", first=facts.label(a), second=facts.label(b))
        for a, b in facts.assumptions.accepted_overlaps
    ]


def scenario_table(facts: RoiFacts) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the scenarios and, by input, the value that each sets."""
    scenarios = facts.assumptions.scenarios
    used = [
        n for n in facts.assumptions.inputs if any(n in pinned for pinned in scenarios.values())
    ]
    rows = []
    for name in used:
        unit = facts.assumptions.inputs[name].unit
        cells = [
            numbers.stated(pinned[name], unit, facts.language) if name in pinned else ""
            for pinned in scenarios.values()
        ]
        rows.append((facts.label(name), cells))
    return [facts.scenario(n) for n in scenarios], rows


def method_lines(facts: RoiFacts) -> list[str]:
    """Return how it was calculated, in sentences."""
    known = facts.assumptions
    rate, tax = known.only("discount_rate"), known.only("tax_rate")
    lines = [facts.say(f"method.counterfactual.{known.counterfactual}")]
    lines.append(facts.say("method.horizon", horizon=known.horizon))
    if rate is None:
        lines.append(facts.say("method.undiscounted"))
    else:
        stated = stated_range(facts, known.inputs[rate])
        lines.append(facts.say("method.discounting", rate=stated))
        lines.append(facts.say(f"method.convention.{known.convention}"))
    lines.append(facts.say("method.untaxed" if tax is None else "method.taxed"))
    if known.ramp != (1.0,):
        lines.append(facts.say("method.ramp", ramp=ramp_text(facts, known.ramp)))
    replicates, draws = facts.simulation.shape
    lines += [
        facts.say("method.as_published"),
        facts.say("method.contribution_margin"),
        facts.say("method.risk"),
        facts.say("method.payback"),
        facts.say("method.break_even"),
        facts.say("method.draws", replicates=replicates, draws=whole_number(draws, facts.language),
                  all=whole_number(replicates * draws, facts.language)),
        facts.say("method.errors"),
    ]  # fmt: skip
    return lines


def record_rows(facts: RoiFacts, run: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Return what fixes the run: hash, seed and versions.

    Parameters
    ----------
    facts
        The simulation.
    run
        More about the run, by key: for instance ``seed``, or a ``hash`` in place of the one that is
        computed here.
    """
    versions = [f"{name} {version(name)}" for name in LIBRARIES]
    known = dict(run or {})
    found = {
        "hash": known.pop("hash", "") or assumptions_hash(facts.assumptions),
        "versions": ", ".join([f"Python {platform.python_version()}", *versions]),
        **known,
    }
    return [(facts.word("run", key), clean(text)) for key, text in found.items()]


def glossary(facts: RoiFacts) -> list[tuple[str, str]]:
    """Return the words that a reader may not know, with what they mean."""
    return [(facts.say(f"word.{g}"), facts.say(f"meaning.{g}")) for g in GLOSSARY]
