"""scikit-learn's variational mixture: Gaussian columns only, point estimates and their spread.

It stands here because it is what many take first. It has no categorical or count indicators, no
missing cells, and no draws: there is no ESS, and its CPU seconds are those of an approximation.
"""

from collections.abc import Callable

from sklearn.mixture import BayesianGaussianMixture

from benchmarks.inference.problem import SHARE_ALPHA, Problem
from benchmarks.inference.tools.base import Outcome, Tool

N_STARTS = 10


class SklearnMixture(Tool):
    """Variational inference with a Dirichlet prior on the shares, from k-means."""

    packages = ("scikit-learn",)

    def settings(self) -> str:
        """Return the settings in words."""
        return f"Gaussian columns only, diagonal, best of {N_STARTS} k-means starts"

    def applies(self, problem: Problem) -> str:
        """Gaussian columns without gaps."""
        if not problem.gaussians.names:
            return "no Gaussian indicators"
        return "" if problem.complete else "missing cells"

    def run(self, problem: Problem, seed: int, lap: Callable[[str], None]) -> Outcome:
        """Fit, and predict memberships."""
        model = BayesianGaussianMixture(
            n_components=problem.n_segments,
            covariance_type="diag",
            weight_concentration_prior_type="dirichlet_distribution",
            weight_concentration_prior=SHARE_ALPHA,
            n_init=N_STARTS,
            max_iter=1000,
            random_state=seed,
        )
        model.fit(problem.gaussians.z)
        lap("draws")
        model.predict_proba(problem.gaussians.z)
        lap("memberships")
        return Outcome(None, {"converged": bool(model.converged_)})
