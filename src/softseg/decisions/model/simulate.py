"""`RoiModel`: from a file of assumptions to the cash flows of every draw."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from softseg.decisions.inputs.dependence import original
from softseg.decisions.inputs.read import read_assumptions
from softseg.decisions.inputs.schema import Assumptions, Programme
from softseg.decisions.model.accounting import ACCOUNTINGS, Switches
from softseg.decisions.model.cashflow import Flows, discount_factors, flows
from softseg.decisions.model.moving import Moved
from softseg.decisions.model.sampling import Draws, draw
from softseg.decisions.model.timing import Array
from softseg.errors import UsageError

WORKS = "works"
"""Under this name the indicator "the programme has an effect" can be pinned like an input."""

BLOCK: Final = 16_384
"""Draws whose flows are computed together: what is made on the way is reused, not fetched anew."""


@dataclass(frozen=True)
class RoiModel:
    """The return of a programme under uncertain assumptions.

    Attributes
    ----------
    assumptions
        What goes in.
    """

    assumptions: Assumptions

    @classmethod
    def from_file(cls, path: Path | str) -> Self:
        """Return the model of a TOML file or a workbook.

        Raises
        ------
        SchemaError
            Where the assumptions have faults; the message has one sentence each.
        FileError
            Where the file cannot be read.
        """
        return cls(read_assumptions(path))

    @classmethod
    def example(cls, language: str = "en") -> Self:
        """Return the worked example of the source article: 50 million EUR revenue, five years."""
        name = f"example_{language}.toml"
        with as_file(files("softseg.decisions") / "example" / name) as path:
            return cls.from_file(path)

    def simulate(
        self,
        n_replicates: int = 16,
        n_draws: int = 4096,
        seed: int = 1,
        posterior: Mapping[str, Array] | None = None,
        cores: int | None = None,
    ) -> "Simulation":
        """Return the cash flows of all draws.

        Parameters
        ----------
        n_replicates
            Independent scramblings of the Sobol points; their spread is the Monte Carlo error.
        n_draws
            Draws of each, a power of two.
        seed
            Fixes every draw.
        posterior
            Draws of a fitted model by id of the input, in base units, on one index, which they
            keep.
        cores
            Threads; they change no number.
        """
        found = draw(self.assumptions, n_replicates, n_draws, seed, posterior, cores)
        return Simulation(self.assumptions, found, cores)


@dataclass(frozen=True)
class Outcome:
    """One accounting of a programme, for every draw.

    Attributes
    ----------
    flows
        As if the programme worked in full, one entry per replicate.
    factors
        Present value of 1 by year, one entry per replicate.
    success
        Share of the benefit that arrives, (replicate, draw).
    """

    flows: tuple[Flows, ...]
    factors: tuple[Array, ...]
    success: Array

    @cached_property
    def benefit(self) -> Array:
        """Present value of the benefit that arrives, money released included, (replicate, draw)."""
        return self.success * self._each(
            lambda f, d: np.asarray((d * (f.benefit + f.cash)).sum(axis=0))
        )

    @cached_property
    def cost(self) -> Array:
        """Present value of the programme's costs, (replicate, draw)."""
        return self._each(lambda f, d: np.asarray((d * f.cost).sum(axis=0)))

    @property
    def npv(self) -> Array:
        """Net present value, (replicate, draw)."""
        return self.benefit - self.cost

    @property
    def bcr(self) -> Array:
        """Benefit–cost ratio, (replicate, draw); NaN where the cost is 0 or less."""
        return self.roi + 1.0

    @property
    def roi(self) -> Array:
        """Net present value over the present value of the costs, (replicate, draw)."""
        paid = self.cost > 0.0
        return np.where(paid, self.npv / np.where(paid, self.cost, 1.0), np.nan)

    @cached_property
    def net(self) -> Array:
        """Discounted net flow, (replicate, draw, year)."""
        return self._net(self.factors)

    @cached_property
    def net_undiscounted(self) -> Array:
        """Net flow, (replicate, draw, year)."""
        return self._net(tuple(np.ones_like(d) for d in self.factors))

    @cached_property
    def revenue(self) -> Array:
        """Additional revenue, (replicate, draw, year)."""
        return self.success[..., None] * self._yearly(lambda f, d: f.revenue)

    @cached_property
    def profit(self) -> Array:
        """Change of the operating profit before tax (EBIT), (replicate, draw, year)."""
        gained = self.success[..., None] * self._yearly(lambda f, d: f.earned)
        return gained - self._yearly(lambda f, d: f.spent)

    def _net(self, factors: tuple[Array, ...]) -> Array:
        whole = replace(self, factors=factors)
        arrived = whole._yearly(lambda f, d: d * (f.benefit + f.cash))
        return self.success[..., None] * arrived - whole._yearly(lambda f, d: d * f.cost)

    def _each(self, part: Callable[[Flows, Array], Array]) -> Array:
        parts = [part(f, d) for f, d in zip(self.flows, self.factors, strict=True)]
        return np.stack([np.broadcast_to(p, self.success.shape[1:]) for p in parts])

    def _yearly(self, part: Callable[[Flows, Array], Array]) -> Array:
        draws, years = self.success.shape[1], len(self.flows[0].cost)
        parts = [part(f, d) for f, d in zip(self.flows, self.factors, strict=True)]
        return np.stack([np.broadcast_to(p, (years, draws)).T for p in parts])


@dataclass(frozen=True)
class Simulation:
    """All draws of the inputs, and what follows from them.

    Attributes
    ----------
    assumptions
        What went in.
    draws
        Inputs by draw.
    cores
        Threads of later steps.
    """

    assumptions: Assumptions
    draws: Draws
    cores: int | None = None
    _known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of replicates and of draws in each."""
        return self.draws.works.shape[0], self.draws.works.shape[1]

    def success(self, adjusted: bool = True) -> Array:
        """Return the share of the benefit that arrives, (replicate, draw)."""
        if not adjusted:
            return np.ones(self.shape)
        name = self.assumptions.only("realisation")
        arrived = 1.0 if name is None else self.draws.values[name]
        return np.broadcast_to(self.draws.works * arrived, self.shape)

    def outcome(
        self,
        accounting: str | Switches = "contribution_margin",
        adjusted: bool = True,
        programme: Programme | None = None,
    ) -> Outcome:
        """Return what a programme brings and costs in one accounting.

        Parameters
        ----------
        accounting
            ``as_published``, ``contribution_margin``, or switches of one's own.
        adjusted
            Whether the probability of no effect and the realisation factor apply.
        programme
            One programme against doing nothing. None: the headline, which is the segmented
            programme less the uniform one where the assumptions name that as the counterfactual.

        Raises
        ------
        UsageError
            Where the accounting is unknown.
        """
        if isinstance(accounting, str) and accounting not in ACCOUNTINGS:
            names = sorted(ACCOUNTINGS)
            raise UsageError(f"Choose an accounting out of {names}, got {accounting!r}.")
        switches = ACCOUNTINGS[accounting] if isinstance(accounting, str) else accounting
        key = (switches, programme)
        known = self._known.get(key)
        if known is None:
            known = self._flows(switches, programme)
            if isinstance(accounting, str):
                self._known[key] = known
        found, factors = known
        return Outcome(found, factors, self.success(adjusted))

    def pinned(self, values: Mapping[str, float | Array]) -> "Simulation":
        """Return a simulation in which some inputs are set, all others keeping their draws.

        Parameters
        ----------
        values
            By id, in base units; ``works`` sets whether the programme has an effect. Copies of an
            input (`same_as`) are set with it.

        Raises
        ------
        UsageError
            Where an id is unknown.
        """
        known = {WORKS, *self.draws.values}
        for name in values:
            if name not in known:
                raise UsageError(f"Pin inputs out of {sorted(known)}, got {name!r}.")
        new = dict(self.draws.values)
        for name, value in values.items():
            if name != WORKS:
                new[name] = self._full(value)
        for name in self.assumptions.inputs:
            first = original(self.assumptions, name)
            if first in values and name not in values and name in new:
                new[name] = new[first]
        works = self.draws.works
        if WORKS in values:
            works = np.broadcast_to(self._full(values[WORKS]), self.shape)
        left = tuple(name for name in self.draws.uncertain if name not in values)
        draws = replace(self.draws, values=new, works=works, uncertain=left)
        return Simulation(self.assumptions, draws, self.cores)

    def first(self, n_draws: int) -> "Simulation":
        """Return the first draws of every replicate, which are Sobol points too."""
        values = {
            name: value[:, :n_draws] if value.shape[1] > 1 else value
            for name, value in self.draws.values.items()
        }
        sample = None if self.draws.sample is None else self.draws.sample[:, :n_draws]
        works = self.draws.works[:, :n_draws]
        draws = replace(self.draws, values=values, works=works, sample=sample)
        return Simulation(self.assumptions, draws, self.cores)

    def _full(self, value: float | Array) -> Array:
        array = np.asarray(value, dtype=float)
        return array.reshape(1, 1) if array.ndim == 0 else np.broadcast_to(array, self.shape)

    def _flows(
        self, switches: Switches, programme: Programme | None
    ) -> tuple[tuple[Flows, ...], tuple[Array, ...]]:
        n_replicates, n_draws = self.shape
        moved = self._moved()
        together = max(1, BLOCK // n_draws)

        def several(start: int) -> list[tuple[Flows, Array]]:
            """Compute some replicates at once: with few draws each, calls cost more than sums."""
            which = slice(start, min(start + together, n_replicates))
            n = (which.stop - start) * n_draws
            values = {
                name: value[0] if value.size == 1
                else np.broadcast_to(value, self.shape)[which].reshape(-1)
                for name, value in self.draws.values.items()
            }  # fmt: skip
            own = slice(which.start * n_draws, which.stop * n_draws)
            whole = _in_blocks(part, values, n, None if moved is None else moved.of(own))
            found: list[tuple[Flows, Array]] = []
            for first in range(0, n, n_draws):
                cut = slice(first, first + n_draws)
                *paths, factors = (p[:, cut] if p.shape[1] > 1 else p for p in whole)
                found.append((Flows(*paths), factors))
            return found

        def part(values: Mapping[str, Array], moved: Moved | None) -> list[Array]:
            found = self._programme(values, switches, programme, moved)
            paths = [getattr(found, path.name) for path in fields(Flows)]
            return [*paths, discount_factors(self.assumptions, values, switches)]

        with ThreadPoolExecutor(max_workers=self.cores) as pool:
            groups = pool.map(several, range(0, n_replicates, together))
            pairs = [pair for group in groups for pair in group]
        return tuple(found for found, _ in pairs), tuple(factors for _, factors in pairs)

    def _moved(self) -> Moved | None:
        """Return what customers who move do to the cash flow of every draw, in a row."""
        moving, sample = self.draws.moving, self.draws.sample
        if moving is None:
            return None
        n = self.draws.works.size
        known = sample is not None and sample.size == n
        return moving.at(self.draws.values, sample if known else None, n)

    def _programme(
        self,
        values: Mapping[str, Array],
        switches: Switches,
        programme: Programme | None,
        moved: Moved | None,
    ) -> Flows:
        if programme is not None:
            return flows(self.assumptions, values, switches, programme, moved)
        segmented = flows(self.assumptions, values, switches, "segmented", moved)
        if self.assumptions.counterfactual == "nothing":
            return segmented
        return segmented.beyond(flows(self.assumptions, values, switches, "uniform", moved))


def _in_blocks(
    part: Callable[[Mapping[str, Array], Moved | None], list[Array]],
    values: Mapping[str, Array],
    n_draws: int,
    moved: Moved | None,
) -> list[Array]:
    """Return paths, (year or 1, draw or 1) each, computed from some draws after the other.

    Parameters
    ----------
    part
        From the values of some draws, and what moves do to them, to their paths.
    values
        Inputs by id, (draw,) or (1,).
    n_draws
        All draws.
    moved
        What moves do to all draws.
    """
    whole: list[Array] = []
    for start in range(0, n_draws, BLOCK):
        cut = slice(start, start + BLOCK)
        block = {name: value[cut] if len(value) > 1 else value for name, value in values.items()}
        paths = part(block, None if moved is None else moved.of(cut))
        if not whole:
            whole = [np.empty((len(p), n_draws)) if p.shape[1] > 1 else p for p in paths]
        for path, all_draws in zip(paths, whole, strict=True):
            if all_draws is not path:
                all_draws[:, cut] = path
    return whole
