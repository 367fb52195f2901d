"""What a way of counting counts: switches, and the two that are told beside each other."""

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True)
class Switches:
    """What an accounting counts; the bridge turns these on in this order.

    Attributes
    ----------
    margin_on_volume
        Additional volume earns the contribution margin instead of its whole revenue.
    exact_margin
        Price and margin changes are earned on the new revenue.
    savings_once
        Savings that already show in the margin are not added.
    timing
        Ramps, delay, fading and baseline growth.
    all_costs
        Costs that the published calculation leaves out, and money tied up.
    discounting
        Flows count at their present value.
    tax
        Flows after tax.
    """

    margin_on_volume: bool = False
    exact_margin: bool = False
    savings_once: bool = False
    timing: bool = False
    all_costs: bool = False
    discounting: bool = False
    tax: bool = False


STEPS: Final = tuple(field.name for field in fields(Switches))
AS_PUBLISHED: Final = Switches()
CONTRIBUTION_MARGIN: Final = Switches(**dict.fromkeys(STEPS, True))
ACCOUNTINGS: Final = {"as_published": AS_PUBLISHED, "contribution_margin": CONTRIBUTION_MARGIN}
