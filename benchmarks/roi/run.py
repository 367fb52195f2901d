"""Measure the ROI model beside its peers, and print a table.

``python benchmarks/roi/run.py`` runs everything; ``--case NAME`` runs one case in this process and
prints its figures as JSON, which is how each case gets a process, and a peak memory, of its own.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

from peers import require_peers

REPEATS: Final = {"simulation": 5, "sampling_softseg": 5, "sampling_squigglepy": 5, "evppi": 3}
ONCE: Final = ("accuracy", "ishigami", "linear")
"""Cases that repeat themselves, over seeds."""
VERSIONS: Final = ("numpy", "scipy", "numba", "squigglepy", "SALib")

type Figures = dict[str, float]


def main() -> None:
    """Run one case or all."""
    require_peers()
    from cases import CASES

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=list(CASES))
    parser.add_argument("--repeats", type=int, default=5, help="at most so many of each case")
    given = parser.parse_args()
    if given.case is None:
        print("\n".join(report(max(given.repeats, 1))))
    else:
        print(json.dumps(CASES[given.case]()))


def report(most: int) -> Iterator[str]:
    """Measure, and go through the lines of the table; each case at most so many times."""
    load = _load()
    found = {name: _median(name, min(n, most)) for name, n in REPEATS.items()}
    found |= {name: _in_a_process(name) for name in ONCE}
    yield f"{_machine()}. Load average before and after: {load} and {_load()}.\n"
    yield "| what | softseg | peer | target |"
    yield "|---|---|---|---|"
    whole, value = found["simulation"], found["evppi"]
    yield (
        "| 2^20 draws × 30 inputs × 10 years × 2 accountings, npv and roi | "
        f"{_all(whole)} | | 3 s, 2 GiB |"
    )
    yield f"| EVPI and EVPPI of 31 inputs and 2 groups, 100,000 draws | {_all(value)} | | 20 s |"
    ours, theirs = found["sampling_softseg"], found["sampling_squigglepy"]
    million = 2**20 / 1e6
    yield (
        "| sampling 30 inputs, CPU seconds per million draws | "
        f"{ours['cpu'] / million:.2f} | squigglepy {theirs['cpu'] / million:.2f} | |"
    )
    yield f"| the same, wall seconds | {ours['wall']:.2f} | squigglepy {theirs['wall']:.2f} | |"
    yield f"| the same, peak memory | {ours['peak']:.2f} GiB | {theirs['peak']:.2f} GiB | |"
    error = found["accuracy"]
    yield (
        "| rms error of the 5 % and 95 % quantiles in standard deviations, 65,536 draws | "
        f"{error['softseg']:.1e} | squigglepy {error['squigglepy']:.1e} | |"
    )
    for name, label in (("ishigami", "Ishigami"), ("linear", "linear, 10 inputs")):
        yield from _index_lines(label, found[name])


def _index_lines(label: str, found: Figures) -> Iterator[str]:
    title = f"Sobol indices, {label}, {found['evaluations']:,.0f} evaluations"
    for kind, suffix in (("with errors", ""), ("without errors", " without errors")):
        ours, theirs = (
            f"{found[f'{way}{suffix} cpu']:.3f} CPU s, rms error {found[f'{way}{suffix} rms']:.1e}"
            for way in ("softseg", "SALib")
        )
        yield f"| {title}, {kind} | {ours} | SALib {theirs} | |"


def _all(figures: Figures) -> str:
    return "{wall:.2f} s, {cpu:.2f} CPU s, {peak:.2f} GiB".format(**figures)


def _median(name: str, repeats: int) -> Figures:
    runs = [_in_a_process(name) for _ in range(repeats)]
    return {key: median(run[key] for run in runs) for key in runs[0]}


def _in_a_process(name: str) -> Figures:
    command = [sys.executable, str(Path(__file__).resolve()), "--case", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise SystemExit(f"Look into the case {name!r}, which failed: {last[0]}")
    return json.loads(done.stdout)


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    return (
        f"{os.cpu_count()} cores ({_processor()}), Python {platform.python_version()}, {packages}"
    )


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()
