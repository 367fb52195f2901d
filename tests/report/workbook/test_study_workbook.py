"""The workbook of a study: its sheets, its formulas, and what it must not show."""

import re
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from softseg.decisions.answers.scenarios import deterministic
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import Simulation
from softseg.decisions.segments.by_segment import by_segment
from softseg.decisions.segments.fallback import fallback
from softseg.decisions.segments.findings import Findings
from softseg.decisions.segments.worth import simulate
from softseg.errors import FileError
from softseg.report.workbook import study_book
from softseg.report.workbook.book import scenario_cells
from softseg.report.workbook.study_book import (
    study_scenarios,
    study_workbook_bytes,
    write_study_workbook,
)
from softseg.wording import say
from workbook_findings import NAMES, findings, table
from workbook_reading import Recalculated, edited, formula_cells, input_cell, opened

LIVE = ("cashflow", "results", "assumptions", "scenarios", "draws", "audit")
WORDS = ("summary", "segments", "effects", "bands", "evidence")
EXACT: dict[str, Any] = {"rel": 1e-9, "abs": 1e-9}


def written(found: Findings) -> bytes:
    """Return the workbook with few draws."""
    return study_workbook_bytes(found, n_draws=4)


def sheet(book: Any, key: str, language: str = "en") -> Any:
    """Return a sheet by its key."""
    return book[say(f"workbook.sheet.{key}", language)]


def rows_of(page: Any) -> dict[Any, list[Any]]:
    """Return the rows of a sheet by their first cell, the first one of each."""
    found: dict[Any, list[Any]] = {}
    for row in page.iter_rows(values_only=True):
        found.setdefault(row[0], list(row[1:]))
    return found


def texts_of(page: Any) -> list[str]:
    """Return all texts of a sheet."""
    return [cell for row in page.iter_rows(values_only=True) for cell in row
            if isinstance(cell, str)]  # fmt: skip


def npvs(found: Findings, **changes: float) -> dict[int | None, float]:
    """Return the expected net present value of each part, and of the whole under 0."""
    sim = found.simulation
    assert sim is not None
    central = study_scenarios(sim)["central"] | changes
    units = {"%": 0.01}
    inputs = sim.whole.assumptions.inputs
    base = {name: x * units.get(inputs[name].unit, 1.0) for name, x in central.items()}
    fixed = deterministic(sim.whole, base)
    parts = {k: sim.part(k).assumptions for k in (None, *sim.names)} | {0: fixed.assumptions}
    return {k: Simulation(part, fixed.draws, 1).outcome().npv.item() for k, part in parts.items()}


def company_of(found: Findings) -> Assumptions:
    """Return the assumptions of the company, without those of the segments."""
    assert found.simulation is not None
    expanded = found.simulation.expanded
    inputs = expanded.assumptions.inputs.items()
    mine = {name: entry for name, entry in inputs if name not in expanded.owner}
    return expanded.assumptions.model_copy(update={"inputs": mine})


@pytest.mark.parametrize("language", ["en", "de"])
def test_sheets_stand_in_order_with_room_for_reading(language: str) -> None:
    book = opened(written(findings(language)))
    order = ("summary", "segments", "effects", *LIVE, "bands", "evidence")
    assert set(book.sheetnames) == {say(f"workbook.sheet.{key}", language) for key in order}
    assert book.sheetnames[0] == {"en": "Summary", "de": "Überblick"}[language]
    for key in WORDS:
        page = sheet(book, key, language)
        assert page.freeze_panes == "B3"
        assert page.print_area
    money = {"en": '"€"#,##0', "de": '#,##0\\ "€"'}[language]
    whole = say("workbook.study.whole", language)
    row = next(r for r in sheet(book, "summary", language).iter_rows()
               if r[0].value == whole and r[1].value is not None)  # fmt: skip
    assert row[1].number_format.startswith(money)


@pytest.mark.parametrize(
    ("uniform", "change"),
    [(True, {}), pytest.param(False, {"s2_price": 1.7}, id="changed cell")],
)
def test_formulas_give_what_python_gives_and_the_parts_add_up(
    uniform: bool, change: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def central_only(simulation: Simulation) -> dict[str, dict[str, float]]:
        return {"central": scenario_cells(simulation)["central"]}

    monkeypatch.setattr(study_book, "scenario_cells", central_only)
    found = findings(uniform=uniform)
    workbook = written(found)
    cells = {input_cell(workbook, "central", name): x for name, x in change.items()}
    again = Recalculated(edited(workbook, cells) if cells else workbook, tmp_path)
    wanted = npvs(found, **change)
    assert sum(wanted.values()) - wanted[0] == pytest.approx(wanted[0], **EXACT)
    labels = {
        "The whole, on the sheet Scenarios": wanted[0],
        "Sum of the parts": wanted[0],
        "Belongs to no segment": wanted[None],
        "Busy": wanted[2],
        "Quiet": wanted[1],
    }
    page = sheet(again.book, "cashflow")
    place = {str(cell.value): cell.row for cell in page["A"]}
    for label, npv in labels.items():
        assert again("cashflow", f"C{place[label]}") == pytest.approx(npv, **EXACT)
    summary = sheet(again.book, "summary")
    live = next(c.row for c in summary["A"] if "(live)" in str(c.value))
    expected = again("cashflow", f"D{place['Sum of the parts']}")
    assert again("summary", f"B{live}") == pytest.approx(expected, **EXACT)
    assert again("summary", "A3").startswith("NOW:" if change else "Now:")
    if not change:
        for title, cell in formula_cells(workbook):
            now = again._found[f"'[book.xlsx]{title.upper()}'!{cell}"].value[0, 0]
            before = again.cached[title][cell].value
            near = isinstance(before, int | float)
            assert now == (pytest.approx(before, rel=1e-9, abs=1e-6) if near else before)


def test_values_of_the_segments_are_inputs_at_their_posterior_means() -> None:
    found = findings()
    sim = found.simulation
    assert sim is not None
    page = sheet(opened(written(found)), "assumptions")
    column = next(c.column_letter for c in page[4] if c.value == "Central values")
    rows = {str(c.value): c.row for c in page["B"]}
    for k, name in sim.expanded.bases.items():
        cell = page[f"{column}{rows[name]}"]
        assert cell.value == pytest.approx(
            float(np.asarray(sim.whole.assumptions.inputs[name].value))
        )
        assert not cell.protection.locked
        assert page[f"A{rows[name]}"].value.startswith(f"{sim.names[k]}: ")
    order = [name for name in rows if re.match(r"s\d_", name)]
    owners = [name[1] for name in order[: len(sim.expanded.owner)]]
    assert owners == sorted(owners, reverse=True), "one segment after the other"


def test_summary_says_what_the_study_found() -> None:
    found = findings()
    rows = rows_of(sheet(opened(written(found)), "summary"))
    by = found.parts["by_segment"]
    for k in (1, 2):
        wanted = float(by["mean_npv"].sel(segment=k))
        assert rows[NAMES[k - 1]][0] == pytest.approx(wanted)
        treat = bool(found.parts["choices"]["treat"].sel(segment=k))
        assert rows[NAMES[k - 1]][6] == ("treat" if treat else "do not treat")
    assert rows["Net present value"][0] == pytest.approx(float(by["whole_mean_npv"]))
    chance = rows["Chance that it pays (net present value above 0)"][0]
    assert chance == pytest.approx(float(by["whole_p_npv_positive"]))


def test_bands_hold_every_answer_with_its_error() -> None:
    found = findings()
    rows = rows_of(sheet(opened(written(found)), "bands"))
    part = found.parts["split"].sel(block="membership")
    shown = rows["The customers: which segment each belongs to"]
    assert shown[:2] == pytest.approx([float(part["share"]), float(part["share_error"])])
    lost = rows["Lost by fixed groups"]
    assert lost[0] == pytest.approx(float(found.parts["regret"]["mean_regret"]))
    assert lost[5] == pytest.approx(float(found.parts["regret"]["p_regret"]))
    two = found.parts["number"].sel(n_segments=2)
    assert rows["2"][3] == pytest.approx(float(two["net"]))
    implied = found.parts["implied"]
    assert rows["If the programme works and all of it arrives"][5] == 0.02
    assert rows["of the first line: Busy"][0] == pytest.approx(
        float(implied["segment_uplift"].isel(adjusted=0).sel(segment=2))
    )


def test_evidence_holds_ledger_run_and_owner_of_every_input() -> None:
    found = findings()
    page = sheet(opened(written(found)), "evidence")
    rows = rows_of(page)
    assert rows["Total of the table, a year"][0] == pytest.approx(100.0)
    assert rows["Total of the ledger, a year"][0] == 101.0
    assert rows["Seed"][0] == "1"
    assert rows["SHA-256 of the customer table"][0] == "f" * 64
    assert rows["Busy: Visits"][:1] == ["Busy"]
    assert rows["Busy: Visits"][3] == "The owner"
    assert rows["Busy: customers that are treated"][2] == "Own fitted model"
    assert rows["Busy: customers that are treated"][3] is None
    assert rows["Prepared"][0] == "2026-03-02"
    assert rows["Decided"][0] == "open"


@pytest.mark.parametrize("language", ["en", "de"])
def test_without_money_the_workbook_says_so_and_shows_no_segment(language: str) -> None:
    found = replace(
        findings(language), simulation=None, answers=None, parts={}, gate="failed",
        fallback=fallback("failed", "good", language),
    )  # fmt: skip
    book = opened(written(found))
    names = [say(f"workbook.sheet.{key}", language) for key in ("summary", "segments", "evidence")]
    assert book.sheetnames == names
    texts = texts_of(sheet(book, "summary", language))
    assert say("workbook.study.summary.no_money", language) in texts
    assert f"– {say('fallback.gate_failed.todo.2', language)}" in texts
    page = sheet(book, "segments", language)
    numbers = [c for row in page.iter_rows(values_only=True) for c in row if c is not None]
    assert all(isinstance(cell, str) for cell in numbers)
    assert formula_cells(written(found)) == {}


@pytest.mark.parametrize("language", ["en", "de"])
def test_plug_in_is_said_on_every_sheet(language: str) -> None:
    book = opened(written(findings(language, plug_in=True)))
    said = say("workbook.study.plug_in", language)
    assert [page["B1"].value for page in book] == [said] * len(book.sheetnames)
    assert all(page["B1"].font.color.rgb == "FFB3261E" for page in book)
    assert say("workbook.study.bands.plug_in", language) in texts_of(sheet(book, "bands", language))
    other = opened(written(findings(language)))
    assert said not in [text for page in other for text in texts_of(page)]


def numbers_of_segments(found: Findings) -> set[str]:
    """Return what each treated segment is worth, and the value that is reached in it."""
    sim, by = found.simulation, found.parts["by_segment"]
    assert sim is not None
    worth = [float(by["mean_npv"].sel(segment=k)) for k in sim.names]
    inputs = sim.expanded.assumptions.inputs
    value = [float(inputs[id].value or 0.0) for id in sim.expanded.bases.values()]
    return {f"{x:.8g}" for x in (*worth, *value)}


def numbers_in(book: Any) -> set[str]:
    """Return all numbers of a workbook with eight digits."""
    cells = (cell for page in book for row in page.iter_rows(values_only=True) for cell in row)
    return {f"{cell:.8g}" for cell in cells if isinstance(cell, float)}


def test_small_segments_are_not_shown_nor_what_they_follow_from() -> None:
    value = table()[0]
    heads = value["customers_treated"].sel(rule="programme").to_numpy()
    smallest = float(heads.min()) + 1.0
    found = findings(smallest=smallest)
    book = opened(written(found))
    assert book.sheetnames == ["Summary", "Segments", "Effects", "Bands", "Evidence"]
    assert heads.argmin() == 2, "the smallest one is not treated"
    # the next smallest is treated, and must not follow from the whole either
    segments = rows_of(sheet(book, "segments"))
    for name in NAMES:
        assert {cell for cell in segments[name] if cell is not None} == {"not shown"}
    assert numbers_of_segments(found) <= numbers_in(opened(written(findings())))
    assert not numbers_of_segments(found) & numbers_in(book)
    assert say("workbook.study.summary.best") not in texts_of(sheet(book, "summary"))
    assert any("no live cash flow" in text for text in texts_of(sheet(book, "summary")))


def test_one_treated_segment_does_not_follow_from_the_whole() -> None:
    found = findings()
    plan = found.programme.model_copy(update={"segments": found.programme.segments[:1]})
    sim = simulate(company_of(found), plan, table()[0], NAMES,
                   n_replicates=2, n_draws=16, cores=1)  # fmt: skip
    parts = {"by_segment": by_segment(sim)}
    shown = replace(found, programme=plan, simulation=sim, parts=parts, answers=None)
    for smallest, cells in ((10.0, False), (60.0, True)):
        rows = rows_of(sheet(opened(written(replace(shown, smallest_cell=smallest))), "effects"))
        assert (rows["Belongs to no segment"][0] == "not shown") == cells
        assert (rows["Busy"][0] == "not shown") == cells
        assert isinstance(rows["The whole programme"][0], float)


def test_a_programme_that_finds_its_members_treats_all_of_them_rightly() -> None:
    found = findings()
    plan = found.programme.model_copy(update={"reach": "members"})
    sim = simulate(company_of(found), plan, table()[0], NAMES,
                   n_replicates=2, n_draws=16, cores=1)  # fmt: skip
    book = opened(written(replace(found, programme=plan, simulation=sim, parts={})))
    busy = rows_of(sheet(book, "segments"))["Busy"]
    assert busy[7] == pytest.approx(busy[8], rel=0.02)
    assert busy[9] == pytest.approx(busy[4], rel=0.02)
    assert any("members of a segment by itself" in t for t in texts_of(sheet(book, "segments")))


def test_answers_that_were_not_computed_are_named() -> None:
    found = replace(findings(), parts={}, answers=None)
    book = opened(written(found))
    nothing = say("workbook.study.not_computed")
    assert nothing in texts_of(sheet(book, "effects"))
    assert texts_of(sheet(book, "bands")).count(nothing) == 5
    assert any("totals only" in text for text in texts_of(sheet(book, "summary")))


STARTS = ("=", "+", "-", "@", "\t=", "\r=", " =", "'=", "{=", "＝")
PAYLOADS = (
    "1+1",
    'HYPERLINK("http://evil.example","here")',
    "cmd|'/C calc'!A0",
    "<script>alert(1)</script>",
    "</t></si><si><t>=1+1",
)


@pytest.mark.parametrize("step", [17, pytest.param(3, marks=pytest.mark.slow)])
def test_fifty_hostile_names_stay_texts(step: int) -> None:
    texts = [start + payload for start in STARTS for payload in PAYLOADS]
    assert len(set(texts)) == 50
    plain = formula_cells(written(findings()))
    for i in range(0, 50, step):  # by 17 each is a text of the study, by 3 a name of a segment
        part = tuple((texts + texts)[i : i + 17])
        workbook = written(findings(names=part[:3], words=part[3:]))
        assert formula_cells(workbook) == plain
        with zipfile.ZipFile(BytesIO(workbook)) as archive:
            parts = {name: archive.read(name).decode() for name in archive.namelist()}
        assert not [name for name in parts if "externalLink" in name or "/_rels/sheet" in name]
        for name, text in parts.items():
            assert "<hyperlink" not in text
            assert "<script" not in text
            if name.startswith("xl/worksheets/"):
                assert "evil" not in text, "texts stand in the table of strings only"
        shown = {text for page in opened(workbook) for text in texts_of(page)}
        assert {text for text in part[:3] if "\r" not in text} <= shown


def test_no_customer_and_the_same_bytes_for_the_same_findings() -> None:
    first = xr.Dataset({"row": ("customer", np.array([987_654])), "net": ("customer", [4_321.5])})
    found = findings()
    with_customers = replace(found, parts={**found.parts, "first_customers": first})
    assert written(with_customers) == written(found)


def test_the_file_is_written_or_refused(tmp_path: Path) -> None:
    path = write_study_workbook(findings("de"), tmp_path / "study.xlsx", n_draws=4)
    assert path == tmp_path / "study.xlsx"
    assert opened(path.read_bytes()).sheetnames[0] == "Überblick"
    with pytest.raises(FileError, match="Create the folder first, or name another one"):
        write_study_workbook(findings(), tmp_path / "none" / "study.xlsx", n_draws=4)
