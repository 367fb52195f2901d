"""What knowing more is worth, in money: EVPI and EVPPI.

With the net benefits N_a of the decisions a, the expected value of perfect information is
E max_a N_a − max_a E N_a. Of partial information on x it is E max_a E[N_a | x] − max_a E N_a, where
E[N_a | x] is a regression of the net benefits on x (Strong, Oakley & Brennan 2014, Medical Decision
Making 34, 311–326). The largest of noisy fits lies too high on average. This bias is not taken off:
it is estimated by drawing the coefficients again from their covariance, and is part of the error.
So is what an EVPPI lies above the EVPI of the same draws, which only a misfit can explain.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr

from softseg.decisions.answers.regression import Fit, regress
from softseg.decisions.inputs.schema import BENEFITS, EVIDENCE, Assumptions
from softseg.decisions.model.simulate import WORKS, Simulation
from softseg.decisions.model.timing import Array

RESAMPLES: Final = 64
RESAMPLED_ROWS: Final = 4096
"""Draws on which the error is computed; it needs fewer than the estimate."""

GROUP_DRAWS: Final = 65_536
"""Draws for groups, whose regressions have many more columns."""


class Value(NamedTuple):
    """An estimate with its standard error, which includes the bias."""

    estimate: float
    error: float
    bias: float = 0.0


def evpi(net: Array) -> Value:
    """Return the expected value of perfect information, in the unit of the net benefits.

    Parameters
    ----------
    net
        Net benefits, (decision, draw) or (decision, replicate, draw).
    """
    gained = _gained(net)
    return Value(float(gained.mean()), _error_of_mean(gained))


def evppi(net: Array, x: Mapping[str, Array] | Array, rng: np.random.Generator) -> Value:
    """Return the expected value of perfect information on one input or a set of inputs.

    Parameters
    ----------
    net
        Net benefits, (decision, draw) or (decision, replicate, draw).
    x
        The input, (draw,) or (replicate, draw), or several inputs by name.
    rng
        Draws coefficients for the error.
    """
    values = x if isinstance(x, Mapping) else {"x": x}
    n_decisions = len(net)
    against_first = (net[1:] - net[:1]).reshape(n_decisions - 1, -1).T
    fit = regress(against_first, {name: np.ravel(value) for name, value in values.items()})
    gained = _gained(_with_first(fit.fitted.T)).reshape(net.shape[1:])
    away, noise = resampled(fit, _mean_gained, rng)
    # No part is worth more than the whole: what lies above it is the misfit of the regression.
    bias = max(noise, float((gained - _gained(net)).mean()))
    sampled = _error_of_mean(gained)
    return Value(float(gained.mean()), float(np.sqrt(sampled**2 + away**2 + bias**2)), bias)


def information(
    simulation: Simulation,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
    n_draws: int | None = None,
    seed: int = 1,
) -> xr.Dataset:
    """Return what it is worth to know inputs before the decision.

    Parameters
    ----------
    simulation
        The draws.
    accounting, adjusted
        As in `Simulation.outcome`.
    n_draws
        Draws of each replicate that are used; None: all.
    seed
        Of the errors.

    Returns
    -------
    xarray.Dataset
        In whole currency: ``evpi``, ``evpi_error``; ``evppi``, ``evppi_error``, ``evppi_bias``
        (input), the inputs with spread in the file's order and then ``works``, whether the
        programme has an effect; ``group_evppi…`` (group), for inputs that share a latent factor or
        an evidence grade, with `group_kind` and `group_members`. The error includes the bias.
        ``share`` and ``group_share`` are shares of EVPI, NaN where it is 0. ``mean_net``
        (decision): do nothing, the programme, and the uniform programme where there is one.
    """
    used = simulation if n_draws is None else simulation.first(n_draws)
    rng = np.random.default_rng(seed)
    decisions = net_benefits(used, accounting, adjusted)
    net = np.stack(list(decisions.values()))
    steady = np.stack(list(net_benefits(averaged(used), accounting, adjusted).values()))
    x = variables(used, adjusted)
    groups = groups_of(simulation.assumptions, list(x))
    n_few = min(used.shape[1], max(GROUP_DRAWS // used.shape[0], 1))

    def worth(members: Sequence[str], n: int) -> Value:
        known = {name: x[name].reshape(used.shape)[:, :n] for name in members}
        return evppi((net if WORKS in members else steady)[..., :n], known, rng)

    whole = evpi(net)
    single = [worth([name], used.shape[1]) for name in x]
    several = [worth(members, n_few) for _, members in groups.values()]
    return xr.Dataset(
        {
            "evpi": whole.estimate,
            "evpi_error": whole.error,
            "mean_net": ("decision", net.mean(axis=(1, 2))),
            **_named("input", "", single, whole),
            **_named("group", "group_", several, whole),
            "group_members": ("group", [" ".join(members) for _, members in groups.values()]),
        },
        {
            "input": list(x),
            "group": list(groups),
            "group_kind": ("group", [kind for kind, _ in groups.values()]),
            "decision": list(decisions),
        },
        {"accounting": accounting, "adjusted": int(adjusted), "n_draws": used.draws.works.size},
    )


def net_benefits(
    simulation: Simulation, accounting: str = "contribution_margin", adjusted: bool = True
) -> dict[str, Array]:
    """Return the net present value of each decision, (replicate, draw)."""
    nothing = np.zeros(simulation.shape)
    found = {"nothing": nothing}
    found["segmented"] = simulation.outcome(accounting, adjusted, "segmented").npv
    if _has_uniform(simulation.assumptions):
        found["uniform"] = simulation.outcome(accounting, adjusted, "uniform").npv
    return found


def averaged(simulation: Simulation) -> Simulation:
    """Return the simulation with `works` at its expectation given the inputs.

    A net present value is linear in `works`, which depends on nothing but the probability of no
    effect. Every mean of it given inputs stays as it is, and is estimated with less noise.
    """
    no_effect = simulation.assumptions.only("no_effect")
    works = simulation.draws.works
    if no_effect is None or works.min() == works.max():  # certain, or set by the caller
        return simulation
    risk = np.broadcast_to(simulation.draws.values[no_effect], simulation.shape)
    return simulation.pinned({WORKS: 1.0 - risk})


def variables(simulation: Simulation, adjusted: bool = True) -> dict[str, Array]:
    """Return the draws of all that is uncertain, (sample,) by id, `works` last.

    Whether the programme works is left out where it is certain or (not `adjusted`) does not count.
    """
    shape = simulation.shape
    values = simulation.draws.values
    found = {
        name: np.ravel(np.broadcast_to(values[name], shape))
        for name in simulation.draws.uncertain
        if name in values
    }
    works = simulation.draws.works
    if adjusted and works.min() != works.max():
        found[WORKS] = np.ravel(works)
    return found


def grade_of(assumptions: Assumptions, name: str) -> str:
    """Return the evidence grade of an input; `works` has that of the probability of no effect."""
    entry = assumptions.only("no_effect") if name == WORKS else name
    return "expert" if entry is None else assumptions.inputs[entry].evidence


def groups_of(assumptions: Assumptions, names: list[str]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return groups of inputs by name: their kind and their members.

    Kinds are ``factor`` (a latent factor that moves them) and ``evidence`` (their grade).
    """
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for grade in EVIDENCE:
        members = tuple(name for name in names if grade_of(assumptions, name) == grade)
        found[grade] = "evidence", members
    for name, factor in assumptions.dependence.factors.items():
        label = f"factor {name}" if name in found else name
        found[label] = "factor", tuple(entry for entry in names if entry in factor.loads)
    return {name: group for name, group in found.items() if group[1]}


def _has_uniform(assumptions: Assumptions) -> bool:
    return assumptions.counterfactual == "uniform" or any(
        entry.role in BENEFITS and entry.programme in ("uniform", "both")
        for entry in assumptions.inputs.values()
    )


def _named(dim: str, prefix: str, values: list[Value], whole: Value) -> dict[str, Any]:
    estimates = np.array([value.estimate for value in values])
    share = estimates / whole.estimate if whole.estimate > 0.0 else np.full(len(values), np.nan)
    return {
        f"{prefix}evppi": (dim, estimates),
        f"{prefix}evppi_error": (dim, np.array([value.error for value in values])),
        f"{prefix}evppi_bias": (dim, np.array([value.bias for value in values])),
        f"{prefix}share": (dim, share),
    }


def _with_first(net: Array) -> Array:
    """Return net benefits (decision, …) with those of the first decision, which are 0."""
    return np.concatenate([np.zeros_like(net[:1]), net])


def _gained(net: Array) -> Array:
    """Return by how much the best decision of each draw beats the one that is best on average."""
    best = int(net.reshape(len(net), -1).mean(axis=1).argmax())
    return net.max(axis=0) - net[best]


def _error_of_mean(values: Array) -> float:
    """Return the error of a mean: over replicates where there are several, else over draws."""
    parts = values.mean(axis=1) if values.ndim == 2 and len(values) > 1 else np.ravel(values)
    return float(parts.std(ddof=1) / np.sqrt(len(parts)))


def resampled(
    fit: Fit, mean_gained: Callable[[Array], Array], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the standard error and the bias by the noise of the coefficients.

    The bias is the larger of two: what the noise adds to the fit, and what it would make of an
    input that tells nothing.

    Parameters
    ----------
    mean_gained
        Gives the mean gain, (resample,), of expectations (resample, row, column of the fit).
    """
    step = max(len(fit.fitted) // RESAMPLED_ROWS, 1)
    which = np.arange(0, len(fit.fitted), step)
    noise = fit.deviations(rng, RESAMPLES, which)
    fitted = fit.fitted[which]
    before, after = mean_gained(fitted[None]), mean_gained(fitted + noise)
    blind = mean_gained(fit.fitted.mean(axis=0) + noise)
    return float(after.std(ddof=1)), float(max(after.mean() - before[0], blind.mean(), 0.0))


def _mean_gained(net: Array) -> Array:
    """Return E max_a N_a − max_a E N_a by resample from (resample, row, decision).

    The first decision, whose net benefit is 0, does not stand among them.
    """
    best = np.maximum(net.max(axis=2), 0.0).mean(axis=1)
    return best - np.maximum(net.mean(axis=1).max(axis=1), 0.0)
