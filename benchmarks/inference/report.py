"""Tables, targets and plots from the results: ``python -m benchmarks.inference.report``.

Writes ``docs/benchmarks/inference.md`` and the figures beside it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.inference.cells import RESULTS, SIZES, Cell, Line, read
from benchmarks.inference.data import KINDS
from benchmarks.inference.passes import section as passes
from benchmarks.inference.passes import unmeasured
from benchmarks.inference.tools import TOOLS

DOCS: Final = Path(__file__).parents[2] / "docs" / "benchmarks"
OURS: Final = ("softseg_sample", "softseg_fit")
DRAWING: Final = ("numpyro", "blackjax", "pymc_nutpie", "pymc")
TITLES: Final = {
    "categorical": "Categorical: 10 indicators with 2 to 5 levels, 4 segments",
    "mixed": "Mixed: 4 Gaussian, 2 Poisson, 4 categorical indicators, 4 segments",
    "overlap_categorical": "Overlapping, categorical (entropy R² 0.6, shares .5 .3 .15 .05)",
    "overlap_mixed": "Overlapping, mixed (entropy R² 0.6, shares .5 .3 .15 .05)",
    "missing_categorical": "20 % missing, categorical",
    "missing_mixed": "20 % missing, mixed",
}
TARGETS: Final = {
    ("categorical", 1_000): 20.0,
    ("categorical", 10_000): 50.0,
    ("categorical", 100_000): None,
    ("mixed", 1_000): 40.0,
    ("mixed", 10_000): 100.0,
    ("mixed", 100_000): None,
}
"""Warm ESS per CPU second, as a multiple of the best peer's; None: to be said, without a target."""
WORTH_SAYING: Final = 0.05
"""Share of the CPU seconds from which a stage is named where a target is missed."""


@dataclass(frozen=True)
class Row:
    """Medians over the seeds of one tool on one data set and size, in one run.

    Attributes
    ----------
    status
        ``finished``, or why not in a few words.
    figures
        Medians by name; only what every seed has.
    passed
        How many seeds the gate passed, of how many; None for peers.
    """

    status: str
    seeds: int
    figures: Mapping[str, float]
    passed: int | None

    def rate(self, lap: str = "draws", ess: str = "ess") -> float | None:
        """Return the median ESS per CPU second."""
        return self.figures.get(f"{ess} per {lap}")


def main() -> None:
    """Write the page and its figures."""
    from benchmarks.inference.plots import draw

    lines = read()
    DOCS.mkdir(parents=True, exist_ok=True)
    text = "\n".join(page(lines))
    (DOCS / "inference.md").write_text(text + "\n", encoding="utf-8")
    draw(lines, DOCS)
    print(f"Wrote {DOCS / 'inference.md'} from {len(lines)} runs of {RESULTS}.")


def row(
    lines: Mapping[tuple[Cell, str], Line], tool: str, data: str, n: int, run: str
) -> Row | None:
    """Return the medians over seeds; None where nothing was run."""
    found = [
        line
        for (cell, which), line in lines.items()
        if (cell.tool, cell.data, cell.n, which) == (tool, data, n, run)
    ]
    done = [line for line in found if line["status"] == "finished"]
    if not done:
        return Row(_short(found[-1]), len(found), {}, None) if found else None
    figures = [_figures(line) for line in done]
    shared = [name for name in figures[0] if all(name in one for one in figures)]
    passed = [line["passed"] for line in done if "passed" in line]
    return Row(
        "finished",
        len(done),
        {name: median(one[name] for one in figures) for name in shared},
        sum(passed) if passed else None,
    )


def best_peer(
    lines: Mapping[tuple[Cell, str], Line], data: str, n: int, run: str
) -> tuple[str, float] | None:
    """Return the peer with the most ESS per CPU second, and how much."""
    rates = {
        tool: found.rate()
        for tool in DRAWING
        if (found := row(lines, tool, data, n, run)) is not None
    }
    known = {tool: rate for tool, rate in rates.items() if rate is not None}
    return max(known.items(), key=lambda item: item[1]) if known else None


def page(lines: Mapping[tuple[Cell, str], Line]) -> Iterator[str]:
    """Go through the lines of the page."""
    yield "# Speed of inference, side by side"
    yield ""
    yield "Made by `python -m benchmarks.inference.report` from `benchmarks/inference/results/`;"
    yield "`python -m benchmarks.inference.run` fills that folder, and"
    yield "`benchmarks/inference/README.md` says what is measured and how."
    yield ""
    yield from _targets(lines)
    yield from passes(lines)
    yield "![ESS per CPU second, warm](inference-ess.svg)"
    yield ""
    yield "![CPU seconds, cold and warm](inference-cpu.svg)"
    yield ""
    for data in KINDS:
        yield from _table(lines, data)
    yield from _stages(lines)
    yield from _agreement(lines)
    yield from unmeasured(lines)
    yield from _machines(lines)


def _targets(lines: Mapping[tuple[Cell, str], Line]) -> Iterator[str]:
    yield "## Targets"
    yield ""
    yield "Warm ESS per CPU second, set-up of the fit included, as a multiple of the best peer's."
    yield "The peers start at the truth. ESS is the minimal bulk ESS over all parameters and the"
    yield "log-likelihood; for `laplace` that of resampled draws, its importance ESS in brackets."
    yield ""
    yield "| data | customers | target | best peer | draws | fit | with memberships | verdict |"
    yield "|---|---|---|---|---|---|---|---|"
    for (data, n), target in TARGETS.items():
        peer = best_peer(lines, data, n, "warm")
        ours = [_rates(row(lines, tool, data, n, "warm")) for tool in OURS]
        known = "not measured" if peer is None else f"{peer[0]}, {peer[1]:.1f}/s"
        asked = "none" if target is None else f"{target:.0f}×"
        if peer is None or ours[0] is None:
            yield f"| {data} | {n:,} | {asked} | {known} | | | | open |"
            continue
        _, rate = peer
        sample, fit = ours[0], ours[1] or {}
        multiples = [
            _multiple(sample, "draws", rate),
            _multiple(fit, "draws", rate),
            _multiple(fit, "memberships", rate),
        ]
        if target is None:
            verdict = "–"
        elif sample["ess per draws"] >= target * rate:
            verdict = "met"
        else:
            verdict = _missed(sample, target * rate)
        if not _all_passed(row(lines, "softseg_sample", data, n, "warm")):
            verdict = "**missed**: the gate failed"
        yield (
            f"| {data} | {n:,} | {asked} | {known} | " + " | ".join(multiples) + f" | {verdict} |"
        )
    yield ""
    yield "Draws: reduction, modes, explorers, sampler, alignment, gate. Fit: the check whether the"
    yield "model fits besides. The verdict is about the first, which is what the peers do. Where a"
    yield "target is missed, the stages are named that take the CPU seconds. Targets for a million"
    yield "customers, scoring and files stand in [scale.md](scale.md), those of the kernel in"
    yield "[kernel.md](kernel.md)."
    yield ""


def _missed(figures: Mapping[str, float], needed: float) -> str:
    ess, cpu = figures["ess"], figures["cpu draws"]
    stages = ", ".join(
        f"{name.removeprefix('stage ')} {seconds:.2f}"
        for name, seconds in figures.items()
        if name.startswith("stage ") and seconds >= WORTH_SAYING * cpu
    )
    return (
        f"**missed**: {ess:,.0f} draws' worth in {cpu:.2f} CPU s"
        + (f" ({stages})" if stages else "")
        + f"; the target allows {ess / needed:.2f} CPU s"
    )


def _rates(found: Row | None) -> dict[str, float] | None:
    return None if found is None or not found.figures else dict(found.figures)


def _multiple(figures: Mapping[str, float], lap: str, rate: float) -> str:
    if f"ess per {lap}" not in figures:
        return "not measured"
    text = f"{figures[f'ess per {lap}'] / rate:.1f}×"
    importance = figures.get(f"importance_ess per {lap}")
    return text if importance is None else f"{text} ({importance / rate:.1f}×)"


def _all_passed(found: Row | None) -> bool:
    return found is not None and found.passed == found.seeds


def _table(lines: Mapping[tuple[Cell, str], Line], data: str) -> Iterator[str]:
    rows = list(_rows(lines, data))
    if not rows:
        return
    yield f"## {TITLES[data]}"
    yield ""
    yield (
        "| tool | customers | runs cold, warm | CPU s cold | CPU s warm | wall s warm "
        "| min bulk ESS | max R-hat | ESS / CPU s cold | ESS / CPU s warm "
        "| with memberships, CPU s warm | peak MiB | gate |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    yield from rows
    yield ""


def _rows(lines: Mapping[tuple[Cell, str], Line], data: str) -> Iterator[str]:
    for n in SIZES:
        for tool in TOOLS:
            cold, warm = (row(lines, tool, data, n, run) for run in ("cold", "warm"))
            none = Row("not run", 0, {}, None)
            cold, late = cold or none, warm or none
            if "not applicable" in (cold.status, late.status) or cold is late:
                continue
            if not (cold.figures or late.figures):
                yield (
                    f"| {tool} | {n:,} | 0, 0 | {late.status if cold is none else cold.status} |"
                    + " |" * 9
                )
                continue
            seeds = f"{_count(cold)}, {_count(late)}"
            cells = [
                _number(cold.figures.get("cpu draws"), 2) or cold.status,
                _number(late.figures.get("cpu draws"), 2) or late.status,
                _number(late.figures.get("wall draws"), 2),
                _ess(late if late.figures else cold),
                _number((late if late.figures else cold).figures.get("rhat"), 3),
                _number(cold.rate(), 1),
                _number(late.rate(), 1),
                _number(late.figures.get("cpu memberships"), 2),
                _number((cold if cold.figures else late).figures.get("peak_mib"), 0),
                "" if late.passed is None else f"{late.passed} of {late.seeds}",
            ]
            yield f"| {tool} | {n:,} | {seeds} | " + " | ".join(cells) + " |"


def _count(found: Row) -> int:
    return found.seeds if found.figures else 0


def _ess(found: Row) -> str:
    text = _number(found.figures.get("ess"), 0)
    importance = found.figures.get("importance_ess")
    return text if importance is None else f"{text} (importance {importance:,.0f})"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _stages(lines: Mapping[tuple[Cell, str], Line]) -> Iterator[str]:
    """Say where softseg's CPU seconds go, warm."""
    kept: dict[tuple[str, int], Mapping[str, float]] = {}
    for data in KINDS:
        for n in SIZES:
            for tool in OURS:
                found = row(lines, tool, data, n, "warm")
                if found is not None and found.figures:
                    kept[data, n] = found.figures
    names = [name for figures in kept.values() for name in figures if name.startswith("stage ")]
    names = list(dict.fromkeys(names))
    if not names:
        return
    yield "## Where softseg's CPU seconds go"
    yield ""
    yield "On a warm process, stage by stage; after a sampler come alignment and gate."
    yield ""
    yield "| data | customers | " + " | ".join(name.removeprefix("stage ") for name in names) + " |"
    yield "|---" * (2 + len(names)) + "|"
    for (data, n), figures in kept.items():
        cells = [_number(figures.get(name), 2) for name in names]
        yield f"| {data} | {n:,} | " + " | ".join(cells) + " |"
    yield ""


def _agreement(lines: Mapping[tuple[Cell, str], Line]) -> Iterator[str]:
    """Say how far the posteriors of softseg and the peers are apart on the same customers."""
    rows = []
    for data in KINDS:
        for n in SIZES:
            for tool in DRAWING:
                apart = [
                    _apart(ours["means"], theirs["means"])
                    for (cell, run), theirs in lines.items()
                    if (cell.tool, cell.data, cell.n) == (tool, data, n) and "means" in theirs
                    if (ours := lines.get((Cell(OURS[0], data, n, cell.seed), run))) is not None
                    and "means" in ours
                ]
                if apart:
                    means, spreads = (median(column) for column in zip(*apart, strict=True))
                    rows.append(f"| {data} | {n:,} | {tool} | {means:.2f} | {spreads:.0%} |")
    if not rows:
        return
    yield "## Do they agree?"
    yield ""
    yield "Shares and the parameters of the first indicator on the same customers: the largest"
    yield "difference of posterior means from softseg's, in posterior sd, and of posterior sds."
    yield ""
    yield "| data | customers | peer | means, sd | sds |"
    yield "|---|---|---|---|---|"
    yield from rows
    yield ""


def _apart(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[float, float]:
    means, spreads = [], []
    for name, (middle, spread) in ours.items():
        other_middle, other_spread = theirs[name]
        for m, s, om, os_ in zip(middle, spread, other_middle, other_spread, strict=True):
            if os_ > 0.0:
                means.append(abs(m - om) / os_)
                spreads.append(abs(s / os_ - 1.0))
    return max(means), max(spreads)


def _machines(lines: Mapping[tuple[Cell, str], Line]) -> Iterator[str]:
    yield "## Settings and machine"
    yield ""
    for tool in TOOLS:
        done = [
            line
            for (cell, _), line in lines.items()
            if cell.tool == tool and line["status"] == "finished"
        ]
        if done:
            last = done[-1]
            versions = ", ".join(f"{name} {v}" for name, v in last["versions"].items())
            yield f"- **{tool}**: {last['settings']}; {versions}."
    loads = [line["load"] for line in lines.values() if "load" in line]
    machines = sorted({line["machine"] for line in lines.values() if "machine" in line})
    if loads:
        yield ""
        yield (
            f"{'; '.join(machines)}. Load average at the start of a run: {min(loads):.1f} to "
            f"{max(loads):.1f}, median {median(loads):.1f}. Where it is above the number of cores,"
            " CPU seconds of all tools are longer than on a quiet machine: read ratios."
        )


def _figures(line: Line) -> dict[str, float]:
    """Return the numbers of a run, with ESS per CPU second at every lap."""
    names = ("ess", "ess_tail", "rhat", "importance_ess", "peak_mib", "steps_per_draw")
    found: dict[str, Any] = {name: line[name] for name in names if line.get(name) is not None}
    found |= {f"stage {stage}": seconds for stage, seconds in line.get("stages", {}).items()}
    for clock in ("cpu", "wall"):
        found |= {f"{clock} {lap}": seconds for lap, seconds in line[clock].items()}
    for ess in ("ess", "importance_ess"):
        if ess in found:
            found |= {f"{ess} per {lap}": found[ess] / s for lap, s in line["cpu"].items() if s > 0}
    return found


def _short(line: Line) -> str:
    if line["status"] == "not applicable":
        return line["status"]
    return f"{line['status']}: {line['reason']}"


if __name__ == "__main__":
    main()
