"""Rows of the ROI report's tables on results, every cell a text ready to print."""

import math
from collections.abc import Callable
from typing import Any, Final

import xarray as xr

from softseg.decisions.answers.shapley import OTHER
from softseg.report.amounts import listing
from softseg.report.roi import numbers
from softseg.report.roi.facts import HIGH, LOW, MAIN, MIDDLE, PUBLISHED, RoiFacts
from softseg.report.roi.text import quoted, worth_of_inputs

COLUMNS: Final = ((PUBLISHED, False), (PUBLISHED, True), (MAIN, False), (MAIN, True))
"""Accounting and whether the risk counts, as in the headline's table."""

MANY: Final = 3000
"""Draws of which none is so far out where the probability is below 0.1 %, 95 % sure."""

VISIBLE: Final = 0.001
"""Total index below which an input is not named on its own."""

type Text = str | tuple[str, str]
"""A cell: a text, or a text and what stands small below it."""
type Row = tuple[str, list[Text]]
type Cell = Callable[[xr.Dataset, str, bool], str]


def headline_rows(facts: RoiFacts) -> list[Row]:
    """Return the headline of both accountings, without and with the risk."""
    data = facts.answers.headline
    return [
        (label, [cell(data, accounting, adjusted) for accounting, adjusted in COLUMNS])
        for label, cell in _headline(facts)
    ]


def programme_rows(facts: RoiFacts) -> list[Row]:
    """Return the headline of both programmes and of their difference; none without a second."""
    if not facts.answers.programmes:
        return []
    columns = [*facts.answers.programmes.values(), facts.answers.headline]
    return [
        (label, [cell(data, MAIN, True) for data in columns]) for label, cell in _headline(facts)
    ]


def programme_names(facts: RoiFacts) -> list[str]:
    """Return the heads of the columns of `programme_rows`."""
    return [facts.word("programme", n) for n in (*facts.answers.programmes, "difference")]


def _headline(facts: RoiFacts) -> list[tuple[str, Cell]]:
    def single(name: str, show: Callable[[float, float], str], **at: Any) -> Cell:
        def cell(data: xr.Dataset, accounting: str, adjusted: bool) -> str:
            return show(*facts.number(data, name, accounting=accounting, adjusted=adjusted, **at))

        return cell

    def band(name: str, show: Callable[[float, float], str]) -> Cell:
        def cell(data: xr.Dataset, accounting: str, adjusted: bool) -> str:
            ends = [show(*facts.number(data, name, accounting=accounting, adjusted=adjusted,
                                       quantile=q)) for q in (LOW, HIGH)]  # fmt: skip
            return facts.say("to", low=ends[0], high=ends[1])

        return cell

    middle = {"quantile": MIDDLE}
    rows = [
        ("npv", single("npv", facts.money, **middle)),
        ("npv_band", band("npv", facts.money)),
        ("mean_npv", single("mean_npv", facts.money)),
        ("tail_npv", single("tail_npv", facts.money)),
        ("p_npv_positive", single("p_npv_positive", facts.share)),
        ("roi", single("roi", facts.ratio, **middle)),
        ("roi_band", band("roi", facts.ratio)),
        ("bcr", single("bcr", facts.multiple, **middle)),
        ("expected_roi", single("expected_roi", facts.ratio)),
        ("payback", single("payback", facts.years, **middle)),
        ("p_no_payback", single("p_no_payback", facts.share)),
    ]
    named = [(facts.say(f"row.{key}", horizon=facts.horizon), cell) for key, cell in rows]
    if facts.assumptions.hurdle != 0:
        label = facts.say("row.hurdle", hurdle=facts.ratio(facts.assumptions.hurdle))
        named.insert(9, (label, single("p_roi_above_hurdle", facts.share)))
    return named


def error_rows(facts: RoiFacts) -> list[tuple[str, str, str]]:
    """Return the main numbers with their Monte Carlo errors."""
    rows = []
    for key, name, show, at in (
        ("npv", "npv", facts.money, {"quantile": MIDDLE}),
        ("npv_low", "npv", facts.money, {"quantile": LOW}),
        ("npv_high", "npv", facts.money, {"quantile": HIGH}),
        ("mean_npv", "mean_npv", facts.money, {}),
        ("p_npv_positive", "p_npv_positive", facts.share, {}),
        ("roi", "roi", facts.ratio, {"quantile": MIDDLE}),
        ("payback", "payback", facts.years, {"quantile": MIDDLE}),
    ):
        value, error = facts.headline(name, **at)
        shown = error_text(facts, error, show)
        rows.append((facts.say(f"row.{key}"), show(value, error), shown))
    return rows


def error_text(facts: RoiFacts, error: float, show: Callable[..., str]) -> str:
    """Return a Monte Carlo error with one digit and its sign, a dash where there is none."""
    if not math.isfinite(error):
        return "–"
    if show == facts.share:
        return numbers.plus_minus(numbers.points(error, facts.language))
    if show == facts.years:
        return numbers.plus_minus(numbers.short_years(error, facts.language))
    if show == facts.ratio:
        return numbers.plus_minus(numbers.points(error, facts.language))
    return numbers.plus_minus(numbers.error_of_money(error, facts.currency, facts.language))


def bridge_rows(facts: RoiFacts) -> list[dict[str, str]]:
    """Return the steps of the bridge with what they change and why."""
    data = facts.answers.bridge
    untaxed = facts.assumptions.only("tax_rate") is None
    rows = []
    for i, name in enumerate(str(n) for n in data["step"].values):
        change, error = facts.number(data, "change", step=name)
        shown = "" if i == 0 else facts.gain(change, error)
        rows.append({
            "step": facts.word("step", name),
            "why": facts.word("why", "tax_none" if untaxed and name == "tax" else name),
            "change": shown,
            "error": error_text(facts, error, facts.money) if i and change else "",
            "value": facts.money(*facts.number(data, "value", step=name)),
            "roi": facts.ratio(*facts.number(data, "median_roi", step=name)),
        })  # fmt: skip
    return rows


def year_rows(facts: RoiFacts) -> tuple[list[str], list[tuple[str, list[tuple[str, str]]]]]:
    """Return the heads and the rows of the years: middle case and band of each flow."""
    data = facts.answers.yearly
    names = [
        n for n in ("revenue", "profit", "ebit_margin_change", "net", "cumulative") if n in data
    ]
    rows = []
    for year in data["year"].values:
        cells = []
        for name in names:
            show = facts.points if name == "ebit_margin_change" else facts.money
            at = {"accounting": MAIN, "adjusted": True, "year": int(year)}
            low, middle, high = (
                show(*facts.number(data, name, quantile=q, **at)) for q in (LOW, MIDDLE, HIGH)
            )
            cells.append((middle, "" if low == high else facts.say("to", low=low, high=high)))
        first = facts.assumptions.first_year
        label = f"{year}" if first is None else f"{year} ({first + int(year) - 1})"
        rows.append((label, cells))
    return [facts.say(f"fan.{n}") for n in names], rows


def scenario_rows(facts: RoiFacts) -> list[Row]:
    """Return the scenarios as single cases and with everything else open."""
    data = facts.answers.scenarios
    rows = []
    for name in (str(n) for n in data["scenario"].values):
        at = {"scenario": name, "accounting": MAIN, "adjusted": True}
        cells: list[Text] = [facts.ratio(*facts.number(data, "roi", **at))]
        for what, show in (("pinned_roi", facts.ratio), ("pinned_npv", facts.money)):
            low, middle, high = (
                show(*facts.number(data, what, quantile=q, **at)) for q in (LOW, MIDDLE, HIGH)
            )
            cells.append((middle, facts.say("to", low=low, high=high)))
        cells.append(facts.share(*facts.number(data, "rank", **at)))
        extreme, error = facts.number(data, "p_effects_at_least_as_extreme", scenario=name)
        # None of many draws is a small probability, not none.
        extreme = max(extreme, 1e-6) if facts.simulation.draws.works.size > MANY else extreme
        cells.append(facts.share(extreme, error))
        rows.append((facts.scenario(name), cells))
    return rows


def tail_rows(facts: RoiFacts) -> list[Row]:
    """Return the averages of the worst and the best cases."""
    rows = []
    for side in ("worst", "best"):
        at = {"side": side, "accounting": MAIN, "adjusted": True}
        cells: list[Text] = []
        for name, show in (("mean_roi", facts.ratio), ("mean_npv", facts.money)):
            value, error = facts.number(facts.answers.tails, name, **at)
            shown = error_text(facts, error, show) if error else ""
            cells.append((show(value, error), shown))
        rows.append((facts.say(f"tail.{side}"), cells))
    return rows


def break_even_rows(facts: RoiFacts) -> list[Row]:
    """Return what each effect must reach and each cost may reach, all others open."""
    data = facts.answers.per_input
    rows = []
    for name in (str(n) for n in data["input"].values):
        cost = str(data["direction"].sel(input=name).values) == "at_most"
        low, middle, high = (
            _needed(facts, name, *facts.number(data, "value", input=name, quantile=q), cost)
            for q in (LOW, MIDDLE, HIGH)
        )
        value = facts.number(data, "value", input=name, quantile=MIDDLE)[0]
        if math.isfinite(value) and value > 0:
            middle = facts.say("break_even.at_most" if cost else "break_even.at_least", x=middle)
        cells: list[Text] = [
            (facts.in_unit(name, facts.number(data, "central", input=name)[0]), facts.base(name)),
            (middle, f"{low} … {high}"),
            *(
                facts.share(*facts.number(data, p, input=name))
                for p in ("p_below_central", "p_zero", "p_never")
            ),
        ]
        rows.append((facts.label(name), cells))
    return rows


def _needed(facts: RoiFacts, name: str, x: float, error: float, cost: bool) -> str:
    if math.isinf(x):
        return facts.say("break_even.any" if cost else "break_even.no_size")
    if x == 0:
        return facts.say("break_even.not_free" if cost else "break_even.nothing")
    return facts.in_unit(name, x, error)


def driver_rows(facts: RoiFacts) -> list[Row]:
    """Return each input with its share of the variance, its swings and its evidence."""
    shares, swings = facts.answers.shapley, facts.answers.tornado
    names = [str(name) for name in shares["input"].values]
    size = dict(zip(names, shares["share"].values, strict=True))
    rows: list[Row] = []
    for name in sorted(names, key=lambda n: (n == OTHER, -size[n])):
        value, error = facts.number(shares, "share", input=name)
        entry = facts.entry(name)
        swing = ["", ""]
        if name in swings["input"].values:
            swing = [
                _swing(facts, swings, name, kind) for kind in ("conditional", "ceteris_paribus")
            ]
        rows.append(
            (
                facts.label(name),
                [
                    (facts.share(max(value, 0.0), error), error_text(facts, error, facts.share)),
                    *swing,
                    facts.word("evidence", entry.evidence) if entry else evidence_of(facts, name),
                ],
            )
        )
    return rows


def sobol_rows(facts: RoiFacts) -> list[Row]:
    """Return the Sobol indices of the inputs that move independently, the largest first.

    Inputs without visible effect share a row, which has the largest of their upper bounds.
    """
    data = facts.answers.sobol
    if data is None:
        return []
    free = [str(n) for n in data["input"].values if math.isfinite(data["total"].sel(input=n))]
    found = {
        n: [facts.number(data, key, input=n) for key in ("first_order", "total")] for n in free
    }
    named = sorted((n for n in free if found[n][1][0] >= VISIBLE), key=lambda n: -found[n][1][0])
    rows: list[Row] = []
    for name in named:
        (alone, alone_error), (total, total_error) = found[name]
        cells: list[Text] = [
            (facts.share(max(x, 0.0), error), error_text(facts, error, facts.share))
            for x, error in ((alone, alone_error), (total, total_error))
        ]
        rows.append((facts.label(name), cells))
    hidden = [found[n][1] for n in free if n not in named]
    if hidden:
        most = facts.share(max(total + 2 * error for total, error in hidden))
        label = facts.say("information.others", count=len(hidden))
        if len(hidden) == 1:
            label = facts.label(next(n for n in free if n not in named))
        rows.append((label, ["", facts.say("information.below", most=most)]))
    return rows


def sobol_note(facts: RoiFacts) -> str:
    """Return which inputs have no Sobol indices and why, "" where none is missing."""
    data = facts.answers.sobol
    if data is None:
        return ""
    tied = str(data.attrs["dependent"]).split()
    if len(tied) == data["input"].size:
        return facts.say("sobol.none")
    listed = listing([quoted(facts, n) for n in tied], facts.say("and"))
    return facts.say("sobol.dependent", inputs=listed) if tied else ""


def evidence_of(facts: RoiFacts, name: str) -> str:
    """Return the evidence behind whether the programme works."""
    chance = facts.assumptions.only("no_effect")
    if name != "works" or chance is None:
        return ""
    return facts.word("evidence", facts.assumptions.inputs[chance].evidence)


def _swing(facts: RoiFacts, data: xr.Dataset, name: str, kind: str) -> str:
    low, high = (
        facts.money(*facts.number(data, "npv", kind=kind, input=name, side=side))
        for side in ("low", "high")
    )
    return f"{low} … {high}"


def information_rows(facts: RoiFacts) -> list[Row]:
    """Return what it is worth to know everything, single inputs, and groups of them.

    Inputs worth nothing noticeable share a row, which has the largest of their upper bounds.
    """
    data = facts.answers.information
    rows = [(facts.say("information.everything"), *facts.number(data, "evpi"))]
    shown = worth_of_inputs(facts)
    rows += [(facts.label(name), value, error) for name, value, error in shown]
    for name in (str(n) for n in data["group"].values):
        kind = str(data["group_kind"].sel(group=name).values)
        value = facts.number(data, "group_evppi", group=name)
        rows.append((group_label(facts, name, kind), *value))
    table: list[Row] = [
        (label, [facts.money(max(value, 0.0), error), error_text(facts, error, facts.money)])
        for label, value, error in rows
    ]
    named = {name for name, _, _ in shown}
    bounds = []
    for name in (str(n) for n in data["input"].values):
        value, error = facts.number(data, "evppi", input=name)
        if name not in named:
            bounds.append(value + (2 * error if math.isfinite(error) else 0.0))
    if bounds:
        most = numbers.error_of_money(max(bounds), facts.currency, facts.language)
        label = facts.say("information.others", count=len(bounds))
        table.insert(1 + len(shown), (label, [facts.say("information.below", most=most), ""]))
    return table


def group_label(facts: RoiFacts, name: str, kind: str) -> str:
    """Return the name of a group of inputs for readers."""
    if kind == "evidence":
        return facts.say("information.group_evidence", name=facts.word("evidence", name))
    factor = facts.assumptions.dependence.factors.get(name.removeprefix("factor "))
    from softseg.report.facts import clean

    label = clean(factor.label) if factor is not None and factor.label.strip() else clean(name)
    return facts.say("information.group_factor", name=label)
