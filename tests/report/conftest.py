"""A posterior tree in the layout of the package, made without fitting anything."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

NAMES = ("Premium partners", "Volume customers", "Innovation drivers", "Occasional buyers")
SHARES = np.array([0.15, 0.27, 0.10, 0.48])
N_CUSTOMERS, N_CHAINS, N_DRAWS = 1200, 4, 250

# indicator: family, unit, label, headline measure, lift, truth per segment (or per level), power
INDICATORS: dict[str, tuple[str, str, str, str, str, Any, float]] = {
    "margin_rate": ("gaussian", "%", "Contribution margin rate", "mean", "difference",
                    (34.0, 14.0, 29.0, 19.0), 0.41),
    "orders": ("negative_binomial", "orders per year", "Orders", "rate", "ratio",
               (38.0, 52.0, 9.0, 3.1), 0.88),
    "order_value": ("log_normal", "EUR", "Order value", "median", "ratio",
                    (8200.0, 3100.0, 11500.0, 620.0), 0.79),
    "engineering_hours": ("hurdle_log_normal", "h", "Engineering hours", "mean", "ratio",
                          (24.0, 3.0, 160.0, 0.9), 0.64),
    "service_cost": ("gamma", "EUR", "Service cost", "mean", "ratio",
                     (2900.0, 1300.0, 5200.0, 410.0), 0.52),
    "technology": ("categorical", "", "Technology level", "share", "ratio",
                   {"basic": (0.1, 0.35, 0.05, 0.6), "advanced": (0.4, 0.5, 0.25, 0.3),
                    "leading": (0.5, 0.15, 0.7, 0.1)}, 0.33),
    "price_sensitivity": ("gaussian", "points (0-10)", "Price sensitivity", "mean",
                          "difference", (3.1, 8.2, 2.9, 5.6), 0.47),
    "delivery_need": ("categorical", "", "Delivery needs", "share", "ratio",
                      {"standard": (0.1, 0.55, 0.3, 0.75), "express": (0.25, 0.3, 0.5, 0.2),
                       "just in time": (0.65, 0.15, 0.2, 0.05)}, 0.29),
    "complaints": ("poisson", "complaints per year", "Complaints", "rate", "ratio",
                   (1.1, 1.9, 0.8, 0.3), 0.12),
    "payment_days": ("gamma", "days", "Payment days", "mean", "ratio",
                     (24.0, 41.0, 31.0, 36.0), 0.15),
    "industry": ("categorical", "", "Industry", "share", "ratio",
                 {"automotive": (0.7, 0.4, 0.2, 0.15), "machine building": (0.2, 0.35, 0.3, 0.35),
                  "medical technology": (0.07, 0.05, 0.4, 0.1),
                  "other": (0.03, 0.2, 0.1, 0.4)}, 0.21),
    "framework_contract": ("bernoulli", "", "Framework contract", "share", "ratio",
                           (0.85, 0.6, 0.3, 0.05), 0.44),
}  # fmt: skip
CHECKS = (("rhat", 0.01, 1.004, 1.01), ("ess_bulk", 1, 1480.0, 400.0),
          ("ess_tail", 1, 1210.0, 400.0), ("divergences", 0, None, 0.0), ("bfmi", 0, None, 0.3),
          ("labels", 1, 0.998, 0.95), ("permutations", 1, 0.0, 0.01), ("modes", 1, 7.0, 2.0),
          ("sizes", 1, 118.3, 5.0))  # fmt: skip

WORST = {"rhat": "orders__rate[2]", "ess_bulk": "orders__rate[2]", "ess_tail": "share[1]",
         "labels": "chain[1,3]", "sizes": "segment[3]"}  # fmt: skip

RELATED = [{"indicator": "service_cost", "share_missing": 0.083, "column": "contribution",
            "superiority": 0.38, "p_value": 0.0002}]  # fmt: skip


def build_tree(
    names: tuple[str, ...] = NAMES,
    failed: tuple[str, ...] = (),
    language: str = "en",
    labels: dict[str, str] | None = None,
    n_segments: int = 4,
    copies: int = 1,
) -> xr.DataTree:
    """Return a tree with `copies` × 12 indicators and 1,200 customers."""
    rng = np.random.default_rng(7)
    shares = np.resize(SHARES, n_segments)
    shares = shares / shares.sum()
    groups = {
        "posterior": _posterior(rng, names, shares, copies),
        "sample_stats": xr.Dataset(
            {"log_likelihood": (("chain", "draw"), rng.normal(-31000, 6, (N_CHAINS, N_DRAWS)))}
        ),
        "membership": _membership(rng, shares),
        "sizes": _sizes(rng, shares, names),
        "profile": _profile(shares, copies),
        "data": _data(copies),
    }
    tree = xr.DataTree.from_dict({f"/{k}": v for k, v in groups.items()})
    tree.attrs = _attributes(failed, language, labels or {}, n_segments, copies)
    return tree


def _indicators(copies: int) -> dict[str, Any]:
    return {
        (k if c == 0 else f"{k}_{c + 1}"): v for c in range(copies) for k, v in INDICATORS.items()
    }


def _truth(values: Any, n_segments: int) -> np.ndarray:
    rows = list(values.values()) if isinstance(values, dict) else [values]
    return np.array([np.resize(row, n_segments) for row in rows])


def _posterior(rng: Any, names: tuple[str, ...], shares: np.ndarray, copies: int) -> xr.Dataset:
    shape = (N_CHAINS, N_DRAWS)
    found: dict[str, Any] = {
        "share": (("chain", "draw", "segment"), rng.dirichlet(shares * N_CUSTOMERS, size=shape))
    }
    coords: dict[str, Any] = {"segment": np.arange(1, len(shares) + 1)}
    coords["segment_name"] = ("segment", np.array(names, dtype=str))
    for key, (family, _, _, measure, _, values, _) in _indicators(copies).items():
        truth = _truth(values, len(shares))
        noise = np.cumsum(rng.normal(0, 0.02, (*shape, *truth.T.shape)), axis=1)
        noise = 0.3 * noise + rng.normal(0, 0.05, noise.shape)
        draws = truth.T * np.exp(noise)
        if family == "categorical":
            draws = draws / draws.sum(-1, keepdims=True)
            coords[f"{key}_level"] = list(values)
            found[f"{key}__probability"] = (("chain", "draw", "segment", f"{key}_level"), draws)
        else:
            found[f"{key}__{measure}"] = (("chain", "draw", "segment"), draws[..., 0])
    return xr.Dataset(found, coords=coords)


def _membership(rng: Any, shares: np.ndarray) -> xr.Dataset:
    n_segments = len(shares)
    truth = rng.choice(n_segments, N_CUSTOMERS, p=shares)
    logits = rng.normal(0, 1.3, (N_CUSTOMERS, n_segments))
    logits[np.arange(N_CUSTOMERS), truth] += rng.gamma(3.0, 2.0, N_CUSTOMERS)
    mean = np.exp(logits - logits.max(1, keepdims=True))
    mean /= mean.sum(1, keepdims=True)
    half = 0.9 * mean * (1 - mean) * rng.uniform(0.2, 1.0, (N_CUSTOMERS, 1))
    order = np.argsort(-mean, axis=1)
    top = order[:, 0]
    rows = np.arange(N_CUSTOMERS)
    tail = rng.uniform(0, 1, N_CUSTOMERS)
    verdict = np.where((mean - half)[rows, top] >= 0.8, "clear", "ambiguous")
    verdict = np.where(tail < 0.01, "fits none", verdict)
    entropy = -(mean * np.log(mean)).sum(1) / max(np.log(n_segments), 1e-9)
    two = ("customer", "segment")
    return xr.Dataset(
        {
            "mean": (two, mean),
            "lower": (two, np.clip(mean - half, 0, 1)),
            "upper": (two, np.clip(mean + half, 0, 1)),
            "top": ("customer", top + 1),
            "second": ("customer", order[:, min(1, n_segments - 1)] + 1),
            "p_top": ("customer", np.clip(0.5 + mean[rows, top] / 2, 0, 1)),
            "entropy": ("customer", np.clip(entropy, 0, 1)),
            "tail_probability": ("customer", tail),
            "verdict": ("customer", verdict.astype(str)),
            "row": ("customer", rows + 1),
        },
        coords={"customer": rows, "segment": np.arange(1, n_segments + 1)},
    )


def _sizes(rng: Any, shares: np.ndarray, names: tuple[str, ...]) -> xr.Dataset:
    n_segments = len(shares)
    found: dict[str, Any] = {}
    for key, scale in (("customers", float(N_CUSTOMERS)), ("share", 1.0)):
        half = 0.012 * scale
        for part, move in (("mean", 0.0), ("lower", -half), ("upper", half)):
            found[f"{key}_{part}"] = ("segment", np.maximum(scale * shares + move, 0.0))
    value = np.resize([0.71, 0.19, 0.13, -0.03], n_segments)
    value = value / value.sum()
    revenue = np.resize([0.52, 0.31, 0.12, 0.05], n_segments)
    revenue = revenue / revenue.sum()
    both, total = np.array([value, revenue]), np.array([[41.3e6], [160.2e6]])
    for part, move in (("mean", 0.0), ("lower", -0.021), ("upper", 0.024)):
        found[f"value_share_{part}"] = (("value", "segment"), both + move)
        found[f"value_{part}"] = (("value", "segment"), (both + move) * total)
    amounts = np.sort(rng.pareto(1.1, N_CUSTOMERS) - 0.15)[::-1]
    curve = np.cumsum(amounts) / amounts.sum()
    top = np.array([0.01, 0.05, 0.1, 0.15, 0.2, 0.5, 1.0])
    at = curve[np.maximum((top * N_CUSTOMERS).astype(int) - 1, 0)]
    found["concentration"] = (("value", "top"), np.array([at, at**0.9]))
    coords = {
        "segment": np.arange(1, n_segments + 1),
        "value": ["contribution", "revenue"],
        "top": top,
        "segment_name": ("segment", np.array(names, dtype=str)),
    }
    return xr.Dataset(found, coords=coords)


def _profile(shares: np.ndarray, copies: int) -> xr.Dataset:
    text: dict[str, list[str]] = {
        k: [] for k in ("indicator", "measure", "level", "unit", "lift_kind")
    }
    numbers: dict[str, list[Any]] = {
        k: [] for k in ("mean", "lower", "upper", "lift_mean", "lift_lower", "lift_upper", "base")
    }
    for key, (_, unit, _, measure, lift, values, _) in _indicators(copies).items():
        levels = list(values) if isinstance(values, dict) else [""]
        for level, mean in zip(levels, _truth(values, len(shares)), strict=True):
            base = float(mean @ shares)
            half = 0.04 * mean + 0.01 * base
            _add(text, numbers, (key, measure, level, unit, lift), mean, half, base)
        if lift == "difference":
            sd = np.full(len(shares), 0.3 * abs(base))
            _add(text, numbers, (key, "sd", "", unit, "none"), sd, 0.05 * sd, float(sd.mean()))
    two = ("line", "segment")
    found: dict[str, Any] = {k: ("line", np.array(v, dtype=str)) for k, v in text.items()}
    found["line_indicator"] = found.pop("indicator")
    found |= {k: (two if k != "base" else "line", np.array(v)) for k, v in numbers.items()}
    powers = np.array([v[6] for v in _indicators(copies).values()])
    for part, factor in (("mean", 1.0), ("lower", 0.93), ("upper", 1.06)):
        found[f"power_{part}"] = ("indicator", powers * factor)
    return xr.Dataset(
        found,
        coords={"indicator": list(_indicators(copies)), "segment": np.arange(1, len(shares) + 1)},
    )


def _data(copies: int) -> xr.Dataset:
    names = list(_indicators(copies))
    gaps = {"service_cost": 100.0, "payment_days": 25.0}
    missing = [gaps.get(name, 0.0) for name in names]
    return xr.Dataset(
        {"missing": ("indicator", missing)},
        coords={"indicator": names},
        attrs={"n_customers": float(N_CUSTOMERS), "n_rows": N_CUSTOMERS},
    )


def _add(text: Any, numbers: Any, row: tuple[str, ...], mean: Any, half: Any, base: float) -> None:
    for key, value in zip(("indicator", "measure", "level", "unit", "lift_kind"), row, strict=True):
        text[key].append(value)
    values = {"mean": mean, "lower": mean - half, "upper": mean + half}
    for part, value in values.items():
        numbers[part].append(value)
        lift = {
            "ratio": value / base,
            "difference": (value - base) / (0.3 * abs(base)),
            "none": np.full_like(value, np.nan),
        }[row[4]]
        numbers[f"lift_{part}"].append(lift)
    numbers["base"].append(base)


def _attributes(
    failed: tuple[str, ...], language: str, labels: dict[str, str], n_segments: int, copies: int
) -> dict[str, Any]:
    checks = [
        {
            "name": name,
            "applies": bool(applies),
            "passed": (name not in failed) if applies else None,
            "value": value,
            "bound": bound,
            "worst": WORST.get(name, ""),
            "details": {"starts": 10.0} if name == "modes" else {},
        }
        for name, applies, value, bound in CHECKS
    ]
    schema = {
        "version": 1,
        "indicators": {
            k: {
                "family": v[0],
                "unit": v[1] or None,
                "label": labels.get(k, v[2]),
                "frozen": {"priors": {v[3]: {"distribution": "Normal", "mu": 1.25, "sigma": 8}}},
            }
            for k, v in _indicators(copies).items()
        },
        "value": {
            "contribution": {"currency": "EUR", "period": "2025", "label": "Contribution"},
            "revenue": {"currency": "EUR", "period": "2025", "label": "Revenue"},
        },
        "language": language,
    }
    checked = {"p": 0.003, "p_all": 0.02, "found": True}
    verdict = {
        "status": "doubtful",
        "indicators": [{"indicator": "orders", "statistic": "zeros", "observed": 0.051,
                        "lower": 0.02, "upper": 0.048, **checked}],
        "pairs": [{"first": "orders", "second": "order_value", "segment": k, "strength": 0.31,
                   **checked} for k in (0, min(2, n_segments))],
        "unusual": 0.011, "many_unusual": False, "n_replicates": 300, "n_checked": 1200,
        "n_customers": 1200.0,
    }  # fmt: skip
    return {
        "schema": json.dumps(schema),
        "versions": json.dumps({"softseg": "0.1.0", "numpy": "2.5.5", "python": "3.13"}),
        "seed": "20260101",
        "method": "gibbs",
        "method_reason": json.dumps({"key": "method.conjugate", "values": {}}),
        "missing_related": json.dumps(RELATED),
        "dropped_columns": json.dumps({"country": "constant"}),
        "data_hash": "a" * 64,
        "diagnosis": json.dumps({"method": "gibbs", "checks": checks}),
        "fit_verdict": json.dumps(verdict),
        "relabelling": json.dumps({"agreement": 0.998, "permutations": 0.0}),
        "language": language,
    }


@pytest.fixture(scope="session")
def tree() -> xr.DataTree:
    """The tree of a fit that passed the gate."""
    return build_tree()


@pytest.fixture(scope="session")
def make_tree() -> Callable[..., xr.DataTree]:
    """The builder of trees, for those that need a special one."""
    return build_tree
