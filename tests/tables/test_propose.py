"""Proposals: a family per column with its reason, and everything else set aside with one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from softseg.errors import DataError, UsageError
from softseg.tables.bases import BASES, belongs, columns_of, names, words_of
from softseg.tables.check import check
from softseg.tables.family_choice import choose_family, skewness
from softseg.tables.prepare import prepare
from softseg.tables.propose import propose, propose_file
from softseg.tables.schema import Schema
from softseg.tables.synthetic import example_frame, example_schema

RNG = np.random.default_rng(3)
N = 2000


@pytest.mark.parametrize(
    ("family", "column", "values"),
    [
        ("gaussian", "x", RNG.normal(0, 1, N)),
        ("gaussian", "x", RNG.normal(50, 3, N)),
        ("gaussian", "x", 10 - RNG.gamma(2, 0.5, N).clip(0, 9)),
        ("asinh_normal", "x", np.sinh(RNG.normal(1, 2, N))),
        ("lognormal", "x", RNG.lognormal(0, 1, N)),
        ("gamma", "x", RNG.gamma(1.5, 2, N)),
        ("hurdle_lognormal", "x", RNG.lognormal(0, 1, N) * (RNG.random(N) < 0.7)),
        ("hurdle_lognormal", "x", np.round(RNG.lognormal(7, 1, N) * (RNG.random(N) < 0.7))),
        ("poisson", "x", RNG.poisson(8, N)),
        ("poisson", "Reklamationen", RNG.poisson(0.8, N)),
        ("negative_binomial", "x", RNG.negative_binomial(1, 0.1, N)),
        ("negative_binomial", "orders", 1 + RNG.negative_binomial(1, 0.02, N)),
        ("categorical", "q1", RNG.integers(1, 11, N)),
        ("categorical", "level", RNG.choice([3, 6, 7], N)),
    ],
)
def test_the_family_that_drew_the_values_is_chosen(
    family: str, column: str, values: np.ndarray
) -> None:
    assert choose_family(values.astype(float), column).family == family


def test_skewness_of_an_exponential_is_two() -> None:
    quantiles = -np.log1p(-(np.arange(200_000) + 0.5) / 200_000)
    assert skewness(quantiles) == pytest.approx(2.0, abs=0.01)
    assert skewness(np.ones(3)) == 0.0


def table(n_rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "Kundennummer": [f"K{i}" for i in range(n_rows)],
            "lfd": np.arange(n_rows) + 5,
            "Umsatz EUR": rng.lognormal(8, 1, n_rows).round(2),
            "Bestellungen": rng.negative_binomial(2, 0.2, n_rows),
            "Zahlungsziel": rng.choice([14, 30, 60], n_rows),
            "Maschinenpark": rng.choice(["alt", "neu"], n_rows),
            "Lieferzeit": rng.gamma(20, 1, n_rows),
            "Kündigung": rng.choice(["ja", "nein"], n_rows),
            "Segment": rng.choice(["A", "B"], n_rows),
            "Land": "DE",
            "leer": None,
            "Erstkauf": pd.date_range("2020-01-01", periods=n_rows).strftime("%d.%m.%Y"),
            "Notiz": [f"{'viel Text ' * 6}{i % 30}" for i in range(n_rows)],
            "Ort": rng.choice([f"Ort {i}" for i in range(40)], n_rows),
            "PLZ": rng.integers(10_000, 99_999, n_rows),
            "Jahr": rng.choice([2022, 2023, 2024], n_rows),
            "Widerspruch": ["ja", *["nein"] * (n_rows - 1)],
        }
    )


def test_roles_of_a_german_table() -> None:
    proposal = propose(table(), "de")
    assert {name: e.family for name, e in proposal.schema.indicators.items()} == {
        "Bestellungen": "negative_binomial",
        "Zahlungsziel": "categorical",
        "Maschinenpark": "bernoulli",
        "Lieferzeit": "gaussian",
    }
    assert proposal.schema.id == "Kundennummer"
    assert proposal.schema.opt_out == "Widerspruch"
    assert proposal.schema.value["Umsatz EUR"].currency == "EUR"
    words = {
        "Kundennummer": "die Kennung", "lfd": "laufende Nummer", "Umsatz EUR": "getrennt gehalten",
        "Kündigung": "nach einer Folge", "Segment": "früheren Einteilung", "Land": "konstant",
        "leer": "leer", "Erstkauf": "Dauer", "Notiz": "freier Text", "Ort": "Stufen sind zu viele",
        "PLZ": "Schlüssel", "Jahr": "Zeitraum einer Zeile",
    }  # fmt: skip
    assert set(proposal.aside) == set(words)
    for column, word in words.items():
        assert word in proposal.aside[column]


def test_objecting_customers_are_not_looked_at() -> None:
    frame = table()
    other = frame.copy().astype(object)
    other.loc[0, ["Bestellungen", "Lieferzeit", "Land"]] = ["viele", -5.0, "AT"]
    assert propose(other).to_toml() == propose(frame).to_toml()


def test_an_unclear_objection_counts_as_one() -> None:
    frame = table()
    said = frame.copy().astype(object)
    unclear = said.index[said["Widerspruch"] == "nein"][:3]
    said.loc[unclear, "Widerspruch"] = "?"
    other = said.copy()
    other.loc[unclear, ["Bestellungen", "Lieferzeit", "Land"]] = ["viele", -5.0, "AT"]
    proposal = propose(said)
    assert proposal.schema.opt_out == "Widerspruch"
    assert any("neither yes nor no: 3." in hint for hint in proposal.hints)
    assert propose(other).to_toml() == proposal.to_toml()
    faults = [fault for fault in check(said, proposal.schema) if fault.severity == "error"]
    assert [(fault.code, fault.count) for fault in faults] == [("opt_out_unclear", 3)]


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        ([f"{1.5 * i:.2f} €" for i in range(90)], "€"),
        ([f"{i % 40},5%" for i in range(90)], "%"),
        ([f"EUR {i}.000,00" for i in range(90)], "EUR"),
    ],
)
def test_numbers_with_a_unit_are_told_what_to_become(cells: list[str], unit: str) -> None:
    frame = table(90).assign(Rabatt=cells)
    said = f"numbers with {unit} beside them: write plain numbers into the cells"
    assert propose(frame).aside["Rabatt"] == said


def test_codes_and_tiers_are_no_numbers_with_a_unit() -> None:
    tiers = [f"{5 * (i % 4)} %" for i in range(90)]
    frame = table(90).assign(Stufe=tiers, Teil=[f"A{i}" for i in range(90)])
    proposal = propose(frame)
    assert proposal.schema.indicators["Stufe"].family == "categorical"
    assert "every cell is different" in proposal.aside["Teil"]


def test_an_id_that_stands_twice_is_still_the_id() -> None:
    frame = table()
    frame.loc[[7, 9], "Kundennummer"] = "K3"
    proposal = propose(frame)
    assert proposal.schema.id == "Kundennummer"
    assert any("id stands above already: 2." in hint for hint in proposal.hints)
    assert "duplicate_id" in [fault.code for fault in check(frame, proposal.schema)]


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_toml_of_a_proposal_is_its_schema(tmp_path: Path, language: str) -> None:
    proposal = propose(table(), language)
    file = tmp_path / "schema.toml"
    file.write_text(proposal.to_toml(), encoding="utf-8")
    assert Schema.from_toml(file) == proposal.schema
    lines = file.read_text(encoding="utf-8").splitlines()
    at = lines.index("[indicators.Bestellungen]")
    assert lines[at - 1].startswith("# negative_binomial:")
    assert any(line.startswith("#   PLZ: ") for line in lines)
    assert [f for f in check(table(), proposal.schema) if f.severity == "error"] == []


def test_a_basis_keeps_its_columns() -> None:
    frame = table()
    assert list(propose(frame, basis="value").schema.indicators) == ["Umsatz EUR"]
    behavioural = propose(frame, basis="behavioural")
    assert list(behavioural.schema.indicators) == ["Bestellungen", "Zahlungsziel"]
    assert behavioural.aside["Lieferzeit"] == "not of the basis behavioural"
    assert list(propose(frame, basis="needs").schema.indicators) == ["Lieferzeit"]
    assert list(propose(frame, basis="technographic").schema.indicators) == ["Maschinenpark"]
    with pytest.raises(UsageError, match="Choose basis out of"):
        propose(frame, basis="astral")
    with pytest.raises(DataError, match="with columns that can be indicators"):
        propose(frame[["Bestellungen", "Lieferzeit"]], basis="technographic")


def test_words_in_names() -> None:
    assert words_of("KundenNr.")[:2] == ["kunden", "nr"]
    assert "totalcharges" in words_of("TotalCharges")
    assert "groesse" in words_of("Größe")
    assert names("customer_id", "id")
    assert not names("width", "id")
    assert belongs("Nettoumsatz 2024", "value")
    assert columns_of(["Umsatz", "x", "DB"], "value") == ["Umsatz", "DB"]
    assert all(word == word.casefold() for words in BASES.values() for word in words)


def test_decimal_and_encoding_are_found(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    rows = [f"{i},{i % 7}5;Stück {i % 3};1.{100 + 3 * i}" for i in range(50)]
    file.write_text("Größe;Sorte;Menge\n" + "\n".join(rows), encoding="cp1252")
    proposal, frame = propose_file(file)
    assert (proposal.schema.reading.decimal, proposal.schema.reading.encoding) == (",", "cp1252")
    prepared = prepare(frame, proposal.schema)
    assert prepared.columns["Größe"][3] == 3.35
    assert prepared.columns["Menge"][3] == 1109


def test_cells_that_are_no_numbers_become_a_hint() -> None:
    frame = pd.DataFrame({"x": [*map(str, RNG.normal(0, 1, 50)), "n.b."], "a": range(51)})
    proposal = propose(frame)
    assert any('"x" holds 1 cells that are no numbers' in hint for hint in proposal.hints)


def test_columns_that_tell_the_same_become_a_hint() -> None:
    x = RNG.normal(0, 1, 100)
    kind = np.where(x > 0, "none", RNG.choice(["p", "q"], 100))
    frame = pd.DataFrame(
        {"x": x, "z": x + 0.01 * RNG.normal(0, 1, 100), "a": kind, "b": kind, "c": kind}
    )
    hints = propose(frame).hints
    assert any('"x" and "z" tell nearly the same (rank correlation 1.0' in hint for hint in hints)
    assert any('3 columns say the same for the same rows ("none"): a, b, c' in h for h in hints)
    assert len(hints) == 2


def test_the_example_gets_the_families_that_drew_it() -> None:
    proposal, truth = propose(example_frame()).schema, example_schema()
    assert proposal.id == truth.id
    assert set(proposal.value) == set(truth.value)
    assert list(proposal.indicators) == list(truth.indicators)
    differ = {
        name for name, e in truth.indicators.items() if proposal.indicators[name].family != e.family
    }
    # As a whole a mixture of Gammas is as skewed as a log-normal.
    assert differ <= {"service_cost"}


@pytest.mark.parametrize(
    ("name", "families", "aside", "value"),
    [
        (
            "or_rfm",
            {"Recency": "gamma", "Frequency": "negative_binomial", "Monetary": "lognormal"},
            {"CustomerID"},
            {"Monetary"},
        ),
        (
            "heart",
            {"Age": "gaussian", "Sex": "bernoulli", "MajorVessels": "categorical"},
            {"Class"},
            set(),
        ),
        (
            "telco",
            {
                "tenure": "negative_binomial",
                "Contract": "categorical",
                "SeniorCitizen": "bernoulli",
            },
            {"customerID", "TotalCharges", "Churn"},
            {"TotalCharges"},
        ),
        ("customerSat", {f"q{i}": "categorical" for i in range(1, 11)}, set(), set()),
    ],
)
def test_real_files(
    reference_data: Callable[[str], Path],
    name: str,
    families: dict[str, str],
    aside: set[str],
    value: set[str],
) -> None:
    proposal, frame = propose_file(reference_data(f"{name}.csv"))
    schema = proposal.schema
    assert families.items() <= {n: e.family for n, e in schema.indicators.items()}.items()
    assert set(proposal.aside) == aside
    assert set(schema.value) == value
    prepared = prepare(frame, schema)
    assert prepared.n_customers == len(frame)
    if name == "telco":
        assert np.isnan(prepared.values["TotalCharges"]).sum() == 11
