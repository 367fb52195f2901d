"""Rows of the tables on data, segments and profiles, every cell a text ready to print."""

from typing import Any, Final

import numpy as np

from softseg.report import tables
from softseg.report.amounts import customers, fixed, percent, share_interval
from softseg.report.facts import VERDICTS, Facts, clean
from softseg.report.roi import numbers
from softseg.report.study.facts import HIGH, LOW, StudyFacts
from softseg.report.study.withheld import key_of
from softseg.wording import money as plain_money

MOST_VALUES: Final = 3
"""Value columns in the table of sizes; the workbook has all."""
STEPS: Final = ("prepared", "analysed", "decided", "implemented", "reviewed")


def ledger_rows(facts: StudyFacts) -> list[tuple[str, str]]:
    """Return the table beside the ledger."""
    ledger = facts.findings.ledger
    if ledger is None:
        return []

    def amount(x: float) -> str:
        return plain_money(x, ledger.currency, facts.language).replace("-", "\N{MINUS SIGN}")

    values = {
        "ledger": amount(ledger.ledger_total),
        "table": amount(ledger.table_total),
        "difference": f"{amount(ledger.difference)} ({percent(ledger.share, 1, facts.language)})",
        "tolerance": percent(ledger.tolerance, 1, facts.language),
        "customers": customers(ledger.customers, facts.language),
        "unknown": _count(facts, ledger.unknown_customers),
    }
    if facts.findings.has_panel:  # the totals hold those who have left as well
        values = {"customers_now" if k == "customers" else k: v for k, v in values.items()}
    return [(facts.say(f"ledger.{name}"), text) for name, text in values.items()]


def _count(facts: StudyFacts, n: float) -> str:
    """Return a number of customers, small ones other than none without their number."""
    if 0 < n < facts.findings.smallest_cell:
        return facts.say("withheld.short", smallest=facts.smallest)
    return customers(n, facts.language)


def gap_rows(facts: StudyFacts) -> list[tuple[str, str]]:
    """Return indicators with gaps and their share of customers, the largest first."""
    every = facts.every
    rows = []
    for name, share in sorted(every.gaps.items(), key=lambda entry: -entry[1]):
        few = share * every.total_customers < facts.findings.smallest_cell
        text = percent(share, 1, facts.language)
        shown = facts.say("withheld.fewer", smallest=facts.smallest) if few else text
        rows.append((every.label(name), shown))
    return rows


def power_rows(facts: StudyFacts) -> list[tuple[str, str, str]]:
    """Return the indicators by discriminating power: label, per cent, width of its bar in %."""
    order = sorted(facts.every.power.items(), key=lambda entry: -entry[1])
    most = max((x for _, x in order), default=0.0) or 1.0
    return [
        (facts.every.label(name), percent(x, 0, facts.language), f"{100 * max(x, 0.0) / most:.0f}")
        for name, x in order
    ]


def size_rows(facts: StudyFacts) -> list[dict[str, Any]]:
    """Return the size of every segment, or why it is not shown."""
    every = facts.every
    count, share = every.size("customers"), every.size("share")
    rows = []
    for k in range(every.n_segments):
        row: dict[str, Any] = {"name": every.numbered_names[k], "absent": ""}
        if not facts.is_shown(k + 1):
            row["absent"] = facts.absent(k + 1)
            rows.append(row)
            continue
        low, high = (customers(x[k], facts.language) for x in (count.lower, count.upper))
        row["cells"] = [
            (customers(count.mean[k], facts.language), f"{low}–{high}"),
            share_interval(share[k], facts.language),
        ]
        for column in every.value_names[:MOST_VALUES]:
            row["cells"].append(share_interval(every.value(column)[k], facts.language))
        rows.append(row)
    return rows


def size_head(facts: StudyFacts) -> list[str]:
    """Return the heads of the columns of `size_rows`."""
    every = facts.every
    head = [facts.word("size", "customers"), facts.word("size", "share")]
    labels = [every.value_label(column) for column in every.value_names[:MOST_VALUES]]
    return [*head, *(facts.say("size.value", value=label) for label in labels)]


def certainty_rows(facts: StudyFacts) -> list[tuple[str, list[str]]]:
    """Return verdicts by segment in customers; the last row is the sum over all segments."""
    counts, hidden = facts.every.verdict_counts, facts.withheld.verdicts
    rows = []
    for k in facts.withheld.shown:
        cells = []
        for v in range(len(VERDICTS)):
            small = 0 < counts[v, k] < facts.findings.smallest_cell
            key = "withheld.short" if small else "withheld.cell"
            cells.append(
                facts.say(key, smallest=facts.smallest)
                if hidden[v, k]
                else customers(counts[v, k], facts.language)
            )
        rows.append((facts.every.numbered_names[k], cells))
    total = [
        facts.say("withheld.cell") if mask and n >= facts.findings.smallest_cell
        else _count(facts, float(n))
        for n, mask in zip(counts.sum(axis=1), facts.withheld.totals, strict=True)
    ]  # fmt: skip
    return [*rows, (facts.say("everybody"), total)]


def profile_rows(facts: StudyFacts) -> list[tables.ProfileRow]:
    """Return the profile of the segments that are shown, small cells withheld."""
    if not facts.withheld.shown:
        return []
    known = Facts(facts.withheld.tree_of_segments, facts.language)
    rows = tables.profile_rows(known)
    customers_of = facts.every.size("customers").mean
    every = {key_of(line): line for line in facts.every.lines}
    for row, line in zip(rows, known.lines, strict=True):
        mask = facts.withheld.lines[key_of(line)]
        mean = every[key_of(line)].values.mean
        for position, k in enumerate(facts.withheld.shown):
            if mask[k]:
                few = line.is_share and mean[k] * customers_of[k] < facts.findings.smallest_cell
                key = "withheld.short" if few else "withheld.cell"
                text = facts.say(key, smallest=facts.smallest)
                row.cells[position] = tables.Cell(text, "", "", "")
    return rows


def choice_table(facts: StudyFacts) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of the choice of the number of segments, small segments withheld."""
    table = getattr(facts.findings.choice, "table", facts.findings.choice)
    if table is None:
        return [], []
    head, rows = tables.choice_rows(table, facts.language)
    if "smallest_segment" in table:
        at = [c for c in tables.CHOICE if c in table].index("smallest_segment")
        for row, size in zip(rows, table["smallest_segment"], strict=True):
            if size < facts.findings.smallest_cell:
                row[at] = facts.say("withheld.short", smallest=facts.smallest)
    return head, rows


def checklist_rows(facts: StudyFacts) -> list[tuple[str, str, str]]:
    """Return the five steps with what the study knows of each, and what its file says."""
    return [(facts.word("step", step), _known(facts, step), _said(facts, step)) for step in STEPS]


def _said(facts: StudyFacts, step: str) -> str:
    """Return what the study file says: a date in the language's form, or its words."""
    import datetime

    from babel.dates import format_date

    text = str(facts.findings.checklist.get(step, "") or "").strip()
    try:
        return format_date(datetime.date.fromisoformat(text), "medium", facts.language)
    except ValueError:
        return clean(text) if text else facts.say("checklist.open")


def _known(facts: StudyFacts, step: str) -> str:
    found = facts.findings
    if step == "prepared" and found.ledger is not None:
        return facts.say("checklist.ledger" if found.ledger.within else "checklist.ledger_not")
    if step == "analysed":
        fit = facts.word("fit_status", found.fit)
        return facts.say("checklist.analysed" if facts.passed else "checklist.refused", fit=fit)
    choices = facts.part("choices")
    if step == "decided" and choices is not None:
        if not bool(choices["pays"]):
            return facts.say("checklist.decided_not")
        count = int(choices["treat"].sum())
        return facts.say("checklist.decided", count=count, all=choices.sizes["segment"])
    entries = found.programme.segments
    if step == "implemented" and entries:
        owned = sum(bool(entry.owner.strip()) for entry in entries)
        return facts.say("checklist.implemented", count=owned, all=len(entries))
    if step == "reviewed" and entries:
        watched = sum(bool(entry.watch.strip()) for entry in entries)
        return facts.say("checklist.reviewed", count=watched, all=len(entries))
    return ""


def gate_rows(facts: StudyFacts) -> list[dict[str, str]]:
    """Return every check of the gate, the size of a small segment withheld."""
    rows = tables.gate_rows(facts.every)
    checks = facts.every.diagnosis.checks if facts.every.diagnosis is not None else ()
    for row, check in zip(rows, checks, strict=True):
        if check.name == "sizes" and check.value is not None:
            row["value"] = _count(facts, check.value)
    return rows


def evidence_rows(facts: StudyFacts) -> list[tuple[str, str, str]]:
    """Return the grades of evidence: how many assumptions rest on each, and of the variance."""
    roi = facts.roi
    shares = roi.answers.evidence
    rows = []
    for grade in map(str, shares["evidence"].values):
        entries = roi.assumptions.inputs.values()
        count = sum(entry.evidence == grade for entry in entries)
        value, error = roi.number(shares, "share", outcome="npv", evidence=grade)
        shown = roi.share(min(max(value, 0.0), 1.0), error) if np.isfinite(value) else "–"
        rows.append((roi.word("evidence", grade), fixed(count, 0, facts.language), shown))
    return rows


def record_rows(facts: StudyFacts) -> list[tuple[str, str]]:
    """Return what fixes the run: seed, method, hashes and versions."""
    found = dict(facts.findings.run)
    every = facts.every
    rows = {
        "seed": found.pop("seed", "") or every.tree.attrs.get("seed", ""),
        "method": every.tree.attrs.get("method", ""),
        "data_hash": found.pop("data_hash", "") or every.tree.attrs.get("data_hash", ""),
    }
    if facts.findings.simulation is not None:
        from softseg.decisions.tree import assumptions_hash

        rows["assumptions_hash"] = assumptions_hash(facts.findings.simulation.whole.assumptions)
        replicates, draws = facts.findings.simulation.whole.shape
        rows["cases"] = facts.say(
            "record.cases_of",
            all=customers(replicates * draws, facts.language),
            replicates=replicates,
            draws=customers(draws, facts.language),
        )
    versions = dict(every.attribute("versions") or {})
    others = {name: text for name, text in found.items() if not _is_version(text)}
    versions |= {name: text for name, text in found.items() if _is_version(text)}
    shown = ", ".join(f"{clean(k)} {clean(v)}" for k, v in sorted(versions.items()))
    known = {**rows, **others, "versions": shown}
    return [(facts.word("record", name), clean(text)) for name, text in known.items() if str(text)]


def _is_version(text: object) -> bool:
    return str(text)[:1].isdigit() and "." in str(text)


def assumption_rows(facts: StudyFacts) -> list[dict[str, str]]:
    """Return every assumption that may be shown; what the fitted model fills with its range."""
    from softseg.report.roi.assumptions import assumption_rows as rows_of

    simulation, roi = facts.findings.simulation, facts.roi
    if simulation is None:
        return []
    drawn, owners = facts.bases, simulation.expanded.owner
    found = []
    for row in rows_of(roi):
        id = row["id"]
        if id in facts.hidden_inputs:
            continue
        if id in drawn:
            show = roi.money if id in simulation.expanded.bases.values() else _heads(facts)
            low, high = np.quantile(drawn[id], (LOW, HIGH))
            varies = high > low and not facts.plug_in
            mean = show(float(drawn[id].mean()))
            row["range"] = roi.say("to", low=show(low), high=show(high)) if varies else mean
            row["read"] = facts.say("assumptions.drawn" if varies else "assumptions.fixed")
        elif not row["owner"] and id in owners:
            row["owner"] = clean(facts.programmes[owners[id]].owner.strip() or " ")
            row["owner"] = row["owner"].replace("–", "")
        found.append(row)
    return found


def unowned(facts: StudyFacts, rows: list[dict[str, str]]) -> str:
    """Return how many assumptions name no owner, "" where all do; own data need none."""
    inputs = facts.roi.assumptions.inputs
    asked = [row for row in rows if inputs[row["id"]].evidence != "own_posterior"]
    count = sum(not row["owner"] for row in asked)
    return facts.roi.say("assumptions.unowned", count=count, all=len(asked)) if count else ""


def _heads(facts: StudyFacts) -> Any:
    return lambda x: customers(float(x), facts.language)


def capital(text: str) -> str:
    """Return a text with a capital first letter."""
    return text[:1].upper() + text[1:]


def error_words(facts: StudyFacts, error: float) -> str:
    """Return the Monte Carlo error of an amount as it stands behind it."""
    roi = facts.roi
    if not np.isfinite(error) or round(error) == 0:
        return ""
    return numbers.plus_minus(numbers.error_of_money(error, roi.currency, facts.language))
