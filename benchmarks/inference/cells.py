"""Cells of the benchmark, and where their results are kept.

A cell is a tool on a data set of a size with a seed. Each of its runs is one line of JSON in
``results/<tool>.jsonl``. Lines are only ever added; the last one of a run counts.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any, Final

import softseg
from benchmarks.inference.data import KINDS
from benchmarks.inference.tools import TOOLS

RESULTS: Final = Path(__file__).parent / "results"
SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
SOURCE: Final = Path(softseg.__file__).parent
RUNS: Final = ("cold", "warm")
WARM_SEED: Final = 1_000
"""The warm run draws its customers with this added to the seed of the cold one."""

type Line = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One tool on one data set of one size with one seed."""

    tool: str
    data: str
    n: int
    seed: int

    @property
    def name(self) -> str:
        """What patterns match: tool:data:n."""
        return f"{self.tool}:{self.data}:{self.n}"

    def __str__(self) -> str:
        return f"{self.name}:{self.seed}"


def choose(patterns: Iterable[str], seeds: int) -> Iterator[Cell]:
    """Yield the cells that a pattern matches, small tables first."""
    patterns = list(patterns)
    for n, seed, data, tool in product(SIZES, range(1, seeds + 1), KINDS, TOOLS):
        cell = Cell(tool, data, n, seed)
        if any(fnmatchcase(cell.name, pattern) for pattern in patterns):
            yield cell


def read(folder: Path = RESULTS) -> dict[tuple[Cell, str], Line]:
    """Return the last line of every run."""
    found = {}
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            cell = Cell(line["tool"], line["data"], line["n"], line["seed"])
            found[cell, line["run"]] = line
    return found


def append(line: Line, folder: Path = RESULTS) -> None:
    """Add a line to the file of its tool."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{line['tool']}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def code() -> str:
    """Return what tells one state of softseg's code from another: its figures hold for that one."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*.py")):
        digest.update(path.relative_to(SOURCE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:10]


def done(cell: Cell, known: dict[tuple[Cell, str], Line]) -> bool:
    """Return whether a cell has its warm run, or why there is none.

    What has failed is tried again, and so is softseg where its code has changed since.
    """
    if any(over(known[cell, run]) for run in RUNS if (cell, run) in known):
        return True
    warm = known.get((cell, "warm"))
    if warm is None or warm["status"] != "finished":
        return False
    return not cell.tool.startswith("softseg") or warm.get("code") == code()


def over(line: Line) -> bool:
    """Return whether a run says that no further one is to come."""
    return line["status"] in ("not finished", "not applicable")


def runs(seeds: Iterable[int], warm: bool = False) -> list[tuple[int, str]]:
    """Return seed and run of all runs of a process: the first seed cold, then all of them warm."""
    seeds = list(seeds)
    cold = [] if warm else [(seeds[0], "cold")]
    return [*cold, *((seed, "warm") for seed in seeds)]


def together(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Return cells that differ in the seed alone together: one process runs them."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.name, []).append(cell)
    return list(found.values())


def hopeless(cell: Cell, known: dict[tuple[Cell, str], Line]) -> bool:
    """Return whether the tool has not finished this data set before, at this size or a smaller one.

    Nothing longer is then tried.
    """
    return any(
        (old.tool, old.data) == (cell.tool, cell.data)
        and old.n <= cell.n
        and line["status"] == "not finished"
        for (old, _), line in known.items()
    )
