"""What of a study's findings a workbook may show, and under which names."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import xarray as xr

from softseg.decisions.answers.headline import headline
from softseg.decisions.segments.expand import segment_number
from softseg.decisions.segments.findings import Findings
from softseg.decisions.segments.programme import SegmentProgramme
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.families.base import Array
from softseg.names import SIZES
from softseg.report.study.withheld import hidden_segments, reached
from softseg.wording import say

ACCOUNTING: Final = "contribution_margin"


@dataclass(frozen=True)
class Seen:
    """The findings, and which segments are too small to show.

    Attributes
    ----------
    findings
        All that was found.
    """

    findings: Findings

    @property
    def language(self) -> str:
        """Language of the workbook."""
        return self.findings.language

    @property
    def plug_in(self) -> bool:
        """Whether the fitted model entered with its means only."""
        return self.findings.simulation is not None and self.findings.simulation.plug_in

    @property
    def currency(self) -> str:
        """Currency of the amounts."""
        simulation, ledger = self.findings.simulation, self.findings.ledger
        if simulation is not None:
            return simulation.whole.assumptions.currency
        return "EUR" if ledger is None else ledger.currency

    @cached_property
    def sizes(self) -> xr.Dataset | None:
        """Sizes of the segments, None where the tree has none."""
        tree = self.findings.tree
        return tree[SIZES].to_dataset() if SIZES in tree.children else None

    @cached_property
    def hidden(self) -> frozenset[int]:
        """Segments whose numbers are not shown.

        They, or their customers that the programme reaches, are fewer than the smallest cell; with
        them go the next smallest, so that nothing follows from the sums over all segments, nor
        from those over the treated ones.
        """
        sizes = np.full(len(self.findings.segment_names), np.inf)
        if self.sizes is not None:
            sizes = self.sizes["customers_mean"].to_numpy()
        simulation = self.findings.simulation
        heads = {} if simulation is None else reached(simulation)
        found = hidden_segments(sizes, self.treated, heads, self.findings.smallest_cell)
        return frozenset(int(k) + 1 for k in np.flatnonzero(found))

    @property
    def silent(self) -> frozenset[int]:
        """Treated segments whose numbers are not shown.

        Where there are some, no sum may be shown over other sets of segments than all of them.
        """
        return self.hidden & frozenset(self.treated)

    @property
    def live(self) -> bool:
        """Whether the cash flow stands here as formulas.

        The value of every treated segment is an input of it. Customers who move stand in powers
        of their transitions, draw by draw, which are no formula of a sheet.
        """
        simulation = self.findings.simulation
        if simulation is None or self.silent:
            return False
        return simulation.whole.draws.moving is None

    @cached_property
    def treated(self) -> dict[int, SegmentProgramme]:
        """What is done with which segment, by its number."""
        names = self.findings.segment_names
        found = {segment_number(p.segment, names): p for p in self.findings.programme.segments}
        return {k: found[k] for k in sorted(n for n in found if n is not None)}

    def name(self, segment: int) -> str:
        """Return the name of a segment."""
        return self.findings.segment_names[segment - 1]

    def part(self, name: str) -> xr.Dataset | None:
        """Return an answer, None where it was not computed."""
        return self.findings.parts.get(name)

    def say(self, key: str, **values: object) -> str:
        """Return a text of the catalogue."""
        return say(f"workbook.study.{key}", self.language, **values)

    @property
    def not_shown(self) -> str:
        """What stands in the place of a number that is not shown."""
        return self.say("not_shown")


def headline_of(seen: Seen, simulation: SegmentSimulation) -> xr.Dataset:
    """Return the headline of the whole in both accountings."""
    answers = seen.findings.answers
    return headline(simulation.whole) if answers is None else answers.headline


def band(rows: Array) -> tuple[float, float, float]:
    """Return mean, 5 % and 95 % quantile of the draws of one number."""
    low, high = np.quantile(rows, (0.05, 0.95))
    return float(rows.mean()), float(low), float(high)
