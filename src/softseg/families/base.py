"""What one indicator can be: the contract every family fulfils.

Within a segment a family's log density is written as

    log f(x) = h(x) + T(x)·η − m(x)·A + table[cell(x)]

with the base measure h, sufficient statistics T, natural parameters η, log-partition A with its
weight m (1 where the cell is observed, the exposure for counts, 0 where it is missing), and a
table of log densities over the distinct cells of a discrete indicator. A family uses the first
part, the second, or both; what it does not use is empty. A missing cell is zero in T, m and h and
has the cell −1, so it drops out exactly.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from softseg.priors import Prior, SegmentPrior, for_segments

Array = NDArray[np.float64]
Integers = NDArray[np.int32]
Parameters = Mapping[str, Any]
"""Values of one family's parameters by name: arrays of shape (…, segment[, level])."""
Priors = Mapping[str, SegmentPrior]

TINY = 1e-300
"""Floor below which probabilities and rates are not let into a logarithm."""

LARGEST_EXPONENT = 700.0
"""Bound on what is let into an exponential: e^700 is just short of the largest float."""


class Namespace(Protocol):
    """The functions a family needs, so that its formulas serve NumPy and PyTensor alike."""

    def log(self, x: Any) -> Any:
        """Return the natural logarithm."""
        ...

    def log1p(self, x: Any) -> Any:
        """Return log(1 + x)."""
        ...

    def exp(self, x: Any) -> Any:
        """Return e to the power of x."""
        ...

    def gammaln(self, x: Any) -> Any:
        """Return the logarithm of the Gamma function."""
        ...

    def maximum(self, x: Any, y: Any) -> Any:
        """Return the larger of both."""
        ...

    def stack(self, arrays: Sequence[Any]) -> Any:
        """Join arrays of shape (…, segment) along a new last axis."""
        ...

    def concatenate(self, arrays: Sequence[Any]) -> Any:
        """Join arrays along their last axis."""
        ...


@dataclass(frozen=True)
class Parameter:
    """One parameter of a family.

    Attributes
    ----------
    name
        Word of the field: ``mean``, ``rate``, ``probability``.
    support
        Where it lives; decides which priors fit and how a graph transforms it.
    updates
        Names of the priors under which `Family.update` draws it from its exact conditional;
        empty where every prior serves (a slice step).
    per_level
        Whether it has one value per level of a categorical indicator.
    """

    name: str
    support: Literal["real", "positive", "unit", "simplex"]
    updates: tuple[str, ...] = ()
    per_level: bool = False


@dataclass(frozen=True)
class Coding:
    """Constants of one indicator, found once on the training table and then frozen.

    Attributes
    ----------
    levels
        Levels of a categorical or two-valued indicator, in the order of their codes.
    centre, scale
        Shift and unit in which the statistics are computed, against loss of digits. They change
        no density.
    width
        Where the asinh scale turns from linear to logarithmic, in the indicator's unit.
    """

    levels: tuple[str, ...] = ()
    centre: float = 0.0
    scale: float = 1.0
    width: float = 1.0


@dataclass(frozen=True)
class Block:
    """One indicator's rows in the form the kernel reads.

    Attributes
    ----------
    statistics
        T(x), shape (statistic, row); 0 where missing.
    measure
        m(x), shape (row,); None where the family has no statistics.
    codes
        Cell of each row, −1 where missing; None where the family has no table.
    cells
        What each cell stands for, shape (cell, …): a level's code, or value and exposure.
    log_base
        h(x), shape (row,).
    """

    statistics: Array
    measure: Array | None
    codes: Integers | None
    cells: Array
    log_base: Array


@dataclass(frozen=True)
class Sums:
    """Sums of one indicator's statistics over the customers of each segment.

    Attributes
    ----------
    statistics
        Σ T(x), shape (segment, statistic).
    measure
        Σ m(x), shape (segment,).
    counts
        Customers per cell, shape (segment, cell).
    cells
        As in `Block`.
    """

    statistics: Array
    measure: Array
    counts: Array
    cells: Array


@dataclass(frozen=True)
class Measure:
    """One line that the profile table shows for an indicator.

    Attributes
    ----------
    name
        Key of the line: ``mean``, ``median``, ``share``, …
    values
        Shape (…, segment) or (…, segment, level), in the unit of the data.
    lift
        How a segment is compared with the base: a ratio, a difference in sd of the base, or not.
    """

    name: str
    values: Array
    lift: Literal["ratio", "difference", "none"] = "ratio"


@dataclass(frozen=True)
class Observed:
    """One indicator's cells as a family reads them: NaN where missing; codes for levels."""

    values: Array
    exposure: Array | None = None
    coding: Coding = field(default_factory=Coding)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which cells are observed, shape (row,)."""
        return ~np.isnan(self.values)

    def measure(self) -> Array:
        """Return m(x): the exposure, or 1, where observed, else 0; shape (row,)."""
        weight = np.ones(len(self.values)) if self.exposure is None else self.exposure
        return np.where(self.present, weight, 0.0)


class Family(ABC):
    """One distribution that an indicator can follow within a segment."""

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]]
    domain: ClassVar[str]
    """Key of the catalogue that names the legal values in words."""
    levelled: ClassVar[bool] = False
    """Whether values are codes of levels."""
    takes_exposure: ClassVar[bool] = False
    discrete: ClassVar[bool] = False
    kinds: ClassVar[tuple[int, ...]] = ()
    """Its compiled forms in `families.kinds`, which take its parameters in their order; a family
    without any is served by the general, slower paths."""

    @abstractmethod
    def legal(self, values: Array) -> NDArray[np.bool_]:
        """Return which finite values the family can produce, shape (row,)."""

    def coding(self, observed: Observed) -> Coding:
        """Return the constants to freeze, found on the training rows."""
        return observed.coding

    @abstractmethod
    def default_priors(self, observed: Observed) -> dict[str, Prior]:
        """Return the default prior of each parameter, scaled to the data; numbers only."""

    @abstractmethod
    def encode(self, observed: Observed) -> Block:
        """Return the rows as statistics and cells."""

    def natural(self, parameters: Parameters, coding: Coding, xp: Namespace) -> list[Any]:
        """Return η, one entry of shape (…, segment) per statistic."""
        return []

    def log_partition(self, parameters: Parameters, coding: Coding, xp: Namespace) -> Any:
        """Return A, shape (…, segment); 0 for a family without statistics."""
        return 0.0

    def log_table(self, parameters: Parameters, cells: Array, coding: Coding, xp: Namespace) -> Any:
        """Return the log density of each cell, shape (…, segment, cell), for a table family."""
        raise TypeError(f"Do not ask {self.name!r} for a table: its blocks have no cells.")

    @abstractmethod
    def maximise(
        self, sums: Sums, parameters: Parameters, priors: Priors | None, coding: Coding
    ) -> dict[str, Array]:
        """Return the parameters that maximise Σ log f plus the log prior given the sums.

        `priors` None is maximum likelihood, scales floored at `SCALE_FLOOR` of the whole table's.
        `parameters` are the present values, from which an iteration starts and which a segment
        without customers keeps.
        """

    @abstractmethod
    def update(
        self,
        rng: np.random.Generator,
        sums: Sums,
        parameters: Parameters,
        priors: Priors,
        coding: Coding,
    ) -> dict[str, Array]:
        """Return a draw of the parameters given the customers of each segment (one Gibbs step)."""

    @abstractmethod
    def draw(
        self,
        rng: np.random.Generator,
        parameters: Parameters,
        segment: NDArray[np.intp],
        exposure: Array | None,
        coding: Coding,
    ) -> Array:
        """Return one value per entry of `segment`, drawn from that segment's distribution."""

    @abstractmethod
    def profile(self, parameters: Parameters, coding: Coding) -> list[Measure]:
        """Return what the profile table shows, in the unit of the data, headline first."""

    def updatable(self, priors: Priors) -> bool:
        """Return whether `update` serves these priors, so that Gibbs can be used."""
        for parameter in self.parameters:
            prior = priors[parameter.name]
            free_of_conditions = not parameter.updates or prior.name == "Fixed"
            if not free_of_conditions and prior.name not in parameter.updates:
                return False
        return True

    def segment_priors(
        self, priors: Mapping[str, Prior | Sequence[Prior]], n_segments: int, coding: Coding
    ) -> dict[str, SegmentPrior]:
        """Return the priors of this family spelled out for every segment."""
        return {
            p.name: for_segments(
                priors[p.name], n_segments, len(coding.levels) if p.per_level else None
            )
            for p in self.parameters
        }


SCALE_FLOOR = 1e-3
"""Least standard deviation under maximum likelihood, as a share of the whole table's.

The likelihood of a Gaussian mixture has no maximum without it: a segment that shrinks onto one
customer sends it to infinity.
"""


def rounded(number: float) -> float:
    """Return the number with six significant digits, so that a frozen prior is readable."""
    return float(f"{float(number):.6g}")
