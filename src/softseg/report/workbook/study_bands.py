"""The sheet of bands: where their width comes from, and what it is worth to know more."""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import xarray as xr

from softseg.decisions.segments import number as segments_in_money
from softseg.decisions.segments.resolve import CLEAR, MIGRATION, block_label, sentence
from softseg.decisions.segments.split import BLOCKS
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.names import SEGMENT
from softseg.report.workbook.study_page import Amount, Cell, Page
from softseg.report.workbook.study_seen import Seen

SOURCES: Final = (*BLOCKS, MIGRATION)
WIDTHS: Final = (54, *[15] * 9)
LEVELS: Final = (0.05, 0.5, 0.95)
BY_NUMBER: Final = (
    ("value", "money"),
    ("value_error", "money"),
    ("handling", "money"),
    ("net", "money"),
    ("gain", "money"),
    ("gain_error", "money"),
    ("next_net", "money"),
    ("p_gain", "roi"),
    ("p_changes", "roi"),
)

type Writer = Callable[[Page, Seen, SegmentSimulation, xr.Dataset], None]


def write_bands(page: Page, seen: Seen, simulation: SegmentSimulation) -> None:
    """Write the sheet; what was not computed is named."""
    page.hint("hint.errors")
    for name, write in TABLES.items():
        page.heading(f"bands.{name}")
        found = seen.part(name)
        if name == "number" and seen.silent:
            page.paragraph(page.say("hint.not_shown", smallest=f"{seen.findings.smallest_cell:g}"))
        elif found is None:
            page.paragraph(page.say(_why_not(name, simulation)))
        else:
            write(page, seen, simulation, found)
    page.close()


def _why_not(table: str, simulation: SegmentSimulation) -> str:
    """Return the key of the reason why a table is not there."""
    if simulation.plug_in:
        return "bands.plug_in"
    if simulation.whole.draws.moving is not None and table in ("number", "regret"):
        return "bands.moving"
    return "not_computed"


def _split(page: Page, seen: Seen, simulation: SegmentSimulation, found: xr.Dataset) -> None:
    page.hint("hint.split")
    if (found["share"] < 0.0).any():
        page.hint("hint.split_below")
    page.head("source", "share_of_variance", "error")
    for block in map(str, found["block"].to_numpy()):
        share, error = (float(found[key].sel(block=block)) for key in ("share", "share_error"))
        page.line(page.say(f"block.{block}"), Amount(share, "share"), Amount(error, "fine"))
    total, error = float(found["total"]), float(found["total_error"])
    spread = math.sqrt(max(total, 0.0))
    # dσ = d(σ²) / 2σ
    doubt = error / (2.0 * spread) if spread > 0.0 else 0.0
    page.line(page.say("bands.spread"), Amount(spread), Amount(doubt), strong=True)


def _resolve(page: Page, seen: Seen, simulation: SegmentSimulation, found: xr.Dataset) -> None:
    page.hint("hint.resolve")
    page.paragraph(sentence(found, seen.language))
    page.head("question", "worth", "error", "share_of_evpi")
    for block in _questions(seen, simulation, found):
        one = found.sel(block=block)
        label = block_label(found, block, seen.language)
        worth, error = Amount(float(one["evppi"])), Amount(float(one["evppi_error"]))
        page.line(label[:1].upper() + label[1:], worth, error, Amount(float(one["share"]), "roi"))
    page.line(page.say("bands.others"))
    for key in ("targeting", "evpi", "now"):
        worth, error = Amount(float(found[key])), Amount(float(found[f"{key}_error"]))
        page.line(page.say(f"bands.{key}"), worth, error)


def _questions(seen: Seen, simulation: SegmentSimulation, found: xr.Dataset) -> list[str]:
    """Return the sources, then the inputs whose value is clear, the largest first."""
    owner = simulation.expanded.owner
    clear = found["evppi"] > CLEAR * found["evppi_error"]
    order = found["block"].to_numpy()[np.argsort(-found["evppi"].to_numpy(), kind="stable")]
    inputs = [
        str(block)
        for block in order
        if block not in SOURCES and owner.get(block) not in seen.hidden
        and bool(clear.sel(block=block))
    ]  # fmt: skip
    return [*(one for one in SOURCES if one in order), *inputs]


def _number(page: Page, seen: Seen, simulation: SegmentSimulation, found: xr.Dataset) -> None:
    page.hint("hint.number")
    page.paragraph(segments_in_money.recommendation(found, seen.currency, seen.language))
    page.head("n_segments", "worth_before", "error", "handling", "net", "gain", "error", "next_net",
              "p_gain", "p_changes")  # fmt: skip
    for n in found["n_segments"].to_numpy():
        one = found.sel(n_segments=n)
        cells = [Amount(float(one[name]), kind) for name, kind in BY_NUMBER]
        page.line(f"{n}", *cells)
    for n in found["n_segments"].to_numpy():
        text = _packages(seen, found.sel(n_segments=n), int(n))
        page.paragraph(page.say("bands.packages", count=int(n), packages=text))


def _packages(seen: Seen, one: xr.Dataset, n: int) -> str:
    """Return which package each group gets, in words."""
    given = [int(k) for k in one["package"].to_numpy()[:n]]
    names = [seen.name(k) if k else seen.say("bands.none") for k in given]
    if len(set(names)) == 1:
        return seen.say("bands.all", package=names[0])
    return "; ".join(f"{j}: {name}" for j, name in enumerate(names, 1))


def _regret(page: Page, seen: Seen, simulation: SegmentSimulation, found: xr.Dataset) -> None:
    page.hint("hint.regret")
    page.head("quantity", "mean", "error", "low", "median", "high", "p_above")
    for name in ("soft", "hard", "believed", "regret", "promised_too_much"):
        mean = float(found[f"mean_{name}"]), float(found[f"mean_{name}_error"])
        levels = [float(found[name].sel(quantile=p, method="nearest")) for p in LEVELS]
        cells: list[Cell] = [Amount(x) for x in (*mean, *levels)]
        if f"p_{name}" in found:
            cells.append(Amount(float(found[f"p_{name}"]), "roi"))
        page.line(page.say(f"regret.{name}"), *cells)


def _implied(page: Page, seen: Seen, simulation: SegmentSimulation, found: xr.Dataset) -> None:
    page.hint("hint.implied")
    page.head("uplift", "mean", "error", "low", "median", "high", "stated", "p_stated")
    for adjusted in found["adjusted"].to_numpy():
        one = found.sel(adjusted=adjusted)
        key = "adjusted" if adjusted else "full"
        mean = float(one["mean_uplift"]), float(one["mean_uplift_error"])
        levels = [float(one["uplift"].sel(quantile=p, method="nearest")) for p in LEVELS]
        stated = float(found["stated_uplift"]), float(one["p_at_most_stated"])
        cells = [Amount(x, "share") for x in (*mean, *levels, stated[0])]
        page.line(page.say(f"uplift.{key}"), *cells, Amount(stated[1], "roi"))
    full = found.isel(adjusted=0)
    for k in map(int, found[SEGMENT].to_numpy()):
        mine = full.sel({SEGMENT: k})
        cells = [seen.not_shown] * 2
        if k not in seen.hidden:
            names = "segment_uplift", "segment_uplift_error"
            cells = [Amount(float(mine[name]), "share") for name in names]
        page.line(page.say("uplift.segment", segment=seen.name(k)), *cells)


TABLES: Final[dict[str, Writer]] = {
    "split": _split,
    "resolve": _resolve,
    "number": _number,
    "regret": _regret,
    "implied": _implied,
}
"""What writes each part, in the order of the sheet."""
