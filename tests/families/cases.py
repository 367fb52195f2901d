"""One case per family: true parameters of two segments and an oracle that shares no code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import special, stats

from softseg.families import Family, families
from softseg.families.base import Array, Block, Coding, Observed, Sums
from softseg.families.namespace import NUMPY
from softseg.priors import Prior, SegmentPrior, log_density

N_SEGMENTS = 2
WIDTH = 3.0
"""Width of the asinh scale on which the true parameters are given."""


@dataclass(frozen=True)
class Case:
    """`log_density(x, exposure, parameters, coding)` has rows on the first axis, any others behind.

    `truth` holds (segment,) or (segment, level) values, `other` priors to try besides the
    defaults (they must be updatable), `illegal` values that no segment produces, `one` a legal
    value.
    """

    truth: Mapping[str, Any]
    log_density: Callable[..., Array]
    illegal: tuple[float, ...]
    one: float
    levels: tuple[str, ...] = ()
    other: Mapping[str, Prior] = field(default_factory=dict)


def _gaussian(x, e, p, coding):
    return stats.norm.logpdf(x, p["mean"], p["sd"])


def _lognormal(x, e, p, coding):
    return stats.lognorm.logpdf(x, p["log_sd"], scale=np.exp(p["log_mean"]))


def _asinh_normal(x, e, p, coding):
    spread = p["spread"]
    return stats.johnsonsu.logpdf(x, -p["location"] / spread, 1.0 / spread, scale=coding.width)


def _gamma(x, e, p, coding):
    return stats.gamma.logpdf(x, p["shape"], scale=p["mean"] / p["shape"])


def _bernoulli(x, e, p, coding):
    return stats.bernoulli.logpmf(x, p["probability"])


def _categorical(x, e, p, coding):
    levels = np.moveaxis(np.asarray(p["probability"]), -1, 0)
    return np.log(np.choose(x.astype(int), list(levels)))


def _poisson(x, e, p, coding):
    return stats.poisson.logpmf(x, p["rate"] * e)


def _negative_binomial(x, e, p, coding):
    return stats.nbinom.logpmf(x, p["shape"], p["shape"] / (p["shape"] + p["rate"] * e))


def _hurdle_lognormal(x, e, p, coding):
    amount = _lognormal(np.where(x > 0, x, 1.0), e, p, coding)
    return np.where(x > 0, np.log(p["probability"]) + amount, np.log1p(-p["probability"]))


CASES: dict[str, Case] = {
    "gaussian": Case({"mean": [-3.0, 40.0], "sd": [2.0, 9.0]}, _gaussian, (np.inf, -np.inf), -1.5),
    "lognormal": Case(
        {"log_mean": [7.0, 9.5], "log_sd": [0.4, 1.1]}, _lognormal, (0.0, -1.0, np.inf), 2.5
    ),
    "asinh_normal": Case(
        {"location": [-1.0, 3.0], "spread": [0.5, 1.5]}, _asinh_normal, (np.inf, -np.inf), -2.5
    ),
    "gamma": Case(
        {"mean": [20.0, 300.0], "shape": [0.7, 12.0]},
        _gamma,
        (0.0, -1.0, np.inf),
        2.5,
        other={"shape": Prior("Exponential", lam=0.2)},
    ),
    "bernoulli": Case(
        {"probability": [0.1, 0.7]},
        _bernoulli,
        (-1.0, 0.5, 2.0),
        1.0,
        ("no", "yes"),
        {"probability": Prior("Beta", alpha=2.5, beta=0.8)},
    ),
    "categorical": Case(
        {"probability": [[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]]},
        _categorical,
        (-1.0, 0.5),
        2.0,
        ("a", "b", "c"),
        {"probability": Prior("Dirichlet", alpha=(2.5, 0.8, 1.5))},
    ),
    "poisson": Case(
        {"rate": [0.3, 6.0]},
        _poisson,
        (-1.0, 0.5, np.inf),
        3.0,
        other={"rate": Prior("Gamma", alpha=2.5, beta=0.8)},
    ),
    "negative_binomial": Case(
        {"rate": [1.5, 12.0], "shape": [0.6, 4.0]},
        _negative_binomial,
        (-1.0, 0.5, np.inf),
        3.0,
        other={
            "rate": Prior("InverseGamma", alpha=2.0, beta=3.0),
            "shape": Prior("HalfNormal", sigma=3.0),
        },
    ),
    "hurdle_lognormal": Case(
        {"probability": [0.8, 0.4], "log_mean": [5.0, 8.0], "log_sd": [0.5, 1.2]},
        _hurdle_lognormal,
        (-1.0, np.inf),
        0.0,
        other={"probability": Prior("Beta", alpha=2.5, beta=0.8)},
    ),
}

NAMES = list(families())


def truth(name: str) -> dict[str, Array]:
    return {key: np.array(value) for key, value in CASES[name].truth.items()}


def drawn(name: str, rng: np.random.Generator, n: int, exposed: bool = True) -> tuple[Any, ...]:
    """Return observed rows with the frozen coding, and the segment of each row."""
    member, case = families()[name], CASES[name]
    segment = rng.integers(N_SEGMENTS, size=n)
    exposure = None
    if member.takes_exposure and exposed:
        exposure = rng.integers(1, 6, size=n) / 2.0
    coding = Coding(levels=case.levels, width=WIDTH)
    values = member.draw(rng, truth(name), segment, exposure, coding)
    return frozen(member, Observed(values, exposure, coding)), segment


def frozen(member: Family, observed: Observed) -> Observed:
    return replace(observed, coding=member.coding(observed))


def sums_of(block: Block, weights: Array) -> Sums:
    """Return the sums for weights of shape (row, segment)."""
    n_segments = weights.shape[1]
    measure = np.zeros(n_segments) if block.measure is None else block.measure @ weights
    counts = np.zeros((n_segments, 0))
    if block.codes is not None:
        member = block.codes[:, None] == np.arange(len(block.cells))
        counts = weights.T @ member
    return Sums((block.statistics @ weights).T, measure, counts, block.cells)


def no_customers(block: Block, n_segments: int) -> Sums:
    return sums_of(block, np.zeros((block.statistics.shape[1], n_segments)))


def family_log_density(member: Family, observed: Observed, parameters: Any, xp: Any = NUMPY) -> Any:
    """Return h + T·η − mA + table, shape (row, segment), from the parts of a family."""
    block, coding = member.encode(observed), observed.coding
    total = block.log_base[:, None] + 0.0 * np.zeros(N_SEGMENTS)
    natural = member.natural(parameters, coding, xp)
    for statistic, eta in zip(block.statistics, natural, strict=True):
        total = total + statistic[:, None] * eta
    if block.measure is not None:
        total = total - block.measure[:, None] * member.log_partition(parameters, coding, xp)
    if block.codes is not None:
        table = member.log_table(parameters, block.cells, coding, xp)
        seen = block.codes >= 0
        total[seen] = total[seen] + table.T[block.codes[seen]]
    return total


def total_log_density(
    member: Family, sums: Sums, parameters: Any, coding: Coding, xp: Any = NUMPY
) -> Any:
    """Return Σ (T·η − mA + table) over segments, up to Σ h, in whichever namespace."""
    total = 0.0
    for statistic, eta in zip(
        sums.statistics.T, member.natural(parameters, coding, xp), strict=True
    ):
        total = total + (statistic * eta).sum()
    if sums.statistics.shape[1]:
        total = total - (sums.measure * member.log_partition(parameters, coding, xp)).sum()
    if sums.counts.shape[1]:
        table = member.log_table(parameters, sums.cells, coding, xp)
        total = total + (sums.counts * table).sum()
    return total


def oracle(name: str, observed: Observed, parameters: Any) -> Array:
    """Return SciPy's log density, shape (row, segment); 0 where missing."""
    present = observed.present
    values = np.where(present, observed.values, CASES[name].one)[:, None]
    exposure = 1.0 if observed.exposure is None else observed.exposure[:, None]
    density = CASES[name].log_density(values, exposure, parameters, observed.coding)
    return np.where(present[:, None], density, 0.0)


def objective(name: str, observed: Observed, weights: Array, parameters: Any, priors: Any) -> Array:
    """Return the weighted log-likelihood plus log prior of each segment, by the oracle."""
    with np.errstate(divide="ignore"):
        density = np.maximum(oracle(name, observed, parameters), -1e6)
    total = (weights * density).sum(0)
    for key, prior in (priors or {}).items():
        for k, one in enumerate(prior.priors):
            total[k] += log_density(one, parameters[key][k])
    return total


def default_priors(name: str, observed: Observed, n_segments: int, **changed: Any) -> dict:
    member = families()[name]
    priors = {**member.default_priors(observed), **changed}
    return member.segment_priors(priors, n_segments, observed.coding)


def to_line(member: Family, parameters: Mapping[str, Array]) -> Array:
    """Return the parameters on unbounded scales, last axis over coordinates."""
    columns = []
    for p in member.parameters:
        value = np.asarray(parameters[p.name])
        if p.support == "real":
            columns.append(value[..., None])
        elif p.support == "positive":
            columns.append(np.log(value)[..., None])
        elif p.support == "unit":
            columns.append(special.logit(value)[..., None])
        else:
            columns.append(np.log(value[..., :-1] / value[..., -1:]))
    return np.concatenate(columns, axis=-1)


def from_line(member: Family, u: Array, n_levels: int = 0) -> tuple[dict[str, Array], Array]:
    """Return the parameters and the log Jacobian of the way back from `to_line`."""
    parameters, log_jacobian, at = {}, np.zeros(u.shape[:-1]), 0
    for p in member.parameters:
        v = u[..., at]
        if p.support == "real":
            parameters[p.name] = v
        elif p.support == "positive":
            parameters[p.name], log_jacobian = np.exp(v), log_jacobian + v
        elif p.support == "unit":
            parameters[p.name] = special.expit(v)
            log_jacobian = log_jacobian + special.log_expit(v) + special.log_expit(-v)
        else:
            logits = np.concatenate(
                [u[..., at : at + n_levels - 1], np.zeros((*u.shape[:-1], 1))], axis=-1
            )
            parameters[p.name] = special.softmax(logits, axis=-1)
            log_jacobian = log_jacobian + special.log_softmax(logits, axis=-1).sum(-1)
            at += n_levels - 2
        at += 1
    return parameters, log_jacobian


def prior_density(priors: Mapping[str, SegmentPrior], parameters: Mapping[str, Array]) -> Array:
    """Return the log prior density at a grid of values under the first segment's priors."""
    total = 0.0
    for key, prior in priors.items():
        one, values = prior.priors[0], parameters[key]
        flat = values.reshape(-1, values.shape[-1]) if one.name == "Dirichlet" else values.ravel()
        shape = values.shape[:-1] if one.name == "Dirichlet" else values.shape
        total = total + np.array([log_density(one, value) for value in flat]).reshape(shape)
    return total
