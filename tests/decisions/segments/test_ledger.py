"""The customer table beside the ledger."""

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr

from segment_builders import value_of
from softseg.decisions.segments.ledger import Ledger, reconcile, refuse
from softseg.errors import DataError, UsageError


def table(total: float, customers: float = 1200.0, unknown: float = 0.0) -> xr.Dataset:
    return xr.Dataset(
        attrs={
            "value_total": total,
            "customers_total": customers,
            "customers_unknown": unknown,
        }
    )


def test_the_difference_is_shown():
    found = reconcile(table(50e6), 51.2e6, 0.03)
    assert found.difference == pytest.approx(1.2e6)
    assert found.share == pytest.approx(1.2 / 51.2)
    assert found.within
    refuse(found)
    assert found.message("en") == (
        "The table holds €50M, the ledger €51.2M: a difference of €1.2M (2.3%), within the 3.0% "
        "that the study allows. Missing in the table: €1.2M of customers that are not in it, "
        "or of returns and periods that the ledger counts in another way."
    )
    assert "In der Tabelle fehlen 1,2\u00a0Mio.\u00a0€: von Kunden" in found.message("de")


def test_equal_totals_lack_nothing():
    found = reconcile(table(51.2e6), 51.2e6, 0.0)
    assert found.within
    assert "Missing" not in found.message()
    assert found.difference == found.not_in_table == 0.0


def test_what_a_sum_of_many_values_leaves_over_is_no_difference():
    found = reconcile(table(75606367.83 + 1.5e-8), 75606367.83, 0.03)
    assert found.difference == 0.0
    assert str(found.difference) == "0.0"
    assert "a difference of €0 (" in found.message("en")


def test_the_tolerance_itself_is_allowed():
    assert reconcile(table(97.0), 100.0, 0.03).within
    assert reconcile(table(103.0), 100.0, 0.03).within
    assert not reconcile(table(96.9), 100.0, 0.03).within


def test_beyond_the_tolerance_it_names_who_is_not_in_the_table():
    found = reconcile(table(48e6), 51.2e6, 0.03)
    with pytest.raises(DataError, match=r"^Complete the customer table .* €3\.2M of customers"):
        refuse(found)
    with pytest.raises(DataError, match=r"^Die Kundentabelle v.* In der Tabelle fehlen 3,2"):
        refuse(found, "de")


def test_customers_without_a_value_are_named_first():
    # 1,100 customers with 44,000 each; 100 without a value stand for 4.4 of the 4.8 million
    found = reconcile(table(48.4e6, 1200.0, 100.0), 53.2e6, 0.03)
    assert found.without_value == pytest.approx(4.4e6)
    assert found.not_in_table == pytest.approx(0.4e6)
    with pytest.raises(DataError, match=r"100 customers of the table .* €4\.4M\. The rest, about"):
        refuse(found)
    with pytest.raises(DataError, match=r"100 Kunden der Tabelle .* Der Rest, etwa 400\.000"):
        refuse(found, "de")


def test_one_customer_reads_as_one():
    found = reconcile(table(48e6, 1201.0, 1.0), 48.04e6, 0.03)
    assert "One customer of the table has no value" in found.message("en")
    assert "Ein Kunde der Tabelle ist ohne Wert" in found.message("de")
    # at the mean of the others it explains all of the difference
    assert "rest" not in found.message("en")


def test_a_table_that_holds_too_much():
    found = reconcile(table(54e6), 51.2e6, 0.03)
    assert found.not_in_table == 0.0
    with pytest.raises(DataError, match=r"holds €2\.8M more than the ledger: customers that stand"):
        refuse(found)
    with pytest.raises(DataError, match=r"Mio.* mehr als das Hauptbuch: Kunden, die doppelt"):
        refuse(found, "de")


def test_a_table_without_any_value():
    found = reconcile(table(0.0, 30.0, 30.0), 1e6, 0.03)
    assert found.without_value == 0.0
    with pytest.raises(DataError, match=r"No customer of the table has a value\.$"):
        refuse(found)
    with pytest.raises(DataError, match=r"Kein Kunde der Tabelle hat einen Wert\.$"):
        refuse(found, "de")


def test_another_currency():
    found = reconcile(table(48e6), 51.2e6, 0.03, "CHF")
    assert "CHF" in found.message("en")
    assert "€" not in found.message("de")


def test_it_reads_the_table_of_values_and_survives_storage():
    amount = np.array([1.0, 2.0, np.nan])
    values = value_of(
        np.ones((4, 3, 1)), amount, {"programme": np.ones(3, int)}, np.random.default_rng(1)
    )
    found = reconcile(values, 4.0, 0.3)
    assert (found.table_total, found.customers, found.unknown_customers) == (3.0, 3.0, 1.0)
    assert Ledger(**json.loads(json.dumps(dataclasses.asdict(found)))) == found


@pytest.mark.parametrize("total", [0.0, -1.0, np.nan, np.inf])
def test_a_ledger_without_a_total_is_refused(total: float):
    with pytest.raises(UsageError, match="Give a ledger total above 0, got"):
        reconcile(table(1.0), total, 0.03)


@pytest.mark.parametrize("tolerance", [-0.1, np.nan])
def test_a_tolerance_below_0_is_refused(tolerance: float):
    with pytest.raises(UsageError, match="Give a tolerance of 0 or more, as a share, got"):
        reconcile(table(1.0), 1.0, tolerance)
