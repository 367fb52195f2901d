"""Posterior draws as they leave a sampler, before labels are aligned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from softseg.families.base import Array
from softseg.models.mixture import Values

Progress = Callable[[str, float], None]
"""Called with the name of a stage and the share of it that is done."""


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
        ``gibbs`` or ``nuts``.
    """

    values: Values
    log_likelihood: Array
    sample_stats: Mapping[str, Array] = field(default_factory=dict)
    method: str = "gibbs"
