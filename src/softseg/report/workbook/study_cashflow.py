"""The sheet of the cash flow by segment: the central values, year by year, as live formulas.

The cash flow of the whole is the sum of those of the segments and of what belongs to no segment,
because every effect bears on one segment. So the same formulas are written for each part.
"""

from dataclasses import dataclass
from typing import Final

from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.accounting import ACCOUNTINGS
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.report.workbook.book import CENTRAL
from softseg.report.workbook.cells import Sheet
from softseg.report.workbook.formula import Formula, total
from softseg.report.workbook.inputs_sheet import Given
from softseg.report.workbook.ledger import FIRST, LABEL, VALUE, Ledger
from softseg.report.workbook.scenario_sheet import HEADER, VIEWS, Block, Result
from softseg.report.workbook.study_seen import ACCOUNTING, Seen
from softseg.wording import say


@dataclass(frozen=True)
class Parts:
    """Net present values at the central values, as references for other sheets.

    Attributes
    ----------
    of
        By segment, then by view (see `VIEWS`); None is what belongs to no segment.
    """

    of: dict[int | None, dict[str, Formula]]


WIDTH: Final = 15
LABELS: Final = 78
"""Labels hold the name of the segment, and those of bases say what they are."""


def write_cashflow(
    sheet: Sheet, seen: Seen, simulation: SegmentSimulation, given: Given, whole: Result
) -> Parts:
    """Write the sheet and return what each part brings.

    Parameters
    ----------
    sheet
        Where to.
    seen, simulation
        What was found, and its draws.
    given
        References to the assumptions.
    whole
        The whole programme at the central values, with which the sum is compared.
    """
    sheet.say(0, 0, "study.title.cashflow", "title")
    sheet.say(1, 0, "study.hint.cashflow", "hint")
    ledger = Ledger(sheet, HEADER, simulation.whole.assumptions.horizon)
    _set_up(sheet, simulation.whole.assumptions)
    found: dict[int | None, dict[str, Formula]] = {}
    starts: list[int] = []
    for k in (*simulation.names, None):
        starts.append(ledger.row)
        ledger.heading(seen.say("shared") if k is None else seen.name(k), "heading")
        assumptions = _part(simulation, k)
        switches = ACCOUNTINGS[ACCOUNTING]
        block = Block(ledger, assumptions, given, CENTRAL, ACCOUNTING, switches)
        result = block.write()[-1]
        found[k] = {view: result.views[view].npv for view in VIEWS}
        ledger.gap()
    starts.append(ledger.row)
    _sum(ledger, seen, found, whole)
    sheet.page.set_h_pagebreaks(starts[1:])
    return Parts(found)


def _set_up(sheet: Sheet, assumptions: Assumptions) -> None:
    last = FIRST + assumptions.horizon
    if assumptions.first_year is not None:
        sheet.say(HEADER - 1, LABEL, "general.calendar_year", "hint")
        for t in range(assumptions.horizon):
            sheet.number(HEADER - 1, FIRST + t, assumptions.first_year + t, "count")
    sheet.page.set_column(LABEL, LABEL, LABELS)
    sheet.page.set_column(VALUE, last, WIDTH)
    sheet.page.freeze_panes(HEADER + 1, 1)
    sheet.page.repeat_rows(HEADER)


def _part(simulation: SegmentSimulation, segment: int | None) -> Assumptions:
    """Return the assumptions of a part; the uniform programme belongs to no segment."""
    assumptions = simulation.part(segment).assumptions
    if segment is None:
        return assumptions
    return assumptions.model_copy(update={"counterfactual": "nothing"})


def _sum(
    ledger: Ledger, seen: Seen, found: dict[int | None, dict[str, Formula]], whole: Result
) -> None:
    """Write what the parts bring, their sum, and the whole as the sheet of scenarios has it."""
    sheet, language = ledger.sheet, ledger.sheet.language
    ledger.heading(seen.say("parts.heading"), "heading")
    for column, view in enumerate(VIEWS, VALUE):
        label = say(f"workbook.line.view_short.{view}", language)
        sheet.text(ledger.row, column, label, "figure")
    sheet.tall(ledger.row, 4)
    ledger.row += 1
    columns: dict[str, list[Formula]] = {view: [] for view in VIEWS}
    for k, views in found.items():
        sheet.text(ledger.row, LABEL, seen.say("shared") if k is None else seen.name(k))
        for column, view in enumerate(VIEWS, VALUE):
            cell = sheet.formula(ledger.row, column, views[view], "money")
            columns[view].append(cell)
        ledger.row += 1
    rows = {"sum": {view: total(columns[view]) for view in VIEWS},
            "whole": {view: whole.views[view].npv for view in VIEWS}}  # fmt: skip
    for key, cells in rows.items():
        sheet.text(ledger.row, LABEL, seen.say(f"parts.{key}"))
        for column, view in enumerate(VIEWS, VALUE):
            sheet.formula(ledger.row, column, cells[view], "money", strong=True)
        ledger.row += 1
