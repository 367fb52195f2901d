"""What the package of a segment brings by what it reaches: `packages`.

Given the judgement e, the levers of segment k are worth

    N_k = f_k(e) + c_k(e) · V − g_k(e) · C

to customers with the value V of those for whom the package is right and the number C of those who
are treated. The three coefficients come from the calculation itself, at other values of the two
bases on the same draws. With them any rule of who is treated as what is valued on these draws.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError
from softseg.families.base import Array

TOLERANCE: Final = 1e-8
"""Relative difference to the calculation itself that rounding may leave."""


@dataclass(frozen=True)
class Package:
    """Net present value of the levers of one segment, each coefficient (replicate, draw).

    Attributes
    ----------
    value
        For one unit of currency a year of the customers for whom the package is right.
    customer
        Cost of one treated customer.
    fixed
        What comes and goes whoever is treated; below 0 where it costs.
    """

    value: Array
    customer: Array
    fixed: Array

    def variable(self, value: Array | float, customers: Array | float) -> Array:
        """Return what it is worth to some customers without what is fixed."""
        return self.value * value - self.customer * customers


def packages(
    simulation: SegmentSimulation,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
) -> dict[int, Package]:
    """Return the package of every segment of the programme, by number.

    Raises
    ------
    UsageError
        Where a lever has a product of value and customers, or a square of them, as its base.
    """
    return {k: _package(simulation, k, accounting, adjusted) for k in sorted(simulation.names)}


def by_draw(simulation: SegmentSimulation, rows: Array) -> Array:
    """Return rows (sample, …) of the fitted model as (replicate, draw, …).

    Where the draws hold no sample (means only, or bases that are the same in each), every draw
    has the mean.
    """
    sample = simulation.whole.draws.sample
    if sample is not None:
        return rows[sample]
    return np.broadcast_to(rows.mean(axis=0), (*simulation.whole.shape, *rows.shape[1:]))


def _package(
    simulation: SegmentSimulation, segment: int, accounting: str, adjusted: bool
) -> Package:
    part, expanded = simulation.part(segment), simulation.expanded
    ids = expanded.bases[segment], expanded.customers[segment]
    bases = [np.broadcast_to(part.draws.values[id], part.shape) for id in ids]

    def npv(*at: float) -> Array:
        pinned = part.pinned(dict(zip(ids, at, strict=True)))
        return pinned.outcome(accounting, adjusted, "segmented").npv

    # away from the draws, so that comparing with them shows what is not affine
    value, customers = [2.0 * float(np.abs(base).mean()) or 1.0 for base in bases]
    fixed = npv(0.0, 0.0)
    found = Package(
        (npv(value, 0.0) - fixed) / value, (fixed - npv(0.0, customers)) / customers, fixed
    )
    worth = part.outcome(accounting, adjusted, "segmented").npv
    off = np.abs(fixed + found.variable(*bases) - worth).max()
    if off > TOLERANCE * max(float(np.abs(worth).max()), float(np.abs(fixed).max())):
        name = simulation.names[segment]
        raise UsageError(
            f"Give every lever of segment {name!r} the base value or customers, got a product of "
            f"them: without it the net present value would differ by up to {off:.4g}."
        )
    return found
