"""The audit sheet: live checks against the model, where every input comes from, and the run."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final

import numpy as np
from xlsxwriter.utility import xl_range, xl_rowcol_to_cell

from softseg.decisions.answers.scenarios import deterministic
from softseg.decisions.inputs.columns import choice, heading, unit_label
from softseg.decisions.inputs.dependence import original
from softseg.decisions.inputs.ranges import Marginal, marginal
from softseg.decisions.inputs.schema import Assumptions, Input
from softseg.decisions.inputs.units import read_unit
from softseg.decisions.model.simulate import Simulation
from softseg.decisions.tree import assumptions_hash
from softseg.report.workbook.cells import Book, Sheet
from softseg.report.workbook.formula import Formula, literal
from softseg.report.workbook.inputs_sheet import lines, number_kind
from softseg.report.workbook.labels import plain_number, programme_label, scenario_label
from softseg.report.workbook.scenario_sheet import Result
from softseg.wording import number, say

TOLERANCE: Final = 1e-9
"""Relative difference up to which a recalculated number counts as the same."""
QUANTILES: Final = (0.05, 0.5, 0.95)
STATED: Final = 15
"""Digits of a number that somebody stated: all of them."""
SAME_LAW: Final = 0.02
"""By how much the probability of many draws' median may differ from ½ under the input's range."""
WIDTHS: Final = (46, 24, 26, 26, 18, 18, 18, 18, 40, 14, 14, 14, 14, 60)
PACKAGES: Final = ("numpy", "scipy", "xlsxwriter")
CHECKS: Final = (
    "scenario",
    "accounting",
    "programme",
    "view",
    "recalculated",
    "python",
    "difference",
    "check",
)
SAID: Final = ("scenario", "accounting", "programme", "view")
"""Columns of the checks that hold text."""
OK: Final = "OK"


def write_audit(
    book: Book,
    simulation: Simulation,
    results: Sequence[Result],
    values: Mapping[str, Mapping[str, float]],
    seed: int | None,
    versions: Mapping[str, str] | None,
    n_shown: int,
) -> Formula:
    """Write the sheet and return the condition that all checks agree, for other sheets.

    Parameters
    ----------
    book
        The workbook.
    simulation
        What was drawn.
    results
        References to what the scenarios return.
    values
        Value of every input by scenario and id, in base units.
    seed, versions
        Of the draws, as far as the caller knows them.
    n_shown
        Number of draws in the workbook.
    """
    sheet = book.sheet("audit")
    sheet.say(0, 0, "title.audit", "title")
    sheet.text(1, 0, simulation.assumptions.title)
    for column, width in enumerate(WIDTHS):
        sheet.page.set_column(column, column, width)
    sheet.page.freeze_panes(2, 1)
    sheet.page.repeat_columns("A:A")
    sheet.page.fit_to_pages(2, 0)
    row = _run(sheet, simulation, seed, versions, n_shown, 3)
    row, same = _checks(sheet, simulation, results, values, row + 1)
    row = _inputs(sheet, simulation, row + 1)
    _dependence(sheet, simulation, row + 1)
    return same


def _run(
    sheet: Sheet,
    simulation: Simulation,
    seed: int | None,
    versions: Mapping[str, str] | None,
    n_shown: int,
    row: int,
) -> int:
    language = sheet.language
    if versions is None:
        versions = {name: version(name) for name in ("softseg", *PACKAGES)}
    unknown = say("workbook.audit.in_manifest", language)
    replicates, draws = simulation.shape
    facts = {
        "hash": assumptions_hash(simulation.assumptions),
        "seed": unknown if seed is None else str(seed),
        "replicates": number(replicates, language),
        "draws": number(draws, language),
        "shown": number(n_shown, language),
        "versions": ", ".join(f"{name} {found}" for name, found in versions.items()),
    }
    sheet.say(row, 0, "part.run", "heading")
    for key, text in facts.items():
        row += 1
        sheet.say(row, 0, f"audit.{key}")
        sheet.text(row, 1, text)
    return row + 1


def _checks(
    sheet: Sheet,
    simulation: Simulation,
    results: Sequence[Result],
    values: Mapping[str, Mapping[str, float]],
    row: int,
) -> tuple[int, Formula]:
    """Write what the scenarios return here and in Python, and whether it agrees.

    Returned are the row below and the condition that all agree.
    """
    sheet.say(row, 0, "part.checks", "heading")
    sheet.say(row + 1, 0, "hint.checks", "hint")
    overall, row = row + 2, row + 3
    for column, key in enumerate(CHECKS):
        sheet.say(row, column, f"check.{key}", "head" if key in SAID else "figure")
    sheet.tall(row, 3)
    first = row + 1
    fixed = {name: deterministic(simulation, given) for name, given in values.items()}
    for result in results:
        for view, adjusted in (("full", False), ("realised", True)):
            row += 1
            found = fixed[result.scenario].outcome(result.accounting, adjusted, result.programme)
            _labels(sheet, row, result, view)
            _check(sheet, row, result.views[view].npv, found.npv.item())
    verdicts = xl_range(first, len(CHECKS) - 1, row, len(CHECKS) - 1)
    sheet.say(overall, 0, "check.overall")
    count = row - first + 1
    text = f'IF(COUNTIF({verdicts},"{OK}")={count},"{OK}",{count}-COUNTIF({verdicts},"{OK}"))'
    sheet.formula(overall, 1, Formula(text, 0.0), "plain", strong=True, shown=OK)
    place = xl_rowcol_to_cell(overall, 1, row_abs=True, col_abs=True)
    return row + 1, Formula(f'{sheet.name}!{place}="{OK}"', 1.0)


def _labels(sheet: Sheet, row: int, result: Result, view: str) -> None:
    sheet.text(row, 0, scenario_label(result.scenario, sheet.language))
    sheet.say(row, 1, f"accounting.{result.accounting}")
    sheet.text(row, 2, programme_label(result.programme, sheet.language))
    sheet.say(row, 3, f"line.view_short.{view}")


def _check(sheet: Sheet, row: int, here: Formula, python: float) -> None:
    here = sheet.formula(row, 4, here, "money")
    there = sheet.number(row, 5, python, "money")
    apart = here - there
    allowed = f"{literal(TOLERANCE).text}*MAX(1,ABS({there.text}))"
    agrees = abs(apart.value) <= TOLERANCE * max(1.0, abs(python))
    difference = Formula(
        f"IF(ABS({apart.text})<={allowed},0,{apart.text})", 0.0 if agrees else apart.value
    )
    difference = sheet.formula(row, 6, difference, "money")
    verdict = Formula(f'IF({difference.text}=0,"{OK}",{difference.text})', difference.value)
    sheet.formula(row, 7, verdict, "verdict", shown=OK if agrees else apart.value)


def _inputs(sheet: Sheet, simulation: Simulation, row: int) -> int:
    """Write of every input where it comes from, how it was read, and what was drawn."""
    language, assumptions = sheet.language, simulation.assumptions
    sheet.say(row, 0, "part.inputs", "heading")
    row += 1
    heads = [heading(key, language) for key in ("label", "id", "evidence", "owner", "date")]
    heads += [say(f"workbook.audit.{key}", language) for key in ("family", "read")]
    heads += ["", say("workbook.audit.parameters", language), heading("unit", language)]
    heads += [say("workbook.audit.quantile", language, level=_percent(p)) for p in QUANTILES]
    heads += [heading("source", language)]
    for column, text in enumerate(heads):
        sheet.text(row, column, text, "figure" if column in (10, 11, 12) else "head")
    sheet.tall(row, 3)
    for name, entry in assumptions.inputs.items():
        row += 1
        _origin(sheet, row, name, entry)
        law = _law(simulation, name)
        given = law is None
        family = say("workbook.family.given", language) if given else _family(law, language)
        sheet.text(row, 5, family)
        sheet.text(row, 6, _how_read(assumptions, entry, language))
        sheet.text(row, 8, "" if given else _parameters(law, language))
        sheet.text(row, 9, unit_label(entry.unit, language))
        drawn = simulation.draws.values.get(name)
        if drawn is not None:
            scale = read_unit(entry.unit).scale
            for column, x in enumerate(np.quantile(drawn, QUANTILES) / scale, 10):
                x = float(f"{x:.12g}")
                sheet.number(row, column, x, number_kind(entry, x))
        sheet.text(row, 13, entry.source, "wrapped_apart")
        sheet.tall(row, lines((entry.label or name, 46), (entry.source, 60)))
    return row + 1


def _origin(sheet: Sheet, row: int, name: str, entry: Input) -> None:
    sheet.text(row, 0, entry.label or name, "wrapped")
    sheet.text(row, 1, name)
    sheet.text(row, 2, choice("evidence", entry.evidence, sheet.language))
    sheet.text(row, 3, entry.owner)
    sheet.date(row, 4, entry.date)


def _law(simulation: Simulation, name: str) -> Marginal | None:
    """Return the distribution of an input, None where its draws come from elsewhere."""
    source = original(simulation.assumptions, name)
    law = marginal(simulation.assumptions.inputs[source])
    drawn = simulation.draws.values.get(name)
    if drawn is None or law.family == "samples" or (law.is_point and drawn.size == 1):
        return law
    middle = float(law.cdf(np.median(drawn)))
    return law if abs(middle - 0.5) < SAME_LAW + drawn.size**-0.5 else None


def _family(law: Marginal, language: str) -> str:
    if law.family in ("point", "samples"):
        return say(f"workbook.family.{law.family}", language)
    return choice("family", law.family, language)


def _parameters(law: Marginal, language: str) -> str:
    parts = [
        f"{name} = {plain_number(x, language, STATED if name == 'value' else 6)}"
        for name, x in law.parameters.items()
    ]
    return "; ".join(parts)


def _how_read(assumptions: Assumptions, entry: Input, language: str) -> str:
    """Return in words how the numbers of an input were read."""
    if entry.same_as is not None:
        label = assumptions.inputs[entry.same_as].label or entry.same_as
        return say("workbook.read.same_as", language, input=label)
    if entry.samples is not None:
        return say("workbook.read.samples", language, count=number(len(entry.samples), language))
    if entry.low is None or entry.high is None:
        return say("workbook.read.point", language)
    shown = {
        key: plain_number(x, language, STATED)
        for key, x in (("low", entry.low), ("likely", entry.likely), ("high", entry.high))
        if x is not None
    }
    key = "range" if entry.likely is None else "three_points"
    return say(f"workbook.read.{key}", language, sure=_percent(entry.sure), **shown)


def _dependence(sheet: Sheet, simulation: Simulation, row: int) -> None:
    """Write which rank correlations had to change so that all fit together."""
    changes = simulation.draws.changes
    sheet.say(row, 0, "part.dependence", "heading")
    if not changes:
        sheet.say(row + 1, 0, "audit.no_changes")
        return
    for column, key in enumerate(("first", "second", "asked", "got")):
        sheet.say(row + 1, column, f"audit.pair.{key}", "head")
    for i, (first, second, asked, got) in enumerate(changes, row + 2):
        sheet.text(i, 0, first)
        sheet.text(i, 1, second)
        sheet.number(i, 2, asked, "ratio")
        sheet.number(i, 3, got, "ratio")


def _percent(share: float) -> str:
    return f"{100 * share:.6g}"
