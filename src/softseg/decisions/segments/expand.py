"""From a programme per segment to the assumptions of a company, and to the draws of their bases.

Each segment brings two bases with draws of the fitted model: the value of the customers that its
programme reaches, and their number. Each lever becomes an input on them. What comes out are
ordinary assumptions, so that everything that answers for a company answers for its segments.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import xarray as xr

from softseg.decisions.inputs.check import faults
from softseg.decisions.inputs.faults import Fault, refusal
from softseg.decisions.inputs.schema import (
    COSTS,
    INCREMENTAL,
    TRANSITION,
    Assumptions,
    Input,
)
from softseg.decisions.segments.programme import (
    CUSTOMERS,
    VALUE,
    Programme,
    SegmentInput,
    SegmentProgramme,
)
from softseg.families.base import Array
from softseg.names import ASSIGNED, CHURNED, RULE, SEGMENT
from softseg.wording import say

PROGRAMME_RULE: Final = "programme"
"""Name of the rule by which the programme treats customers: their top segment."""
ROUNDING: Final = 1e-9
OWN: Final = {"per", "to", "change", "freed"}
"""What an input of a segment has and one of the company has not."""
REFERENCES: Final = ("rate", "margin", "same_as")

type Kind = Literal["lots", "expected"]


@dataclass(frozen=True)
class Expanded:
    """The assumptions of a company and its segments.

    Attributes
    ----------
    assumptions
        With every lever as an input on the bases of its segment.
    owner
        Number of the segment by id; ids that are not in it belong to the whole company.
    names
        Name of each segment of the programme by number.
    """

    assumptions: Assumptions
    owner: Mapping[str, int]
    names: Mapping[int, str]

    @property
    def bases(self) -> dict[int, str]:
        """Id of the value that the programme reaches, by segment."""
        return {k: segment_id(k, VALUE) for k in self.names}

    @property
    def customers(self) -> dict[int, str]:
        """Id of the number of treated customers, by segment."""
        return {k: segment_id(k, CUSTOMERS) for k in self.names}


def segment_id(segment: int, name: str) -> str:
    """Return the id that an input of a segment has among those of the company."""
    return f"s{segment}_{name}"


def segment_number(text: str, names: Sequence[str]) -> int | None:
    """Return the number of a segment that is given by name or number, None where there is none."""
    if text in names:
        return list(names).index(text) + 1
    is_number = text.isascii() and text.isdigit() and 1 <= int(text) <= len(names)
    return int(text) if is_number else None


def expand(
    assumptions: Assumptions,
    programme: Programme,
    segment_names: Sequence[str],
    means: Mapping[str, float] | None = None,
) -> Expanded:
    """Return the assumptions of the company with every lever of every segment.

    Parameters
    ----------
    assumptions
        Those of the company: accounting, cost and effects that no segment has for its own.
    programme
        What is done with which segment.
    segment_names
        Names of all segments, the first one being segment 1.
    means
        Values of the bases by id, where they are known (see `base_rows`); 1 otherwise.

    Raises
    ------
    SchemaError
        Where a segment is unknown or there twice, an id is taken, an effect would count twice, or
        the inputs have faults; one sentence each.
    """
    language = assumptions.language
    found = list(_programme_faults(assumptions, programme, segment_names))
    if found:
        raise refusal(found, language=language)
    inputs: dict[str, Input] = dict(assumptions.inputs)
    owner: dict[str, int] = {}
    names: dict[int, str] = {}
    for entry in programme.segments:
        k = segment_number(entry.segment, segment_names)
        if k is None:
            continue
        names[k] = segment_names[k - 1]
        mine = _bases(assumptions, k, names[k], means or {})
        mine |= _levers(assumptions, entry, k, names[k])
        inputs |= mine
        owner |= dict.fromkeys(mine, k)
    whole = assumptions.model_copy(update={"inputs": inputs})
    left = faults(whole)
    if left:
        raise refusal([_as_written(fault, owner, names) for fault in left], language=language)
    return Expanded(whole, owner, names)


def base_rows(
    expanded: Expanded,
    value: xr.Dataset,
    programme: Programme,
    rule: str = PROGRAMME_RULE,
    kind: Kind = "lots",
) -> dict[str, Array]:
    """Return the draws of the bases by id, each (sample,), in whole currency and customers.

    Parameters
    ----------
    value
        As `softseg.results.value.value` returns it.
    rule
        Whom the programme treats as what.
    kind
        ``lots``: with every customer's segment drawn; ``expected``: given the parameters alone.
    """
    groups = np.union1d(value[ASSIGNED].values, list(expanded.names))
    table = value.sel({RULE: rule}).reindex({ASSIGNED: groups}, fill_value=0.0)
    found: dict[str, Array] = {}
    for k in expanded.names:
        money, heads = table[f"value_{kind}"], table[f"customers_{kind}"]
        if programme.reach == "members":
            reached = money.sel({SEGMENT: k}).sum(ASSIGNED)
            treated = heads.sel({SEGMENT: k}).sum(ASSIGNED)
        else:
            group = money.sel({ASSIGNED: k})
            right = group.sel({SEGMENT: k})
            reached = right + programme.off_target * (group.sum(SEGMENT) - right)
            treated = table["customers_treated"].sel({ASSIGNED: k}).broadcast_like(reached)
        found[segment_id(k, VALUE)] = _steady(reached.to_numpy())
        found[segment_id(k, CUSTOMERS)] = _steady(treated.to_numpy())
    return found


def _steady(row: Array) -> Array:
    """Return draws that differ by rounding only as one number: such a base is not uncertain."""
    if np.ptp(row) <= ROUNDING * np.abs(row).max(initial=0.0):
        return np.full_like(row, row.mean())
    return row


def _bases(
    assumptions: Assumptions, segment: int, name: str, means: Mapping[str, float]
) -> dict[str, Input]:
    """Return the inputs that the fitted model fills."""
    units = {VALUE: f"{assumptions.currency}/year", CUSTOMERS: "count"}
    return {
        (id := segment_id(segment, what)): Input(
            label=say(f"segments.base.{what}", assumptions.language, segment=name),
            role="base",
            unit=unit,
            value=float(means.get(id, 1.0)),
            evidence="own_posterior",
            source=say("segments.base.source", assumptions.language),
        )
        for what, unit in units.items()
    }


def _levers(
    assumptions: Assumptions, entry: SegmentProgramme, segment: int, name: str
) -> dict[str, Input]:
    language = assumptions.language
    own = {VALUE, CUSTOMERS, *entry.inputs}

    def renamed(id: str) -> str:
        return segment_id(segment, id) if id in own else id

    found: dict[str, Input] = {}
    for id, lever in entry.inputs.items():
        base = tuple(renamed(part) for part in lever.base)
        if lever.role == "revenue_effect" and not base:
            base = (segment_id(segment, VALUE),)
        if lever.per == "customer":
            base = (*base, segment_id(segment, CUSTOMERS))
        changed = {
            "base": base,
            "overlaps": tuple(renamed(part) for part in lever.overlaps),
            "label": say("segments.lever", language, segment=name, lever=lever.label or id),
        }
        for field in REFERENCES:
            if (other := getattr(lever, field)) is not None:
                changed[field] = renamed(other)
        given = lever.model_dump(exclude=OWN)
        found[segment_id(segment, id)] = Input.model_validate(given | changed)
    return found


def _programme_faults(
    assumptions: Assumptions, programme: Programme, segment_names: Sequence[str]
) -> Iterator[Fault]:
    if programme.reach == "members" and programme.off_target > 0:
        yield Fault("segments.off_target", {}, None, "programme.off_target")
    seen: set[int] = set()
    taken = set(assumptions.inputs)
    for entry in programme.segments:
        k = segment_number(entry.segment, segment_names)
        values = {"segment": entry.segment, "known": ", ".join(segment_names)}
        if k is None:
            yield Fault("segments.unknown", values)
            continue
        if k in seen:
            yield Fault("segments.twice", values)
        seen.add(k)
        for id in (VALUE, CUSTOMERS, *entry.inputs):
            if segment_id(k, id) in taken:
                yield Fault("segments.id_taken", {"id": segment_id(k, id)})
        for id, lever in entry.inputs.items():
            yield from _lever_faults(assumptions, entry, id, lever)
            yield from move_faults(entry, id, lever, segment_names)


def _lever_faults(
    assumptions: Assumptions, entry: SegmentProgramme, id: str, lever: SegmentInput
) -> Iterator[Fault]:
    at = f"{entry.segment}.{id}"
    if id in (VALUE, CUSTOMERS, INCREMENTAL):
        yield Fault("segments.id_reserved", {"id": id}, at)
    if lever.programme != "segmented":
        yield Fault("segments.lever_programme", {"got": lever.programme}, at, "programme")
    if lever.per == "customer" and lever.role not in COSTS:
        yield Fault("segments.per_customer", {"role": f"sheet.role.{lever.role}"}, at, "per")
    for name, other in assumptions.inputs.items():
        same = other.role == "revenue_effect" and other.effect == lever.effect
        if same and other.programme != "uniform" and lever.role == "revenue_effect":
            yield Fault("segments.counted_twice", {"other": name}, at, "effect")


def move_faults(
    entry: SegmentProgramme, id: str, lever: SegmentInput, segment_names: Sequence[str]
) -> Iterator[Fault]:
    """Find what is wrong with where a lever says that customers go."""
    at = f"{entry.segment}.{id}"
    if lever.effect != TRANSITION:
        if lever.to:
            yield Fault("segments.to_unused", {}, at, "to")
        return
    known = ", ".join([*(n for n in segment_names if n != entry.segment), CHURNED])
    if not lever.to:
        yield Fault("segments.to_missing", {"known": known}, at, "to")
    own = segment_number(entry.segment, segment_names)
    for name in lever.to:
        k = segment_number(name, segment_names)
        if name != CHURNED and (k is None or k == own):
            yield Fault("segments.to_unknown", {"got": name, "known": known}, at, "to")
    if lever.base:
        yield Fault("segments.to_base", {}, at, "base")
    ways = {other.freed for other in entry.inputs.values() if other.effect == TRANSITION}
    if len(ways) > 1:
        yield Fault("segments.freed_twice", {}, at, "freed")


def _as_written(fault: Fault, owner: Mapping[str, int], names: Mapping[int, str]) -> Fault:
    """Return a fault of an expanded input under the name it has in the programme."""
    k = owner.get(fault.input or "")
    if fault.input is None or k is None:
        return fault
    return replace(fault, input=f"{names[k]}.{fault.input.removeprefix(segment_id(k, ''))}")
