"""Customers who move and leave in the programme of a study: `moving_of`.

What a panel says of the customers of today and of their transitions becomes what the cash flow
needs (`softseg.decisions.model.moving`), on the same draws as the segments' values. Who is treated
as which segment is decided anew as customers move: the programme reaches the same share of a
segment's customers in every year.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Self

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, model_validator

from softseg.decisions.inputs.schema import TRANSITION as LEVER
from softseg.decisions.inputs.schema import Assumptions, Finite
from softseg.decisions.model import timing
from softseg.decisions.model.moving import Move, Moving, process
from softseg.decisions.segments.expand import Expanded, segment_id, segment_number
from softseg.decisions.segments.programme import Programme, SegmentInput
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import CHURNED, SAMPLE, SEGMENT, STATE, STATE_TO, TRANSITION
from softseg.wording import say

CHANCE: Final = 11
NEW: Final = 12
"""Streams of random numbers, apart from those of the draws."""
WIDTH: Final = 2.0 * 1.6448536269514722
"""Standard deviations between the 5 % and the 95 % quantile of a normal law."""


class Inflow(BaseModel):
    """New customers of a year in one segment: a number, or a range that holds with 90 %.

    Attributes
    ----------
    value, low, high
        Customers a year; a range is that of a lognormal law.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: Annotated[Finite, Field(ge=0)] | None = None
    low: Annotated[Finite, Field(gt=0)] | None = None
    high: Annotated[Finite, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ends = (self.low, self.high)
        if (self.value is None) == (None in ends) or (self.value is not None and any(ends)):
            raise ValueError(say("segments.inflow"))
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(say("segments.inflow"))
        return self

    def draws(self, n: int, rng: np.random.Generator) -> Array:
        """Return draws, (sample,)."""
        if self.low is None or self.high is None:
            return np.full(n, self.value or 0.0)
        low, high = np.log(self.low), np.log(self.high)
        return np.exp(rng.normal(0.5 * (low + high), (high - low) / WIDTH, n))


def moving_of(
    expanded: Expanded,
    programme: Programme,
    value: xr.Dataset,
    segment_names: Sequence[str],
    inflow: Mapping[int, Inflow],
    seed: int,
) -> Moving | None:
    """Return where the customers go, None where the value was not made with a panel.

    Parameters
    ----------
    expanded, programme
        The programme, and its inputs.
    value
        As `softseg.results.migration.customers.migration_value` returns it.
    segment_names
        Names of all segments, the first one being segment 1.
    inflow
        New customers by segment; without any the cohort is closed.
    seed
        Of what chance does to a finite number of customers, and of the inflow.

    Raises
    ------
    UsageError
        Where a lever changes moves and there is no panel, or nobody leaves and it names churned.
    """
    moves = levers(expanded, programme, segment_names)
    if TRANSITION not in value:
        if moves or inflow:
            raise UsageError(
                "Give the study a panel: without one nobody moves, and neither a lever of the "
                f"effect {LEVER!r} nor an inflow has a meaning, got {[*moves]}."
            )
        return None
    matrix = value[TRANSITION].transpose(SAMPLE, STATE, STATE_TO)
    n_draws, n_states = matrix.shape[:2]
    churns = str(matrix[STATE].values[-1]) == CHURNED
    years = expanded.assumptions.horizon
    customers, worth, effective = (
        _by_state(value[name], n_states) for name in ("customers_now", "worth", "effective")
    )
    new = np.zeros((n_draws, n_states))
    rng = np.random.default_rng((seed, NEW))
    for k in sorted(inflow):
        new[:, k - 1] = inflow[k].draws(n_draws, rng)
    found = Moving(
        transition=matrix.values,
        customers=customers,
        worth=worth,
        per_year=int(value.attrs["per_year"]),
        years=years,
        inflow=new,
        chance=np.ones((2, n_draws, years, n_states)),
        bases=_bases(expanded),
        company=expanded.assumptions.only("revenue"),
        moves={
            id: _move(expanded.assumptions, id, k, lever, segment_names, churns)
            for id, (k, lever) in moves.items()
        },
    )
    chance = process(
        customers, effective, found.yearly, years, np.random.default_rng((seed, CHANCE))
    )
    return found.with_chance(chance)


def levers(
    expanded: Expanded, programme: Programme, segment_names: Sequence[str]
) -> dict[str, tuple[int, SegmentInput]]:
    """Return the levers on moves, by id with the number of their segment."""
    found: dict[str, tuple[int, SegmentInput]] = {}
    for entry in programme.segments:
        k = segment_number(entry.segment, segment_names)
        for name, lever in entry.inputs.items():
            if lever.effect == LEVER and k is not None:
                found[segment_id(k, name)] = (k, lever)
    return found


def _by_state(rows: xr.DataArray, n_states: int) -> Array:
    """Return numbers by segment as numbers by state, 0 for churned."""
    found = np.zeros((rows.sizes[SAMPLE], n_states))
    found[:, : rows.sizes[SEGMENT]] = rows.transpose(SAMPLE, SEGMENT).values
    return found


def _bases(expanded: Expanded) -> dict[str, tuple[int, bool]]:
    found = {id: (k - 1, False) for k, id in expanded.bases.items()}
    return found | {id: (k - 1, True) for k, id in expanded.customers.items()}


def _move(
    assumptions: Assumptions,
    id: str,
    segment: int,
    lever: SegmentInput,
    segment_names: Sequence[str],
    churns: bool,
) -> Move:
    to: list[int] = []
    for name in lever.to:
        k = segment_number(name, segment_names)
        if name == CHURNED and not churns:
            raise UsageError(
                f"Take {CHURNED!r} out of the lever {id!r}, or state in the schema how customers "
                "leave: in this panel nobody does."
            )
        to.append(len(segment_names) if k is None else k - 1)
    profile = assumptions.inputs[id].profile
    return Move(
        segment=segment - 1,
        to=tuple(to),
        rises=lever.change == "more",
        freed=lever.freed,
        weights=timing.effect_weights(profile, assumptions),
    )
