"""The sheet of scenarios: every scenario in both accountings, year by year, as live formulas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from softseg.decisions.inputs.schema import Assumptions, Programme
from softseg.decisions.model.accounting import ACCOUNTINGS, Switches
from softseg.decisions.model.cashflow import discount_factors, flows
from softseg.report.workbook.cells import Book
from softseg.report.workbook.formula import ONE, Formula, elsewhere, ratio
from softseg.report.workbook.inputs_sheet import Given
from softseg.report.workbook.labels import programme_label, scenario_label
from softseg.report.workbook.ledger import FIRST, LABEL, VALUE, Ledger, Line
from softseg.report.workbook.programme import ProgrammeLines, Totals
from softseg.report.workbook.shares import discount_factor
from softseg.wording import say
from softseg.wording.numbers import NOTHING

HEADER: Final = 3
VIEWS: Final = ("full", "realised", "expected")
"""Benefit in full; with the realisation factor; with it and the probability of no effect."""


@dataclass(frozen=True)
class View:
    """What a scenario returns at one share of the benefit, as references for other sheets."""

    npv: Formula
    bcr: Formula
    roi: Formula


@dataclass(frozen=True)
class Result:
    """What a scenario returns in one accounting, as references for other sheets.

    Attributes
    ----------
    scenario, accounting, programme
        Of what; the programme None is the segmented one less the uniform one.
    benefit, cost
        Present values, the benefit in full.
    views
        By name, see `VIEWS`.
    """

    scenario: str
    accounting: str
    programme: Programme | None
    benefit: Formula
    cost: Formula
    views: Mapping[str, View]


def write_scenarios(book: Book, assumptions: Assumptions, given: Given) -> list[Result]:
    """Write the sheet and return the references to its results, the headline programme last."""
    sheet = book.sheet("scenarios")
    sheet.say(0, 0, "title.scenarios", "title")
    sheet.say(1, 0, "hint.scenarios", "hint")
    ledger = Ledger(sheet, HEADER, assumptions.horizon)
    if assumptions.first_year is not None:
        sheet.say(HEADER - 1, LABEL, "general.calendar_year", "hint")
        for t in range(assumptions.horizon):
            sheet.number(HEADER - 1, FIRST + t, assumptions.first_year + t, "count")
    sheet.page.set_column(LABEL, LABEL, 58)
    sheet.page.set_column(VALUE, FIRST + assumptions.horizon, 15)
    sheet.page.freeze_panes(HEADER + 1, 1)
    sheet.page.repeat_rows(HEADER)
    found: list[Result] = []
    starts: list[int] = []
    for scenario in given.values:
        for accounting, switches in ACCOUNTINGS.items():
            block = Block(ledger, assumptions, given, scenario, accounting, switches)
            starts.append(ledger.row)
            found += block.write()
            ledger.gap()
    sheet.page.set_h_pagebreaks(starts[1:])
    return found


@dataclass(frozen=True)
class Block:
    """One scenario in one accounting."""

    ledger: Ledger
    assumptions: Assumptions
    given: Given
    scenario: str
    accounting: str
    switches: Switches

    def write(self) -> list[Result]:
        """Write the programmes, their difference where there are two, and what each returns."""
        language = self.ledger.sheet.language
        accounting = say(f"workbook.accounting.{self.accounting}", language)
        self.ledger.heading(f"{scenario_label(self.scenario, language)} · {accounting}", "heading")
        factors = self._discounting()
        names = programmes(self.assumptions)
        totals: dict[Programme | None, Totals] = {name: self._programme(name) for name in names}
        if len(names) == 1:
            return [self._result(name, totals[name], factors) for name in names]
        totals[None] = self._difference(totals["segmented"], totals["uniform"])
        results = []
        for name, found in totals.items():
            self._subheading(name)
            results.append(self._result(name, found, factors))
        return results

    @property
    def values(self) -> Mapping[str, Formula]:
        """References to the inputs in this scenario."""
        return self.given.values[self.scenario]

    def _numbers(self) -> dict[str, float]:
        return {name: formula.value for name, formula in self.values.items()}

    def _programme(self, programme: Programme) -> Totals:
        if len(programmes(self.assumptions)) > 1:
            self._subheading(programme)
        found = flows(self.assumptions, self._numbers(), self.switches, programme)
        lines = ProgrammeLines(
            self.ledger,
            self.assumptions,
            self.given,
            self.values,
            self.switches,
            programme,
            found,
        )
        return lines.write()

    def _subheading(self, programme: Programme | None) -> None:
        self.ledger.heading(programme_label(programme, self.ledger.sheet.language))

    def _discounting(self) -> Line:
        name = self.assumptions.only("discount_rate")
        rate = None if name is None or not self.switches.discounting else self.values[name]
        years = [discount_factor(rate, year, self.given.within) for year in self.ledger.years]
        known = discount_factors(self.assumptions, self._numbers(), self.switches).tolist()
        return self._line("discount_factor", "factor", years, known)

    def _difference(self, one: Totals, other: Totals) -> Totals:
        self._subheading(None)

        def less(key: str) -> Line:
            first, second = getattr(one, key).years, getattr(other, key).years
            apart = [a - b for a, b in zip(first, second, strict=True)]
            label = self.ledger.say(key)
            return self.ledger.line(label, "money", apart, strong=True, summed=True)

        return Totals(less("revenue"), less("benefit"), less("cost"), less("cash"))

    def _result(self, programme: Programme | None, totals: Totals, factors: Line) -> Result:
        """Write what the flows return, without and with what may reduce the benefit."""
        arriving = [
            (b + c) * d
            for b, c, d in zip(totals.benefit.years, totals.cash.years, factors.years, strict=True)
        ]
        paid = [k * d for k, d in zip(totals.cost.years, factors.years, strict=True)]
        benefit = self._money("benefit_discounted", arriving).sum
        cost = self._money("cost_discounted", paid).sum
        views = {view: self._view(view, totals, factors, benefit, cost) for view in VIEWS}
        here = self.ledger.sheet.name
        return Result(
            self.scenario,
            self.accounting,
            programme,
            elsewhere(benefit, here),
            elsewhere(cost, here),
            views,
        )

    def _view(
        self, view: str, totals: Totals, factors: Line, benefit: Formula, cost: Formula
    ) -> View:
        ledger = self.ledger
        ledger.heading(ledger.say(f"view.{view}"))
        success = ledger.value(ledger.say("success"), self._success(view), "share")
        flow_parts = zip(totals.benefit.years, totals.cash.years, totals.cost.years, strict=True)
        net = self._money("net", [success * (b + c) - k for b, c, k in flow_parts])
        discounted = self._money(
            "net_discounted", [x * d for x, d in zip(net.years, factors.years, strict=True)]
        )
        self._cumulative(discounted)
        npv = ledger.value(ledger.say("npv"), discounted.sum, "money", strong=True)
        bcr = ratio(success * benefit, cost, NOTHING)
        bcr = ledger.value(ledger.say("bcr"), bcr, "ratio", strong=True)
        roi = ledger.value(ledger.say("roi"), ratio(npv, cost, NOTHING), "roi", strong=True)
        return View(*(elsewhere(cell, ledger.sheet.name) for cell in (npv, bcr, roi)))

    def _success(self, view: str) -> Formula:
        """Return the share of the benefit that arrives."""
        realisation = self.assumptions.only("realisation")
        no_effect = self.assumptions.only("no_effect")
        share = ONE if realisation is None or view == "full" else self.values[realisation]
        if no_effect is None or view != "expected":
            return share
        return share * (ONE - self.values[no_effect])

    def _cumulative(self, discounted: Line) -> Line:
        row, years = self.ledger.row, [discounted.years[0]]
        for t, x in enumerate(discounted.years[1:]):
            before = self.ledger.cell(row, t, years[-1].value)
            years.append(before + x)
        return self._line("cumulative", "money", years)

    def _money(self, key: str, years: Sequence[Formula]) -> Line:
        return self.ledger.line(self.ledger.say(key), "money", years, summed=True)

    def _line(
        self,
        key: str,
        kind: str,
        years: Sequence[Formula],
        cached: Sequence[float] | None = None,
    ) -> Line:
        return self.ledger.line(self.ledger.say(key), kind, years, cached=cached)


def programmes(assumptions: Assumptions) -> tuple[Programme, ...]:
    """Return the programmes that are calculated."""
    if assumptions.counterfactual == "nothing":
        return ("segmented",)
    return ("segmented", "uniform")
