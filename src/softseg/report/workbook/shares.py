"""Shares of the full value by year as formulas; mirrors `softseg.decisions.model.timing`."""

from typing import Final

from softseg.report.workbook.formula import (
    ONE,
    ZERO,
    Formula,
    at_most,
    both,
    distance,
    literal,
    positive,
    same,
    total,
    up_to_one,
    when,
)
from softseg.report.workbook.inputs_sheet import ProfileCells

HALF: Final = literal(0.5)


def effect_share(profile: ProfileCells, year: Formula, delay: Formula | None) -> Formula:
    """Return the share of an effect that is there in a year, with ramp, delay and fading."""
    since = year - profile.start
    if delay is not None:
        since = since - delay
    share = ramped(profile.ramp, since)
    if profile.half_life is not None:
        full_for = positive(since - (len(profile.ramp) - 1))
        share = share * HALF ** (full_for / profile.half_life)
    return when(at_most(year, profile.last), share)


def full_share(profile: ProfileCells, year: Formula) -> Formula:
    """Return 1 from the first to the last year of an effect, else 0."""
    return when(_between(profile, year), ONE)


def running_share(profile: ProfileCells, year: Formula) -> Formula:
    """Return the share of a running cost that is paid in a year."""
    share = ramped(profile.ramp, year - profile.start) if profile.ramp else ONE
    return when(_between(profile, year), share)


def one_off_share(profile: ProfileCells, year: Formula) -> Formula:
    """Return the share of a one-off cost that is paid in a year."""
    if not profile.ramp:
        return when(same(year, profile.start), ONE)
    parts = [
        when(same(year, profile.start + float(later)), part)
        for later, part in enumerate(profile.ramp)
    ]
    return total(parts)


def ramped(ramp: tuple[Formula, ...], since: Formula) -> Formula:
    """Return the ramp at a time since its beginning: linear between the years, the last lasting.

    Every share but the last is the top of a triangle two years wide.
    """
    last = len(ramp) - 1
    parts = [
        share * positive(1.0 - distance(since, float(later)))
        for later, share in enumerate(ramp[:last])
    ]
    lasting = ramp[last] * positive(up_to_one(since - (last - 1.0)))
    return total([*parts, lasting])


def discount_factor(rate: Formula | None, year: Formula, within: Formula) -> Formula:
    """Return the present value of 1 in a year."""
    return ONE if rate is None else ONE / ((ONE + rate) ** (year - within))


def increase(path: tuple[Formula, ...]) -> tuple[Formula, ...]:
    """Return by how much a path rises in each year, from 0 before the first one."""
    before = (ZERO, *path[:-1])
    return tuple(now - then for now, then in zip(path, before, strict=True))


def _between(profile: ProfileCells, year: Formula) -> Formula:
    return both(at_most(profile.start, year), at_most(year, profile.last))
