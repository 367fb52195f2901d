"""The two figures of the page."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

from benchmarks.inference.cells import SIZES, Cell, Line
from benchmarks.inference.report import DRAWING, OURS, row

PANELS = ("categorical", "mixed")
COLOURS = ("#0b6e4f", "#6bbf9c", "#c1440e", "#e09f3e", "#335c81", "#7d8597")
TOOLS = (*OURS, *DRAWING)


def draw(lines: Mapping[tuple[Cell, str], Line], folder: Path) -> None:
    """Write both figures as SVG."""
    matplotlib.rcParams["svg.hashsalt"] = "softseg"
    ess, cpu = folder / "inference-ess.svg", folder / "inference-cpu.svg"
    _figure(lines, ess, "ess per draws", "ESS per CPU second, warm", ("warm",))
    _figure(lines, cpu, "cpu draws", "CPU seconds", ("cold", "warm"))


def _figure(
    lines: Mapping[tuple[Cell, str], Line],
    path: Path,
    quantity: str,
    label: str,
    runs: tuple[str, ...],
) -> None:
    figure, axes = plt.subplots(1, len(PANELS), figsize=(9, 3.6), sharey=True, layout="constrained")
    for axis, data in zip(axes, PANELS, strict=True):
        for tool, colour in zip(TOOLS, COLOURS, strict=True):
            for run in runs:
                found = {n: row(lines, tool, data, n, run) for n in SIZES}
                points = [(n, r.figures[quantity]) for n, r in found.items() if r and r.figures]
                if points:
                    style = "--" if run == "cold" else "-"
                    name = tool if run == "warm" else None
                    fill = "white" if run == "cold" else colour
                    axis.loglog(
                        *zip(*points, strict=True), f"{style}o", color=colour, mfc=fill, label=name
                    )
        axis.set_title(data)
        axis.set_xlim(0.7 * SIZES[0], 1.4 * SIZES[-1])
        axis.set_xlabel("customers")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(label if len(runs) == 1 else f"{label} (hollow, dashed: cold)")
    axes[-1].legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
