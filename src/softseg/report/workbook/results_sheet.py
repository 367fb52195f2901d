"""The sheet of results: scenarios side by side, and the distribution with live quantiles."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import numpy as np
import xarray as xr
from xlsxwriter.utility import xl_rowcol_to_cell

from softseg.decisions.model.accounting import ACCOUNTINGS
from softseg.families.base import Array
from softseg.report.workbook.cells import Sheet
from softseg.report.workbook.draws_sheet import ACCOUNTING, Column, Stress
from softseg.report.workbook.formula import Formula, ratio
from softseg.report.workbook.labels import programme_label, scenario_label
from softseg.report.workbook.scenario_sheet import Result
from softseg.wording import say
from softseg.wording.numbers import NOTHING, number

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
STATE: Final = 3
"""Row of the sentence whether the assumptions have changed since."""
STRESS_ROW: Final = 6
"""Row of the first multiplier."""
SCENARIOS: Final = (
    ("scenario", 46),
    ("accounting", 20),
    ("programme", 22),
    ("benefit", 16),
    ("cost", 16),
    ("npv_full", 16),
    ("bcr_full", 16),
    ("roi_full", 16),
    ("npv_realised", 16),
    ("roi_realised", 16),
    ("npv_expected", 16),
    ("roi_expected", 16),
)


class HasHeadline(Protocol):
    """Answers, of which the workbook reads the headline."""

    @property
    def headline(self) -> xr.Dataset:
        """As `softseg.decisions.answers.headline.headline` gives it."""
        ...


def write_stress(sheet: Sheet, title: str) -> Stress:
    """Write the head of the sheet with the two multipliers and return the references to them."""
    sheet.say(0, 0, "title.results", "title")
    sheet.text(1, 0, title)
    sheet.say(2, 0, "hint.results", "hint")
    sheet.say(STRESS_ROW - 1, 0, "part.stress", "heading")
    for column, (_, width) in enumerate(SCENARIOS):
        sheet.page.set_column(column, column, width)
    found = []
    for row, key in enumerate(("benefit", "cost"), STRESS_ROW):
        sheet.say(row, 0, f"stress.{key}")
        sheet.number(row, 1, 1.0, "ratio", marked=True)
        sheet.only_numbers(row, 1)
        cell = xl_rowcol_to_cell(row, 1, row_abs=True, col_abs=True)
        found.append(Formula(f"{sheet.name}!{cell}", 1.0))
    return Stress(*found)


def write_results(
    sheet: Sheet,
    results: Sequence[Result],
    columns: dict[str, Column],
    answers: HasHeadline,
    stress: Stress,
    hurdle: Formula,
    n_draws: int,
) -> None:
    """Write distribution and scenarios below the multipliers.

    Parameters
    ----------
    sheet
        The sheet that `write_stress` began.
    results
        Of the scenarios.
    columns
        Of the draws.
    answers
        For the figures of the whole simulation.
    stress, hurdle
        References to the multipliers and to the ROI to be exceeded.
    n_draws
        Of the whole simulation.
    """
    table = _Distribution(sheet, columns, answers.headline, stress, hurdle)
    row = table.write(STRESS_ROW + 3, n_draws)
    _scenarios(sheet, results, row + 1)
    sheet.page.freeze_panes(3, 1)


class _Distribution:
    """Quantiles and probabilities: of the draws on the sheet, live, beside those of all draws."""

    def __init__(
        self,
        sheet: Sheet,
        columns: dict[str, Column],
        headline: xr.Dataset,
        stress: Stress,
        hurdle: Formula,
    ) -> None:
        self._sheet, self._columns, self._headline = sheet, columns, headline
        self._stress, self._hurdle = stress, hurdle

    def write(self, row: int, n_draws: int) -> int:
        """Write the table and return the row below it."""
        sheet, language = self._sheet, self._sheet.language
        shown = len(self._columns["npv"].values)
        counts = {"shown": number(shown, language), "all": number(n_draws, language)}
        sheet.say(row, 0, "part.distribution", "heading")
        sheet.say(row + 1, 0, "hint.distribution", "hint", **counts)
        sheet.say(row + 2, 0, "warning.distribution", "warning")
        row += 3
        sheet.say(row, 0, "results.quantity", "head")
        for start, view in ((1, "expected"), (4, "full")):
            for column, key in enumerate(("live", "static", "error"), start):
                name = say(f"workbook.line.view_short.{view}", language)
                sheet.say(row, column, f"results.{key}", "figure", view=name, **counts)
        sheet.tall(row, 5)
        for write_line in self._lines():
            row += 1
            write_line(row)
        return row + 1

    def _lines(self) -> list[Callable[[int], None]]:
        """Return what writes each line, in the order of the table."""
        return [
            *(self._quantile("npv", "money", p) for p in QUANTILES),
            self._line("mean_npv", "money", self._mean),
            self._line("tail_npv", "money", None),
            *(self._quantile("roi", "roi", p) for p in QUANTILES),
            self._line("expected_roi", "roi", self._expected_roi),
            self._line("p_npv_positive", "roi", self._positive),
            self._line("p_roi_above_hurdle", "roi", self._above_hurdle),
            self._line("p_no_payback", "roi", None),
        ]

    def _quantile(self, name: str, kind: str, p: float) -> Callable[[int], None]:
        def live(suffix: str) -> Formula:
            column = self._columns[name + suffix]
            known = column.values[~np.isnan(column.values)]
            value = float(np.quantile(known, p)) if len(known) else float("nan")
            found = f"PERCENTILE({column.text},{p})"
            return Formula(f'IF(COUNT({column.text})=0,"{NOTHING}",{found})', value)

        level = str(round(100 * p))
        return self._line(name, kind, live, quantile=p, level=level)

    def _line(
        self,
        name: str,
        kind: str,
        live: Callable[[str], Formula] | None,
        quantile: float | None = None,
        **values: str,
    ) -> Callable[[int], None]:
        def write_line(row: int) -> None:
            self._sheet.say(row, 0, f"results.{name}", **values)
            for start, suffix, adjusted in ((1, "", True), (4, "_full", False)):
                if live is not None:
                    self._sheet.formula(row, start, live(suffix), kind, strong=False)
                chosen = self._chosen(adjusted, quantile)
                self._sheet.number(row, start + 1, _number(chosen, name), kind)
                error = _number(chosen, f"{name}_error")
                fine = "fine" if kind == "roi" else kind
                self._sheet.number(row, start + 2, error, fine)

        return write_line

    def _chosen(self, adjusted: bool, quantile: float | None) -> xr.Dataset:
        found = self._headline.sel(accounting=ACCOUNTING, adjusted=adjusted)
        if quantile is None:
            return found
        return found.sel(quantile=quantile, method="nearest")

    def _mean(self, suffix: str) -> Formula:
        column = self._columns["npv" + suffix]
        return Formula(f"AVERAGE({column.text})", float(column.values.mean()))

    def _expected_roi(self, suffix: str) -> Formula:
        npv, cost = self._columns["npv" + suffix], self._columns["cost"]
        paid = self._stress.cost * Formula(f"SUM({cost.text})", float(cost.values.sum()))
        return ratio(Formula(f"SUM({npv.text})", float(npv.values.sum())), paid, NOTHING)

    def _positive(self, suffix: str) -> Formula:
        npv = self._columns["npv" + suffix]
        text = f'COUNTIF({npv.text},">0")/COUNT({npv.text})'
        return Formula(text, float(np.mean(npv.values > 0.0)))

    def _above_hurdle(self, suffix: str) -> Formula:
        """As net present value − hurdle · cost > 0, which holds for any sign of the cost."""
        npv, cost = self._columns["npv" + suffix], self._columns["cost"]
        needed = self._hurdle * self._stress.cost
        beyond: Array = npv.values - needed.value * cost.values
        text = f"SUMPRODUCT(1*({npv.text}-{needed.text}*{cost.text}>0))/COUNT({npv.text})"
        return Formula(text, float(np.mean(beyond > 0.0)))


def _number(chosen: xr.Dataset, name: str) -> float | None:
    return float(chosen[name]) if name in chosen else None


def _scenarios(sheet: Sheet, results: Sequence[Result], row: int) -> None:
    """Write what the scenarios return, side by side."""
    language = sheet.language
    sheet.say(row, 0, "part.scenarios", "heading")
    sheet.say(row + 1, 0, "hint.scenario_table", "hint")
    row += 2
    for column, (key, _) in enumerate(SCENARIOS):
        look = "head" if column < 3 else "figure"
        sheet.say(row, column, f"results.scenario.{key}", look)
    sheet.tall(row, 3)
    for accounting in ACCOUNTINGS:
        for result in results:
            if result.accounting != accounting:
                continue
            row += 1
            sheet.text(row, 0, scenario_label(result.scenario, language))
            sheet.say(row, 1, f"accounting.{accounting}")
            sheet.text(row, 2, programme_label(result.programme, sheet.language))
            for column, (formula, kind) in enumerate(_cells(result), 3):
                sheet.formula(row, column, formula, kind)


def _cells(result: Result) -> list[tuple[Formula, str]]:
    full, realised, expected = (result.views[view] for view in ("full", "realised", "expected"))
    cells: list[tuple[Any, str]] = [
        (result.benefit, "money"),
        (result.cost, "money"),
        (full.npv, "money"),
        (full.bcr, "ratio"),
        (full.roi, "roi"),
        (realised.npv, "money"),
        (realised.roi, "roi"),
        (expected.npv, "money"),
        (expected.roi, "roi"),
    ]
    return cells
