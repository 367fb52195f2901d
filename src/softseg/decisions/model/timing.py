"""When effects and costs are there: shares of the full value by year."""

import numpy as np
from numpy.typing import NDArray

from softseg.decisions.inputs.schema import Assumptions, Convention, Profile

type Array = NDArray[np.float64]

_WITHIN: dict[Convention, float] = {"year_end": 0.0, "mid_year": 0.5, "year_start": 1.0}
"""How much of a year before its end its flows are taken to come."""


def effect_weights(
    profile: Profile, assumptions: Assumptions, *, timed: bool = True, delay: Array | None = None
) -> Array:
    """Return the share of an effect that is there in each year, (year,) or (year, …).

    Parameters
    ----------
    profile
        When the effect begins, how it grows, fades and ends.
    assumptions
        For the horizon and the ramp of effects without one of their own.
    timed
        Whether ramp, fading and delay count; without them the effect is full from its first year.
    delay
        Years by which everything comes later, per draw. Parts of a year move the ramp linearly
        from one year's share to the next.
    """
    years = np.arange(1.0, assumptions.horizon + 1)
    last = assumptions.horizon if profile.last is None else profile.last
    if not timed:
        return np.where((years >= profile.start) & (years <= last), 1.0, 0.0)
    shape = () if delay is None else (1,) * np.ndim(delay)
    years = years.reshape(-1, *shape)
    since = years - profile.start - (0.0 if delay is None else delay)
    ramp = assumptions.ramp if profile.ramp is None else profile.ramp
    share = np.interp(since, np.arange(-1.0, len(ramp)), [0.0, *ramp])
    if profile.half_life is not None:
        full_for = np.maximum(since - (len(ramp) - 1), 0.0)
        share = share * 0.5 ** (full_for / profile.half_life)
    return np.where(years <= last, share, 0.0)


def running_weights(profile: Profile, horizon: int) -> Array:
    """Return the share of a running cost that is paid in each year, (year,)."""
    years = np.arange(1, horizon + 1)
    last = horizon if profile.last is None else profile.last
    share = np.interp(years - profile.start, *_steps(profile.ramp or (1.0,)), left=0.0)
    return np.where((years >= profile.start) & (years <= last), share, 0.0)


def one_off_weights(profile: Profile, horizon: int) -> Array:
    """Return the share of a one-off cost that is paid in each year, (year,)."""
    share = np.zeros(horizon)
    spread = (1.0,) if profile.ramp is None else profile.ramp
    for later, part in enumerate(spread):
        if profile.start + later <= horizon:
            share[profile.start + later - 1] = part
    return share


def discount_factors(rate: Array | float, horizon: int, convention: Convention) -> Array:
    """Return the present value of 1 in each year, (year,) or (year, …) for rates per draw.

    Year 1 ends one year from today; `convention` says when within a year its flows come.
    """
    shape = (1,) * np.ndim(rate)
    years = np.arange(1.0, horizon + 1).reshape(-1, *shape)
    return (1.0 + np.asarray(rate)) ** -(years - _WITHIN[convention])


def _steps(ramp: tuple[float, ...]) -> tuple[Array, Array]:
    return np.arange(len(ramp), dtype=float), np.asarray(ramp, dtype=float)
