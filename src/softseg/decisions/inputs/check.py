"""Every fault within and between assumptions, all at once.

What pydantic sees in a single entry (a text for a number, an unknown key) is found before, when
the file is read.
"""

import math
from collections.abc import Iterator
from typing import Final

from softseg.decisions.inputs.dependence import dependence_faults
from softseg.decisions.inputs.faults import Fault, Word, unknown
from softseg.decisions.inputs.overlaps import overlap_faults
from softseg.decisions.inputs.ranges import range_fault
from softseg.decisions.inputs.roles import (
    FREE,
    GROWTH,
    MONEY,
    POINTS,
    PRODUCTS,
    TIMED,
    circle,
    kind_of,
    units_of,
)
from softseg.decisions.inputs.schema import (
    BENEFITS,
    COSTS,
    EFFECTS,
    INCREMENTAL,
    SINGLE,
    Assumptions,
    Input,
)
from softseg.decisions.inputs.units import read_unit
from softseg.errors import SchemaError

MOST_RAMP: Final = 5.0
"""A ramp above this is taken for per cent."""
ROUNDING: Final = 1e-6
REQUIRED: Final = ("realisation", "no_effect")
RESERVED: Final = (INCREMENTAL, "works", "moves")
"""Ids with a meaning of their own."""
RANGE_FIELDS: Final = {
    "range.likely": "likely",
    "range.no_likely": "likely",
    "range.certain": "sure",
    "range.preliz": "family",
    "range.family_unused": "family",
    "range.sure_unused": "sure",
}
"""Where faults of a range show, if not at its first number."""
FLOWS: Final = (*COSTS, *BENEFITS, "cash_release")
"""Roles whose inputs belong to a programme."""


def faults(assumptions: Assumptions) -> list[Fault]:
    """Return every fault of assumptions, an empty list where there is none."""
    found = [*_file_faults(assumptions), *_role_faults(assumptions)]
    for name, entry in assumptions.inputs.items():
        found += own_faults(name, entry, assumptions.currency)
        found += _reference_faults(assumptions, name, entry)
        found += _base_faults(assumptions, name, entry)
        found += _profile_faults(assumptions, name, entry)
        found += _role_entry_faults(assumptions, name, entry)
    found += _scenario_faults(assumptions)
    found += overlap_faults(assumptions)
    found += _dependence_faults(assumptions)
    return found


def own_faults(name: str, entry: Input, currency: str | None) -> list[Fault]:
    """Return the faults that an input has by itself: its unit, its effect and its range.

    Parameters
    ----------
    name, entry
        The input.
    currency
        Of the file, None where it is not known.
    """
    found = [*_unit_faults(name, entry, currency), *_effect_faults(name, entry)]
    if name in RESERVED:
        found.append(Fault("assumption.reserved", {"id": name}, name))
    if not (entry.same_as and _has_no_number(entry)) and (fault := _range_fault(name, entry)):
        found.append(fault)
    return found


def _has_no_number(entry: Input) -> bool:
    given = (entry.value, entry.low, entry.likely, entry.high, entry.samples)
    return all(part is None for part in given)


def _range_fault(name: str, entry: Input) -> Fault | None:
    found = None if kind_of(entry) is None else range_fault(entry)
    return None if found is None else Fault(found[0], found[1], name, _field(entry, found[0]))


def _field(entry: Input, key: str) -> str:
    """Return the entry at which a fault of the range shows."""
    if key in RANGE_FIELDS:
        return RANGE_FIELDS[key]
    numbers = {field: getattr(entry, field) for field in ("low", "value", "likely", "high")}
    given = [field for field, x in numbers.items() if x is not None]
    if key in ("range.share", "range.beta"):
        scale = read_unit(entry.unit).scale
        given = [f for f in given if not 0.0 < scale * numbers[f] < 1.0] or given
    if entry.samples is not None:
        given.append("samples")
    return given[0] if given else "value"


def _unit_faults(name: str, entry: Input, currency: str | None) -> Iterator[Fault]:
    try:
        unit = read_unit(entry.unit)
    except SchemaError:
        yield Fault(
            "assumption.unit", {"unit": entry.unit, "currency": currency or "EUR"}, name, "unit"
        )
        return
    if currency and unit.currency not in (None, currency):
        values = {"unit": entry.unit, "currency": currency}
        yield Fault("assumption.mixed_currency", values, name, "unit")
    if unit.kind not in units_of(entry):
        allowed = "assumption.units." + "_".join(units_of(entry))
        values = {"unit": entry.unit, "role": f"sheet.role.{entry.role}", "units": allowed}
        yield Fault("assumption.unit_of_role", values, name, "unit")


def _effect_faults(name: str, entry: Input) -> Iterator[Fault]:
    if entry.role == "revenue_effect" and entry.effect is None:
        yield Fault(
            "assumption.effect_missing",
            {"known": tuple(Word("effect", e) for e in EFFECTS)},
            name,
            "effect",
        )
    if entry.role != "revenue_effect" and entry.effect is not None:
        role = f"sheet.role.{entry.role}"
        yield Fault("assumption.effect_unused", {"role": role}, name, "effect")
    if entry.effect != "churn" and entry.effect != "acquisition" and entry.rate is not None:
        yield Fault("assumption.rate_unused", {}, name, "rate")
    if entry.role != "revenue_effect" and entry.margin is not None:
        yield Fault("assumption.margin_unused", {}, name, "margin")
    if entry.role != "saving" and entry.in_margin:
        yield Fault("assumption.in_margin_unused", {}, name, "in_margin")
    if entry.effect == "churn" and entry.rate is None:
        yield Fault("assumption.rate_missing", {}, name, "rate")


def _file_faults(assumptions: Assumptions) -> Iterator[Fault]:
    yield from _ramp_faults(assumptions.ramp, None, "ramp")
    programmes = {e.programme for e in assumptions.inputs.values() if e.role in FLOWS}
    if assumptions.counterfactual == "uniform" and not programmes & {"uniform", "both"}:
        yield Fault("assumption.no_uniform", {}, None, "counterfactual")
    for pair in assumptions.accepted_overlaps:
        for id in pair:
            if id not in assumptions.inputs:
                yield unknown(id, assumptions.inputs, None, "accepted_overlaps")
    if not assumptions.inputs:
        yield Fault("assumption.no_inputs", {}, None, "inputs")
    sets: dict[str, tuple[str, int]] = {}
    for name, entry in assumptions.inputs.items():
        if entry.sample_set is None or entry.samples is None:
            continue
        first, size = sets.setdefault(entry.sample_set, (name, len(entry.samples)))
        if size != len(entry.samples):
            values = {"set": entry.sample_set, "first": first, "expected": size}
            values |= {"got": len(entry.samples)}
            yield Fault("assumption.sample_set", values, name, "samples")


def _role_faults(assumptions: Assumptions) -> Iterator[Fault]:
    """Find roles that are missing or that too many inputs have."""
    entries = assumptions.inputs
    by_role: dict[str, list[str]] = {}
    for name, entry in entries.items():
        by_role.setdefault(entry.role, []).append(name)
    for role in REQUIRED:
        if role not in by_role:
            yield Fault(f"assumption.missing_{role}")
    for role in SINGLE:
        for name in by_role.get(role, [])[1:]:
            values = {"role": f"sheet.role.{role}", "first": by_role[role][0]}
            yield Fault("assumption.role_twice", values, name, "role")
    margins = by_role.get("contribution_margin", [])
    effects = by_role.get("revenue_effect", [])
    if effects and not margins:
        yield Fault("assumption.missing_margin", {"effect": effects[0]})
    for name in effects if len(margins) > 1 else ():
        if entries[name].margin is None and entries[name].effect not in POINTS:
            yield Fault("assumption.margin_open", {"known": ", ".join(margins)}, name, "margin")


def _reference_faults(assumptions: Assumptions, name: str, entry: Input) -> Iterator[Fault]:
    inputs = assumptions.inputs
    named = [("base", id) for id in entry.base if id != INCREMENTAL]
    named += [("rate", entry.rate), ("margin", entry.margin), ("same_as", entry.same_as)]
    for field, id in [*named, *(("overlaps", id) for id in entry.overlaps)]:
        if id is None:
            continue
        if id not in inputs:
            yield unknown(id, inputs, name, field)
        elif inputs[id].role == "metric" and field in ("base", "rate", "margin"):
            yield Fault("assumption.metric_used", {"id": id}, name, field)
    if entry.rate in inputs and kind_of(inputs[entry.rate]) not in (None, "share"):
        yield Fault("assumption.rate_no_share", {"id": entry.rate}, name, "rate")
    if entry.margin in inputs and inputs[entry.margin].role not in (
        "contribution_margin",
        "metric",
    ):
        yield Fault("assumption.margin_role", {"id": entry.margin}, name, "margin")
    if entry.same_as in inputs:
        yield from _same_as_faults(assumptions, name, entry, entry.same_as)


def _same_as_faults(
    assumptions: Assumptions, name: str, entry: Input, other: str
) -> Iterator[Fault]:
    original = assumptions.inputs[other]
    if other == name:
        yield Fault("assumption.same_as_itself", {}, name, "same_as")
    elif original.same_as is not None:
        values = {"id": other, "further": original.same_as}
        yield Fault("assumption.same_as_chain", values, name, "same_as")
    elif original.role == "metric" and entry.role != "metric":
        yield Fault("assumption.same_as_metric", {"id": other}, name, "same_as")
    elif None not in (kind_of(entry), kind_of(original)) and kind_of(entry) != kind_of(original):
        values = {"id": other, "expected": original.unit, "got": entry.unit}
        yield Fault("assumption.same_as_unit", values, name, "same_as")


def _base_faults(assumptions: Assumptions, name: str, entry: Input) -> Iterator[Fault]:
    if (way := circle(assumptions, name)) and name == min(way):
        yield Fault("assumption.circle", {"way": " → ".join(way)}, name, "base")
    if way:
        return
    nested = [id for id in entry.base if id in assumptions.inputs and assumptions.inputs[id].base]
    for id in nested:
        # The cash flow multiplies the ids that stand here, not those behind them.
        further = ", ".join(assumptions.inputs[id].base)
        yield Fault("assumption.base_nested", {"id": id, "further": further}, name, "base")
    if nested:
        return
    if INCREMENTAL in entry.base:
        if entry.role not in GROWTH or kind_of(entry) not in (None, "share"):
            yield Fault("assumption.growth_unused", {}, name, "base")
        elif len(entry.base) > 1:
            yield Fault("assumption.growth_alone", {}, name, "base")
        return
    if entry.role == "working_capital":
        yield Fault("assumption.working_capital", {}, name, "base")
    elif entry.role in PRODUCTS:
        yield from _product_faults(assumptions, name, entry)
    elif entry.base and entry.role not in FREE:
        role = f"sheet.role.{entry.role}"
        yield Fault("assumption.base_unused", {"role": role}, name, "base")


def _product_faults(assumptions: Assumptions, name: str, entry: Input) -> Iterator[Fault]:
    """Find bases that do not make an amount of an input."""
    own, needed = kind_of(entry), PRODUCTS[entry.role]
    if not entry.base:
        if own in ("share", "points"):
            yield Fault(f"assumption.base_missing_{entry.role}", {}, name, "base")
        return
    known = [id for id in entry.base if id in assumptions.inputs]
    kinds = [kind_of(assumptions.inputs[id]) for id in known]
    if own not in units_of(entry) or None in kinds or len(known) < len(entry.base):
        return
    amounts = [kind for kind in (own, *kinds) if kind in MONEY]
    if len(amounts) > 1:
        yield Fault("assumption.two_amounts", {"base": ", ".join(known)}, name, "base")
    elif not amounts or amounts[0] not in needed:
        values = {"base": ", ".join(known), "needed": "assumption.units." + "_".join(needed)}
        yield Fault("assumption.base_kind", values, name, "base")


def _profile_faults(assumptions: Assumptions, name: str, entry: Input) -> Iterator[Fault]:
    profile, horizon = entry.profile, assumptions.horizon
    if profile.start > horizon:
        values = {"start": profile.start, "horizon": horizon}
        yield Fault("assumption.start_late", values, name, "profile.start")
    if profile.last is not None and profile.last < profile.start:
        values = {"last": profile.last, "start": profile.start}
        yield Fault("assumption.last_early", values, name, "profile.last")
    if profile.ramp is not None:
        yield from _ramp_faults(profile.ramp, name, "profile.ramp")
    if entry.role == "one_off_cost":
        yield from _spread_faults(assumptions, name, entry)


def _spread_faults(assumptions: Assumptions, name: str, entry: Input) -> Iterator[Fault]:
    profile, horizon = entry.profile, assumptions.horizon
    for field in ("half_life", "last"):
        if getattr(profile, field) is not None:
            yield Fault("assumption.one_off_profile", {}, name, f"profile.{field}")
    if not profile.ramp or min(profile.ramp) < 0:
        return
    if abs(math.fsum(profile.ramp) - 1.0) > ROUNDING:
        values = {"sum": math.fsum(profile.ramp)}
        yield Fault("assumption.spread_sum", values, name, "profile.ramp")
    elif profile.start <= horizon < profile.start + len(profile.ramp) - 1:
        values = {"last": profile.start + len(profile.ramp) - 1, "horizon": horizon}
        yield Fault("assumption.spread_late", values, name, "profile.ramp")


def _ramp_faults(ramp: tuple[float, ...], name: str | None, field: str) -> Iterator[Fault]:
    if not ramp:
        yield Fault("assumption.ramp_empty", {}, name, field)
    elif min(ramp) < 0:
        yield Fault("assumption.ramp_negative", {"share": min(ramp)}, name, field)
    elif max(ramp) > MOST_RAMP:
        values = {"share": max(ramp), "most": MOST_RAMP}
        yield Fault("assumption.ramp_large", values, name, field)


def _role_entry_faults(assumptions: Assumptions, name: str, entry: Input) -> Iterator[Fault]:
    """Find what an input says that the rest of the file contradicts."""
    alone = assumptions.counterfactual == "nothing"
    if alone and entry.programme == "uniform" and entry.role in FLOWS:
        yield Fault("assumption.uniform_alone", {}, name, "programme")
    points = any(other.effect in POINTS for other in assumptions.inputs.values())
    if entry.role == "saving" and entry.in_margin and not points:
        yield Fault("assumption.in_margin_nowhere", {}, name, "in_margin")
    if entry.profile.ramp is not None and entry.role not in (*TIMED, "one_off_cost", "metric"):
        role = f"sheet.role.{entry.role}"
        yield Fault("assumption.ramp_unused", {"role": role}, name, "profile.ramp")


def _scenario_faults(assumptions: Assumptions) -> Iterator[Fault]:
    """Find scenarios that pin what is not there, or to what it cannot be."""
    inputs = assumptions.inputs
    for scenario, pinned in assumptions.scenarios.items():
        for name, value in pinned.items():
            field = f"scenarios.{scenario}.{name}"
            if name not in inputs:
                yield unknown(name, inputs, None, field)
                continue
            if kind_of(inputs[name]) is None:  # the input says so itself
                continue
            point = inputs[name].model_copy(
                update={"value": value, "low": None, "likely": None, "high": None,
                        "samples": None, "sample_set": None, "family": None, "sure": 0.9}
            )  # fmt: skip
            if found := range_fault(point):
                yield Fault(found[0], found[1], None, field)


def _dependence_faults(assumptions: Assumptions) -> Iterator[Fault]:
    for key, values, name, field in dependence_faults(assumptions):
        top = field is not None and field.startswith("dependence")
        yield Fault(key, values, None if top else name, field)
