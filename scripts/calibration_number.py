"""The number of segments as an unknown: evidence and occupied segments against known answers.

The cases are those of tests/oracles/number_cases.py: enumeration, closed forms, published numbers,
and importance sampling as a second way where nothing is known.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from softseg.inference.evidence import LARGE_ERROR, probabilities
from softseg.inference.partition_prior import exactly, static, uniform
from softseg.inference.second_opinions import LOOSE_RHAT
from softseg.inference.telescoping import Occupied, telescope
from softseg.likelihood.statistics import reduce
from softseg.tables.table import Table

DATA = Path(__file__).resolve().parent.parent / os.environ.get(
    "SOFTSEG_REFERENCE_DATA", "../shared/data"
)
ENUMERATED = ((1, 1.0), (2, 1.0), (3, 1.0), (2, 0.1), (3, 0.1), (5, 1.0), (6, 1.0), (8, 1.0))
MANY = ((6, 1_000), (8, 1_000), (4, 10_000), (6, 10_000))
"""Segments and customers."""
MOST_OF_VALUES = 5
GALAXY_SWEEPS = 6_000
SAME = 4.0
"""Bound on distances in Monte Carlo errors."""


def units() -> list[str]:
    """Return the names of all cases; those on real data only where they are."""
    from oracles.number_cases import CLOSED, ENUMERATED_OCCUPIED

    names = [f"ten/{k}/{alpha}" for k, alpha in ENUMERATED]
    names += [f"ten-occupied/{k}/{alpha}" for k, alpha in ENUMERATED_OCCUPIED]
    names += [f"many/{k}/{n}" for k, n in MANY]
    if DATA.is_dir():
        names += [f"one/{name}" for name in CLOSED]
        names += ["values-evidence", "values-number", "thyroid", "thyroid-occupied", "galaxies"]
    return names


def work(unit: str, commit: str) -> dict[str, Any]:
    """Return what one case gave, and the CPU seconds it took."""
    kind, *rest = unit.split("/")
    begin = time.process_time()
    found = WORK[kind](*rest)
    return {"commit": commit, "seconds": round(time.process_time() - begin, 2), **found}


def _ten(k: str, alpha: str) -> dict[str, Any]:
    from oracles.number_cases import bridged, log_evidence_of_subsets, ten_rows

    known = log_evidence_of_subsets(int(k), float(alpha))
    found = bridged(ten_rows(), int(k), alpha=float(alpha))
    return _against(known, 0.0, found.log, found.error, labels=found.labels)


def _ten_occupied(k: str, alpha: str) -> dict[str, Any]:
    from oracles.number_cases import ENUMERATED_OCCUPIED, mixtures, ten_rows

    table, number = ten_rows(), int(k)
    found = telescope(
        reduce(table), mixtures(table.schema), log_prior=exactly(number), n_draws=4000, n_tune=200,
        concentration=static(float(alpha)), rngs=np.random.default_rng(1).spawn(2),
    )  # fmt: skip
    return _shares(ENUMERATED_OCCUPIED[number, float(alpha)], found, number)


def _one(name: str) -> dict[str, Any]:
    from oracles.number_cases import answers, bridged, closed_form

    table = answers(DATA / f"{name}.csv")
    found = bridged(table, 1, n_draws=500)
    return _against(closed_form(table), 0.0, found.log, found.error, labels=found.labels)


def _values_evidence() -> dict[str, Any]:
    from oracles.number_cases import VALUES_TWO, answers, bridged

    found = bridged(answers(DATA / "values.csv"), 2)
    return _against(*VALUES_TWO, found.log, found.error, labels=found.labels)


def _values_number() -> dict[str, Any]:
    """P(K | values) by evidence and by the telescoping sampler, K uniform, shares Dirichlet(1)."""
    from oracles.number_cases import answers, bridged, mixtures

    table, numbers = answers(DATA / "values.csv"), range(1, MOST_OF_VALUES + 1)
    p = probabilities([bridged(table, k, n_draws=1000).log for k in numbers])
    sampled = telescope(
        reduce(table), mixtures(table.schema), log_prior=uniform(MOST_OF_VALUES), n_tune=500,
        concentration=static(1.0), n_draws=4000, rngs=np.random.default_rng(3).spawn(4),
    )  # fmt: skip
    number = Occupied(
        sampled.n_segments, sampled.n_segments, sampled.concentration, sampled.log_likelihood
    )
    return _shares(tuple(p), number, MOST_OF_VALUES) | {"rhat": round(sampled.rhat, 3)}


def _thyroid() -> dict[str, Any]:
    from oracles.number_cases import THYROID, agreement_with_diagnosis, bridged, thyroid_table

    path, numbers = DATA / "thyroid.csv", (2, 3, 4, 5)
    table = thyroid_table(path)
    found = [bridged(table, k, n_draws=500, n_starts=10, used=2000) for k in numbers]
    return {
        "numbers": list(numbers),
        "log": [round(one.log, 2) for one in found],
        "error": [round(one.error, 2) for one in found],
        "p": [round(float(p), 3) for p in probabilities([one.log for one in found])],
        "agreement": [round(one, 4) for one in agreement_with_diagnosis(path, THYROID)],
    }


def _thyroid_occupied() -> dict[str, Any]:
    from builders import schema_of
    from oracles.number_cases import mixtures, thyroid_frame, thyroid_table
    from softseg.tables.prepare import prepare

    frame = thyroid_frame(DATA / "thyroid.csv")
    default = prepare(frame, schema_of(dict.fromkeys(frame, "gaussian")))
    found = {}
    for name, table in (("default", default), ("vignette", thyroid_table(DATA / "thyroid.csv"))):
        one = telescope(
            reduce(table), mixtures(table.schema), n_draws=1000, n_tune=500,
            rngs=np.random.default_rng(2).spawn(4),
        )  # fmt: skip
        quartiles = [float(q) for q in np.quantile(one.occupied, (0.25, 0.5, 0.75))]
        found[name] = {"quartiles": quartiles, "mode": one.mode, "rhat": float(one.rhat)}
    return found


def _galaxies() -> dict[str, Any]:
    from oracles.number_cases import GALAXIES, galaxies

    number, occupied = galaxies(DATA / "galaxies2.csv", seed=5, n_sweeps=GALAXY_SWEEPS)
    by_chain = np.stack([np.bincount(chain, minlength=31)[1:] / len(chain) for chain in number])
    most = len(GALAXIES)
    return {
        "p": [round(float(p), 3) for p in by_chain.mean(axis=0)[:most]],
        "error": [round(float(e), 3) for e in by_chain.std(axis=0, ddof=1)[:most] / 2.0],
        "mean": round(float(number.mean()), 2),
        "mode": int(by_chain.mean(axis=0).argmax()) + 1,
        "quartiles": [float(q) for q in np.quantile(occupied, (0.25, 0.5, 0.75))],
    }


def _many(k: str, n: str) -> dict[str, Any]:
    from oracles.number_cases import bridged, many_segments, weighed

    table: Table = many_segments(int(k), int(n))
    known, known_error = weighed(table, int(k))
    begin = time.process_time()
    found = bridged(table, int(k), n_draws=1000, n_starts=10)
    alone = round(time.process_time() - begin, 2)
    compared = _against(known, known_error, found.log, found.error, labels=found.labels)
    return compared | {"alone": alone}


WORK: Mapping[str, Callable[..., dict[str, Any]]] = {
    "ten": _ten,
    "ten-occupied": _ten_occupied,
    "one": _one,
    "values-evidence": _values_evidence,
    "values-number": _values_number,
    "thyroid": _thyroid,
    "thyroid-occupied": _thyroid_occupied,
    "galaxies": _galaxies,
    "many": _many,
}


def _against(known: float, known_error: float, log: float, error: float, *, labels: str) -> Any:
    apart = abs(log - known) / float(np.hypot(max(error, 1e-6), known_error))
    return {
        "known": round(known, 4),
        "known_error": round(known_error, 4),
        "log": round(log, 4),
        "error": round(error, 4),
        "apart": round(apart, 2),
        "labels": labels,
    }


def _shares(known: tuple[float, ...], found: Occupied, most: int) -> dict[str, Any]:
    """Return probabilities of each number beside the known ones."""
    p = found.probability(most)
    error = np.maximum(found.standard_error(most), 1e-3)
    return {
        "known": [round(float(one), 4) for one in known],
        "p": [round(float(one), 4) for one in p],
        "error": [round(float(one), 4) for one in error],
        "apart": round(float((np.abs(p - known) / error).max()), 2),
    }


def section(found: Mapping[str, Any]) -> list[str]:
    """Return the section of the page, as lines of Markdown."""
    commits = list(dict.fromkeys(row["commit"] for row in found.values()))
    lines = [
        "## The number of segments as an unknown",
        "",
        f"`python scripts/calibrate.py number`. State of the code: commits {', '.join(commits)}.",
        "",
        "*Errors* is the distance from what is known, in combined Monte Carlo errors; it should be "
        f"below {SAME:.0f}. CPU seconds include the search for modes and the draws.",
        "",
        "### Log marginal likelihood",
        "",
        "Bridge sampling on 2,000 Gibbs draws of each of four chains (500 for one segment, 1,000 "
        "where importance sampling is compared).",
        "",
        "| table | segments | known by | known | found | ± | errors | labels | CPU s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for unit, row in found.items():
        kind, *rest = unit.split("/")
        if name := _evidence_name(kind, rest):
            known = f"{row['known']:.3f}"
            known += f" ± {row['known_error']:.3f}" if row["known_error"] else ""
            lines.append(
                f"| {name} | {known} | {row['log']:.3f} | {row['error']:.3f} | "
                f"{row['apart']:.1f} | {row['labels']} | {row.get('alone', row['seconds']):.1f} |"
            )
    lines += ["", *_numbers(found), *_thyroid_lines(found), *_galaxy_lines(found)]
    missing = [f"`{unit}`" for unit in units() if unit not in found]
    return [*lines, f"Not run yet: {', '.join(missing)}.", ""] if missing else lines


def _evidence_name(kind: str, rest: list[str]) -> str:
    if kind == "ten":
        return f"ten rows, Dirichlet({float(rest[1]):g}) | {rest[0]} | enumeration"
    if kind == "one":
        return f"`{rest[0]}` | 1 | closed form"
    if kind == "values-evidence":
        return "`values` | 2 | another program"
    if kind == "many":
        return f"{int(rest[1]):,} customers, five indicators | {rest[0]} | importance weights"
    return ""


def _numbers(found: Mapping[str, Any]) -> list[str]:
    rows = []
    for unit, row in found.items():
        kind, *rest = unit.split("/")
        if kind == "ten-occupied":
            name = f"ten rows, K = {rest[0]}, Dirichlet({float(rest[1]):g}) | enumeration"
        elif kind == "values-number":
            name = f"`values`, K uniform up to {MOST_OF_VALUES} | evidence of each"
        else:
            continue
        known, p = (" ".join(f"{one:.3f}" for one in row[key]) for key in ("known", "p"))
        rows.append(f"| {name} | {known} | {p} | {row['apart']:.1f} | {row['seconds']:.1f} |")
    return [
        "### Number of segments by the telescoping sampler",
        "",
        "Occupied segments of the ten rows; segments, occupied or not, of `values`, for which the "
        "evidence of each number is a second way.",
        "",
        "| table | known by | known P(1), P(2), … | found | errors | CPU s |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def _thyroid_lines(found: Mapping[str, Any]) -> list[str]:
    if "thyroid" not in found:
        return []
    row, occupied = found["thyroid"], found.get("thyroid-occupied", {})
    return [
        "### `thyroid`",
        "",
        "The telescope vignette finds three occupied segments (quartiles 3, 3, 4), with "
        "covariances within a segment, which ours have not; BIC among mclust's models prefers "
        "three without covariances. With the vignette's priors, one indicator at a time and the "
        "scale of the variances at its value for three segments, P(K | data) by evidence "
        f"({row['seconds']:.0f} CPU s):",
        "",
        "| segments | log evidence | ± | P(K) |",
        "|---|---|---|---|",
        *(
            f"| {k} | {log:.2f} | {error:.2f}{' (too large)' if error > LARGE_ERROR else ''} "
            f"| {p:.3f} |"
            for k, log, error, p in zip(
                *(row[key] for key in ("numbers", "log", "error", "p")), strict=True
            )
        ),
        "",
        f"- Three segments against the diagnosis: adjusted Rand index {row['agreement'][0]:.3f} "
        f"(published 0.878, band 0.05), {row['agreement'][1]:.1%} in the wrong one (published "
        "3.7 %, band 2 %).",
        *(
            _occupied_line(name, occupied[name])
            for name in ("vignette", "default")
            if name in occupied
        ),
        "",
    ]


def _occupied_line(name: str, row: Mapping[str, Any]) -> str:
    priors = "these priors" if name == "vignette" else "the default priors"
    quartiles = ", ".join(f"{q:g}" for q in row["quartiles"])
    settled = (
        "settled"
        if row["rhat"] < LOOSE_RHAT
        else "the chains have not met, so that `choose` leaves the number open"
    )
    return (
        f"- Occupied by the telescoping sampler under {priors}: quartiles {quartiles}, R-hat "
        f"{row['rhat']:.2f}: {settled}."
    )


def _galaxy_lines(found: Mapping[str, Any]) -> list[str]:
    from oracles.number_cases import GALAXIES, GALAXIES_BAND, GALAXIES_MEAN, GALAXIES_QUARTILES

    if "galaxies" not in found:
        return []
    row = found["galaxies"]
    inside = [abs(p - q) <= GALAXIES_BAND for p, q in zip(row["p"], GALAXIES, strict=True)]
    quartiles = [
        ", ".join(f"{q:g}" for q in some) for some in (row["quartiles"], GALAXIES_QUARTILES)
    ]
    return [
        "### `galaxies`",
        "",
        "Richardson and Green's prior, K uniform up to 30; four chains of "
        f"{GALAXY_SWEEPS:,} sweeps ({row['seconds']:.0f} CPU s). Published: one chain of telescope "
        f"0.2-0, whose chains differ by up to {GALAXIES_BAND} in a probability; {sum(inside)} of "
        f"{len(inside)} lie within that. Mean {row['mean']:.2f} (published {GALAXIES_MEAN:.2f}); "
        f"quartiles of the occupied {quartiles[0]} (published {quartiles[1]}).",
        "",
        "| K | published | found | ± |",
        "|---|---|---|---|",
        *(
            f"| {k} | {known:.2f} | {p:.3f} | {error:.3f} |"
            for k, (known, p, error) in enumerate(
                zip(GALAXIES, row["p"], row["error"], strict=True), 1
            )
        ),
        "",
    ]
