"""numpyro's NUTS on the marginalised mixture, chains one after the other.

Each chain is a run of its own of one compiled sampler. numpyro's vectorised chains wait for the
deepest tree of the four at every draw, and its sequential ones compile again for every table:
nine times and more of the CPU seconds on a small table.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import unconstrain_fn

from benchmarks.inference.problem import Problem
from benchmarks.inference.tools.base import N_CHAINS, N_DRAWS, N_TUNE, Outcome, Tool
from benchmarks.inference.tools.jax_model import (
    arguments,
    make_model,
    shape_of,
    start_of,
    values_of,
)

EXTRA = ("num_steps", "diverging")


class NumpyroNuts(Tool):
    """NUTS with numpyro's defaults, compiled once for all tables of a shape."""

    packages = ("numpyro", "jax", "jaxlib")

    def __init__(self, precision: str = "float32", dense: bool = False) -> None:
        self.precision, self.dense = precision, dense
        jax.config.update("jax_enable_x64", precision == "float64")
        self._sampler: MCMC | None = None

    def settings(self) -> str:
        """Return the settings in words."""
        metric = "dense" if self.dense else "diagonal"
        return (
            f"{N_CHAINS} × ({N_TUNE} + {N_DRAWS}), one after the other, {metric} metric, "
            f"{self.precision}, from the truth"
        )

    def run(self, problem: Problem, seed: int, lap: Callable[[str], None]) -> Outcome:
        """Draw."""
        dtype = jnp.dtype(self.precision)
        given, start = arguments(problem, dtype), start_of(problem, dtype)
        if self._sampler is None:
            self._model = make_model(**shape_of(problem))
            self._sampler = MCMC(
                NUTS(self._model, dense_mass=self.dense),
                num_warmup=N_TUNE,
                num_samples=N_DRAWS,
                progress_bar=False,
                jit_model_args=True,
            )
            self._unconstrain = jax.jit(lambda a, s: unconstrain_fn(self._model, (a,), {}, s))
        free = self._unconstrain(given, start)
        chains, extras = [], []
        for key in jax.random.split(jax.random.PRNGKey(seed), N_CHAINS):
            self._sampler.run(key, given, init_params=free, extra_fields=EXTRA)
            chains.append(jax.block_until_ready(self._sampler.get_samples()))
            extras.append(self._sampler.get_extra_fields())
        sites = {name: np.stack([chain[name] for chain in chains]) for name in chains[0]}
        extra = {name: np.stack([one[name] for one in extras]) for name in EXTRA}
        lap("draws")
        figures = {
            "steps_per_draw": float(np.mean(extra["num_steps"])),
            "divergences": int(np.sum(extra["diverging"])),
        }
        return Outcome(values_of(problem, sites), figures)
