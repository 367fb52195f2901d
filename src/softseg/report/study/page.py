"""The report of a study: one offline HTML file from the customer table to the decision."""

from pathlib import Path
from typing import Any, Final

from softseg.decisions.segments.findings import Findings
from softseg.inference.verdicts import Check, explain
from softseg.report import style
from softseg.report import tables as segment_tables
from softseg.report.amounts import customers
from softseg.report.facts import clean
from softseg.report.migration.text import panel_lines
from softseg.report.roi import tables as roi_tables
from softseg.report.roi import text as roi_text
from softseg.report.study import money, moves, pictures, tables, text
from softseg.report.study.facts import StudyFacts, kept
from softseg.report.study.withheld import SeenFacts
from softseg.report.templating import template
from softseg.report.text import Phrase, phrases, value_inside, value_origin
from softseg.results.files import replace_file
from softseg.wording import say

GLOSSARY: Final = ("segment", "membership", "interval", "verdict", "power")
ROI_GLOSSARY: Final = ("npv", "roi", "payback", "margin", "counterfactual", "variance")
OWN_GLOSSARY: Final = ("ledger", "lever", "judgement", "case", "net_value")


def write_study_report(
    findings: Findings, path: Path | str, figures: dict[str, str] | None = None
) -> Path:
    """Write the report of a study as one HTML file and return its path.

    Parameters
    ----------
    findings
        What the study found.
    path
        File to write; it is replaced at once or not at all.
    figures
        Takes the figures of the page as SVG by name, for files of their own.

    Raises
    ------
    FileError
        Where the file cannot be written.
    """
    page = render(findings, figures)
    replace_file(path, page.encode("utf-8"), findings.language)
    return Path(path)


def render(findings: Findings, figures: dict[str, str] | None = None) -> str:
    """Return the report of a study as HTML; see `write_study_report`."""
    facts = StudyFacts(findings)
    drawn = pictures.all_of(facts)
    if figures is not None:
        figures.update({name: str(svg) for name, svg in drawn.items() if svg})
    context: dict[str, Any] = {
        "language": facts.language,
        "say": facts.say,
        "say_segments": lambda key, **values: kept(say(f"report.{key}", facts.language, **values)),
        "fonts": style.PAGE_FONTS,
        "facts": facts,
        "figures": drawn,
        "title": text.title(facts),
        "subtitle": _subtitle(facts),
        "passed": facts.passed,
        "money_shown": facts.money_shown,
        "plug_in": facts.plug_in,
        "summary": text.summary(facts),
        "checklist": tables.checklist_rows(facts),
    }
    context |= _verdicts(facts) | _data(facts) | _audit(facts)
    if facts.passed:
        context |= _segments(facts)
    if facts.money_shown:
        context |= _strategies(facts) | _whole(facts) | moves.context(facts)
    return template("study.html").render(context)


def _subtitle(facts: StudyFacts) -> str:
    n = customers(facts.every.total_customers, facts.language)
    return facts.say("subtitle", customers=n, indicators=len(facts.every.indicators))


def _verdicts(facts: StudyFacts) -> dict[str, Any]:
    """Return what stands above everything: failed checks, and what still stands."""
    every = facts.every
    failed = every.diagnosis.failed if every.diagnosis is not None else ()
    found = facts.findings.fallback
    bad = not facts.passed or (found is not None and found.case != "fit_doubtful")
    warnings = every.diagnosis.warnings(facts.language) if every.diagnosis is not None else []
    return {
        "fallback": found,
        "bad": bad,
        "failed": [_explained(facts, check) for check in failed],
        "unjudged": every.diagnosis is None,
        "warnings": warnings,
        "provisional": facts.passed and found is not None and bad,
    }


def _explained(facts: StudyFacts, check: Check) -> tuple[str, str, str]:
    """Return what failed, why it matters and what to do, without the size of a small segment."""
    what, why, remedy = explain(check, facts.language, facts.every.labels())
    if check.name == "sizes" and (check.value or 0.0) < facts.findings.smallest_cell:
        short = facts.say("withheld.short", smallest=facts.smallest)
        what = f"{say('gate.sizes.title', facts.language)}: {short}"
    return what, why, remedy


def _data(facts: StudyFacts) -> dict[str, Any]:
    every = facts.every
    verdict = every.fit_verdict
    dropped = every.attribute("dropped_columns") or {}
    n = customers(every.total_customers, facts.language)
    names = [facts.name(k) for k in range(1, every.n_segments + 1)]
    ledger = facts.findings.ledger
    return {
        "data_line": _data_line(facts, n),
        "panel": panel_lines(every),
        "ledger": tables.ledger_rows(facts),
        "ledger_message": "" if ledger is None else ledger.message(facts.language),
        "gaps": tables.gap_rows(facts),
        "gap_sentences": segment_tables.gap_sentences(every),
        "dropped": [(every.label(k), clean(v)) for k, v in dropped.items()],
        "fit_text": verdict.text(facts.language) if verdict and facts.passed else "",
        "advice": verdict.advice(facts.language, names, every.labels())
        if verdict and facts.passed else [],
    }  # fmt: skip


def _data_line(facts: StudyFacts, customers: str) -> str:
    """Return of how many customers the study is."""
    every = facts.every
    values = {"customers": customers, "indicators": len(every.indicators)}
    if not facts.findings.has_panel:
        return every.say("report.data.customers", **values)
    last = clean(every.attribute("periods")[-1])
    return facts.say("data.panel", last=last, **values)


def _segments(facts: StudyFacts) -> dict[str, Any]:
    head, rows = tables.choice_table(facts)
    profile = tables.profile_rows(facts)
    return {
        "criteria": text.criteria(facts),
        "power": tables.power_rows(facts),
        "size_head": tables.size_head(facts),
        "sizes": tables.size_rows(facts),
        "value_note": value_origin(facts.every) if value_inside(facts.every) else "",
        "withheld_note": text.withheld_note(facts),
        "certainty_line": text.certainty(facts),
        "verdict_names": segment_tables.verdict_labels(facts.every),
        "certainty": tables.certainty_rows(facts),
        "choice_text": text.choice(facts),
        "choice_head": head,
        "choice_rows": rows,
        "portraits": _portraits(facts),
        "profile": profile,
        "profile_names": [facts.numbered(k + 1) for k in facts.withheld.shown],
        "cells_withheld": any(mask.any() for mask in facts.withheld.lines.values()),
        "concentration_line": text.concentration(facts),
    }


def _portraits(facts: StudyFacts) -> list[tuple[str, str, list[Phrase]]]:
    """Return name, colour and what distinguishes it, for every segment that is shown."""
    found = []
    for position, k in enumerate(facts.withheld.shown):
        seen = SeenFacts(facts.withheld.tree_of_segments, facts.language, facts.withheld, k)
        said = phrases(seen, position, 5) if facts.every.n_segments > 1 else []
        found.append((facts.numbered(k + 1), style.colour(k), said))
    return found


def _strategies(facts: StudyFacts) -> dict[str, Any]:
    year_head, years = money.year_rows(facts)
    return {
        "strategies": money.strategies(facts),
        "year_head": year_head,
        "years": years,
        "reach": text.reach(facts),
        "pooled": text.pooled(facts),
        "untreated": text.untreated(facts),
        "segment_money": money.segment_rows(facts),
        "choices": money.choice_rows(facts),
        "treat": text.treat(facts),
        "first_customers": text.first_customers(facts),
    }


def _whole(facts: StudyFacts) -> dict[str, Any]:
    roi = facts.roi
    return {
        "say_roi": roi.say,
        "headline": roi_tables.headline_rows(roi),
        "programmes": roi_tables.programme_rows(roi),
        "programme_names": roi_tables.programme_names(roi),
        "bridge_lead": roi_text.bridge_lead(roi),
        "captions": roi_text.captions(roi),
        "break_even": roi_text.break_even_lines(roi),
        "driver_lines": [text.drivers(facts)],
        "split_note": text.split_note(facts),
        "split": money.split_rows(facts),
        "resolve": text.resolve(facts),
        "questions": money.question_rows(facts),
        "number_line": text.number(facts),
        "numbers": money.number_rows(facts),
        "regret_line": text.regret(facts),
        "regret": money.regret_rows(facts),
        "implied_line": text.implied(facts),
        "implied": money.implied_rows(facts),
    }


def _audit(facts: StudyFacts) -> dict[str, Any]:
    found: dict[str, Any] = {
        "gate": tables.gate_rows(facts),
        "record": tables.record_rows(facts),
        "glossary": _glossary(facts),
    }
    if facts.money_shown:
        rows = tables.assumption_rows(facts)
        found |= {
            "evidence_rows": tables.evidence_rows(facts),
            "unowned": tables.unowned(facts, rows),
            "assumptions": rows,
        }
    return found


def _glossary(facts: StudyFacts) -> list[tuple[str, str]]:
    names = [*OWN_GLOSSARY, "k_means"] if facts.part("regret") is not None else OWN_GLOSSARY
    own = [(facts.say(f"word.{g}"), facts.say(f"meaning.{g}")) for g in names]
    segments = [
        (
            facts.every.say(f"report.glossary.{g}.term"),
            kept(facts.every.say(f"report.glossary.{g}.text")),
        )
        for g in GLOSSARY
    ]
    if not facts.money_shown:
        return sorted([*own[:1], *segments], key=lambda entry: entry[0].lower())
    of_money = [(facts.roi.say(f"word.{g}"), facts.roi.say(f"meaning.{g}")) for g in ROI_GLOSSARY]
    return sorted([*own, *segments, *of_money], key=lambda entry: entry[0].lower())
