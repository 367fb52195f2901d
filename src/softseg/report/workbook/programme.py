"""The flows of one programme as live formulas; mirrors `softseg.decisions.model.cashflow`.

Every function is named after the part of the calculation that it writes, and the order of the lines
is the order of the calculation: effects by base, revenue, benefit, cost, cash.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from softseg.decisions.inputs.schema import INCREMENTAL, Assumptions, Input, Programme
from softseg.decisions.model.accounting import Switches
from softseg.decisions.model.cashflow import POINTS, Flows
from softseg.report.workbook.formula import ONE, ZERO, Formula, product, total
from softseg.report.workbook.inputs_sheet import Given
from softseg.report.workbook.labels import base_label
from softseg.report.workbook.ledger import Ledger, Line
from softseg.report.workbook.shares import (
    effect_share,
    full_share,
    increase,
    one_off_share,
    running_share,
)

type Years = tuple[Formula, ...]


@dataclass(frozen=True)
class Totals:
    """The flows of a programme, each a line of the sheet."""

    revenue: Line
    benefit: Line
    cost: Line
    cash: Line


@dataclass(frozen=True)
class ProgrammeLines:
    """Writes the flows of one programme in one scenario and accounting.

    Attributes
    ----------
    ledger
        Where to.
    assumptions, given
        What the inputs are, and the references to their cells.
    values
        References to the values of the scenario, in base units.
    switches, programme
        As for `softseg.decisions.model.cashflow.flows`.
    flows
        What that function gives at the same values: the cached values of the totals.
    """

    ledger: Ledger
    assumptions: Assumptions
    given: Given
    values: Mapping[str, Formula]
    switches: Switches
    programme: Programme
    flows: Flows

    def write(self) -> Totals:
        """Write all lines and return the totals."""
        changes, profits = self._revenue_effects()
        saved = [self._timed(name) for name, _ in self._savings()]
        learned = self._learned()
        revenue = self._total(
            "revenue", self._each(lambda t: _at(changes, t) * learned[t]), self.flows.revenue
        )
        to_serve = self._growth("running_cost")
        benefit = self._each(
            lambda t: (
                ((_at(saved, t) + _at(profits, t)) * learned[t] - to_serve * revenue.years[t])
                * self._kept_of_tax()
            )
        )
        benefit_line = self._total("benefit", benefit, self.flows.benefit)
        cost = self._total("cost", self._costs(), self.flows.cost)
        cash = self._total("cash", self._cash(revenue.years), self.flows.cash)
        return Totals(revenue, benefit_line, cost, cash)

    def _total(self, key: str, years: Years, cached: Any) -> Line:
        label = self.ledger.say(key)
        found = self._each(lambda t: float(cached[t if len(cached) > 1 else 0]))
        return self.ledger.line(label, "money", years, cached=found, strong=True, summed=True)

    def _each[T](self, of_year: Callable[[int], T]) -> tuple[T, ...]:
        return tuple(of_year(t) for t in range(self.assumptions.horizon))

    def _entries(self, *roles: str) -> Iterator[tuple[str, Input]]:
        for name, entry in self.assumptions.inputs.items():
            mine = entry.programme in (self.programme, "both")
            known = entry.published or self.switches.all_costs
            if entry.role in roles and mine and known:
                yield name, entry

    def _only(self, role: str) -> Formula | None:
        name = self.assumptions.only(role)
        return None if name is None else self.values[name]

    def _base(self, entry: Input) -> Formula:
        return product(self.values[name] for name in entry.base)

    def _amount(self, name: str) -> Formula:
        return self.values[name] * self._base(self.assumptions.inputs[name])

    def _label(self, name: str) -> str:
        return self.assumptions.inputs[name].label or name

    def _timed(self, name: str) -> Years:
        """Write the amount of an input that is there in each year."""
        entry = self.assumptions.inputs[name]
        share = entry.role in ("revenue_effect", "learning")
        kind = "share" if share else "money"
        whole = self.values[name] if share else self._amount(name)
        whole = self.ledger.beside(whole, kind)
        years = self._each(lambda t: whole * self._share(name, self.ledger.years[t]))
        return self.ledger.line(self._label(name), kind, years).years

    def _share(self, name: str, year: Formula) -> Formula:
        profile, role = self.given.profiles[name], self.assumptions.inputs[name].role
        if role == "one_off_cost":
            return one_off_share(profile, year)
        if role == "running_cost":
            return running_share(profile, year)
        if self.switches.timing:
            return effect_share(profile, year, self._only("delay"))
        return full_share(profile, year)

    def _savings(self) -> Iterator[tuple[str, Input]]:
        for name, entry in self._entries("saving"):
            if not (self.switches.savings_once and entry.in_margin):
                yield name, entry

    def _revenue_effects(self) -> tuple[list[Years], list[Years]]:
        """Write the changes of revenue and profit by base."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for name, entry in self._entries("revenue_effect"):
            groups.setdefault(tuple(sorted(entry.base)), []).append(name)
        pairs = [self._one_base(names) for names in groups.values()]
        return [more for more, _ in pairs], [earned for _, earned in pairs]

    def _one_base(self, names: list[str]) -> tuple[Years, Years]:
        """Write the change of revenue and profit by all effects on one base."""
        ledger, none = self.ledger, self._each(lambda _: ZERO)
        volume = earned = price = points = none
        base = self._grown(self.assumptions.inputs[names[0]])
        for name in names:
            entry = self.assumptions.inputs[name]
            level, margin = self._timed(name), self._margin(entry)
            if entry.effect == "price":
                price = _sum(price, level)
                more = self._lost(name, level)
            elif entry.effect in POINTS:
                points, more = _sum(points, level), none
            else:
                more = self._more(entry, name, level)
            volume = _sum(volume, more)
            earned = _sum(earned, tuple(margin * x for x in more))
        volume = self._intermediate("volume_change", volume)
        earned = self._intermediate("earned_on_volume", earned)
        price, points = self._intermediate("price", price), self._intermediate("points", points)
        change = self._each(lambda t: self._change(volume[t], price[t]) * base[t])
        gained = self._each(
            lambda t: self._gained(earned[t], volume[t], price[t], points[t]) * base[t]
        )
        return (
            ledger.line(ledger.say("revenue_change"), "money", change).years,
            ledger.line(ledger.say("profit_change"), "money", gained).years,
        )

    def _change(self, volume: Formula, price: Formula) -> Formula:
        if self.switches.exact_margin:
            return volume + price * (ONE + volume)
        return volume + price

    def _gained(self, earned: Formula, volume: Formula, price: Formula, points: Formula) -> Formula:
        if self.switches.exact_margin:
            return earned + (ONE + volume) * (price + points * (ONE + price))
        return earned + price + points

    def _grown(self, entry: Input) -> Years:
        """Write the base of effects with its growth."""
        ledger, rate = self.ledger, self._only("baseline_growth")
        whole = ledger.beside(self._base(entry), "money")
        growth = ONE if rate is None or not self.switches.timing else ONE + rate
        years = self._each(
            lambda t: whole if growth.fixed else whole * growth ** (ledger.years[t] - 1.0)
        )
        of_what = base_label(self.assumptions, entry, ledger.sheet.language)
        return ledger.line(ledger.say("base", base=of_what), "money", years).years

    def _lost(self, name: str, level: Years) -> Years:
        """Write the volume that a price change costs."""
        found = self._only("price_elasticity")
        if found is None or not self.switches.margin_on_volume:
            return self._each(lambda _: ZERO)
        label = self.ledger.say("lost", input=self._label(name))
        return self.ledger.line(label, "share", [ZERO - found * x for x in level]).years

    def _more(self, entry: Input, name: str, level: Years) -> Years:
        """Return the additional volume of an effect relative to its base."""
        if entry.rate is None or entry.effect not in ("churn", "acquisition"):
            return level
        rate = self.values[entry.rate]
        if not self.switches.timing:
            return tuple(x * rate for x in level) if entry.effect == "churn" else level
        return self._stock(name, level, rate)

    def _stock(self, name: str, level: Years, rate: Formula) -> Years:
        """Write the customers kept or won, and return the revenue that they bring."""
        ledger, label = self.ledger, self._label(name)
        kept = self.assumptions.inputs[name].effect == "churn"
        row, before, ends = ledger.row, ZERO, []
        for t, x in enumerate(level):
            stays = ONE - rate * (ONE - x) if kept else ONE - rate
            end = before * stays + (rate * x if kept else x)
            ends.append(end)
            before = ledger.cell(row, t, end.value)
        if not kept:
            return ledger.line(ledger.say("won", input=label), "share", ends).years
        stock = ledger.line(ledger.say("kept_stock", input=label), "share", ends).years
        means = [0.5 * (a + b) for a, b in zip((ZERO, *stock[:-1]), stock, strict=True)]
        return ledger.line(ledger.say("kept", input=label), "share", means).years

    def _margin(self, entry: Input) -> Formula:
        if not self.switches.margin_on_volume:
            return ONE
        name = entry.margin or self.assumptions.only("contribution_margin")
        return ONE if name is None else self.values[name]

    def _intermediate(self, key: str, years: Years) -> Years:
        """Write a line unless it is 0 whatever the cells hold."""
        if all(x.fixed for x in years):
            return years
        return self.ledger.line(self.ledger.say(key), "share", years).years

    def _learned(self) -> Years:
        name = self.assumptions.only("learning")
        if name is None:
            return self._each(lambda _: ONE)
        return tuple(ONE + x for x in self._timed(name))

    def _kept_of_tax(self) -> Formula:
        rate = self._only("tax_rate")
        return ONE if rate is None or not self.switches.tax else ONE - rate

    def _growth(self, role: str) -> Formula:
        """Return the sum of the shares of the additional revenue of a role."""
        return total(
            self.values[name] for name, entry in self._entries(role) if INCREMENTAL in entry.base
        )

    def _costs(self) -> Years:
        paid = [
            self._timed(name)
            for name, entry in self._entries("one_off_cost", "running_cost")
            if INCREMENTAL not in entry.base
        ]
        return self._each(lambda t: _at(paid, t) * self._kept_of_tax())

    def _cash(self, revenue: Years) -> Years:
        if not self.switches.all_costs:
            return self._each(lambda _: ZERO)
        released = [increase(self._timed(name)) for name, _ in self._entries("cash_release")]
        tied = self._growth("working_capital")
        if tied.fixed:
            return self._each(lambda t: _at(released, t))
        more = increase(revenue)
        return self._each(lambda t: _at(released, t) - tied * more[t])


def _at(lines: list[Years], t: int) -> Formula:
    return total(line[t] for line in lines)


def _sum(first: Years, second: Years) -> Years:
    return tuple(a + b for a, b in zip(first, second, strict=True))
