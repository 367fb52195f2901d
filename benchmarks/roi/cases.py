"""What is measured. Each case runs in a process of its own, after a small warm-up."""

import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from functions import ishigami, linear_roi
from peers import salib_indices, salib_problem, squiggle_draws, squiggles
from thirty_inputs import thirty_inputs

from softseg import RoiModel
from softseg.decisions.answers.indices import sobol_indices
from softseg.decisions.answers.information import information
from softseg.decisions.inputs.ranges import Marginal, marginal
from softseg.decisions.inputs.schema import Assumptions, Dependence
from softseg.decisions.model.sampling import draw
from softseg.families.base import Array

REPLICATES: Final = 16
DRAWS: Final = 2**16
ERROR_DRAWS: Final = 2**12
"""Draws of each replicate where accuracy is compared."""
SEEDS: Final = 20
PROBABILITIES: Final = np.array([0.05, 0.95])
POINTS: Final = 1024
"""Of each replicate, for indices."""

type Figures = dict[str, float]


def simulation() -> Figures:
    """Measure 2^20 draws, thirty inputs, ten years, npv and roi in both accountings."""
    model = RoiModel(thirty_inputs())

    def run(n_draws: int) -> None:
        simulated = model.simulate(REPLICATES, n_draws)
        for accounting in ("as_published", "contribution_margin"):
            outcome = simulated.outcome(accounting)
            _ = outcome.npv, outcome.roi

    run(64)
    return _measured(partial(run, DRAWS))


def evppi() -> Figures:
    """Measure EVPI and the EVPPI of every input and group, at 100,000 draws."""
    model = RoiModel(thirty_inputs())
    information(model.simulate(REPLICATES, 64))
    simulated = model.simulate(REPLICATES, 8192)
    return _measured(lambda: information(simulated, n_draws=100_000 // REPLICATES))


def sampling_softseg() -> Figures:
    """Measure 2^20 draws of the thirty marginals."""
    known = _independent()
    draw(known, REPLICATES, 64)
    return _measured(lambda: draw(known, REPLICATES, DRAWS))


def sampling_squigglepy() -> Figures:
    """Measure the same with squigglepy."""
    distributions = squiggles(_marginals())
    squiggle_draws(distributions, 64, 1)
    return _measured(lambda: squiggle_draws(distributions, REPLICATES * DRAWS, 1))


def accuracy() -> Figures:
    """Return rms errors of the 5 % and 95 % quantiles in standard deviations of the input."""
    known, marginals = _independent(), _marginals()
    distributions = squiggles(marginals)
    n = REPLICATES * ERROR_DRAWS
    found = {
        "softseg": lambda seed: draw(known, REPLICATES, ERROR_DRAWS, seed).values,
        "squigglepy": lambda seed: squiggle_draws(distributions, n, seed),
    }
    return {
        name: _rms([_quantile_errors(drawn(seed), marginals) for seed in range(1, SEEDS + 1)])
        for name, drawn in found.items()
    }


def indices(name: str) -> Figures:
    """Return CPU seconds and rms error over inputs, both kinds of index and seeds."""
    known = {"ishigami": ishigami, "linear": linear_roi}[name]()
    problem = salib_problem(known.bounds, known.law)
    truth = np.array([known.first, known.total])

    def softseg(seed: int, replicates: int) -> Array:
        rng, n = np.random.default_rng(seed), POINTS * REPLICATES // replicates
        found = sobol_indices(known.function, known.quantiles, n, rng, replicates)
        return np.array([found.first, found.total])

    def salib(seed: int, n_resamples: int) -> Array:
        n = POINTS * REPLICATES
        return np.array(salib_indices(problem, known.function, n, seed, n_resamples))

    ways: dict[str, Callable[[int], Array]] = {
        "softseg": partial(softseg, replicates=REPLICATES),
        "softseg without errors": partial(softseg, replicates=1),
        "SALib": partial(salib, n_resamples=100),
        "SALib without errors": partial(salib, n_resamples=2),
    }
    figures: Figures = {"evaluations": POINTS * REPLICATES * (len(known.bounds) + 2)}
    for way, of_seed in ways.items():
        of_seed(1)
        cpu, errors = [], []
        for seed in range(1, SEEDS + 1):
            before = time.process_time()
            errors.append(of_seed(seed) - truth)
            cpu.append(time.process_time() - before)
        figures |= {f"{way} cpu": float(np.median(cpu)), f"{way} rms": _rms(errors)}
    return figures


CASES: Final[dict[str, Callable[[], Figures]]] = {
    "simulation": simulation,
    "evppi": evppi,
    "sampling_softseg": sampling_softseg,
    "sampling_squigglepy": sampling_squigglepy,
    "accuracy": accuracy,
    "ishigami": partial(indices, "ishigami"),
    "linear": partial(indices, "linear"),
}


def _measured(run: Callable[[], Any]) -> Figures:
    wall, cpu = time.perf_counter(), time.process_time()
    kept = run()
    figures = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    del kept
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return figures | {"peak": peak / 2**30}


def _independent() -> Assumptions:
    return thirty_inputs().model_copy(update={"dependence": Dependence()})


def _marginals() -> dict[str, Marginal]:
    return {name: marginal(entry) for name, entry in thirty_inputs().inputs.items()}


def _quantile_errors(drawn: dict[str, Array], marginals: dict[str, Marginal]) -> Array:
    return np.array(
        [
            (np.quantile(drawn[name], PROBABILITIES) - law.quantile(PROBABILITIES)) / law.sd()
            for name, law in marginals.items()
        ]
    )


def _rms(errors: list[Array]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))
