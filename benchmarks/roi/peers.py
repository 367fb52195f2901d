"""The same questions put to squigglepy and SALib."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from softseg.decisions.inputs.ranges import Marginal
from softseg.families.base import Array

INSTALL: Final = "uv sync --group bench --group oracle"


def require_peers() -> None:
    """Stop with one sentence where a peer is missing."""
    missing = [name for name in ("squigglepy", "SALib") if find_spec(name) is None]
    if missing:
        raise SystemExit(f"Install {' and '.join(missing)} with `{INSTALL}` and start again.")


def squiggles(marginals: Mapping[str, Marginal]) -> dict[str, Any]:
    """Return squigglepy's distributions with the parameters of the marginals."""
    sq: Any = import_module("squigglepy")
    found = {}
    for name, marginal in marginals.items():
        given = marginal.parameters
        if marginal.family == "lognormal":
            found[name] = sq.lognorm(norm_mean=given["mu"], norm_sd=given["sigma"])
        elif marginal.family == "gamma":
            found[name] = sq.gamma(given["shape"], given["scale"])
        elif marginal.family == "beta":
            found[name] = sq.beta(given["alpha"], given["beta"])
        else:
            raise SystemExit(f"Give lognormal, gamma or beta inputs, got {marginal.family!r}.")
    return found


def squiggle_draws(distributions: Mapping[str, Any], n: int, seed: int) -> dict[str, Array]:
    """Return draws by name, (draw,): one vectorised call for each distribution, no processes."""
    sq: Any = import_module("squigglepy")
    sq.set_seed(seed)
    return {name: sq.sample(one, n, verbose=False) for name, one in distributions.items()}


def salib_problem(bounds: Mapping[str, tuple[float, float]], law: str) -> dict[str, Any]:
    """Return SALib's description of independent inputs of one law: ``unif`` or ``lognorm``."""
    return {
        "num_vars": len(bounds),
        "names": list(bounds),
        "bounds": [list(pair) for pair in bounds.values()],
        "dists": [law] * len(bounds),
    }


def salib_indices(
    problem: Mapping[str, Any], function: Any, n: int, seed: int, n_resamples: int
) -> tuple[Array, Array]:
    """Return first-order and total indices, (input,) each, from n (inputs + 2) evaluations.

    Scrambled Sobol points, no skipped ones, no second-order indices: the settings that its
    documentation recommends.
    """
    sample: Any = import_module("SALib.sample.sobol")
    analyse: Any = import_module("SALib.analyze.sobol")
    points = sample.sample(problem, n, calc_second_order=False, scramble=True, seed=seed)
    y = function(dict(zip(problem["names"], points.T, strict=True)))
    found = analyse.analyze(
        problem, y, calc_second_order=False, num_resamples=n_resamples, seed=seed
    )
    return np.asarray(found["S1"]), np.asarray(found["ST"])
