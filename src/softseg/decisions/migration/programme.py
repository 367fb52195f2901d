"""A programme as a change of named transitions, on the same draws as the baseline.

"Churn of premium partners 30 to 50 % lower" is a change of one row: p'_jk = p_jk (1 + r), r between
−0.5 and −0.3, no other row touched. What is freed has to go somewhere, and where is a choice: to
`stay`, or to all other transitions of the row in proportion (`proportional`). A change in log-odds,
p' = p eᵇ / (1 + p (eᵇ − 1)), never leaves 0 … 1. A change of nothing is nothing, to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import xarray as xr

from softseg.checks import one_of
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import BASELINE, HORIZON, PROGRAMME, SAMPLE, STATE, STATE_TO
from softseg.results.migration.chain import at_horizon, state_at, state_names, steps, unlabelled

SCALES: Final = ("relative", "log_odds")
FREED: Final = ("stay", "proportional")


@dataclass(frozen=True)
class Shift:
    """What a programme does to transitions out of one state.

    Attributes
    ----------
    state
        The state that customers are in.
    to
        Where they go: one state, or several whose probabilities change by the same factor.
    change
        On the scale `relative` a change of the probability as a share of itself, −0.3 for 30 %
        less, ≥ −1; on `log_odds` what is added to its log-odds. A number, or draws (sample) made
        once and used everywhere.
    scale
        ``relative`` or ``log_odds``.
    freed
        Where the freed mass goes, or the missing comes from: ``stay`` or ``proportional``, that is
        to all other transitions of the row, staying included.
    """

    state: str
    to: str | tuple[str, ...]
    change: float | xr.DataArray
    scale: Literal["relative", "log_odds"] = "relative"
    freed: Literal["stay", "proportional"] = "stay"


def programme(
    transition: xr.DataArray,
    shifts: Sequence[Shift],
    *,
    horizon: int,
    ramp: xr.DataArray | None = None,
) -> xr.DataArray:
    """Return the transitions without and with a programme, of the same draws.

    Parameters
    ----------
    transition
        Baseline, (sample, state, state_to), or with a dim ``horizon``, 1 … H.
    shifts
        What the programme does. Shifts of one state name different targets and the same `freed`.
    horizon
        Periods H ≥ 1.
    ramp
        Share of the change that is reached by each horizon, (horizon) or (sample, horizon), 1 … H;
        from 0 to 1; all of it from the start by default.

    Returns
    -------
    xarray.DataArray
        Shape (programme, sample, horizon, state, state_to), the programmes being ``baseline`` and
        ``programme``, horizons 1 … H. Attribute ``freed``: state and where its mass goes.

    Raises
    ------
    UsageError
        Where a state is unknown, shifts contradict each other, a change is impossible in some
        draw, or draws and horizons do not fit.
    """
    if horizon < 1:
        raise UsageError(f"Give a horizon of at least 1 period, got {horizon}.")
    transition = unlabelled(transition)
    base = xr.concat(list(steps(transition, horizon)), dim=HORIZON)
    base = base.assign_coords({HORIZON: np.arange(1, horizon + 1)})
    if SAMPLE not in base.dims:
        base = base.expand_dims(SAMPLE)
    base = base.transpose(SAMPLE, HORIZON, STATE, STATE_TO)
    changed = base.copy(deep=True)
    by_state: dict[str, list[Shift]] = {}
    for shift in shifts:
        by_state.setdefault(shift.state, []).append(shift)
    for state, ours in by_state.items():
        row = state_at(transition, state)
        sizes = (base.sizes[SAMPLE], horizon)
        changes = [_by_horizon(shift, ramp, sizes) for shift in ours]
        changed.values[..., row, :] = _shifted(base.values[..., row, :], row, ours, changes,
                                               state_names(transition))  # fmt: skip
    both = xr.concat([base, changed], dim=PROGRAMME)
    freed = ", ".join(f"{state}: {ours[0].freed}" for state, ours in by_state.items())
    return both.assign_coords({PROGRAMME: [BASELINE, PROGRAMME]}).assign_attrs(freed=freed)


def _by_horizon(shift: Shift, ramp: xr.DataArray | None, sizes: tuple[int, int]) -> Array:
    """Return the change of every draw and horizon, (sample, horizon)."""
    change = np.asarray(getattr(shift.change, "values", shift.change), dtype=float)
    if change.shape not in ((), (sizes[0],)) or not np.all(np.isfinite(change)):
        raise UsageError(
            f"Give the change of {shift.state!r} as a number or one finite number per draw: "
            f"expected {sizes[0]}, got {change.shape}."
        )
    least = float(change.min())
    if shift.scale == "relative" and least < -1.0:
        raise UsageError(
            f"Give a relative change of at least −1 for {shift.state!r}: nothing can fall by more "
            f"than all of it, got {least}."
        )
    found = np.broadcast_to(change[..., None], sizes)
    if ramp is None:
        return found
    parts = [at_horizon(unlabelled(ramp), h, "the ramp").values for h in range(1, sizes[1] + 1)]
    share = np.stack(parts, axis=-1)
    if not np.all((share >= 0.0) & (share <= 1.0)):
        raise UsageError("Give the ramp as shares from 0 to 1 of the whole change.")
    if share.shape not in ((sizes[1],), sizes):
        raise UsageError(f"Give the ramp for the same draws: expected {sizes}, got {share.shape}.")
    return found * share


def _shifted(
    old: Array, row: int, shifts: list[Shift], changes: list[Array], names: list[str]
) -> Array:
    """Return the changed row, (sample, horizon, state_to)."""
    new = old.copy()
    named: list[int] = []
    for shift, change in zip(shifts, changes, strict=True):
        one_of(shift.scale, "the scale of a change", SCALES)
        one_of(shift.freed, "where freed mass goes", FREED)
        targets = _targets(shift, row, names)
        if set(targets) & set(named) or shift.freed != shifts[0].freed:
            raise UsageError(
                f"Let the shifts of {shift.state!r} name different targets and the same place for "
                "what they free: expected each target once."
            )
        named += targets
        new[..., targets] = old[..., targets] * _factor(old[..., targets].sum(-1), change, shift)[
            ..., None
        ]  # fmt: skip
    before, after = old[..., named].sum(axis=-1), new[..., named].sum(axis=-1)
    if shifts[0].freed == "stay":
        new[..., row] = old[..., row] + (before - after)
        short = new[..., row] < 0.0
    else:
        rest = [k for k in range(len(names)) if k not in named]
        left = 1.0 - before
        short = (after > 1.0) | ((left <= 0.0) & (after != before))
        scale = np.where(left > 0.0, (1.0 - after) / np.where(left > 0.0, left, 1.0), 1.0)
        new[..., rest] = old[..., rest] * scale[..., None]
    if np.any(short):
        raise UsageError(
            f"Make the change of {shifts[0].state!r} smaller, or give it in log-odds: in "
            f"{float(short.any(axis=-1).mean()):.0%} of the draws it takes more than the row has "
            "to give."
        )
    return new


def _targets(shift: Shift, row: int, names: list[str]) -> list[int]:
    wanted = (shift.to,) if isinstance(shift.to, str) else tuple(shift.to)
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted or names[row] in wanted:
        raise UsageError(
            f"Name where customers in {shift.state!r} go: expected states out of "
            f"{[name for name in names if name != names[row]]}, got {list(wanted)}."
        )
    return [names.index(name) for name in wanted]


def _factor(p: Array, change: Array, shift: Shift) -> Array:
    """Return what the probability of the targets is multiplied by; exactly 1 without a change."""
    if shift.scale == "relative":
        return 1.0 + change
    return np.exp(change) / (1.0 + p * np.expm1(change))
