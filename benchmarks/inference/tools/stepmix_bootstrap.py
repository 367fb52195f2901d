"""StepMix: EM from 10 starts, intervals from 100 bootstraps.

Maximum likelihood, so the priors have no part in it. It knows no counts: Poisson indicators enter
as Gaussian ones. There is no ESS; its CPU seconds stand beside those of a fit with intervals.
"""

from collections.abc import Callable

import numpy as np
from stepmix.stepmix import StepMix

from benchmarks.inference.problem import Problem
from benchmarks.inference.tools.base import Outcome, Tool

N_STARTS = 10
N_BOOTSTRAPS = 100


class StepmixBootstrap(Tool):
    """Latent classes by maximum likelihood, with a non-parametric bootstrap."""

    packages = ("stepmix", "scikit-learn", "numpy")

    def settings(self) -> str:
        """Return the settings in words."""
        return f"{N_STARTS} starts, {N_BOOTSTRAPS} bootstraps of one start, counts as Gaussian"

    def run(self, problem: Problem, seed: int, lap: Callable[[str], None]) -> Outcome:
        """Fit, bootstrap."""
        numbers = [*problem.gaussians.names, *problem.counts.names]
        names = [*numbers, *problem.categories.names]
        x = np.stack([problem.data.columns[name] for name in names], axis=1)
        suffix = "" if problem.complete else "_nan"
        levels = problem.categories.levels
        measurement = {
            "levels": {
                "model": f"categorical{suffix}",
                "n_columns": len(levels),
                # told, since a bootstrap may lack the highest level of an indicator
                "max_n_outcomes": max(levels),
                "total_outcomes": sum(levels),
            }
        }
        if numbers:
            gaussian = {"model": f"gaussian_diag{suffix}", "n_columns": len(numbers)}
            measurement = {"numbers": gaussian, **measurement}
        settings = dict(measurement=measurement, progress_bar=0, verbose=0, random_state=seed)
        model = StepMix(problem.n_segments, n_init=N_STARTS, max_iter=1000, **settings)
        model.fit(x)
        lap("point")
        model.set_params(n_init=1)
        _, repeats = model.bootstrap(
            x, n_repetitions=N_BOOTSTRAPS, progress_bar=False, random_state=seed
        )
        lap("draws")
        return Outcome(None, {"bootstraps": len(repeats)})
