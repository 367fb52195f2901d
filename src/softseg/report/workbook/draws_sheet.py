"""The sheet of draws: what some of them bring and cost, with live returns that can be stressed.

The present values are those of the simulation in the full accounting; they do not follow the sheet
of assumptions. Two multipliers on the sheet of results scale all benefits and all costs.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from xlsxwriter.utility import xl_range_abs

from softseg.decisions.model.simulate import Simulation
from softseg.families.base import Array
from softseg.report.workbook.cells import Sheet
from softseg.report.workbook.formula import Formula, ratio
from softseg.wording.numbers import NOTHING

HEAD: Final = 5
STATE: Final = 3
"""Row of the sentence whether the assumptions have changed since."""
PRINTED: Final = 40
"""Draws on a print; all of them would be some forty pages."""
GIVEN: Final = ("replicate", "draw", "works", "success", "benefit", "cost")
LIVE: Final = ("npv", "roi", "npv_full", "roi_full")
KINDS: Final = {
    "replicate": "count",
    "draw": "count",
    "works": "count",
    "success": "share",
    "benefit": "money",
    "cost": "money",
}
ACCOUNTING: Final = "contribution_margin"


@dataclass(frozen=True)
class Stress:
    """References to the multipliers on all benefits and all costs."""

    benefit: Formula
    cost: Formula


@dataclass(frozen=True)
class Column:
    """A column of draws as other sheets refer to it, and its values."""

    text: str
    values: Array


def write_draws(
    sheet: Sheet, simulation: Simulation, stress: Stress, n_draws: int
) -> dict[str, Column]:
    """Write the sheet and return its columns by name."""
    sheet.say(0, 0, "title.draws", "title")
    sheet.say(1, 0, "hint.draws", "hint", printed=min(PRINTED, n_draws))
    sheet.say(2, 0, "warning.draws", "warning")
    names = [*GIVEN, *LIVE]
    for column, name in enumerate(names):
        sheet.say(HEAD, column, f"draws.{name}", "figure")
    sheet.tall(HEAD, 3)
    sheet.page.set_column(0, 3, 14)
    sheet.page.set_column(4, len(names) - 1, 17)
    sheet.page.freeze_panes(HEAD + 1, 2)
    sheet.page.print_area(0, 0, HEAD + PRINTED, len(names) - 1)
    given = subset(simulation, n_draws)
    count = len(given["benefit"])
    live = [
        _row(sheet, HEAD + 1 + i, {name: float(given[name][i]) for name in GIVEN}, stress)
        for i in range(count)
    ]
    columns = given | dict(zip(LIVE, np.array(live).T, strict=True))
    last = HEAD + count
    return {
        name: Column(f"{sheet.name}!{xl_range_abs(HEAD + 1, column, last, column)}", columns[name])
        for column, name in enumerate(names)
    }


def _row(sheet: Sheet, row: int, given: dict[str, float], stress: Stress) -> list[float]:
    """Write one draw and return its net present value and ROI, reduced and in full."""
    cells = {
        name: sheet.number(row, column, x, KINDS[name])
        for column, (name, x) in enumerate(given.items())
    }
    benefit, cost = stress.benefit * cells["benefit"], stress.cost * cells["cost"]
    found = []
    for column, arriving in ((len(GIVEN), benefit * cells["success"]), (len(GIVEN) + 2, benefit)):
        npv = sheet.formula(row, column, arriving - cost, "money")
        roi = sheet.formula(row, column + 1, ratio(npv, cost, NOTHING), "roi")
        found += [npv.value, roi.value]
    return found


def subset(simulation: Simulation, n_draws: int) -> dict[str, Array]:
    """Return the first draws of every replicate, as many of each, (draw,) by column."""
    n_replicates = simulation.shape[0]
    each = max(1, min(simulation.shape[1], n_draws // n_replicates))
    part = simulation.first(each)
    full = part.outcome(ACCOUNTING, adjusted=False)
    replicate, number = np.indices((n_replicates, each)) + 1
    columns = {
        "replicate": replicate,
        "draw": number,
        "works": np.broadcast_to(part.draws.works, part.shape),
        "success": part.success(),
        "benefit": full.benefit,
        "cost": full.cost,
    }
    return {name: np.ravel(column).astype(float) for name, column in columns.items()}
