"""Effects that would be counted twice: found, named, and refused with a remedy.

Two effects overlap where the file says so (`overlaps`, `same_as`), and where their kinds always
do: a price effect is part of any margin or mix effect on the same revenue, and more cross-selling
makes deals larger. Metrics never count, so that they overlap with nothing.
"""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from softseg.decisions.inputs.faults import Fault
from softseg.decisions.inputs.schema import BENEFITS, COSTS, Assumptions, Input

COUNTED: Final = (*COSTS, *BENEFITS, "cash_release", "working_capital")
"""Roles that are part of the cash flow by themselves."""
SAME_EFFECT: Final = (
    ({"price"}, {"margin", "mix"}, "assumption.overlap_price_margin"),
    ({"deal_size"}, {"cross_selling"}, "assumption.overlap_deal_size"),
)
"""Kinds of effects that overlap on one base, and why."""
LIFETIME_VALUE: Final = re.compile(
    r"(?<![a-z])(clv|cltv|clvs)(?![a-z])|customer[\s_-]*lifetime|kunden(lebenszeit)?wert(e|es|s)?(?![a-zäöüß])",
    re.IGNORECASE,
)


def overlap_faults(assumptions: Assumptions) -> list[Fault]:
    """Return a fault for each pair of inputs that would count the same effect twice.

    Pairs in `accepted_overlaps` are left out. An input that is a customer lifetime value is
    refused by itself: it follows from churn and margin.
    """
    inputs = assumptions.inputs
    found = [
        Fault("assumption.lifetime_value", {}, name, "role")
        for name, entry in inputs.items()
        if _is_lifetime_value(name, entry)
    ]
    accepted = {frozenset(pair) for pair in assumptions.accepted_overlaps}
    for first, second in combinations(inputs, 2):
        if frozenset((first, second)) not in accepted:
            found += _pair(assumptions, first, second)
    return found


def _pair(assumptions: Assumptions, first: str, second: str) -> Iterator[Fault]:
    """Yield the fault of a pair, if it has one: the first reason is enough."""
    a, b = assumptions.inputs[first], assumptions.inputs[second]
    if a.role not in COUNTED or b.role not in COUNTED:
        return
    if a.programme != b.programme and "both" not in (a.programme, b.programme):
        return
    pair = {"first": first, "second": second}
    if a.same_as == second or b.same_as == first:
        copy = second if b.same_as == first else first
        yield Fault("assumption.overlap_same", pair, copy, "same_as")
    elif second in a.overlaps or first in b.overlaps:
        teller = second if first in b.overlaps else first
        yield Fault("assumption.overlap_declared", pair, teller, "overlaps")
    elif _same_base(a, b):
        for one, other, key in SAME_EFFECT:
            if (a.effect in one and b.effect in other) or (b.effect in one and a.effect in other):
                yield Fault(key, pair, second, "effect")


def _same_base(a: Input, b: Input) -> bool:
    """Return whether one base is the other or a part of it: a product of it and shares."""
    first, second = set(a.base), set(b.base)
    return bool(first and second) and (first <= second or second <= first)


def _is_lifetime_value(name: str, entry: Input) -> bool:
    if entry.role not in COUNTED:
        return False
    return any(LIFETIME_VALUE.search(text) for text in (name, entry.label))
