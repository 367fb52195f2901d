"""The sheet of evidence: the ledger, what fixes the run, who answers for which input."""

from typing import Final

import xarray as xr

from softseg.decisions.inputs.columns import choice, heading
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.decisions.tree import assumptions_hash
from softseg.report.workbook.labels import role_label
from softseg.report.workbook.study_page import Amount, Page
from softseg.report.workbook.study_seen import Seen
from softseg.wording import number, say

WIDTHS: Final = (54, 24, 26, 22, 22, 14, 60)
STEPS: Final = ("prepared", "analysed", "decided", "implemented", "reviewed")
FACTS: Final = ("seed", "data_hash")
"""What the run says besides versions."""
ORIGIN: Final = ("label", "segment", "role", "evidence", "owner", "date", "source")


def write_evidence(page: Page, seen: Seen, simulation: SegmentSimulation | None) -> None:
    """Write the sheet."""
    _ledger(page, seen)
    _run(page, seen, simulation)
    _checklist(page, seen)
    if simulation is not None:
        _accounting(page, seen)
        _grades(page, seen)
        _inputs(page, seen, simulation)
    page.close()


def versions(seen: Seen) -> dict[str, str]:
    """Return the versions of the run by package."""
    return {name: text for name, text in seen.findings.run.items() if name not in FACTS}


def _ledger(page: Page, seen: Seen) -> None:
    ledger = seen.findings.ledger
    page.heading("evidence.ledger")
    if ledger is None:
        page.paragraph(page.say("evidence.no_ledger"))
        return
    page.paragraph(ledger.message(seen.language), alarm=not ledger.within)
    rows = {
        "table": Amount(ledger.table_total),
        "ledger": Amount(ledger.ledger_total),
        "difference": Amount(ledger.difference),
        "share": Amount(ledger.share, "share"),
        "tolerance": Amount(ledger.tolerance, "share"),
        "customers_now" if seen.findings.has_panel else "customers": Amount(
            ledger.customers, "grouped"
        ),
        "unknown": Amount(ledger.unknown_customers, "grouped"),
    }
    for key, amount in rows.items():
        page.line(page.say(f"ledger.{key}"), amount)


def _run(page: Page, seen: Seen, simulation: SegmentSimulation | None) -> None:
    run, language = seen.findings.run, seen.language
    page.heading("evidence.run")
    facts = {
        "gate": page.say(f"gate.{seen.findings.gate}"),
        "fit": page.say(f"fit.{seen.findings.fit}"),
    }
    if simulation is not None:
        replicates, draws = simulation.whole.shape
        facts |= {
            "hash": assumptions_hash(simulation.whole.assumptions),
            "draws": number(replicates * draws, language),
            "samples": number(simulation.value.sizes["sample"], language),
        }
    facts |= {name: run[name] for name in FACTS if name in run}
    facts["versions"] = ", ".join(f"{name} {text}" for name, text in versions(seen).items())
    for key, text in facts.items():
        page.sheet.text(page.row, 0, page.say(f"run.{key}"))
        page.sheet.text(page.row, 1, text)
        page.row += 1


def _checklist(page: Page, seen: Seen) -> None:
    page.heading("evidence.checklist")
    for step in STEPS:
        text = seen.findings.checklist.get(step, "") or page.say("checklist.open")
        page.sheet.text(page.row, 0, page.say(f"checklist.{step}"))
        page.sheet.text(page.row, 1, text)
        page.row += 1


def _accounting(page: Page, seen: Seen) -> None:
    """Write what each accounting counts, and what every step changes: nothing here is random."""
    page.heading("evidence.accounting")
    page.hint("hint.accounting")
    answers = seen.findings.answers
    if answers is None:
        page.paragraph(page.say("not_computed"))
        return
    page.head("step", "change", "error", "after", "error")
    for step in map(str, answers.bridge["step"].to_numpy()):
        one: xr.Dataset = answers.bridge.sel(step=step)
        names = "change", "change_error", "value", "value_error"
        cells = [Amount(float(one[name])) for name in names]
        page.line(say(f"roi_report.step.{step}", seen.language), *cells)


def _grades(page: Page, seen: Seen) -> None:
    """Write on which grade of evidence the width of the band rests."""
    if seen.findings.answers is None:
        return
    page.heading("evidence.grades")
    page.hint("hint.grades")
    page.head("evidence", "share_of_variance", "error")
    of_npv = seen.findings.answers.evidence.sel(outcome="npv")
    for grade in map(str, of_npv["evidence"].to_numpy()):
        one = of_npv.sel(evidence=grade)
        share, error = float(one["share"]), float(one["share_error"])
        label = choice("evidence", grade, seen.language)
        page.line(label, Amount(share, "share"), Amount(error, "fine"))


def _inputs(page: Page, seen: Seen, simulation: SegmentSimulation) -> None:
    """Write grade of evidence and owner of every input, the company's first, then by segment."""
    page.heading("evidence.inputs")
    language, owner = seen.language, simulation.expanded.owner
    for column, key in enumerate(ORIGIN):
        text = page.say("column.segment") if key == "segment" else heading(key, language)
        page.sheet.text(page.row, column, text, "head")
    page.row += 1
    for name, entry in simulation.whole.assumptions.inputs.items():
        k = owner.get(name)
        segment = page.say("company") if k is None else seen.name(k)
        stated = entry.evidence != "own_posterior"
        of_segment = seen.treated[k].owner if k in seen.treated and stated else ""
        who = entry.owner or of_segment
        role, grade = role_label(entry, language), choice("evidence", entry.evidence, language)
        page.line(entry.label or name, segment, role, grade, who, "", entry.source)
        page.sheet.date(page.row - 1, ORIGIN.index("date"), entry.date)
