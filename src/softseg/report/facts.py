"""What the report reads from a posterior tree, found once and in one form.

Figures, tables and text ask here and never touch the tree themselves, so that a change of the
tree's layout is a change of this file.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg import names
from softseg.inference.fit_verdict import FitVerdict
from softseg.inference.verdicts import Diagnosis
from softseg.wording import has, say

Array = NDArray[np.float64]

SMALL_SEGMENT = 10.0
"""Below this expected number of customers a segment's profile is marked as little backed."""
VERDICTS = ("clear", "ambiguous", "fits none")
CONTROLS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories that a name may not carry into a page: control, bidi and lone surrogates."""
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


@dataclass(frozen=True)
class Band:
    """A quantity with its interval: mean, lower and upper, all of one shape."""

    mean: Array
    lower: Array
    upper: Array

    def __getitem__(self, index: Any) -> "Band":
        return Band(self.mean[index], self.lower[index], self.upper[index])


@dataclass(frozen=True)
class Line:
    """One line of the profile table: a measure of an indicator, maybe of one of its levels."""

    indicator: str
    label: str
    measure: str
    level: str
    unit: str
    values: Band
    lift: Band
    lift_kind: str
    base: float
    power: float

    @property
    def is_share(self) -> bool:
        """Whether the values are shares of customers, shown in per cent."""
        return self.measure.startswith("share")

    def strength(self) -> Array:
        """Return how far each segment surely lies from the base, signed, (segment,).

        0 where the interval holds the base. The scale is about that of a standard deviation:
        differences in sd of the base, log ratios, and Cohen's h for shares.
        """
        if self.lift_kind == "none":
            return np.zeros_like(self.values.mean)
        if self.is_share:
            low, high = (
                _angle(x) - _angle(self.base) for x in (self.values.lower, self.values.upper)
            )
        elif self.lift_kind == "ratio":
            low, high = (np.log(np.maximum(x, 1e-12)) for x in (self.lift.lower, self.lift.upper))
        else:
            low, high = self.lift.lower, self.lift.upper
        return np.where(low > 0, low, np.where(high < 0, high, 0.0))


def _angle(share: Any) -> Any:
    return 2.0 * np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0)))


def clean(name: object) -> str:
    """Return a name fit for a page or a figure: no control or bidi-override characters."""
    text = "".join(
        " " if unicodedata.category(c) in CONTROLS and c not in JOINERS else c for c in str(name)
    )
    return " ".join(text.split()) or "–"


class Facts:
    """A posterior tree as the report needs it, read lazily.

    Parameters
    ----------
    tree
        Posterior tree of a fit (xarray DataTree).
    language
        ``en`` or ``de``.
    """

    def __init__(self, tree: Any, language: str = "en") -> None:
        self.tree = tree
        self.language = language

    def say(self, key: str, **values: object) -> str:
        """Return an entry of the catalogue in the report's language."""
        return say(key, self.language, **values)

    # --- root -------------------------------------------------------------------------------

    def attribute(self, name: str) -> Any:
        """Return a root attribute, decoded if it is JSON, None if absent."""
        value = self.tree.attrs.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """The gate's outcome, None where the tree holds none."""
        found = self.tree.attrs.get("diagnosis")
        return Diagnosis.from_json(found) if found else None

    @property
    def passed(self) -> bool:
        """Whether the gate let the fit through; without a judgement it did not."""
        return self.diagnosis is not None and self.diagnosis.status == "good"

    @cached_property
    def fit_verdict(self) -> FitVerdict | None:
        """The judgement of the model's fit, None where the tree holds none."""
        found = self.tree.attrs.get("fit_verdict")
        return FitVerdict.from_json(found) if found else None

    def labels(self) -> dict[str, str]:
        """Return the names for readers of all indicators."""
        return {name: self.label(name) for name in self.indicators}

    @cached_property
    def schema(self) -> Mapping[str, Any]:
        """The frozen schema as a dictionary."""
        found = self.attribute("schema")
        return found if isinstance(found, dict) else {}

    @property
    def indicators(self) -> Mapping[str, Mapping[str, Any]]:
        """The schema's entry of every indicator."""
        return self.schema.get("indicators") or {}

    def label(self, indicator: str) -> str:
        """Return how an indicator is called in front of people."""
        entry = self.indicators.get(indicator) or {}
        return clean(entry.get("label") or indicator.replace("_", " "))

    # --- segments ---------------------------------------------------------------------------

    @cached_property
    def posterior(self) -> Any:
        """The draws of the parameters as a Dataset."""
        return self.tree[names.POSTERIOR].dataset

    @property
    def n_segments(self) -> int:
        """Number of segments."""
        return int(self.posterior.sizes[names.SEGMENT])

    @cached_property
    def segment_names(self) -> tuple[str, ...]:
        """Names of the segments, numbered ones where the user gave none."""
        return tuple(
            self.say("report.segment_number", number=k + 1) if unnamed else given
            for k, (given, unnamed) in enumerate(self._given_names)
        )

    def is_named(self, segment: int) -> bool:
        """Return whether the user gave this segment, counted from 0, a name."""
        return not self._given_names[segment][1]

    @cached_property
    def numbered_names(self) -> tuple[str, ...]:
        """Names of the segments with their numbers in front, as figures and tables show them."""
        return tuple(
            self.segment_names[k] if unnamed else f"{k + 1} {given}"
            for k, (given, unnamed) in enumerate(self._given_names)
        )

    @cached_property
    def _given_names(self) -> tuple[tuple[str, bool], ...]:
        if names.SEGMENT_NAME in self.posterior.coords:
            found = [clean(name) for name in self.posterior.coords[names.SEGMENT_NAME].values]
        else:
            found = [str(k + 1) for k in range(self.n_segments)]
        return tuple((name, name in ("–", str(k + 1))) for k, name in enumerate(found))

    def group(self, name: str) -> Any:
        """Return a group of the tree as a Dataset, None where it is absent or empty."""
        if name not in self.tree.children:
            return None
        dataset = self.tree[name].dataset
        return dataset if dataset.data_vars else None

    # --- sizes ------------------------------------------------------------------------------

    def size(self, name: str) -> Band:
        """Return ``customers`` or ``share`` of the segments, (segment,)."""
        return band(self.tree[names.SIZES].dataset, name)

    @property
    def total_customers(self) -> float:
        """Customers in the fit, each row as often as it counts."""
        return float(self.size("customers").mean.sum())

    @cached_property
    def value_names(self) -> tuple[str, ...]:
        """Value columns, in the schema's order."""
        sizes = self.group(names.SIZES)
        if sizes is None or "value_share_mean" not in sizes:
            return ()
        return tuple(str(v) for v in sizes["value"].values)

    def value_label(self, column: str) -> str:
        """Return how a value column is called in front of people."""
        return clean(self._value_entry(column).get("label") or column.replace("_", " "))

    def value_unit(self, column: str) -> str:
        """Return the currency of a value column, empty if unknown."""
        return clean(self._value_entry(column).get("currency") or "").replace("–", "")

    def value_period(self, column: str) -> str:
        """Return the period that a value column covers, empty if unknown."""
        return clean(self._value_entry(column).get("period") or "").replace("–", "")

    def column_label(self, column: str) -> str:
        """Return how a column is called, be it an indicator or a value column."""
        known = column in (self.schema.get("value") or {})
        return self.value_label(column) if known else self.label(column)

    def _value_entry(self, column: str) -> Mapping[str, Any]:
        return (self.schema.get("value") or {}).get(column) or {}

    def value(self, column: str, name: str = "value_share") -> Band:
        """Return a value column's totals or shares per segment, (segment,)."""
        sizes = self.tree[names.SIZES].dataset
        index = [str(v) for v in sizes["value"].values].index(column)
        found = band(sizes.transpose("value", ...), name)
        return found[index]

    @cached_property
    def concentration(self) -> dict[str, tuple[Array, Array]]:
        """Share of the value that the best x of the customers bring, by value column."""
        sizes = self.group(names.SIZES)
        if sizes is None or "concentration" not in sizes:
            return {}
        table = sizes["concentration"].transpose("value", ...)
        top = table[table.dims[1]].values.astype(float)
        return {
            str(column): (top, row.astype(float))
            for column, row in zip(table["value"].values, table.values, strict=True)
        }

    @cached_property
    def small(self) -> NDArray[np.bool_]:
        """Which segments are expected to hold fewer customers than a profile needs."""
        return self.size("customers").mean < SMALL_SEGMENT

    # --- membership -------------------------------------------------------------------------

    @cached_property
    def membership(self) -> Any:
        """Memberships of the customers as a Dataset."""
        return self.tree[names.MEMBERSHIP].dataset

    @cached_property
    def gaps(self) -> dict[str, float]:
        """Share of customers without a value, by indicator, those with gaps only."""
        data = self.group("data")
        if data is None:
            return {}
        share = data["missing"].values.astype(float) / float(data.attrs["n_customers"])
        indicators = map(str, data[names.INDICATOR].values)
        return {name: x for name, x in zip(indicators, share, strict=True) if x > 0}

    @cached_property
    def verdict_counts(self) -> NDArray[np.int64]:
        """Customers by verdict and top segment, (verdict, segment)."""
        verdict = self.membership["verdict"].values.astype(str)
        top = self.membership["top"].values.astype(int) - 1
        count, n = self.membership_count, self.n_segments
        counts = [np.bincount(top[v], count[v], n) for v in (verdict == v for v in VERDICTS)]
        return np.asarray(counts, dtype=np.int64)

    @property
    def n_distinct(self) -> int:
        """Distinct rows of a file that was read batch by batch, 0 for any other table."""
        found = self.group(names.MEMBERSHIP)
        return found.sizes[names.CUSTOMER] if found is not None and "count" in found else 0

    @cached_property
    def membership_count(self) -> Array:
        """How many customers each entry of the memberships stands for, (customer,)."""
        found = self.membership
        if "count" in found:
            return found["count"].values.astype(float)
        return np.ones(found.sizes[names.CUSTOMER])

    # --- profile ----------------------------------------------------------------------------

    @cached_property
    def power(self) -> dict[str, float]:
        """Discriminating power by indicator, empty where the tree holds none."""
        profile = self.group(names.PROFILE)
        if profile is None or "power_mean" not in profile:
            return {}
        labels = profile["power_mean"][names.INDICATOR].values
        power = np.nan_to_num(profile["power_mean"].values.astype(float))
        return dict(zip(map(str, labels), power, strict=True))

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Lines of the profile table, the most telling indicator first."""
        profile = self.group(names.PROFILE)
        if profile is None:
            return ()
        profile = profile.transpose("line", ..., missing_dims="ignore")
        values, lift = band(profile, ""), band(profile, "lift")
        text = {name: [str(x) for x in _along_lines(profile, name)] for name in LINE_TEXT}
        base = profile["base"].values.astype(float)
        found = [
            Line(
                indicator=text["indicator"][i],
                label=self.label(text["indicator"][i]),
                measure=text["measure"][i],
                level=clean(text["level"][i]) if text["level"][i] else "",
                unit=clean(text["unit"][i]) if text["unit"][i] else "",
                values=values[i],
                lift=lift[i],
                lift_kind=text["lift_kind"][i],
                base=float(base[i]),
                power=self.power.get(text["indicator"][i], 0.0),
            )
            for i in range(len(base))
        ]
        return tuple(sorted(found, key=lambda line: -line.power))

    @cached_property
    def headlines(self) -> tuple[Line, ...]:
        """What stands for an indicator: its first measure with all levels.

        Where that is the share of customers with a value above 0, what is seen above 0 as well.
        """
        first: dict[str, str] = {}
        for line in self.lines:
            first.setdefault(line.indicator, line.measure)
        return tuple(
            line
            for line in self.lines
            if line.measure == first[line.indicator] or line.measure == "median_positive"
        )

    def measure_label(self, line: Line) -> str:
        """Return what a line of the profile shows, in words."""
        return say_measure(f"report.measure.{line.measure}", line.measure, self.language)


def say_measure(key: str, name: str, language: str) -> str:
    """Return the catalogue's word for a name, the name itself where it has none."""
    return say(key, language) if has(key) else clean(name.replace("_", " "))


LINE_TEXT = ("indicator", "measure", "level", "unit", "lift_kind")


def _along_lines(profile: Any, name: str) -> Any:
    # `indicator` is a dimension of the same Dataset, so its column of lines has another name.
    for variable in (f"line_{name}", name):
        if variable in profile.variables and profile[variable].dims == ("line",):
            return profile[variable].values
    raise KeyError(name)


def band(dataset: Any, name: str) -> Band:
    """Return the variables ``<name>_mean``, ``_lower`` and ``_upper`` of a Dataset."""
    prefix = f"{name}_" if name else ""
    return Band(
        *(dataset[f"{prefix}{part}"].values.astype(float) for part in ("mean", "lower", "upper"))
    )
