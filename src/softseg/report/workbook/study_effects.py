"""The sheet of effects: what each segment brings, in all and year by year, with bands."""

from collections.abc import Iterator
from typing import Final

import xarray as xr

from softseg.decisions.segments.worth import SegmentSimulation
from softseg.names import SEGMENT
from softseg.report.workbook.study_page import Amount, Cell, Page
from softseg.report.workbook.study_seen import Seen

WIDTHS: Final = (40, 24, *[15] * 6)
LEVELS: Final = (0.05, 0.5, 0.95)
WORTH: Final = (
    ("mean_npv", "mean_npv", None, "money"),
    ("error", "mean_npv_error", None, "money"),
    *((key, "npv", p, "money") for key, p in zip(("low", "median", "high"), LEVELS, strict=True)),
    ("p_positive", "p_npv_positive", None, "roi"),
    ("error", "p_npv_positive_error", None, "fine"),
)
RETURNS: Final = (
    ("roi", "expected_roi", None, "roi"),
    ("error", "expected_roi_error", None, "fine"),
    ("payback", "payback", 0.5, "ratio"),
    ("no_payback", "p_no_payback", None, "roi"),
    ("multiplier", "multiplier", 0.5, "ratio"),
    ("at_centre", "p_at_centre", None, "roi"),
)
"""Columns of both tables: key of the head, variable, quantile, number format."""

type Columns = tuple[tuple[str, str, float | None, str], ...]


def write_effects(page: Page, seen: Seen, simulation: SegmentSimulation) -> None:
    """Write the sheet."""
    found = seen.part("by_segment")
    if found is None:
        page.paragraph(page.say("not_computed"))
        page.close()
        return
    page.hint("hint.effects")
    page.hint("hint.errors")
    if seen.hidden:
        page.hint("hint.not_shown", smallest=f"{seen.findings.smallest_cell:g}")
    uniform = simulation.whole.assumptions.counterfactual == "uniform"
    if uniform:
        page.hint("hint.uniform")
    _numbers(page, seen, found, "worth", WORTH)
    _numbers(page, seen, found, "returns", RETURNS)
    for name in ("profit", "revenue"):
        _by_year(page, seen, found, name)
    page.close()


def parts_of(seen: Seen, found: xr.Dataset) -> Iterator[tuple[str, str, xr.Dataset | None]]:
    """Return each part: its name, the prefix of its variables, its numbers; None: not shown."""
    for k in found[SEGMENT].to_numpy():
        hidden = int(k) in seen.hidden
        yield seen.name(int(k)), "", None if hidden else found.sel({SEGMENT: k})
    # the whole less the shared part is the one segment that is not shown
    alone = len(seen.silent) == 1
    yield seen.say("shared"), "shared_", None if alone else found
    yield seen.say("whole"), "whole_", found


def _numbers(page: Page, seen: Seen, found: xr.Dataset, key: str, columns: Columns) -> None:
    """Write what decides about each part, a line each."""
    page.heading(f"effects.{key}")
    page.head("segment", *(head for head, *_ in columns))
    for name, prefix, numbers in parts_of(seen, found):
        cells: list[Cell] = [seen.not_shown] * len(columns)
        if numbers is not None:
            cells = [
                Amount(_value(numbers[prefix + variable], level), kind)
                for _, variable, level, kind in columns
            ]
        page.line(name, *cells, strong=prefix == "whole_")


def _value(numbers: xr.DataArray, level: float | None) -> float:
    """Return a number, of a band the one at a quantile."""
    return float(numbers if level is None else numbers.sel(quantile=level, method="nearest"))


def _by_year(page: Page, seen: Seen, found: xr.Dataset, name: str) -> None:
    """Write mean, error and band of a change, each a line by year."""
    page.heading(f"effects.{name}")
    page.years(found.sizes["year"])
    for label, prefix, numbers in parts_of(seen, found):
        strong = prefix == "whole_"
        if numbers is None:
            page.line(label, seen.not_shown)
            continue
        for key in ("mean", "mean_error"):
            years = [Amount(float(x)) for x in numbers[f"{prefix}{name}_{key}"].to_numpy()]
            what = page.say("column.mean" if key == "mean" else "column.error")
            page.line(label if key == "mean" else "", what, *years, strong=strong)
        for level in LEVELS:
            drawn = numbers[prefix + name].sel(quantile=level, method="nearest")
            years = [Amount(float(x)) for x in drawn.to_numpy()]
            page.line("", page.say("column.below", level=f"{100 * level:g}"), *years)
