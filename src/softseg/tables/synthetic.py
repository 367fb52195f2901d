"""A metal-working supplier with known truth: the example that `softseg demo` fits.

1,200 active customers of four segments. Every indicator is drawn from the customer's segment,
independently of the others within it; revenue and contribution are derived from the indicators
and stand beside them as value columns. A few customers hold most of the contribution, some cost
more than they bring. The truth is returned apart and never stands in the frame.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softseg.checks import whole_number
from softseg.families import family
from softseg.families.base import Array, Coding
from softseg.tables.schema import IndicatorSchema, Schema, ValueSchema
from softseg.wording import has, say

SEGMENTS: Final = (
    "Occasional buyers",
    "Volume customers",
    "Innovation drivers",
    "Premium partners",
)
"""Names of the segments, largest first, as the package numbers them."""

SHARE: Final = (0.44, 0.27, 0.17, 0.12)
DEFAULT_SEED: Final = 2024

TECHNOLOGY: Final = ("manual", "numerical control", "automated", "networked")
DELIVERY: Final = ("standard", "within 48 hours", "just in time")
INDUSTRY: Final = (
    "automotive",
    "construction",
    "electronics",
    "machine building",
    "medical technology",
    "trade and repair",
)

type Truth = Mapping[str, Mapping[str, Array]]

INDICATORS: Final[Mapping[str, tuple[str, tuple[str, ...], Mapping[str, Any]]]] = {
    "margin_rate": (
        "gaussian",
        (),
        {"mean": [0.27, 0.19, 0.31, 0.33], "sd": [0.09, 0.06, 0.08, 0.06]},
    ),
    "orders": (
        "negative_binomial",
        (),
        {"rate": [5.0, 24.0, 11.0, 33.0], "shape": [1.6, 3.0, 2.2, 4.0]},
    ),
    "order_value": (
        "lognormal",
        (),
        {"log_mean": np.log([900.0, 1750.0, 2500.0, 4200.0]), "log_sd": [0.65, 0.50, 0.60, 0.46]},
    ),
    "engineering_hours": (
        "hurdle_lognormal",
        (),
        {
            "probability": [0.08, 0.16, 0.78, 0.52],
            "log_mean": np.log([7.0, 12.0, 60.0, 34.0]),
            "log_sd": [0.8, 0.8, 0.8, 0.8],
        },
    ),
    "service_cost": (
        "gamma",
        (),
        {"mean": [380.0, 1200.0, 2100.0, 3900.0], "shape": [1.5, 2.2, 2.0, 2.5]},
    ),
    "technology_level": (
        "categorical",
        TECHNOLOGY,
        {
            "probability": [
                [0.42, 0.36, 0.16, 0.06],
                [0.18, 0.42, 0.30, 0.10],
                [0.06, 0.24, 0.38, 0.32],
                [0.05, 0.25, 0.42, 0.28],
            ]
        },
    ),
    "price_sensitivity": (
        "gaussian",
        (),
        {"mean": [6.0, 7.2, 4.2, 4.4], "sd": [1.7, 1.3, 1.5, 1.4]},
    ),
    "delivery_needs": (
        "categorical",
        DELIVERY,
        {
            "probability": [
                [0.74, 0.22, 0.04],
                [0.40, 0.40, 0.20],
                [0.50, 0.38, 0.12],
                [0.12, 0.32, 0.56],
            ]
        },
    ),
    "complaints": (
        "poisson",
        (),
        {"rate": [0.18, 0.75, 0.55, 1.10]},
    ),
    "payment_days": (
        "gamma",
        (),
        {"mean": [33.0, 45.0, 33.0, 29.0], "shape": [7.0, 9.0, 9.0, 12.0]},
    ),
    "industry": (
        "categorical",
        INDUSTRY,
        {
            "probability": [
                [0.08, 0.22, 0.10, 0.22, 0.04, 0.34],
                [0.22, 0.20, 0.14, 0.30, 0.02, 0.12],
                [0.12, 0.02, 0.26, 0.28, 0.30, 0.02],
                [0.52, 0.02, 0.10, 0.26, 0.08, 0.02],
            ]
        },
    ),
    "potential": (
        "lognormal",
        (),
        {
            "log_mean": np.log([16_000.0, 90_000.0, 80_000.0, 240_000.0]),
            "log_sd": [1.0, 0.8, 0.9, 0.7],
        },
    ),
}
"""Family, unit, levels and true parameters of each indicator, by segment."""

DECIMALS: Final = {
    "margin_rate": 4,
    "order_value": 2,
    "engineering_hours": 2,
    "service_cost": 2,
    "price_sensitivity": 2,
    "payment_days": 2,
    "potential": 0,
}


class Supplier(NamedTuple):
    """A synthetic customer table and its truth.

    Attributes
    ----------
    frame
        One row per customer, as a pandas frame.
    truth
        ``customer``, ``segment`` (1 the largest) and ``segment_name``, as a pandas frame.
    parameters
        True parameters: indicator, then parameter, of shape (segment,) or (segment, level);
        under ``"share"`` the shares.
    """

    frame: Any
    truth: Any
    parameters: Mapping[str, Any]


def metalworking_supplier(n_customers: int = 1200, seed: int = DEFAULT_SEED) -> Supplier:
    """Return the customers of a metal-working supplier and the truth about them.

    Parameters
    ----------
    n_customers
        Number of customers.
    seed
        Seed of the generator; the same seed gives the same table.

    Raises
    ------
    UsageError
        Where the number of customers or the seed is not a whole number.
    """
    import pandas as pd

    n_customers = whole_number(n_customers, "n_customers", least=1)
    rng = np.random.default_rng(whole_number(seed, "seed"))
    segment = rng.choice(len(SEGMENTS), size=n_customers, p=SHARE)
    cells = {name: _draw(rng, name, segment) for name in INDICATORS}
    value = _value(cells)
    gaps = _gaps(rng, cells, value["contribution"])
    customers = [f"C{number:05d}" for number in range(1, n_customers + 1)]
    columns: dict[str, Any] = {"customer": customers}
    for name, (_, levels, _) in INDICATORS.items():
        columns[name] = _column(cells[name], levels, gaps.get(name))
    frame = pd.DataFrame(columns | value)
    truth = pd.DataFrame(
        {
            "customer": customers,
            "segment": segment + 1,
            "segment_name": np.array(SEGMENTS)[segment],
        }
    )
    return Supplier(frame, truth, {"share": np.array(SHARE)} | true_parameters())


def example_frame(language: str = "en") -> Any:
    """Return the bundled example: the supplier's table without the truth, as a pandas frame.

    Parameters
    ----------
    language
        Of the categories, as in `example_schema`; nothing else depends on it.
    """
    frame = metalworking_supplier().frame
    for name, (_, levels, _) in INDICATORS.items():
        if levels:
            frame[name] = frame[name].map(dict(zip(levels, _named(levels, language), strict=True)))
    return frame


def example_schema(language: str = "en") -> Schema:
    """Return the schema of the bundled example, its labels and units in a language."""
    indicators = {
        name: IndicatorSchema(
            family=kind,
            label=say(f"example.{name}", language),
            unit=say(f"example.unit.{name}", language) if has(f"example.unit.{name}") else None,
            levels=_named(levels, language) or None,
        )
        for name, (kind, levels, _) in INDICATORS.items()
    }
    value = {
        name: ValueSchema(
            currency="EUR",
            period=say("example.year", language),
            label=say(f"example.{name}", language),
        )
        for name in ("contribution", "revenue")
    }
    return Schema(id="customer", indicators=indicators, value=value, language=language)


def _named(levels: tuple[str, ...], language: str) -> list[str]:
    return [say(f"example.level.{level.replace(' ', '_')}", language) for level in levels]


def true_parameters() -> dict[str, dict[str, Array]]:
    """Return the true parameters of every indicator; (segment,) or (segment, level)."""
    return {
        name: {key: np.array(numbers, dtype=float) for key, numbers in parameters.items()}
        for name, (_, _, parameters) in INDICATORS.items()
    }


def _draw(rng: np.random.Generator, name: str, segment: NDArray[np.intp]) -> Array:
    kind, levels, _ = INDICATORS[name]
    parameters = true_parameters()[name]
    values = family(kind).draw(rng, parameters, segment, None, Coding(levels))
    return np.round(values, DECIMALS[name]) if name in DECIMALS else values


def _value(cells: Mapping[str, Array]) -> dict[str, Array]:
    """Return revenue and contribution in EUR a year."""
    revenue = np.round(cells["orders"] * cells["order_value"], 2)
    contribution = np.round(revenue * cells["margin_rate"] - cells["service_cost"], 2)
    return {"revenue": revenue, "contribution": contribution}


def _gaps(
    rng: np.random.Generator, cells: Mapping[str, Array], contribution: Array
) -> dict[str, NDArray[np.bool_]]:
    """Return which cells nobody knows.

    Without an order there is neither an order value nor a margin nor a payment. Surveys are not
    answered at random. The potential is estimated for large customers first: its gaps are related
    to value.
    """
    n_rows = len(contribution)
    none = cells["orders"] == 0
    standing = np.argsort(np.argsort(contribution, kind="stable")) / max(1, n_rows - 1)
    return {
        "order_value": none,
        "margin_rate": none,
        "payment_days": none | (rng.random(n_rows) < 0.02),
        "price_sensitivity": rng.random(n_rows) < 0.22,
        "delivery_needs": rng.random(n_rows) < 0.05,
        "potential": rng.random(n_rows) < 0.40 * (1.0 - standing),
    }


def _column(values: Array, levels: tuple[str, ...], gaps: NDArray[np.bool_] | None) -> Any:
    missing = np.zeros(len(values), dtype=bool) if gaps is None else gaps
    if levels:
        texts = np.array(levels, dtype=object)[values.astype(np.intp)]
        texts[missing] = None
        return texts
    return np.where(missing, np.nan, values)
