"""What a tool owes the harness."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.inference.data import Array
from benchmarks.inference.problem import Problem
from softseg.models.mixture import Values

N_CHAINS = 4
N_TUNE = 500
N_DRAWS = 1000
"""What the peers' NUTS samplers run: four chains, 500 draws for tuning and 1,000 that are kept."""


@dataclass(frozen=True)
class Outcome:
    """What one run leaves.

    Attributes
    ----------
    values
        Draws with leading axes (chain, draw); None where the tool draws from no posterior.
    figures
        Anything else worth keeping: numbers and short texts by name.
    log_likelihood
        Of every draw, (chain, draw), where the tool has aligned the labels itself, on its own
        clock; None where that is still to be done.
    """

    values: Values | None
    figures: Mapping[str, Any] = field(default_factory=dict)
    log_likelihood: Array | None = None


class Tool(ABC):
    """One way to a posterior (or to estimates with intervals).

    An instance lives for one process. What it compiles it may keep for the next run.
    """

    packages: tuple[str, ...] = ()
    """Distributions whose versions stand beside the figures."""

    @abstractmethod
    def run(self, problem: Problem, seed: int, lap: Callable[[str], None]) -> Outcome:
        """Run once. The clock runs; `lap` notes what it shows, under a name."""

    def applies(self, problem: Problem) -> str:
        """Return why the tool cannot do this problem, or nothing."""
        return ""

    @abstractmethod
    def settings(self) -> str:
        """Return the settings in words."""
