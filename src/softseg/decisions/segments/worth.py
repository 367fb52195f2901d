"""What a programme per segment is worth: `simulate`, on the draws of the fitted model.

Given the judgement e (effects, costs, success) the net present value is affine in the values
B_k(θ, z) of the customers that the programme reaches in segment k,

    N = a(e) + Σ_k c_k(e) · B_k(θ, z),

because every effect bears on the value of one segment. So the net present value is the sum of
those of the segments and of what belongs to no segment, draw by draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import xarray as xr

from softseg.decisions.inputs.schema import BENEFITS, COSTS, INCREMENTAL, Assumptions
from softseg.decisions.model.simulate import RoiModel, Simulation
from softseg.decisions.segments.expand import PROGRAMME_RULE, Expanded, base_rows, expand
from softseg.decisions.segments.moving import Inflow, moving_of
from softseg.decisions.segments.programme import Programme
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.names import SAMPLE

WHICH: Final = 13
"""Stream of random numbers, apart from those of the draws."""
FEWEST: Final = 2
"""Draws of the fitted model below which there is nothing but a mean."""
FLOWS: Final = (*COSTS, *BENEFITS, "cash_release")
"""Roles whose inputs bring or cost money by themselves, and so belong to one part."""


@dataclass(frozen=True)
class SegmentSimulation:
    """The draws of a study: of the whole, and of each part of it.

    Attributes
    ----------
    whole
        All segments together, with what belongs to no segment.
    expanded
        Which input belongs to which segment.
    programme
        What is done.
    value
        The customers' value by treatment and true segment, by draw of the fitted model.
    rule
        Whom the programme treats as what.
    plug_in
        Whether the fitted model entered with its means only. Such a result leaves out what is
        not known about the segments.
    """

    whole: Simulation
    expanded: Expanded
    programme: Programme
    value: xr.Dataset
    rule: str = PROGRAMME_RULE
    plug_in: bool = False
    _parts: dict[int | None, Simulation] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def names(self) -> Mapping[int, str]:
        """Names of the segments of the programme by number."""
        return self.expanded.names

    def part(self, segment: int | None) -> Simulation:
        """Return the same draws with the inputs of one segment only.

        The segmented programme of the whole is worth the sum of its parts in every draw:
        `outcome(…, programme="segmented")`.

        Parameters
        ----------
        segment
            Its number. None: what belongs to no segment, such as the cost of the project, and the
            uniform programme.

        Raises
        ------
        UsageError
            Where the programme has no such segment.
        """
        if segment is not None and segment not in self.names:
            raise UsageError(f"Name a segment out of {list(self.names)}, got {segment}.")
        if segment not in self._parts:
            kept = _only(self.whole.assumptions, self.expanded.owner, segment)
            self._parts[segment] = Simulation(kept, self.whole.draws, self.whole.cores)
        return self._parts[segment]

    def with_bases(self, rows: Mapping[str, Array]) -> "SegmentSimulation":
        """Return the same draws with other values of the segments, by draw of the fitted model.

        Parameters
        ----------
        rows
            By id, each (sample,): for instance ``base_rows(…, kind="expected")``.

        Raises
        ------
        UsageError
            Where the fitted model entered with its means only, so that no draw has a sample, or
            the rows have means in the place of draws.
        """
        sample = self.whole.draws.sample
        if sample is None:
            raise UsageError("Simulate with the draws of the model: these have its means only.")
        n = self.value.sizes[SAMPLE]
        short = {id: row.shape for id, row in rows.items() if row.shape != (n,)}
        if short:
            raise UsageError(f"Give {n} draws of every base, got {short}.")
        values = {id: row[sample] for id, row in rows.items()}
        return replace(self, whole=self.whole.pinned(values))


def simulate(
    assumptions: Assumptions,
    programme: Programme,
    value: xr.Dataset,
    segment_names: tuple[str, ...],
    *,
    rule: str = PROGRAMME_RULE,
    n_replicates: int = 16,
    n_draws: int = 4096,
    seed: int = 1,
    plug_in: bool = False,
    inflow: Mapping[int, Inflow] | None = None,
    cores: int | None = None,
) -> SegmentSimulation:
    """Return what a programme per segment brings, for every draw.

    Parameters
    ----------
    assumptions
        Those of the company.
    programme
        What is done with which segment.
    value
        As `softseg.results.value.value` returns it, or `migration_value` with a panel; its samples
        are the draws of the bases.
    segment_names
        Names of all segments, the first one being segment 1.
    rule
        Whom the programme treats as what, one of those in `value`.
    n_replicates, n_draws, seed, cores
        As `RoiModel.simulate` takes them.
    plug_in
        Whether the bases enter with their means only. It must be asked for: the band then leaves
        out what is not known about the segments.
    inflow
        New customers of a year by segment, where the value was made with a panel.

    Raises
    ------
    SchemaError
        Where the programme does not fit the assumptions.
    UsageError
        Where `value` has means in the place of draws and `plug_in` does not say so.
    """
    if not plug_in and value.sizes.get(SAMPLE, 1) < FEWEST:
        raise UsageError(
            f"Give the values of at least {FEWEST} draws of the fitted model, got "
            f"{value.sizes.get(SAMPLE, 0)}: means in their place must be asked for by name, "
            "with plug_in=True."
        )
    bare = expand(assumptions, programme, segment_names)
    rows = base_rows(bare, value, programme, rule)
    means = {id: float(row.mean()) for id, row in rows.items()}
    expanded = expand(assumptions, programme, segment_names, means)
    model = RoiModel(expanded.assumptions)
    # a base that no input refers to is not drawn
    posterior = None if plug_in or not rows else rows
    whole = model.simulate(n_replicates, n_draws, seed, posterior, cores)
    moving = moving_of(expanded, programme, value, segment_names, inflow or {}, seed)
    sample = whole.draws.sample
    if moving is not None and sample is None and not plug_in:
        # nothing about the segments of today is open, but where their customers go is
        rng = np.random.default_rng((seed, WHICH))
        sample = rng.integers(0, value.sizes[SAMPLE], whole.shape)
    whole = replace(whole, draws=replace(whole.draws, moving=moving, sample=sample))
    return SegmentSimulation(whole, expanded, programme, value, rule, plug_in)


def _only(assumptions: Assumptions, owner: Mapping[str, int], segment: int | None) -> Assumptions:
    """Return the assumptions without the flows of other parts.

    Costs of growth grow with the revenue of every part, so that each part keeps them.
    """
    inputs = {
        name: entry
        for name, entry in assumptions.inputs.items()
        if entry.role not in FLOWS or INCREMENTAL in entry.base or owner.get(name) == segment
    }
    for name, entry in inputs.items():
        if entry.same_as is not None and entry.same_as not in inputs:
            # a copy of what another part holds; its draws are there already
            inputs[name] = entry.model_copy(update={"same_as": None})
    return assumptions.model_copy(update={"inputs": inputs})
