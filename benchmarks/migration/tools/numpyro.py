"""numpyro's NUTS on the hidden Markov model with the states summed out by a scan.

Everything of a panel is an argument of the compiled function, so that the warm run compiles
nothing. Single precision, where the chains converge, is the faster one and the default.
"""

import os
from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import unconstrain_fn

from benchmarks.migration.data import Panel
from benchmarks.migration.tools.numbers import ACTIVE, CHURNED, Numbers
from softseg.inference.diagnose import mixing

CHURNS: Final = True
PACKAGES: Final = ("numpyro", "jax", "jaxlib")
CHAINS, TUNE, DRAWS = (int(n) for n in os.environ.get("BENCH_NUTS", "4 500 1000").split())
SEGMENTS: Final = 4
_kept: dict[str, Any] = {}


def model(a: dict[str, Any]) -> None:
    """The latent Markov model with observed churn."""
    k = SEGMENTS
    share = numpyro.sample("share", dist.Dirichlet(jnp.full(k, 2.0)))
    moves = numpyro.sample("moves", dist.Dirichlet(a["rows"]).to_event(1))
    normal = dist.Normal(a["mean"][:, None], a["sd"][:, None]).expand((2, k))
    mean = numpyro.sample("mean", normal.to_event(2))
    gamma = dist.InverseGamma(a["shape"][:, None], a["scale"][:, None]).expand((2, k))
    variance = numpyro.sample("variance", gamma.to_event(2))
    gamma = dist.Gamma(a["alpha"][:, None], a["beta"][:, None]).expand((2, k))
    rate = numpyro.sample("rate", gamma.to_event(2))
    channel = numpyro.sample("channel", dist.Dirichlet(jnp.ones((k, 3))).to_event(1))
    contract = numpyro.sample("contract", dist.Beta(1.0, 1.0).expand((k,)).to_event(1))
    weights = jnp.concatenate(
        [
            -0.5 / variance, mean / variance, jnp.log(rate), jnp.log(channel).T,
            (jnp.log(contract) - jnp.log1p(-contract))[None],
        ]
    )  # fmt: skip
    constant = -0.5 * (mean**2 / variance + jnp.log(variance)).sum(axis=0) - rate.sum(axis=0)
    constant += jnp.log1p(-contract)
    logs = a["features"] @ weights + constant
    top = logs.max(axis=-1, keepdims=True)
    density, here = jnp.exp(logs - top), a["kind"] == ACTIVE
    inner, gone = moves[:, :k], moves[:, k]

    def step(alpha: Any, now: tuple[Any, Any]) -> tuple[Any, Any]:
        e, kind = now
        moved = (alpha @ inner) * e
        total = jnp.where(
            kind == ACTIVE, moved.sum(axis=1), jnp.where(kind == CHURNED, alpha @ gone, 1.0)
        )
        new = jnp.where((kind == ACTIVE)[:, None], moved / total[:, None], alpha)
        return new, jnp.log(total)

    first = share * density[0]
    scale = first.sum(axis=1)
    _, rest = jax.lax.scan(step, first / scale[:, None], (density[1:], a["kind"][1:]))
    numpyro.factor("likelihood", jnp.log(scale).sum() + rest.sum() + (top[..., 0] * here).sum())


def run(panel: Panel, seed: int, lap: Callable[[str], None]) -> dict[str, Any]:
    """Return the figures of one run, from the truth."""
    numbers = Numbers.of(panel)
    given = {
        name: jnp.asarray(array, None if name == "kind" else jnp.float32)
        for name, array in vars(numbers).items()
    }
    start = {name: jnp.asarray(array, jnp.float32) for name, array in numbers.truth().items()}
    if not _kept:
        _kept["sampler"] = MCMC(
            NUTS(model), num_warmup=TUNE, num_samples=DRAWS, num_chains=CHAINS,
            chain_method="sequential", progress_bar=False, jit_model_args=True,
        )  # fmt: skip
        _kept["free"] = jax.jit(lambda a, s: unconstrain_fn(model, (a,), {}, s))
    free = _kept["free"](given, start)
    stacked = {name: jnp.stack([array] * CHAINS) for name, array in free.items()}
    sampler = _kept["sampler"]
    if CHAINS == 1:
        stacked = free
    sampler.run(jax.random.PRNGKey(seed), given, init_params=stacked, extra_fields=("num_steps",))
    sites = jax.block_until_ready(sampler.get_samples(group_by_chain=True))
    lap("draws")
    steps = np.asarray(sampler.get_extra_fields(group_by_chain=True)["num_steps"])
    flat = [np.asarray(v, float).reshape(CHAINS, DRAWS, -1) for v in sites.values()]
    figures = mixing(np.concatenate(flat, axis=-1))
    stays = np.asarray(sites["moves"]).mean(axis=(0, 1))[np.arange(SEGMENTS), np.arange(SEGMENTS)]
    return {
        "method": f"NUTS, {CHAINS} × ({TUNE} + {DRAWS}), float32, from the truth",
        "ess": float(np.nanmin(figures["ess_bulk"])),
        "rhat": float(np.nanmax(figures["rhat"])),
        "draws": CHAINS * DRAWS,
        "steps_per_draw": float(steps.mean()),
        "stays": np.round(stays, 4).tolist(),
    }
