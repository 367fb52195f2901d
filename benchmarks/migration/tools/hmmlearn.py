"""hmmlearn beside softseg's EM on what hmmlearn can do: two Gaussian indicators, no churn.

Both climb from random starts of their own to the same gain per cycle; maximum likelihood without
intervals. The softseg figure is one climb of its EM, compiled before.
"""

import os
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from hmmlearn.hmm import GaussianHMM

from benchmarks.migration.data import Panel
from softseg.inference.markov.modes import Climber
from softseg.inference.threads import Stop
from softseg.likelihood.histories import histories_of
from softseg.likelihood.statistics import reduce
from softseg.models.latent_markov import specify_markov
from softseg.tables.prepare import prepare
from softseg.tables.schema import Schema

CHURNS: Final = False
PACKAGES: Final = ("hmmlearn", "softseg")
STARTS: Final = int(os.environ.get("BENCH_STARTS", "5"))
CYCLES, GAIN = 500, 1e-3
COLUMNS: Final = ("margin", "payment_days")


def run(panel: Panel, seed: int, lap: Callable[[str], None]) -> dict[str, Any]:
    """Return the figures of both."""
    cells = panel.frame[list(COLUMNS)]
    x, lengths = cells.to_numpy(float), panel.length.tolist()
    heights, cycles = [], []
    for i in range(STARTS):
        model = GaussianHMM(4, "diag", n_iter=CYCLES, tol=GAIN, random_state=seed + i)
        model.fit(x, lengths)
        heights.append(float(model.score(x, lengths)))
        cycles.append(int(model.monitor_.iter))
    lap("draws")
    table = prepare(cells, Schema(indicators=dict.fromkeys(COLUMNS, "gaussian")))
    statistics = reduce(table)
    histories = histories_of(
        statistics, row=panel.row, sign=panel.sign, start=panel.start, churns=False
    )
    climber = Climber.on(specify_markov(table.schema, 4, churns=False), statistics, histories)
    starts = [climber.start(each) for each in np.random.default_rng(seed).spawn(STARTS)]
    climber.climb(starts[0], 1, GAIN, Stop())
    begun = time.process_time()
    ends = [climber.climb(start, CYCLES, GAIN, Stop()) for start in starts]
    softseg = time.process_time() - begun
    return {
        "method": f"EM, {STARTS} start(s), two Gaussian indicators, no churn, no intervals",
        "heights": np.round(heights, 1).tolist(),
        "cycles": cycles,
        "softseg_cpu": softseg,
        "softseg_heights": [round(climber.mode(end).log_likelihood, 1) for end in ends],
    }
