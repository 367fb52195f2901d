"""What became of the segments of an earlier run: the same, drifted, new or gone.

Two fits number their segments by size, so that last quarter's segment 2 may be this quarter's 1.
Segments are paired by their profiles, so that the squared differences are least (Hungarian
method), on scales on which 0.2 is a small effect for every indicator: standard deviations of the
whole table, log ratios, and for shares Cohen's h, 2·asin √p. A pair whose customers overlap by
half or less (Jaccard index of this table's customers, scored under both posteriors) is not the same
segment any more (dissolved; Hennig 2007): one is gone, one is new.

Drift or noise: two posteriors of the same truth differ by chance. For each measure of a pair

    z = (mean now − mean then) / √(variance now + variance then),

and a segment has drifted where some |z| is beyond what chance explains (5 % over all measures of
all pairs, Bonferroni) and the difference is no smaller than a small effect. Where most customers
are in both tables, the two errors go together and the test errs towards noise.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import ndtri

from softseg.errors import UsageError
from softseg.families.base import Array, Measure
from softseg.inference.flows import jaccard
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import Values
from softseg.names import LOWER_PROBABILITY, UPPER_PROBABILITY
from softseg.results.evaluate import Evaluator, spread, thinned
from softseg.results.profile import base_sd
from softseg.results.tree import schema_from_tree, segment_names, values_from_tree
from softseg.tables.prepare import prepare_new
from softseg.tables.schema import Schema
from softseg.tables.table import Table
from softseg.wording import number, percent, say

SAME_SEGMENT: Final = 0.5
FALSE_ALARM: Final = 0.05
"""Probability of calling drift anywhere where there is none."""
SMALL_EFFECT: Final = 0.2
"""Cohen (1988): differences below it matter little."""
AGREEMENT_DRAWS: Final = 200
MOST_CUSTOMERS: Final = 20_000
MOST_NAMED: Final = 3


@dataclass(frozen=True)
class Move:
    """One measure of a segment that has moved.

    Attributes
    ----------
    indicator, measure, level
        Which one; ``share`` without an indicator is the segment's share of the customers.
    before, after
        Posterior means, in the unit of the data.
    effect
        The move on the scale on which 0.2 is small.
    z
        The move in its standard errors.
    """

    indicator: str
    measure: str
    level: str
    before: float
    after: float
    effect: float
    z: float


@dataclass(frozen=True)
class Link:
    """One segment, now and then.

    Attributes
    ----------
    segment, previous
        Its number now and in the earlier run, 0 where it was not there.
    name
        What the earlier run called it.
    overlap
        Jaccard index of its customers, scored under both; of the closest pair for one that is new
        or gone.
    verdict
        ``noise``, ``drift``, ``new`` or ``gone``.
    moves
        What moved, the farthest first; empty unless it has drifted.
    """

    segment: int
    previous: int
    name: str
    overlap: float
    verdict: str
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True)
class Continuity:
    """What became of an earlier run's segments.

    Attributes
    ----------
    links
        In the order of the present segments, then those that are gone.
    agreement, lower, upper
        Share of the table's customers who get the same segment under both posteriors: mean and
        interval over draws.
    named
        Whether the earlier run's segments had names.
    """

    links: tuple[Link, ...]
    agreement: float
    lower: float
    upper: float
    named: bool

    @property
    def verdict(self) -> str:
        """``noise`` where every segment is what it was but for chance, else ``drift``."""
        return "noise" if all(link.verdict == "noise" for link in self.links) else "drift"

    def names(self, language: str = "en") -> list[str]:
        """Return the earlier names for the present segments, in their order; [] without names."""
        if not self.named:
            return []
        present = [link for link in self.links if link.segment]
        fresh = [link.segment for link in present if not link.previous]
        return [
            link.name
            if link.previous
            else say("continuity.new_name", language, number=fresh.index(link.segment) + 1)
            for link in present
        ]

    def text(self, language: str = "en") -> list[str]:
        """Return what was found, in sentences."""
        shares = [percent(x, language, 0) for x in (self.agreement, self.lower, self.upper)]
        lines = [
            say(f"continuity.{self.verdict}", language),
            say(
                "continuity.agreement", language, share=shares[0], lower=shares[1],
                upper=shares[2],
            ),
        ]  # fmt: skip
        for link in self.links:
            if link.verdict == "noise" and link.segment == link.previous:
                continue
            if link.verdict == "noise" and self.named:
                continue
            lines.append(_sentence(link, language))
        return lines

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Continuity":
        """Return what `to_json` has written."""
        data = json.loads(text)
        links = tuple(
            Link(**{**link, "moves": tuple(Move(**move) for move in link["moves"])})
            for link in data.pop("links")
        )
        return cls(links, **data)


def continuity(previous: xr.DataTree, tree: xr.DataTree, frame: Any) -> Continuity:
    """Return what became of the segments of an earlier posterior.

    Parameters
    ----------
    previous
        Posterior tree of the earlier run.
    tree
        Posterior tree of the present one.
    frame
        The table the present one was fitted to, with the columns of both schemas.

    Raises
    ------
    UsageError
        Where the two have no indicator of the same family in common.
    DataError
        Where the table lacks a column of the earlier schema or does not fit it.
    """
    old, new = values_from_tree(previous), values_from_tree(tree)
    old_schema, new_schema = schema_from_tree(previous), schema_from_tree(tree)
    before, after, texts, shown = _measures(old, new, old_schema, new_schema)
    pairs = _paired(before.mean(axis=0), after.mean(axis=0))
    tables = _cross(old, new, old_schema, new_schema, frame)
    overlap = jaccard(tables.mean(axis=0))
    names = segment_names(previous)
    n_old, n_new = before.shape[1], after.shape[1]
    kept = {b: a for a, b in pairs if overlap[a, b] > SAME_SEGMENT}
    moves = _moves(before, after, texts, shown, kept)
    links = [
        Link(
            b + 1,
            kept[b] + 1,
            names[kept[b]],
            float(overlap[kept[b], b]),
            "drift" if moves[b] else "noise",
            moves[b],
        )
        if b in kept
        else Link(b + 1, 0, "", float(overlap[:, b].max()), "new")
        for b in range(n_new)
    ]
    links += [
        Link(0, a + 1, names[a], float(overlap[a].max()), "gone")
        for a in range(n_old)
        if a not in kept.values()
    ]
    same = sum(tables[:, a, b] for b, a in kept.items()) / tables.sum(axis=(1, 2))
    agreement = np.broadcast_to(same, (len(tables),))
    lower, upper = np.quantile(agreement, (LOWER_PROBABILITY, UPPER_PROBABILITY))
    return Continuity(
        tuple(links), float(agreement.mean()), float(lower), float(upper),
        bool(old_schema.segment_names),
    )  # fmt: skip


def _measures(
    old: Values, new: Values, old_schema: Schema, new_schema: Schema
) -> tuple[Array, Array, list[tuple[str, str, str]], tuple[Array, Array]]:
    """Return what is compared, then and now.

    Draws on their effect scales (sample, segment, measure), then and now; indicator, measure and
    level of each; posterior means in the unit of the data (segment, measure), then and now.
    """
    scaled: tuple[list[Array], list[Array]] = ([], [])
    plain: tuple[list[Array], list[Array]] = ([], [])
    texts: list[tuple[str, str, str]] = []

    def add(text: tuple[str, str, str], both: tuple[Array, Array], kind: str, sd: float) -> None:
        texts.append(text)
        for side, values in enumerate(both):
            scaled[side].append(_effect_scale(values, kind, sd))
            plain[side].append(values.mean(axis=0))

    for name, entry in old_schema.indicators.items():
        other = new_schema.indicators.get(name)
        if other is None or other.family != entry.family:
            continue
        coding, its = entry.coding(), other.coding()
        member = entry.member()
        first = member.profile(old.indicators[name], coding)
        second = member.profile(new.indicators[name], its)
        sd = float(np.mean(base_sd(first, old.share, coding.scale)))
        for one, two in zip(first, second, strict=True):
            if one.lift == "none" or (one.name == "mean" and one is not first[0]):
                continue
            kind = "share" if one.name.startswith("share") else one.lift
            for level, both in _by_level(one, two, coding.levels, its.levels):
                add((name, one.name, level), both, kind, sd)
    if not texts:
        raise UsageError(
            "Compare runs with the same indicators: these two have none of the same family in "
            "common."
        )
    add(("", "share", ""), (old.share, new.share), "share", 1.0)
    then, now = (np.stack(side, axis=-1) for side in scaled)
    return then, now, texts, (np.stack(plain[0], axis=-1), np.stack(plain[1], axis=-1))


def _by_level(
    first: Measure, second: Measure, levels: Sequence[str], other: Sequence[str]
) -> list[tuple[str, tuple[Array, Array]]]:
    """Return draws (sample, segment) of both by level; a level that one lacks has share 0."""
    if first.values.ndim < 3:
        # The share of a two-valued indicator is that of its second level.
        flip = bool(levels) and levels[-1] != other[-1]
        now = 1.0 - second.values if flip else second.values
        return [(levels[-1] if levels else "", (first.values, now))]
    found = []
    for level in dict.fromkeys([*levels, *other]):
        sides = [
            m.values[..., known.index(level)] if level in known else np.zeros(m.values.shape[:2])
            for m, known in ((first, list(levels)), (second, list(other)))
        ]
        found.append((level, (sides[0], sides[1])))
    return found


def _effect_scale(values: Array, kind: str, sd: float) -> Array:
    if kind == "share":
        return 2.0 * np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0)))
    if kind == "ratio":
        return np.log(np.maximum(values, 1e-12))
    return values / sd


def _paired(before: Array, after: Array) -> list[tuple[int, int]]:
    """Return pairs (then, now) with the least squared difference of profiles, (segment, measure).

    The share of the customers takes no part: a segment may grow.
    """
    cost = np.square(before[:, None, :-1] - after[None, :, :-1]).mean(axis=-1)
    rows, columns = linear_sum_assignment(cost)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _moves(
    before: Array,
    after: Array,
    texts: list[tuple[str, str, str]],
    means: tuple[Array, Array],
    kept: dict[int, int],
) -> dict[int, tuple[Move, ...]]:
    """Return what has moved beyond chance and matters, for each pair by its present segment."""
    n_tests = max(len(kept) * len(texts), 1)
    critical = float(-ndtri(FALSE_ALARM / 2.0 / n_tests))
    found = {}
    for now, then in kept.items():
        effect = after[:, now].mean(axis=0) - before[:, then].mean(axis=0)
        error = np.sqrt(after[:, now].var(axis=0) + before[:, then].var(axis=0))
        z = effect / np.maximum(error, 1e-12)
        moved = np.flatnonzero((np.abs(z) > critical) & (np.abs(effect) >= SMALL_EFFECT))
        order = moved[np.argsort(-np.abs(effect[moved]), kind="stable")]
        found[now] = tuple(
            _move(texts[j], means[0][then, j], means[1][now, j], effect[j], z[j]) for j in order
        )
    return found


def _move(text: tuple[str, str, str], before: Any, after: Any, effect: Any, z: Any) -> Move:
    indicator, measure, level = text
    return Move(indicator, measure, level, float(before), float(after), float(effect), float(z))


def _cross(old: Values, new: Values, old_schema: Schema, new_schema: Schema, frame: Any) -> Array:
    """Return the table's customers by top segment then and now, (sample, then, now)."""
    tables = [prepare_new(frame, schema, "missing")[0] for schema in (old_schema, new_schema)]
    rows = (np.asarray(table.rows) for table in tables)
    _, first, second = np.intersect1d(*rows, assume_unique=True, return_indices=True)
    at = spread(len(first), min(len(first), MOST_CUSTOMERS))
    then = _tops(tables[0], old, first[at])
    now = _tops(tables[1], new, second[at])
    n_draws = min(len(then), len(now))
    n_old, n_new = old.share.shape[1], new.share.shape[1]
    count = tables[1].count[second[at]]
    cells = then[:n_draws] * n_new + now[:n_draws]
    cross = [np.bincount(cell, weights=count, minlength=n_old * n_new) for cell in cells]
    return np.stack(cross).reshape(n_draws, n_old, n_new)


def _tops(table: Table, values: Values, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the most probable segment of some rows in each draw, (sample, row)."""
    statistics = reduce(table)
    patterns, place = np.unique(statistics.pattern_of_row[rows], return_inverse=True)
    evaluator = Evaluator(statistics.take(patterns), thinned(values, AGREEMENT_DRAWS))
    tops = [evaluator.log_joint(block).argmax(axis=1) for block in evaluator.blocks()]
    return np.concatenate(tops)[place.reshape(-1)].T


def _sentence(link: Link, language: str) -> str:
    name = link.name or str(link.previous)
    overlap = percent(link.overlap, language, 0)
    if link.verdict in ("new", "gone"):
        return say(
            f"continuity.{link.verdict}", language, segment=link.segment, name=name, overlap=overlap
        )
    if link.verdict == "noise":
        return say("continuity.renumbered", language, segment=link.segment, previous=link.previous)
    moved = "; ".join(_moved(move, language) for move in link.moves[:MOST_NAMED])
    return say("continuity.drifted", language, segment=link.segment, name=name, moved=moved)


def _moved(move: Move, language: str) -> str:
    share = move.measure.startswith("share")
    before, after = (
        percent(x, language, 0) if share else number(x, language) for x in (move.before, move.after)
    )
    if not move.indicator:
        label = say("continuity.share", language)
    else:
        label = f"{move.indicator}: {move.level}" if move.level else move.indicator
    return say("continuity.moved", language, label=label, before=before, after=after)
