"""softseg: modes, explorers, importance sampling, alignment and gate, on all cores given."""

import os
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from benchmarks.migration.data import Panel
from softseg.inference.diagnose import mixing, quantities
from softseg.inference.markov.sample import sample_markov
from softseg.models.latent_markov import specify_markov

CHURNS: Final = True
PACKAGES: Final = ("softseg", "numba", "numpy")
CORES: Final = int(os.environ.get("BENCH_CORES", "1"))
METHOD: Final = os.environ.get("BENCH_METHOD", "auto")


def run(panel: Panel, seed: int, lap: Callable[[str], None]) -> dict[str, Any]:
    """Return the figures of one fit; the clock's laps are the stages."""
    model = specify_markov(panel.schema, 4, churns=True)
    stage = ["modes"]

    def progress(name: str, share: float) -> None:
        del share
        if name != stage[0]:
            lap(stage[0])
            stage[0] = name

    found = sample_markov(
        panel.statistics, panel.histories, model, rng=np.random.default_rng(seed), cores=CORES,
        method=METHOD, progress=progress,
    )  # fmt: skip
    lap("draws")
    names, draws = quantities(found.draws.values, found.draws.log_likelihood)
    kept = [i for i, name in enumerate(names) if not name.startswith("sorted_")]
    figures = mixing(draws[..., kept])
    transitions = found.draws.values.indicators["transition"]["all"].mean(axis=(0, 1))
    stats = found.draws.sample_stats
    return {
        "method": found.method,
        "gate": found.diagnosis.status,
        "failed": [check.name for check in found.diagnosis.failed],
        "ess": float(figures["ess_bulk"].min()),
        "rhat": float(figures["rhat"].max()),
        "draws": int(found.draws.log_likelihood.size),
        **{n: float(stats[n][0, 0]) for n in ("pareto_k", "importance_ess") if n in stats},
        "modes": [round(m.objective - found.modes.best.objective, 2) for m in found.modes.modes],
        "hits": f"{found.modes.hits}/{found.modes.n_starts}",
        "stays": np.round(np.diagonal(transitions), 4).tolist(),
        "cores": CORES,
    }
