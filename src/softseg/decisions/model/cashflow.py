"""The cash flows of a programme against its counterfactual, year by year.

With R the revenue that an effect bears on, m its contribution margin, p, v and d the relative
price and volume changes and the change of the margin in points, the profit of a year changes by

    m R v  +  p R (1 + v)  +  d R (1 + v)(1 + p)

which is exact: volume earns the margin, a higher price is earned whole and on the new volume, and
a better margin is earned on the new revenue. The published way of counting instead books the whole
additional revenue and adds d R. Every difference between both ways is a switch
(`softseg.decisions.model.accounting`), and the bridge turns them on one by one.

By role: *revenue effects* as above, where cross-selling, deal size and acquisition are volume on
their own base, and so is churn: the revenue of the customers that stay, who leave evenly through
the year; with a panel transitions say who they are, and who leaves without a programme too
(`softseg.decisions.model.moving`). A *price elasticity* takes volume away as prices rise.
*Savings* are shares of a cost, or amounts. *Running costs* with the base
``incremental_revenue`` grow with the additional revenue (cost to serve) and are part of the
benefit, so that a programme without effect does not pay them. *Learning* raises all effects. *Cash
releases* and *working capital* move money without being profit.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from softseg.decisions.inputs.schema import (
    INCREMENTAL,
    TRANSITION,
    Assumptions,
    Input,
    Programme,
)
from softseg.decisions.model import timing
from softseg.decisions.model.accounting import CONTRIBUTION_MARGIN, Switches
from softseg.decisions.model.moving import Moved
from softseg.decisions.model.timing import Array
from softseg.errors import UsageError

VOLUME: Final = ("volume", "cross_selling", "deal_size")
POINTS: Final = ("margin", "mix")


@dataclass(frozen=True)
class Flows:
    """Flows of each year, undiscounted, as if the programme worked in full; (year, …).

    Attributes
    ----------
    earned
        Additional profit before tax, without the programme's own costs.
    spent
        Costs of the programme before tax, paid whether it works or not.
    revenue
        Additional revenue.
    cash
        Money released (or, below 0, tied up) that is no profit.
    kept
        Share of profit and cost that tax leaves, the same in each year.
    """

    earned: Array
    spent: Array
    revenue: Array
    cash: Array
    kept: Array

    @cached_property
    def benefit(self) -> Array:
        """Additional profit after tax, without the programme's own costs."""
        return _taxed(self.earned, self.kept)

    @cached_property
    def cost(self) -> Array:
        """Costs of the programme after tax."""
        return _taxed(self.spent, self.kept)

    def beyond(self, other: "Flows") -> "Flows":
        """Return the flows less those of another programme under the same tax."""
        return Flows(
            self.earned - other.earned,
            self.spent - other.spent,
            self.revenue - other.revenue,
            self.cash - other.cash,
            self.kept,
        )


def flows(
    assumptions: Assumptions,
    values: Mapping[str, Any],
    switches: Switches = CONTRIBUTION_MARGIN,
    programme: Programme = "segmented",
    moved: Moved | None = None,
) -> Flows:
    """Return the flows of one programme.

    Parameters
    ----------
    assumptions
        What the inputs are.
    values
        Value of every input that is not a metric, by id, in base units: numbers or arrays that
        broadcast against each other.
    switches
        What the accounting counts.
    programme
        ``segmented`` or ``uniform``.
    moved
        What customers who move and leave do to the bases, and levers to their moves.

    Raises
    ------
    UsageError
        Where a lever changes moves and there are none.
    """
    return _Year(assumptions, values, switches, programme, moved).flows()


def discount_factors(
    assumptions: Assumptions, values: Mapping[str, Any], switches: Switches
) -> Array:
    """Return the present value of 1 in each year, (year, …)."""
    name = assumptions.only("discount_rate")
    known = 0.0 if name is None or not switches.discounting else values[name]
    rate = np.asarray(known, dtype=float)
    rate = rate.reshape((1,) * (_axes(values) - rate.ndim) + rate.shape)
    return timing.discount_factors(rate, assumptions.horizon, assumptions.convention)


def _axes(values: Mapping[str, Any]) -> int:
    """Return the number of axes that draws have."""
    return max((np.ndim(value) for value in values.values()), default=0)


@dataclass(frozen=True)
class _Year:
    assumptions: Assumptions
    values: Mapping[str, Any]
    switches: Switches
    programme: Programme
    moved: Moved | None = None

    def flows(self) -> Flows:
        revenue, profit = self._revenue_effects()
        saved = [self._amount(name) * self._weights(name) for name, _ in self._savings()]
        learned = 1.0 + self._learning()
        revenue = revenue * learned
        earned = sum(saved, profit) * learned - self._growth("running_cost") * revenue
        return Flows(earned, self._costs(), revenue, self._cash(revenue), 1.0 - self._tax())

    def entries(self, *roles: str) -> Iterator[tuple[str, Input]]:
        """Go through the inputs of some roles that this accounting counts for this programme."""
        for name, entry in self.assumptions.inputs.items():
            mine = entry.programme in (self.programme, "both")
            known = entry.published or self.switches.all_costs
            if entry.role in roles and mine and known:
                yield name, entry

    def value(self, name: str) -> Array:
        """Return the value of an input with a leading axis for the years."""
        return np.asarray(self.values[name], dtype=float)[None]

    def only(self, role: str) -> Array | None:
        """Return the value of the one input with a role."""
        name = self.assumptions.only(role)
        return None if name is None else self.value(name)

    def _base(self, entry: Input) -> Array:
        parts = [self._of_year(name) for name in entry.base]
        product = parts[0]
        for part in parts[1:]:
            product = product * part
        return product

    def _of_year(self, name: str) -> Array:
        """Return a base in every year: that of today, with the customers who are there then."""
        path = None if self.moved is None else self.moved.paths.get(name)
        if path is None or not self.switches.timing:
            return self.value(name)
        return self.value(name) * path

    def _amount(self, name: str) -> Array:
        entry = self.assumptions.inputs[name]
        return self.value(name) * self._base(entry) if entry.base else self.value(name)

    def _weights(self, name: str) -> Array:
        """Return an effect's share of its full value, (year, …)."""
        profile = self.assumptions.inputs[name].profile
        timed = self.switches.timing
        delay = self._delay if timed else None
        weights = timing.effect_weights(profile, self.assumptions, timed=timed, delay=delay)
        return weights if delay is not None else weights.reshape(-1, *(1,) * (self._ndim - 1))

    @cached_property
    def _delay(self) -> Array | None:
        name = self.assumptions.only("delay")
        return None if name is None else np.asarray(self.values[name], dtype=float)

    @cached_property
    def _ndim(self) -> int:
        return 1 + _axes(self.values)

    @cached_property
    def _growth_of_base(self) -> Array:
        rate = self.only("baseline_growth")
        if rate is None or not self.switches.timing:
            return np.ones((1,) * self._ndim)
        years = np.arange(self.assumptions.horizon).reshape(-1, *(1,) * (self._ndim - 1))
        return (1.0 + rate) ** years

    def _savings(self) -> Iterator[tuple[str, Input]]:
        for name, entry in self.entries("saving"):
            if not (self.switches.savings_once and entry.in_margin):
                yield name, entry

    def _revenue_effects(self) -> tuple[Array, Array]:
        """Return the change of revenue and of profit, (year, …)."""
        revenue = profit = np.zeros((1,) * self._ndim)
        groups: dict[tuple[str, ...], list[str]] = {}
        for name, entry in self.entries("revenue_effect"):
            # a product of bases is the same base in whatever order it is written
            groups.setdefault(tuple(sorted(entry.base)), []).append(name)
        for names in groups.values():
            more, earned = self._one_base(names)
            revenue, profit = revenue + more, profit + earned
        return revenue, profit

    def _one_base(self, names: list[str]) -> tuple[Array, Array]:
        """Return the change of revenue and profit by all effects on one base."""
        inputs = self.assumptions.inputs
        base = self._base(inputs[names[0]]) * self._growth_of_base
        price = points = nothing = np.zeros((1,) * self._ndim)
        sold: dict[str | None, Array] = {}  # by the margin that it earns
        for name in names:
            entry = inputs[name]
            level = self.value(name) * self._weights(name)
            if entry.effect in POINTS:
                points = points + level
                continue
            if entry.effect == "price":
                price = price + level
            more = self._more(name, entry, level)
            if more is not None:
                margin = self._margin(entry)
                sold[margin] = sold.get(margin, nothing) + more
        volume = sum(sold.values(), nothing)
        earned = sum((self._rate(m) * more for m, more in sold.items()), nothing)
        if self.switches.exact_margin:
            gained = earned + (1.0 + volume) * (price + points * (1.0 + price))
            change = volume + price * (1.0 + volume)
        else:
            gained, change = earned + price + points, volume + price
        return base * change, base * gained

    def _more(self, name: str, entry: Input, level: Array) -> Array | None:
        """Return the additional volume of an effect relative to its base, (year, …)."""
        if entry.effect == "price":
            elasticity = self.only("price_elasticity")
            if elasticity is None or not self.switches.margin_on_volume:
                return None
            return -elasticity * level
        if entry.effect in VOLUME or (entry.effect == "acquisition" and entry.rate is None):
            return level
        if entry.effect == TRANSITION:
            return self._stayed(name)
        if entry.rate is None:
            raise KeyError(entry.effect)
        rate = self.value(entry.rate)[0]
        if not self.switches.timing:
            return level * rate if entry.effect == "churn" else level
        return _kept(level, rate) if entry.effect == "churn" else _won(level, rate)

    def _stayed(self, name: str) -> Array:
        """Return the additional volume of a lever on moves, (year, …)."""
        if self.moved is None or name not in self.moved.more:
            raise UsageError(
                f"Give the study a panel: the lever {name!r} changes where customers go, which "
                "nothing but a panel tells."
            )
        return (self.moved.more if self.switches.timing else self.moved.at_once)[name]

    def _margin(self, entry: Input) -> str | None:
        """Return the id of the margin that more volume earns, None for the whole revenue."""
        if not self.switches.margin_on_volume:
            return None
        return entry.margin or self.assumptions.only("contribution_margin")

    def _rate(self, margin: str | None) -> Array | float:
        return 1.0 if margin is None else self.value(margin)

    def _learning(self) -> Array | float:
        name = self.assumptions.only("learning")
        return 0.0 if name is None else self.value(name) * self._weights(name)

    def _tax(self) -> Array:
        found = self.only("tax_rate")
        if found is None or not self.switches.tax:
            return np.zeros((1,) * self._ndim)
        return found

    def _growth(self, role: str) -> Array | float:
        """Return the sum of the shares of the additional revenue of a role."""
        shares = [
            self.value(name) for name, entry in self.entries(role) if INCREMENTAL in entry.base
        ]
        return sum(shares[1:], shares[0]) if shares else 0.0

    def _costs(self) -> Array:
        horizon, axes = self.assumptions.horizon, (1,) * (self._ndim - 1)
        total = np.zeros((horizon, *axes))
        for name, entry in self.entries("one_off_cost", "running_cost"):
            if INCREMENTAL in entry.base:
                continue
            if entry.role == "one_off_cost":
                weights = timing.one_off_weights(entry.profile, horizon)
            else:
                weights = timing.running_weights(entry.profile, horizon)
            total = total + self._amount(name) * weights.reshape(-1, *axes)
        return total

    def _cash(self, revenue: Array) -> Array:
        cash = np.zeros((1,) * self._ndim)
        if not self.switches.all_costs:
            return cash
        for name, _ in self.entries("cash_release"):
            cash = cash + self._amount(name) * _increase(self._weights(name))
        tied = self._growth("working_capital")
        return cash - tied * _increase(revenue)


def _taxed(path: Array, kept: Array) -> Array:
    """Return what tax leaves; the path itself, and no copy, where there is no tax."""
    return path if kept.size == 1 and kept.item() == 1.0 else path * kept


def _increase(path: Array) -> Array:
    return np.diff(path, axis=0, prepend=np.zeros_like(path[:1]))


def _kept(reduction: Array, rate: Array) -> Array:
    """Return the revenue kept by less churn, relative to the base, (year, …).

    In each year a share `rate` of the base would leave, evenly through the year; `reduction` of it
    stays, and later leaves at the reduced rate. A year's revenue is the mean of the stock at its
    beginning and its end.
    """
    stock = np.zeros(np.broadcast_shapes(reduction.shape[1:], rate.shape))
    years = []
    for less in reduction:
        after = stock * (1.0 - rate * (1.0 - less)) + rate * less
        years.append(0.5 * (stock + after))
        stock = after
    return np.stack(years)


def _won(more: Array, rate: Array) -> Array:
    """Return the revenue of additional new customers, relative to the base, (year, …).

    They bring their first year's revenue, and a share `rate` of them leaves every year after.
    """
    stock = np.zeros(np.broadcast_shapes(more.shape[1:], rate.shape))
    years = []
    for new in more:
        stock = stock * (1.0 - rate) + new
        years.append(stock)
    return np.stack(years)
