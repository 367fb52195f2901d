"""Back-test of the early warning, out of time, on synthetic panels and on real invoices.

    python scripts/migration_warning.py run        fit and warn; resumes where it stopped
    python scripts/migration_warning.py page       write docs/migration_warning.md and its figures

A unit is one fit up to a period and the warnings at this origin and, with the customers filtered
anew under the same draws as `softseg warn` does, at later ones. Predictions and outcomes of a unit
stand in docs/calibration/warning/ without ids, in the order in which customers appear. Delete what
is to be done anew. The real invoices are read from SOFTSEG_REFERENCE_DATA.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr

from softseg.estimators.migration import SegmentMigration
from softseg.names import CUSTOMER
from softseg.results.migration.backtest.outcomes import ORIGIN
from softseg.results.migration.backtest.rivals import rivals
from softseg.tables.panel.synthetic import synthetic_panel

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "docs" / "calibration" / "warning"
DATA = Path(os.environ.get("SOFTSEG_REFERENCE_DATA", ROOT.parent / "shared" / "data"))

RESTLESS: Final = (
    (0.9150, 0.0140, 0.0070, 0.0040, 0.0600),
    (0.0130, 0.9550, 0.0060, 0.0060, 0.0200),
    (0.0100, 0.0080, 0.9620, 0.0100, 0.0100),
    (0.0040, 0.0100, 0.0080, 0.9740, 0.0040),
)
"""The example's transitions with some four times its churn, so that a few panels tell enough."""
CUSTOMERS, MONTHS, HORIZON, SEGMENTS = 1200, 36, 3, 4
ORIGINS: Final = (24, 27, 30, 33)
"""Periods that the warning has seen; the model is fitted up to the first."""
SEEDS = 6
REAL: Final = {"real/silent/6": 3, "real/silent/9": 3, "real/inactivity/8": 1}
"""Fits of the invoices, by way of leaving and origin, with the periods that they look ahead."""
AFTER = 4


class Watched(NamedTuple):
    """What is known of customers in numbers, (customer, period), in the order of the frame.

    Attributes
    ----------
    ids
        In the order in which they appear.
    orders, value
        0 where there are none.
    there
        Whether the customer has entered by the period.
    """

    ids: list[str]
    orders: np.ndarray
    value: np.ndarray
    there: np.ndarray

    def features(self, origin: int) -> xr.Dataset:
        """Return recency, frequency and value per order after so many periods, (customer)."""
        bought = self.orders[:, :origin] > 0
        since = np.where(bought.any(axis=1), bought[:, ::-1].argmax(axis=1), origin)
        number = self.orders[:, :origin].sum(axis=1)
        money = self.value[:, :origin].sum(axis=1) / np.maximum(number, 1.0)
        return xr.Dataset({
            "recency": (CUSTOMER, since.astype(float)), "frequency": (CUSTOMER, number),
            "value": (CUSTOMER, np.maximum(money, 0.0)),
        })  # fmt: skip


def units() -> list[str]:
    """Return the names of all fits."""
    made = [f"{churn}/{seed}" for seed in range(1, SEEDS + 1) for churn in ("observed", "silent")]
    return [*made[:2], *REAL, *made[2:]]


def watched(frame: Any, period: str, value: str, per_order: bool) -> Watched:
    """Return orders and money of every customer and period."""
    import pandas as pd

    labels = sorted(frame[period].unique())
    ids = list(dict.fromkeys(frame["customer"]))
    who = pd.Index(ids).get_indexer(frame["customer"])
    when = pd.Index(labels).get_indexer(frame[period])
    orders, money, there = (np.zeros((len(ids), len(labels))) for _ in range(3))
    orders[who, when] = frame["orders"].fillna(0.0)
    worth = frame[value].fillna(0.0).to_numpy()
    money[who, when] = worth * orders[who, when] if per_order else worth
    there[who, when] = 1.0
    return Watched(ids, orders, money, np.maximum.accumulate(there, axis=1) > 0)


def work(unit: str) -> dict[str, Any]:
    """Return predictions and outcomes of one fit; see `stored`."""
    begun = time.process_time()
    kind, *rest = unit.split("/")
    found = _real(*rest) if kind == "real" else _synthetic(kind, int(rest[0]))
    return found | {"seconds": time.process_time() - begun}


def _synthetic(churn: str, seed: int) -> dict[str, Any]:
    frame, schema, truth = synthetic_panel(seed, CUSTOMERS, MONTHS, churn, transition=RESTLESS)  # pyright: ignore[reportArgumentType]
    seen = watched(frame, "month", "order_value", per_order=True)
    model = _fitted(schema, _up_to(frame, "month", ORIGINS[0]), seed)
    row = {name: i for i, name in enumerate(truth.customers)}
    states = truth.states[[row[name] for name in seen.ids]]
    rounds = []
    for origin in ORIGINS:
        ahead = _ahead(model, _up_to(frame, "month", origin), seen.ids, HORIZON)
        if churn == "observed":
            rounds.append(_round(seen, ahead["churn"], "left", origin, HORIZON, states))
        else:
            rounds.append(_round(seen, ahead["churn"], "left_unseen", origin, HORIZON, states))
            rounds.append(_round(seen, ahead["quiet"], "quiet", origin, HORIZON))
    return _together(model, rounds)


def _real(churn: str, at: str) -> dict[str, Any]:
    origin, horizon = int(at), REAL[f"real/{churn}/{at}"]
    made = invoices(AFTER if churn == "inactivity" else None)
    seen = watched(made.frame, "period", "revenue", per_order=False)
    model = _fitted(made.schema, _up_to(made.frame, "period", origin), origin)
    ahead = _ahead(model, _up_to(made.frame, "period", origin), seen.ids, horizon)
    if churn == "silent":
        rounds = [_round(seen, ahead["quiet"], "quiet", origin, horizon)]
    else:
        rounds = [_round(seen, ahead["churn"], "inactive", origin, horizon)]
    return _together(model, rounds)


def invoices(after: int | None) -> Any:
    """Return the panel of the real invoices, by month."""
    import pandas as pd

    from softseg.tables.orders.panel import panel_from_orders

    frame = pd.read_csv(DATA / "or_invoices.csv", dtype=str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return panel_from_orders(frame, after=after)


def _up_to(frame: Any, period: str, origin: int) -> Any:
    return frame[frame[period] <= sorted(frame[period].unique())[origin - 1]]


def _fitted(schema: Any, frame: Any, seed: int) -> SegmentMigration:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SegmentMigration(schema, SEGMENTS, seed=seed, cores=1).fit(frame)


def _ahead(
    model: SegmentMigration, frame: Any, ids: list[str], horizon: int
) -> dict[str, np.ndarray]:
    """Return each customer's probability of having left, and of ordering nothing, within h periods.

    The latter follows from the model as well: Σ over the states' paths of the probability of no
    order in any of the periods. NaN for customers who are not in the frame.
    """
    from softseg.inference.markov.fit import lay_out, model_for
    from softseg.results.migration.assemble import state_names, values_of_migration
    from softseg.results.migration.states import states_of
    from softseg.tables.panel.prepare import prepare_new_panel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        panel = prepare_new_panel(frame, model.schema_)
    layout = lay_out(panel)
    chain = model_for(panel, layout, SEGMENTS)
    draws = values_of_migration(model.posterior_, chain)
    states = states_of(chain, layout, panel, draws, state_names(model.schema_, chain))
    moves = states.transition().transpose("sample", "state", "state_to").values
    none = np.ones(moves.shape[:2])
    orders = states.values.indicators["orders"]
    rate = orders["rate"]
    if "shape" in orders:
        none[:, : rate.shape[1]] = (orders["shape"] / (orders["shape"] + rate)) ** orders["shape"]
    else:
        none[:, : rate.shape[1]] = np.exp(-rate)
    left = np.linalg.matrix_power(moves, horizon)[..., -1]
    quiet = np.ones_like(none)
    for _ in range(horizon):
        quiet = np.einsum("sjk,sk->sj", moves, none * quiet)
    found = {name: np.full(len(ids), np.nan) for name in ("churn", "quiet")}
    place = {name: i for i, name in enumerate(ids)}
    at = np.array([place[str(name)] for name in panel.customers])
    for block in states.now():
        now = block.transpose("sample", "customer", "state").values
        customers = at[block["customer"].values]
        found["churn"][customers] = np.einsum("sck,sk->c", now, left) / len(now)
        found["quiet"][customers] = np.einsum("sck,sk->c", now, quiet) / len(now)
    return found


def _round(
    seen: Watched,
    predicted: np.ndarray,
    event: str,
    origin: int,
    horizon: int,
    states: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return one origin: what the model and its rivals said, and what happened."""
    wait = AFTER if event == "inactive" else horizon
    past = _outcome(seen, event, origin - wait, horizon, states)
    outcome = _outcome(seen, event, origin, horizon, states)
    outcome[np.isnan(predicted)] = np.nan
    others = rivals(
        seen.features(origin - wait), xr.DataArray(past, dims=CUSTOMER), seen.features(origin)
    )
    said = {"model": predicted, **{name: x.values for name, x in others.items()}}
    return {"event": event, "origin": origin, "outcome": outcome, "predicted": said}


def _outcome(
    seen: Watched, event: str, origin: int, horizon: int, states: np.ndarray | None
) -> np.ndarray:
    """Return 1 with the event after so many periods, 0 without, NaN where nobody is judged.

    ``left``: the customer leaves within the horizon, of those who have not left. ``left_unseen``:
    the customer has left by then, of those with an order in the last three periods. ``quiet``: no
    order within the horizon, of the same. ``inactive``: no order in four periods begun by then,
    of those whose present run without orders is shorter than four. Whoever cannot be watched as
    long as the event needs is not judged.
    """
    n = seen.orders.shape[1]
    recency = seen.features(origin)["recency"].values
    there = seen.there[:, origin - 1]
    judged, happened = there & (recency < HORIZON), np.zeros(len(there), dtype=bool)
    if event == "quiet":
        happened = ~(seen.orders[:, origin : origin + horizon] > 0).any(axis=1)
        judged &= origin + horizon <= n
    elif event == "inactive":
        judged = there & (recency < AFTER) & (origin + horizon + AFTER - 1 <= n)
        run = recency.astype(int)
        later = seen.orders[:, origin : origin + horizon + AFTER - 1] > 0
        until = np.where(later.any(axis=1), later.argmax(axis=1), later.shape[1])
        happened = run + until >= AFTER  # with horizon 1 a run begins by the next period
    elif states is not None:
        gone = states == SEGMENTS
        happened = gone[:, origin + horizon - 1]
        inside = there & ~gone[:, origin - 1] & (states[:, origin - 1] >= 0)
        judged = inside if event == "left" else judged
    return np.where(judged, happened.astype(float), np.nan)


def _together(model: SegmentMigration, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "rounds": rounds,
        "gate": model.diagnosis_.status,
        "failed": [check.name for check in model.diagnosis_.failed],
        "method": str(model.posterior_.attrs["method"]),
    }


def path_of(unit: str) -> Path:
    """Return the file of a unit."""
    return KEPT / f"{unit.replace('/', '-')}.npz"


def store(unit: str, found: dict[str, Any], commit: str) -> None:
    """Write what a unit has found; whole or not at all."""
    arrays: dict[str, Any] = {}
    about = {key: found[key] for key in ("gate", "failed", "method", "seconds")}
    about |= {"commit": commit, "rounds": [[r["event"], r["origin"]] for r in found["rounds"]]}
    for i, each in enumerate(found["rounds"]):
        arrays[f"{i}/outcome"] = each["outcome"].astype(np.float32)
        for name, predicted in each["predicted"].items():
            arrays[f"{i}/{name}"] = predicted.astype(np.float32)
    KEPT.mkdir(parents=True, exist_ok=True)
    half = path_of(unit).with_suffix(".half.npz")
    np.savez_compressed(half, about=np.array(json.dumps(about)), **arrays)
    half.replace(path_of(unit))


def stored(unit: str) -> dict[str, Any] | None:
    """Return what a unit has found, None where it has not been run."""
    if not path_of(unit).exists():
        return None
    with np.load(path_of(unit), allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        rounds = []
        for i, (event, origin) in enumerate(about["rounds"]):
            own = {name.split("/")[1]: file[name] for name in file.files if name[:2] == f"{i}/"}
            outcome = own.pop("outcome").astype(float)
            said = {name: x.astype(float) for name, x in own.items()}
            rounds.append({"event": event, "origin": origin, "outcome": outcome, "predicted": said})
    return about | {"rounds": rounds}


def commit() -> str:
    """Return the short name of the commit that the code stands at; ``unknown`` outside of git."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def pooled(event: str, which: str) -> tuple[dict[str, xr.DataArray], xr.DataArray, list[str]]:
    """Return predictions by rule and outcomes of an event, (origin, customer), and the units.

    Customers of different panels are different customers.
    """
    found = [(unit, stored(unit)) for unit in units() if unit.startswith(which)]
    used = [(u, r) for u, f in found if f is not None for r in f["rounds"] if r["event"] == event]
    if not used:
        return {}, xr.DataArray([], dims=CUSTOMER), []
    origins = sorted({each["origin"] for _, each in used})
    sizes: dict[str, int] = {}
    panel = {u: ("real" if u.startswith("real") else u) for u, _ in used}
    for unit, each in used:
        sizes.setdefault(panel[unit], len(each["outcome"]))
    first = dict(zip(sizes, np.cumsum([0, *sizes.values()])[:-1], strict=True))
    shape = (len(origins), sum(sizes.values()))
    names = list(used[0][1]["predicted"])
    outcome = np.full(shape, np.nan)
    said = {name: np.full(shape, np.nan) for name in names}
    for unit, each in used:
        at = origins.index(each["origin"])
        where = slice(first[panel[unit]], first[panel[unit]] + len(each["outcome"]))
        outcome[at, where] = each["outcome"]
        for name in names:
            said[name][at, where] = np.clip(each["predicted"][name], 0.0, 1.0)
    dims = (ORIGIN, CUSTOMER)
    arrays = {name: xr.DataArray(x, dims=dims) for name, x in said.items()}
    return arrays, xr.DataArray(outcome, dims=dims), list(dict.fromkeys(u for u, _ in used))


def main() -> int:
    """Run the fits that are not done, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["run", "page"])
    parser.add_argument("--only", default="", help="units that begin so")
    arguments = parser.parse_args()
    if arguments.task == "run":
        todo = [u for u in units() if u.startswith(arguments.only) and not path_of(u).exists()]
        print(f"{len(todo)} fits to do", flush=True)
        for unit in todo:
            found = work(unit)
            store(unit, found, commit())
            print(f"{unit}: gate {found['gate']}, {found['seconds']:.0f} s of CPU", flush=True)
        return 0
    import migration_warning_page

    migration_warning_page.write(ROOT / "docs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
