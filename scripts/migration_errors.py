"""How far classification errors distort migration, and what mends it; docs/migration_errors.md.

    python scripts/migration_errors.py three_step   counting, and three-step, on simulated panels
    python scripts/migration_errors.py joint        the latent Markov model on the same panels
    python scripts/migration_errors.py page         write the page from what has been run

Customers move between two or three segments for five periods. In each period they show five
indicators with as many levels as there are segments: the segment's own level with probability q,
each other one alike. q is such that the most probable segment is the right one for a given share of
customers and periods. Every unit of work, some panels of one setting, is stored as soon as it is
done, so that a run that was stopped goes on where it was. Delete what is to be done anew.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq, linear_sum_assignment

import migration_errors_page
from calibrate import KEPT, ROOT, commit, run, stored
from softseg.families.base import Array
from softseg.inference.markov.classification import assign
from softseg.inference.markov.migration import Migration, joint
from softseg.inference.markov.observed import counts
from softseg.inference.markov.sample import sample_markov
from softseg.inference.markov.three_step import three_step
from softseg.inference.sample import sample
from softseg.likelihood.histories import Histories, histories_of
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.latent_markov import specify_markov
from softseg.models.mixture import Values, specify
from softseg.tables.prepare import prepare
from softseg.tables.schema import Schema

WAYS = ("three_step", "joint")
ACCURACIES = (0.80, 0.85, 0.90, 0.95)
MOVES = {
    2: np.array([[0.90, 0.10], [0.10, 0.90]]),
    3: np.array([[0.90, 0.07, 0.03], [0.05, 0.88, 0.07], [0.02, 0.10, 0.88]]),
}
N_CUSTOMERS, N_PERIODS, N_INDICATORS = 2000, 5, 5
N_CHAINS, N_DRAWS, N_STARTS = 4, 250, 5
TAILS = (0.05, 0.95)
PER_UNIT = 5
"""Panels of a unit of work."""


@dataclass(frozen=True)
class Setting:
    """One cell of the study: how customers move, and how well they show it."""

    n_segments: int
    accuracy: float

    @property
    def moves(self) -> Array:
        """True transitions, (segment, segment_to)."""
        return MOVES[self.n_segments]

    @property
    def share(self) -> Array:
        """Shares of the segments, the same in all periods."""
        return np.linalg.matrix_power(self.moves, 500)[0]

    def errors(self, q: float) -> Array:
        """Return D of the most probable segment, (segment, assigned), over all answers."""
        k = self.n_segments
        answers = np.indices((k,) * N_INDICATORS).reshape(N_INDICATORS, -1)
        own = (answers[None] == np.arange(k)[:, None, None]).sum(axis=1)
        density = q**own * ((1.0 - q) / (k - 1)) ** (N_INDICATORS - own)
        top = (self.share[:, None] * density).argmax(axis=0)
        return np.stack([density[:, top == w].sum(axis=1) for w in range(k)], axis=1)

    def sharpness(self) -> float:
        """Return the q at which the accuracy is reached."""

        def beyond(q: float) -> float:
            return float(self.share @ np.diagonal(self.errors(q))) - self.accuracy

        return float(brentq(beyond, 1.0 / self.n_segments + 0.05, 0.999))

    def counted(self) -> Array:
        """Return what counting tends to in a large panel: the rows of D' diag(π) A D."""
        errors = self.errors(self.sharpness())
        joint_law = errors.T @ (self.share[:, None] * self.moves) @ errors
        return joint_law / joint_law.sum(axis=1, keepdims=True)


def panel(setting: Setting, rng: np.random.Generator) -> tuple[Schema, Statistics, Histories]:
    """Return one simulated panel."""
    k, q = setting.n_segments, setting.sharpness()
    state = np.empty((N_CUSTOMERS, N_PERIODS), dtype=int)
    state[:, 0] = rng.choice(k, N_CUSTOMERS, p=setting.share)
    edges = setting.moves.cumsum(axis=1)
    for t in range(1, N_PERIODS):
        state[:, t] = (rng.random(N_CUSTOMERS)[:, None] > edges[state[:, t - 1]]).sum(axis=1)
    rows = state.ravel()[:, None]
    shape = (rows.size, N_INDICATORS)
    shown = np.where(rng.random(shape) < q, rows, (rows + rng.integers(1, k, shape)) % k)
    frame = pd.DataFrame({f"answer_{j}": shown[:, j].astype(str) for j in range(N_INDICATORS)})
    table = prepare(frame, Schema(indicators=dict.fromkeys(frame.columns, "categorical")))
    statistics = reduce(table)
    n = rows.size
    histories = histories_of(
        statistics, row=np.arange(n), sign=np.zeros(n, dtype=int),
        start=np.arange(0, n + 1, N_PERIODS), churns=False,
    )  # fmt: skip
    return table.schema, statistics, histories


def truth_of(values: Values) -> NDArray[np.intp]:
    """Return which segment of the fit each true one is, by the levels that it shows."""
    shown = sum(np.asarray(p["probability"]).mean(axis=(0, 1)) for name, p in answers(values))
    return linear_sum_assignment(-np.asarray(shown).T)[1]


def answers(values: Values) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of the indicators."""
    return ((n, p) for n, p in values.indicators.items() if n.startswith("answer"))


def in_order(moves: Array, order: NDArray[np.intp]) -> Array:
    """Return transitions (…, segment, segment_to) with the segments in the order of the truth."""
    return moves[..., order, :][..., order]


def seen(setting: Setting, mean: Array, low: Array, high: Array) -> dict[str, Any]:
    """Return estimates of one panel, and which intervals cover the truth."""
    covered = (low <= setting.moves) & (setting.moves <= high)
    return {"mean": mean, "width": high - low, "covered": covered.astype(float)}


def of_draws(setting: Setting, found: Migration, order: NDArray[np.intp]) -> dict[str, Any]:
    """Return the same of posterior draws."""
    k = setting.n_segments
    moves = found.posterior().transition.values.reshape(-1, k, k)
    low, high = np.quantile(moves, TAILS, axis=0)
    arrays = (in_order(each, order) for each in (moves.mean(axis=0), low, high))
    passed = 0.0 if found.diagnosis.failed else 1.0
    return {**seen(setting, *arrays), "passed": passed}


def of_counts(setting: Setting, moved: Array) -> dict[str, Any]:
    """Return the same of counted moves, rows Dirichlet with a flat prior."""
    alpha = moved + 1.0
    rest = alpha.sum(axis=1, keepdims=True) - alpha
    low, high = (stats.beta.ppf(p, alpha, rest) for p in TAILS)
    return {**seen(setting, moved / moved.sum(axis=1, keepdims=True), low, high), "passed": 1.0}


def by_three_step(setting: Setting, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Return what counting and the three-step way see of one panel."""
    schema, statistics, histories = panel(setting, rng)
    k = setting.n_segments
    fitted = sample(
        statistics, specify(schema, k), rng=rng, method="laplace", n_draws=N_DRAWS,
        n_chains=N_CHAINS, n_starts=N_STARTS,
    )  # fmt: skip
    values = fitted.draws.values
    order = truth_of(values)
    model = specify_markov(schema, k, churns=False)
    found = of_draws(setting, three_step(values, statistics, histories, model, rng=rng), order)
    found["passed"] *= 0.0 if fitted.diagnosis.failed else 1.0
    assigned = assign(statistics, histories, values.flattened())
    moved = in_order(counts(assigned.histories, k)[1][0], order)
    return {"counting": of_counts(setting, moved), "three_step": found}


def by_joint(setting: Setting, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Return what the latent Markov model sees of one panel."""
    schema, statistics, histories = panel(setting, rng)
    model = specify_markov(schema, setting.n_segments, churns=False)
    sampled = sample_markov(
        statistics, histories, model, rng=rng, method="laplace", n_draws=N_DRAWS,
        n_chains=N_CHAINS, n_starts=N_STARTS,
    )  # fmt: skip
    return {"joint": of_draws(setting, joint(sampled), truth_of(sampled.draws.values))}


def units(way: str, n_panels: int) -> list[str]:
    """Return the units of work, all settings in turn."""
    return [
        f"{way} {k} {accuracy:.2f} {first}"
        for first in range(0, n_panels, PER_UNIT)
        for k in MOVES
        for accuracy in ACCURACIES
    ]


def work(unit: str, commit: str) -> dict[str, Any]:
    """Return sums over the panels of one unit."""
    way, k, accuracy, first = unit.split()
    setting, begun = Setting(int(k), float(accuracy)), time.process_time()
    see = by_three_step if way == "three_step" else by_joint
    total: dict[str, dict[str, Any]] = {}
    for i in range(int(first), int(first) + PER_UNIT):
        rng = np.random.default_rng([16, int(k), round(100 * float(accuracy)), i])
        for name, found in see(setting, rng).items():
            add(total.setdefault(name, {}), found, setting.n_segments)
    return {
        "panels": PER_UNIT,
        "ways": {name: {n: plain(v) for n, v in sums.items()} for name, sums in total.items()},
        "truth": setting.moves.tolist(),
        "counted": plain(setting.counted()),
        "seconds": round(time.process_time() - begun, 1),
        "commit": commit,
    }


def add(total: dict[str, Any], found: dict[str, Any], n_segments: int) -> None:
    """Add one panel: sums, and the share of covered moves with its square."""
    share = found["covered"][~np.eye(n_segments, dtype=bool)].mean()
    for name, value in (*found.items(), ("mean_square", found["mean"] ** 2),
                        ("share", share), ("share_square", share**2)):  # fmt: skip
        total[name] = total.get(name, 0.0) + value


def plain(value: Any) -> Any:
    """Return numbers as JSON holds them, to six digits."""
    return np.round(np.asarray(value, dtype=float), 6).tolist()


def write_page() -> None:
    """Write the page and its figure from what has been run."""
    found = {way: stored(f"migration_errors_{way}", KEPT) for way in WAYS}
    folder = ROOT / "docs"
    text, figure = migration_errors_page.page({**found["three_step"], **found["joint"]})
    (folder / "images" / "migration_errors.svg").write_text(figure, encoding="utf-8")
    (folder / "migration_errors.md").write_text(text, encoding="utf-8")


def main() -> int:
    """Run the task named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=[*WAYS, "page"])
    parser.add_argument("--panels", type=int, default=100, help="panels per setting")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    if arguments.task != "page":
        way = arguments.task
        run(
            f"migration_errors_{way}", units(way, arguments.panels),
            partial(work, commit=commit()), arguments.cores, Path(KEPT),
        )  # fmt: skip
    write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
