"""One value and gradient of pymc-extras' marginalised Markov chain beside softseg's, same panel.

``python -m benchmarks.migration.marginal`` writes ``results/marginal.json``. The case is what
pymc-extras can do: histories of one length, nobody leaves. Times are CPU milliseconds on one core;
PyTensor's numba and C backends are both tried, the faster one counts.
"""

import json
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import pymc as pm
import pymc_extras as pmx
from pymc_extras.distributions import DiscreteMarkovChain

from benchmarks.migration.cdnow import RESULTS
from benchmarks.migration.data import CHANNEL, CONTRACT, MEAN, MOVES, RATE, SD, SHARE, panel
from benchmarks.migration.kernel import timed
from benchmarks.migration.tools.numbers import COUNTS, GAUSSIAN, Numbers
from softseg.inference.markov.space import MarkovSpace, likelihood
from softseg.models.latent_markov import specify_markov
from softseg.models.mixture import Values
from softseg.models.plan import theta_of

CUSTOMERS, PERIODS, SEGMENTS = 500, 16, 4
BACKENDS: Final = ("NUMBA", "CVM")


def main() -> None:
    """Measure both, and check that they are the same model."""
    made = panel(CUSTOMERS, PERIODS, 1, churns=False, ragged=False)
    model = specify_markov(made.schema, SEGMENTS, churns=False)
    space = MarkovSpace.on(model, made.statistics, made.histories)
    numbers = Numbers.of(made)
    cells = {name: made.padded(name) for name in (*GAUSSIAN, *COUNTS, "channel", "contract")}
    peer = summed_out(numbers, cells)
    moves = MOVES[:, :SEGMENTS] / MOVES[:, :SEGMENTS].sum(axis=1, keepdims=True)
    first, second = (_values(moves**power) for power in (1.0, 0.5))
    point = space.point(first)
    line: dict[str, Any] = {
        "customers": CUSTOMERS,
        "periods": PERIODS,
        "softseg_ms": 1e3 * timed(lambda: space.log_posterior(point)),
        "versions": {
            name: version(name) for name in ("pymc-extras", "pymc", "pytensor", "softseg")
        },
    }
    theirs = _likelihood(peer, numbers)
    ours = [
        likelihood(space.plan, space.chain, v.share, theta_of(model, v), space.sequences)
        for v in (first, second)
    ]
    line["apart"] = float(abs(np.diff(ours) - np.diff([theirs(v) for v in (first, second)]))[0])
    for backend in BACKENDS:
        begun = time.process_time()
        try:
            gradient = _gradient(peer, backend)
        except Exception as problem:  # a backend that cannot do the model is a result
            line[backend] = {"problem": type(problem).__name__}
            continue
        compiled = time.process_time() - begun
        line[backend] = {"ms": 1e3 * timed(gradient), "compile": compiled}
    (RESULTS / "marginal.json").write_text(json.dumps(line) + "\n", encoding="utf-8")
    print(line, flush=True)


def summed_out(n: Numbers, cells: dict[str, np.ndarray]) -> pm.Model:
    """Return the model with its states summed out by pymc-extras."""
    k = SEGMENTS
    z = [(cells[name] - c) / u for name, c, u in zip(GAUSSIAN, n.centre, n.unit, strict=True)]
    with pm.Model() as model:
        share = pm.Dirichlet("share", np.full(k, 2.0))
        moves = pm.Dirichlet("moves", n.rows[:, :k])
        first = pm.Categorical.dist(p=share)
        state = DiscreteMarkovChain("state", P=moves, init_dist=first, shape=(CUSTOMERS, PERIODS))
        for i, name in enumerate(GAUSSIAN):
            mean = pm.Normal(f"mean {name}", n.mean[i], n.sd[i], shape=k)
            variance = pm.InverseGamma(f"variance {name}", n.shape[i], n.scale[i], shape=k)
            pm.Normal(name, mean[state], pm.math.sqrt(variance)[state], observed=z[i])
        for i, name in enumerate(COUNTS):
            rate = pm.Gamma(f"rate {name}", n.alpha[i], n.beta[i], shape=k)
            pm.Poisson(name, rate[state], observed=cells[name].astype(int))
        channel = pm.Dirichlet("p channel", np.ones((k, 3)))
        pm.Categorical("channel", channel[state], observed=cells["channel"].astype(int))
        contract = pm.Beta("p contract", 1.0, 1.0, shape=k)
        pm.Bernoulli("contract", contract[state], observed=cells["contract"].astype(int))
    return pmx.marginalize(model, ["state"])


def _values(moves: np.ndarray) -> Values:
    """Return the truth with other moves."""
    normal = {name: {"mean": MEAN.T[i], "sd": SD.T[i]} for i, name in enumerate(GAUSSIAN)}
    counts = {name: {"rate": RATE.T[i]} for i, name in enumerate(COUNTS)}
    other = {"channel": {"probability": CHANNEL}, "contract": {"probability": CONTRACT}}
    rows = {"transition": {"all": moves / moves.sum(axis=1, keepdims=True)}}
    return Values(SHARE, normal | counts | other | rows)


def _likelihood(model: pm.Model, n: Numbers) -> Callable[[Values], float]:
    """Return pymc-extras' log-likelihood as a function of the parameters."""
    free = model.free_RVs
    logp = model.logp(vars=model.observed_RVs)
    inputs = [model.rvs_to_values[rv] for rv in free]
    function = model.compile_fn(logp, inputs=inputs, point_fn=False)

    def at(v: Values) -> float:
        given: dict[str, np.ndarray] = {
            "share": v.share, "moves": v.indicators["transition"]["all"],
            "p channel": v.indicators["channel"]["probability"],
            "p contract": v.indicators["contract"]["probability"],
        }  # fmt: skip
        for name, centre, unit in zip(GAUSSIAN, n.centre, n.unit, strict=True):
            given[f"mean {name}"] = (v.indicators[name]["mean"] - centre) / unit
            given[f"variance {name}"] = (v.indicators[name]["sd"] / unit) ** 2
        for name in COUNTS:
            given[f"rate {name}"] = v.indicators[name]["rate"]
        unconstrained = []
        for rv in free:
            transform = model.rvs_to_transforms[rv]
            value = given[rv.name]
            if transform is not None:
                value = transform.forward(value, *rv.owner.inputs).eval()
            unconstrained.append(value)
        return float(function(*unconstrained))

    return at


def _gradient(model: pm.Model, backend: str) -> Callable[[], object]:
    """Return a call that computes the log density and its gradient."""
    function = model.logp_dlogp_function(ravel_inputs=True, mode=backend)
    function.set_extra_values({})
    point = pm.blocking.DictToArrayBijection.map(model.initial_point()).data
    function(point)
    return lambda: function(point)


if __name__ == "__main__":
    main()
