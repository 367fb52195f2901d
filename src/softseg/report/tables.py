"""Rows of the page's tables, every cell a text ready to print."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from softseg.inference.verdicts import SIGNS, quantity
from softseg.report import style
from softseg.report.amounts import (
    amount,
    cell,
    customers,
    fixed,
    percent,
    plain_number,
    scaled,
    share_interval,
)
from softseg.report.facts import VERDICTS, Facts, Line, clean, say_measure
from softseg.report.text import Phrase, held_by_top, phrases

STRONG, VERY_STRONG = 0.3, 0.8
"""Strength of a departure from the base (about sd) from which a cell is tinted, and deeper."""
RELATED_P, RELATED_FROM = 0.01, 0.06
"""Gaps are said to go along with a column when customers with a gap differ this surely, and when
the chance that one of them has the larger value is this far from one half."""
TOPS = (0.05, 0.15, 0.5)
"""Shares of the most valuable customers for which their part of the value is said."""


@dataclass(frozen=True)
class Card:
    """One segment at a glance."""

    number: str
    name: str
    colour: str
    customers: str
    customers_interval: str
    share: str
    values: list[tuple[str, str, str]]
    phrases: list[Phrase]
    small: bool


@dataclass(frozen=True)
class Cell:
    """One segment's value in a line of the profile."""

    mean: str
    interval: str
    tint: str
    mark: str


@dataclass(frozen=True)
class ProfileRow:
    """One line of the profile table; `span` is the number of lines of its indicator, or 0."""

    label: str
    span: int
    measure: str
    unit: str
    base: str
    cells: list[Cell]
    power: str


def cards(facts: Facts) -> list[Card]:
    """Return a card for every segment."""
    count, share = facts.size("customers"), facts.size("share")
    found = []
    for k in range(facts.n_segments):
        values = []
        for column in facts.value_names:
            mean, inside = share_interval(facts.value(column)[k], facts.language)
            values.append((facts.value_label(column), mean, inside))
        low, high = (customers(x[k], facts.language) for x in (count.lower, count.upper))
        found.append(
            Card(
                number=str(k + 1) if facts.is_named(k) else "",
                name=facts.segment_names[k],
                colour=style.colour(k),
                customers=customers(count.mean[k], facts.language),
                customers_interval=f"{low}–{high}",
                share=share_interval(share[k], facts.language)[0],
                values=values,
                phrases=phrases(facts, k) if facts.n_segments > 1 else [],
                small=bool(facts.small[k]),
            )
        )
    return found


def profile_rows(facts: Facts) -> list[ProfileRow]:
    """Return the lines of the profile table, indicators by discriminating power."""
    rows = []
    before = None
    for line in facts.lines:
        first = line.indicator != before
        before = line.indicator
        span = sum(other.indicator == line.indicator for other in facts.lines) if first else 0
        shown = scaled(line)
        what = facts.measure_label(line)
        rows.append(
            ProfileRow(
                label=line.label,
                span=span,
                measure=f"{line.level}" if line.level else what,
                unit=shown.unit,
                base=plain_number(shown.base, facts.language),
                cells=_cells(shown, line, facts.language),
                power=percent(line.power, 0, facts.language) if facts.power else "",
            )
        )
    return rows


def _cells(shown: Line, line: Line, language: str) -> list[Cell]:
    strength = line.strength()
    cells = []
    for k in range(len(strength)):
        mean, inside = cell(shown.values[k], language)
        size = abs(strength[k])
        depth = 2 if size >= VERY_STRONG else 1 if size >= STRONG else 0
        direction = "high" if strength[k] > 0 else "low"
        mark = {"high": "▲", "low": "▼"}[direction] if depth else ""
        cells.append(Cell(mean, inside, f"{direction}{depth}" if depth else "", mark))
    return cells


def value_rows(facts: Facts) -> list[dict[str, Any]]:
    """Return totals and shares of the value columns by segment, with sentences on the top."""
    found = []
    for column in facts.value_names:
        total, share = facts.value(column, "value"), facts.value(column)
        unit = facts.value_unit(column)
        rows = []
        for k in range(facts.n_segments):
            mean, low, high = (
                amount(x[k], unit, facts.language) for x in (total.mean, total.lower, total.upper)
            )
            rows.append(
                (
                    facts.numbered_names[k],
                    mean,
                    f"{low} … {high}",
                    *share_interval(share[k], facts.language),
                )
            )
        found.append(
            {
                "label": facts.value_label(column),
                "period": facts.value_period(column),
                "rows": rows,
                "sentence": held_by_top(facts, column, TOPS),
            }
        )
    return found


def certainty_rows(facts: Facts) -> list[tuple[str, list[str], str]]:
    """Return verdict by segment: name, counts, share of clear ones; the last row is the sum."""
    counts = facts.verdict_counts
    counts = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
    names = [*facts.numbered_names, facts.say("report.all_customers")]
    rows = []
    for k, name in enumerate(names):
        clear = counts[0, k] / max(counts[:, k].sum(), 1)
        rows.append(
            (
                name,
                [customers(x, facts.language) for x in counts[:, k]],
                percent(float(clear), 0, facts.language),
            )
        )
    return rows


def verdict_labels(facts: Facts) -> list[str]:
    """Return the verdicts in words."""
    return [facts.say(f"report.verdict.{v.replace(' ', '_')}") for v in VERDICTS]


def gate_rows(facts: Facts) -> list[dict[str, str]]:
    """Return every check of the gate with value, bound and outcome."""
    if facts.diagnosis is None:
        return []
    rows = []
    for check in facts.diagnosis.checks:
        value, bound = check.shown(facts.language)
        outcome = {True: "passed", False: "failed", None: "none"}[check.passed]
        where = check.applies and check.worst
        rows.append({
            "title": facts.say(f"gate.{check.name}.title"),
            "value": value,
            "bound": f"{SIGNS[check.name]} {bound}" if check.applies else "",
            "outcome": outcome,
            "word": facts.say(f"report.outcome.{outcome}"),
            "where": quantity(check.worst, facts.language, facts.labels()) if where else "",
        })  # fmt: skip
    return rows


def choice_rows(table: Any, language: str) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the choice of K."""
    columns = [c for c in CHOICE if c in table]
    head = [say_measure(f"report.criterion.{c}", c, language) for c in columns]
    rows = []
    for record in table[columns].to_dict("records"):
        rows.append([_choice_cell(c, record[c], language) for c in columns])
    return head, rows


CHOICE = {
    "n_segments": 0, "bic": 0, "icl": 0, "elpd_loo": 0, "elpd_loo_se": 0, "n_bad_k": 0,
    "log_evidence": 1, "log_evidence_se": 2, "p_k": 2, "p_occupied": 2,
    "entropy_r2": 2, "hit_rate": 2, "smallest_segment": 0, "shift": 2, "fit_status": -1,
    "gate_status": -1,
}  # fmt: skip


def _choice_cell(column: str, x: Any, language: str) -> str:
    if CHOICE[column] < 0:
        return say_measure(f"report.status.{x}", str(x), language)
    return fixed(float(x), CHOICE[column], language)


def prior_rows(facts: Facts) -> list[tuple[str, str, str, str]]:
    """Return label, family, parameter and prior of every parameter."""
    rows = []
    for name, entry in facts.indicators.items():
        frozen = (entry.get("frozen") or {}).get("priors") or {}
        for parameter, prior in {**frozen, **(entry.get("priors") or {})}.items():
            several = prior if isinstance(prior, list) else [prior]
            rows.append(
                (
                    facts.label(name),
                    clean(entry.get("family", "")),
                    clean(parameter),
                    "; ".join(_prior(p) for p in several),
                )
            )
    return rows


def _prior(prior: Any) -> str:
    if not isinstance(prior, dict):
        return clean(prior)
    numbers = ", ".join(f"{k} = {_short(v)}" for k, v in prior.items() if k != "distribution")
    return clean(f"{prior.get('distribution', '')}({numbers})")


def _short(value: Any) -> str:
    if isinstance(value, list) and len(set(map(str, value))) == 1 and len(value) > 1:
        return f"{_short(value[0])} × {len(value)}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def gap_rows(facts: Facts) -> list[tuple[str, str]]:
    """Return indicators with gaps and their share of customers, the largest first."""
    order = sorted(facts.gaps.items(), key=lambda entry: -entry[1])
    return [(facts.label(name), percent(share, 1, facts.language)) for name, share in order]


def gap_sentences(facts: Facts) -> list[str]:
    """Return the sensitivity lines: gaps that go along with value, or that none do."""
    if not facts.gaps:
        return []
    found = []
    looked_at = facts.attribute("missing_related") or []
    for entry in looked_at:
        more = float(entry["superiority"])
        if entry["p_value"] >= RELATED_P or abs(more - 0.5) < RELATED_FROM:
            continue
        found.append(
            facts.say(
                "report.data.more" if more > 0.5 else "report.data.less",
                indicator=facts.label(entry["indicator"]),
                column=facts.column_label(entry["column"]),
                share=percent(max(more, 1.0 - more), 0, facts.language),
            )
        )
    if found:
        return [*found, facts.say("report.data.related")]
    return [facts.say("report.data.unrelated" if looked_at else "report.data.few_gaps")]
