"""Customers' histories in the form that the Markov kernel reads: `histories_of`.

A history is a sequence of steps, one per period. Each step has a code: the pattern of its cells, or
one of three signs where there are no cells. Histories with the same codes are one history with a
count, which is exact; they are sorted, longest first, so that the order of the panel's rows changes
nothing downstream, bit for bit.

The steps of `LANES` histories lie side by side, period after period, so that the compiler makes
vector instructions of the loops over histories. As the longest come first, those that have a step
in a period are always the first ones, and shorter histories need no padding.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softseg.families.base import Array
from softseg.likelihood.statistics import Statistics

LANES: Final = 64

ACTIVE, ANY, CHURNED = range(3)
"""Steps without cells: the customer is in some segment, in some segment or churned, churned.
They follow the patterns, so that the sign `ANY` has the code n_patterns + 1."""
N_SIGNS: Final = 3

type Integers = NDArray[np.int64]


class Steps(NamedTuple):
    """The steps of all histories, blocks of `LANES` histories one after the other.

    Attributes
    ----------
    codes
        Pattern, or number of patterns plus a sign; (step,).
    profiles
        Which transition matrix leads to the step from the one before; (step,).
    rows
        First step of every row, a row being one period of one block; (row + 1,).
    blocks
        First row of every block, (block + 1,).
    begins
        Which initial shares each history begins with, (history,).
    times
        Customers of each history, (history,).
    """

    codes: NDArray[np.int32]
    profiles: NDArray[np.int32]
    rows: NDArray[np.int64]
    blocks: NDArray[np.int64]
    begins: NDArray[np.int32]
    times: Array


@dataclass(frozen=True)
class Histories:
    """Distinct histories over the patterns of a `Statistics`.

    Attributes
    ----------
    steps
        In the order of the kernel.
    quiet
        Whether a pattern is also what a churned customer shows (no activity), (pattern,).
    length
        Steps of each history, (history,).
    history_of
        Distinct history of each history of the panel, (panel history,).
    n_churns
        1 where customers can churn, so that there is one state more than segments; else 0.
    n_profiles, n_begins
        Number of transition matrices and of initial shares.
    """

    steps: Steps
    quiet: NDArray[np.bool_]
    length: Integers
    history_of: NDArray[np.intp]
    n_churns: int
    n_profiles: int = 1
    n_begins: int = 1

    @property
    def n_histories(self) -> int:
        """Number of distinct histories."""
        return len(self.length)

    def places(self) -> Integers:
        """Return where the steps of each history stand, (history, period), −1 after its end."""
        found = np.full((self.n_histories, int(self.length.max(initial=0))), -1, dtype=np.int64)
        s = self.steps
        for block in range(len(s.blocks) - 1):
            first = block * LANES
            for t, row in enumerate(range(s.blocks[block], s.blocks[block + 1])):
                at, end = s.rows[row], s.rows[row + 1]
                found[first : first + end - at, t] = np.arange(at, end)
        return found

    def whole(self) -> "Whole":
        """Return the distinct histories as rows of matrices."""
        places = self.places()
        return Whole(
            codes=np.where(places >= 0, self.steps.codes[places], -1).astype(np.int64),
            profiles=np.where(places >= 0, self.steps.profiles[places], 0).astype(np.int64),
            begins=self.steps.begins.astype(np.int64),
            count=self.steps.times,
            length=self.length,
        )

    def take(
        self, chosen: NDArray[np.intp], statistics: Statistics
    ) -> "tuple[Histories, Statistics]":
        """Return some of the histories with the patterns that they use."""
        own, n = self.whole().take(chosen), statistics.n_patterns
        codes = own.codes
        used = np.unique(codes[(codes >= 0) & (codes < n)])
        part = statistics.take(used)
        new = np.append(np.full(n, -1), len(used) + np.arange(N_SIGNS))
        new[used] = np.arange(len(used))
        whole = replace(own, codes=np.where(codes >= 0, new[codes], -1))
        times = np.zeros(len(used) + N_SIGNS)
        weights = np.repeat(whole.count, whole.length)
        np.add.at(times, whole.codes[whole.codes >= 0], weights)
        part = Statistics(
            part.layout, part.dense, part.codes, part.log_base, times[: len(used)],
            part.pattern_of_row,
        )  # fmt: skip
        found = whole.histories(self.quiet[used], self.n_churns, self.n_profiles, self.n_begins)
        return found, part


@dataclass(frozen=True)
class Whole:
    """Histories as rows of matrices (history, period), −1 where there is no step.

    Attributes
    ----------
    codes, profiles
        As in `Steps`, (history, period).
    begins, count, length
        As in `Steps` and `Histories`, (history,).
    """

    codes: Integers
    profiles: Integers
    begins: Integers
    count: Array
    length: Integers

    def take(self, chosen: NDArray[np.intp]) -> "Whole":
        """Return some of the rows, (history,)."""
        return Whole(
            self.codes[chosen], self.profiles[chosen], self.begins[chosen], self.count[chosen],
            self.length[chosen],
        )  # fmt: skip

    def histories(
        self, quiet: NDArray[np.bool_], n_churns: int, n_profiles: int, n_begins: int
    ) -> Histories:
        """Return the distinct rows, longest first, in the order of the kernel."""
        key = np.concatenate(
            [-self.length[:, None], self.codes, self.profiles, self.begins[:, None]], axis=1
        )
        key = np.ascontiguousarray((key + 2**31).astype(">u4"))  # bytes sort as numbers do
        names = key.view(f"V{key.shape[1] * 4}").ravel()
        _, first, history_of = np.unique(names, return_index=True, return_inverse=True)
        count = np.bincount(history_of, weights=self.count, minlength=len(first))
        length = self.length[first]
        codes, profiles, rows, blocks = _side_by_side(
            self.codes[first], self.profiles[first], length
        )
        steps = Steps(codes, profiles, rows, blocks, self.begins[first].astype(np.int32), count)
        return Histories(steps, quiet, length, history_of, n_churns, n_profiles, n_begins)


def _side_by_side(
    codes: Integers, profiles: Integers, length: Integers
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Return the steps of blocks of histories, period after period, with where they begin."""
    flat_codes, flat_profiles, widths, n_rows = [], [], [], []
    for first in range(0, len(length), LANES):
        lanes = slice(first, first + LANES)
        longest = int(length[first])
        here = np.arange(longest)[:, None] < length[lanes]
        flat_codes.append(codes[lanes, :longest].T[here])
        flat_profiles.append(profiles[lanes, :longest].T[here])
        widths.append(here.sum(axis=1))
        n_rows.append(longest)
    rows = np.append(0, np.cumsum(np.concatenate(widths))) if widths else np.zeros(1)
    blocks = np.append(0, np.cumsum(n_rows))
    return (
        np.concatenate(flat_codes).astype(np.int32),
        np.concatenate(flat_profiles).astype(np.int32),
        rows.astype(np.int64),
        blocks.astype(np.int64),
    )


def histories_of(
    statistics: Statistics,
    *,
    row: Integers,
    sign: Integers,
    start: Integers,
    churns: bool,
    count: Array | None = None,
    profile: Integers | None = None,
    begin: Integers | None = None,
) -> Histories:
    """Return the distinct histories of a panel.

    Parameters
    ----------
    statistics
        The patterns of the panel's rows.
    row
        Row of the table of each step, −1 where the period has none, histories one after the
        other; (step,).
    sign
        `ACTIVE`, `ANY` or `CHURNED`; (step,). A step with a row that may be `ANY` is one without
        activity, which a churned customer shows as well.
    start
        First step of each history, (history + 1,).
    churns
        Whether customers can churn.
    count
        Customers of each history, 1 by default; (history,).
    profile
        Which transition matrix leads to the step, (step,); one for all by default.
    begin
        Which initial shares the history begins with, (history,); one for all by default.
    """
    n_histories, n = len(start) - 1, statistics.n_patterns
    row, sign = np.asarray(row), np.asarray(sign)
    pattern = statistics.pattern_of_row[np.maximum(row, 0)]
    codes = np.where(row >= 0, pattern, n + sign)
    quiet = np.zeros(n, dtype=bool)
    quiet[pattern[(row >= 0) & (sign == ANY)]] = True
    length = np.diff(start)
    here = np.arange(int(length.max(initial=0))) < length[:, None]
    matrices = []
    for flat, nothing in ((codes, -1), (profile, 0)):
        matrix = np.full(here.shape, nothing, dtype=np.int64)
        if flat is not None:
            matrix[here] = flat
        matrices.append(matrix)
    matrices[1][:, :1] = 0
    begins = np.zeros(n_histories, dtype=np.int64)
    if begin is not None:
        begins[:] = begin
    whole = Whole(
        matrices[0],
        matrices[1],
        begins,
        np.ones(n_histories) if count is None else np.asarray(count, dtype=float),
        length,
    )
    n_profiles = 1 if profile is None else int(np.max(profile, initial=0)) + 1
    n_begins = int(begins.max(initial=0)) + 1
    return whole.histories(quiet, int(churns), n_profiles, n_begins)
