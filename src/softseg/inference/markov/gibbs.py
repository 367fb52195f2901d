"""Gibbs sampling of latent Markov models: forward filtering, backward sampling.

One sweep draws every customer's states from their distribution given the whole history (Carter and
Kohn 1994; Frühwirth-Schnatter 1994), adds up the statistics of each segment and the moves, and lets
families, shares and rows draw their parameters from their conditionals.
"""

import numpy as np

from softseg.families.base import Array
from softseg.inference.gibbs import Sweeps
from softseg.inference.markov.space import MarkovSpace
from softseg.inference.markov.turns import sweeps_kernel


def markov_sweeps(space: MarkovSpace) -> Sweeps:
    """Return the Gibbs sweeps of a latent Markov model."""

    def move(
        rng: np.random.Generator,
        share: Array,
        theta: Array,
        first: int,
        n_sweeps: int,
        n_tune: int,
        thin: int,
        kept: tuple[Array, Array, Array],
    ) -> None:
        sweeps_kernel(
            rng, space.plan, space.chain, share, theta, space.sequences, first, n_sweeps, n_tune,
            thin, *kept,
        )  # fmt: skip

    return move
