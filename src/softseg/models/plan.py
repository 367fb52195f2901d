"""A mixture as plain arrays, so that compiled code can read any schema: `plan_of`.

Everything that differs between schemas (families, levels, priors, where a part lies in the pattern
statistics) is numbers in the arrays of a `Plan`. So one compiled function serves every table, and
nothing is compiled per data set.

The named parameters become one matrix `theta` (segment, column): indicators in their order,
within them the parameters of the family, within these the levels. A *part* is one kind of
`families.kinds` with its columns; a hurdle has two.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from softseg.families.base import Array, Parameter
from softseg.families.kinds import (
    BERNOULLI,
    CATEGORICAL,
    COMPILED,
    N_PARAMETERS,
    NEGATIVE_BINOMIAL,
    TINY,
    pull,
    push,
)
from softseg.families.positive import BETA_PRIOR, DIRICHLET_PRIOR, HELD, NORMAL_PRIOR, PRIOR_CODES
from softseg.likelihood.statistics import Layout, Slot
from softseg.models.mixture import Extra, Mixture, Values
from softseg.priors import FIXED, SegmentPrior

Integers = NDArray[np.int64]

KIND, COLUMN, WIDTH, DENSE, EXPOSURE, OBSERVED, TABLE, CELLS, VALUES, N_VALUES = range(10)
EXPOSURES, N_EXPOSURES = 10, 11
"""Columns of `Plan.parts`; −1 where a part has no such thing."""

REAL, POSITIVE, UNIT, SIMPLEX = range(4)
SUPPORTS: Final = {"real": REAL, "positive": POSITIVE, "unit": UNIT, "simplex": SIMPLEX}
CODES: Final = {
    **PRIOR_CODES,
    "Normal": NORMAL_PRIOR,
    "Beta": BETA_PRIOR,
    "Dirichlet": DIRICHLET_PRIOR,
    FIXED: HELD,
}
WITH_TABLE: Final = (BERNOULLI, CATEGORICAL, NEGATIVE_BINOMIAL)


class Plan(NamedTuple):
    """A mixture as arrays.

    Attributes
    ----------
    parts
        One row per part, the columns named above.
    coding
        Centre and scale of each part, (part, 2).
    cells
        Value and exposure of each cell of the joint table, (cell, 2).
    value_of, exposure_of
        Which of its part's distinct values (from 1; 0 for the value 0) and exposures each cell
        has, (cell,).
    values, exposures
        These distinct values and exposures, part after part.
    observed
        Distinct combinations of observed indicators with statistics, (combination, indicator).
    observed_table
        First cell of the combinations, −1 where there is one combination only.
    support, width
        Of each column: where its parameter lives, and how many columns it spans from here on
        (levels of a simplex; 0 in the columns that follow).
    shift, unit
        Of each column: centre and unit of its coordinate, for real parameters.
    prior, prior_a, prior_b
        Code and numbers of the prior, (segment, column); the code is −1 where it is fixed.
    fixed
        Fixed values, (segment, column); NaN where estimated.
    share_alpha, share_fixed
        Dirichlet concentrations and fixed values (NaN where estimated) of the shares, (segment,).
    """

    parts: Integers
    coding: Array
    cells: Array
    value_of: Integers
    exposure_of: Integers
    values: Array
    exposures: Array
    observed: Array
    observed_table: int
    support: Integers
    width: Integers
    shift: Array
    unit: Array
    prior: Integers
    prior_a: Array
    prior_b: Array
    fixed: Array
    share_alpha: Array
    share_fixed: Array


def compilable(mixture: Mixture) -> bool:
    """Return whether every family of a mixture has a compiled form."""
    return all(member.kinds for member in mixture.families.values())


def plan_of(mixture: Mixture, layout: Layout) -> Plan:
    """Return a mixture as arrays, for statistics of this layout."""
    columns = _Columns(mixture.n_segments)
    cells = np.zeros((layout.n_cells + 1, 2))
    groups = _Groups(layout.n_cells + 1)
    parts: list[list[int]] = []
    coding: list[tuple[float, float]] = []
    for slot in layout.slots:
        member, priors = slot.family, mixture.priors[slot.indicator]
        names = list(member.parameters)
        n_levels = len(slot.coding.levels)
        if len(slot.cells):
            cells[slot.table, : slot.cells.shape[1]] = slot.cells
        for kind in member.kinds:
            taken = N_PARAMETERS[kind] or 1
            part = _part(kind, slot, columns.n)
            if kind == NEGATIVE_BINOMIAL:
                part[VALUES:] = groups.add(slot)
            for parameter in names[:taken]:
                columns.add(parameter, priors[parameter.name], n_levels, slot)
            part[WIDTH] = columns.n - part[COLUMN]
            names = names[taken:]
            parts.append(part)
            coding.append((slot.coding.centre, slot.coding.scale))
    for extra in mixture.extras:
        columns.add_extra(extra)
    several = layout.observed_table.stop > layout.observed_table.start
    held = np.full(mixture.n_segments, np.nan)
    return Plan(
        parts=np.array(parts, dtype=np.int64).reshape(-1, N_EXPOSURES + 1),
        coding=np.array(coding, dtype=float).reshape(-1, 2),
        cells=cells,
        value_of=groups.value_of,
        exposure_of=groups.exposure_of,
        values=np.array(groups.values, dtype=float),
        exposures=np.array(groups.exposures, dtype=float),
        observed=np.ascontiguousarray(layout.observed, dtype=float),
        observed_table=layout.observed_table.start if several else -1,
        **columns.arrays(),
        share_alpha=np.ascontiguousarray(mixture.share, dtype=float),
        share_fixed=held if mixture.fixed_share is None else mixture.fixed_share.astype(float),
    )


def _part(kind: int, slot: Slot, column: int) -> list[int]:
    part = [-1] * (N_EXPOSURES + 1)
    part[KIND], part[COLUMN] = kind, column
    if kind in WITH_TABLE:
        part[TABLE], part[CELLS] = slot.table.start, slot.table.stop - slot.table.start
    else:
        part[DENSE] = slot.statistics.start
        part[EXPOSURE] = -1 if slot.exposure is None else slot.exposure
        part[OBSERVED] = -1 if slot.observed is None else slot.observed
    return part


class _Columns:
    """The columns of theta, as they are added."""

    def __init__(self, n_segments: int) -> None:
        self.n = 0
        self.n_segments = n_segments
        self.support: list[int] = []
        self.width: list[int] = []
        self.shift: list[float] = []
        self.unit: list[float] = []
        self.by_segment: dict[str, list[Array]] = {"prior": [], "a": [], "b": [], "fixed": []}

    def add(self, parameter: Parameter, prior: SegmentPrior, n_levels: int, slot: Slot) -> None:
        """Add the columns of one parameter."""
        n = n_levels if parameter.per_level else 1
        real = parameter.support == "real"
        self.support += [SUPPORTS[parameter.support]] * n
        self.width += [n] + [0] * (n - 1)
        self.shift += [slot.coding.centre if real else 0.0] * n
        self.unit += [slot.coding.scale if real else 1.0] * n
        rows = [_numbers(one, n) for one in prior.priors]
        for key, values in zip(self.by_segment, zip(*rows, strict=True), strict=True):
            self.by_segment[key].append(np.stack(values))
        self.n += n

    def add_extra(self, extra: Extra) -> None:
        """Add the columns of a parameter beyond the indicators."""
        fixed = extra.prior.fixed
        n = fixed.shape[1]
        whole = extra.support == "simplex"
        self.support += [SUPPORTS[extra.support]] * n
        self.width += [n] + [0] * (n - 1) if whole else [1] * n
        self.shift += [0.0] * n
        self.unit += [1.0] * n
        for key, values in zip(self.by_segment, (*extra.prior.codes(), fixed), strict=True):
            self.by_segment[key].append(values)
        self.n += n

    def arrays(self) -> dict[str, Any]:
        """Return the columns as the fields of a `Plan`."""
        by = {key: np.concatenate(found, axis=1) for key, found in self.by_segment.items()}
        return {
            "support": np.array(self.support, dtype=np.int64),
            "width": np.array(self.width, dtype=np.int64),
            "shift": np.array(self.shift),
            "unit": np.array(self.unit),
            "prior": by["prior"].astype(np.int64),
            "prior_a": by["a"],
            "prior_b": by["b"],
            "fixed": by["fixed"],
        }


def _numbers(prior: Any, n: int) -> tuple[Array, Array, Array, Array]:
    """Return code, two numbers and fixed value of one segment's prior over n columns."""
    fixed = np.full(n, np.nan)
    numbers = [np.zeros(n), np.zeros(n)]
    if prior.name == FIXED:
        fixed = np.broadcast_to(np.asarray(prior.parameters["value"], dtype=float), n)
    else:
        for i, number in enumerate(prior.parameters.values()):
            numbers[i] = np.broadcast_to(np.asarray(number, dtype=float), n)
    return np.full(n, float(CODES[prior.name])), numbers[0], numbers[1], fixed


class _Groups:
    """Distinct values and exposures of negative binomial cells, part after part."""

    def __init__(self, n_cells: int) -> None:
        self.value_of = np.zeros(n_cells, dtype=np.int64)
        self.exposure_of = np.zeros(n_cells, dtype=np.int64)
        self.values: list[float] = []
        self.exposures: list[float] = []

    def add(self, slot: Slot) -> list[int]:
        """Return where the part's values and exposures begin, and how many there are."""
        x, exposure = slot.cells[:, 0], slot.cells[:, 1]
        values, value_of = np.unique(np.append(x, 0.0), return_inverse=True)
        exposures, exposure_of = np.unique(exposure, return_inverse=True)
        self.value_of[slot.table] = value_of[:-1]
        self.exposure_of[slot.table] = exposure_of
        found = [len(self.values), len(values) - 1, len(self.exposures), len(exposures)]
        self.values += list(values[1:])
        self.exposures += list(exposures)
        return found


def theta_of(mixture: Mixture, values: Values) -> Array:
    """Return named parameters as one matrix, (…, segment, column)."""
    columns = []
    for name, member in mixture.families.items():
        for parameter in member.parameters:
            array = np.asarray(values.indicators[name][parameter.name], dtype=float)
            columns.append(array if parameter.per_level else array[..., None])
    columns += [np.asarray(values.indicators[e.group][e.name], float) for e in mixture.extras]
    return np.concatenate(columns, axis=-1)


def values_of(mixture: Mixture, share: Array, theta: Array) -> Values:
    """Return a matrix (…, segment, column) as named parameters."""
    indicators: dict[str, dict[str, Array]] = {}
    at = 0
    for name, member in mixture.families.items():
        indicators[name] = {}
        for parameter in member.parameters:
            n = len(mixture.codings[name].levels) if parameter.per_level else 1
            block = theta[..., at : at + n]
            indicators[name][parameter.name] = block if parameter.per_level else block[..., 0]
            at += n
    for extra in mixture.extras:
        n = extra.prior.fixed.shape[1]
        indicators.setdefault(extra.group, {})[extra.name] = theta[..., at : at + n]
        at += n
    return Values(share, indicators)


@njit(**COMPILED)
def weights_of(plan, share, theta, start, dense, table):  # pragma: no cover
    """Write start (segment,), weights (segment, column) and table (segment, cell)."""
    n_segments = len(share)
    combinations, several = plan.observed.shape[0], plan.observed_table
    for k in range(n_segments):
        start[k] = np.log(max(share[k], TINY))
        if several >= 0:
            table[k, several : several + combinations] = 0.0
        table[k, table.shape[1] - 1] = 0.0
    for p in range(plan.parts.shape[0]):
        part = plan.parts[p]
        kind, column, first = part[KIND], part[COLUMN], part[TABLE]
        for k in range(n_segments):
            row = theta[k, column : column + part[WIDTH]]
            centre, scale = plan.coding[p, 0], plan.coding[p, 1]
            if first >= 0:
                last = first + part[CELLS]
                cells = plan.cells[first:last]
                push(kind, row, centre, scale, cells, dense[k, :0], table[k, first:last])
                continue
            place = dense[k, part[DENSE] :]
            partition = push(kind, row, centre, scale, plan.cells[:0], place, table[k, :0])
            if part[EXPOSURE] >= 0:
                dense[k, part[EXPOSURE]] = -partition
            elif several >= 0:
                for c in range(combinations):
                    table[k, several + c] -= partition * plan.observed[c, part[OBSERVED]]
            else:
                start[k] -= partition * plan.observed[0, part[OBSERVED]]


@njit(**COMPILED)
def measure_of(observed, first, part, k, sizes, dense, table):  # pragma: no cover
    """Σ m of one part in segment k: exposure, or customers whose cell is observed.

    `observed` and `first` are the plan's, whose other arrays would cost more than the sum.
    """
    if part[EXPOSURE] >= 0:
        return dense[k, part[EXPOSURE]]
    if part[OBSERVED] < 0:
        return 0.0
    if first < 0:
        return sizes[k] * observed[0, part[OBSERVED]]
    total = 0.0
    for c in range(observed.shape[0]):
        total += table[k, first + c] * observed[c, part[OBSERVED]]
    return total


@njit(**COMPILED)
def slopes_of(plan, theta, sizes, dense, table, slopes):  # pragma: no cover
    """Write the gradient with respect to theta (segment, column), given summed statistics."""
    observed, several = plan.observed, plan.observed_table
    parts, coding, all_cells = plan.parts, plan.coding, plan.cells
    for p in range(parts.shape[0]):
        part = parts[p]
        column, width, first = part[COLUMN], part[WIDTH], part[TABLE]
        last = first + part[CELLS] if first >= 0 else 0
        first = max(first, 0)
        cells = all_cells[first:last]
        for k in range(len(sizes)):
            sums = dense[k, max(part[DENSE], 0) :]
            measure = measure_of(observed, several, part, k, sizes, dense, table)
            pull(
                part[KIND], theta[k, column : column + width], coding[p, 0], coding[p, 1],
                cells, sums, measure, table[k, first:last], slopes[k, column : column + width],
            )  # fmt: skip
