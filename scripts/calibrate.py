"""Slow proofs against known truth; figures go to docs/calibration.md and docs/money.md.

    python scripts/calibrate.py coverage     intervals cover the truth as often as they say
    python scripts/calibrate.py money        so does the band of the net present value
    python scripts/calibrate.py agreement    Gibbs and NUTS agree for every family
    python scripts/calibrate.py survival     kills, damaged files, a full disk, two processes
    python scripts/calibrate.py page         write both pages from what has been run
    python scripts/calibrate.py all          everything; resumes where it stopped

Each task leaves one JSON line per unit of work in out/calibration/, so that a run that was
stopped goes on where it was.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import calibration_agreement
import calibration_coverage
import calibration_money
import calibration_money_page
import calibration_page
import calibration_survival

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "out" / "calibration"


def stored(task: str) -> dict[str, Any]:
    """Return what a task has finished, by the name of the unit."""
    path = FOLDER / f"{task}.jsonl"
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {entry["unit"]: entry["result"] for entry in map(json.loads, lines)}


def run(task: str, units: Iterable[str], work: Callable[[str], Any], cores: int) -> None:
    """Do the units of a task that are not done yet, in processes, storing each at once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = stored(task)
    open_units = [unit for unit in units if unit not in done]
    print(f"{task}: {len(done)} done, {len(open_units)} to do", flush=True)
    with (FOLDER / f"{task}.jsonl").open("a", encoding="utf-8") as file:
        for i, (unit, result) in enumerate(results(open_units, work, cores), start=1):
            file.write(json.dumps({"unit": unit, "result": result}) + "\n")
            file.flush()
            if i % 20 == 0 or i == len(open_units):
                print(f"{task}: {i} of {len(open_units)}", flush=True)


def results(units: list[str], work: Callable[[str], Any], cores: int) -> Iterator[tuple[str, Any]]:
    """Yield each unit with its result, as they finish; in this process where cores is 1."""
    if cores == 1:
        for unit in units:
            yield unit, work(unit)
        return
    with ProcessPoolExecutor(max_workers=cores) as pool:
        futures = {pool.submit(work, unit): unit for unit in units}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _write(name: str, page: str) -> None:
    (ROOT / "docs" / name).write_text(page, encoding="utf-8")


def main() -> int:
    """Run the tasks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "task", choices=["coverage", "money", "agreement", "survival", "page", "all"], default="all"
    )
    parser.add_argument("--tables", type=int, default=200, help="tables per size")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    if arguments.task in ("coverage", "all"):
        units = calibration_coverage.units(arguments.tables)
        run("coverage", units, calibration_coverage.work, arguments.cores)
    if arguments.task in ("money", "all"):
        units = calibration_money.units(arguments.tables)
        run("money", units, calibration_money.work, arguments.cores)
    if arguments.task in ("agreement", "all"):
        run("agreement", calibration_agreement.units(), calibration_agreement.work, 1)
    if arguments.task in ("survival", "all"):
        run("survival", calibration_survival.units(), calibration_survival.work, 1)
    coverage, agreement, money = (stored(task) for task in ("coverage", "agreement", "money"))
    survival = stored("survival")
    if coverage and agreement:
        _write("calibration.md", calibration_page.page(coverage, agreement, survival))
    if money:
        _write("money.md", calibration_money_page.page(money))
    return 0


if __name__ == "__main__":
    sys.exit(main())
