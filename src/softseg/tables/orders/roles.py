"""Which column of an order table is what, by its name in English or German."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from softseg.tables.bases import words_of
from softseg.tables.faults import Fault

NEEDED: Final = ("customer", "date", "amount")
"""Roles without which there is no panel."""

ROLES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "due": (
        ("duedate", "faelligkeitsdatum", "faelligam", "faelligkeit"),
        ("due", "faellig"),
    ),
    "paid": (
        ("paiddate", "paidon", "paymentdate", "zahlungseingang", "zahlungsdatum", "bezahltam"),
        ("paid", "bezahlt", "beglichen"),
    ),
    "date": (
        ("orderdate", "invoicedate", "bestelldatum", "rechnungsdatum", "auftragsdatum",
         "belegdatum", "buchungsdatum"),
        ("date", "datum", "day", "tag", "timestamp", "datetime"),
    ),
    "customer": (
        ("customerid", "customerno", "customernumber", "kundennummer", "kundennr", "kundenid",
         "kdnr", "debitorennummer", "debitornr", "accountid", "clientid", "custid"),
        ("customer", "kunde", "debitor", "account", "client", "buyer", "cust", "besteller"),
    ),
    "invoice": (
        ("invoiceno", "invoiceid", "invoicenumber", "orderid", "orderno", "ordernumber",
         "rechnungsnummer", "rechnungsnr", "auftragsnummer", "auftragsnr", "belegnummer",
         "belegnr", "bestellnummer", "bestellnr", "transactionid"),
        ("invoice", "order", "rechnung", "auftrag", "beleg", "bestellung", "transaction"),
    ),
    "product": (
        ("productid", "articleno", "sku", "stockcode", "artikelnummer", "artikelnr",
         "produktnummer", "materialnummer"),
        ("product", "article", "item", "artikel", "produkt", "material", "ware"),
    ),
    "margin": (
        ("contributionmargin", "deckungsbeitrag", "rohertrag", "grossprofit"),
        ("margin", "marge", "contribution", "db", "profit"),
    ),
    "amount": (
        ("totalprice", "totalamount", "netamount", "nettobetrag", "nettoumsatz", "rechnungsbetrag",
         "warenwert", "auftragswert", "bestellwert"),
        ("amount", "total", "revenue", "sales", "turnover", "betrag", "umsatz", "summe",
         "dollars", "netto", "ordervalue"),
    ),
    "currency": (("currencycode", "waehrungscode"), ("currency", "waehrung")),
}  # fmt: skip
"""Names by role: those that settle it, and those that do where no other column has one.

A column takes the first role that its name has a word of, so that a due date is no date and an
invoice date no invoice.
"""


@dataclass(frozen=True)
class Roles:
    """Columns by role, and what stands in the way."""

    columns: Mapping[str, str]
    faults: tuple[Fault, ...] = ()

    def get(self, role: str) -> str | None:
        """Return the column of a role, None where there is none."""
        return self.columns.get(role)


def find_roles(columns: Sequence[str], stated: Mapping[str, str]) -> Roles:
    """Return the columns of an order table by role.

    Parameters
    ----------
    columns
        Names of the table's columns.
    stated
        Columns that the user has named, by role; they are not looked for.
    """
    faults = [
        Fault("orders_no_such_column", column, values={"role": role, "known": list(columns)})
        for role, column in stated.items()
        if list(columns).count(column) != 1
    ]
    found = dict(stated)
    open_columns = [column for column in columns if column not in found.values()]
    by_role: dict[str, list[str]] = {role: [] for role in ROLES}
    for column in open_columns:
        role = _role_of(column)
        if role is not None:
            by_role[role].append(column)
    for role, (settling, _) in ROLES.items():
        candidates = by_role[role]
        best = [column for column in candidates if not set(words_of(column)).isdisjoint(settling)]
        chosen = best if len(best) == 1 else candidates
        if role in found or not candidates:
            continue
        if len(chosen) == 1:
            found[role] = chosen[0]
        elif role in NEEDED:
            values = {"role": role, "known": chosen}
            faults.append(Fault("orders_several_columns", None, values=values))
    for role in NEEDED:
        if role not in found and not by_role[role]:
            values = {"role": role, "known": list(columns)}
            faults.append(Fault("orders_no_column", None, values=values))
    return Roles(found, tuple(faults))


def _role_of(column: str) -> str | None:
    words = set(words_of(column))
    for tier in (0, 1):
        for role, names in ROLES.items():
            if not words.isdisjoint(names[tier]):
                return role
    return None
