"""The sheet of migration of a study with a panel: who is where a year later, how many, what for."""

from typing import Final

import numpy as np
import xarray as xr

from softseg.names import BASELINE, CHURNED, PROGRAMME, STATE, STATE_TO, TRANSITION
from softseg.report.workbook.study_page import Amount, Page
from softseg.report.workbook.study_seen import Seen

WIDTHS: Final = (40, 27, *[15] * 8)
LEVELS: Final = (0.05, 0.5, 0.95)
ENDS: Final = ("mean", "lower", "upper")


def write_moves(page: Page, seen: Seen, found: xr.Dataset) -> None:
    """Write the sheet; segments that are too small are left out.

    Parameters
    ----------
    page
        Where to.
    seen
        What may be shown.
    found
        As `softseg.decisions.segments.migrated.migrated` returns it.
    """
    page.hint("hint.moves")
    _money(page, found)
    _transitions(page, seen, found)
    _customers(page, seen, found)
    page.close()


def _money(page: Page, found: xr.Dataset) -> None:
    page.heading("moves.money")
    page.head("quantity", "mean", "error", "low", "median", "high")
    for name in ("without", "base", "levers", "whole"):
        numbers = [float(found[f"mean_{name}"]), float(found[f"mean_{name}_error"])]
        numbers += [float(found[name].sel(quantile=p, method="nearest")) for p in LEVELS]
        page.line(page.say(f"moves.{name}"), *map(Amount, numbers), strong=name == "whole")


def _transitions(page: Page, seen: Seen, found: xr.Dataset) -> None:
    page.heading("moves.transitions")
    page.head("moves_from", "moves_to", *ENDS)
    numbers = range(1, found.sizes["segment"] + 1)
    for j in numbers:
        for k, state in enumerate(map(str, found[STATE_TO].to_numpy()), start=1):
            if {j, k} & set(seen.hidden):
                continue
            to = page.say("moves.churned") if state == CHURNED else seen.name(k)
            at = {STATE: j - 1, STATE_TO: k - 1}
            cells = [float(found[f"{TRANSITION}_{end}"].isel(at)) for end in ENDS]
            page.line(seen.name(j), to, *(Amount(x, "roi") for x in cells))


def _customers(page: Page, seen: Seen, found: xr.Dataset) -> None:
    page.heading("moves.customers")
    page.years(found.sizes["year"] - 1, first=0)
    for k in map(int, found["segment"].to_numpy()):
        if k in seen.hidden:
            continue
        both = [found.sel({"segment": k, PROGRAMME: name}) for name in (BASELINE, PROGRAMME)]
        base, plan = (one["customers_mean"].to_numpy() for one in both)
        if np.array_equal(base, plan):
            both = both[:1]
        for one in both:
            programme = str(one[PROGRAMME].item())
            for end in ENDS:
                years = np.asarray(one[f"customers_{end}"].to_numpy(), dtype=float)
                what = page.say(f"moves.{programme}_{end}")
                page.line(seen.name(k), what, *(Amount(x, "tenths") for x in years))
