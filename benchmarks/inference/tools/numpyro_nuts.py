"""numpyro's NUTS on the marginalised mixture, chains one after the other.

numpyro's kernel, driven by one compiled function instead of by `MCMC`. That class's vectorised
chains wait for the deepest tree of the four at every draw, and its other ways to run several chains
compile again for every table: 38 and 88 CPU seconds, warm, on 1,000 mixed customers.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import NUTS
from numpyro.infer.util import constrain_fn, potential_energy, unconstrain_fn

from benchmarks.inference.problem import Problem
from benchmarks.inference.tools.base import N_CHAINS, N_DRAWS, N_TUNE, Outcome, Tool
from benchmarks.inference.tools.jax_model import (
    arguments,
    make_model,
    shape_of,
    start_of,
    values_of,
)


class NumpyroNuts(Tool):
    """Adaptation and sampling of all chains in one compiled function."""

    packages = ("numpyro", "jax", "jaxlib")

    def __init__(self, precision: str = "float32") -> None:
        self.precision = precision
        jax.config.update("jax_enable_x64", precision == "float64")
        self._compiled: Any = None

    def settings(self) -> str:
        """Return the settings in words."""
        return (
            f"{N_CHAINS} × ({N_TUNE} + {N_DRAWS}), one after the other, diagonal metric, "
            f"{self.precision}, from the truth"
        )

    def run(self, problem: Problem, seed: int, lap: Callable[[str], None]) -> Outcome:
        """Draw."""
        dtype = jnp.dtype(self.precision)
        given, start = arguments(problem, dtype), start_of(problem, dtype)
        if self._compiled is None:
            self._compiled = jax.jit(_chains(make_model(**shape_of(problem))))
        keys = jax.random.split(jax.random.PRNGKey(seed), N_CHAINS)
        sites, steps, diverged = jax.block_until_ready(self._compiled(keys, given, start))
        lap("draws")
        figures = {
            "steps_per_draw": float(np.mean(steps)),
            "divergences": int(np.sum(diverged)),
        }
        return Outcome(values_of(problem, sites), figures)


def _chains(model: Any) -> Any:
    def chains(keys: Any, given: Any, start: Any) -> Any:
        def potential(free: Any) -> Any:
            return potential_energy(model, (given,), {}, free)

        first = unconstrain_fn(model, (given,), {}, start)

        def chain(key: Any) -> Any:
            kernel = NUTS(potential_fn=potential)
            state = kernel.init(key, N_TUNE, first, (), {})

            def step(state: Any, _: None) -> Any:
                state = kernel.sample(state, (), {})
                return state, (state.z, state.num_steps, state.diverging)

            state = jax.lax.fori_loop(0, N_TUNE, lambda _, s: step(s, None)[0], state)
            _, (free, steps, diverged) = jax.lax.scan(step, state, length=N_DRAWS)
            sites = jax.vmap(lambda one: constrain_fn(model, (given,), {}, one))(free)
            return sites, steps, diverged

        return jax.lax.map(chain, keys)

    return chains
