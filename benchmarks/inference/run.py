"""Run cells that have no result yet, each in its own process.

``python -m benchmarks.inference.run`` runs everything with five seeds, hours;
``--cells 'numpyro:mixed:*' 'softseg_*:*:1000' --seeds 1`` runs some. What is finished is skipped,
so that the same command goes on after an interruption.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks.inference.cells import RUNS, Cell, Line, append, choose, done, hopeless, read

ROOT: Final = Path(__file__).parents[2]
INSTALL: Final = "uv sync --group bench --group oracle"
PEERS: Final = ("numpyro", "blackjax", "jax", "stepmix")
BOUND: Final = 300.0
"""CPU seconds of one run."""
WALL: Final = 3600.0
"""Seconds of one cell, in case a tool hangs."""
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
    given = parser.parse_args()
    cells = list(choose(given.cells, given.seeds))
    require_peers(cell.tool for cell in cells)
    for cell in cells:
        known = read()
        if done(cell, known) and not given.again:
            continue
        if hopeless(cell, known):
            print(f"{cell}: not tried, it has not finished before", flush=True)
            continue
        lines = run_cell(cell, given.bound)
        for line in lines:
            append(line)
        print(f"{cell}: {'; '.join(told(line) for line in lines)}", flush=True)


def require_peers(tools: Iterable[str]) -> None:
    """Stop with one sentence where a peer is missing."""
    if all(name.startswith("softseg") for name in tools):
        return
    missing = [name for name in PEERS if find_spec(name) is None]
    if missing:
        raise SystemExit(f"Install {', '.join(missing)} with `{INSTALL}` and start again.")


def run_cell(cell: Cell, bound: float) -> list[Line]:
    """Return one line per run of a cell, from a process of its own.

    A tool that keeps compiled code on the disk starts without any, so that its first run is cold.
    """
    command = [sys.executable, "-m", "benchmarks.inference.one"]
    command += [cell.tool, cell.data, str(cell.n), str(cell.seed), f"--bound={bound}"]
    with tempfile.TemporaryDirectory() as empty:
        caches = {
            "NUMBA_CACHE_DIR": f"{empty}/numba",
            "PYTENSOR_FLAGS": f"base_compiledir={empty}/pytensor",
        }
        keeps = cell.tool.startswith(("softseg", "pymc"))
        ended = _finish(command, os.environ | ONE_THREAD | (caches if keeps else {}))
    lines = [json.loads(text) for text in ended.stdout.splitlines() if text.startswith('{"tool"')]
    if len(lines) < len(RUNS) and not (lines and _over(lines[-1])):
        where = dict(tool=cell.tool, data=cell.data, n=cell.n, seed=cell.seed)
        lines.append(where | {"run": RUNS[len(lines)]} | _why(ended, bound))
    return lines


def told(line: Line) -> str:
    """Return a run in a few words."""
    if line["status"] != "finished":
        return f"{line['run']} {line['status']} ({line['reason']})"
    cpu, ess = line["cpu"]["draws"], line.get("ess")
    mixing = "" if ess is None else f", ESS {ess:.0f}, R-hat {line['rhat']:.3f}, {ess / cpu:.1f}/s"
    return f"{line['run']} {cpu:.2f} CPU s{mixing}"


def _over(line: Line) -> bool:
    """Return whether no further run is to come."""
    return line["status"] in ("not finished", "not applicable")


def _finish(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
            timeout=WALL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        out = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        return subprocess.CompletedProcess(command, -signal.SIGALRM, out, "")


def _why(ended: subprocess.CompletedProcess[str], bound: float) -> Line:
    if ended.returncode == -signal.SIGXCPU:
        return {"status": "not finished", "reason": f"more than {bound:.0f} CPU s"}
    if ended.returncode == -signal.SIGALRM:
        return {"status": "not finished", "reason": f"more than {WALL:.0f} s"}
    if ended.returncode == -signal.SIGKILL:
        return {"status": "not finished", "reason": "killed, probably out of memory"}
    last = ended.stderr.strip().splitlines()[-1:] or ["no message"]
    return {"status": "failed", "reason": last[0][:200]}


if __name__ == "__main__":
    main()
