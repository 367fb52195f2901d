"""Columns are found by English and German names; what is unclear is asked for."""

import pytest

from softseg.tables.orders.roles import find_roles


@pytest.mark.parametrize(
    ("columns", "roles"),
    [
        (
            ["InvoiceNo", "InvoiceDate", "CustomerID", "TotalPrice"],
            {"invoice": "InvoiceNo", "date": "InvoiceDate", "customer": "CustomerID",
             "amount": "TotalPrice"},
        ),
        (
            ["Rechnungs-Nr.", "Rechnungsdatum", "Kundennummer", "Kunde", "Nettobetrag",
             "Artikelnummer", "Deckungsbeitrag", "Fälligkeitsdatum", "Zahlungseingang", "Währung"],
            {"invoice": "Rechnungs-Nr.", "date": "Rechnungsdatum", "customer": "Kundennummer",
             "amount": "Nettobetrag", "product": "Artikelnummer", "margin": "Deckungsbeitrag",
             "due": "Fälligkeitsdatum", "paid": "Zahlungseingang", "currency": "Währung"},
        ),
        (
            ["order_id", "date", "due date", "paid", "customer", "amount", "comment"],
            {"invoice": "order_id", "date": "date", "due": "due date", "paid": "paid",
             "customer": "customer", "amount": "amount"},
        ),
        (["kunde", "datum", "umsatz"], {"customer": "kunde", "date": "datum", "amount": "umsatz"}),
    ],
)  # fmt: skip
def test_roles_by_name(columns: list[str], roles: dict[str, str]) -> None:
    found = find_roles(columns, {})
    assert dict(found.columns) == roles
    assert found.faults == ()


def test_what_is_stated_is_taken() -> None:
    found = find_roles(["a", "b", "c", "amount"], {"customer": "a", "date": "b", "amount": "c"})
    assert dict(found.columns) == {"customer": "a", "date": "b", "amount": "c"}


def test_what_is_unclear_is_asked_for() -> None:
    columns = ["customer", "date", "order date", "shipping date", "amount", "revenue"]
    found = find_roles(columns, {"product": "nothing"})
    assert found.columns["date"] == "order date"
    codes = {fault.code: fault for fault in found.faults}
    assert set(codes) == {"orders_several_columns", "orders_no_such_column"}
    assert "State the column of the amount with --amount" in codes["orders_several_columns"].text()
    assert "amount, revenue" in codes["orders_several_columns"].text("de")
    missing = find_roles(["x", "y"], {}).faults
    assert [fault.values["role"] for fault in missing] == ["customer", "date", "amount"]
    assert "by their names none of x, y is it" in missing[0].text()
