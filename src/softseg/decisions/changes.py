"""What differs between two sets of assumptions, and the assumptions in between.

Assumptions in between are simulated on the same random points. A point has one coordinate per
uncertain input, so that an input that is uncertain in one of both only would move the coordinates
of all later ones. It therefore keeps its place throughout: where it is not part of the assumptions
in between, a stand-in that nothing refers to holds the coordinate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from softseg.decisions.inputs.check import faults
from softseg.decisions.inputs.ranges import marginal
from softseg.decisions.inputs.schema import SINGLE, Assumptions, Dependence, Factor, Input, Profile
from softseg.decisions.inputs.units import read_unit
from softseg.wording import number, say

SETTINGS: Final = ("horizon", "convention", "ramp", "counterfactual")
TEXTS: Final = ("label", "source", "evidence", "owner", "date", "note", "overlaps")
"""Fields of an input that change no number."""
WAYS: Final = ("unit", "value", "low", "likely", "high", "sure", "family")
"""Fields that say a distribution; 8 % and 0.08, or 80 kEUR and 80,000 EUR, are the same one."""
DEPENDENCE: Final = "dependence"
_ALONE: Final[dict[str, Any]] = {
    "role": "base", "effect": None, "base": (), "rate": None, "margin": None, "in_margin": False,
    "published": True, "programme": "segmented", "profile": Profile(), "same_as": None,
    "overlaps": (),
}  # fmt: skip
"""What makes an input a stand-in that only holds its coordinate."""

type Move = tuple[str, str]
"""Kind (``setting``, ``input``, ``dependence``) and name."""


@dataclass(frozen=True)
class Change:
    """Two sets of assumptions and everything between them."""

    a: Assumptions
    b: Assumptions
    language: str

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Ids of both: in the first file's order, new ones after what stands before them."""
        order = list(self.a.inputs)
        before: str | None = None
        for name in self.b.inputs:
            if name not in self.a.inputs:
                order.insert(0 if before is None else order.index(before) + 1, name)
            before = name
        return tuple(order)

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        """What differs, in the order in which it is moved."""
        a, b = self.a, self.b
        found = [("setting", name) for name in SETTINGS if getattr(a, name) != getattr(b, name)]
        found += [
            ("input", name)
            for name in self.order
            if _numbers(a.inputs.get(name)) != _numbers(b.inputs.get(name))
        ]
        if _bare(a.dependence) != _bare(b.dependence):
            found.append((DEPENDENCE, DEPENDENCE))
        return tuple(found)

    @cached_property
    def silent(self) -> tuple[str, ...]:
        """Ids of inputs of which only texts or the evidence changed."""
        moved = {name for kind, name in self.moves if kind == "input"}
        return tuple(
            name
            for name in self.order
            if name not in moved and self.a.inputs.get(name) != self.b.inputs.get(name)
        )

    @cached_property
    def groups(self) -> tuple[tuple[Move, ...], ...]:
        """Moves that are made together, because what is between them contradicts itself."""
        groups: list[tuple[Move, ...]] = []
        open_moves: tuple[Move, ...] = ()
        done: tuple[Move, ...] = ()
        for move in self.moves:
            open_moves, done = (*open_moves, move), (*done, move)
            if len(done) == len(self.moves) or self._holds(done):
                groups.append(open_moves)
                open_moves = ()
        return tuple(groups)

    def stations(self) -> Iterator[tuple[Move, ...]]:
        """Yield what is moved before the first group, and after each."""
        done: tuple[Move, ...] = ()
        yield done
        for group in self.groups:
            done = (*done, *group)
            yield done

    def mixed(self, moved: tuple[Move, ...]) -> Assumptions:
        """Return the assumptions in which some things are those of the second calculation."""
        inputs: dict[str, Input] = {}
        holders: dict[str, str] = {}
        for name in self.order:
            entry = self._entry(name, moved)
            placed = dict(self._placed(name, entry))
            inputs |= placed
            holders.update((name, holder) for holder, e in placed.items() if _has_score(e))
        update: dict[str, Any] = {
            name: getattr(self.b if ("setting", name) in moved else self.a, name)
            for name in SETTINGS
        }
        dependence = (self.b if (DEPENDENCE, DEPENDENCE) in moved else self.a).dependence
        update["dependence"] = _between(dependence, holders)
        pairs = (*self.a.accepted_overlaps, *self.b.accepted_overlaps)
        update["accepted_overlaps"] = tuple(p for p in pairs if set(p) <= inputs.keys())
        return self.a.model_copy(update=update | {"inputs": inputs, "scenarios": {}})

    def _entry(self, name: str, moved: tuple[Move, ...]) -> Input | None:
        return (self.b if ("input", name) in moved else self.a).inputs.get(name)

    def _placed(self, name: str, entry: Input | None) -> Iterator[tuple[str, Input]]:
        """Yield an input, and where it needs one, what holds its coordinate."""
        entries = [e for e in (self.a.inputs.get(name), self.b.inputs.get(name)) if e]
        spread = [e for e in entries if e.role != "metric" and _has_score(e)]
        if entry is not None:
            yield name, entry
        if spread and (entry is None or not _has_score(entry)):
            stand_in = spread[0].model_copy(update=_ALONE)
            yield (name if entry is None else self._unused(name)), stand_in

    def _unused(self, name: str) -> str:
        while name in self.order:
            name += "_place"
        return name

    def _holds(self, moved: tuple[Move, ...]) -> bool:
        """Return whether the assumptions in between are free of faults and lack no role."""
        both = {e.role for e in self.a.inputs.values()} & {e.role for e in self.b.inputs.values()}
        there = [self._entry(name, moved) for name in self.order]
        roles = {entry.role for entry in there if entry is not None}
        return both & set(SINGLE) <= roles and not faults(self.mixed(moved))

    def named(self, moves: tuple[Move, ...]) -> tuple[str, str, str, str, str]:
        """Return kind, name, label, and before and after as text, of moves made together."""
        shown = [self._shown(move) for move in moves]
        kinds = {kind for kind, _ in moves}
        kind = kinds.pop() if len(kinds) == 1 else "together"
        name = " + ".join(name for _, name in moves)
        label, before, after = (
            " + ".join(part for part in column if part) for column in zip(*shown, strict=True)
        )
        return kind, name, label, before, after

    def _shown(self, move: Move) -> tuple[str, str, str]:
        kind, name = move
        if kind == "input":
            return self._shown_input(name)
        label = say(f"roi.diff.{name}", self.language)
        if kind == DEPENDENCE:
            return label, "", ""
        texts = [_setting(name, getattr(one, name), self.language) for one in (self.a, self.b)]
        return label, texts[0], texts[1]

    def _shown_input(self, name: str) -> tuple[str, str, str]:
        before, after = self.a.inputs.get(name), self.b.inputs.get(name)
        label = next(e.label for e in (after, before) if e is not None) or name
        nothing = say("roi.diff.absent", self.language)
        texts = [_amount(e, self.language) if e else nothing for e in (before, after)]
        if before is not None and after is not None and texts[0] == texts[1]:
            fields = [
                field
                for field in Input.model_fields
                if field not in TEXTS and getattr(before, field) != getattr(after, field)
            ]
            texts[1] = say("roi.diff.fields", self.language, fields=", ".join(fields))
        return label, texts[0], texts[1]


def _has_score(entry: Input) -> bool:
    """Return whether an input is drawn by a coordinate of its own, which others may depend on."""
    return entry.samples is None and entry.same_as is None and not marginal(entry).is_point


def _numbers(entry: Input | None) -> dict[str, Any] | None:
    """Return what of an input changes numbers, however its distribution was written."""
    if entry is None:
        return None
    if entry.same_as is not None or entry.samples is not None:
        return entry.model_dump(exclude=set(TEXTS))
    found = marginal(entry)
    said = {"kind": read_unit(entry.unit).kind, "family": found.family, "likely": found.likely}
    return entry.model_dump(exclude={*TEXTS, *WAYS}) | said | {"parameters": found.parameters}


def _bare(dependence: Dependence) -> dict[str, Any]:
    return dependence.model_dump(exclude={"factors": {"__all__": {"label"}}})


def _between(dependence: Dependence, holders: Mapping[str, str]) -> Dependence:
    """Return a dependence of those that hold the coordinates of inputs, in their place."""
    factors = {
        name: factor.model_copy(
            update={"loads": {holders[k]: v for k, v in factor.loads.items() if k in holders}}
        )
        for name, factor in dependence.factors.items()
    }
    factors = {name: factor for name, factor in factors.items() if factor.loads}
    linked: dict[str, Factor] = {
        name: factor.model_copy(
            update={"factors": {k: v for k, v in factor.factors.items() if k in factors}}
        )
        for name, factor in factors.items()
    }
    pairs = tuple(
        pair.model_copy(update={"between": (holders[pair.between[0]], holders[pair.between[1]])})
        for pair in dependence.correlations
        if set(pair.between) <= holders.keys()
    )
    return dependence.model_copy(update={"factors": linked, "correlations": pairs})


def _amount(entry: Input, language: str) -> str:
    """Return the distribution of an input as it was given."""
    if entry.samples is not None:
        return say("roi.diff.samples", language, count=number(len(entry.samples), language))
    given = (entry.value,) if entry.value is not None else (entry.low, entry.likely, entry.high)
    shown = " – ".join(_short(x, language) for x in given if x is not None)
    return f"{shown} {entry.unit}" if shown else f"= {entry.same_as}"


def _short(x: float, language: str) -> str:
    """Return a number with the digits it was given with, up to six."""
    digits = f"{abs(x):.5e}".split("e")[0].replace(".", "").rstrip("0")
    return number(x, language, max(len(digits), 1))


def _setting(name: str, value: Any, language: str) -> str:
    if name == "horizon":
        return say("roi.diff.years", language, years=number(value, language))
    if name == "ramp":
        return ", ".join(_short(x, language) for x in value)
    return say(f"roi.diff.{name}.{value}", language)
