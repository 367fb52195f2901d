"""The sheet of assumptions: every input as stated, and its value in every scenario in marked cells.

All formulas of the workbook start here. Values stand in the unit of the input; the references that
this sheet gives away turn them into base units.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from xlsxwriter.utility import xl_rowcol_to_cell

from softseg.decisions.inputs.columns import choice, heading, unit_label
from softseg.decisions.inputs.dependence import original
from softseg.decisions.inputs.schema import COSTS, Assumptions, Input, Profile
from softseg.decisions.inputs.units import read_unit
from softseg.report.workbook.cells import Book, Sheet
from softseg.report.workbook.formula import Formula, literal
from softseg.report.workbook.labels import base_label, role_label, scenario_label
from softseg.wording import say

HEAD: Final = 3
"""Row of the table's header, from 0."""

BEFORE: Final = (("label", 46), ("id", 20), ("role", 26), ("base", 26), ("unit", 14))
GENERAL: Final = 1
"""Column of what holds for all scenarios."""
TIMES: Final = 2
"""First column of when an input counts."""
STATED: Final = ("low", "likely", "high", "value")
AFTER: Final = (
    *((name, 14) for name in STATED),
    ("sure", 9),
    ("evidence", 20),
    ("source", 44),
    ("owner", 16),
    ("date", 11),
    ("note", 60),
)
TIMED: Final = (*COSTS, "revenue_effect", "saving", "learning", "cash_release")
"""Roles with a time profile."""

PROFILE: Final = ("profile.start", "profile.last", "profile.half_life")
WITHIN: Final = {"year_end": 0.0, "mid_year": 0.5, "year_start": 1.0}
"""How many years before the end of its year a flow comes."""


@dataclass(frozen=True)
class ProfileCells:
    """When an input counts, as references; None where nothing is stated."""

    start: Formula
    last: Formula
    half_life: Formula | None
    ramp: tuple[Formula, ...]


@dataclass(frozen=True)
class Given:
    """References to the assumptions, as other sheets write them.

    Attributes
    ----------
    values
        By scenario and id, in base units.
    profiles
        By id.
    within
        How many years before the end of its year a flow comes.
    hurdle
        ROI to exceed, as a share.
    """

    values: Mapping[str, Mapping[str, Formula]]
    profiles: Mapping[str, ProfileCells]
    within: Formula
    hurdle: Formula


def write_assumptions(
    book: Book,
    assumptions: Assumptions,
    scenarios: Mapping[str, Mapping[str, float]],
) -> Given:
    """Write the sheet and return the references to its marked cells.

    Parameters
    ----------
    book
        The workbook.
    assumptions
        What is stated.
    scenarios
        Value of every input in use by scenario and id, in the input's unit.
    """
    sheet = book.sheet("assumptions")
    sheet.say(0, 0, "title.assumptions", "title")
    sheet.text(1, 0, assumptions.title)
    sheet.say(2, 0, "hint.assumptions", "hint")
    values = _inputs(sheet, assumptions, scenarios)
    row = HEAD + len(assumptions.inputs) + 2
    within, hurdle, row = _general(sheet, assumptions, row)
    profiles = _profiles(sheet, assumptions, row + 1)
    sheet.page.freeze_panes(HEAD + 1, 1)
    sheet.page.repeat_rows(HEAD)
    sheet.page.repeat_columns("A:A")
    sheet.page.fit_to_pages(2, 0)
    return Given(values, profiles, within, hurdle)


def _inputs(
    sheet: Sheet, assumptions: Assumptions, scenarios: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, Formula]]:
    first, after = len(BEFORE), len(BEFORE) + len(scenarios)
    for column, (key, width) in [*enumerate(BEFORE), *enumerate(AFTER, after)]:
        look = "figure" if key in (*STATED, "sure") else "head"
        sheet.text(HEAD, column, heading(key, sheet.language), look)
        sheet.page.set_column(column, column, width)
    sheet.tall(HEAD, 3)
    sheet.page.set_column(first, after - 1, 15)
    rows = {name: HEAD + 1 + i for i, name in enumerate(assumptions.inputs)}
    for name, row in rows.items():
        _stated(sheet, assumptions, name, row, after)
    values: dict[str, dict[str, Formula]] = {}
    for column, (scenario, given) in enumerate(scenarios.items(), first):
        sheet.text(HEAD, column, scenario_label(scenario, sheet.language), "figure")
        values[scenario] = {}
        for name, value in given.items():
            row = rows[name]
            scale = read_unit(assumptions.inputs[name].unit).scale
            source = original(assumptions, name)
            theirs = scale / read_unit(assumptions.inputs[source].unit).scale
            followed = sheet.reference(rows[source], column, given[source])
            if source != name and math.isclose(followed.value, value * theirs, rel_tol=1e-12):
                kind = number_kind(assumptions.inputs[name], value)
                sheet.formula(row, column, followed / theirs, kind)
            else:
                _marked(sheet, assumptions.inputs[name], row, column, value)
            values[scenario][name] = _reference(sheet, row, column, value) * scale
    return values


def _stated(sheet: Sheet, assumptions: Assumptions, name: str, row: int, after: int) -> None:
    """Write what is stated of an input left and right of its marked cells."""
    entry, language = assumptions.inputs[name], sheet.language
    left = (
        entry.label or name,
        name,
        role_label(entry, language),
        base_label(assumptions, entry, language),
        unit_label(entry.unit, language),
    )
    for column, text in enumerate(left):
        sheet.text(row, column, text, "wrapped" if column in (0, 3) else "text")
    for column, key in enumerate(STATED, after):
        stated = getattr(entry, key)
        if stated is not None:
            sheet.number(row, column, stated, number_kind(entry, stated))
    column = after + len(STATED)
    if entry.low is not None and entry.high is not None:
        sheet.number(row, column, entry.sure, "roi")
    sheet.text(row, column + 1, choice("evidence", entry.evidence, language), "apart")
    sheet.text(row, column + 2, entry.source, "wrapped")
    sheet.text(row, column + 3, entry.owner, "wrapped")
    sheet.date(row, column + 4, entry.date)
    sheet.text(row, column + 5, entry.note, "wrapped")
    texts = (entry.label or name, 46), (entry.source, 44), (entry.note, 60)
    sheet.tall(row, lines(*texts))


def _marked(sheet: Sheet, entry: Input, row: int, column: int, value: float) -> None:
    sheet.number(row, column, value, number_kind(entry, value), marked=True)
    sheet.only_numbers(row, column)


def lines(*texts: tuple[str, int]) -> int:
    """Return how many lines the longest of some texts takes, given the widths of their columns."""
    return min(12, max(math.ceil(0.9 * max(len(text), 1) / width) for text, width in texts))


def number_kind(entry: Input, value: float) -> str:
    """Return how a number in an input's unit is shown: with thousands marks from 1,000 on."""
    amount = read_unit(entry.unit).kind in ("amount", "rate", "count")
    return "grouped" if amount and abs(value) >= 1000 else "plain"


def _general(sheet: Sheet, assumptions: Assumptions, row: int) -> tuple[Formula, Formula, int]:
    """Write what holds for all inputs; return discounting, hurdle, and the row below."""
    language = sheet.language
    sheet.say(row, 0, "part.general", "heading")
    year = "" if assumptions.first_year is None else str(assumptions.first_year)
    facts = {
        "currency": assumptions.currency,
        "horizon": str(assumptions.horizon),
        "first_year": year,
        "counterfactual": choice("counterfactual", assumptions.counterfactual, language),
        "convention": choice("convention", assumptions.convention, language),
    }
    for key, text in facts.items():
        if not text:
            continue
        row += 1
        sheet.say(row, 0, f"general.{key}")
        sheet.text(row, GENERAL, text)
    found = []
    for key, x, kind in (
        ("within", WITHIN[assumptions.convention], "plain"),
        ("hurdle", assumptions.hurdle, "roi"),
    ):
        row += 1
        sheet.say(row, 0, f"general.{key}", "wrapped")
        sheet.tall(row, lines((say(f"workbook.general.{key}", language), BEFORE[0][1])))
        sheet.number(row, GENERAL, x, kind, marked=True)
        sheet.only_numbers(row, GENERAL)
        found.append(_reference(sheet, row, GENERAL, x))
    return found[0], found[1], row + 1


def _profiles(sheet: Sheet, assumptions: Assumptions, row: int) -> dict[str, ProfileCells]:
    """Write when each input counts; the same for all scenarios."""
    timed = {n: e.profile for n, e in assumptions.inputs.items() if e.role in TIMED}
    ramps = [assumptions.ramp, *(profile.ramp or () for profile in timed.values())]
    sheet.say(row, 0, "part.profiles", "heading")
    sheet.say(row + 1, 0, "hint.profiles", "hint")
    row += 2
    first = TIMES
    heads = ((0, "label"), (1, "id"), *enumerate(PROFILE, first))
    for column, key in heads:
        look = "figure" if column >= first else "head"
        sheet.text(row, column, heading(key, sheet.language), look)
    for later in range(max(map(len, ramps))):
        sheet.say(row, first + 3 + later, "profile.share", "figure", number=str(later + 1))
    sheet.tall(row, 3)
    row += 1
    sheet.say(row, 0, "general.ramp")
    general = _ramp(sheet, row, assumptions.ramp)
    found = {}
    for name, profile in timed.items():
        row += 1
        entry = assumptions.inputs[name]
        sheet.text(row, 0, entry.label or name, "wrapped")
        sheet.text(row, 1, name)
        found[name] = _profile(sheet, row, profile, assumptions.horizon, entry, general)
    return found


def _profile(
    sheet: Sheet,
    row: int,
    profile: Profile,
    horizon: int,
    entry: Input,
    general: tuple[Formula, ...],
) -> ProfileCells:
    first = TIMES

    def cell(column: int, x: float) -> Formula:
        whole = "count" if column < first + 2 else "plain"
        sheet.number(row, column, x, whole, marked=True)
        sheet.only_numbers(row, column)
        return _reference(sheet, row, column, x)

    start = cell(first, float(profile.start))
    last = literal(float(horizon))
    if entry.role != "one_off_cost":
        last = cell(first + 1, float(profile.last or horizon))
    effect = entry.role not in COSTS
    half_life = None
    if effect and profile.half_life is not None:
        half_life = cell(first + 2, profile.half_life)
    ramp = general if effect else ()
    if profile.ramp is not None:
        ramp = _ramp(sheet, row, profile.ramp)
    elif effect:
        sheet.say(row, first + 3, "profile.general", "hint")
    return ProfileCells(start, last, half_life, ramp)


def _ramp(sheet: Sheet, row: int, shares: tuple[float, ...]) -> tuple[Formula, ...]:
    found = []
    for column, share in enumerate(shares, TIMES + 3):
        sheet.number(row, column, share, "plain", marked=True)
        sheet.only_numbers(row, column)
        found.append(_reference(sheet, row, column, share))
    return tuple(found)


def _reference(sheet: Sheet, row: int, column: int, value: float) -> Formula:
    """Return a reference that other sheets can write and that stays where it is when copied."""
    cell = xl_rowcol_to_cell(row, column, row_abs=True, col_abs=True)
    return Formula(f"{sheet.name}!{cell}", value)
