"""Sentences of the report of a study, chosen by what was found."""

import math
from typing import Any, Final

import numpy as np

from softseg.decisions.segments.number import recommendation
from softseg.decisions.segments.resolve import sentence
from softseg.report.amounts import customers, listing, percent
from softseg.report.facts import clean
from softseg.report.roi.text import gain_or_loss
from softseg.report.study.facts import HIGH, LOW, MIDDLE, StudyFacts
from softseg.report.study.tables import capital
from softseg.wording import say

MOST_NAMED: Final = 3
NOTICEABLE: Final = 0.05
"""Share of the variance from which an assumption is named in the summary."""
TOPS: Final = (0.05, 0.15, 0.5)
WEAK_POWER: Final = 0.05
CARRIES: Final = 0.25
"""Discriminating power from which an indicator is said to carry the segmentation."""
MAIN: Final = {"accounting": "contribution_margin", "adjusted": True}


def summary(facts: StudyFacts) -> list[str]:
    """Return what the study found in five to eight sentences, "" lines left out."""
    if not facts.money_shown:
        return []
    lines = [
        " ".join(line for line in (worth(facts), pooled(facts)) if line),
        pays(facts),
        treat(facts),
        drivers(facts),
        resolve(facts),
        f"{facts.say('number.ask')} {number(facts)}" if number(facts) else "",
        regret(facts),
        implied(facts),
    ]
    return [line for line in lines if line]


def worth(facts: StudyFacts) -> str:
    """Return what the programme is worth, with its range."""
    roi = facts.roi
    low, middle, high = (roi.headline("npv", quantile=q) for q in (LOW, MIDDLE, HIGH))
    known = roi.assumptions
    values = {
        "horizon": known.horizon,
        "median": gain_or_loss(roi, *middle),
        "against": facts.say(f"against.{known.counterfactual}"),
    }
    if low[0] == high[0]:
        return facts.say("summary.worth_point", **values)
    ends = {
        "low": gain_or_loss(roi, *low, key="to_"),
        "high": gain_or_loss(roi, *high, key="to_"),
    }
    return facts.say("summary.worth", **values, **ends)


def pooled(facts: StudyFacts) -> str:
    """Return over which numbers of segments the totals are pooled, "" where there is one."""
    if not facts.pooled:
        return ""
    models = [
        facts.say("pooled.model", n=n, weight=facts.roi.share(weight))
        for n, weight in sorted(facts.pooled.items())
    ]
    return facts.say(
        "pooled.line", models=listing(models, facts.say("and")), reference=facts.every.n_segments
    )


def pays(facts: StudyFacts) -> str:
    """Return how likely the programme pays, and its ROI."""
    roi = facts.roi
    cases = roi.cases(roi.headline("p_npv_positive")[0])
    middle = roi.headline("roi", quantile=MIDDLE)
    if not math.isfinite(middle[0]):
        return facts.say("summary.pays", cases=cases)
    low, high = (roi.ratio(*roi.headline("roi", quantile=q)) for q in (LOW, HIGH))
    return facts.say("summary.pays_roi", cases=cases, roi=roi.ratio(*middle), low=low, high=high)


def treat(facts: StudyFacts) -> str:
    """Return which segments to treat."""
    found = facts.part("choices")
    if found is None or not facts.treated:
        return ""
    decided = {int(k): bool(found["treat"].sel(segment=k)) for k in found["segment"].values}
    order = sorted(decided, key=lambda k: -float(found["mean_npv"].sel(segment=k)))
    pays = bool(found["pays"])
    suffix = "" if pays else "_alone"
    yes = [_worth_of(facts, found, k) for k in order if decided[k]]
    no = [_worth_of(facts, found, k) for k in order if not decided[k]]
    conjunction = facts.say("and")
    lines = []
    if yes:
        lines.append(facts.say(f"summary.treat{suffix}", names=listing(yes, conjunction)))
    if no:
        lines.append(facts.say(f"summary.leave{suffix}", names=listing(no, conjunction)))
    if not facts.silent:  # the sum over this set would say what a hidden segment brings
        lines.append(_together(facts, found))
    return " ".join(lines)


def _together(facts: StudyFacts, found: Any) -> str:
    """Return what the segments to treat are worth together, after all that is shared."""
    roi = facts.roi
    best, whole = (roi.money(*roi.number(found, f"{of}_mean_npv")) for of in ("best", "whole"))
    if not bool(found["pays"]):
        key = "best_loses" if bool(found["treat"].any()) else "none_pays"
        return facts.say(f"summary.{key}.{roi.assumptions.counterfactual}", amount=best)
    every = bool(found["treat"].all())
    return facts.say(
        "summary.best_all" if every else "summary.best",
        against=facts.say(f"against.{roi.assumptions.counterfactual}"),
        best=best,
        cases=roi.cases(roi.number(found, "best_p_npv_positive")[0]),
        **({} if every else {"whole": whole}),
    )


def _worth_of(facts: StudyFacts, found: Any, segment: int) -> str:
    roi = facts.roi
    return facts.say(
        "summary.worth_of",
        name=facts.name(segment),
        amount=roi.money(*roi.number(found, "mean_npv", segment=segment)),
        cases=roi.cases(roi.number(found, "p_npv_positive", segment=segment)[0]),
    )


def drivers(facts: StudyFacts) -> str:
    """Return what the width of the band comes from."""
    found, roi = facts.part("split"), facts.roi
    lines = []
    if found is not None and np.isfinite(found["share"].to_numpy()).all():
        shares = {
            str(b): roi.share(
                float(np.clip(found["share"].sel(block=b), 0.0, 1.0)),
                float(found["share_error"].sel(block=b)),
            )
            for b in found["block"].values
        }
        key = "summary.split_moves" if "migration" in shares else "summary.split"
        lines.append(facts.say(key, **shares))
    most = drivers_named(facts)
    if most:
        lines.append(facts.say("summary.drivers", most=listing(most, facts.say("and"))))
    return " ".join(lines)


def drivers_named(facts: StudyFacts) -> list[str]:
    """Return the assumptions that the band depends on most, with their share."""
    shares, roi = facts.roi.answers.shapley, facts.roi
    order = np.argsort(-shares["share"].values, kind="stable")[:MOST_NAMED]
    names = [
        str(shares["input"].values[i]) for i in order if shares["share"].values[i] > NOTICEABLE
    ]
    return [
        facts.say("summary.driver", label=roi.label(n),
                  share=roi.share(*roi.number(shares, "share", input=n)))
        for n in names
    ]  # fmt: skip


def resolve(facts: StudyFacts) -> str:
    """Return the one sentence on what to find out first."""
    found = facts.part("resolve")
    return "" if found is None else sentence(found, facts.language)


def number(facts: StudyFacts) -> str:
    """Return the sentence on the number of segments in money."""
    found = facts.part("number")
    if found is None:
        return ""
    line = recommendation(found, facts.roi.currency, facts.language)
    used = found["package"].sel(n_segments=int(found["recommended"])).to_numpy()
    if int(found["recommended"]) > 1 or not used.any():
        return line
    return f"{line} {facts.say('number.package', name=facts.name(int(used.max())))}"


def regret(facts: StudyFacts) -> str:
    """Return what deciding on hard labels costs."""
    found = facts.part("regret")
    if found is None:
        return ""
    roi = facts.roi
    lost, error = roi.number(found, "mean_regret")
    excess = roi.number(found, "mean_promised_too_much")
    if roi.money(abs(lost), error) == roi.money(0.0):
        line = facts.say("regret.same")
    else:
        ends = [roi.money(*roi.number(found, "regret", quantile=q)) for q in (LOW, HIGH)]
        key = "regret.less" if lost > 0 else "regret.more"
        line = facts.say(key, amount=roi.money(abs(lost), error), low=ends[0], high=ends[1])
    if excess[0] > max(2 * excess[1] if math.isfinite(excess[1]) else 0.0, 0.5):
        line += " " + facts.say("regret.believed", amount=roi.money(*excess))
    return line


def implied(facts: StudyFacts) -> str:
    """Return the growth of revenue that the levers add up to, beside what is stated."""
    found = facts.part("implied")
    if found is None or not facts.treated or facts.alone:
        return ""
    roi = facts.roi
    full, risky = found.sel(adjusted=False), found.sel(adjusted=True)
    ends = [roi.ratio(*roi.number(full, "uplift", quantile=q)) for q in (LOW, HIGH)]
    line = facts.say(
        "implied.sum",
        mean=roi.ratio(*roi.number(full, "mean_uplift")),
        low=ends[0],
        high=ends[1],
        risk=roi.ratio(*roi.number(risky, "mean_uplift")),
    )
    stated = float(found["stated_uplift"])
    if not math.isfinite(stated):
        return f"{line} {facts.say('implied.unstated')}"
    return (
        line
        + " "
        + facts.say(
            "implied.stated",
            stated=roi.ratio(stated),
            cases=roi.cases(1.0 - roi.number(full, "p_at_most_stated")[0]),
            risk_cases=roi.cases(1.0 - roi.number(risky, "p_at_most_stated")[0]),
        )
    )


# --- chapters -----------------------------------------------------------------------------------


def criteria(facts: StudyFacts) -> list[str]:
    """Return which indicators carry the segmentation, in sentences."""
    order = sorted(facts.every.power.items(), key=lambda entry: -entry[1])
    if not order:
        return [facts.say("criteria.unknown")]
    conjunction = facts.say("and")
    label = facts.every.label
    strong = [label(name) for name, x in order if x >= CARRIES] or [label(order[0][0])]
    weak = [label(name) for name, x in order if x < WEAK_POWER]
    lines = [facts.say("criteria.strong", names=listing(strong, conjunction))]
    if weak:
        lines.append(facts.say("criteria.weak", names=listing(weak, conjunction)))
    return lines


def certainty(facts: StudyFacts) -> str:
    """Return how many customers belong clearly to one segment."""
    counts = facts.every.verdict_counts.sum(axis=1)
    total = max(int(counts.sum()), 1)
    if facts.withheld.totals[0]:
        few = counts[0] < facts.findings.smallest_cell
        key = "certainty.few" if few else "certainty.nearly_all"
        every = customers(total, facts.language)
        return facts.say(key, smallest=facts.smallest, all=every)
    clear = percent(float(counts[0] / total), 0, facts.language)
    return facts.say("certainty.clear", share=clear, all=customers(total, facts.language))


def concentration(facts: StudyFacts) -> str:
    """Return what the most valuable customers bring of the first value column."""
    seen = facts.seen
    if not seen.value_names or seen.value_names[0] not in seen.concentration:
        return ""
    known, held = seen.concentration[seen.value_names[0]]
    shares = [
        (percent(top, 0, facts.language), percent(float(held[at]), 0, facts.language))
        for top in TOPS
        for at in np.flatnonzero(np.isclose(known, top))
        if np.isfinite(held[at])
    ]
    parts = [facts.say("concentration.part", top=top, held=part) for top, part in shares]
    value = capital(seen.value_label(seen.value_names[0]))
    listed = listing(parts, facts.say("and"))
    return facts.say("concentration.sentence", value=value, parts=listed) if parts else ""


def first_customers(facts: StudyFacts) -> str:
    """Return what stands in the list of customers to begin with: how many, and their value."""
    found = facts.part("first_customers")
    if found is None:
        return ""
    held = float(found["customers"].sum())
    if held < facts.findings.smallest_cell:
        return facts.say("first.few", smallest=facts.smallest)
    simulation = facts.findings.simulation
    total = math.nan if simulation is None else float(simulation.value.attrs["value_total"])
    amount = float((found["amount"] * found["customers"]).sum())
    net, everyone = float((found["net"] * found["customers"]).sum()), float(found["all_net"])
    return facts.say(
        "first.list",
        count=customers(held, facts.language),
        amount=facts.roi.money(amount),
        share=facts.roi.share(amount / total) if total > 0 else "–",
        net=facts.roi.money(net),
        part=facts.roi.share(min(net / everyone, 1.0)) if everyone > 0 else "–",
    )


def reach(facts: StudyFacts) -> str:
    """Return whom the programme reaches."""
    programme = facts.findings.programme
    off = facts.say("reach.off", share=percent(programme.off_target, 0, facts.language))
    line = facts.say(f"reach.{programme.reach}")
    return f"{line} {off}" if programme.off_target > 0 else line


def untreated(facts: StudyFacts) -> str:
    """Return which segments have no programme, "" where all that are shown have one."""
    every = range(1, facts.every.n_segments + 1)
    left = [facts.name(k) for k in every if facts.is_shown(k) and k not in facts.programmes]
    return facts.say("strategy.none", names=listing(left, facts.say("and"))) if left else ""


def choice(facts: StudyFacts) -> list[str]:
    """Return what the choice of the number of segments said, where there was one."""
    found = facts.findings.choice
    return list(found.text(facts.language)) if hasattr(found, "text") else []


def withheld_note(facts: StudyFacts) -> str:
    """Return which segments are not shown and why, "" where all are."""
    hidden = [k for k in range(1, facts.every.n_segments + 1) if not facts.is_shown(k)]
    if not hidden:
        return ""
    parts = [f"{facts.name(k)} ({facts.absent(k)})" for k in hidden]
    return facts.say("withheld.segments", names=listing(parts, facts.say("and")))


def title(facts: StudyFacts) -> str:
    """Return the title of the page."""
    given = facts.findings.title
    return clean(given) if given.strip() else facts.say("title")


def split_note(facts: StudyFacts) -> str:
    """Return how far one source alone carries the band, as the block that is largest."""
    found = facts.part("split")
    if found is None or not np.isfinite(found["share"].to_numpy()).all():
        return ""
    largest = str(found["share"].idxmax("block").item())
    return facts.say(f"split.largest.{largest}", what=say(f"split.block.{largest}", facts.language))
