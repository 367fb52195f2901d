"""The page of the study of classification errors, and its figure."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOMINAL: Final = 0.9
ENOUGH: Final = 100
"""Panels of a setting from which its coverage is a finding and no first look."""
NEAR: Final = 3.0
"""Coverage is as stated within so many standard errors."""
NAMES: Final = {"counting": "Counting", "three_step": "Three-step", "joint": "Joint"}

HEAD = """# Classification errors in migration

Segmenting customers anew every year and counting who has moved is mostly counting classification
errors: who is assigned wrongly in one of two years looks like a move. This page says how much, on
simulated panels whose moves are known, and whether the two ways that take the errors into account
mend it.

- **Counting**: every customer and period goes to its most probable segment, moves are counted, and
  intervals are those of counted shares (rows Dirichlet with a flat prior).
- **Three-step**: the same assigned segments, but with the probabilities of assigning them wrongly,
  D, computed for each posterior draw of the mixture; one draw of the transitions for each draw of D
  (`softseg.inference.markov.three_step`).
- **Joint**: the latent Markov model on the indicators (`softseg.inference.markov.sample`).

Made by `python scripts/migration_errors.py three_step`, `joint` and `page`; the first two go on
where they stopped.

## Panels

{customers} customers over five periods, two or three segments with the transitions

    two segments      three segments
    0.90  0.10        0.90  0.07  0.03
    0.10  0.90        0.05  0.88  0.07
                      0.02  0.10  0.88

which begin in their stationary shares. In each period a customer answers five questions with as
many answers as there are segments, the segment's own answer with probability q, each other one
alike; q is such that the stated share of customers and periods is assigned rightly. The mixture,
its errors and the model are fitted to every panel from nothing; every fit counts, whatever the gate
said. Priors are the defaults, which expect 80 % to stay.
"""


@dataclass(frozen=True)
class Cell:
    """What one way has seen in one setting, averages over panels."""

    panels: int
    mean: np.ndarray
    spread: np.ndarray
    covered: np.ndarray
    share: float
    error: float
    width: np.ndarray
    passed: int
    truth: np.ndarray
    counted: np.ndarray

    @property
    def leaving(self) -> float:
        """Estimated probability to leave a segment, average over segments."""
        return float(1.0 - np.diagonal(self.mean).mean())

    @property
    def z(self) -> float:
        """Distance of the coverage from what is stated, in standard errors."""
        return (self.share - NOMINAL) / self.error

    @property
    def bias(self) -> float:
        """Largest distance of the mean estimate from the truth, over all entries, with its sign."""
        off = self.mean - self.truth
        return float(off.flat[np.abs(off).argmax()])


def cells(found: Mapping[str, Any]) -> dict[tuple[str, int, float], Cell]:
    """Return the cells by way, number of segments and accuracy."""
    units: dict[tuple[str, int, float], list[tuple[dict[str, Any], dict[str, Any]]]]
    units = defaultdict(list)
    for unit, result in found.items():
        _, k, accuracy, _ = unit.split()
        for way, sums in result["ways"].items():
            units[way, int(k), float(accuracy)].append((sums, result))
    return {key: _cell(parts) for key, parts in sorted(units.items())}


def _cell(parts: list[tuple[dict[str, Any], dict[str, Any]]]) -> Cell:
    n = sum(result["panels"] for _, result in parts)
    total = {name: sum(np.array(sums[name]) for sums, _ in parts) / n for name in parts[0][0]}
    result = parts[0][1]
    k = len(result["truth"])
    share = float(total["share"])
    between = max(float(total["share_square"]) - share**2, 0.0) / (n - 1)
    least = NOMINAL * (1.0 - NOMINAL) / (n * k * (k - 1))  # were all moves independent
    mean = np.asarray(total["mean"])
    return Cell(
        n, mean, np.sqrt(np.maximum(np.asarray(total["mean_square"]) - mean**2, 0.0)),
        np.asarray(total["covered"]), share, float(np.sqrt(max(between, least))),
        np.asarray(total["width"]), round(float(total["passed"]) * n),
        np.array(result["truth"]), np.array(result["counted"]),
    )  # fmt: skip


def page(found: Mapping[str, Any]) -> tuple[str, str]:
    """Return the page as Markdown, and its figure as SVG."""
    from softseg.report.style import to_svg

    by = cells(found)
    commits = sorted({result["commit"] for result in found.values()})
    seconds = sum(result["seconds"] for result in found.values())
    parts = [
        HEAD.format(customers="2,000"),
        f"State of the code: commit {', '.join(commits)}. {seconds / 60.0:.0f} minutes of one core "
        "in all.",
        "",
        "![How often customers seem to leave, and coverage](images/migration_errors.svg)",
        "",
        "Whiskers are three standard errors of the coverage.",
        "",
        *_findings(by),
        *_table(by),
        *_attenuation(by),
    ]
    title = "Estimated probability to leave a segment, and coverage of 90 % intervals, by accuracy"
    svg = to_svg(_figure(by), "migration-errors", title)
    svg = re.sub(r'(?<= d=")[^"]*', lambda d: re.sub(r"(\.\d)\d+", r"\1", d[0]), svg)
    return "\n".join(parts).rstrip() + "\n", svg + "\n"


def _findings(by: Mapping[tuple[str, int, float], Cell]) -> list[str]:
    lines = ["## What was found", ""]
    fewest = min(cell.panels for cell in by.values())
    if fewest < ENOUGH:
        lines += [
            f"**A first look only**: {fewest} panels in the least settled setting, of "
            f"{ENOUGH} that are planned. Three standard errors are wide with so few.",
            "",
        ]
    counting = [cell for (way, _, _), cell in by.items() if way == "counting"]
    times = [c.leaving / (1.0 - np.diagonal(c.truth).mean()) for c in counting]
    most = max(cell.share for cell in counting)
    lines += [
        f"- Counting overstates how often customers leave their segment by a factor of "
        f"{min(times):.1f} to {max(times):.1f}. Of its 90 % intervals at most {most:.0%} hold the "
        "truth in any setting, and larger panels only make them narrower around the wrong value.",
    ]
    for way in ("three_step", "joint"):
        own = {(k, a): cell for (w, k, a), cell in by.items() if w == way}
        if not own:
            lines.append(f"- {NAMES[way]}: not run yet.")
            continue
        off = [key for key, cell in own.items() if abs(cell.z) > NEAR]
        held = len(own) - len(off)
        words = (
            f"- {NAMES[way]}: coverage of the moves between segments is within three standard "
            f"errors of 90 % in {held} of {len(own)} settings"
        )
        where = "; ".join(
            f"{k} segments at {a:.0%}: {own[k, a].share:.1%}, z {own[k, a].z:+.1f}" for k, a in off
        )
        panels = sorted({cell.panels for cell in own.values()})
        lines += [
            f"{words}{f', not with {where}' if off else ''}. Panels per setting: "
            f"{panels[0]}{f' to {panels[-1]}' if len(panels) > 1 else ''}.",
        ]
    return [*lines, ""]


def _table(by: Mapping[tuple[str, int, float], Cell]) -> list[str]:
    lines = [
        "## Coverage and bias",
        "",
        "Coverage of all moves between segments together, its standard error from the differences "
        "between panels, the distance *z* from 90 % in such errors, which should lie within ±3, "
        "and the lowest and the highest coverage of a single move. Leaving: mean estimate of the "
        "probability to leave a segment. Bias: the largest of all entries. Width: mean width of "
        "the intervals of the moves. Passed: fits that the gate let through.",
        "",
        "| segments | assigned rightly | way | panels | coverage | z | single moves | leaving "
        "(truth) | bias | width | passed |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key in sorted(by, key=lambda key: (key[1], key[2], list(NAMES).index(key[0]))):
        way, k, accuracy = key
        cell = by[key]
        off = ~np.eye(k, dtype=bool)
        single = cell.covered[off]
        true = 1.0 - np.diagonal(cell.truth).mean()
        passed = "–" if way == "counting" else f"{cell.passed}"
        lines.append(
            f"| {k} | {accuracy:.0%} | {NAMES[way]} | {cell.panels} | {cell.share:.1%} ± "
            f"{cell.error:.1%} | {cell.z:+.1f} | {single.min():.0%} to {single.max():.0%} | "
            f"{cell.leaving:.3f} ({true:.3f}) | {cell.bias:+.3f} | {cell.width[off].mean():.3f} | "
            f"{passed} |"
        )
    return [*lines, ""]


def _attenuation(by: Mapping[tuple[str, int, float], Cell]) -> list[str]:
    lines = [
        "## What counting tends to",
        "",
        "With shares π, transitions A and errors D the labels of two periods have the joint law "
        "D′ diag(π) A D; its rows, made to sum to 1, are what counting finds however many "
        "customers there are (Bolck, Croon and Hagenaars 2004). Stay rates by segment:",
        "",
        "| segments | assigned rightly | truth | counting tends to | counted |",
        "|---|---|---|---|---|",
    ]
    for (way, k, accuracy), cell in sorted(by.items(), key=lambda item: item[0][1:]):
        if way == "counting":
            rates = (cell.truth, cell.counted, cell.mean)
            words = (" / ".join(f"{p:.3f}" for p in np.diagonal(rate)) for rate in rates)
            lines.append(f"| {k} | {accuracy:.0%} | {' | '.join(words)} |")
    return [
        *lines,
        "",
        "With three segments the rarer ones are assigned wrongly more often than the others; were "
        "all errors alike, counting would tend to stay rates of .805/.813/.797 at 95 % and "
        ".578/.633/.591 at 80 %.",
        "",
    ]


def _figure(by: Mapping[tuple[str, int, float], Cell]) -> "Figure":
    from softseg.report import style

    return style.styled(_drawn)(by)


def _drawn(by: Mapping[tuple[str, int, float], Cell]) -> "Figure":
    from matplotlib.figure import Figure

    from softseg.report import style

    figure = Figure(figsize=(style.WIDTH, 5.8))
    grid = figure.subplots(2, 2, sharex=True)
    figure.subplots_adjust(
        left=0.06, right=0.985, top=0.875, bottom=0.085, wspace=0.12, hspace=0.22
    )
    aim: dict[str, Any] = dict(color=style.INK, linewidth=0.9, linestyle=":")
    for column, k in enumerate((2, 3)):
        above, below = grid[0, column], grid[1, column]
        above.set_title(f"{k} segments: estimated probability to leave")
        below.set_title(f"{k} segments: coverage of 90 % intervals")
        truth = [1.0 - np.diagonal(c.truth).mean() for (_, n, _), c in by.items() if n == k]
        above.axhline(truth[0] if truth else np.nan, label="Truth, 90 %", **aim)
        below.axhline(NOMINAL, **aim)
        for i, (way, name) in enumerate(NAMES.items()):
            own = [(a, cell) for (w, n, a), cell in by.items() if w == way and n == k]
            if own:
                _ways(above, below, own, i, name)
        above.set_ylim(0.0, 0.45)
        below.set_ylim(-0.03, 1.03)
        for axes in (above, below):
            style.plain(axes, "y")
            style.number_axis(axes.yaxis, "en", 5)
        below.set_xlim(0.787, 0.963)
        below.set_xticks([0.80, 0.85, 0.90, 0.95], ["80 %", "85 %", "90 %", "95 %"])
        below.set_xlabel("Customers and periods assigned rightly")
    lines, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, loc="upper left", ncols=4, bbox_to_anchor=(0.05, 1.0))
    return figure


def _ways(above: Any, below: Any, own: list[Any], i: int, name: str) -> None:
    """Draw one way: estimates above, coverage with three standard errors below."""
    from softseg.report import style

    x = np.array([a for a, _ in own]) + (0.0, -0.0022, 0.0022)[i]
    colour = (style.BAD, style.colour(0), style.colour(2))[i]
    look: dict[str, Any] = dict(color=colour, marker=style.marker(i), linestyle=style.LINES[i])
    above.plot(x, [cell.leaving for _, cell in own], label=name, **look)
    share = np.array([cell.share for _, cell in own])
    error = np.array([NEAR * cell.error for _, cell in own])
    reach = [np.minimum(error, share), np.minimum(error, 1.0 - share)]
    below.errorbar(x, share, yerr=reach, capsize=2.5, elinewidth=0.9, **look)
