"""The metal-working supplier over months: customers who move between segments, and leave.

Four segments as in `softseg.tables.synthetic`; about 8 % of the customers leave in a year, a third
enters after the panel has begun. Every indicator is drawn from the customer's segment in the
month, independently of the others; without orders there is neither an order value nor a payment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from softseg.checks import one_of, probability, whole_number
from softseg.errors import UsageError
from softseg.families import family
from softseg.families.base import Array, Coding
from softseg.tables.panel.migration import Churn, MigrationSchema
from softseg.tables.schema import IndicatorSchema, Schema, ValueSchema
from softseg.tables.synthetic import DEFAULT_SEED, SEGMENTS, SHARE
from softseg.wording import has, say

TRANSITION: Final = (
    (0.9640, 0.0140, 0.0070, 0.0040, 0.0110),
    (0.0130, 0.9700, 0.0060, 0.0060, 0.0050),
    (0.0100, 0.0080, 0.9680, 0.0100, 0.0040),
    (0.0040, 0.0100, 0.0080, 0.9755, 0.0025),
)
"""From a segment to a segment or, last, churned, within a month."""

LEVELS: Final = ("no", "yes")

INDICATORS: Final[Mapping[str, tuple[str, Mapping[str, list[float]]]]] = {
    "orders": (
        "negative_binomial",
        {"rate": [0.9, 3.2, 1.8, 4.6], "shape": [2.5, 5.0, 4.0, 7.0]},
    ),
    "order_value": (
        "lognormal",
        {
            "log_mean": np.log([900.0, 1750.0, 2500.0, 4200.0]).tolist(),
            "log_sd": [0.65, 0.50, 0.60, 0.46],
        },
    ),
    "catalogue_share": (
        "gamma",
        {"mean": [3.5, 9.0, 7.0, 15.0], "shape": [4.0, 5.0, 5.0, 7.0]},
    ),
    "margin_rate": (
        "gaussian",
        {"mean": [0.27, 0.19, 0.31, 0.33], "sd": [0.09, 0.06, 0.08, 0.06]},
    ),
    "late_payment": ("bernoulli", {"probability": [0.22, 0.38, 0.12, 0.06]}),
    "complaints": ("poisson", {"rate": [0.03, 0.14, 0.08, 0.20]}),
}
"""Family and true parameters of each indicator, by segment and per month."""

COUNTED: Final = ("orders", "complaints")
DECIMALS: Final = {"order_value": 2, "catalogue_share": 2, "margin_rate": 4}
FIRST_YEAR: Final = 2022
EXAMPLE_SEED: Final = 5
AFTER: Final = 6
"""Months without an order that count as churn."""


@dataclass(frozen=True)
class PanelTruth:
    """What nobody knows of real customers.

    Attributes
    ----------
    customers
        Their ids, in the order of `states`; (customer,).
    states
        −1 before the customer entered, the segment from 0 on, last the state churned;
        (customer, period).
    initial
        Shares of the segments on entry; (segment,).
    transition
        Transitions within a period, churned last and never left; (state, state_to).
    parameters
        True parameters: indicator, then parameter; (segment,).
    """

    customers: tuple[str, ...]
    states: NDArray[np.int64]
    initial: Array
    transition: Array
    parameters: Mapping[str, Mapping[str, Array]]


class SyntheticPanel(NamedTuple):
    """A synthetic panel, its schema, and the truth, which does not stand in the frame."""

    frame: Any
    schema: Schema
    truth: PanelTruth


def synthetic_panel(
    rng: np.random.Generator | int = DEFAULT_SEED,
    n_customers: int = 1200,
    n_periods: int = 36,
    churn: Churn = "observed",
    *,
    initial: Any = SHARE,
    transition: Any = TRANSITION,
    late: float = 0.35,
    gaps: float = 0.03,
    language: str = "en",
) -> SyntheticPanel:
    """Return customers of a metal-working supplier over months, their schema and the truth.

    Parameters
    ----------
    rng
        Generator, or the seed of one.
    n_customers, n_periods
        How many customers and months.
    churn
        How leaving is seen. Observed: a row says so in the month in which it happens. Interval: a
        row says so some months later, or in the last month. Silent and inactivity: rows without
        orders until the end. None: nobody leaves, the transitions to churned become stays.
    initial, transition
        Shares on entry; (segment,), and transitions; (segment, state).
    late
        Share of customers who enter after the first month.
    gaps
        Share of rows that are missing; none with silent churn and inactivity.
    language
        Language of the schema.

    Raises
    ------
    UsageError
        Where an argument does not fit.
    """
    churn = one_of(churn, "churn", get_args(Churn.__value__))
    n_customers = whole_number(n_customers, "n_customers", least=1)
    n_periods = whole_number(n_periods, "n_periods", least=2)
    late, gaps = probability(late, "late"), probability(gaps, "gaps")
    if not isinstance(rng, np.random.Generator):
        rng = np.random.default_rng(whole_number(rng, "rng"))
    shares, matrix = _chain(initial, transition, churn)
    states = _walk(rng, shares, matrix, n_customers, n_periods, late)
    customers = tuple(f"C{number:05d}" for number in range(1, n_customers + 1))
    frame = _frame(rng, states, customers, churn, gaps)
    truth = PanelTruth(customers, states, shares, matrix, true_parameters())
    return SyntheticPanel(frame, panel_schema(churn, language), truth)


def example_panel(language: str = "en") -> tuple[Any, Schema]:
    """Return the panel of the example study over 36 months, with revenue, and its schema.

    The revenue of a month is that of its orders; a customer who ordered nothing brought nothing.
    The schema calls it that of a year, which is what a study makes of it.
    """
    found = synthetic_panel(EXAMPLE_SEED, language=language)
    frame = found.frame
    revenue = (frame["orders"] * frame["order_value"].fillna(0.0)).round(2)
    frame["revenue"] = revenue
    value = {
        "revenue": ValueSchema(
            currency="EUR",
            period=say("example.year", language),
            label=say("example.revenue", language),
        )
    }
    return frame, found.schema.model_copy(update={"value": value})


def true_parameters() -> dict[str, dict[str, Array]]:
    """Return the true parameters of every indicator; (segment,)."""
    return {
        name: {key: np.array(numbers, dtype=float) for key, numbers in parameters.items()}
        for name, (_, parameters) in INDICATORS.items()
    }


def panel_schema(churn: Churn = "observed", language: str = "en") -> Schema:
    """Return the schema of the synthetic panel, its labels and units in a language."""
    indicators = {
        name: IndicatorSchema(
            family=kind,
            label=_said(name, "", language),
            unit=_said(name, "unit.", language),
            success="yes" if kind == "bernoulli" else None,
        )
        for name, (kind, _) in INDICATORS.items()
    }
    silent = churn in ("silent", "inactivity")
    migration = MigrationSchema(
        churn=churn,
        churned="churned" if churn in ("observed", "interval") else None,
        activity="orders" if silent else None,
        after=AFTER if churn == "inactivity" else None,
    )
    return Schema(
        id="customer",
        period="month",
        indicators=indicators,
        migration=migration,
        language=language,
    )


def _said(name: str, kind: str, language: str) -> str | None:
    """Return a label or unit: the panel's where it has its own, else that of the example."""
    keys = [f"{room}.{kind}{name}" for room in ("panel", "example")]
    return next((say(key, language) for key in keys if has(key)), None)


def _chain(initial: Any, transition: Any, churn: Churn) -> tuple[Array, Array]:
    """Return shares (segment,) and transitions with the row of churned; (state, state_to)."""
    shares, rows = np.array(initial, dtype=float), np.array(transition, dtype=float)
    n = len(SEGMENTS)
    if shares.shape != (n,) or rows.shape != (n, n + 1):
        raise UsageError(
            f"Give initial with {n} shares and transition with {n} rows of {n + 1}, got the "
            f"shapes {shares.shape} and {rows.shape}."
        )
    for numbers in (shares, rows):
        if numbers.min() < 0 or not np.allclose(numbers.sum(axis=-1), 1.0):
            raise UsageError("Give shares that are at least 0 and add up to 1 in every row.")
    if churn == "none":
        rows[np.arange(n), np.arange(n)] += rows[:, n]
        rows[:, n] = 0.0
    return shares, np.vstack([rows, np.eye(n + 1)[n]])


def _walk(
    rng: np.random.Generator,
    shares: Array,
    matrix: Array,
    n_customers: int,
    n_periods: int,
    late: float,
) -> NDArray[np.int64]:
    entry = np.where(rng.random(n_customers) < late, rng.integers(1, n_periods, n_customers), 0)
    states = np.full((n_customers, n_periods), -1, dtype=np.int64)
    begin = rng.choice(len(shares), size=n_customers, p=shares / shares.sum())
    bounds = np.cumsum(matrix, axis=1)
    for period in range(n_periods):
        states[entry == period, period] = begin[entry == period]
        there = np.flatnonzero(entry < period)
        before = states[there, period - 1]
        toss = rng.random(n_customers)[there]
        drawn = (toss[:, None] >= bounds[before]).sum(axis=1)
        states[there, period] = np.minimum(drawn, len(shares))
    return states


def _frame(
    rng: np.random.Generator,
    states: NDArray[np.int64],
    customers: tuple[str, ...],
    churn: Churn,
    gaps: float,
) -> Any:
    import pandas as pd

    silent = churn in ("silent", "inactivity")
    n_segments = len(SEGMENTS)
    here = (states >= 0) & (states < n_segments)
    kept = here & (silent | (rng.random(states.shape) >= gaps))
    told = _told(rng, states == n_segments) if churn in ("observed", "interval") else None
    told = _at_once(states == n_segments) if churn == "observed" else told
    rows = (states >= 0) if silent else kept | (False if told is None else told)
    who, when = np.nonzero(rows)
    active = here[who, when]
    cells = _cells(rng, np.where(active, states[who, when], 0), active, silent)
    columns: dict[str, Any] = {
        "customer": np.array(customers, dtype=object)[who],
        "month": [f"{FIRST_YEAR + month // 12}-{month % 12 + 1:02d}" for month in when],
    }
    if told is not None:
        columns["churned"] = np.where(told[who, when], "yes", "no")
    return pd.DataFrame(columns | cells)


def _at_once(gone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return each customer's first month as churned; (customer, period)."""
    before = np.pad(gone, ((0, 0), (1, 0)))[:, :-1]
    return gone & ~before


def _told(rng: np.random.Generator, gone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the month in which somebody learns of it, at the latest the last one."""
    told = np.zeros_like(gone)
    who, when = np.nonzero(_at_once(gone))
    delay = rng.geometric(0.4, size=len(gone))[who] - 1
    told[who, np.minimum(when + delay, gone.shape[1] - 1)] = True
    return told


def _cells(
    rng: np.random.Generator, segment: NDArray[np.int64], active: NDArray[np.bool_], silent: bool
) -> dict[str, Any]:
    drawn = {}
    for name, (kind, _) in INDICATORS.items():
        levels = LEVELS if kind == "bernoulli" else ()
        values = family(kind).draw(rng, true_parameters()[name], segment, None, Coding(levels))
        drawn[name] = np.round(values, DECIMALS[name]) if name in DECIMALS else values
    bought = active & (drawn["orders"] > 0)
    cells: dict[str, Any] = {}
    for name, values in drawn.items():
        if name in COUNTED:
            cells[name] = np.where(active, values, 0.0 if silent else np.nan)
        elif INDICATORS[name][0] == "bernoulli":
            texts = np.array(LEVELS, dtype=object)[values.astype(np.intp)]
            cells[name] = np.where(bought, texts, np.array(None))
        else:
            cells[name] = np.where(bought, values, np.nan)
    return cells
