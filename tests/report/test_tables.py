import json
from collections.abc import Callable

import pandas as pd
import pytest
import xarray as xr

from softseg.report import tables
from softseg.report.facts import Facts


def test_a_card_has_sizes_values_and_phrases(tree: xr.DataTree) -> None:
    card = tables.cards(Facts(tree, "en"))[0]
    assert (card.number, card.name, card.small) == ("1", "Premium partners", False)
    assert (card.customers, card.customers_interval, card.share) == ("180", "166–194", "15%")
    assert card.values[0] == ("Contribution", "71%", "69–73%")
    assert len(card.phrases) == 3


def test_profile_rows_span_their_indicator(tree: xr.DataTree) -> None:
    rows = tables.profile_rows(Facts(tree, "en"))
    assert sum(row.span for row in rows) == len(rows) == len(Facts(tree).lines)
    orders = rows[0]
    assert (orders.label, orders.unit, orders.power) == ("Orders", "orders per year", "88%")
    assert [cell.mark for cell in orders.cells] == ["▲", "▲", "▼", "▼"]
    assert orders.cells[1].tint == "high2"


def test_the_last_row_of_certainty_is_the_sum(tree: xr.DataTree) -> None:
    rows = tables.certainty_rows(Facts(tree, "en"))
    assert rows[-1][0] == "All customers"
    total = [sum(int(row[1][i]) for row in rows[:-1]) for i in range(3)]
    assert [int(x) for x in rows[-1][1]] == total


def test_gate_rows_hold_every_check(make_tree: Callable[..., xr.DataTree]) -> None:
    rows = tables.gate_rows(Facts(make_tree(failed=("labels",)), "de"))
    assert len(rows) == 9
    outcome = {row["title"]: row["word"] for row in rows}
    assert outcome["Gleiche Segmente in allen Läufen"] == "nicht bestanden"
    assert list(outcome.values()).count("entfällt") == 2
    assert rows[0]["value"] == "1,004"


def test_choice_rows_print_known_columns_only() -> None:
    table = pd.DataFrame(
        {
            "n_segments": [1, 2],
            "bic": [64_638.2, float("nan")],
            "gate_status": ["good", "failed"],
            "other": [1, 2],
        }
    )
    head, rows = tables.choice_rows(table, "de")
    assert head == ["Segmente", "BIC", "Berechnung"]
    assert rows == [["1", "64.638", "gut"], ["2", "–", "nicht bestanden"]]


def test_priors_are_listed_with_overrides(make_tree: Callable[..., xr.DataTree]) -> None:
    facts = Facts(make_tree())
    entry = facts.schema["indicators"]["orders"]
    entry["priors"] = {
        "rate": [{"distribution": "Gamma", "alpha": [1.0, 1.0]}, {"distribution": "Fixed"}]
    }
    row = next(r for r in tables.prior_rows(facts) if r[0] == "Orders")
    assert row[3] == "Gamma(alpha = 1 × 2); Fixed()"


def test_gaps_are_sorted_and_their_relation_to_value_is_said(tree: xr.DataTree) -> None:
    facts = Facts(tree, "en")
    assert tables.gap_rows(facts) == [("Service cost", "8.3%"), ("Payment days", "2.1%")]
    first, last = tables.gap_sentences(facts)
    assert (
        "Service cost: in 62% of comparisons a customer without it has less Contribution" in first
    )
    assert "50%" in last


@pytest.mark.parametrize(
    ("related", "said"),
    [
        ([], "No indicator has gaps for 5%"),
        ([{"superiority": 0.9, "p_value": 0.2}], "nothing speaks against"),
        ([{"superiority": 0.52, "p_value": 0.0001}], "nothing speaks against"),
        ([{"superiority": 0.6, "p_value": 0.001}], "60% of comparisons a customer without it has"
                                                   " more Complaints"),
    ],
)  # fmt: skip
def test_gaps_that_say_little_are_not_alarming(
    make_tree: Callable[..., xr.DataTree], related: list[dict[str, float]], said: str
) -> None:
    tree = make_tree()
    named = [{"indicator": "orders", "column": "complaints", **entry} for entry in related]
    tree.attrs["missing_related"] = json.dumps(named)
    assert said in tables.gap_sentences(Facts(tree, "en"))[0]


def test_a_table_without_gaps_says_nothing_of_them(make_tree: Callable[..., xr.DataTree]) -> None:
    tree = make_tree()
    tree["data"] = xr.DataTree(tree["data"].to_dataset() * 0.0)
    tree["data"].attrs["n_customers"] = 1200.0
    assert tables.gap_rows(Facts(tree)) == []
    assert tables.gap_sentences(Facts(tree)) == []
