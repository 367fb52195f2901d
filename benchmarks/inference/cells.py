"""Cells of the benchmark, and where their results are kept.

A cell is a tool on a data set of a size with a seed. Each of its runs is one line of JSON in
``results/<tool>.jsonl``. Lines are only ever added; the last one of a run counts.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any, Final

from benchmarks.inference.data import KINDS
from benchmarks.inference.tools import TOOLS

RESULTS: Final = Path(__file__).parent / "results"
SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
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


def hopeless(cell: Cell, known: dict[tuple[Cell, str], Line]) -> bool:
    """Return whether the tool has not finished this data set before, at this size or a smaller one.

    Nothing longer is then tried.
    """
    return any(
        (old.tool, old.data) == (cell.tool, cell.data)
        and old.n <= cell.n
        and run == "cold"
        and line["status"] == "not finished"
        for (old, run), line in known.items()
    )
