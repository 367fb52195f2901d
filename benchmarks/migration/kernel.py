"""Time one pass over the histories, stage by stage: value and gradient, and a Gibbs sweep's draw.

``python -m benchmarks.migration.kernel`` adds one line per case to ``results/kernel.jsonl``. Times
are CPU milliseconds on one core, the best of several repetitions: the machine may be shared.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any, Final

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import numpy as np

from benchmarks.inference.measure import peak_mib
from benchmarks.migration.cdnow import RESULTS
from benchmarks.migration.data import panel
from softseg.inference.markov.space import MarkovSpace, emissions
from softseg.likelihood.markov import expected_of, gather_members, likelihood_of, sampled_of
from softseg.models.latent_markov import chain_of, specify_markov
from softseg.models.plan import theta_of

CASES: Final = ("500:16", "2000:12", "100000:24")
REPEATS: Final = 7
SECONDS: Final = 0.05
"""Least duration of one repetition."""


def main() -> None:
    """Measure the cases that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=CASES, help="customers:periods")
    for case in parser.parse_args().cases:
        customers, periods = (int(part) for part in case.split(":"))
        line = measured(customers, periods)
        print(line, flush=True)
        RESULTS.mkdir(exist_ok=True)
        with (RESULTS / "kernel.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def measured(customers: int, periods: int) -> dict[str, Any]:
    """Return the CPU milliseconds of the stages of one case."""
    made = panel(customers, periods, 1)
    model = specify_markov(made.schema, 4, churns=True)
    space = MarkovSpace.on(model, made.statistics, made.histories)
    rng = np.random.default_rng(1)
    values = model.draw_prior(rng)
    point, theta = space.point(values), np.ascontiguousarray(theta_of(model, values))
    q, n_states = space.sequences, model.n_states
    density, _, weights, table = emissions(space.plan, theta, q, n_states)
    begin, moves = chain_of(space.chain, values.share, theta)
    members = expected_of(q.steps, density, begin, moves)[1]
    passes: dict[str, Callable[[], object]] = {
        "gradient": lambda: space.log_posterior(point),
        "emissions": lambda: emissions(space.plan, theta, q, n_states),
        "forward": lambda: likelihood_of(q.steps, density, begin, moves),
        "forward and backward": lambda: expected_of(q.steps, density, begin, moves),
        "sums": lambda: gather_members(q.dense, q.joined, members, n_states, weights, table),
        "forward and draw": lambda: sampled_of(q.steps, density, begin, moves, rng),
    }
    return {
        "customers": customers,
        "periods": periods,
        "steps": len(made.row),
        "patterns": made.statistics.n_patterns,
        "ms": {name: round(1e3 * timed(work), 3) for name, work in passes.items()},
        "arrays_mib": round(8 * len(density) * 2 / 2**20, 1),
        "peak_mib": round(peak_mib(), 1),
        "load": round(os.getloadavg()[0], 1),
    }


def timed(work: Callable[[], object]) -> float:
    """Return CPU seconds of one call."""
    work()
    best = np.inf
    for _ in range(REPEATS):
        calls, begun, taken = 0, time.process_time(), 0.0
        while taken < SECONDS:
            work()
            calls += 1
            taken = time.process_time() - begun
        best = min(best, taken / calls)
    return float(best)


if __name__ == "__main__":
    main()
