"""Rows of the tables on money: by segment, by number of segments, by source, by rule."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from softseg.decisions.inputs.schema import BENEFITS, COSTS, TRANSITION, Input
from softseg.decisions.segments.expand import OWN, segment_id, segment_number
from softseg.decisions.segments.programme import SegmentInput
from softseg.decisions.segments.resolve import block_label
from softseg.report import style
from softseg.report.amounts import listing, percent
from softseg.report.facts import clean
from softseg.report.roi import numbers
from softseg.report.roi.assumptions import stated_range
from softseg.report.study.facts import HIGH, LOW, MIDDLE, StudyFacts
from softseg.report.study.tables import capital, error_words
from softseg.wording import say

MOST_QUESTIONS: Final = 8
TELLING: Final = 0.001
"""Share of the variance below which, or beside all, its error says nothing more."""

type Text = str | tuple[str, str]
type Row = tuple[str, list[Text]]


@dataclass(frozen=True)
class Strategy:
    """What is done with one segment, and what that brings."""

    name: str
    colour: str
    strategy: str
    owner: str
    watch: str
    levers: list[tuple[str, str, str]]
    costs: list[tuple[str, str, str]]
    rests: list[tuple[str, str, str]]
    numbers: list[tuple[str, str, str]]


def strategies(facts: StudyFacts) -> list[Strategy]:
    """Return a card for every segment that has a programme and may be shown."""
    found = []
    for k, entry in sorted(facts.programmes.items()):
        levers = [_lever(facts, k, i, x) for i, x in entry.inputs.items() if x.role in BENEFITS]
        costs = [_lever(facts, k, i, x) for i, x in entry.inputs.items() if x.role in COSTS]
        others = [x for x in entry.inputs.items() if x[1].role not in (*BENEFITS, *COSTS)]
        found.append(
            Strategy(
                name=facts.numbered(k),
                colour=style.colour(k - 1),
                strategy=_text(entry.strategy),
                owner=_text(entry.owner),
                watch=_text(entry.watch),
                levers=levers,
                costs=costs,
                rests=[(*_lever(facts, k, i, x)[:2], "") for i, x in others],
                numbers=_numbers(facts, k) if facts.money_shown else [],
            )
        )
    return found


def _text(text: str) -> str:
    return clean(text) if text.strip() else ""


def _lever(facts: StudyFacts, segment: int, id: str, entry: SegmentInput) -> tuple[str, str, str]:
    """Return label, range and kind of a lever or cost."""
    label = _text(entry.label) or clean(id.replace("_", " "))
    roi = facts.roi
    kind = roi.word("effect", entry.effect) if entry.effect else roi.word("role", entry.role)
    parts = [kind]
    if entry.effect == TRANSITION:
        parts.append(_moves(facts, entry))
    elif entry.per == "customer":
        parts.append(facts.say("strategy.per_customer"))
    elif entry.role in BENEFITS:
        parts.append(_base(facts, segment, entry))
    if entry.rate in facts.programmes[segment].inputs:
        rate = facts.programmes[segment].inputs[entry.rate]
        parts.append(roi.say("what.rate", label=_text(rate.label) or clean(entry.rate)))
    if entry.profile.start > 1:
        parts.append(facts.say("strategy.from", year=entry.profile.start))
    return label, stated_range(roi, _as_input(entry)), ", ".join(part for part in parts if part)


def _as_input(entry: SegmentInput) -> Input:
    return Input.model_validate(entry.model_dump(exclude=OWN))


def _moves(facts: StudyFacts, entry: SegmentInput) -> str:
    """Return which moves a lever changes, in words."""
    names = facts.findings.segment_names
    to = []
    for name in entry.to:
        k = segment_number(name, names)
        to.append(say("migration.churned", facts.language) if k is None else facts.name(k))
    where = listing(to, facts.say("and"))
    return facts.say(f"strategy.moves.{entry.change}", to=where)


def _base(facts: StudyFacts, segment: int, entry: SegmentInput) -> str:
    """Return what a lever bears on, in words."""
    if entry.role == "revenue_effect" and not entry.base:
        return facts.say("strategy.of_value")
    words = {"value": facts.say("strategy.value"), "customers": facts.say("strategy.customers")}
    inputs = facts.roi.assumptions.inputs
    own = facts.programmes[segment].inputs
    names = [
        words.get(base)
        or (_text(own[base].label) if base in own else "")
        or (facts.roi.label(base) if base in inputs else clean(base))
        for base in entry.base
    ]
    return facts.say("strategy.of", base=" × ".join(names)) if names else ""


def _numbers(facts: StudyFacts, segment: int) -> list[tuple[str, str, str]]:
    """Return what a segment brings: label, number, and its band."""
    roi = facts.roi
    # over several numbers of segments only totals mean the same in every model
    rows = [] if facts.pooled else [(facts.say("strategy.reached"), *_reached(facts, segment))]
    found = facts.part("by_segment")
    if found is not None:
        at = {"segment": segment}
        rows.append((facts.say("strategy.npv"), *facts.range_of(found, "npv", **at)))
        chance = roi.share(*roi.number(found, "p_npv_positive", **at))
        rows.append((facts.say("strategy.pays"), chance, ""))
        if np.isfinite(found["roi"].sel(at, method=None).to_numpy()).all():
            rows.append((facts.say("strategy.roi"), *facts.range_of(found, "roi", roi.ratio, **at)))
        back = roi.years(*roi.number(found, "payback", quantile=MIDDLE, **at))
        rows.append((facts.say("strategy.payback"), back, ""))
        half = roi.number(found, "multiplier", quantile=MIDDLE, **at)
        if np.isfinite(half[0]):
            shown = facts.say("strategy.enough", share=roi.ratio(*half))
            rows.append((facts.say("strategy.break_even"), shown, ""))
    choices = facts.part("choices")
    if choices is not None:
        rows.append((facts.say("strategy.rank"), *_rank(facts, choices, segment)))
    return rows


def _reached(facts: StudyFacts, segment: int) -> tuple[str, str]:
    """Return the value that the programme reaches in a segment, a year, with its band."""
    if not facts.bases:
        return "–", ""
    row = facts.bases[segment_id(segment, "value")]
    low, high = np.quantile(row, (LOW, HIGH))
    roi = facts.roi
    band = "" if facts.plug_in else roi.say("to", low=roi.money(low), high=roi.money(high))
    return roi.money(row.mean()), band


def _rank(facts: StudyFacts, choices: Any, segment: int) -> tuple[str, str]:
    at = {"segment": segment}
    p = choices["p_rank"].sel(at)
    best = int(p["rank_number"].to_numpy()[int(p.to_numpy().argmax())])
    ends = [round(float(choices["rank"].sel(at).sel(quantile=q))) for q in (LOW, HIGH)]
    shown = facts.say("strategy.rank_of", rank=best, all=p.sizes["rank_number"])
    sure = facts.roi.share(float(p.max()), float(choices["p_rank_error"].sel(at).max()))
    band = facts.say("strategy.rank_band", sure=sure, low=ends[0], high=ends[1])
    return shown, band


def segment_rows(facts: StudyFacts) -> list[Row]:
    """Return what every segment brings, what belongs to none, and the whole."""
    found = facts.part("by_segment")
    if found is None:
        return []
    rows = [
        (facts.numbered(k), _segment_cells(facts, found, "", {"segment": k})) for k in facts.treated
    ]
    if not facts.alone:
        rows.append((facts.say("money.shared"), _segment_cells(facts, found, "shared_", {})))
    rows.append((facts.say("money.whole"), _segment_cells(facts, found, "whole_", {})))
    return rows


def _segment_cells(facts: StudyFacts, found: Any, prefix: str, at: dict[str, Any]) -> list[Text]:
    roi = facts.roi
    mean, error = roi.number(found, f"{prefix}mean_npv", **at)
    half = roi.number(found, f"{prefix}multiplier", quantile=MIDDLE, **at)
    ratio = roi.number(found, f"{prefix}roi", quantile=MIDDLE, **at)
    return [
        facts.range_of(found, f"{prefix}npv", **at),
        (roi.money(mean, error), error_words(facts, error)),
        roi.share(*roi.number(found, f"{prefix}p_npv_positive", **at))
        if prefix != "shared_"
        else "–",
        roi.ratio(*ratio) if prefix != "shared_" else "–",
        roi.years(*roi.number(found, f"{prefix}payback", quantile=MIDDLE, **at))
        if prefix != "shared_"
        else "–",
        roi.ratio(*half) if np.isfinite(half[0]) else "–",
    ]


def choice_rows(facts: StudyFacts) -> list[Row]:
    """Return the decision about every segment, the most valuable first."""
    found, roi = facts.part("choices"), facts.roi
    if found is None:
        return []
    alone = "" if bool(found["pays"]) else "_alone"
    rows: list[Row] = []
    for k in sorted(facts.treated, key=lambda k: -float(found["mean_npv"].sel(segment=k))):
        at = {"segment": k}
        mean, error = roi.number(found, "mean_npv", **at)
        treat = bool(found["treat"].sel(at))
        rows.append(
            (
                facts.numbered(k),
                [
                    (roi.money(mean, error), error_words(facts, error)),
                    roi.share(*roi.number(found, "p_npv_positive", **at)),
                    _rank(facts, found, k),
                    facts.say(f"choices.{'treat' if treat else 'leave'}{alone}"),
                ],
            )
        )
    return rows


def split_rows(facts: StudyFacts) -> list[Row]:
    """Return the sources of the band with their share and its error."""
    found, roi = facts.part("split"), facts.roi
    if found is None or not np.isfinite(found["share"].to_numpy()).all():
        return []
    rows: list[Row] = []
    for block in map(str, found["block"].values):
        share, error = roi.number(found, "share", block=block)
        points = numbers.plus_minus(numbers.points(error, facts.language))
        points = points if np.isfinite(error) and TELLING <= share <= 1.0 - TELLING else ""
        spread = float(np.sqrt(max(float(found["variance"].sel(block=block)), 0.0)))
        label = capital(say(f"split.block.{block}", facts.language))
        rows.append((label, [(roi.share(max(share, 0.0), error), points), roi.money(spread)]))
    return rows


def question_rows(facts: StudyFacts) -> list[Row]:
    """Return what it is worth to know each source, the most valuable first."""
    found, roi = facts.part("resolve"), facts.roi
    if found is None:
        return []
    members = found["block"].to_numpy() == "membership"
    worth = found["evppi"].to_numpy() + np.where(members, float(found["targeting"]), 0.0)
    errors = np.hypot(
        found["evppi_error"].to_numpy(), np.where(members, float(found["targeting_error"]), 0.0)
    )
    rows: list[Row] = []
    for i in np.argsort(-worth, kind="stable")[:MOST_QUESTIONS]:
        block = str(found["block"].values[i])
        error = float(errors[i])
        if worth[i] <= max(2 * error if np.isfinite(error) else 0.0, 0.5):
            continue
        label = block_label(found, block, facts.language)
        label = clean(capital(label))
        rows.append((label, [(roi.money(worth[i], error), error_words(facts, error))]))
    return rows


def number_rows(facts: StudyFacts) -> list[Row]:
    """Return what each number of segments is worth."""
    found, roi = facts.part("number"), facts.roi
    if found is None:
        return []
    best = int(found["recommended"])
    rows: list[Row] = []
    for n in map(int, found["n_segments"].to_numpy()):
        at = {"n_segments": n}
        net, error = roi.number(found, "net", **at)
        change = roi.number(found, "p_changes", **at)
        label = facts.say("number.best", n=n) if n == best else f"{n}"
        cells: list[Text] = [
            roi.money(*roi.number(found, "value", **at)),
            roi.money(*roi.number(found, "handling", **at)),
            (roi.money(net, error), error_words(facts, error)),
            roi.gain(*roi.number(found, "gain", **at)),
            roi.share(*change) if np.isfinite(change[0]) else "–",
        ]
        rows.append((label, cells))
    return rows


def regret_rows(facts: StudyFacts) -> list[Row]:
    """Return the programme by memberships and by hard labels."""
    found, roi = facts.part("regret"), facts.roi
    if found is None:
        return []
    rows: list[Row] = []
    for name in ("soft", "hard", "regret", "believed", "promised_too_much"):
        mean, error = roi.number(found, f"mean_{name}")
        band = facts.range_of(found, name)
        cells: list[Text] = [(roi.money(mean, error), error_words(facts, error)), band]
        key = "believed_row" if name == "believed" else name
        rows.append((facts.say(f"regret.{key}"), cells))
    return rows


def implied_rows(facts: StudyFacts) -> list[Row]:
    """Return the growth of revenue that the levers add up to."""
    found, roi = facts.part("implied"), facts.roi
    if found is None or not facts.treated or facts.alone:
        return []

    def shown(share: float, _error: float = 0.0) -> str:
        return percent(share, 2, facts.language)

    rows: list[Row] = []
    for k in [] if facts.pooled else facts.treated:
        cells: list[Text] = [
            shown(roi.number(found.sel(adjusted=a), "segment_uplift", segment=k)[0])
            for a in (False, True)
        ]
        rows.append((facts.numbered(k), cells))
    whole: list[Text] = []
    for a in (False, True):  # the average, for it is the sum of those above
        at = found.sel(adjusted=a)
        mean = shown(roi.number(at, "mean_uplift")[0])
        whole.append((mean, facts.range_of(at, "uplift", shown)[1]))
    rows.append((facts.say("implied.all"), whole))
    stated = float(found["stated_uplift"])
    if np.isfinite(stated):
        rows.append((facts.say("implied.said"), [shown(stated), ""]))
    return rows


def year_rows(facts: StudyFacts) -> tuple[list[str], list[Row]]:
    """Return the years, and the change of the profit of every segment in each of them."""
    found, roi = facts.part("by_segment"), facts.roi
    if found is None:
        return [], []
    years = [int(y) for y in found["year"].to_numpy()]
    first = roi.assumptions.first_year
    head = [facts.say("years.year", year=y) if first is None else f"{first + y - 1}" for y in years]

    def cells(prefix: str, at: dict[str, Any]) -> list[Text]:
        return [facts.range_of(found, f"{prefix}profit", year=y, **at) for y in years]

    rows: list[Row] = [(facts.numbered(k), cells("", {"segment": k})) for k in facts.treated]
    if not facts.alone:
        rows.append((facts.say("money.shared"), cells("shared_", {})))
    rows.append((facts.say("money.whole"), cells("whole_", {})))
    return head, rows
