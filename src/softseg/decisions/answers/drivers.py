"""What drives the result: tornado, shares of the variance by input and by grade of evidence.

A tornado asks what the net present value is where an input is low or high. "Low" can mean three
things, which differ where inputs move together, and all three are given: *ceteris paribus*, all
others at their central value; *set*, the input set by decree and all others as uncertain as before;
*conditional*, the input seen to be low, so that those that move with it are likely low too.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from softseg.decisions.answers.information import averaged, grade_of, variables
from softseg.decisions.answers.regression import KNOTS_TOGETHER, regress
from softseg.decisions.answers.scenarios import centre, deterministic
from softseg.decisions.answers.shapley import Effects, shapley_effects
from softseg.decisions.inputs.schema import EVIDENCE
from softseg.decisions.model.simulate import WORKS, Simulation
from softseg.decisions.model.timing import Array
from softseg.names import LOWER_PROBABILITY, UPPER_PROBABILITY

KINDS: Final = ("ceteris_paribus", "set", "conditional")
SIDES: Final = ("low", "high")
MOVES: Final = "moves"
"""Player of the Shapley effects with a panel: how customers move and leave, chance included."""
JUDGEMENT: Final = ("expert",)
FITTED: Final = "own_posterior"
WITHOUT_OWN_DATA: Final = ("expert", "published")
ENOUGH: Final = 1024
"""Draws of each replicate for analyses that compute the model or the regression many times."""


def tornado(
    simulation: Simulation,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
    n_draws: int = ENOUGH,
) -> xr.Dataset:
    """Return the net present value with each input at its 5 % and its 95 % quantile.

    Whether the programme works is an input too: low is that it does not, high that it does.

    Parameters
    ----------
    simulation
        The draws.
    accounting, adjusted
        As in `Simulation.outcome`.
    n_draws
        Draws of each replicate that are used where the model is computed again.

    Returns
    -------
    xarray.Dataset
        ``value`` (input, side), the quantiles in base units; ``npv``, ``npv_error`` (kind, input,
        side) in whole currency, the mean over all that is random in that kind; ``roi`` likewise,
        mean benefit over mean cost less 1, NaN where that cost is not above 0; ``width`` (kind,
        input), the distance of the two net present values; ``centre`` (kind), that without any
        input low or high. Inputs as in the file; sort by `width` for a picture.
    """
    x = variables(simulation, adjusted)
    rows = {name: _rows(name, value) for name, value in x.items()}
    ends = {name: value[rows[name]] for name, value in x.items()}
    steady = averaged(simulation)
    fixed, middle = _ceteris_paribus(simulation, x, ends, accounting, adjusted)
    parts = [
        fixed,
        _set(steady.first(n_draws), ends, accounting, adjusted),
        _conditional(simulation, x, rows, accounting, adjusted),
    ]
    mean = steady.outcome(accounting, adjusted).npv.mean()
    both = np.stack([part[:2] for part in parts], axis=1)
    error = np.stack([part[2] for part in parts])
    value, paid = both
    dims = ("kind", "input", "side")
    roi = np.divide(value, paid, out=np.full_like(value, np.nan), where=paid > 0.0)
    return xr.Dataset(
        {
            "value": (dims[1:], np.array(list(ends.values())).reshape(len(x), 2)),
            "npv": (dims, value),
            "npv_error": (dims, error),
            "roi": (dims, roi),
            "width": (dims[:2], np.abs(value[..., 1] - value[..., 0])),
            "centre": ("kind", [middle, mean, mean]),
        },
        {"kind": list(KINDS), "input": list(x), "side": list(SIDES)},
        {"accounting": accounting, "adjusted": int(adjusted)},
    )


def what_drives(
    simulation: Simulation,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
    n_draws: int = ENOUGH,
    seed: int = 1,
) -> xr.Dataset:
    """Return the share of each input in the variance of the net present value.

    Parameters
    ----------
    simulation
        The draws.
    accounting, adjusted
        As in `Simulation.outcome`.
    n_draws
        Draws of each replicate that are used.
    seed
        Of the random orders.

    Returns
    -------
    xarray.Dataset
        ``share``, ``share_error`` (input): Shapley effects, adding up to 1. ``first_order``
        (input), the share that the input explains alone, and ``total``, what only it explains.
        Last come ``works``, whether the programme has an effect, and, where there are many inputs,
        ``other``: those without visible effect together, named in the attribute ``other``. With a
        panel ``moves`` is among the inputs, how customers move and leave, chance included. The
        attribute ``unexplained`` is the share that the regression behind it does not reach.
    """
    used = simulation.first(n_draws)
    x = variables(used, adjusted) | _moves(used, accounting, adjusted)
    npv = used.outcome(accounting, adjusted).npv
    names: tuple[str, ...] = ()
    data: dict[str, Any] = {
        key: ("input", np.empty(0)) for key in ("share", "share_error", "first_order", "total")
    }
    attributes = {"accounting": accounting, "adjusted": int(adjusted), "other": ""}
    if x:
        found = _effects(used, np.ravel(npv), x, seed)
        names = found.players
        values = (found.share, found.error, found.alone, found.last)
        data = {key: ("input", value[:, 0]) for key, value in zip(data, values, strict=True)}
        hidden = [group for group in found.members if len(group) > 1]
        attributes |= {
            "other": " ".join(name for group in hidden for name in group),
            "unexplained": float(found.unexplained[0]),
            "n_orders": found.n_orders,
        }
    return xr.Dataset(data, {"input": list(names)}, attributes)


def evidence_share(
    simulation: Simulation,
    accounting: str = "contribution_margin",
    adjusted: bool = True,
    n_draws: int = ENOUGH,
    seed: int = 1,
) -> xr.Dataset:
    """Return on which grade of evidence the variance rests.

    The players of the Shapley effects are the grades. Whether the programme works belongs to the
    grade of the probability of no effect; how customers move and leave is the fitted model's.

    Parameters
    ----------
    simulation
        The draws.
    accounting, adjusted
        As in `Simulation.outcome`.
    n_draws
        Draws of each replicate that are used.
    seed
        Of the random orders.

    Returns
    -------
    xarray.Dataset
        ``share``, ``share_error`` (outcome, evidence) for the outcomes ``npv`` and ``loss``, the
        indicator of a negative net present value; ``judgement`` and ``without_own_data``, each
        with ``_error`` (outcome), the sums over the grades that the attributes of that name list;
        ``unexplained`` (outcome), the share that the regression behind it does not reach. NaN
        where the outcome does not vary.
    """
    used = simulation.first(n_draws)
    x = variables(used, adjusted) | _moves(used, accounting, adjusted)
    npv = np.ravel(used.outcome(accounting, adjusted).npv)
    share, covariance = np.zeros((len(EVIDENCE), 2)), np.zeros((2, len(EVIDENCE), len(EVIDENCE)))
    unexplained = np.full(2, np.nan)
    if x:
        grades = {name: FITTED if name == MOVES else grade_of(used.assumptions, name) for name in x}
        outcomes = np.stack([npv, (npv < 0.0).astype(float)], axis=1)
        found = _effects(used, outcomes, x, seed, grades)
        place = np.array([EVIDENCE.index(grade) for grade in found.players])
        share[place], unexplained = found.share, found.unexplained
        covariance[:, place[:, None], place] = found.covariance
    data: dict[str, Any] = {
        "share": (("outcome", "evidence"), share.T),
        "share_error": (("outcome", "evidence"), np.sqrt(np.einsum("opp->op", covariance))),
        "unexplained": ("outcome", unexplained),
    }
    sums = {"judgement": JUDGEMENT, "without_own_data": WITHOUT_OWN_DATA}
    for name, members in sums.items():
        chosen = np.isin(EVIDENCE, members).astype(float)
        variance = np.einsum("p,opq,q->o", chosen, covariance, chosen)
        data[name] = ("outcome", chosen @ share)
        data[f"{name}_error"] = ("outcome", np.sqrt(np.maximum(variance, 0.0)))
    attributes = {name: " ".join(members) for name, members in sums.items()}
    coordinates = {"outcome": ["npv", "loss"], "evidence": list(EVIDENCE)}
    return xr.Dataset(
        data, coordinates, {"accounting": accounting, "adjusted": int(adjusted), **attributes}
    )


def _moves(simulation: Simulation, accounting: str, adjusted: bool) -> dict[str, Array]:
    """Return what the moves of customers do to the net present value by themselves, (sample,).

    All else is at its mean. Nothing where no panel says how they move.
    """
    draws = simulation.draws
    if draws.moving is None or draws.sample is None:
        return {}
    means = {name: float(value.mean()) for name, value in draws.values.items()}
    central = simulation.pinned(means | {WORKS: float(draws.works.mean())})
    npv = np.ravel(central.outcome(accounting, adjusted).npv)
    return {MOVES: npv} if np.ptp(npv) > 0.0 else {}


def _effects(
    simulation: Simulation,
    y: Array,
    x: Mapping[str, Array],
    seed: int,
    groups: Mapping[str, str] | None = None,
) -> Effects:
    rng = np.random.default_rng(seed)
    return shapley_effects(y, x, rng, groups=groups, n_replicates=simulation.shape[0])


def _rows(name: str, value: Array) -> NDArray[np.intp]:
    """Return the numbers of the draws at which an input is low and high."""
    if name == WORKS:
        return np.array([value.argmin(), value.argmax()], dtype=np.intp)
    order = np.argsort(value, kind="stable")
    places = np.array([LOWER_PROBABILITY, UPPER_PROBABILITY]) * (len(value) - 1)
    return order[np.round(places).astype(np.intp)]


def _ceteris_paribus(
    simulation: Simulation,
    x: Mapping[str, Array],
    ends: Mapping[str, Array],
    accounting: str,
    adjusted: bool,
) -> tuple[Array, float]:
    """Return npv, cost and error (…, input, side) with all others at their centre, and the centre.

    The programme works, unless that is the input that is low.
    """
    n = 1 + 2 * len(x)
    works = simulation.draws.works.max()
    middle = {name: works if name == WORKS else centre(simulation, name) for name in x}
    pins = {name: np.full((1, n), value) for name, value in ({WORKS: works} | middle).items()}
    for i, (name, pair) in enumerate(ends.items()):
        pins[name][0, 1 + 2 * i : 3 + 2 * i] = pair
    whole = deterministic(simulation, pins, n).outcome(accounting, adjusted)
    npv, cost = whole.npv[0], whole.cost[0]
    sides = np.stack([npv[1:], cost[1:], np.zeros(n - 1)]).reshape(3, len(x), 2)
    return sides, float(npv[0])


def _set(
    simulation: Simulation, ends: Mapping[str, Array], accounting: str, adjusted: bool
) -> Array:
    """Return mean npv, cost and error (…, input, side) with one input set and all others random."""
    found = np.empty((3, len(ends), 2))
    no_effect = simulation.assumptions.only("no_effect")
    for i, (name, pair) in enumerate(ends.items()):
        for side, value in enumerate(pair):
            pins = {name: float(value)}
            if name == no_effect and WORKS in ends:
                pins[WORKS] = 1.0 - float(value)
            outcome = simulation.pinned(pins).outcome(accounting, adjusted)
            means = outcome.npv.mean(axis=1)
            error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.nan
            found[:, i, side] = means.mean(), outcome.cost.mean(), error
    return found


def _conditional(
    simulation: Simulation,
    x: Mapping[str, Array],
    rows: Mapping[str, NDArray[np.intp]],
    accounting: str,
    adjusted: bool,
) -> Array:
    """Return E[npv | x], E[cost | x] and error (…, input, side) where an input is low or high."""
    found = np.empty((3, len(x), 2))
    steady = _npv_and_cost(averaged(simulation), accounting, adjusted)
    for i, (name, value) in enumerate(x.items()):
        y = _npv_and_cost(simulation, accounting, adjusted) if name == WORKS else steady
        fit = regress(y, value, KNOTS_TOGETHER)
        found[:2, i] = fit.fitted[rows[name]].T
        found[2, i] = fit.error(rows[name])[:, 0]
    return found


def _npv_and_cost(simulation: Simulation, accounting: str, adjusted: bool) -> Array:
    outcome = simulation.outcome(accounting, adjusted)
    return np.stack([np.ravel(outcome.npv), np.ravel(outcome.cost)], axis=1)
