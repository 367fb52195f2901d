"""What the ROI report reads from a simulation and its answers, found in one form."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import xarray as xr

from softseg.decisions.answers.collect import Answers
from softseg.decisions.inputs.schema import INCREMENTAL, Assumptions, Input
from softseg.decisions.model.simulate import Simulation
from softseg.report.facts import Array, clean
from softseg.report.roi import numbers
from softseg.wording import has, say

MAIN: Final = "contribution_margin"
PUBLISHED: Final = "as_published"
LOW, MIDDLE, HIGH = 0.05, 0.5, 0.95


@dataclass(frozen=True)
class RoiFacts:
    """A simulation, its answers and the language of the reader."""

    simulation: Simulation
    answers: Answers
    language: str

    @property
    def assumptions(self) -> Assumptions:
        """What went in."""
        return self.simulation.assumptions

    @property
    def currency(self) -> str:
        """ISO code of every amount."""
        return self.assumptions.currency

    def say(self, key: str, **values: object) -> str:
        """Return a text of this report."""
        return _kept(say(f"roi_report.{key}", self.language, **values))

    def word(self, group: str, name: str) -> str:
        """Return the word for a name, the name itself where the catalogue has none."""
        key = f"roi_report.{group}.{name}"
        return _kept(say(key, self.language)) if has(key) else clean(name.replace("_", " "))

    def label(self, name: str) -> str:
        """Return the label of an input, of the programme's success, or of a group of inputs."""
        entry = self.assumptions.inputs.get(name)
        if entry is not None and clean(entry.label) != clean(""):
            return clean(entry.label)
        return self.word("input", name)

    def scenario(self, name: str) -> str:
        """Return the name of a scenario for readers."""
        return self.word("scenario", name)

    def entry(self, name: str) -> Input | None:
        """Return an input, None where the name is none."""
        return self.assumptions.inputs.get(name)

    def base(self, name: str) -> str:
        """Return what an input is a share of, in words, "" where it is of nothing."""
        entry = self.entry(name)
        if entry is None or not entry.base:
            return ""
        names = [
            self.word("base", INCREMENTAL) if base == INCREMENTAL else self.label(base)
            for base in entry.base
        ]
        return self.say("what.of", base=" × ".join(names))

    def in_unit(self, name: str, x: float, error: float = float("nan")) -> str:
        """Return a value of an input, given in base units, in the unit of the input."""
        entry = self.entry(name)
        if entry is None:
            return numbers.plain(x, self.language)
        return numbers.in_unit(float(x), entry.unit, self.language, error)

    def money(self, x: Any, error: Any = float("nan")) -> str:
        """Return an amount with the digits that its error supports."""
        return numbers.money(float(x), self.currency, self.language, float(error))

    def gain(self, x: Any, error: Any = float("nan")) -> str:
        """Return a change of an amount with its sign."""
        return numbers.gain(float(x), self.currency, self.language, float(error))

    def ratio(self, x: Any, error: Any = float("nan")) -> str:
        """Return an ROI in per cent."""
        return numbers.ratio(float(x), self.language, float(error))

    def multiple(self, x: Any, error: Any = float("nan")) -> str:
        """Return a benefit–cost ratio."""
        return numbers.multiple(float(x), self.language, float(error))

    def share(self, x: Any, error: Any = float("nan")) -> str:
        """Return a probability in per cent."""
        return numbers.share(float(x), self.language, float(error))

    def points(self, x: Any, error: Any = float("nan")) -> str:
        """Return a difference of shares in percentage points, without their name."""
        return numbers.in_points(float(x), self.language, float(error))

    def cases(self, x: Any) -> str:
        """Return a probability as cases out of 100."""
        return numbers.cases(float(x), self.language)

    def years(self, x: Any, error: Any = float("nan")) -> str:
        """Return a number of years, "not within the horizon" where it is infinite."""
        return numbers.years(float(x), self.language, float(error))

    def number(self, data: xr.Dataset, name: str, **at: Any) -> tuple[float, float]:
        """Return a number of a Dataset and its Monte Carlo error."""
        found, error = data[name], data.get(f"{name}_error")
        near = {k: v for k, v in at.items() if isinstance(v, float)}
        exact = {k: v for k, v in at.items() if k not in near}
        value = _one(found, exact, near)
        return value, float("nan") if error is None else _one(error, exact, near)

    def headline(self, name: str, **at: Any) -> tuple[float, float]:
        """Return a number of the headline and its error; the full calculation unless said."""
        return self.number(self.answers.headline, name, **_whole(at))

    @cached_property
    def no_effect(self) -> float:
        """Share of the draws in which the programme has no effect."""
        return float(1.0 - np.asarray(self.simulation.draws.works).mean())

    def draws(self, name: str, accounting: str = MAIN, *, adjusted: bool = True) -> Array:
        """Return all finite draws of ``npv`` or ``roi``, pooled and sorted."""
        key = (name, accounting, adjusted)
        if key not in self._pooled:
            found = np.sort(np.ravel(getattr(self.simulation.outcome(accounting, adjusted), name)))
            self._pooled[key] = found[np.isfinite(found)]
        return self._pooled[key]

    @cached_property
    def _pooled(self) -> dict[Any, Array]:
        return {}

    @property
    def horizon(self) -> int:
        """Years."""
        return self.assumptions.horizon


def _kept(text: str) -> str:
    """Return a text in which no line ends before a per cent sign."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _whole(at: dict[str, Any]) -> dict[str, Any]:
    return {"accounting": MAIN, "adjusted": True, **at}


def _one(found: xr.DataArray, exact: dict[str, Any], near: dict[str, float]) -> float:
    found = found.sel({k: v for k, v in exact.items() if k in found.dims})
    near = {k: v for k, v in near.items() if k in found.dims}
    return float(found.sel(near, method="nearest") if near else found)
