"""`softseg panel`: files nobody prepared become a panel that `check` has nothing against."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from softseg.cli import app
from softseg.tables.panel.prepare import prepare_panel
from softseg.tables.read import read_table
from softseg.tables.schema import Schema

RUNNER = CliRunner()


def call(*arguments: object, code: int = 0) -> str:
    """Return all that a command says, after looking at its exit code."""
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def small(folder: Path, text: str = "") -> Path:
    path = folder / "orders.csv"
    rows = [f"=A{n % 7};{1 + n % 28}.{1 + n % 6}.2024;{n},50" for n in range(1, 90)]
    rows += ["=A1;1.1.2024;5,25", "=A2;30.6.2024;5,25"]
    path.write_text(text or "Kunde;Datum;Betrag\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_invoices_become_a_panel(reference_data: Callable[[str], Path], tmp_path: Path) -> None:
    source = reference_data("or_invoices.csv")
    panel, schema = tmp_path / "panel.csv", tmp_path / "panel.toml"
    said = call("panel", source, "-o", panel)
    assert "4,297 customers, 12 months from 2010-12 to 2011-11" in said
    assert "2011-12 is left out: the data end in it, on 2011-12-09" in said
    invoices = pd.read_csv(source, parse_dates=["InvoiceDate"])
    used = invoices[invoices["InvoiceDate"] < "2011-12-01"]
    made = pd.read_csv(panel)
    assert made["orders"].sum() == len(used)
    assert made["revenue"].sum() == pytest.approx(used["TotalPrice"].sum(), abs=0.5)
    told = call("check", panel, "--schema", schema)
    assert "4,297 histories (one stay of one customer each), together 32,467 periods" in told
    used_schema = Schema.from_toml(schema)
    ready = prepare_panel(read_table(panel, used_schema.reading), used_schema)
    assert ready.table.columns["orders"].sum() == len(used)


def test_a_file_nobody_prepared(reference_data: Callable[[str], Path], tmp_path: Path) -> None:
    source, panel = reference_data("CDNOW_sample.txt"), tmp_path / "panel.csv"
    said = call("panel", source, "-o", panel, code=3)
    assert "State the column of the customer with --customer" in said
    assert not panel.exists()
    columns = ("--customer", "column 1", "--date", "column 3", "--amount", "column 5")
    said = call("panel", source, "-o", panel, *columns, "--after", 6)
    assert "2,357 customers, 18 months from 1997-01 to 1998-06" in said
    events = np.loadtxt(source, usecols=(0, 4))
    made = pd.read_csv(panel)
    assert made["orders"].sum() == len(events)
    assert made["revenue"].sum() == pytest.approx(events[:, 1].sum(), abs=0.5)
    assert made["customer"].nunique() == len(np.unique(events[:, 0]))
    told = call("check", panel, "--schema", tmp_path / "panel.toml")
    assert "Customers who had left and came back with a new history" in told


def test_cells_are_no_formulas_and_files_are_not_replaced(tmp_path: Path) -> None:
    source, panel = small(tmp_path), tmp_path / "p.csv"
    schema = tmp_path / "s.toml"
    said = call("panel", source, "-o", panel, "--schema-out", schema, "--language", "de")
    assert "7 Kunden, 6 Monate" in said
    text = panel.read_text(encoding="utf-8-sig")
    assert "\n'=A1," in text
    assert "\n=" not in text
    assert "Das Panel: 7 Kunden" in call("check", panel, "--schema", schema)
    assert "add --force" in call("panel", source, "-o", panel, code=2)
    call("panel", source, "-o", panel, "--schema-out", schema, "--force", "--every", "quarter")
    assert "2024-Q2" in panel.read_text(encoding="utf-8-sig")


def test_what_does_not_fit(tmp_path: Path) -> None:
    source, panel = small(tmp_path), tmp_path / "p.csv"
    assert "Give --until as a date" in call("panel", source, "-o", panel, "--until", "x", code=2)
    said = call("panel", source, "-o", panel, "--time-zone", "Nowhere/At", code=2)
    assert "such as Europe/Berlin" in said
    assert "ends in .csv" in call("panel", source, "-o", tmp_path / "p.xlsx", code=2)
    assert "there is no file" in call("panel", tmp_path / "none.csv", "-o", panel, code=4)
    unclear = small(tmp_path, "Kunde;Datum;Betrag\na;03/04/2011;1,5\nb;05/06/2011;2,5\n")
    assert "--dates day-first" in call("panel", unclear, "-o", panel, code=3)
    call("panel", unclear, "-o", panel, "--dates", "day-first", "--keep-last", "--force")
    assert "2011-04" in panel.read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(("sign", "amount"), [("point", 1.234), ("comma", 1234.0)])
def test_the_decimal_sign_is_stated(tmp_path: Path, sign: str, amount: float) -> None:
    source = small(tmp_path, "customer;date;amount\na;2024-01-01;1.234\na;2024-02-29;2\n")
    panel = tmp_path / "p.csv"
    assert "--decimal point or --decimal comma" in call("panel", source, "-o", panel, code=3)
    call("panel", source, "-o", panel, "--decimal", sign)
    assert pd.read_csv(panel)["revenue"].iloc[0] == round(amount, 2)
