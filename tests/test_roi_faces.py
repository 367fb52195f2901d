"""Report, workbook and table of one run say the same as Python, at three settings."""

import html
import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from softseg.decisions.answers.headline import headline
from softseg.decisions.answers.scenarios import deterministic, scenario_values
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import RoiModel, Simulation
from softseg.report.workbook import book
from softseg.report.workbook.book import scenario_cells
from softseg.report.workbook.labels import scenario_label
from softseg.runs.roi import run_roi
from softseg.runs.roi_manifest import RoiOptions
from softseg.wording import say
from workbook_reading import Recalculated, everything

REPLICATES, DRAWS, SEED = 4, 32, 3
MAIN = "contribution_margin"
COLUMNS = (("as_published", False), ("as_published", True), (MAIN, False), (MAIN, True))
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def changed() -> Assumptions:
    """Return the example over three years from 2027, dearer and discounted otherwise."""
    example = RoiModel.example("de").assumptions
    inputs = dict(example.inputs)
    inputs["discount_rate"] = inputs["discount_rate"].model_copy(update={"value": 11.5})
    inputs["project_cost"] = inputs["project_cost"].model_copy(update={"high": 900_000.0})
    top = {"inputs": inputs, "horizon": 3, "convention": "mid_year", "hurdle": 0.5}
    return Assumptions.model_validate(example.model_copy(update=top).model_dump())


SETTINGS = {
    "example": (RoiModel.example().assumptions, "en", "worst"),
    "changed": (changed(), "de", "best"),
    "both programmes": (everything(), "de", "good"),
}


class Faces(NamedTuple):
    """One run: what Python says, and the files."""

    python: Simulation
    language: str
    scenario: str
    headline: xr.Dataset
    table: pd.DataFrame
    page: str
    workbook: Recalculated


@pytest.fixture(
    scope="module",
    params=[
        "example",
        *(pytest.param(name, marks=pytest.mark.slow) for name in SETTINGS if name != "example"),
    ],
)
def faces(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Faces:
    assumptions, language, scenario = SETTINGS[request.param]
    folder = tmp_path_factory.mktemp("faces") / "run"
    options = RoiOptions.model_validate(
        {"replicates": REPLICATES, "draws": DRAWS, "seed": SEED, "language": language}
    )

    def one(simulation: Simulation) -> dict[str, dict[str, float]]:
        return {scenario: scenario_cells(simulation)[scenario]}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book, "scenario_cells", one)  # recalculation takes long
        run_roi(assumptions, folder, options)
    python = RoiModel(assumptions).simulate(REPLICATES, DRAWS, SEED)
    return Faces(
        python,
        language,
        scenario,
        headline(python),
        pd.read_csv(folder / "roi.csv", encoding="utf-8-sig", keep_default_na=False),
        (folder / "report.html").read_text(encoding="utf-8"),
        Recalculated((folder / "roi.xlsx").read_bytes(), folder, language),
    )


def test_the_table_is_python(faces: Faces) -> None:
    rows = faces.table[faces.table["answer"] == "headline"].set_index(
        ["accounting", "adjusted", "quantity", "statistic"]
    )
    assert rows.index.is_unique
    for accounting, adjusted in COLUMNS:
        outcome = faces.python.outcome(accounting, adjusted)
        at = (accounting, str(adjusted).lower())
        for p in QUANTILES:
            shown = float(rows.loc[(*at, "npv", f"q{100 * p:02.0f}"), "value"])
            assert shown == pytest.approx(np.quantile(outcome.npv, p), rel=1e-12)
        for name, value in (
            ("mean_npv", outcome.npv.mean()),
            ("mean_cost", outcome.cost.mean()),
            ("p_npv_positive", (outcome.npv > 0.0).mean()),
        ):
            assert float(rows.loc[(*at, name, "value"), "value"]) == pytest.approx(value, rel=1e-12)


def test_the_workbook_is_python(faces: Faces) -> None:
    assert faces.workbook.differing() == []
    hurdle = faces.python.assumptions.hurdle
    for live, adjusted in (("B", True), ("E", False)):
        outcome = faces.python.outcome(MAIN, adjusted)
        fixed = faces.headline.sel(accounting=MAIN, adjusted=adjusted)
        npv, cost = outcome.npv.ravel(), outcome.cost.ravel()
        roi = outcome.roi.ravel()
        wanted: dict[tuple[str, int | None], float] = {
            ("mean_npv", None): npv.mean(),
            ("expected_roi", None): npv.sum() / cost.sum(),
            ("p_npv_positive", None): (npv > 0.0).mean(),
            ("p_roi_above_hurdle", None): (npv > hurdle * cost).mean(),
        }
        for p in QUANTILES:
            wanted["npv", round(100 * p)] = float(np.quantile(npv, p))
            wanted["roi", round(100 * p)] = float(np.nanquantile(roi, p))
        for (name, level), value in wanted.items():
            row = result_row(faces, name, level)
            got = faces.workbook("results", f"{live}{row}")
            beside = faces.workbook.cached["Results" if faces.language == "en" else "Ergebnis"]
            static = beside[f"{chr(ord(live) + 1)}{row}"].value
            assert got == pytest.approx(value, rel=1e-9), (name, level)
            assert static == pytest.approx(value, rel=1e-9), (name, level)
            one = fixed[name] if level is None else fixed[name].sel(quantile=level / 100)
            assert float(one) == pytest.approx(value, rel=1e-9)


def result_row(faces: Faces, name: str, level: int | None) -> int:
    """Return the row of a number in the sheet of results."""
    label = say(f"workbook.results.{name}", faces.language, level=str(level))
    sheet = faces.workbook.book["Results" if faces.language == "en" else "Ergebnis"]
    return next(cell.row for cell in sheet["A"] if cell.value == label)


def test_a_scenario_is_the_same_everywhere(faces: Faces) -> None:
    fixed = deterministic(faces.python, scenario_values(faces.python)[faces.scenario])
    programme = None if faces.python.assumptions.counterfactual == "uniform" else "segmented"
    label = scenario_label(faces.scenario, faces.language)
    for accounting in ("as_published", MAIN):
        row = faces.workbook.scenario_row(faces.scenario, accounting, programme)
        for column, adjusted in (("H", False), ("J", True)):
            roi = fixed.outcome(accounting, adjusted).roi.item()
            assert faces.workbook("results", f"{column}{row}") == pytest.approx(roi, rel=1e-9)
            where = ("scenarios", "roi", faces.scenario, accounting, str(adjusted).lower())
            keys = ["answer", "quantity", "of", "accounting", "adjusted"]
            told = faces.table.set_index(keys).loc[[where], "value"]
            assert float(told.item()) == pytest.approx(roi, rel=1e-9)
            if accounting == MAIN and adjusted:
                cells = rows_of(faces.page)[label]
                assert read(cells[0], faces.language) == pytest.approx(roi, rel=5e-3, abs=5e-3)


def test_the_page_is_python_within_its_digits(faces: Faces) -> None:
    rows = rows_of(faces.page)
    seen = 0
    for key, name, at in (
        ("npv", "npv", {"quantile": 0.5}),
        ("mean_npv", "mean_npv", {}),
        ("tail_npv", "tail_npv", {}),
        ("roi", "roi", {"quantile": 0.5}),
        ("bcr", "bcr", {"quantile": 0.5}),
        ("expected_roi", "expected_roi", {}),
        ("p_npv_positive", "p_npv_positive", {}),
    ):
        cells = rows[say(f"roi_report.row.{key}", faces.language)]
        for cell, (accounting, adjusted) in zip(cells, COLUMNS, strict=True):
            found = faces.headline.sel({"accounting": accounting, "adjusted": adjusted, **at})
            value, error = float(found[name]), float(found[f"{name}_error"])
            if cell[:1] in "<>":
                continue
            # The last digit is worth up to ten thirds of the error, and half of it is rounded.
            least = 0.5 if name.endswith("npv") else 0.005
            within = 1.7 * error + max(0.005 * abs(value), least)
            assert read(cell, faces.language) == pytest.approx(value, abs=within), (key, cell)
            seen += 1
    assert seen > 20


def rows_of(page: str) -> dict[str, list[str]]:
    """Return the cells of every row of a table by its head, the first of each head."""
    found: dict[str, list[str]] = {}
    for head, rest in re.findall(r'scope="row"><bdi>(.*?)</bdi></th>(.*?)</tr>', page):
        cells = [html.unescape(c) for c in re.findall(r"<td>([^<]*)", rest)]
        found.setdefault(html.unescape(head).replace("\xa0", " "), cells)
    return found


def read(text: str, language: str) -> float:
    """Return the number that a reader of a language sees: −670.000 € or 3.05 million."""
    text = text.replace("\N{MINUS SIGN}", "-").strip()
    scale = 0.01 if text.endswith("%") else 1.0
    for sign, times in (("Mio.", 1e6), ("Mrd.", 1e9), ("M", 1e6), ("B", 1e9)):
        if sign in text:
            text, scale = text.replace(sign, ""), times
    figures = re.sub(r"[^0-9.,-]", "", text)
    figures = figures.replace(".", "").replace(",", ".") if language == "de" else figures
    return scale * float(figures.replace(",", ""))
