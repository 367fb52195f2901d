"""Clocks, memory and mixing of one run."""

import resource
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.inference.data import Array
from benchmarks.inference.problem import Problem
from softseg.families.namespace import NUMPY
from softseg.inference.diagnose import mixing, quantities
from softseg.inference.relabel import align
from softseg.likelihood.kernel import expected_statistics
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Values


@dataclass
class Clock:
    """CPU and wall seconds since it was made; `lap` keeps what it shows under a name.

    CPU seconds are user and system time of this process, all threads, and of children that have
    ended (compilers).
    """

    cpu: dict[str, float] = field(default_factory=dict)
    wall: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.started, self._wall = cpu_seconds(), time.perf_counter()

    def lap(self, name: str) -> None:
        """Keep what the clock shows."""
        self.cpu[name] = round(cpu_seconds() - self.started, 4)
        self.wall[name] = round(time.perf_counter() - self._wall, 4)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and its ended children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_mib() -> float:
    """Return the peak memory of this process in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def mixed_how(problem: Problem, values: Values, log_likelihood: Array | None) -> dict[str, Any]:
    """Return minimal bulk and tail ESS and maximal R-hat over parameters and log-likelihood.

    Draws without a log-likelihood are a peer's: they are aligned here, off the clock, in softseg's
    way with the truth as the pivot.
    """
    lost = None
    if log_likelihood is None:
        statistics = problem.statistics()
        found = align(statistics, values, problem.truth)
        values, lost = found.values, found.not_permutations
        log_likelihood = _log_likelihood(statistics, values)
    names, draws = quantities(values, log_likelihood)
    kept = [i for i, name in enumerate(names) if not name.startswith("sorted_")]
    figures = mixing(draws[..., kept])
    least = int(np.argmin(figures["ess_bulk"]))
    return {
        "ess": float(figures["ess_bulk"][least]),
        "ess_of": names[kept[least]],
        "ess_tail": float(figures["ess_tail"].min()),
        "ess_log_likelihood": float(figures["ess_bulk"][0]),
        "rhat": float(figures["rhat"].max()),
        "draws": int(np.prod(values.share.shape[:2])),
        "not_permutations": lost,
        "means": _summary(values),
    }


def _log_likelihood(statistics: Statistics, values: Values) -> Array:
    found = np.empty(values.share.shape[:2])
    for index in np.ndindex(*found.shape):
        one = values.at(index)
        weights = statistics.layout.weights(one.indicators, NUMPY)
        found[index] = expected_statistics(statistics, weights, one.share).log_likelihood
    return found


def _summary(values: Values) -> dict[str, list[list[float]]]:
    """Return mean and sd of the shares and of the first indicator, to compare tools with."""
    first = next(iter(values.indicators))
    parameters = {"share": values.share, **values.indicators[first]}
    found = {}
    for name, array in parameters.items():
        flat = array.reshape(array.shape[0] * array.shape[1], -1)
        both = np.stack([flat.mean(axis=0), flat.std(axis=0)])
        found[name] = np.round(both, 5).tolist()
    return found
