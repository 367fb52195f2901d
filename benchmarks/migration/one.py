"""Fits in this process: the first, then a warm one on another panel of the same shape.

``python -m benchmarks.migration.one softseg 2000 12 1`` prints one line of JSON per run; started by
`run.py`, which gives it an empty place for compiled code.
"""

import argparse
import json
import os
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from benchmarks.inference.measure import Clock, peak_mib
from benchmarks.migration.data import Panel, panel

WARM_SEED: Final = 1_000
"""The warm run draws its customers with this added to the seed of the first one."""
TOOLS: Final = ("softseg", "numpyro", "pymc_extras", "dynamax", "hmmlearn")

type Run = Callable[[Panel, int, Callable[[str], None]], dict[str, Any]]


def main() -> None:
    """Run the tool that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("customers", type=int)
    parser.add_argument("periods", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--runs", nargs="+", default=["cold", "warm"])
    given = parser.parse_args()
    module = import_module(f"benchmarks.migration.tools.{given.tool}")
    for run in given.runs:
        seed = given.seed + WARM_SEED * (run == "warm")
        made = panel(given.customers, given.periods, seed, churns=module.CHURNS)
        line = measured(module.run, made, seed)
        where = dict(
            tool=given.tool, customers=given.customers, periods=given.periods, seed=given.seed,
            run=run, versions={name: version(name) for name in module.PACKAGES},
        )  # fmt: skip
        print(json.dumps(where | line), flush=True)


def measured(run: Run, made: Panel, seed: int) -> dict[str, Any]:
    """Return the figures of one run."""
    load = os.getloadavg()[0]
    clock = Clock()
    figures = run(made, seed, clock.lap)
    clock.lap("all")
    steps = int(made.length.sum())
    return {
        "steps": steps,
        "cpu": clock.cpu,
        "wall": clock.wall,
        "peak_mib": round(peak_mib(), 1),
        "load": round(load, 1),
        **figures,
    }


if __name__ == "__main__":
    main()
