"""softseg: everything from the checked table on, starts included; no help from the truth."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.inference.measure import cpu_seconds
from benchmarks.inference.problem import Problem
from benchmarks.inference.tools.base import Outcome, Tool
from softseg.inference.fit import fit
from softseg.inference.sample import Sampled, sample
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify
from softseg.results.membership import membership


class SoftsegSample(Tool):
    """The way to judged draws: reduce, modes, explorers, sampler, alignment, gate."""

    packages = ("softseg", "numpy", "numba", "nutpie")

    def __init__(self, cores: int = 1, method: Any = "auto") -> None:
        self.cores, self.method = cores, method

    def settings(self) -> str:
        """Return the settings in words."""
        return f"method {self.method}, {self.cores} thread(s), from nothing"

    def run(self, problem: Problem, seed: int, lap: Callable[[str], None]) -> Outcome:
        """Draw, then summarise the memberships."""
        statistics = reduce(problem.table)
        mixture = specify(problem.table.schema, problem.n_segments)
        rng = np.random.default_rng(seed)
        stages = Stages()
        found = sample(
            statistics, mixture, method=self.method, rng=rng, cores=self.cores, progress=stages
        )
        stages("end", 1.0)
        lap("draws")
        membership(statistics, found.draws.values.flattened())
        lap("memberships")
        return Outcome(found.draws.values, figures(found, stages), found.draws.log_likelihood)


class SoftsegFit(SoftsegSample):
    """The whole fit: the same and the check whether the model fits the table."""

    def run(self, problem: Problem, seed: int, lap: Callable[[str], None]) -> Outcome:
        """Fit, then summarise the memberships."""
        stages = Stages()
        found = fit(
            problem.table, problem.n_segments, method=self.method, seed=seed, cores=self.cores,
            progress=stages,
        )  # fmt: skip
        stages("end", 1.0)
        lap("draws")
        values = found.draws.values.flattened()
        membership(found.statistics, values, tail_probability=found.tail_probability)
        lap("memberships")
        return Outcome(found.draws.values, figures(found, stages), found.draws.log_likelihood)


class Stages:
    """CPU seconds by stage, from softseg's reports of progress.

    What comes after the last report of a stage, such as the alignment after the sampler, is kept as
    "after" it.
    """

    def __init__(self) -> None:
        self.took: dict[str, float] = {}
        self._stage, self._since = "before", cpu_seconds()

    def __call__(self, stage: str, share: float) -> None:
        """Take a report."""
        now = cpu_seconds()
        self.took[self._stage] = self.took.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage if share < 1.0 else f"after {stage}", now


def figures(found: Sampled, stages: Stages) -> dict[str, Any]:
    """Return what the gate says, check by check, and the importance ESS where there is one."""
    checks = {check.name: check.value for check in found.diagnosis.checks if check.applies}
    figures: dict[str, Any] = {
        "method": found.method,
        "thin": found.thin,
        "patterns": found.statistics.n_patterns,
        "rivals": len(found.modes.rivals),
        "stages": {stage: round(seconds, 4) for stage, seconds in stages.took.items()},
        "passed": not found.diagnosis.failed,
        "failed": [check.name for check in found.diagnosis.failed],
        "checks": {name: None if v is None else float(v) for name, v in checks.items()},
    }
    importance = [v for name, v in figures["checks"].items() if "importance" in name]
    log_weight = found.draws.sample_stats.get("log_weight")
    if importance:
        figures["importance_ess"] = importance[0]
    elif log_weight is not None:
        weight = np.exp(log_weight - np.max(log_weight))
        figures["importance_ess"] = float(weight.sum() ** 2 / np.square(weight).sum())
    return figures
