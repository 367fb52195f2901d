"""Reference posteriors: means of every method within 4 Monte Carlo errors of long runs.

    python scripts/calibration_references.py    freezes the long runs in tests/reference/

The models are those of tests/oracles/reference_cases.py: six of our own, whose references are long
Gibbs runs that importance sampling or NUTS has checked, and posteriordb's `low_dim_gauss_mix`,
whose reference draws come from Stan (Magnusson et al. 2024) and share no code with ours.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from softseg.inference.gibbs import gibbs
from softseg.inference.sample import sample
from softseg.inference.search import search
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify
from softseg.tables.table import Table

METHODS = ("gibbs", "laplace", "nuts")
LONG_CHAINS, LONG_DRAWS, LONG_THIN, LONG_TUNE = 4, 2500, 10, 1000
NO_GIBBS = ("low_dim_gauss_mix",)
"""Its half-normal prior of the sds has no update."""
DATA = Path(__file__).resolve().parent.parent / os.environ.get(
    "SOFTSEG_REFERENCE_DATA", "../shared/data"
)


def units() -> list[str]:
    """Return the names of the units of work: model and method."""
    from oracles.reference_cases import CASES, OUTSIDE

    names = [*CASES, OUTSIDE] if DATA.is_dir() else list(CASES)
    return [f"{name}/{m}" for name in names for m in METHODS if (name, m) != (OUTSIDE, "gibbs")]


def work(unit: str, commit: str) -> dict[str, Any]:
    """Return how far the means of one method lie from the reference of one model."""
    from oracles import reference_cases as cases

    name, method = unit.split("/")
    if name == cases.OUTSIDE:
        table, reference = (
            cases.low_dim_table(DATA.joinpath),
            cases.low_dim_reference(DATA.joinpath),
        )
    else:
        table, reference = cases.table_of_case(name), cases.frozen()[name]["quantities"]
    found, status = fitted(table, n_segments_of(name), method)
    apart = cases.distances(found, reference)
    worst = max(apart, key=lambda quantity: apart[quantity])
    return {
        "commit": commit,
        "quantities": len(apart),
        "errors": float(apart[worst]),
        "worst": worst,
        "gate": status,
    }


def n_segments_of(name: str) -> int:
    """Return the number of segments of a model."""
    from oracles.reference_cases import CASES

    return len(CASES[name].share) if name in CASES else 2


def fitted(table: Table, n_segments: int, method: Any) -> tuple[dict[str, dict[str, float]], str]:
    """Return the summary of one method's draws at its defaults, and the gate's status."""
    from oracles.reference_cases import summary

    mixture = specify(table.schema, n_segments)
    result = sample(reduce(table), mixture, method=method, rng=np.random.default_rng(17))
    ess = None
    if method == "laplace":
        n = result.draws.log_likelihood.size
        ess = min(n, float(result.draws.sample_stats["importance_ess"].flat[0]))
    return summary(result.draws.values, result.draws.log_likelihood, ess), result.diagnosis.status


def freeze() -> None:
    """Write the long runs of our own models."""
    from oracles import reference_cases as cases

    found = {}
    for name, case in cases.CASES.items():
        table = cases.table_of_case(name)
        statistics, mixture = reduce(table), specify(table.schema, len(case.share))
        rng_search, *rngs = np.random.default_rng([29, len(found)]).spawn(1 + LONG_CHAINS)
        starts = search(statistics, mixture, n_starts=10, rng=rng_search).starts(LONG_CHAINS)
        draws, _ = gibbs(
            statistics, mixture, starts, n_draws=LONG_DRAWS, n_tune=LONG_TUNE, thin=LONG_THIN,
            rngs=rngs,
        )  # fmt: skip
        quantities = {
            quantity: {key: float(f"{number:.8g}") for key, number in row.items()}
            for quantity, row in cases.summary(draws.values, draws.log_likelihood).items()
        }
        found[name] = {"fingerprint": cases.fingerprint(table), "quantities": quantities}
        print(f"{name}: {len(quantities)} quantities", flush=True)
    made = {
        "made_by": "scripts/calibration_references.py",
        "sampler": f"gibbs, {LONG_CHAINS} chains of {LONG_DRAWS} draws, every {LONG_THIN}th sweep "
        f"after {LONG_TUNE}",
        "cases": found,
    }
    cases.FROZEN.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    freeze()
