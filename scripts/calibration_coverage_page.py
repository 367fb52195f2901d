"""Coverage and agreement as sections of docs/calibration.md."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from calibration_page import state

NOMINAL = 0.9
NOTHING = "– | –"


def sections(coverage: Mapping[str, Any], agreement: Mapping[str, Any]) -> str:
    """Return the sections as Markdown, with the state of the code behind the figures."""
    parts = [
        "## Coverage of the 90 % intervals",
        "",
        state([table["commit"] for table in coverage.values()]),
        "",
        "Three segments, nine indicators (two Gaussian, one of every other family but the "
        "asinh-normal), 5 % of the cells missing. The truth of every table is drawn from the "
        "frozen prior, no table is discarded, whatever the gate said. *z* is the distance from "
        "90 % in standard errors clustered by table; it should lie within ±3.",
        "",
        "- **By order**: segments numbered by their mean of the first indicator, in the truth and "
        "in every draw. Needs no identified labels: exact for a sampler that is right.",
        "- **As delivered**: the labels of the package, matched once per table to the true "
        "segments. Includes the tables whose segments the gate declares not identified.",
        "- **Passed**: as delivered, only tables that the gate let through.",
        "",
        "Memberships that are 0 or 1 to the last digit, in the truth and in every draw, have an "
        "interval without width and count as covered, which lifts that line above 90 %. "
        "*Membership in doubt* leaves out intervals without width.",
        "",
    ]
    sizes = sorted({int(unit.split("/")[0]) for unit in coverage})
    for n in sizes:
        tables = [result for unit, result in coverage.items() if unit.split("/")[0] == str(n)]
        parts += _coverage_of(n, tables)
    parts += ["## Agreement of Gibbs and NUTS by family", ""]
    parts += [state([family["commit"] for family in agreement.values()]), ""]
    parts += _agreement(agreement)
    return "\n".join(parts).rstrip() + "\n"


def _coverage_of(n: int, tables: list[dict[str, Any]]) -> list[str]:
    passed = [table for table in tables if table["status"] == "good"]
    failed = defaultdict(int)
    for table in tables:
        for name in table["failed"]:
            failed[name] += 1
    why = ", ".join(f"{name} {count}" for name, count in sorted(failed.items())) or "none"
    lines = [
        f"### {n} customers, {len(tables)} tables",
        "",
        f"The gate let {len(passed)} through; failed checks (a table may fail several): {why}.",
        "",
        "| kind | by order | z | as delivered | z | passed | z |",
        "|---|---|---|---|---|---|---|",
    ]
    kinds = ["share", "parameters", "membership", "membership in doubt"]
    kinds += sorted(k for k in tables[0]["delivered"] if k not in kinds)
    for kind in kinds:
        cells = [
            _cells(_counts(group, how, kind))
            for group, how in ((tables, "ordered"), (tables, "delivered"), (passed, "delivered"))
        ]
        if any(cell != NOTHING for cell in cells):
            lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _counts(tables: Iterable[dict[str, Any]], how: str, kind: str) -> np.ndarray:
    """Return covered and all intervals of each table, (table, 2)."""
    rows = []
    for table in tables:
        if kind == "parameters":
            several = [v for k, v in table[how].items() if "." in k]
            rows.append(np.sum(several, axis=0))
        elif kind in table[how]:
            rows.append(table[how][kind])
    return np.array(rows, dtype=float).reshape(-1, 2)


def _cells(counts: np.ndarray) -> str:
    if len(counts) < 2:
        return NOTHING
    rate = counts[:, 0].sum() / counts[:, 1].sum()
    residual = counts[:, 0] - rate * counts[:, 1]
    n = len(counts)
    error = np.sqrt(n / (n - 1) * (residual**2).sum()) / counts[:, 1].sum()
    z = (rate - NOMINAL) / error if error > 0 else np.nan
    return f"{rate:.1%} | {z:+.1f}"


def _agreement(agreement: Mapping[str, Any]) -> list[str]:
    lines = [
        "Two segments, 300 customers, two indicators of the family and one Gaussian; 4 × 2,000 "
        "draws each. Largest difference over all quantities: of the means in combined Monte Carlo "
        "errors (bound 4) and in posterior sds (bound 0.1), of the sds (bound 10 %); shapes are "
        "compared on the log scale.",
        "",
        "| family | quantities | means, errors | means, sds | sds | agrees |",
        "|---|---|---|---|---|---|",
    ]
    for family, found in sorted(agreement.items()):
        agrees = found["errors"] < 4 and found["sds"] < 0.1 and found["spread"] < 0.1
        lines.append(
            f"| {family} | {found['quantities']} | {found['errors']:.2f} | {found['sds']:.3f} | "
            f"{found['spread']:.1%} | {'yes' if agrees else 'no'} |"
        )
    return lines
