"""Which numbers go into which figure of the ROI report."""

from typing import Any, Final

import numpy as np

from softseg.decisions.answers.scenarios import scenario_values
from softseg.decisions.inputs.units import read_unit
from softseg.report import style
from softseg.report.roi import numbers
from softseg.report.roi.facts import HIGH, LOW, MAIN, MIDDLE, RoiFacts
from softseg.report.roi.tables import group_label
from softseg.report.roi.text import NOTICEABLE, varies, worth_of_inputs

MOST: Final = 12
"""Inputs in a figure; the table below it has all."""
MOST_EFFECTS: Final = 6
"""Lines of effects in a figure."""
FULL: Final = {"accounting": MAIN, "adjusted": True}


def all_of(facts: RoiFacts) -> dict[str, Any]:
    """Return every figure of the page as SVG by name, "" where there is nothing to draw."""
    found = {
        "bridge": bridge(facts),
        "worlds": worlds(facts),
        "fan": fan(facts),
        "density": density(facts),
        "needed": needed(facts),
        "frontier": frontier(facts),
        "tornado": tornado(facts),
        "evidence": evidence(facts),
        "information": information(facts),
    }
    return {name: _svg(facts, figure, name) if figure else "" for name, figure in found.items()}


def _svg(facts: RoiFacts, figure: Any, name: str) -> Any:
    from markupsafe import Markup

    # Matplotlib escapes the texts of a figure itself, and `to_svg` has parsed the result.
    return Markup(style.to_svg(figure, f"roi-{name}", facts.say(f"{name}.alt")))  # noqa: S704


def bridge(facts: RoiFacts) -> Any:
    """Return the waterfall."""
    from softseg.report.figures.roi_bridge import bridge as draw

    return draw(facts.answers.bridge, facts.currency, facts.language)


def worlds(facts: RoiFacts) -> Any:
    """Return a hundred possible worlds; None where all are the same."""
    from softseg.report.figures.roi_worlds import worlds as draw

    if not varies(facts):
        return None
    low, high = (facts.money(*facts.headline("npv", quantile=q)) for q in (LOW, HIGH))
    band = facts.say("to", low=low, high=high)
    return draw(facts.draws("npv"), band, facts.currency, facts.language)


def fan(facts: RoiFacts) -> Any:
    """Return the cumulated flow over the years."""
    from softseg.report.figures.roi_fan import fan as draw

    paths = facts.answers.yearly["cumulative"].sel(FULL)
    payback = facts.headline("payback", quantile=MIDDLE)[0]
    first_year = facts.assumptions.first_year
    return draw(paths, payback, facts.currency, facts.language, first_year)


def density(facts: RoiFacts) -> Any:
    """Return the spread of the ROI with scenarios and tails; None where there is no ROI."""
    from softseg.report.figures.roi_axis import Range
    from softseg.report.figures.roi_density import density as draw

    draws = facts.draws("roi")
    if not draws.size or draws[0] == draws[-1]:
        return None
    ends = (facts.headline("roi", quantile=q)[0] for q in (LOW, MIDDLE, HIGH))
    rows = [Range(facts.say("density.whole"), *ends)]
    for side in ("worst", "best"):
        tails, at = facts.answers.tails, {"side": side, **FULL}
        low, high = (facts.number(tails, "roi", quantile=q, **at)[0] for q in (LOW, HIGH))
        middle = facts.number(tails, "mean_roi", **at)[0]
        rows.append(Range(facts.say(f"tail.{side}"), low, middle, high))
    found = facts.answers.scenarios
    for name in (str(n) for n in found["scenario"].values[:MOST]):
        at = {"scenario": name, **FULL}
        ends = (facts.number(found, "pinned_roi", quantile=q, **at)[0] for q in (LOW, MIDDLE, HIGH))
        label = facts.say("scenario.row", name=facts.scenario(name))
        rows.append(Range(label, *ends, point=facts.number(found, "roi", **at)[0]))
    return draw(draws, rows, facts.language)


def needed(facts: RoiFacts) -> Any:
    """Return how likely it pays with more or less effect; None without revenue effects."""
    from softseg.report.figures.roi_breakeven import needed as draw

    data = facts.answers.chances
    if data is None or (data["p"].values == 1).all():
        return None
    names = [str(n) for n in data["effect"].values[:MOST_EFFECTS]]
    labels = [facts.say("break_even.all"), *(facts.say("break_even.only", label=facts.label(n))
                                             for n in names[1:])]  # fmt: skip
    lines = [
        (label, data["p"].sel(effect=n).values) for n, label in zip(names, labels, strict=True)
    ]
    return draw(data["multiple"].values, lines, facts.language)


def frontier(facts: RoiFacts) -> Any:
    """Return the pairs of two effects that are enough; None without two."""
    from softseg.report.figures.roi_breakeven import Curve
    from softseg.report.figures.roi_breakeven import frontier as draw

    data = facts.answers.frontier
    if data is None:
        return None
    y = data["y"].values
    if not (np.isfinite(y) & (y > 0)).any():
        return None
    names = (str(data.attrs["x"]), str(data.attrs["y"]))
    units = [facts.assumptions.inputs[n].unit for n in names]
    scale = [read_unit(unit).scale for unit in units]
    x = data["x"].values / scale[0]
    curves = [
        Curve(float(level), x, data["y"].sel(level=level).values / scale[1])
        for level in data["level"].values
    ]
    points = [
        (facts.scenario(scenario), pinned[names[0]] / scale[0], pinned[names[1]] / scale[1])
        for scenario, pinned in scenario_values(facts.simulation).items()
        if names[0] in pinned and names[1] in pinned
    ]
    labels = [_axis_label(facts, n, u) for n, u in zip(names, units, strict=True)]
    return draw(curves, points, (labels[0], labels[1]), facts.language)


def _axis_label(facts: RoiFacts, name: str, unit: str) -> str:
    """Return label and unit of an input; a share says of what."""
    words = numbers.unit_words(unit, facts.language)
    of = facts.base(name) if words == "%" else ""
    return f"{facts.label(name)} ({f'{words}, {of}' if of else words})"


def tornado(facts: RoiFacts) -> Any:
    """Return how far each input moves the result; None where nothing does."""
    from softseg.report.figures.roi_tornado import Swing
    from softseg.report.figures.roi_tornado import tornado as draw

    data = facts.answers.tornado
    if not varies(facts) or not data["input"].size:
        return None
    width = data["width"].sel(kind=["conditional", "ceteris_paribus"]).max("kind").values
    order = np.argsort(-width, kind="stable")[:MOST]
    swings = []
    for name in (str(data["input"].values[i]) for i in order):
        ends = {
            kind: (facts.number(data, "npv", kind=kind, input=name, side="low")[0],
                   facts.number(data, "npv", kind=kind, input=name, side="high")[0])
            for kind in ("conditional", "ceteris_paribus")
        }  # fmt: skip
        swings.append(Swing(facts.label(name), ends))
    middle = facts.number(data, "centre", kind="conditional")[0]
    return draw(swings, middle, facts.currency, facts.language)


def evidence(facts: RoiFacts) -> Any:
    """Return on which evidence the variance rests; None where nothing varies."""
    from softseg.report.figures.roi_tornado import evidence as draw

    data = facts.answers.evidence
    shares = data["share"].sel(outcome="npv")
    if not varies(facts) or not np.isfinite(shares.values).all():
        return None
    parts = [
        (facts.word("evidence", str(grade)), max(float(shares.sel(evidence=grade)), 0.0))
        for grade in data["evidence"].values
    ]
    return draw(parts, facts.language)


def information(facts: RoiFacts) -> Any:
    """Return what it is worth to know more; None where it is worth nothing."""
    from softseg.report.figures.roi_information import Worth
    from softseg.report.figures.roi_information import information as draw

    data = facts.answers.information
    evpi = facts.number(data, "evpi")
    worths = worth_of_inputs(facts)
    if not varies(facts) or evpi[0] <= 0 or not worths:
        return None
    bars = [Worth(facts.say("information.everything"), *evpi, is_total=True)]
    bars += [Worth(facts.label(n), value, error) for n, value, error in worths[:MOST]]
    for name in (str(n) for n in data["group"].values):
        kind = str(data["group_kind"].sel(group=name).values)
        value, error = facts.number(data, "group_evppi", group=name)
        if kind == "factor" and value > max(2 * error, NOTICEABLE * evpi[0]):
            bars.append(Worth(group_label(facts, name, kind), value, error))
    return draw(bars, facts.currency, facts.language)
