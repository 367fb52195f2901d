"""What changed between two calculations: their mean net present values, step by step.

From the first calculation to the second one thing after another is moved: the settings, every
input that changed in the order of the file, the dependence, the random points, the software. The
value after each step is simulated with the assumptions that are moved up to there, so that the
steps add up to the whole difference exactly. What a step contributes depends on the steps before
it, because effects multiply; an average over all orders (Shapley) would not, but takes as many
simulations as there are subsets.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from softseg.decisions.changes import Change
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import RoiModel
from softseg.decisions.tree import OUTCOME, assumptions_of
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.wording import number, say

POINTS, SOFTWARE = "points", "software"
ROUNDING: Final = 1e-12
"""Means of the same draws differ by this, relative to them, where they lie otherwise in memory."""
WHOLE: Final = {"accounting": "contribution_margin", "adjusted": True}


def explain(
    a: xr.DataTree, b: xr.DataTree, language: str = "en", cores: int | None = None
) -> xr.Dataset:
    """Return what changed between two calculations as steps of the mean net present value.

    Parameters
    ----------
    a, b
        Trees of `softseg.decisions.tree.to_tree`: before and after.
    language
        Language of the texts.
    cores
        Threads; they change no number.

    Returns
    -------
    xarray.Dataset
        By ``step``: ``change`` and ``change_error`` (Monte Carlo), ``value`` after the step, in
        whole currency, contribution margin accounting with the probability of no effect and the
        realisation factor; ``kind``, ``name``, ``label`` and what it was ``before`` and ``after``
        as text. Numbers without a dim: ``mean_npv_before``, ``mean_npv_after`` and their errors.
        ``change`` adds up to their difference. Attributes: ``currency``; ``order``, a sentence on
        what the order means; ``silent``, ids whose texts changed only.

    Raises
    ------
    UsageError
        Where the currencies differ, or inputs came from the draws of a fitted model.
    """
    change = Change(assumptions_of(a), assumptions_of(b), language)
    _refuse(a, b, change)
    trees = (a, b)
    settings = _settings(a)
    common = [_simulated(change.mixed(done), settings, cores) for done in change.stations()]
    own = [
        _simulated(assumptions, _settings(tree), cores)
        for tree, assumptions in zip(trees, (change.a, change.b), strict=True)
    ]
    stored = [_stored(tree) for tree in trees]
    steps = list(_moved(change, common))
    if _differ(own, [common[0], common[-1]]) or _settings(a) != _settings(b):
        texts = (_points(a, language), _points(b, language))
        reordered = texts[0] == texts[1]
        label = say("roi.diff.reordered" if reordered else "roi.diff.points", language)
        steps.append(_other_points(own, common, ("", "") if reordered else texts, label))
    if _differ(stored, own) or _versions(a) != _versions(b):
        label = say("roi.diff.software", language)
        steps.append(_other_software(stored, own, trees, label))
    return _dataset(steps, stored, change)


@dataclass(frozen=True)
class _Step:
    """One bar of the waterfall."""

    kind: str
    name: str
    label: str
    before: str
    after: str
    change: float
    error: float


def _moved(change: Change, common: list[Array]) -> Iterator[_Step]:
    """Yield the steps of the assumptions, all on the same random points."""
    for moves, before, after in zip(change.groups, common[:-1], common[1:], strict=True):
        gain = _gain(before, after)
        yield _Step(*change.named(moves), change=gain, error=_error(after - before))


def _other_points(
    own: list[Array], common: list[Array], texts: tuple[str, str], label: str
) -> _Step:
    """Return the step from each calculation's own random points to the common ones and back."""
    change = _gain(own[0], common[0]) + _gain(common[-1], own[1])
    error = np.hypot(np.hypot(_error(own[0]), _error(own[1])), _error(common[-1] - common[0]))
    return _Step(POINTS, POINTS, label, texts[0], texts[1], change, float(error))


def _other_software(
    stored: list[Array], own: list[Array], trees: tuple[xr.DataTree, xr.DataTree], label: str
) -> _Step:
    """Return the step from what was stored to what the software of today finds, and back."""
    change = _gain(stored[0], own[0]) + _gain(own[1], stored[1])
    error = float(np.hypot(_error(own[0] - stored[0]), _error(stored[1] - own[1])))
    before, after = _differing(_versions(trees[0]), _versions(trees[1]))
    return _Step(SOFTWARE, SOFTWARE, label, before, after, change, error)


def _dataset(steps: list[_Step], stored: list[Array], change: Change) -> xr.Dataset:
    texts = {
        name: ("step", np.array([getattr(step, name) for step in steps], dtype=np.str_))
        for name in ("kind", "name", "label", "before", "after")
    }
    changes = np.array([step.change for step in steps])
    start = float(stored[0].mean())
    numbers: dict[str, Any] = {
        "change": ("step", changes),
        "change_error": ("step", np.array([step.error for step in steps])),
        "value": ("step", start + np.cumsum(changes)),
    }
    for name, found in zip(("before", "after"), stored, strict=True):
        numbers[f"mean_npv_{name}"] = float(found.mean())
        numbers[f"mean_npv_{name}_error"] = _error(found)
    attributes = {
        "currency": change.a.currency,
        "order": say("roi.diff.order", change.language),
        "silent": ", ".join(change.silent),
    }
    return xr.Dataset(texts | numbers, {"step": np.arange(len(steps))}, attributes)


def _simulated(
    assumptions: Assumptions, settings: tuple[int, int, int], cores: int | None
) -> Array:
    """Return the mean net present value of each replicate."""
    n_replicates, n_draws, seed = settings
    simulation = RoiModel(assumptions).simulate(n_replicates, n_draws, seed, cores=cores)
    return simulation.outcome().npv.mean(axis=1)


def _stored(tree: xr.DataTree) -> Array:
    return tree[OUTCOME].to_dataset()["npv"].sel(WHOLE).values.mean(axis=1)


def _settings(tree: xr.DataTree) -> tuple[int, int, int]:
    names = ("n_replicates", "n_draws", "seed")
    n_replicates, n_draws, seed = (int(tree.attrs[name]) for name in names)
    return n_replicates, n_draws, seed


def _refuse(a: xr.DataTree, b: xr.DataTree, change: Change) -> None:
    if change.a.currency != change.b.currency:
        values = {"a": change.a.currency, "b": change.b.currency}
        raise UsageError(say("roi.diff.currencies", change.language, **values))
    names = sorted({n for tree in (a, b) for n in json.loads(tree.attrs["posterior"])})
    if names:
        raise UsageError(say("roi.diff.posterior", change.language, names=", ".join(names)))


def _differ(some: list[Array], others: list[Array]) -> bool:
    """Return whether means differ by more than the rounding of their sums."""
    return any(
        not np.allclose(x, y, rtol=ROUNDING, atol=ROUNDING * float(np.abs(y).max()))
        for x, y in zip(some, others, strict=True)
    )


def _gain(before: Array, after: Array) -> float:
    return float(after.mean() - before.mean())


def _error(by_replicate: Array) -> float:
    """Return the standard error of a mean over replicates, NaN where there is only one."""
    n = len(by_replicate)
    return float(by_replicate.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def _points(tree: xr.DataTree, language: str) -> str:
    n_replicates, n_draws, seed = _settings(tree)
    draws = f"{number(n_replicates, language)} × {number(n_draws, language)}"
    return say("roi.diff.seed", language, draws=draws, seed=seed)


def _versions(tree: xr.DataTree) -> dict[str, str]:
    return json.loads(tree.attrs["versions"])


def _differing(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[str, str]:
    names = [name for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]
    return (
        ", ".join(f"{name} {a.get(name, '–')}" for name in names),
        ", ".join(f"{name} {b.get(name, '–')}" for name in names),
    )
