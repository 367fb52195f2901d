"""Parts of the page: which cells pass the gate, by which method or why not, and what is open."""

from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Final

from benchmarks.inference.cells import SIZES, Cell, Line
from benchmarks.inference.data import KINDS
from benchmarks.inference.tools import TOOLS

OURS: Final = "softseg_sample"
FAILED: Final = {
    "rhat": "chains disagree (R-hat)",
    "ess_bulk": "too few effective draws",
    "ess_tail": "too few effective draws in the tails",
    "labels": "segments not told apart",
    "permutations": "labels switch",
    "sizes": "a segment is nearly empty",
    "explored": "a mode that the proposal lacks",
    "pareto_k": "weights without a variance (k̂)",
    "importance_ess": "too few effective weights",
    "divergences": "divergent steps",
    "bfmi": "energy hardly moves",
    "modes": "starts of EM end in several modes",
}
"""Checks of the gate in a few words."""


def section(lines: Mapping[tuple[Cell, str], Line]) -> Iterator[str]:
    """Go through the lines of the section; none where softseg was not run."""
    rows = [row for data in KINDS for n in SIZES if (row := _row(lines, data, n))]
    if not rows:
        return
    yield "## Every cell: does it pass, and by which method?"
    yield ""
    yield f"`{OURS}` with the method `auto`, one table per seed. *By* is the method whose draws the"
    yield "gate judged last, with the number of tables. A cell is refused where they fail too: the"
    yield "package then says so instead of giving a posterior."
    yield ""
    yield "| data | customers | tables | passed | by | refused because | CPU s | bulk ESS | R-hat |"
    yield "|---|---|---|---|---|---|---|---|---|"
    yield from rows
    yield ""


def unmeasured(lines: Mapping[tuple[Cell, str], Line]) -> Iterator[str]:
    """Go through the lines that say which cells nobody has run, tool by tool."""
    tried = {(cell.tool, cell.data, cell.n) for cell, _ in lines}
    yield "## Not measured"
    yield ""
    yield "No run of these cells exists, finished or not; nothing is claimed about them."
    yield ""
    for tool in TOOLS:
        gaps = []
        for data in KINDS:
            sizes = [n for n in SIZES if (tool, data, n) not in tried]
            if sizes:
                every = len(sizes) == len(SIZES)
                gaps.append(data if every else f"{data} at {', '.join(f'{n:,}' for n in sizes)}")
        if gaps:
            yield f"- **{tool}**: {'; '.join(gaps)}."
    yield ""


def _finished(lines: Mapping[tuple[Cell, str], Line], data: str, n: int) -> list[Line]:
    return [
        line
        for (cell, run), line in lines.items()
        if (cell.tool, cell.data, cell.n, run) == (OURS, data, n, "warm")
        and line["status"] == "finished"
    ]


def _late(lines: Mapping[tuple[Cell, str], Line], data: str, n: int) -> str:
    """Return why a cell has no result, or nothing."""
    reasons = [
        line["reason"]
        for (cell, _), line in lines.items()
        if (cell.tool, cell.data, cell.n) == (OURS, data, n) and line["status"] != "finished"
    ]
    return reasons[-1] if reasons else ""


def _row(lines: Mapping[tuple[Cell, str], Line], data: str, n: int) -> str:
    """Return the row of a cell, empty where nothing was run."""
    found = _finished(lines, data, n)
    if not found:
        late = _late(lines, data, n)
        return f"| {data} | {n:,} | 0 | | | {late} | | | |" if late else ""
    passed = [line for line in found if line["passed"]]
    methods = Counter(line["method"] for line in found)
    by = ", ".join(
        name if count == len(found) else f"{name} {count}" for name, count in methods.most_common()
    )
    figures = (
        f"{median(line['cpu']['draws'] for line in found):.2f}",
        f"{median(line['ess'] for line in found):,.0f}",
        f"{max(line['rhat'] for line in found):.3f}",
    )
    cells = [data, f"{n:,}", str(len(found)), str(len(passed)), by, _why(found), *figures]
    return "| " + " | ".join(cells) + " |"


def _why(found: list[Line]) -> str:
    """Return the reasons of the refused tables, the most common first, and their rival modes."""
    refused = [line for line in found if not line["passed"]]
    reasons = Counter(name for line in refused for name in line["failed"])
    said = [
        f"{FAILED.get(name, name)} ({count} of {len(refused)})"
        for name, count in reasons.most_common()
    ]
    rivals = [line["rivals"] for line in refused if "rivals" in line]
    if rivals:
        low, high = min(rivals), max(rivals)
        number = str(low) if low == high else f"{low} to {high}"
        said.append(f"other modes within 10 log units: {number}")
    return "; ".join(said)
