"""blackjax's NUTS with window adaptation on the same log density, chains one after the other."""

from collections.abc import Callable
from typing import Any

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
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


class BlackjaxNuts(Tool):
    """Adaptation and sampling of all chains in one compiled function."""

    packages = ("blackjax", "jax", "jaxlib", "numpyro")

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
        sites, info = jax.block_until_ready(self._compiled(keys, given, start))
        lap("draws")
        figures = {
            "steps_per_draw": float(np.mean(info.num_integration_steps)),
            "divergences": int(np.sum(info.is_divergent)),
        }
        return Outcome(values_of(problem, sites), figures)


def _chains(model: Any) -> Any:
    def chains(keys: Any, given: Any, start: Any) -> Any:
        def log_density(free: Any) -> Any:
            return -potential_energy(model, (given,), {}, free)

        first = unconstrain_fn(model, (given,), {}, start)

        def chain(key: Any) -> Any:
            tune, draw = jax.random.split(key)
            adaptation = blackjax.window_adaptation(blackjax.nuts, log_density)
            (state, tuned), _ = adaptation.run(tune, first, N_TUNE)
            kernel = blackjax.nuts(log_density, **tuned)

            def step(state: Any, key: Any) -> Any:
                state, info = kernel.step(key, state)
                return state, (state.position, info)

            _, (free, info) = jax.lax.scan(step, state, jax.random.split(draw, N_DRAWS))
            sites = jax.vmap(lambda one: constrain_fn(model, (given,), {}, one))(free)
            return sites, info

        return jax.lax.map(chain, keys)

    return chains
