"""Posterior draws as they leave a sampler, before labels are aligned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from softseg.families.base import Array
from softseg.models.mixture import Values

WORTH_THREADS = 3000
"""Below so many patterns a step is mostly Python, and threads would wait for each other."""

Progress = Callable[[str, float], None]
"""Called with the name of a stage and the share of it that is done."""


def threads_for(n_patterns: int, cores: int) -> int:
    """Return how many threads chains or starts on so many patterns are worth."""
    return max(cores, 1) if n_patterns >= WORTH_THREADS else 1


@dataclass(frozen=True)
class Draws:
    """Draws of every parameter with leading axes (chain, draw).

    Attributes
    ----------
    log_likelihood
        Σ count · log f of each draw, shape (chain, draw).
    sample_stats
        What else the sampler tells of each draw, shape (chain, draw).
    method
        ``laplace``, ``gibbs`` or ``nuts``.
    interrupted
        Whether these are the chains that were finished before an interrupt.
    engine
        What computed the density, where there is a choice: its name, and the reason where it is
        not the first choice.
    """

    values: Values
    log_likelihood: Array
    sample_stats: Mapping[str, Array] = field(default_factory=dict)
    method: str = "gibbs"
    interrupted: bool = False
    engine: Mapping[str, str] = field(default_factory=dict)

    @property
    def copies(self) -> float:
        """What copies among resampled draws add to the variance of a mean: 1/ESS − 1/n.

        In variances of one draw; 0 where draws are no copies.
        """
        ess = self.sample_stats.get("importance_ess")
        n = self.log_likelihood.size
        return 0.0 if ess is None else max(0.0, 1.0 / float(ess.flat[0]) - 1.0 / n)
