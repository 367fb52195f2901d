"""The page from the results: ``python -m benchmarks.migration.report``.

Writes ``docs/benchmarks/migration.md`` and ``migration-cdnow.svg`` beside it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.migration.cdnow import DAYS, PERIODS, RESULTS

DOCS: Final = Path(__file__).parents[2] / "docs" / "benchmarks"
STAGES: Final = (
    "gradient", "emissions", "forward", "forward and backward", "sums", "forward and draw",
)  # fmt: skip
BEFORE: Final = {
    "gradient": 310.5, "emissions": 40.9, "forward": 79.8, "forward and backward": 201.0,
    "sums": 19.3, "forward and draw": 325.9,
}  # fmt: skip
"""CPU ms at 100,000 × 24 with the patterns sorted by their cells, at commit fad291c."""
FORECASTS: Final = ("latent Markov", "BG/NBD", "Pareto/NBD")

YEARS: Final = (8, 10, 12)

type Line = dict[str, Any]

INTRODUCTION: Final = """\
# Latent Markov models: speed, and forecasts beside simpler models

Made by `python -m benchmarks.migration.report` from `benchmarks/migration/results/`;
`benchmarks/migration/README.md` says what fills that folder. CPU seconds are those of all
threads. The machine (two virtual cores) was shared: the load stands beside wall seconds.
"""
KERNEL: Final = """\
## One pass over the histories

Four segments and churned, six indicators (two Gaussian, two Poisson, one of three levels, one of
two), ragged histories. CPU milliseconds, one core, best of seven:
"""
LIMITS: Final = """\
The reference for 500 × 16 × 4, ragged and absorbing, was 4.6 ms for a PyTensor graph of unrolled
logsumexp and 5.0 ms for a NumPy pass behind an Op; the densities of the indicators are included
here.

**What limits it.** With continuous indicators nearly every step has a pattern of its own. Sorted
by their cells, the densities of a history's steps lie scattered over an array of tens of
megabytes, and every step waited for memory. `sequences_of` now numbers the patterns in the order
in which the steps show them: at 100,000 × 24 forward 80 to 27 ms, forward and backward 201 to
107, forward and draw 326 to 113. Sums of four states at a time, and densities gathered into a row
before the sums, were tried on top: forward 32 instead of 27 ms, forward and backward 114 instead
of 107; dropped. The draw of paths went customer by customer, each step waiting for the one after;
now the customers of a period are drawn side by side. What is left: exponentials, the sums by
code, and the first touch of the two arrays (code × state, 55 MB each at 100,000 × 24) that the
system clears in every pass.
"""
FITS: Final = """\
## From the panel to judged draws

`sample_markov(..., method="auto")`: modes, explorers, importance sampling, alignment, gate. Cold
is a process that finds no compiled code, installed one that does; warm is a second panel in the
same process.
"""
TARGETS: Final = (
    ("2,000 × 12, a second panel in the process", 2_000, "warm", 12.0),
    ("2,000 × 12, a fresh process, code compiled by the installation", 2_000, "installed", 40.0),
    ("2,000 × 12, a fresh process that has to compile its code", 2_000, "cold", 40.0),
    ("100,000 × 24, a fresh process, through the gate", 100_000, "installed", 300.0),
)
"""Wall seconds on two cores."""
COMPILER: Final = """\
The peers at full length did not finish: hmmlearn's EM (five starts, two Gaussian indicators alone)
was stopped after 575 CPU seconds, numpyro's NUTS (four chains of 1,500 draws) after four minutes,
each without a result of its cold run. The lines above are of shorter runs
(`BENCH_NUTS="1 150 250"`, `BENCH_STARTS=1`), started beside the tests at low priority: their CPU
seconds count, their wall seconds do not. Warm runs of the peers are open.

`make env` compiles the code (`scripts/warm_up.py`), and it stays on the disk; a package installed
without it compiles once, in its first fit.
"""
ORDERS: Final = """\
2,357 customers, fitted on weeks 1 to 39, forecast for weeks 40 to 78. The latent Markov model
sees repeat orders per three weeks and may take a period without orders for churn. Family and
number of segments are those with the highest evidence on the calibration weeks:
"""
ORDERS_SAID: Final = """\
**Where the simpler models win.** The total, which the latent Markov model misses by more than a
quarter and outside its range, and RMSE. It meets the calibration weeks, but its chance of leaving
is one number per segment, and in a segment that orders once a year nothing tells who has left from
who is silent: it takes too many for gone. BG/NBD and Pareto/NBD hold a rate and a chance of leaving
for every customer. The log score of single customers rises with the segments and is the best of
the three at four. The gate refuses three segments and more because labels permute, which the
forecast does not feel; but at four and five the importance draws do not stand either (k̂ above
0.7), so that their figures and their evidence are provisional. Where churn is silent and there is
nothing but few orders, take the simpler models.
"""
CONTRACTS: Final = """\
Survivors of 1,000 contracts (Fader and Hardie 2007), fitted on 7 renewals, forecast for years 8
to 12, in percent (90 % of the parameters). The log-likelihood is that of the first seven years,
the log score that of the years after, both at the mean curve.
"""
CONTRACTS_SAID: Final = """\
**Where the simpler model wins.** The regular cohort: two numbers forecast it to 0.3 points, two
segments only to 1.6, because their curve ends in one constant chance of leaving while that of the
cohort keeps falling. For the high end two segments that move are as good or better (1.2 points
against 1.6). One segment, a constant chance for all, is out of the question. A third segment
changes nothing.

Segments that differ only in how they leave cannot be told apart or aligned by indicators, as
decision 14 says, and the gate refuses these fits: Pareto k̂ lies above 0.7, so that the ranges are
rough. The gate's check of sizes fails with one segment, too; why has not been looked into.
"""


def main() -> None:
    """Write the page and its figure."""
    lines = list(page())
    (DOCS / "migration.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def page() -> Iterator[str]:
    """Go through the lines of the page."""
    yield INTRODUCTION
    yield from kernel(_lines("kernel.jsonl"))
    yield from fits(_lines("fits.jsonl"))
    yield from orders(_whole("cdnow.json"))
    yield from contracts(_whole("retention.json"))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Give a table and an empty line."""
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _lines(name: str) -> list[Line]:
    path = RESULTS / name
    if not path.exists():
        return []
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


def _whole(name: str) -> Line:
    path = RESULTS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def kernel(lines: list[Line]) -> Iterator[str]:
    """Give the section on one pass."""
    yield KERNEL
    last = {(line["customers"], line["periods"]): line for line in lines}
    rows = [
        [
            f"{customers:,} × {periods}",
            f"{line['steps']:,}",
            f"{line['patterns']:,}",
            *(f"{line['ms'][stage]:.2f}" for stage in STAGES),
            f"{line['peak_mib']:.0f}",
        ]
        for (customers, periods), line in sorted(last.items())
    ]
    before = ["100,000 × 24 before", "1,403,178", "1,361,325"]
    rows.append([*before, *(f"{BEFORE[stage]:.2f}" for stage in STAGES), "801"])
    head = ["customers × periods", "steps", "patterns", *STAGES, "peak MiB"]
    yield from table(head, rows)
    yield from marginal(_whole("marginal.json"))
    yield LIMITS


def marginal(found: Line) -> Iterator[str]:
    """Give the pass beside that of pymc-extras."""
    if not found:
        return
    ran = {name: found[name] for name in ("NUMBA", "CVM") if "ms" in found.get(name, {})}
    best = min(ran, key=lambda name: ran[name]["ms"])
    ms, ours = ran[best]["ms"], found["softseg_ms"]
    yield f"**pymc-extras' marginalised Markov chain** on {found['customers']} × {found['periods']}"
    yield f"without churn, all of one length, which is what it can do: {ms:.1f} ms for value and"
    yield f"gradient ({best} backend, after {ran[best]['compile']:.0f} s of compiling; versions"
    yield f"{', '.join(f'{name} {number}' for name, number in found['versions'].items())}), softseg"
    yield f"{ours:.2f} ms in the same process, {ms / ours:.0f} times as fast. The log-likelihoods"
    yield f"differ by {found['apart']:.0e}. `python -m benchmarks.migration.marginal`."
    yield ""


def fits(lines: list[Line]) -> Iterator[str]:
    """Give the section on whole fits."""
    yield FITS
    rows = []
    for line in lines:
        cpu, ess = line["cpu"]["draws"], line.get("ess")
        mixing = ["", "", ""]
        if ess is not None:
            mixing = [f"{ess:.0f}", f"{ess / cpu:.1f}", _rhat(line["rhat"])]
        cells = [line["tool"], f"{line['customers']:,} × {line['periods']}", line["run"]]
        cells += [f"{cpu:.1f}", f"{line['wall']['draws']:.0f} ({line['load']})", *mixing]
        rows.append([*cells, line.get("gate", ""), f"{line['peak_mib']:.0f}"])
    head = ["tool", "customers × periods", "run", "CPU s", "wall s (load)"]
    head += ["minimal bulk ESS", "per CPU s", "R-hat", "gate", "peak MiB"]
    yield from table(head, rows)
    for line in lines:
        case = f"{line['tool']}, {line['customers']:,} × {line['periods']}, {line['run']}"
        laps = ", ".join(f"{name} {cpu:.1f}" for name, cpu in line["cpu"].items())
        yield f"- {case}: {line['method']}. CPU seconds at the end of: {laps}."
        if line["tool"] == "hmmlearn":
            yield f"  Cycles {line['cycles']}, log-likelihoods {line['heights']}."
            yield f"  softseg's EM from as many starts: {line['softseg_cpu']:.2f} CPU s,"
            yield f"  {line['softseg_heights']}."
    yield ""
    yield from targets(lines)


def _rhat(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


def targets(lines: list[Line]) -> Iterator[str]:
    """Give the targets beside what was measured."""
    yield "**Targets** (wall seconds on two cores):"
    yield ""
    measured = {
        (line["customers"], line["run"]): line for line in lines if line["tool"] == "softseg"
    }
    for case, customers, run, bound in TARGETS:
        line = measured.get((customers, run))
        if line is None:
            yield f"- {case}: under {bound:.0f} s. Not measured."
            continue
        wall, met = line["wall"]["all"], line["gate"] == "good" and line["wall"]["all"] < bound
        verdict = "met" if met else "**missed**"
        yield f"- {case}: under {bound:.0f} s. {verdict}, {wall:.1f} s (gate: {line['gate']})."
    yield ""
    yield COMPILER


def orders(found: Line) -> Iterator[str]:
    """Give the section on orders."""
    yield "## Orders out of sample: CDNOW"
    yield ""
    if not found:
        yield "Not measured yet."
        yield ""
        return
    yield ORDERS
    rows = [
        [
            c["family"].replace("_", " "),
            str(c["segments"]),
            f"{c['log_evidence']:.1f}",
            f"{c['log_likelihood']:.1f}",
            f"{c['pareto_k']:.2f}",
            c["gate"] + (f" ({', '.join(c['failed'])})" if c["failed"] else ""),
            *(f"{c[name]:.4f}" for name in ("mae", "rmse", "log_score")),
            f"{c['total']:.0f}",
        ]
        for c in found["candidates"]
    ]
    head = ["family", "segments", "log evidence", "best log-likelihood", "Pareto k", "gate"]
    yield from table([*head, "holdout MAE", "RMSE", "log score", "total"], rows)
    yield f"Chosen: **{found['chosen'].replace('_', ' ')}**. Beside the simpler models, whose"
    yield "likelihoods meet the published ones (−9,582.43 and −9,594.98):"
    yield ""
    rows = [
        ["what came", f"{found['actual']:,}", f"{found['actual_zero']:,}", "", "", "", "",
         f"{_actual(found):,}"],
    ]  # fmt: skip
    for name in FORECASTS:
        f = found[name]
        low, high = f["total_90"]
        rows.append(
            [
                name,
                f"{f['total']:,.0f} ({low:,.0f} to {high:,.0f})",
                f"{f['zero']:,.0f}",
                *(f"{f[score]:.4f}" for score in ("mae", "rmse", "log_score")),
                f"{f['alive']:,.0f}",
                f"{f['fitted'][-1]:,.0f}",
            ]
        )
    head = ["", "orders in the holdout (90 %)", "customers without any", "MAE", "RMSE"]
    head += ["mean log score", "still customers at week 39", "orders expected up to week 39"]
    yield from table(head, rows)
    ours = found["latent Markov"]
    yield f"Rates per week by segment {ours['rates']}, initial shares {ours['shares']}, transitions"
    yield f"per three weeks (churned last) {ours['transitions']}."
    yield ""
    yield from verdicts(found)
    yield ORDERS_SAID
    draw(found, DOCS / "migration-cdnow.svg")
    yield "![Repeat orders of the cohort, seen and forecast](migration-cdnow.svg)"
    yield ""


def _actual(found: Line) -> int:
    return found["tracking"][PERIODS * DAYS // 7 - 1]


def verdicts(found: Line) -> Iterator[str]:
    """Say which model wins by each measure, from the numbers."""
    best = {
        "MAE": min(FORECASTS, key=lambda name: found[name]["mae"]),
        "RMSE": min(FORECASTS, key=lambda name: found[name]["rmse"]),
        "the log score of single customers": max(
            FORECASTS, key=lambda name: found[name]["log_score"]
        ),
        "the total": min(FORECASTS, key=lambda name: abs(found[name]["total"] - found["actual"])),
    }
    for measure, name in best.items():
        yield f"- Best by {measure}: {name}."
    missed = [
        name
        for name in FORECASTS
        if not found[name]["total_90"][0] <= found["actual"] <= found[name]["total_90"][1]
    ]
    yield f"- Total outside the 90 % range: {', '.join(missed) if missed else 'none of them'}."
    yield ""


def contracts(found: Line) -> Iterator[str]:
    """Give the section on contracts."""
    yield "## Contracts out of sample"
    yield ""
    if not found:
        yield "Not measured yet."
        yield ""
        return
    yield CONTRACTS
    rows = []
    for cohort, models in found.items():
        seen = [f"{100 * models['actual'][t] / models['actual'][0]:.1f}" for t in YEARS]
        rows.append([cohort, "what came", "", *seen, "", "", ""])
        for name, told in models.items():
            if name == "actual":
                continue
            bands = zip(told["survival"], *told["survival_90"], strict=True)
            cells = [f"{100 * s:.1f} ({100 * low:.1f} to {100 * up:.1f})" for s, low, up in bands]
            gate = f"{told['gate']} ({', '.join(told['failed'])})" if "gate" in told else ""
            row = [cohort, name, f"{told['log_likelihood']:.2f}", *(cells[t] for t in YEARS)]
            rows.append([*row, f"{100 * told['worst']:.1f}", f"{told['log_score']:.2f}", gate])
    head = ["cohort", "model", "log-likelihood", *(f"year {t}" for t in YEARS)]
    yield from table([*head, "worst error", "log score", "gate"], rows)
    yield CONTRACTS_SAID


def draw(found: Line, path: Path) -> None:
    """Draw what the cohort ordered and what was forecast."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    weeks = np.arange(1, PERIODS + 1) * DAYS // 7
    middle = weeks[-1]
    with mpl.rc_context({"svg.hashsalt": "softseg", "font.size": 10}):
        figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
        axes.plot(np.arange(1, len(found["tracking"]) + 1), found["tracking"], "k", lw=2.2)
        start = found["tracking"][middle - 1]
        colours = {"latent Markov": "#0072b2", "BG/NBD": "#d55e00", "Pareto/NBD": "#009e73"}
        ends = {"actual orders": (found["tracking"][-1], "k")}
        for name, colour in colours.items():
            f = found[name]
            style = "-" if name == "latent Markov" else "--"
            axes.plot(weeks, f["fitted"], style, color=colour, lw=1.4)
            ahead = [start, *(start + np.array(f["by_period"]))]
            axes.plot([middle, *(middle + weeks)], ahead, style, color=colour, lw=1.4)
            ends[name] = (ahead[-1], colour)
        low, high = (
            [start, *(start + np.array(band))] for band in found["latent Markov"]["by_period_90"]
        )
        axes.fill_between([middle, *(middle + weeks)], low, high, color="#0072b2", alpha=0.15)
        axes.axvline(middle, color="0.6", lw=0.8)
        axes.annotate(
            "forecast from here", (middle, 0), (4, 4), textcoords="offset points", color="0.35"
        )
        places = _apart([height for height, _ in ends.values()], 150.0)
        for (name, (_, colour)), place in zip(ends.items(), places, strict=True):
            axes.text(2 * middle + 0.8, place, name, color=colour, va="center")
        axes.set(xlim=(0, 2 * middle), ylim=(0, None), xlabel="weeks since 1 January 1997")
        axes.set_ylabel("repeat orders so far")
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def _apart(heights: list[float], gap: float) -> list[float]:
    """Return heights moved upwards as far as labels need."""
    found, last = list(heights), -np.inf
    for i in np.argsort(heights):
        found[i] = last = max(heights[i], last + gap)
    return found


if __name__ == "__main__":
    main()
