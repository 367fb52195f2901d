"""The sheet of segments: how large they are, what the programme reaches, and who does what."""

from typing import Final

import numpy as np

from softseg.decisions.segments.expand import base_rows
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.names import RULE, SEGMENT
from softseg.report.study.withheld import rightly
from softseg.report.workbook.study_page import Amount, Cell, Page
from softseg.report.workbook.study_seen import Seen, band

WIDTHS: Final = (30, 11, 12, 12, 12, 14, 14, 14, 13, 13, 14, 14, 14)
SIZES: Final = ("customers", "low", "high", "share", "value", "low", "high")
REACHED: Final = ("treated", "rightly", "reached", "low", "high")
DONE: Final = ("strategy", "owner", "watch")

type Row = list[Amount]


def write_segments(page: Page, seen: Seen, simulation: SegmentSimulation | None) -> None:
    """Write the sheet; without money what is planned only, because the segments do not stand."""
    if simulation is None:
        page.paragraph(page.say("segments.refused"), alarm=True)
    else:
        page.hint("hint.segments")
        if seen.hidden:
            smallest = seen.findings.smallest_cell
            page.hint("hint.not_shown", smallest=f"{smallest:g}")
        _sizes(page, seen, simulation)
    page.heading("segments.done")
    page.paragraph(page.say(f"segments.reach.{seen.findings.programme.reach}"))
    _done(page, seen)
    page.close()


def _sizes(page: Page, seen: Seen, simulation: SegmentSimulation) -> None:
    page.heading("segments.sizes")
    page.head("segment", *SIZES, *REACHED)
    sizes, reached = _of_segments(seen, simulation), _of_treated(simulation)
    nothing = [Amount(None)] * len(REACHED)
    for k in sizes:
        cells: list[Cell] = [*sizes[k], *reached.get(k, nothing)]
        if k in seen.hidden:
            cells = [seen.not_shown] * len(cells)
        page.line(seen.name(k), *cells)
    every = [_total(sizes, i) for i in range(len(SIZES))]
    treated = [_total(reached, i) for i in range(len(REACHED))] if reached else nothing
    page.line(page.say("total"), *every, *treated, strong=True)


def _of_segments(seen: Seen, simulation: SegmentSimulation) -> dict[int, Row]:
    """Return customers, their share and their value by segment, with bands."""
    found: dict[int, Row] = {}
    rows = simulation.value["value_lots"].sel({RULE: simulation.rule}).sum("assigned")
    expected = simulation.value["value_expected"].sel({RULE: simulation.rule}).sum("assigned")
    for k in range(1, 1 + len(seen.findings.segment_names)):
        row: Row = [Amount(None, "grouped")] * 4
        if seen.sizes is not None:
            of_segment = seen.sizes.sel({SEGMENT: k})
            names = "customers_mean", "customers_lower", "customers_upper", "share_mean"
            row = [Amount(float(of_segment[name]), "grouped") for name in names]
            row[3] = Amount(row[3].value, "roi")
        _, low, high = band(rows.sel({SEGMENT: k}).to_numpy())
        mean = float(expected.sel({SEGMENT: k}).mean())
        found[k] = [*row, *(Amount(x, "money") for x in (mean, low, high))]
    return found


def _of_treated(simulation: SegmentSimulation) -> dict[int, Row]:
    """Return whom the programme reaches, and the value that its effects bear on, by segment."""
    expanded, right = simulation.expanded, rightly(simulation)
    rows = base_rows(expanded, simulation.value, simulation.programme, simulation.rule)
    found: dict[int, Row] = {}
    for k in simulation.names:
        treated = float(np.mean(rows[expanded.customers[k]]))
        worth = band(rows[expanded.bases[k]])
        heads = Amount(treated, "grouped"), Amount(right[k], "grouped")
        found[k] = [*heads, *(Amount(x, "money") for x in worth)]
    return found


def _total(rows: dict[int, Row], column: int) -> Amount:
    """Return the sum of a column; bounds of bands do not add up."""
    kind = rows[next(iter(rows))][column].kind
    values = [row[column].value for row in rows.values()]
    width = len(rows[next(iter(rows))])
    bounds = (1, 2, 5, 6) if width == len(SIZES) else (3, 4)
    numbers = [x for x in values if isinstance(x, float)]
    return Amount(None if column in bounds or not numbers else sum(numbers), kind)


def _done(page: Page, seen: Seen) -> None:
    """Write strategy, owner and metric to watch as a list, segment by segment."""
    for k in range(1, 1 + len(seen.findings.segment_names)):
        plan = seen.treated.get(k)
        texts = {} if plan is None else {key: getattr(plan, key) for key in DONE}
        page.sheet.text(page.row, 0, seen.name(k), "part")
        page.row += 1
        if plan is None:
            page.paragraph(page.say("segments.untreated"))
        for key, text in texts.items():
            if text:
                page.paragraph(page.say("segments.line", what=page.say(f"column.{key}"), text=text))
