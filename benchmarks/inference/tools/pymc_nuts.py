"""A naive PyMC model of the marginalised mixture, by PyMC's own sampler and by nutpie.

Naive: written as the textbook writes it, indicator by indicator and customer by customer, with the
segments summed out by `logsumexp` in a Potential. Nothing is collapsed or joined.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import nutpie
import pymc as pm
import pytensor.tensor as pt

from benchmarks.inference.problem import SHARE_ALPHA, Problem
from benchmarks.inference.tools.base import N_CHAINS, N_DRAWS, N_TUNE, Outcome, Tool
from softseg.models.mixture import Values


def build(problem: Problem) -> pm.Model:
    """Return the model, everything of the table and its priors in data containers."""
    k, g = problem.n_segments, problem.gaussians
    with pm.Model() as model:
        data = {name: pm.Data(name, array) for name, array in arrays(problem).items()}
        share = pm.Dirichlet("share", np.full(k, SHARE_ALPHA))
        joint = pt.log(share)[None, :]
        for i, name in enumerate(g.names):
            mu, sigma = data["mu"][i], data["sigma"][i]
            mean = pm.Normal(f"{name}_mean", mu, sigma, shape=k)
            variance = pm.InverseGamma(f"{name}_variance", data["a"][i], data["b"][i], shape=k)
            normal = pm.Normal.dist(mean, pt.sqrt(variance))
            joint += _seen(problem, data, name, pm.logp(normal, data[name][:, None]))
        for i, name in enumerate(problem.counts.names):
            rate = pm.Gamma(f"{name}_rate", data["alpha"][i], data["beta"][i], shape=k)
            joint += _seen(problem, data, name, pm.logp(pm.Poisson.dist(rate), data[name][:, None]))
        for name, n_levels in zip(problem.categories.names, problem.categories.levels, strict=True):
            cells = pm.Dirichlet(f"{name}_probability", np.ones((k, n_levels)))
            joint += _seen(problem, data, name, pt.log(cells).T[data[name]])
        pm.Potential("likelihood", pt.logsumexp(joint, axis=1).sum())
    return model


def arrays(problem: Problem) -> dict[str, Any]:
    """Return what stands in the data containers."""
    g, c = problem.gaussians, problem.counts
    found: dict[str, Any] = {
        "mu": g.centre + g.scale * g.mu,
        "sigma": g.scale * g.sigma,
        "a": g.alpha,
        "b": g.scale**2 * g.beta,
        "alpha": c.alpha,
        "beta": c.beta,
    }
    for name, column in problem.data.columns.items():
        codes = name in problem.categories.names
        found[name] = np.nan_to_num(column).astype(np.int64 if codes else float)
        if not problem.complete:
            found[f"{name}_seen"] = (~np.isnan(column)).astype(float)
    return {name: array for name, array in found.items() if array.size}


def start_of(problem: Problem) -> dict[str, Any]:
    """Return the truth by variable of the model."""
    found = {"share": problem.data.truth.share}
    for name, parameters in problem.data.truth.indicators.items():
        for parameter, value in parameters.items():
            if parameter == "sd":
                found[f"{name}_variance"] = value**2
            else:
                found[f"{name}_{parameter}"] = value
    return found


def values_of(problem: Problem, posterior: Any) -> Values:
    """Return the draws in softseg's names; leading axes (chain, draw)."""
    indicators: dict[str, dict[str, Any]] = {}
    for name, parameters in problem.data.truth.indicators.items():
        indicators[name] = {}
        for parameter in parameters:
            stored = "variance" if parameter == "sd" else parameter
            draws = np.asarray(posterior[f"{name}_{stored}"], dtype=float)
            indicators[name][parameter] = np.sqrt(draws) if parameter == "sd" else draws
    return Values(np.asarray(posterior["share"], dtype=float), indicators)


def _seen(problem: Problem, data: Any, name: str, log_density: Any) -> Any:
    """Return the log density (customer, segment), 0 where the cell is missing."""
    return log_density if problem.complete else log_density * data[f"{name}_seen"][:, None]


class PymcNutpie(Tool):
    """nutpie on PyMC's graph, compiled once; another table of the shape is handed over as data."""

    packages = ("pymc", "pytensor", "nutpie", "numba")

    def __init__(self) -> None:
        self._compiled: Any = None

    def settings(self) -> str:
        """Return the settings in words."""
        return f"{N_CHAINS} × ({N_TUNE} + {N_DRAWS}), one after the other, numba, from the truth"

    def run(self, problem: Problem, seed: int, lap: Callable[[str], None]) -> Outcome:
        """Draw."""
        if self._compiled is None:
            self._compiled = nutpie.compile_pymc_model(
                build(problem), initial_points=start_of(problem), jitter_rvs=set()
            )
            lap("compile")
        compiled = self._compiled.with_data(**arrays(problem))
        tree = nutpie.sample(
            compiled, draws=N_DRAWS, tune=N_TUNE, chains=N_CHAINS, cores=1, seed=seed,
            progress_bar=False, save_warmup=False,
        )  # fmt: skip
        lap("draws")
        stats = tree["sample_stats"]
        figures = {
            "steps_per_draw": float(stats["n_steps"].mean()),
            "divergences": int(stats["diverging"].sum()),
        }
        return Outcome(values_of(problem, tree["posterior"]), figures)


class PymcOwn(Tool):
    """PyMC's own NUTS, which builds and compiles its graph for every table."""

    packages = ("pymc", "pytensor", "numba")

    def settings(self) -> str:
        """Return the settings in words."""
        return f"{N_CHAINS} × ({N_TUNE} + {N_DRAWS}), one after the other, from the truth"

    def run(self, problem: Problem, seed: int, lap: Callable[[str], None]) -> Outcome:
        """Draw."""
        with build(problem):
            tree = pm.sample(
                draws=N_DRAWS, tune=N_TUNE, chains=N_CHAINS, cores=1, random_seed=seed,
                init="adapt_diag", initvals=start_of(problem), nuts_sampler="pymc",
                progressbar=False, compute_convergence_checks=False,
            )  # fmt: skip
        lap("draws")
        stats = tree["sample_stats"]
        figures = {
            "steps_per_draw": float(stats["n_steps"].mean()),
            "divergences": int(stats["diverging"].sum()),
        }
        return Outcome(values_of(problem, tree["posterior"]), figures)
