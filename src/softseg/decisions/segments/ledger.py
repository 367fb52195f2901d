"""The customer table beside the ledger: `reconcile`.

A share of a segment's value is money only if the values of all customers add up to what the ledger
says. Where they do not, the part that is missing has a name: customers of the table without a
value, and customers that are not in the table.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Final

import xarray as xr

from softseg.errors import DataError, UsageError
from softseg.wording import money, number, percent, say

CENTS: Final = 2
"""Decimals of an amount; what is smaller is left over by a sum of many values."""
WORTH_NAMING: Final = 1e-3
"""Share of the ledger below which a part that is missing is not named."""


@dataclass(frozen=True)
class Ledger:
    """The total of the table and that of the ledger, in whole currency a year.

    Attributes
    ----------
    table_total, ledger_total
        Sum of the known values; total by the ledger.
    tolerance
        Share of the ledger total that the two may differ by.
    customers, unknown_customers
        Customers of the table, and those of them without a value.
    currency
        ISO code.
    """

    table_total: float
    ledger_total: float
    tolerance: float
    customers: float
    unknown_customers: float
    currency: str = "EUR"

    @property
    def difference(self) -> float:
        """What the table lacks, in whole cents; below 0 where it holds more than the ledger."""
        return round(self.ledger_total - self.table_total, CENTS) + 0.0  # no negative zero

    @property
    def share(self) -> float:
        """The difference as a share of the ledger."""
        return self.difference / self.ledger_total

    @property
    def within(self) -> bool:
        """Whether the difference is not larger than the tolerance, rounding aside."""
        return abs(self.difference) <= self.tolerance * self.ledger_total * (1.0 + 1e-12)

    @property
    def without_value(self) -> float:
        """What the customers without a value are worth at the mean of the others.

        0 where no customer has a value.
        """
        known = self.customers - self.unknown_customers
        return self.table_total / known * self.unknown_customers if known > 0.0 else 0.0

    @property
    def not_in_table(self) -> float:
        """What is left of the difference after the customers without a value; 0 or more."""
        return max(self.difference - self.without_value, 0.0)

    def message(self, language: str = "en") -> str:
        """Return what the comparison says, and which part is missing, in sentences."""
        found = say(
            "ledger.within" if self.within else "ledger.beyond",
            language,
            table=self._money(self.table_total, language),
            ledger=self._money(self.ledger_total, language),
            difference=self._money(abs(self.difference), language),
            share=percent(abs(self.share), language),
            tolerance=percent(self.tolerance, language),
        )
        return " ".join([found, *self._missing(language)])

    def _missing(self, language: str) -> list[str]:
        found: list[str] = []
        unknown, rest = self.unknown_customers > 0.0, self.not_in_table
        if unknown and self.unknown_customers >= self.customers:
            return [say("ledger.without_value.all", language)]
        if unknown:
            one = ".one" if self.unknown_customers == 1.0 else ""
            count = number(round(self.unknown_customers), language)
            amount = self._money(self.without_value, language)
            found.append(say(f"ledger.without_value{one}", language, count=count, amount=amount))
        if self.difference < -WORTH_NAMING * self.ledger_total:
            amount = self._money(-self.difference, language)
            found.append(say("ledger.too_much", language, amount=amount))
        elif rest > WORTH_NAMING * self.ledger_total:
            key = "ledger.rest_not_in_table" if unknown else "ledger.not_in_table"
            found.append(say(key, language, amount=self._money(rest, language)))
        return found

    def _money(self, amount: float, language: str) -> str:
        return money(amount, self.currency, language)


def reconcile(
    value: xr.Dataset, ledger_total: float, tolerance: float, currency: str = "EUR"
) -> Ledger:
    """Return the table beside the ledger.

    Parameters
    ----------
    value
        With the attributes ``value_total``, ``customers_total`` and ``customers_unknown`` of
        `softseg.results.value.value`.
    ledger_total
        What the ledger says, in whole currency a year.
    tolerance
        Share of it that the two may differ by.
    currency
        ISO code.

    Raises
    ------
    UsageError
        Where the total is not above 0, or the tolerance below 0.
    """
    if not (isfinite(ledger_total) and ledger_total > 0.0):
        raise UsageError(f"Give a ledger total above 0, got {ledger_total}.")
    if not (isfinite(tolerance) and tolerance >= 0.0):
        raise UsageError(f"Give a tolerance of 0 or more, as a share, got {tolerance}.")
    known = value.attrs
    return Ledger(
        table_total=float(known["value_total"]),
        ledger_total=float(ledger_total),
        tolerance=float(tolerance),
        customers=float(known["customers_total"]),
        unknown_customers=float(known["customers_unknown"]),
        currency=currency,
    )


def refuse(ledger: Ledger, language: str = "en") -> None:
    """Refuse a table that differs from the ledger by more than the tolerance.

    Raises
    ------
    DataError
        With the message of the ledger, which names the part that is missing.
    """
    if not ledger.within:
        raise DataError(ledger.message(language))
