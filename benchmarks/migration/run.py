"""Run the fits of the page, each in its own process, the first without compiled code on the disk.

``python -m benchmarks.migration.run`` runs all; ``--python PATH`` names the Python of the peers,
which need packages that softseg does not. Its lines replace those of the same fits in
``results/fits.jsonl``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.migration.cdnow import RESULTS

ROOT: Final = Path(__file__).parents[2]
FITS: Final = (
    ("softseg", "2000", "12", "cold warm"),
    ("softseg", "2000", "12", "installed"),
    ("softseg", "100000", "24", "installed warm"),
    ("numpyro", "2000", "12", "cold warm"),
    ("hmmlearn", "2000", "12", "cold warm"),
)
"""Cold: no compiled code on the disk; installed: a fresh process with what cold left there."""
FIT: Final = ("tool", "customers", "periods", "run")
ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}


def main() -> None:
    """Run the fits that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tools", nargs="*", default=[], help="of the tools, all by default")
    parser.add_argument("--python", default=sys.executable, help="with the peers installed")
    parser.add_argument("--seed", default="1")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as compiled:
        for tool, customers, periods, runs in FITS:
            if given.tools and tool not in given.tools:
                continue
            python = sys.executable if tool == "softseg" else given.python
            command = [python, "-m", "benchmarks.migration.one", tool, customers, periods]
            run([*command, given.seed, "--runs", *runs.split()], compiled)


def run(command: list[str], compiled: str) -> None:
    """Run one process and keep its lines."""
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | ONE_THREAD | {"NUMBA_CACHE_DIR": compiled},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    for text in ended.stdout.splitlines():
        if text.startswith('{"tool"'):
            keep(json.loads(text))
    if ended.returncode:
        print(*command[3:], ended.stderr.strip().splitlines()[-1:], flush=True)


def keep(line: dict[str, Any]) -> None:
    """Keep a line instead of an older one of the same fit, and print its figures."""
    path = RESULTS / "fits.jsonl"
    kept = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    kept = [old for old in kept if any(old[name] != line[name] for name in FIT)] + [line]
    path.write_text("".join(json.dumps(each) + "\n" for each in kept), encoding="utf-8")
    print(*(line[name] for name in FIT), line["cpu"], line["wall"], flush=True)


if __name__ == "__main__":
    main()
