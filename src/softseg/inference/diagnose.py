"""The gate: whether the draws of a fit can be trusted, `diagnose`.

Every fit is judged, the same way whatever the method; the bounds are those of Vehtari, Gelman,
Simpson, Carpenter and Bürkner (2021) for R-hat and ESS and of Betancourt (2016) for E-BFMI. Raw
R-hat is not enough for mixtures: it fails on good chains that switch labels and passes on chains
that are all stuck in one wrong mode. So it is read on aligned draws and on quantities without
labels, and agreement between chains and between starts is judged on its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.inference.verdicts import Check, Diagnosis
from softseg.models.mixture import Values
from softseg.names import SHARE, parameter_name

__all__ = [
    "BOUNDS", "Check", "Diagnosis", "ModeSummary", "diagnose", "judge_independent", "judge_paired",
    "quantities",
]  # fmt: skip

BOUNDS: Final[Mapping[str, float]] = {
    "rhat": 1.01,
    "ess_bulk": 400.0,
    "ess_tail": 400.0,
    "pareto_k": 0.7,
    "importance_ess": 400.0,
    "explored": 5.0,
    "divergences": 0.0,
    "bfmi": 0.3,
    "labels": 0.95,
    "permutations": 0.01,
    "modes": 2.0,
    "sizes": 5.0,
    "renewed": 0.99,
}
"""What each check is held against."""

METHODS: Final = ("laplace", "gibbs", "nuts")
NEAR: Final = 10.0
"""A mode that lies within so many log units of the best one is named."""


@dataclass(frozen=True)
class ModeSummary:
    """What the search for modes found.

    Attributes
    ----------
    best_hits
        How many starts ended in the best mode.
    n_starts
        How many starts there were.
    rivals
        Log-posterior units by which each other mode, no permutation of the best, lies below it.
    """

    best_hits: int
    n_starts: int
    rivals: tuple[float, ...] = ()


def diagnose(
    values: Values,
    log_likelihood: Array,
    sample_stats: Mapping[str, Array],
    *,
    method: str,
    chain_memberships: Array | None,
    count: Array,
    non_permutation_share: float,
    modes: ModeSummary,
    mean_sizes: Array,
    importance: Mapping[str, float] | None = None,
) -> Diagnosis:
    """Return the judgement of a fit.

    Parameters
    ----------
    values
        Aligned draws with leading axes (chain, draw).
    log_likelihood
        Shape (chain, draw).
    sample_stats
        What the sampler tells: ``diverging`` and ``energy`` (chain, draw) for ``nuts``.
    method
        ``"laplace"``, ``"gibbs"`` or ``"nuts"``.
    chain_memberships
        Mean memberships of each chain, (chain, pattern, segment); None for independent draws.
    count
        Customers of these patterns, (pattern,).
    non_permutation_share
        Share of draws whose segments do not correspond one to one to the pivot's.
    modes
        What the search for modes found.
    mean_sizes
        Mean expected customers of each segment, (segment,).
    importance
        For ``laplace``: ``pareto_k``, ``importance_ess``, and ``explored`` where explorers ran.

    Raises
    ------
    UsageError
        Where the method is unknown.
    """
    if method not in METHODS:
        raise UsageError(f"Choose a method out of {list(METHODS)}, got {method!r}.")
    weighted = method == "laplace"
    checks = [
        *(_no_mixing() if weighted else _mixing(*quantities(values, log_likelihood))),
        *_importance(importance or {}, weighted),
        *_sampler(method, sample_stats),
        _not_applicable("labels")
        if weighted or chain_memberships is None
        else _labels(chain_memberships, count),
        _permutations(non_permutation_share, values.share.shape[-1]),
        _modes(modes, values.share.shape[-1]),
        _sizes(mean_sizes),
    ]
    return Diagnosis(method, tuple(checks))


def judge_paired(
    values: Values, log_likelihood: Array, accepted: Array, *, method: str
) -> Diagnosis:
    """Return the judgement of draws that are made one for each draw of another posterior.

    Parameters
    ----------
    values, log_likelihood
        As in `diagnose`.
    accepted
        Share of the moves accepted for each draw, (chain, draw). A draw without any still stands
        where the one before did, although it belongs to another draw of the other posterior.
    """
    renewed = np.asarray(accepted) > 0.0
    worst = f"chain[{int(np.argmin(renewed.mean(axis=1))) + 1}]"
    details: dict[str, float | str] = {"accepted": float(np.mean(accepted))}
    checks = [
        *_mixing(*quantities(values, log_likelihood)),
        _check("renewed", float(renewed.mean()), worst, details),
    ]
    return Diagnosis(method, tuple(checks))


def judge_independent(*, method: str) -> Diagnosis:
    """Return the judgement of independent draws of a posterior in closed form."""
    return Diagnosis(method, tuple(_no_mixing()))


def quantities(values: Values, log_likelihood: Array) -> tuple[list[str], Array]:
    """Return every scalar the gate looks at: names, and draws (chain, draw, quantity).

    The log-likelihood, shares and parameters of every segment, levels included, and the sorted
    shares, which like the log-likelihood do not depend on labels.
    """
    ranked = -np.sort(-values.share, axis=-1)
    names = ["log_likelihood"]
    columns = [np.asarray(log_likelihood)[..., None]]
    for label, array in [(SHARE, values.share), (f"sorted_{SHARE}", ranked)]:
        names += [f"{label}[{k + 1}]" for k in range(array.shape[-1])]
        columns.append(array)
    for indicator, parameters in values.indicators.items():
        for parameter, array in parameters.items():
            label = parameter_name(indicator, parameter)
            inner = np.ndindex(array.shape[2:])
            names += [f"{label}[{','.join(str(i + 1) for i in index)}]" for index in inner]
            columns.append(array.reshape(*array.shape[:2], -1))
    return names, np.concatenate(columns, axis=-1)


def _mixing(names: list[str], draws: Array) -> list[Check]:
    """Judge R-hat and ESS over all quantities that are not constant."""
    broken = ~np.isfinite(draws).all(axis=(0, 1))
    if broken.any():
        worst = names[int(np.argmax(broken))]
        return [_check(name, float("nan"), worst) for name in ("rhat", "ess_bulk", "ess_tail")]
    moving = np.ptp(draws, axis=(0, 1)) > 0
    if not moving.any():
        return _no_mixing()
    kept = [name for name, moves in zip(names, moving, strict=True) if moves]
    figures = mixing(draws[..., moving])
    least = {"rhat": np.argmax, "ess_bulk": np.argmin, "ess_tail": np.argmin}
    checks = []
    for name, figure in figures.items():
        unknown = np.isnan(figure)
        worst = int(np.argmax(unknown) if unknown.any() else least[name](figure))
        details: dict[str, float | str] = {"quantities": float(len(kept))}
        checks.append(_check(name, float(figure[worst]), kept[worst], details))
    return checks


def _no_mixing() -> list[Check]:
    return [_not_applicable(name) for name in ("rhat", "ess_bulk", "ess_tail")]


def _importance(figures: Mapping[str, float], weighted: bool) -> list[Check]:
    """Judge the weights of importance draws, and whether dispersed chains saw the same place."""
    checks = [_not_applicable(name) for name in ("pareto_k", "importance_ess", "explored")]
    if weighted:
        unknown = float("nan")
        checks[0] = _check("pareto_k", figures.get("pareto_k", unknown))
        checks[1] = _check("importance_ess", figures.get("importance_ess", unknown))
        if "explored" in figures:
            checks[2] = _check("explored", figures["explored"])
    return checks


def mixing(draws: Array) -> dict[str, Array]:
    """Return rank-normalised split R-hat, bulk ESS and tail ESS of draws (chain, draw, quantity).

    A quantity that stands still in every chain, at different values, has infinite R-hat and one
    effective draw per chain. Chains too few or too short give NaN.
    """
    # ArviZ brings pandas and xarray with it, which a caller of other parts need not pay for.
    from arviz_stats.base.array import array_stats

    axes: dict[str, Any] = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = {
            "rhat": array_stats.rhat(draws, **axes),
            "ess_bulk": array_stats.ess(draws, method="bulk", **axes),
            "ess_tail": array_stats.ess(draws, method="tail", prob=(0.05, 0.95), **axes),
        }
    still = np.ptp(draws, axis=1).max(axis=0) == 0.0
    limits = {"rhat": np.inf, "ess_bulk": len(draws), "ess_tail": len(draws)}
    return {name: np.where(still, limits[name], figure) for name, figure in figures.items()}


def _sampler(method: str, sample_stats: Mapping[str, Array]) -> list[Check]:
    if method != "nuts":
        return [_not_applicable("divergences"), _not_applicable("bfmi")]
    diverging, energy = sample_stats.get("diverging"), sample_stats.get("energy")
    n_divergences = float("nan") if diverging is None else float(np.sum(diverging))
    lowest, worst = float("nan"), ""
    if energy is not None:
        energy = np.asarray(energy, dtype=float)
        spread = energy.var(axis=1, ddof=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            fraction = np.square(np.diff(energy, axis=1)).mean(axis=1) / spread
        lowest, worst = float(fraction.min()), f"chain[{int(np.argmin(fraction)) + 1}]"
    return [_check("divergences", n_divergences), _check("bfmi", lowest, worst)]


def _labels(chain_memberships: Array, count: Array) -> Check:
    n_chains, _, n_segments = chain_memberships.shape
    if n_segments == 1 or n_chains < 2:
        return _not_applicable("labels")
    if not np.isfinite(chain_memberships).all():
        return _check("labels", float("nan"))
    top = chain_memberships.argmax(axis=2)
    total = float(np.sum(count))
    agreement = {
        pair: float(count @ (top[pair[0]] == top[pair[1]])) / total
        for pair in combinations(range(n_chains), 2)
    }
    worst = min(agreement, key=lambda pair: agreement[pair])
    return _check("labels", agreement[worst], f"chain[{worst[0] + 1},{worst[1] + 1}]")


def _permutations(share: float, n_segments: int) -> Check:
    return _not_applicable("permutations") if n_segments == 1 else _check("permutations", share)


def _modes(modes: ModeSummary, n_segments: int) -> Check:
    if n_segments == 1:
        return _not_applicable("modes")
    near = sorted(gap for gap in modes.rivals if gap <= NEAR)
    details: dict[str, float | str] = {"starts": float(modes.n_starts), "rivals": float(len(near))}
    if near:
        details["gaps"] = "; ".join(f"{gap:.1f}" for gap in near)
    return _check("modes", float(modes.best_hits), "", details)


def _sizes(mean_sizes: Array) -> Check:
    sizes = np.asarray(mean_sizes, dtype=float)
    unknown = np.isnan(sizes)
    worst = int(np.argmax(unknown) if unknown.any() else np.argmin(sizes))
    return _check("sizes", float(sizes[worst]), f"segment[{worst + 1}]")


_PASSES = {
    "pareto_k": lambda value, bound: value < bound,
    "explored": lambda value, bound: value < bound,
    "rhat": lambda value, bound: value < bound,
    "divergences": lambda value, bound: value <= bound,
    "permutations": lambda value, bound: value < bound,
}


def _check(
    name: str, value: float, worst: str = "", details: Mapping[str, float | str] | None = None
) -> Check:
    """Return a check; what cannot be computed has not passed."""
    bound = BOUNDS[name]
    passes = _PASSES.get(name, lambda value, bound: value >= bound)
    return Check(name, True, bool(passes(value, bound)), value, bound, worst, details or {})


def _not_applicable(name: str) -> Check:
    return Check(name, False, None, None, BOUNDS[name], "", {})
