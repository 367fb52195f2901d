"""Run the fits of the page, each in its own process, without compiled code on the disk.

``python -m benchmarks.migration.run`` runs all; ``--python PATH`` names the Python of the peers,
which need packages that softseg does not. Each adds its lines to ``results/fits.jsonl``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.migration.cdnow import RESULTS

ROOT: Final = Path(__file__).parents[2]
FITS: Final = (
    ("softseg", "2000", "12"),
    ("softseg", "100000", "24"),
    ("numpyro", "2000", "12"),
    ("hmmlearn", "2000", "12"),
)
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
    for tool, customers, periods in FITS:
        if given.tools and tool not in given.tools:
            continue
        python = sys.executable if tool == "softseg" else given.python
        command = [python, "-m", "benchmarks.migration.one", tool, customers, periods, given.seed]
        with tempfile.TemporaryDirectory() as empty:
            ended = subprocess.run(
                command, cwd=ROOT, env=os.environ | ONE_THREAD | {"NUMBA_CACHE_DIR": empty},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        lines = [text for text in ended.stdout.splitlines() if text.startswith('{"tool"')]
        with (RESULTS / "fits.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        for line in lines:
            found = json.loads(line)
            print(tool, customers, found["run"], found["cpu"], found["wall"], flush=True)
        if ended.returncode:
            print(tool, customers, ended.stderr.strip().splitlines()[-1:], flush=True)


if __name__ == "__main__":
    main()
