"""Cells of one tool in this process: a cold run, then warm ones on other tables of the same shape.

Started by `run.py`. Prints one line of JSON per run. A run that uses more CPU seconds than its
bound is ended by the operating system.
"""

import argparse
import json
import os
import platform
import resource
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.inference.cells import RUNS, SIZES, WARM_SEED, code, runs
from benchmarks.inference.measure import Clock, mixed_how, peak_mib
from benchmarks.inference.problem import state
from benchmarks.inference.tools import tool
from benchmarks.inference.tools.base import Tool


def main() -> None:
    """Run the cells that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool")
    parser.add_argument("data")
    parser.add_argument("n", type=int)
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--bound", type=float, required=True, help="CPU seconds of a run")
    parser.add_argument("--warm", action="store_true", help="no cold run, a small table instead")
    given = parser.parse_args()
    chosen = tool(given.tool)
    if given.warm:
        one(chosen, given.data, SIZES[0], given.seeds[0], given.bound)
    for seed, run in runs(given.seeds, given.warm):
        drawn = seed + RUNS.index(run) * WARM_SEED
        line = one(chosen, given.data, given.n, drawn, given.bound)
        where = dict(tool=given.tool, data=given.data, n=given.n, seed=seed, run=run)
        print(json.dumps(where | line), flush=True)
        if line["status"] != "finished":
            return


def one(chosen: Tool, data: str, n: int, seed: int, bound: float) -> dict[str, Any]:
    """Return the figures of one run."""
    problem = state(data, n, seed)
    why_not = chosen.applies(problem)
    if why_not:
        return {"status": "not applicable", "reason": why_not}
    load = os.getloadavg()[0]
    clock = Clock()
    _limit(clock.started + bound)
    found = chosen.run(problem, seed, clock.lap)
    _limit(None)
    peak = peak_mib()
    mixing = {} if found.values is None else mixed_how(problem, found.values, found.log_likelihood)
    return {
        "status": "finished",
        "cpu": clock.cpu,
        "wall": clock.wall,
        "peak_mib": round(peak, 1),
        **mixing,
        **found.figures,
        "settings": chosen.settings(),
        "load": round(load, 1),
        "machine": machine(),
        "code": code(),
        "versions": {name: version(name) for name in chosen.packages},
    }


def machine() -> str:
    """Return cores, processor and Python."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    return f"{os.cpu_count()} cores, {processor}, Python {platform.python_version()}"


def _limit(cpu: float | None) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = hard if cpu is None else int(cpu) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


if __name__ == "__main__":
    main()
