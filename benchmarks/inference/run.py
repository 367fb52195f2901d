"""Run cells that have no result yet, each in its own process.

``python -m benchmarks.inference.run`` runs everything with five seeds, hours;
``--cells 'numpyro:mixed:*' 'softseg_*:*:1000' --seeds 1`` runs some. What is finished is skipped,
so that the same command goes on after an interruption. Seeds of a tool on a data set of a size
share a process: its first run is cold, the others are warm.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import Final

from benchmarks.inference.cells import (
    Cell,
    Line,
    append,
    choose,
    done,
    hopeless,
    over,
    read,
    runs,
    together,
)

ROOT: Final = Path(__file__).parents[2]
INSTALL: Final = "uv sync --group bench --group oracle"
PEERS: Final = ("numpyro", "blackjax", "jax", "stepmix")
BOUND: Final = 600.0
"""CPU seconds of one run."""
WALL: Final = 3600.0
"""Seconds of a process, in case a tool hangs."""
ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def main() -> None:
    """Run the cells that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", default=["*"], help="patterns of tool:data:n")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--bound", type=float, default=BOUND, help="CPU seconds of one run")
    parser.add_argument("--again", action="store_true", help="run finished cells again")
    parser.add_argument("--warm", action="store_true", help="no cold runs, compiled code is kept")
    given = parser.parse_args()
    cells = list(choose(given.cells, given.seeds))
    require_peers(cell.tool for cell in cells)
    for seeds in together(cells):
        known = read()
        missing = [cell for cell in seeds if given.again or not done(cell, known)]
        if not missing:
            continue
        if hopeless(missing[0], known):
            print(f"{missing[0].name}: not tried, it has not finished before", flush=True)
            continue
        for line in run_cells(missing, given.bound, given.warm):
            append(line)
            print(f"{missing[0].name}:{line['seed']}: {told(line)}", flush=True)


def require_peers(tools: Iterable[str]) -> None:
    """Stop with one sentence where a peer is missing."""
    if all(name.startswith("softseg") for name in tools):
        return
    missing = [name for name in PEERS if find_spec(name) is None]
    if missing:
        raise SystemExit(f"Install {', '.join(missing)} with `{INSTALL}` and start again.")


def run_cells(cells: Sequence[Cell], bound: float, warm: bool = False) -> Iterator[Line]:
    """Yield one line per run of cells that differ in the seed alone, from one process.

    A tool that keeps compiled code on the disk starts without any, so that its first run is cold;
    not so where only warm runs are wanted.
    """
    cell, seeds = cells[0], [cell.seed for cell in cells]
    command = [sys.executable, "-m", "benchmarks.inference.one", cell.tool, cell.data, str(cell.n)]
    command += [*map(str, seeds), f"--bound={bound}", *(["--warm"] if warm else [])]
    with tempfile.TemporaryDirectory() as empty:
        caches = {
            "NUMBA_CACHE_DIR": f"{empty}/numba",
            "PYTENSOR_FLAGS": f"base_compiledir={empty}/pytensor",
        }
        keeps = cell.tool.startswith(("softseg", "pymc")) and not warm
        left, last = runs(seeds, warm), "no message"
        process = _start(command, os.environ | ONE_THREAD | (caches if keeps else {}))
        late = Timer(WALL, process.send_signal, [signal.SIGALRM])
        late.start()
        for text in process.stdout or ():
            if text.startswith('{"tool"'):
                line = json.loads(text)
                left = [] if over(line) else left[1:]
                yield line
            elif text.strip():
                last = text.strip()
        status = process.wait()
        late.cancel()
    if left:
        seed, run = left[0]
        where = dict(tool=cell.tool, data=cell.data, n=cell.n, seed=seed, run=run)
        yield where | _why(status, last, bound)


def told(line: Line) -> str:
    """Return a run in a few words."""
    if line["status"] != "finished":
        return f"{line['run']} {line['status']} ({line['reason']})"
    cpu, ess = line["cpu"]["draws"], line.get("ess")
    mixing = "" if ess is None else f", ESS {ess:.0f}, R-hat {line['rhat']:.3f}, {ess / cpu:.1f}/s"
    return f"{line['run']} {cpu:.2f} CPU s{mixing}"


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a process whose errors come among its lines, so that no full pipe can stop it."""
    return subprocess.Popen(
        command, env=environment, cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _why(status: int, last: str, bound: float) -> Line:
    if status == -signal.SIGXCPU:
        return {"status": "not finished", "reason": f"more than {bound:.0f} CPU s"}
    if status == -signal.SIGALRM:
        return {"status": "not finished", "reason": f"more than {WALL:.0f} s"}
    if status == -signal.SIGKILL:
        return {"status": "not finished", "reason": "killed, probably out of memory"}
    return {"status": "failed", "reason": last[:200]}


if __name__ == "__main__":
    main()
