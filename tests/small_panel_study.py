"""A small study with a panel as files: two kinds of customers over quarters, some of whom leave."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from small_study import COMPANY
from softseg.study.file import Study

QUARTERS = 8
ROWS = np.array([[0.91, 0.06, 0.03], [0.05, 0.93, 0.02], [0.0, 0.0, 1.0]])
SCHEMA = """id = "customer"
period = "quarter"

[indicators.orders]
family = "poisson"

[indicators.margin]
family = "gaussian"
unit = "%"

[migration]
churn = "observed"
churned = "left"

[value.revenue]
currency = "EUR"
"""
STUDY = """title = "Two kinds of customers"
language = "en"
table = "panel.csv"
schema = "given.toml"
assumptions = "company.toml"
seed = 5

[segments]
number = 2
names = ["Busy", "Quiet"]

[ledger]
value = "revenue"
total = TOTAL
tolerance = 0.05

[programme]

[[programme.segments]]
segment = "Busy"

[programme.segments.inputs.cross]
role = "revenue_effect"
effect = "cross_selling"
unit = "%"
low = 2.0
high = 8.0

[programme.segments.inputs.keep]
label = "Fewer leave"
role = "revenue_effect"
effect = "transition"
to = "churned"
unit = "%"
low = 30.0
high = 50.0

[programme.segments.inputs.visit]
role = "running_cost"
per = "customer"
unit = "EUR/year"
low = 1.0
high = 3.0

[[programme.segments]]
segment = "Quiet"

[programme.segments.inputs.price]
role = "revenue_effect"
effect = "price"
unit = "%"
low = 0.5
high = 1.5

[fit]
draws = 400
tune = 100
starts = 4

[simulate]
replicates = 2
draws = 64
"""


def frame(n: int = 200) -> pd.DataFrame:
    """Return customers by quarter, those who leave with a last row that says so."""
    rng = np.random.default_rng(11)
    state = rng.integers(2, size=n)
    entry = np.where(rng.random(n) < 0.2, rng.integers(1, QUARTERS, n), 0)
    rows: list[dict[str, Any]] = []
    for period in range(QUARTERS):
        moved = np.array([rng.choice(3, p=ROWS[k]) for k in state])
        before, state = state, np.where(entry < period, moved, state)
        for i in np.flatnonzero((entry <= period) & (before < 2)):
            row: dict[str, Any] = {"customer": f"KD-{i:04d}", "quarter": _label(period)}
            here = state[i] < 2
            row["left"] = "no" if here else "yes"
            if here:
                row["orders"] = int(rng.poisson((9, 3)[state[i]]))
                row["margin"] = round(float(rng.normal((24, 12)[state[i]], 5)), 2)
                row["revenue"] = round(float(np.exp(rng.normal((7, 5)[state[i]], 0.5))), 2)
            rows.append(row)
    return pd.DataFrame(rows)


def _label(period: int) -> str:
    return f"{2024 + period // 4}-Q{period % 4 + 1}"


def total() -> float:
    """Return the revenue of the last year."""
    table = frame()
    year = table[table["quarter"] >= _label(QUARTERS - 4)]
    return round(float(year["revenue"].to_numpy()[year["revenue"].notna()].sum()), 2)


def write_panel_study(folder: Path, changes: dict[str, str] | None = None) -> Path:
    """Write the files of the study into a folder, some texts replaced; return the study's path."""
    folder.mkdir(parents=True, exist_ok=True)
    frame().to_csv(folder / "panel.csv", index=False)
    (folder / "given.toml").write_text(SCHEMA, encoding="utf-8")
    (folder / "company.toml").write_text(COMPANY, encoding="utf-8")
    text = STUDY.replace("TOTAL", str(total()))
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read_panel_study(folder: Path, changes: dict[str, str] | None = None) -> Study:
    """Write the files of the study and read it."""
    return Study.from_toml(write_panel_study(folder, changes))
