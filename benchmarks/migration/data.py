"""Panels with known truth: customers with six mixed indicators who move, and churn.

Lengths are ragged: half of the customers are there from the first period on, the others enter
later, and whoever has churned has no rows after the period that says so.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from softseg.likelihood.histories import ACTIVE, CHURNED, Histories, histories_of
from softseg.likelihood.statistics import Statistics, reduce
from softseg.tables.prepare import prepare
from softseg.tables.schema import Schema

type Array = NDArray[np.float64]
type Integers = NDArray[np.int64]

SCHEMA: Final = {
    "margin": "gaussian",
    "payment_days": "gaussian",
    "orders": "poisson",
    "returns": "poisson",
    "channel": "categorical",
    "contract": "bernoulli",
}
SHARE: Final = np.array([0.4, 0.3, 0.2, 0.1])
MOVES: Final = np.array(
    [
        [0.88, 0.05, 0.03, 0.02, 0.02],
        [0.06, 0.84, 0.05, 0.02, 0.03],
        [0.04, 0.06, 0.82, 0.04, 0.04],
        [0.03, 0.04, 0.05, 0.82, 0.06],
    ]
)
"""From four segments to these and to churned, per period."""
MEAN: Final = np.array([[0.0, 30.0], [1.5, 40.0], [3.0, 25.0], [4.5, 50.0]])
SD: Final = np.array([[1.0, 8.0], [1.0, 8.0], [1.2, 6.0], [1.5, 10.0]])
RATE: Final = np.array([[1.0, 0.2], [3.0, 0.5], [6.0, 0.4], [10.0, 1.5]])
CHANNEL: Final = np.array(
    [[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.2, 0.3, 0.5], [0.1, 0.2, 0.7]],
)
CONTRACT: Final = np.array([0.1, 0.3, 0.6, 0.8])
LEVELS: Final = ("branch", "field", "web")


@dataclass(frozen=True)
class Panel:
    """A panel as the kernel takes it, and as plain arrays for the peers.

    Attributes
    ----------
    frame
        One row per customer and period in which it is there.
    row, sign, start
        As `histories_of` takes them.
    length
        Steps of each customer, the step that says churned included; (customer,).
    churned
        Whether the last step says churned, (customer,).
    """

    frame: pd.DataFrame
    schema: Schema
    statistics: Statistics
    histories: Histories
    row: Integers
    sign: Integers
    start: Integers
    length: Integers
    churned: NDArray[np.bool_]

    def padded(self, name: str) -> Array:
        """Return an indicator as (customer, period), NaN where the customer has no row."""
        cells = self.frame[name]
        column = cells.cat.codes if name == "channel" else cells
        numbers = np.append(np.asarray(column, dtype=float), np.nan)
        found = np.full((len(self.length), int(self.length.max())), np.nan)
        here = np.arange(found.shape[1]) < self.length[:, None]
        found[here] = numbers[self.row]
        return found


def panel(
    n_customers: int, n_periods: int, seed: int, *, churns: bool = True, ragged: bool = True
) -> Panel:
    """Return a panel of customers drawn from the truth above; ragged if half of them enter late."""
    rng = np.random.default_rng(seed)
    moves = MOVES if churns else MOVES[:, :4] / MOVES[:, :4].sum(axis=1, keepdims=True)
    late = (rng.random(n_customers) < 0.5) & ragged
    length = np.where(late, rng.integers(2, n_periods + 1, n_customers), n_periods)
    states = np.empty((n_customers, n_periods), dtype=np.int64)
    states[:, 0] = rng.choice(4, n_customers, p=SHARE)
    edges = np.vstack([moves, np.eye(5)[4:, : moves.shape[1]]]).cumsum(axis=1)
    for t in range(1, n_periods):
        u = rng.random(n_customers)
        states[:, t] = (u[:, None] >= edges[states[:, t - 1]][:, :-1]).sum(axis=1)
    gone = states == 4
    first = np.where(gone.any(axis=1), gone.argmax(axis=1), n_periods)
    churned = first < length
    length = np.minimum(length, first + 1)
    here = np.arange(n_periods) < length[:, None]
    state = states[here]
    active = state < 4
    row = np.where(active, np.cumsum(active) - 1, -1)
    sign = np.where(active, ACTIVE, CHURNED)
    start = np.append(0, np.cumsum(length))
    frame = _cells(rng, state[active])
    table = prepare(frame, Schema(indicators=SCHEMA))
    statistics = reduce(table)
    histories = histories_of(statistics, row=row, sign=sign, start=start, churns=churns)
    return Panel(frame, table.schema, statistics, histories, row, sign, start, length, churned)


def _cells(rng: np.random.Generator, z: Integers) -> pd.DataFrame:
    """Return the indicators of rows in these segments."""
    channel = (rng.random(len(z))[:, None] >= CHANNEL.cumsum(axis=1)[z][:, :-1]).sum(axis=1)
    return pd.DataFrame(
        {
            "margin": rng.normal(MEAN[z, 0], SD[z, 0]),
            "payment_days": rng.normal(MEAN[z, 1], SD[z, 1]),
            "orders": rng.poisson(RATE[z, 0]),
            "returns": rng.poisson(RATE[z, 1]),
            "channel": pd.Categorical.from_codes(channel, categories=list(LEVELS)),
            "contract": rng.random(len(z)) < CONTRACT[z],
        }
    )
