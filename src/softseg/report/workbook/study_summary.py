"""The first sheet: what the programme brings, what to do with each segment, what the file is."""

from typing import Final

import xarray as xr

from softseg.decisions.segments import number as segments_in_money
from softseg.decisions.segments.resolve import sentence
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.names import SEGMENT
from softseg.report.workbook.formula import Formula
from softseg.report.workbook.study_effects import parts_of
from softseg.report.workbook.study_page import Amount, Cell, Page
from softseg.report.workbook.study_seen import ACCOUNTING, Seen, headline_of

WIDTHS: Final = (50, 15, 15, 15, 15, 15, 14, 18, 30)
LEVELS: Final = (0.05, 0.5, 0.95)
IS: Final = 3
IS_NOT: Final = 4
"""How many sentences say what the file is, and what it is not."""


def write_refusal(page: Page, seen: Seen) -> None:
    """Write the sheet of a study that the gate refused: words, no money."""
    page.heading("summary.refused")
    page.paragraph(page.say("summary.no_money"), alarm=True)
    _fallback(page, seen)
    _ledger(page, seen)
    page.close()


def write_summary(
    page: Page, seen: Seen, simulation: SegmentSimulation, live: Formula | None
) -> None:
    """Write the sheet.

    Parameters
    ----------
    page
        Where to.
    seen, simulation
        What was found, and its draws.
    live
        Reference to the net present value at the central values, None where it is not here.
    """
    if seen.findings.fallback is not None:
        page.heading("summary.verdict")
        _fallback(page, seen)
    _whole(page, seen, simulation, live)
    _segments(page, seen)
    _sentences(page, seen)
    _about(page, seen)
    page.close()


def _fallback(page: Page, seen: Seen) -> None:
    """Write what still stands, what does not, and who must do what."""
    found = seen.findings.fallback
    if found is None:
        return
    page.paragraph(found.title, alarm=True)
    for key, sentences in (("stands", found.stands), ("falls", found.falls), ("todo", found.todo)):
        if sentences:
            page.sheet.text(page.row, 0, page.say(f"fallback.{key}"), "part")
            page.row += 1
        for text in sentences:
            page.paragraph(f"– {text}")


def _whole(page: Page, seen: Seen, simulation: SegmentSimulation, live: Formula | None) -> None:
    """Write the headline of the whole, with bands and errors."""
    page.heading("summary.whole")
    page.hint("hint.errors")
    found = headline_of(seen, simulation).sel(accounting=ACCOUNTING, adjusted=True)
    page.head("quantity", "mean", "error", "low", "median", "high")
    for key, single, drawn, kind in (
        ("npv", "mean_npv", "npv", "money"),
        ("roi", "expected_roi", "roi", "roi"),
        ("payback", None, "payback", "ratio"),
        ("p_positive", "p_npv_positive", None, "roi"),
        ("p_hurdle", "p_roi_above_hurdle", None, "roi"),
    ):
        page.line(page.say(f"summary.{key}"), *_cells(found, single, drawn, kind))
    if live is not None:
        page.line(page.say("summary.live"), Amount(live), strong=True)
        page.hint("hint.live")


def _cells(found: xr.Dataset, single: str | None, drawn: str | None, kind: str) -> list[Amount]:
    fine = "fine" if kind == "roi" else kind
    cells = [Amount(None, kind), Amount(None, kind)]
    if single is not None:
        error = float(found[f"{single}_error"])
        cells = [Amount(float(found[single]), kind), Amount(error, fine)]
    if drawn is not None:
        levels = (float(found[drawn].sel(quantile=p, method="nearest")) for p in LEVELS)
        cells += [Amount(x, kind) for x in levels]
    return cells


def _segments(page: Page, seen: Seen) -> None:
    """Write per segment what treating it is expected to bring, and what to do."""
    page.heading("summary.segments")
    found, chosen = seen.part("by_segment"), seen.part("choices")
    if found is None:
        page.paragraph(page.say("summary.totals_only"))
        return
    if seen.hidden:
        page.hint("hint.not_shown", smallest=f"{seen.findings.smallest_cell:g}")
    page.head("segment", "mean_npv", "error", "low", "median", "high", "p_positive", "decision",
              "owner")  # fmt: skip
    rows = [int(k) for k in found[SEGMENT].to_numpy()]
    numbers: list[int | None] = [*rows, None, None]
    for k, (name, prefix, part) in zip(numbers, parts_of(seen, found), strict=True):
        cells: list[Cell] = [seen.not_shown] * 6
        if part is not None:
            levels = [float(part[f"{prefix}npv"].sel(quantile=p, method="nearest")) for p in LEVELS]
            mean = (float(part[f"{prefix}mean_npv{suffix}"]) for suffix in ("", "_error"))
            cells = [Amount(x) for x in (*mean, *levels)]
            cells.append(Amount(float(part[f"{prefix}p_npv_positive"]), "roi"))
        decision = "" if k is None else _decision(seen, chosen, k)
        owner = "" if k is None or k not in seen.treated else seen.treated[k].owner
        page.line(name, *cells, decision, owner, strong=prefix == "whole_")
    if chosen is not None and not seen.silent:
        _best(page, chosen)


def _decision(seen: Seen, chosen: xr.Dataset | None, segment: int) -> str:
    if chosen is None or segment in seen.hidden:
        return seen.not_shown
    treat = bool(chosen["treat"].sel({SEGMENT: segment}))
    return seen.say("decision.treat" if treat else "decision.leave")


def _best(page: Page, chosen: xr.Dataset) -> None:
    """Write what the segments that are worth treating bring together."""
    mean, error = (float(chosen[f"best_mean_npv{suffix}"]) for suffix in ("", "_error"))
    levels = [float(chosen["best_npv"].sel(quantile=p, method="nearest")) for p in LEVELS]
    cells = [Amount(x) for x in (mean, error, *levels)]
    pays = "pays" if bool(chosen["pays"]) else "pays_not"
    chance = Amount(float(chosen["best_p_npv_positive"]), "roi")
    page.line(page.say("summary.best"), *cells, chance, page.say(f"decision.{pays}"), "")


def _sentences(page: Page, seen: Seen) -> None:
    """Write the answers that fit one sentence each."""
    found: list[str] = []
    if (resolved := seen.part("resolve")) is not None:
        found.append(sentence(resolved, seen.language))
    if (by_number := seen.part("number")) is not None and not seen.silent:
        found.append(segments_in_money.recommendation(by_number, seen.currency, seen.language))
    if found:
        page.heading("summary.further")
        for text in found:
            page.paragraph(text)
    _ledger(page, seen)


def _ledger(page: Page, seen: Seen) -> None:
    ledger = seen.findings.ledger
    if ledger is not None:
        page.heading("evidence.ledger")
        page.paragraph(ledger.message(seen.language), alarm=not ledger.within)


def _about(page: Page, seen: Seen) -> None:
    """Write what the file is, and what it is not."""
    page.heading("summary.about")
    follows = seen.part("migrated") is not None
    page.paragraph(
        page.say("about.live" if seen.live else "about.moves" if follows else "about.not_live")
    )
    for key, count in (("is", IS), ("is_not", IS_NOT)):
        for i in range(1, count + 1):
            page.paragraph(page.say(f"about.{key}.{i}"))
