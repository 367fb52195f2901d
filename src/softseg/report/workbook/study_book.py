"""The workbook of a study: what it found, and the expanded programme as live formulas."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import xarray as xr

from softseg.decisions.segments.findings import Findings
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.report.workbook import draws_sheet, results_sheet
from softseg.report.workbook.audit_sheet import write_audit
from softseg.report.workbook.book import CENTRAL, DRAWS, scenario_cells
from softseg.report.workbook.cells import Book, Sheet
from softseg.report.workbook.draws_sheet import write_draws
from softseg.report.workbook.formula import Formula
from softseg.report.workbook.inputs_sheet import HEAD, Given, lines, write_assumptions
from softseg.report.workbook.labels import base_label
from softseg.report.workbook.results_sheet import write_results, write_stress
from softseg.report.workbook.scenario_sheet import Result, write_scenarios
from softseg.report.workbook.study_bands import WIDTHS as BANDS
from softseg.report.workbook.study_bands import write_bands
from softseg.report.workbook.study_cashflow import LABELS, write_cashflow
from softseg.report.workbook.study_effects import WIDTHS as EFFECTS
from softseg.report.workbook.study_effects import write_effects
from softseg.report.workbook.study_evidence import WIDTHS as EVIDENCE
from softseg.report.workbook.study_evidence import versions, write_evidence
from softseg.report.workbook.study_moves import WIDTHS as MOVES
from softseg.report.workbook.study_moves import write_moves
from softseg.report.workbook.study_page import LABEL, Page
from softseg.report.workbook.study_seen import ACCOUNTING, Seen, headline_of
from softseg.report.workbook.study_segments import WIDTHS as SEGMENTS
from softseg.report.workbook.study_segments import write_segments
from softseg.report.workbook.study_summary import WIDTHS as SUMMARY
from softseg.report.workbook.study_summary import write_refusal, write_summary
from softseg.results.files import replace_file
from softseg.wording import say

STATE: Final = 2
"""Row of the first sheet that says whether the assumptions have changed since."""
BASE: Final = 3
"""Column of the sheet of assumptions that says what an input is a share of."""
BASE_WIDTH: Final = 44
LAST: Final = 30
"""Column to which lines between segments reach."""


@dataclass(frozen=True)
class _Headline:
    """What the sheet of results reads."""

    headline: xr.Dataset


def write_study_workbook(findings: Findings, path: Path | str, *, n_draws: int = DRAWS) -> Path:
    """Write the workbook of a study and return its path.

    Parameters
    ----------
    findings
        What the study found.
    path
        Where to; an existing file is replaced at once, or left as it is if anything fails.
    n_draws
        Draws to show, evenly from the first ones of every replicate.

    Raises
    ------
    FileError
        Where the file cannot be written.
    """
    replace_file(path, study_workbook_bytes(findings, n_draws=n_draws), findings.language)
    return Path(path)


def study_workbook_bytes(findings: Findings, *, n_draws: int = DRAWS) -> bytes:
    """Return the content of the file that `write_study_workbook` writes.

    Without draws of the money it says in words what still stands. The cash flow as formulas needs
    the value of every treated segment: where one is too small to show, its sheets are left out.
    With a panel there are none either: what customers who move do to it is no formula.
    """
    seen = Seen(findings)
    book = Book(findings.language, seen.currency)
    simulation = findings.simulation
    front = Page(book, "summary", SUMMARY, findings.title)
    front.row = STATE + 2
    write_segments(Page(book, "segments", SEGMENTS, findings.title), seen, simulation)
    if simulation is None:
        write_refusal(front, seen)
        write_evidence(Page(book, "evidence", EVIDENCE, findings.title), seen, None)
        return book.close()
    write_effects(Page(book, "effects", EFFECTS, findings.title), seen, simulation)
    moved = seen.part("migrated")
    if moved is not None:
        write_moves(Page(book, "moves", MOVES, findings.title), seen, moved)
    live = None
    if seen.live:
        live = _Live(book, seen, simulation, n_draws).write(front.sheet)
    write_bands(Page(book, "bands", BANDS, findings.title), seen, simulation)
    write_evidence(Page(book, "evidence", EVIDENCE, findings.title), seen, simulation)
    write_summary(front, seen, simulation, live)
    if simulation.plug_in:
        _mark_plug_in(book)
    return book.close()


def study_scenarios(simulation: SegmentSimulation) -> dict[str, dict[str, float]]:
    """Return every input in use by scenario and id; what the fit knows at its posterior mean."""
    inputs = simulation.whole.assumptions.inputs
    ids = [*simulation.expanded.bases.values(), *simulation.expanded.customers.values()]
    means = {id: inputs[id].value for id in ids}
    return {
        scenario: {
            id: value if (mean := means.get(id)) is None else mean for id, value in values.items()
        }
        for scenario, values in scenario_cells(simulation.whole).items()
    }


@dataclass(frozen=True)
class _Live:
    """The sheets whose formulas follow the assumptions."""

    book: Book
    seen: Seen
    simulation: SegmentSimulation
    n_draws: int

    def write(self, front: Sheet) -> Formula:
        """Write them; return the net present value at the central values, as expected."""
        book, whole = self.book, self.simulation.whole
        cashflow = book.sheet("cashflow")
        results_page = book.sheet("results")
        stress = write_stress(results_page, whole.assumptions.title)
        given = write_assumptions(book, whole.assumptions, study_scenarios(self.simulation))
        self._divide()
        results = write_scenarios(book, whole.assumptions, given)
        self._page("scenarios").set_column(0, 0, LABELS)
        central = self._central(results)
        write_cashflow(cashflow, self.seen, self.simulation, given, central)
        drawn = book.sheet("draws")
        columns = write_draws(drawn, whole, stress, self.n_draws)
        drawn.say(2, 0, "study.warning.draws", "warning")
        headline = _Headline(headline_of(self.seen, self.simulation))
        n_replicates, n_each = whole.shape
        count = n_replicates * n_each
        write_results(results_page, results, columns, headline, stress, given.hurdle, count)
        same = self._audit(results, given, len(columns["npv"].values))
        drawn.state(draws_sheet.STATE, 0, same)
        results_page.state(results_sheet.STATE, 0, same)
        front.state(STATE, 0, same)
        return central.views["expected"].npv

    def _central(self, results: list[Result]) -> Result:
        """Return the headline programme at the central values."""
        found = [r for r in results if r.scenario == CENTRAL and r.accounting == ACCOUNTING]
        return found[-1]

    def _page(self, key: str) -> Any:
        return self.book.file.get_worksheet_by_name(
            say(f"workbook.sheet.{key}", self.seen.language)
        )

    def _divide(self) -> None:
        """Draw a line above the first input of every segment, and make room for long bases."""
        assumptions, owner = self.simulation.whole.assumptions, self.simulation.expanded.owner
        page, previous = self._page("assumptions"), None
        page.set_column(BASE, BASE, BASE_WIDTH)
        line = self.book.file.add_format({"top": 1, "top_color": "#1F2933"})
        rule = {"type": "formula", "criteria": "=TRUE", "format": line}
        for row, (name, entry) in enumerate(assumptions.inputs.items(), HEAD + 1):
            if (segment := owner.get(name)) != previous:
                page.conditional_format(row, 0, row, LAST, rule)
            previous = segment
            base = base_label(assumptions, entry, self.seen.language)
            texts = (entry.label or name, 46), (base, BASE_WIDTH), (entry.source, 44)
            page.set_row(row, 14.0 * lines(*texts, (entry.note, 60)))

    def _audit(self, results: list[Result], given: Given, n_shown: int) -> Formula:
        """Write the sheet of audit; return the condition that nothing was changed."""
        values = {
            scenario: {name: cell.value for name, cell in cells.items()}
            for scenario, cells in given.values.items()
        }
        seed = self.seen.findings.run.get("seed", "")
        return write_audit(
            self.book,
            self.simulation.whole,
            results,
            values,
            int(seed) if seed.isdecimal() else None,
            versions(self.seen) or None,
            n_shown,
        )


def _mark_plug_in(book: Book) -> None:
    """Say on every sheet that the fitted model entered with its means only."""
    text = say("workbook.study.plug_in", book.language)
    for page in book.file.worksheets():
        page.write_string(0, LABEL, text, book.style("warning"))
        page.set_header(f"&C{text}")
