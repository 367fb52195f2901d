"""Which numbers of a study are not shown because too few customers stand behind them.

A cell with fewer expected customers than the smallest cell is withheld, and with it the next
smallest ones of its row and column where the sums are printed and the cell could be computed from
them: at least two cells, and together no fewer customers than the smallest cell, are missing from
every sum.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg import names
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.names import ASSIGNED, RULE, SEGMENT
from softseg.report.facts import VERDICTS, Array, Facts, Line, clean

type Mask = NDArray[np.bool_]

OUT_OF_SIGHT: Final = -np.inf
"""Drawn nowhere: what stands in the place of a withheld cell in the tree of the figures."""
POSITIVE: Final = "share_positive"
NOBODY: Final = 1e-9
"""Customers of an empty segment: fewer than any cell that is shown."""


def withheld_of(customers: Array, smallest: float) -> Mask:
    """Return which groups that make up a printed total are not shown, (group,)."""
    return withheld_cells(np.asarray(customers, dtype=float)[:, None], smallest, rows=False)[:, 0]


def withheld_cells(
    customers: Array, smallest: float, *, rows: bool = True, hidden: Mask | None = None
) -> Mask:
    """Return which cells of a table of customers are not shown, (row, column).

    Parameters
    ----------
    customers
        Expected customers, (row, column). Cells of nobody are shown.
    smallest
        Cells of fewer customers are withheld.
    rows
        Whether the sums of the rows are printed as well as those of the columns.
    hidden
        Cells that are withheld for another reason.
    """
    small = (customers > 0) & (customers < smallest)
    found = small if hidden is None else small | hidden
    before = -1
    while before < found.sum():
        before = int(found.sum())
        for line, mask in [*zip(customers.T, found.T, strict=True)] + (
            [*zip(customers, found, strict=True)] if rows else []
        ):
            _protect(line, mask, smallest)
    return found


def _protect(customers: Array, hidden: Mask, smallest: float) -> None:
    """Withhold more cells of a line, in place, until no withheld one follows from its sum."""
    while hidden.any() and (hidden.sum() == 1 or customers[hidden].sum() < smallest):
        left = np.where(hidden | (customers == 0), np.inf, customers)
        if not np.isfinite(left).any():
            return
        hidden[left.argmin()] = True


def hidden_segments(
    sizes: Array, treated: Iterable[int], reached: Mapping[int, float], smallest: float
) -> Mask:
    """Return which segments are not shown, (segment,).

    They, or their customers that the programme reaches, are fewer than the smallest cell; with
    them go the next smallest, so that nothing follows from the sums over all segments, nor from
    those over the treated ones.

    Parameters
    ----------
    sizes
        Expected customers of each segment; infinite where they are not known.
    treated
        Segments of the programme, counted from 1.
    reached
        Customers that the programme reaches, by segment.
    smallest
        Groups of fewer expected customers are not shown.
    """
    customers = np.array(sizes, dtype=float)
    for k, heads in reached.items():
        customers[k - 1] = min(customers[k - 1], heads)
    customers = np.maximum(customers, NOBODY)
    found = withheld_of(customers, smallest)
    rows = np.array(sorted(k - 1 for k in treated), dtype=np.intp)
    cells = customers[rows, None], smallest
    found[rows] = withheld_cells(*cells, rows=False, hidden=found[rows, None])[:, 0]
    return found


def rightly(simulation: SegmentSimulation) -> dict[int, float]:
    """Return the expected number of treated customers that belong to each treated segment."""
    table = simulation.value["customers_expected"].sel({RULE: simulation.rule}).mean("sample")
    found: dict[int, float] = {}
    for k in simulation.names:
        of_segment = table.sel({SEGMENT: k})
        if simulation.programme.reach == "members":
            found[k] = float(of_segment.sum())
        else:
            known = k in of_segment[ASSIGNED].to_numpy()
            found[k] = float(of_segment.sel({ASSIGNED: k})) if known else 0.0
    return found


def reached(simulation: SegmentSimulation) -> dict[int, float]:
    """Return the smaller of treated customers and of those of them who belong, by segment."""
    right = rightly(simulation)
    if simulation.programme.reach == "members":
        return right
    treated = simulation.value["customers_treated"].sel({RULE: simulation.rule})
    heads = {int(k): float(treated.sel({ASSIGNED: k})) for k in treated[ASSIGNED].to_numpy()}
    return {k: min(found, heads.get(k, 0.0)) for k, found in right.items()}


@dataclass(frozen=True)
class Withheld:
    """What a study does not show.

    Attributes
    ----------
    facts
        All segments, as the tree has them.
    smallest
        Cells of fewer expected customers are withheld.
    segments
        Which segments are not shown, (segment,).
    """

    facts: Facts
    smallest: float
    segments: Mask

    @cached_property
    def shown(self) -> list[int]:
        """Positions of the segments that are shown."""
        return [int(k) for k in np.flatnonzero(~self.segments)]

    @property
    def in_order(self) -> bool:
        """Whether the segments that are shown are the first ones, so that figures number them."""
        return self.shown == list(range(len(self.shown)))

    def small(self, segment: int) -> bool:
        """Return whether a segment itself is too small, and not only withheld beside one."""
        return bool(self.facts.size("customers").mean[segment] < self.smallest)

    @cached_property
    def verdicts(self) -> Mask:
        """Which cells of the table of verdicts are not shown, (verdict, segment)."""
        counts = self.facts.verdict_counts.astype(float)
        hidden = np.broadcast_to(self.segments, counts.shape)
        # The sums over the segments are printed, those over the verdicts are not.
        return withheld_cells(counts.T, self.smallest, rows=False, hidden=hidden.T).T

    @cached_property
    def totals(self) -> Mask:
        """Which sums over the segments are not shown, (verdict,): they add up to all customers."""
        return withheld_of(self.facts.verdict_counts.sum(axis=1).astype(float), self.smallest)

    @cached_property
    def lines(self) -> dict[tuple[str, str, str], Mask]:
        """Which cells of the profile are not shown, (segment,), by indicator, measure, level."""
        customers = self.facts.size("customers").mean
        found: dict[tuple[str, str, str], Mask] = {}
        shares: dict[str, list[Line]] = {}
        for line in self.facts.lines:
            found[key_of(line)] = self.segments.copy()
            if line.is_share:
                shares.setdefault(line.indicator, []).append(line)
        for lines in shares.values():
            values = np.array([line.values.mean for line in lines])
            if len(lines) == 1:  # the other level is not printed, but follows
                values = np.vstack([values, 1.0 - values])
            hidden = np.broadcast_to(self.segments, values.shape).copy()
            cells = withheld_cells(values * customers, self.smallest, hidden=hidden)
            for line, mask in zip(lines, cells, strict=False):
                found[key_of(line)] = mask
        for line in self.facts.lines:
            positive = (line.indicator, POSITIVE, "")
            if not line.is_share and positive in found:
                found[key_of(line)] = found[positive]
        return found

    @cached_property
    def tree(self) -> xr.DataTree:
        """The tree as figures may show it, withheld segments and cells left out."""
        return self._tree(cells=True)

    @cached_property
    def tree_of_segments(self) -> xr.DataTree:
        """The tree without withheld segments, but with all cells of those that are shown."""
        return self._tree(cells=False)

    def _tree(self, *, cells: bool) -> xr.DataTree:
        tree = self.facts.tree
        groups: dict[str, xr.Dataset] = {}
        for name, child in tree.children.items():
            data = child.to_dataset()
            if name == names.MEMBERSHIP:
                data = data.isel({names.CUSTOMER: self._seen_customers(data)})
            if name == names.PROFILE and cells:
                data = self._profile(data)
            if names.SEGMENT in data.dims:
                data = data.isel({names.SEGMENT: self.shown})
            if name == names.SIZES and "concentration" in data:
                enough = data["top"].to_numpy() * self.facts.total_customers >= self.smallest
                data = data.isel(top=np.flatnonzero(enough))
            groups[f"/{name}"] = data
        found = xr.DataTree.from_dict(groups)
        found.attrs = dict(tree.attrs)
        return found

    def _seen_customers(self, members: xr.Dataset) -> Any:
        """Return the positions of the customers whose verdict and segment may be counted."""
        verdict = members["verdict"].to_numpy().astype(str)
        row = np.array([VERDICTS.index(v) for v in verdict])
        return np.flatnonzero(~self.verdicts[row, members["top"].to_numpy().astype(int) - 1])

    def _profile(self, profile: xr.Dataset) -> xr.Dataset:
        profile = profile.transpose("line", ..., missing_dims="ignore")
        keys = [
            (str(i), str(m), clean(level) if str(level) else "")
            for i, m, level in zip(
                *(profile[name].to_numpy() for name in ("line_indicator", "measure", "level")),
                strict=True,
            )
        ]
        mask = np.array([self.lines[key] for key in keys])
        changed = {
            name: (("line", names.SEGMENT), np.where(mask, OUT_OF_SIGHT, profile[name].to_numpy()))
            for name in ("mean", "lower", "upper")
        }
        return profile.assign(changed)


def key_of(line: Line) -> tuple[str, str, str]:
    """Return what a line of the profile is known by: indicator, measure and level."""
    return line.indicator, line.measure, line.level


class SeenFacts(Facts):
    """The facts of the tree that may be shown, without the lines that one segment must not say."""

    def __init__(self, tree: Any, language: str, withheld: Withheld, segment: int) -> None:
        super().__init__(tree, language)
        self._withheld, self._segment = withheld, segment

    @property
    def headlines(self) -> tuple[Line, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As in `Facts`, without what is withheld for the segment."""
        lines = Facts(self.tree, self.language).headlines
        masks = self._withheld.lines
        return tuple(line for line in lines if not masks[key_of(line)][self._segment])
