"""The third stage: the ledger, the draws of the money, and what they answer."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from softseg.inference.fit_verdict import POOR
from softseg.results.files import replace_file
from softseg.runs.roi_manifest import roi_versions
from softseg.study.manifest import STUDY_CSV, STUDY_NC
from softseg.study.valuing import CUSTOMERS, PARTITION, VALUE
from softseg.study.work import GOOD, Work

if TYPE_CHECKING:
    import pandas as pd

    from softseg.decisions.inputs.schema import Assumptions
    from softseg.decisions.segments.ledger import Ledger
    from softseg.decisions.segments.worth import SegmentSimulation

PART: Final = "part_"
"""How the names of the groups begin that hold answers about segments."""
DRAWS: Final = "study_draws"
LEDGER: Final = "ledger"
ASSUMPTIONS: Final = "assumptions.toml"
FIRST: Final = 100
"""Customers to begin with."""
HARD: Final = "kmeans"
"""Whose labels the regret is about."""
SQUARED: Final = "currency squared"
UNITS: Final = {
    "choices": {"rank": "rank", "mean_rank": "rank", "treat": "flag", "pays": "flag"},
    "implied": dict.fromkeys(("uplift", "mean_uplift", "segment_uplift", "stated_uplift"), "share"),
    "number": {"package": "segment", "recommended": "segments"},
    "regret": {"segment_of_group": "segment"},
    "split": dict.fromkeys(("total", "added", "variance", "known"), SQUARED),
}
"""Units of the answers about segments that are neither amounts nor told by their names."""


def write_money(work: Work, stage: Path) -> None:
    """Write ``study.nc``, ``study.csv`` and the assumptions.

    Where the gate refused the fit there is the ledger only: no amount can be told by segment.

    Raises
    ------
    DataError
        Where table and ledger differ by more than the tolerance.
    """
    from softseg.decisions.inputs.write import to_toml
    from softseg.decisions.tree import to_tree
    from softseg.results.exports import write_csv
    from softseg.results.storage import save

    language = work.study.language
    books = ledger_of(work)
    assumptions = read_company(work)
    replace_file(stage / ASSUMPTIONS, to_toml(assumptions).encode(), language)
    if work.gate != GOOD:
        tree = xr.DataTree()
    else:
        work.report("study_simulate", 0.0)
        simulation = simulated(work, assumptions)
        answers, parts = answered(work, simulation)
        found = answers.datasets() | {f"{PART}{name}": part for name, part in parts.items()}
        tree = to_tree(
            simulation.whole, found, seed=work.study.seed, versions=roi_versions(),
            language=language, posterior=tuple(simulation.expanded.bases.values()),
        )  # fmt: skip
        sample = simulation.whole.draws.sample
        if sample is not None:
            tree[DRAWS] = xr.DataTree(xr.Dataset({"sample": (("replicate", "draw"), sample)}))
        tree.attrs["plug_in"] = int(simulation.plug_in)
        write_csv(stage / STUDY_CSV, _long(found, simulation.whole.assumptions), language)
    tree.attrs[LEDGER] = json.dumps(dataclasses.asdict(books))
    save(tree, stage / STUDY_NC, language)
    work.stored = tree


def ledger_of(work: Work) -> "Ledger":
    """Return the table beside the ledger.

    Raises
    ------
    DataError
        Where they differ by more than the tolerance; it names the part that is missing.
    """
    from softseg.decisions.segments.ledger import reconcile, refuse

    table, given = work.table, work.study.ledger
    amount = table.values[given.value]
    known = ~np.isnan(amount)
    # the books of the year know those who have left since
    left = work.present.left.get(given.value, 0.0) if work.follows else 0.0
    totals = xr.Dataset(
        attrs={
            "value_total": float(amount[known] @ table.count[known]) + left,
            "customers_total": float(table.count.sum()),
            "customers_unknown": float(table.count[~known].sum()),
        }
    )
    currency = table.schema.value[given.value].currency or read_company(work).currency
    books = reconcile(totals, given.total, given.tolerance, currency)
    refuse(books, work.study.language)
    return books


def read_company(work: Work) -> "Assumptions":
    """Return the company's assumptions, in the language of the study."""
    from softseg.decisions.inputs.read import read_assumptions

    language = work.study.language
    found = read_assumptions(work.study.assumptions_path, language)
    return found.model_copy(update={"language": language})


def simulated(work: Work, assumptions: "Assumptions") -> "SegmentSimulation":
    """Return the draws of the money."""
    from softseg.decisions.segments.worth import simulate

    how = work.study.simulate
    return simulate(
        assumptions, work.study.programme, work.valued[VALUE].to_dataset(), work.names,
        n_replicates=how.replicates, n_draws=how.draws,
        seed=work.study.seed, plug_in=work.study.plug_in, inflow=work.inflow, cores=work.cores,
    )  # fmt: skip


def answered(work: Work, simulation: "SegmentSimulation") -> tuple[Any, dict[str, xr.Dataset]]:
    """Return the answers for the whole, and those about the segments by name.

    Over several numbers of segments there are totals only, and with means in the place of draws
    nothing that needs the draws.
    """
    from softseg.decisions.answers.collect import collect

    work.report("study_answer", 0.0)
    answers = collect(simulation.whole)
    asked = _parts(work, simulation)
    parts: dict[str, xr.Dataset] = {}
    for i, (name, part) in enumerate(asked.items()):
        work.report("study_answer", (1 + i) / (1 + len(asked)))
        parts[name] = part()
    return answers, parts


def _parts(work: Work, simulation: "SegmentSimulation") -> dict[str, Callable[[], xr.Dataset]]:
    """Return what is to be answered about the segments, in the order in which it is done."""
    from softseg.decisions.segments.by_segment import by_segment
    from softseg.decisions.segments.choices import choices
    from softseg.decisions.segments.implied import implied_uplift
    from softseg.decisions.segments.migrated import migrated
    from softseg.decisions.segments.number import number_in_money
    from softseg.decisions.segments.regret import regret
    from softseg.decisions.segments.resolve import resolve
    from softseg.decisions.segments.split import split

    customers = work.valued[CUSTOMERS].to_dataset()
    rules = _rules(customers)
    total = work.study.ledger.total
    found: dict[str, Callable[[], xr.Dataset]] = {
        "implied": lambda: implied_uplift(simulation, total)
    }
    if not work.several:
        found |= {
            "by_segment": lambda: by_segment(simulation),
            "choices": lambda: choices(simulation),
        }
    if simulation.whole.draws.moving is not None:
        found["migrated"] = lambda: migrated(simulation)
    if simulation.plug_in:
        return found
    found["split"] = lambda: split(simulation)
    if work.several:
        return found
    found["resolve"] = lambda: resolve(simulation)
    if simulation.programme.reach != "assigned":
        return found  # whom it reaches depends on no rule
    if work.fit != POOR:  # the list does not stand then, see `fallback`
        found["first_customers"] = lambda: _first(work, simulation, customers)
    if HARD in rules:
        found["regret"] = lambda: regret(simulation, HARD)
    groups = {
        int(name.removeprefix(PARTITION)): labels
        for name, labels in rules.items()
        if name.startswith(PARTITION)
    }
    if groups:
        amount = (customers["amount"] * customers["count"]).to_numpy()
        handling = work.study.segments.handling
        found["number"] = lambda: number_in_money(
            simulation, simulation.value, groups, amount, handling
        )
    return found


def _first(work: Work, simulation: "SegmentSimulation", customers: xr.Dataset) -> xr.Dataset:
    from softseg.decisions.segments.customers import first_customers
    from softseg.decisions.segments.expand import PROGRAMME_RULE

    membership = work.tree["membership"].to_dataset()
    mean, lower, upper = (membership[name].to_numpy() for name in ("mean", "lower", "upper"))
    return first_customers(
        simulation, mean, customers["amount"].to_numpy(), _rules(customers)[PROGRAMME_RULE],
        customers["count"].to_numpy(), FIRST, lower=lower, upper=upper,
        rows=membership["row"].to_numpy(),
    )  # fmt: skip


def _rules(customers: xr.Dataset) -> dict[str, Any]:
    labels = customers["label"]
    return {str(name): labels.sel(rule=name).to_numpy() for name in labels["rule"].values}


def _long(found: Mapping[str, xr.Dataset], assumptions: "Assumptions") -> "pd.DataFrame":
    """Return all answers as one frame, one row per number; single customers are left out."""
    from softseg.runs.roi import long_frame

    kept = {
        name.removeprefix(PART): data
        for name, data in found.items()
        if name != f"{PART}first_customers"
    }
    frame = long_frame(kept, assumptions)
    units = frame["unit"].mask(frame["quantity"].str.contains("customers"), "customers")
    for answer, known in UNITS.items():
        own = frame["quantity"].where(frame["answer"] == answer).map(known)
        units = own.replace(SQUARED, f"{assumptions.currency}²").fillna(units)
    return frame.assign(unit=units)
