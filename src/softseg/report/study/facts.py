"""What the report of a study reads from its findings, found in one form."""

import json
import math
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import xarray as xr

from softseg.decisions.answers.collect import Answers
from softseg.decisions.segments.expand import base_rows, segment_number
from softseg.decisions.segments.findings import Findings
from softseg.decisions.segments.programme import SegmentProgramme
from softseg.names import SEGMENT, SEGMENT_NAME
from softseg.report.facts import Array, Facts, clean
from softseg.report.roi.facts import RoiFacts
from softseg.report.study.withheld import Withheld, hidden_segments, reached
from softseg.wording import has, number, say

GOOD: Final = "good"
LOW, MIDDLE, HIGH = 0.05, 0.5, 0.95
BY_INPUT: Final = ("tornado", "shapley", "per_input", "information", "sobol")
"""Answers that have a line for every input."""


@dataclass(frozen=True)
class StudyFacts:
    """The findings of a study as its page needs them: nothing in it that may not be shown."""

    findings: Findings

    @property
    def language(self) -> str:
        """Of the page."""
        return self.findings.language

    def say(self, key: str, **values: object) -> str:
        """Return a text of this report."""
        return kept(say(f"study_report.{key}", self.language, **values))

    def word(self, group: str, name: str) -> str:
        """Return the word for a name, the name itself where the catalogue has none."""
        key = f"study_report.{group}.{name}"
        return kept(say(key, self.language)) if has(key) else clean(name.replace("_", " "))

    # --- verdicts ---------------------------------------------------------------------------

    @property
    def passed(self) -> bool:
        """Whether the gate let the fit through; nothing is told by segment otherwise."""
        return self.findings.gate == GOOD and self.every.passed

    @property
    def plug_in(self) -> bool:
        """Whether the fitted model entered with its means only."""
        simulation = self.findings.simulation
        return simulation is not None and simulation.plug_in

    # --- segments ---------------------------------------------------------------------------

    @cached_property
    def every(self) -> Facts:
        """The tree of the fit with all segments, under the names of the study."""
        return Facts(_named(self.findings.tree, self.findings.segment_names), self.language)

    @cached_property
    def withheld(self) -> Withheld:
        """What too few customers stand behind."""
        sizes, smallest = self.every.size("customers").mean, self.findings.smallest_cell
        simulation = self.findings.simulation
        heads = {} if simulation is None else reached(simulation)
        hidden = hidden_segments(sizes, self.planned, heads, smallest)
        return Withheld(self.every, smallest, hidden)

    @cached_property
    def seen(self) -> Facts:
        """The tree that may be shown."""
        return Facts(self.withheld.tree, self.language)

    @property
    def smallest(self) -> str:
        """Customers from which a cell is shown."""
        return number(round(self.findings.smallest_cell), self.language)

    def is_shown(self, segment: int) -> bool:
        """Return whether a segment, counted from 1, may be shown."""
        return not self.withheld.segments[segment - 1]

    def name(self, segment: int) -> str:
        """Return the name of a segment, counted from 1."""
        return self.every.segment_names[segment - 1]

    def numbered(self, segment: int) -> str:
        """Return the name of a segment with its number in front."""
        return self.every.numbered_names[segment - 1]

    def absent(self, segment: int) -> str:
        """Return why a segment is not shown."""
        simulation = self.findings.simulation
        key = "beside"
        if self.withheld.small(segment - 1):
            key = "small"
        elif simulation is not None:
            heads = reached(simulation).get(segment, math.inf)
            key = "reached" if heads < self.findings.smallest_cell else "beside"
        return self.say(f"withheld.{key}", smallest=self.smallest)

    # --- money ------------------------------------------------------------------------------

    @cached_property
    def money_shown(self) -> bool:
        """Whether there is money that may be told."""
        known = self.findings.simulation is not None and self.findings.answers is not None
        return self.passed and known

    @cached_property
    def roi(self) -> RoiFacts:
        """The whole programme, without the inputs of segments that are not shown."""
        simulation, answers = self.findings.simulation, self.findings.answers
        if simulation is None or answers is None:
            raise LookupError("there is no money in these findings")
        return RoiFacts(simulation.whole, _seen_answers(answers, self.hidden_inputs), self.language)

    @cached_property
    def hidden_inputs(self) -> frozenset[str]:
        """Ids of the inputs of segments that are not shown."""
        simulation = self.findings.simulation
        if simulation is None:
            return frozenset()
        owners = simulation.expanded.owner.items()
        return frozenset(id for id, k in owners if not self.is_shown(k))

    @cached_property
    def treated(self) -> list[int]:
        """Segments of the programme that may be shown."""
        simulation = self.findings.simulation
        return [] if simulation is None else sorted(filter(self.is_shown, simulation.names))

    @cached_property
    def planned(self) -> dict[int, SegmentProgramme]:
        """What is done with each segment, by its number."""
        names = self.findings.segment_names
        found = {
            segment_number(entry.segment, names): entry
            for entry in self.findings.programme.segments
        }
        return {k: entry for k, entry in found.items() if k is not None}

    @cached_property
    def programmes(self) -> dict[int, SegmentProgramme]:
        """What is done with each segment that may be shown, by its number."""
        return {k: entry for k, entry in self.planned.items() if self.is_shown(k)}

    @cached_property
    def silent(self) -> frozenset[int]:
        """Treated segments that are not shown.

        Where there are some, no sum may be shown over other sets of segments than all of them.
        """
        return frozenset(k for k in self.planned if not self.is_shown(k))

    @property
    def alone(self) -> bool:
        """Whether one treated segment is not shown, which the whole less the shared part is."""
        return len(self.silent) == 1

    @cached_property
    def bases(self) -> dict[str, Array]:
        """Rows of the fitted model that the assumptions rest on, by id, each (sample,)."""
        found = self.findings.simulation
        if found is None:
            return {}
        return base_rows(found.expanded, found.value, found.programme, found.rule)

    @cached_property
    def pooled(self) -> dict[int, float]:
        """Weights of the numbers of segments that the totals are pooled over, where they are."""
        simulation = self.findings.simulation
        said = "" if simulation is None else simulation.value.attrs.get("weights", "")
        return {int(n): float(w) for n, w in json.loads(said or "{}").items()}

    def part(self, name: str) -> xr.Dataset | None:
        """Return an answer about the segments, those that may be shown; None where it is absent."""
        data = self.findings.parts.get(name)
        if data is None or not self.money_shown or (name == "number" and self.silent):
            return None
        if SEGMENT in data.dims:
            kept = [int(k) for k in data[SEGMENT].to_numpy() if self.is_shown(int(k))]
            data = data.sel({SEGMENT: kept})
        if "block" in data.dims:
            kept_blocks = [b for b in data["block"].to_numpy() if str(b) not in self.hidden_inputs]
            data = data.sel(block=kept_blocks)
        return data

    def range_of(self, data: xr.Dataset, name: str, show: Any = None, **at: Any) -> tuple[str, str]:
        """Return the middle case of a quantity and its 90 % band, as texts."""
        show = show or self.roi.money
        low, middle, high = (
            show(*self.roi.number(data, name, quantile=q, **at)) for q in (LOW, MIDDLE, HIGH)
        )
        return kept(middle), "" if low == high else kept(self.roi.say("to", low=low, high=high))


def kept(text: str) -> str:
    """Return a text in which no line ends before a per cent sign or after a minus sign."""
    text = text.replace(" %", "\N{NO-BREAK SPACE}%")
    return re.sub(
        "\N{MINUS SIGN}(?=[^\\s\\d\N{WORD JOINER}])", "\N{MINUS SIGN}\N{WORD JOINER}", text
    )


def _named(tree: xr.DataTree, names: tuple[str, ...]) -> xr.DataTree:
    """Return the tree with the segments' names of the study."""
    groups = {f"/{name}": child.to_dataset() for name, child in tree.children.items()}
    for name, data in groups.items():
        if data.sizes.get(SEGMENT) == len(names):
            coordinate = {SEGMENT_NAME: (SEGMENT, np.array(names, dtype=np.str_))}
            groups[name] = data.assign_coords(coordinate)
    found = xr.DataTree.from_dict(groups)
    found.attrs = dict(tree.attrs)
    return found


def _seen_answers(answers: Answers, hidden: frozenset[str]) -> Answers:
    """Return the answers without the lines of some inputs."""
    if not hidden:
        return answers
    changed: dict[str, Any] = {}
    for name in BY_INPUT:
        data = getattr(answers, name)
        if data is not None and "input" in data.dims:
            changed[name] = data.sel(
                input=[i for i in data["input"].values if str(i) not in hidden]
            )
    if answers.chances is not None:
        effects = [e for e in answers.chances["effect"].values if str(e) not in hidden]
        changed["chances"] = answers.chances.sel(effect=effects)
    if answers.frontier is not None and hidden & {answers.frontier.attrs[a] for a in "xy"}:
        changed["frontier"] = None
    return replace(answers, **changed)
