"""Sentences of the ROI report, chosen by what was found."""

import math
from typing import Final

import numpy as np

from softseg.report.amounts import customers as whole_number
from softseg.report.amounts import listing, with_unit
from softseg.report.figures.roi_axis import has_spike
from softseg.report.roi import numbers
from softseg.report.roi.compared import against_nothing, told
from softseg.report.roi.facts import HIGH, LOW, MAIN, MIDDLE, PUBLISHED, RoiFacts

NOTICEABLE: Final = 0.01
"""Share of the worth of knowing everything below which one input is not worth mentioning."""
LEAST_WORTH: Final = 0.002
"""Worth of knowing everything, as a share of what is at stake, below which it is called nothing."""
SAME_MEAN: Final = 0.03
"""Share of the band's width by which mean and median must differ to be called different."""
ALL_LOST: Final = -1.0 + 1e-9
"""ROI up to which all that was spent is lost."""
RARE: Final = 0.001
"""Probability below which only that is said."""
ON_SUCCESS: Final = ("no_effect", "realisation")


def findings(facts: RoiFacts) -> list[str]:
    """Return what the programme brings, in a handful of sentences."""
    lines = [
        against_nothing(facts),
        _npv(facts),
        _pays(facts),
        _roi(facts),
        _payback(facts),
        _adjusted(facts),
        _published(facts),
        _next_step(facts),
    ]
    return [line for line in lines if line]


def _npv(facts: RoiFacts) -> str:
    low, median, high = (facts.headline("npv", quantile=q) for q in (LOW, MIDDLE, HIGH))
    middle = gain_or_loss(facts, *median)
    if low[0] == high[0]:
        return facts.say("finding.npv_point", median=middle, horizon=facts.horizon)
    return facts.say(
        "finding.npv",
        low=gain_or_loss(facts, *low, key="to_"),
        high=gain_or_loss(facts, *high, key="to_"),
        median=middle,
        horizon=facts.horizon,
    )


def gain_or_loss(facts: RoiFacts, x: float, error: float = math.nan, key: str = "") -> str:
    """Return an amount as a gain or a loss of it; `key` ``to_`` after a preposition."""
    amount = facts.money(abs(x), error)
    if amount == facts.money(0.0):
        return facts.say(f"{key}nothing_of")
    return facts.say(f"{key}{'gain' if x > 0 else 'loss'}_of", amount=amount)


def _pays(facts: RoiFacts) -> str:
    chance = facts.headline("p_npv_positive")[0]
    key = "pays_never" if chance <= 0 else "pays_always" if chance >= 1 else "pays"
    line = told(facts, f"finding.{key}", cases=facts.cases(chance))
    if facts.assumptions.hurdle == 0:
        return line
    above = facts.cases(facts.headline("p_roi_above_hurdle")[0])
    hurdle = facts.ratio(facts.assumptions.hurdle)
    return f"{line} {facts.say('finding.hurdle', hurdle=hurdle, cases=above)}"


def _roi(facts: RoiFacts) -> str:
    low, median, high = (facts.headline("roi", quantile=q) for q in (LOW, MIDDLE, HIGH))
    if not math.isfinite(median[0]):
        return facts.say("finding.no_roi")
    shown = facts.ratio(*median)
    if low[0] == high[0]:
        return facts.say("finding.roi_point", median=shown)
    rest = numbers.cents(abs(numbers.as_shown(*median)), facts.currency, facts.language)
    first = told(
        facts,
        "finding.roi_gain" if median[0] >= 0 else "finding.roi_loss",
        median=shown,
        one=facts.money(1.0),
        rest=rest,
    )
    return f"{first} {roi_band(facts, facts.ratio(*low), facts.ratio(*high))}"


def roi_band(facts: RoiFacts, low: str, high: str) -> str:
    """Return the band, or how often all is lost where that fills its lower end."""
    lost = float((facts.draws("roi") <= ALL_LOST).mean())
    if lost <= LOW:
        return facts.say("finding.roi_band", low=low, high=high)
    words = {"cases": facts.cases(lost), "lost": facts.ratio(-1.0), "high": high}
    return _first_up(facts.say("finding.roi_band_lost", **words))


def _payback(facts: RoiFacts) -> str:
    median, error = facts.headline("payback", quantile=MIDDLE)
    chance = facts.headline("p_no_payback")[0]
    words = {"horizon": facts.horizon, "cases": facts.cases(chance)}
    if not math.isfinite(median):
        return _first_up(facts.say("finding.no_payback", **words))
    first, last = (facts.headline("payback", quantile=q)[0] for q in (LOW, HIGH))
    if last == 0:
        return facts.say("finding.payback_none")
    words["median"] = numbers.years_after(median, facts.language, error)
    if first == last:
        return facts.say("finding.payback_point", **words)
    return facts.say("finding.payback" if chance > 0 else "finding.payback_sure", **words)


def _adjusted(facts: RoiFacts) -> str:
    arrives = float(np.mean(facts.simulation.success()))
    works = 1.0 - facts.no_effect
    with_risk, without = (facts.headline("mean_npv", adjusted=a)[0] for a in (True, False))
    if arrives >= 1.0 or works <= 0.0 or with_risk == without:
        return ""
    key = "adjusted" if works < 1 else "adjusted_realisation"
    key = "adjusted_no_effect" if arrives >= works * (1 - 1e-9) else key
    median = facts.headline("npv", quantile=MIDDLE, adjusted=False)
    pays = facts.headline("p_npv_positive", adjusted=False)[0]
    return facts.say(
        f"finding.{key}",
        no_effect=facts.cases(facts.no_effect),
        realisation=facts.share(arrives / works),
        median=gain_or_loss(facts, *median),
        cases=facts.cases(pays),
    )


def _published(facts: RoiFacts) -> str:
    found = facts.headline("roi", quantile=MIDDLE, accounting=PUBLISHED, adjusted=False)
    return facts.say("finding.published", roi=facts.ratio(*found)) if found[0] == found[0] else ""


def _next_step(facts: RoiFacts) -> str:
    return information_sentence(facts) if varies(facts) else ""


def bridge_lead(facts: RoiFacts) -> str:
    """Return where the bridge begins, where it ends, and its largest step down."""
    bridge = facts.answers.bridge
    first, last = (facts.number(bridge, "value", step=str(bridge["step"].values[i]))
                   for i in (0, -1))  # fmt: skip
    changes = bridge["change"].values[1:]
    words = {"first": facts.money(*first), "last": facts.money(*last)}
    if changes.min(initial=0.0) >= 0:
        return facts.say("bridge.lead_same", **words)
    name = str(bridge["step"].values[1 + int(np.argmin(changes))])
    down = facts.number(bridge, "change", step=name)
    remains = first[0] > last[0] > 0
    return facts.say(
        "bridge.lead_down" if remains else "bridge.lead_turn",
        step=facts.word("step", name),
        change=facts.money(*down),
        **words,
    )


def reading(facts: RoiFacts) -> tuple[str, list[str]]:
    """Return the lead and the sentences that teach how to read a band."""
    if not varies(facts):
        return facts.say("reading.certain"), []
    low, median, high = (facts.headline("npv", quantile=q) for q in (LOW, MIDDLE, HIGH))
    lead = facts.say(
        "reading.lead", draws=whole_number(facts.simulation.draws.works.size, facts.language)
    )
    draws = facts.draws("npv")
    lost = int((np.quantile(draws, (np.arange(100) + 0.5) / 100) < 0).sum())
    lines = [
        told(facts, "reading.loss", count=lost) if lost else told(facts, "reading.no_loss"),
        facts.say("reading.band", low=facts.money(*low), high=facts.money(*high)),
        _middle(facts, median, high[0] - low[0]),
        _extremes(facts),
        facts.say("reading.honest"),
    ]
    return lead, lines


def _middle(facts: RoiFacts, median: tuple[float, float], width: float) -> str:
    mean = facts.headline("mean_npv")
    away = mean[0] - median[0]
    key = "middle"
    if abs(away) > SAME_MEAN * width:
        key = "middle_above" if away > 0 else "middle_below"
    return facts.say(f"reading.{key}", median=facts.money(*median), mean=facts.money(*mean))


def _extremes(facts: RoiFacts) -> str:
    found = facts.answers.scenarios
    name = "best"
    if name not in found["scenario"].values:
        return facts.say("reading.stacked")
    chance = facts.number(found, "p_effects_at_least_as_extreme", scenario=name)
    inputs = pinned_effects(facts, name)
    if not math.isfinite(chance[0]) or len(inputs) < 2:
        return facts.say("reading.stacked")
    listed = listing([quoted(facts, n) for n in inputs], facts.say("and"))
    return facts.say(
        "reading.extremes" if chance[0] >= RARE else "reading.extremes_rare",
        scenario=facts.scenario(name),
        count=len(inputs),
        inputs=listed,
        p=facts.share(*chance),
    )


def quoted(facts: RoiFacts, name: str) -> str:
    """Return the label of an input in quotation marks."""
    return facts.say("quoted", label=facts.label(name))


def density_told(facts: RoiFacts) -> str:
    """Return the scenarios beside the tails, "" where one of them is not there."""
    found, tails = facts.answers.scenarios, facts.answers.tails
    values = {}
    for side in ("worst", "best"):
        if side not in found["scenario"].values:
            return ""
        at = {"accounting": MAIN, "adjusted": True}
        middle = facts.number(found, "pinned_roi", scenario=side, quantile=MIDDLE, **at)
        tail = facts.number(tails, "mean_roi", side=side, **at)
        if not math.isfinite(middle[0] + tail[0]):
            return ""
        values[side] = facts.scenario(side)
        values |= {f"{side}_roi": facts.ratio(*middle), f"{side}_tail": facts.ratio(*tail)}
    return facts.say("density.told", **values)


def captions(facts: RoiFacts) -> dict[str, str]:
    """Return the captions that depend on what was found, by figure."""
    told_of = ("fan", "density", "needed", "frontier")
    found = {name: [facts.say(f"{name}.caption")] for name in told_of}
    if facts.headline("payback", quantile=MIDDLE)[0] <= facts.horizon:
        found["fan"].append(facts.say("fan.diamond"))
    if has_spike(facts.draws("roi")):
        found["density"].append(facts.say("density.cut"))
    if 0 < facts.no_effect < 1:
        cases = facts.cases(1.0 - facts.no_effect)
        for name in ("needed", "frontier"):
            found[name].append(facts.say(f"{name}.works", cases=cases))
    return {name: " ".join(parts) for name, parts in found.items()}


def pinned_effects(facts: RoiFacts, scenario: str) -> list[str]:
    """Return the uncertain revenue effects that a scenario sets."""
    from softseg.decisions.answers.scenarios import scenario_values

    pinned = scenario_values(facts.simulation).get(scenario, {})
    inputs, uncertain = facts.assumptions.inputs, facts.simulation.draws.uncertain
    return [n for n in pinned if inputs[n].role == "revenue_effect" and n in uncertain]


def break_even_lines(facts: RoiFacts) -> list[str]:
    """Return what multiple of the assumed effects is needed, and how often none or any is."""
    found = facts.answers.multiplier
    if found is None:
        return [facts.say("break_even.none")]
    if facts.number(found, "p_zero")[0] >= 1:
        return [_first_up(facts.say("break_even.zero", cases=facts.cases(1.0)))]
    half = facts.number(found, "multiplier", quantile=MIDDLE)
    enough = facts.number(found, "p_at_centre")[0]
    lines = [facts.say("break_even.assumed_pays", cases=facts.cases(enough))]
    if 0 < half[0] < math.inf:
        lines.append(facts.say("break_even.half", half=facts.ratio(*half)))
    for name, key in (("p_never", "never"), ("p_zero", "zero")):
        chance = facts.number(found, name)[0]
        if chance > 0:
            lines.append(_first_up(facts.say(f"break_even.{key}", cases=facts.cases(chance))))
    return lines


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def frontier_lines(facts: RoiFacts) -> list[str]:
    """Return which certainties no pair of effects reaches, and which need none."""
    found = facts.answers.frontier
    if found is None or (found["y"].values == 0).all():
        return []
    lines = []
    for level in found["level"].values:
        y = found["y"].sel(level=level).values
        shown = with_unit(f"{100 * level:.0f}", "%", facts.language)
        if not np.isfinite(y).any():
            lines.append(facts.say("frontier.unreached", level=shown))
        elif (y == 0).all():
            lines.append(facts.say("frontier.unneeded", level=shown))
    return lines


def driver_lines(facts: RoiFacts) -> list[str]:
    """Return what the result depends on most, and how much of that rests on judgement."""
    if not varies(facts):
        return [facts.say("drivers.none")]
    shares = facts.answers.shapley
    order = np.argsort(-shares["share"].values, kind="stable")
    most = [str(shares["input"].values[i]) for i in order[:3] if shares["share"].values[i] > 0.05]
    lines = []
    if most:
        named = [
            facts.say("drivers.one", label=facts.label(n),
                      share=facts.share(*facts.number(shares, "share", input=n)))
            for n in most
        ]  # fmt: skip
        lines.append(facts.say("drivers.most", most=listing(named, facts.say("and"))))
    evidence = facts.answers.evidence
    judged = facts.number(evidence, "judgement", outcome="npv")
    without = facts.number(evidence, "without_own_data", outcome="npv")
    if math.isfinite(judged[0]):
        lines.append(
            facts.say(
                "drivers.judgement", share=facts.share(*judged), without=facts.share(*without)
            )
        )
    return lines


def varies(facts: RoiFacts) -> bool:
    """Return whether the net present value is not the same in all draws."""
    npv = facts.draws("npv")
    return bool(npv.size) and float(npv[0]) != float(npv[-1])


def information_lead(facts: RoiFacts) -> str:
    """Return what it would be worth to know everything in advance."""
    if not is_worth_something(facts):
        return ""
    evpi, error = facts.number(facts.answers.information, "evpi")
    shown = numbers.plus_minus(numbers.error_of_money(error, facts.currency, facts.language))
    return facts.say("information.lead", evpi=facts.money(evpi, error), error=shown)


def information_sentence(facts: RoiFacts) -> str:
    """Return what to find out first, and what that is worth."""
    if not is_worth_something(facts):
        return facts.say("information.nothing")
    worth = worth_of_inputs(facts)
    if not worth:
        return facts.say("information.jointly")
    first, value, value_error = worth[0]
    pilot = on_success(facts, first)
    rest = facts.say("information.rest_none")
    if len(worth) > 1:
        name, other, other_error = worth[1]
        rest = facts.say(
            "information.rest", label=facts.label(name), value=facts.money(other, other_error)
        )
    amount = facts.money(value, value_error)
    if pilot:
        realised = facts.entry(first) is not None and facts.assumptions.only("realisation") == first
        what = facts.say(f"information.{'how_much' if realised else 'whether'}")
        return facts.say("information.pilot", what=what, value=amount, rest=rest)
    key = _kind(facts, first)
    return facts.say(f"information.{key}", label=facts.label(first), value=amount, rest=rest)


def is_worth_something(facts: RoiFacts) -> bool:
    """Return whether knowing everything is worth a noticeable amount."""
    evpi, error = facts.number(facts.answers.information, "evpi")
    size = max(abs(facts.headline("mean_npv")[0]), abs(facts.headline("mean_cost")[0]))
    return evpi > max(2 * error if math.isfinite(error) else 0.0, LEAST_WORTH * size)


def worth_of_inputs(facts: RoiFacts) -> list[tuple[str, float, float]]:
    """Return inputs worth finding out with value and error, the most valuable first."""
    found = facts.answers.information
    least = NOTICEABLE * float(found["evpi"])
    rows = []
    for name in found["input"].values:
        value, error = facts.number(found, "evppi", input=str(name))
        if value > max(least, 2 * error if math.isfinite(error) else 0.0):
            rows.append((str(name), value, error))
    return sorted(rows, key=lambda row: -row[1])


def on_success(facts: RoiFacts, name: str) -> bool:
    """Return whether an input says whether and how much the programme works."""
    entry = facts.entry(name)
    return entry is None or entry.role in ON_SUCCESS


def _kind(facts: RoiFacts, name: str) -> str:
    entry = facts.entry(name)
    role = "" if entry is None else entry.role
    if role in ("one_off_cost", "running_cost"):
        return "cost"
    return "effect" if role in ("revenue_effect", "saving", "learning", "delay") else "other"
