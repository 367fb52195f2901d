"""Slow proofs against known truth; figures go to docs/calibration.md and docs/money.md.

    python scripts/calibrate.py ranks        ranks of the truth among the draws are uniform
    python scripts/calibrate.py joint        Gibbs updates leave the joint distribution alone
    python scripts/calibrate.py markov       both for latent Markov models
    python scripts/calibrate.py references   every method meets the reference posteriors
    python scripts/calibrate.py number       evidence and occupied segments against known answers
    python scripts/calibrate.py bank         broken set-ups are flagged, good ones pass
    python scripts/calibrate.py coverage     intervals cover the truth as often as they say
    python scripts/calibrate.py money        so does the band of the net present value
    python scripts/calibrate.py agreement    Gibbs and NUTS agree for every family
    python scripts/calibrate.py projection   so do projections of customers per state
    python scripts/calibrate.py survival     kills, damaged files, a full disk, two processes
    python scripts/calibrate.py page         write both pages from what has been run
    python scripts/calibrate.py all          everything; resumes where it stopped

Every unit of work is stored as soon as it is done, so that a run that was stopped goes on where it
was: coverage, money and agreement as JSON lines in out/calibration/, the rest in docs/calibration/.
Delete what is to be done anew.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

import calibration_agreement
import calibration_bank
import calibration_coverage
import calibration_coverage_page
import calibration_joint
import calibration_markov
import calibration_money
import calibration_money_page
import calibration_number
import calibration_page
import calibration_projection
import calibration_ranks
import calibration_references
import calibration_survival

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # their builders make tables with known truth
FOLDER = ROOT / "out" / "calibration"
KEPT = ROOT / "docs" / "calibration"
RANKS = KEPT / "ranks"
TASKS = (
    "ranks",
    "joint",
    "markov",
    "references",
    "number",
    "bank",
    "coverage",
    "money",
    "agreement",
    "projection",
    "survival",
)


PARTS = ("joint", "markov", "references", "number", "bank", "projection", "survival")
"""Parts whose results stand in docs/calibration/."""


def stored(task: str, folder: Path = FOLDER) -> dict[str, Any]:
    """Return what a task has finished, by the name of the unit."""
    path = folder / f"{task}.jsonl"
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {entry["unit"]: entry["result"] for entry in map(json.loads, lines)}


def run(
    task: str,
    units: Iterable[str],
    work: Callable[[str], Any],
    cores: int,
    folder: Path = FOLDER,
) -> None:
    """Do the units of a task that are not done yet, in processes, storing each at once."""
    folder.mkdir(parents=True, exist_ok=True)
    done = stored(task, folder)
    open_units = [unit for unit in units if unit not in done]
    print(f"{task}: {len(done)} done, {len(open_units)} to do", flush=True)
    with (folder / f"{task}.jsonl").open("a", encoding="utf-8") as file:
        for i, (unit, result) in enumerate(results(open_units, work, cores), start=1):
            file.write(json.dumps({"unit": unit, "result": result}) + "\n")
            file.flush()
            if i % 20 == 0 or i == len(open_units):
                print(f"{task}: {i} of {len(open_units)}", flush=True)


def run_ranks(
    methods: Sequence[str],
    cores: int,
    units: Sequence[str],
    path_of: Callable[[Path, str, str], Path],
    work: Callable[..., float],
) -> None:
    """Do the shards of the ranks that have no file yet, method after method."""
    for method in methods:
        left = [unit for unit in units if not path_of(RANKS, unit, method).exists()]
        print(f"ranks, {method}: {len(left)} shards to do", flush=True)
        own = partial(work, method=method, folder=RANKS, commit=commit())
        for unit, seconds in results(left, own, cores):
            print(f"ranks, {method}: {unit} in {seconds:.0f} s of CPU", flush=True)


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


def commit() -> str:
    """Return the short name of the commit that the code stands at; ``unknown`` outside of git."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def write_pages() -> None:
    """Write both pages from what has been run, with their figures."""
    coverage, agreement, money = (stored(task) for task in ("coverage", "agreement", "money"))
    if coverage and agreement:
        text = calibration_coverage_page.sections(coverage, agreement)
        (KEPT / "coverage.md").write_text(text, encoding="utf-8")
    kept = {task: stored(task, KEPT) for task in PARTS}
    page = calibration_page.page(ROOT / "docs", kept)
    (ROOT / "docs" / "calibration.md").write_text(page, encoding="utf-8")
    if money:
        text = calibration_money_page.page(money)
        (ROOT / "docs" / "money.md").write_text(text, encoding="utf-8")


def main() -> int:
    """Run the tasks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=[*TASKS, "page", "all"], default="all", nargs="?")
    parser.add_argument("--tables", type=int, default=200, help="tables per size")
    parser.add_argument("--shards", type=int, help="of latent Markov ranks, all by default")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--methods", nargs="+", default=calibration_ranks.METHODS)
    arguments = parser.parse_args()
    tasks = TASKS if arguments.task == "all" else (arguments.task,)
    cores = arguments.cores
    if "ranks" in tasks:
        ranks = calibration_ranks
        run_ranks(arguments.methods, cores, ranks.units(), ranks.path_of, ranks.work)
    if "markov" in tasks:
        markov = calibration_markov
        joint = partial(markov.joint, commit=commit())
        run("markov", markov.CALIBRATED, joint, cores, KEPT)
        units = markov.units()[: arguments.shards]
        run_ranks(arguments.methods, cores, units, markov.shard_path, markov.work)
    for task, module in (
        ("joint", calibration_joint),
        ("references", calibration_references),
        ("number", calibration_number),
        ("bank", calibration_bank),
        ("projection", calibration_projection),
    ):
        if task in tasks:
            work = partial(module.work, commit=commit())
            run(task, module.units(), work, cores, KEPT)
    if "coverage" in tasks:
        units = calibration_coverage.units(arguments.tables)
        run("coverage", units, partial(calibration_coverage.work, commit=commit()), cores)
    if "money" in tasks:
        units = calibration_money.units(arguments.tables)
        run("money", units, calibration_money.work, cores)
    if "agreement" in tasks:
        agree = partial(calibration_agreement.work, commit=commit())
        run("agreement", calibration_agreement.units(), agree, 1)
    if "survival" in tasks:
        run("survival", calibration_survival.units(), calibration_survival.work, 1, KEPT)
    write_pages()
    return 0


if __name__ == "__main__":
    sys.exit(main())
